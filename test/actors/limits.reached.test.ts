// Goal: each limit of the engine does at its border what its table says, with the code that it names.
// Method: a troupe with one small limit each, brought to it and one over it. What a definition may be too big for is
// in definition.test.ts, what a transport may be in exchange.test.ts, what may be
// imported in bundle.test.ts, what is kept of answers and results in requests.test.ts and redelivery.test.ts, what
// objects may be in contents.test.ts.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { TaskSpec, WorkflowSpec } from "../../src/language/spec.ts";
import type { Limits } from "../../src/actors/limits.ts";
import { limits as table } from "../../src/actors/limits.ts";
import type { TroupeError } from "../../src/protocol/errors.ts";
import { type Bed, heldAgent, openBed, refusal, second, settled } from "../runtime/bed.ts";

const echo = { id: "echo", handler: (input: unknown) => ({ heard: input }) };
const work: TaskSpec = { id: "a", type: "agent", agent: "slow" };
const wait: TaskSpec = { id: "s", type: "wait", wait: { signal: "go" }, timeout: "1h" };

async function bedWith(limits: Partial<Limits>) {
  const held = heldAgent("slow");
  const tool = heldAgent("slow_tool");
  const bed: Bed = await openBed({
    limits,
    agents: [held.definition, echo],
    tools: [{ id: "slow_tool", handler: tool.definition.handler as never }],
    workflows: [
      { id: "w", tasks: [work] },
      { id: "sleeper", tasks: [wait] },
      { id: "t", tasks: [{ id: "a", type: "tool", tool: "slow_tool" }] },
      { id: "deep", tasks: [{ id: "a", type: "workflow", workflow: "deeper" }] },
      { id: "deeper", tasks: [{ id: "a", type: "workflow", workflow: "deep" }] },
      { id: "quick", tasks: [{ id: "a", type: "agent", agent: "echo", with: { x: "${{ input.x }}" } }] },
    ],
  });
  return { ...bed, held, tool };
}

test("concurrency: one more waits in line until another has ended", async () => {
  const { t, held } = await bedWith({ concurrency: 2 });
  const runs = [1, 2, 3].map(() => t.start("w"));
  await settled();
  expect(runs.map(({ execId }) => t.get(execId).status)).toEqual(["RUNNING", "RUNNING", "PENDING"]);
  held.runs[1]?.end({ n: 1 });
  await settled();
  expect(runs.map(({ execId }) => t.get(execId).status)).toEqual(["RUNNING", "SUCCESS", "RUNNING"]);
});

test("concurrency: a child workflow needs no slot of its own, or its parent would wait for itself", async () => {
  const { t } = await bedWith({ concurrency: 1 });
  await t.define({
    workflows: [{ id: "p", tasks: [{ id: "a", type: "workflow", workflow: "quick", with: { x: 1 } }] }],
  });
  expect(await t.run("p")).toMatchObject({ status: "SUCCESS" });
});

test("queueMax: one more than may wait in line is refused with RATE_LIMITED, and a child is not", async () => {
  const { t, held } = await bedWith({ concurrency: 1, queueMax: 2 });
  const parent = { id: "p", tasks: [{ id: "a", type: "workflow", workflow: "w" }] } as const;
  await t.define({ workflows: [parent as never] });
  const runs = ["p", "w", "w"].map((id) => t.start(id));
  expect(await refusal(() => t.start("w"))).toMatchObject({
    code: "RATE_LIMITED",
    details: { limit: "queueMax", max: 2 },
  });
  await settled();
  expect(held.runs).toHaveLength(1);
  held.runs[0]?.end({ n: 1 });
  await settled();
  expect(runs.map(({ execId }) => t.get(execId).status)).toEqual(["SUCCESS", "RUNNING", "PENDING"]);
  t.start("w");
  expect((await refusal(() => t.start("w"))).code).toBe("RATE_LIMITED");
});

