// A conversation as Mermaid text (`sequenceDiagram`), each message over the bus: who publishes it, and whom it reaches.

import type { Word } from "../actors/component.ts";
import type { JournalLine } from "../actors/record.ts";
import { catalogue, isKey, type Key, type Message, nameOf } from "../protocol/catalogue.ts";
import { type Component, components, everyone, type Kind } from "../protocol/entry.ts";
import type { SubjectCodec } from "../protocol/subjects.ts";

/** A message: who said it, when, because of which. */
export type Line = { id: string; at: number; by: string; word: Word; correlationId: string; cause: string | null };

export type Speaker = Component | "CLIENT";
const names: Readonly<Record<Speaker, string>> = {
  CLIENT: "Client",
  API: "API Service",
  GW: "API Gateway",
  SC: "Schedule Service",
  WO: "Workflow Orchestrator",
  TD: "Task Dispatcher",
  TE: "Task Executor",
  AD: "Agent Dispatcher",
  AR: "Agent Runtime",
  XE: "Tool Executor",
  SM: "State Manager",
  MON: "Monitoring",
};
const kinds: Readonly<Record<Kind, string>> = {
  command: "Command",
  result: "Command Result",
  event: "State Event",
  progress: "Progress",
  log: "Log",
};

type Payload = {
  status?: string;
  result?: { error?: { code?: string; details?: { reason?: string; cause_code?: string } } } | null;
  reply_to_subject?: string;
  context?: { attempt?: number; code?: string; reason?: string };
};
const payloadOf = ({ word }: Line): Payload => (word["payload"] ?? {}) as Payload;

/** Everything that is worth an arrow: beats are not. */
const isShown = ({ word }: Line, isAboutRuntime: boolean): boolean =>
  (isKey(word.type) && (isAboutRuntime || word.type !== "progress:AgentRuntimeHeartbeat")) || word.type === unknown;
/** What a client said, and nobody understood. */
const unknown = "command:?";

/** Who said which command: by its id, and by the subject where its reply is awaited. */
type Asked = { byId: ReadonlyMap<string, string>; bySubject: ReadonlyMap<string, string> };

function newAsked(keptMax: number) {
  const byId = new Map<string, string>();
  const bySubject = new Map<string, string>();
  const keep = (map: Map<string, string>, name: string, by: string): void => {
    if (map.has(name)) return;
    map.set(name, by);
    const [oldest] = map.size > keptMax ? map.keys() : [];
    if (oldest !== undefined) map.delete(oldest);
  };
  const note = (line: Line): void => {
    if (!line.word.type.startsWith("command:")) return;
    keep(byId, line.id, line.by);
    const subject = payloadOf(line).reply_to_subject;
    if (subject !== undefined) keep(bySubject, subject, line.by);
  };
  return { byId, bySubject, note };
}

/** Whom it is for, besides those who hear every event. */
function receiversOf(line: Line, lines: readonly Line[], asked: Asked): Speaker[] {
  if (line.word.type === unknown) return lines.filter(({ cause }) => cause === line.id).map(({ by }) => by as Speaker);
  const key = line.word.type as Key;
  const { kind, to } = catalogue[key];
  if (kind !== "result") {
    const own = (to as readonly Component[]).filter((receiver) => receiver !== line.by);
    if (kind !== "event") return own;
    const listeners: ReadonlySet<string> = new Set(everyone.filter((one) => one !== "SM" && one !== "WO"));
    return own.filter((receiver) => !listeners.has(receiver) && (receiver !== "WO" || !isForRecordOnly(key)));
  }
  return [issuerOf(line, asked)];
}
/** Who asked: for a reply on this subject, or, where no subject is named, with the command that caused it. */
function issuerOf({ by, cause, word: { type, to } }: Line, { byId, bySubject }: Asked): Speaker {
  const caused = type === "result:CommandAck" ? byId.get(cause ?? "") : undefined;
  const otherwise = by === "AR" ? "AD" : "API";
  return (caused ?? bySubject.get(to ?? "") ?? otherwise) as Speaker;
}
/** The orchestrator hears what it said itself no more than once, and of runtimes nothing that moves it. */
const isForRecordOnly = (key: Key): boolean => /^event:(?:Workflow|AgentRuntime|AgentDispatch)/.test(key);

/** Execution ids by name: `{task_exec_id}`, and with a label where there are several of a kind. */
function namesOf(lines: readonly Line[]): ReadonlyMap<string, string> {
  const found = new Map<string, Map<string, string>>();
  for (const { word } of lines) {
    for (const entity of ["workflow", "task", "agent", "tool", "agent_runtime"] as const) {
      const section = word[entity];
      if (section?.exec_id === undefined) continue;
      const ids = found.get(entity) ?? new Map<string, string>();
      found.set(entity, ids.set(section.exec_id, section.id ?? ""));
    }
  }
  const named = new Map<string, string>();
  for (const [entity, ids] of found) {
    const stem = entity === "agent_runtime" ? "runtime_id" : `${entity}_exec_id`;
    const isById = new Set(ids.values()).size === ids.size;
    for (const [place, [execId, id]] of [...ids].entries()) {
      // No `#` and no `;`: with them Mermaid ends a text.
      const label = ids.size === 1 ? "" : `:${isById ? id : place + 1}`;
      // A direct run and its first call have one id: the call is what is talked of.
      named.set(`${entity} ${execId}`, `{${stem}${label}}`);
    }
  }
  return named;
}

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g;

