// Goal: a task that waits goes on when what it waits for comes, and its clock stands while the workflow is paused.
// Method: examples of T9, T10 and T13, as the golden flows tell them, and of a pause in every place.

import { describe, expect, test } from "vitest";
import { elapse, hear, say, statusOf } from "../kit/chart-model.ts";
import { ack, beganAt, contextOf, declined, delaysOf, dueIn, error, exec_id, placeOf } from "../kit/task-runs.ts";
import { once, replySubject, taskEnded, type TaskRun, taskRun, workflow } from "../kit/task-runs.ts";

const hourMs = 3_600_000;
const waitTimeout = error("WAIT_TIMEOUT", "what the task waited for did not come in time");

const waiting = (name: string, given = {}): TaskRun => {
  const run = taskRun(name, given);
  say(run, "event:TaskExecutionStarted");
  run.at += 20;
  say(run, "event:TaskWaitingStarted");
  return run;
};

const resume = (run: TaskRun, resume_data: unknown) =>
  hear(run, {
    type: "command:TaskResume",
    workflow,
    task: { id: "task", exec_id },
    payload: { reply_to_subject: replySubject, context: { resume_data, resumed_by: "ada" } },
  });

const opened = (id: string, wait: object) => ({ type: "cue:WaitOpened", task: { id, exec_id }, wait });
const closed = (id: string) => ({ type: "cue:WaitClosed", task: { id, exec_id } });

