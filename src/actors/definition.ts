// What people define: workflows of tasks, as objects; checked as a whole, and made ready to run.

import { createHash } from "node:crypto";
import type { Graph, Step, Strategy } from "../machines/plan.ts";
import { linear } from "../machines/plan.ts";
import { oneAttempt } from "../machines/retry.ts";
import { calleeCodePattern, TroupeError } from "../protocol/errors.ts";
import type { RetryPolicy, TaskType, Wait } from "../protocol/fields.ts";
import { isDefinitionId } from "../protocol/ids.ts";
import { nearest } from "../protocol/nearest.ts";
import { durationOf, quotable } from "./duration.ts";
import { checkTemplate, type Value } from "./template.ts";

/** Milliseconds, or a text such as `250ms`, `30s`, `10m`, `2h`, `1d`. */
export type Duration = number | string;

export type RetrySpec = {
  max_attempts?: number;
  backoff?: { initial?: Duration; factor?: number; max?: Duration; jitter?: number };
  retry_on?: string[];
  never_on?: string[];
};

type AnyTask = {
  id: string;
  with?: Value;
  next?: string;
  on_error?: string | { codes?: string[]; next: string }[];
  timeout?: Duration;
  retry?: RetrySpec;
  start_timeout?: Duration;
  heartbeat?: Duration;
  pause_before?: string;
};
export type WaitSpec = { signal: string } | { approval: string } | { duration: Duration };

export type TaskSpec = AnyTask &
  (
    | { type: "agent"; agent: string; action?: string }
    | { type: "tool"; tool: string }
    | { type: "wait"; wait: WaitSpec }
    | { type: "signal"; signal: string; to?: Value }
    | { type: "workflow"; workflow: string }
    | { type: "parallel"; branches: Record<string, TaskSpec[]>; strategy?: Strategy; max_concurrency?: number }
    | { type: "route"; cases: { when: Value; next: string }[]; default?: string }
  );

export type WorkflowSpec = { id: string; description?: string; tasks: TaskSpec[]; result?: Value; timeout?: Duration };

/** A task, ready to run. */
export type Task = {
  id: string;
  type: TaskType;
  spec: TaskSpec;
  timeoutMs: number | null;
  startTimeoutMs: number;
  heartbeatMs: number | null;
  retry: RetryPolicy;
  wait?: Wait;
  graph?: Graph;
};

/** A workflow, ready to run. The hash stands for all of it that is data. */
export type Workflow = {
  id: string;
  hash: string;
  spec: WorkflowSpec;
  tasks: ReadonlyMap<string, Task>;
  graph: Graph;
  timeoutMs: number;
};

/** What a definition may be too big for. */
export type Sizes = { tasksMax: number; stepsMax: number; depthMax: number; fanOutMax: number };

export const defaultTimeoutMs = 30_000;
const dayMs = 86_400_000;
const startTimeoutMs = 60_000;

/** Types it; `troupe()` checks it. */
export const defineWorkflow = (spec: WorkflowSpec): WorkflowSpec => spec;

/** One after the other: each task leads to the next, unless it says where it leads itself. */
export const sequence = (...tasks: TaskSpec[]): TaskSpec[] =>
  tasks.map((task, index) => {
    const next = tasks[index + 1]?.id;
    return next === undefined || task.next !== undefined || task.type === "route" ? task : { ...task, next };
  });

type Defect = { field: string; message: string };

/** Every defect at once, as one error. */
export function prepare(spec: WorkflowSpec, sizes: Sizes): Workflow {
  const defects: Defect[] = [];
  const tasks = new Map<string, Task>();
  const note = (field: string, message: string): void => void defects.push({ field, message });
  if (!isObject(spec)) throw invalid("a workflow", [{ field: "workflow", message: "is no object" }]);
  unknownKeys(spec, ["id", "description", "tasks", "result", "timeout"], "", note);
  if (typeof spec.id !== "string" || !isDefinitionId(spec.id)) note("id", `'${quotable(spec.id)}' is no definition id`);
  if (spec.description !== undefined && typeof spec.description !== "string") note("description", "must be a text");
  const preparation: Preparation = { tasks, sizes, note };
  const block = Array.isArray(spec.tasks) ? prepareBlock(preparation, spec.tasks, "tasks", 1) : undefined;
  if (block === undefined) note("tasks", "must be a list of tasks");
  if (tasks.size > sizes.tasksMax) note("tasks", `has ${tasks.size} tasks, at most ${sizes.tasksMax} are allowed`);
  if (spec.result !== undefined) checkTemplate(spec.result, "result", note);
  const timeoutMs = spec.timeout === undefined ? dayMs : durationOf(spec.timeout, "timeout", note);
  if (defects.length > 0 || !block) throw invalid(`workflow '${quotable(spec.id)}'`, defects);
  return { id: spec.id, hash: hashOf(spec), spec, tasks, graph: linear(block, sizes.stepsMax), timeoutMs };
}

