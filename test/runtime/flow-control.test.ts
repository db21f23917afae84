// Goal: what definitions say of when runs and calls may begin is kept, and whoever waits can be told why.
// Method: troupes in virtual time whose agents and tools are at work until they are let go.

import { describe, expect, test } from "vitest";
import type { WorkflowSpec } from "../../src/language/spec.ts";
import type { ToolDefinition } from "../../src/tools/tool.ts";
import type { AgentContext, AgentDefinition } from "../../src/agents/agent.ts";
import { type Bed, heldAgent, openBed, refusal, second, settled } from "./bed.ts";

type Given = { limits?: Record<string, number>; agent?: Partial<AgentDefinition>; tool?: Partial<ToolDefinition> };

async function bedWith(specs: Partial<WorkflowSpec>[], { limits = {}, agent = {}, tool = {} }: Given = {}) {
  const held = heldAgent("slow");
  const heldTool = heldAgent("pick");
  const bed: Bed = await openBed({
    limits,
    agents: [{ ...held.definition, timeoutMs: 3_600_000, ...agent } as AgentDefinition],
    tools: [{ id: "pick", handler: heldTool.definition.handler as never, ...tool } as ToolDefinition],
    workflows: specs.map((spec, index) => ({
      id: index === 0 ? "w" : `w${index}`,
      tasks: [{ id: "a", type: "agent", agent: "slow", with: "${{ input }}", timeout: "1h" }],
      ...spec,
    })),
  });
  const ended = async (run: string | undefined) => {
    await settled();
    return bed.t.result(run ?? "");
  };
  const start = (input: object = {}, workflow = "w"): string => bed.t.start(workflow, input).execId;
  const stand = (ids: readonly string[]): string => ids.map((id) => bed.t.get(id).status[0]).join("");
  /** Lets the n-th handler that was begun end. */
  const end = async (n: number, from = held): Promise<void> => {
    from.runs[n]?.end({ n });
    await settled();
  };
  const begun = (from = held): unknown[] => from.runs.map(({ input }) => input);
  return { ...bed, ended, start, stand, end, begun, held, heldTool };
}

