// Goal: minted ids are UUIDv7s that grow, replay and tell their time. Method: long runs of one minter over clocks that
// stand, jump and step back, and properties over generated seeds and times; hostile words for the grammars.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TroupeError } from "../../src/protocol/errors.ts";
import {
  componentPattern,
  idAfter,
  isDefinitionId,
  isExecId,
  minter,
  noScope,
  seedAt,
  timeOf,
} from "../../src/protocol/ids.ts";

const uuid7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** A generator of numbers in [0, 1) that a seed repeats: mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const latest = 2 ** 48 - 1;
const times = fc.integer({ min: 0, max: latest });
const dice = fc.integer().map(randomFrom);
const seeds = fc.tuple(times, dice).map(([at, random]) => seedAt(at, random));
const numbers = fc.integer({ min: 0, max: 2 ** 32 });

describe("a minter", () => {
  test("D1: 200,000 ids grow, while the clock stands, creeps, jumps and steps back", () => {
    const random = randomFrom(7);
    const mint = minter(random);
    let at = Date.UTC(2026, 10, 21);
    let previous = "";
    for (let count = 0; count < 200_000; count++) {
      const luck = random();
      if (luck > 0.999) at -= 3_600_000 * random();
      else if (luck > 0.99) at += 3_600_000 * random();
      else if (luck > 0.5) at += random();
      const id = count % 100 === 0 ? mint.seed(at, Math.trunc(random() * 50)) : mint.next(at);
      if (!(id > previous)) expect.fail(`${id} follows ${previous}`);
      if (!uuid7.test(id)) expect.fail(`${id} is no UUIDv7`);
      previous = id;
    }
  });

  test("D1: ids grow for any clock and any dice", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(times, fc.nat(20)), { minLength: 2, maxLength: 50 }), dice, (moments, random) => {
        const mint = minter(random);
        const ids = moments.flatMap(([at, count]) => [mint.next(at), mint.seed(at, count)]);
        expect(ids).toEqual(ids.toSorted());
        expect(new Set(ids).size).toBe(ids.length);
      }),
      { numRuns: 1000 },
    );
  });

  test("D1: the ids behind a seed are never handed out by its minter", () => {
    fc.assert(
      fc.property(times, fc.nat(30), dice, (at, count, random) => {
        const mint = minter(random);
        const seed = mint.seed(at, count);
        const reserved = Array.from({ length: count + 1 }, (_, n) => idAfter(seed, n));
        const later = Array.from({ length: 40 }, () => mint.next(at));
        expect(reserved.filter((id) => later.includes(id))).toEqual([]);
      }),
    );
  });

  test("D3: an id tells the time it was minted at, and the newest time seen when the clock stepped back", () => {
    fc.assert(
      fc.property(fc.array(times, { minLength: 1, maxLength: 30 }), dice, (moments, random) => {
        const mint = minter(random);
        let newest = 0;
        for (const at of moments) {
          newest = Math.max(newest, at);
          const id = mint.next(at);
          expect(isExecId(id)).toBe(true);
          expect(timeOf(id)).toBe(newest);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("two minters with different dice make different ids for the same moment", () => {
    expect(minter(randomFrom(1)).next(0)).not.toBe(minter(randomFrom(2)).next(0));
  });

  test("a time between two milliseconds counts as the earlier one", () => {
    expect(timeOf(minter(randomFrom(3)).next(1234.9))).toBe(1234);
  });
});

describe("the ids of a step", () => {
  test("D2: a replay with the same seed mints the same ids, and each number its own", () => {
    fc.assert(
      fc.property(seeds, fc.uniqueArray(numbers, { minLength: 2 }), (seed, wanted) => {
        const first = wanted.map((n) => idAfter(seed, n));
        expect(wanted.map((n) => idAfter(seed, n))).toEqual(first);
        expect(new Set(first).size).toBe(wanted.length);
      }),
    );
  });

  test("D2: they are known by their numbers: these stand in recorded logs", () => {
    const seed = "019a1c2b-3d4e-7f60-8abc-00ffffffffff";
    expect([0, 1, 2, 4096].map((n) => idAfter(seed, n))).toEqual([
      "019a1c2b-3d4e-7f60-8abc-00ffffffffff",
      "019a1c2b-3d4e-7f60-8abc-010000000000",
      "019a1c2b-3d4e-7f60-8abc-010000000001",
      "019a1c2b-3d4e-7f60-8abc-010000000fff",
    ]);
  });

  test("D2: a higher number is a greater id", () => {
    fc.assert(
      fc.property(seeds, numbers, numbers, (seed, one, other) => {
        expect(idAfter(seed, one) < idAfter(seed, other)).toBe(one < other);
      }),
    );
  });

  test("D3: every one is a UUIDv7 and tells the time of its seed", () => {
    fc.assert(
      fc.property(times, dice, numbers, (at, random, n) => {
        const id = idAfter(seedAt(at, random), n);
        expect(id).toMatch(uuid7);
        expect(isExecId(id)).toBe(true);
        expect(timeOf(id)).toBe(at);
      }),
    );
  });

  test("D3: dice at either end still give a UUIDv7", () => {
    for (const face of [0, 1 - 2 ** -53]) {
      const id = idAfter(
        seedAt(latest, () => face),
        1,
      );
      expect(id).toMatch(uuid7);
      expect(timeOf(id)).toBe(latest);
    }
  });

  test("a number beyond what a seed has room for is refused, never wrapped", () => {
    const last = "019a1c2b-3d4e-7f60-8abc-ffffffffffff";
    expect(idAfter(last, 0)).toBe(last);
    expect(() => idAfter(last, 1)).toThrow(TroupeError);
    fc.assert(
      fc.property(seeds, (seed) => {
        expect(() => idAfter(seed, 2 ** 48)).toThrow("overflows");
      }),
    );
  });

  test("every seed has room for 2^40 ids", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        expect(idAfter(seed, 2 ** 40)).toMatch(uuid7);
      }),
    );
  });
});