function invalid(what: string, errors: Defect[]): TroupeError {
  const listed = errors.map(({ field, message }) => `${field}: ${message}`).join("; ");
  return new TroupeError("DEFINITION_INVALID", `${what} has defects: ${listed}`, { errors });
}

type Note = (field: string, message: string) => void;
type Preparation = { tasks: Map<string, Task>; sizes: Sizes; note: Note };

const ownKeys: Record<TaskSpec["type"], readonly string[]> = {
  agent: ["agent", "action"],
  tool: ["tool"],
  wait: ["wait"],
  signal: ["signal", "to"],
  workflow: ["workflow"],
  parallel: ["branches", "strategy", "max_concurrency"],
  route: ["cases", "default"],
};
const commonKeys = ["id", "type", "with", "next", "on_error", "timeout", "retry", "start_timeout", "heartbeat"];

function unknownKeys(given: object, known: readonly string[], at: string, note: Note): void {
  for (const key of Object.keys(given)) {
    if (known.includes(key)) continue;
    const meant = nearest(key, known);
    note(at ? `${at}.${key}` : key, `is unknown${meant === undefined ? "" : `; did you mean '${meant}'?`}`);
  }
}

function prepareBlock(preparation: Preparation, specs: TaskSpec[], at: string, depth: number): Step[] {
  const { note, sizes } = preparation;
  if (specs.length === 0) note(at, "needs at least one task");
  if (depth > sizes.depthMax) {
    note(at, `is nested ${depth} deep, at most ${sizes.depthMax} are allowed`);
    return [];
  }
  const ids = specs.map((spec) => quotable((spec as { id?: unknown } | null)?.id));
  const steps = specs.map((spec, index) => prepareTask(preparation, spec, `${at}.${index}`, ids, depth));
  checkReach(specs, ids, at, note);
  return steps;
}

/** Every task of a block can be reached from the first. */
function checkReach(specs: readonly TaskSpec[], ids: readonly string[], at: string, note: Note): void {
  const ways = new Map(specs.map((spec, index) => [ids[index], waysOf(spec)]));
  const reached = new Set<string>();
  const open = ids.slice(0, 1);
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (reached.has(id)) continue;
    reached.add(id);
    open.push(...(ways.get(id) ?? []).map(({ way }) => quotable(way)));
  }
  for (const [index, id] of ids.entries()) {
    if (!reached.has(id)) note(`${at}.${index}`, `task '${id}' cannot be reached from '${ids[0]}'`);
  }
}

const onError = ({ on_error }: AnyTask): { codes?: string[]; next: string }[] => {
  if (typeof on_error === "string") return [{ next: on_error }];
  return Array.isArray(on_error) ? on_error.filter(isObject) : [];
};

/** Where a task may lead, with the field that says so; whatever is malformed leads nowhere. */
function waysOf(spec: TaskSpec): { field: string; way: unknown }[] {
  if (!isObject(spec)) return [];
  const ways: { field: string; way: unknown }[] = [{ field: "next", way: spec.next }];
  for (const [index, { next }] of onError(spec).entries()) {
    ways.push({ field: typeof spec.on_error === "string" ? "on_error" : `on_error.${index}.next`, way: next });
  }
  if (spec.type === "route") {
    const cases = Array.isArray(spec.cases) ? spec.cases : [];
    for (const [index, one] of cases.entries()) ways.push({ field: `cases.${index}.next`, way: Object(one).next });
    ways.push({ field: "default", way: spec.default });
  }
  return ways.filter(({ way }) => way !== undefined);
}

function checkWays(spec: TaskSpec, at: string, ids: readonly string[], note: Note): void {
  for (const { field, way } of waysOf(spec)) {
    if (typeof way === "string" && ids.includes(way)) continue;
    const meant = nearest(quotable(way), ids);
    const hint = meant === undefined ? "" : `; did you mean '${meant}'?`;
    note(`${at}.${field}`, `leads to '${quotable(way)}', which is no task of this block${hint}`);
  }
  const { on_error } = spec;
  if (on_error === undefined || typeof on_error === "string") return;
  if (!Array.isArray(on_error) || !on_error.every(isObject)) {
    return note(`${at}.on_error`, "must be the id of a task, or a list of { codes, next }");
  }
  for (const [index, way] of on_error.entries()) {
    unknownKeys(way, ["codes", "next"], `${at}.on_error.${index}`, note);
    if (way.next === undefined) note(`${at}.on_error.${index}.next`, "is missing");
    checkCodes(way.codes, `${at}.on_error.${index}.codes`, note);
  }
}

