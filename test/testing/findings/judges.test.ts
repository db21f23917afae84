// Goal: a judge speaks of what is wrong, and is silent on what a definition says on purpose.
// Method: small workflows, each played once with what is to go wrong; pairs beside each other differ in one thing.

import { describe, expect, test } from "vitest";
import type { TaskSpec, WorkflowSpec } from "../../../src/language/spec.ts";
import type { Outcome, Played } from "../../../src/testing/check/trial.ts";
import { engineDefect, neverEnds } from "../../../src/testing/findings/judge-endings.ts";
import { callee, judged } from "./bed.ts";

const agents = [callee("worker"), callee("silent", { output: undefined })];
const agent = (id: string, more: object = {}): TaskSpec =>
  ({ id, type: "agent", agent: "worker", ...more }) as TaskSpec;
const fails = (...places: string[]): Record<string, Outcome> =>
  Object.fromEntries(places.map((place) => [place, { do: "fails", code: "BROKEN" }]));
const found = async (tasks: TaskSpec[], calls: Record<string, Outcome> = {}, more: Partial<WorkflowSpec> = {}) =>
  (await judged({ id: "w", tasks, ...more }, { agents, trial: { calls } })).found;

describe("a failure is no finding", () => {
  test.each<[string, TaskSpec[], Record<string, Outcome>]>([
    ["where it fails the run", [agent("a")], fails("a")],
    ["where an on_error takes it", [agent("a", { on_error: "b" }), agent("b")], fails("a")],
    ["where a race has a winner", [race("race"), agent("z")], fails("x")],
    ["where a container of all fails with it", [race("all"), agent("z")], fails("x")],
    [
      "where every retry of an undo failed too",
      undone({ max_attempts: 2, backoff: { initial: "1s" } }),
      fails("b", "u@*"),
    ],
  ])("%s", async (_what, tasks, calls) => {
    expect(await found(tasks, calls)).toEqual([]);
  });
});

function race(strategy: string): TaskSpec {
  const branches = { x: [agent("x")], y: [agent("y")] };
  return { id: "p", type: "parallel", strategy, branches, next: "z" } as TaskSpec;
}
function undone(retry?: object): TaskSpec[] {
  return [agent("a", { undo: [agent("u", retry ? { retry } : {})], next: "b" }), agent("b")];
}

describe("best_effort", () => {
  const tasks = (last: object): TaskSpec[] => [{ ...race("best_effort"), next: "z" } as TaskSpec, agent("z", last)];
  test("a failure that nobody looks at is found", async () => {
    expect(await found([{ ...race("best_effort") }, agent("z")], fails("x"), { result: {} })).toEqual([
      "success-despite-failure p",
    ]);
  });
  test.each([
    ["the errors", { with: { lost: "${{ tasks.p.output.errors }}" } }],
    ["the results, where what failed is null", { with: { all: "${{ tasks.p.output.results }}" } }],
    ["the task that failed", { with: { x: "${{ tasks.x.status }}" } }],
    ["all of it, by a function", { with: () => ({}) }],
  ])("whoever reads %s looks at it", async (_what, last) => {
    expect(await found(tasks(last), fails("x"))).toEqual([]);
  });
  test("a result of a lane that failed is told to be null where it is read", async () => {
    const last = { with: { x: "${{ tasks.p.output.results.x.ok }}" } };
    const { found: lost, says } = await judged(
      { id: "w", tasks: tasks(last) },
      { agents, trial: { calls: fails("x") } },
    );
    expect(lost).toEqual(["expression-fails z"]);
    expect(says).toContain('a lane of "p" failed, and the result of that is null');
  });
  test("as the last task it is what the run gives", async () => {
    const { next: _next, ...last } = race("best_effort") as TaskSpec & { next: string };
    expect(await found([last as TaskSpec], fails("x"))).toEqual([]);
    expect(await found([last as TaskSpec], fails("x"), { result: {} })).toEqual(["success-despite-failure p"]);
  });
});

