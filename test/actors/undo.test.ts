// Goal: what a workflow has done is undone when it does not end well: exactly that, in reverse, and told.
// Method: troupes in virtual time; tools that note what they are called with; every way to end.

import { describe, expect, test } from "vitest";
import type { TaskSpec, WorkflowSpec } from "../../src/language/spec.ts";
import { heldAgent, hour, refusal, second, settled } from "../runtime/bed.ts";
import { back, bedWith, fails, lastOf, step, takesLong } from "./undo-bed.ts";

/** A run that was canceled while its second task is at work, and takes no notice. */
async function canceledOverLate() {
  const late = heldAgent("late", { ignores: true });
  const bed = await bedWith(
    { tasks: [step("a", { next: "b" }), { id: "b", type: "agent", agent: "late", undo: [back("b")] }] },
    [],
    [late.definition],
  );
  const { execId, result } = bed.t.start("w");
  await settled();
  void bed.t.cancel(execId);
  await settled();
  return { bed, execId, result };
}

describe("J1: what succeeded is undone, the newest first", () => {
  const two = [step("a", { next: "b" }), step("b", { next: "last" })];
  const slow: TaskSpec = { id: "last", type: "agent", agent: "slow", timeout: "2h" };

  test("when a task fails", async () => {
    const bed = await bedWith({ tasks: [...two, { ...fails, id: "last" }] });
    const end = await bed.t.run("w");
    expect(end).toMatchObject({ status: "FAILED", error: { code: "TASK_FAILED" } });
    expect(bed.undone()).toEqual([{ of: "b" }, { of: "a" }]);
    expect(await lastOf(bed, end.execId)).toEqual({ status: "FAILED", undo: { done: 2, failed: [] } });
    expect(bed.t.get(end.execId)).toMatchObject({ status: "FAILED", undo: { done: 2, failed: [] } });
  });

  test("when it is canceled: it is canceled once that is done, and meanwhile nothing is changed", async () => {
    const bed = await bedWith({
      tasks: [step("a", { next: "b", undo: [takesLong("a")] }), step("b", { next: "last" }), slow],
    });
    const { execId, result } = bed.t.start("w");
    await settled();
    const canceling = bed.t.cancel(execId, "changed my mind");
    await settled();
    expect(bed.undone()).toEqual([{ of: "b" }]);
    expect(bed.t.get(execId).status).toBe("RUNNING");
    expect(bed.t.why(execId)).toMatch(/^undoes what it has done, 1 of 2: task 'a_back' waits for agent 'slow'/);
    expect(await bed.t.cancel(execId)).toMatchObject({ changed: false });
    expect(await refusal(() => bed.t.pause(execId))).toMatchObject({ code: "INVALID_STATE" });
    expect(await refusal(() => bed.t.resume(execId))).toMatchObject({ code: "INVALID_STATE" });
    bed.held.runs.at(-1)?.end({ ok: true });
    expect(await result()).toEqual({ execId, status: "CANCELED" });
    expect((await canceling).changed).toBe(true);
    expect(await lastOf(bed, execId)).toMatchObject({
      status: "CANCELED",
      reason: "changed my mind",
      undo: { done: 2 },
    });
  });

  test("when it runs over its deadline", async () => {
    const bed = await bedWith({ timeout: "1h", tasks: [...two, slow] });
    const { execId, result } = bed.t.start("w");
    await bed.pass(hour + 10 * second);
    expect(await result()).toMatchObject({ status: "TIMED_OUT", error: { code: "WORKFLOW_EXECUTION_TIMEOUT" } });
    expect(bed.undone()).toEqual([{ of: "b" }, { of: "a" }]);
    expect((await lastOf(bed, execId))["undo"]).toEqual({ done: 2, failed: [] });
  });

  test("when it is canceled in a pause, which is over then", async () => {
    const bed = await bedWith({ tasks: [...two, { ...slow, pause_before: "look" }] });
    const { execId, result } = bed.t.start("w");
    await settled();
    expect(bed.t.get(execId).status).toBe("PAUSED");
    await bed.t.cancel(execId);
    expect(await result()).toMatchObject({ status: "CANCELED" });
    expect(bed.undone()).toEqual([{ of: "b" }, { of: "a" }]);
    const said = (await bed.t.history(execId))
      .map(({ type }) => type)
      .filter((type) => type.includes("WorkflowExecution"));
    expect(said.slice(-3)).toEqual([
      "event:WorkflowExecutionPaused",
      "event:WorkflowExecutionResumed",
      "event:WorkflowExecutionCanceled",
    ]);
  });

  test("and nothing where it succeeds, or nothing of it has an undo", async () => {
    const well = await bedWith({
      tasks: two.map((task) => ({ ...task, ...(task.id === "b" && { next: undefined }) }) as TaskSpec),
    });
    expect(await well.t.run("w")).toMatchObject({ status: "SUCCESS" });
    expect(well.undone()).toEqual([]);
    const plain = await bedWith({ tasks: [{ id: "a", type: "tool", tool: "do", next: "fails" }, fails] });
    const { execId } = await plain.t.run("w");
    expect(await lastOf(plain, execId)).toEqual({ status: "FAILED" });
  });

  test("also in containers and in items, each success once", async () => {
    const item = step("one", {
      with: { of: "${{ item }}" },
      undo: [{ id: "one_back", type: "tool", tool: "back", with: { of: "${{ item }}", at: "${{ index }}" } }],
    });
    const bed = await bedWith({
      tasks: [
        { id: "all", type: "each", items: "${{ input.names }}", do: [item], next: "both" },
        { id: "both", type: "parallel", branches: { left: [step("l", { next: "m" }), step("m")] }, next: "fails" },
        fails,
      ],
    });
    await bed.t.run("w", { names: ["x", "y", "z"] });
    expect(bed.undone()).toEqual([
      { of: "m" },
      { of: "l" },
      { of: "z", at: 2 },
      { of: "y", at: 1 },
      { of: "x", at: 0 },
    ]);
  });

  test("a task that succeeded twice in a loop is undone twice, each time with what it gave then", async () => {
    const again = { when: "${{ tasks.a.output.n < 2 }}", next: "a" };
    const bed = await bedWith({
      tasks: [
        step("a", {
          tool: "count",
          next: "more",
          undo: [{ id: "a_back", type: "tool", tool: "back", with: { n: "${{ tasks.a.output.n }}" } }],
        }),
        { id: "more", type: "route", cases: [again], default: "fails" },
        fails,
      ],
    });
    await bed.t.run("w");
    expect(bed.undone()).toEqual([{ n: 2 }, { n: 1 }]);
  });

  test("a child that succeeded is undone by its parent, and one that failed by itself", async () => {
    const ok: WorkflowSpec = { id: "ok", tasks: [step("c")] };
    const bad: WorkflowSpec = { id: "bad", tasks: [step("d", { next: "fails" }), fails] };
    const bed = await bedWith(
      {
        tasks: [
          { id: "call", type: "workflow", workflow: "ok", next: "then", undo: [back("call")] },
          { id: "then", type: "workflow", workflow: "bad", undo: [back("then")] },
        ],
      },
      [ok, bad],
    );
    expect(await bed.t.run("w")).toMatchObject({ status: "FAILED" });
    expect(bed.undone()).toEqual([{ of: "d" }, { of: "call" }]);
  });

  test("only once every task that was told to end has ended", async () => {
    const { bed, execId, result } = await canceledOverLate();
    expect(bed.t.why(execId)).toMatch(/^waits for its tasks to end, before what they did is undone/);
    expect(bed.undone()).toEqual([]);
    await bed.pass(6 * second);
    expect(await result()).toMatchObject({ status: "CANCELED" });
    expect(bed.undone()).toEqual([{ of: "a" }]);
  });
});