describe("a wait", () => {
  test("T9: it opens when the executor has reached it, and its own clock runs instead of the executor's", () => {
    const run = taskRun("wait for a signal");
    say(run, "event:TaskExecutionStarted");
    expect(dueIn(run, "deadline")).toBe(65_000);
    const { said } = say(run, "event:TaskWaitingStarted");
    expect(said).toEqual([opened("click", { signal: "clicked" })]);
    expect(statusOf(run)).toBe("WAITING");
    expect(delaysOf(run)).toEqual(["waitOver"]);
    expect(dueIn(run, "waitOver")).toBe(hourMs);
    expect(say(run, "event:TaskWaitingStarted").heard).toBe("ignored");
  });

  test("T9: it opens also if the executor was not heard to begin", () => {
    const run = taskRun("wait for a signal");
    say(run, "event:TaskWaitingStarted");
    expect(statusOf(run)).toBe("WAITING");
    expect(say(run, "event:TaskExecutionStarted").heard).toBe("ignored");
  });

  test("T9: only a task that waits has one", () => {
    const run = taskRun("tool, one attempt");
    expect(say(run, "event:TaskWaitingStarted").heard).toBe("ignored");
    say(run, "event:TaskExecutionStarted");
    expect(say(run, "event:TaskWaitingStarted").heard).toBe("ignored");
    say(run, "command:TaskCancel");
    expect(say(run, "event:TaskWaitingStarted").heard).toBe("ignored");
    expect(placeOf(run)).toBe("canceling");
  });

  test("T10: a resume ends it: the executor gets the data with the same attempt, and has as long as to begin", () => {
    const run = waiting("wait for an approval");
    run.at += 5_000;
    const { said } = say(run, "command:TaskResume");
    expect(said).toEqual([
      closed("ask"),
      ack(),
      {
        type: "event:TaskWaitingEnded",
        workflow,
        task: { id: "ask", exec_id },
        payload: {
          status: "RUNNING",
          result: null,
          duration_ms: 5_000,
          context: {
            attempt: 1,
            task_type: "wait",
            input: { claim: "late" },
            wait: { approval: "Release it?" },
            timeout_config: { timeout_duration_ms: hourMs, timeout_policy: "FAIL_TASK" },
            retry_policy: once,
            resume_data: { approved: true },
          },
        },
      },
    ]);
    expect(statusOf(run)).toBe("RUNNING");
    expect(dueIn(run, "deadline")).toBe(65_000);
    expect(say(run, "event:TaskWaitingStarted").heard).toBe("ignored");
    expect(say(run, "event:TaskExecutionStarted").heard).toBe("ignored");
    expect(say(run, "event:TaskExecutionSuccess").said).toEqual([
      taskEnded("ask", "SUCCESS", { output: { ok: true } }),
    ]);
  });

  test("T10: the signal that came is what it gives on", () => {
    const { said } = say(waiting("wait for a signal"), "cue:Wake");
    expect(said[0]).toEqual(closed("click"));
    expect(said[1]).toMatchObject({ payload: { context: { resume_data: { name: "clicked", payload: 7 } } } });
  });

  test.each([
    ["wait for a signal", "yes", { name: "clicked", payload: "yes" }],
    ["wait for a signal", { by: "ada" }, { name: "clicked", payload: { by: "ada" } }],
    ["wait for a signal", null, { name: "clicked", payload: null }],
    ["wait for an approval", "yes", { value: "yes" }],
    ["wait for a time", { early: true }, { early: true }],
  ])("T10: an operator who ends a %s with %j gives on %j", (name, data, expected) => {
    const { said } = resume(waiting(name), data);
    expect(said[2]).toMatchObject({ type: "event:TaskWaitingEnded", payload: { context: { resume_data: expected } } });
  });

  test("T10: a time that is over ends it with nothing to give on", () => {
    const run = waiting("wait for a time", { startTimeoutMs: 50_000 });
    expect(dueIn(run, "waitOver")).toBe(60_000);
    const { said } = elapse(run, "waitOver");
    expect(said.map(({ type }) => type)).toEqual(["cue:WaitClosed", "event:TaskWaitingEnded"]);
    expect(said[1]).toMatchObject({ payload: { duration_ms: 60_000, context: { resume_data: {} } } });
    expect(said[1]).toMatchObject({ payload: { context: { timeout_config: { timeout_duration_ms: 50_000 } } } });
    expect(dueIn(run, "deadline")).toBe(55_000);
  });

  test("T12: canceled while it waits, the task ends at once", () => {
    const run = waiting("wait for a signal");
    expect(say(run, "command:TaskCancel").said).toEqual([
      closed("click"),
      ack(),
      {
        type: "event:TaskExecutionCanceled",
        workflow,
        task: { id: "click", exec_id },
        payload: { status: "CANCELED", result: null, context: { attempt: 1, reason: "stop" } },
      },
      taskEnded("click", "CANCELED", null),
    ]);
  });

  test("T12: ended by its parent while it waits, the task ends at once", () => {
    const { said } = say(waiting("wait for a signal"), "cue:ParentEnded");
    expect(said.map(({ type }) => type)).toEqual(["cue:WaitClosed", "event:TaskExecutionCanceled", "cue:TaskEnded"]);
  });

  test("T11: canceled on the way to its wait, it ends when the executor has let go of it", () => {
    const run = taskRun("wait for a signal");
    say(run, "event:TaskExecutionStarted");
    say(run, "cue:ParentEnded");
    const { said } = say(run, "event:TaskWaitingStarted");
    expect(said.map(({ type }) => type)).toEqual(["event:TaskExecutionCanceled", "cue:TaskEnded"]);
  });

  test("T11: canceled after its wait, the doubled word that it waits ends nothing", () => {
    const run = waiting("wait for a signal");
    say(run, "cue:Wake");
    say(run, "command:TaskCancel");
    expect(say(run, "event:TaskWaitingStarted")).toMatchObject({ heard: "ignored", said: [] });
    expect(say(run, "event:TaskExecutionCanceled").said).toEqual([taskEnded("click", "CANCELED", null)]);
  });

  test("T13: it runs out, and no retry follows", () => {
    const run = waiting("wait for a signal", { retry: { ...once, max_attempts: 3, retry_on: ["WAIT_TIMEOUT"] } });
    const { said, at } = elapse(run, "waitOver");
    expect(at).toBe(beganAt + 20 + hourMs);
    expect(said).toEqual([
      closed("click"),
      {
        type: "event:TaskWaitingTimedOut",
        workflow,
        task: { id: "click", exec_id },
        payload: { status: "TIMED_OUT", duration_ms: hourMs, result: waitTimeout, context: { attempt: 1 } },
      },
      taskEnded("click", "TIMED_OUT", waitTimeout),
    ]);
    expect(statusOf(run)).toBe("TIMED_OUT");
    expect(say(run, "command:TaskResume").heard).toBe("inert");
  });

  test("T13: a wait without a timeout waits on", () => {
    expect(delaysOf(waiting("wait for a signal", { timeoutMs: null }))).toEqual([]);
  });

  test("T13: the total timeout ends it as well", () => {
    const run = waiting("wait for an approval", { timeoutMs: null });
    expect(dueIn(run, "totalTimeout")).toBe(2 * hourMs - 20);
    expect(elapse(run, "totalTimeout").said[1]).toMatchObject({
      type: "event:TaskWaitingTimedOut",
      payload: { result: waitTimeout },
    });
  });
});

