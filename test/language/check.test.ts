// Goal: the checker says everything that is wrong, at once, and nothing of what is right; and it ends.
// Method: small workflows for what is in scope where; the sizes; and random values, texts and spoils of a sound
// definition, after which the engine must take what the checker takes, and every defect must name a place.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { prepare } from "../../src/actors/definition.ts";
import { limits, withLimits } from "../../src/actors/limits.ts";
import { checkProject, checkWorkflow, usualSizes } from "../../src/language/check.ts";
import type { Defect, WorkflowSpec } from "../../src/language/spec.ts";
import { treeOf } from "../kit/tree.ts";

const good = treeOf("test/language/good/**/*.yaml");
const textOf = (name: string): string => good.get(`test/language/good/${name}.yaml`) ?? "";

const said = (defects: readonly Defect[]): string[] => defects.map(({ path, code }) => `${path.join(".")} ${code}`);
const look = (id: string, more: object = {}): object => ({ id, type: "tool", tool: "look", ...more });
const problemsOf = (...tasks: object[]): string[] => said(checkWorkflow({ id: "w", tasks }));
const out = (id: string): string => `\${{ tasks.${id}.output }}`;

test.each([
  ["refuse_it", "refuse", true],
  ["refus", "refuse", true],
  ["refuse_them", "refuse", false],
  ["bb", "b", true],
  ["paid", "a", false],
])(
  "who writes the id %s and has only %s is asked whether it was meant, within three letters: %s",
  (to, id, isAsked) => {
    const [defect] = checkWorkflow({ id: "w", tasks: [look(id, { next: to })] });
    expect(defect).toMatchObject({ code: "UNKNOWN_TASK" });
    expect(defect?.hint).toBe(isAsked ? `did you mean "${id}"?` : undefined);
  },
);

describe("a task sees", () => {
  test("what leads to it, by next and by on_error, and itself if it is in a loop", () => {
    const tasks = [
      look("a", { next: "b", on_error: "c" }),
      look("b", { next: "d", with: [out("a"), out("d"), out("b")] }),
      look("c", { next: "d", with: [out("a"), out("b")] }),
      { id: "d", type: "route", cases: [{ when: "${{ input.again }}", next: "b" }], default: "e" },
      look("e", { with: [out("a"), out("b"), out("c"), out("d")] }),
    ];
    // There is a way from d back to b, but none from b to c.
    expect(problemsOf(...tasks)).toEqual(["tasks.2.with.1 UNKNOWN_REFERENCE"]);
  });

  test("the tasks of a parallel that has ended, but not those of a branch beside it", () => {
    const branches = {
      x: [look("a", { next: "b" }), look("b", { with: out("a") })],
      y: [look("c", { with: out("a") })],
    };
    const tasks = [{ id: "p", type: "parallel", branches, next: "z" }, look("z", { with: [out("a"), out("p")] })];
    expect(problemsOf(...tasks)).toEqual(["tasks.0.branches.y.0.with UNKNOWN_REFERENCE"]);
  });

  test("inside an each its item, what came before the each, and nothing of it afterwards", () => {
    const inner = [
      look("a", { with: ["${{ item }} ${{ index }}", out("z")], next: "b" }),
      look("b", { with: out("a") }),
    ];
    const each = { id: "e", type: "each", items: out("z"), do: inner, next: "y" };
    const tasks = [look("z", { next: "e" }), each, look("y", { with: [out("e"), out("a"), "${{ item }}"] })];
    expect(problemsOf(...tasks)).toEqual(["tasks.2.with.1 UNKNOWN_REFERENCE", "tasks.2.with.2 UNKNOWN_REFERENCE"]);
  });

  test("an error only until the next success", () => {
    const error = "${{ error.code }}";
    const branches = { x: [look("a", { with: error, next: "b" }), look("b", { with: error })] };
    const tasks = [
      look("z", { with: error, on_error: "p" }),
      { id: "p", type: "parallel", branches, next: "y" },
      look("y", { with: error }),
    ];
    expect(problemsOf(...tasks)).toEqual([
      "tasks.0.with UNKNOWN_REFERENCE",
      "tasks.1.branches.x.1.with UNKNOWN_REFERENCE",
      "tasks.2.with UNKNOWN_REFERENCE",
    ]);
  });

  test("in an undo block the error, the task that is undone and what came before it", () => {
    const undo = [
      look("u", { with: ["${{ error.code }}", out("a"), out("z"), out("y")], next: "v" }),
      look("v", { with: out("u") }),
    ];
    const tasks = [look("z", { next: "a" }), look("a", { undo, next: "y" }), look("y", { with: out("u") })];
    expect(problemsOf(...tasks)).toEqual(["tasks.1.undo.0.with.3 UNKNOWN_REFERENCE", "tasks.2.with UNKNOWN_REFERENCE"]);
  });

  test("a signal only where one is matched", () => {
    const match = "${{ signal.payload.a == 1 }}";
    const wait = { id: "w", type: "wait", wait: { signal: "go", match }, timeout: "1h", with: match };
    expect(problemsOf(wait)).toEqual(["tasks.0.with UNKNOWN_REFERENCE"]);
  });
});

