// The only door for foreign bytes: a subject, headers and a body become a message of the catalogue, or a refusal.
//
//   subject ─▶ key        bytes ─▶ JSON ─▶ old words made new ─▶ gaps the protocol fills ─▶ schema ─▶ agreement
//
// Invariants:
//   P1. It answers with a message or throws a TroupeError with a code of the table, and nothing else.
//   P2. What it answers satisfies the schema of exactly the key that its subject, or on an inbox its name, says.
//   P3. What it answers agrees with its subject in every id, scope, level and reason, with the ids in its headers, and
//       with itself.
//   P4. Unknown fields are dropped and counted, at any depth of the protocol's own structure, never in open data.
//   P5. Documented variants are normalised, each with a warning; nothing else is guessed.
//   P6. What it answered, encoded again, it answers again: the same, without warnings and with nothing dropped.
//   P7. No value of an environment variable gets through it, and no refusal or warning quotes one.

import { createHash } from "node:crypto";
import type { z } from "zod";
import { brokenRules, headerContradictions, selfContradictions } from "./agreement.ts";
import { keysNamed, modernise, warningsOfName } from "./aliases.ts";
import { entryOf, keys, kindOf, nameOf, type Key } from "./catalogue.ts";
import { headerNames, metadata, traceOf, type Envelope, type Headers, type Trace } from "./envelope.ts";
import { isErrorCode } from "./errors.ts";
import { fieldErrorsOf } from "./field-errors.ts";
import * as f from "./fields.ts";
import { isExecId, noScope } from "./ids.ts";
import { defaultBounds, isObject, readJson, type Bounds, type JsonObject } from "./json.ts";
import type { Address } from "./layouts.ts";
import { nearest } from "./nearest.ts";
import { clip, refusal, type FieldError, type Why } from "./refusal.ts";
import { entities, type Entity } from "./statuses.ts";
import { contradictions, type SubjectCodec } from "./subjects.ts";

export type Parsed<K extends Key = Key> = K extends Key
  ? {
      key: K;
      /** What the subject says; nothing where a reply came on an inbox. */
      address: Address<K> | null;
      envelope: Envelope<K>;
      warnings: f.Warning[];
      /** How many unknown fields were dropped. */
      dropped: number;
      trace: Trace;
    }
  : never;

export type ParseOptions = { subjects: SubjectCodec; bounds?: Bounds };

export function parse(subject: string, headers: Headers, bytes: Uint8Array, options: ParseOptions): Parsed {
  const { address, warnings } = options.subjects.parse(subject);
  const body = readJson(bytes, options.bounds ?? defaultBounds);
  if (!isObject(body)) throw refusal("not_an_object", "the body is not a JSON object");
  const { metadata: origin } = body;
  if (!isObject(origin)) throw misfit("bad_metadata", [{ field: "metadata", message: "must be an object" }]);

  const { key, warnings: ofName } = keyOf(address, origin);
  origin["message_type"] = nameOf(key);
  if (origin["message_id"] === undefined) origin["message_id"] = idIn(headers) ?? uuidOf(subject, bytes);
  const ofBody = [...modernise(key, body), ...dropEnvValues(body)];
  fillExecId(key, body, origin["message_id"]);
  fillScope(address, body);
  fillErrorCode(key, body);

  const envelope = envelopeOf(key, address, body);
  checkAgreement({ key, address, headers, given: body, envelope });
  return {
    key,
    address,
    envelope,
    warnings: [...warnings, ...ofName, ...ofBody].slice(0, warningsMax),
    dropped: droppedBetween(body, envelope),
    trace: traceOf(headers),
  } as Parsed;
}

// They travel back in the reply, which has its own limit.
const warningsMax = 100;

function misfit(why: Why, errors: FieldError[]) {
  const [first] = errors;
  const more = errors.length > 1 ? `, and ${errors.length - 1} more` : "";
  return refusal(why, `${first?.field} ${first?.message}${more}`, { errors });
}