describe("a pause of the workflow", () => {
  test("T5: stops the clock of a wait, which goes on where it stood, as often as it likes", () => {
    const run = waiting("wait for a signal");
    run.at += 1_000_000;
    expect(say(run, "cue:Paused").said).toEqual([closed("click")]);
    expect(statusOf(run)).toBe("WAITING");
    expect(delaysOf(run)).toEqual([]);
    expect(contextOf(run).paused).toBe(true);
    run.at += 50 * hourMs;
    expect(say(run, "cue:Paused").heard).toBe("ignored");
    expect(say(run, "cue:Resumed").said).toEqual([opened("click", { signal: "clicked" })]);
    expect(dueIn(run, "waitOver")).toBe(2_600_000);
    expect(contextOf(run).paused).toBe(false);
    expect(say(run, "cue:Resumed").heard).toBe("ignored");
    run.at += 600_000;
    say(run, "cue:Paused");
    say(run, "cue:Resumed");
    expect(dueIn(run, "waitOver")).toBe(2_000_000);
  });

  test("T5: a wait whose clock is late has nothing left after a pause, and not less than nothing", () => {
    const run = waiting("wait for a signal");
    run.at += 2 * hourMs;
    say(run, "cue:Paused");
    say(run, "cue:Resumed");
    expect(dueIn(run, "waitOver")).toBe(0);
  });

  test("T5: a wait without a timeout has none after a pause either", () => {
    const run = waiting("wait for a signal", { timeoutMs: null });
    say(run, "cue:Paused");
    expect(say(run, "cue:Resumed").said).toEqual([opened("click", { signal: "clicked" })]);
    expect(delaysOf(run)).toEqual([]);
  });

  test("T5: a resume in the pause is acknowledged, kept, and ends the wait when the workflow goes on", () => {
    const run = waiting("wait for an approval");
    const openedAt = run.at;
    run.at += 1_000;
    say(run, "cue:Paused");
    const pausedAt = run.at;
    expect(say(run, "command:TaskResume").said).toEqual([ack()]);
    expect(say(run, "command:TaskResume").said).toEqual([declined("WAITING")]);
    expect(say(run, "cue:Wake").heard).toBe("ignored");
    run.at += hourMs;
    const { said } = say(run, "cue:Resumed");
    expect(said.map(({ type }) => type)).toEqual(["event:TaskWaitingEnded"]);
    expect(said[0]).toMatchObject({ payload: { context: { resume_data: { approved: true } } } });
    expect(said[0]).toMatchObject({ payload: { duration_ms: hourMs + pausedAt - openedAt } });
    expect(contextOf(run).paused).toBe(false);
  });

  test("T5: a signal that was on its way is kept, too", () => {
    const run = waiting("wait for a signal");
    say(run, "cue:Paused");
    expect(say(run, "cue:Wake")).toMatchObject({ heard: "taken", said: [] });
    expect(say(run, "cue:Resumed").said[0]).toMatchObject({
      payload: { context: { resume_data: { name: "clicked", payload: 7 } } },
    });
  });

  test("T5: a wait that is reached in the pause opens only when the workflow goes on", () => {
    const run = taskRun("wait for a time");
    say(run, "cue:Paused");
    say(run, "event:TaskExecutionStarted");
    expect(say(run, "event:TaskWaitingStarted").said).toEqual([]);
    expect(statusOf(run)).toBe("WAITING");
    run.at += hourMs;
    expect(say(run, "cue:Resumed").said).toEqual([opened("sleep", { duration_ms: 60_000 })]);
    expect(dueIn(run, "waitOver")).toBe(60_000);
  });

  test("T5: a pause that is over when the wait is reached does not hold it", () => {
    const run = taskRun("wait for a time");
    say(run, "cue:Paused");
    say(run, "event:TaskExecutionStarted");
    say(run, "cue:Resumed");
    expect(say(run, "event:TaskWaitingStarted").said).toEqual([opened("sleep", { duration_ms: 60_000 })]);
  });

  test("T5: a held wait can be canceled, and runs over its total timeout", () => {
    const canceled = waiting("wait for an approval");
    say(canceled, "cue:Paused");
    expect(say(canceled, "command:TaskCancel").said.map(({ type }) => type)).toEqual([
      "result:CommandAck",
      "event:TaskExecutionCanceled",
      "cue:TaskEnded",
    ]);
    const over = waiting("wait for an approval");
    say(over, "cue:Paused");
    expect(delaysOf(over)).toEqual(["totalTimeout"]);
    expect(elapse(over, "totalTimeout").said.map(({ type }) => type)).toEqual([
      "event:TaskWaitingTimedOut",
      "cue:TaskEnded",
    ]);
  });

  test("the deadline of an attempt runs on in it, and a retry goes on", () => {
    const run = taskRun("agent");
    say(run, "event:TaskExecutionStarted");
    run.at += 1_000;
    say(run, "cue:Paused");
    expect(dueIn(run, "deadline")).toBe(34_000);
    expect(elapse(run, "deadline").said.map(({ type }) => type)).toContain("event:TaskRetryScheduled");
    say(run, "cue:Resumed");
    expect(contextOf(run).paused).toBe(false);
  });
});

