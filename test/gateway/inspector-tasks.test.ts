// Goal: the drawing of a workflow shows, at every step of a run, a state that it has, with the open tasks in it.
// Method: a company of workflows of every kind is played in virtual time, and crashes; XState says what is a state.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createMachine } from "xstate";
import { openTaskChart, type TaskChart, type Value } from "../../src/gateway/inspector-tasks.ts";
import { statechartOf } from "../../src/language/statechart.ts";
import { chartDefinitions, standingOf } from "../../src/machines/definition.ts";
import type { ChartStep } from "../../src/runtime/steps.ts";
import type { WorkflowSpec } from "../../src/language/spec.ts";
import { type Bed, company, makeBed, playThrough } from "../actors/recovery-bed.ts";

const withUndo: WorkflowSpec = {
  id: "undone",
  tasks: [
    { id: "book", type: "tool", tool: "look", undo: [{ id: "unbook", type: "agent", agent: "clerk" }], next: "fail" },
    { id: "fail", type: "agent", agent: "cynic" },
  ],
};
const workflows = [...company, withUndo];

const leaves = (value: Value, path: string[] = []): string[] =>
  typeof value === "string"
    ? [value]
    : Object.entries(value).flatMap(([key, inner]) => [key, ...leaves(inner, [...path, key])]);

/** What each run of a log looks like, step by step. */
async function* scenesOf(bed: Bed, { steps }: { steps: (run: string) => Promise<{ steps: ChartStep[] }> }) {
  for (const { run, entity, id, execId } of bed.disk.rows.values()) {
    const spec = workflows.find((one) => one.id === id);
    if (entity !== "workflow" || run !== execId || !spec) continue;
    const definition = statechartOf(spec);
    yield { definition, chart: openTaskChart(definition), steps: (await steps(run)).steps };
  }
}

function watch(
  chart: TaskChart,
  machine: ReturnType<typeof createMachine>,
  steps: readonly ChartStep[],
): [string, Value] {
  const open = new Map<string, string>();
  let last = "";
  for (const step of steps) {
    const change = chart.hear(step);
    const { task } = step.whole.context as { task?: { id: string } };
    if (step.machine === "taskExecution" && task) {
      if (step.status === "done") open.delete(step.exec_id);
      else open.set(step.exec_id, task.id);
    }
    // It throws for a state that the machine does not have.
    machine.resolveState({ value: chart.value() as never, context: {} });
    const lit = leaves(chart.value());
    if (change?.isOver) last = change.event.type;
    // A run that is canceled has ended before its tasks have.
    if (open.size > 0 && last === "") expect(lit.some((id) => [...open.values()].includes(id))).toBe(true);
  }
  const status = last.split(".")[1] ?? "";
  return [status, chart.value()];
}

describe("the drawing of a run", () => {
  test("IT1: has a value that is one of the drawn machine, whatever happens", async () => {
    const starts = fc.array(fc.constantFrom(...workflows.map(({ id }) => id)), { minLength: 1, maxLength: 4 });
    const deaths = fc.array(fc.record({ append: fc.integer({ min: 2, max: 25 }), isWritten: fc.boolean() }), {
      maxLength: 1,
    });
    await fc.assert(
      fc.asyncProperty(starts, deaths, fc.integer({ min: 1, max: 9_999 }), async (some, dying, seed) => {
        const bed = makeBed({ seed, workflows });
        const { troupe } = await playThrough(bed, some, dying);
        const read = { steps: (run: string) => troupe.steps(run, { limit: 10_000 }) };
        for await (const { definition, chart, steps } of scenesOf(bed, read)) {
          const [status, value] = watch(chart, createMachine(definition as never), steps);
          expect(value).toBe(`$${status}`);
        }
      }),
      { numRuns: 12 },
    );
  });

  test("IT2: shows the open task, in each branch, and at the end how it ended", () => {
    const spec: WorkflowSpec = {
      id: "two",
      tasks: [
        { id: "a", type: "agent", agent: "x", next: "both" },
        {
          id: "both",
          type: "parallel",
          branches: { left: [{ id: "l", type: "agent", agent: "x" }], right: [{ id: "r", type: "agent", agent: "x" }] },
        },
      ],
    };
    const chart = openTaskChart(statechartOf(spec));
    const seen: unknown[] = [chart.value()];
    const story = "a RUNNING, a SUCCESS, both RUNNING, l RUNNING, r RUNNING, l FAILED, r SUCCESS, both SUCCESS";
    for (const [id = "", status = ""] of story.split(", ").map((told) => told.split(" "))) {
      chart.hear(taskStep(id, status));
      seen.push(chart.value());
    }
    expect(seen).toEqual([
      "a",
      "a",
      "a",
      { both: { left: "l", right: "r" } },
      { both: { left: "l", right: "r" } },
      { both: { left: "l", right: "r" } },
      { both: { left: "l", right: "r" } },
      { both: { left: "l", right: "$SUCCESS" } },
      "$SUCCESS",
    ]);
    expect(chart.context()).toMatchObject({ tasks: { l: { status: "FAILED", open: 0, runs: 1 } } });
  });

  test("IT2: shows of many executions of a task that they are open, and how many", () => {
    const spec: WorkflowSpec = {
      id: "each",
      tasks: [
        {
          id: "e",
          type: "each",
          items: "${{ [1, 2] }}",
          do: [
            { id: "first", type: "agent", agent: "x", next: "second" },
            { id: "second", type: "agent", agent: "x" },
          ],
        },
      ],
    };
    const chart = openTaskChart(statechartOf(spec));
    chart.hear(taskStep("e", "RUNNING"));
    chart.hear(taskStep("first", "RUNNING", "1"));
    chart.hear(taskStep("first", "RUNNING", "2"));
    chart.hear(taskStep("first", "SUCCESS", "1"));
    expect(chart.value()).toEqual({ e: "first" });
    expect(chart.context()).toMatchObject({ tasks: { first: { open: 1, runs: 2 } } });
    chart.hear(taskStep("second", "RUNNING", "3"));
    expect(chart.value()).toEqual({ e: "second" });
    chart.hear(taskStep("second", "SUCCESS", "3"));
    expect(chart.value()).toEqual({ e: "first" });
  });
});

/** A step of a task to whichever state of its chart stands for a status. */
function taskStep(id: string, status: string, execId = id): ChartStep {
  const isOver = ["SUCCESS", "FAILED"].includes(status);
  const life = { SUCCESS: "succeeded", FAILED: "failed" }[status] ?? { worker: "lively" };
  const value = { life, calls: "calm" };
  const chart = chartDefinitions.get("taskExecution");
  if (!chart || standingOf(chart, value).status !== status) throw new Error(`that is not ${status}`);
  return {
    line: 1,
    seq: 1,
    at: 1,
    address: `task/${execId}`,
    machine: "taskExecution",
    exec_id: execId,
    parent: null,
    event: { type: "x" },
    value,
    status: isOver ? "done" : "active",
    is_new: false,
    whole: { event: {}, context: { task: { id, exec_id: execId } }, from: null },
  };
}
