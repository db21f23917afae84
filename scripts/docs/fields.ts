// Says in a few words which fields a message requires and may carry, read from its JSON Schema.

import * as f from "../../src/protocol/fields.ts";
import type { Key } from "../../src/protocol/catalogue.ts";
import { code } from "./document.ts";
import { schemaOf, type JsonSchema } from "./schemas.ts";

const isSchema = (value: unknown): value is JsonSchema => typeof value === "object" && value !== null;
const inside = (schema: JsonSchema, field: string): JsonSchema => {
  const found = schema[field];
  return isSchema(found) ? found : {};
};

const plain = (value: unknown): string => (typeof value === "string" || typeof value === "number" ? `${value}` : "");
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** What a field holds, in the words of the schema. */
function kindOf(schema: JsonSchema): string {
  if (typeof schema["$ref"] === "string") return schema["$ref"].slice("#/$defs/".length);
  if ("const" in schema) return plain(schema["const"]);
  if (Array.isArray(schema["enum"])) return schema["enum"].join(" / ");
  const options = list(schema["anyOf"]).filter(isSchema).map(kindOf);
  if (schema["type"] === undefined) return options.length > 0 ? options.join(" or ") : "any JSON value";
  if (schema["type"] === "array") return `list of ${kindOf(inside(schema, "items"))}`;
  if (schema["type"] === "object") return objectKind(schema);
  const least = schema["minimum"] === undefined ? "" : ` ≥ ${plain(schema["minimum"])}`;
  return plain(schema["type"]) + least;
}

function objectKind(schema: JsonSchema): string {
  const required = list(schema["required"]);
  const names = Object.keys(inside(schema, "properties"));
  if (names.length === 0) return "object";
  return `{ ${names.map((name) => (required.includes(name) ? name : `${name}?`)).join(", ")} }`;
}

type Field = {
  readonly path: string;
  readonly required: boolean;
  readonly kind: string;
  readonly description: string;
};

function fieldsIn(schema: JsonSchema, under: string): Field[] {
  const required = list(schema["required"]);
  return Object.entries(inside(schema, "properties"))
    .filter((field): field is [string, JsonSchema] => isSchema(field[1]))
    .map(([name, field]) => ({
      path: under + name,
      required: required.includes(name),
      kind: kindOf(field),
      description: plain(field["description"]),
    }));
}

const say = ({ path, kind }: Field): string => `${code(path)} ${kind}`;
const common = new Set(Object.keys(f.anyContext).map((name) => `context.${name}`));
// A heading of its own says what these hold.
const apart = new Set(["status", "context"]);

const fieldsOf = (key: Key): Field[] => {
  const payload = inside(inside(schemaOf(key), "properties"), "payload");
  const context = inside(inside(payload, "properties"), "context");
  return [...fieldsIn(payload, ""), ...fieldsIn(context, "context.")].filter(({ path }) => !apart.has(path));
};

export const requiredFields = (key: Key): string[] =>
  fieldsOf(key)
    .filter(({ required }) => required)
    .map(say);

/** Optional fields, but for those that any message may carry. */
export const optionalFields = (key: Key): string[] =>
  fieldsOf(key)
    .filter(({ required, path }) => !required && !common.has(path))
    .map(say);

export function sectionFields(key: Key): string[] {
  const schema = schemaOf(key);
  const required = list(schema["required"]);
  return fieldsIn(schema, "")
    .filter(({ path }) => required.includes(path) && path !== "metadata" && path !== "payload")
    .map(say);
}

export function statusesOf(key: Key): string[] {
  const payload = inside(inside(schemaOf(key), "properties"), "payload");
  return list(inside(inside(payload, "properties"), "status")["enum"]).map(String);
}

/** The fields of the metadata, which differ between messages by the name alone. */
export const metadataFields = (key: Key): Field[] =>
  fieldsIn(inside(inside(schemaOf(key), "properties"), "metadata"), "").filter(({ path }) => path !== "message_type");

type Part = { readonly name: string; readonly kind: string; readonly description: string };

/** Parts that have a name in the schemas: what each holds. */
export function partsOf(keys: readonly Key[]): Part[] {
  const all = new Map<string, Part>();
  for (const [name, schema] of keys.flatMap((key) => Object.entries(inside(schemaOf(key), "$defs")))) {
    if (isSchema(schema)) all.set(name, { name, kind: kindOf(schema), description: plain(schema["description"]) });
  }
  return [...all.values()].toSorted((one, other) => (one.name < other.name ? -1 : 1));
}

export const commonContext = (key: Key): string[] =>
  fieldsOf(key)
    .filter(({ path }) => common.has(path))
    .map(say);
