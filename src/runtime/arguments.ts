// What is handed in at the door is held against what may stand there, and what cannot be is refused by its name.

import { TroupeError } from "../protocol/errors.ts";
import { isObject } from "../protocol/json.ts";
import { nearest } from "../protocol/nearest.ts";
import { clip, type FieldError } from "../protocol/refusal.ts";

/** What a value must be, and how that is said. */
export type Rule = { is: (value: unknown) => boolean; says: string | ((value: unknown) => string) };

export const text: Rule = { is: (value) => typeof value === "string" && value !== "", says: "must be a text" };
export const anyText: Rule = { is: (value) => typeof value === "string", says: "must be a text" };
export const texts: Rule = {
  is: (value) => Array.isArray(value) && value.every((one) => typeof one === "string"),
  says: "must be a list of texts",
};
export const list: Rule = { is: Array.isArray, says: "must be a list" };
export const object: Rule = { is: isObject, says: "must be an object" };
export const callable: Rule = { is: (value) => typeof value === "function", says: "must be a function" };
export const time: Rule = { is: Number.isFinite, says: "must be a time in milliseconds since 1970" };
export const duration: Rule = {
  is: (value) => typeof value === "number" && value >= 0,
  says: "must be so many milliseconds, 0 or more",
};
export const wholeNumber = (least: number): Rule => ({
  is: (value) => Number.isSafeInteger(value) && Number(value) >= least,
  says: `must be a whole number, ${least} or more`,
});
export const oneOf = (words: readonly string[]): Rule => ({
  is: (value) => words.includes(value as string),
  says: (value) => `must be one of ${words.join(", ")}${typeof value === "string" ? hintAt(value, words) : ""}`,
});
/** A list of some of these words. */
export const someOf = (words: readonly string[]): Rule => ({
  is: (value) => Array.isArray(value) && value.every((one) => words.includes(one as string)),
  says(value) {
    if (!Array.isArray(value)) return "must be a list";
    const wrong: unknown = value.find((one) => !words.includes(one as string));
    if (typeof wrong !== "string") return `must hold texts, not ${kindOf(wrong)}`;
    return `'${clip(wrong)}' is none of ${words.join(", ")}${hintAt(wrong, words)}`;
  },
});
const hintAt = (given: string, words: readonly string[]): string => {
  const meant = nearest(given, words);
  return meant === undefined ? "" : `; did you mean '${meant}'?`;
};
const saidOf = ({ says }: Rule, value: unknown): string => (typeof says === "string" ? says : says(value));

/** Refuses names that an object does not have and values that cannot be, all at once. */
export function checkFields(given: unknown, rules: Readonly<Record<string, Rule>>, what: string): void {
  if (!isObject(given)) throw refused(what, [{ field: "", message: `must be an object, not ${kindOf(given)}` }]);
  const known = Object.keys(rules);
  const errors = Object.entries(given).flatMap(([name, value]): FieldError[] => {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (!rule) return [{ field: clip(name), message: unknownAmong(name, known) }];
    return value === undefined || rule.is(value) ? [] : [{ field: name, message: saidOf(rule, value) }];
  });
  if (errors.length > 0) throw refused(what, errors);
}

/** Refuses one argument that cannot be. */
export function checkArgument(name: string, value: unknown, rule: Rule): void {
  if (rule.is(value)) return;
  const given = typeof rule.says === "string" ? `, not ${kindOf(value)}` : "";
  throw refused("this cannot be", [{ field: name, message: `${saidOf(rule, value)}${given}` }]);
}
export const checkExecId = (value: unknown, name = "execId"): void => checkArgument(name, value, text);

export const refused = (what: string, errors: FieldError[]): TroupeError => {
  const listed = errors.map(({ field, message }) => `${field} ${message}`.trim()).join("; ");
  return new TroupeError("VALIDATION_FAILED", `${what}: ${listed}`, { errors });
};

function unknownAmong(name: string, known: readonly string[]): string {
  const meant = nearest(name, known);
  return `is unknown; ${meant === undefined ? `there are ${known.join(", ")}` : `did you mean '${meant}'?`}`;
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (value === "") return "an empty one";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "string") return `'${clip(value)}'`;
  if (typeof value === "object" || typeof value === "function") return `some ${typeof value}`;
  return clip(String(value as number | boolean | bigint | symbol));
}
