// Goal: what a workflow execution says, word for word, when it has something to undo or uses more than its budget.
// Method: examples; random histories of the same are in workflow-execution.search.test.ts.

import { describe, expect, test } from "vitest";
import { idAfter } from "../../src/protocol/ids.ts";
import { stampAt } from "../../src/testing/part.ts";
import { workflowExecutionPart as part } from "../../src/testing/parts/workflow-execution.ts";
import { begin, elapse, hear, type Run, say, statusOf } from "../kit/chart-model.ts";
import {
  ack,
  began,
  canceled,
  type Chart,
  contextOf,
  failed,
  notWhile,
  parentEnded,
  paused,
  running,
  typesOf,
} from "../kit/workflow-words.ts";

const wanted = (code: string, message: string, more: object = {}) => ({
  type: "cue:UndoWanted",
  error: { code, message, ...more },
});
const withUndo = (event: object & { payload: { context: object } }, undo: object) => ({
  ...event,
  payload: { ...event.payload, context: { ...event.payload.context, undo } },
});
/** The task that begins at this moment of a run. */
const begins = (run: Run<Chart>, id: string, lane: number, undoes: object) => ({
  type: "cue:BeginTask",
  task: { id, exec_id: idAfter(stampAt(run.at, run.count).seed, 1) },
  lane,
  undoes,
});
const [pay, decide] = (() => {
  const run = running("run with undo");
  say(run, "command:WorkflowCancel");
  say(run, "cue:UndoPlanned (two)");
  return contextOf(run).undo?.of ?? [];
})() as [object, object];

/** A run that is canceled with its first task at work. */
function unwinding(): Run<Chart> {
  const run = running("run with undo");
  say(run, "command:WorkflowCancel");
  return run;
}

describe("a run with something to undo", () => {
  test("tells its tasks to end, and asks what there is to undo before it says anything", () => {
    const run = running("run with undo");
    const first = { id: "decide", exec_id: idAfter(stampAt(began, 2).seed, 1) };
    const { said, to } = say(run, "command:WorkflowCancel");
    expect(said).toEqual([ack(), parentEnded(first, "the workflow was canceled"), wanted("WORKFLOW_CANCELED", "stop")]);
    expect([to, statusOf(run)]).toEqual(["unwinding", "RUNNING"]);
  });

  test("undoes one after the other, and then says what it had decided", () => {
    const run = unwinding();
    expect(say(run, "cue:UndoPlanned (two)").said).toEqual([begins(run, "refund", 0, pay)]);
    expect(say(run, "cue:TaskEnded (undo SUCCESS)").said).toEqual([begins(run, "recall", 1, decide)]);
    const undo = { done: 1, failed: [{ task: "decide", code: "TOOL_ERROR", message: "too late" }] };
    expect(say(run, "cue:TaskEnded (undo FAILED)").said).toEqual([withUndo(canceled("stop", "ann"), undo)]);
  });

  test("ends at once where there is nothing", () => {
    const { said, to } = say(unwinding(), "cue:UndoPlanned (nothing)");
    expect(said).toEqual([withUndo(canceled("stop", "ann"), { done: 0, failed: [] })]);
    expect(to).toBe("canceled");
  });

  test("fails with the error that it failed with, and tells the undo of it", () => {
    const run = running("run with undo");
    const moment = say(run, "cue:TaskEnded (FAILED TOOL_ERROR)");
    expect(typesOf(moment)).toEqual(["cue:UndoWanted"]);
    expect(moment.said[0]).toMatchObject(wanted("TASK_FAILED", "task 'decide' did not succeed: refused"));
    const { said } = say(run, "cue:UndoPlanned (nothing)");
    expect(said).toMatchObject([
      { type: "event:WorkflowExecutionFailed", payload: { result: { error: { code: "TASK_FAILED" } } } },
    ]);
  });

  test("canceled in a pause says first that it goes on", () => {
    const run = running("run with undo");
    say(run, "command:WorkflowPause");
    run.at += 5_000;
    const moment = say(run, "command:WorkflowCancel");
    expect(typesOf(moment)).toEqual([
      "result:CommandAck",
      "event:WorkflowExecutionResumed",
      "cue:ParentEnded",
      "cue:UndoWanted",
    ]);
    expect(moment.said[1]).toMatchObject({ payload: { duration_ms: 5_000, context: { resumed_by: "ann" } } });
  });

  test("is not changed by anybody meanwhile", () => {
    const undoing = unwinding();
    say(undoing, "cue:UndoPlanned (two)");
    for (const run of [unwinding(), undoing]) {
      expect(say(run, "command:WorkflowCancel").said).toEqual([ack({ no_change: true })]);
      expect(say(run, "command:WorkflowPause").said).toEqual([notWhile("RUNNING")]);
      expect(say(run, "command:WorkflowResume").said).toEqual([notWhile("RUNNING")]);
    }
  });

  test("tells a container that wants a pause to go on, and gives up one that cannot go on", () => {
    const run = unwinding();
    const [first] = say(run, "cue:UndoPlanned (two)").said as { task?: object }[];
    expect(hear(run, { type: "cue:PauseWanted", reason: "look" }).said).toEqual([
      { type: "cue:Resumed", task: first?.task },
    ]);
    const { said } = say(run, "cue:Broken");
    expect(said).toEqual([parentEnded(first?.task ?? {}, "no such field"), begins(run, "recall", 1, decide)]);
    const undo = { done: 1, failed: [{ task: "pay", code: "EXPRESSION_ERROR", message: "no such field" }] };
    expect(say(run, "cue:TaskEnded (undo SUCCESS)").said).toEqual([withUndo(canceled("stop", "ann"), undo)]);
  });

  test("has so much time for it, and says what it did not get to", () => {
    const run = unwinding();
    const [first] = say(run, "cue:UndoPlanned (two)").said as { task?: object }[];
    const { said, at } = elapse(run, "undoTimeout");
    expect(at - began).toBe(600_000);
    const undo = {
      done: 0,
      failed: [
        { task: "pay", code: "UNDO_TIMEOUT", message: "it was not undone in time" },
        { task: "decide", code: "UNDO_TIMEOUT", message: "there was no time left to undo it" },
      ],
    };
    expect(said).toEqual([
      withUndo(canceled("stop", "ann"), undo),
      parentEnded(first?.task ?? {}, "the workflow was canceled"),
    ]);
  });

  test("lists the first hundred that it could not undo", () => {
    const run = unwinding();
    const lanes = Array.from({ length: 120 }, () => ({ block: 0 }));
    const of = lanes.map(() => ({ id: "pay", exec_id: (pay as { exec_id: string }).exec_id }));
    const graph = { strategy: "best_effort", width: 1, stepsMax: 2, blocks: [[{ id: "refund" }]], lanes };
    hear(run, { type: "cue:UndoPlanned", graph, of });
    const [end] = elapse(run, "undoTimeout").said;
    expect(end?.payload?.context).toMatchObject({ undo: { done: 0, unlisted: 20 } });
    const { undo } = (end?.payload?.context ?? {}) as { undo?: { failed: object[] } };
    expect(undo?.failed).toHaveLength(100);
  });

  test("that was not begun ends at once", () => {
    const run = begin(part, "run with undo");
    expect(say(run, "command:WorkflowCancel").said).toEqual([ack(), canceled("stop", "ann")]);
  });
});

