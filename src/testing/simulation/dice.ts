// Choices by chance that are the same every time.

import { randomFrom } from "../random.ts";

export type Dice = ReturnType<typeof diceFrom>;

export function diceFrom(seed: number) {
  const random = randomFrom(seed);
  const between = (least: number, most: number): number => least + Math.floor(random() * (most - least + 1));
  return {
    random,
    /** A whole number, both ends included. */
    between,
    chance: (probability: number): boolean => random() < probability,
    pick<T>(from: readonly [T, ...T[]]): T {
      return from[between(0, from.length - 1)] ?? from[0];
    },
    /** So many of what the function makes. */
    many: <T>(least: number, most: number, make: (index: number) => T): T[] =>
      Array.from({ length: between(least, most) }, (_, index) => make(index)),
  };
}
