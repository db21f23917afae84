// Trials by chance: several faults and disturbances at once, mostly made of what led to something new before.

import type { Arbitrary } from "fast-check";
import { randomFrom } from "../random.ts";
import { arbitraryOf } from "./arbitrary.ts";
import type { Fault } from "./faults.ts";
import type { Disturbance, FaultKind, Trial } from "./trial.ts";

/** Trials that begin like another. */
export type Branches = { stem: Trial; trials: readonly Trial[] };

export type Random = {
  seed: number;
  plain: Trial;
  faults: readonly Fault[];
  inputs: readonly unknown[];
  schema: unknown;
  /** Disturbances come within so many appends. */
  appendsMax: number;
  kinds: ReadonlySet<FaultKind>;
  /** Grows as the search goes on. */
  interesting: readonly Trial[];
};

const inputsAtOnce = 100;
/** So many go on from the same beginning, which is played once. */
const branchesMax = 8;

export async function* randomTrials(given: Random): AsyncGenerator<Branches> {
  const { seed, plain, faults, inputs, interesting } = given;
  const random = randomFrom(seed);
  const below = (count: number): number => Math.floor(random() * count);
  const pick = <T>(list: readonly T[]): T | undefined => list[below(list.length)];
  const made = await arbitraryOf(given.schema);
  let samples: unknown[] = [];
  const input = async (): Promise<unknown> => {
    if (random() < 0.5) return plain.input;
    if (random() < 0.5 || !made) return inputs.length > 0 ? pick(inputs) : plain.input;
    if (samples.length === 0) samples = await sampled(made, below(2 ** 31));
    return samples.pop();
  };
  const disturbance = (): Disturbance | undefined =>
    pick(disturbancesAt(1 + below(given.appendsMax), random, given.kinds));
  for (;;) {
    const base =
      interesting.length > 0 && random() < 0.6 ? (pick(interesting) ?? plain) : { ...plain, input: await input() };
    const others = Array.from({ length: branchesMax }, (): Trial => {
      const calls = { ...base.calls };
      for (let left = 1 + below(3); left > 0; left--) {
        const fault = pick(faults);
        if (fault) calls[fault.place] = fault.outcome;
      }
      const more = Array.from({ length: below(3) }, disturbance).filter((one) => one !== undefined);
      return { ...base, calls, disturbances: [...base.disturbances, ...more].slice(0, 4) };
    });
    yield { stem: base, trials: [base, ...others] };
  }
}
const sampled = async (made: Arbitrary<unknown>, seed: number): Promise<unknown[]> => {
  const { sample } = await import("fast-check");
  return sample(made, { seed, numRuns: inputsAtOnce });
};

function disturbancesAt(append: number, random: () => number, kinds: ReadonlySet<FaultKind>): Disturbance[] {
  const ms = Math.floor(10 ** (1 + random() * 6));
  const all: Disturbance[] = [
    { append, do: "crash", kept: random() < 0.5, downMs: ms },
    { append, do: "cancel" },
    { append, do: "pause", forMs: ms },
    { append, do: "jump", byMs: random() < 0.8 ? ms : -ms },
  ];
  return all.filter(({ do: what }) => kinds.has(what));
}
