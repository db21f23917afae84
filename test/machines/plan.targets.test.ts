// Goal: a graph whose ways lead nowhere ends its plan with an error, and the task or run that walks it.
// Method: examples of each way a target is named, in the plan and in the two charts that have one.

import { describe, expect, test } from "vitest";
import { fault } from "../../src/machines/cues.ts";
import { type Graph, linear, openPlan, type Step, take } from "../../src/machines/plan.ts";
import { say, statusOf } from "../kit/chart-model.ts";
import { seedOf, Walk } from "../kit/plan-walk.ts";
import { exec_id, placeOf, taskRun, typesOf } from "../kit/task-runs.ts";
import { beginning, failed } from "../kit/workflow-words.ts";

const nowhere = (task: string, target: string) =>
  fault("VALIDATION_FAILED", `task '${task}' leads to '${target}', which its block does not have`, { task, target });

const branches = (...blocks: Step[][]): Graph => ({
  strategy: "best_effort",
  width: 9,
  stepsMax: 3,
  blocks,
  lanes: blocks.map((_, block) => ({ block })),
});

describe("P8: a target that its block does not have", () => {
  test.each<[what: string, broken: Step]>([
    ["next", { id: "b", next: "gone" }],
    ["one way of on_error", { id: "b", on_error: [{ codes: ["TOOL_ERROR"], next: "a" }, { next: "gone" }] }],
  ])("ends the plan before anything begins, as %s", (_, broken) => {
    const graph = linear([{ id: "a", next: "b" }, broken]);
    const plan = openPlan(graph);
    expect(plan.verdict).toEqual(nowhere("b", "gone"));
    expect(take(graph, plan, seedOf(1)).begin).toEqual([]);
  });

  test("ends the plan also in a block of another lane, whose tasks are not its own", () => {
    expect(openPlan(branches([{ id: "a", next: "b" }, { id: "b" }], [{ id: "c", next: "b" }])).verdict).toEqual(
      nowhere("c", "b"),
    );
  });

  test("may be the task itself, or an earlier one", () => {
    const back = { id: "b", next: "b", on_error: [{ next: "a" }] };
    expect(openPlan(linear([{ id: "a", next: "b" }, back])).verdict).toBeNull();
  });

  test("ends the plan when a task chooses it, and the task that chose is over", () => {
    const walk = new Walk(branches([{ id: "a" }], [{ id: "b" }])).ok("a", {}, { next: "b" });
    expect(walk.verdict).toEqual(nowhere("a", "b"));
    expect(walk.open).toEqual(["b"]);
    expect(walk.plan.open).toBe(1);
  });

  test("fails a workflow as soon as it has started", () => {
    const run = beginning({ graph: linear([{ id: "a", next: "gone" }]) });
    const { said } = say(run, "cue:SlotGranted");
    expect(typesOf(said)).toEqual(["event:WorkflowExecutionStarted", "event:WorkflowExecutionFailed"]);
    expect(said[1]).toEqual(failed(nowhere("a", "gone").error));
  });

  test("fails a container, which tells its parent and begins nothing", () => {
    const run = taskRun("parallel, fail_fast", { graph: branches([{ id: "a", next: "gone" }]) });
    expect(typesOf(run.moments[0]?.said ?? [])).toEqual([
      "event:TaskScheduled",
      "event:TaskExecutionStarted",
      "event:TaskExecutionFailed",
      "cue:TaskEnded",
    ]);
    const task = { id: "pair", exec_id };
    expect(run.moments[0]?.said[3]).toMatchObject({ task, status: "FAILED", result: nowhere("a", "gone") });
  });
});

test.each([
  ["a container without a graph", "parallel, fail_fast", { taskType: "parallel" }],
  ["an each without a graph", "route", { taskType: "each" }],
  ["a workflow task without a workflow", "route", { taskType: "workflow" }],
] as const)("T7: %s fails at once, for it would wait for nobody", (_, name, given) => {
  const run = taskRun(name, { ...given, graph: undefined as never });
  expect(statusOf(run)).toBe("FAILED");
  expect(placeOf(run)).toBe("failed");
  expect(run.moments[0]?.said.at(-2)).toMatchObject({
    type: "event:TaskExecutionFailed",
    payload: { result: { error: { code: "VALIDATION_FAILED" } } },
  });
});
