// Goal: a run may begin where another was, with its results, and does from there what a fresh run given them would do.
// Method: troupes in virtual time; tools that count their calls; sources that failed, run, or were begun in the middle.

import { describe, expect, test } from "vitest";
import type { TaskSpec, WorkflowSpec } from "../../src/language/spec.ts";
import type { ToolDefinition } from "../../src/tools/tool.ts";
import { rebuildViews } from "../../src/actors/views.ts";
import { openMemory } from "../../src/store/memory.ts";
import { openBed, refusal, settled } from "./bed.ts";

const tool = (id: string, more: object = {}): TaskSpec => ({ id, type: "tool", tool: id, ...more }) as TaskSpec;

/** Three tools, of which the last fails until it is mended; each is noted as it is called. */
async function bedWith(spec: Partial<WorkflowSpec> = {}, more: WorkflowSpec[] = []) {
  const calls: string[] = [];
  let isBroken = true;
  const made = (id: string, handler: (input: unknown) => unknown): ToolDefinition =>
    ({
      id,
      handler: (input: unknown) => {
        calls.push(id);
        return handler(input);
      },
    }) as ToolDefinition;
  const tools = [
    made("one", (input) => ({ one: input, of: calls.length })),
    made("two", (input) => ({ two: input })),
    made("three", (input) => {
      if (isBroken) throw Object.assign(new Error("broken"), { code: "BROKEN" });
      return { three: input };
    }),
  ];
  const workflow: WorkflowSpec = {
    id: "w",
    tasks: [
      tool("one", { with: { n: "${{ input.n }}" }, next: "two" }),
      tool("two", { with: { one: "${{ tasks.one.output.one.n }}" }, next: "three" }),
      tool("three", { with: { two: "${{ tasks.two.output.two.one }}", n: "${{ input.n }}" } }),
    ],
    ...spec,
  };
  const bed = await openBed({ workflows: [workflow, ...more], tools });
  return { ...bed, calls, workflow, mend: () => void (isBroken = false) };
}

describe("K1: retryFrom", () => {
  test("begins a failed execution again at a task, with the results of those before it", async () => {
    const { t, calls, mend } = await bedWith();
    const failed = await t.run("w", { n: 7 }, { labels: { team: "red" } });
    expect(failed.status).toBe("FAILED");
    mend();
    calls.length = 0;
    const { execId, retryOf } = await t.retryFrom(failed.execId, "three");
    expect(await t.result(execId)).toMatchObject({ status: "SUCCESS", output: { three: { two: 7, n: 7 } } });
    expect(calls).toEqual(["three"]);
    expect(retryOf).toBe(failed.execId);
    expect(t.get(execId)).toMatchObject({
      labels: { team: "red", retry_of: failed.execId },
      lineage: { kind: "retry", from_exec_id: failed.execId, from_task: "three" },
    });
    expect(t.get(execId).lineage).not.toHaveProperty("tasks");
  });

  test("takes another input, which only what is done anew can see", async () => {
    const { t, mend } = await bedWith();
    const failed = await t.run("w", { n: 7 });
    mend();
    const { execId } = await t.retryFrom(failed.execId, "three", { input: { n: 8 } });
    expect(await t.result(execId)).toMatchObject({ output: { three: { two: 7, n: 8 } } });
  });

  test("knows what was done before a child workflow was called", async () => {
    const call: TaskSpec = { id: "call", type: "workflow", workflow: "child", next: "three" };
    const last = tool("three", { with: { n: "${{ tasks.one.output.one.n }}" } });
    const { t, mend } = await bedWith(
      { tasks: [tool("one", { with: { n: "${{ input.n }}" }, next: "call" }), call, last] },
      [{ id: "child", tasks: [tool("two")] }],
    );
    const failed = await t.run("w", { n: 7 });
    mend();
    const { execId } = await t.retryFrom(failed.execId, "three");
    expect(await t.result(execId)).toMatchObject({ status: "SUCCESS", output: { three: { n: 7 } } });
  });

  test("may itself be retried, with what it was given", async () => {
    const { t, calls, mend } = await bedWith();
    const failed = await t.run("w", { n: 7 });
    const again = await t.retryFrom(failed.execId, "three");
    await t.result(again.execId);
    mend();
    calls.length = 0;
    const third = await t.retryFrom(again.execId, "three");
    expect(await t.result(third.execId)).toMatchObject({ output: { three: { two: 7, n: 7 } } });
    expect(calls).toEqual(["three"]);
  });

  test("begins a child again by itself, with what its parent gave it", async () => {
    const child: WorkflowSpec = { id: "parent", tasks: [{ id: "c", type: "workflow", workflow: "w", with: { n: 7 } }] };
    const { t, calls, mend } = await bedWith({}, [child]);
    await t.run("parent");
    const [failed] = (await t.list({ id: "w" })).items;
    mend();
    calls.length = 0;
    const { execId } = await t.retryFrom(failed?.execId ?? "", "three");
    expect(await t.result(execId)).toMatchObject({ status: "SUCCESS", output: { three: { two: 7, n: 7 } } });
    expect(calls).toEqual(["three"]);
  });

  test("is refused while it runs; a fork is not", async () => {
    const wait: TaskSpec = { id: "wait", type: "wait", wait: { signal: "go" }, timeout: "1h" };
    const { t, calls } = await bedWith({ tasks: [tool("one", { next: "wait" }), wait] });
    const { execId } = t.start("w");
    await settled();
    expect(await refusal(() => t.retryFrom(execId, "wait"))).toMatchObject({ code: "INVALID_STATE" });
    const fork = await t.fork(execId, { from: "wait", labels: { why: "look" } });
    await settled();
    expect(t.get(fork.execId)).toMatchObject({ status: "RUNNING", labels: { why: "look", fork_of: execId } });
    expect((await t.list({ labels: { fork_of: execId } })).items.map((item) => item.execId)).toEqual([fork.execId]);
    expect(calls).toEqual(["one"]);
  });
});

