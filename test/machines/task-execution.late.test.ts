// Goal: an executor that begins an attempt which was given up is told to stop, whatever the task is doing by then.
// Method: examples of each way an attempt ends before anybody took it, and of those that end otherwise.

import { describe, expect, test } from "vitest";
import { elapse, hear, say, statusOf } from "../kit/chart-model.ts";
import { exec_id, started, taskRun, type TaskRun, twice, workflow } from "../kit/task-runs.ts";

const begins = (run: TaskRun, attempt: number) =>
  hear(run, {
    type: "event:TaskExecutionStarted",
    workflow,
    task: { id: "task", exec_id },
    payload: { status: "RUNNING", result: null, context: { attempt } },
  });
const stop = (id: string, attempt: number, cause: string) => ({
  type: "command:TaskCancel",
  workflow,
  task: { id, exec_id },
  payload: {
    context: { attempt, cause, reason: "the attempt was over before it began", canceled_by: "workflow.Orchestrator" },
  },
});

describe("an executor that begins too late is told to stop", () => {
  test("T5: when nobody took the task in time", () => {
    const run = taskRun("tool, one attempt");
    elapse(run, "startTimeout");
    expect(begins(run, 1).said).toEqual([stop("lookup", 1, "timed_out")]);
    expect(begins(run, 1).said).toEqual([stop("lookup", 1, "timed_out")]);
    expect(statusOf(run)).toBe("TIMED_OUT");
  });

  test.each([
    ["command:TaskCancel", "requested"],
    ["cue:ParentEnded", "parent_ended"],
  ])("T12: when the task was ended before by a %s", (word, cause) => {
    const run = taskRun("tool, one attempt");
    say(run, word);
    expect(begins(run, 1).said).toEqual([stop("lookup", 1, cause)]);
    expect(statusOf(run)).toBe("CANCELED");
  });

  test("T14: when another attempt is awaited, or at work, and goes on", () => {
    const run = taskRun("agent", { startTimeoutMs: 20_000 });
    elapse(run, "startTimeout");
    expect(begins(run, 1).said).toEqual([stop("decide", 1, "timed_out")]);
    expect(statusOf(run)).toBe("PENDING");
    expect(begins(run, 2)).toMatchObject({ heard: "taken", said: [] });
    expect(statusOf(run)).toBe("RUNNING");
    // Long after the calls of the first attempt were given up.
    run.at += 20_000;
    expect(begins(run, 1).said).toEqual([stop("decide", 1, "timed_out")]);
    expect(begins(run, 2)).toMatchObject({ heard: "ignored", said: [] });
    expect(statusOf(run)).toBe("RUNNING");
  });

  test("T3: but not when it has reported its end, for its word came late or twice", () => {
    const run = taskRun("agent", { retry: twice });
    say(run, "event:TaskExecutionFailed (NOT_FOUND)");
    expect(begins(run, 1)).toMatchObject({ heard: "ignored", said: [] });
    expect(begins(run, 3)).toMatchObject({ heard: "ignored", said: [] });
    expect(statusOf(run)).toBe("PENDING");
  });

  test("T4: and nobody else is, where the orchestrator is the one that begins", () => {
    const run = taskRun("route");
    expect(run.moments[0]?.said[1]).toEqual(started("pick"));
    expect(begins(run, 1)).toMatchObject({ heard: "ignored", said: [] });
  });
});
