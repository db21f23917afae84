// Goal: durations and times mean what people mean by them, and what is none is noted or nothing.
// Method: a table of texts; random numbers with each unit.

import fc from "fast-check";
import { expect, test } from "vitest";
import { durationOf, timeOf } from "../../src/language/duration.ts";

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

test("a day that no month has is no time", () => {
  expect(timeOf("2028-02-29T00:30:00+01:00")).toBe(Date.UTC(2028, 1, 28, 23, 30));
  for (const day of ["2026-02-29", "2026-02-31T08:00:00Z", "2026-04-31", "2026-00-10", "2026-13-01"]) {
    expect(timeOf(day)).toBeUndefined();
  }
});

test.each([
  ["2026-01-01", Date.UTC(2026, 0, 1)],
  ["2026-01-01T00:30:00Z", Date.UTC(2026, 0, 1, 0, 30)],
  ["2026-01-01T01:30+01:00", Date.UTC(2026, 0, 1, 0, 30)],
  ["2026-01-01T01:30:00.5+0100", Date.UTC(2026, 0, 1, 0, 30) + 500],
  [1_500.4, 1_500],
])("%j is a time", (given, ms) => {
  expect(timeOf(given)).toBe(ms);
});

test.each(["2026-01-01T00:30:00", "2026-13-01", "soon", "1500", -1, 1e300, NaN, null, {}])("%j is no time", (given) => {
  expect(timeOf(given)).toBeUndefined();
});
