// Goal: how a workflow execution answers cancels, signals and commands that come twice or out of turn.
// Method: examples, row by row of the protocol's table; the answers after the end are in answers.test.ts.

import { describe, expect, test } from "vitest";
import { idOf } from "../../src/testing/part.ts";
import { workflowExecutionPart as part } from "../../src/testing/parts/workflow-execution.ts";
import { begin, hear, say, statusOf } from "../kit/chart-model.ts";
import {
  ack,
  canceled,
  contextOf,
  decide,
  me,
  notWhile,
  parentEnded,
  pausedRun,
  refusal,
  running,
  to,
  workflow,
  type Chart,
  type Input,
} from "../kit/workflow-words.ts";

describe("W10: it is canceled", () => {
  const told = parentEnded(decide, "the workflow was canceled");

  test.each([
    ["PENDING", () => begin(part, "run"), []],
    ["RUNNING", running, [told]],
    ["PAUSED", pausedRun, [told]],
  ])("while %s, by whom and why", (status, makeRun, tasks) => {
    const run = makeRun();
    expect(statusOf(run)).toBe(status);
    expect(say(run, "command:WorkflowCancel").said).toEqual([ack(), canceled("stop", "ann"), ...tasks]);
    expect(statusOf(run)).toBe("CANCELED");
  });

  test("by the concurrency rule, also before it begins", () => {
    const reason = "a newer run takes its place";
    expect(say(begin(part, "run"), "cue:Displaced").said).toEqual([canceled(reason, me)]);
    expect(say(running(), "cue:Displaced").said).toEqual([canceled(reason, me), told]);
  });
});

