// What a runtime says: each message encoded once, kept while the server is away, and said again if nobody heard it.
//
//   event, log ─▶ kept by a stream, or said again until it is      result ─▶ after its events; again while unheard
//   progress   ─▶ passes by, or is lost                             order  ─▶ at once, or nobody takes it
//
// Invariants:
//   PO1. A state event and a result leave as the same message, until the server has them or too many wait.
//   PO2. What only passes by is not kept: nothing old arrives after an outage.
//   PO3. What waits is bounded: the oldest goes, and that is reported.
//   PO4. A result leaves after the events of its run are kept: whoever hears both hears what began before what ended.
//        It does not wait for long, as an event may never be kept.

import type { Word } from "../actors/component.ts";
import type { Clock } from "../actors/clock.ts";
import { newRedelivery } from "../actors/redelivery.ts";
import { entryOf, type Key, kindOf, type Message } from "../protocol/catalogue.ts";
import { encode, type Encoded, type Trace, wrap } from "../protocol/envelope.ts";
import { fromUnknown } from "../protocol/errors.ts";
import type { Report } from "../protocol/report.ts";
import type { SubjectCodec } from "../protocol/subjects.ts";
import type { Connection } from "../transport/transport.ts";

/** Where a message belongs: to which run, because of what, and to whom if not to its own subject. */
export type Way = {
  correlationId: string;
  cause?: string | undefined;
  trace?: Trace | undefined;
  to?: string | undefined;
};

export type Post = ReturnType<typeof newPost>;

type Means = {
  connection: Connection;
  subjects: SubjectCodec;
  clock: Clock;
  runtimeId: string;
  waitingMax: number;
  id: () => string;
  report: Report;
};

const againMs = 500;
/** What was said so shortly before a cut may not have arrived. */
const doubtMs = 5_000;
/** A stream keeps an event within milliseconds, or not at all. */
const afterEventMs = 1_000;

type Waiting = { encoded: Encoded; isStored: boolean; id: string };

