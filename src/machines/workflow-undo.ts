// How a workflow execution ends: what it used up against its budget, and the undoing of what it has done.

import { assign, emit, enqueueActions } from "xstate";
import { fault, type Why } from "./cues.ts";
import { type Graph, openPlan, openTasks, settle, take } from "./plan.ts";
import { workflowSetup } from "./workflow-actions.ts";
import {
  type BudgetLimits,
  cancelIn,
  type Ending,
  errorIn,
  me,
  type Usage,
  type WorkflowContext,
  type WorkflowHears,
} from "./workflow-memory.ts";

// ── what it used up ──

const nothingUsed: Usage = { tokens: 0, cost: 0 };

/** Sums of decimal fractions, without the dust that adding them leaves; what is beyond counting stays a number. */
const added = (one: number, other: number, max: number): number => Math.min(max, Number((one + other).toFixed(9)));

function usedAfter({ usage = nothingUsed }: WorkflowContext, event: WorkflowHears): Usage {
  if (event.type !== "cue:Used") return usage;
  const tokens = added(usage.tokens, event.tokens, Number.MAX_SAFE_INTEGER);
  return { tokens, cost: added(usage.cost, event.cost, Number.MAX_VALUE) };
}

/** Which limit is passed, if one is. */
function passedIn({ budget }: WorkflowContext, used: Usage): { kind: keyof Usage; used: number; max: number } | null {
  for (const kind of ["tokens", "cost"] as const) {
    const max = budget?.[kind];
    if (max !== undefined && used[kind] > max) return { kind, used: used[kind], max };
  }
  return null;
}

const says = { tokens: "tokens", cost: "in cost", time: "ms" } as const;
function overBudget(budget: "tokens" | "cost" | "time", used: number, max: number) {
  const message = `the run used ${used} ${says[budget]}, its budget allows ${max}`;
  return fault("BUDGET_EXCEEDED", message, { budget, used, max });
}

const passes = (context: WorkflowContext, event: WorkflowHears, onLimit: "fail" | "pause"): boolean =>
  context.budget?.onLimit === onLimit && passedIn(context, usedAfter(context, event)) !== null;

/** The budget's time ends with the deadline, or before it. */
const timeEnds = ({ timeLeftMs, leftMs, budget }: WorkflowContext, onLimit: "fail" | "pause"): boolean =>
  timeLeftMs !== undefined && timeLeftMs <= leftMs && budget?.onLimit === onLimit;

function overTime({ budget }: WorkflowContext) {
  const max = budget?.timeMs ?? 0;
  return overBudget("time", max, max);
}

// ── how it ends ──

const whyEnded: Readonly<Record<Ending["status"], string>> = {
  FAILED: "the workflow has failed",
  TIMED_OUT: "the workflow ran over its deadline",
  CANCELED: "the workflow was canceled",
};

/** What the tasks of an undo are told as their error. */
const whyOf = (context: WorkflowContext): Why =>
  context.ending?.status === "CANCELED"
    ? { code: "WORKFLOW_CANCELED", message: context.ending.reason }
    : errorIn(context).error;

/** Undoing is no time to ask anybody to look first. */
const withoutPauses = (graph: Graph): Graph => ({
  ...graph,
  blocks: graph.blocks.map((block) => block.map(({ pause_before: _pause, ...step }) => step)),
});

