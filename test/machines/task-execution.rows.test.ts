// Goal: what a task says in each row of the protocol's table that every task goes through, word for word.
// Method: examples over workers and tasks run by themselves, as the golden flows tell them.

import { describe, expect, test } from "vitest";
import { elapse, hear, say, snapshotOf, statusOf } from "../kit/chart-model.ts";
import { ack, declined, delaysOf, dueIn, error, exec_id, placeOf, replySubject } from "../kit/task-runs.ts";
import { once, taskEnded, type TaskRun, taskRun, twice, workflow } from "../kit/task-runs.ts";
import { idOf } from "../../src/testing/part.ts";

const timeout_config = { timeout_duration_ms: 30_000, timeout_policy: "FAIL_TASK" };
const lookup = { workflow, task: { id: "lookup", exec_id } };
const decide = { workflow, task: { id: "decide", exec_id } };
const order = { attempt: 1, task_type: "tool", input: { claim: "late" }, timeout_config, retry_policy: once };

const running = (name: string, given = {}): TaskRun => {
  const run = taskRun(name, given);
  say(run, "event:TaskExecutionStarted");
  return run;
};

const timedOut = (of: object, duration_ms: number, result: object, context: object = {}) => ({
  type: "event:TaskExecutionTimedOut",
  ...of,
  payload: {
    status: "TIMED_OUT",
    duration_ms,
    result,
    context: { attempt: 1, timeout_config, retry_policy: once, ...context },
  },
});
const canceled = (of: object, reason: string, attempt = 1) => ({
  type: "event:TaskExecutionCanceled",
  ...of,
  payload: { status: "CANCELED", result: null, context: { attempt, reason } },
});

const notStarted = error("TASK_START_TIMEOUT", "no executor took the task in time");
const tooLong = error("TASK_TIMEOUT", "the task ran over its time");
const silent = error("TASK_HEARTBEAT_LOST", "the executor fell silent");
const notFound = error("TOOL_ERROR", "broke", { cause_code: "NOT_FOUND" });