describe("a wait until a time", () => {
  const at = (run: TaskRun, ms: number): object => ({ wait: { until: run.at + ms }, timeoutMs: null });
  const until = (ms: number, more: object = {}): TaskRun =>
    waiting("wait until a time", { ...at(taskRun("wait until a time"), ms), ...more });

  test("T9: ends with nothing when its time has come, at once if that has passed", () => {
    const run = until(30_020);
    expect(dueIn(run, "waitOver")).toBe(30_000);
    expect(elapse(run, "waitOver").said).toMatchObject([
      { type: "cue:WaitClosed" },
      { type: "event:TaskWaitingEnded" },
    ]);
    expect(dueIn(until(0), "waitOver")).toBe(0);
  });

  test("T9: times out where its timeout comes first", () => {
    const { said } = elapse(until(30_020, { timeoutMs: 10_000 }), "waitOver");
    expect(said).toMatchObject([
      { type: "cue:WaitClosed" },
      { type: "event:TaskWaitingTimedOut" },
      { type: "cue:TaskEnded" },
    ]);
  });

  test("T13: a pause does not move it", () => {
    const run = until(30_020);
    run.at += 10_000;
    say(run, "cue:Paused");
    run.at += 15_000;
    say(run, "cue:Resumed");
    expect(dueIn(run, "waitOver")).toBe(5_000);
    say(run, "cue:Paused");
    run.at += 60_000;
    say(run, "cue:Resumed");
    expect(dueIn(run, "waitOver")).toBe(0);
  });

  test("T9: a wait for some time that takes longer than its timeout times out", () => {
    const run = waiting("wait for a time", { timeoutMs: 1_000 });
    expect(elapse(run, "waitOver").said).toContainEqual(expect.objectContaining({ type: "event:TaskWaitingTimedOut" }));
  });
});
