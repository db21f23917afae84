// What people define, checked as a whole and made ready to run.

import { createHash } from "node:crypto";
import { checkWorkflow } from "../language/check.ts";
import { durationOf, quotable } from "../language/duration.ts";
import type { BudgetSpec, Defect, Duration, RetrySpec, TaskSpec, WaitSpec, WorkflowSpec } from "../language/spec.ts";
import { type Graph, linear, type Step } from "../machines/plan.ts";
import { oneAttempt } from "../machines/retry.ts";
import { TroupeError } from "../protocol/errors.ts";
import type { RetryPolicy, TaskType, Wait } from "../protocol/fields.ts";
import type { FieldError } from "../protocol/refusal.ts";

/** A task, ready to run. */
export type Task = {
  id: string;
  type: TaskType;
  spec: TaskSpec;
  timeoutMs: number | null;
  totalTimeoutMs: number | null;
  startTimeoutMs: number;
  heartbeatMs: number | null;
  retry: RetryPolicy;
  /** The time of one that waits until then is worked out when the task begins. */
  wait?: Wait;
  /** Of a container; how many lanes an `each` has is known when it begins. */
  graph?: Graph;
  /** What undoes it. */
  undo?: Step[];
};

/** A workflow, ready to run. The hash stands for all of it that is data. */
export type Workflow = {
  id: string;
  hash: string;
  spec: WorkflowSpec;
  tasks: ReadonlyMap<string, Task>;
  graph: Graph;
  timeoutMs: number;
  /** Whether any task of it can be undone, and how long all of that may take. */
  undoes: boolean;
  undoTimeoutMs: number;
  budget?: { tokens?: number; cost?: number; timeMs?: number; onLimit: "fail" | "pause" };
};

/** What a definition may be too big for. */
export type Sizes = {
  readonly [name in "tasksMax" | "stepsMax" | "depthMax" | "fanOutMax" | "widthMax" | "payloadBytes"]: number;
};

export const defaultTimeoutMs = 30_000;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const startTimeoutMs = 60_000;

/** One after the other: each task leads to the next, unless it says where it leads itself. */
export const sequence = <Input = unknown>(...tasks: TaskSpec<Input>[]): TaskSpec<Input>[] =>
  tasks.map((task, index) => {
    const next = tasks[index + 1]?.id;
    return next === undefined || task.next !== undefined || task.type === "route" ? task : { ...task, next };
  });

/** Every defect at once, as one error. */
export function prepare(spec: WorkflowSpec, sizes: Sizes): Workflow {
  const defects = checkWorkflow(spec, { sizes }).filter(({ severity }) => severity === "error");
  if (defects.length > 0) throw invalid(spec, defects);
  const tasks = new Map<string, Task>();
  const block = prepareBlock({ tasks, sizes }, spec.tasks);
  return {
    id: spec.id,
    hash: hashOf(spec),
    spec,
    tasks,
    graph: linear(block, sizes.stepsMax),
    timeoutMs: msOf(spec.timeout, dayMs),
    undoes: [...tasks.values()].some(({ undo }) => undo !== undefined),
    undoTimeoutMs: msOf(spec.undo_timeout, hourMs),
    ...(spec.budget && { budget: budgetOf(spec.budget) }),
  };
}

function invalid(spec: unknown, defects: readonly Defect[]): TroupeError {
  const errors = defects.map(({ path, code, message, hint }) => {
    return { field: path.join(".") || "workflow", code, message, ...(hint !== undefined && { hint }) };
  });
  return defective(`workflow '${quotable(Object(spec).id)}'`, errors);
}

/** What cannot be defined, and all that is wrong with it. */
export function defective(what: string, errors: readonly (FieldError & { hint?: string })[]): TroupeError {
  const listed = errors.map(({ field, message, hint }) => `${field}: ${message}${hint ? ` (${hint})` : ""}`).join("; ");
  return new TroupeError("DEFINITION_INVALID", `${what} has defects: ${listed}`, { errors });
}