describe("the concurrency of a workflow", () => {
  test("queue: no more than its limit run for each key, and the next begins when one has ended", async () => {
    const { t, start, stand, end } = await bedWith([{ concurrency: { limit: 2, key: "${{ input.k }}" } }]);
    const runs = ["a", "a", "a", "b", "a"].map((k) => start({ k }));
    await settled();
    expect(stand(runs)).toBe("RRPRP");
    expect(t.why(runs[4] as string)).toBe(
      "waits for room: concurrency of workflow 'w' for key 'a' (2 of 2 taken), place 2 in line",
    );
    expect(t.stats().lines).toEqual([{ line: "concurrency of workflow 'w'", keys: 2, taken: 3, waiting: 2 }]);
    await end(0);
    expect(stand(runs)).toBe("SRRRP");
    await t.cancel(runs[1] as string);
    await settled();
    expect(stand(runs)).toBe("SCRRR");
  });

  test("skip: a run that is too many is canceled at once, and is told why", async () => {
    const { t, start, stand, end } = await bedWith([{ concurrency: { limit: 1, on_limit: "skip" } }]);
    const runs = [start(), start()];
    await settled();
    expect(stand(runs)).toBe("RC");
    expect(t.get(runs[1] as string).about).toMatchObject({
      reason: "concurrency of workflow 'w': 1 of 1 are begun or about to",
    });
    await end(0);
    runs.push(start());
    await settled();
    expect(stand(runs)).toBe("SCR");
  });

  test("cancel_oldest: the oldest is canceled, and the newest begins once that has ended", async () => {
    const concurrency = { limit: 2, on_limit: "cancel_oldest", key: "${{ input.k }}" } as const;
    const { t, start, stand } = await bedWith([{ concurrency }]);
    const runs = ["a", "a", "b", "a"].map((k) => start({ k }));
    await settled();
    expect(stand(runs)).toBe("CRRR");
    expect(t.get(runs[0] as string).about).toMatchObject({
      reason: "concurrency of workflow 'w' for key 'a': a newer one takes its place",
    });
    runs.push(start({ k: "a" }), start({ k: "a" }), start({ k: "a" }));
    await settled();
    expect(stand(runs)).toBe("CCRCCRR");
  });

  test("queue_max: one more is refused with RATE_LIMITED, and nobody who waits is lost", async () => {
    const { t, start, stand, end } = await bedWith([
      { concurrency: { limit: 1, key: "${{ input.k }}", queue_max: 1 } },
    ]);
    const runs = ["a", "a", "b"].map((k) => start({ k }));
    for (const k of ["a", "b"]) {
      expect(await refusal(() => t.start("w", { k }, { idempotencyKey: k }))).toMatchObject({
        code: "RATE_LIMITED",
        details: { limit: "queue_max", max: 1 },
      });
    }
    await settled();
    expect(stand(runs)).toBe("RPR");
    await end(0);
    expect(stand(runs)).toBe("SRR");
    const again = t.start("w", { k: "b" }, { idempotencyKey: "b" });
    expect(again.duplicate, "a start that was refused has not used up its key").toBe(false);
    await settled();
    expect(stand([again.execId])).toBe("P");
  });

  test("a child in line is found, and canceled with its parent", async () => {
    const parent = { id: "p", tasks: [{ id: "c", type: "workflow", workflow: "w", with: {} }] } as const;
    const { t, start, stand } = await bedWith([{ concurrency: { limit: 1 } }, parent as never]);
    start();
    const run = start({}, "p");
    await settled();
    const [child] = (await t.list({ id: "w", status: ["PENDING"] })).items;
    expect(t.why(child?.execId ?? "")).toContain("place 1 in line");
    await t.cancel(run);
    expect(stand([run, child?.execId ?? ""])).toBe("CC");
    expect(t.stats().slots).toEqual({ taken: 1, waiting: 0 });
  });

  test("queue_max: a child that is too many fails, and the task that called it with it", async () => {
    const parent = { id: "p", tasks: [{ id: "c", type: "workflow", workflow: "w", with: {} }] } as const;
    const { ended, start, stand, end } = await bedWith([{ concurrency: { limit: 1, queue_max: 0 } }, parent as never]);
    const first = start({}, "p");
    expect(await ended(start({}, "p"))).toMatchObject({
      status: "FAILED",
      error: { details: { cause_code: "CHILD_FAILED", cause: { details: { cause_code: "RATE_LIMITED" } } } },
    });
    await end(0);
    expect(stand([first])).toBe("S");
  });

  test("a start with a key that is known stands in line once, and is no new one", async () => {
    const { t, start, stand, end } = await bedWith([{ concurrency: { limit: 1, queue_max: 1 } }]);
    const first = start();
    const twice = [1, 2].map(() => t.start("w", {}, { idempotencyKey: "k" }));
    expect(twice.map(({ duplicate }) => duplicate)).toEqual([false, true]);
    await settled();
    expect(t.stats().slots).toEqual({ taken: 1, waiting: 1 });
    await end(0);
    expect(stand([first, ...twice.map(({ execId }) => execId)])).toBe("SRR");
  });

  test("a key that cannot be worked out refuses the run, and says which", async () => {
    const { t, ended, start } = await bedWith([{ concurrency: { limit: 1, key: "${{ input.who.name }}" } }]);
    expect(await ended(start({}))).toMatchObject({ status: "FAILED", error: { code: "EXPRESSION_ERROR" } });
    expect(t.stats().slots).toEqual({ taken: 0, waiting: 0 });
  });

  test("a child waits by its own workflow's limit, and for no slot of the engine", async () => {
    const parent = { id: "p", tasks: [{ id: "c", type: "workflow", workflow: "w", with: {} }] } as const;
    const { t, start, stand, end } = await bedWith([{ concurrency: { limit: 1 } }, parent as never], {
      limits: { concurrency: 3 },
    });
    const runs = [start({}, "p"), start({}, "p")];
    await settled();
    const children = (await t.list({ id: "w", order: "oldest" })).items.map(({ execId }) => execId);
    expect([stand(runs), stand(children)]).toEqual(["RR", "RP"]);
    await end(0);
    expect([stand(runs), stand(children)]).toEqual(["SR", "SR"]);
  });
});