describe("data", () => {
  const reads = (path: string): TaskSpec[] => [
    agent("a", { next: "b" }),
    agent("b", { with: { x: `\${{ ${path} }}` } }),
  ];
  test("of an output with a schema is the definition's own", async () => {
    expect(await found(reads("tasks.a.output.none"))).toEqual(["expression-fails b"]);
  });
  test("of an output without one is a note", async () => {
    const spec = {
      id: "w",
      tasks: [{ ...agent("a"), agent: "silent", next: "b" } as TaskSpec, ...reads("tasks.a.output.none").slice(1)],
    };
    const calls: Record<string, Outcome> = { a: { do: "succeeds", output: { other: 1 } } };
    const { found: notes } = await judged(spec, { agents, trial: { calls } });
    expect(notes).toEqual(["unpromised-data b"]);
  });
  test("of a task that failed is the path's own, whatever its schema", async () => {
    const tasks = [agent("a", { on_error: "b" }), ...reads("tasks.a.output.ok").slice(1)];
    expect(await found(tasks, fails("a"))).toEqual(["handler-path-fails b"]);
    expect(await found(tasks)).toEqual([]);
  });
  test("of a task two steps behind the failure as well", async () => {
    const tasks = [agent("a", { on_error: "m" }), agent("m", { next: "b" }), ...reads("tasks.a.output.ok").slice(1)];
    expect(await found(tasks, fails("a"))).toEqual(["handler-path-fails b"]);
  });
  test("that breaks the input of an agent is found where it is handed on", async () => {
    const strict = callee("strict", {
      input: { type: "object", properties: { ok: { const: true } }, required: ["ok"] },
    });
    const tasks = [
      agent("a", { next: "b" }),
      { id: "b", type: "agent", agent: "strict", with: "${{ tasks.a.output }}" },
    ] as TaskSpec[];
    const calls: Record<string, Outcome> = { a: { do: "succeeds", output: { ok: false } } };
    const { found: bad } = await judged({ id: "w", tasks }, { agents: [...agents, strict], trial: { calls } });
    expect(bad).toEqual(["input-violates-schema b"]);
  });
  test("that whoever starts it gives wrong is theirs", async () => {
    const input = { type: "object", required: ["n"] } as const;
    expect(await found([agent("a")], {}, { input })).toEqual([]);
  });
  test("that a script gives against its own schema is the script's", async () => {
    const scripted = callee("worker", { answers: () => ({ no: 1 }) });
    const spec = { id: "w", tasks: [agent("a")] };
    expect((await judged(spec, { agents: [scripted] })).found).toEqual(["output-violates-schema a"]);
  });
});

describe("undoing", () => {
  test("one failure of what is not tried again leaves something behind", async () => {
    expect(await found(undone(), fails("b", "u"))).toEqual(["compensation-missed a"]);
  });
  test("what its own expression cannot read does, too", async () => {
    const reading = agent("u", { with: { x: "${{ tasks.a.output.none }}" } });
    const tasks = [agent("a", { undo: [reading], next: "b" }), agent("b")];
    expect(await found(tasks, fails("b"))).toEqual(["compensation-missed a"]);
  });
  test("what a crash holds up beyond its time is nobody's fault", async () => {
    const patient = [agent("a", { undo: [agent("u", { timeout: "2h" })], next: "b" }), agent("b")];
    const spec: WorkflowSpec = { id: "w", undo_timeout: "1m", tasks: patient };
    const crash = { append: 3, do: "crash", kept: true, downMs: 3_600_000 } as const;
    const { found: bad, played } = await judged(spec, { agents, trial: { calls: fails("b"), disturbances: [crash] } });
    const { story } = played.executions.find(({ entity }) => entity === "workflow") ?? {};
    expect(story).toMatchObject({ undo: { failed: [{ task: "a", code: "UNDO_TIMEOUT" }] } });
    expect(bad).toEqual([]);
  });
  test("the same call on the path of the error and in the undo is twice, another is not", async () => {
    const twice = (give: string): TaskSpec[] => [
      agent("a", { undo: [agent("u", { with: { back: 1 }, retry: { max_attempts: 2 } })], next: "b" }),
      agent("b", { on_error: "h" }),
      agent("h", { with: { [give]: 1 }, next: "z" }),
      agent("z"),
    ];
    expect(await found(twice("back"), fails("b", "z"))).toEqual(["compensation-repeated a"]);
    expect(await found(twice("tell"), fails("b", "z"))).toEqual([]);
  });
});

