// CEL as this product speaks it: the one place that knows the package, loaded when the first expression needs it.
//
//   parse ─▶ walk: limits, names ─▶ check of types ─▶ guard: what is costly is metered ─▶ a function of a scope
//
// Whole numbers of CEL are BigInts and those of JSON are doubles: any two may be added and compared here.

import { createRequire } from "node:module";
import type { Environment, TypeCheckResult } from "@marcbachmann/cel-js";
import { isPlainObject } from "../protocol/json.ts";
import { has, registerFunctions } from "./cel-functions.ts";
import type { Checker, Evaluator, Handle, Node } from "./cel-tree.ts";
import { countChars, countItems, payFor, spend } from "./meter.ts";
import { isSame } from "./same.ts";

export type Parsed = { (scope: object): unknown; check(): TypeCheckResult; readonly ast: Node };

const limits = { maxAstNodes: 500, maxDepth: 40, maxListElements: 200, maxMapEntries: 200, maxCallArguments: 8 };

/** What an expression may name; which of them are there is told by where it stands. */
export const names = [
  "input",
  "tasks",
  "item",
  "index",
  "signal",
  "error",
  "workflow",
  "env",
  "body",
  "headers",
  "query",
  // Of a run that has ended, where somebody says what is expected of it.
  "status",
  "output",
] as const;

const load = createRequire(import.meta.url);
let known: Environment | undefined;

function environment(): Environment {
  if (known) return known;
  const { Environment } = load("@marcbachmann/cel-js") as typeof import("@marcbachmann/cel-js");
  const made = new Environment({ homogeneousAggregateLiterals: false, limits });
  for (const name of names) made.registerVariable(name, "dyn");
  registerFunctions(made);
  return (known = made);
}

/** Whether it is a word of CEL itself, such as the name of a type. */
export const isWord = (name: string): boolean => environment().hasVariable(name);

/** The tree of an expression; what is no CEL throws an error of the package. */
export const parse = (source: string): Parsed => environment().parse(source) as unknown as Parsed;

/** The nodes right below one, and the name that only they see, if it gives them one. */
export function* below(node: Node): Generator<{ node: Node; variable?: string; isLoop?: true }> {
  const { alternate, macro } = node.meta;
  if (alternate) return yield { node: alternate };
  if (macro?.exp && macro.val && macro.var !== undefined) {
    yield { node: macro.val };
    return yield { node: macro.exp, variable: macro.var };
  }
  if (node.op === "comprehension") {
    const { iterable, init, step, iterVarName } = node.args as Comprehension;
    yield { node: iterable };
    yield { node: init };
    return yield { node: step, variable: iterVarName, isLoop: true };
  }
  yield* nodesIn(node.args);
}
type Comprehension = { iterable: Node; init: Node; step: Node; iterVarName: string };

/** One node, or lists of them among other things. */
function* nodesIn(args: unknown): Generator<{ node: Node }> {
  if (Array.isArray(args)) for (const inner of args) yield* nodesIn(inner);
  else if (isNode(args)) yield { node: args };
}

const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null && "op" in value;

/** Before the types are checked: what this product means otherwise than the package. */
export function adapt(node: Node): void {
  for (const { node: inner } of below(node)) adapt(inner);
  const { args } = node;
  if (node.op === "call" && node.meta.macro && Array.isArray(args) && args[0] === "has") {
    const [wanted] = args[1] as [Node];
    node.setMeta("macro", has(wanted));
  }
  // The package would take the pattern to a matcher that a pattern can keep busy forever.
  if (node.op === "rcall" && Array.isArray(args) && args[0] === "matches") args[0] = "regex";
  if (node.op === "?:") allowMixedSides(node);
}

/** The two sides of a choice may be of two types, as everything in JSON may. */
function allowMixedSides(node: Node): void {
  const { check } = node.meta;
  node.setMeta("check", (checker: Checker, ast: Node, scope: unknown) => {
    try {
      return check(checker, ast, scope);
    } catch (error) {
      if (codeOf(error) === "incompatible_ternary_branches") return checker.dynType;
      throw error;
    }
  });
}

