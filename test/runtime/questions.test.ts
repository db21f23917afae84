// Goal: what is asked is answered from what is on disk, page by page, and `why` says what stands in the way.
// Method: runs brought into each state, and asked about.

import { describe, expect, test } from "vitest";
import type { TaskSpec } from "../../src/language/spec.ts";
import { type Bed, heldAgent, hour, openBed, refusal, second, settled } from "./bed.ts";

const echo = { id: "echo", handler: (input: unknown) => ({ heard: input }) };
const work: TaskSpec = { id: "a", type: "agent", agent: "slow" };
const nobody = "01920000-0000-7000-8000-000000000000";

const child = { id: "child", tasks: [work] };

async function bedOf(tasks: TaskSpec[], limits: object = {}) {
  const held = heldAgent("slow");
  const bed = await openBed({ agents: [held.definition, echo], limits, workflows: [{ id: "w", tasks }, child] });
  return { ...bed, held };
}

describe("list and count", () => {
  const asked: TaskSpec = { id: "a", type: "agent", agent: "echo" };

  test("find by status, labels, text, time, parent and run, newest first unless asked otherwise", async () => {
    const bed = await bedOf([asked]);
    const { t, clock } = bed;
    const one = await t.run("w", {}, { labels: { team: "red", order: "A-17" } });
    await bed.pass(hour);
    const two = await t.run("w", {}, { labels: { team: "blue" } });
    const ids = async (query: object): Promise<string[]> =>
      (await t.list({ entity: "workflow", ...query })).items.map(({ execId }) => execId);
    expect(await ids({})).toEqual([two.execId, one.execId]);
    expect(await ids({ order: "oldest" })).toEqual([one.execId, two.execId]);
    expect(await ids({ labels: { team: "red" } })).toEqual([one.execId]);
    expect(await ids({ labels: { team: "red", order: "B" } })).toEqual([]);
    expect(await ids({ text: "a-17" })).toEqual([one.execId]);
    expect(await ids({ createdFrom: clock.now() - 60 * second })).toEqual([two.execId]);
    expect(await ids({ createdUntil: clock.now() - 60 * second })).toEqual([one.execId]);
    expect(await ids({ status: ["FAILED"] })).toEqual([]);
    expect(await ids({ id: "w", status: ["SUCCESS", "FAILED"] })).toHaveLength(2);
    const below = await t.list({ parent: one.execId });
    expect(below.items.map(({ entity, id }) => [entity, id])).toEqual([["task", "a"]]);
    expect((await t.list({ run: one.execId })).items).toHaveLength(3);
    expect(await t.count({ entity: "workflow" })).toEqual({ SUCCESS: 2 });
    expect(await t.count({ run: one.execId }, "entity")).toEqual({ workflow: 1, task: 1, agent: 1 });
  });

  test("come in pages that leave nothing out and show nothing twice", async () => {
    const { t } = await bedOf([asked]);
    const all = await Promise.all(Array.from({ length: 25 }, async () => (await t.run("w")).execId));
    const seen: string[] = [];
    let after: string | null | undefined;
    for (let pages = 0; after !== null; pages++) {
      expect(pages).toBeLessThan(4);
      const page = await t.list({ entity: "workflow", limit: 10, ...(after !== undefined && { after }) });
      seen.push(...page.items.map(({ execId }) => execId));
      after = page.cursor;
    }
    expect(seen.toSorted()).toEqual(all.toSorted());
  });

  test("refuse names that are none, and limits that cannot be", async () => {
    const { t } = await bedOf([asked]);
    expect((await refusal(() => t.list({ stauts: [] } as object))).message).toContain("did you mean 'status'?");
    expect((await refusal(() => t.count({ limit: 3 } as object))).code).toBe("VALIDATION_FAILED");
    expect((await refusal(() => t.list({ status: "FAILED" } as object))).message).toContain("must be a list");
    for (const limit of [0, -1, 1.5, NaN])
      expect((await refusal(() => t.list({ limit }))).code).toBe("VALIDATION_FAILED");
  });
});

describe("get and history", () => {
  test("of what is not known are refused", async () => {
    const { t } = await bedOf([work]);
    for (const act of [() => t.get(nobody), () => t.history(nobody), () => t.why(nobody)]) {
      expect((await refusal(act)).code).toBe("EXECUTION_NOT_FOUND");
    }
  });

  test("history is every message in order, and of a task only what is about it", async () => {
    const { t } = await bedOf([
      { id: "a", type: "agent", agent: "echo", next: "b" },
      { id: "b", type: "agent", agent: "echo" },
    ]);
    const { execId } = await t.run("w");
    const lines = await t.history(execId);
    expect(lines[0]?.type).toBe("command:WorkflowExecute");
    expect(lines.at(-1)?.type).toBe("event:WorkflowExecutionSuccess");
    expect(lines.map(({ line }) => line)).toEqual(lines.map((_, index) => (lines[0]?.line ?? 0) + index));
    const tasks = (await t.list({ run: execId, entity: "task" })).items;
    for (const task of tasks) {
      const own = await t.history(task.execId);
      expect(own.length).toBeGreaterThan(8);
      for (const { envelope } of own) expect(envelope["task"]).toMatchObject({ exec_id: task.execId });
    }
  });

  test("history comes in pages that together are the whole", async () => {
    const { t } = await bedOf([
      { id: "a", type: "agent", agent: "echo", next: "b" },
      { id: "b", type: "agent", agent: "echo" },
    ]);
    const { execId } = await t.run("w");
    const whole = await t.history(execId);
    const pages = [];
    for (let fromLine = 0; ;) {
      const page = await t.history(execId, { fromLine, limit: 7 });
      if (page.length === 0) break;
      expect(page.length).toBeLessThanOrEqual(7);
      pages.push(...page);
      fromLine = (page.at(-1)?.line ?? 0) + 1;
    }
    expect(pages).toEqual(whole);
    expect((await refusal(() => t.history(execId, { limit: 0 }))).code).toBe("VALIDATION_FAILED");
    expect((await refusal(() => t.history(execId, { form: 1 } as object))).code).toBe("VALIDATION_FAILED");
  });
});

