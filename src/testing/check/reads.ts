// What the expressions of a definition read, and what they hold it against: where no schema says what a value is like,
// that is all that is known of it.

import { parse } from "../../language/cel.ts";
import type { Node } from "../../language/cel-tree.ts";

export type Read = {
  /** Names from the scope inwards, such as `input`, `order`, `total`; `[]` for each item of a list. */
  path: readonly string[];
  /** What it is held against, as far as that is written out. */
  literals: readonly unknown[];
  /** What it has to be for the expression to make sense, as far as that can be told. */
  as?: "boolean" | "list" | "number" | "text";
  /** The expression that it is to equal, if that is not written out. */
  equals?: string;
};

const open = /\$\{\{/;

/** Of a value with templates: texts, lists and objects of them. Functions are not looked into. */
export function readsIn(value: unknown, found: Read[] = []): Read[] {
  if (typeof value === "string" && open.test(value))
    for (const source of sourcesIn(value)) readExpression(source, found);
  else if (typeof value === "object" && value !== null) for (const inner of Object.values(value)) readsIn(inner, found);
  return found;
}

/** The expressions of a text; one that holds braces of its own in a text is left out if it cannot be parsed. */
export const sourcesIn = (text: string): string[] =>
  [...text.matchAll(/(?<!\$)\$\{\{([^]*?)\}\}/g)].map(([, source = ""]) => source);

function readExpression(source: string, found: Read[]): void {
  try {
    walk(parse(source).ast, source, found, new Map());
  } catch {
    // What is no expression was refused when the definition was read; a text that holds braces gives a part of one.
  }
}

type Names = ReadonlyMap<string, readonly string[]>;

function walk(node: Node, source: string, found: Read[], names: Names, as?: Read["as"]): void {
  const path = pathOf(node, names);
  if (path) return void found.push({ path, literals: [], ...(as && { as }) });
  const { op, args } = node;
  const inner = (one: Node, kind?: Read["as"]): void => walk(one, source, found, names, kind);
  if (comparing.has(op)) {
    const [left, right] = args as [Node, Node];
    return void (compare(op, left, right, source, found, names) || (inner(left), inner(right)));
  }
  if (op === "&&" || op === "||") return (args as Node[]).forEach((one) => inner(one, "boolean"));
  if (op === "!_") return inner(args as Node, "boolean");
  if (op === "?:") {
    const [condition, ...sides] = args as Node[];
    if (condition) inner(condition, "boolean");
    return sides.forEach((one) => inner(one, as));
  }
  if (op === "rcall") {
    const [name, target, given] = args as [string, Node, Node[]];
    const list = pathOf(target, names);
    const [variable, ...bodies] = given;
    if (loops.has(name) && variable?.op === "id") {
      if (list) found.push({ path: list, literals: [], as: "list" });
      else inner(target);
      const within = new Map(names).set(String(variable.args), [...(list ?? ["?"]), "[]"]);
      return bodies.forEach((one) => walk(one, source, found, within, name === "map" ? undefined : "boolean"));
    }
    inner(target, textual.has(name) ? "text" : undefined);
    return given.forEach((one) => inner(one));
  }
  nodesIn(args).forEach((one) => inner(one));
}

const comparing = new Set(["==", "!=", "<", "<=", ">", ">=", "in"]);
const loops = new Set(["map", "filter", "all", "exists", "exists_one"]);
const textual = new Set(["startsWith", "endsWith", "contains", "matches", "lowerAscii", "upperAscii", "trim", "split"]);

/** Where one side is a path and the other is written out, what is written says what the path may be. */
function compare(op: string, left: Node, right: Node, source: string, found: Read[], names: Names): boolean {
  const ways = op === "in" ? [[left, right] as const] : [[left, right] as const, [right, left] as const];
  let isFound = false;
  for (const [one, other] of ways) {
    const path = pathOf(one, names);
    if (!path) continue;
    isFound = true;
    const literals = literalsOf(other);
    const [first] = literals ?? [];
    const as = kindOf(first);
    const equals = op === "==" && literals === undefined ? source.slice(other.start, other.end) : undefined;
    found.push({
      path,
      literals: literals ?? [],
      ...(as && { as }),
      ...(equals !== undefined && { equals }),
    });
    if (literals === undefined && pathOf(other, names) === undefined) walk(other, source, found, names);
  }
  return isFound;
}

const kindOf = (value: unknown): Read["as"] | undefined => {
  if (typeof value === "boolean") return "boolean";
  if (typeof value === "number") return "number";
  return typeof value === "string" ? "text" : undefined;
};

function literalsOf(node: Node): unknown[] | undefined {
  if (node.op === "value") return [typeof node.args === "bigint" ? Number(node.args) : node.args];
  if (node.op !== "list") return undefined;
  const items = (node.args as Node[]).map(literalsOf);
  return items.every((item) => item !== undefined) ? items.flat() : undefined;
}

function pathOf({ op, args }: Node, names: Names): readonly string[] | undefined {
  if (op === "id") return names.get(String(args)) ?? [String(args)];
  if (op !== "." && op !== "[]") return undefined;
  const [of, key] = args as [Node, string | Node];
  const outer = pathOf(of, names);
  if (!outer) return undefined;
  if (typeof key === "string") return [...outer, key];
  if (key.op !== "value") return [...outer, "[]"];
  return [...outer, typeof key.args === "string" ? key.args : "[]"];
}

function nodesIn(args: unknown): Node[] {
  if (Array.isArray(args)) return args.flatMap(nodesIn);
  return typeof args === "object" && args !== null && "op" in args ? [args as Node] : [];
}
