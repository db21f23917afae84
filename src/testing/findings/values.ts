// Which cases of a route data can choose: told by trying all data that its conditions can tell apart.
//
// A condition that only compares fields with written values, and joins such comparisons, tells numbers apart at those
// values and texts by being one of them or not. So it is enough to try each written value, one on either side of it,
// one that is not written, and nothing at all: each as far as the schema of the field allows it.
//
// Invariants:
//   V1. What may choose a case is among what is tried, or it is not told at all.

import { isObject } from "../../protocol/json.ts";
import { dataOf, schemaOf } from "../../language/json-schema.ts";
import { valueOf } from "../../language/expression.ts";
import type { JsonSchema, Scope, TaskSpec, WorkflowSpec } from "../../language/spec.ts";
import { walkTasks } from "./tasks.ts";
import type { Subject } from "./flaw.ts";

type Route = Extract<TaskSpec, { type: "route" }>;

/** Which places of a route's cases are chosen by something, `default` among them; nothing if it cannot be told. */
export function chosenCases(route: Route, subject: Subject): ReadonlySet<number | "default"> | undefined {
  const sources = route.cases.map(({ when }) => conditionIn(when));
  if (!sources.every((source) => source !== undefined)) return undefined;
  const reads = readsOf(sources);
  if (reads === undefined) return undefined;
  const written = literalsIn(sources);
  const lists = reads.map((path) => candidatesFor(path, written, subject));
  if (!lists.every((list) => list !== undefined)) return undefined;
  if (lists.reduce((product, list) => product * list.length, 1) > triesMax) return undefined;
  const chosen = new Set<number | "default">();
  for (const values of combinations(lists)) {
    const scope = scopeWith(reads, values);
    const place = firstTrue(sources, scope);
    if (place !== undefined) chosen.add(place);
  }
  return chosen;
}

const triesMax = 20_000;
const nothing = Symbol("nothing");

/** The position of the case that is taken; nothing if an expression fails on the data. */
function firstTrue(sources: readonly string[], scope: Scope): number | "default" | undefined {
  for (const [index, source] of sources.entries()) {
    const given = outcomeOf(source, scope);
    if (given === true) return index;
    if (given !== false) return undefined;
  }
  return "default";
}

function outcomeOf(source: string, scope: Scope): unknown {
  try {
    return valueOf(source, scope);
  } catch {
    // The route fails on it, and takes none of its ways.
    return undefined;
  }
}

// ── what conditions read ──

const whole = /^\s*\$\{\{([^]*)\}\}\s*$/;

function conditionIn(when: unknown): string | undefined {
  if (typeof when === "boolean") return String(when);
  const source = typeof when === "string" ? whole.exec(when)?.[1] : undefined;
  return source === undefined || source.includes("${{") ? undefined : source;
}