describe("a task begins", () => {
  test("T1: a task that is reached is scheduled, with all that its executor needs", () => {
    const run = taskRun("tool, one attempt");
    expect(run.moments[0]?.said).toEqual([
      { type: "event:TaskScheduled", ...lookup, payload: { status: "PENDING", result: null, context: order } },
    ]);
    expect(statusOf(run)).toBe("PENDING");
  });

  test("T1: a task in a container says where, and one with more to its order passes it on", () => {
    const env = { KEY: { from: "secret" } } as const;
    const place = { parent_exec_id: idOf(7), index: 3 };
    const [inBranch] = taskRun("agent").moments[0]?.said ?? [];
    expect(inBranch?.payload?.context).toEqual({
      ...order,
      task_type: "agent",
      retry_policy: twice,
      parent_exec_id: idOf(7),
      branch: "left",
    });
    const [atIndex] = taskRun("tool, one attempt", { place, order: { env } }).moments[0]?.said ?? [];
    expect(atIndex?.payload?.context).toEqual({ ...order, ...place, env });
    const [waits] = taskRun("wait for a time").moments[0]?.said ?? [];
    expect(waits?.payload?.context).toMatchObject({ task_type: "wait", wait: { duration_ms: 60_000 } });
  });

  test("T1: a task that is triggered is acknowledged first, and belongs to no run", () => {
    const run = taskRun("direct tool");
    const of = { workflow: { id: "refund" }, task: { id: "direct", exec_id } };
    expect(run.moments[0]?.said).toEqual([
      {
        type: "result:CommandAck",
        ...of,
        payload: { status: "ACKNOWLEDGED", result: null, context: { attempt: 1 } },
        to: replySubject,
      },
      { type: "event:TaskScheduled", ...of, payload: { status: "PENDING", result: null, context: order } },
    ]);
    say(run, "event:TaskExecutionStarted");
    expect(say(run, "event:TaskExecutionSuccess").said).toEqual([]);
    expect(snapshotOf(run).status).toBe("done");
  });

  test("T2: a trigger that is declined fails at once, is answered with the reason, and never tried again", () => {
    const run = taskRun("direct, declined");
    const of = { workflow: { id: "refund" }, task: { id: "direct", exec_id } };
    const result = error("TASK_NOT_FOUND", "no such task");
    expect(run.moments[0]?.said).toEqual([
      {
        type: "result:CommandAck",
        ...of,
        payload: { status: "ERROR", result, context: { attempt: 1 } },
        to: replySubject,
      },
      {
        type: "event:TaskExecutionFailed",
        ...of,
        payload: {
          status: "FAILED",
          duration_ms: 0,
          result,
          context: { attempt: 1, retry_policy: { ...twice, retry_on: ["TASK_NOT_FOUND"] } },
        },
      },
    ]);
    expect(snapshotOf(run).status).toBe("done");
  });

  test("T3: a task whose input cannot be worked out fails before it is scheduled, and is never tried again", () => {
    const run = taskRun("bad input");
    const result = error("EXPRESSION_ERROR", "no such field");
    expect(run.moments[0]?.said).toEqual([
      {
        type: "event:TaskExecutionFailed",
        ...lookup,
        payload: {
          status: "FAILED",
          duration_ms: 0,
          result,
          context: { attempt: 1, retry_policy: { ...twice, retry_on: ["EXPRESSION_ERROR"] } },
        },
      },
      taskEnded("lookup", "FAILED", result),
    ]);
  });

  test("T4: an executor that begins sets the clock: the task's time and the grace of the executor's own", () => {
    const run = taskRun("tool, one attempt");
    expect(dueIn(run, "startTimeout")).toBe(60_000);
    run.at += 700;
    expect(say(run, "event:TaskExecutionStarted").said).toEqual([]);
    expect(statusOf(run)).toBe("RUNNING");
    expect(dueIn(run, "deadline")).toBe(35_000);
    expect(delaysOf(run)).toEqual(["deadline"]);
    expect(say(run, "event:TaskExecutionStarted").heard).toBe("ignored");
  });

  test.each(["agent", "tool", "signal"] as const)("T4: a task of type %s without a time has 30 s", (taskType) => {
    const run = running("tool, one attempt", { taskType, timeoutMs: null });
    expect(dueIn(run, "deadline")).toBe(35_000);
    expect(run.moments[0]?.said[0]).toMatchObject({
      payload: { context: { timeout_config: { timeout_duration_ms: 30_000 } } },
    });
  });

  test("T5: a task that nobody takes times out", () => {
    const run = taskRun("tool, one attempt");
    const { said, at } = elapse(run, "startTimeout");
    expect(at - 1_000_000).toBe(60_000);
    expect(said).toEqual([timedOut(lookup, 60_000, notStarted), taskEnded("lookup", "TIMED_OUT", notStarted)]);
    expect(statusOf(run)).toBe("TIMED_OUT");
  });

  test("T5: nobody has to take a later attempt before its delay is over, and its time counts from the retry", () => {
    const run = taskRun("agent");
    run.at += 500;
    say(run, "event:TaskExecutionFailed (NOT_FOUND)");
    expect(dueIn(run, "retryStartTimeout")).toBe(61_000);
    const { said } = elapse(run, "retryStartTimeout");
    expect(said[0]).toEqual(timedOut(decide, 61_000, notStarted, { attempt: 2, retry_policy: twice }));
  });
});

