// Whether an input that is written out fits the schema of what it is given to.

import { isObject } from "../protocol/json.ts";
import { type Notes } from "./defects.ts";
import { defectsOfSchema, schemaOf } from "./json-schema.ts";
import type { JsonSchema, Path } from "./spec.ts";

/** A value with templates, or with functions, is not known before it is used. */
const isWrittenOut = (value: unknown): boolean => {
  if (typeof value === "string") return !value.includes("${{");
  if (typeof value === "function" || value === undefined) return false;
  return typeof value !== "object" || value === null || Object.values(value).every(isWrittenOut);
};

export function checkInput(value: unknown, schema: unknown, path: Path, whose: string, { note }: Notes): void {
  if (schema === undefined || !isWrittenOut(value)) return;
  let isSchema = true;
  defectsOfSchema(schema, [], () => (isSchema = false));
  if (!isSchema) return;
  const checked = schemaOf(schema as JsonSchema).check(value);
  if (!("errors" in checked)) return;
  for (const { field, message } of checked.errors) {
    const what = field === "" ? `it ${message}` : `"${field}" ${message}`;
    note(pathOf(path, field, value), "BAD_SCHEMA", `the input of ${whose} has a schema that this breaks: ${what}`);
  }
}

/** The steps that lead to a field, as far as they are there. */
function pathOf(path: Path, field: string, value: unknown): Path {
  const steps: (string | number)[] = [...path];
  let place: unknown = value;
  for (const step of field === "" ? [] : field.split(".")) {
    if (Array.isArray(place)) steps.push(Number(step));
    else if (isObject(place)) steps.push(step);
    else break;
    place = (place as Record<string, unknown>)[step];
  }
  return steps;
}