describe("the rate of a workflow", () => {
  test("no more begin within its time, the others wait in order, and are told until when", async () => {
    const { t, start, stand, pass, clock } = await bedWith([{ rate: { limit: 2, per: "10s" } }]);
    const first = start();
    await pass(4 * second);
    const runs = [first, start(), start(), start()];
    await settled();
    expect(stand(runs)).toBe("RRPP");
    const next = new Date(clock.now() + 6 * second).toISOString();
    expect(t.why(runs[3] as string)).toBe(
      `waits for room: rate of workflow 'w' (2 within 10000 ms): next at ${next}, place 2 in line`,
    );
    await pass(6 * second - 1);
    expect(stand(runs)).toBe("RRPP");
    await pass(1);
    expect(stand(runs)).toBe("RRRP");
    await pass(4 * second);
    expect(stand(runs)).toBe("RRRR");
  });

  test("is kept for each key, together with a concurrency of another", async () => {
    const { start, stand, pass, end } = await bedWith([
      { rate: { limit: 1, per: "1m", key: "${{ input.r }}" }, concurrency: { limit: 2, key: "${{ input.c }}" } },
    ]);
    const runs = ["1x", "1x", "2x", "3x", "3y"].map((k) => start({ r: k[0], c: k[1] }));
    await settled();
    expect(stand(runs)).toBe("RPRPR");
    await end(0);
    expect(stand(runs)).toBe("SPRPS".replace(/.$/, "R"));
    await pass(60 * second);
    expect(stand(runs)).toBe("SRRPR");
    await end(1);
    await pass(60 * second);
    expect(stand(runs)).toBe("SRSRR");
  });
});

describe("who waits in line", () => {
  test("a higher priority goes first, and within one whoever came first", async () => {
    const { start, end, begun } = await bedWith([{ concurrency: { limit: 1 }, priority: "${{ input.p }}" }]);
    for (const [n, p] of [0, 0, 5, -100, 5, 100].entries()) start({ p, n });
    await settled();
    for (let n = 0; n < 6; n++) await end(n);
    expect(begun().map((input) => (input as { n: number }).n)).toEqual([0, 5, 2, 4, 1, 3]);
  });

  test("takes turns by what it is fair by", async () => {
    const { start, end, begun } = await bedWith([{ concurrency: { limit: 1 }, fair_by: "${{ input.who }}" }]);
    for (const who of ["-", "a1", "a2", "a3", "a4", "b1", "b2", "c1"]) start({ who: who[0], name: who });
    await settled();
    for (let n = 0; n < 8; n++) await end(n);
    expect(
      begun()
        .map((input) => (input as { name: string }).name)
        .join(" "),
    ).toBe("- a1 b1 c1 a2 b2 a3 a4");
  });

  test("for a slot of the engine alone goes by priority and turn, too", async () => {
    const { start, end, begun } = await bedWith([{ priority: "${{ input.p }}" }, {}], { limits: { concurrency: 1 } });
    start({ n: 0 }, "w1");
    start({ n: 1 }, "w1");
    start({ n: 2, p: 1 });
    start({ n: 3, p: -1 });
    await settled();
    for (let n = 0; n < 4; n++) await end(n);
    expect(begun().map((input) => (input as { n: number }).n)).toEqual([0, 2, 1, 3]);
  });

  test.each([101, 1.5, "high"])("a priority of %s refuses the run", async (p) => {
    const { ended, start } = await bedWith([{ priority: "${{ input.p }}" }]);
    expect(await ended(start({ p }))).toMatchObject({ status: "FAILED", error: { code: "EXPRESSION_ERROR" } });
  });
});

describe("an agent", () => {
  test("with a concurrency waits in line for it, beyond the patience for a busy runtime, for each key", async () => {
    const { t, start, end, pass, begun } = await bedWith([{}], {
      agent: { concurrency: { limit: 1, key: "${{ input.k }}" } },
    });
    const runs = ["a", "a", "a", "b"].map((k) => start({ k }));
    await pass(20 * second);
    expect(begun()).toEqual([{ k: "a" }, { k: "b" }]);
    expect(t.why(runs[2] as string)).toContain(
      "waits for room: concurrency of agent 'slow' for key 'a' (1 of 1 taken), place 2 in line",
    );
    await end(0);
    expect(begun()).toHaveLength(3);
    await t.cancel(runs[1] as string);
    await settled();
    expect(begun()).toHaveLength(4);
    expect(t.stats().lines).toEqual([{ line: "concurrency of agent 'slow'", keys: 2, taken: 2, waiting: 0 }]);
  });

  test("with a rate begins no more within its time", async () => {
    const { start, pass, begun } = await bedWith([{}], { agent: { rate: { limit: 1, per: "30s" } } });
    for (let n = 0; n < 3; n++) start({ n });
    await pass(30 * second - 1);
    expect(begun()).toEqual([{ n: 0 }]);
    await pass(1);
    expect(begun()).toEqual([{ n: 0 }, { n: 1 }]);
    await pass(30 * second);
    expect(begun()).toHaveLength(3);
  });

  test("whose line is full, or whose key cannot be had, fails as not dispatched", async () => {
    const concurrency = { limit: 1, key: "${{ input.k.k }}", queue_max: 1 };
    const { ended, start } = await bedWith([{}], { agent: { concurrency } });
    const runs = [{ k: { k: 1 } }, { k: { k: 1 } }, { k: { k: 1 } }, {}].map((input) => start(input));
    const failed = { status: "FAILED", error: { details: { cause_code: "AGENT_DISPATCH_FAILED" } } };
    expect(await ended(runs[2])).toMatchObject(failed);
    expect(await ended(runs[3])).toMatchObject(failed);
    expect(JSON.stringify(await ended(runs[2]))).toContain("1 calls of agent 'slow' already wait in line");
  });
});

