// How long: milliseconds, or a text of a number and a unit; and when: ISO 8601, or milliseconds since 1970.

import { clip } from "../protocol/refusal.ts";

const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const form = /^(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h|d)$/;
/** A thousand years: more is a slip of the pen, and dates end not far behind it. */
const longestMs = 1_000 * 365 * units.d;

/** The milliseconds; what is no duration is noted, and counts as none. */
export function durationOf(
  given: number | string,
  field: string,
  note: (field: string, message: string) => void,
): number {
  const ms = msOf(given);
  if (ms !== undefined) return ms;
  note(field, `'${quotable(given)}' is no duration: write 250ms, 30s, 10m, 2h or 1d, or a number of milliseconds`);
  return 0;
}

/** Without a zone it would be another time on another machine. */
const isoForm = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d))?$/;
const lastTimeMs = 8.64e15;

/** The milliseconds since 1970; nothing if it is no time. */
export function timeOf(given: unknown): number | undefined {
  const ms = typeof given === "string" && isoForm.test(given) && isDay(given) ? Date.parse(given) : given;
  return typeof ms === "number" && ms >= 0 && ms <= lastTimeMs ? Math.round(ms) : undefined;
}

/** The 31st of February is not the 3rd of March. */
const isDay = (iso: string): boolean => new Date(iso.slice(0, 10)).getUTCDate() === Number(iso.slice(8, 10));

/** A value as it may stand in a message; an object may throw when it is made a text. */
export const quotable = (value: unknown): string =>
  typeof value === "object" && value !== null ? (Array.isArray(value) ? "a list" : "an object") : clip(String(value));

function msOf(given: unknown): number | undefined {
  const [, count, unit] = (typeof given === "string" && form.exec(given)) || [];
  const ms = unit === undefined ? given : Math.round(Number(count) * units[unit as keyof typeof units]);
  return typeof ms === "number" && ms >= 0 && ms <= longestMs && Number.isFinite(ms) ? ms : undefined;
}
