// Hears what a stream holds: shared by a group, or alone from now on.
//
//   group: a durable consumer of its name ─▶ hear ─▶ ack · nak(delay) · term       unsettled ─▶ "still working"
//   alone: an ordered one, which goes on where it was after every reconnect
//
// Invariants:
//   NS1. What a group has not settled is delivered again; as long as somebody is at it, to nobody else.
//   NS2. A consumer that the server has lost is made again, from where it was.

import { createHash } from "node:crypto";
import {
  AckPolicy,
  type Consumer,
  type ConsumerMessages,
  DeliverPolicy,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  type JsMsg,
  RetentionPolicy,
} from "@nats-io/jetstream";
import { deliveryOf } from "./nats-message.ts";
import type { Delivery, TransportClock } from "./transport.ts";

export type Consuming = { ready: Promise<void>; stop: () => void };

export type Hearing = {
  clock: TransportClock;
  stream: string;
  filters: readonly string[];
  group: string | undefined;
  hear: (delivery: Delivery) => void;
  onFault: (error: unknown, subject: string) => void;
};

const msInNanos = 1_000_000;
const ackWaitMs = 30_000;
/** So much may be heard and not settled: more waits in the stream. */
const unsettledMax = 1_000;
const retryMs = 1_000;
const consumerNotFound = 10_014;
const consumerExists = 10_148;

export function consume({ js, jsm }: { js: JetStreamClient; jsm: JetStreamManager }, hearing: Hearing): Consuming {
  const { clock, stream, filters, group, onFault } = hearing;
  /** Where it goes on if all that the server knew of it is lost. */
  let from = new Date(clock.now()).toISOString();
  const unsettled = new Set<JsMsg>();
  let messages: ConsumerMessages | undefined;
  let isOver = false;
  let cancelAgain: (() => void) | undefined;
  let cancelWorking: (() => void) | undefined;
  const working = (): void => {
    for (const message of unsettled) message.working();
    cancelWorking = clock.alarm(clock.now() + ackWaitMs / 3, working);
  };

  const consumerOf = async (): Promise<Consumer> => {
    if (group === undefined) {
      const given = { filter_subjects: [...filters], deliver_policy: DeliverPolicy.StartTime, opt_start_time: from };
      return js.consumers.get(stream, given);
    }
    const name = `${group}-${createHash("sha256").update(filters.join()).digest("hex").slice(0, 8)}`;
    if (!(await isThere(jsm, stream, name))) {
      const { retention } = (await jsm.streams.info(stream)).config;
      const made = jsm.consumers.add(stream, {
        durable_name: name,
        ack_policy: AckPolicy.Explicit,
        ack_wait: ackWaitMs * msInNanos,
        max_ack_pending: unsettledMax,
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
    cancelAgain = clock.alarm(clock.now() + retryMs, () => void begin().catch(retry));
  };

  function take(message: JsMsg): void {
    if (isOver) return;
    const { subject, data, headers } = message;
    from = message.time.toISOString();
    const delivery = deliveryOf({ subject, data, headers } as Parameters<typeof deliveryOf>[0]);
    if (group === undefined) return hearing.hear(delivery);
    unsettled.add(message);
    const settle = (act: () => void): void => {
      if (!unsettled.delete(message)) return;
      act();
    };
    hearing.hear({
      ...delivery,
      deliveries: message.info.deliveryCount,
      ack: () => settle(() => message.ack()),
      nak: (delayMs) => settle(() => message.nak(delayMs)),
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
      messages?.stop();
    },
  };
}

async function isThere(jsm: JetStreamManager, stream: string, name: string): Promise<boolean> {
  try {
    await jsm.consumers.info(stream, name);
    return true;
  } catch (error) {
    if (isApiError(error, consumerNotFound)) return false;
    throw error;
  }
}
const isApiError = (error: unknown, code: number): boolean => error instanceof JetStreamApiError && error.code === code;