test("J1: a task that had succeeded before its executor heard that it should end is undone, too", async () => {
  const { bed, execId, result } = await canceledOverLate();
  const [open] = (await bed.t.list({ run: execId, entity: "task", status: ["RUNNING"] })).items;
  // As an executor elsewhere says it, whose word crossed the cancel.
  const payload = { status: "SUCCESS", duration_ms: 1, result: { output: {} }, context: { attempt: 1 } };
  const task = { id: "b", exec_id: open?.execId ?? "" };
  bed.t.system.tell(execId, "TE", {
    type: "event:TaskExecutionSuccess",
    workflow: { id: "w", exec_id: execId },
    task,
    payload,
  });
  expect(await result()).toMatchObject({ status: "CANCELED" });
  expect(bed.undone()).toEqual([{ of: "b" }, { of: "a" }]);
});

describe("J2: nothing is planned before every task has ended", () => {
  test("also one in a container that has ended before", async () => {
    const late = heldAgent("late", { ignores: true });
    const left = [{ id: "l", type: "agent", agent: "late", timeout: "1h", undo: [back("l")] }] as TaskSpec[];
    const right = [{ id: "r", type: "agent", agent: "slow", timeout: "1h" }] as TaskSpec[];
    const bed = await bedWith(
      {
        tasks: [
          step("a", { next: "both" }),
          { id: "both", type: "parallel", strategy: "fail_fast", branches: { left, right } },
        ],
      },
      [],
      [late.definition],
    );
    const { execId, result } = bed.t.start("w");
    await settled();
    bed.held.runs.at(-1)?.fail(new Error("no"));
    await settled();
    expect(bed.t.get(execId).status).toBe("RUNNING");
    expect(bed.undone()).toEqual([]);
    await bed.pass(6 * second);
    expect(await result()).toMatchObject({ status: "FAILED" });
    expect(bed.undone()).toEqual([{ of: "a" }]);
  });
});