describe("K1: what a fork is given is what was known when its task began", () => {
  test("the last time it began, of tasks in branches too, and not of those in items", async () => {
    const { t, calls } = await bedWith({
      tasks: [
        { id: "both", type: "parallel", branches: { left: [tool("one")], right: [tool("two")] }, next: "all" },
        {
          id: "all",
          type: "each",
          items: "${{ [1, 2] }}",
          do: [{ id: "item", type: "tool", tool: "two", with: { item: "${{ item }}" } }],
          next: "three",
        },
        tool("three", {
          with: { left: "${{ tasks.one.output.of }}", all: "${{ tasks.all.output.results }}" },
          on_error: "end",
        }),
        {
          id: "end",
          type: "tool",
          tool: "two",
          with: { code: "${{ error.cause_code }}", of: "${{ tasks.both.status }}" },
        },
      ],
    });
    const end = await t.run("w");
    expect(end).toMatchObject({ status: "SUCCESS", output: { two: { code: "BROKEN", of: "SUCCESS" } } });
    calls.length = 0;
    const { execId } = await t.fork(end.execId, { from: "end" });
    expect(await t.result(execId)).toMatchObject({ status: "SUCCESS", output: end.output });
    expect(calls).toEqual(["two"]);
    const other = await t.fork(end.execId, { from: "three" });
    expect(await t.result(other.execId)).toMatchObject({ status: "SUCCESS", output: end.output });
    const [order] = await t.history(other.execId);
    const { context } = (order?.envelope["payload"] ?? {}) as { context?: { lineage: { tasks: object } } };
    expect(Object.keys(context?.lineage.tasks ?? {}).sort()).toEqual(["all", "both", "one", "two"]);
  });

  test("not what a failure left that was tried again", async () => {
    let calls = 0;
    const flaky: ToolDefinition = {
      id: "flaky",
      handler: () => {
        calls += 1;
        if (calls === 1) throw new Error("not yet");
        return { calls };
      },
    };
    const retry = { max_attempts: 2, backoff: { initial: "1s" } };
    const { t, pass } = await openBed({
      tools: [flaky],
      workflows: [
        {
          id: "w",
          tasks: [
            { id: "a", type: "tool", tool: "flaky", retry, next: "b" },
            { id: "b", type: "tool", tool: "flaky", with: { of: "${{ tasks.a.output.calls }}" } },
          ],
        },
      ],
    });
    const { execId, result } = t.start("w");
    await pass(5_000);
    expect(await result()).toMatchObject({ status: "SUCCESS" });
    const fork = await t.fork(execId, { from: "b" });
    expect(await t.result(fork.execId)).toMatchObject({ status: "SUCCESS", output: { calls: 4 } });
  });
});

