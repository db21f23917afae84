// The daemon's side, played: it orders and cancels, answers for tools, and keeps all that the runtime says.
//
//   order ─▶ runtime         whatever passes by under the prefix, and on the stand's own inbox, is kept in its order
//
// Invariants:
//   CS1. A broken rule stays broken, whatever is kept later; one that was kept once counts as tried.
//   CS2. What is not of the runtime under test is not held against it.

import type { Clock } from "../actors/clock.ts";
import type { Key, Message } from "../protocol/catalogue.ts";
import { encode, type Envelope, type Headers, type Origin, wrap } from "../protocol/envelope.ts";
import { fromUnknown } from "../protocol/errors.ts";
import { minter } from "../protocol/ids.ts";
import { isObject, type JsonObject } from "../protocol/json.ts";
import type { Layout } from "../protocol/layouts.ts";
import { parse, type Parsed } from "../protocol/parse.ts";
import { type Selection, subjectCodec } from "../protocol/subjects.ts";
import type { Connection, Delivery } from "../transport/transport.ts";
import type { RuleId, Verdict } from "./rules.ts";

/** A message as it came: whole, and what the parser of the protocol makes of it. */
export type Heard = {
  at: number;
  subject: string;
  headers: Headers;
  text: string;
  /** What the body says, as far as it is JSON. */
  body: JsonObject;
  reply?: string | undefined;
  parsed?: Parsed;
  flaw?: { code: string; message: string };
};

export type Target = {
  runtime: { id: string; exec_id: string };
  agents: readonly string[];
  max: number;
  heartbeatMs: number;
};

export type StandParts = {
  connection: Connection;
  clock: Clock;
  prefix: string;
  layout: Layout;
  /** How long whatever has to come at once may take. */
  patienceMs: number;
};

type Sections = Readonly<Record<string, { id: string; exec_id: string }>>;

/** A command that was sent, and what identifies what comes of it. */
export type Order = {
  execId: string;
  messageId: string;
  correlationId: string;
  /** Where it is acknowledged, and where its result goes. */
  inbox: string;
  resultTo: string;
  sections: Sections;
  attempt: number;
  sentAt: number;
};

export type Ordering = {
  execId?: string;
  messageId?: string;
  attempt?: number;
  timeoutMs?: number;
  /** An order before: everything but its message id is the same. */
  like?: Order;
};

export type Stand = ReturnType<typeof openStand>;

const decoder = new TextDecoder();
const encoder = new TextEncoder();
export const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

