// A message as the wiretap tells it: what came over the wire, decoded and on one line; and what is none, and why.

import { styleText } from "node:util";
import type { Heard } from "../daemon/wiretap.ts";
import { kindOf, type Key } from "../protocol/catalogue.ts";
import { fromUnknown } from "../protocol/errors.ts";
import { parse } from "../protocol/parse.ts";
import { objectStoreOf, referencesIn } from "../protocol/references.ts";
import { entities } from "../protocol/statuses.ts";
import type { SubjectCodec } from "../protocol/subjects.ts";
import { type Line, newExchanges, spokenIn } from "../testing/conversation.ts";
import { dim, inStatus, lengthOf } from "./words.ts";

export type Tapped = { at: number; subject: string; headers: Readonly<Record<string, string>> } & (
  | { is: "message"; key: Key; by: string; to: readonly string[]; name: string; line: Line; envelope: Envelope }
  | { is: "malformed"; code: string; why: string; bytes: number }
);
type Envelope = Readonly<Record<string, unknown>>;

/** Any message that a server takes: whoever only looks on need not refuse it. */
const bytesMax = 64 * 1_048_576;
const textMax = 160;

export function newTapped(subjects: SubjectCodec, now: () => number) {
  const exchange = newExchanges();
  return ({ subject, headers, bytes }: Heard): Tapped => {
    const came = { at: now(), subject, headers };
    try {
      const options = { subjects, bounds: { sizeBytesMax: bytesMax, depthMax: 128 } };
      const { key, envelope } = parse(subject, headers, bytes, options);
      const [spoken] = spokenIn([{ type: key, envelope: envelope as never }]);
      if (!spoken) throw new Error("a message has one line");
      // Where an answer went is known here.
      const word = kindOf(key) === "result" ? { ...spoken.word, to: subject } : spoken.word;
      const { line, to, name } = exchange({ ...spoken, word });
      return { ...came, at: line.at, is: "message", key, by: line.by, to, name, line, envelope };
    } catch (error) {
      const { code, message } = fromUnknown(error);
      return { ...came, is: "malformed", code, why: message, bytes: bytes.byteLength };
    }
  };
}

/** Whether it is about an execution, by its id or the end of that. */
export const isAbout = (tapped: Tapped, execution: string): boolean =>
  tapped.is === "message" &&
  entities.some((entity) => (tapped.envelope[entity] as Section | undefined)?.exec_id?.endsWith(execution));
type Section = { id?: string; exec_id?: string };

export const correlationOf = (tapped: Tapped): string | undefined =>
  tapped.is === "message" ? tapped.line.correlationId : undefined;

const styles: Readonly<Record<string, Parameters<typeof styleText>[0]>> = {
  command: "bold",
  result: "blue",
  event: "cyan",
};

export function textOf(tapped: Tapped, prefix: string): string {
  const time = dim(new Date(tapped.at).toISOString().slice(11, 23));
  if (tapped.is === "malformed") {
    const { subject, code, why, bytes } = tapped;
    return `${time}  ${inStatus("FAILED", "malformed")}  ${subject}  ${code}: ${oneLine(why)} (${bytes} bytes)`;
  }
  const { key, by, to, name, envelope } = tapped;
  const kind = kindOf(key);
  const columns = [
    time,
    `${by} → ${to.join(" ")}`.padEnd(13),
    // Of two messages one may have the name of the other: an answer, and the event that tells of it.
    styleText(styles[kind] ?? "dim", `${kind.padEnd(8)}  ${name.padEnd(25)}`),
    aboutOf(envelope).padEnd(24),
    payloadOf(key, envelope, prefix),
  ];
  return columns.join("  ").trimEnd();
}

/** Its own entity, the innermost of those it names; and of ids the end, as ids of one time begin alike. */
function aboutOf(envelope: Envelope): string {
  const entity = ["tool", "agent", "task", "workflow", "agent_runtime"].find((one) => envelope[one] !== undefined);
  if (entity === undefined) return "";
  const { id = "", exec_id = "" } = envelope[entity] as Section;
  return [entity, id, exec_id.slice(-idLetters)].filter(Boolean).join(" ");
}
const idLetters = 6;

type Payload = {
  status?: string;
  result?: { error?: { code?: string; message?: string } } | null;
  duration_ms?: number | null;
  delay_ms?: number;
  message?: string;
  log_level?: string;
  context?: Readonly<Record<string, unknown>> | null;
};

function payloadOf(key: Key, envelope: Envelope, prefix: string): string {
  const payload = envelope["payload"] as Payload;
  const { status, result, context } = payload;
  const { attempt, ...more } = context ?? {};
  const told = [
    status !== undefined && inStatus(status),
    result?.error && `${result.error.code}: ${result.error.message}`,
    payload.log_level !== undefined && `${payload.log_level} ${payload.message}`,
    Number(attempt) > 1 && `attempt ${String(attempt)}`,
    typeof payload.duration_ms === "number" && `took ${lengthOf(payload.duration_ms)}`,
    payload.delay_ms !== undefined && `in ${lengthOf(payload.delay_ms)}`,
    ...wordsOf(key, more),
    ...referencesIn(payload, objectStoreOf(prefix)).map(({ place, size }) => `${place} by reference, ${size} bytes`),
  ];
  return oneLine(told.filter(Boolean).join(", "));
}

/** What of a context a reader wants to know at once: neither inputs nor outputs, which may be large or secret. */
const shownFields = ["code", "original_subject", "reason", "cause", "text", "step", "in_flight", "draining"] as const;

function wordsOf(key: Key, context: Readonly<Record<string, unknown>>): string[] {
  const { signal } = context as { signal?: { name?: string } };
  return [
    ...(signal?.name === undefined ? [] : [`signal ${signal.name}`]),
    ...shownFields.flatMap((field) => {
      const value = context[field];
      if (value === undefined || (field === "step" && key === "log:LogEmitted")) return [];
      return [`${field} ${typeof value === "string" ? value : JSON.stringify(value)}`];
    }),
  ];
}

function oneLine(text: string): string {
  const flat = text.replaceAll(/\s+/g, " ");
  return flat.length > textMax ? `${flat.slice(0, textMax)}…` : flat;
}

/** For programs: all that came. */
export function jsonOf(tapped: Tapped): object {
  const { at, subject, headers } = tapped;
  const came = { at: new Date(at).toISOString(), subject, headers };
  if (tapped.is === "malformed") return { ...came, malformed: { code: tapped.code, message: tapped.why } };
  const { key, by, to, envelope } = tapped;
  return { ...came, type: key, from: by, to, envelope };
}