describe("a fork runs", () => {
  const other: TaskSpec[] = [
    tool("one", { next: "two" }),
    tool("two", { next: "three" }),
    tool("three", { next: "more" }),
    { id: "more", type: "tool", tool: "two" },
  ];

  test("the definition that its source ran, also when there is another since", async () => {
    const { t, workflow, calls, mend } = await bedWith();
    const failed = await t.run("w", { n: 1 });
    await t.define({ workflows: [{ ...workflow, tasks: other }] });
    mend();
    calls.length = 0;
    const same = await t.retryFrom(failed.execId, "three");
    await t.result(same.execId);
    expect(calls).toEqual(["three"]);
    const newest = await t.retryFrom(failed.execId, "three", { definition: "newest" });
    await t.result(newest.execId);
    expect(calls).toEqual(["three", "three", "two"]);
  });

  test("the newest only if the results fit it", async () => {
    const { t, workflow } = await bedWith();
    const failed = await t.run("w", { n: 1 });
    const newest = { definition: "newest" } as const;
    await t.define({ workflows: [{ ...workflow, tasks: [tool("two", { next: "three" }), tool("three")] }] });
    expect(await refusal(() => t.retryFrom(failed.execId, "three", newest))).toEqual({
      code: "VALIDATION_FAILED",
      message: "the results do not fit: workflow 'w' has no 'one'",
      details: { workflow: "w", task: "three", lost: ["one"] },
    });
    await t.define({
      workflows: [
        { ...workflow, tasks: [{ ...tool("one"), tool: "two", next: "two" } as TaskSpec, ...other.slice(1)] },
      ],
    });
    expect(await refusal(() => t.retryFrom(failed.execId, "three", newest))).toMatchObject({
      message: "the results do not fit: 'one' does something else now",
    });
  });
});

describe("K2: a fork is refused", () => {
  test("at a task that there is not, that has not begun, or that is part of another", async () => {
    const { t } = await bedWith({
      tasks: [
        { id: "both", type: "parallel", branches: { left: [tool("one")] }, next: "three" },
        tool("three", { next: "two" }),
        tool("two"),
      ],
    });
    const { execId } = await t.run("w", { n: 1 });
    expect(await refusal(() => t.fork(execId, { from: "nowhere" }))).toMatchObject({
      code: "TASK_NOT_FOUND",
      message: "workflow 'w' has no task 'nowhere'",
    });
    expect((await refusal(() => t.fork(execId, { from: "one" }))).message).toMatch(/it is part of another task/);
    expect(await refusal(() => t.fork(execId, { from: "two" }))).toMatchObject({
      code: "VALIDATION_FAILED",
      message: `task 'two' has not begun in '${execId}': there is nothing yet to begin it with`,
    });
  });

  test("of what is no workflow execution, or not known", async () => {
    const { t } = await bedWith();
    const { execId } = await t.execute({ tool: "one" });
    expect(await refusal(() => t.fork(execId, { from: "one" }))).toMatchObject({ code: "INVALID_STATE" });
    const nobody = "01920000-0000-7000-8000-000000000000";
    expect(await refusal(() => t.fork(nobody, { from: "one" }))).toMatchObject({ code: "EXECUTION_NOT_FOUND" });
    expect(await refusal(() => t.fork(execId, { form: "one" } as never))).toMatchObject({ code: "VALIDATION_FAILED" });
  });

  test("over a container in which its source has undone something", async () => {
    const undo: TaskSpec[] = [{ id: "back", type: "tool", tool: "two" }];
    const all: TaskSpec = { id: "all", type: "each", items: [1, 2], do: [tool("one", { undo })], next: "three" };
    const { t, mend } = await bedWith({ tasks: [all, tool("three")] });
    const { execId } = await t.run("w", { n: 1 });
    mend();
    expect(await refusal(() => t.retryFrom(execId, "three"))).toMatchObject({
      code: "VALIDATION_FAILED",
      message: `'${execId}' has undone 'all': begin there, or before`,
    });
  });

  test("over what its source has undone", async () => {
    const undo: TaskSpec[] = [{ id: "back", type: "tool", tool: "two" }];
    const { t, mend } = await bedWith({ tasks: [tool("one", { undo, next: "three" }), tool("three")] });
    const { execId } = await t.run("w", { n: 1 });
    mend();
    expect(await refusal(() => t.retryFrom(execId, "three"))).toMatchObject({
      code: "VALIDATION_FAILED",
      message: `'${execId}' has undone 'one': begin there, or before`,
    });
    const again = await t.retryFrom(execId, "one");
    expect(await t.result(again.execId)).toMatchObject({ status: "SUCCESS" });
  });
});

test("a fork undoes what it has done itself, and nothing of its source", async () => {
  const undo = (id: string): TaskSpec[] => [{ id, type: "tool", tool: "two", with: { undoes: id } }];
  const tasks = [tool("one", { undo: undo("x"), next: "two" }), tool("two", { undo: undo("y"), next: "wait" })];
  const wait: TaskSpec = { id: "wait", type: "wait", wait: { signal: "go" }, timeout: "1h" };
  const { t, calls } = await bedWith({ tasks: [...tasks, wait] });
  const { execId } = t.start("w");
  await settled();
  const fork = await t.fork(execId, { from: "two" });
  await settled();
  calls.length = 0;
  await t.cancel(fork.execId);
  expect(t.get(fork.execId)).toMatchObject({ status: "CANCELED", undo: { done: 1, failed: [] } });
  expect(calls).toEqual(["two"]);
  expect(t.get(execId).status).toBe("RUNNING");
});

