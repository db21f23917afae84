// What a request asks with, held against the contract: every field that is wrong is named, all at once.
//
// What stands in a path or a query is text: it is read as the number, truth or list that the schema wants there.

import { z } from "zod";
import { TroupeError } from "../protocol/errors.ts";
import { fieldErrorsOf } from "../protocol/field-errors.ts";
import { nearest } from "../protocol/nearest.ts";
import { clip, type FieldError } from "../protocol/refusal.ts";
import type { Route } from "./contract.ts";

export type Parts = { params: unknown; query: unknown; body: unknown };

type Texts = Readonly<Record<string, unknown>>;
type Read = (given: unknown) => unknown;

/** Made once for a route; gives the parts as the contract has them. */
export function validator({ params, query, body, takes }: Route): (given: Parts) => Parts {
  const readParams = params ? reader(params) : undefined;
  const readQuery = query ? reader(query) : undefined;
  const isBodyOptional = body?.safeParse({}).success ?? true;
  return (given) => {
    const errors: FieldError[] = [];
    const held = (schema: z.ZodType | undefined, value: unknown): unknown => {
      if (!schema) return undefined;
      const parsed = schema.safeParse(value);
      if (parsed.success) return parsed.data;
      errors.push(...errorsIn(schema, parsed.error.issues, value));
      return undefined;
    };
    const heldParams = held(params, readParams?.(given.params));
    const areIdsWrong = errors.length > 0;
    const heldQuery = query ? held(query, readQuery?.(given.query)) : noneOf(given.query, errors);
    // Nothing at all is an object without fields, where none is needed.
    const content = given.body === undefined && isBodyOptional && takes === undefined ? {} : given.body;
    const heldBody = takes === "bytes" ? given.body : held(body, content);
    if (errors.length === 0) return { params: heldParams, query: heldQuery, body: heldBody };
    const said = errors.map(({ field, message }) => `${field} ${message}`).join("; ");
    throw new TroupeError(areIdsWrong ? "INVALID_ID" : "VALIDATION_FAILED", said, { errors });
  };
}

function errorsIn(schema: z.ZodType, issues: readonly z.core.$ZodIssue[], value: unknown): FieldError[] {
  const unknown = issues.flatMap((issue) =>
    issue.code === "unrecognized_keys"
      ? issue.keys.map((key): FieldError => ({
          field: [...issue.path.map(String), clip(key)].join("."),
          message: unknownField(key, issue.path.length === 0 ? knownIn(schema) : []),
        }))
      : [],
  );
  const others = issues.filter(({ code }) => code !== "unrecognized_keys");
  const wrong = fieldErrorsOf("", others, value).map(({ field, message }) => ({
    field: field.replace(/^\./, "") || "body",
    message,
  }));
  return [...wrong, ...unknown];
}

const knownIn = (schema: z.ZodType): string[] => (schema instanceof z.ZodObject ? Object.keys(schema.shape) : []);

function unknownField(key: string, known: readonly string[]): string {
  const meant = nearest(key, known);
  if (meant !== undefined) return `is unknown; did you mean '${meant}'?`;
  return known.length === 0 ? "is unknown" : `is unknown; there are ${known.join(", ")}`;
}

function noneOf(query: unknown, errors: FieldError[]): undefined {
  for (const key of Object.keys(Object(query) as object)) {
    errors.push({ field: clip(key), message: "is unknown: nothing stands in the query here" });
  }
}

/** Texts as what the schema has at their place. */
function reader(schema: z.ZodObject): (given: unknown) => Record<string, unknown> {
  const reads = new Map(Object.entries(schema.shape).map(([name, field]) => [name, readOf(field as z.ZodType)]));
  return (given) =>
    Object.fromEntries(
      Object.entries(Object(given) as Texts).map(([name, value]) => [name, (reads.get(name) ?? same)(value)]),
    );
}

const same: Read = (given) => given;
const wholeNumber: Read = (given) => (typeof given === "string" && /^-?\d{1,15}$/.test(given) ? Number(given) : given);
const truth: Read = (given) => (given === "true" ? true : given === "false" ? false : given);
const list: Read = (given) => (Array.isArray(given) ? given : [given]);

function readOf(field: z.ZodType): Read {
  const inner = field instanceof z.ZodOptional ? (field.unwrap() as z.ZodType) : field;
  if (inner instanceof z.ZodNumber) return wholeNumber;
  if (inner instanceof z.ZodBoolean) return truth;
  return inner instanceof z.ZodArray ? list : same;
}