function subjectText(line: Line, codec: SubjectCodec, named: ReadonlyMap<string, string>): string {
  const origin = { correlation_id: line.correlationId, source_component: components[line.by as Component] };
  const { to } = line.word;
  const subject = typeof to === "string" ? to : codec.subjectOf(line.word as unknown as Message<Key>, origin);
  const entity = /(?:events|results|commands|progress|heartbeats)\.(\w+)/.exec(subject)?.[1] ?? "";
  return subject.replaceAll(uuid, (id) => {
    const others = ["workflow", "task", "agent", "tool", "agent_runtime"].map((one) => named.get(`${one} ${id}`));
    if (subject.startsWith("_INBOX")) return "{inbox}";
    if (id === line.correlationId && others.every((one) => one === undefined)) return "{correlation_id}";
    return named.get(`${entity} ${id}`) ?? others.find((one) => one !== undefined) ?? "{id}";
  });
}

function outcomeOf(line: Line): string {
  const { status, result, context } = payloadOf(line);
  const error = result?.error;
  const told = [
    status && `status: ${status}`,
    error?.code && `code: ${error.code}`,
    error?.details?.reason && `reason: ${error.details.reason}`,
    error?.details?.cause_code && `cause_code: ${error.details.cause_code}`,
    context?.code && `code: ${context.code}`,
    context?.attempt !== undefined && context.attempt > 1 && `attempt: ${context.attempt}`,
  ].filter(Boolean);
  // What strangers write is no part of the drawing.
  return told.length === 0 ? "" : `<br>Payload: {${told.join(", ").replaceAll(/[;#<>\n\r]/g, " ")}}`;
}

const inSeconds = (ms: number): string => (ms >= 1_000 ? `${ms / 1_000} s` : `${ms} ms`);

/** Messages as a journal has them. Where a result went stands in the command that asked for it. */
export function spokenIn(lines: readonly Pick<JournalLine, "type" | "envelope">[]): Line[] {
  const awaited = new Map<string, string>();
  return lines.map(({ type, envelope }) => {
    const { metadata, ...content } = envelope;
    const word = { ...content, type } as Word;
    const place = `${word.agent?.exec_id} ${word.tool?.exec_id}`;
    const { reply_to_subject: subject } = (word["payload"] ?? {}) as Payload;
    const isCall = type === "command:TriggerAgent" || type === "command:ToolExecute";
    if (isCall && subject !== undefined) awaited.set(place, subject);
    const to = /^result:(?:Agent|Tool)/.test(type) ? awaited.get(place) : undefined;
    const source = (metadata["source_component"] ?? "").replace(/:.*$/, "");
    const [by = "CLIENT"] = Object.entries(components).find(([, name]) => name === source) ?? [];
    return {
      id: metadata["message_id"] ?? "",
      at: Date.parse(metadata["event_timestamp"] ?? ""),
      by,
      word: { ...word, ...(to !== undefined && { to }) },
      correlationId: metadata["correlation_id"] ?? "",
      cause: metadata["causation_id"] ?? null,
    };
  });
}

/** What was said, in order, and to whom. */
export function exchangesIn(lines: readonly Line[]): { line: Line; to: Speaker[]; name: string }[] {
  const isAboutRuntime = lines.every(({ word }) => word.agent === undefined && word.workflow === undefined);
  const shown = lines.filter((line) => isShown(line, isAboutRuntime));
  const asked = newAsked(Infinity);
  for (const line of shown) asked.note(line);
  return shown.map((line) => ({ line, to: receiversOf(line, shown, asked), name: saidName(line) }));
}
const saidName = ({ word: { type } }: Line): string => (isKey(type) ? nameOf(type) : "?");

/** The same of messages as they come: of those that asked for something, so many are remembered. */
export function newExchanges(keptMax = 10_000): (line: Line) => { line: Line; to: Speaker[]; name: string } {
  const asked = newAsked(keptMax);
  return (line) => {
    asked.note(line);
    return { line, to: receiversOf(line, [], asked), name: saidName(line) };
  };
}

export function conversationOf(lines: readonly Line[], codec: SubjectCodec): string {
  const exchanges = exchangesIn(lines);
  const shown = exchanges.map(({ line }) => line);
  const named = namesOf(shown);
  const arrows: string[] = [];
  const present = new Set<string>();
  let before = shown[0]?.at ?? 0;
  for (const { line, to: receivers, name } of exchanges) {
    const key = line.word.type as Key;
    const kind = isKey(key) ? catalogue[key].kind : "command";
    if (line.at > before) arrows.push(`Note over ${line.by}: ${inSeconds(line.at - before)} pass`);
    before = line.at;
    present.add(line.by);
    for (const receiver of receivers) present.add(receiver);
    const arrow = kind === "result" ? "-->>" : "->>";
    const subject = subjectText(line, codec, named);
    const outcome = outcomeOf(line);
    arrows.push(`${line.by}${arrow}NATS: Publishes \`${name}\` (${kinds[kind]})<br>Subject: \`${subject}\`${outcome}`);
    for (const receiver of receivers) arrows.push(`NATS-->>${receiver}: Delivers \`${name}\``);
    if (receivers.includes("SM")) arrows.push(`SM-->>SM: Records ${name}`);
  }
  const cast = (Object.keys(names) as Speaker[]).filter((component) => present.has(component));
  return [
    "sequenceDiagram",
    ...cast.map((component) => `    participant ${component} as ${names[component]}`),
    "    participant NATS",
    "",
    ...arrows.map((line) => `    ${line}`),
  ].join("\n");
}