test("the result sees whatever can have run, and triggers see what was delivered", () => {
  const spec = (result: string, trigger: object = {}): unknown => ({
    id: "w",
    tasks: [look("a", { on_error: "b" }), look("b"), { id: "c", type: "each", items: [], do: [look("d")] }],
    result,
    triggers: [{ type: "webhook", path: "in", ...trigger }],
  });
  const unreachable = "tasks.2 UNREACHABLE_TASK";
  expect(
    said(checkWorkflow(spec(`${out("a")}${out("b")}`, { when: "${{ body.ok && input.query.x == '1' }}" }))),
  ).toEqual([unreachable]);
  expect(said(checkWorkflow(spec(out("d"), { dedupe: out("a") })))).toEqual([
    unreachable,
    "result UNKNOWN_REFERENCE",
    "triggers.0.dedupe UNKNOWN_REFERENCE",
  ]);
});

test("what is named is looked for only where it is known what there is", () => {
  const spec = { id: "w", tasks: [look("a", { next: "b" }), { id: "b", type: "workflow", workflow: "other" }] };
  expect(checkWorkflow(spec)).toEqual([]);
  expect(said(checkWorkflow(spec, { tools: new Map(), workflows: new Map() }))).toEqual([
    "tasks.0.tool UNKNOWN_TOOL",
    "tasks.1.workflow UNKNOWN_WORKFLOW",
  ]);
  const own = { ...spec, tools: [{ id: "look", kind: "command", command: ["look"] }] };
  expect(said(checkWorkflow(own, { tools: new Map() }))).toEqual([]);
  expect(said(checkWorkflow(own, { tools: new Map([["look", {}]]) }))).toEqual(["tools.0.id DUPLICATE_ID"]);
});

test("a slip of the pen is complained about once, and not again where it would have led", () => {
  const tasks = [
    look("first", { next: "secnd" }),
    look("second", { with: out("first"), next: "third" }),
    look("third"),
  ];
  expect(problemsOf(...tasks)).toEqual(["tasks.0.next UNKNOWN_TASK"]);
});

test("times that contradict each other: what can never succeed is an error, what never takes effect a warning", () => {
  const severities = (spec: object): string[] =>
    checkWorkflow(spec).map(({ path, severity }) => `${path.join(".")} ${severity}`);
  const wait = { id: "a", type: "wait", wait: { duration: "2h" } };
  expect(severities({ id: "w", timeout: "1h", tasks: [wait] })).toEqual(["tasks.0.wait.duration error"]);
  expect(severities({ id: "w", timeout: "1h", tasks: [look("a", { timeout: "61m" })] })).toEqual([
    "tasks.0.timeout warning",
  ]);
  expect(severities({ id: "w", timeout: "1h", tasks: [look("a", { timeout: "1h" })] })).toEqual([]);
  // What undoes has a time of its own.
  expect(severities({ id: "w", timeout: "1h", tasks: [look("a", { undo: [{ ...wait, id: "u" }] })] })).toEqual([]);
});

test("the usual sizes are those of the engine, and others are kept to", () => {
  const { tasksMax, depthMax, fanOutMax } = limits;
  expect(usualSizes).toEqual({ tasksMax: tasksMax.default, depthMax: depthMax.default, fanOutMax: fanOutMax.default });
  const spec = { id: "w", tasks: [look("a", { next: "b" }), look("b", { next: "c" }), look("c")] };
  expect(said(checkWorkflow(spec, { sizes: { tasksMax: 3 } }))).toEqual([]);
  expect(said(checkWorkflow(spec, { sizes: { tasksMax: 2 } }))).toEqual(["tasks TOO_LARGE"]);
});

