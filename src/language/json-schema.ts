// What a value must be like: a JSON Schema, a zod schema or a function, each with the same answer.
//
// JSON Schema is checked by ajv, loaded when the first is made ready; its patterns take time that grows with the text
// and not beyond.
//
// Invariants:
//   J1. A check never throws, and never changes what it is given: defaults are filled into a copy.

import { createRequire } from "node:module";
import { toJSONSchema } from "zod";
import type { Ajv2020, ErrorObject, ValidateFunction } from "ajv/dist/2020.js";
import { isPlainObject } from "../protocol/json.ts";
import { clip, type FieldError } from "../protocol/refusal.ts";
import { meant, type Note } from "./defects.ts";
import { atOnce } from "./function.ts";
import { patternOf } from "./pattern.ts";
import type { JsonSchema, Path } from "./spec.ts";

/** A schema of zod, as far as it is used here. */
export type ZodLike<Output = unknown> = {
  safeParse(
    value: unknown,
  ):
    | { readonly success: true; readonly data: Output }
    | { readonly success: false; readonly error: { readonly issues: readonly Issue[] } };
};
type Issue = { readonly path: readonly PropertyKey[]; readonly message: string };

/** A function gives the value it was given, perhaps filled in, and throws if it is wrong. */
export type Schema<Output = unknown> = JsonSchema | ZodLike<Output> | ((value: unknown) => Output);

export type Checked = { readonly value: unknown; readonly errors?: never } | { readonly errors: readonly FieldError[] };
export type Checker = { check(value: unknown): Checked };

const checkers = new WeakMap<object, Checker>();
const any: Checker = { check: (value) => ({ value }) };
const none: Checker = { check: () => ({ errors: [{ field: "", message: "nothing is allowed here" }] }) };

/** Made once for each schema. One that is none throws: `defectsOfSchema` tells that before. */
export function schemaOf(schema: Schema | undefined): Checker {
  if (schema === undefined || schema === true) return any;
  if (schema === false) return none;
  const known = checkers.get(schema);
  if (known) return known;
  const made = typeof schema === "function" ? byFunction(schema) : isZod(schema) ? byZod(schema) : byJsonSchema(schema);
  checkers.set(schema, made);
  return made;
}

const isZod = (schema: object): schema is ZodLike => "safeParse" in schema && typeof schema.safeParse === "function";

function guarded(run: (value: unknown) => Checked): Checker {
  return {
    check(value) {
      try {
        return run(value);
      } catch (thrown) {
        return { errors: [{ field: "", message: thrown instanceof Error ? thrown.message : String(thrown) }] };
      }
    },
  };
}

const byFunction = (schema: (value: unknown) => unknown): Checker =>
  guarded((given) => ({ value: atOnce(schema(copyOf(given)), "its schema") }));

const byZod = (schema: ZodLike): Checker =>
  guarded((given) => {
    const parsed = schema.safeParse(copyOf(given));
    if (parsed.success) return { value: parsed.data };
    return { errors: parsed.error.issues.map(({ path, message }) => ({ field: path.map(String).join("."), message })) };
  });

/** What it is given belongs to the run. */
const copyOf = (value: unknown): unknown => (typeof value === "object" ? structuredClone(value) : value);

function byJsonSchema(schema: Exclude<JsonSchema, boolean>): Checker {
  const validate = ajv().compile(schema);
  // It would be kept for ever: definitions come and go.
  ajv().removeSchema(schema);
  // A copy costs as much as the check: only defaults need it.
  const fills = JSON.stringify(schema).includes('"default":');
  return guarded((given) => {
    const value = fills ? copyOf(given) : given;
    return validate(value) ? { value } : { errors: errorsOf(validate) };
  });
}

/** A schema of zod as JSON Schema; one that cannot be written so, and anything else, as it is. */
export function dataOf(schema: unknown): unknown {
  if (typeof schema !== "object" || schema === null || !isZod(schema)) return schema;
  const known = written.get(schema);
  if (known) return known;
  try {
    // What it makes of a value is asked for first: there, what cannot be written is an error.
    toJSONSchema(schema as never, { io: "output" });
    const data = toJSONSchema(schema as never, { io: "input" });
    written.set(schema, data);
    return data;
  } catch {
    // `troupe()` refuses it with all else that is wrong.
    return schema;
  }
}
const written = new WeakMap<object, object>();

/** What is said of a value that breaks its schema, and what goes with it into the error. */
export function wrong(
  what: string,
  errors: readonly FieldError[],
): { message: string; details: { errors: readonly FieldError[] } } {
  const listed = errors.map(({ field, message }) => (field === "" ? message : `${field}: ${message}`)).join("; ");
  return { message: `${what} is wrong: ${listed}`, details: { errors } };
}

// ── ajv ──

const load = createRequire(import.meta.url);
type AddFormats = { (engine: Ajv2020): unknown; get(name: "url"): unknown };
const urlCharsMax = 4_096;
let engine: Ajv2020 | undefined;
let warnings: string[] = [];

