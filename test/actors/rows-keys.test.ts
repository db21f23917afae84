// Goal: each key that all tasks have means what the language says of it.
// Method: one small workflow for each row, in virtual time.

import { describe, expect, test } from "vitest";
import type { TaskSpec } from "../../src/language/spec.ts";
import { heldAgent, newClock, openBed, second, settled } from "../runtime/bed.ts";
import { memoryTransport } from "../../src/transport/memory.ts";
import { bedOf, does, endOf, failedWith, flow, heard } from "../kit/rows.ts";

describe("keys of all types", () => {
  test("`with` is the input, a template; without it the input is empty", async () => {
    await endOf([does("a", { say: "${{ input.n + 1 }}", list: ["x${{ input.n }}"] }, { next: "b" }), does("b")], {
      n: 4,
    });
    expect(heard).toEqual([{ say: 5, list: ["x4"] }, {}]);
  });

  test("`next` is the task after success; without it the block ends", async () => {
    expect(await endOf([does("a", {}, { next: "b" }), does("b", { say: "last" })])).toMatchObject({
      output: { say: "last" },
    });
  });

  test("`timeout` is for each attempt", async () => {
    const held = heldAgent("slow");
    const retry = {
      max_attempts: 2,
      backoff: { initial: "1s" },
      retry_on: ["AGENT_INVOCATION_TIMEOUT", "TASK_TIMEOUT"],
    };
    const bed = await openBed({
      agents: [held.definition],
      workflows: [flow([{ id: "a", type: "agent", agent: "slow", timeout: "5s", retry }])],
    });
    const end = bed.t.run("w");
    await bed.pass(5 * second + 100);
    expect(held.runs[0]?.context.signal.aborted).toBe(true);
    await bed.pass(2 * second);
    expect(held.runs).toHaveLength(2);
    expect(held.runs[1]?.context.signal.aborted).toBe(false);
    await bed.pass(10 * second);
    expect(await end).toMatchObject({ status: "FAILED" });
  });

  test("`timeout` of a control task ends what it began, and fails it with TASK_TIMEOUT", async () => {
    const held = heldAgent("slow");
    const branches = { a: [{ id: "a", type: "agent", agent: "slow", timeout: "1h" }] } as Record<string, TaskSpec[]>;
    const bed = await openBed({
      agents: [held.definition],
      workflows: [flow([{ id: "p", type: "parallel", branches, timeout: "5s" }])],
    });
    const end = bed.t.run("w");
    await bed.pass(12 * second);
    expect(await end).toMatchObject(failedWith("TASK_TIMEOUT"));
    expect(held.runs[0]?.context.signal.aborted).toBe(true);
  });

  test("`total_timeout` is for all attempts together, and the time between them", async () => {
    const retry = { max_attempts: 100, backoff: { initial: "10s", factor: 1 } };
    const end = await endOf([does("a", { fail: "AGAIN" }, { retry, total_timeout: "35s" })]);
    expect(heard).toHaveLength(4);
    expect(end).toMatchObject(failedWith("TASK_TIMEOUT"));
  });

  test("`start_timeout` is the longest wait for an executor", async () => {
    const clock = newClock();
    const transport = memoryTransport({ clock, random: () => 0.5 });
    const bed = await openBed({
      roles: ["orchestrator", "state-manager"],
      clock,
      transport,
      workflows: [flow([{ id: "a", type: "agent", agent: "slow", start_timeout: "7s" }])],
    });
    const { execId, result } = bed.t.start("w");
    await bed.pass(6 * second);
    expect(bed.t.get(execId)).toMatchObject({ status: "RUNNING" });
    await bed.pass(2 * second);
    expect(await result()).toMatchObject(failedWith("TASK_START_TIMEOUT"));
  });

  test("`heartbeat` is the longest silence of the executor", async () => {
    const held = heldAgent("slow");
    const bed = await openBed({
      agents: [held.definition],
      workflows: [flow([{ id: "a", type: "agent", agent: "slow", timeout: "1h", heartbeat: "3s" }])],
    });
    const end = bed.t.run("w");
    await bed.pass(2 * second);
    held.runs[0]?.context.step({ page: 1 });
    await bed.pass(2 * second);
    expect(held.runs[0]?.context.signal.aborted).toBe(false);
    await bed.pass(8 * second);
    expect(await end).toMatchObject(failedWith("TASK_HEARTBEAT_LOST"));
  });

  test("what an attempt said last by `step` is told to the next one, with a heartbeat and without", async () => {
    const told: unknown[] = [];
    const reader = (
      input: unknown,
      { attempt, lastStep, step }: { attempt: number; lastStep?: unknown; step: (data: unknown) => void },
    ) => {
      told.push([attempt, lastStep]);
      step({ page: attempt * 10 });
      step({ page: attempt * 10 + 1 });
      if (attempt < 3) throw Object.assign(new Error("again"), { code: "AGAIN" });
      return { input };
    };
    const retry = { max_attempts: 3, backoff: { initial: "1s" } };
    for (const heartbeat of [{}, { heartbeat: "1m" }]) {
      told.length = 0;
      const bed = await openBed({
        agents: [{ id: "reader", handler: reader }],
        tools: [{ id: "reader", handler: reader }],
        workflows: [
          flow([
            { id: "a", type: "agent", agent: "reader", retry, ...heartbeat, next: "b" },
            { id: "b", type: "tool", tool: "reader", retry, ...heartbeat },
          ]),
        ],
      });
      const end = bed.t.run("w");
      await bed.pass(20 * second);
      expect(await end).toMatchObject({ status: "SUCCESS" });
      const thrice = [
        [1, undefined],
        [2, { page: 11 }],
        [3, { page: 21 }],
      ];
      expect(told).toEqual([...thrice, ...thrice]);
    }
  });

  test("the last step outlives the process", async () => {
    const retry = { max_attempts: 2, backoff: { initial: "1m" } };
    const spec = flow([{ id: "a", type: "tool", tool: "reader", retry }]);
    const first = (_: unknown, { step }: { step: (data: unknown) => void }): never => {
      step({ page: 7 });
      throw new Error("broken");
    };
    const bed = await openBed({ tools: [{ id: "reader", handler: first }], workflows: [spec] });
    const { execId } = bed.t.start("w");
    await bed.pass(second);
    bed.store.crash();
    const two = await openBed({
      tools: [{ id: "reader", handler: (_, { lastStep }) => ({ lastStep }) }],
      workflows: [spec],
      disk: bed.disk,
    });
    const end = two.t.result(execId);
    await two.pass(61 * second);
    expect(await end).toMatchObject({ output: { lastStep: { page: 7 } } });
  });

  test("`pause_before` pauses the workflow until it is resumed; what is given is `workflow.resume_data`", async () => {
    const bed = await bedOf([
      flow([does("a", { say: "${{ workflow.resume_data.by }}" }, { pause_before: "look first" })]),
    ]);
    const { execId, result } = bed.t.start("w");
    await settled();
    expect(bed.t.get(execId)).toMatchObject({ status: "PAUSED" });
    expect(heard).toEqual([]);
    await bed.t.resume(execId, { by: "ada" });
    expect(await result()).toMatchObject({ output: { say: "ada" } });
  });
});
