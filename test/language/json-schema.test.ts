// Goal: a JSON Schema, a zod schema and a function say the same of a value in the same form, never throw, and never
// change what they are given; what is no schema is known before it is used.
// Method: cases of each kind, hostile patterns, any JSON value against any of them.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { defectsOfSchema, schemaOf, type Schema } from "../../src/language/json-schema.ts";

const order = {
  type: "object",
  properties: {
    id: { type: "string", pattern: "^[a-z]+\\d$" },
    count: { type: "integer", minimum: 1, default: 1 },
    kind: { enum: ["new", "old"] },
    mail: { type: "string", format: "email" },
    lines: { type: "array", items: { type: "object", properties: { "a/b": { type: "number", default: 2 } } } },
  },
  required: ["id"],
  additionalProperties: false,
} as const;

const defects = (schema: unknown): string[] => {
  const notes: string[] = [];
  defectsOfSchema(schema, ["input"], (path, code, message, hint) => {
    notes.push(`${path.join(".")} ${code} ${message}${hint === undefined ? "" : ` (${hint})`}`);
  });
  return notes;
};

describe("a JSON Schema", () => {
  test("gives the value with its defaults, in a copy", () => {
    const given = Object.freeze({ id: "a1", lines: Object.freeze([Object.freeze({})]) });
    expect(schemaOf(order).check(given)).toEqual({ value: { id: "a1", count: 1, lines: [{ "a/b": 2 }] } });
    expect(given).toEqual({ id: "a1", lines: [{}] });
  });

  test("tells all that is wrong, each with its field", () => {
    const wrong = { count: 0, kind: "odd", mail: "nobody", lines: [{ "a/b": "x" }], extra: 1 };
    expect(schemaOf(order).check(wrong)).toEqual({
      errors: [
        { field: "id", message: "is missing" },
        { field: "extra", message: "is unknown" },
        { field: "count", message: "must be >= 1" },
        { field: "kind", message: 'must be one of "new", "old"' },
        { field: "mail", message: 'must match format "email"' },
        { field: "lines.0.a/b", message: "must be number" },
      ],
    });
  });

  test("true allows anything, false nothing, none is none", () => {
    expect(schemaOf(true).check(1)).toEqual({ value: 1 });
    expect(schemaOf(undefined).check(1)).toEqual({ value: 1 });
    expect(schemaOf(false).check(1)).toEqual({ errors: [{ field: "", message: "nothing is allowed here" }] });
    expect(schemaOf({}).check(1)).toEqual({ value: 1 });
  });

  test("knows the words of 2020-12", () => {
    const schema = { prefixItems: [{ type: "string" }], items: false, $defs: { a: { type: "number" } } };
    expect(schemaOf(schema).check(["a"])).toEqual({ value: ["a"] });
    expect(schemaOf(schema).check(["a", 1]).errors).toHaveLength(1);
    const strict = { allOf: [{ properties: { a: true } }], unevaluatedProperties: false };
    expect(schemaOf(strict).check({ a: 1 })).toEqual({ value: { a: 1 } });
    expect(schemaOf(strict).check({ b: 1 })).toEqual({ errors: [{ field: "b", message: "is unknown" }] });
    const referring = { $ref: "#/$defs/tree", $defs: { tree: { type: "array", items: { $ref: "#/$defs/tree" } } } };
    expect(schemaOf(referring).check([[], [[]]])).toEqual({ value: [[], [[]]] });
    expect(schemaOf(referring).check([[], [1]])).toEqual({ errors: [{ field: "1.0", message: "must be array" }] });
  });

  test("two of one $id stand for themselves", () => {
    expect(schemaOf({ $id: "https://a.example/x", type: "string" }).check(1).errors).toHaveLength(1);
    expect(schemaOf({ $id: "https://a.example/x", type: "number" }).check(1)).toEqual({ value: 1 });
  });

  test("with several patterns holds each to its own", () => {
    const schema = { properties: { a: { pattern: "^a+$" }, b: { pattern: "^b+$" } } };
    expect(schemaOf(schema).check({ a: "aa", b: "bb" })).toEqual({ value: { a: "aa", b: "bb" } });
    expect(schemaOf(schema).check({ a: "bb", b: "bb" }).errors).toHaveLength(1);
  });

  test("its pattern does not take the time that a backtracking one does", () => {
    // With 100,000 letters a pattern that goes back would outlive the test.
    const slow = schemaOf({ type: "string", pattern: "^(a+)+b$" });
    expect(slow.check("a".repeat(100_000)).errors).toEqual([
      { field: "", message: expect.stringContaining("pattern") },
    ]);
    expect(slow.check("aaab")).toEqual({ value: "aaab" });
    expect(schemaOf({ pattern: "^\\u0041\\/[\\w-]+$" }).check("A/b-c")).toEqual({ value: "A/b-c" });
    expect(schemaOf({ patternProperties: { "^(x+)+$": false } }).check({ ["x".repeat(5_000)]: 1 }).errors).toHaveLength(
      1,
    );
  });
});

