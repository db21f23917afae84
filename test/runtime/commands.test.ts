// Goal: what is said to executions under way happens, is answered, and what cannot be is refused with a reason.
// Method: runs brought into each state in virtual time, and then told.

import { describe, expect, test } from "vitest";
import type { TaskSpec } from "../../src/language/spec.ts";
import type { CancelReport } from "../../src/runtime/commands.ts";
import { type Bed, heldAgent, hour, openBed, refusal, second, settled } from "./bed.ts";

const work: TaskSpec = { id: "a", type: "agent", agent: "slow" };
const rest: TaskSpec = { id: "b", type: "agent", agent: "quick" };
const quick = { id: "quick", handler: () => ({ done: true }) };
const nobody = "01920000-0000-7000-8000-000000000000";

async function bedOf(tasks: TaskSpec[], { ignores = false, ...more }: { ignores?: boolean; timeout?: string } = {}) {
  const held = heldAgent("slow", { ignores });
  const bed = await openBed({ agents: [held.definition, quick], workflows: [{ id: "w", tasks, ...more }] });
  return { ...bed, held };
}
const stateOf = ({ t }: Bed, execId: string): string => t.get(execId).status;
const idOf = async ({ t }: Bed, entity: "task" | "agent" | "tool"): Promise<string> =>
  (await t.list({ entity })).items[0]?.execId ?? "";

describe("pause", () => {
  test("lets what is under way end, begins nothing new, and resume goes on", async () => {
    const bed = await bedOf([{ ...work, next: "b" }, rest]);
    const { execId, result } = bed.t.start("w");
    await settled();
    await bed.t.pause(execId, "lunch");
    expect(bed.t.get(execId)).toMatchObject({ status: "PAUSED", about: { reason: "lunch" } });
    bed.held.runs[0]?.end({ n: 1 });
    await bed.pass(hour);
    expect(stateOf(bed, execId)).toBe("PAUSED");
    await bed.t.resume(execId);
    expect(await result()).toMatchObject({ status: "SUCCESS", output: { done: true } });
  });

  test("stops the clock of the workflow", async () => {
    const bed = await bedOf([{ ...work, timeout: "24h" }], { timeout: "10m" });
    const { execId, result } = bed.t.start("w");
    await settled();
    await bed.t.pause(execId);
    await bed.pass(hour);
    await bed.t.resume(execId);
    await bed.pass(5 * 60 * second);
    expect(stateOf(bed, execId)).toBe("RUNNING");
    await bed.pass(6 * 60 * second);
    expect(await result()).toMatchObject({ status: "TIMED_OUT" });
  });

  test("twice is no mistake, and of what has ended it is refused", async () => {
    const bed = await bedOf([rest]);
    const { execId } = await bed.t.run("w");
    for (const act of [() => bed.t.pause(execId), () => bed.t.resume(execId), () => bed.t.signal(execId, "s")]) {
      expect(await refusal(act)).toMatchObject({ code: "INVALID_STATE", details: { status: "SUCCESS" } });
    }
    const slow = await bedOf([work]);
    const open = slow.t.start("w");
    await settled();
    await slow.t.pause(open.execId);
    await slow.t.pause(open.execId);
    expect(stateOf(slow, open.execId)).toBe("PAUSED");
  });

  test("before a task is asked for by its definition, and gives what it is resumed with", async () => {
    const asked: TaskSpec = { ...work, pause_before: "look first", with: { d: "${{ workflow.resume_data }}" } };
    const bed = await bedOf([asked]);
    const { execId } = bed.t.start("w");
    await settled();
    expect(bed.t.get(execId)).toMatchObject({ status: "PAUSED", about: { reason: "look first" } });
    expect(bed.held.runs).toHaveLength(0);
    await bed.t.resume(execId, { ok: 1 });
    await settled();
    expect(bed.held.runs[0]?.input).toEqual({ d: { ok: 1 } });
  });
});

