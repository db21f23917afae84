// Goal: a template gives what its expressions give, with their type; what is wrong with it is known before it runs,
// with its place; what cannot be had is an EXPRESSION_ERROR.
// Method: cases, and any JSON value as a template of itself.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Scope, Value } from "../../src/language/spec.ts";
import { checkTemplate, evaluate, tasksIn, type Place } from "../../src/language/template.ts";

const scope: Scope = {
  input: { name: "Ada", list: [1, { deep: true }], "odd key": 7, nothing: null, zero: 0 },
  tasks: { look: { status: "SUCCESS", output: { n: 3 } }, "my-task": { status: "SUCCESS", output: { ok: true } } },
  error: { code: "TOOL_ERROR" },
  workflow: { id: "w", exec_id: "x", correlation_id: "c", started_at: "2026-01-01T00:00:00.000Z" },
};

const place: Place = {
  names: ["input", "tasks", "error", "workflow"],
  tasks: new Set(["look", "my-task"]),
  known: new Set(["look", "my-task", "later"]),
};

function defects(value: unknown, more: Partial<Place> = {}): string[] {
  const notes: string[] = [];
  checkTemplate(value, ["with"], { ...place, ...more }, (path, code, message, hint, offset) => {
    const at = offset === undefined ? "" : `@${offset}`;
    notes.push(`${path.join(".")}${at} ${code} ${message}${hint === undefined ? "" : ` (${hint})`}`);
  });
  return notes;
}

