// What a workflow execution remembers, decides and says; its states are in workflow-execution.ts.

import { assign, emit, enqueueActions, setup } from "xstate";
import type { WireError } from "../protocol/errors.ts";
import { accept, decline, declineIn } from "./acknowledgment.ts";
import { acceptAgain, declineOther, type Order, sameOrder } from "./answers.ts";
import { type Cue, fault, type TaskName } from "./cues.ts";
import { type Graph, linearVerdict, openPlan, openTasks, type Plan, release, settle, take } from "./plan.ts";
import { type Hears, lasted, type Outcome, type Says } from "./speech.ts";
import { silence, type Stamp } from "./step.ts";

/** The protocol's limit for signals of one name that are kept. */
const signalsKeptMax = 100;
/** How many names the kept signals may have: without an end to them there would be none to what a run remembers. */
const signalNamesKeptMax = 1_000;

type Signal = { name: string; payload: unknown };

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
};

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
};

/** `fits` are the execution ids of the waits whose match allows the signal, absent where no wait has a match. */
type SignalHeard = Hears<"command:WorkflowSignal"> & { fits?: string[] };

type In =
  | Hears<
      | "command:WorkflowExecute"
      | "command:WorkflowPause"
      | "command:WorkflowResume"
      | "command:WorkflowCancel"
      | "cue:SlotGranted"
      | "cue:Displaced"
      | "cue:TaskEnded"
      | "cue:PauseWanted"
      | "cue:Broken"
      | "cue:WaitOpened"
      | "cue:WaitClosed"
      | "cue:Concluded"
    >
  | SignalHeard;
type Out = Says<
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
>;

const me = "workflow.Orchestrator";
const about = ({ order: { workflow } }: WorkflowContext) => ({ workflow });

const errorIn = ({ result }: WorkflowContext) =>
  result && "error" in result ? result : fault("INTERNAL_ERROR", "failed without an error");

const timeoutConfig = ({ timeoutMs }: WorkflowContext) => ({
  timeout_duration_ms: timeoutMs,
  timeout_policy: "TERMINATE" as const,
});

/** Who ended the run and why: a person, or the concurrency rule. */
function cancelIn(event: In): { reason: string; canceled_by: string } {
  if (event.type !== "command:WorkflowCancel")
    return { reason: "reason" in event ? event.reason : "", canceled_by: me };
  const { reason, canceled_by } = event.payload.context;
  return { reason, canceled_by };
}

function resumeIn(event: In): { resumed_by: string; resume_data?: unknown } {
  if (event.type !== "command:WorkflowResume") return { resumed_by: me };
  const { resumed_by, resume_data } = event.payload.context;
  return { resumed_by, ...(resume_data !== undefined && { resume_data }) };
}

