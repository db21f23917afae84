// What a task execution notes, answers and says of itself; its states are in task-execution.ts.

import { assign, emit, enqueueActions, setup } from "xstate";
import type { ErrorCode } from "../protocol/errors.ts";
import { accept, decline, declineIn } from "./acknowledgment.ts";
import { answerEnded } from "./answers.ts";
import { type EndStatus, fault } from "./cues.ts";
import { isRetried, retryDelay } from "./retry.ts";
import { asData, lasted, outcomeOf } from "./speech.ts";
import {
  about,
  type Attempted,
  callerLostMs,
  cancelGraceMs,
  deadlineMs,
  errorIn,
  isWorker,
  me,
  nameOf,
  orderOf,
  orInfinity,
  signOfLife,
  type TaskContext,
  type TaskHears,
  type TaskInput,
  type TaskSays,
  timeoutConfig,
  leftAfterPause,
  timeIsOver,
  totalLeft,
  waitMs,
} from "./task-memory.ts";

type Command = Extract<TaskHears, { type: `command:${string}` }>;

export const taskSetup = setup({
  types: {} as { input: TaskInput; context: TaskContext; events: TaskHears; emitted: TaskSays },
  delays: {
    startTimeout: ({ context }) => context.startTimeoutMs,
    retryStartTimeout: ({ context }) => context.delayMs + context.startTimeoutMs,
    retryDelay: ({ context }) => context.delayMs,
    deadline: ({ context }) => deadlineMs(context),
    heartbeatGap: ({ context }) => orInfinity(context.heartbeatMs),
    totalTimeout: ({ context, event }) => totalLeft(context, event.at),
    waitOver: ({ context }) => orInfinity(context.waitLeftMs),
    cancelGrace: cancelGraceMs,
    callerLost: callerLostMs,
  },
  guards: {
    hasProblem: ({ context }) => context.problem !== undefined,
    isControl: ({ context }) => !isWorker(context),
    /** What was waited for is the time itself, and not its timeout. */
    isTimeItself: ({ context, event }) => timeIsOver(context, event.at),
    hasNoWait: ({ context }) => context.wait === undefined || context.waitedAttempt === context.attempt,
    isPaused: ({ context }) => context.paused,
    wasResumed: ({ context }) => context.resume !== null,
    /** A word about an attempt that is over says nothing about this one. */
    isOld: ({ context, event }) =>
      ((event as Attempted).payload.context.attempt ?? context.attempt) !== context.attempt,
    /** An executor begins an attempt that ended without a word of it. */
    isGivenUp: ({ context, event }) =>
      event.type === "event:TaskExecutionStarted" && event.payload.context.attempt <= context.givenUpAttempt,
    /** The clock counts, not the timer, which may be late. */
    isOutOfTime: ({ context, event }) => totalLeft(context, event.at) === 0,
    isRetried: ({ context, event }) => {
      // Canceled, out of time, or nothing that could be carried out: no more of it.
      if (context.cancel !== null || context.problem || totalLeft(context, event.at) === 0) return false;
      // A wait and a route have no retry in the language: waiting or choosing again would not be the same again.
      if (context.taskType === "wait" || context.taskType === "route") return false;
      return isRetried(context.retry, context.attempt, errorIn(context).error);
    },
  },
  actions: {
    // ── noted ──
    noteProblem: assign(({ context }) => ({ result: context.problem ? { error: context.problem } : null })),
    noteOutcome: assign(({ event }) =>
      event.type === "event:TaskExecutionSuccess" || event.type === "event:TaskExecutionFailed"
        ? { result: outcomeOf(event.payload.result) }
        : {},
    ),
    noteError: assign((_, { code, message }: { code: ErrorCode; message: string }) => ({
      result: fault(code, message),
    })),
    noteCancel: assign(({ event }) => {
      if (event.type === "cue:ParentEnded") {
        return { cancel: { cause: event.cause, reason: event.reason, by: me, ours: true } };
      }
      if (event.type !== "command:TaskCancel") return {};
      const { cause, reason, canceled_by } = event.payload.context;
      return { cancel: { cause, reason, by: canceled_by, ours: false } };
    }),
    beginAttempt: assign(({ event }) => ({ attemptAt: event.at })),
    nextAttempt: assign(({ context, event }) => ({
      delayMs: retryDelay(context.retry, context.attempt, event.seed),
      attempt: context.attempt + 1,
      attemptAt: event.at,
      plan: null,
      childId: null,
    })),
    /** The attempt ends without a word of its executor: it may be at work, and about to call somebody. */
    noteSilence: assign(({ context }) =>
      isWorker(context) ? { uncertainAttempt: context.attempt, givenUpAttempt: context.attempt } : {},
    ),
    /** A mere sign of life says nothing of how far it is. */
    noteStep: assign(({ event }) => {
      if (event.type !== "progress:TaskStep" || event.payload.context.step === signOfLife) return {};
      return { lastStep: event.payload.context.step };
    }),
    notePaused: assign({ paused: true }),
    noteResumed: assign({ paused: false }),

    // ── waiting ──
    openWait: assign(({ context, event }) => ({
      waitedSince: event.at,
      waitLeftMs: waitMs(context, event.at),
      waitingAt: event.at,
      waitedAttempt: context.attempt,
      resume: null,
    })),
    stopWait: assign(({ context, event }) => ({
      paused: true,
      waitLeftMs:
        context.waitLeftMs === null ? null : Math.max(0, context.waitLeftMs - lasted(context.waitingAt, event)),
    })),
    goOnWaiting: assign(({ context, event }) => ({
      paused: false,
      waitingAt: event.at,
      waitLeftMs: leftAfterPause(context, event.at),
    })),
    keepResume: assign(({ context, event }) => {
      if (event.type === "cue:Wake") return { resume: event.resume_data };
      if (event.type !== "command:TaskResume") return { resume: {} };
      const given = event.payload.context.resume_data;
      if (context.wait && "signal" in context.wait) return { resume: { name: context.wait.signal, payload: given } };
      return { resume: asData(given) };
    }),
    sayWaitOpened: emit(({ context }) => ({
      type: "cue:WaitOpened",
      task: nameOf(context),
      wait: context.wait ?? { approval: "" },
    })),
    sayWaitClosed: emit(({ context }) => ({ type: "cue:WaitClosed", task: nameOf(context) })),

    // ── answered ──
    acceptTrigger: emit(({ context }) => accept(context.trigger ?? { type: "" })),
    declineTrigger: emit(({ context }) => {
      const { code, message, details } = context.problem ?? fault("INTERNAL_ERROR", "declined without a problem").error;
      return decline(context.trigger ?? { type: "" }, code, message, { ...details });
    }),
    acceptCommand: emit(({ event }) => accept(event)),
    acceptAgain: emit(({ event }) => accept(event, { no_change: true })),
    answerEnded: emit(({ context, event }) => answerEnded(context.ended ?? "RUNNING", event as Command)),
    declineCommand: emit(({ event }, { status }: { status: string }) => declineIn(event, status)),

    // ── said ──
    sayScheduled: emit(({ context }) => ({
      type: "event:TaskScheduled",
      ...about(context),
      payload: { status: "PENDING", result: null, context: orderOf(context, context.attempt) },
    })),
    sayRetryScheduled: emit(({ context }) => ({
      type: "event:TaskRetryScheduled",
      ...about(context),
      payload: {
        status: "PENDING",
        result: null,
        context: {
          ...orderOf(context, context.attempt),
          delay_ms: context.delayMs,
          original_error: errorIn(context).error,
        },
      },
    })),
    sayStarted: emit(({ context }) => ({
      type: "event:TaskExecutionStarted",
      ...about(context),
      payload: { status: "RUNNING", result: null, context: { attempt: context.attempt } },
    })),
    sayWaitingEnded: emit(({ context, event }) => ({
      type: "event:TaskWaitingEnded",
      ...about(context),
      payload: {
        status: "RUNNING",
        result: null,
        duration_ms: lasted(context.waitedSince, event),
        context: { ...orderOf(context, context.attempt), resume_data: context.resume ?? {} },
      },
    })),
    sayWaitingTimedOut: emit(({ context, event }) => ({
      type: "event:TaskWaitingTimedOut",
      ...about(context),
      payload: {
        status: "TIMED_OUT",
        duration_ms: lasted(context.waitedSince, event),
        result: errorIn(context),
        context: { attempt: context.attempt },
      },
    })),
    sayCompleted: emit(({ context, event }) => ({
      type: "event:TaskExecutionSuccess",
      ...about(context),
      payload: {
        status: "SUCCESS",
        duration_ms: lasted(context.attemptAt, event),
        result: context.result && "output" in context.result ? context.result : { output: {} },
        context: { attempt: context.attempt },
      },
    })),
    sayFailed: emit(({ context, event }) => ({
      type: "event:TaskExecutionFailed",
      ...about(context),
      payload: {
        status: "FAILED",
        duration_ms: lasted(context.attemptAt, event),
        result: errorIn(context),
        context: { attempt: context.attempt, retry_policy: context.retry },
      },
    })),
    sayTimedOut: emit(({ context, event }) => ({
      type: "event:TaskExecutionTimedOut",
      ...about(context),
      payload: {
        status: "TIMED_OUT",
        duration_ms: lasted(context.attemptAt, event),
        result: errorIn(context),
        context: { attempt: context.attempt, timeout_config: timeoutConfig(context), retry_policy: context.retry },
      },
    })),
    sayCanceled: emit(({ context }) => ({
      type: "event:TaskExecutionCanceled",
      ...about(context),
      payload: {
        status: "CANCELED",
        result: null,
        context: { attempt: context.attempt, reason: context.cancel?.reason ?? "" },
      },
    })),
    stopExecutor: emit(({ context }) => ({
      type: "command:TaskCancel",
      ...about(context),
      payload: {
        context: {
          attempt: context.attempt,
          cause: "timed_out",
          reason: errorIn(context).error.message,
          canceled_by: me,
        },
      },
    })),
    /** It may have been canceled or out of time before there was an executor that could be told. */
    stopLateExecutor: emit(({ context, event }) => ({
      type: "command:TaskCancel",
      ...about(context),
      payload: {
        context: {
          attempt: (event as Attempted).payload.context.attempt ?? context.attempt,
          cause: context.ended === "CANCELED" ? (context.cancel?.cause ?? "requested") : "timed_out",
          reason: "the attempt was over before it began",
          canceled_by: me,
        },
      },
    })),
    /** Who canceled through the API has told the executor too. */
    cancelExecutor: enqueueActions(({ context, enqueue }) => {
      if (!context.cancel?.ours) return;
      const { cause, reason, by } = context.cancel;
      enqueue.emit({
        type: "command:TaskCancel",
        ...about(context),
        payload: { context: { attempt: context.attempt, cause, reason, canceled_by: by } },
      });
    }),
    /** The parent, where there is one, hears of the end; the task itself only answers from now on. */
    reportEnd: enqueueActions(({ context, enqueue }, { status }: { status: EndStatus }) => {
      enqueue.assign({ ended: status });
      if (context.lane === null) return;
      enqueue.emit({
        type: "cue:TaskEnded",
        task: nameOf(context),
        lane: context.lane,
        status,
        result: status === "CANCELED" ? null : context.result,
        ...(context.next !== null && { next: context.next }),
        ...(context.attempt > 1 && { attempt: context.attempt }),
      });
    }),
  },
});
