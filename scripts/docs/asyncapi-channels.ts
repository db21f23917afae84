// The channels of the AsyncAPI document: every subject as an address with parameters, all events at once, the inboxes.

import { entryOf, keys, type Key } from "../../src/protocol/catalogue.ts";
import { templateOf } from "../../src/protocol/layouts.ts";

export type Part = { [field: string]: unknown };

/** A key where a colon may not stand. */
export const idOf = (key: Key): string => key.replace(":", ".");
export const ref = (...steps: string[]): Part => ({ $ref: `#/${steps.join("/")}` });
export const forEach = (chosen: readonly Key[], make: (key: Key) => unknown): Part =>
  Object.fromEntries(chosen.map((key) => [idOf(key), make(key)]));

type Token = {
  readonly name: string;
  readonly description: string;
  readonly default?: string;
  readonly enum?: string[];
};
const execution = (of: string): string => `exec_id of the ${of}, a UUID`;
const tokens: Record<string, Token> = {
  workflow: { name: "workflow_id", description: "id of the workflow" },
  wf: { name: "scope", description: "id of the workflow; _ for an agent or tool run by itself" },
  wfx: { name: "workflow_exec_id", description: execution("workflow execution") },
  task: { name: "task_id", description: "id of the task; of the agent or tool when the scope is _" },
  taskx: { name: "task_exec_id", description: execution("task execution") },
  agent: { name: "agent_id", description: "id of the agent" },
  agentx: { name: "agent_exec_id", description: execution("agent execution") },
  tool: { name: "tool_id", description: "id of the tool" },
  toolx: { name: "tool_exec_id", description: execution("tool execution") },
  rt: { name: "runtime_id", description: "exec_id of the agent runtime, a UUID it mints when it starts" },
  execx: { name: "exec_id", description: execution("command's entity") },
  entity: { name: "entity", description: "whose result it is", enum: ["workflow", "task", "agent_runtime"] },
  corr: { name: "correlation_id", description: "correlation id, a UUID" },
  component: { name: "component", description: "who logs, in snake case", default: "task_executor" },
  level: { name: "level", description: "log level", enum: ["debug", "info", "warn", "error"] },
  reason: { name: "reason", description: "error code in lower case", default: "unknown_message_type" },
};
const prefix: Token = { name: "prefix", description: "subject prefix of this troupe", default: "compozy" };
const event: Token = { name: "event", description: "what happened" };
const anyEntity: Token = { name: "any_entity", description: "workflow, task, agent, tool or agent_runtime" };

function tokenOf(name: string): Token {
  const token = tokens[name];
  if (token === undefined) throw new Error(`the token <${name}> of a subject has no description`);
  return token;
}

// In the subject of a workflow's own message this is the workflow itself, and never _.
const subjectOf = (key: Key): string => {
  const { entity, subject } = entryOf(key);
  return entity === "workflow" ? subject.replace("<wf>", "<workflow>") : subject;
};

const tokenPattern = /<(\w+)>/g;
const tokensIn = (subject: string): Token[] =>
  [...subject.matchAll(tokenPattern)].map(([, name = ""]) => tokenOf(name));

/** A subject of the catalogue as an address, its tokens as parameters. */
const addressOf = (subject: string): string =>
  `{prefix}.${subject.replaceAll(tokenPattern, (_, name: string) => `{${tokenOf(name).name}}`)}`;

const parametersOf = (used: readonly Token[]): Part =>
  Object.fromEntries([prefix, ...used].map(({ name }) => [name, ref("components", "parameters", name)]));

const travels = {
  stored: "Published to a JetStream stream, and acknowledged by the server.",
  request: "A core NATS request: no responders is an immediate answer.",
  core: "Core NATS, at most once.",
};

const channelOf = (key: Key): Part => {
  const { summary, delivery } = entryOf(key);
  const subject = subjectOf(key);
  return {
    address: addressOf(subject),
    summary,
    description: `${travels[delivery]} In the correlated layout: <prefix>.${templateOf(key).correlated.join(".")}`,
    messages: { [idOf(key)]: ref("components", "messages", idOf(key)) },
    parameters: parametersOf(tokensIn(subject)),
  };
};

const messagesOf = (chosen: readonly Key[]): Part => forEach(chosen, (key) => ref("components", "messages", idOf(key)));

export const isEvent = (key: Key): boolean => entryOf(key).kind === "event";
export const results = keys.filter((key) => entryOf(key).kind === "result");

const allEvents: Part = {
  address: "{prefix}.events.{any_entity}.instance.{exec_id}.{event}",
  summary: "Every state event, for those who watch all of them.",
  messages: messagesOf(keys.filter(isEvent)),
  parameters: parametersOf([anyEntity, tokenOf("execx"), event]),
};

const inbox: Part = {
  address: null,
  summary: "Where a reply goes when the command names its own subject for it.",
  description:
    "The NATS reply field or payload.reply_to_subject: a result subject, or an inbox. A runtime in another process " +
    "gives its own tool calls an inbox that begins with _INBOX_<runtime_id>., so that it need not be allowed to read " +
    "results.>; all others use _INBOX.>. On an inbox the kind is result, and metadata.message_type is required.",
  messages: messagesOf(results),
};

const parameterOf = (token: Token): Part =>
  Object.fromEntries(Object.entries(token).filter(([field]) => field !== "name"));
export const parameters: Part = Object.fromEntries(
  [prefix, event, anyEntity, ...Object.values(tokens)].map((token) => [token.name, parameterOf(token)]),
);

export const channels = (): Part => ({ ...forEach(keys, channelOf), events: allEvents, inbox });
