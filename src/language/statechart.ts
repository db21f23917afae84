// A workflow as the definition of an XState machine, as JSON: for tools that show statecharts, and nothing runs it.
//
//   task                        state of its block, with `meta` and a description
//   parallel, each              state with its branches as regions, or with its block inside
//   way after success           transition on `<task>.SUCCESS`; the `when` of a route is its guard
//   way after an error          transition on `<task>.FAILED` and `<task>.TIMED_OUT`; the codes are its guard
//   end of a block              final state `$SUCCESS`
//   an error that nobody takes  no transition of the task: what is around it fails, in the end the workflow
//
// Names that begin with `$` are of the drawing; no id begins so. A dot would be taken for a path, and ids have none.
//
// Invariants:
//   L1. XState makes a machine of it, for any definition, and it is JSON.
//   L2. Every task is one state, in the block it is written in; the initial state of a block is its entry.
//   L3. Every `next`, case and `on_error` is a transition to its task, in the order in which they are tried.

import { innerBlocks } from "./blocks.ts";
import { textOf, titleOf, triggerText, undoable, type Way, waysOf, wordsOf } from "./draw.ts";
import type { Json, TaskSpec, WorkflowSpec } from "./spec.ts";

export type Transition = { target: string; guard?: { type: string; params: Record<string, Json> } };

export type StateDefinition = {
  type?: "parallel" | "final";
  description?: string;
  meta?: Record<string, Json>;
  initial?: string;
  states?: Record<string, StateDefinition>;
  on?: Record<string, Transition[]>;
  onDone?: string;
};

export type StatechartDefinition = StateDefinition & { id: string };

const succeeded = "$SUCCESS";
const undoing = "$UNDO";
/** How a workflow ends when it does not succeed, by the event that says so. */
const badEnds = { FAILED: "WorkflowExecutionFailed", TIMED_OUT: "WorkflowExecutionTimedOut" } as const;
const canceled = { CANCELED: "WorkflowExecutionCanceled" } as const;
const ends = Object.entries({ ...badEnds, ...canceled });

export function statechartOf(spec: WorkflowSpec): StatechartDefinition {
  const { initial, states } = blockOf(spec.tasks);
  const undo = undoOf(spec);
  const finals = ends.map(([status]) => [`$${status}`, { type: "final" }] as const);
  return {
    id: spec.id,
    description: spec.description ?? titleOf(spec),
    meta: defined({ workflow: spec.id, timeout: spec.timeout, triggers: spec.triggers?.map(triggerText) }),
    initial,
    states: Object.fromEntries([...Object.entries(states), ...(undo ? [[undoing, undo]] : []), ...finals]),
    on: {
      ...(undo && { WorkflowUndo: [{ target: `.${undoing}` }] }),
      ...Object.fromEntries(ends.map(([status, event]) => [event, [{ target: `.$${status}` }]])),
    },
  };
}

type Block = { initial: string; states: Record<string, StateDefinition> };

function blockOf(tasks: readonly TaskSpec[]): Block {
  const states = tasks.map((task) => [keyOf(task.id), stateOf(task)] as const);
  const initial = tasks[0] === undefined ? succeeded : keyOf(tasks[0].id);
  return { initial, states: Object.fromEntries([...states, [succeeded, { type: "final" }]]) };
}

/** XState keeps states in an object, where this key is not like the others. */
export const keyOf = (id: string): string => (id === "__proto__" ? "$__proto__" : id);

function stateOf(task: TaskSpec): StateDefinition {
  const on = Object.entries(transitionsOf(task)).filter(([, transitions]) => transitions.length > 0);
  return {
    description: wordsOf(task).join(", "),
    meta: metaOf(task),
    ...insideOf(task),
    ...(on.length > 0 && { on: Object.fromEntries(on) }),
  };
}

function insideOf(task: TaskSpec): StateDefinition {
  const [first, ...others] = innerBlocks(task);
  if (first === undefined) return {};
  if (first.name === undefined) return blockOf(first.block);
  const regions = [first, ...others].map(({ name = "", block }) => [regionOf(name), blockOf(block)] as const);
  return { type: "parallel", states: Object.fromEntries(regions) };
}

const regionOf = (name: string): string => keyOf(name).replaceAll(".", "_");

function transitionsOf(task: TaskSpec): Record<string, Transition[]> {
  const ways = waysOf(task);
  const failing = ways.filter(({ after }) => after === "error").map(transitionOf);
  return {
    [`${task.id}.SUCCESS`]: ways.filter(({ after }) => after === "success").map(transitionOf),
    [`${task.id}.FAILED`]: failing,
    [`${task.id}.TIMED_OUT`]: failing,
  };
}

function transitionOf({ to, condition, codes }: Way): Transition {
  const target = to === undefined ? succeeded : keyOf(to);
  if (codes) return { target, guard: { type: `code is ${codes.join(" or ")}`, params: { codes } } };
  return condition === undefined ? { target } : { target, guard: { type: condition, params: { when: condition } } };
}

/** The blocks that undo, one after the other, the last of the text first; which of them run is known when they do. */
function undoOf(spec: WorkflowSpec): StateDefinition | undefined {
  const tasks = undoable(spec.tasks).toReversed();
  if (tasks.length === 0) return undefined;
  const names = tasks.map(({ id }) => `$undo ${id}`);
  const states = tasks.map((task, index) => {
    const onDone = names[index + 1] ?? succeeded;
    return [names[index] ?? "", { description: `undoes ${task.id}`, ...blockOf(task.undo), onDone }] as const;
  });
  return {
    description: "undoes what succeeded, the last to succeed first",
    initial: names[0] ?? succeeded,
    states: Object.fromEntries([...states, [succeeded, { type: "final" }]]),
  };
}

/** What a program that looks at the drawing may want to know of a task. */
function metaOf(task: TaskSpec): Record<string, Json> {
  const { timeout, total_timeout, heartbeat, start_timeout, pause_before, retry } = task;
  return defined({
    task: task.id,
    type: task.type,
    ...ownOf(task),
    timeout,
    total_timeout,
    start_timeout,
    heartbeat,
    max_attempts: retry?.max_attempts,
    pause_before,
    has_undo: task.undo && true,
  });
}

function ownOf(task: TaskSpec): Record<string, Json | undefined> {
  switch (task.type) {
    case "agent":
      return { callee: task.agent, action: task.action };
    case "tool":
      return { callee: task.tool };
    case "workflow":
      return { callee: task.workflow, detached: task.detached };
    case "signal":
      return { signal: task.signal, to: task.to === undefined ? undefined : textOf(task.to) };
    case "wait":
      return { wait: Object.keys(task.wait)[0] };
    case "each":
      return { items: textOf(task.items), strategy: task.strategy, max_concurrency: task.max_concurrency };
    case "parallel":
      return { strategy: task.strategy, max_concurrency: task.max_concurrency };
    case "route":
      return {};
  }
}

const defined = (fields: Record<string, Json | undefined>): Record<string, Json> =>
  Object.fromEntries(Object.entries(fields).filter((field): field is [string, Json] => field[1] !== undefined));
