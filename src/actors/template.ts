// What the input of a task is made from: a JSON value with `${{ path }}` in its texts, or a function.
//
// A path is one of input, tasks, error and workflow, and the fields that lead on from it. More than paths a template
// does not know. A function may do anything but wait: what it gave is recorded, and a replay does not call it again.

import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import type { Data } from "../protocol/fields.ts";

/** What templates and functions see. */
export type Scope = {
  input: unknown;
  tasks: Readonly<Record<string, { status: string; output?: Data; error?: unknown }>>;
  error?: unknown;
  workflow: { id: string; exec_id: string; correlation_id: string; started_at: string; resume_data?: unknown };
};

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
// What people write as a value, whatever it stands for.
export type Value =
  | string
  | number
  | boolean
  | null
  | readonly Value[]
  | { readonly [key: string]: Value }
  | ((scope: Scope) => unknown);

const roots = ["input", "tasks", "error", "workflow"];
const whole = /^\$\{\{([^}]*)\}\}$/;
const parts = /\$?\$\{\{([^}]*)\}\}/g;
const pathForm = /^[A-Za-z_]\w*(?:\.\w+|\["[^"\]]+"\]|\[\d+\])*$/;

/** The fields that a path names, or nothing if it is no path. */
function fieldsOf(path: string): string[] | undefined {
  const text = path.trim();
  if (!pathForm.test(text)) return undefined;
  const fields = [...text.matchAll(/[A-Za-z_]\w*|\["([^"\]]+)"\]|\w+/g)].map(([word, quoted]) => quoted ?? word);
  return roots.includes(fields[0] ?? "") ? fields : undefined;
}

type Note = (field: string, message: string) => void;

/** Notes whatever is no path, and whatever is neither JSON nor a function. */
export function checkTemplate(value: unknown, field: string, note: Note, within: readonly object[] = []): void {
  if (typeof value === "string") return checkText(value, field, note);
  if (typeof value === "function" || value === null || typeof value === "boolean") return;
  if (typeof value === "number" && Number.isFinite(value)) return;
  if (typeof value !== "object") return note(field, `a value of type ${typeof value} is no JSON value and no function`);
  if (within.includes(value)) return note(field, "contains itself");
  for (const [key, inner] of Object.entries(value)) checkTemplate(inner, `${field}.${key}`, note, [...within, value]);
}

function checkText(text: string, field: string, note: Note): void {
  for (const [all, path = ""] of text.matchAll(parts)) {
    if (all.startsWith("$$") || fieldsOf(path)) continue;
    note(field, `'\${{${path}}}' is no path that begins with one of ${roots.join(", ")}`);
  }
}

/** The value in a scope. What cannot be had throws EXPRESSION_ERROR. */
export function evaluate(value: unknown, scope: Scope): unknown {
  if (typeof value === "function") return called(value as (scope: Scope) => unknown, scope);
  if (typeof value === "string") return textOf(value, scope);
  if (Array.isArray(value)) return value.map((inner) => evaluate(inner, scope));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, evaluate(inner, scope)]));
}

function called(value: (scope: Scope) => unknown, scope: Scope): unknown {
  try {
    const given: unknown = value(frozen(scope));
    if (isPromise(given)) {
      // The task fails for the promise itself, with the error below; how that ends changes nothing any more, and a
      // rejection that nobody hears would end the process.
      Promise.resolve(given).catch(() => undefined);
      throw new Error("it returned a promise, and has to answer at once");
    }
    if (given === undefined) return {};
    // What is recorded is JSON: what comes back from the log has to be what was used.
    const text: string | undefined = JSON.stringify(given);
    if (text === undefined) throw new Error(`it returned a ${typeof given}, which is no JSON value`);
    return JSON.parse(text);
  } catch (error) {
    const { message } = fromUnknown(error);
    throw new TroupeError("EXPRESSION_ERROR", `a function of the definition failed: ${message}`, {}, { cause: error });
  }
}

const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";

/** What a function sees belongs to the run: nobody may change it. What was frozen once is not looked at again. */
function frozen<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const inner of Object.values(value)) frozen(inner);
  return value;
}

function textOf(text: string, scope: Scope): unknown {
  const [, path] = whole.exec(text) ?? [];
  if (path !== undefined) return valueAt(path, scope);
  return text.replace(parts, (all, inner: string) => {
    if (all.startsWith("$$")) return all.slice(1);
    const value = valueAt(inner, scope);
    if (value === null) return "";
    return typeof value === "string" ? value : JSON.stringify(value);
  });
}

function valueAt(path: string, scope: Scope): unknown {
  let value: unknown = scope;
  for (const field of fieldsOf(path) ?? []) {
    const isThere = typeof value === "object" && value !== null && Object.hasOwn(value, field);
    if (!isThere) throw new TroupeError("EXPRESSION_ERROR", `\${{${path}}}: there is no '${field}'`, { field });
    value = (value as Data)[field];
  }
  return value;
}
