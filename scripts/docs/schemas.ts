// Writes docs/schemas/*.schema.json: for every message, the JSON Schema of its envelope as troupe sends it.
//
// A rule that zod holds as code says nothing to JSON Schema, so each one is said again here as data. A refinement
// without such a counterpart is an error, and not a schema that quietly allows more.

import { isDeepStrictEqual as isEqual } from "node:util";
import { z } from "zod";
import { catalogue, entryOf, keys, nameOf, type Key } from "../../src/protocol/catalogue.ts";
import { components } from "../../src/protocol/entry.ts";
import { metadata } from "../../src/protocol/envelope.ts";
import * as f from "../../src/protocol/fields.ts";
import { reservedIds } from "../../src/protocol/ids.ts";
import { entities } from "../../src/protocol/statuses.ts";
import { json, type Document } from "./document.ts";

export type JsonSchema = { [keyword: string]: unknown };

/** Where the messages' schemas say they live: names, not addresses. */
const idOf = (key: Key): string => `urn:troupe:protocol:1:${key}`;
export const fileOf = (key: Key): string => `${key.replace(":", ".")}.schema.json`;

// ── the envelope ─────────────────────────────────────────────────────────────────────────────────

const sources = Object.values(components).map((component) => component.replace(".", "\\."));

const described = <T extends z.ZodType>(schema: T, description: string): T => schema.meta({ description });

const metadataOf = (key: Key) =>
  metadata.extend({
    message_type: z.literal(nameOf(key)),
    correlation_id: described(f.execId, "minted by the command that began it all, and inherited"),
    causation_id: described(f.execId, "message_id of the cause; absent on roots").optional(),
    event_timestamp: described(z.iso.datetime({ precision: 3 }), "ISO 8601, UTC, milliseconds"),
    source_component: described(
      f.source.regex(new RegExp(`^(${sources.join("|")})(:.+)?$`)),
      "component, and behind a colon which instance of it",
    ),
    created_by: described(f.name, "the person or program behind it").optional(),
  });

const mentioned = Object.fromEntries(entities.map((entity) => [entity, f.either.optional()]));

/** The whole message: metadata, its own sections, whichever others it mentions, payload. */
export const envelopeOf = (key: Key) =>
  z.object({
    metadata: metadataOf(key),
    ...mentioned,
    ...entryOf(key).sections,
    payload: entryOf(key).payload,
  });

// ── what zod holds as code ───────────────────────────────────────────────────────────────────────

const has = (...names: string[]): JsonSchema => ({ required: names });
/** With this status the fields are so, with any other so. */
const byStatus = (status: string, fields: JsonSchema, otherwise: JsonSchema): JsonSchema => ({
  oneOf: [
    { properties: { status: { const: status }, ...fields } },
    { properties: { status: { not: { const: status } }, ...otherwise } },
  ],
});
const outputOnSuccess = byStatus("SUCCESS", { result: has("output") }, { result: has("error") });
/** An error with this code has such details. */
const promising = (code: string, details: JsonSchema): JsonSchema => ({
  anyOf: [
    { properties: { code: { not: { const: code } } } },
    { properties: { details: { type: "object", ...details } }, ...has("details") },
  ],
});
const dispatchReason = { properties: { reason: { enum: f.dispatchReason.options } }, ...has("reason") };
const failedTask = {
  properties: {
    failed_task_id: { $ref: "#/$defs/definition_id" },
    failed_task_exec_id: { $ref: "#/$defs/exec_id" },
    cause_code: { type: "string" },
  },
  ...has("failed_task_id", "failed_task_exec_id", "cause_code"),
};

type Rule = { readonly schema: z.ZodType; readonly refinements: number; readonly says: JsonSchema };
const rules: readonly Rule[] = [
  { schema: f.definitionId, refinements: 1, says: { not: { enum: reservedIds } } },
  // That it must be there is what `required` says where it is used.
  { schema: f.json, refinements: 1, says: {} },
  { schema: f.either, refinements: 1, says: { anyOf: [has("id"), has("exec_id")] } },
  { schema: f.outcome, refinements: 1, says: { oneOf: [has("output"), has("error")] } },
  { schema: catalogue["result:AgentExecutionResult"].payload, refinements: 1, says: outputOnSuccess },
  { schema: catalogue["result:ToolExecutionResult"].payload, refinements: 1, says: outputOnSuccess },
  {
    schema: catalogue["result:CommandAck"].payload,
    refinements: 1,
    says: {
      oneOf: [
        { properties: { status: { const: "ERROR" }, result: { type: "object" } }, ...has("result") },
        { properties: { status: { not: { const: "ERROR" } }, result: { type: "null" } } },
      ],
    },
  },
  {
    schema: catalogue["event:AgentExecutionResult"].payload,
    refinements: 2,
    says: byStatus(
      "SUCCESS",
      { result: has("output"), agent_execution_status: { const: "SUCCESS" } },
      { result: has("error"), agent_execution_status: { const: "AGENT_ERROR" } },
    ),
  },
  {
    schema: f.explained,
    refinements: 1,
    says: {
      properties: {
        error: {
          allOf: [
            { $ref: "#/$defs/error" },
            promising("AGENT_DISPATCH_FAILED", dispatchReason),
            promising("TOOL_DISPATCH_FAILED", dispatchReason),
            promising("TASK_FAILED", failedTask),
          ],
        },
      },
    },
  },
];

