// Hears what a stream holds: shared by a group, or alone from now on.
//
//   group: a durable consumer of its name ─▶ hear ─▶ ack · nak · term       unsettled ─▶ "still working"
//   alone: an ordered one, which goes on where it was after every reconnect
//
// Invariants:
//   NS1. What a group has not settled is delivered again; as long as somebody is at it, to nobody else.
//   NS2. A consumer that the server has lost is made again, from where it was; with its stream, if that is lost too.
//   NS3. What comes again comes after longer each time, whether it was given back or its holder has died.
//   NS4. What was given back here has not been delivered in vain.
//   NS5. A consumer of an earlier release is made as this one wants it, and that is said.

import { createHash } from "node:crypto";
import {
  AckPolicy,
  type Consumer,
  type ConsumerConfig,
  type ConsumerMessages,
  type ConsumerUpdateConfig,
  DeliverPolicy,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  type JsMsg,
  RetentionPolicy,
} from "@nats-io/jetstream";
import type { Report } from "../protocol/report.ts";
import { deliveryOf } from "./nats-message.ts";
import type { Delivery, TransportClock } from "./transport.ts";

export type Consuming = { ready: Promise<void>; stop: () => void };

export type Hearing = {
  clock: TransportClock;
  /** Whoever holds a delivery for so long without a word has died of it. */
  ackWaitMs: number;
  stream: string;
  filters: readonly string[];
  group: string | undefined;
  hear: (delivery: Delivery) => void;
  /** Sees to it that the streams are there. */
  mend: () => Promise<void>;
  onFault: (error: unknown, subject: string) => void;
  report: Report;
};

const msInNanos = 1_000_000;
/** Who dies of a message is not there at once; the next waits so many times as long. */
const backOff = [1, 2, 4, 8];
/** What is given back comes first after this part of the wait, then after twice as long each time, up to all of it. */
const firstPart = 1 / 30;
/** So much may be heard and not settled: more waits in the stream. */
const unsettledMax = 1_000;
const retryMs = 1_000;
const consumerNotFound = 10_014;
const consumerExists = 10_148;