test("a fork goes on after a restart as it was", async () => {
  const wait: TaskSpec = { id: "wait", type: "wait", wait: { signal: "go" }, timeout: "1h", next: "two" };
  const bed = await bedWith({
    tasks: [
      tool("one", { with: { n: 5 }, next: "wait" }),
      wait,
      tool("two", { with: { n: "${{ tasks.one.output.one.n }}" } }),
    ],
  });
  const { execId } = bed.t.start("w");
  await settled();
  const fork = await bed.t.fork(execId, { from: "wait" });
  await settled();
  await bed.t.stop();
  const again = await openBed({
    workflows: [bed.workflow],
    tools: [
      { id: "one", handler: () => ({}) },
      { id: "two", handler: (input: unknown) => ({ two: input }) },
    ] as never,
    disk: bed.disk,
    clock: bed.clock,
  });
  await again.t.signal(fork.execId, "go");
  expect(await again.t.result(fork.execId)).toMatchObject({ status: "SUCCESS", output: { two: { n: 5 } } });
});

test("what a run began with, used and undid is shown as before when its rows are made anew from the log", async () => {
  const undo: TaskSpec[] = [{ id: "back", type: "tool", tool: "two" }];
  const ask: TaskSpec = { id: "ask", type: "agent", agent: "billed", next: "three" };
  const bed = await openBed({
    agents: [{ id: "billed", handler: () => ({ usage: { tokens: 4, cost: 0.5 } }) }],
    tools: [{ id: "two", handler: () => ({}) }] as never,
    workflows: [
      {
        id: "w",
        tasks: [
          { ...tool("two"), undo, next: "ask" } as TaskSpec,
          ask,
          { id: "three", type: "route", cases: [{ when: "${{ false }}", next: "two" }] },
        ],
      },
    ],
  });
  const { execId: source } = await bed.t.run("w");
  const { execId } = await bed.t.fork(source, { from: "two" });
  await bed.t.result(execId);
  const shown = bed.t.get(execId);
  const lineage = { kind: "fork", from_exec_id: source, from_task: "two" };
  expect(shown).toMatchObject({ lineage, usage: { tokens: 4, cost: 0.5 }, undo: { done: 1, failed: [] } });
  await bed.t.stop();
  const store = openMemory({ disk: bed.disk });
  await rebuildViews(store);
  await store.close();
  const again = await openBed({ disk: bed.disk, clock: bed.clock });
  expect(again.t.get(execId)).toEqual(shown);
});

test("an order is declined that names a definition nobody knows, or results that do not fit", async () => {
  const { t } = await bedWith();
  const order = (lineage: object): string => {
    const execId = t.system.id();
    const context = { input: {}, trigger_type: "api", lineage: { kind: "fork", from_exec_id: execId, ...lineage } };
    const word = { type: "command:WorkflowExecute", workflow: { id: "w", exec_id: execId }, payload: { context } };
    t.system.tell(execId, "API", word);
    return execId;
  };
  const unknown = order({ from_task: "two", definition: "0123456789abcdef" });
  const lost = order({ from_task: "two", tasks: { zero: { status: "SUCCESS", exec_id: unknown } } });
  const nowhere = order({ from_task: "zero" });
  await settled();
  expect(await t.result(unknown)).toMatchObject({ status: "FAILED", error: { code: "WORKFLOW_NOT_FOUND" } });
  expect(await t.result(lost)).toMatchObject({ status: "FAILED", error: { code: "VALIDATION_FAILED" } });
  expect(await t.result(nowhere)).toMatchObject({ status: "FAILED", error: { code: "TASK_NOT_FOUND" } });
});

test("K1: what a race left behind is seen by a fork as little as by the run itself", async () => {
  const race: TaskSpec = {
    id: "race",
    type: "parallel",
    strategy: "race",
    branches: { fast: [tool("one")], slow: [{ id: "wait", type: "wait", wait: { signal: "go" }, timeout: "1h" }] },
    next: "last",
  };
  const last = tool("two", { id: "last", with: ({ tasks }: { tasks: object }) => ({ seen: Object.keys(tasks) }) });
  const { t } = await bedWith({ tasks: [race, last] });
  const fresh = await t.run("w");
  expect(fresh).toMatchObject({ output: { two: { seen: ["one", "race"] } } });
  const { execId } = await t.fork(fresh.execId, { from: "last" });
  expect((await t.result(execId)).output).toEqual(fresh.output);
});
