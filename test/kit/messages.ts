// Arbitrary valid messages and envelopes of every key, made from the catalogue's own schemas.
//
// A schema is walked once and becomes an arbitrary, so that a new message or field is generated without a word here.
// Only what stands in no schema is written out: which sections go together, and what may be replied to.

import fc from "fast-check";
import { z } from "zod";
import { entryOf, type Key, type Message } from "../../src/protocol/catalogue.ts";
import { components, type Component } from "../../src/protocol/entry.ts";
import { wrap, type Envelope, type Origin } from "../../src/protocol/envelope.ts";
import * as f from "../../src/protocol/fields.ts";
import { isDefinitionId } from "../../src/protocol/ids.ts";
import { entities, type Entity } from "../../src/protocol/statuses.ts";

// ── tokens ───────────────────────────────────────────────────────────────────────────────────────

/** Ids as they are minted. */
export const execIds: fc.Arbitrary<string> = fc.uuid({ version: 7 });

export const definitionIds: fc.Arbitrary<string> = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/).filter(isDefinitionId);

const asciiControls = fc.integer({ min: 0, max: 0x1f }).map((unit) => String.fromCharCode(unit));

/** Texts that must never become a token of a subject. */
export const hostileTokens: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    "",
    " ",
    ".",
    "*",
    ">",
    "..",
    "a.b",
    "a b",
    "a.*",
    "a.>",
    "\t",
    "\r\nPUB x 0\r\n",
    "\u00a0",
    "\u2028",
  ),
  fc.constantFrom("é", "ａ", "ı", "a\u0301", "\u{1f600}", "a\n", "\ud800", "executions.x", "%2e", "a/b", "$JS", "a\\b"),
  fc.constant("x".repeat(10_000)),
  fc.tuple(definitionIds, asciiControls).map((parts) => parts.join("")),
  fc.tuple(definitionIds, fc.constantFrom(".", "*", ">", " "), definitionIds).map((parts) => parts.join("")),
);

// ── schemas ──────────────────────────────────────────────────────────────────────────────────────

/** JSON that people put into open fields. */
export const jsonValues: fc.Arbitrary<unknown> = fc
  .jsonValue({ maxDepth: 2, depthSize: "xsmall", stringUnit: "grapheme" })
  .filter((value) => !JSON.stringify(value).includes("__proto__"));
const jsonObjects: fc.Arbitrary<f.Data> = fc
  .dictionary(fc.string({ maxLength: 12 }), jsonValues, { maxKeys: 3, noNullPrototype: true })
  .filter((value) => !Object.hasOwn(value, "__proto__"));

const timestamps = fc
  .date({ min: new Date("1980-01-01"), max: new Date("2099-12-31"), noInvalidDate: true })
  .map((date) => date.toISOString());

type Limits = { pattern?: string; minLength?: number; minimum?: number; maximum?: number; type?: string };
const limitsOf = (schema: z.ZodType): Limits => z.toJSONSchema(schema) as Limits;

function strings(schema: z.ZodString): fc.Arbitrary<unknown> {
  const { pattern, minLength = 0 } = limitsOf(schema);
  const text =
    pattern === undefined
      ? fc.string({ unit: "grapheme", minLength, maxLength: 20 })
      : fc.stringMatching(new RegExp(pattern));
  return text.filter((value) => schema.safeParse(value).success);
}

function numbers(schema: z.ZodNumber): fc.Arbitrary<unknown> {
  const { type, minimum = 0, maximum = 1e9 } = limitsOf(schema);
  const bounds = { min: Math.max(minimum, -1e9), max: Math.min(maximum, 1e9) };
  return type === "integer" ? fc.integer(bounds) : fc.double({ ...bounds, noNaN: true });
}

function objects(schema: z.ZodObject): fc.Arbitrary<unknown> {
  const shape = Object.entries(schema.shape as Record<string, z.ZodType>);
  const requiredKeys = shape.filter(([, field]) => !(field instanceof z.ZodOptional)).map(([name]) => name);
  const record = fc.record(Object.fromEntries(shape.map(([name, field]) => [name, valuesOf(field)])), {
    requiredKeys,
    noNullPrototype: true,
  });
  return record.filter((value) => schema.safeParse(value).success);
}

// To make one takes long, and messages have most of their schemas in common.
const made = new WeakMap<z.core.$ZodType, fc.Arbitrary<unknown>>();

/** Any value that a schema of the catalogue takes. */
function valuesOf(schema: z.core.$ZodType): fc.Arbitrary<unknown> {
  const values = made.get(schema) ?? make(schema);
  made.set(schema, values);
  return values;
}

