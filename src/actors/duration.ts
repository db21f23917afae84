// How long: milliseconds, or a text of a number and a unit.

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

/** A value as it may stand in a message; an object may throw when it is made a text. */
export const quotable = (value: unknown): string =>
  typeof value === "object" && value !== null ? (Array.isArray(value) ? "a list" : "an object") : clip(String(value));

function msOf(given: unknown): number | undefined {
  const [, count, unit] = (typeof given === "string" && form.exec(given)) || [];
  const ms = unit === undefined ? given : Math.round(Number(count) * units[unit as keyof typeof units]);
  return typeof ms === "number" && ms >= 0 && ms <= longestMs && Number.isFinite(ms) ? ms : undefined;
}
