// Tables of limits, and what is made of them: the defaults, with what is given in their place.

import { TroupeError } from "../protocol/errors.ts";

export type LimitRow = { readonly default: number; readonly behaviour: string };
type Filled<T> = { readonly [name in keyof T]: number };

export function limitsOf<T extends Readonly<Record<string, LimitRow>>>(
  table: T,
  given: Readonly<Partial<Record<keyof T, number>>>,
): Filled<T> {
  const set = Object.entries(given).filter(([name, value]) => name in table && value !== undefined);
  const wrong = set.filter(([, value]) => !Number.isSafeInteger(value) || Number(value) <= 0).map(([name]) => name);
  if (wrong.length > 0) {
    const errors = wrong.map((name) => ({ field: name, message: "must be a whole number above 0" }));
    throw new TroupeError("VALIDATION_FAILED", `these limits cannot be: ${wrong.join(", ")}`, { errors });
  }
  const defaults = Object.entries(table).map(([name, row]) => [name, row.default]);
  return Object.fromEntries([...defaults, ...set]) as Filled<T>;
}
