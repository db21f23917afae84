// Plays seeds one after the other and gives what was found, with the command that shows it.

import { scenarioOf } from "../../../src/testing/simulation/draw.ts";
import { playScenario } from "../../../src/testing/simulation/play-scenario.ts";

export async function searched(from: number, seeds: number): Promise<string[]> {
  for (let seed = from; seed < from + seeds; seed++) {
    const { findings } = await playScenario(scenarioOf(seed));
    if (findings.length === 0) continue;
    return [`npm run search -- --seed ${seed}`, ...findings.map(({ invariant, what }) => `${invariant}: ${what}`)];
  }
  return [];
}
