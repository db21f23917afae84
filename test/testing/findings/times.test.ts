// Goal: what is said to take so long at least does, and limits are complained about only where nothing else can be.
// Method: workflows of waits by chance are played, and none succeeds sooner; limits one by one.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { TaskSpec, WorkflowSpec } from "../../../src/language/spec.ts";
import { prepareCast } from "../../../src/testing/check/cast.ts";
import { play } from "../../../src/testing/check/play.ts";
import { contradictions, leastOf } from "../../../src/testing/findings/times.ts";

const none: ReadonlyMap<string, WorkflowSpec> = new Map();
const chained = (tasks: TaskSpec[]): TaskSpec[] =>
  tasks.map((task, index) => ({ ...task, ...(tasks[index + 1] && { next: tasks[index + 1]?.id }) }) as TaskSpec);

type Shape =
  | { is: "wait"; ms: number }
  | { is: "call" }
  | { is: "parallel"; strategy: "all" | "race"; width?: number; of: Shape[][] };
const shape = fc.letrec<{ block: Shape[]; one: Shape }>((tie) => ({
  block: fc.array(tie("one"), { minLength: 1, maxLength: 3 }),
  one: fc.oneof(
    { maxDepth: 2, depthSize: "small" },
    fc.record({ is: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 5_000 }) }),
    fc.record({ is: fc.constant("call" as const) }),
    fc.record(
      {
        is: fc.constant("parallel" as const),
        strategy: fc.constantFrom("all" as const, "race" as const),
        width: fc.constantFrom(1, 2),
        of: fc.array(tie("block"), { minLength: 1, maxLength: 3 }),
      },
      { requiredKeys: ["is", "strategy", "of"] },
    ),
  ),
})).block;

function blockOf(shapes: readonly Shape[], name: string): TaskSpec[] {
  return chained(shapes.map((one, index) => taskOf(one, `${name}${index}`)));
}
function taskOf(one: Shape, id: string): TaskSpec {
  if (one.is === "wait") return { id, type: "wait", wait: { duration: one.ms } };
  if (one.is === "call") return { id, type: "agent", agent: "worker" };
  const branches = Object.fromEntries(one.of.map((inner, index) => [`b${index}`, blockOf(inner, `${id}_${index}_`)]));
  const width = one.width === undefined ? {} : { max_concurrency: one.width };
  return { id, type: "parallel", strategy: one.strategy, branches, ...width };
}

const ok = { type: "object", properties: { ok: { type: "boolean" } }, required: ["ok"] } as const;

describe("how long success takes at least", () => {
  test("D1: no run succeeds sooner", async () => {
    await fc.assert(
      fc.asyncProperty(shape, async (shapes) => {
        const spec: WorkflowSpec = { id: "w", tasks: blockOf(shapes, "t") };
        const company = prepareCast({ workflows: [spec], agents: [{ id: "worker", output: ok }] });
        const trial = { workflow: "w", seed: 1, input: {}, calls: {}, disturbances: [] };
        const { status, beganAt, endedAt } = await play(company, trial);
        expect(status).toBe("SUCCESS");
        expect(leastOf(spec.tasks, none)).toBeLessThanOrEqual((endedAt ?? 0) - beganAt);
      }),
      { numRuns: 60 },
    );
  });

  const wait = (id: string, duration: string, more: object = {}): TaskSpec =>
    ({ id, type: "wait", wait: { duration }, ...more }) as TaskSpec;
  test("of two ways the shorter counts, and an error is over at once", () => {
    const tasks: TaskSpec[] = [
      { id: "ask", type: "agent", agent: "worker", next: "long", on_error: "short" },
      wait("long", "1h"),
      wait("short", "1m"),
    ];
    expect(leastOf(tasks, none)).toBe(60_000);
  });
  test("a loop without an end never succeeds", () => {
    expect(leastOf([wait("a", "1s", { next: "b" }), wait("b", "1s", { next: "a" })], none)).toBe(Infinity);
  });
  test("a child counts, one that is detached does not", () => {
    const child: WorkflowSpec = { id: "child", tasks: [wait("a", "1h")] };
    const workflows = new Map([["child", child]]);
    const call = { id: "call", type: "workflow", workflow: "child" } as const;
    expect(leastOf([call], workflows)).toBe(3_600_000);
    expect(leastOf([{ ...call, detached: true }], workflows)).toBe(0);
  });
});

describe("limits", () => {
  const found = (spec: Omit<WorkflowSpec, "id">, workflows: WorkflowSpec[] = []): string[] => {
    const all = new Map(workflows.map((one) => [one.id, one]));
    const subject = { spec: { id: "w", ...spec }, workflows: all, agents: new Map(), tools: new Map() };
    return contradictions(subject).map(({ id, path }) => `${id} ${path?.join(".")}`);
  };
  const agent = { id: "a", type: "agent", agent: "worker" } as const;
  const child = (timeout?: string): WorkflowSpec => ({ id: "child", tasks: [agent], ...(timeout && { timeout }) });
  const call = { id: "call", type: "workflow", workflow: "child" } as const;

  test.each([
    ["a timeout below that of a child is right", [{ ...call, timeout: "1h" }], [child("2h")], []],
    [
      "one above it is never reached",
      [{ ...call, timeout: "3h" }],
      [child("2h")],
      ["timeout-never-fires tasks.0.timeout"],
    ],
    ["over all attempts a child may take longer", [{ ...call, total_timeout: "3h" }], [child("2h")], []],
    ["a task without a limit of its own is right", [call], [child("2h")], []],
    ["three attempts that fit", [{ ...agent, retry: { max_attempts: 3 } }], [], []],
    [
      "attempts that do not fit into a day",
      [{ ...agent, timeout: "10h", retry: { max_attempts: 3 } }],
      [],
      ["retries-outlive-deadline tasks.0.retry.max_attempts"],
    ],
    [
      "they have a limit of their own",
      [{ ...agent, timeout: "10h", total_timeout: "12h", retry: { max_attempts: 3 } }],
      [],
      [],
    ],
    [
      "what undoes takes longer than undoing may",
      [{ ...agent, undo: [{ id: "u", type: "agent", agent: "worker", timeout: "2h" }] }],
      [],
      ["timeout-never-fires tasks.0.undo.0.timeout"],
    ],
  ] as [string, TaskSpec[], WorkflowSpec[], string[]][])("%s", (_what, tasks, workflows, says) => {
    expect(found({ tasks }, workflows)).toEqual(says);
  });

  test("a retry that is the project's for all tasks is not meant for a container that is shorter", () => {
    const retry = { max_attempts: 3 };
    const inside: TaskSpec = { id: "p", type: "parallel", timeout: "1m", branches: { x: [{ ...agent, retry }] } };
    const about = { spec: { id: "w", tasks: [inside] }, workflows: new Map(), agents: new Map(), tools: new Map() };
    expect(contradictions(about).map(({ id }) => id)).toEqual(["retries-outlive-deadline"]);
    expect(contradictions({ ...about, defaults: { retry } })).toEqual([]);
  });

  test("the time of a budget is a limit too", () => {
    const tasks: TaskSpec[] = [{ id: "rest", type: "wait", wait: { duration: "2h" } }];
    expect(found({ tasks, budget: { time: "1h" } })).toEqual(["timeout-always-fires budget.time"]);
    expect(found({ tasks, budget: { time: "3h" } })).toEqual([]);
  });
});
