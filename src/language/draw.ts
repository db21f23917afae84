// What every drawing of a workflow shows: the ways that lead on from a task, and what a task does in a few words.

import { innerBlocks } from "./blocks.ts";
import type { Duration, TaskSpec, TriggerSpec, WorkflowSpec } from "./spec.ts";

/** Where an outcome of a task leads. Nowhere is the end of its block: a good one after success. */
export type Way = {
  after: "success" | "error";
  to?: string;
  /** What has to be so for it: the `when` of a route, or the codes of an error. Ways are tried in order. */
  condition?: string;
  codes?: readonly string[];
};

export function waysOf(task: TaskSpec): Way[] {
  const errors = typeof task.on_error === "string" ? [{ next: task.on_error }] : (task.on_error ?? []);
  const failing = errors.map(({ codes, next }: { codes?: string[]; next: string }): Way => {
    return { after: "error", to: next, ...(codes && { codes, condition: codes.join(", ") }) };
  });
  if (task.type !== "route")
    return [{ after: "success", ...(task.next !== undefined && { to: task.next }) }, ...failing];
  const cases = task.cases.map(({ when, next }): Way => ({ after: "success", to: next, condition: textOf(when) }));
  const otherwise: Way[] = task.default === undefined ? [] : [{ after: "success", to: task.default }];
  return [...cases, ...otherwise, ...failing];
}

/** Every task with a block that undoes it, in the order of the text; what is inside a task comes before the task. */
export const undoable = (block: readonly TaskSpec[]): (TaskSpec & { undo: TaskSpec[] })[] =>
  block.flatMap((task) => {
    const inner = innerBlocks(task).flatMap(({ block: deeper }) => undoable(deeper));
    return task.undo === undefined ? inner : [...inner, { ...task, undo: task.undo }];
  });

// ── in words ──

/** What it does, for whom, and within which bounds: the first says the most. */
export function wordsOf(task: TaskSpec): string[] {
  return [doing(task), ...boundsOf(task)];
}

function doing(task: TaskSpec): string {
  switch (task.type) {
    case "agent":
      return `agent ${task.agent}${task.action === undefined ? "" : `, ${task.action}`}`;
    case "tool":
      return `tool ${task.tool}`;
    case "workflow":
      return `${task.detached ? "detached " : ""}workflow ${task.workflow}`;
    case "signal":
      return `sends signal ${task.signal}${task.to === undefined ? "" : ` to ${textOf(task.to)}`}`;
    case "wait":
      return waiting(task.wait);
    case "route":
      return "route";
    case "parallel":
      return withStrategy("parallel", task);
    case "each":
      return withStrategy(`each of ${textOf(task.items)}`, task);
  }
}

type Container = Extract<TaskSpec, { type: "parallel" | "each" }>;

function withStrategy(what: string, task: Container): string {
  const width = task.max_concurrency ?? (task.type === "each" ? 1 : undefined);
  const atOnce = width === undefined ? "" : width === 1 ? ", one at a time" : `, ${width} at a time`;
  return `${what}${atOnce}${task.strategy === undefined || task.strategy === "all" ? "" : `, ${task.strategy}`}`;
}

function waiting(wait: Extract<TaskSpec, { type: "wait" }>["wait"]): string {
  if ("signal" in wait) {
    return `waits for signal ${wait.signal}${wait.match === undefined ? "" : ` where ${textOf(wait.match)}`}`;
  }
  if ("approval" in wait) return `waits for approval: ${textOf(wait.approval)}`;
  return "until" in wait ? `waits until ${textOf(wait.until)}` : `waits ${durationText(wait.duration)}`;
}

function boundsOf({ timeout, total_timeout, heartbeat, retry, pause_before }: TaskSpec): string[] {
  const attempts = retry?.max_attempts ?? 1;
  return [
    ...(timeout === undefined ? [] : [`at most ${durationText(timeout)}`]),
    ...(attempts === 1 ? [] : [`${attempts} attempts`]),
    ...(total_timeout === undefined ? [] : [`all within ${durationText(total_timeout)}`]),
    ...(heartbeat === undefined ? [] : [`heartbeat ${durationText(heartbeat)}`]),
    ...(pause_before === undefined ? [] : [`pauses before: ${textOf(pause_before)}`]),
  ];
}

export const titleOf = ({ id, name }: WorkflowSpec): string => name ?? id;

export function triggerText(trigger: TriggerSpec): string {
  const off = trigger.enabled === false ? " (off)" : "";
  if (trigger.type === "webhook") return `webhook ${trigger.path}${off}`;
  return `${trigger.cron}${trigger.timezone === undefined ? "" : ` ${trigger.timezone}`}${off}`;
}

const durationText = (given: Duration): string => (typeof given === "number" ? `${given}ms` : given);

const whole = /^\$\{\{([^]*)\}\}$/;

/** An expression without its braces; a function by its name, for its body is for the machine. */
export function textOf(value: unknown): string {
  if (typeof value === "function") return value.name === "" ? "a function" : `${value.name}()`;
  if (typeof value !== "string") return JSON.stringify(value) ?? String(value);
  const inner = whole.exec(value)?.[1];
  return inner === undefined || inner.includes("}}") ? value : inner.trim();
}
