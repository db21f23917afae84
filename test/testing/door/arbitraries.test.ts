// Goal: what is drawn for a workflow can come to pass in it.
// Method: samples are held against its schema and its tasks, and played in simulations.

import { sample } from "fast-check";
import { expect, expectTypeOf, test } from "vitest";
import { arbitrariesOf } from "../../../src/testing/door/arbitraries.ts";
import { mock } from "../../../src/testing/door/mock.ts";
import { simulate } from "../../../src/testing/door/simulate.ts";
import { charge, order, packer } from "./order.ts";

test("A1: inputs pass their schema, faults are of calls that there are, and both go into a simulation", async () => {
  const { inputs, calls, disturbances } = await arbitrariesOf<{ sum: number }>(order, {
    tools: [charge],
    agents: [packer],
  });
  expectTypeOf(inputs.generate).toBeFunction();
  const given = sample(inputs, { seed: 1, numRuns: 50 });
  expect(given.every(({ sum }) => typeof sum === "number")).toBe(true);
  const faults = sample(calls, { seed: 1, numRuns: 50 });
  expect(new Set(faults.flatMap(Object.keys).map((place) => place.replace(/@.*/, "")))).toEqual(
    new Set(["pay", "ship"]),
  );
  const disturbed = sample(disturbances, { seed: 2, numRuns: 10 });
  const mocks = { tools: [mock(charge).returns({ receipt: "R" })], agents: [mock("packer").returns({ ok: true })] };
  for (const [index, some] of disturbed.entries()) {
    const sim = await simulate(order, { ...mocks, faults: { calls: faults[index] ?? {}, disturbances: some } });
    const run = await sim.start(given[index] ?? { sum: 1 });
    expect(["SUCCESS", "FAILED", "CANCELED", "TIMED_OUT"]).toContain((await run.result()).status);
  }
});
