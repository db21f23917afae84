// Values within a JSON Schema: a plain one, those at its bounds, and by chance.
//
// Invariants:
//   S1. Whatever is made passes the check of its schema; what does not is left out.
//   S2. The same schema gives the same values, in the same order.

import { dataOf, schemaOf } from "../../language/json-schema.ts";
import type { Json, JsonSchema } from "../../language/spec.ts";
import { isObject } from "../../protocol/json.ts";

type Schema = { readonly [keyword: string]: Json };

const depthMax = 6;
/** Boundary values of one schema: a large object has more than anybody needs. */
const variantsMax = 40;

const schemaIn = (given: unknown): Schema | boolean => {
  const data = dataOf(given);
  return typeof data === "boolean" || isObject(data) ? (data as Schema | boolean) : true;
};

/** What a stand-in answers, or a run is given, when nothing else is asked for. */
export function plainOf(given: unknown): unknown {
  const schema = schemaIn(given);
  const [first] = passing(given, [plain(schema, root(schema), 0), ...bounds(schema, root(schema), 0)]);
  return first === undefined ? {} : first.value;
}

/** The plain value first, then others that are wanted, and those at the bounds, with and without what may miss. */
export function variantsOf(given: unknown, wanted: readonly unknown[] = []): unknown[] {
  const schema = schemaIn(given);
  const all = [plain(schema, root(schema), 0), ...wanted, ...bounds(schema, root(schema), 0)];
  const seen = new Set<string>();
  const kept: unknown[] = [];
  for (const { value } of passing(given, all)) {
    const text = JSON.stringify(value);
    if (text === undefined || seen.has(text)) continue;
    seen.add(text);
    kept.push(value);
    if (kept.length === variantsMax) break;
  }
  return kept;
}

function* passing(given: unknown, values: Iterable<unknown>): Generator<{ value: unknown }> {
  const checker = schemaOf(given as JsonSchema | undefined);
  for (const value of values) if (!checker.check(value).errors) yield { value };
}

// ── of one schema ──

/** Where `#/$defs/…` leads. */
const root = (schema: Schema | boolean): Schema => (typeof schema === "boolean" ? {} : schema);

function resolved(schema: unknown, top: Schema, depth: number): Schema {
  if (!isObject(schema)) return {};
  const { $ref: ref, ...rest } = schema as Schema;
  const [alternative] = (rest["anyOf"] ?? rest["oneOf"] ?? []) as readonly Json[];
  const parts = [...((rest["allOf"] ?? []) as readonly Json[]), ...(alternative === undefined ? [] : [alternative])];
  const { anyOf: _any, oneOf: _one, allOf: _all, ...own } = rest;
  const target = typeof ref === "string" && ref.startsWith("#") ? at(top, ref) : undefined;
  const all = [...(target === undefined ? [] : [target]), ...parts];
  if (all.length === 0 || depth > depthMax) return own;
  return all.reduce<Schema>((merged, part) => joined(merged, resolved(part, top, depth + 1)), own);
}
function at(top: Schema, ref: string): unknown {
  const steps = ref
    .slice(1)
    .split("/")
    .filter((step) => step !== "");
  return steps.reduce<unknown>(
    (inner, step) => (isObject(inner) ? inner[step.replaceAll("~1", "/").replaceAll("~0", "~")] : undefined),
    top,
  );
}
const joined = (one: Schema, other: Schema): Schema => ({
  ...other,
  ...one,
  ...((one["properties"] ?? other["properties"]) !== undefined && {
    properties: { ...Object(other["properties"]), ...Object(one["properties"]) } as Json,
  }),
  ...((one["required"] ?? other["required"]) !== undefined && {
    required: [...new Set([...listOf(one["required"]), ...listOf(other["required"])])] as Json,
  }),
});
const listOf = (value: unknown): readonly Json[] => (Array.isArray(value) ? (value as Json[]) : []);
const namesIn = (value: unknown): string[] => listOf(value).filter((one) => typeof one === "string");
const numberOf = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);

function typeOf(schema: Schema): string {
  const { type } = schema;
  const [first] = Array.isArray(type) ? type.filter((one) => one !== "null") : [type];
  if (typeof first === "string") return first;
  if ("properties" in schema || "required" in schema) return "object";
  if ("items" in schema || "minItems" in schema) return "array";
  if ("minLength" in schema || "pattern" in schema || "format" in schema) return "string";
  return "minimum" in schema || "maximum" in schema ? "number" : "object";
}

/** As little out of the ordinary as can be: everything there, in the middle of what is allowed. */
function plain(given: unknown, top: Schema, depth: number): Json {
  const schema = resolved(given, top, depth);
  if ("const" in schema) return schema["const"] as Json;
  const [first] = listOf(schema["enum"]);
  if (first !== undefined) return first;
  if ("default" in schema) return schema["default"] as Json;
  const [example] = listOf(schema["examples"]);
  if (example !== undefined) return example;
  switch (typeOf(schema)) {
    case "string":
      return textOf(schema);
    case "integer":
    case "number":
      return numberWithin(schema);
    case "boolean":
      return true;
    case "null":
      return null;
    case "array":
      return itemsOf(schema, top, depth, Math.max(1, numberOf(schema["minItems"]) ?? 2));
    default:
      return objectOf(schema, top, depth, () => true);
  }
}

function itemsOf(schema: Schema, top: Schema, depth: number, count: number): Json[] {
  const fixed = listOf(schema["prefixItems"]);
  const max = Math.min(count, numberOf(schema["maxItems"]) ?? Infinity);
  if (depth > depthMax) return [];
  return Array.from({ length: Math.max(max, fixed.length) }, (_, index) => {
    const item = plain(fixed[index] ?? schema["items"] ?? {}, top, depth + 1);
    // What has to be unique is: by its place.
    if (schema["uniqueItems"] !== true || index === 0) return item;
    return typeof item === "number" ? item + index : typeof item === "string" ? `${item}${index}` : item;
  });
}