/** After the types are checked: whatever may cost more than a moment is metered. Returns the number of nodes. */
export function guard(node: Node): number {
  let count = 1;
  for (const { node: inner, isLoop } of below(node)) {
    const inside = guard(inner);
    count += inside;
    if (isLoop) meterStep(inner, inside);
  }
  const { handle } = node;
  if (handle) node.handle = metered(node, handle);
  return count;
}

function meterStep(step: Node, nodes: number): void {
  const { evaluate } = step.meta;
  step.setMeta("evaluate", (evaluator: Evaluator, node: Node, scope: unknown) => {
    spend(nodes);
    return evaluate(evaluator, node, scope);
  });
}

function metered({ op, args }: Node, handle: Handle): Handle {
  if (op === "call" || op === "rcall") {
    const [name] = args as [string];
    return (given, ...rest) => {
      payForCall(name, given as unknown[]);
      return bounded(handle(given, ...rest));
    };
  }
  if (op === "." || op === "[]") {
    return (of, key, ...rest) => (isPlainObject(of) ? fieldOf(of, String(key)) : handle(of, key, ...rest));
  }
  if (op === "==") return (left, right) => isSame(left, right);
  if (op === "!=") return (left, right) => !isSame(left, right);
  if (op === "in") return (left, right, ...rest) => isIn(left, right) ?? handle(left, right, ...rest);
  if (op === "+") return (left, right, ...rest) => sum(left, right) ?? handle(left, right, ...rest);
  if (op === "comprehension") {
    return (items, ...rest) => {
      countItems(Array.isArray(items) ? items.length : Object.keys(Object(items)).length);
      return handle(items, ...rest);
    };
  }
  if (!comparisons.has(op)) return handle;
  return (left, right, ...rest) => {
    payFor(left);
    payFor(right);
    return handle(left, right, ...rest);
  };
}

function fieldOf(of: Readonly<Record<string, unknown>>, key: string): unknown {
  const value = Object.hasOwn(of, key) ? of[key] : undefined;
  if (value !== undefined) return value;
  throw Object.assign(new Error(`No such key: ${key}`), { code: "no_such_key" });
}

const comparisons = new Set(["<", "<=", ">", ">="]);

const isIn = (value: unknown, list: unknown): boolean | undefined =>
  Array.isArray(list) ? list.some((item) => isSame(value, item)) : undefined;

/** Texts and lists grow by being added: the sum is measured before it is made. */
function sum(left: unknown, right: unknown): unknown {
  if (typeof left === "number" && typeof right === "number") return left + right;
  if (typeof left === "string" && typeof right === "string") {
    countChars(left.length + right.length);
    return left + right;
  }
  if (left instanceof Uint8Array && right instanceof Uint8Array) countChars(left.length + right.length);
  if (!Array.isArray(left) || !Array.isArray(right)) return undefined;
  countItems(left.length + right.length);
  spend((left.length + right.length) >> 3);
  return [...left, ...right];
}

/** Looking for one text in another may have to look at each letter of both, for each letter of one. */
const searches = new Set(["contains", "indexOf", "lastIndexOf", "split", "startsWith", "endsWith"]);

function payForCall(name: string, given: unknown[]): void {
  for (const value of given) payFor(value);
  const [first, second] = given;
  if (typeof first === "string" && typeof second === "string" && searches.has(name)) {
    spend(Math.ceil((first.length * Math.max(1, second.length)) / 64));
    if (name === "split" && second === "") countItems(first.length);
  }
  // Its pattern takes the square of the length of what is no duration.
  if (name === "duration" && typeof first === "string" && first.length > 64) throw new Error("it is no duration");
  if (name === "size") spend(typeof first === "object" && first !== null ? Object.keys(first).length >> 3 : 0);
  // With a time zone it goes through a text.
  if (name.startsWith("get") && given.length > 1) spend(2_000);
  if (name !== "join" || !Array.isArray(first)) return;
  const between = typeof second === "string" ? second.length : 0;
  let chars = 0;
  for (const item of first) chars += between + (typeof item === "string" ? item.length : 0);
  spend(first.length);
  countChars(chars);
}

function bounded(value: unknown): unknown {
  if (typeof value === "string") countChars(value.length);
  else if (Array.isArray(value)) countItems(value.length);
  return value;
}

export const codeOf = (error: unknown): unknown => (error instanceof Error && "code" in error ? error.code : undefined);
