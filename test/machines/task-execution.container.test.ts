// Goal: a container begins its tasks in their lanes, ends with its strategy's verdict, and leaves nothing behind.
// Method: examples of the rows of the task table as a container goes through them, message for message.

import { describe, expect, test } from "vitest";
import { crash, elapse, hear, say, snapshotOf, statusOf } from "../kit/chart-model.ts";
import {
  ack,
  begun,
  completed,
  contextOf,
  declined,
  delaysOf,
  dueIn,
  error,
  exec_id,
  failed,
} from "../kit/task-runs.ts";
import {
  once,
  placeOf,
  started,
  taskEnded,
  type TaskRun,
  taskRun,
  twice,
  typesOf,
  workflow,
} from "../kit/task-runs.ts";

const begin = (run: TaskRun, id: string, branch: string, nth = 1) => ({
  type: "cue:BeginTask",
  task: begun(run, id, nth),
  lane: branch === "left" ? 0 : 1,
  place: { parent_exec_id: exec_id, branch },
});
const parentEnded = (task: object, id: string) => ({
  type: "cue:ParentEnded",
  task,
  cause: "parent_ended",
  reason: `${id} has ended`,
});

describe("a container", () => {
  test("T4: it is scheduled, begins at once and begins its branches in their places", () => {
    const run = taskRun("parallel, fail_fast");
    const said = run.moments[0]?.said ?? [];
    expect(typesOf(said)).toEqual([
      "event:TaskScheduled",
      "event:TaskExecutionStarted",
      "cue:BeginTask",
      "cue:BeginTask",
    ]);
    expect(said.slice(1)).toEqual([started("pair"), begin(run, "a", "left"), begin(run, "c", "right", 2)]);
    expect(statusOf(run)).toBe("RUNNING");
    expect(delaysOf(run)).toEqual(["deadline"]);
    expect(dueIn(run, "deadline")).toBe(30_000);
  });

  test("T4: one without a timeout has no deadline, and says 0 where an order says how long", () => {
    const run = taskRun("parallel, race", { totalTimeoutMs: null });
    expect(delaysOf(run)).toEqual([]);
    expect(run.moments[0]?.said[0]).toMatchObject({
      payload: { context: { timeout_config: { timeout_duration_ms: 0 } } },
    });
  });

  test("T4: lanes without names are told apart by their number", () => {
    const blocks = [[{ id: "item" }]];
    const lanes = [{ block: 0 }, { block: 0 }];
    const run = taskRun("parallel, race", { graph: { strategy: "all", width: 2, stepsMax: 1, blocks, lanes } });
    const places = run.moments[0]?.said.slice(2).map(({ place }) => place);
    expect(places).toEqual([
      { parent_exec_id: exec_id, index: 0 },
      { parent_exec_id: exec_id, index: 1 },
    ]);
  });

  test("T6: without lanes it is done as soon as it has begun", () => {
    const graph = { strategy: "all", width: 1, stepsMax: 1, blocks: [], lanes: [] } as const;
    const run = taskRun("parallel, race", { graph: { ...graph, blocks: [], lanes: [] } });
    const output = { results: [], errors: [] };
    expect(run.moments[0]?.said.slice(1)).toEqual([
      started("contest"),
      completed("contest", output),
      taskEnded("contest", "SUCCESS", { output }),
    ]);
    expect(snapshotOf(run).status).toBe("done");
  });

  test("T6: a race is won by the first that succeeds, and the loser is told to end", () => {
    const run = taskRun("parallel, race");
    const loser = begun(run, "c", 2);
    run.at += 50;
    const output = { winner: "left", result: { by: "a" } };
    expect(say(run, "cue:TaskEnded (a SUCCESS)").said).toEqual([
      completed("contest", output, 50),
      parentEnded(loser, "contest"),
      taskEnded("contest", "SUCCESS", { output }),
    ]);
    expect(snapshotOf(run).status).toBe("done");
  });

  test("T7: with fail_fast the first failure ends the rest and fails the container", () => {
    const run = taskRun("parallel, fail_fast", { retry: once });
    const [first, rest] = [begun(run, "a"), begun(run, "c", 2)];
    run.at += 50;
    const { said } = say(run, "cue:TaskEnded (a FAILED)");
    const result = error("CHILD_FAILED", "1 of 2 failed", {
      failed: [{ lane: "left", task: "a", exec_id: first.exec_id, code: "TOOL_ERROR" }],
      cause_code: "TOOL_ERROR",
    });
    expect(said).toEqual([
      failed("pair", result, once, 50),
      parentEnded(rest, "pair"),
      taskEnded("pair", "FAILED", result),
    ]);
  });

  test("T14: it is tried again after its delay, which it keeps itself, and begins with new children", () => {
    const run = taskRun("parallel, fail_fast", { retry: { ...twice, retry_on: ["CHILD_FAILED"] } });
    const first = begun(run, "a");
    const { said } = say(run, "cue:TaskEnded (c FAILED)");
    expect(typesOf(said)).toEqual(["event:TaskExecutionFailed", "cue:ParentEnded", "event:TaskRetryScheduled"]);
    expect(said[2]).toMatchObject({ payload: { status: "PENDING", context: { attempt: 2, delay_ms: 1_000 } } });
    expect(statusOf(run)).toBe("PENDING");
    expect(delaysOf(run)).toEqual(["retryDelay"]);
    expect(dueIn(run, "retryDelay")).toBe(1_000);
    const again = elapse(run, "retryDelay");
    expect(again.said).toEqual([started("pair", 2), begin(run, "a", "left"), begin(run, "c", "right", 2)]);
    const late = { type: "cue:TaskEnded", task: first, lane: 0, status: "SUCCESS", result: { output: {} } };
    expect(hear(run, late).heard).toBe("ignored");
    expect(dueIn(run, "deadline")).toBe(30_000);
  });

  test("T8: past its deadline it has timed out, its children are told to end, and no executor hears of it", () => {
    const run = taskRun("parallel, race", { timeoutMs: 2_000 });
    const children = [begun(run, "a"), begun(run, "c", 2)];
    const result = error("TASK_TIMEOUT", "the task ran over its time");
    const timeout_config = { timeout_duration_ms: 2_000, timeout_policy: "FAIL_TASK" };
    expect(elapse(run, "deadline").said).toEqual([
      {
        type: "event:TaskExecutionTimedOut",
        workflow,
        task: { id: "contest", exec_id },
        payload: {
          status: "TIMED_OUT",
          duration_ms: 2_000,
          result,
          context: { attempt: 1, timeout_config, retry_policy: once },
        },
      },
      ...children.map((child) => parentEnded(child, "contest")),
      taskEnded("contest", "TIMED_OUT", result),
    ]);
    expect(snapshotOf(run).status).toBe("done");
  });

  test("T12: canceled, it ends at once and its children with it", () => {
    const run = taskRun("parallel, race");
    const children = [begun(run, "a"), begun(run, "c", 2)];
    expect(say(run, "command:TaskCancel").said).toEqual([
      ack(),
      {
        type: "event:TaskExecutionCanceled",
        workflow,
        task: { id: "contest", exec_id },
        payload: { status: "CANCELED", result: null, context: { attempt: 1, reason: "stop" } },
      },
      ...children.map((child) => parentEnded(child, "contest")),
      taskEnded("contest", "CANCELED", null),
    ]);
  });

  test("T12: canceled between two attempts, it begins nothing more", () => {
    const run = taskRun("parallel, fail_fast");
    elapse(run, "deadline");
    expect(placeOf(run)).toBe("resting");
    expect(say(run, "command:TaskResume").said).toEqual([declined("PENDING")]);
    expect(say(run, "event:TaskExecutionStarted").heard).toBe("ignored");
    expect(typesOf(say(run, "cue:ParentEnded").said)).toEqual(["event:TaskExecutionCanceled", "cue:TaskEnded"]);
    expect(snapshotOf(run).status).toBe("done");
  });

  test("T15: it cannot be resumed", () => {
    expect(say(taskRun("parallel, race"), "command:TaskResume").said).toEqual([declined("RUNNING")]);
  });

  test("it hears only of its own children", () => {
    const run = taskRun("parallel, race");
    expect(say(run, "cue:TaskEnded (not mine)").heard).toBe("ignored");
    const lane = {
      type: "cue:TaskEnded",
      task: begun(run, "c", 2),
      lane: 0,
      status: "SUCCESS",
      result: { output: {} },
    };
    expect(hear(run, lane).heard).toBe("ignored");
    expect(say(run, "event:TaskExecutionSuccess").heard).toBe("ignored");
  });

  test("in a pause it begins nothing, tells its children, and goes on where it stood", () => {
    const run = taskRun("parallel, fail_fast");
    const [a, c] = [begun(run, "a"), begun(run, "c", 2)];
    expect(say(run, "cue:Paused").said).toEqual([a, c].map((task) => ({ type: "cue:Paused", task })));
    expect(say(run, "cue:TaskEnded (a SUCCESS)").said).toEqual([]);
    crash(run);
    const { said } = say(run, "cue:Resumed");
    expect(said).toEqual([
      { type: "cue:Resumed", task: c },
      { type: "cue:PauseWanted", reason: "look first" },
    ]);
    say(run, "cue:Paused");
    const resumed = say(run, "cue:Resumed");
    // Who begins now was never told of the pause.
    expect(resumed.said).toEqual([{ type: "cue:Resumed", task: c }, begin(run, "b", "left")]);
  });

  test("what a child wants of the run is passed on", () => {
    const run = taskRun("parallel, race");
    expect(say(run, "cue:PauseWanted").said).toEqual([{ type: "cue:PauseWanted", reason: "look first" }]);
    const stepLimit = { code: "STEP_LIMIT", message: "went round too often", details: {} };
    expect(say(run, "cue:Broken").said).toEqual([{ type: "cue:Broken", error: stepLimit }]);
    expect(placeOf(run)).toBe("control.walking");
  });

  test("W8: a plan that went round too often breaks the whole run, which then ends it", () => {
    const run = taskRun("parallel, race");
    say(run, "cue:TaskEnded (c SUCCESS)");
    const { said } = say(run, "cue:TaskEnded (c SUCCESS)");
    expect(said).toEqual([
      {
        type: "cue:Broken",
        error: {
          code: "STEP_LIMIT",
          message: "task 'c' ran 2 times, more is not allowed",
          details: { task: "c", max_steps: 2 },
        },
      },
    ]);
    expect(statusOf(run)).toBe("RUNNING");
    expect(say(run, "cue:TaskEnded (a SUCCESS)").heard).toBe("ignored");
    expect(typesOf(say(run, "cue:ParentEnded").said)).toEqual([
      "event:TaskExecutionCanceled",
      "cue:ParentEnded",
      "cue:TaskEnded",
    ]);
  });

  test("T7: after its total timeout it begins nothing, though the timer is late", () => {
    const run = taskRun("parallel, fail_fast", { totalTimeoutMs: 10_000 });
    run.at += 10_000;
    expect(say(run, "cue:TaskEnded (a SUCCESS)")).toMatchObject({ heard: "taken", said: [] });
    expect(typesOf(elapse(run, "totalTimeout").said)).toEqual([
      "event:TaskExecutionTimedOut",
      "cue:ParentEnded",
      "cue:TaskEnded",
    ]);
  });
});

