// Goal: a definition with defects is refused with all of them, each with its field and what was probably meant.
// Method: a table of defects; a sound definition of every kind of task; random spoils of it, which must never crash.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { prepare, sequence } from "../../src/actors/definition.ts";
import type { TaskSpec, WorkflowSpec } from "../../src/language/spec.ts";
import { withLimits } from "../../src/actors/limits.ts";

const sizes = withLimits();
const agent: TaskSpec = { id: "a", type: "agent", agent: "clerk" };

const sound: WorkflowSpec = {
  id: "everything",
  description: "of each kind one",
  timeout: "1h",
  result: { is: "${{ tasks.a.output }}" },
  tasks: [
    {
      ...agent,
      action: "greet",
      with: { x: "${{ input.x }}" },
      timeout: "5s",
      start_timeout: 100,
      next: "r",
      on_error: "t",
    },
    { id: "r", type: "route", cases: [{ when: "${{ input.ok }}", next: "t" }], default: "w" },
    {
      id: "t",
      type: "tool",
      tool: "look",
      heartbeat: "10s",
      next: "w",
      retry: { max_attempts: 3, backoff: { initial: "1s", factor: 2, max: "1m", jitter: 0.2 }, never_on: ["BAD_CARD"] },
      on_error: [{ codes: ["TOOL_ERROR"], next: "w" }, { next: "s" }],
    },
    { id: "w", type: "wait", wait: { signal: "go" }, timeout: "1d", next: "n", pause_before: "look first" },
    { id: "n", type: "wait", wait: { duration: "250ms" }, next: "o" },
    { id: "o", type: "wait", wait: { approval: "may it?" }, timeout: 1_000, next: "s" },
    { id: "s", type: "signal", signal: "go", to: "${{ input.to }}", next: "c" },
    { id: "c", type: "workflow", workflow: "other", with: () => ({ made: true }), next: "p" },
    {
      id: "p",
      type: "parallel",
      strategy: "race",
      max_concurrency: 1,
      branches: {
        x: [
          { ...agent, id: "x1", next: "x2" },
          { ...agent, id: "x2" },
        ],
        y: [{ ...agent, id: "y1" }],
      },
    },
  ],
};

/** The defects, as fields and what is said of them. */
function defectsOf(spec: unknown, limits: object = {}): Record<string, string> {
  try {
    prepare(spec as WorkflowSpec, { ...sizes, ...limits });
    return {};
  } catch (error) {
    expect(error).toMatchObject({ name: "TroupeError", code: "DEFINITION_INVALID" });
    const { errors } = (error as { details: { errors: { field: string; message: string }[] } }).details;
    for (const { field, message } of errors) expect((error as Error).message).toContain(`${field}: ${message}`);
    return Object.fromEntries(errors.map(({ field, message }) => [field, message]));
  }
}
const withTask = (task: object): object => ({ id: "w", tasks: [{ ...agent, ...task }] });

describe("a sound definition", () => {
  test("is taken as it is, with what it does not say filled in", () => {
    const { id, timeoutMs, tasks, graph } = prepare(sound, sizes);
    expect([id, timeoutMs, tasks.size]).toEqual(["everything", 3_600_000, 12]);
    expect(tasks.get("a")).toMatchObject({ timeoutMs: 5_000, startTimeoutMs: 100, heartbeatMs: null });
    expect(tasks.get("t")).toMatchObject({ timeoutMs: 30_000, startTimeoutMs: 60_000, heartbeatMs: 10_000 });
    expect(tasks.get("n")).toMatchObject({ wait: { duration_ms: 250 }, timeoutMs: null });
    expect(tasks.get("p")?.graph).toMatchObject({ strategy: "race", width: 1, lanes: [{ name: "x" }, { name: "y" }] });
    expect(graph.blocks[0]?.map((step) => step.id)).toEqual(["a", "r", "t", "w", "n", "o", "s", "c", "p"]);
    expect(prepare({ id: "w", tasks: [agent] }, sizes).timeoutMs).toBe(86_400_000);
  });

  test("has a hash of all that it says, functions included", () => {
    const hash = (spec: WorkflowSpec): string => prepare(spec, sizes).hash;
    expect(hash(sound)).toBe(hash(structuredClone({ ...sound, tasks: [] }) && { ...sound }));
    expect(hash({ ...sound, timeout: "2h" })).not.toBe(hash(sound));
    const made = (n: string): WorkflowSpec => ({ id: "w", tasks: [{ ...agent, with: n === "1" ? () => 1 : () => 2 }] });
    expect(hash(made("1"))).toBe(hash(made("1")));
    expect(hash(made("1"))).not.toBe(hash(made("2")));
  });

  test("sequence leads from each task to the next, unless the task says where it leads", () => {
    const route: TaskSpec = { id: "r", type: "route", cases: [{ when: true, next: "b" }] };
    const tasks = sequence(agent, { ...agent, id: "b", next: "a" }, route, { ...agent, id: "c" });
    expect(tasks.map(({ next }) => next)).toEqual(["b", "a", undefined, undefined]);
    expect(prepare({ id: "w", tasks: sequence(agent, { ...agent, id: "b" }) }, sizes).tasks.size).toBe(2);
  });
});

