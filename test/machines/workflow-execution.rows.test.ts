// Goal: what a workflow execution says, word for word, in each row of the protocol's table that it is home of.
// Method: examples, row by row; cancels, signals and commands out of turn are in workflow-execution.commands.test.ts.

import { describe, expect, test } from "vitest";
import { linear } from "../../src/machines/plan.ts";
import { idAfter } from "../../src/protocol/ids.ts";
import { idOf, stampAt } from "../../src/testing/part.ts";
import { workflowExecutionPart as part } from "../../src/testing/parts/workflow-execution.ts";
import { begin, elapse, hear, saidBy, say, snapshotOf, statusOf } from "../kit/chart-model.ts";
import {
  ack,
  began,
  beginning,
  completed,
  contextOf,
  decide,
  failed,
  me,
  parentEnded,
  paused,
  pausedRun,
  refusal,
  running,
  task,
  typesOf,
  workflow,
  type Input,
} from "../kit/workflow-words.ts";

test("W1: an accepted order is acknowledged, and waits for a slot", () => {
  const run = begin(part, "run");
  expect(saidBy(run)).toEqual([ack(), { type: "cue:SlotWanted" }]);
  expect(statusOf(run)).toBe("PENDING");
  expect(saidBy(begin(part, "run with a result"))).toEqual([{ type: "cue:SlotWanted" }]);
});

test("W2: a declined order is answered with its error, and has failed", () => {
  const run = begin(part, "declined");
  const error = { code: "WORKFLOW_NOT_FOUND", message: "no workflow is called 'refund'", details: { id: "refund" } };
  expect(saidBy(run)).toEqual([refusal(error.code, error.message, error.details), failed(error)]);
  expect([statusOf(run), snapshotOf(run).status]).toEqual(["FAILED", "done"]);
});

describe("W3: with its slot it", () => {
  const started = (more: object = {}) => ({
    type: "event:WorkflowExecutionStarted",
    workflow,
    payload: { status: "RUNNING", result: null, context: { input: { claim: "late" }, trigger_type: "api", ...more } },
  });

  test("starts, begins its first task, and its deadline counts from now", () => {
    const run = begin(part, "run");
    run.at += 5_000;
    const { said } = say(run, "cue:SlotGranted");
    const first = { id: "decide", exec_id: idAfter(stampAt(began + 5_000, 2).seed, 1) };
    expect(said).toStrictEqual([started(), { type: "cue:BeginTask", task: first, lane: 0 }]);
    expect(statusOf(run)).toBe("RUNNING");
    expect(run.life.timers.map(({ dueAt }) => dueAt)).toEqual([began + 5_000 + 60_000]);
  });

  test("tells of the task that it runs for", () => {
    const { order } = part.inputs["run"] as Input;
    const context = { ...order.payload.context, parent_exec_id: idOf(5) };
    const run = beginning({ order: { ...order, payload: { ...order.payload, context } } });
    expect(say(run, "cue:SlotGranted").said[0]).toEqual(started({ parent_exec_id: idOf(5) }));
  });
});

describe("W4: it pauses", () => {
  test("when it is told to: nothing counts, and the open task hears of it", () => {
    const run = running();
    const { said } = say(run, "command:WorkflowPause");
    expect(said).toEqual([ack(), paused("hold", "ann"), { type: "cue:Paused", task: decide }]);
    expect(statusOf(run)).toBe("PAUSED");
    expect(run.life.timers).toEqual([]);
    expect(say(run, "cue:TaskEnded (FAILED TOOL_ERROR)")).toMatchObject({ heard: "taken", said: [] });
  });

  test("by itself before a task that says so", () => {
    const run = running();
    expect(say(run, "cue:TaskEnded (SUCCESS)").said).toEqual([paused("check the figures", me)]);
    expect(statusOf(run)).toBe("PAUSED");
    expect(contextOf(run).plan).toMatchObject({ open: 0, asked: 0 });
  });

  test("before its very first task, after it has started", () => {
    const run = beginning({ graph: linear([{ id: "look", pause_before: "first look" }]) });
    const moment = say(run, "cue:SlotGranted");
    expect(typesOf(moment)).toEqual(["event:WorkflowExecutionStarted", "event:WorkflowExecutionPaused"]);
    run.at += 90_000;
    const { said } = say(run, "command:WorkflowResume");
    expect(said[2]).toMatchObject({ type: "cue:BeginTask", task: { id: "look" } });
    expect(run.life.timers.map(({ dueAt }) => dueAt)).toEqual([run.at + 60_000]);
  });

  test("when a task within a container wants it to", () => {
    const { said } = say(running(), "cue:PauseWanted");
    expect(said).toEqual([paused("look inside", me), { type: "cue:Paused", task: decide }]);
  });

  test("and keeps a signal until it goes on, whoever waits for it", () => {
    const run = running("run with waits");
    say(run, "cue:WaitOpened (first)");
    say(run, "command:WorkflowPause");
    expect(say(run, "command:WorkflowSignal (go)").said).toEqual([ack()]);
    say(run, "cue:WaitClosed (first)");
    expect(say(run, "cue:WaitOpened (first)").heard).toBe("ignored");
    say(run, "command:WorkflowResume");
    expect(say(run, "cue:WaitOpened (first)").said).toMatchObject([{ type: "cue:Wake", task: { id: "first" } }]);
  });
});

