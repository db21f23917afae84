// Makes envelopes, some as a JSON Schema allows them and some with a few things changed, and looks into them.

import fc from "fast-check";
import type { JsonSchema } from "../../scripts/docs/schemas.ts";

export type Json = { [field: string]: unknown };
const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

// What cannot be had from a pattern alone: a day that exists.
const moments = fc
  .date({ min: new Date("1971-01-01T00:00:00Z"), max: new Date("2200-01-01T00:00:00Z"), noInvalidDate: true })
  .map((date) => date.toISOString());

/** Values that fit a schema, but for rules between fields: those are met by chance. */
export function valuesOf(schema: JsonSchema, root: JsonSchema): fc.Arbitrary<unknown> {
  const within = (part: unknown): fc.Arbitrary<unknown> => valuesOf(isObject(part) ? part : {}, root);
  const { $ref, $defs: _, type } = schema;
  if (typeof $ref === "string") return within(pointed(root, $ref));
  if ("const" in schema) return fc.constant(schema["const"]);
  if (schema["enum"] !== undefined) return fc.constantFrom(...list(schema["enum"]));
  if (type === undefined && schema["anyOf"] !== undefined) return fc.oneof(...list(schema["anyOf"]).map(within));
  const least = Number(schema["minimum"] ?? -1000);
  const most = Number(schema["maximum"] ?? 1000);
  if (type === "null") return fc.constant(null);
  if (type === "boolean") return fc.boolean();
  if (type === "integer") return fc.oneof(fc.integer({ min: least, max: Math.min(most, 9) }), fc.maxSafeNat());
  if (type === "number") return fc.double({ min: least, max: most, noNaN: true });
  if (type === "string") return textsOf(schema);
  if (type === "array") return fc.array(within(schema["items"]), { maxLength: 3 });
  return type === "object" ? objectsOf(schema, within) : fc.jsonValue({ maxDepth: 2 });
}

const pointed = (root: JsonSchema, ref: string): unknown => field(root, ...ref.slice(2).split("/"));

// To prepare one takes long, and there are few.
const matching = new Map<string, fc.Arbitrary<string>>();

function textsOf({ format, pattern, ...schema }: JsonSchema): fc.Arbitrary<string> {
  if (format === "date-time") return moments;
  if (typeof pattern === "string") {
    const texts = matching.get(pattern) ?? fc.stringMatching(new RegExp(pattern));
    matching.set(pattern, texts);
    return texts;
  }
  return fc.string({ minLength: Number(schema["minLength"] ?? 0), maxLength: 20 });
}

function objectsOf(schema: JsonSchema, within: (part: unknown) => fc.Arbitrary<unknown>): fc.Arbitrary<Json> {
  const { properties, propertyNames, additionalProperties } = schema;
  if (!isObject(properties)) {
    const names = within(propertyNames ?? { type: "string" }) as fc.Arbitrary<string>;
    return fc.dictionary(names, within(additionalProperties), { maxKeys: 3, noNullPrototype: true });
  }
  const model = Object.fromEntries(Object.entries(properties).map(([name, part]) => [name, within(part)]));
  return fc.record(model, { requiredKeys: list(schema["required"]).map(String), noNullPrototype: true });
}

type Change = { at: number; how: "remove" | "replace" | "add"; value: unknown };

const odd = [null, true, "", " ", "x", "_", "executions", "SUCCESS", "ERROR", "FAILED", 0, -1, 1.5, 2 ** 53, [], {}];
export const changes: fc.Arbitrary<Change> = fc.record({
  at: fc.nat(),
  how: fc.constantFrom("remove", "replace", "add"),
  value: fc.oneof(fc.constantFrom(...odd), fc.jsonValue({ maxDepth: 1 })),
});

export type Place = { readonly parent: Json | unknown[]; readonly step: string };

/** Every field and item of a value, however deep. */
export function placesIn(value: unknown): Place[] {
  if (typeof value !== "object" || value === null) return [];
  const parent = value as Json | unknown[];
  return Object.entries(value).flatMap(([step, inner]) => [{ parent, step }, ...placesIn(inner)]);
}

export const removeAt = ({ parent, step }: Place): void => {
  if (Array.isArray(parent)) parent.splice(Number(step), 1);
  else delete parent[step];
};

export const putAt = ({ parent, step }: Place, value: unknown): void => {
  Object.defineProperty(parent, step, { value, enumerable: true, configurable: true, writable: true });
};

/** A copy with the changes made. */
export function changed<T>(value: T, wanted: readonly Change[]): T {
  const copy = structuredClone(value);
  for (const { at, how, value: given } of wanted) {
    const places = placesIn(copy);
    const place = places[at % Math.max(1, places.length)];
    if (place === undefined) continue;
    if (how === "remove") removeAt(place);
    else putAt(how === "add" ? { ...place, step: `${place.step}_2` } : place, given);
  }
  return copy;
}

/** As it is after a journey: without what JSON does not know. */
export const plain = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

export const field = (value: unknown, ...path: string[]): unknown =>
  path.reduce<unknown>((place, step) => (isObject(place) ? place[step] : undefined), value);

export const textAt = (value: unknown, ...path: string[]): string => {
  const found = field(value, ...path);
  return typeof found === "string" ? found : "";
};
