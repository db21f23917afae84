// What an agent or tool of another process answers, held against the `output` of its definition here; and what is taken
// in place of an output that cannot be read.

import { isOfThisProcess } from "../agents/agent.ts";
import type { Schema } from "../language/json-schema.ts";
import { schemaOf, wrong } from "../language/json-schema.ts";
import { asData } from "../machines/speech.ts";
import type { Key, Message } from "../protocol/catalogue.ts";
import { fromUnknown, toWire } from "../protocol/errors.ts";
import type { Parsed } from "../protocol/parse.ts";
import { isElsewhere } from "../tools/tool.ts";
import type { Word } from "./component.ts";
import type { World } from "./world.ts";

type Answer = Message<"result:AgentExecutionResult"> | Message<"result:ToolExecutionResult">;
type Definitions = Pick<World, "definitions">["definitions"];
/** How an answer that breaks the schema is told of: as if the callee had held it against that itself. */
type Unfit = { schema: Schema | undefined; who: string; status: string; code: string; cause?: string };

/** As it came, with defaults filled in; or as the callee's failure, where it breaks the schema. */
export function fittedAnswer({ definitions }: Pick<World, "definitions">, word: Word): Word {
  const unfit = unfitOf(definitions, word);
  const { payload } = word as unknown as Answer;
  const output = payload.result && "output" in payload.result ? payload.result.output : undefined;
  if (unfit?.schema === undefined || payload.status !== "SUCCESS" || output === undefined) return word;
  const checked = checkedBy(unfit.schema, output);
  if (!checked.errors) return withPayload(word, { ...payload, result: { output: asData(checked.value) } });
  const { message, details } = wrong(`the output of ${unfit.who}`, checked.errors);
  const { status, code, cause } = unfit;
  const error = { code, message, details: { ...details, ...(cause !== undefined && { cause_code: cause }) } };
  return withPayload(word, { ...payload, status, result: { error } });
}

/** Nothing where it was held against its schema where it was made, or is no answer. */
function unfitOf({ agents, tools }: Definitions, { type, agent, tool }: Word): Unfit | undefined {
  if (type === "result:ToolExecutionResult") {
    const definition = tools.get(tool?.id ?? "");
    if (!definition || !isElsewhere(definition)) return undefined;
    const who = `tool '${definition.id}'`;
    return { schema: definition.output, who, status: "FAILURE", code: "TOOL_OUTPUT_INVALID" };
  }
  if (type !== "result:AgentExecutionResult") return undefined;
  const definition = agents.get(agent?.id ?? "");
  if (!definition || isOfThisProcess(definition)) return undefined;
  const told = { status: "AGENT_ERROR", code: "AGENT_ERROR", cause: "OUTPUT_INVALID" };
  return { schema: definition.output, who: `agent '${definition.id}'`, ...told };
}

const withPayload = (word: Word, payload: object): Word => ({ ...word, payload }) as Word;

/** What is no object came as `{value}`. */
function checkedBy(schema: Parameters<typeof schemaOf>[0], output: object) {
  const checked = schemaOf(schema).check(output);
  const isWrapped = checked.errors && Object.keys(output).join() === "value";
  const inner = isWrapped ? schemaOf(schema).check((output as { value: unknown }).value) : checked;
  return inner.errors ? checked : inner;
}

/** Whoever gave it has failed, for all that is known here: an output that nobody can have is none. */
const failures: { readonly [key in Key]?: { key: Key; status: string; code: string } } = {
  "result:AgentExecutionResult": { key: "result:AgentExecutionResult", status: "AGENT_ERROR", code: "AGENT_ERROR" },
  "result:ToolExecutionResult": { key: "result:ToolExecutionResult", status: "TOOL_ERROR", code: "TOOL_ERROR" },
  "event:TaskExecutionSuccess": { key: "event:TaskExecutionFailed", status: "FAILED", code: "INTERNAL_ERROR" },
};
/** Nobody acts on the output in these: they are recorded with the reference in its place. */
const records: ReadonlySet<Key> = new Set([
  "event:AgentExecutionResult",
  "event:ToolExecutionSuccess",
  "event:WorkflowExecutionSuccess",
]);
/** That its task is tried again is up to whoever keeps count of that. */
const asGiven = { max_attempts: 1, backoff: { initial_ms: 0, factor: 1, max_ms: 0, jitter: 0 } };

/** The message without the output that cannot be read; none, if nothing can be taken in its place. */
export function withoutOutput(parsed: Parsed, thrown: unknown): Parsed | undefined {
  const { key, envelope } = parsed;
  if (records.has(key)) return parsed;
  const failure = failures[key];
  if (!failure) return undefined;
  const { message, details = {}, code } = toWire(fromUnknown(thrown));
  const cause = typeof details["reason"] === "string" ? details["reason"] : code;
  const error = { code: failure.code, message, details: { ...details, cause_code: cause } };
  const { context, ...payload } = envelope.payload as { context?: object };
  const isTask = failure.key === "event:TaskExecutionFailed";
  const failed = {
    ...payload,
    status: failure.status,
    result: { error },
    context: { ...context, ...(isTask && { retry_policy: asGiven }) },
  };
  return { ...parsed, key: failure.key, envelope: { ...envelope, payload: failed } } as unknown as Parsed;
}
