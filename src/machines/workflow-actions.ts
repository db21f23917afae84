// What a workflow execution decides and says; what it remembers is in workflow-memory.ts, its states in
// workflow-execution.ts.

import { assign, emit, enqueueActions, setup } from "xstate";
import { accept, decline, declineIn } from "./acknowledgment.ts";
import { acceptAgain, declineOther, sameOrder } from "./answers.ts";
import { linearVerdict, openTasks, release, settle, take } from "./plan.ts";
import { fault } from "./cues.ts";
import { lasted } from "./speech.ts";
import { silence } from "./step.ts";
import {
  about,
  canceledBy,
  endedWell,
  errorIn,
  fullFor,
  lastWords,
  me,
  outcomeOf,
  resumeIn,
  timeoutConfig,
  waiterFor,
  wake,
  type WorkflowContext,
  type WorkflowHears,
  type WorkflowInput,
  type WorkflowSays,
} from "./workflow-memory.ts";

/** How long undoing may take where nothing else is said. */
const undoMs = 3_600_000;

export const workflowSetup = setup({
  types: {} as { input: WorkflowInput; context: WorkflowContext; events: WorkflowHears; emitted: WorkflowSays },
  delays: {
    deadline: ({ context: { leftMs, timeLeftMs = Infinity } }) => Math.min(leftMs, timeLeftMs),
    undoTimeout: ({ context }) => context.undoTimeoutMs ?? undoMs,
  },
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
      ...(context.timeLeftMs !== undefined && {
        timeLeftMs: Math.max(0, context.timeLeftMs - lasted(context.countingSince, event)),
      }),
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
        context: resumeIn(context, event),
      },
    })),
    sayCompleted: emit(({ context, event }) => ({
      type: "event:WorkflowExecutionSuccess",
      ...about(context),
      payload: {
        status: "SUCCESS",
        duration_ms: lasted(context.startedAt, event),
        result: context.result && "output" in context.result ? context.result : { output: {} },
        context: lastWords(context),
      },
    })),
    sayFailed: emit(({ context, event }) => ({
      type: "event:WorkflowExecutionFailed",
      ...about(context),
      payload: {
        status: "FAILED",
        duration_ms: lasted(context.startedAt, event),
        result: errorIn(context),
        context: lastWords(context),
      },
    })),
    sayCanceled: emit(({ context, event }) => ({
      type: "event:WorkflowExecutionCanceled",
      ...about(context),
      payload: {
        status: "CANCELED",
        result: null,
        context: { ...canceledBy(context, event), ...lastWords(context) },
      },
    })),
    sayTimedOut: emit(({ context, event }) => ({
      type: "event:WorkflowExecutionTimedOut",
      ...about(context),
      payload: {
        status: "TIMED_OUT",
        duration_ms: lasted(context.startedAt, event),
        result: errorIn(context),
        context: { timeout_config: timeoutConfig(context), ...lastWords(context) },
      },
    })),
  },
});
