// What judges ask of a played run, worked out once for each: which tasks failed and how, and where a failure led.

import { isObject } from "../../protocol/json.ts";
import type { TaskSpec, WorkflowSpec } from "../../language/spec.ts";
import type { Called, Line, Played, Trial } from "../check/trial.ts";
import { walkTasks, type Walked } from "./tasks.ts";

type WireError = { code: string; message: string; details: Readonly<Record<string, unknown>> };
/** An attempt of a task that failed. */
export type Failure = { workflow: string; run: string; task: string; execId: string; line: number; error: WireError };

const tasksOf = new WeakMap<WorkflowSpec, ReadonlyMap<string, Walked>>();

/** The tasks of a workflow by their ids, those that undo among them. */
export function tasksIn(spec: WorkflowSpec): ReadonlyMap<string, Walked> {
  const known = tasksOf.get(spec);
  if (known) return known;
  const made = new Map([...walkTasks(spec)].map((walked) => [walked.task.id, walked]));
  tasksOf.set(spec, made);
  return made;
}

export const specIn = ({ workflows, definition }: Played, workflow: string): WorkflowSpec =>
  workflows.get(workflow) ?? definition;

export const taskIn = (played: Played, workflow: string, task: string): TaskSpec | undefined =>
  tasksIn(specIn(played, workflow)).get(task)?.task;

type Content = {
  workflow?: { id: string; exec_id: string };
  task?: { id: string; exec_id: string };
  payload?: { status?: string; result?: { output?: unknown; error?: Partial<WireError> } | null; context?: object };
};
export const contentOf = ({ word }: Line): Content => word as Content;

const failing: ReadonlySet<string> = new Set(["event:TaskExecutionFailed", "event:TaskExecutionTimedOut"]);

export function failuresOf({ lines, run, definition }: Played): Failure[] {
  return lines.flatMap((line): Failure[] => {
    if (!failing.has(line.word.type) || line.disposition !== "applied") return [];
    const { workflow, task, payload } = contentOf(line);
    const error = payload?.result?.error;
    if (!task || !error) return [];
    const { code = "", message = "", details = {} } = error;
    const home = { workflow: workflow?.id ?? definition.id, run: workflow?.exec_id ?? run };
    return [{ ...home, task: task.id, execId: task.exec_id, line: line.line, error: { code, message, details } }];
  });
}

/** Whether a task of a run had ended well by then. */
export const hasSucceeded = (played: Played, run: string, task: string, before: number): boolean =>
  played.lines.some((line) => line.line < before && isSuccess(line, run, task));

/** Of a task that ended well: the latest. */
export function outputOf({ lines }: Played, run: string, task: string): unknown {
  const line = lines.findLast((one) => isSuccess(one, run, task));
  return line && contentOf(line).payload?.result?.output;
}

const isSuccess = (line: Line, run: string, task: string): boolean =>
  line.word.type === "event:TaskExecutionSuccess" &&
  contentOf(line).task?.id === task &&
  contentOf(line).workflow?.exec_id === run;

/** Tasks that an `on_error` has led to in this play, and those behind them; and what undoes. */
export function onErrorPath(played: Played, workflow: string, task: string): boolean {
  const tasks = tasksIn(specIn(played, workflow));
  const walked = tasks.get(task);
  if (!walked || walked.isUndoing) return walked?.isUndoing === true;
  const led = played.transitions.filter((one) => one.workflow === workflow && one.on !== "SUCCESS");
  const inside = [walked.node, ...walked.holders];
  return led.some(({ to }) => {
    const target = tasks.get(to);
    return target !== undefined && inside.some((node) => node.id === to || isBehind(target, node.id));
  });
}

function isBehind({ node }: Walked, id: string): boolean {
  const byId = new Map(node.within.tasks.map((one) => [one.id, one]));
  const seen = new Set([node.id]);
  for (const at of seen) {
    const { next, cases, default: otherwise } = byId.get(at)?.spec ?? {};
    const listed = Array.isArray(cases) ? cases.map((one) => (isObject(one) ? one["next"] : undefined)) : [];
    for (const to of [next, otherwise, ...listed]) if (typeof to === "string" && byId.has(to)) seen.add(to);
  }
  return seen.has(id);
}

const harmless: ReadonlySet<string> = new Set(["succeeds", "slow", "doubled", "early"]);

/** Nobody failed, nothing broke, and nobody interfered: whatever is wrong is so in fair weather. */
export const isUndisturbed = ({ calls, disturbances }: Trial): boolean =>
  disturbances.length === 0 && Object.values(calls).every((outcome) => harmless.has(outcome.do));

const didWork: ReadonlySet<string> = new Set(["succeeds", "slow", "doubled"]);
export const hasWorked = ({ outcome, doneAt }: Called): boolean => didWork.has(outcome.do) && doneAt !== null;