describe("W5: resumed it", () => {
  const resumed = (duration_ms: number, more: object = {}) => ({
    type: "event:WorkflowExecutionResumed",
    workflow,
    payload: { status: "RUNNING", result: null, duration_ms, context: { resumed_by: "bob", ...more } },
  });

  test("goes on with the rest of its time, and says with what data", () => {
    const run = running();
    run.at += 10_000;
    say(run, "command:WorkflowPause");
    run.at += 3_600_000;
    const { said } = say(run, "command:WorkflowResume");
    const data = { resume_data: { checked: true } };
    expect(said).toEqual([ack(), resumed(3_600_000, data), { type: "cue:Resumed", task: decide }]);
    expect(run.life.timers.map(({ dueAt }) => dueAt)).toEqual([run.at + 50_000]);
    expect(statusOf(run)).toBe("RUNNING");
  });

  test("counts all the time that it ran, and none of its pauses", () => {
    const run = begin(part, "run");
    run.at += 5_000;
    say(run, "cue:SlotGranted");
    for (const [ranMs, pausedMs] of [
      [10_000, 70_000],
      [5_000, 80_000],
    ] as const) {
      run.at += ranMs;
      say(run, "command:WorkflowPause");
      run.at += pausedMs;
      say(run, "command:WorkflowResume");
    }
    const { at, said } = elapse(run, "deadline");
    expect(at - began).toBe(5_000 + 150_000 + 60_000);
    expect(said[0]).toMatchObject({ type: "event:WorkflowExecutionTimedOut", payload: { duration_ms: 210_000 } });
  });

  test("begins the task that it has paused before", () => {
    const run = running();
    say(run, "cue:TaskEnded (SUCCESS)");
    const { said } = say(run, "command:WorkflowResume (without data)");
    expect(said).toStrictEqual([ack(), resumed(0), { type: "cue:BeginTask", task: task("pay", 4), lane: 0 }]);
  });

  test("pauses again where the next task wants it to", () => {
    const run = pausedRun();
    say(run, "cue:TaskEnded (SUCCESS)");
    const { said } = say(run, "command:WorkflowResume (without data)");
    expect(said).toEqual([ack(), resumed(0), paused("check the figures", me)]);
  });

  test("fails for a task that failed in the pause, and begins nothing where it is broken", () => {
    const lost = pausedRun();
    say(lost, "cue:TaskEnded (TIMED_OUT)");
    const moment = say(lost, "command:WorkflowResume (without data)");
    expect(moment.said).toMatchObject([ack(), resumed(0), { type: "event:WorkflowExecutionFailed" }]);

    const broken = pausedRun();
    say(broken, "cue:TaskEnded (SUCCESS, next apologize)");
    say(broken, "cue:Broken");
    hear(broken, { type: "cue:Broken", error: { code: "STEP_LIMIT", message: "later", details: {} } });
    const { said } = say(broken, "command:WorkflowResume (without data)");
    expect(said).toEqual([
      ack(),
      resumed(0),
      failed({ code: "EXPRESSION_ERROR", message: "no such field", details: {} }),
    ]);
  });

  test("runs over its deadline at once where no time was left", () => {
    const run = running();
    run.at += 60_001;
    say(run, "command:WorkflowPause");
    say(run, "command:WorkflowResume");
    expect(run.life.timers.map(({ dueAt }) => dueAt)).toEqual([run.at]);
    expect(elapse(run, "deadline").to).toBe("timedOut");
  });
});

