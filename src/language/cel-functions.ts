// The functions and operators that expressions have beside those of CEL, and in place of some of them.

import type { Environment } from "@marcbachmann/cel-js";
import { isPlainObject } from "../protocol/json.ts";
import type { Checker, Evaluator, Macro, Node } from "./cel-tree.ts";
import { spend } from "./meter.ts";
import { patternOf } from "./pattern.ts";
import { plainOf } from "./plain.ts";

const here = { async: false };

/** What `now()` gives, for the evaluation under way. */
let nowMs: number | undefined;
export const setNow = (ms: number | undefined): void => void (nowMs = ms);

export function registerFunctions(environment: Environment): void {
  registerNumbers(environment);
  const add = (signature: string, run: (...given: never[]) => unknown): void => {
    environment.registerFunction(signature, run as never, here as never);
  };
  add("json(dyn): string", (value: unknown) => JSON.stringify(plainOf(value)));
  add("now(): google.protobuf.Timestamp", () => {
    if (nowMs === undefined) throw new Error("there is no now() here");
    return new Date(nowMs);
  });
  // CEL's own, which the package lacks.
  for (const time of ["Timestamp", "Duration"]) add(`string(google.protobuf.${time}): string`, plainOf);
  add("int(google.protobuf.Timestamp): int", (time: Date) => BigInt(Math.floor(time.getTime() / 1_000)));
  add("regex(string, string): bool", matches);
  add("matches(string, string): bool", matches);
  add("string.regex(string): bool", matches);
  add("default(ast, ast): dyn", ({ args }: { args: Node[] }) => ({ args, typeCheck: checkDefault, evaluate: orElse }));
  add("prepare(): bool", prepare);
  environment.evaluate("prepare()");
}

/**
 * Types are told from outside only, for the package keeps each type it meets, and data may have any number of them.
 * And they are told by the prototype: JSON may have a field of the name `constructor`.
 */
function prepare(this: Evaluator): boolean {
  const { debugType, mapType, listType } = this;
  this.debugType = (value) => {
    if (isPlainObject(value)) return mapType;
    return Array.isArray(value) ? listType : debugType.call(this, value);
  };
  this.debugTypeDeep = this.debugType;
  return true;
}

/** Between numbers of the two kinds, and the rest of two doubles: JSON has doubles only, `1` in CEL is whole. */
function registerNumbers(environment: Environment): void {
  const work: Readonly<Record<string, (left: number, right: number) => number>> = {
    "+": (left, right) => left + right,
    "-": (left, right) => left - right,
    "*": (left, right) => left * right,
    "/": (left, right) => left / right,
    "%": (left, right) => left % right,
  };
  for (const [operator, calculate] of Object.entries(work)) {
    for (const [left, right] of [
      ["int", "double"],
      ["double", "int"],
      ...(operator === "%" ? [["double", "double"]] : []),
    ]) {
      environment.registerOperator(`${left} ${operator} ${right}: double`, (one, other) =>
        calculate(Number(one), Number(other)),
      );
    }
  }
}

/** In time that grows with the text and not beyond, whatever the pattern. */
function matches(text: string, pattern: string): boolean {
  const compiled = patternOf(pattern, "RE2");
  spend((text.length * Math.max(8, compiled.programSize())) >> 2);
  return compiled.matcher(text).find();
}

const missing = new Set<unknown>(["no_such_key", "index_out_of_bounds", "unknown_variable", "cannot_index_type"]);
const isMissing = (error: unknown): boolean => error instanceof Error && "code" in error && missing.has(error.code);

function checkDefault(checker: Checker, { args = [] }: Macro, scope: unknown): unknown {
  for (const inner of args) checker.check(inner, scope);
  return checker.dynType;
}

/** The first, unless it or what it stands in is not there; then the second. */
function orElse(evaluator: Evaluator, { args = [] }: Macro, scope: unknown): unknown {
  const [wanted, otherwise] = args as [Node, Node];
  try {
    return evaluator.run(wanted, scope);
  } catch (error) {
    if (isMissing(error)) return evaluator.run(otherwise, scope);
    throw error;
  }
}

/** In place of CEL's own `has`: whatever lies on the way may be missing too, and be named in brackets. */
export const has = (wanted: Node) => ({
  args: [wanted],
  async: false,
  typeCheck(checker: Checker, _macro: Macro, scope: unknown): unknown {
    if (!accesses.has(wanted.op)) throw new Error("has() asks for a field, such as has(input.name)");
    checker.check(wanted, scope);
    return checker.getType("bool");
  },
  evaluate(evaluator: Evaluator, _macro: Macro, scope: unknown): boolean {
    try {
      evaluator.run(wanted, scope);
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  },
});

const accesses = new Set([".", "[]", "id"]);