describe("a task ends", () => {
  test("T6: a task that is done is done, and its parent hears the output", () => {
    const run = running("tool, one attempt");
    expect(say(run, "event:TaskExecutionSuccess").said).toEqual([
      taskEnded("lookup", "SUCCESS", { output: { ok: true } }),
    ]);
    expect(statusOf(run)).toBe("SUCCESS");
    expect(say(run, "event:TaskExecutionFailed (NOT_FOUND)").heard).toBe("inert");
  });

  test("T6: a task that is done before it was heard to begin is done all the same", () => {
    const run = taskRun("tool, one attempt");
    expect(say(run, "event:TaskExecutionSuccess").said).toEqual([
      taskEnded("lookup", "SUCCESS", { output: { ok: true } }),
    ]);
  });

  test("T7: a task that failed keeps the code of what it called", () => {
    const run = running("tool, one attempt");
    expect(say(run, "event:TaskExecutionFailed (NOT_FOUND)").said).toEqual([taskEnded("lookup", "FAILED", notFound)]);
    expect(statusOf(run)).toBe("FAILED");
  });

  test("T8: a worker past its deadline has timed out, and then its executor is told to stop", () => {
    const run = running("tool, one attempt");
    const { said, at } = elapse(run, "deadline");
    expect(at - 1_000_000).toBe(35_000);
    expect(said).toEqual([
      timedOut(lookup, 35_000, tooLong),
      {
        type: "command:TaskCancel",
        ...lookup,
        payload: {
          context: {
            attempt: 1,
            cause: "timed_out",
            reason: "the task ran over its time",
            canceled_by: "workflow.Orchestrator",
          },
        },
      },
      taskEnded("lookup", "TIMED_OUT", tooLong),
    ]);
    expect(statusOf(run)).toBe("TIMED_OUT");
  });

  test("T8: a silent executor is lost after its heartbeat; a sign of life gives it as long again", () => {
    const run = running("tool, watched");
    expect(dueIn(run, "heartbeatGap")).toBe(10_000);
    run.at += 9_000;
    expect(say(run, "progress:TaskStep")).toMatchObject({ heard: "taken", said: [] });
    expect(dueIn(run, "heartbeatGap")).toBe(10_000);
    expect(dueIn(run, "deadline")).toBe(26_000);
    const { said } = elapse(run, "heartbeatGap");
    expect(said.slice(0, 2)).toMatchObject([
      { type: "event:TaskExecutionTimedOut", payload: { result: silent, duration_ms: 19_000 } },
      {
        type: "command:TaskCancel",
        payload: { context: { attempt: 1, cause: "timed_out", reason: silent.error.message } },
      },
    ]);
    expect(said[2]).toMatchObject({
      type: "event:TaskRetryScheduled",
      payload: { context: { original_error: silent.error } },
    });
  });

  test("T8: a sign of life from an earlier attempt, or before the attempt began, is none", () => {
    const run = taskRun("tool, watched");
    expect(say(run, "progress:TaskStep").heard).toBe("ignored");
    say(run, "event:TaskExecutionFailed (NOT_FOUND)");
    say(run, "event:TaskExecutionStarted");
    run.at += 1_000;
    expect(say(run, "progress:TaskStep (stale)").heard).toBe("ignored");
    expect(dueIn(run, "heartbeatGap")).toBe(9_000);
  });

  test.each([
    ["running", (run: TaskRun) => say(run, "event:TaskExecutionStarted"), "calls.orphaned + life.timedOut"],
    ["not yet begun", () => undefined, "calls.orphaned + life.timedOut"],
  ])("T8: over its total timeout a task that is %s has timed out, and no retry follows", (_, lead, place) => {
    const run = taskRun("tool, watched", { startTimeoutMs: 90_000, timeoutMs: 90_000, heartbeatMs: null });
    lead(run);
    const { said, at, to } = elapse(run, "totalTimeout");
    expect(at - 1_000_000).toBe(70_000);
    expect(said[0]).toMatchObject({ type: "event:TaskExecutionTimedOut", payload: { result: tooLong } });
    expect(said.at(-1)).toEqual(taskEnded("watched", "TIMED_OUT", tooLong));
    expect(to).toBe(place);
  });

  test("T8: the total timeout counts from the first attempt on, also while the next one is awaited", () => {
    const run = running("tool, watched", { startTimeoutMs: 90_000 });
    run.at += 5_000;
    say(run, "event:TaskExecutionFailed (NOT_FOUND)");
    expect(dueIn(run, "totalTimeout")).toBe(65_000);
    const { said } = elapse(run, "totalTimeout");
    expect(said.map(({ type }) => type)).toEqual(["event:TaskExecutionTimedOut", "cue:TaskEnded"]);
  });
});

