// Goal: what agents use up is counted where it belongs, and a run over its budget fails or asks, as it is defined.
// Method: troupes in virtual time; agents that report in both ways; crashes between a report and the next.

import { describe, expect, test } from "vitest";
import type { AgentDefinition } from "../../src/agents/agent.ts";
import type { TaskSpec, WorkflowSpec } from "../../src/language/spec.ts";
import { heldAgent, hour, openBed, second, settled } from "../runtime/bed.ts";

type Spent = { tokens?: number; cost?: number };

/** Agents that use up what their input says: `says` reports it at work, `gives` in its result, `both` does both. */
const spenders: AgentDefinition[] = [
  {
    id: "says",
    handler: (input, { usage }) => {
      usage(input as Spent);
      return { ok: true };
    },
  },
  { id: "gives", handler: (input) => ({ usage: input }) },
  {
    id: "both",
    handler: (input, { usage }) => {
      usage(input as Spent);
      return { usage: { tokens: 1_000_000 } };
    },
  },
];

const spends = (id: string, agent: string, spent: Spent, next?: string): TaskSpec => ({
  id,
  type: "agent",
  agent,
  with: spent as never,
  ...(next !== undefined && { next }),
});

const much = spends("b", "says", { tokens: Number.MAX_SAFE_INTEGER, cost: Number.MAX_VALUE });

async function bedWith(...workflows: WorkflowSpec[]) {
  const held = heldAgent("slow");
  const bed = await openBed({ workflows, agents: [...spenders, held.definition] });
  return { ...bed, held };
}

describe("U1: what is used up is counted", () => {
  test("by report and by result, and shown while it runs and when it has ended", async () => {
    const { t, held } = await bedWith({
      id: "w",
      tasks: [
        spends("a", "says", { tokens: 10, cost: 0.1 }, "b"),
        spends("b", "gives", { tokens: 5, cost: 0.2 }, "c"),
        { id: "c", type: "agent", agent: "slow", timeout: "1h" },
      ],
    });
    const { execId, result } = t.start("w");
    await settled();
    expect(t.get(execId).usage).toEqual({ tokens: 15, cost: 0.3 });
    expect(t.why(execId)).toMatch(/; it has used 15 tokens, 0\.3 in cost$/);
    held.runs[0]?.end({ ok: true });
    expect(await result()).toMatchObject({ status: "SUCCESS" });
    expect(t.get(execId).usage).toEqual({ tokens: 15, cost: 0.3 });
  });

  test("as a number that can be written down, however much it is", async () => {
    const { t } = await bedWith({
      id: "w",
      budget: { tokens: 1, on_limit: "pause" },
      tasks: [spends("a", "says", { tokens: Number.MAX_SAFE_INTEGER, cost: Number.MAX_VALUE }, "b"), much],
    });
    const { execId } = t.start("w");
    await settled();
    await t.resume(execId, { budget: { tokens: Number.MAX_SAFE_INTEGER } });
    await settled();
    expect(t.get(execId)).toMatchObject({
      status: "SUCCESS",
      usage: { tokens: Number.MAX_SAFE_INTEGER, cost: Number.MAX_VALUE },
    });
  });

  test("U2: not twice, where an agent reports and says so in its result too", async () => {
    const { t } = await bedWith({ id: "w", tasks: [spends("a", "both", { tokens: 7 })] });
    const { execId } = await t.run("w");
    expect(t.get(execId).usage).toEqual({ tokens: 7, cost: 0 });
  });

  test("U3: in every run above, but not for one that is detached", async () => {
    const child: WorkflowSpec = {
      id: "child",
      tasks: [spends("x", "says", { tokens: 3 }, "y"), spends("y", "gives", { tokens: 4 })],
    };
    const { t } = await bedWith(
      child,
      { id: "middle", tasks: [{ id: "call", type: "workflow", workflow: "child" }] },
      {
        id: "top",
        tasks: [
          { id: "call", type: "workflow", workflow: "middle", next: "apart" },
          { id: "apart", type: "workflow", workflow: "child", detached: true },
        ],
      },
    );
    const { execId } = await t.run("top");
    await settled();
    expect(t.get(execId).usage).toEqual({ tokens: 7, cost: 0 });
    const { items } = await t.list({ entity: "workflow" });
    expect(items.map(({ id, usage }) => `${id} ${usage?.tokens}`).sort()).toEqual([
      "child 7",
      "child 7",
      "middle 7",
      "top 7",
    ]);
  });

  test("and nothing that is no usage: a report is refused, a result is taken as it is", async () => {
    const { t } = await bedWith(
      { id: "w", tasks: [spends("a", "says", { tokens: -1 })] },
      { id: "v", tasks: [spends("a", "gives", { tokens: 1.5 })] },
    );
    expect(await t.run("w")).toMatchObject({
      status: "FAILED",
      error: { details: { cause: { code: "AGENT_ERROR" } } },
    });
    expect(await t.run("v")).toMatchObject({ status: "SUCCESS" });
    expect((await t.list({ entity: "workflow" })).items.filter(({ usage }) => usage)).toEqual([]);
  });
});