describe("a defect has its field:", () => {
  test.each<[string, unknown, string]>([
    ["no object", null, "workflow"],
    ["a list", [], "workflow"],
    ["no id", { tasks: [agent] }, "id"],
    ["a bad id", { id: "a b", tasks: [agent] }, "id"],
    ["an unknown key", { id: "w", tasks: [agent], reslut: 1 }, "reslut"],
    ["no tasks", { id: "w" }, "tasks"],
    ["an empty list", { id: "w", tasks: [] }, "tasks"],
    ["a bad timeout", { id: "w", tasks: [agent], timeout: "soon" }, "timeout"],
    ["a bad result", { id: "w", tasks: [agent], result: "${{ x }}" }, "result"],
    ["no task", { id: "w", tasks: [7] }, "tasks.0"],
    ["a bad task id", withTask({ id: "_" }), "tasks.0.id"],
    ["an id used twice", { id: "w", tasks: [{ ...agent, next: "a" }, agent] }, "tasks.1.id"],
    ["an unknown type", withTask({ type: "agents" }), "tasks.0.type"],
    ["a type of every object", withTask({ type: "constructor" }), "tasks.0.type"],
    ["a key of another type", withTask({ tool: "x" }), "tasks.0.tool"],
    ["a misspelt key", withTask({ timout: 1 }), "tasks.0.timout"],
    ["no agent", withTask({ agent: undefined }), "tasks.0.agent"],
    ["a bad tool", withTask({ type: "tool", agent: undefined, tool: 1 }), "tasks.0.tool"],
    [
      "a way to nowhere",
      {
        id: "w",
        tasks: [
          { ...agent, next: "seond" },
          { ...agent, id: "second" },
        ],
      },
      "tasks.0.next",
    ],
    ["an error path to nowhere", withTask({ on_error: "b" }), "tasks.0.on_error"],
    ["one of a list", withTask({ on_error: [{ next: "a" }, { next: "b" }] }), "tasks.0.on_error.1.next"],
    ["an error path of no form", withTask({ on_error: 7 }), "tasks.0.on_error"],
    ["one without a next", withTask({ on_error: [{ codes: ["A"] }] }), "tasks.0.on_error.0.next"],
    ["bad codes", withTask({ on_error: [{ codes: "A", next: "a" }] }), "tasks.0.on_error.0.codes"],
    ["an unreachable task", { id: "w", tasks: [agent, { ...agent, id: "b" }] }, "tasks.1"],
    ["a bad template", withTask({ with: { a: ["${{ 1 + }}"] } }), "tasks.0.with.a.0"],
    ["a bad duration", withTask({ heartbeat: "1 s" }), "tasks.0.heartbeat"],
    ["a bad pause", withTask({ pause_before: true }), "tasks.0.pause_before"],
    ["retry of no form", withTask({ retry: 3 }), "tasks.0.retry"],
    ["too many attempts", withTask({ retry: { max_attempts: 101 } }), "tasks.0.retry.max_attempts"],
    ["a shrinking delay", withTask({ retry: { backoff: { factor: 0.5 } } }), "tasks.0.retry.backoff.factor"],
    ["too much jitter", withTask({ retry: { backoff: { jitter: 2 } } }), "tasks.0.retry.backoff.jitter"],
    ["an unknown key of it", withTask({ retry: { attempts: 2 } }), "tasks.0.retry.attempts"],
    ["codes that are none", withTask({ retry: { retry_on: ["no"] } }), "tasks.0.retry.retry_on.0"],
    ["a wait without a limit", withTask({ type: "wait", agent: undefined, wait: { signal: "s" } }), "tasks.0.timeout"],
    ["a wait for two", withTask({ type: "wait", wait: { signal: "s", duration: 1 }, timeout: 1 }), "tasks.0.wait"],
    ["a retried wait", withTask({ type: "wait", wait: { duration: 1 }, retry: {} }), "tasks.0.retry"],
    ["a signal without a name", withTask({ type: "signal", signal: "" }), "tasks.0.signal"],
    ["a signal to nowhere", withTask({ type: "signal", signal: "s", to: "${{ x }}" }), "tasks.0.to"],
    [
      "a route that leads on",
      withTask({ type: "route", cases: [{ when: true, next: "a" }], next: "a" }),
      "tasks.0.next",
    ],
    ["a route without cases", withTask({ type: "route" }), "tasks.0.cases"],
    ["a case of no form", withTask({ type: "route", cases: [7] }), "tasks.0.cases.0"],
    ["a case without when", withTask({ type: "route", cases: [{ next: "a" }] }), "tasks.0.cases.0.when"],
    ["a case to nowhere", withTask({ type: "route", cases: [{ when: true, next: "x" }] }), "tasks.0.cases.0.next"],
    ["no branches", withTask({ type: "parallel" }), "tasks.0.branches"],
    ["a branch of no form", withTask({ type: "parallel", branches: { x: agent } }), "tasks.0.branches.x"],
    [
      "an unknown strategy",
      withTask({ type: "parallel", branches: { x: [{ ...agent, id: "b" }] }, strategy: "al" }),
      "tasks.0.strategy",
    ],
    [
      "no width",
      withTask({ type: "parallel", branches: { x: [{ ...agent, id: "b" }] }, max_concurrency: 0 }),
      "tasks.0.max_concurrency",
    ],
    [
      "a defect deep inside",
      withTask({ type: "parallel", branches: { x: [{ ...agent, id: "b", agent: "" }] } }),
      "tasks.0.branches.x.0.agent",
    ],
  ])("%s", (_name, spec, field) => {
    expect(Object.keys(defectsOf(spec))).toContain(field);
  });
});