// ── whatever it is given ──

const sound = parse(textOf("workflows/pay_all")) as WorkflowSpec;
const soundProject: unknown = parse(textOf("troupe"));

type Place = [holder: Record<string, unknown>, key: string];
function placesIn(value: unknown, found: Place[] = []): Place[] {
  if (typeof value !== "object" || value === null) return found;
  for (const key of Object.keys(value)) {
    found.push([value as Record<string, unknown>, key]);
    placesIn((value as Record<string, unknown>)[key], found);
  }
  return found;
}

const junk = fc.oneof(
  fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true, withSparseArray: true }),
  fc.constantFrom<unknown>(
    undefined,
    null,
    7n,
    "",
    [],
    {},
    [null],
    { next: null },
    Symbol("s"),
    "${{",
    "${{ tasks.x }}",
    NaN,
  ),
  fc.constantFrom<unknown>(
    "__proto__",
    "constructor",
    { ["__proto__"]: 1 },
    [[]],
    { type: "each", do: [{}] },
    -1,
    1e308,
  ),
);

/** A sound definition with a few of its values replaced. */
function spoilt<T>(base: T, spoils: readonly { at: number; value: unknown }[]): T {
  const copy = structuredClone(base);
  const places = placesIn(copy);
  for (const { at, value } of spoils) {
    const [holder, key] = places[at % places.length] as Place;
    if (value === undefined) delete holder[key];
    else holder[key] = value;
  }
  return copy;
}
const spoils = fc.array(fc.record({ at: fc.nat(10_000), value: junk }), { minLength: 1, maxLength: 3 });

test("the sound definition is sound, and so is the project", () => {
  expect(checkWorkflow(sound)).toEqual([]);
  expect(checkProject(soundProject)).toEqual([]);
});

test("K1: whatever it is given, it gives defects and throws nothing", () => {
  fc.assert(
    fc.property(fc.anything(), (value) => {
      expect(checkWorkflow(value).length).toBeGreaterThan(0);
      expect(checkProject(value).length).toBeGreaterThan(0);
    }),
    { numRuns: 500 },
  );
  const circle: Record<string, unknown> = { id: "w" };
  circle["tasks"] = [{ id: "a", type: "each", items: [], do: circle["tasks"], with: circle }];
  expect(said(checkWorkflow(circle))).toEqual(["tasks.0.with BAD_VALUE"]);
  const deep = Array.from({ length: 50_000 }).reduce<unknown>((inner) => [inner], 1);
  expect(checkWorkflow({ id: "w", tasks: [look("a", { with: deep })] })).toMatchObject([{ code: "TOO_DEEP" }]);
});

test("K2: what has no error the engine takes, however it came about", () => {
  let taken = 0;
  fc.assert(
    fc.property(spoils, (given) => {
      const spec = spoilt(sound, given);
      if (checkWorkflow(spec).some(({ severity }) => severity === "error")) return;
      taken += 1;
      prepare(spec, withLimits());
    }),
    { numRuns: 600 },
  );
  expect(taken).toBeGreaterThan(5);
});

test("K3: a defect is at a place that is there, or at a key that is missing in one", () => {
  const isThere = (value: unknown, path: Defect["path"]): boolean => {
    let place = value;
    for (const step of path) {
      if (typeof place !== "object" || place === null) return false;
      if (Array.isArray(place) ? Number(step) >= place.length : !Object.hasOwn(place, step)) return false;
      place = (place as Record<string | number, unknown>)[step];
    }
    return true;
  };
  const placed = (value: unknown, { path, code }: Defect): boolean =>
    isThere(value, path) || (/MISSING|BAD_SCHEMA|BAD_VALUE/.test(code) && isThere(value, path.slice(0, -1)));
  fc.assert(
    fc.property(spoils, (given) => {
      const spec = spoilt(sound, given);
      for (const defect of checkWorkflow(spec)) expect(placed(spec, defect), JSON.stringify(defect)).toBe(true);
      const project = spoilt(soundProject, given);
      for (const defect of checkProject(project)) expect(placed(project, defect), JSON.stringify(defect)).toBe(true);
    }),
    { numRuns: 400 },
  );
});