/** Absent is not null: a field that says null is left to its schema. */
function fill(fields: JsonObject, name: string, value: unknown): void {
  if (fields[name] === undefined) fields[name] = value;
}

// ── names ────────────────────────────────────────────────────────────────────────────────────────

const nameField = "metadata.message_type";

function keyOf(address: Address | null, given: JsonObject): { key: Key; warnings: f.Warning[] } {
  const name = given["message_type"];
  if (name === undefined) {
    if (address !== null) return { key: address.key, warnings: [] };
    throw misfit("missing_name", [{ field: nameField, message: "is required on an inbox" }]);
  }
  if (typeof name !== "string") throw misfit("bad_metadata", [{ field: nameField, message: "must be a string" }]);
  const named = keysNamed(name);
  const key = named.find((one) => (address === null ? kindOf(one) === "result" : one === address.key));
  if (key !== undefined) return { key, warnings: warningsOfName(key, name) };
  throw named.length === 0 ? unknownName(address, name) : mismatch(address, name);
}

function mismatch(address: Address | null, name: string) {
  const wanted = address === null ? "a result" : nameOf(address.key);
  const errors = [{ field: nameField, message: `the subject is of ${wanted}` }];
  return refusal("contradicting_name", `"${clip(name)}" on the subject of ${wanted}`, {
    given: clip(name),
    errors,
  });
}

function unknownName(address: Address | null, name: string) {
  const kind = address === null ? "result" : kindOf(address.key);
  const known = keys.filter((key) => kindOf(key) === kind).map(nameOf);
  return refusal("unknown_name", `no ${kind} is named "${clip(name)}"`, {
    given: clip(name),
    known,
    nearest: nearest(name, known),
    errors: [{ field: nameField, message: "is unknown" }],
  });
}

// ── what the protocol fills in ───────────────────────────────────────────────────────────────────

/** The message id of the header; where it is to be the message's, it must be one. */
function idIn(headers: Headers): string | undefined {
  const given = headers[headerNames.messageId];
  if (given === undefined || isExecId(given)) return given;
  const message = `comes from the header ${headerNames.messageId}, which must be a lower-case hyphenated UUID`;
  throw misfit("bad_metadata", [{ field: "metadata.message_id", message }]);
}

