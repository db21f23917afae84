// What a workflow execution is given, remembers and hears; what it does with that is in workflow-actions.ts.

import type { WireError } from "../protocol/errors.ts";
import type { Order } from "./answers.ts";
import { type Cue, fault, type TaskName } from "./cues.ts";
import { type Graph, linearVerdict, openPlan, type Plan } from "./plan.ts";
import type { Hears, Outcome, Says } from "./speech.ts";
import type { Stamp } from "./step.ts";

/** The protocol's limit for signals of one name that are kept. */
const signalsKeptMax = 100;
/** How many names the kept signals may have: without an end to them there would be none to what a run remembers. */
const signalNamesKeptMax = 1_000;

export type Signal = { name: string; payload: unknown };

export type WorkflowInput = Stamp & {
  order: Order;
  graph: Graph;
  /** How long it may run; a pause does not count. */
  timeoutMs: number;
  /** Whether the host has a last word: a result template, or an output schema to check. */
  concludes: boolean;
  /** How many signals of one name are kept for waits that have not begun. */
  signalsMax?: number;
  /** It was declined: unknown id, or bad input. */
  problem?: WireError;
  /** Some task of it has an undo. */
  undoes?: true;
  undoTimeoutMs?: number;
  budget?: Budget;
};

/** How much of each a run may use up. */
export type BudgetLimits = { tokens?: number; cost?: number; timeMs?: number };
export type Budget = BudgetLimits & { onLimit: "fail" | "pause" };
export type Usage = { tokens: number; cost: number };

/** How it will end once nothing of it is open and what was done is undone. */
export type Ending = { status: "FAILED" | "TIMED_OUT" | "CANCELED"; reason: string; by: string };

export type WorkflowContext = Omit<WorkflowInput, "at" | "seed"> & {
  plan: Plan;
  startedAt: number;
  /** What is left of the deadline when it last began to count, and when that was. */
  leftMs: number;
  countingSince: number;
  pausedAt: number;
  pause: { reason: string; by: string } | null;
  result: Outcome | null;
  /** The host or a task said that the run cannot go on. */
  broken: WireError | null;
  signals: Signal[];
  signalsMax: number;
  waiters: { task: TaskName; signal: string }[];
  /** The tasks that got their signal: a wait that is over does not open again because its word came twice. */
  woken: string[];
  // What most runs never have is not there until they do.
  ending?: Ending;
  /** The undoing: a plan of its own that it walks, and what each lane of that undoes. */
  undo?: { graph: Graph; plan: Plan; of: readonly TaskName[] };
  usage?: Usage;
  /** What is left of the budget's time, counted as the deadline is. */
  timeLeftMs?: number;
};

/** `fits` are the execution ids of the waits whose match allows the signal, absent where no wait has a match. */
type SignalHeard = Hears<"command:WorkflowSignal"> & { fits?: string[] };
/** `raised` are the limits of the budget that the data given to it sets. */
type ResumeHeard = Hears<"command:WorkflowResume"> & { raised?: BudgetLimits };

export type WorkflowHears =
  | Hears<
      | "command:WorkflowExecute"
      | "command:WorkflowPause"
      | "command:WorkflowCancel"
      | "cue:SlotGranted"
      | "cue:Displaced"
      | "cue:TaskEnded"
      | "cue:PauseWanted"
      | "cue:Broken"
      | "cue:WaitOpened"
      | "cue:WaitClosed"
      | "cue:Concluded"
      | "cue:Used"
      | "cue:UndoPlanned"
    >
  | ResumeHeard
  | SignalHeard;
export type WorkflowSays = Says<
  | "result:CommandAck"
  | "event:WorkflowExecutionStarted"
  | "event:WorkflowExecutionPaused"
  | "event:WorkflowExecutionResumed"
  | "event:WorkflowExecutionSuccess"
  | "event:WorkflowExecutionFailed"
  | "event:WorkflowExecutionCanceled"
  | "event:WorkflowExecutionTimedOut"
  | "cue:SlotWanted"
  | "cue:BeginTask"
  | "cue:ParentEnded"
  | "cue:Paused"
  | "cue:Resumed"
  | "cue:Wake"
  | "cue:Conclude"
  | "cue:UndoWanted"
>;

export const me = "workflow.Orchestrator";
export const about = ({ order: { workflow } }: WorkflowContext) => ({ workflow });

export const errorIn = ({ result }: WorkflowContext) =>
  result && "error" in result ? result : fault("INTERNAL_ERROR", "failed without an error");

export const timeoutConfig = ({ timeoutMs }: WorkflowContext) => ({
  timeout_duration_ms: timeoutMs,
  timeout_policy: "TERMINATE" as const,
});