/** What was checked has durations that are some. */
const refuse = (_field: string, message: string): never => {
  throw new Error(message);
};
const msOf = <O extends number | null>(given: Duration | undefined, otherwise: O): number | O =>
  given === undefined ? otherwise : durationOf(given, "", refuse);

const budgetOf = ({ tokens, cost, time, on_limit = "fail" }: BudgetSpec): NonNullable<Workflow["budget"]> => ({
  ...(tokens !== undefined && { tokens }),
  ...(cost !== undefined && { cost }),
  ...(time !== undefined && { timeMs: msOf(time, 0) }),
  onLimit: on_limit,
});

type Preparation = { tasks: Map<string, Task>; sizes: Sizes };

const prepareBlock = (preparation: Preparation, specs: readonly TaskSpec[]): Step[] =>
  specs.map((spec) => prepareTask(preparation, spec));

const onError = ({ on_error }: TaskSpec): { codes?: string[]; next: string }[] =>
  typeof on_error === "string" ? [{ next: on_error }] : (on_error ?? []);

function prepareTask(preparation: Preparation, spec: TaskSpec): Step {
  const { id, type, next, pause_before } = spec;
  const graph = graphOf(preparation, spec);
  const undo = spec.undo && prepareBlock(preparation, spec.undo);
  const isWorker = type === "agent" || type === "tool" || type === "signal";
  preparation.tasks.set(id, {
    id,
    type,
    spec,
    timeoutMs: msOf(spec.timeout, isWorker ? defaultTimeoutMs : null),
    totalTimeoutMs: msOf(spec.total_timeout, null),
    startTimeoutMs: msOf(spec.start_timeout, startTimeoutMs),
    heartbeatMs: msOf(spec.heartbeat, null),
    retry: retryOf(spec.retry),
    ...(spec.type === "wait" && waitOf(spec.wait)),
    ...(graph && { graph }),
    ...(undo && { undo }),
  });
  return {
    id,
    ...(next !== undefined && { next }),
    ...(spec.on_error !== undefined && { on_error: onError(spec) }),
    ...(pause_before !== undefined && { pause_before }),
  };
}

/** Of a container: its lanes, and how many may be under way at once. */
function graphOf(preparation: Preparation, spec: TaskSpec): Graph | undefined {
  if (spec.type !== "parallel" && spec.type !== "each") return undefined;
  const { stepsMax, payloadBytes: bytesMax, widthMax } = preparation.sizes;
  const all = { strategy: spec.strategy ?? "all", stepsMax, bytesMax } as const;
  if (spec.type === "each") {
    const width = Math.min(spec.max_concurrency ?? 1, widthMax);
    return { ...all, width, blocks: [prepareBlock(preparation, spec.do)], lanes: [], items: 0 };
  }
  const blocks = Object.values(spec.branches).map((block) => prepareBlock(preparation, block));
  const lanes = Object.keys(spec.branches).map((name, block) => ({ block, name }));
  return { ...all, width: spec.max_concurrency ?? blocks.length, blocks, lanes };
}

function waitOf(wait: WaitSpec): { wait?: Wait } {
  if ("until" in wait) return {};
  if ("duration" in wait) return { wait: { duration_ms: msOf(wait.duration, 0) } };
  if ("approval" in wait) return { wait: { approval: wait.approval } };
  const { signal, match } = wait;
  return { wait: { signal, ...(typeof match === "string" && { match }) } };
}

function retryOf(spec: RetrySpec | undefined): RetryPolicy {
  if (spec === undefined) return oneAttempt;
  const { max_attempts = 1, backoff = {}, retry_on, never_on } = spec;
  const { initial, factor = 2, max, jitter = 0 } = backoff;
  return {
    max_attempts,
    backoff: { initial_ms: msOf(initial, 1_000), factor, max_ms: msOf(max, 60_000), jitter },
    ...(retry_on && { retry_on }),
    ...(never_on && { never_on }),
  };
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
