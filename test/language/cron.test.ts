// When a cron expression is due, in time zones that change their clocks, and which expressions are none.
//
// Method: the days on which clocks change in four zones, written out; then random expressions without gaps to hide in,
// whose times are held against their fields by the wall clock of the zone.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { defectOf, defectOfTimezone, nextAfter } from "../../src/language/cron.ts";

/** The next so many times after one, in UTC. */
function times(cron: string, timezone: string, after: string, count: number): string[] {
  const found: string[] = [];
  for (let at: number | null = Date.parse(after); found.length < count;) {
    at = nextAfter(cron, timezone, at);
    if (at === null) break;
    found.push(new Date(at).toISOString().slice(0, 19));
  }
  return found;
}

describe("N3: in spring", () => {
  test("a time of day that is leapt over comes at the first moment after the leap", () => {
    expect(times("30 2 * * *", "Europe/Paris", "2026-03-28T12:00Z", 2)).toEqual([
      "2026-03-29T01:00:00",
      "2026-03-30T00:30:00",
    ]);
    expect(times("30 2 * * *", "America/New_York", "2026-03-07T12:00Z", 2)).toEqual([
      "2026-03-08T07:00:00",
      "2026-03-09T06:30:00",
    ]);
    // Half an hour is leapt over there: 02:00 to 02:30.
    expect(times("15 2 * * *", "Australia/Lord_Howe", "2026-10-02T20:00Z", 2)).toEqual([
      "2026-10-03T15:30:00",
      "2026-10-04T15:15:00",
    ]);
  });

  test("of several times of day, the one that is leapt over is not lost", () => {
    expect(times("30 2,14 * * *", "Europe/Paris", "2026-03-28T14:00Z", 3)).toEqual([
      "2026-03-29T01:00:00",
      "2026-03-29T12:30:00",
      "2026-03-30T00:30:00",
    ]);
  });

  test("what comes every half hour leaves out what is leapt over", () => {
    expect(times("*/30 * * * *", "Europe/Paris", "2026-03-29T00:15Z", 3)).toEqual([
      "2026-03-29T00:30:00",
      "2026-03-29T01:00:00",
      "2026-03-29T01:30:00",
    ]);
    expect(times("10 */1 * * *", "Europe/Paris", "2026-03-29T00:00Z", 3)).toEqual([
      "2026-03-29T00:10:00",
      "2026-03-29T01:10:00",
      "2026-03-29T02:10:00",
    ]);
  });
});

describe("N4: in autumn", () => {
  test("a time of day that comes twice is taken once", () => {
    expect(times("30 2 * * *", "Europe/Paris", "2026-10-24T12:00Z", 2)).toEqual([
      "2026-10-25T00:30:00",
      "2026-10-26T01:30:00",
    ]);
    expect(times("30 1,2 * * *", "America/New_York", "2026-10-31T12:00Z", 3)).toEqual([
      "2026-11-01T05:30:00",
      "2026-11-01T07:30:00",
      "2026-11-02T06:30:00",
    ]);
    expect(times("45 1 * * *", "Australia/Lord_Howe", "2026-04-03T20:00Z", 2)).toEqual([
      "2026-04-04T14:45:00",
      "2026-04-05T15:15:00",
    ]);
  });

  test("what comes every half hour comes at both", () => {
    expect(times("*/30 * * * *", "Europe/Paris", "2026-10-25T00:15Z", 4)).toEqual([
      "2026-10-25T00:30:00",
      "2026-10-25T01:00:00",
      "2026-10-25T01:30:00",
      "2026-10-25T02:00:00",
    ]);
  });
});

test("a zone without such days has none of this", () => {
  expect(times("30 2 * * *", "UTC", "2026-03-28T12:00Z", 2)).toEqual(["2026-03-29T02:30:00", "2026-03-30T02:30:00"]);
});

test.each([
  ["*/10 * * * * *", "2026-01-01T00:00:05.500Z", "2026-01-01T00:00:10"],
  ["0 6 * * 1", "2026-01-01T00:00Z", "2026-01-05T06:00:00"],
  ["0 6 * * MON-FRI", "2026-01-02T06:00Z", "2026-01-05T06:00:00"],
  ["0 0 * * FRI-SUN", "2026-01-02T06:00Z", "2026-01-03T00:00:00"],
  ["0 0 1 JAN,jul *", "2026-01-02T00:00Z", "2026-07-01T00:00:00"],
  ["0 0 L * *", "2026-02-02T00:00Z", "2026-02-28T00:00:00"],
  ["0 0 15W * *", "2026-02-02T00:00Z", "2026-02-16T00:00:00"],
  ["0 0 * * 5#2", "2026-01-01T00:00Z", "2026-01-09T00:00:00"],
  ["0 0 * * FRI#L", "2026-01-01T00:00Z", "2026-01-30T00:00:00"],
  // A day and a weekday: either will do.
  ["0 0 13 * FRI", "2026-01-01T00:00Z", "2026-01-02T00:00:00"],
  ["0 0 29 2 *", "2026-01-01T00:00Z", "2028-02-29T00:00:00"],
  // What is due now is not after now; a millisecond before, it is.
  ["0 0 * * *", "2026-01-01T00:00Z", "2026-01-02T00:00:00"],
  ["0 0 * * *", "2025-12-31T23:59:59.999Z", "2026-01-01T00:00:00"],
])("'%s' after %s is due at %s", (cron, after, due) => {
  expect(defectOf(cron)).toBeUndefined();
  expect(times(cron, "UTC", after, 1)).toEqual([due]);
});

