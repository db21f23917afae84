// Goal: an undo may be whatever a block may be, and what cannot be undone is told and stops nothing else.
// Method: troupes in virtual time; undos that wait, contain, call, fail, run too long and too often.

import { describe, expect, test } from "vitest";
import type { TaskSpec, WorkflowSpec } from "../../src/language/spec.ts";
import type { ToolDefinition } from "../../src/tools/tool.ts";
import { second, settled } from "../runtime/bed.ts";
import { back, bedWith, fails, lastOf, step, takesLong } from "./undo-bed.ts";

describe("an undo may", () => {
  test("wait for a signal, and for a person", async () => {
    const undo: TaskSpec[] = [
      { id: "ask", type: "wait", wait: { approval: "take it back?" }, timeout: "1h", next: "hear" },
      { id: "hear", type: "wait", wait: { signal: "gone" }, timeout: "1h", next: "end" },
      { id: "end", type: "tool", tool: "back", with: "${{ tasks.hear.output.payload }}" },
    ];
    const bed = await bedWith({ tasks: [step("a", { undo, next: "fails" }), fails] });
    const { execId, result } = bed.t.start("w");
    await settled();
    const [asked] = (await bed.t.list({ run: execId, entity: "task", status: ["WAITING"] })).items;
    await bed.t.signal(execId, "gone", { early: true });
    await bed.t.resume(asked?.execId ?? "", { approved: true });
    expect(await result()).toMatchObject({ status: "FAILED" });
    expect(bed.undone()).toEqual([{ early: true }]);
  });

  test("be a container, which pauses for nobody", async () => {
    const inner: TaskSpec = {
      ...back("x"),
      id: "x_back",
      pause_before: "look first",
      with: { of: "${{ tasks.a.output.of }}" },
    };
    const undo: TaskSpec[] = [
      { ...back("first"), pause_before: "look", next: "both" },
      { id: "both", type: "parallel", branches: { left: [inner], right: [back("y")] } },
    ];
    const bed = await bedWith({ tasks: [step("a", { undo, next: "fails" }), fails] });
    expect(await bed.t.run("w")).toMatchObject({ status: "FAILED" });
    expect(bed.undone()).toEqual([{ of: "first" }, { of: "a" }, { of: "y" }]);
  });

  test("call a workflow", async () => {
    const undo: TaskSpec[] = [
      { id: "call", type: "workflow", workflow: "child", with: { of: "${{ tasks.a.output.of }}" } },
    ];
    const child: WorkflowSpec = { id: "child", tasks: [{ ...back("c"), with: "${{ input }}" }] };
    const bed = await bedWith({ tasks: [step("a", { undo, next: "fails" }), fails] }, [child]);
    expect(await bed.t.run("w")).toMatchObject({ status: "FAILED" });
    expect(bed.undone()).toEqual([{ of: "a" }]);
  });
});

describe("what cannot be undone", () => {
  test("is told by task, and the rest is undone all the same", async () => {
    const bad: TaskSpec[] = [{ id: "b_back", type: "tool", tool: "fail" }];
    const bed = await bedWith({ tasks: [step("a", { next: "b" }), step("b", { next: "fails", undo: bad }), fails] });
    const { execId } = await bed.t.run("w");
    expect(bed.undone()).toEqual([{ of: "a" }]);
    const failed = [{ task: "b", code: "TOOL_ERROR", message: "no more" }];
    expect((await lastOf(bed, execId))["undo"]).toEqual({ done: 1, failed });
  });

  test("because it runs too often is given up, and the rest is undone all the same", async () => {
    const endless: TaskSpec[] = [
      { id: "x", type: "tool", tool: "do", next: "y" },
      { id: "y", type: "route", cases: [{ when: "${{ input.stop == true }}", next: "z" }], default: "x" },
      { id: "z", type: "tool", tool: "do" },
    ];
    const tasks = [step("a", { next: "b" }), step("b", { undo: endless, next: "fails" }), fails];
    const bed = await bedWith({ tasks }, [], [], [], { stepsMax: 5 });
    const { execId } = await bed.t.run("w", { stop: false });
    expect(bed.undone()).toEqual([{ of: "a" }]);
    expect((await lastOf(bed, execId))["undo"]).toMatchObject({ done: 1, failed: [{ task: "b", code: "STEP_LIMIT" }] });
  });

  test("is tried again as its own retry says", async () => {
    let calls = 0;
    const flaky: ToolDefinition = {
      id: "flaky",
      handler: () => {
        calls += 1;
        if (calls < 3) throw new Error("not yet");
        return {};
      },
    };
    const undo: TaskSpec[] = [
      { id: "x", type: "tool", tool: "flaky", retry: { max_attempts: 3, backoff: { initial: "1s" } } },
    ];
    const bed = await bedWith({ tasks: [step("a", { undo, next: "fails" }), fails] }, [], [], [flaky]);
    const { execId, result } = bed.t.start("w");
    await bed.pass(10 * second);
    expect(await result()).toMatchObject({ status: "FAILED" });
    expect([calls, (await lastOf(bed, execId))["undo"]]).toEqual([3, { done: 1, failed: [] }]);
  });

  test("in time is told as not undone, and what is at work on it is ended", async () => {
    const bed = await bedWith({
      undo_timeout: "10m",
      tasks: [step("a", { next: "b" }), step("b", { undo: [takesLong("b")], next: "fails" }), fails],
    });
    const { execId, result } = bed.t.start("w");
    await bed.pass(600 * second + 10 * second);
    expect(await result()).toMatchObject({ status: "FAILED", error: { code: "TASK_FAILED" } });
    const { undo } = (await lastOf(bed, execId)) as { undo: { done: number; failed: object[] } };
    expect(undo).toMatchObject({
      done: 0,
      failed: [
        { task: "b", code: "UNDO_TIMEOUT" },
        { task: "a", code: "UNDO_TIMEOUT" },
      ],
    });
    expect(bed.held.runs.at(-1)?.context.signal.aborted).toBe(true);
    expect(bed.t.stats()).toMatchObject({ awake: 0, asleep: 0 });
  });
});
