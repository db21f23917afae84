// Goal: a mock is a handler like any other: checked, timed, told to stop.
// Method: mocks that answer what they may not, that hang, and that are at work in real time.

import { expect, test } from "vitest";
import { mock } from "../../../src/testing/door/mock.ts";
import { simulate } from "../../../src/testing/door/simulate.ts";
import { charge, order } from "./order.ts";

const paid = mock(charge).returns({ receipt: "R-1" });
const packs = mock("packer").returns({ ok: true });
const all = { tools: [paid], agents: [packs] };

test("H1: what a mock answers is held against the schema of its definition", async () => {
  const wrong = mock(charge).returns({ receipt: 5 } as never);
  const run = await (await simulate(order, { ...all, tools: [wrong] })).start({ sum: 5 });
  expect(await run.result()).toMatchObject({
    status: "FAILED",
    error: { details: { cause_code: "TOOL_OUTPUT_INVALID" } },
  });
});

test("H1: a call fails, hangs or is late where that is planned", async () => {
  const sim = await simulate(order, {
    ...all,
    faults: { calls: { pay: { do: "fails", code: "DECLINED" }, "pay@2": { do: "hangs" } } },
  });
  const run = await sim.start({ sum: 5 });
  await run.signal("signed");
  await run.result();
  const calls = sim.calls("charge");
  expect(calls.map(({ place, wasStopped }) => [place, wasStopped])).toEqual([
    ["pay", false],
    ["pay@2", true],
    ["pay@3", false],
  ]);
  expect((calls[2]?.at ?? 0) - (calls[0]?.at ?? 0)).toBe(2_000 + 10_000 + 4_000);
});

test("virtual time stands still while a function of a mock is at work", async () => {
  const reads = mock("packer").answers(async () => {
    for (let turns = 20; turns > 0; turns--) await new Promise(setImmediate);
    return { ok: true };
  });
  const sim = await simulate(order, { ...all, agents: [reads] });
  const run = await sim.start({ sum: 5 });
  await run.signal("signed");
  const before = sim.now;
  expect(await run.result()).toMatchObject({ status: "SUCCESS" });
  expect(sim.now).toBe(before);
});