test("mailbox: one more is refused with RATE_LIMITED while so many wait for the disk", async () => {
  const { t } = await bedWith({ mailbox: 5 });
  const taken = Array.from({ length: 5 }, (_, x) => t.start("quick", { x }));
  expect(await refusal(() => t.start("quick", { x: 6 }))).toMatchObject({
    code: "RATE_LIMITED",
    details: { limit: "mailbox", max: 5 },
  });
  await Promise.all(taken.map(({ result }) => result()));
  expect(await t.run("quick", { x: 7 })).toMatchObject({ status: "SUCCESS" });
});

test("agents: one more waits until one of them has ended, also when all come at once", async () => {
  const { t, held } = await bedWith({ agents: 2 });
  const runs = [1, 2, 3, 4].map(() => t.start("w"));
  await settled();
  expect(held.runs).toHaveLength(2);
  held.runs[0]?.end({ n: 1 });
  await settled();
  expect(held.runs).toHaveLength(3);
  held.runs[1]?.end({ n: 1 });
  await settled();
  for (const { end } of held.runs) end({ n: 1 });
  expect((await Promise.all(runs.map(({ result }) => result()))).map(({ status }) => status)).toEqual(
    runs.map(() => "SUCCESS"),
  );
});

test("tools: one more fails with TOOL_DISPATCH_FAILED, also when all come at once", async () => {
  const { t, tool } = await bedWith({ tools: 2 });
  const runs = [1, 2, 3].map(() => t.start("t"));
  await settled();
  expect(tool.runs).toHaveLength(2);
  expect(await runs[2]?.result()).toMatchObject({
    status: "FAILED",
    error: { details: { cause_code: "TOOL_DISPATCH_FAILED", cause: { details: { reason: "all_busy" } } } },
  });
  for (const { end } of tool.runs) end({});
  expect((await Promise.all(runs.map(({ result }) => result()))).map(({ status }) => status)).toEqual([
    "SUCCESS",
    "SUCCESS",
    "FAILED",
  ]);
  const last = t.run("t");
  await settled();
  tool.runs[2]?.end({});
  expect(await last, "a place that was given back is there for the next").toMatchObject({ status: "SUCCESS" });
});

test("payloadBytes: a larger input is refused with PAYLOAD_TOO_LARGE, at the door and between tasks", async () => {
  const { t } = await bedWith({ payloadBytes: 200 });
  const x = "x".repeat(150);
  expect(await t.run("quick", { x })).toMatchObject({ status: "SUCCESS" });
  expect(await refusal(() => t.run("quick", { x: x + x }))).toMatchObject({
    code: "PAYLOAD_TOO_LARGE",
    details: { limit: "payloadBytes", max: 200 },
  });
  const twice = {
    id: "twice",
    tasks: [{ id: "a", type: "agent" as const, agent: "echo", with: "${{ input.x }}${{ input.x }}" }],
  };
  await t.define({ workflows: [twice] });
  expect(await t.run("twice", { x })).toMatchObject({
    status: "FAILED",
    error: { details: { cause_code: "PAYLOAD_TOO_LARGE" } },
  });
  const result = { id: "result", tasks: [wait], result: "${{ input.x }}${{ input.x }}" };
  await t.define({ workflows: [result] });
  const { execId, result: ended } = t.start("result", { x });
  await settled();
  await t.signal(execId, "go");
  expect(await ended()).toMatchObject({ status: "FAILED", error: { code: "PAYLOAD_TOO_LARGE" } });
});

test("stepBytes: a larger step throws PAYLOAD_TOO_LARGE in the handler, which may bear it", async () => {
  const said: unknown[] = [];
  const { t } = await openBed({
    limits: { stepBytes: 100 },
    agents: [
      {
        id: "one",
        handler: (_input, { step }) => {
          step("x".repeat(98));
          try {
            step("x".repeat(99));
          } catch (thrown) {
            said.push((thrown as TroupeError).code, (thrown as TroupeError).details);
          }
          return { done: true };
        },
      },
    ],
  });
  expect(await t.execute({ agent: "one" })).toMatchObject({ status: "SUCCESS" });
  expect(said).toEqual(["PAYLOAD_TOO_LARGE", { limit: "stepBytes", max: 100, bytes: 101 }]);
});

