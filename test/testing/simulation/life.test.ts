// What a crash of a simulated process takes with it, and what it leaves.
//
// Method: a crash in the first append, with nothing and with all of it on disk.

import { expect, it } from "vitest";
import { scenarioOf } from "../../../src/testing/simulation/draw.ts";
import { playScenario } from "../../../src/testing/simulation/play-scenario.ts";
import type { Scenario } from "../../../src/testing/simulation/scenario.ts";

it("K1: after a crash in the first append the next process begins on what is left, and all ends", async () => {
  const { findings, lives } = await playScenario({
    ...scenarioOf(3, { isForeign: false }),
    faults: [{ do: "crash", append: 1, whole: 0, torn: 0, downMs: 10 }],
  });
  expect(findings).toEqual([]);
  // The one that crashed, the one after it, and the one that is begun at the end to see that nothing is left.
  expect(lives).toBe(3);
});

it("K2: what a crash leaves is what it is said to leave", async () => {
  const crash = { do: "crash", append: 1, torn: 0, downMs: 10 } as const;
  const scenario: Scenario = { ...scenarioOf(3, { isForeign: false }), moves: [] };
  const lost = await playScenario({ ...scenario, faults: [{ ...crash, whole: 0 }] });
  const kept = await playScenario({ ...scenario, faults: [{ ...crash, whole: 1 }] });
  expect(kept.evidence.records.length).toBe(lost.evidence.records.length + 1);
});