export function openStand({ connection, clock, prefix, layout, patienceMs }: StandParts) {
  const subjects = subjectCodec({ prefix, layout });
  const ids = minter(Math.random);
  const id = (): string => ids.next(clock.now());
  const own = id();
  const heard: Heard[] = [];
  const listeners = new Set<() => void>();
  const verdicts = new Map<RuleId, Verdict>();
  const correlations = new Set<string>();

  function keep({ subject, bytes, headers, reply }: Delivery, hear?: (one: Heard) => void): void {
    const text = decoder.decode(bytes);
    const one: Heard = { at: clock.now(), subject, headers, text, body: bodyOf(text), reply };
    try {
      one.parsed = parse(subject, headers, bytes, { subjects });
    } catch (error) {
      const { code, message } = fromUnknown(error);
      one.flaw = { code, message };
    }
    heard.push(one);
    hear?.(one);
    for (const listener of listeners) listener();
  }
  // Not the commands: whoever hears them all would hide that nobody serves one.
  for (const whole of ["events", "results", "progress", "logs", "heartbeats", "rejected"] as const) {
    connection.subscribe(subjects.patternOf({ whole }), (one) => keep(one), undefined, true);
  }
  connection.subscribe(subjects.patternOf({ key: "command:ToolCancel" }), (one) => keep(one));
  connection.subscribe(`_INBOX.${own}.>`, (one) => keep(one));

  /** The first that fits among what has come and what comes in time. */
  function first<T>(find: (one: Heard) => T | undefined, ms = patienceMs, from = 0): Promise<T | undefined> {
    let looked = from;
    const look = (): T | undefined => {
      for (; looked < heard.length; looked += 1) {
        const one = heard[looked];
        const found = one && find(one);
        if (found !== undefined) {
          looked += 1;
          return found;
        }
      }
      return undefined;
    };
    const now = look();
    if (now !== undefined) return Promise.resolve(now);
    const { promise, resolve } = Promise.withResolvers<T | undefined>();
    const listener = (): void => {
      const found = look();
      if (found !== undefined) end(found);
    };
    const cancel = clock.alarm(clock.now() + ms, () => end(undefined));
    function end(found: T | undefined): void {
      cancel();
      listeners.delete(listener);
      resolve(found);
    }
    listeners.add(listener);
    return promise;
  }

  function send(
    message: Message,
    origin: Partial<Origin> & Pick<Origin, "source">,
    way: { reply?: string } = {},
  ): string {
    const messageId = origin.id ?? id();
    const correlationId = origin.correlationId ?? id();
    correlations.add(correlationId);
    const whole = wrap(message, { at: clock.now(), ...origin, id: messageId, correlationId });
    const { subject, bytes, headers } = encode(whole as Envelope, message.type as Key, subjects, {
      trace: { traceparent },
    });
    void connection.publish(subject, bytes, { headers, ...way });
    return messageId;
  }

  return {
    subjects,
    clock,
    patienceMs,
    id,
    heard,
    verdicts,
    first,
    send,
    pattern: (selection: Selection): string => subjects.patternOf(selection),
    /** Bytes as they are, to a subject as it is; gives where they are answered. */
    raw(subject: string, text: string): { inbox: string } {
      const inbox = `_INBOX.${own}.${id()}`;
      void connection.publish(subject, encoder.encode(text), { reply: inbox });
      return { inbox };
    },
    inbox: (): string => `_INBOX.${own}.${id()}`,
    answer(subject: string, message: Message, origin: Partial<Origin> & Pick<Origin, "source">): void {
      const whole = wrap(message, { at: clock.now(), id: id(), correlationId: id(), ...origin });
      const { bytes, headers } = encode(whole as Envelope, message.type as Key, subjects, { to: subject });
      void connection.publish(subject, bytes, { headers });
    },
    /** Hears the orders of a tool, and keeps them like all else. */
    serve: (tool: string, hear: (one: Heard) => void) =>
      connection.subscribe(subjects.patternOf({ key: "command:ToolExecute", params: { tool } }), (delivery) =>
        keep(delivery, hear),
      ),
    wait(ms: number): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>();
      clock.alarm(clock.now() + ms, resolve);
      return promise;
    },
    isOurs: (one: Heard): boolean => {
      const metadata = isObject(one.body["metadata"]) ? one.body["metadata"] : {};
      return correlations.has(String(metadata["correlation_id"])) || one.subject.startsWith(`_INBOX.${own}.`);
    },
    /** A rule is kept, or what came breaks it. */
    judge(rule: RuleId, isKept: boolean, expected = "", came: string | Heard | undefined = "nothing"): boolean {
      const before = verdicts.get(rule);
      if (before?.is === "broken") return isKept;
      verdicts.set(rule, isKept ? { is: "kept" } : brokenBy(expected, came));
      return isKept;
    },
    untried(rule: RuleId, because: string): void {
      if (!verdicts.has(rule)) verdicts.set(rule, { is: "untried", because });
    },
  };
}

function brokenBy(expected: string, came: string | Heard | undefined): Verdict {
  if (came === undefined || typeof came === "string") return { is: "broken", expected, came: came ?? "nothing" };
  const { subject, text, flaw, parsed } = came;
  const said = flaw ? `${flaw.code}: ${flaw.message}` : (parsed?.key ?? "a message");
  return { is: "broken", expected, came: said, subject, bytes: text };
}

function bodyOf(text: string): JsonObject {
  try {
    const body: unknown = JSON.parse(text);
    return isObject(body) ? body : {};
  } catch {
    // That it is no JSON is what the parser says of it.
    return {};
  }
}

/** A value inside a body, by its path. */
export const at = (one: Heard | undefined, path: string): unknown =>
  path.split(".").reduce<unknown>((value, field) => (isObject(value) ? value[field] : undefined), one?.body);
export const textAt = (one: Heard | undefined, path: string): string => {
  const value = at(one, path);
  return typeof value === "string" ? value : value === undefined ? "absent" : JSON.stringify(value);
};