test("depthMax: workflows that call each other deeper fail with VALIDATION_FAILED", async () => {
  const bed = await bedWith({ depthMax: 3 });
  const end = bed.t.run("deep");
  await bed.pass(second);
  expect(await end).toMatchObject({ status: "FAILED" });
  const { items } = await bed.t.list({ entity: "workflow", order: "oldest" });
  expect(items).toHaveLength(4);
  expect(items.at(-1)).toMatchObject({ status: "FAILED", error: { code: "VALIDATION_FAILED" } });
});

const eachOf = (max_concurrency: number): WorkflowSpec => ({
  id: "each",
  tasks: [
    {
      id: "each",
      type: "each",
      items: "${{ input }}",
      max_concurrency,
      do: [{ id: "nap", type: "wait", wait: { duration: "1s" } }],
    },
  ],
});

test("itemsMax: an each of more fails with VALIDATION_FAILED", async () => {
  const bed = await openBed({ workflows: [eachOf(1)], limits: { itemsMax: 2 } });
  const ends = [bed.t.run("each", [1, 2]), bed.t.run("each", [1, 2, 3])];
  await bed.pass(10 * second);
  expect(await ends[0]).toMatchObject({ status: "SUCCESS" });
  const cause = { code: "VALIDATION_FAILED", details: { limit: "itemsMax", max: 2, items: 3 } };
  expect(await ends[1]).toMatchObject({ status: "FAILED", error: { details: { cause } } });
});

test("widthMax: no more items are under way, whatever their each allows", async () => {
  const bed = await openBed({ workflows: [eachOf(50)], limits: { widthMax: 3 } });
  const { execId, result } = bed.t.start("each", Array(7).fill(0));
  const waiting = async (): Promise<number> =>
    (await bed.t.list({ run: execId, id: "nap", status: ["WAITING"] })).items.length;
  await bed.pass(100);
  expect(await waiting()).toBe(3);
  await bed.pass(10 * second);
  expect(await result()).toMatchObject({ status: "SUCCESS", output: { counts: { ok: 7 } } });
});

test("labelsMax: a start with more is refused with VALIDATION_FAILED", async () => {
  const { t } = await bedWith({ labelsMax: 2 });
  const some = (count: number): { labels: Record<string, string> } => ({
    labels: Object.fromEntries(Array.from({ length: count }, (_, index) => [`l${index}`, "x"])),
  });
  expect(await t.run("quick", { x: 1 }, some(2))).toMatchObject({ status: "SUCCESS" });
  expect(await refusal(() => t.start("quick", {}, some(3)))).toMatchObject({
    code: "VALIDATION_FAILED",
    details: { limit: "labelsMax" },
  });
  for (const labels of [{ a: 1 }, { "": "x" }, { a: "x".repeat(257) }, ["x"], "x"]) {
    expect((await refusal(() => t.start("quick", {}, { labels: labels as never }))).code).toBe("VALIDATION_FAILED");
  }
});

test("historyPage: an answer has no more rows, and the rest is on the next page", async () => {
  const { t } = await bedWith({ historyPage: 3 });
  const { execId } = await t.run("quick", { x: 1 });
  await t.run("quick", { x: 2 });
  const first = await t.list({ limit: 100 });
  expect(first.items).toHaveLength(3);
  expect((await t.list({ limit: 100, after: first.cursor ?? "" })).items.length).toBeGreaterThan(0);
  expect(await t.history(execId)).toHaveLength(3);
});

test("subscriptionsMax: one more is refused with RATE_LIMITED until another has ended", async () => {
  const { t } = await bedWith({ subscriptionsMax: 2 });
  const ends = [1, 2].map(() => t.subscribe(() => undefined));
  expect(await refusal(() => t.subscribe(() => undefined))).toMatchObject({
    code: "RATE_LIMITED",
    details: { limit: "subscriptionsMax", max: 2 },
  });
  ends[0]?.();
  ends[0]?.();
  t.subscribe(() => undefined);
  expect((await refusal(() => t.subscribe(() => undefined))).code).toBe("RATE_LIMITED");
});