describe("a run with a budget", () => {
  const over = (budget: string, used: number, max: number, message: string) => ({
    code: "BUDGET_EXCEEDED",
    message,
    details: { budget, used, max },
  });
  const spent = (event: object & { payload: { context: object } }, usage: object) => ({
    ...event,
    payload: { ...event.payload, context: { ...event.payload.context, usage } },
  });

  test("may use all of it, and fails with what passes it", () => {
    const run = running("run with a budget to keep");
    expect(say(run, "cue:Used (6 tokens)").said).toEqual([]);
    hear(run, { type: "cue:Used", tokens: 0, cost: 0.4 });
    expect(contextOf(run).usage).toEqual({ tokens: 6, cost: 0.9 });
    const { said } = hear(run, { type: "cue:Used", tokens: 0, cost: 0.1 });
    const error = over("cost", 1, 0.9, "the run used 1 in cost, its budget allows 0.9");
    expect(said[0]).toEqual(spent(failed(error), { tokens: 6, cost: 1 }));
    expect(typesOf({ ...run.moments.at(-1), said } as never)).toEqual([
      "event:WorkflowExecutionFailed",
      "cue:ParentEnded",
    ]);
  });

  test("fails in a pause too, which is over then", () => {
    const run = running("run with a budget to keep");
    say(run, "command:WorkflowPause");
    const moment = hear(run, { type: "cue:Used", tokens: 0, cost: 2 });
    expect(typesOf(moment)).toEqual([
      "event:WorkflowExecutionResumed",
      "event:WorkflowExecutionFailed",
      "cue:ParentEnded",
    ]);
  });

  test("asks, goes on as it is told to, and asks again at the next report", () => {
    const run = running("run with a budget to ask about");
    say(run, "cue:Used (6 tokens)");
    const { said } = say(run, "cue:Used (6 tokens)");
    expect(said[0]).toEqual(paused("the run used 12 tokens, its budget allows 10", "workflow.Orchestrator"));
    expect(say(run, "command:WorkflowResume").to).toBe("running.walking");
    expect(say(run, "cue:Used (6 tokens)").to).toBe("paused");
    expect(say(run, "command:WorkflowResume (with more to spend)").to).toBe("running.walking");
    expect(hear(run, { type: "cue:Used", tokens: 60, cost: 0 }).to).toBe("running.walking");
    expect(contextOf(run).budget).toEqual({ tokens: 100, timeMs: 90_000, onLimit: "pause" });
  });

  test("asks when its time is over, of which a pause takes nothing, and then has what it was raised by", () => {
    const run = running("run with a budget to ask about");
    run.at += 10_000;
    say(run, "command:WorkflowPause");
    run.at += 3_600_000;
    say(run, "command:WorkflowResume");
    const first = elapse(run, "deadline");
    expect([first.to, run.at - began]).toEqual(["paused", 30_000 + 3_600_000]);
    expect(first.said[0]).toEqual(paused("the run used 30000 ms, its budget allows 30000", "workflow.Orchestrator"));
    say(run, "command:WorkflowResume (with more to spend)");
    // What is left of the workflow's own deadline comes first.
    expect(elapse(run, "deadline").to).toBe("timedOut");
  });
});