const texts = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g;
const numbers = /(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])/g;
const paths = /(?<![\w.])(?:input|tasks|item|index|error|workflow)\b(?:\.[A-Za-z_]\w*)*/g;
const known = /(?<![\w.])(?:true|false|null|in|has|default)(?!\w)/g;
/** What is left of a condition that only compares: operators, parentheses, lists. */
const comparing = /^(?:[\s()[\],!]|==|!=|<=|>=|<|>|&&|\|\||\?|:)*$/;
const ordersTexts = /(?:["']\s*[<>])|(?:[<>]=?\s*["'])/;

function readsOf(sources: readonly string[]): string[] | undefined {
  const found = new Set<string>();
  for (const source of sources) {
    if (ordersTexts.test(source)) return undefined;
    const bare = source.replace(texts, " ");
    for (const [path] of bare.matchAll(paths)) found.add(path);
    if (!comparing.test(bare.replace(paths, " ").replace(known, " ").replace(numbers, " "))) return undefined;
  }
  const reads = [...found];
  // One inside the other would be two values at one place.
  return reads.some((path) => reads.some((other) => other.startsWith(`${path}.`))) ? undefined : reads;
}

/** What is written in the conditions, and of every other kind of value two that are not. */
function literalsIn(sources: readonly string[]): unknown[] {
  const found: unknown[] = [true, false, null, "another text", "and another"];
  const points = [0];
  for (const source of sources) {
    for (const [text] of source.matchAll(texts)) found.push(outcomeOf(text, {} as Scope));
    for (const [text] of source.replace(texts, " ").matchAll(numbers)) points.push(Number(text));
  }
  const sorted = points.toSorted((a, b) => a - b);
  const between = sorted.map((point, index) => (point + (sorted[index + 1] ?? point + 2)) / 2);
  return [...new Set([...found, ...points.flatMap((point) => [point - 1, point, point + 1]), ...between])];
}

// ── what may stand there ──

/** Nothing, if its schema allows what is not thought of here. */
function candidatesFor(path: string, written: readonly unknown[], subject: Subject): unknown[] | undefined {
  const { schema, isCertain } = schemaAt(path.split("."), subject);
  if (!isPlain(schema)) return undefined;
  const values = [...valuesIn(schema), ...written];
  const checker = schemaOf(schema as JsonSchema | undefined);
  const fitting = values.filter((value) => checker.check(value).errors === undefined);
  return [...new Set(fitting), ...(isCertain ? [] : [nothing])];
}

const plainKeys: ReadonlySet<string> = new Set(
  "type enum const minimum maximum title description default examples".split(" "),
);
function isPlain(schema: unknown): boolean {
  if (schema === undefined || typeof schema === "boolean") return true;
  if (!isObject(schema)) return false;
  return "enum" in schema || "const" in schema || Object.keys(schema).every((key) => plainKeys.has(key));
}

function valuesIn(schema: unknown): unknown[] {
  if (!isObject(schema)) return [];
  const { enum: some, const: only, minimum, maximum } = schema;
  const bounds = [minimum, maximum].filter((bound) => typeof bound === "number");
  const inside = bounds.length === 2 ? [bounds.reduce((sum, bound) => sum + bound, 0) / 2] : [];
  const named = [...(Array.isArray(some) ? (some as unknown[]) : []), ...(only === undefined ? [] : [only])];
  return [...named, ...bounds, ...inside];
}

type At = { schema: unknown; isCertain: boolean };
const open: At = { schema: undefined, isCertain: false };
const statuses = { enum: ["SUCCESS", "FAILED", "TIMED_OUT", "CANCELED"] };

/** What is promised of a field, and whether it is certain to be there. */
function schemaAt([root, ...steps]: string[], { spec, workflows, agents, tools }: Subject): At {
  if (root === "input") return within(dataOf(spec.input), steps, true);
  const [id, field, ...rest] = steps;
  if (root !== "tasks" || id === undefined) return open;
  if (field === "status" && rest.length === 0) return { schema: statuses, isCertain: false };
  if (field !== "output") return open;
  const task = taskIn(spec, id);
  const callees = task?.type === "agent" ? agents : task?.type === "tool" ? tools : undefined;
  const callee = task?.type === "agent" ? task.agent : task?.type === "tool" ? task.tool : "";
  const approval = { type: "object", properties: { approved: { type: "boolean" } }, required: ["approved"] };
  const output =
    task?.type === "wait" && "approval" in task.wait
      ? approval
      : task?.type === "workflow"
        ? workflows.get(task.workflow)?.output
        : callees?.get(callee)?.output;
  // The task may have failed, or not have run.
  return { ...within(dataOf(output), rest, true), isCertain: false };
}

function within(schema: unknown, steps: readonly string[], isCertain: boolean): At {
  const [step, ...rest] = steps;
  if (step === undefined) return { schema, isCertain };
  if (!isObject(schema) || !isObject(schema["properties"])) return open;
  const inner = schema["properties"][step];
  if (inner === undefined) return schema["additionalProperties"] === false ? { schema: false, isCertain: false } : open;
  const isThere =
    (Array.isArray(schema["required"]) && schema["required"].includes(step)) ||
    (isObject(inner) && inner["default"] !== undefined);
  return within(inner, rest, isCertain && isThere);
}

function taskIn(spec: WorkflowSpec, id: string): TaskSpec | undefined {
  for (const { task } of walkTasks(spec)) if (task.id === id) return task;
  return undefined;
}

// ── trying ──

function* combinations(lists: readonly (readonly unknown[])[]): Generator<unknown[]> {
  const [first, ...others] = lists;
  if (first === undefined) return yield [];
  for (const value of first) for (const rest of combinations(others)) yield [value, ...rest];
}

function scopeWith(reads: readonly string[], values: readonly unknown[]): Scope {
  const scope: Record<string, unknown> = { input: {}, tasks: {}, workflow: {} };
  for (const [index, path] of reads.entries()) {
    const value = values[index];
    const steps = path.split(".");
    const last = steps.pop() ?? "";
    let holder = scope;
    for (const step of steps) {
      holder[step] ??= {};
      holder = holder[step] as Record<string, unknown>;
    }
    if (value !== nothing) holder[last] = value;
  }
  return scope as Scope;
}