test("stepsMax: one more execution of a task fails the workflow with STEP_LIMIT", async () => {
  const { t } = await bedWith({ stepsMax: 3 });
  await t.define({
    workflows: [{ id: "loop", tasks: [{ id: "a", type: "agent", agent: "echo", with: { x: 1 }, next: "a" }] }],
  });
  const { execId, ...ended } = await t.run("loop");
  expect(ended).toMatchObject({ status: "FAILED", error: { code: "STEP_LIMIT" } });
  expect((await t.list({ run: execId, entity: "task" })).items).toHaveLength(3);
});

test("cascadeMax: a run that says more at once fails with INTERNAL_ERROR, and no other does", async () => {
  const { t } = await bedWith({ cascadeMax: 40 });
  const wide = Object.fromEntries(
    Array.from({ length: 30 }, (_, index) => [`b${index}`, [{ ...wait, id: `s${index}` }]]),
  );
  await t.define({ workflows: [{ id: "wide", tasks: [{ id: "p", type: "parallel", branches: wide }] }] });
  expect(await t.run("wide")).toMatchObject({
    status: "FAILED",
    error: { code: "INTERNAL_ERROR", message: expect.stringContaining("a cascade of more than 40 words") },
  });
  expect(await t.run("quick", { x: 1 })).toMatchObject({ status: "SUCCESS" });
});

test("awakeMax and idleBeforeSleepMs: runs that only wait leave memory, and come back the same", async () => {
  const few = await bedWith({ awakeMax: 5 });
  const runs = Array.from({ length: 40 }, () => few.t.start("sleeper"));
  await few.pass(second);
  expect(few.t.stats().awake).toBeLessThanOrEqual(6);
  expect(few.t.stats().asleep).toBeGreaterThanOrEqual(34);
  for (const { execId } of runs) await few.t.signal(execId, "go", { n: 1 });
  for (const { result } of runs) expect(await result()).toMatchObject({ status: "SUCCESS" });

  const idle = await bedWith({ idleBeforeSleepMs: 30_000 });
  const { execId, result } = idle.t.start("sleeper");
  await idle.pass(20 * second);
  expect(idle.t.system.peek(execId)).toBeDefined();
  await idle.pass(30 * second);
  expect(idle.t.system.peek(execId)).toBeUndefined();
  expect(idle.t.why(execId)).toContain("waits for signal 'go'");
  await idle.t.signal(execId, "go");
  expect(await result()).toMatchObject({ status: "SUCCESS" });
});

test("retentionMs: an ended run is forgotten after that, and an open one is not", async () => {
  const { t, pass } = await bedWith({ retentionMs: 60_000 });
  const ended = await t.run("quick", { x: 1 });
  const open = t.start("sleeper");
  await pass(50 * second);
  expect(t.get(ended.execId).status).toBe("SUCCESS");
  await pass(60 * second);
  expect((await refusal(() => t.get(ended.execId))).code).toBe("EXECUTION_NOT_FOUND");
  expect(t.get(open.execId).status).toBe("RUNNING");
});

test("watchedMax: one run more is watched by nobody, until another is let go", async () => {
  const { t } = await bedWith({ watchedMax: 1 });
  const [one, other] = [t.start("sleeper"), t.start("sleeper")];
  await settled();
  const end = t.watch(one.execId, () => undefined);
  expect(await refusal(() => t.watch(other.execId, () => undefined))).toMatchObject({
    code: "RATE_LIMITED",
    details: { limit: "watchedMax", max: 1 },
  });
  end();
  t.watch(other.execId, () => undefined);
});

test("each limit has its test", () => {
  const elsewhere = [
    "tasksMax",
    "fanOutMax",
    "deliveriesMax",
    "bundleBytes",
    "importsMax",
    "answersBytes",
    "resultsBytes",
    "objectBytes",
    "objectsAtOnce",
  ];
  const here = Object.keys(table).filter((name) => !elsewhere.includes(name));
  const named = readFileSync(import.meta.filename, "utf8");
  for (const name of here) expect(named, name).toMatch(new RegExp(`^test\\("(?:\\w+ and )?${name}\\b`, "m"));
  expect(elsewhere.every((name) => Object.hasOwn(table, name))).toBe(true);
});
