// Values made of JSON Schemas, held against the schemas.

import { describe, expect, test } from "vitest";
import { schemaOf } from "../../../src/language/json-schema.ts";
import { plainOf, variantsOf } from "../../../src/testing/check/shapes.ts";
import { schemas } from "./schemas.ts";

describe.each(Object.entries(schemas))("of the schema '%s'", (_name, schema) => {
  test("S1: whatever is made passes its check", () => {
    const values = variantsOf(schema);
    expect(values.length).toBeGreaterThan(0);
    for (const value of values) expect(schemaOf(schema).check(value).errors, JSON.stringify(value)).toBeUndefined();
  });
  test("S2: the same values are made, and the plain one is the first", () => {
    expect(variantsOf(schema)).toEqual(variantsOf(schema));
    expect(variantsOf(schema)[0]).toEqual(plainOf(schema));
  });
});

test("what need not be there is there and is not; what has bounds is at them", () => {
  const values = variantsOf(schemas["order"]) as Record<string, unknown>[];
  expect(values.some((value) => "note" in value)).toBe(true);
  expect(values.some((value) => !("note" in value))).toBe(true);
  expect(new Set(values.map(({ count }) => count))).toEqual(new Set([1, 5]));
  expect(values.some(({ kind }) => kind === "large")).toBe(true);
  expect(values.some(({ lines }) => Array.isArray(lines) && lines.length === 0)).toBe(true);
});

test("a schema that nothing is known to pass gives nothing but what is nothing", () => {
  expect([plainOf(false), variantsOf(false)]).toEqual([{}, []]);
});