/** How the plan ended, as the run's own outcome: a failed task fails the run. */
function outcomeOf(context: WorkflowContext): Outcome | null {
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

const endedWell = (context: WorkflowContext): boolean => "output" in (outcomeOf(context) ?? {});

/** The open wait that a signal ends: the oldest for its name, among those whose match allows it. */
const waiterFor = ({ waiters }: WorkflowContext, { name }: Signal, fits?: readonly string[]) =>
  waiters.find(({ task, signal }) => signal === name && (!fits || fits.includes(task.exec_id)));

const wake = (task: TaskName, { name, payload }: Signal): Cue<"cue:Wake"> => ({
  type: "cue:Wake",
  task,
  resume_data: { name, payload },
});

/** Why a signal cannot be kept, if so: too many of its name are, or signals of too many other names. */
function fullFor({ signals, signalsMax }: WorkflowContext, { name }: Signal): Full | null {
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

export const workflowSetup = setup({
  types: {} as { input: WorkflowInput; context: WorkflowContext; events: In; emitted: Out },
  delays: { deadline: ({ context }) => context.leftMs },
  guards: {
    hasProblem: ({ context }) => context.problem !== undefined,
    isBroken: ({ context }) => context.broken !== null,
    isPauseWanted: ({ context }) => context.pause !== null,
    isOver: ({ context }) => context.plan.verdict !== null,
    endedWell: ({ context }) => endedWell(context),
    awaitsConclusion: ({ context }) => context.concludes && context.result === null && endedWell(context),
    isOtherOrder: ({ context, event }) => event.type === "command:WorkflowExecute" && !sameOrder(context.order, event),
    hasWaiter: ({ context, event }) =>
      event.type === "command:WorkflowSignal" &&
      waiterFor(context, event.payload.context.signal, event.fits) !== undefined,
    isFull: ({ context, event }) =>
      event.type === "command:WorkflowSignal" && fullFor(context, event.payload.context.signal) !== null,
  },
  actions: {
    // ── noted ──
    noteProblem: assign(({ context }) => ({ result: context.problem ? { error: context.problem } : null })),
    noteBroken: assign(({ context, event }) =>
      event.type === "cue:Broken" ? { broken: context.broken ?? event.error } : {},
    ),
    notePause: assign(({ event }) => {
      if (event.type === "cue:PauseWanted") return { pause: { reason: event.reason, by: me } };
      if (event.type !== "command:WorkflowPause") return {};
      const { reason, paused_by } = event.payload.context;
      return { pause: { reason, by: paused_by } };
    }),
    noteResume: assign({ pause: null }),
    noteTimeout: assign({ result: fault("WORKFLOW_EXECUTION_TIMEOUT", "the workflow ran over its deadline") }),
    noteBreak: assign(({ context }) => ({ result: context.broken ? { error: context.broken } : null })),
    noteVerdict: assign(({ context }) => ({ result: context.result ?? outcomeOf(context) })),
    noteConclusion: assign(({ event }) => (event.type === "cue:Concluded" ? { result: { output: event.output } } : {})),
    beginToCount: assign(({ event }) => ({ startedAt: event.at, countingSince: event.at })),
    stopCounting: assign(({ context, event }) => ({
      leftMs: Math.max(0, context.leftMs - lasted(context.countingSince, event)),
      pausedAt: event.at,
    })),
    goOnCounting: assign(({ event }) => ({ countingSince: event.at })),

    // ── tasks ──
    settleTask: assign(({ context, event }) =>
      event.type === "cue:TaskEnded" ? { plan: settle(context.graph, context.plan, event) } : {},
    ),
    releaseTasks: assign(({ context }) => ({ plan: release(context.plan) })),
    beginTasks: enqueueActions(({ context, event, enqueue }) => {
      if (context.broken) return;
      const { plan, begin, pause } = take(context.graph, context.plan, event.seed);
      enqueue.assign({ plan, ...(pause !== undefined && { pause: { reason: pause, by: me } }) });
      for (const { task, lane } of begin) enqueue.emit({ type: "cue:BeginTask", task, lane });
    }),
    pauseTasks: enqueueActions(({ context, enqueue }) => {
      for (const task of openTasks(context.plan)) enqueue.emit({ type: "cue:Paused", task });
    }),
    resumeTasks: enqueueActions(({ context, enqueue }) => {
      for (const task of openTasks(context.plan)) enqueue.emit({ type: "cue:Resumed", task });
    }),
    endTasks: enqueueActions(({ context, enqueue }, { reason }: { reason: string }) => {
      for (const task of openTasks(context.plan)) {
        enqueue.emit({ type: "cue:ParentEnded", task, cause: "parent_ended", reason });
      }
    }),

    // ── signals ──
    /** A new wait takes the oldest signal that was kept for it. */
    openWait: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== "cue:WaitOpened" || !("signal" in event.wait)) return;
      const { task, wait, fits } = event;
      const isKnown = context.waiters.some((waiter) => waiter.task.exec_id === task.exec_id);
      if (isKnown || context.woken.includes(task.exec_id)) return;
      const kept = context.signals.findIndex(
        ({ name }, index) => name === wait.signal && (!fits || fits.includes(index)),
      );
      const signal = context.signals[kept];
      if (signal === undefined) {
        enqueue.assign({ waiters: [...context.waiters, { task, signal: wait.signal }] });
      } else {
        enqueue.assign({
          signals: context.signals.toSpliced(kept, 1),
          woken: [...context.woken, task.exec_id],
        });
        enqueue.emit(wake(task, signal));
      }
    }),
    closeWait: assign(({ context, event }) =>
      event.type === "cue:WaitClosed"
        ? { waiters: context.waiters.filter(({ task }) => task.exec_id !== event.task.exec_id) }
        : {},
    ),
    keepSignal: assign(({ context, event }) =>
      event.type === "command:WorkflowSignal" ? { signals: [...context.signals, event.payload.context.signal] } : {},
    ),
    deliverSignal: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== "command:WorkflowSignal") return;
      const waiter = waiterFor(context, event.payload.context.signal, event.fits);
      if (!waiter) return;
      enqueue.assign({
        waiters: context.waiters.filter((other) => other !== waiter),
        woken: [...context.woken, waiter.task.exec_id],
      });
      enqueue.emit(wake(waiter.task, event.payload.context.signal));
    }),

    // ── answered ──
    acceptOrder: emit(({ context }) => accept(context.order)),
    declineOrder: emit(({ context }) => {
      const { code, message, details } = errorIn(context).error;
      return decline(context.order, code, message, { ...details });
    }),
    acceptCommand: emit(({ event }) => accept(event)),
    acceptAgain: emit(({ event }) => acceptAgain(event)),
    acceptNoChange: emit(({ event }) => accept(event, { no_change: true })),
    declineOther: emit(({ context, event }) => declineOther(event, context.order)),
    declineCommand: emit(({ event }, { status }: { status: string }) => declineIn(event, status)),
    declineFull: emit(({ context, event }, { status }: { status: string }) => {
      const full = event.type === "command:WorkflowSignal" && fullFor(context, event.payload.context.signal);
      if (!full) return silence;
      return decline(event, "INVALID_STATE", full.message, { status, ...full.details });
    }),

    // ── said ──
    wantSlot: emit({ type: "cue:SlotWanted" }),
    conclude: emit(({ context }) => {
      const verdict = linearVerdict(context.plan);
      return { type: "cue:Conclude", last: verdict && "output" in verdict ? verdict.output : {} };
    }),
    sayStarted: emit(({ context }) => ({
      type: "event:WorkflowExecutionStarted",
      ...about(context),
      payload: {
        status: "RUNNING",
        result: null,
        context: {
          input: context.order.payload.context.input,
          trigger_type: context.order.payload.context.trigger_type,
          ...(context.order.payload.context.parent_exec_id !== undefined && {
            parent_exec_id: context.order.payload.context.parent_exec_id,
          }),
        },
      },
    })),
    sayPaused: emit(({ context }) => ({
      type: "event:WorkflowExecutionPaused",
      ...about(context),
      payload: {
        status: "PAUSED",
        result: null,
        context: { reason: context.pause?.reason ?? "", paused_by: context.pause?.by ?? me },
      },
    })),
    sayResumed: emit(({ context, event }) => ({
      type: "event:WorkflowExecutionResumed",
      ...about(context),
      payload: {
        status: "RUNNING",
        result: null,
        duration_ms: lasted(context.pausedAt, event),
        context: resumeIn(event),
      },
    })),
    sayCompleted: emit(({ context, event }) => ({
      type: "event:WorkflowExecutionSuccess",
      ...about(context),
      payload: {
        status: "SUCCESS",
        duration_ms: lasted(context.startedAt, event),
        result: context.result && "output" in context.result ? context.result : { output: {} },
        context: {},
      },
    })),
    sayFailed: emit(({ context, event }) => ({
      type: "event:WorkflowExecutionFailed",
      ...about(context),
      payload: {
        status: "FAILED",
        duration_ms: lasted(context.startedAt, event),
        result: errorIn(context),
        context: {},
      },
    })),
    sayCanceled: emit(({ context, event }) => ({
      type: "event:WorkflowExecutionCanceled",
      ...about(context),
      payload: {
        status: "CANCELED",
        result: null,
        context: cancelIn(event),
      },
    })),
    sayTimedOut: emit(({ context, event }) => ({
      type: "event:WorkflowExecutionTimedOut",
      ...about(context),
      payload: {
        status: "TIMED_OUT",
        duration_ms: lasted(context.startedAt, event),
        result: errorIn(context),
        context: { timeout_config: timeoutConfig(context) },
      },
    })),
  },
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
});
