// Shrinking of trials by a rule in place of a play: what is left is known.

import { describe, expect, test } from "vitest";
import { shrink, stepsOf } from "../../../src/testing/check/shrink.ts";
import type { Outcome, Trial } from "../../../src/testing/check/trial.ts";

const fails: Outcome = { do: "fails", code: "GONE" };
const plain = { n: 1 };
const large: Trial = {
  workflow: "w",
  seed: 1,
  input: { n: 64, list: [{ a: 1, b: 2 }, { a: 3 }], text: "long enough" },
  calls: Object.fromEntries(["a", "b", "c", "d", "e", "f"].map((place) => [place, fails])),
  disturbances: [1, 4, 9].map((append) => ({ append, do: "cancel" })),
};

/** A flaw that takes two faults, and a number of at least four. */
const isShown = async ({ calls, input }: Trial): Promise<boolean> =>
  "b" in calls && "e" in calls && Number((input as { n?: number }).n) >= 4;

describe("what comes out", () => {
  test("K1: shows the flaw that went in", async () => {
    const { trial } = await shrink(large, plain, isShown);
    expect(await isShown(trial)).toBe(true);
  });
  test("K2: has nothing in it that can be taken out alone", async () => {
    const { trial } = await shrink(large, plain, isShown);
    expect(Object.keys(trial.calls)).toEqual(["b", "e"]);
    expect(trial.disturbances).toEqual([]);
    expect(trial.input).toEqual({ n: 4 });
    expect(stepsOf(trial, plain)).toBe(3);
  });
  test("is simpler where another fault does as well, and sooner where another moment does", async () => {
    const one: Trial = {
      ...large,
      calls: { a: { do: "late", output: {} } },
      disturbances: [{ append: 9, do: "cancel" }],
    };
    const { trial } = await shrink(one, plain, async ({ calls, disturbances }) => {
      const [first] = disturbances;
      return calls["a"] !== undefined && first !== undefined && "append" in first && first.append >= 3;
    });
    expect(trial.calls).toEqual({ a: { do: "fails", code: "FAILED" } });
    expect(trial.disturbances).toEqual([{ append: 3, do: "cancel" }]);
    expect(trial.input).toEqual(plain);
  });
  test("is what went in, if nothing can be left out", async () => {
    const { trial, tries } = await shrink(large, plain, async (other) => other === large);
    expect(trial).toBe(large);
    expect(tries).toBeGreaterThan(10);
  });
});
