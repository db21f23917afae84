// Values at which conditions tip over: what an expression holds a field against, and just below and above it.
//
// Invariants:
//   H1. Each value is the plain one, with one field in place of which stands what that field is held against.

import { isObject } from "../../protocol/json.ts";
import type { Read } from "./reads.ts";

/** For reads whose paths begin within the value. Of a list it is the first item. */
export const comparedIn = (plain: unknown, reads: readonly Read[]): unknown[] =>
  reads.flatMap(({ path, literals }) =>
    literals.flatMap(tippingAt).flatMap((value) => replaced(plain, path, value).map(({ whole }) => whole)),
  );

const tippingAt = (literal: unknown): unknown[] =>
  typeof literal === "number" ? [literal, literal - 1, literal + 1] : [literal];

/** Nothing, where the value has no such field. */
function replaced(inner: unknown, [step, ...rest]: readonly string[], value: unknown): { whole: unknown }[] {
  if (step === undefined) return [{ whole: value }];
  if (Array.isArray(inner) && step === "[]") {
    const [first, ...others] = inner as unknown[];
    return replaced(first, rest, value).map(({ whole }) => ({ whole: [whole, ...others] }));
  }
  if (!isObject(inner) || !(step in inner)) return [];
  return replaced(inner[step], rest, value).map(({ whole }) => ({ whole: { ...inner, [step]: whole } }));
}