describe("a container that is run by itself", () => {
  test("goes on where a run would pause, for there is none to be resumed", () => {
    const run = taskRun("direct parallel");
    expect(typesOf(say(run, "cue:TaskEnded (a SUCCESS)").said)).toEqual(["cue:BeginTask"]);
    const [b, c] = [begun(run, "b"), contextOf(run).plan?.lanes[1]];
    const open = c?.is === "open" ? c.task : undefined;
    expect(say(run, "cue:PauseWanted").said).toEqual([
      { type: "cue:Resumed", task: b },
      { type: "cue:Resumed", task: open },
    ]);
  });

  test("fails when a run would break, for there is none to fail", () => {
    const broken = taskRun("direct parallel");
    const { said } = say(broken, "cue:Broken");
    expect(typesOf(said)).toEqual(["event:TaskExecutionFailed", "cue:ParentEnded", "cue:ParentEnded"]);
    expect(said[0]).toMatchObject({ payload: { result: error("STEP_LIMIT", "went round too often") } });
    const circle = taskRun("direct parallel");
    say(circle, "cue:TaskEnded (c SUCCESS)");
    const [end] = say(circle, "cue:TaskEnded (c SUCCESS)").said;
    expect(end).toMatchObject({
      type: "event:TaskExecutionFailed",
      payload: { result: { error: { code: "STEP_LIMIT" } } },
    });
    expect(contextOf(circle).result).toEqual({ error: expect.objectContaining({ code: "STEP_LIMIT" }) });
    expect(snapshotOf(circle).status).toBe("done");
  });
});