describe("W11: a signal", () => {
  const wake = (of: string, exec_id: string, payload: unknown) => ({
    type: "cue:Wake",
    task: { id: of, exec_id },
    resume_data: { name: "go", payload },
  });
  const signal = (name: string, payload: unknown = null) => ({
    type: "command:WorkflowSignal",
    workflow,
    payload: { reply_to_subject: to, context: { signal: { name, payload } } },
  });

  test("wakes the oldest wait for its name", () => {
    const run = running("run with waits");
    say(run, "cue:WaitOpened (second)");
    say(run, "cue:WaitOpened (first)");
    expect(say(run, "command:WorkflowSignal (go)").said).toEqual([ack(), wake("second", idOf(22), { n: 0 })]);
    expect(hear(run, signal("stop")).said).toEqual([ack()]);
    expect(hear(run, signal("go")).said).toEqual([ack(), wake("first", idOf(21), null)]);
  });

  test("wakes only a wait whose match allows it, and else is kept", () => {
    const run = running("run with waits");
    say(run, "cue:WaitOpened (first)");
    expect(say(run, "command:WorkflowSignal (go, fits the second)").said).toEqual([ack()]);
    expect(say(run, "cue:WaitOpened (second)").said).toEqual([wake("second", idOf(22), { n: 0 })]);
    expect(contextOf(run)).toMatchObject({ signals: [], woken: [idOf(22)], waiters: [{ signal: "go" }] });
  });

  test("that came early is taken by the next wait, the oldest first or the one that fits", () => {
    const run = running("run with waits");
    say(run, "command:WorkflowSignal (go)");
    say(run, "command:WorkflowSignal (go)");
    expect(say(run, "cue:WaitOpened (approval)").heard).toBe("ignored");
    expect(say(run, "cue:WaitOpened (first, fits the newest)").said).toEqual([wake("first", idOf(21), { n: 1 })]);
    expect(say(run, "cue:WaitOpened (second)").said).toEqual([wake("second", idOf(22), { n: 0 })]);
  });

  test("is kept for a wait of its own name alone", () => {
    const run = running("run with waits");
    hear(run, signal("stop"));
    expect(say(run, "cue:WaitOpened (first)").said).toEqual([]);
    expect(say(run, "command:WorkflowSignal (go)").said[1]).toMatchObject({ type: "cue:Wake", task: { id: "first" } });
  });

  test("does not wake a wait that was closed, and still wakes the others", () => {
    const run = running("run with waits");
    say(run, "cue:WaitOpened (first)");
    say(run, "cue:WaitOpened (second)");
    say(run, "cue:WaitClosed (first)");
    expect(say(run, "command:WorkflowSignal (go)").said[1]).toMatchObject({ type: "cue:Wake", task: { id: "second" } });
    expect(say(run, "command:WorkflowSignal (go)").said).toEqual([ack()]);
  });

  test("wakes a wait once, however often that says that it has begun", () => {
    const run = running("run with waits");
    say(run, "cue:WaitOpened (first)");
    expect(say(run, "cue:WaitOpened (first)").heard).toBe("ignored");
    expect(say(run, "command:WorkflowSignal (go)").said).toHaveLength(2);
    say(run, "command:WorkflowSignal (go)");
    expect(say(run, "cue:WaitOpened (first)").heard).toBe("ignored");
    expect(say(run, "cue:WaitOpened (second)").said).toHaveLength(1);
    expect(contextOf(run)).toMatchObject({ signals: [], waiters: [], woken: [idOf(21), idOf(22)] });
  });

  test("is declined where its host keeps fewer", () => {
    const run = running();
    say(run, "command:WorkflowSignal (stop)");
    const full = "1 signals of this name already wait to be heard";
    const refused = refusal("INVALID_STATE", full, { status: "RUNNING", signals_max: 1 });
    expect(say(run, "command:WorkflowSignal (stop)").said).toEqual([refused]);
  });

  test("of one name is kept a hundred times, and no more", () => {
    const { signalsMax: _, ...unlimited } = part.inputs["run"] as Input;
    const run = begin<Chart>({ ...part, inputs: { unlimited } }, "unlimited");
    say(run, "cue:SlotGranted");
    for (let n = 1; n <= 100; n++) expect(hear(run, signal("go", n)).said).toEqual([ack()]);
    const full = "100 signals of this name already wait to be heard";
    const refused = (status: string) => refusal("INVALID_STATE", full, { status, signals_max: 100 });
    expect(hear(run, signal("go", 101)).said).toEqual([refused("RUNNING")]);
    expect(hear(run, signal("stop")).said).toEqual([ack()]);
    say(run, "command:WorkflowPause");
    expect(hear(run, signal("go", 102)).said).toEqual([refused("PAUSED")]);
    expect(contextOf(run).signals).toHaveLength(101);
  });

  test("is kept for a thousand names, and no more", () => {
    const run = running("run with waits");
    for (let n = 1; n <= 1_000; n++) expect(hear(run, signal(`name ${n}`)).said).toEqual([ack()]);
    const full = "signals of 1000 other names already wait to be heard";
    const refused = (status: string) => refusal("INVALID_STATE", full, { status, signal_names_max: 1_000 });
    expect(hear(run, signal("go")).said).toEqual([refused("RUNNING")]);
    expect(hear(run, signal("name 1")).said).toEqual([ack()]);
    say(run, "command:WorkflowPause");
    expect(hear(run, signal("go")).said).toEqual([refused("PAUSED")]);
    say(run, "command:WorkflowResume");
    say(run, "cue:WaitOpened (first)");
    expect(hear(run, signal("go")).said).toHaveLength(2);
    expect(contextOf(run).signals).toHaveLength(1_001);
  });
});

describe.each([
  ["PENDING", () => begin(part, "run")],
  ["RUNNING", running],
  ["PAUSED", pausedRun],
])("while %s", (status, makeRun) => {
  test("W12: the same order again is acknowledged as a duplicate, another one is in conflict", () => {
    const run = makeRun();
    expect(say(run, "command:WorkflowExecute (again)").said).toEqual([ack({ duplicate: true })]);
    const conflict = refusal("EXEC_ID_CONFLICT", `execution '${workflow.exec_id}' has other content`, {});
    expect(say(run, "command:WorkflowExecute (other input)").said).toEqual([conflict]);
    expect(statusOf(run)).toBe(status);
  });
});

test("W13: a second pause changes nothing, and says so", () => {
  expect(say(pausedRun(), "command:WorkflowPause").said).toEqual([ack({ no_change: true })]);
});

test.each([
  ["PENDING", "command:WorkflowPause", () => begin(part, "run")],
  ["PENDING", "command:WorkflowResume", () => begin(part, "run")],
  ["PENDING", "command:WorkflowSignal (stop)", () => begin(part, "run")],
  ["RUNNING", "command:WorkflowResume", running],
])("W14: in %s a %s is declined", (status, command, makeRun) => {
  const run = makeRun();
  expect(say(run, command).said).toEqual([notWhile(status)]);
  expect(statusOf(run)).toBe(status);
});