describe("a text that is one path gives the value with its type", () => {
  test.each<[string, unknown]>([
    ["${{ input.name }}", "Ada"],
    ["${{input.zero}}", 0],
    ["${{ input.nothing }}", null],
    ["${{ input.list }}", [1, { deep: true }]],
    ["${{ input.list[1].deep }}", true],
    ["${{ input.list[0] }}", 1],
    ["${{ input['odd key'] }}", 7],
    ["${{ input.list[0] + 1 }}", 2],
    ["${{ size(input.list) }}", 2],
    ["${{ input.zero == 0 }}", true],
    ["${{ {'a': {'b': input.zero}} }}", { a: { b: 0 } }],
    ["${{{'a': 1}}}", { a: 1 }],
    ["${{ '}}' }}", "}}"],
    ['${{ "\\"}}" + input.name }}', '"}}Ada'],
    ["${{ r'\\}}' }}", "\\}}"],
    ["${{ '''it's }}''' }}", "it's }}"],
    ["${{ 1 // a }} b\n }}", 1],
    ["${{ [input.name].map(n, n + '!') }}", ["Ada!"]],
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
    ["$$${{ input.name }}", "$${{ input.name }}"],
    ["$${{$${{${{ input.zero }}", "${{${{0"],
    ["${{ input.zero + 1 }} of ${{ [1, 2] }}", "1 of [1,2]"],
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

test("what fails on data tells where in the value, and which expression", () => {
  const value = { a: 1, order: [{ id: "${{ input.name }}" }, { id: "${{ input.nope }}" }] };
  expect(() => evaluate(value, scope, "task 'x' with")).toThrow(
    expect.objectContaining({
      code: "EXPRESSION_ERROR",
      message: "task 'x' with.order.1.id: ${{ input.nope }}: there is no 'nope'",
      details: { expression: "input.nope", at: "task 'x' with.order.1.id" },
    }),
  );
  expect(() => evaluate("${{ input.nope }}", scope)).toThrow("${{ input.nope }}: there is no 'nope'");
});

describe("what is wrong is noted with its place, all of it at once", () => {
  test("wherever it stands", () => {
    const wrong = { a: "${{ inpt.x }}", b: ["ok", "${{ 1 + }}", { c: "x ${{}} y" }], d: 1n, e: undefined, f: NaN };
    expect(defects(wrong)).toEqual([
      "with.a@4 UNKNOWN_REFERENCE there is no 'inpt' here (did you mean \"input\"?)",
      "with.b.1@8 BAD_EXPRESSION Unexpected token: EOF",
      "with.b.2.c@5 BAD_EXPRESSION Unexpected token: EOF",
      "with.d BAD_TYPE a value of type bigint is no JSON value and no function",
      "with.e BAD_TYPE a value of type undefined is no JSON value and no function",
      "with.f BAD_TYPE NaN is no JSON value and no function",
    ]);
  });

  test.each<[string, string, Partial<Place>?]>([
    [
      "${{ tasks.my-task.output }}",
      `with@4 BAD_EXPRESSION the task id 'my-task' has to be written in brackets (tasks["my-task"])`,
    ],
    ["${{ tasks.2nd.output }}", `with@4 BAD_EXPRESSION the task id '2nd' has to be written in brackets (tasks["2nd"])`],
    ["${{ tasks.lok.output }}", "with@10 UNKNOWN_REFERENCE there is no task 'lok' here (did you mean \"look\"?)"],
    ["a ${{ 1 + tasks['later'].output }}", "with@16 UNKNOWN_REFERENCE task 'later' cannot have run before this"],
    ["${{ item }}", "with@4 UNKNOWN_REFERENCE there is no 'item' here"],
    ["${{ env.KEY }}", "with@4 ENV_IN_WORKFLOW `env` is known in definitions of agents and tools only"],
    [
      "${{ env.KY }}",
      "with@8 UNKNOWN_ENV 'KY' is not declared under `env` (did you mean \"KEY\"?)",
      { names: ["env"], env: new Set(["KEY"]) },
    ],
    [
      "${{ size(input) }}",
      "with BAD_EXPRESSION must give true or false, and gives a value of type int",
      { gives: "boolean" },
    ],
    [
      "if ${{ input.a }}",
      "with BAD_EXPRESSION must give true or false, and gives a value of type string",
      { gives: "boolean" },
    ],
    ["${{ 'a' }}", "with BAD_EXPRESSION must give a list, and gives a value of type string", { gives: "list" }],
    ["${{ 'a' == 1 }}", "with@4 BAD_EXPRESSION no such overload: string == int"],
    ["${{ nope(1) }}", "with@4 BAD_EXPRESSION found no matching overload for 'nope(int)'"],
    ["${{ input.a", "with@0 BAD_EXPRESSION `${{` is not closed by `}}`; a plain `${{` is written `$${{`"],
    ["${{ 'a }}", "with@0 BAD_EXPRESSION `${{` is not closed by `}}`; a plain `${{` is written `$${{`"],
  ])("%s", (template, defect, more = {}) => {
    expect(defects(template, more)).toEqual([defect]);
  });

  test("what is of the type it must be, or may be, is well", () => {
    for (const well of [true, "${{ input.a }}", "${{ input.a == 1 }}", "${{ has(input.a) }}", () => true]) {
      expect(defects(well, { gives: "boolean" })).toEqual([]);
    }
    for (const well of [[1], "${{ input.a }}", "${{ input.a.map(x, x) }}", "${{ [1] }}", () => []]) {
      expect(defects(well, { gives: "list" })).toEqual([]);
    }
    for (const wrong of [1, null, {}, "text"]) expect(defects(wrong, { gives: "boolean" })).toHaveLength(1);
  });
});

test("the tasks that a value refers to are known", () => {
  const value = {
    a: "${{ tasks.a.output + tasks['b-c'].output }}",
    b: ["x ${{ has(tasks.d) }}", "tasks.e"],
    f: () => 1,
  };
  expect([...tasksIn(value)]).toEqual(["a", "b-c", "d"]);
  expect([...tasksIn("${{ [1].map(tasks, tasks.x) }}")]).toEqual([]);
});

test("a value that contains itself is a defect and no endless loop", () => {
  const circular: { self?: unknown } = {};
  circular.self = circular;
  expect(defects(circular)).toEqual(["with.self BAD_VALUE contains itself"]);
  let deep: unknown = 1;
  for (let depth = 0; depth < 10_000; depth++) deep = [deep];
  expect(defects(deep)).toEqual([expect.stringContaining("BAD_VALUE is nested more than 100 deep")]);
});

test("a text that is taken apart ends, however it is made", () => {
  const many = 100_000;
  expect(defects("${{ '".repeat(many))).toHaveLength(1);
  expect(defects("${{".repeat(many))).toHaveLength(1);
  expect(defects(`\${{ ${"{".repeat(many)}`)).toHaveLength(1);
  expect(evaluate("$${{".repeat(many), scope)).toBe("${{".repeat(many));
  expect(evaluate("${{ input.zero }}".repeat(many), scope)).toBe("0".repeat(many));
  const long = { ...scope, input: { text: "x".repeat(1_000_000) } };
  expect(() => evaluate("${{ input.text }}".repeat(20), long)).toThrow("more than 16777216 characters");
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
