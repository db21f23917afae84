// Goal: a recorded run is the same with the definition that it had, and differs where a changed one does otherwise.
// Method: runs of simulations, exported as `troupe export` does it, played again with definitions that were changed.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { defineWorkflow, type WorkflowSpec } from "../../../src/index.ts";
import { mock } from "../../../src/testing/door/mock.ts";
import { replayHistory } from "../../../src/testing/door/replay-history.ts";
import { simulate } from "../../../src/testing/door/simulate.ts";
import { type Bundle, sumAfter } from "../../../src/runtime/bundle-format.ts";
import { charge, order } from "./order.ts";

type Tasks = WorkflowSpec["tasks"];

async function recorded(): Promise<{ runs: { records: object[] }[]; exec_id: string }> {
  const paid = mock(charge).fails("BUSY").onAttempt(1).returns({ receipt: "R-1" });
  const sim = await simulate(order, { tools: [paid], agents: [mock("packer").returns({ ok: true })] });
  const run = await sim.start({ sum: 5 });
  await sim.advance("1d");
  await run.signal("signed");
  await run.result();
  return run.export() as never;
}

const changed = (change: (task: Tasks[number]) => object): WorkflowSpec => ({
  ...order,
  tasks: order.tasks.map((task) => ({ ...task, ...change(task) })) as unknown as Tasks,
});
const tools = [charge];

test("R1: with the definition that it had it is the same, from a file too", async () => {
  const bundle = await recorded();
  const replay = await replayHistory(bundle, { workflow: order, tools });
  expect(replay).toMatchObject({
    same: true,
    runs: 1,
    says: expect.stringMatching(/^the same: \d+ records of 1 run$/),
  });
  expect(replay.records).toBe(bundle.runs[0]?.records.length);
  const folder = mkdtempSync(join(tmpdir(), "replay-"));
  const file = join(folder, "run.json");
  writeFileSync(file, JSON.stringify(bundle));
  expect(await replayHistory(file, { workflow: order, tools })).toMatchObject({ same: true });
  rmSync(folder, { recursive: true });
});

test("what comes into no run that was recorded changes nothing", async () => {
  const other = changed(({ id }) => (id === "refund" ? { with: { sum: 0 } } : {}));
  expect(await replayHistory(await recorded(), { workflow: other, tools })).toMatchObject({ same: true });
});

test("an input that changed is found: which record, which task, where, and from what to what", async () => {
  const other = changed(({ id }) => (id === "ship" ? { with: { box: 2 } } : {}));
  const { same, divergence, says } = await replayHistory(await recorded(), { workflow: other, tools });
  expect(same).toBe(false);
  expect(divergence).toMatchObject({
    workflow: "order",
    heard: "command:WorkflowSignal",
    task: "ship",
    where: { path: expect.stringMatching(/input\.box$/), got: 2 },
  });
  expect(says).toContain("task 'ship'");
});

test("a task more, a task less and another limit are found", async () => {
  const bundle = await recorded();
  const between: Readonly<Record<string, object>> = { pay: { next: "note" }, note: { next: "sign" } };
  const note = { id: "note", type: "agent", agent: "packer" } as Tasks[number];
  const longer = { ...order, tasks: [...order.tasks, note] };
  const more = { ...longer, tasks: longer.tasks.map((task) => ({ ...task, ...between[task.id] }) as Tasks[number]) };
  expect((await replayHistory(bundle, { workflow: more, tools })).divergence).toMatchObject({
    task: "sign",
    expected: expect.stringContaining("sign"),
    got: expect.stringContaining("note"),
  });
  const once = changed(({ id }) => (id === "pay" ? { retry: { max_attempts: 1 } } : {}));
  expect((await replayHistory(bundle, { workflow: once, tools })).divergence).toMatchObject({ task: "pay" });
});

test("what cannot be told is refused: another workflow, a file of another version, no file", async () => {
  const bundle = await recorded();
  const stranger = defineWorkflow({ id: "stranger", tasks: [{ id: "one", type: "agent", agent: "packer" }] });
  await expect(replayHistory(bundle, { workflow: stranger })).rejects.toThrow("none of those is given");
  await expect(replayHistory({ ...bundle, version: 2 }, { workflow: order })).rejects.toThrow("version must be 1");
  await expect(replayHistory("nowhere.json", { workflow: order })).rejects.toThrow("cannot be read as an exported run");
});

test("what the log keeps as an answer is asked anew of the definition: callee, schemas, functions", async () => {
  const bundle = await recorded();
  const other = changed(({ id }) => (id === "ship" ? { agent: "robot" } : {}));
  expect((await replayHistory(bundle, { workflow: other, tools })).divergence).toMatchObject({
    task: "ship",
    expected: expect.stringContaining("agent packer"),
    got: expect.stringContaining("agent robot"),
  });
  const narrow = { ...order, input: { type: "object", properties: { sum: { type: "number", maximum: 1 } } } } as const;
  expect((await replayHistory(bundle, { workflow: narrow, tools })).divergence).toMatchObject({
    record: 1,
    where: { path: "payload.status", got: "ERROR" },
  });
});

test("a definition with functions is not in the file: it is asked for, and then compared", async () => {
  const giving = (more: number) =>
    defineWorkflow({
      id: "sums",
      tasks: [{ id: "pack", type: "agent", agent: "packer", with: () => ({ n: more }) }],
    });
  const run = await (await simulate(giving(1), { agents: [mock("packer").returns({ ok: true })] })).start({});
  await run.result();
  const bundle = await run.export();
  await expect(replayHistory(bundle, { workflow: giving(1) })).rejects.toThrow("give it as `before`");
  const before = [giving(1)];
  expect(await replayHistory(bundle, { workflow: giving(1), before })).toMatchObject({ same: true });
  expect((await replayHistory(bundle, { workflow: giving(2), before })).divergence).toMatchObject({
    task: "pack",
    where: { path: expect.stringMatching(/input\.n$/), expected: 1, got: 2 },
  });
});

test("a record that its own definition does not give is no ground to judge on", async () => {
  const bundle = structuredClone(await recorded()) as unknown as Bundle;
  const { run = "", records = [] } = bundle.runs[0] ?? {};
  const last = records.at(-1);
  last?.body.m.pop();
  let sum = run;
  for (const record of records) record.sum = sum = sumAfter(sum, record.at, JSON.stringify(record.body));
  await expect(replayHistory(bundle, { workflow: order, tools })).rejects.toThrow(
    /not the same with its own definition either \(record \d+, expected nothing more/,
  );
});

test("workflows that were called are played again with it, and are as they were if they are not given", async () => {
  const child = defineWorkflow({
    id: "child",
    tasks: [{ id: "pack", type: "agent", agent: "packer" }],
    result: { packed: true },
  });
  const parent = defineWorkflow({ id: "parent", tasks: [{ id: "begin", type: "workflow", workflow: "child" }] });
  const agents = [mock("packer").returns({ ok: true })];
  const run = await (await simulate(parent, { workflows: [child], agents })).start();
  expect((await run.result()).status).toBe("SUCCESS");
  const bundle = await run.export();
  expect(await replayHistory(bundle, { workflow: parent })).toMatchObject({ same: true, runs: 2 });
  const other = defineWorkflow({ ...child, tasks: [{ id: "pack", type: "agent", agent: "packer", timeout: "9s" }] });
  const { divergence } = await replayHistory(bundle, { workflow: parent, workflows: [other] });
  expect(divergence).toMatchObject({ workflow: "child", task: "pack" });
});