test("a format does not take the time that its pattern could", () => {
  const url = schemaOf({ type: "string", format: "url" });
  expect(url.check("https://shop.example/a?b=c")).toEqual({ value: "https://shop.example/a?b=c" });
  // With a million letters the pattern of the format would outlive the test.
  expect(url.check(`http://${":".repeat(1_000_000)}`).errors).toHaveLength(1);
});

describe("a schema of zod", () => {
  const schema = z.object({ id: z.string(), count: z.number().default(1), deep: z.array(z.object({ n: z.number() })) });

  test("gives what it makes of the value", () => {
    const given = Object.freeze({ id: "a", deep: [] });
    expect(schemaOf(schema).check(given)).toEqual({ value: { id: "a", count: 1, deep: [] } });
  });

  test("tells all that is wrong, each with its field", () => {
    const { errors } = schemaOf(schema).check({ deep: [{ n: 1 }, { n: "x" }] });
    expect(errors?.map(({ field }) => field)).toEqual(["id", "deep.1.n"]);
  });

  test("that cannot answer at once, or fails itself, is an error and no crash", () => {
    const later = z.string().refine(() => Promise.resolve(true));
    expect(schemaOf(later).check("a").errors).toHaveLength(1);
    const broken = z.string().transform(() => {
      throw new Error("broken");
    });
    expect(schemaOf(broken).check("a")).toEqual({ errors: [{ field: "", message: "broken" }] });
  });
});

describe("a function", () => {
  test("gives the value, filled in; what it throws is what is wrong", () => {
    expect(schemaOf((value) => ({ ...Object(value), more: 1 })).check({ a: 1 })).toEqual({ value: { a: 1, more: 1 } });
    const refuses = schemaOf(() => {
      throw new Error("too old");
    });
    expect(refuses.check(1)).toEqual({ errors: [{ field: "", message: "too old" }] });
  });

  test("that gives a promise, even one that fails, is an error and no crash", () => {
    expect(schemaOf(() => Promise.reject(new Error("later"))).check(1).errors?.[0]?.message).toContain("promise");
  });

  test("cannot change what it is given", () => {
    const given = { a: 1 };
    schemaOf((value) => Object.assign(Object(value), { a: 2 })).check(given);
    expect(given).toEqual({ a: 1 });
  });
});

test("one schema is made ready once", () => {
  expect(schemaOf(order)).toBe(schemaOf(order));
});

describe("what is no schema", () => {
  test.each<[unknown, string]>([
    [1, "input BAD_SCHEMA must be a JSON Schema: an object, true or false"],
    [[], "input BAD_SCHEMA must be a JSON Schema: an object, true or false"],
    [{ type: "objekt" }, "input.type BAD_SCHEMA must be equal to one of the allowed values"],
    [{ properties: { a: { minimum: "1" } } }, "input.properties.a.minimum BAD_SCHEMA must be number"],
    [{ $ref: "#/$defs/nope" }, "input BAD_SCHEMA can't resolve reference #/$defs/nope from id #"],
    [{ properties: { a: { pattern: "(" } } }, "input.properties.a.pattern BAD_SCHEMA the pattern cannot be used"],
    [{ pattern: "^(?=a)b" }, "input.pattern BAD_SCHEMA the pattern cannot be used"],
    [{ pattern: "(a)\\1" }, "input.pattern BAD_SCHEMA the pattern cannot be used"],
    [
      { properties: { a: { propertis: {} } } },
      'input.properties.a.propertis BAD_SCHEMA "propertis" is no keyword (did you mean "properties"?)',
    ],
    [{ format: "e-mail" }, "input BAD_SCHEMA"],
    [{ $schema: "http://json-schema.org/draft-07/schema#" }, "input BAD_SCHEMA"],
  ])("%j is noted with its place", (schema, says) => {
    expect(defects(schema)).toEqual([expect.stringContaining(says)]);
  });

  test("is not what somebody else's keywords, or a schema of another kind, are", () => {
    for (const well of [
      true,
      false,
      order,
      { "x-order": 1 },
      z.string(),
      () => 1,
      { type: "string", nullable: true, example: 1 },
    ]) {
      expect(defects(well)).toEqual([]);
    }
  });

  test("is noted and no crash, however deep it is", () => {
    let deep: Record<string, unknown> = {};
    for (let depth = 0; depth < 20_000; depth++) deep = { not: deep };
    expect(defects(deep)).toEqual(["input BAD_SCHEMA it is nested too deep"]);
  });
});

test("J1: any value against any schema gives the value or errors, and is not changed", () => {
  const schemas: Schema[] = [order, z.object({ a: z.string().optional() }), z.array(z.unknown()), { type: "array" }];
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(...schemas), (value, schema) => {
      const before = JSON.stringify(value);
      const { errors } = schemaOf(schema).check(value);
      expect(errors === undefined || errors.length > 0).toBe(true);
      expect(JSON.stringify(value)).toBe(before);
    }),
  );
});
