// A crash at every append, with nothing or all of the last group on disk, loses nothing that was acknowledged.
//
// Method: a few seeds are played once without faults, to count their appends; then once for each append and each rest.

import { expect, test } from "vitest";
import { scenarioOf } from "../../../src/testing/simulation/draw.ts";
import { playScenario } from "../../../src/testing/simulation/play-scenario.ts";
import type { Scenario } from "../../../src/testing/simulation/scenario.ts";

/** The last four undo what they did, go through items, and are forked. */
const seeds = [2, 5, 11, 17, 52, 75, 122, 195];

test.each(seeds)("seed %i survives a crash at every append", async (seed) => {
  const scenario: Scenario = { ...scenarioOf(seed, { isForeign: false }), faults: [] };
  const { appends } = await playScenario(scenario);
  expect(appends).toBeGreaterThan(5);
  for (let append = 1; append <= appends; append++) {
    for (const whole of [0, 1, 100]) {
      const { findings } = await playScenario({
        ...scenario,
        faults: [{ do: "crash", append, whole, torn: 0, downMs: 100 }],
      });
      expect(findings, `append ${append}, ${whole} whole`).toEqual([]);
    }
  }
});