describe("what cannot be told", () => {
  test("to nobody, or to what is of another kind, is refused", async () => {
    const bed = await bedOf([work]);
    bed.t.start("w");
    await settled();
    const { t } = bed;
    for (const act of [
      () => t.pause(nobody),
      () => t.resume(nobody),
      () => t.signal(nobody, "s"),
      () => t.cancel(nobody),
    ]) {
      expect((await refusal(act)).code).toBe("EXECUTION_NOT_FOUND");
    }
    const agent = await idOf(bed, "agent");
    for (const act of [() => t.pause(agent), () => t.resume(agent), () => t.signal(agent, "s")]) {
      expect(await refusal(act)).toMatchObject({ code: "INVALID_STATE", details: { entity: "agent" } });
    }
    expect((await refusal(() => t.signal(nobody, ""))).code).toBe("EXECUTION_NOT_FOUND");
    const task = await idOf(bed, "task");
    expect(await refusal(() => t.resume(task))).toMatchObject({
      code: "INVALID_STATE",
      details: { status: "RUNNING" },
    });
  });

  test("is refused when its content is no JSON or too large", async () => {
    const held = heldAgent("slow");
    const { t } = await openBed({
      agents: [held.definition],
      workflows: [{ id: "w", tasks: [work] }],
      limits: { payloadBytes: 100 },
    });
    const { execId } = t.start("w");
    await settled();
    expect((await refusal(() => t.signal(execId, "s", 1n))).code).toBe("VALIDATION_FAILED");
    expect((await refusal(() => t.signal(execId, "s", "x".repeat(100)))).code).toBe("PAYLOAD_TOO_LARGE");
    expect((await refusal(() => t.resume(execId, "x".repeat(100)))).code).toBe("PAYLOAD_TOO_LARGE");
    expect((await refusal(() => t.signal(execId, ""))).code).toBe("VALIDATION_FAILED");
  });
});

