// Goal: time passes at once, and a process that dies loses what it had not written down, and nothing else.
// Method: one workflow that waits for weeks, and crashes at each of its writes.

import { describe, expect, test } from "vitest";
import type { Disturbance } from "../../../src/testing/check/trial.ts";
import { mock } from "../../../src/testing/door/mock.ts";
import { simulate } from "../../../src/testing/door/simulate.ts";
import { charge, order } from "./order.ts";

const paid = mock(charge).returns({ receipt: "R-1" });
const packs = mock("packer").returns({ ok: true });
const all = { tools: [paid], agents: [packs] };

test("P1: thirty days pass in a few steps of the engine, and a timeout in them fires at its time", async () => {
  const sim = await simulate(order, all);
  const run = await sim.start({ sum: 5 });
  const began = sim.now;
  const before = process.threadCpuUsage();
  await sim.advance("29d");
  expect(run.status).toBe("RUNNING");
  await sim.advance("1d");
  // A beat of the process for each five seconds of thirty days would take seconds.
  expect(process.threadCpuUsage(before).user / 1_000).toBeLessThan(5_000);
  expect(sim.now - began).toBe(30 * 86_400_000);
  expect(await run.result()).toMatchObject({ status: "SUCCESS" });
  expect(sim.calls("charge").map(({ input }) => input)).toEqual([{ sum: 5 }, { sum: -5 }]);
  expect(sim.calls("packer")).toEqual([]);
});

describe("crashes", () => {
  test("P2: what was under way is done again when the process is back, with the same key", async () => {
    const slow = mock(charge).returns({ receipt: "R-1" }).after("5s");
    const sim = await simulate(order, { ...all, tools: [slow] });
    const run = await sim.start({ sum: 5 });
    await sim.crash({ downFor: "3s" });
    expect(sim.troupe).toBeUndefined();
    await run.signal("signed");
    expect((await run.result()).status).toBe("SUCCESS");
    const [first, second] = sim.calls("charge");
    expect(first).toMatchObject({ life: 1, endedAt: null });
    expect(second).toMatchObject({
      place: "pay",
      life: 2,
      idempotencyKey: first?.idempotencyKey,
      output: { receipt: "R-1" },
    });
  });

  test.each([true, false])("P2: at any append, kept: %s, the run comes to the same end", async (kept) => {
    for (let append = 1; append <= 4; append++) {
      const crash: Disturbance = { append, do: "crash", kept, downMs: 1_000 };
      const sim = await simulate(order, { ...all, faults: { disturbances: [crash] } });
      const run = await sim.start({ sum: 5 });
      await sim.advance("1m");
      await run.signal("signed");
      expect(await run.result(), `append ${append}`).toMatchObject({ status: "SUCCESS" });
      expect(sim.calls("packer").at(-1)).toMatchObject({ output: { ok: true } });
      expect(sim.lives, `append ${append}`).toBe(2);
    }
  });
});
