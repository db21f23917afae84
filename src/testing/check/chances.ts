// The numbers that a seed gives, by their place: whoever goes on from a copy goes on with the next.

import { randomFrom } from "../random.ts";

const kept = new Map<number, { random: () => number; drawn: number[] }>();
/** Seeds of one search: it has one of its own, and few others. */
const keptMax = 64;

export function chancesOf(seed: number): (place: number) => number {
  let known = kept.get(seed);
  if (!known) {
    if (kept.size >= keptMax) kept.clear();
    known = { random: randomFrom(seed), drawn: [] };
    kept.set(seed, known);
  }
  const { random, drawn } = known;
  return (place) => {
    while (drawn.length <= place) drawn.push(random());
    return drawn[place] ?? 0;
  };
}