describe("J3: an undo sees", () => {
  test("what its task saw and gave, the tasks of the undo before it, and why the run ends, to its end", async () => {
    const undo: TaskSpec[] = [
      { id: "one", type: "tool", tool: "do", with: { gave: "${{ tasks.a.output.of }}" }, next: "two" },
      {
        id: "two",
        type: "tool",
        tool: "back",
        with: { input: "${{ input.n }}", one: "${{ tasks.one.output.gave }}", why: "${{ error.code }}" },
      },
    ];
    const bed = await bedWith({ tasks: [step("a", { undo, next: "fails" }), fails] });
    await bed.t.run("w", { n: 7 });
    expect(bed.undone()).toEqual([{ input: 7, one: "a", why: "TASK_FAILED" }]);
  });

  test("that it was canceled, and for what reason", async () => {
    const why = { code: "${{ error.code }}", message: "${{ error.message }}" };
    const undo: TaskSpec[] = [{ id: "one", type: "tool", tool: "back", with: why }];
    const bed = await bedWith({
      tasks: [step("a", { undo, next: "wait" }), { id: "wait", type: "wait", wait: { signal: "go" }, timeout: "1h" }],
    });
    const { execId } = bed.t.start("w");
    await settled();
    await bed.t.cancel(execId, "enough");
    expect(bed.undone()).toEqual([{ code: "WORKFLOW_CANCELED", message: "enough" }]);
  });
});

test("J4: a run of a definition without an undo notes nothing of it", async () => {
  const wait: TaskSpec = { id: "wait", type: "wait", wait: { signal: "go" }, timeout: "1h" };
  const notedBy = async (undo: object): Promise<unknown> => {
    const { t } = await bedWith({ tasks: [{ id: "a", type: "tool", tool: "do", next: "wait", ...undo }, wait] });
    const { execId } = t.start("w");
    await settled();
    return t.system.peek(execId)?.facts.undo;
  };
  expect(await notedBy({})).toBeUndefined();
  expect(await notedBy({ undo: [back("a")] })).toMatchObject({ open: 1 });
});
