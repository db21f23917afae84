// What people hand in on the command line: content, labels, durations; what cannot be is refused in their own words.

import { readFileSync } from "node:fs";
import { durationOf, timeOf } from "../language/duration.ts";
import { TroupeError } from "../protocol/errors.ts";

const standardInput = 0;

/** JSON, or from a file with `@file`, or from the standard input with `-`. */
export function contentOf(given: string, option: string): unknown {
  const text =
    given === "-" ? read(standardInput, option) : given.startsWith("@") ? read(given.slice(1), option) : given;
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const hint = "write JSON in single quotes, @file, or - for the standard input";
    throw new TroupeError("VALIDATION_FAILED", `${option} is no JSON (${why}); ${hint}`, { option });
  }
}

function read(file: string | number, option: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const { message } = error as NodeJS.ErrnoException;
    throw new TroupeError("VALIDATION_FAILED", `${option} cannot be read: ${message}`, { option }, { cause: error });
  }
}

/** `name=value`, as often as it is given. */
export const gathered = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];

export function labelsOf(given: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(
    given.map((one) => {
      const at = one.indexOf("=");
      if (at > 0) return [one.slice(0, at), one.slice(at + 1)];
      throw new TroupeError("VALIDATION_FAILED", `--label '${one}' is none: write --label name=value`, { label: one });
    }),
  );
}

export function msOf(given: string, option: string): number {
  return durationOf(given, option, (_field, message) => {
    throw new TroupeError("VALIDATION_FAILED", `${option}: ${message}`, { option });
  });
}

/** A time, or how long ago. */
export function sinceOf(given: string, option: string): string {
  const at = timeOf(given) ?? new Date().getTime() - msOf(given, option);
  return new Date(at).toISOString();
}

export function countOf(given: string, option: string, max: number): number {
  const count = Number(given);
  if (Number.isInteger(count) && count >= 1 && count <= max) return count;
  throw new TroupeError("VALIDATION_FAILED", `${option} '${given}' is no whole number from 1 to ${max}`, { option });
}
