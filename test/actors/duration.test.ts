// Goal: durations mean what people mean by them, and what is none is noted with its field.
// Method: a table of texts; random numbers with each unit.

import fc from "fast-check";
import { expect, test } from "vitest";
import { durationOf } from "../../src/actors/duration.ts";

function taken(given: unknown): { ms: number; notes: string[] } {
  const notes: string[] = [];
  const ms = durationOf(given as string, "timeout", (field, message) => void notes.push(`${field}: ${message}`));
  return { ms, notes };
}

test.each([
  ["250ms", 250],
  ["30s", 30_000],
  ["10m", 600_000],
  ["2h", 7_200_000],
  ["1d", 86_400_000],
  ["1.5s", 1_500],
  ["0.5ms", 1],
  ["0s", 0],
  [0, 0],
  [1_234, 1_234],
])("%j is %i milliseconds", (given, ms) => {
  expect(taken(given)).toEqual({ ms, notes: [] });
});

test.each([
  "",
  "30",
  "s",
  "30 s",
  "-1s",
  "1e3s",
  "1h30m",
  "30S",
  " 30s",
  "1.s",
  -1,
  NaN,
  Infinity,
  null,
  {},
  true,
  "9999999d",
])("%j is no duration", (given) => {
  const { ms, notes } = taken(given);
  expect(ms).toBe(0);
  expect(notes).toEqual([
    `timeout: '${typeof given === "object" && given ? "an object" : `${given as string}`}' is no duration: ${hint}`,
  ]);
});
const hint = "write 250ms, 30s, 10m, 2h or 1d, or a number of milliseconds";

test("a number of a unit is so many times the unit", () => {
  const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
  const unit = fc.constantFrom(...Object.keys(units)) as fc.Arbitrary<keyof typeof units>;
  fc.assert(
    fc.property(fc.nat(10_000), unit, (count, name) => {
      expect(taken(`${count}${name}`)).toEqual({ ms: count * units[name], notes: [] });
    }),
  );
});