function prepareTask(preparation: Preparation, spec: TaskSpec, at: string, ids: string[], depth: number): Step {
  const { tasks, note } = preparation;
  if (!isObject(spec)) {
    note(at, "is no task");
    return { id: "" };
  }
  const { id, type } = spec;
  if (typeof id !== "string" || !isDefinitionId(id)) note(`${at}.id`, `'${quotable(id)}' is no definition id`);
  else if (tasks.has(id)) note(`${at}.id`, `'${id}' is used twice`);
  const own = Object.hasOwn(ownKeys, type) ? ownKeys[type] : undefined;
  if (!own) note(`${at}.type`, noneOf(type, Object.keys(ownKeys)));
  else unknownKeys(spec, [...commonKeys, "pause_before", ...own], at, note);
  checkWays(spec, at, ids, note);
  if (spec.with !== undefined) checkTemplate(spec.with, `${at}.with`, note);
  checkOwn(spec, at, note);
  const duration = (given: Duration | undefined, field: string, otherwise: number | null): number | null =>
    given === undefined ? otherwise : durationOf(given, `${at}.${field}`, note);
  const graph = spec.type === "parallel" ? branchesOf(preparation, spec, at, depth) : undefined;
  const isWorker = type === "agent" || type === "tool" || type === "signal";
  tasks.set(id, {
    id,
    type,
    spec,
    timeoutMs: duration(spec.timeout, "timeout", isWorker ? defaultTimeoutMs : null),
    startTimeoutMs: duration(spec.start_timeout, "start_timeout", startTimeoutMs) ?? startTimeoutMs,
    heartbeatMs: duration(spec.heartbeat, "heartbeat", null),
    retry: retryOf(spec.retry, `${at}.retry`, note),
    ...(spec.type === "wait" && { wait: waitOf(spec.wait, at, note) }),
    ...(graph && { graph }),
  });
  const { next, pause_before } = spec;
  return {
    id,
    ...(next !== undefined && { next }),
    ...(spec.on_error !== undefined && { on_error: onError(spec) }),
    ...(pause_before !== undefined && { pause_before }),
  };
}

const strategies: readonly Strategy[] = ["all", "fail_fast", "best_effort", "race"];