export function newPost({ connection, subjects, clock, runtimeId, waitingMax, id, report }: Means) {
  const waiting: Waiting[] = [];
  let recent: (Waiting & { at: number })[] = [];
  const leaving = new Set<Promise<void>>();
  /** The last event of each execution that is on its way to its stream. */
  const events = new Map<string, Promise<void>>();
  let cancelAgain: (() => void) | undefined;
  let isClosed = false;

  const wayBack = (token: string): string => `_INBOX_${runtimeId}.${token}`;
  const redelivery = newRedelivery({
    clock,
    publish: (encoded, token) => say({ encoded, isStored: false, id: token }),
  });

  function keep(one: Waiting): void {
    if (isClosed) return;
    waiting.push(one);
    if (waiting.length > waitingMax) {
      const [dropped] = waiting.splice(0, 1);
      const { subject = "" } = dropped?.encoded ?? {};
      report("error", "too much waits for the server: a message was dropped", {
        subject,
        limit: "waiting",
        waitingMax,
      });
    }
    cancelAgain ??= clock.alarm(clock.now() + againMs, again);
  }
  function again(): void {
    cancelAgain = undefined;
    if (isClosed) return;
    if (connection.connected()) for (const one of waiting.splice(0)) say(one);
    else if (waiting.length > 0) cancelAgain = clock.alarm(clock.now() + againMs, again);
  }

  /** Once the events of this execution are kept, if some are on their way. */
  function sayAfter(about: string, one: Waiting): void {
    const before = events.get(about);
    if (!before) return say(one);
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const cancel = clock.alarm(clock.now() + afterEventMs, resolve);
    const said = Promise.race([before, late]).then(() => {
      cancel();
      say(one);
    });
    leaving.add(said);
    void said.finally(() => leaving.delete(said));
  }

  function say(one: Waiting, about?: string): void {
    const { encoded, isStored } = one;
    const { subject, bytes, headers } = encoded;
    try {
      if (!isStored) {
        void connection.publish(subject, bytes, { headers, reply: wayBack(one.id) });
        redelivery.watch(one.id, encoded);
        const now = clock.now();
        recent = [...recent.filter(({ at }) => now - at < doubtMs).slice(1 - waitingMax), { ...one, at: now }];
        return;
      }
      const kept = connection.publish(subject, bytes, { headers, stored: true })?.catch((error: unknown) => {
        report("warn", "a message was not kept, and is said again", { subject, reason: fromUnknown(error).message });
        keep(one);
      });
      if (!kept) return;
      leaving.add(kept);
      if (about !== undefined) events.set(about, kept);
      void kept.finally(() => {
        leaving.delete(kept);
        if (about !== undefined && events.get(about) === kept) events.delete(about);
      });
    } catch (error) {
      // The server is away. What can never leave is no message of ours.
      if (fromUnknown(error).code === "NO_RESPONDER") return keep(one);
      report("error", "a message could not be sent", { subject, reason: fromUnknown(error).message });
    }
  }

  connection.onChange((isThere) => {
    if (!isThere || isClosed) return;
    const now = clock.now();
    const doubtful = recent.filter(({ at }) => now - at < doubtMs);
    recent = [];
    for (const one of doubtful) say(one);
    for (const one of waiting.splice(0)) say(one);
  });

  function encoded(word: Word, by: "AR" | "XE", { correlationId, cause, trace, to }: Way): Encoded & { id: string } {
    const { to: named, ...said } = word;
    const messageId = id();
    const origin = {
      id: messageId,
      at: clock.now(),
      correlationId,
      causationId: cause,
      source: by,
      instance: runtimeId,
    };
    const message = said as unknown as Message;
    const whole = encode(wrap(message, origin), message.type as Key, subjects, {
      to: to ?? named,
      ...(trace && { trace }),
    });
    return { ...whole, id: messageId };
  }

  return {
    encoded,
    /** Says it as the catalogue has it: kept by a stream, or as a result, or in passing. */
    say(word: Word, by: "AR" | "XE", way: Way): Encoded & { id: string } {
      const whole = encoded(word, by, way);
      const key = word.type as Key;
      const isStored = entryOf(key).delivery === "stored";
      const about = (word.tool ?? word.agent)?.exec_id;
      if (isStored) {
        say({ encoded: whole, isStored, id: whole.id }, about);
        return whole;
      }
      if (kindOf(key) === "result" && key !== "result:CommandAck") {
        sayAfter(about ?? "", { encoded: whole, isStored, id: whole.id });
        return whole;
      }
      try {
        void connection.publish(whole.subject, whole.bytes, { headers: whole.headers });
      } catch (error) {
        const { message: reason } = fromUnknown(error);
        report("debug", "a message that only passes by was lost", { subject: whole.subject, reason });
      }
      return whole;
    },
    /** The same message once more. */
    repeat: (whole: Encoded & { id: string }, to = whole.subject): void =>
      say({ encoded: { ...whole, subject: to }, isStored: false, id: whole.id }),
    /** An order, answered in this process' own inbox under this token; throws if it cannot leave. */
    order(word: Word, way: Way, token: string): void {
      const to = wayBack(token);
      const named = { ...word, payload: { ...(word["payload"] as object), reply_to_subject: to } };
      const { subject, bytes, headers } = encoded(named, "AR", way);
      void connection.publish(subject, bytes, { headers, reply: to });
    },
    /** A result that nobody hears; whether it was one. */
    unheard: (token: string): boolean => redelivery.unheard(token),
    /** Resolves when all that is to be kept is kept, or cannot be while the server is away. */
    async settled(): Promise<void> {
      while (leaving.size > 0) await Promise.allSettled(leaving);
    },
    waiting: (): number => waiting.length,
    close(): void {
      isClosed = true;
      cancelAgain?.();
      redelivery.close();
    },
  };
}