describe("cancel", () => {
  /** The report, as it comes. */
  const canceled = async (bed: Bed, execId: string, ms = second): Promise<CancelReport> => {
    const report = bed.t.cancel(execId, "enough");
    await bed.pass(ms);
    return report;
  };

  test("aborts the handler, and reports that all below confirmed", async () => {
    const bed = await bedOf([work]);
    const { execId, result } = bed.t.start("w");
    await settled();
    const report = await canceled(bed, execId);
    expect(bed.held.runs[0]?.context.signal.aborted).toBe(true);
    expect(report).toMatchObject({ execId, changed: true, tookMs: 0 });
    expect(report.children.map(({ entity, outcome }) => [entity, outcome])).toEqual([
      ["task", "confirmed"],
      ["agent", "confirmed"],
    ]);
    expect(await result()).toEqual({ execId, status: "CANCELED" });
    expect(bed.t.get(execId)).toMatchObject({ status: "CANCELED", about: { reason: "enough" } });
  });

  test("gives up an agent that ignores the abort after 4 s, and says so", async () => {
    const bed = await bedOf([work], { ignores: true });
    const { execId, result } = bed.t.start("w");
    await settled();
    const report = await canceled(bed, execId, 5 * second);
    const agent = report.children.find(({ entity }) => entity === "agent");
    expect(agent).toMatchObject({ outcome: "ignored", tookMs: 4_000, id: "slow" });
    expect(report.tookMs).toBe(4_000);
    expect(await result()).toMatchObject({ status: "CANCELED" });
    bed.held.runs[0]?.end({ late: true });
    await bed.pass(second);
    expect(stateOf(bed, execId)).toBe("CANCELED");
  });

  test("reports an agent that ended well while it was told to stop as confirmed", async () => {
    const bed = await bedOf([work], { ignores: true });
    const { execId } = bed.t.start("w");
    await settled();
    const report = bed.t.cancel(execId);
    await bed.pass(2 * second);
    bed.held.runs[0]?.end({ n: 1 });
    await settled();
    expect((await report).children.find(({ entity }) => entity === "agent")).toMatchObject({
      outcome: "confirmed",
      tookMs: 2_000,
    });
  });

  const wait: TaskSpec = { id: "s", type: "wait", wait: { signal: "go" }, timeout: "2h" };
  test.each<[string, TaskSpec[], (bed: Bed & { held: ReturnType<typeof heldAgent> }, execId: string) => Promise<void>]>(
    [
      ["before it is on disk", [work], async () => undefined],
      ["that waits", [wait], settled],
      ["that is paused", [work], async ({ t }, execId) => settled().then(() => t.pause(execId))],
      ["before whose first task is a pause", [{ ...work, pause_before: "p" }], settled],
      [
        "between two attempts",
        [{ ...work, retry: { max_attempts: 2, backoff: { initial: "1h", max: "1h" } } }],
        async (bed) => {
          await settled();
          bed.held.runs[0]?.fail(new Error("once"));
          await bed.pass(second);
        },
      ],
      [
        "with branches",
        [{ id: "p", type: "parallel", branches: { x: [work], y: [{ ...work, id: "y" }], z: [wait] } }],
        settled,
      ],
    ],
  )("ends a run %s, and nothing of it is left", async (_name, tasks, bring) => {
    const bed = await bedOf(tasks);
    const { execId, result } = bed.t.start("w");
    await bring(bed, execId);
    const report = await canceled(bed, execId);
    expect(report.changed).toBe(true);
    expect(report.children.filter(({ outcome }) => outcome === "open" || outcome === "ignored")).toEqual([]);
    expect(await result()).toEqual({ execId, status: "CANCELED" });
    await bed.pass(2 * hour);
    const open = (await bed.t.list({ run: execId })).items.filter(({ endedAt }) => endedAt === null);
    expect(open).toEqual([]);
    expect(bed.held.runs.filter(({ context }) => !context.signal.aborted).length).toBeLessThanOrEqual(1);
    expect(bed.t.stats()).toMatchObject({ awake: 0, asleep: 0, slots: { taken: 0, waiting: 0 } });
  });

  test("of what waits in line for a slot takes it out of the line", async () => {
    const held = heldAgent("slow");
    const bed = await openBed({
      agents: [held.definition],
      workflows: [{ id: "w", tasks: [work] }],
      limits: { concurrency: 1 },
    });
    const [first, second_] = [bed.t.start("w"), bed.t.start("w")];
    await settled();
    expect(bed.t.get(second_.execId).status).toBe("PENDING");
    expect(await canceled(bed, second_.execId)).toMatchObject({ changed: true, children: [] });
    expect(await second_.result()).toMatchObject({ status: "CANCELED" });
    expect(bed.t.stats().slots).toEqual({ taken: 1, waiting: 0 });
    held.runs[0]?.end({ n: 1 });
    expect(await first.result()).toMatchObject({ status: "SUCCESS" });
  });

  test("of what has ended, or is canceled already, changes nothing", async () => {
    const bed = await bedOf([work], { ignores: true });
    const { execId, result } = bed.t.start("w");
    await settled();
    const [one, two] = [bed.t.cancel(execId), bed.t.cancel(execId)];
    await bed.pass(5 * second);
    expect([(await one).changed, (await two).changed]).toEqual([true, false]);
    await result();
    expect(await bed.t.cancel(execId)).toMatchObject({ changed: false, children: [] });
  });

  test("of one task, or of its agent, leaves the rest to go on as it says", async () => {
    const bed = await bedOf([work]);
    const { execId, result } = bed.t.start("w");
    await settled();
    expect(await canceled(bed, await idOf(bed, "task"))).toMatchObject({
      changed: true,
      children: [{ entity: "agent", outcome: "confirmed" }],
    });
    expect(await result()).toMatchObject({ status: "FAILED", error: { details: { cause_code: "TASK_CANCELED" } } });
    expect(stateOf(bed, execId)).toBe("FAILED");

    const other = bed.t.start("w");
    await settled();
    const { items } = await bed.t.list({ entity: "agent", run: other.execId });
    await canceled(bed, items[0]?.execId ?? "");
    expect(await other.result()).toMatchObject({
      status: "FAILED",
      error: { details: { cause_code: "AGENT_CANCELED" } },
    });
  });

  test("of a direct run ends it and its call", async () => {
    const bed = await bedOf([work]);
    const { execId, result } = bed.t.startOne({ agent: "slow" });
    await settled();
    expect(await canceled(bed, execId)).toMatchObject({
      changed: true,
      children: [{ entity: "agent", outcome: "confirmed" }],
    });
    expect(await result()).toEqual({ execId, status: "CANCELED" });
  });

  test("reaches into workflows within the workflow, and reports them too", async () => {
    const held = heldAgent("slow");
    const bed = await openBed({
      agents: [held.definition],
      workflows: [
        { id: "outer", tasks: [{ id: "call", type: "workflow", workflow: "inner" }] },
        { id: "inner", tasks: [work] },
      ],
    });
    const { execId, result } = bed.t.start("outer");
    await settled();
    const report = await canceled(bed, execId);
    expect(report.children.map(({ entity, id, outcome }) => [entity, id, outcome])).toEqual([
      ["task", "call", "confirmed"],
      ["workflow", "inner", "confirmed"],
      ["task", "a", "confirmed"],
      ["agent", "slow", "confirmed"],
    ]);
    expect(await result()).toMatchObject({ status: "CANCELED" });
    expect(held.runs[0]?.context.signal.aborted).toBe(true);
  });

  test("of a tool is refused: it is canceled through its task", async () => {
    const bed: Bed = await openBed({
      tools: [{ id: "look", handler: () => new Promise(() => undefined) }],
      workflows: [{ id: "w", tasks: [{ id: "a", type: "tool", tool: "look" }] }],
    });
    bed.t.start("w");
    await settled();
    expect((await refusal(async () => bed.t.cancel(await idOf(bed, "tool")))).code).toBe("INVALID_STATE");
  });
});