function noneOf(given: unknown, known: readonly string[]): string {
  const meant = nearest(quotable(given), known);
  const hint = meant === undefined ? "" : `; did you mean '${meant}'?`;
  return `'${quotable(given)}' is none of ${known.join(", ")}${hint}`;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isName = (value: unknown): boolean => typeof value === "string" && value.length > 0 && value.length <= 256;

/** What only this type of task has. */
function checkOwn(spec: TaskSpec, at: string, note: Note): void {
  const needsId = (field: string, value: unknown): void => {
    if (typeof value !== "string" || !isDefinitionId(value)) note(`${at}.${field}`, "must be a definition id");
  };
  if (spec.type === "agent") needsId("agent", spec.agent);
  if (spec.type === "tool") needsId("tool", spec.tool);
  if (spec.type === "workflow") needsId("workflow", spec.workflow);
  if (spec.type === "signal" && !isName(spec.signal)) note(`${at}.signal`, "must be the name of a signal");
  if (spec.type === "signal" && spec.to !== undefined) checkTemplate(spec.to, `${at}.to`, note);
  if (spec.type === "agent" && spec.action !== undefined && !isName(spec.action))
    note(`${at}.action`, "must be a name");
  if (spec.pause_before !== undefined && !isName(spec.pause_before))
    note(`${at}.pause_before`, "must be a reason, as text");
  if (spec.retry !== undefined && (spec.type === "wait" || spec.type === "route")) {
    note(`${at}.retry`, `a ${spec.type} is not tried again`);
  }
  if (spec.type === "wait" && spec.timeout === undefined && !("duration" in Object(spec.wait))) {
    note(`${at}.timeout`, "is required where a signal or an approval is waited for");
  }
  if (spec.type !== "route") return;
  if (spec.next !== undefined) note(`${at}.next`, "a route has none: its cases lead on");
  if (!Array.isArray(spec.cases) || spec.cases.length === 0) note(`${at}.cases`, "must be a list of { when, next }");
  else spec.cases.forEach((one, index) => checkCase(one, `${at}.cases.${index}`, note));
}

function checkCase(one: { when: Value; next: string }, at: string, note: Note): void {
  if (!isObject(one)) return note(at, "must be { when, next }");
  unknownKeys(one, ["when", "next"], at, note);
  if (one.next === undefined) note(`${at}.next`, "is missing");
  if (one.when === undefined) note(`${at}.when`, "is missing");
  else checkTemplate(one.when, `${at}.when`, note);
}

function branchesOf(preparation: Preparation, spec: TaskSpec & { type: "parallel" }, at: string, depth: number): Graph {
  const entries = isObject(spec.branches) ? Object.entries(spec.branches) : [];
  const { note, sizes } = preparation;
  if (entries.length === 0) note(`${at}.branches`, "needs at least one branch");
  if (entries.length > sizes.fanOutMax) {
    note(`${at}.branches`, `are ${entries.length} branches, at most ${sizes.fanOutMax} are allowed`);
  }
  const { strategy = "all" } = spec;
  if (!strategies.includes(strategy)) note(`${at}.strategy`, noneOf(strategy, strategies));
  const blocks = entries.map(([name, block]) => {
    const place = `${at}.branches.${name}`;
    if (Array.isArray(block)) return prepareBlock(preparation, block, place, depth + 1);
    note(place, "must be a list of tasks");
    return [];
  });
  const width = spec.max_concurrency ?? blocks.length;
  if (!Number.isInteger(width) || width < 1) note(`${at}.max_concurrency`, "must be a whole number from 1");
  const lanes = entries.map(([name], block) => ({ block, name }));
  return { strategy, width, stepsMax: sizes.stepsMax, blocks, lanes };
}

function waitOf(wait: WaitSpec, at: string, note: Note): Wait {
  const given = Object(wait) as Record<string, unknown>;
  if (Object.keys(given).length === 1) {
    if (isName(given["signal"])) return { signal: given["signal"] as string };
    if (isName(given["approval"])) return { approval: given["approval"] as string };
    if ("duration" in given) {
      return { duration_ms: durationOf(given["duration"] as Duration, `${at}.wait.duration`, note) };
    }
  }
  note(`${at}.wait`, "must be one of { signal }, { approval } and { duration }");
  return { duration_ms: 0 };
}

function retryOf(spec: RetrySpec | undefined, at: string, note: Note): RetryPolicy {
  if (spec === undefined) return oneAttempt;
  if (!isObject(spec)) {
    note(at, "must be an object");
    return oneAttempt;
  }
  unknownKeys(spec, ["max_attempts", "backoff", "retry_on", "never_on"], at, note);
  const { max_attempts = 1, backoff = {}, retry_on, never_on } = spec;
  if (!Number.isInteger(max_attempts) || max_attempts < 1 || max_attempts > 100) {
    note(`${at}.max_attempts`, "must be a whole number from 1 to 100");
  }
  for (const [field, codes] of Object.entries({ retry_on, never_on })) checkCodes(codes, `${at}.${field}`, note);
  return {
    max_attempts,
    backoff: backoffOf(backoff, `${at}.backoff`, note),
    ...(retry_on && { retry_on }),
    ...(never_on && { never_on }),
  };
}

function backoffOf(spec: NonNullable<RetrySpec["backoff"]>, at: string, note: Note): RetryPolicy["backoff"] {
  if (!isObject(spec)) {
    note(at, "must be an object");
    return oneAttempt.backoff;
  }
  unknownKeys(spec, ["initial", "factor", "max", "jitter"], at, note);
  const { initial = 1_000, factor = 2, max = 60_000, jitter = 0 } = spec;
  const isFactor = typeof factor === "number" && factor >= 1 && Number.isFinite(factor);
  const isJitter = typeof jitter === "number" && jitter >= 0 && jitter <= 1;
  if (!isFactor) note(`${at}.factor`, "must be a number, 1 or more");
  if (!isJitter) note(`${at}.jitter`, "must be a number from 0 to 1");
  const initial_ms = durationOf(initial, `${at}.initial`, note);
  const max_ms = durationOf(max, `${at}.max`, note);
  if (max_ms < initial_ms) note(`${at}.max`, `is ${max_ms} ms, less than the ${initial_ms} ms that it begins with`);
  return { initial_ms, factor, max_ms, jitter };
}

function checkCodes(codes: unknown, at: string, note: Note): void {
  if (codes === undefined) return;
  const isList =
    Array.isArray(codes) && codes.every((code) => typeof code === "string" && calleeCodePattern.test(code));
  if (!isList) note(at, "must be a list of codes in capitals, such as CARD_DECLINED");
}

/** Functions stand in it as their text: another function is another definition. */
const hashOf = (spec: WorkflowSpec): string =>
  createHash("sha256")
    .update(
      JSON.stringify({ ...spec, description: undefined }, (_, value: unknown) =>
        typeof value === "function" ? `fn ${String(value)}` : value,
      ),
    )
    .digest("hex")
    .slice(0, 16);