describe("a tool", () => {
  const byTool = { tasks: [{ id: "t", type: "tool", tool: "pick", with: "${{ input }}", timeout: "1h" }] } as const;

  test("with a concurrency waits in line for it, where one without fails at once", async () => {
    const { t, ended, start, end, begun, heldTool, pass } = await bedWith([byTool as never], {
      tool: { concurrency: { limit: 1 } },
    });
    const runs = [0, 1, 2].map((n) => start({ n }));
    await pass(60 * second);
    expect(begun(heldTool)).toEqual([{ n: 0 }]);
    expect(t.why(runs[2] as string)).toContain("concurrency of tool 'pick' (1 of 1 taken), place 2 in line");
    await t.cancel(runs[1] as string);
    await end(0, heldTool);
    expect(begun(heldTool)).toEqual([{ n: 0 }, { n: 2 }]);
    await end(1, heldTool);
    expect(await ended(runs[2])).toMatchObject({ status: "SUCCESS" });
    expect(t.stats()).toMatchObject({ lines: [], awake: 0 });
  });

  test("that an agent calls stands in the same line", async () => {
    const { ended, start, end, begun, heldTool } = await bedWith([byTool as never, {}], {
      tool: { concurrency: { limit: 1 } },
      agent: {
        handler: async (_input: unknown, { tool }: AgentContext) => ({ got: await tool("pick", { n: "agent" }) }),
      } as never,
    });
    const runs = [start({ n: 0 }), start({}, "w1"), start({ n: 2 })];
    await settled();
    expect(begun(heldTool)).toEqual([{ n: 0 }]);
    for (const n of [0, 1, 2]) await end(n, heldTool);
    expect(begun(heldTool)).toEqual([{ n: 0 }, { n: 2 }, { n: "agent" }]);
    for (const run of runs) expect(await ended(run)).toMatchObject({ status: "SUCCESS" });
  });

  test("waits no longer than its call's own timeout, and gives its place to the next", async () => {
    const impatient = { tasks: [{ ...byTool.tasks[0], timeout: "10s" }] };
    const { ended, start, end, begun, heldTool, pass } = await bedWith([byTool as never, impatient as never], {
      tool: { concurrency: { limit: 1 } },
    });
    start({ n: 0 });
    const late = start({ n: 1 }, "w1");
    start({ n: 2 });
    await pass(10 * second);
    expect(await ended(late)).toMatchObject({
      status: "FAILED",
      error: { details: { cause_code: "TOOL_INVOCATION_TIMEOUT" } },
    });
    await end(0, heldTool);
    expect(begun(heldTool)).toEqual([{ n: 0 }, { n: 2 }]);
  });

  test("with a rate begins no more within its time, and not more than the engine's own limit of tools", async () => {
    const { ended, start, begun, heldTool, pass } = await bedWith([byTool as never], {
      tool: { rate: { limit: 2, per: "1m" } },
      limits: { tools: 3 },
    });
    const runs = [0, 1, 2, 3, 4].map((n) => start({ n }));
    await pass(59 * second);
    expect(begun(heldTool)).toHaveLength(2);
    await pass(second);
    expect(begun(heldTool)).toHaveLength(3);
    expect(await ended(runs[3])).toMatchObject({
      error: { details: { cause: { details: { reason: "all_busy", limit: "tools" } } } },
    });
  });
});
