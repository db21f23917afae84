// Goal: what may choose a case of a route is never told to be impossible.
// Method: conditions and data by chance; the case that the data really chooses has to be among those that were told.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { valueOf } from "../../../src/language/expression.ts";
import type { JsonSchema, Scope, TaskSpec, WorkflowSpec } from "../../../src/language/spec.ts";
import { chosenCases } from "../../../src/testing/findings/values.ts";

type Route = Extract<TaskSpec, { type: "route" }>;

const routeOf = (...conditions: string[]): Route => ({
  id: "pick",
  type: "route",
  cases: conditions.map((when) => ({ when: `\${{ ${when} }}`, next: "next" })),
  default: "next",
});

function chosen(route: Route, input?: JsonSchema): (number | "default")[] | undefined {
  const spec: WorkflowSpec = { id: "w", tasks: [route], ...(input !== undefined && { input }) };
  const found = chosenCases(route, { spec, workflows: new Map(), agents: new Map(), tools: new Map() });
  return found && [...found].toSorted((one, other) => String(one).localeCompare(String(other)));
}

const fields = ["a", "b"];
const literal = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom(0.5, 1.25), fc.constantFrom('"x"', '"y"'));
const operand = fc.constantFrom(...fields.map((field) => `input.${field}`));
const comparison = fc.oneof(
  fc.tuple(operand, fc.constantFrom("==", "!="), literal).map((parts) => parts.join(" ")),
  fc
    .tuple(operand, fc.constantFrom("<", "<=", ">", ">="), fc.integer({ min: -3, max: 3 }))
    .map((parts) => parts.join(" ")),
  fc.tuple(operand, fc.constantFrom("==", "!=", "<"), operand).map((parts) => parts.join(" ")),
  fc
    .tuple(operand, fc.array(literal, { minLength: 1, maxLength: 3 }))
    .map(([of, list]) => `${of} in [${list.join(", ")}]`),
  operand.map((of) => `has(${of})`),
);
const condition = fc.oneof(
  comparison,
  fc.tuple(comparison, fc.constantFrom("&&", "||"), comparison).map(([one, op, other]) => `(${one}) ${op} (${other})`),
  comparison.map((one) => `!(${one})`),
);
const datum = fc.oneof(
  fc.integer({ min: -5, max: 5 }),
  fc.double({ min: -5, max: 5, noNaN: true }),
  fc.constantFrom("x", "y", "z", true, false, null),
);
const data = fc.record({ a: datum, b: datum }, { requiredKeys: [] });

/** The case that the engine takes; nothing if a condition fails. */
function takenBy(route: Route, input: object): number | "default" | undefined {
  for (const [index, { when }] of route.cases.entries()) {
    try {
      const given = valueOf((when as string).slice(3, -2), { input, tasks: {} } as unknown as Scope);
      if (given === true) return index;
      if (given !== false) return undefined;
    } catch {
      return undefined;
    }
  }
  return "default";
}

describe("which cases data can choose", () => {
  test("V1: whatever data chooses is among what was told", () => {
    fc.assert(
      fc.property(fc.array(condition, { minLength: 1, maxLength: 3 }), data, (conditions, input) => {
        const route = routeOf(...conditions);
        const told = chosen(route);
        const taken = takenBy(route, input);
        if (told !== undefined && taken !== undefined) expect(told).toContain(taken);
      }),
      { numRuns: 1_500 },
    );
  });

  const kind = { type: "object", properties: { kind: { enum: ["p", "q"] } }, required: ["kind"] };
  const size = { type: "object", properties: { n: { type: "integer", minimum: 1, maximum: 5 } }, required: ["n"] };
  test.each([
    ["a wider case first", routeOf("input.n > 1", "input.n > 3"), undefined, [0, "default"]],
    ["a narrower case first", routeOf("input.n > 3", "input.n > 1"), undefined, [0, 1, "default"]],
    ["every value of an enum", routeOf("input.kind == 'p'", "input.kind == 'q'"), kind, [0, 1]],
    ["a value that the enum lacks", routeOf("input.kind == 'r'"), kind, ["default"]],
    ["bounds of a number", routeOf("input.n >= 1", "input.n > 5"), size, [0]],
    ["between two written values", routeOf("input.x > 1 && input.x < 1.5"), undefined, [0, "default"]],
    ["two fields of one kind", routeOf("input.a != input.b"), undefined, [0, "default"]],
    ["the same twice", routeOf("input.x == 'a'", "input.x == 'a'"), undefined, [0, "default"]],
    ["a status that there is not", routeOf("tasks.pick.status == 'DONE'"), undefined, ["default"]],
  ] as const)("%s", (_what, route, input, told) => {
    expect(chosen(route, input)).toEqual(told);
  });

  test.each([
    ["a function", routeOf("size(input.list) > 3")],
    ["arithmetic", routeOf("input.a + 1 > 3")],
    ["texts in an order", routeOf("input.a < 'm'")],
    ["a loop", routeOf("input.list.exists(one, one > 3)")],
    ["one field inside of another", routeOf("has(input.a) && input.a.b == 1")],
  ])("nothing is told of %s", (_what, route) => {
    expect(chosen(route)).toBeUndefined();
  });

  test("nothing is told of a field whose schema says more than can be tried", () => {
    const input = { type: "object", properties: { a: { type: "string", pattern: "^b" } }, required: ["a"] };
    expect(chosen(routeOf("input.a == 'bee'"), input)).toBeUndefined();
  });
});