function ajv(): Ajv2020 {
  if (engine) return engine;
  const { Ajv2020 } = load("ajv/dist/2020.js") as typeof import("ajv/dist/2020.js");
  const { default: addFormats } = load("ajv-formats") as { default: AddFormats };
  const regExp = Object.assign(
    (pattern: string) => {
      try {
        const compiled = patternOf(pattern, "JavaScript");
        // By its text the package tells one from another.
        return { test: (text: string) => compiled.matcher(text).find(), toString: () => `/${pattern}/` };
      } catch (thrown) {
        throw Object.assign(new Error(`the pattern cannot be used: ${String(Object(thrown).message)}`), { pattern });
      }
    },
    // For code that is written to a file, which is not done here.
    { code: "" },
  );
  const warn = (message: string): void => void warnings.push(message);
  engine = new Ajv2020({
    allErrors: true,
    useDefaults: true,
    strict: false,
    strictSchema: "log",
    // Two schemas may have the same `$id`: each stands for itself.
    addUsedSchema: false,
    logger: { log: warn, warn, error: warn },
    code: { regExp },
  });
  addFormats(engine);
  const url = addFormats.get("url");
  // The one format whose time grows with the square of the text.
  engine.addFormat("url", (text: string) => text.length <= urlCharsMax && url instanceof RegExp && url.test(text));
  return engine;
}

const errorsMax = 50;

const errorsOf = ({ errors }: Pick<ValidateFunction, "errors">): FieldError[] =>
  (errors ?? []).slice(0, errorsMax).map(errorOf);

function errorOf({ instancePath, keyword, params, message }: ErrorObject): FieldError {
  const { missingProperty, additionalProperty, unevaluatedProperty, allowedValues } = params as {
    [name: string]: unknown;
  };
  const extra = keyword === "required" ? missingProperty : (additionalProperty ?? unevaluatedProperty);
  const path = [...pathIn(instancePath), ...(typeof extra === "string" ? [extra] : [])];
  const text =
    keyword === "required"
      ? "is missing"
      : typeof extra === "string"
        ? "is unknown"
        : Array.isArray(allowedValues)
          ? `must be one of ${allowedValues.map((value) => JSON.stringify(value)).join(", ")}`
          : (message ?? "is wrong");
  return { field: path.join("."), message: clip(text) };
}

const pathIn = (pointer: string): string[] =>
  pointer === ""
    ? []
    : pointer
        .slice(1)
        .split("/")
        .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));

// ── before it is used ──

/** Notes whatever keeps a schema from being used. */
export function defectsOfSchema(schema: unknown, path: Path, note: Note): void {
  if (typeof schema === "boolean" || typeof schema === "function") return;
  if (typeof schema === "object" && schema !== null && isZod(schema)) return;
  if (!isPlainObject(schema)) return note(path, "BAD_SCHEMA", "must be a JSON Schema: an object, true or false");
  warnings = [];
  try {
    const engine = ajv();
    if (engine.validateSchema(schema) !== true) {
      for (const { instancePath, message = "is wrong" } of uniqueByPlace(engine.errors ?? [])) {
        note([...path, ...pathIn(instancePath)], "BAD_SCHEMA", message);
      }
      return;
    }
    schemaOf(schema as JsonSchema);
  } catch (thrown) {
    const { pattern } = Object(thrown) as { pattern?: unknown };
    const inside = typeof pattern === "string" ? (pathOf(schema, pattern) ?? []) : [];
    const message = thrown instanceof RangeError ? "it is nested too deep" : String(Object(thrown).message);
    note([...path, ...inside], "BAD_SCHEMA", clip(message));
  }
  for (const warning of warnings) {
    // A keyword of somebody else's is allowed; one that is nearly a keyword is a slip of the pen.
    const keyword = /unknown keyword: "(.*)"/.exec(warning)?.[1];
    const hint = keyword === undefined ? undefined : meant(keyword, keywords);
    if (hint !== undefined)
      note([...path, ...(keyOf(schema, keyword ?? "") ?? [])], "BAD_SCHEMA", `"${keyword}" is no keyword`, hint);
  }
}

/** Of the errors at one place the first: those of the alternatives say the same. */
const uniqueByPlace = (errors: readonly ErrorObject[]): ErrorObject[] =>
  errors.filter(
    ({ instancePath }, index) => errors.findIndex((other) => other.instancePath === instancePath) === index,
  );

const pathOf = (within: unknown, value: string): string[] | undefined =>
  search(within, (_key, inner) => inner === value);
const keyOf = (within: unknown, key: string): string[] | undefined => search(within, (name) => name === key);

function search(within: unknown, isIt: (key: string, value: unknown) => boolean): string[] | undefined {
  if (typeof within !== "object" || within === null) return undefined;
  for (const [key, inner] of Object.entries(within)) {
    if (isIt(key, inner)) return [key];
    const deeper = search(inner, isIt);
    if (deeper) return [key, ...deeper];
  }
  return undefined;
}

const keywords = [
  "type properties required items prefixItems additionalProperties patternProperties propertyNames enum const default",
  "minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength pattern format minItems maxItems",
  "uniqueItems contains minContains maxContains minProperties maxProperties allOf anyOf oneOf not if then else",
  "dependentRequired dependentSchemas unevaluatedProperties unevaluatedItems description title example examples",
  // Not of JSON Schema, and known to all.
  "nullable deprecated readOnly writeOnly",
].flatMap((line) => line.split(" "));