/** A UUID (version 8) of what was sent, so that the same sent again has the same id. */
function uuidOf(subject: string, bytes: Uint8Array): string {
  const hash = createHash("sha256").update(subject).update("\0").update(bytes).digest();
  hash[6] = 0x80 | ((hash[6] ?? 0) % 0x10);
  hash[8] = 0x80 | ((hash[8] ?? 0) % 0x40);
  const digits = hash.toString("hex", 0, 16);
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

const createdWithoutId: Partial<Record<Key, Entity>> = {
  "command:WorkflowExecute": "workflow",
  "command:TaskTrigger": "task",
};

function fillExecId(key: Key, body: JsonObject, messageId: unknown): void {
  const entity = createdWithoutId[key];
  const section = entity === undefined ? undefined : body[entity];
  if (isObject(section)) fill(section, "exec_id", messageId);
}

/** What the subject says of the workflow need not be said again. */
function fillScope(address: Address | null, body: JsonObject): void {
  if (address === null || entryOf(address.key).entity === "workflow") return;
  const { wf }: Readonly<Record<string, string | undefined>> = address.params;
  if (wf === undefined || wf === noScope) return;
  fill(body, "workflow", {});
  if (isObject(body["workflow"])) fill(body["workflow"], "id", wf);
}

/** Keeps where a value is to be taken from, and nothing that may be the value. */
function dropEnvValues({ payload }: JsonObject): f.Warning[] {
  const context = isObject(payload) ? payload["context"] : undefined;
  const env = isObject(context) ? context["env"] : undefined;
  if (!isObject(env)) return [];
  return Object.entries(env).flatMap(([name, given]) => {
    if (isObject(given) && Object.keys(given).every((field) => field === "from")) return [];
    if (isObject(given) && given["from"] !== undefined) env[name] = { from: given["from"] };
    else delete env[name];
    return [
      {
        code: "DEPRECATED_ALIAS" as const,
        given: `payload.context.env.${clip(name)}`,
        use: '{"from":"env"}',
      },
    ];
  });
}

/** A callee's own code goes into the details, and the status gives the code that the protocol knows. */
function fillErrorCode(key: Key, { payload }: JsonObject): void {
  const result = isObject(payload) && kindOf(key) === "result" ? payload["result"] : undefined;
  const error = isObject(result) ? result["error"] : undefined;
  if (!isObject(payload) || !isObject(error)) return;
  const { code: given = null, details = {} } = error;
  // Codes of elsewhere are often numbers, such as those of HTTP; the protocol's are texts.
  const code = typeof given === "number" || typeof given === "boolean" ? String(given) : given;
  if (code !== null && (typeof code !== "string" || isErrorCode(code))) return;
  const { status } = payload;
  error["code"] = status === "AGENT_ERROR" || status === "TOOL_ERROR" ? status : "INTERNAL_ERROR";
  if (code !== null && isObject(details)) error["details"] = { ...details, cause_code: code };
}

// ── schemas ──────────────────────────────────────────────────────────────────────────────────────

function envelopeOf(key: Key, address: Address | null, body: JsonObject): JsonObject {
  const entry = entryOf(key);
  const own = ackedEntity(address);
  const envelope: JsonObject = { metadata: checked("bad_metadata", "metadata", metadata, body["metadata"]) };
  for (const entity of entities) {
    const schema = entry.sections[entity] ?? (entity === own ? f.running : f.either.optional());
    const section = checked("bad_section", entity, schema, body[entity]);
    if (section !== undefined) envelope[entity] = section;
  }
  const payload = checked("bad_payload", "payload", entry.payload, body["payload"]);
  envelope["payload"] = payload;
  return envelope;
}

/** The entity of an acknowledgment stands in its subject alone. */
const ackedEntity = (address: Address | null): string | undefined =>
  address?.key === "result:CommandAck" ? address.params.entity : undefined;

function checked(why: Why, root: string, schema: z.ZodType, value: unknown): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw misfit(why, fieldErrorsOf(root, result.error.issues, value));
}

function checkAgreement({ key, address, headers, given, envelope }: Agreeing): void {
  const found: [Why, FieldError[]][] = [
    ["bad_payload", brokenRules(key, envelope)],
    ["contradicts_subject", address === null ? [] : contradictions(address, envelope)],
    ["contradicts_header", headerContradictions(headers, envelope as Pick<Envelope, "metadata">)],
    ["contradicts_itself", selfContradictions(key, given, envelope)],
  ];
  for (const [why, errors] of found) if (errors.length > 0) throw misfit(why, errors);
}
type Agreeing = { key: Key; address: Address | null; headers: Headers; given: JsonObject; envelope: JsonObject };

/** How many fields the schemas left out; what they left as it was is not looked into. */
function droppedBetween(before: unknown, after: unknown): number {
  if (before === after) return 0;
  if (Array.isArray(before) && Array.isArray(after)) {
    return before.reduce<number>((sum, item, index) => sum + droppedBetween(item, after[index]), 0);
  }
  if (!isObject(before) || !isObject(after)) return 0;
  return Object.keys(before).reduce(
    (sum, field) => sum + (Object.hasOwn(after, field) ? droppedBetween(before[field], after[field]) : 1),
    0,
  );
}

/**
 * Where the acknowledgment of a command, or its result, goes: of a core command to the reply field of the transport,
 * which of a stored one belongs to the stream. A relay to a runtime names in its payload where the result goes, not
 * the acknowledgment.
 */
export function replySubject({ key, envelope }: Parsed, replyField?: string): string | undefined {
  if (kindOf(key) !== "command") return undefined;
  const named = (envelope as Envelope<Command>).payload.reply_to_subject;
  if (entryOf(key).delivery === "stored") return named;
  return key === "command:AgentRuntimeExecute" ? replyField : (replyField ?? named);
}
type Command = Extract<Key, `command:${string}`>;
