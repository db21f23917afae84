// What a form made from a JSON Schema begins with, and what it says is wrong while one types.
//
// Method: schemas and values, beside what the engine's own checker says of the same.

import { describe, expect, test } from "vitest";
import { defectsOf, initialOf, isPlain, resolved, type Schema } from "../../pages/start/schema.ts";
import { type Schema as EngineSchema, schemaOf } from "../../src/language/json-schema.ts";

const order: Schema = {
  type: "object",
  properties: {
    customer: { $ref: "#/$defs/customer" },
    express: { type: "boolean", default: false },
    items: { type: "array", minItems: 1, items: { type: "string", minLength: 2 } },
    amount: { type: "number", minimum: 1, multipleOf: 0.01 },
    currency: { type: "string", enum: ["EUR", "USD"], default: "EUR" },
    note: { type: ["string", "null"] },
  },
  required: ["customer", "items"],
  additionalProperties: false,
  $defs: { customer: { type: "object", properties: { id: { type: "string", pattern: "^c-" } }, required: ["id"] } },
};

const good = { customer: { id: "c-1" }, items: ["ab"], amount: 10.25, currency: "USD", note: null };

test("a form begins with the defaults, and with required parts that are objects", () => {
  expect(initialOf(order, order)).toEqual({ customer: {}, express: false, currency: "EUR" });
  expect(initialOf({ type: "string" }, {})).toBeUndefined();
});

describe("what is wrong is said where it is", () => {
  test.each<[string, unknown, string[]]>([
    ["nothing", good, []],
    ["what is missing", {}, ["/customer", "/items"]],
    ["what is missing inside", { ...good, customer: {} }, ["/customer/id"]],
    ["a pattern behind a reference", { ...good, customer: { id: "x" } }, ["/customer/id"]],
    ["an item of a list", { ...good, items: ["ab", "a"] }, ["/items/1"]],
    ["too few items", { ...good, items: [] }, ["/items"]],
    ["a number that is too small", { ...good, amount: 0.5 }, ["/amount"]],
    ["none of the choices", { ...good, currency: "DKK" }, ["/currency"]],
    ["another type", { ...good, express: "yes" }, ["/express"]],
    ["a field that nobody knows", { ...good, more: 1 }, ["/more"]],
    ["no object at all", [], [""]],
  ])("%s", (_what, value, paths) => {
    expect(defectsOf(value, order, order).map(({ path }) => path)).toEqual(paths);
    const isGood = "value" in schemaOf(order as unknown as EngineSchema).check(value);
    expect(isGood).toBe(paths.length === 0);
  });
});

test("what is a choice between schemas has no form", () => {
  expect(isPlain({ anyOf: [{ type: "string" }, { type: "object" }] })).toBe(false);
  expect(isPlain({ type: ["string", "number"] })).toBe(false);
  expect(isPlain({ enum: [1, "a"] })).toBe(true);
});

test("a reference that goes in a circle, or nowhere, ends", () => {
  const root: Schema = { $defs: { a: { $ref: "#/$defs/a" } } };
  expect(resolved({ $ref: "#/$defs/a" }, root).type).toBeUndefined();
  expect(resolved({ $ref: "#/$defs/none", title: "t" }, root)).toEqual({ title: "t" });
});