// A refinement and a description each make a copy. Only the last copy is used, but zod asks about all of them.
const unfinished = new Set<z.core.$ZodType>();
for (const { schema } of rules) {
  for (let copied = schema._zod.parent; copied !== undefined; copied = copied._zod.parent) unfinished.add(copied);
}

const refinementsOf = (schema: z.core.$ZodType): number =>
  (schema._zod.def.checks ?? []).filter((check) => check._zod.def.check === "custom").length;

const sent = {
  type: "string",
  format: "date-time",
  pattern: "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$",
};

/** What the door checks of a command beside the catalogue's schema. */
const word = "[^\\s.*>\\u0000-\\u001f\\u007f-\\u009f]+";
const concreteSubject = `^${word}(\\.${word})*$`;
const agentOrTool = {
  context: { properties: { task_type: { enum: ["agent", "tool"] } }, ...has("task_type") },
};
const ofEnvelope: Partial<Record<Key, JsonSchema>> = {
  "command:TaskTrigger": {
    anyOf: [has("workflow"), { properties: { payload: { properties: agentOrTool } } }],
  },
  "command:AgentRuntimeExecute": {
    allOf: [{ properties: { payload: has("reply_to_subject") } }],
  },
};

type Asked = { zodSchema: z.core.$ZodType; jsonSchema: JsonSchema; path: (string | number)[] };
function express({ zodSchema, jsonSchema, path }: Asked): void {
  if (unfinished.has(zodSchema)) return;
  const refinements = refinementsOf(zodSchema);
  const rule = rules.find(({ schema }) => schema === zodSchema);
  const said = rule?.refinements ?? 0;
  if (refinements !== said) throw new Error(`a schema has ${refinements} refinements, ${said} are in JSON Schema`);
  Object.assign(jsonSchema, rule?.says);
  // Every key of an object is a string.
  if (isEqual(jsonSchema["propertyNames"], { type: "string" })) delete jsonSchema["propertyNames"];
  if (path.at(-1) === "reply_to_subject") jsonSchema["pattern"] = concreteSubject;
  if (jsonSchema["format"] === "date-time") Object.assign(jsonSchema, sent);
  const description = z.globalRegistry.get(zodSchema)?.description;
  if (description !== undefined) jsonSchema["description"] = description;
}

// ── the documents ────────────────────────────────────────────────────────────────────────────────

const shared = {
  exec_id: f.execId,
  definition_id: f.definitionId,
  error: f.wireError,
  error_code: f.code,
  timeout_config: f.timeoutConfig,
  retry_policy: f.retryPolicy,
  agent_request: f.agentRequest,
  task_type: f.taskType,
  wait: f.wait,
  signal: f.signal,
  warning: f.warning,
  mentioned: f.either,
};
const names = z.registry<{ id: string }>();
for (const [id, schema] of Object.entries(shared)) names.add(schema, { id });

const everywhere =
  "This is the message as it is sent; whoever reads one ignores fields it does not know. What a schema cannot say: " +
  "the ids agree with the subject and the headers, an agent_request names the message's own agent, and the whole " +
  "message is within the size limit.";

function makeSchema(key: Key): JsonSchema {
  const { $schema, ...rest } = z.toJSONSchema(envelopeOf(key), {
    io: "output",
    metadata: names,
    override: express,
  });
  const { summary, subject } = entryOf(key);
  const description = [summary, `Subject: <prefix>.${subject}.`, everywhere].join(" ");
  return { $schema, $id: idOf(key), title: key, description, ...rest, ...ofEnvelope[key] };
}

const made = new Map<Key, JsonSchema>();

export function schemaOf(key: Key): JsonSchema {
  const schema = made.get(key) ?? makeSchema(key);
  made.set(key, schema);
  return schema;
}

export const schemas = (): Document[] =>
  keys.map((key) => ({ path: `docs/schemas/${fileOf(key)}`, text: json(schemaOf(key)) }));