function objectOf(schema: Schema, top: Schema, depth: number, isWanted: (name: string) => boolean): Json {
  const required = new Set(namesIn(schema["required"]));
  const names = Object.keys(Object(schema["properties"])).filter(
    (name) => required.has(name) || (isWanted(name) && depth < depthMax),
  );
  const own = names.map((name) => [name, plain((schema["properties"] as Schema)[name], top, depth + 1)] as const);
  const others = [...required].filter((name) => !names.includes(name));
  return Object.fromEntries([...own, ...others.map((name) => [name, "some"] as const)]);
}

const formats: Readonly<Record<string, string>> = {
  "date-time": "2026-01-05T09:00:00Z",
  date: "2026-01-05",
  time: "09:00:00Z",
  duration: "PT1H",
  email: "ada@example.org",
  hostname: "example.org",
  ipv4: "192.0.2.1",
  ipv6: "2001:db8::1",
  uri: "https://example.org/a",
  url: "https://example.org/a",
  uuid: "0198c0de-0000-7000-8000-000000000001",
};
const candidates = ["some", "A-1", "a1", "1", "2026-01-05", "ABC", "abc-123", "AB12", "+491234567", "EUR", "00000"];

function textOf(schema: Schema): string {
  const { format, pattern } = schema;
  if (typeof format === "string" && formats[format] !== undefined) return formats[format];
  const min = numberOf(schema["minLength"]) ?? 0;
  const max = numberOf(schema["maxLength"]) ?? Infinity;
  const fit = (text: string): string => text.padEnd(min, "x").slice(0, max);
  if (typeof pattern !== "string") return fit("some");
  const checker = schemaOf(schema);
  return candidates.map(fit).find((text) => !checker.check(text).errors) ?? fit("some");
}

function numberWithin(schema: Schema): number {
  const step = numberOf(schema["multipleOf"]) ?? 1;
  const [low, high] = rangeOf(schema, step);
  return Math.min(Math.max(step, low), high);
}
function rangeOf(schema: Schema, step: number): readonly [number, number] {
  const over = numberOf(schema["exclusiveMinimum"]);
  const under = numberOf(schema["exclusiveMaximum"]);
  const low = Math.max(numberOf(schema["minimum"]) ?? -Infinity, over === undefined ? -Infinity : over + step);
  const high = Math.min(numberOf(schema["maximum"]) ?? Infinity, under === undefined ? Infinity : under - step);
  return [low, high];
}

/** One thing at a time at its bound; all else is plain. */
function* bounds(given: unknown, top: Schema, depth: number): Generator<Json> {
  if (depth > depthMax || given === undefined) return;
  if (isObject(given)) {
    const choices = [...listOf(given["anyOf"]), ...listOf(given["oneOf"])];
    const { anyOf: _any, oneOf: _one, ...rest } = given as Schema;
    for (const choice of choices) {
      yield plain({ ...rest, allOf: [...listOf(rest["allOf"]), choice] }, top, depth);
      yield* bounds({ ...rest, allOf: [...listOf(rest["allOf"]), choice] }, top, depth + 1);
    }
  }
  const schema = resolved(given, top, depth);
  const { type } = schema;
  if (Array.isArray(type) && type.includes("null")) yield null;
  if ("const" in schema) return;
  if ("enum" in schema) return yield* listOf(schema["enum"]);
  switch (typeOf(schema)) {
    case "boolean":
      yield true;
      return yield false;
    case "string":
      return yield* textBounds(schema);
    case "integer":
    case "number":
      return yield* numberBounds(schema);
    case "array":
      yield itemsOf(schema, top, depth, 0);
      yield itemsOf(schema, top, depth, numberOf(schema["minItems"]) ?? 1);
      for (const item of bounds(schema["items"], top, depth + 1)) yield [item];
      return yield itemsOf(schema, top, depth, Math.min(numberOf(schema["maxItems"]) ?? 5, 20));
    case "object":
      return yield* objectBounds(schema, top, depth);
  }
}

function* textBounds(schema: Schema): Generator<string> {
  const min = numberOf(schema["minLength"]) ?? 0;
  const max = Math.min(numberOf(schema["maxLength"]) ?? 64, 1_000);
  const text = textOf(schema);
  yield text.slice(0, min).padEnd(min, "x");
  yield text.padEnd(max, "x").slice(0, max);
  // What templates put into texts and addresses.
  yield 'ä "quoted" ${{ x }}'.slice(0, max);
}

function* numberBounds(schema: Schema): Generator<number> {
  const step = numberOf(schema["multipleOf"]) ?? 1;
  const [low, high] = rangeOf(schema, step);
  yield Number.isFinite(low) ? low : -step;
  yield Number.isFinite(high) ? high : 1_000 * step;
  yield 0;
  if (typeOf(schema) === "number" && !("multipleOf" in schema)) yield 0.5;
}

function* objectBounds(schema: Schema, top: Schema, depth: number): Generator<Json> {
  const properties = Object(schema["properties"]) as Schema;
  const required = new Set(listOf(schema["required"]));
  const names = Object.keys(properties);
  const optional = names.filter((name) => !required.has(name));
  if (optional.length > 0) yield objectOf(schema, top, depth, () => false);
  for (const name of optional) yield objectOf(schema, top, depth, (other) => other !== name);
  const whole = objectOf(schema, top, depth, () => true);
  for (const name of names) {
    for (const value of bounds(properties[name], top, depth + 1)) yield { ...Object(whole), [name]: value };
  }
}