const hostile = ["", " ", ".", "a.b", "*", ">", "a b", "a\n", "\u0000", "ä", "a/b"];
const long = ["x".repeat(65), "x".repeat(10_240)];

describe("the grammars", () => {
  test("a definition id is 1 to 64 letters, digits, _ and -, and none of the reserved words", () => {
    for (const id of ["a", "A7", "check-order_2", "-", "__", "x".repeat(64), "Executions", "Constructor", "proto"]) {
      expect(isDefinitionId(id), id).toBe(true);
    }
    const reserved = [noScope, "executions", "__proto__", "constructor", "prototype"];
    for (const id of [...hostile, ...long, ...reserved]) expect(isDefinitionId(id), id).toBe(false);
  });

  test("an execution id is a lower-case hyphenated UUID of any version", () => {
    expect(isExecId("f47ac10b-58cc-4372-a567-0e02b2c3d479")).toBe(true);
    const near = [
      "F47AC10B-58CC-4372-A567-0E02B2C3D479",
      "f47ac10b58cc4372a5670e02b2c3d479",
      "{f47ac10b-58cc-4372-a567-0e02b2c3d479}",
      "f47ac10b-58cc-4372-a567-0e02b2c3d479\n",
      "f47ac10b-58cc-4372-a567-0e02b2c3d47g",
    ];
    for (const id of [...hostile, ...long, ...near]) expect(isExecId(id), id).toBe(false);
  });

  test("a component's token is snake case", () => {
    for (const name of ["task_executor", "gateway", "a1_b2"]) expect(componentPattern.test(name), name).toBe(true);
    for (const name of [...hostile, "TaskExecutor", "_task", "task_", "task__executor", "1st"]) {
      expect(componentPattern.test(name), name).toBe(false);
    }
  });
});
