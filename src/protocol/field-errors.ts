// Which fields break a schema: each by its path, with what it should have been and never with what it was.

import type { z } from "zod";
import { isObject } from "./json.ts";
import { clip, type FieldError } from "./refusal.ts";

const errorsMax = 20;

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** The fields at fault in a value that stands at `root`. */
export function fieldErrorsOf(root: string, issues: readonly Issue[], value: unknown): FieldError[] {
  return issues
    .flatMap((issue) => leavesOf(issue, [], value))
    .slice(0, errorsMax)
    .map(({ path, message }) => ({
      field: [root, ...path.map((step) => clip(String(step)))].join("."),
      message: valueAt(value, path) === undefined ? "is missing" : message.replace(/^Invalid input: /, ""),
    }));
}

/** Issues as such; a union's issue becomes those of the alternative that was most likely meant. */
function leavesOf(issue: Issue, above: Path, value: unknown): { path: Path; message: string }[] {
  const path = [...above, ...issue.path];
  if (issue.code !== "invalid_union" || issue.errors.length === 0) return [{ path, message: issue.message }];
  const alternatives = issue.errors.map((branch) => branch.flatMap((inner) => leavesOf(inner, path, value)));
  const [best] = alternatives.toSorted((a, b) => distance(a, value) - distance(b, value));
  return best ?? [];
}

// A field that is there and wrong was meant; one that is missing belongs to another alternative.
const distance = (leaves: readonly { path: Path }[], value: unknown): number =>
  leaves.reduce((sum, { path }) => sum + (valueAt(value, path) === undefined ? 1000 : 10 - path.length), 0);

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((place, step) => {
    if (Array.isArray(place)) return place[Number(step)];
    return isObject(place) && typeof step === "string" && Object.hasOwn(place, step) ? place[step] : undefined;
  }, value);
}
