// A JSON Schema as an arbitrary of fast-check, which is loaded when the first is made.
//
// Invariants:
//   B1. Whatever is drawn passes the check of its schema.

import type { Arbitrary } from "fast-check";
import { dataOf, schemaOf } from "../../language/json-schema.ts";
import type { Json, JsonSchema } from "../../language/spec.ts";
import { isObject } from "../../protocol/json.ts";
import { variantsOf } from "./shapes.ts";

type Check = typeof import("fast-check");
type Schema = { readonly [keyword: string]: Json };

/** Nothing where there is no schema to go by. */
export async function arbitraryOf(given: unknown): Promise<Arbitrary<unknown> | undefined> {
  const data = dataOf(given);
  if (!isObject(data)) return undefined;
  const check = await import("fast-check");
  const checker = schemaOf(given as JsonSchema);
  const [plain, ...others] = variantsOf(given);
  if (plain === undefined) return undefined;
  const free = valueOf(check, data as Schema, 0).map((value) => (checker.check(value).errors ? plain : value));
  return check.oneof({ weight: 3, arbitrary: free }, { weight: 1, arbitrary: check.constantFrom(plain, ...others) });
}

const depthMax = 5;
const itemsMax = 8;
const numberIn = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);

function valueOf(check: Check, schema: Schema, depth: number): Arbitrary<unknown> {
  const { enum: choices, const: only, anyOf, oneOf, type } = schema;
  if (only !== undefined) return check.constant(only);
  if (Array.isArray(choices) && choices.length > 0) return check.constantFrom(...(choices as Json[]));
  const alternatives = (anyOf ?? oneOf) as readonly Json[] | undefined;
  if (Array.isArray(alternatives) && depth < depthMax) {
    return check.oneof(...alternatives.filter(isObject).map((one) => valueOf(check, one as Schema, depth + 1)));
  }
  if (Array.isArray(type)) {
    return check.oneof(...(type as string[]).map((one) => valueOf(check, { ...schema, type: one }, depth + 1)));
  }
  switch (typeof type === "string" ? type : "object") {
    case "boolean":
      return check.boolean();
    case "null":
      return check.constant(null);
    case "integer":
      return check.integer(rangeOf(schema));
    case "number":
      return numberOf(check, schema);
    case "string":
      return textOf(check, schema);
    case "array":
      return itemsOf(check, schema, depth);
    default:
      return objectOf(check, schema, depth);
  }
}

function rangeOf(schema: Schema): { min?: number; max?: number } {
  const min = numberIn(schema["minimum"]) ?? (numberIn(schema["exclusiveMinimum"]) ?? NaN) + 1;
  const max = numberIn(schema["maximum"]) ?? (numberIn(schema["exclusiveMaximum"]) ?? NaN) - 1;
  return {
    ...(Number.isFinite(min) && { min: Math.ceil(min) }),
    ...(Number.isFinite(max) && { max: Math.floor(max) }),
  };
}
function numberOf(check: Check, schema: Schema): Arbitrary<number> {
  const { min, max } = rangeOf(schema);
  const whole = check.integer(rangeOf(schema));
  const bounds = { ...(min !== undefined && { min }), ...(max !== undefined && { max }) };
  return check.oneof(whole, check.double({ ...bounds, noNaN: true, noDefaultInfinity: true }));
}

function textOf(check: Check, schema: Schema): Arbitrary<string> {
  const minLength = numberIn(schema["minLength"]) ?? 0;
  const maxLength = Math.min(numberIn(schema["maxLength"]) ?? minLength + 20, minLength + 200);
  const { format, pattern } = schema;
  if (format === "date-time") return check.date({ noInvalidDate: true }).map((date) => date.toISOString());
  if (format === "email") return check.emailAddress();
  if (format === "uri" || format === "url") return check.webUrl();
  if (format === "uuid") return check.uuid();
  // What is no pattern of JavaScript, or none that texts can be made by, is left to what is tried at its bounds.
  const made = typeof pattern === "string" ? byPattern(check, pattern) : undefined;
  return made ?? check.string({ minLength, maxLength, unit: "grapheme" });
}
function byPattern(check: Check, pattern: string): Arbitrary<string> | undefined {
  try {
    return check.stringMatching(new RegExp(pattern, "u"));
  } catch {
    return undefined;
  }
}

function itemsOf(check: Check, schema: Schema, depth: number): Arbitrary<unknown> {
  const minLength = numberIn(schema["minItems"]) ?? 0;
  const maxLength = Math.min(numberIn(schema["maxItems"]) ?? minLength + 3, minLength + itemsMax);
  const { items, uniqueItems } = schema;
  if (depth >= depthMax) return check.constant([]);
  const item = valueOf(check, isObject(items) ? (items as Schema) : {}, depth + 1);
  if (uniqueItems !== true) return check.array(item, { minLength, maxLength });
  return check.uniqueArray(item, { minLength, maxLength, selector: (value) => JSON.stringify(value) });
}

function objectOf(check: Check, schema: Schema, depth: number): Arbitrary<unknown> {
  const { properties, required } = schema;
  if (!isObject(properties) || depth >= depthMax) return check.constant({});
  const fields = Object.entries(properties).map(
    ([name, field]) => [name, valueOf(check, isObject(field) ? (field as Schema) : {}, depth + 1)] as const,
  );
  const requiredKeys = Array.isArray(required) ? (required as string[]).filter((name) => name in properties) : [];
  return check.record(Object.fromEntries(fields), { requiredKeys, noNullPrototype: true });
}