export function consume({ js, jsm }: { js: JetStreamClient; jsm: JetStreamManager }, hearing: Hearing): Consuming {
  const { clock, stream, filters, group, ackWaitMs, onFault } = hearing;
  /** Where it goes on if all that the server knew of it is lost. */
  let from = new Date(clock.now()).toISOString();
  const unsettled = new Set<JsMsg>();
  /** How often each was given back here; the oldest is forgotten. */
  const givenBack = new Map<number, number>();
  /** Those that are given back after a while, each with what does it at once. */
  const waiting = new Map<JsMsg, () => void>();
  let messages: ConsumerMessages | undefined;
  let isOver = false;
  let cancelAgain: (() => void) | undefined;
  let cancelWorking: (() => void) | undefined;
  const working = (): void => {
    for (const message of unsettled) message.working();
    cancelWorking = clock.alarm(clock.now() + ackWaitMs / 3, working);
  };

  /** The server would add its own wait for the dead to a delay that it is told: so it is told when it is over. */
  const giveBackIn = (ms: number, message: JsMsg): void => {
    unsettled.add(message);
    const giveBack = (): void => {
      waiting.delete(message);
      unsettled.delete(message);
      message.nak();
    };
    const cancel = clock.alarm(clock.now() + ms, giveBack);
    waiting.set(message, () => {
      cancel();
      giveBack();
    });
  };

  const consumerOf = async (): Promise<Consumer> => {
    if (group === undefined) {
      const given = { filter_subjects: [...filters], deliver_policy: DeliverPolicy.StartTime, opt_start_time: from };
      return js.consumers.get(stream, given);
    }
    const name = durableName(group, filters);
    const wanted = {
      ack_wait: ackWaitMs * msInNanos,
      backoff: backOff.map((times) => times * ackWaitMs * msInNanos),
      max_ack_pending: unsettledMax,
    };
    const found = await foundOf(jsm, stream, name);
    if (found) await mended(found, name, wanted);
    else {
      const { retention } = (await jsm.streams.info(stream)).config;
      const made = jsm.consumers.add(stream, {
        ...wanted,
        durable_name: name,
        ack_policy: AckPolicy.Explicit,
        filter_subjects: [...filters],
        // A work queue gives all it has; of a stream that others read too, what was there before is known.
        ...(retention === RetentionPolicy.Workqueue
          ? { deliver_policy: DeliverPolicy.All }
          : { deliver_policy: DeliverPolicy.StartTime, opt_start_time: from }),
      });
      // Another of the group was quicker.
      await made.catch((error: unknown) => {
        if (!isApiError(error, consumerExists)) throw error;
      });
    }
    return js.consumers.get(stream, name);
  };
  const mended = async (found: ConsumerConfig, name: string, wanted: ConsumerUpdateConfig): Promise<void> => {
    const differing = (Object.keys(wanted) as (keyof ConsumerUpdateConfig)[]).filter(
      (key) => JSON.stringify(found[key]) !== JSON.stringify(wanted[key]),
    );
    if (differing.length === 0) return;
    await jsm.consumers.update(stream, name, wanted);
    const fields = differing.map((key) => `${key}: ${JSON.stringify(found[key])}`);
    const drift = { stream, consumer: name, fields };
    hearing.report("warn", "a consumer was otherwise than it is to be, and was changed", drift);
  };

  const begin = async (): Promise<void> => {
    const consumer = await consumerOf();
    const opened = await consumer.consume({ callback: take, max_messages: 100, abort_on_missing_resource: true });
    messages = opened;
    if (isOver) return opened.stop();
    void opened.closed().then((error) => retry(error ?? undefined));
  };
  const retry = (error: unknown): void => {
    if (isOver) return;
    if (error !== undefined) onFault(error, stream);
    cancelAgain = clock.alarm(clock.now() + retryMs, () => void again().catch(retry));
  };
  const again = async (): Promise<void> => {
    // Somebody may have deleted all of it.
    await hearing.mend();
    if (!isOver) await begin();
  };

  function take(message: JsMsg): void {
    if (isOver) return;
    const { subject, data, headers } = message;
    from = message.time.toISOString();
    const delivery = deliveryOf({ subject, data, headers } as Parameters<typeof deliveryOf>[0]);
    if (group === undefined) return hearing.hear(delivery);
    unsettled.add(message);
    const { seq } = message;
    const { deliveryCount } = message.info;
    const before = givenBack.get(seq) ?? 0;
    let isSettled = false;
    const settle = (act: () => void): void => {
      if (isSettled) return;
      isSettled = true;
      unsettled.delete(message);
      givenBack.delete(seq);
      act();
    };
    hearing.hear({
      ...delivery,
      deliveries: deliveryCount - before,
      ack: () => settle(() => message.ack()),
      nak: () =>
        settle(() => {
          givenBack.set(seq, before + 1);
          for (const oldest of givenBack.keys()) if (givenBack.size > unsettledMax) givenBack.delete(oldest);
          giveBackIn(Math.min(ackWaitMs, ackWaitMs * firstPart * 2 ** (deliveryCount - 1)), message);
        }),
      term: () => settle(() => message.term()),
    });
  }

  if (group !== undefined) working();
  const ready = begin();
  ready.catch(retry);
  return {
    // That it failed was reported, and it is tried again: who waits is not held up by it.
    ready: ready.catch(() => undefined),
    stop(): void {
      isOver = true;
      cancelAgain?.();
      cancelWorking?.();
      for (const giveBack of waiting.values()) giveBack();
      messages?.stop();
    },
  };
}

/** The same for all of a group that hear the same. */
export const durableName = (group: string, filters: readonly string[]): string =>
  `${group}-${createHash("sha256").update(filters.join()).digest("hex").slice(0, 8)}`;

async function foundOf(jsm: JetStreamManager, stream: string, name: string): Promise<ConsumerConfig | undefined> {
  try {
    return (await jsm.consumers.info(stream, name)).config;
  } catch (error) {
    if (isApiError(error, consumerNotFound)) return undefined;
    throw error;
  }
}
const isApiError = (error: unknown, code: number): boolean => error instanceof JetStreamApiError && error.code === code;
