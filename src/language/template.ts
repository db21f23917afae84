// What people write as a value: JSON with `${{ expression }}` in its texts, or a function that makes it.
//
// A text that is one expression gives its value with its type; in a longer text values are put into the text. `$${{`
// is a plain `${{`. A function may do anything but wait: what it gave is recorded, and a replay does not call it again.

import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import { listed, meant, meantId, type Note } from "./defects.ts";
import { expressionOf, fieldsOf, type Named, valueOf } from "./expression.ts";
import { atOnce, frozen } from "./function.ts";
import type { Path, Scope } from "./spec.ts";

/** What may be named where a value stands. */
export type Place = {
  /** Of input, tasks, item, index, signal, error, workflow, env, body, headers and query: those in scope. */
  readonly names: readonly string[];
  /** Ids of which `tasks.<id>` may be there. */
  readonly tasks: ReadonlySet<string>;
  /** All task ids of the workflow, to tell a task that comes later from one that is not there at all. */
  readonly known?: ReadonlySet<string>;
  /** Declared names, where `env` is in scope; without them any will do. */
  readonly env?: ReadonlySet<string>;
  /** What the whole value must be. */
  readonly gives?: "boolean" | "list";
};

// ── taking texts apart ──

type Part = string | { readonly source: string; readonly offset: number };
type Parts = { readonly parts: readonly Part[]; readonly open?: number };

const open = "${{";
const cacheMax = 5_000;
/** A longer text is taken apart each time: thousands of them would be too much to keep. */
const keptCharsMax = 10_000;
const cache = new Map<string, Parts>();

/** The pieces of a text, plain ones and expressions in turn; `open` is where one begins that does not end. */
function partsOf(text: string): Parts {
  const known = cache.get(text);
  if (known) return known;
  const made = takeApart(text);
  if (text.length > keptCharsMax) return made;
  if (cache.size >= cacheMax) cache.clear();
  cache.set(text, made);
  return made;
}

function takeApart(text: string): Parts {
  const parts: Part[] = [];
  let at = 0;
  let plain = "";
  for (let next = text.indexOf(open); next >= 0; next = text.indexOf(open, at)) {
    const isPlain = next > at && text[next - 1] === "$";
    plain += isPlain ? text.slice(at, next - 1) + open : text.slice(at, next);
    at = next + open.length;
    if (isPlain) continue;
    const end = endOf(text, at);
    if (end < 0) return { parts, open: next };
    if (plain !== "") parts.push(plain);
    plain = "";
    parts.push({ source: text.slice(at, end), offset: at });
    at = end + 2;
  }
  plain += text.slice(at);
  if (plain !== "" || parts.length === 0) parts.push(plain);
  return { parts };
}

