// A simulation is the same every time, and makes small what it finds.
//
// Method: the same seeds twice, compared record by record; a planted defect, shrunk.

import { expect, it } from "vitest";
import type { AgentDefinition } from "../../../src/agents/agent.ts";
import { scenarioOf } from "../../../src/testing/simulation/draw.ts";
import type { Variant } from "../../../src/testing/simulation/life.ts";
import { playScenario } from "../../../src/testing/simulation/play-scenario.ts";
import type { Scenario } from "../../../src/testing/simulation/scenario.ts";
import { shrink, textOf } from "../../../src/testing/simulation/shrink.ts";

it("S1: the same scenario gives the same log and the same findings", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const one = await playScenario(scenarioOf(seed));
    const other = await playScenario(scenarioOf(seed));
    expect(other.evidence.records).toEqual(one.evidence.records);
    expect(other.findings).toEqual(one.findings);
    expect(other.appends).toBe(one.appends);
  }
});

it("S2: once it is calm no fault happens any more, however many are still to come", async () => {
  const scenario: Scenario = { ...scenarioOf(1, { isForeign: false }), calmAt: 1_000 };
  const late = { do: "crash", at: 1_000, whole: 0, torn: 0, downMs: 0 } as const;
  const calm = await playScenario({ ...scenario, faults: [] });
  const { lives, findings } = await playScenario({ ...scenario, faults: [late, { ...late, at: 5_000 }] });
  expect(lives).toBe(calm.lives);
  expect(findings).toEqual([]);
});

it("S1: different seeds give different scenarios", () => {
  const texts = Array.from({ length: 50 }, (_, seed) => textOf({ ...scenarioOf(seed), seed: 0 }));
  expect(new Set(texts).size).toBe(50);
});

it("a finding is made small and stays the same finding", async () => {
  const twice = (agent: AgentDefinition): AgentDefinition => ({
    id: agent.id,
    handler: (input, context) => {
      void Promise.resolve(agent.handler?.(input, context)).catch(() => undefined);
      return agent.handler?.(input, context);
    },
  });
  const variant: Variant = { options: (options) => ({ ...options, agents: (options.agents ?? []).map(twice) }) };
  for (let seed = 1; ; seed++) {
    const scenario = scenarioOf(seed, { isForeign: false });
    const { findings } = await playScenario(scenario, variant);
    if (findings.length === 0) continue;
    const shrunk = await shrink(scenario, findings, variant, 60);
    expect(shrunk.findings[0]?.invariant).toBe(findings[0]?.invariant);
    expect(textOf(shrunk.scenario).length).toBeLessThan(textOf(scenario).length);
    return;
  }
});
