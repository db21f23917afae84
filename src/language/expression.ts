// One CEL expression, made ready once: its flaws are known before it runs, and what it may do is bounded.
//
// Most expressions are plain paths (`input.order.id`): those are followed without CEL, which is then never loaded.
//
// Invariants:
//   X1. What an expression does is bounded, whatever it is and whatever it is given.
//   X2. It gives JSON or an EXPRESSION_ERROR, and nothing else.

import { TroupeError } from "../protocol/errors.ts";
import { clip } from "../protocol/refusal.ts";
import { adapt, below, codeOf, guard, isWord, names, parse, type Parsed } from "./cel.ts";
import type { Node } from "./cel-tree.ts";
import { setNow } from "./cel-functions.ts";
import { wind } from "./meter.ts";
import { plainOf } from "./plain.ts";
import type { Scope } from "./spec.ts";

/** A name that an expression uses, and where. */
export type Named = { readonly name: string; readonly offset: number };

export type Field = Named & { readonly of: keyof typeof fieldsOf };

/** What there is to know of a task, and of the names that are no data of people's. */
export const fieldsOf = {
  tasks: ["output", "status", "error"],
  workflow: ["id", "exec_id", "correlation_id", "started_at", "resume_data", "parent_exec_id"],
  signal: ["name", "payload"],
  error: ["code", "cause_code", "message", "details", "task", "attempt"],
} as const;
const hasFields = (root: string): root is keyof typeof fieldsOf => Object.hasOwn(fieldsOf, root);

export type Expression = {
  readonly source: string;
  /** Of the scope. */
  readonly names: readonly Named[];
  /** Ids after `tasks.`, as far as they are written out. */
  readonly tasks: readonly Named[];
  /** Names after `env.` */
  readonly env: readonly Named[];
  /** Fields of what has certain ones and no others: of a task, `workflow`, `signal`, `error`. */
  readonly fields: readonly Field[];
  /** As far as it is known before it runs: `bool`, `string`, `list`…, or `dyn`. */
  readonly type: string;
  evaluate(scope: Scope): unknown;
};

/** Why a text is no expression. */
export type Flaw = {
  readonly flaw: string;
  readonly offset: number;
  readonly hint?: string;
  readonly unknown?: string;
};

const cacheMax = 5_000;
const cache = new Map<string, Expression | Flaw>();

/** Made once for each text; a text that was not asked for lately may be made again. */
export function expressionOf(source: string): Expression | Flaw {
  const known = cache.get(source);
  if (known) return known;
  const made = pathOf(source) ?? compile(source);
  if (cache.size >= cacheMax) cache.clear();
  cache.set(source, made);
  return made;
}

/** The value in a scope. What cannot be had throws EXPRESSION_ERROR. */
export function valueOf(source: string, scope: Scope): unknown {
  const expression = expressionOf(source);
  if ("flaw" in expression) throw failed(source, expression.flaw);
  return expression.evaluate(scope);
}

function failed(source: string, reason: string, cause?: unknown): TroupeError {
  const expression = clip(source.trim());
  return new TroupeError("EXPRESSION_ERROR", `\${{ ${expression} }}: ${reason}`, { expression }, { cause });
}

// ── plain paths ──