describe("a call that must not come twice", () => {
  const delicate = callee("worker", { idempotent: false });
  const tasks = [agent("a", { timeout: "10s", retry: { max_attempts: 2 } })];
  const calling = async (calls: Record<string, Outcome>, more: object = {}) =>
    (await judged({ id: "w", tasks }, { agents: [{ ...delicate, ...more }], trial: { calls } })).found;

  test("comes twice after an attempt of which nobody knows what it did", async () => {
    expect(await calling({ a: { do: "hangs" } })).toEqual(["not-idempotent-twice a"]);
    expect(await calling({ a: { do: "late", output: { ok: true } } })).toEqual(["not-idempotent-twice a"]);
    expect(await calling({ a: { do: "dies", when: "after" } })).toEqual(["not-idempotent-twice a"]);
  });
  test("may be tried again after it said that it failed", async () => {
    expect(await calling(fails("a"))).toEqual([]);
  });
  test("is not looked at if it is not marked so", async () => {
    expect(await calling({ a: { do: "hangs" } }, { idempotent: true })).toEqual([]);
  });
  test("comes twice after a crash", async () => {
    const crash = { append: 2, do: "crash", kept: false, downMs: 1_000 } as const;
    const { found: bad, says } = await judged(
      { id: "w", tasks },
      { agents: [delicate], trial: { disturbances: [crash] } },
    );
    expect(bad).toEqual(["not-idempotent-twice a"]);
    expect(says).toContain("after the restart it is called again");
  });
});

describe("how runs end", () => {
  test("a run that is paused stands still on purpose", async () => {
    const tasks = [agent("a", { next: "b" }), agent("b", { pause_before: "look first" })];
    expect(await found(tasks)).toEqual([]);
  });
  test("a budget that is used up in fair weather is too small", async () => {
    const usage = { type: "object", properties: { usage: { const: { tokens: 60, cost: 0 } } }, required: ["usage"] };
    const spender = callee("worker", { output: usage });
    const over = await judged(
      { id: "w", budget: { tokens: 50 }, tasks: [agent("a", { next: "b" }), agent("b")] },
      { agents: [spender] },
    );
    expect(over.found).toEqual(["budget-exceeded"]);
    const enough = await judged({ id: "w", budget: { tokens: 200 }, tasks: [agent("a")] }, { agents: [spender] });
    expect(enough.found).toEqual([]);
  });

  const played = (more: object): Played =>
    ({
      definition: { id: "w", tasks: [] },
      workflows: new Map(),
      lines: [],
      executions: [],
      troubles: [],
      open: [],
      ...more,
    }) as unknown as Played;
  test("what stands still without anybody holding it never ends, what is paused does", () => {
    const open = [{ run: "r", workflow: "w", why: "waits for nothing" }];
    const standing = (status: string) =>
      neverEnds(played({ run: "r", open, executions: [{ execId: "r", entity: "workflow", status }] }));
    expect(standing("RUNNING").map(({ id }) => id)).toEqual(["never-ends"]);
    expect(standing("PAUSED")).toEqual([]);
  });
  test.each([
    ["what the engine reports as an error", { troubles: ["a step failed"] }],
    [
      "an execution that failed with INTERNAL_ERROR",
      { executions: [{ entity: "task", id: "a", error: { code: "INTERNAL_ERROR", message: "no" } }] },
    ],
    [
      "a record that may not follow the one before",
      { lines: [{ disposition: "illegal", word: { type: "event:TaskScheduled" } }] },
    ],
  ])("%s is a defect of the engine", (_what, more) => {
    expect(engineDefect(played(more)).map(({ id }) => id)).toEqual(["engine-defect"]);
  });
});
