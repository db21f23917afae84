// When a schedule is due: cron expressions in a time zone, over daylight saving time.
//
// A field holds `*`, numbers, names, ranges, steps, and lists of these; a day also L (the last), 15W and LW (the
// nearest, and the last, weekday), a weekday also 5#2 (the second Friday) and 5#L (the last). If both a day and a
// weekday are said, either will do.
//
// Invariants:
//   N1. The times of one expression only grow, and each is later than the time it was asked for.
//   N2. An expression without defect has a next time, and each of its times matches its fields by the wall clock.
//   N3. A time that the clock leaps over in spring comes at the first moment after the leap, if it names its hour and
//       minute; if either is `*` or a step, it is left out with all else in the gap.
//   N4. A time that comes twice in autumn is taken once if it names its hour and minute, and otherwise both times.

import { createRequire } from "node:module";
import { nearest } from "../protocol/nearest.ts";
import { clip } from "../protocol/refusal.ts";

type Croner = typeof import("croner");

// Most definitions have no schedule, and their start should not pay for one.
let croner: Croner | undefined;
const load = (): Croner => (croner ??= createRequire(import.meta.url)("croner") as Croner);

type Field = { name: string; least: number; most: number; names?: readonly string[]; special?: RegExp };

const months = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const weekdays = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const fields: readonly Field[] = [
  { name: "second", least: 0, most: 59 },
  { name: "minute", least: 0, most: 59 },
  { name: "hour", least: 0, most: 23 },
  { name: "day", least: 1, most: 31, special: /^(L|LW|([1-9]|[12]\d|3[01])W)$/i },
  { name: "month", least: 1, most: 12, names: months },
  { name: "weekday", least: 0, most: 7, names: weekdays, special: /^([0-7]|SUN|MON|TUE|WED|THU|FRI|SAT)#([1-5]|L)$/i },
];

const cronCharsMax = 256;
const partForm = /^(?:\*|([^-/]+)(?:-([^-/]+))?)(?:\/(.*))?$/;

const patternOf = (cron: string, timezone: string) =>
  new (load().Cron)(cron, { timezone, mode: "5-or-6-parts", paused: true, fixedTimeRule: "no-wildcard" });

/** The first time after that one, in epoch milliseconds; null if there is none before the year 10000. */
export function nextAfter(cron: string, timezone: string, afterMs: number): number | null {
  return patternOf(cron, timezone).nextRun(new Date(afterMs))?.getTime() ?? null;
}

/** Why this is no cron expression, for a person; nothing if it is one. */
export function defectOf(cron: unknown): string | undefined {
  if (typeof cron !== "string") return "must be a cron expression, as text";
  const quoted = `'${clip(cron)}' is no cron expression`;
  if (cron.length > cronCharsMax) return `${quoted}: it has more than ${cronCharsMax} characters`;
  const parts = cron.trim().split(/\s+/);
  if (parts.length < 5 || parts.length > 6) {
    const found = cron.trim() === "" ? "none" : String(parts.length);
    return `${quoted}: it needs 5 fields (minute hour day month weekday), or 6 with seconds first, and has ${found}`;
  }
  for (const [index, field] of fields.slice(6 - parts.length).entries()) {
    const defect = defectIn(field, parts[index] as string);
    if (defect !== undefined) return `${quoted}: ${field.name} ${defect}`;
  }
  try {
    if (nextAfter(cron, "UTC", searchFromMs) !== null) return undefined;
  } catch (error) {
    return `${quoted}: ${String(error instanceof Error ? error.message : error)}`;
  }
  return `${quoted}: there is no such day, so it would never be due`;
}
/** Any time will do: what does not come within the eight thousand years after it never comes. */
const searchFromMs = Date.UTC(2024, 0, 1);

function defectIn(field: Field, text: string): string | undefined {
  for (const part of text.split(",")) {
    if (field.special?.test(part)) continue;
    const match = partForm.exec(part);
    if (!match) return `cannot be '${clip(part)}'`;
    const [, from, to, step] = match;
    const span = field.most - field.least + 1;
    if (step !== undefined) {
      if (from !== undefined && to === undefined) return `'${clip(part)}' has a step but no range: write */${step}`;
      if (!isNumberIn(step, 1, span)) return `has a step of '${clip(step)}': it must be 1 to ${span}`;
    }
    const first = from === undefined ? field.least : valueOf(field, from, false);
    const last = to === undefined ? first : valueOf(field, to, true);
    for (const [value, given] of [
      [first, from],
      [last, to],
    ] as const) {
      if (value === undefined) return `'${clip(String(given))}' must be ${allowed(field)}`;
    }
    if ((first as number) > (last as number)) return `'${clip(part)}' is a range that ends before it begins`;
  }
  return undefined;
}

const isNumberIn = (text: string, least: number, most: number): boolean =>
  /^\d{1,4}$/.test(text) && Number(text) >= least && Number(text) <= most;

/** A week may end with a Sunday: `FRI-SUN`. */
function valueOf({ least, most, names = [] }: Field, text: string, isLast: boolean): number | undefined {
  if (isNumberIn(text, least, most)) return Number(text);
  const place = names.indexOf(text.toUpperCase());
  if (place === -1) return undefined;
  return isLast && least === 0 && place === 0 ? 7 : place + least;
}

function allowed({ least, most, names }: Field): string {
  const named = names === undefined ? "" : ` or ${names[0]} to ${names.at(-1)}`;
  return `${least} to ${most}${named}`;
}

/** Why this is no time zone, for a person; nothing if it is one. */
export function defectOfTimezone(timezone: unknown): string | undefined {
  if (typeof timezone !== "string") return "must be a time zone such as Europe/Paris, as text";
  try {
    new Intl.DateTimeFormat("en", { timeZone: timezone });
    return undefined;
  } catch {
    // What is thrown says no more than that it is none.
    const meant = nearest(timezone, Intl.supportedValuesOf("timeZone"));
    const hint = meant === undefined ? "write one such as Europe/Paris, or UTC" : `did you mean '${meant}'?`;
    return `'${clip(timezone)}' is no time zone; ${hint}`;
  }
}