test.each([
  [3, "must be a cron expression, as text"],
  ["", "it needs 5 fields (minute hour day month weekday), or 6 with seconds first, and has none"],
  ["@daily", "or 6 with seconds first, and has 1"],
  ["* * * *", "and has 4"],
  ["* * * * * * *", "and has 7"],
  ["60 * * * *", "minute '60' must be 0 to 59"],
  ["* 24 * * *", "hour '24' must be 0 to 23"],
  ["* * 0 * *", "day '0' must be 1 to 31"],
  ["* * 32 * *", "day '32' must be 1 to 31"],
  ["* * * 13 *", "month '13' must be 1 to 12 or JAN to DEC"],
  ["* * * JANUARY *", "month 'JANUARY' must be 1 to 12"],
  ["* * * * 8", "weekday '8' must be 0 to 7 or SUN to SAT"],
  ["60 * * * * *", "second '60' must be 0 to 59"],
  ["5-1 * * * *", "minute '5-1' is a range that ends before it begins"],
  ["* * * * FRI-MON", "weekday 'FRI-MON' is a range that ends before it begins"],
  ["*/0 * * * *", "minute has a step of '0': it must be 1 to 60"],
  ["*/61 * * * *", "minute has a step of '61'"],
  ["5/10 * * * *", "minute '5/10' has a step but no range: write */10"],
  ["1,,2 * * * *", "minute cannot be ''"],
  ["? * * * *", "minute '?' must be 0 to 59"],
  ["* * +1 * MON", "day '+1' must be"],
  ["0 0 30 2 *", "there is no such day, so it would never be due"],
  ["0 0 31 4,6,9,11 *", "there is no such day"],
  ["0 0 30W 2 *", "there is no such day"],
  ["* * * * 1#6", "weekday '1#6' must be"],
  [`${"1,".repeat(200)}1 * * * *`, "it has more than 256 characters"],
])("%j is none: %s", (cron, why) => {
  expect(defectOf(cron)).toContain(why);
});

test("a time zone is known by its name or its distance, and the nearest name is said of one that is none", () => {
  for (const zone of ["UTC", "Europe/Paris", "Australia/Lord_Howe", "+02:00"]) {
    expect(defectOfTimezone(zone)).toBeUndefined();
  }
  expect(defectOfTimezone("Europe/Pariss")).toBe("'Europe/Pariss' is no time zone; did you mean 'Europe/Paris'?");
  expect(defectOfTimezone("")).toContain("is no time zone; write one such as Europe/Paris, or UTC");
  expect(defectOfTimezone(2)).toBe("must be a time zone such as Europe/Paris, as text");
});