// What may hold `}}` without ending the expression: texts, with three quotes or one, raw or not; comments; and maps.
const lexeme = /[rR][bB]?("""|'''|"|')|("""|'''|"|')|\/\/[^\n]*|[{}]/g;

function endOf(text: string, from: number): number {
  let depth = 0;
  lexeme.lastIndex = from;
  for (let found = lexeme.exec(text); found; found = lexeme.exec(text)) {
    const [whole, raw, quote] = found;
    if (whole === "{") depth += 1;
    else if (whole === "}") {
      if (depth === 0 && text[found.index + 1] === "}") return found.index;
      depth -= 1;
    } else if (raw ?? quote) {
      const end = endOfText(text, lexeme.lastIndex, raw ?? quote ?? "", raw !== undefined);
      if (end < 0) return -1;
      lexeme.lastIndex = end;
    }
  }
  return -1;
}

function endOfText(text: string, from: number, quote: string, isRaw: boolean): number {
  for (let at = from; at < text.length; at++) {
    if (text[at] === "\\" && !isRaw) at += 1;
    else if (text.startsWith(quote, at)) return at + quote.length;
  }
  return -1;
}

// ── before it runs ──

const depthMax = 100;

/** Notes whatever is wrong with a value, as far as that is known before it is used. */
export function checkTemplate(value: unknown, path: Path, place: Place, note: Note): void {
  check(value, path, place, note, []);
  if (place.gives === undefined || typeof value === "function" || value === undefined) return;
  const { gives } = place;
  const isRight = gives === "list" ? Array.isArray(value) : typeof value === "boolean";
  if (isRight) return;
  const type = typeof value === "string" ? typeOf(value) : typeof value;
  if (type === undefined || (gives === "list" ? /^(?:dyn|list\b.*)$/ : /^(?:dyn|bool)$/).test(type)) return;
  const wanted = gives === "list" ? "a list" : "true or false";
  note(path, "BAD_EXPRESSION", `must give ${wanted}, and gives ${named(type)}`);
}

const named = (type: string): string => (type === "object" ? "an object" : `a value of type ${type}`);

/** What a text gives; nothing if that has been complained about. */
function typeOf(text: string): string | undefined {
  const { parts, open: isOpen } = partsOf(text);
  if (isOpen !== undefined) return undefined;
  const [only] = parts;
  if (parts.length !== 1 || only === undefined || typeof only === "string") return "string";
  const expression = expressionOf(only.source);
  return "flaw" in expression ? undefined : expression.type;
}

function check(value: unknown, path: Path, place: Place, note: Note, within: readonly object[]): void {
  if (typeof value === "string") return checkText(value, path, place, note);
  if (typeof value === "function" || value === null || typeof value === "boolean") return;
  if (typeof value === "number" && Number.isFinite(value)) return;
  if (typeof value !== "object") {
    const what = typeof value === "number" ? String(value) : `a value of type ${typeof value}`;
    return note(path, "BAD_TYPE", `${what} is no JSON value and no function`);
  }
  if (within.includes(value)) return note(path, "BAD_VALUE", "contains itself");
  if (within.length >= depthMax) return note(path, "BAD_VALUE", `is nested more than ${depthMax} deep`);
  for (const [key, inner] of Object.entries(value)) {
    check(inner, [...path, Array.isArray(value) ? Number(key) : key], place, note, [...within, value]);
  }
}

function checkText(text: string, path: Path, place: Place, note: Note): void {
  if (!text.includes(open)) return;
  const { parts, open: isOpen } = partsOf(text);
  if (isOpen !== undefined) {
    note(path, "BAD_EXPRESSION", "`${{` is not closed by `}}`; a plain `${{` is written `$${{`", undefined, isOpen);
  }
  for (const part of parts) if (typeof part !== "string") checkExpression(part, path, place, note);
}

function checkExpression({ source, offset }: { source: string; offset: number }, path: Path, place: Place, note: Note) {
  const expression = expressionOf(source);
  if ("flaw" in expression) {
    const { flaw, hint, unknown } = expression;
    const code = unknown === undefined ? "BAD_EXPRESSION" : "UNKNOWN_REFERENCE";
    return note(
      path,
      code,
      flaw,
      unknown === undefined ? hint : meant(unknown, place.names),
      offset + expression.offset,
    );
  }
  const say = (code: string, message: string, name: Named, hint?: string): void =>
    note(path, code, message, hint, offset + name.offset);
  for (const used of expression.names) {
    const { name } = used;
    if (place.names.includes(name)) continue;
    if (name === "env") say("ENV_IN_WORKFLOW", "`env` is known in definitions of agents and tools only", used);
    else say("UNKNOWN_REFERENCE", `there is no '${name}' here`, used, meant(name, place.names));
  }
  if (place.names.includes("tasks")) {
    for (const used of expression.tasks) {
      if (place.tasks.has(used.name)) continue;
      const isKnown = place.known?.has(used.name);
      const message = isKnown
        ? `task '${used.name}' cannot have run before this`
        : `there is no task '${used.name}' here`;
      say("UNKNOWN_REFERENCE", message, used, isKnown ? undefined : meantId(used.name, place.tasks));
    }
  }
  for (const used of expression.fields) {
    const { name, of } = used;
    const fields: readonly string[] = fieldsOf[of];
    if (!place.names.includes(of) || fields.includes(name)) continue;
    const says = `there is no '${name}' in ${of === "tasks" ? "a task" : `\`${of}\``}`;
    say("UNKNOWN_REFERENCE", says, used, meant(name, fields) ?? `there is ${listed(fields)}`);
  }
  if (place.names.includes("env") && place.env) {
    for (const used of expression.env) {
      if (place.env.has(used.name)) continue;
      say("UNKNOWN_ENV", `'${used.name}' is not declared under \`env\``, used, meantId(used.name, place.env));
    }
  }
}

/** The ids of tasks that the expressions of a value refer to, as far as they are written out. */
export function tasksIn(value: unknown, found = new Set<string>()): Set<string> {
  if (typeof value === "string" && value.includes(open)) {
    for (const part of partsOf(value).parts) {
      if (typeof part === "string") continue;
      const expression = expressionOf(part.source);
      if (!("flaw" in expression)) for (const { name } of expression.tasks) found.add(name);
    }
  } else if (typeof value === "object" && value !== null) {
    for (const inner of Object.values(value)) tasksIn(inner, found);
  }
  return found;
}

// ── when it runs ──

/** The value in a scope. What cannot be had throws EXPRESSION_ERROR, and tells at which place in the value. */
export function evaluate(value: unknown, scope: Scope, where = ""): unknown {
  // What is gone into and not left again when something fails is where it failed.
  const path: (string | number)[] = [];
  try {
    return resolve(value, scope, path);
  } catch (error) {
    const { code, message, details } = fromUnknown(error);
    const at = path.reduce<string>((text, key) => (text === "" ? String(key) : `${text}.${key}`), where);
    if (at === "" || code !== "EXPRESSION_ERROR") throw error;
    throw new TroupeError(code, `${at}: ${message}`, { ...details, at }, { cause: error });
  }
}

function resolve(value: unknown, scope: Scope, path: (string | number)[]): unknown {
  if (typeof value === "string") return value.includes(open) ? textOf(value, scope) : value;
  if (typeof value === "function") return called(value as (scope: Scope) => unknown, scope);
  if (typeof value !== "object" || value === null) return value;
  const inside = (inner: unknown, key: string | number): unknown => {
    path.push(key);
    const given = resolve(inner, scope, path);
    path.pop();
    return given;
  };
  if (Array.isArray(value)) return value.map(inside);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, inside(inner, key)]));
}

function textOf(text: string, scope: Scope): unknown {
  const { parts, open: isOpen } = partsOf(text);
  if (isOpen !== undefined) throw new TroupeError("EXPRESSION_ERROR", "`${{` is not closed by `}}`");
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return typeof only === "string" ? only : valueOf(only.source, scope);
  let whole = "";
  for (const part of parts) {
    whole += typeof part === "string" ? part : written(valueOf(part.source, scope));
    if (whole.length <= charsMax) continue;
    throw new TroupeError("EXPRESSION_ERROR", `a text has more than ${charsMax} characters`);
  }
  return whole;
}

/** More than any message may have. */
const charsMax = 16_777_216;

/** Null is nothing, an object is JSON. */
const written = (value: unknown): string => {
  if (value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
};

function called(value: (scope: Scope) => unknown, scope: Scope): unknown {
  try {
    const given = atOnce(value(frozen(scope)), "it");
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