describe("W6: it succeeds", () => {
  test("with the output of its last task", () => {
    const run = running();
    say(run, "cue:TaskEnded (SUCCESS, next apologize)");
    run.at += 250;
    expect(say(run, "cue:TaskEnded (SUCCESS)").said).toEqual([completed({ paid: true }, 250)]);
    expect(statusOf(run)).toBe("SUCCESS");
  });

  test("with the result that its host works out, also over a pause", () => {
    const run = running("run with a result");
    expect(say(run, "cue:TaskEnded (SUCCESS)").said).toEqual([{ type: "cue:Conclude", last: { paid: true } }]);
    expect(statusOf(run)).toBe("RUNNING");
    say(run, "command:WorkflowPause");
    say(run, "cue:Concluded");
    hear(run, { type: "cue:Concluded", output: { total: 0 } });
    expect(say(run, "command:WorkflowResume").said[2]).toEqual(completed({ total: 12 }));

    const other = running("run with a result");
    say(other, "cue:TaskEnded (SUCCESS)");
    expect(say(other, "cue:PauseWanted").heard).toBe("ignored");
    expect(say(other, "cue:Concluded").said).toEqual([completed({ total: 12 })]);
  });

  test("with nothing where it has no tasks", () => {
    const moment = say(begin(part, "no tasks"), "cue:SlotGranted");
    expect(moment.said[1]).toEqual(completed({}));
    expect(moment.to).toBe("succeeded");
  });

  test("not with a result that nobody asked for yet", () => {
    const run = pausedRun("run with a result");
    expect(say(run, "cue:Concluded").heard).toBe("ignored");
    say(run, "cue:TaskEnded (TIMED_OUT)");
    expect(say(run, "command:WorkflowResume").to).toBe("failed");
  });
});

describe("W7: a task that ends without success", () => {
  const reason = (how: string, cause_code: string, cause: object) =>
    failed({
      code: "TASK_FAILED",
      message: `task 'decide' did not succeed: ${how}`,
      details: { failed_task_id: "decide", failed_task_exec_id: decide.exec_id, cause_code, cause },
    });
  const timeout = { code: "TASK_TIMEOUT", message: "the task ran over its time", details: {} };

  test("fails the workflow with its code", () => {
    const run = running();
    const { said } = say(run, "cue:TaskEnded (TIMED_OUT)");
    expect(said).toEqual([reason(timeout.message, "TASK_TIMEOUT", timeout)]);
    expect(statusOf(run)).toBe("FAILED");
  });

  test("also where the workflow has a result to work out", () => {
    const run = running("run with a result");
    expect(typesOf(say(run, "cue:TaskEnded (TIMED_OUT)"))).toEqual(["event:WorkflowExecutionFailed"]);
  });

  test("because it was canceled takes no error path", () => {
    const cause = {
      code: "CHILD_FAILED",
      message: "task 'decide' was canceled",
      details: { cause_code: "TASK_CANCELED" },
    };
    const { said } = say(running(), "cue:TaskEnded (CANCELED)");
    expect(said).toEqual([reason(cause.message, "TASK_CANCELED", cause)]);
  });

  test("for which on_error has a way does not fail the workflow", () => {
    const { said } = say(running(), "cue:TaskEnded (FAILED TOOL_ERROR)");
    expect(said).toEqual([{ type: "cue:BeginTask", task: task("apologize", 3), lane: 0 }]);
  });
});

describe("W8: it fails", () => {
  test("for an expression that cannot be evaluated", () => {
    const { said } = say(running(), "cue:Broken");
    expect(said).toEqual([
      failed({ code: "EXPRESSION_ERROR", message: "no such field", details: {} }),
      parentEnded(decide, "the workflow has failed"),
    ]);
  });

  test("for a task that runs more often than it may", () => {
    const run = running("loop");
    expect(typesOf(say(run, "cue:TaskEnded (SUCCESS)"))).toEqual(["cue:BeginTask"]);
    const message = "task 'poll' ran 2 times, more is not allowed";
    const details = { task: "poll", max_steps: 2 };
    expect(say(run, "cue:TaskEnded (SUCCESS)").said).toEqual([failed({ code: "STEP_LIMIT", message, details })]);
  });

  test("for a result that breaks its schema", () => {
    const run = running("run with a result");
    say(run, "cue:TaskEnded (SUCCESS)");
    const error = { code: "VALIDATION_FAILED", message: "total must be a number", details: { errors: [] } };
    expect(hear(run, { type: "cue:Broken", error }).said).toEqual([failed(error)]);
  });
});

test("W9: a workflow past its deadline has timed out at once, and then its tasks are told", () => {
  const run = running();
  const { said, at } = elapse(run, "deadline");
  expect(at).toBe(began + 60_000);
  expect(said).toEqual([
    {
      type: "event:WorkflowExecutionTimedOut",
      workflow,
      payload: {
        status: "TIMED_OUT",
        duration_ms: 60_000,
        result: {
          error: { code: "WORKFLOW_EXECUTION_TIMEOUT", message: "the workflow ran over its deadline", details: {} },
        },
        context: { timeout_config: { timeout_duration_ms: 60_000, timeout_policy: "TERMINATE" } },
      },
    },
    parentEnded(decide, "the workflow ran over its deadline"),
  ]);
  expect(statusOf(run)).toBe("TIMED_OUT");
});