describe("over its budget a run", () => {
  const tasks = [
    spends("a", "says", { tokens: 60 }, "b"),
    spends("b", "says", { tokens: 60 }, "c"),
    spends("c", "says", { tokens: 60 }),
  ];

  test("fails at once, names the budget, and ends what is at work", async () => {
    const { t, held } = await bedWith({
      id: "w",
      budget: { tokens: 100 },
      tasks: [
        {
          id: "both",
          type: "parallel",
          branches: { slow: [{ id: "s", type: "agent", agent: "slow", timeout: "1h" }], fast: tasks },
        },
      ],
    });
    const end = await t.run("w");
    const details = { budget: "tokens", used: 120, max: 100 };
    expect(end).toMatchObject({ status: "FAILED", error: { code: "BUDGET_EXCEEDED", details } });
    await settled();
    expect(held.runs[0]?.context.signal.aborted).toBe(true);
    expect((await t.history(end.execId)).filter(({ type }) => type === "event:TaskScheduled")).toHaveLength(4);
  });

  test("pauses where it asks, and again at the next report, until it is raised", async () => {
    const { t } = await bedWith({ id: "w", budget: { tokens: 100, on_limit: "pause" }, tasks });
    const { execId, result } = t.start("w");
    await settled();
    expect(t.get(execId)).toMatchObject({
      status: "PAUSED",
      about: { reason: "the run used 120 tokens, its budget allows 100", paused_by: "workflow.Orchestrator" },
    });
    expect(t.why(execId)).toMatch(/resume it to go on; it has used 120 of 100 tokens, 0 in cost$/);
    await t.resume(execId);
    await settled();
    expect(t.get(execId)).toMatchObject({ status: "PAUSED", usage: { tokens: 180 } });
    await t.resume(execId, { budget: { tokens: 200 } });
    expect(await result()).toMatchObject({ status: "SUCCESS" });
  });

  test("goes on at once where its budget is raised in time", async () => {
    const { t } = await bedWith({ id: "w", budget: { tokens: 100, on_limit: "pause" }, tasks });
    const { execId, result } = t.start("w");
    await settled();
    await t.resume(execId, { budget: { tokens: 500, cost: 3, nothing: 1 } });
    expect(await result()).toMatchObject({ status: "SUCCESS" });
  });

  test("fails for what a child uses, and takes it along", async () => {
    const { t } = await bedWith(
      { id: "child", tasks },
      {
        id: "w",
        budget: { tokens: 100 },
        tasks: [{ id: "call", type: "workflow", workflow: "child" }],
      },
    );
    expect(await t.run("w")).toMatchObject({ status: "FAILED", error: { code: "BUDGET_EXCEEDED" } });
    const { items } = await t.list({ id: "child", entity: "workflow" });
    expect(items.map(({ status }) => status)).toEqual(["CANCELED"]);
  });

  test("of time fails when that is over, pauses not counted", async () => {
    const { t, pass } = await bedWith({
      id: "w",
      budget: { time: "1h" },
      tasks: [{ id: "wait", type: "wait", wait: { signal: "go" }, timeout: "20h" }],
    });
    const { execId, result } = t.start("w");
    await pass(1_800 * second);
    await t.pause(execId);
    await pass(5 * hour);
    await t.resume(execId);
    await pass(1_700 * second);
    expect(t.get(execId).status).toBe("RUNNING");
    await pass(101 * second);
    const details = { budget: "time", used: hour, max: hour };
    expect(await result()).toMatchObject({ status: "FAILED", error: { code: "BUDGET_EXCEEDED", details } });
  });

  test("of time asks for more, and goes on only with more", async () => {
    const { t, pass } = await bedWith({
      id: "w",
      budget: { time: "1h", on_limit: "pause" },
      tasks: [{ id: "wait", type: "wait", wait: { signal: "go" }, timeout: "20h" }],
    });
    const { execId, result } = t.start("w");
    await pass(hour + second);
    expect(t.get(execId).status).toBe("PAUSED");
    await t.resume(execId);
    await pass(second);
    expect(t.get(execId).status).toBe("PAUSED");
    await t.resume(execId, { budget: { time: "2h" } });
    await pass(1_000 * second);
    expect(t.get(execId).status).toBe("RUNNING");
    await t.signal(execId, "go");
    expect(await result()).toMatchObject({ status: "SUCCESS" });
  });
});

test("what was counted is the same after a restart", async () => {
  const spec: WorkflowSpec = {
    id: "w",
    budget: { tokens: 100 },
    tasks: [
      spends("a", "says", { tokens: 60 }, "wait"),
      { id: "wait", type: "wait", wait: { signal: "go" }, timeout: "9h", next: "b" } as TaskSpec,
      spends("b", "says", { tokens: 60 }),
    ],
  };
  const held = heldAgent("slow");
  const options = { workflows: [spec], agents: [...spenders, held.definition] };
  const first = await openBed(options);
  const { execId } = first.t.start("w");
  await settled();
  await first.t.stop();
  const { t } = await openBed({ ...options, disk: first.disk, clock: first.clock });
  expect(t.get(execId).usage).toEqual({ tokens: 60, cost: 0 });
  await t.signal(execId, "go");
  expect(await t.result(execId)).toMatchObject({ error: { code: "BUDGET_EXCEEDED", details: { used: 120 } } });
});