describe("any expression", () => {
  const zones = ["UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe"];
  const bounds = [
    [0, 59],
    [0, 59],
    [0, 23],
    [1, 31],
    [1, 12],
    [0, 6],
  ] as const;
  /** The text of a field, and the numbers that it holds. */
  const field = ([least, most]: readonly [number, number]) =>
    fc.oneof(
      fc.constant({ text: "*", holds: () => true }),
      fc.integer({ min: 2, max: most - least }).map((step) => ({
        text: `*/${step}`,
        holds: (value: number) => (value - least) % step === 0,
      })),
      fc.uniqueArray(fc.integer({ min: least, max: most }), { minLength: 1, maxLength: 3 }).map((values) => ({
        text: values.join(","),
        holds: (value: number) => values.includes(value),
      })),
      fc.tuple(fc.integer({ min: least, max: most }), fc.integer({ min: least, max: most })).map(([a, b]) => ({
        text: `${Math.min(a, b)}-${Math.max(a, b)}`,
        holds: (value: number) => value >= Math.min(a, b) && value <= Math.max(a, b),
      })),
    );
  const expression = fc.tuple(...bounds.map(field));

  const formats = new Map<string, Intl.DateTimeFormat>();
  function formatOf(timeZone: string): Intl.DateTimeFormat {
    const known = formats.get(timeZone);
    if (known) return known;
    const made = new Intl.DateTimeFormat("en-US", {
      timeZone,
      hourCycle: "h23",
      weekday: "short",
      second: "numeric",
      minute: "numeric",
      hour: "numeric",
      day: "numeric",
      month: "numeric",
    });
    formats.set(timeZone, made);
    return made;
  }

  /** What the clock on the wall shows. */
  function wall(at: number, timeZone: string): number[] {
    const parts = Object.fromEntries(
      formatOf(timeZone)
        .formatToParts(at)
        .map(({ type, value }) => [type, value]),
    );
    const weekday = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"].indexOf(parts["weekday"] ?? "");
    return [...["second", "minute", "hour", "day", "month"].map((name) => Number(parts[name])), weekday];
  }
  const offsetAt = (at: number, zone: string): number =>
    (Date.parse(`${new Date(at).toLocaleString("sv-SE", { timeZone: zone })}Z`) - at) / 60_000;

  test("N2: has times that match its fields, except right after a leap", () => {
    const after = fc.integer({ min: Date.UTC(2024, 0, 1), max: Date.UTC(2028, 0, 1) });
    fc.assert(
      fc.property(expression, fc.constantFrom(...zones), after, (fields, zone, from) => {
        const cron = fields.map(({ text }) => text).join(" ");
        if (defectOf(cron) !== undefined) return;
        let last = from;
        for (let count = 0; count < 5; count++) {
          const at = nextAfter(cron, zone, last);
          if (at === null) throw new Error(`'${cron}' has no time after ${last}`);
          const shown = wall(at, zone);
          const isDay = dayHolds(fields, shown);
          const isTime = [0, 1, 2, 4].every((index) => fields[index]?.holds(shown[index] ?? -1));
          // What was leapt over comes at the first moment after.
          const isLeap = offsetAt(at, zone) > offsetAt(at - 1_000, zone);
          expect((isDay && isTime) || isLeap, `${cron} ${zone} ${new Date(at).toISOString()}`).toBe(true);
          last = at;
        }
      }),
      { numRuns: 150 },
    );
  });

  test("N1: has times that only grow, from any time on", () => {
    const after = fc.integer({ min: Date.UTC(2026, 2, 1), max: Date.UTC(2026, 10, 30) });
    fc.assert(
      fc.property(expression, fc.constantFrom(...zones), after, (fields, zone, from) => {
        const cron = fields.map(({ text }) => text).join(" ");
        if (defectOf(cron) !== undefined) return;
        for (let last = from, count = 0; count < 8; count++) {
          const at = nextAfter(cron, zone, last) ?? Infinity;
          expect(at).toBeGreaterThan(last);
          // Asked from anywhere before it, it is the same time.
          expect(nextAfter(cron, zone, at - 1)).toBe(at);
          last = at;
        }
      }),
      { numRuns: 60 },
    );
  });

  type Field = { text: string; holds: (value: number) => boolean };
  function dayHolds(fields: readonly Field[], shown: readonly number[]): boolean {
    const [day, weekday] = [fields[3] as Field, fields[5] as Field];
    const [isDay, isWeekday] = [day.holds(shown[3] ?? -1), weekday.holds(shown[5] ?? -1)];
    const areBothSaid = day.text !== "*" && weekday.text !== "*";
    return areBothSaid ? isDay || isWeekday : isDay && isWeekday;
  }

  test("N2: leaves nothing out that matches by the wall clock of a zone without leaps", () => {
    const minutes = fc.tuple(
      fc.constant({ text: "0", holds: (value: number) => value === 0 }),
      ...bounds.slice(1).map(field),
    );
    fc.assert(
      fc.property(minutes, fc.integer({ min: 0, max: 500 }), (fields, day) => {
        const cron = fields.map(({ text }) => text).join(" ");
        if (defectOf(cron) !== undefined) return;
        const from = Date.UTC(2026, 0, 1) + day * 86_400_000;
        const until = from + 86_400_000;
        const expected: number[] = [];
        for (let at = from + 60_000; at < until; at += 60_000) {
          const shown = wall(at, "UTC");
          if (dayHolds(fields, shown) && [0, 1, 2, 4].every((index) => fields[index]?.holds(shown[index] ?? -1)))
            expected.push(at);
        }
        const found: number[] = [];
        for (let at = nextAfter(cron, "UTC", from); at !== null && at < until; at = nextAfter(cron, "UTC", at))
          found.push(at);
        expect(found).toEqual(expected);
      }),
      { numRuns: 12 },
    );
  });

  test("any text at all is judged, and quickly", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9*,/\-LW# A-Z]{0,40}$/)), (text) => {
        const defect = defectOf(text);
        if (defect === undefined) expect(nextAfter(text, "UTC", Date.UTC(2026, 0, 1))).not.toBeNull();
      }),
      { numRuns: 500 },
    );
  });
});
