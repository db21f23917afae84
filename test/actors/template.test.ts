// Goal: a template gives what its paths name, with its type; what cannot be had is an EXPRESSION_ERROR.
// Method: cases, and any JSON value as a template of itself.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkTemplate, evaluate, type Scope, type Value } from "../../src/actors/template.ts";

const scope: Scope = {
  input: { name: "Ada", list: [1, { deep: true }], "odd key": 7, nothing: null, zero: 0 },
  tasks: { look: { status: "SUCCESS", output: { n: 3 } }, "my-task": { status: "SUCCESS", output: { ok: true } } },
  error: { code: "TOOL_ERROR" },
  workflow: { id: "w", exec_id: "x", correlation_id: "c", started_at: "2026-01-01T00:00:00.000Z" },
};

function defects(value: unknown): string[] {
  const notes: string[] = [];
  checkTemplate(value, "with", (field, message) => void notes.push(`${field}: ${message}`));
  return notes;
}

describe("a text that is one path gives the value with its type", () => {
  test.each<[string, unknown]>([
    ["${{ input.name }}", "Ada"],
    ["${{input.zero}}", 0],
    ["${{ input.nothing }}", null],
    ["${{ input.list }}", [1, { deep: true }]],
    ["${{ input.list[1].deep }}", true],
    ["${{ input.list.0 }}", 1],
    ['${{ input["odd key"] }}', 7],
    ['${{ tasks["my-task"].output.ok }}', true],
    ["${{ tasks.look.output }}", { n: 3 }],
    ["${{ error.code }}", "TOOL_ERROR"],
    ["${{ workflow.exec_id }}", "x"],
    ["${{ input }}", scope.input],
  ])("%s", (template, value) => {
    expect(defects(template)).toEqual([]);
    expect(evaluate(template, scope)).toEqual(value);
  });
});

describe("a text around paths has the values put into it", () => {
  test.each<[string, string]>([
    ["Dear ${{ input.name }}!", "Dear Ada!"],
    ["${{ input.name }}${{ input.zero }}", "Ada0"],
    ["<${{ input.nothing }}>", "<>"],
    ["is ${{ input.list }}", 'is [1,{"deep":true}]'],
    [" ${{ input.zero }}", " 0"],
    ["$${{ input.name }}", "${{ input.name }}"],
    ["$${{ a }} and ${{ input.zero }}", "${{ a }} and 0"],
    ["no path: ${input} {{ input }} $ {", "no path: ${input} {{ input }} $ {"],
  ])("%s", (template, value) => {
    expect(defects(template)).toEqual([]);
    expect(evaluate(template, scope)).toBe(value);
  });
});

test("what is put in is not looked at again", () => {
  const sly = { ...scope, input: { text: "${{ error.code }}" } };
  expect(evaluate("say ${{ input.text }}", sly)).toBe("say ${{ error.code }}");
});

test.each(["${{ input.nope }}", "a ${{ input.name.length }}", "${{ tasks.nope.output }}", "${{ input.constructor }}"])(
  "%s names nothing that is there",
  (template) => {
    expect(() => evaluate(template, scope)).toThrow(expect.objectContaining({ code: "EXPRESSION_ERROR" }));
  },
);

test("what is no path is noted with its place, all of it at once", () => {
  const wrong = { a: "${{ inptu.x }}", b: ["ok", "${{ 1 + 1 }}", { c: "x ${{}} y" }], d: 1n, e: undefined };
  expect(defects(wrong)).toEqual([
    expect.stringMatching(/^with\.a: '\$\{\{ inptu\.x \}\}' is no path/),
    expect.stringMatching(/^with\.b\.1: /),
    expect.stringMatching(/^with\.b\.2\.c: /),
    "with.d: a value of type bigint is no JSON value and no function",
    "with.e: a value of type undefined is no JSON value and no function",
  ]);
  expect(defects("${{ tasks.my-task.output }}")).toHaveLength(1);
});

test("a value that contains itself is a defect and no endless loop", () => {
  const circular: { self?: unknown } = {};
  circular.self = circular;
  expect(defects(circular).length).toBeGreaterThan(0);
});

describe("a function", () => {
  const of = (value: (given: Scope) => unknown): unknown => evaluate(value as Value, scope);

  test("is given the scope, and gives what it returns as JSON", () => {
    expect(of(({ input }) => ({ who: (input as { name: string }).name, at: new Date(0), not: undefined }))).toEqual({
      who: "Ada",
      at: "1970-01-01T00:00:00.000Z",
    });
    expect(of(() => undefined)).toEqual({});
    expect(of(() => 0)).toBe(0);
    expect(of(() => null)).toBe(null);
  });

  test("inside a value is called as well", () => {
    const value = { a: ({ input }: Scope) => (input as { zero: number }).zero, b: "${{ input.name }}" };
    expect(defects(value)).toEqual([]);
    expect(evaluate(value, scope)).toEqual({ a: 0, b: "Ada" });
  });

  test.each<[string, () => unknown, string]>([
    [
      "throws",
      () => {
        throw new Error("no luck");
      },
      "no luck",
    ],
    [
      "throws what is no error",
      () => {
        throw { odd: true };
      },
      "[object Object]",
    ],
    ["returns a promise", () => Promise.resolve(1), "promise"],
    ["returns a promise that fails", () => Promise.reject(new Error("later")), "promise"],
    [
      "returns what only looks like a promise",
      () => Object.fromEntries([[String("then"), () => undefined]]),
      "promise",
    ],
    [
      "returns what contains itself",
      () => {
        const a: { a?: unknown } = {};
        a.a = a;
        return a;
      },
      "circular",
    ],
    ["returns a function", () => () => 1, "no JSON value"],
    ["returns a number too big for JSON", () => 1n, "BigInt"],
  ])("that %s is an EXPRESSION_ERROR", (_name, value, says) => {
    const error = expect.objectContaining({ code: "EXPRESSION_ERROR", message: expect.stringContaining(says) });
    expect(() => of(value)).toThrow(error);
  });

  test("cannot change what others see", () => {
    const given = structuredClone(scope);
    const sly = ({ input }: Scope): unknown => ((input as { name: string }).name = "Eve");
    expect(() => evaluate(sly, given)).toThrow(expect.objectContaining({ code: "EXPRESSION_ERROR" }));
    expect(given).toEqual(scope);
  });
});

test("whatever JSON goes in comes out, but for texts that speak of paths", () => {
  const json = fc.jsonValue().filter((value) => !JSON.stringify(value).includes("{{"));
  fc.assert(
    fc.property(json, (value) => {
      expect(defects(value)).toEqual([]);
      expect(evaluate(value as Value, scope)).toEqual(value);
    }),
  );
});

test("whatever is in the input comes out of a path to it, and as text within one", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (any) => {
      // As it came from JSON, which knows no minus nothing.
      const value = JSON.parse(JSON.stringify(any)) as unknown;
      const given = { ...scope, input: { value } };
      expect(evaluate("${{ input.value }}", given)).toEqual(value);
      const text = evaluate("<${{ input.value }}>", given);
      const inner = value === null ? "" : typeof value === "object" ? JSON.stringify(value) : `${value as string}`;
      expect(text).toBe(`<${inner}>`);
    }),
  );
});