test("all defects are told at once", () => {
  const spec = {
    id: "",
    tasks: [
      { id: "", type: "tool", with: 1n },
      { id: "b", type: "nothing", timeout: "x" },
    ],
    other: 1,
  };
  expect(Object.keys(defectsOf(spec)).sort()).toEqual(
    ["id", "other", "tasks.0.id", "tasks.0.tool", "tasks.0.with", "tasks.1", "tasks.1.timeout", "tasks.1.type"].sort(),
  );
});

test("what is over a size is refused", () => {
  const many = (count: number): TaskSpec[] =>
    sequence(...Array.from({ length: count }, (_, index) => ({ ...agent, id: `t${index}` })));
  expect(defectsOf({ id: "w", tasks: many(3) }, { tasksMax: 3 })).toEqual({});
  expect(defectsOf({ id: "w", tasks: many(4) }, { tasksMax: 3 })).toEqual({
    tasks: "has 4 tasks, at most 3 are allowed",
  });
  const wide = (count: number): object => ({
    id: "w",
    tasks: [
      {
        id: "p",
        type: "parallel",
        branches: Object.fromEntries(many(count).map((task) => [task.id, [{ ...task, next: undefined }]])),
      },
    ],
  });
  expect(defectsOf(wide(3), { fanOutMax: 3 })).toEqual({});
  expect(defectsOf(wide(4), { fanOutMax: 3 })).toEqual({ "tasks.0.branches": "has 4 branches, at most 3 are allowed" });
  const deep = (levels: number): TaskSpec =>
    levels === 0 ? agent : { id: `p${levels}`, type: "parallel", branches: { x: [deep(levels - 1)] } };
  expect(defectsOf({ id: "w", tasks: [deep(2)] }, { depthMax: 3 })).toEqual({});
  expect(Object.values(defectsOf({ id: "w", tasks: [deep(3)] }, { depthMax: 3 }))).toEqual([
    "is nested 4 deep, at most 3 are allowed",
  ]);
});

test("whatever is put in whatever place, it is taken or refused with fields, and never crashes", () => {
  const places: [object, string][] = [];
  const walk = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    for (const key of Object.keys(value)) {
      places.push([value, key]);
      walk((value as Record<string, unknown>)[key]);
    }
  };
  walk(sound);
  const junk = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom(undefined, null, 7n, "", [], {}, [null], { next: null }, Symbol("s")),
  );
  fc.assert(
    fc.property(fc.nat(places.length - 1), junk, (index, value) => {
      const [holder, key] = places[index] as [Record<string, unknown>, string];
      const before = holder[key];
      holder[key] = value;
      try {
        defectsOf(sound);
      } finally {
        holder[key] = before;
      }
    }),
    { numRuns: 1_000 },
  );
});
