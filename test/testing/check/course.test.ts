// The quick way of playing beside the whole one: random workflows, faults and disturbances, told alike to the letter.

import { describe, expect, test } from "vitest";
import { playTrial, stemOf } from "../../../src/testing/check/branches.ts";
import type { Company } from "../../../src/testing/check/cast.ts";
import { allKinds, disturbancesOf, faultsOf, isTried } from "../../../src/testing/check/faults.ts";
import { play } from "../../../src/testing/check/play.ts";
import type { Outcome, Trial } from "../../../src/testing/check/trial.ts";
import { type Dice, diceFrom } from "../../../src/testing/simulation/dice.ts";
import { company, drawn, drawnInput as input, toldOf, trialOf } from "./casts.ts";

const kinds = new Set(allKinds);
/** Trials that go on from another: with faults of its own calls, some in place of what it has, and a disturbance. */
async function* trials(dice: Dice, of: Company, base: Trial, count: number): AsyncGenerator<Trial> {
  const plain = await play(of, base);
  const faults = plain.calls.filter(({ place }) => isTried(place)).flatMap((called) => faultsOf(called, of, kinds));
  const disturbances = disturbancesOf(plain, kinds);
  yield base;
  for (let left = count; left > 0; left--) {
    const calls: Record<string, Outcome> = { ...base.calls };
    for (let more = dice.between(0, 2); more > 0; more--) {
      const fault = faults[dice.between(0, Math.max(0, faults.length - 1))];
      if (fault) calls[fault.place] = fault.outcome;
    }
    const which = dice.chance(0.5) ? dice.between(0, disturbances.length) : disturbances.length;
    yield { ...base, calls, disturbances: [...base.disturbances, ...disturbances.slice(which, which + 1)] };
  }
}

const seeds = Array.from({ length: 25 }, (_, index) => index + 1);

describe("random workflows and trials", () => {
  test.each(seeds)("C1: seed %i is played the same with a process and without, and as a branch", async (seed) => {
    const dice = diceFrom(seed);
    const of = drawn(dice);
    const base: Trial = { workflow: "first", seed, input, calls: {}, disturbances: [] };
    const { branch } = await stemOf(of, base);
    for await (const trial of trials(dice, of, base, 6)) {
      const whole = toldOf(await play(of, trial));
      // What is told is long: what differs is better looked for with the trial at hand.
      expect(toldOf(await playTrial(of, trial)) === whole, JSON.stringify(trial)).toBe(true);
      expect(toldOf(await branch(trial)) === whole, `branch ${JSON.stringify(trial)}`).toBe(true);
    }
  });

  test.each(seeds.slice(0, 12))(
    "C2: seed %i goes on from a copy of a run with faults as from its start",
    async (seed) => {
      const dice = diceFrom(1_000 + seed);
      const of = drawn(dice);
      const plain: Trial = { workflow: "first", seed, input, calls: {}, disturbances: [] };
      for await (const base of trials(dice, of, plain, 2)) {
        const { branch } = await stemOf(of, base);
        for await (const trial of trials(dice, of, base, 6)) {
          const isSame = toldOf(await branch(trial)) === toldOf(await playTrial(of, trial));
          expect(isSame, `${JSON.stringify(trial)} from ${JSON.stringify(base)}`).toBe(true);
        }
      }
    },
  );
});

test("C2: what branches off is not changed by another that does, nor is the stem", async () => {
  const base = trialOf("varied");
  const { played, branch } = await stemOf(company, base);
  const before = toldOf(played);
  const failing = { ...base, calls: { end: { do: "fails", code: "GONE" } as const } };
  const first = toldOf(await branch(failing));
  await branch({ ...base, calls: { "all[*]/fetch": { do: "hangs" } } });
  expect(toldOf(await branch(failing))).toBe(first);
  expect(toldOf(played)).toBe(before);
  expect(toldOf(await branch(base))).toBe(before);
});

test("what the journal and the disk of a course hold is what a process writes", async () => {
  const trial = trialOf("varied", { calls: { left: { do: "fails", code: "GONE" } } });
  const [quick, whole] = [await playTrial(company, trial), await play(company, trial)];
  expect(quick.journal()).toEqual(whole.journal());
  expect(quick.disk().log).toEqual(whole.disk().log);
  expect([...quick.disk().rows.values()]).toEqual([...whole.disk().rows.values()]);
});