describe("a task is canceled", () => {
  test("T11: canceled by a client, it ends when its executor says so", () => {
    const run = running("tool, one attempt");
    expect(say(run, "command:TaskCancel").said).toEqual([ack()]);
    expect(statusOf(run)).toBe("RUNNING");
    expect(delaysOf(run)).toEqual(["cancelGrace"]);
    expect(say(run, "event:TaskExecutionCanceled").said).toEqual([taskEnded("lookup", "CANCELED", null)]);
    expect(statusOf(run)).toBe("CANCELED");
  });

  test("T11: an executor that is silent for 5 s is spoken for", () => {
    const run = running("tool, one attempt");
    say(run, "command:TaskCancel (no reply)");
    const canceledAt = run.at;
    const { said, at } = elapse(run, "cancelGrace");
    expect(at - canceledAt).toBe(6_000);
    expect(said).toEqual([canceled(lookup, "stop"), taskEnded("lookup", "CANCELED", null)]);
  });

  test("T11: ended by its parent, it tells its executor itself", () => {
    const run = running("agent");
    expect(say(run, "cue:ParentEnded").said).toEqual([
      {
        type: "command:TaskCancel",
        ...decide,
        payload: {
          context: {
            attempt: 1,
            cause: "parent_ended",
            reason: "the workflow was canceled",
            canceled_by: "workflow.Orchestrator",
          },
        },
      },
    ]);
    expect(say(run, "cue:ParentEnded").heard).toBe("ignored");
    expect(elapse(run, "cancelGrace").said[0]).toEqual(canceled(decide, "the workflow was canceled"));
  });

  test("T11: what its executor says last counts, but a failure is not tried again", () => {
    const done = running("agent");
    say(done, "command:TaskCancel");
    expect(say(done, "event:TaskExecutionSuccess").said).toEqual([
      taskEnded("decide", "SUCCESS", { output: { ok: true } }),
    ]);
    const failed = running("agent");
    say(failed, "command:TaskCancel");
    expect(say(failed, "event:TaskExecutionFailed (NOT_FOUND)").said).toEqual([
      taskEnded("decide", "FAILED", notFound),
    ]);
  });

  test("T11: an executor that was canceled before the orchestrator heard of it has ended the task", () => {
    const run = running("agent");
    expect(say(run, "event:TaskExecutionCanceled").said).toEqual([taskEnded("decide", "CANCELED", null)]);
    expect(say(run, "command:TaskCancel").heard).toBe("inert");
  });

  test("T12: canceled before anybody took it, it ends at once", () => {
    const run = taskRun("tool, one attempt");
    const cancel = { canceled_by: "ada", cause: "requested", reason: "changed my mind" };
    const { said } = hear(run, {
      type: "command:TaskCancel",
      workflow,
      task: { id: "task", exec_id },
      payload: { reply_to_subject: replySubject, context: cancel },
    });
    expect(said).toEqual([ack(), canceled(lookup, "changed my mind"), taskEnded("lookup", "CANCELED", null)]);
    const ended = taskRun("tool, one attempt");
    expect(say(ended, "cue:ParentEnded").said[0]).toEqual(canceled(lookup, "the workflow was canceled"));
  });

  test("T12: canceled between two attempts, it ends at once", () => {
    const run = running("agent");
    say(run, "event:TaskExecutionFailed (NOT_FOUND)");
    expect(say(run, "command:TaskCancel").said).toEqual([
      ack(),
      canceled(decide, "stop", 2),
      taskEnded("decide", "CANCELED", null, 2),
    ]);
  });

  test("T15: a task that does not wait cannot be resumed", () => {
    const run = taskRun("agent");
    expect(say(run, "command:TaskResume").said).toEqual([declined("PENDING")]);
    say(run, "event:TaskExecutionStarted");
    expect(say(run, "command:TaskResume").said).toEqual([declined("RUNNING")]);
    expect(say(run, "command:TaskResume (no reply)")).toMatchObject({ heard: "ignored", said: [] });
    say(run, "event:TaskExecutionFailed (NOT_FOUND)");
    expect(say(run, "command:TaskResume").said).toEqual([declined("PENDING")]);
    say(run, "event:TaskExecutionStarted");
    say(run, "command:TaskCancel");
    expect(say(run, "command:TaskResume").said).toEqual([declined("RUNNING")]);
    expect(placeOf(run)).toBe("canceling");
  });

  test("T15: canceled again, nothing changes", () => {
    const run = running("agent");
    say(run, "command:TaskCancel");
    expect(say(run, "command:TaskCancel").said).toEqual([ack({ no_change: true })]);
    elapse(run, "cancelGrace");
    expect(say(run, "command:TaskCancel").said).toEqual([ack({ no_change: true })]);
    expect(say(run, "command:TaskResume").said).toEqual([declined("CANCELED")]);
  });

  test("T15: a task that has ended otherwise can be neither canceled nor resumed", () => {
    const run = taskRun("tool, one attempt");
    elapse(run, "startTimeout");
    expect(say(run, "command:TaskCancel").said).toEqual([declined("TIMED_OUT")]);
    expect(say(run, "command:TaskResume").said).toEqual([declined("TIMED_OUT")]);
    expect(say(run, "command:TaskCancel (no reply)").said).toEqual([]);
  });
});
