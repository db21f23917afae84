// A conversation as Mermaid text (`sequenceDiagram`), each message over the bus: who publishes it, and whom it reaches.

import { catalogue, isKey, type Key, type Message, nameOf } from "../../src/protocol/catalogue.ts";
import { type Component, components, type Kind } from "../../src/protocol/entry.ts";
import { everyone } from "../../src/protocol/entry.ts";
import type { SubjectCodec } from "../../src/protocol/subjects.ts";
import type { Line } from "./virtual-troupe.ts";

type Speaker = Component | "CLIENT";
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

/** Whom it is for, besides those who hear every event. */
function receiversOf(line: Line, lines: readonly Line[]): Speaker[] {
  if (line.word.type === unknown) return lines.filter(({ cause }) => cause === line.id).map(({ by }) => by as Speaker);
  const key = line.word.type as Key;
  const { kind, to } = catalogue[key];
  if (kind !== "result") {
    const own = (to as readonly Component[]).filter((receiver) => receiver !== line.by);
    if (kind !== "event") return own;
    const listeners: ReadonlySet<string> = new Set(everyone.filter((one) => one !== "SM" && one !== "WO"));
    return own.filter((receiver) => !listeners.has(receiver) && (receiver !== "WO" || !isForRecordOnly(key)));
  }
  return [issuerOf(line, lines)];
}
/** Who asked: for a reply on this subject, or, where no subject is named, with the command that caused it. */
function issuerOf(line: Line, lines: readonly Line[]): Speaker {
  const asked = (isIt: (one: Line) => boolean): string | undefined =>
    lines.find((one) => one.word.type.startsWith("command:") && isIt(one))?.by;
  const { to } = line.word;
  const otherwise = line.by === "AR" ? "AD" : "API";
  const caused = line.word.type === "result:CommandAck" ? asked(({ id }) => id === line.cause) : undefined;
  return (caused ?? asked((one) => to !== undefined && payloadOf(one).reply_to_subject === to) ?? otherwise) as Speaker;
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
  return told.length === 0 ? "" : `<br>Payload: {${told.join(", ")}}`;
}

const inSeconds = (ms: number): string => (ms >= 1_000 ? `${ms / 1_000} s` : `${ms} ms`);

export function conversationOf(lines: readonly Line[], codec: SubjectCodec): string {
  const isAboutRuntime = lines.every(({ word }) => word.agent === undefined && word.workflow === undefined);
  const shown = lines.filter((line) => isShown(line, isAboutRuntime));
  const named = namesOf(shown);
  const arrows: string[] = [];
  const present = new Set<string>();
  let before = shown[0]?.at ?? 0;
  for (const line of shown) {
    const key = line.word.type as Key;
    const name = isKey(key) ? nameOf(key) : "?";
    const kind = isKey(key) ? catalogue[key].kind : "command";
    if (line.at > before) arrows.push(`Note over ${line.by}: ${inSeconds(line.at - before)} pass`);
    before = line.at;
    const receivers = receiversOf(line, shown);
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
