// Goal: a route and a child workflow run in the orchestrator, and take their end from whom they asked.
// Method: examples of the rows of the task table as these tasks go through them, message for message.

import { describe, expect, test } from "vitest";
import { elapse, hear, say } from "../kit/chart-model.ts";
import {
  begun,
  completed,
  contextOf,
  declined,
  dueIn,
  error,
  exec_id,
  failed,
  started,
  taskEnded,
} from "../kit/task-runs.ts";
import { type TaskRun, taskRun, twice, typesOf } from "../kit/task-runs.ts";

describe("a route", () => {
  test("T6: asks its host for the way and tells it to its parent", () => {
    const run = taskRun("route");
    expect(run.moments[0]?.said.slice(1)).toEqual([
      started("pick"),
      { type: "cue:RouteWanted", task: { id: "pick", exec_id } },
    ]);
    run.at += 3;
    const output = { case: 0, next: "pay" };
    expect(say(run, "cue:Routed").said).toEqual([
      completed("pick", output, 3),
      { ...taskEnded("pick", "SUCCESS", { output }), next: "pay" },
    ]);
  });

  test("T6: a route that ends its block says no next", () => {
    const run = taskRun("route");
    const { said } = hear(run, { type: "cue:Routed", output: { case: "default" } });
    expect(said[1]).toEqual(taskEnded("pick", "SUCCESS", { output: { case: "default" } }));
  });

  test("T7: fails where no case is true, or none can be evaluated", () => {
    const result = error("NO_ROUTE", "no case was true");
    expect(say(taskRun("route"), "cue:RouteFailed").said).toEqual([
      failed("pick", result),
      taskEnded("pick", "FAILED", result),
    ]);
  });

  test("T12: is canceled as any control task, and resumed as none", () => {
    const run = taskRun("route");
    expect(say(run, "command:TaskResume").said).toEqual([declined("RUNNING")]);
    expect(say(run, "cue:Paused").heard).toBe("taken");
    expect(typesOf(say(run, "command:TaskCancel").said)).toEqual([
      "result:CommandAck",
      "event:TaskExecutionCanceled",
      "cue:TaskEnded",
    ]);
  });
});

describe("a child workflow", () => {
  const childOf = (run: TaskRun) => ({ id: "payment", exec_id: begun(run, "").exec_id });
  const cancelChild = (child: object) => ({
    type: "command:WorkflowCancel",
    workflow: child,
    payload: { context: { reason: "pay has ended", canceled_by: "workflow.Orchestrator" } },
  });

  test("T4: is executed under a fresh id, with the task's input and the task as its parent", () => {
    const run = taskRun("workflow");
    expect(run.moments[0]?.said.slice(1)).toEqual([
      started("pay"),
      {
        type: "command:WorkflowExecute",
        workflow: childOf(run),
        task: { id: "pay", exec_id },
        payload: { context: { input: { claim: "late" }, trigger_type: "workflow", parent_exec_id: exec_id } },
      },
    ]);
  });

  test("T6: gives its result to the task", () => {
    const run = taskRun("workflow");
    run.at += 8;
    const output = { paid: true };
    expect(say(run, "event:WorkflowExecutionSuccess").said).toEqual([
      completed("pay", output, 8),
      taskEnded("pay", "SUCCESS", { output }),
    ]);
  });

  test.each([
    ["event:WorkflowExecutionFailed", "no such field", "EXPRESSION_ERROR"],
    ["event:WorkflowExecutionTimedOut", "ran over its deadline", "WORKFLOW_EXECUTION_TIMEOUT"],
    ["event:WorkflowExecutionCanceled", "the child workflow was canceled", "WORKFLOW_CANCELED"],
  ])("T7: %s fails the task, which does not cancel what has ended", (label, message, cause_code) => {
    const run = taskRun("workflow");
    const result = error("CHILD_FAILED", message, { cause_code });
    expect(say(run, label).said).toEqual([failed("pay", result, twice), taskEnded("pay", "FAILED", result)]);
  });

  test("T8: is canceled when the task's time is up, and run anew under another id at the next attempt", () => {
    const run = taskRun("workflow", { totalTimeoutMs: null });
    const first = childOf(run);
    const { said } = elapse(run, "deadline");
    expect(typesOf(said)).toEqual([
      "event:TaskExecutionTimedOut",
      "command:WorkflowCancel",
      "event:TaskRetryScheduled",
    ]);
    expect(said[1]).toEqual(cancelChild(first));
    const again = elapse(run, "retryDelay").said[1];
    expect(again).toMatchObject({ type: "command:WorkflowExecute", workflow: childOf(run) });
    expect(childOf(run)).not.toEqual(first);
    const late = {
      type: "event:WorkflowExecutionCanceled",
      workflow: first,
      payload: { status: "CANCELED", result: null, context: { reason: "pay has ended", canceled_by: "ada" } },
    };
    expect(hear(run, late).heard).toBe("ignored");
    expect(say(run, "event:WorkflowExecutionSuccess").said[0]).toEqual(completed("pay", { paid: true }, 0, 2));
  });

  test("T12: is canceled with the task", () => {
    const run = taskRun("workflow");
    const child = childOf(run);
    const { said } = say(run, "cue:ParentEnded");
    expect(typesOf(said)).toEqual(["event:TaskExecutionCanceled", "command:WorkflowCancel", "cue:TaskEnded"]);
    expect(said[1]).toEqual(cancelChild(child));
  });

  test("T7: does not begin again after the total timeout, whichever timer comes first", () => {
    const run = taskRun("workflow");
    elapse(run, "deadline");
    expect(dueIn(run, "totalTimeout")).toBe(1_000);
    expect(elapse(run, "retryDelay")).toMatchObject({ said: [] });
    const { said } = elapse(run, "totalTimeout");
    expect(typesOf(said)).toEqual(["event:TaskExecutionTimedOut", "cue:TaskEnded"]);
    expect(said[0]).toMatchObject({ payload: { duration_ms: 1_000, result: { error: { code: "TASK_TIMEOUT" } } } });
  });
});

describe("a detached child workflow", () => {
  test("is begun, and its id is the task's output at once", () => {
    const run = taskRun("workflow, detached");
    const { childId } = contextOf(run);
    expect(childId).toBeNull();
    const said = run.moments.flatMap((moment) => moment.said) as { type: string; workflow?: { exec_id: string } }[];
    const begun = said.find(({ type }) => type === "command:WorkflowExecute");
    expect(begun).toMatchObject({
      workflow: { id: "letter" },
      payload: { context: { detached: true, trigger_type: "workflow", parent_exec_id: exec_id } },
    });
    expect(said.find(({ type }) => type === "event:TaskExecutionSuccess")).toMatchObject({
      payload: { result: { output: { exec_id: begun?.workflow?.exec_id } } },
    });
    expect(said.map(({ type }) => type)).not.toContain("command:WorkflowCancel");
  });
});
