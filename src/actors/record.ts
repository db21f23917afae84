// What the log keeps of a reaction, and how it is read again: for a replay, and for people.

import type { Component as Code } from "../protocol/entry.ts";
import { components } from "../protocol/entry.ts";
import type { Trace } from "../protocol/envelope.ts";
import { idAfter } from "../protocol/ids.ts";
import { type Message, nameOf as messageName, isKey } from "../protocol/catalogue.ts";
import type { LogRecord } from "../store/store.ts";
import { as, type Word } from "./component.ts";
import type { Input, Reaction, Said } from "./react.ts";
import type { Run } from "./run.ts";
import type { Committed } from "./system.ts";

/** The version of what stands in a body. */
const version = 1;

type Body = {
  v: number;
  /** Seed of the stamp. */
  s: string;
  /** Correlation id. */
  c: string;
  /** The trace of the run, if it has one. */
  t?: Trace;
  i: Input;
  /** How the message that came was recorded, if it moved nothing. */
  d?: string;
  /** What the world answered. */
  a?: unknown[];
  /** Who said what, because of which message, and how it was recorded if it moved nothing. */
  m: [by: Code, word: Word, cause: string | null, disposition?: string][];
};

export type Replayed = { input: Input; seed: string; correlationId: string; answers: unknown[]; said: string };

/** What is written down of what was said; the message that came stands with the input. */
export function saidOf({ said }: Reaction, input: Input): Body["m"] {
  const own = input.on === "message" && !input.told ? said.slice(1) : said;
  return own
    .filter(({ fleeting }) => fleeting !== true)
    .map(({ by, word, cause, disposition }) =>
      disposition === undefined ? [by, word, cause] : [by, word, cause, disposition],
    );
}

export function bodyOf(
  input: Input,
  seed: string,
  { correlationId, facts: { trace } }: Pick<Run, "correlationId" | "facts">,
  reaction: Reaction,
): string {
  const own = input.on === "message" && !input.told;
  const body: Body = {
    v: version,
    s: seed,
    c: correlationId,
    ...(trace && { t: trace }),
    i: input,
    ...(own && reaction.said[0]?.disposition !== undefined && { d: reaction.said[0].disposition }),
    ...(reaction.answers.length > 0 && { a: reaction.answers }),
    m: saidOf(reaction, input),
  };
  return JSON.stringify(body);
}

function readBody(text: string): Body {
  const body = JSON.parse(text) as Body;
  if (body.v === version) return body;
  throw new Error(`a record of version ${body.v} cannot be read, only of version ${version}`);
}

export function replayOf({ body }: LogRecord): Replayed {
  const { s, c, i, a, m } = readBody(body);
  return { input: i, seed: s, correlationId: c, answers: a ?? [], said: JSON.stringify(m) };
}

/** The order that a workflow execution was begun with, if this is its first record; a child's came from another run. */
export function orderIn({ body }: LogRecord): Message<"command:WorkflowExecute"> | undefined {
  const { i } = readBody(body);
  const order = i.on === "message" ? i : i.on === "collapse" ? i.order : undefined;
  if (order?.word.type !== "command:WorkflowExecute") return undefined;
  return as<Message<"command:WorkflowExecute">>(order.word);
}

/** A line of the journal: a message as it was recorded. */
export type JournalLine = {
  line: number;
  seq: number;
  run: string;
  disposition: string;
  type: string;
  envelope: { metadata: Record<string, string> } & Record<string, unknown>;
};

export function journalOf(record: LogRecord): JournalLine[] {
  const { s, c, i, d, m } = readBody(record.body);
  const own = i.on === "message" && !i.told && !i.word.type.startsWith("progress:") ? i : undefined;
  const came: Body["m"][number] | undefined = own && [own.by, own.word, own.cause?.id ?? null];
  if (d !== undefined) came?.push(d);
  return [...(came ? [came] : []), ...m].map(([by, word, cause, disposition], index) => {
    const id = own && index === 0 ? own.id : idAfter(s, index + 1);
    return {
      line: record.line + index,
      seq: record.seq,
      run: record.run,
      disposition: disposition ?? "applied",
      type: word.type,
      envelope: envelopeOf({ id, by, word, cause }, c, record.at),
    };
  });
}

/** What was said in a record, as it was when it was committed; and which message it took as an answer. */
export function committedIn(record: LogRecord): { committed: Committed; answers: string | null } {
  const { s, c, t, i, m } = readBody(record.body);
  const own = i.on === "message" && !i.told && !i.word.type.startsWith("progress:") ? i : undefined;
  const said: Said[] = m.map(([by, word, cause, disposition], index) => ({
    id: idAfter(s, index + (own ? 2 : 1)),
    by,
    word,
    cause,
    ...(disposition !== undefined && { disposition }),
    from: speakerOf(word),
  }));
  if (own && own.foreign !== true)
    said.unshift({ id: own.id, by: own.by, word: own.word, cause: own.cause?.id ?? null });
  const answers = own?.foreign === true ? (own.cause?.id ?? null) : null;
  const { run, seq, line, at } = record;
  return { committed: { run, correlationId: c, ...(t && { trace: t }), seq, line, at, said }, answers };
}

/** The chart that asks: it has to be told if nobody takes what it asked. */
function speakerOf({ type, task, agent, tool, payload }: Word): string {
  const { attempt, resume_data } = (payload as { context?: { attempt?: number; resume_data?: unknown } }).context ?? {};
  if (type === "command:TaskExecute") {
    return `order/${task?.exec_id}#${attempt}${resume_data === undefined ? "" : "r"}`;
  }
  if (type === "command:TriggerAgent") return `call/${agent?.exec_id}`;
  if (type === "command:ToolExecute") return `call/${tool?.exec_id}`;
  return type.startsWith("command:AgentRuntime") ? `dispatch/${agent?.exec_id}` : "";
}

/** A message as it travels. */
export function envelopeOf(
  { id, by, word, cause }: { id: string; by: Code; word: Word; cause: string | null },
  correlationId: string,
  at: number,
): JournalLine["envelope"] {
  const { type, to: _to, ...content } = word;
  return {
    metadata: {
      message_id: id,
      message_type: isKey(type) ? messageName(type) : type,
      correlation_id: correlationId,
      ...(cause !== null && { causation_id: cause }),
      event_timestamp: new Date(at).toISOString(),
      source_component: components[by],
    },
    ...content,
  };
}