function make(schema: z.core.$ZodType): fc.Arbitrary<unknown> {
  if (schema === f.execId) return execIds;
  if (schema === f.definitionId) return definitionIds;
  if (schema instanceof z.ZodISODateTime) return timestamps;
  if (schema instanceof z.ZodString) return strings(schema);
  if (schema instanceof z.ZodNumber) return numbers(schema);
  if (schema instanceof z.ZodBoolean) return fc.boolean();
  if (schema instanceof z.ZodNull) return fc.constant(null);
  if (schema instanceof z.ZodUnknown) return jsonValues;
  if (schema instanceof z.ZodEnum) return fc.constantFrom(...schema.options);
  if (schema instanceof z.ZodLiteral) return fc.constantFrom(...schema.values);
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) return valuesOf(schema.unwrap());
  if (schema instanceof z.ZodNullable) return fc.option(valuesOf(schema.unwrap()), { nil: null });
  if (schema instanceof z.ZodArray) return fc.array(valuesOf(schema.element), { maxLength: 3 });
  if (schema instanceof z.ZodUnion) return fc.oneof(...schema.options.map(valuesOf));
  if (schema instanceof z.ZodObject) return objects(schema);
  if (schema instanceof z.ZodRecord) {
    if (schema.valueType instanceof z.ZodUnknown) return jsonObjects;
    const names = fc.stringMatching(/^[A-Z][A-Z0-9_]{0,9}$/);
    return fc.dictionary(names, valuesOf(schema.valueType), { maxKeys: 3, noNullPrototype: true });
  }
  throw new Error(`no arbitrary is known for a schema of type ${schema._zod.def.type}`);
}

// ── messages ─────────────────────────────────────────────────────────────────────────────────────

type Sections = Partial<Record<Entity, unknown>>;

/** Sections that go with a key: its own, and those of parents or of whatever is only mentioned. */
function sectionsOf(key: Key): fc.Arbitrary<Sections> {
  if (key === "result:CommandAck") return fc.oneof(...ackSections);
  const { kind, sections, entity } = entryOf(key);
  const own = entities.filter((name) => sections[name] !== undefined);
  const scoped = kind === "command" && entity !== "workflow";
  const parent = (name: Entity): z.ZodType => (name === "workflow" && scoped ? scope : f.either);
  const shape = entities.map((name) => [name, valuesOf(sections[name] ?? parent(name))] as const);
  return fc.record(Object.fromEntries(shape), { requiredKeys: own, noNullPrototype: true });
}

// A command's subject names the workflow by its definition id.
const scope = z.object({ id: f.definitionId, exec_id: f.execId.optional() });
const running = valuesOf(f.running);
const either = valuesOf(f.either);
const ackSections: fc.Arbitrary<Sections>[] = [
  fc.record({ workflow: running }, { noNullPrototype: true }),
  fc.record({ task: running, workflow: either }, { requiredKeys: ["task"], noNullPrototype: true }),
  fc.record(
    { agent_runtime: running, agent: either, workflow: either },
    { requiredKeys: ["agent_runtime"], noNullPrototype: true },
  ),
];

const replySubjects = fc.oneof(
  execIds.map((id) => `_INBOX.${id}`),
  execIds.map((id) => `compozy.results.task.${id}`),
);

type Request = { agent_id: string; agent_exec_id: string };
type Payload = { reply_to_subject?: string; context?: { task_type?: string; agent_request?: Request } };

/** Valid messages of a key, as charts say them. */
export function messagesOf<K extends Key>(key: K): fc.Arbitrary<Message<K>> {
  return fc
    .tuple(sectionsOf(key), valuesOf(entryOf(key).payload), replySubjects, fc.constantFrom("agent", "tool"))
    .map(([sections, given, replySubject, taskType]) => {
      const payload = given as Payload;
      if (payload.reply_to_subject !== undefined || key === "command:AgentRuntimeExecute") {
        payload.reply_to_subject = replySubject;
      }
      // The request of a message to or of an agent is for this agent.
      const { agent_request: request } = payload.context ?? {};
      if (request !== undefined && entryOf(key).sections.agent !== undefined) {
        const { id = request.agent_id, exec_id } = sections.agent as { id?: string; exec_id: string };
        Object.assign(request, { agent_id: id, agent_exec_id: exec_id });
      }
      if (key === "command:TaskTrigger" && !("workflow" in sections))
        payload.context = { ...payload.context, task_type: taskType };
      return { type: key, ...sections, payload } as unknown as Message<K>;
    });
}

const codes = Object.keys(components) as Component[];

export const origins: fc.Arbitrary<Origin> = fc.record(
  {
    id: execIds,
    at: fc.integer({ min: 0, max: 4_000_000_000_000 }),
    correlationId: execIds,
    causationId: execIds,
    source: fc.constantFrom(...codes),
    instance: definitionIds,
    createdBy: fc.string({ minLength: 1, maxLength: 10, unit: "grapheme" }),
  },
  { requiredKeys: ["id", "at", "correlationId", "source"], noNullPrototype: true },
);

/** Valid envelopes of a key. */
export const envelopesOf = <K extends Key>(key: K): fc.Arbitrary<Envelope<K>> =>
  fc.tuple(messagesOf(key), origins).map(([message, origin]) => wrap(message, origin));