export const endingSetup = workflowSetup.extend({
  guards: {
    undoes: ({ context }) => context.undoes === true && !context.undo,
    endsCanceled: ({ context }) => context.ending?.status === "CANCELED",
    endsTimedOut: ({ context }) => context.ending?.status === "TIMED_OUT",
    isUndone: ({ context }) => Boolean(context.undo?.plan.verdict),
    nothingToUndo: ({ event }) => event.type === "cue:UndoPlanned" && event.graph.lanes.length === 0,

    failsBudget: ({ context, event }) => passes(context, event, "fail"),
    pausesBudget: ({ context, event }) => passes(context, event, "pause"),
    failsTime: ({ context }) => timeEnds(context, "fail"),
    pausesTime: ({ context }) => timeEnds(context, "pause"),
  },
  actions: {
    noteEnding: assign(({ event }, { status }: { status: Ending["status"] }) => {
      const { reason, canceled_by: by } = cancelIn(event);
      return { ending: { status, reason, by } };
    }),
    endTasks: enqueueActions(({ context, enqueue }, { status }: { status: Ending["status"] }) => {
      for (const task of openTasks(context.undo?.plan ?? context.plan)) {
        enqueue.emit({ type: "cue:ParentEnded", task, cause: "parent_ended", reason: whyEnded[status] });
      }
    }),
    endTasksFirst: enqueueActions(({ context, enqueue }) => {
      for (const task of openTasks(context.plan)) {
        const reason = whyEnded[context.ending?.status ?? "FAILED"];
        enqueue.emit({ type: "cue:ParentEnded", task, cause: "parent_ended", reason });
      }
    }),

    // ── undoing ──
    wantUndo: emit(({ context }) => ({ type: "cue:UndoWanted", error: whyOf(context) })),
    openUndo: assign(({ event }) => {
      if (event.type !== "cue:UndoPlanned") return {};
      const graph = withoutPauses(event.graph);
      return { undo: { graph, plan: openPlan(graph), of: event.of } };
    }),
    beginUndo: enqueueActions(({ context: { undo }, event, enqueue }) => {
      if (!undo) return;
      const { plan, begin } = take(undo.graph, undo.plan, event.seed);
      enqueue.assign({ undo: { ...undo, plan } });
      for (const { task, lane } of begin) {
        const undoes = undo.of[lane];
        enqueue.emit({ type: "cue:BeginTask", task, lane, ...(undoes && { undoes }) });
      }
    }),
    settleUndo: assign(({ context: { undo }, event }) => {
      if (!undo || event.type !== "cue:TaskEnded") return {};
      return { undo: { ...undo, plan: settle(undo.graph, undo.plan, event) } };
    }),
    /** A container among them asks for a pause: it is told to go on. */
    resumeUndo: enqueueActions(({ context: { undo }, enqueue }) => {
      for (const task of undo ? openTasks(undo.plan) : []) enqueue.emit({ type: "cue:Resumed", task });
    }),
    /** One that cannot go on is given up, and the next has its turn. It may be one that could not even begin. */
    giveUpUndo: enqueueActions(({ context: { undo }, event, enqueue }) => {
      if (event.type !== "cue:Broken" || !undo) return;
      const { error } = event;
      const lane = undo.plan.lanes.findIndex(({ is }) => is === "open");
      const at = undo.plan.lanes[lane];
      if (at?.is !== "open") return;
      const { task } = at;
      const plan = settle(undo.graph, undo.plan, { task, lane, status: "CANCELED", result: null });
      const failed = { is: "failed" as const, task, error, code: error.code };
      enqueue.assign({ undo: { ...undo, plan: { ...plan, lanes: plan.lanes.with(lane, failed) } } });
      enqueue.emit({ type: "cue:ParentEnded", task, cause: "parent_ended", reason: error.message });
    }),

    // ── budget ──
    noteUsage: assign(({ context, event }) => ({ usage: usedAfter(context, event) })),
    /** What people raise it to when they let it go on. */
    noteRaised: assign(({ context, event }) => {
      if (event.type !== "command:WorkflowResume" || !event.raised || !context.budget) return {};
      const { budget, timeLeftMs } = context;
      const raised: BudgetLimits = event.raised;
      const moreMs = (raised.timeMs ?? 0) - (budget.timeMs ?? 0);
      return {
        budget: { ...budget, ...raised },
        ...(raised.timeMs !== undefined && { timeLeftMs: Math.max(0, (timeLeftMs ?? 0) + moreMs) }),
      };
    }),
    noteOverBudget: assign(({ context, event }) => {
      const passed = passedIn(context, usedAfter(context, event));
      return passed ? { result: overBudget(passed.kind, passed.used, passed.max) } : {};
    }),
    noteOverTime: assign(({ context }) => ({ result: overTime(context) })),
    noteBudgetPause: assign(({ context, event }) => {
      const passed = passedIn(context, usedAfter(context, event));
      return passed ? { pause: pauseFor(overBudget(passed.kind, passed.used, passed.max)) } : {};
    }),
    noteTimePause: assign(({ context }) => ({ pause: pauseFor(overTime(context)) })),
  },
});

const pauseFor = ({ error }: ReturnType<typeof fault>) => ({ reason: error.message, by: me });
