// How executions stand follows from what was said of them, and from nothing else.
//
// Method: messages are recorded one after the other on a run without charts, rows and dispositions compared.

import { describe, expect, test } from "vitest";
import type { Word } from "../../src/actors/component.ts";
import { newRun, type Run } from "../../src/actors/run.ts";
import { recordEvent, rowOf } from "../../src/actors/state-manager.ts";

const workflow = { id: "w", exec_id: "01a0c450-6c00-7553-aa0b-000000000001" };
const task = { id: "t", exec_id: "01a0c450-6c00-7553-aa0b-000000000002" };
const error = { code: "TOOL_FAILED", message: "no luck", details: {} };

const order = { type: "command:WorkflowExecute", workflow, payload: { context: { input: {}, trigger_type: "api" } } };
const ofWorkflow = (type: string, status: string, more: object = {}): object => ({
  type: `event:WorkflowExecution${type}`,
  workflow,
  payload: { status, result: null, context: {}, ...more },
});
const ofTask = (type: string, status: string, attempt: number, more: object = {}): object => ({
  type: `event:Task${type}`,
  workflow,
  task,
  payload: { status, result: null, context: { attempt }, ...more },
});

/** A run, and what recording each of these made of it, a second apart. */
function told(...words: object[]): { run: Run; dispositions: string[]; undo: (() => void)[]; changed: Set<string> } {
  const run = newRun(workflow.exec_id, "corr");
  const undo: (() => void)[] = [];
  const changed = new Set<string>();
  const dispositions = words.map((word, index) =>
    recordEvent(run, { id: `m${index}`, word: word as Word }, index * 1_000, changed, undo),
  );
  return { run, dispositions, undo, changed };
}

const lived = [
  order,
  ofWorkflow("Started", "RUNNING"),
  ofTask("Scheduled", "PENDING", 1),
  ofTask("ExecutionStarted", "RUNNING", 1),
  ofTask("ExecutionFailed", "FAILED", 1, { result: { error } }),
  ofTask("RetryScheduled", "PENDING", 2),
  ofTask("ExecutionStarted", "RUNNING", 2),
  ofTask("ExecutionSuccess", "SUCCESS", 2, { result: { output: { ok: true } } }),
  ofWorkflow("Success", "SUCCESS", { result: { output: { ok: true } } }),
];

const rows = (run: Run) => [...run.executions.values()].map((one) => rowOf(run, one));

describe("rows", () => {
  test("M1: follow from the messages alone: the same again gives the same rows", () => {
    expect(rows(told(...lived).run)).toEqual(rows(told(...structuredClone(lived)).run));
  });

  test("M1: say what each execution has come to", () => {
    const { run, dispositions, changed } = told(...lived);
    expect(dispositions).toEqual(lived.map(() => "applied"));
    expect(changed).toEqual(new Set([workflow.exec_id, task.exec_id]));
    const [first, second] = rows(run);
    expect(first).toMatchObject({
      entity: "workflow",
      status: "SUCCESS",
      createdAt: 0,
      endedAt: 8_000,
      parent: null,
      text: `w ${workflow.exec_id}`,
    });
    expect(JSON.parse(first?.body ?? "")).toMatchObject({ startedAt: 1_000, result: { output: { ok: true } } });
    expect(second).toMatchObject({
      entity: "task",
      status: "SUCCESS",
      attempt: 2,
      createdAt: 2_000,
      endedAt: 7_000,
      errorCode: null,
      parent: workflow.exec_id,
    });
    // The result of a task stands in the log; its row need not carry it.
    expect(JSON.parse(second?.body ?? "")).toMatchObject({ startedAt: 3_000, result: null });
  });

  test("M1: show an error until a retry, and find by it", () => {
    const failed = rows(told(...lived.slice(0, 5)).run)[1];
    expect(failed).toMatchObject({ status: "FAILED", errorCode: "TOOL_FAILED", endedAt: 4_000 });
    expect(failed?.text).toContain("no luck");
    expect(rows(told(...lived.slice(0, 6)).run)[1]).toMatchObject({
      status: "PENDING",
      errorCode: null,
      endedAt: null,
    });
  });

  test("M1: labels are the root's", () => {
    const { run } = told(...lived);
    run.facts.labels = { team: "red" };
    const [first, second] = rows(run);
    expect(first).toMatchObject({ labels: { team: "red" } });
    expect(first?.text).toContain("team red");
    expect(second?.labels).toBeNull();
  });

  test("M2: an event that may not follow moves nothing, and says what it is", () => {
    const before = rows(told(...lived).run);
    const { run, dispositions } = told(
      ...lived,
      ofTask("ExecutionSuccess", "SUCCESS", 2),
      ofTask("ExecutionFailed", "FAILED", 1),
      ofTask("ExecutionFailed", "FAILED", 2),
      ofWorkflow("Started", "RUNNING"),
    );
    expect(dispositions.slice(lived.length)).toEqual(["duplicate", "duplicate", "late", "late"]);
    expect(rows(run)).toEqual(before);
  });

  test("M2: what came too late is a duplicate when it comes again", () => {
    const late = ofTask("ExecutionFailed", "FAILED", 2);
    const { run, dispositions } = told(...lived, late, { ...late });
    expect(dispositions.slice(lived.length)).toEqual(["late", "duplicate"]);
    expect(rows(run)).toEqual(rows(told(...lived).run));
  });

  test("M2: an event that nothing leads to is illegal", () => {
    const { run, dispositions } = told(order, ofWorkflow("Started", "RUNNING"), ofWorkflow("Resumed", "RUNNING"));
    expect(dispositions).toEqual(["applied", "applied", "illegal"]);
    expect(rows(run)[0]).toMatchObject({ status: "RUNNING", endedAt: null });
  });

  test("M2: what is of another run, or moves nothing, makes no row here", () => {
    const other = { id: "o", exec_id: "01a0c450-6c00-7553-aa0b-000000000009" };
    const foreign = { ...ofWorkflow("Started", "RUNNING"), workflow: other };
    const { run, dispositions } = told(
      foreign,
      { ...order, workflow: other },
      { type: "command:WorkflowCancel", workflow },
    );
    expect(dispositions).toEqual(["applied", "applied", "applied"]);
    expect(run.executions.size).toBe(0);
  });

  test("M2: what was recorded is taken back when the step fails", () => {
    const { run, undo } = told(...lived);
    for (const back of undo.toReversed()) back();
    expect(run.executions.size).toBe(0);
  });
});