/** Who ended the run and why: a person, or the concurrency rule. */
export function cancelIn(event: WorkflowHears): { reason: string; canceled_by: string } {
  if (event.type !== "command:WorkflowCancel")
    return { reason: "reason" in event ? event.reason : "", canceled_by: me };
  const { reason, canceled_by } = event.payload.context;
  return { reason, canceled_by };
}

/** Who ended it and why, also when what it had done was undone since. */
export const canceledBy = ({ ending }: WorkflowContext, event: WorkflowHears) =>
  ending ? { reason: ending.reason, canceled_by: ending.by } : cancelIn(event);

/** Who lets it go on: a paused run that is canceled goes on, to undo what it has done. */
export function resumeIn({ ending }: WorkflowContext, event: WorkflowHears) {
  if (event.type !== "command:WorkflowResume") return { resumed_by: ending?.by ?? me };
  const { resumed_by, resume_data } = event.payload.context;
  return { resumed_by, ...(resume_data !== undefined && { resume_data }) };
}

/** How the plan ended, as the run's own outcome: a failed task fails the run. */
export function outcomeOf(context: WorkflowContext): Outcome | null {
  const verdict = linearVerdict(context.plan);
  if (!verdict || "output" in verdict) return verdict;
  if (!("task" in verdict)) return { error: verdict.error };
  const { error, task, code } = verdict;
  return fault("TASK_FAILED", `task '${task.id}' did not succeed: ${error.message}`, {
    failed_task_id: task.id,
    failed_task_exec_id: task.exec_id,
    cause_code: code,
    cause: error,
  });
}

export const endedWell = (context: WorkflowContext): boolean => "output" in (outcomeOf(context) ?? {});

/** The open wait that a signal ends: the oldest for its name, among those whose match allows it. */
export const waiterFor = ({ waiters }: WorkflowContext, { name }: Signal, fits?: readonly string[]) =>
  waiters.find(({ task, signal }) => signal === name && (!fits || fits.includes(task.exec_id)));

export const wake = (task: TaskName, { name, payload }: Signal): Cue<"cue:Wake"> => ({
  type: "cue:Wake",
  task,
  resume_data: { name, payload },
});

/** Why a signal cannot be kept, if so: too many of its name are, or signals of too many other names. */
export function fullFor({ signals, signalsMax }: WorkflowContext, { name }: Signal): Full | null {
  const ofName = signals.filter((kept) => kept.name === name).length;
  if (ofName >= signalsMax) {
    const message = `${signalsMax} signals of this name already wait to be heard`;
    return { message, details: { signals_max: signalsMax } };
  }
  if (ofName > 0 || new Set(signals.map((kept) => kept.name)).size < signalNamesKeptMax) return null;
  const message = `signals of ${signalNamesKeptMax} other names already wait to be heard`;
  return { message, details: { signal_names_max: signalNamesKeptMax } };
}
type Full = { message: string; details: { signals_max: number } | { signal_names_max: number } };

/** How many are listed that could not be undone: they have to fit into a message. */
const listedMax = 100;

/** What became of the undoing, for the last word of the run. */
function undoneIn({ undo }: WorkflowContext) {
  if (!undo) return {};
  const { plan, of } = undo;
  const failed = plan.lanes.flatMap((lane, index) => (lane.is === "ok" ? [] : [notUndone(plan, index, of[index])]));
  const rest = failed.length - listedMax;
  return {
    undo: {
      done: plan.lanes.length - failed.length,
      failed: failed.slice(0, listedMax),
      ...(rest > 0 && { unlisted: rest }),
    },
  };
}

function notUndone({ lanes, verdict }: Plan, index: number, of: TaskName | undefined) {
  const lane = lanes[index];
  const task = of?.id ?? "";
  if (lane?.is === "failed") return { task, code: lane.code, message: lane.error.message };
  if (verdict && "error" in verdict) return { task, code: verdict.error.code, message: verdict.error.message };
  const message = lane?.is === "open" ? "it was not undone in time" : "there was no time left to undo it";
  return { task, code: "UNDO_TIMEOUT", message };
}

/** What else its last word tells. */
export const lastWords = (context: WorkflowContext) => ({
  ...(context.usage && { usage: context.usage }),
  ...undoneIn(context),
});

export const openWorkflow = ({ at, seed: _seed, ...input }: WorkflowInput): WorkflowContext => ({
  ...input,
  plan: openPlan(input.graph),
  startedAt: at,
  leftMs: input.timeoutMs,
  countingSince: at,
  pausedAt: at,
  pause: null,
  result: null,
  broken: null,
  signals: [],
  signalsMax: input.signalsMax ?? signalsKeptMax,
  waiters: [],
  woken: [],
  ...(input.budget?.timeMs !== undefined && { timeLeftMs: input.budget.timeMs }),
});