describe("why", () => {
  const after = async (
    tasks: TaskSpec[],
    bring: (bed: Bed & { held: ReturnType<typeof heldAgent> }) => Promise<void>,
    limits = {},
  ) => {
    const bed = await bedOf(tasks, limits);
    const { execId } = bed.t.start("w");
    await settled();
    await bring({ ...bed });
    return { bed, execId, why: bed.t.why(execId) };
  };
  const at = "2026-01-01T00:00:00.000Z";
  const nothing = async (): Promise<void> => undefined;

  test.each<[string, TaskSpec[], RegExp]>([
    ["an agent", [work], new RegExp(`^task 'a' waits for agent 'slow' since ${at}$`)],
    [
      "a signal",
      [{ id: "a", type: "wait", wait: { signal: "go" }, timeout: "1h" }],
      /^task 'a' waits for signal 'go' since 2026-01-01T00:00:00.000Z, until 2026-01-01T01:00:00.000Z$/,
    ],
    [
      "an approval",
      [{ id: "a", type: "wait", wait: { approval: "may it?" }, timeout: "1h" }],
      /^task 'a' waits for an approval \(may it\?\) since .*, until /,
    ],
    [
      "a time",
      [{ id: "a", type: "wait", wait: { duration: "2h" } }],
      /^task 'a' waits since .*, until 2026-01-01T02:00:00.000Z$/,
    ],
    [
      "a person",
      [{ ...work, pause_before: "look first" }],
      /^paused by .* since 2026-01-01T00:00:00.000Z: look first; resume it to go on$/,
    ],
    [
      "branches",
      [{ id: "p", type: "parallel", branches: { x: [work], y: [{ ...work, id: "y" }] } }],
      /task 'a' waits for agent 'slow'.*task 'y' waits for agent 'slow'/,
    ],
    [
      "a workflow",
      [{ id: "a", type: "workflow", workflow: "child" }],
      /^task 'a' waits for workflow execution '[0-9a-f-]{36}' since /,
    ],
  ])("says that it waits for %s", async (_name, tasks, says) => {
    const { why } = await after(tasks, nothing);
    expect(why).toMatch(says);
    expect(why).not.toContain("\n");
  });

  test("says when it is tried again", async () => {
    const retry = { max_attempts: 2, backoff: { initial: "1h", max: "1h" } };
    const { why } = await after([{ ...work, retry }], async ({ held, pass }) => {
      held.runs[0]?.fail(new Error("once"));
      await pass(second);
    });
    expect(why).toBe("task 'a' is tried again at 2026-01-01T01:00:00.000Z, attempt 2");
  });

  test("says that it waits for a slot, and for a free runtime", async () => {
    const bed = await bedOf([work], { concurrency: 1 });
    const line = [1, 2, 3].map(() => bed.t.start("w").execId);
    await settled();
    expect(bed.t.why(line[2] ?? "")).toBe(
      `waits for a slot since ${at}: 1 executions are in flight, it is number 2 in line`,
    );
    const busy = await bedOf([work], { agents: 1 });
    const [, second_] = [busy.t.start("w"), busy.t.start("w")];
    await settled();
    expect(busy.t.why(second_.execId)).toContain(
      `waits for a free runtime for agent 'slow' since ${at}; all that serve it are busy`,
    );
  });

  test("says of a wait that stands still who paused the workflow, why and since when", async () => {
    const bed = await bedOf([{ id: "a", type: "wait", wait: { signal: "go" }, timeout: "1h" }]);
    const { execId } = bed.t.start("w");
    await settled();
    await bed.pass(second);
    await bed.t.pause(execId, "the shop is shut");
    const [task] = (await bed.t.list({ run: execId, entity: "task" })).items;
    expect(bed.t.why(task?.execId ?? "")).toMatch(
      /its clock stands, for the workflow is paused by .* since 2026-01-01T00:00:01.000Z: the shop is shut$/,
    );
  });

  test("says how it ended, and for a task by itself what it is at", async () => {
    const { bed, execId } = await after([work], async ({ held }) => {
      held.runs[0]?.fail(new Error("no luck"));
      await settled();
    });
    expect(bed.t.why(execId)).toBe(`it has ended: FAILED at ${at}, TASK_FAILED: task 'a' did not succeed: no luck`);
    const direct = bed.t.startOne({ agent: "slow" });
    await settled();
    expect(bed.t.why(direct.execId)).toBe(`waits for agent 'slow' since ${at}`);
    const [agent] = (await bed.t.list({ entity: "agent", status: ["RUNNING"] })).items;
    expect(bed.t.why(agent?.execId ?? "")).toContain("waits for agent 'slow'");
  });
});
