// Names and numbers that identify things: definition ids, execution ids, and the ids minted inside a step.
//
// A minted id is a UUIDv7 whose last 48 bits count upwards, so the ids of one step are its seed plus 1, 2, 3 …
// Whoever records a step records its seed, and a replay mints the same ids without asking a clock or a die.
//
// Invariants:
//   D1. Ids from one minter only grow, also within a millisecond and when the clock steps back.
//   D2. idAfter is a function of its arguments: same seed and number, same id; idsAfter gives the same ones.
//   D3. Whatever is minted is an execution id, and its time is the time it was given.

import { TroupeError } from "./errors.ts";

export const definitionIdPattern = /^[A-Za-z0-9_-]{1,64}$/;
export const execIdPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
export const componentPattern = /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/;

/** The scope of a direct agent or tool run, which belongs to no workflow definition. */
export const noScope = "_";
// Besides the words of subjects and routes: ids become keys of objects, where these three already mean something.
export const reservedIds = [noScope, "executions", "__proto__", "constructor", "prototype"] as const;
const reserved: ReadonlySet<string> = new Set(reservedIds);

// What is no text would be made one by the pattern.
export const isDefinitionId = (text: string): boolean =>
  typeof text === "string" && definitionIdPattern.test(text) && !reserved.has(text);
export const isExecId = (text: string): boolean => typeof text === "string" && execIdPattern.test(text);

// Seeds keep the topmost 8 of the counted 48 bits clear: 2^40 ids fit behind each before the count could overflow.
const countBits = 48;
const countDigits = countBits / 4;
const seedCountBound = 2 ** (countBits - 8);

/** The n-th id after a seed. */
export function idAfter(seed: string, n: number): string {
  return idsAfter(seed)(n);
}

const halfBits = countBits / 2;
const half = 2 ** halfBits;
const threeDigits = Array.from({ length: 4096 }, (_, number) => number.toString(16).padStart(3, "0"));
const sixDigits = (number: number): string => `${threeDigits[number >> 12]}${threeDigits[number & 4095]}`;

/** The ids after a seed, one by one: quicker where many are asked for. */
export function idsAfter(seed: string): (n: number) => string {
  const start = seed.slice(0, -countDigits);
  const upper = Number.parseInt(seed.slice(-countDigits, -countDigits / 2), 16);
  const lower = Number.parseInt(seed.slice(-countDigits / 2), 16);
  return (n) => {
    const sum = lower + n;
    const carried = upper + Math.floor(sum / half);
    if (carried >= half) throw new TroupeError("INTERNAL_ERROR", `id counter of seed "${seed}" overflows`, { n });
    return start + sixDigits(carried) + sixDigits(sum % half);
  };
}

/** A fresh seed for a time in epoch milliseconds; `random` gives numbers in [0, 1). */
export function seedAt(at: number, random: () => number): string {
  const time = Math.trunc(at).toString(16).padStart(12, "0");
  const versioned = (0x7000 + Math.trunc(random() * 0x1000)).toString(16);
  const variant = (0x8000 + Math.trunc(random() * 0x4000)).toString(16);
  const count = Math.trunc(random() * seedCountBound);
  const counted = count.toString(16).padStart(countDigits, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-${versioned}-${variant}-${counted}`;
}

/** The time inside a minted id. */
export const timeOf = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);

export type Minter = {
  /** One id; `at` is the current time. */
  next(at: number): string;
  /** A seed behind which `count` ids are free: the minter will not hand them out again. */
  seed(at: number, count: number): string;
};

/** The ids of one process: always growing, so that they can order what the process did. */
export function minter(random: () => number): Minter {
  let newest = "";
  let newestAt = -1;
  const take = (at: number, count: number): string => {
    const now = Math.trunc(at);
    const first = now > newestAt ? seedAt(now, random) : idAfter(newest, 1);
    newestAt = Math.max(now, newestAt);
    newest = idAfter(first, count);
    return first;
  };
  return { next: (at) => take(at, 0), seed: take };
}
