// Which fields break a schema: each by its path, with what it should have been and never with what it was.

import type { z } from "zod";
import { isObject } from "./json.ts";
import { nearestFirst } from "./nearest.ts";
import { clip, type FieldError } from "./refusal.ts";

const errorsMax = 20;
const choicesMax = 5;

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];
type Leaf = { path: Path; issue: Issue };

/** The fields at fault in a value that stands at `root`. */
export function fieldErrorsOf(root: string, issues: readonly Issue[], value: unknown): FieldError[] {
  return issues
    .flatMap((issue) => leavesOf(issue, [], value))
    .slice(0, errorsMax)
    .map(({ path, issue }) => {
      const given = valueAt(value, path);
      return {
        field: [root, ...path.map((step) => clip(String(step)))].join("."),
        message: given === undefined ? "is missing" : wordsFor(issue, given),
      };
    });
}

/** Issues as such; a union's issue becomes those of the alternative that was most likely meant. */
function leavesOf(issue: Issue, above: Path, value: unknown): Leaf[] {
  const path = [...above, ...issue.path];
  if (issue.code !== "invalid_union") return [{ path, issue }];
  const alternatives = issue.errors.map((branch) => branch.flatMap((inner) => leavesOf(inner, path, value)));
  const [best] = alternatives.toSorted((a, b) => distance(a, value) - distance(b, value));
  return best ?? [{ path, issue }];
}

// A field that is there and wrong was meant; one that is missing belongs to another alternative.
const distance = (leaves: readonly { path: Path }[], value: unknown): number =>
  leaves.reduce((sum, { path }) => sum + (valueAt(value, path) === undefined ? 1000 : 1), 0);

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((place, step) => {
    if (Array.isArray(place)) return place[Number(step)];
    return isObject(place) && typeof step === "string" && Object.hasOwn(place, step) ? place[step] : undefined;
  }, value);
}

// ── what a field should have been, in words of the protocol and not of its validator ─────────────

const kinds: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
  null: "null",
};
const units: Readonly<Record<string, string>> = { string: " characters", array: " items" };

function wordsFor(issue: Issue, given: unknown): string {
  if (issue.code === "invalid_type") return `must be ${kinds[issue.expected] ?? issue.expected}`;
  if (issue.code === "invalid_value") return mustBeOneOf(issue.values.map(String), given);
  if (issue.code === "invalid_key") return "is no name that a field can have here";
  if (issue.code === "too_big") return `must be at most ${issue.maximum}${units[issue.origin] ?? ""}`;
  if (issue.code === "too_small") {
    return issue.origin in units ? "must not be empty" : `must be at least ${issue.minimum}`;
  }
  return issue.code === "invalid_format" && issue.format === "datetime" ? "must be a time in ISO 8601" : issue.message;
}

function mustBeOneOf(choices: readonly string[], given: unknown): string {
  const [only] = choices;
  if (choices.length === 1) return `must be ${only}`;
  if (choices.length <= choicesMax) return `must be one of ${choices.join(", ")}`;
  const shown = typeof given === "string" ? nearestFirst(given, choices) : choices;
  return `must be one of ${choices.length} words, such as ${shown.slice(0, choicesMax).join(", ")}`;
}