const pathForm = /^\s*([a-z]+)((?:\.[A-Za-z_]\w*|\["[^"\\]+"\]|\['[^'\\]+'\]|\[\d{1,9}\])*)\s*$/;
const stepForm = /\.(\w+)|\["([^"]+)"\]|\['([^']+)'\]|\[(\d+)\]/g;
/** Words of CEL: as a field they have to be written in brackets. */
const kept = /\.(?:in|true|false|null)\b/;

function pathOf(source: string): Expression | undefined {
  const [, root = "", rest = ""] = pathForm.exec(source) ?? [];
  if (!(names as readonly string[]).includes(root) || kept.test(rest)) return undefined;
  const steps = [...rest.matchAll(stepForm)].map(([, field, double, single, index]) =>
    index === undefined ? (field ?? double ?? single ?? "") : Number(index),
  );
  const [first] = steps;
  const inside = (of: string): Named[] =>
    root === of && typeof first === "string"
      ? [{ name: first, offset: source.indexOf(first, source.indexOf(of) + 3) }]
      : [];
  return {
    source,
    names: [{ name: root, offset: source.indexOf(root) }],
    tasks: inside("tasks"),
    env: inside("env"),
    fields: fieldIn(source, root, steps),
    type: "dyn",
    evaluate: (scope) => follow(source, scope, root, steps),
  };
}

function fieldIn(source: string, root: string, steps: readonly (string | number)[]): Field[] {
  const name = steps[root === "tasks" ? 1 : 0];
  return hasFields(root) && typeof name === "string" ? [{ of: root, name, offset: source.lastIndexOf(name) }] : [];
}

function follow(source: string, scope: Scope, root: string, steps: readonly (string | number)[]): unknown {
  let value: unknown = (scope as Readonly<Record<string, unknown>>)[root];
  if (value === undefined) throw failed(source, `there is no '${root}' here`);
  for (const step of steps) {
    // A list is asked by number, an object by name; neither has anything by inheritance.
    const fits = typeof value === "object" && value !== null && (typeof step === "number" || !Array.isArray(value));
    const inner: unknown = fits && Object.hasOwn(value as object, step) ? (value as Fields)[step] : undefined;
    if (inner === undefined) throw failed(source, `there is no '${step}'`);
    value = inner;
  }
  return value;
}
type Fields = Readonly<Record<string | number, unknown>>;

// ── everything else ──

const dashed = /\btasks\s*\.\s*([A-Za-z_]\w*(?:-\w+)+|\d[\w-]*)/;
const strings = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g;

/** What stands in a definition may be long; an expression this long is none. */
const sourceCharsMax = 8_192;

function compile(source: string): Expression | Flaw {
  if (source.length > sourceCharsMax) {
    return { flaw: `it has ${source.length} characters, at most ${sourceCharsMax} are allowed`, offset: 0 };
  }
  // Texts are left out, each letter by a space: what stands in them names no task.
  const bare = dashed.exec(source.replace(strings, (text) => " ".repeat(text.length)));
  if (bare?.[1] !== undefined) {
    const hint = `tasks["${bare[1]}"]`;
    return { flaw: `the task id '${bare[1]}' has to be written in brackets`, offset: bare.index, hint };
  }
  try {
    const parsed = parse(source);
    const found: Found = { names: [], tasks: [], env: [], fields: [], loops: 0 };
    walk(parsed.ast, new Set(), 0, found);
    if (found.loops > loopsMax) return { flaw: `its loops are nested more than ${loopsMax} deep`, offset: 0 };
    const stranger = found.names.find(({ name }) => !(names as readonly string[]).includes(name));
    if (stranger)
      return { flaw: `there is no '${stranger.name}' here`, offset: stranger.offset, unknown: stranger.name };
    adapt(parsed.ast);
    const { valid, type = "dyn", error } = parsed.check();
    if (!valid) throw error;
    guard(parsed.ast);
    const { loops: _loops, ...uses } = found;
    return { source, ...uses, type, evaluate: (scope) => run(source, parsed, scope) };
  } catch (error) {
    return { flaw: reasonOf(error), offset: offsetOf(error) };
  }
}

function run(source: string, parsed: Parsed, scope: Scope): unknown {
  wind();
  setNow(scope.now);
  // What is missing is an error on its way to `default`, and where it came from in here interests nobody.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    // Whatever has caught the error since, the meter that has run out ends it here.
    return plainOf(parsed(scope));
  } catch (error) {
    throw failed(source, reasonOf(error), error);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Each loop in a loop multiplies the work. */
const loopsMax = 2;

type Found = { names: Named[]; tasks: Named[]; env: Named[]; fields: Field[]; loops: number };

function walk(node: Node, bound: ReadonlySet<string>, loops: number, found: Found): void {
  found.loops = Math.max(found.loops, loops);
  const { op, args } = node;
  if (op === "id" && typeof args === "string" && !bound.has(args) && (isName(args) || !isWord(args))) {
    found.names.push({ name: args, offset: node.start });
  }
  if (op === "." || op === "[]") {
    const [of, field] = args as [Node, Node | string];
    const name = typeof field === "string" ? field : field.op === "value" ? field.args : undefined;
    const root = rootOf(of, bound);
    const offset = typeof field === "string" ? node.end - field.length : field.start;
    if (typeof name === "string" && (root === "tasks" || root === "env")) found[root].push({ name, offset });
    const isOfTask = (of.op === "." || of.op === "[]") && rootOf((of.args as [Node])[0], bound) === "tasks";
    const owner = isOfTask ? "tasks" : root === "tasks" ? "" : root;
    if (typeof name === "string" && hasFields(owner)) found.fields.push({ of: owner, name, offset });
  }
  for (const { node: inner, variable, isLoop } of below(node)) {
    walk(inner, variable === undefined ? bound : new Set([...bound, variable]), loops + (isLoop ? 1 : 0), found);
  }
}
const rootOf = ({ op, args }: Node, bound: ReadonlySet<string>): string =>
  op === "id" && typeof args === "string" && !bound.has(args) ? args : "";
const isName = (name: string): boolean => (names as readonly string[]).includes(name);

/** What the package says, without its picture of the source: the place is told beside. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "it cannot be evaluated";
  if (error instanceof RangeError && /call stack|string length/.test(error.message)) {
    return "it is nested too deep, or makes too much";
  }
  const text = "summary" in error && typeof error.summary === "string" ? error.summary : error.message;
  const missing = /^No such key: (.*)$/s.exec(text)?.[1];
  if (missing !== undefined) return `there is no '${clip(missing)}'`;
  if (codeOf(error) === "unknown_variable") return text.replace(/^Unknown variable: (.*)$/s, "there is no '$1' here");
  return clip(text.replaceAll(/\bdyn<(\w+)>/g, "$1"));
}

const offsetOf = (error: unknown): number => {
  const range =
    error instanceof Error && "range" in error ? (error.range as { start?: unknown } | undefined) : undefined;
  return typeof range?.start === "number" ? range.start : 0;
};
