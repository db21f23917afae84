// One attempt of a worker task, in the task executor: acknowledge, begin, do the one thing, report once.
//
//   taken ─┬─ agent, tool ──▶ calling ──────call ended──────▶ completed · failed
//          ├─ signal ───────▶ signaling ──ack, or silence───▶ completed · failed
//          ├─ wait ─────────▶ waiting          the slot is free; a later attempt of the same number goes on
//          ├─ resumed ──────▶ completed
//          └─ bad input, nothing to do ──▶ failed
//   calling · signaling ──TaskCancel──▶ canceling ──call ended──▶ canceled · dismissed (given up: nothing is said)
//
// Invariants:
//   K1. The order is acknowledged once, first; a doubled order is acknowledged as a duplicate and does nothing.
//   K2. One end is reported, whatever arrives, and none if the task was given up.
//   K3. Started is said once, and not again when a wait has ended.
//   K4. A call is begun at most once, and after a cancel none is.
//   K5. A cancel of an earlier attempt, another attempt's order and another's call change nothing.
//   K6. It always ends: by its call, which ends itself, or by its own timeout.

import { assign, emit, setup } from "xstate";
import type { Message, Section } from "../protocol/catalogue.ts";
import type { WireError } from "../protocol/errors.ts";
import type { Cause, Wait } from "../protocol/fields.ts";
import { idAfter } from "../protocol/ids.ts";
import { accept } from "./acknowledgment.ts";
import { type CallKind, fault } from "./cues.ts";
import { asData, type Hears, ignoring, lasted, type Outcome, type Says } from "./speech.ts";
import { silence, type Stamp } from "./step.ts";

/** How long the workflow may take to acknowledge a signal. */
const signalAckMs = 5_000;

type Order = Message<"command:TaskExecute">;

type Input = Stamp & {
  order: Order;
  /** What the task calls; the first call of a direct run takes the task's own id. */
  call?: { kind: CallKind; id: string; exec_id?: string; action?: string };
  /** Where a signal goes: this run, unless the task says otherwise. */
  signalTo?: Section;
  /** The executor checked the input and found it wrong. */
  problem?: WireError;
};

type Context = Omit<Input, "at"> & {
  startedAt: number;
  result: Outcome;
  cancel: { cause: Cause; reason: string };
  callId: string;
};

type In = Hears<
  "command:TaskExecute" | "command:TaskCancel" | "cue:CallEnded" | "cue:NoResponder" | "result:CommandAck"
>;
type Out = Says<
  | "result:CommandAck"
  | "event:TaskExecutionStarted"
  | "event:TaskWaitingStarted"
  | "event:TaskExecutionSuccess"
  | "event:TaskExecutionFailed"
  | "event:TaskExecutionCanceled"
  | "command:WorkflowSignal"
  | "cue:Call"
  | "cue:EndCall"
>;

const about = ({ order: { workflow, task } }: Context) => ({ ...(workflow && { workflow }), task });
const attemptOf = ({ order }: Context) => order.payload.context.attempt;
const isResumption = ({ payload }: Order) => payload.context.resume_data !== undefined;
const undelivered = (cause_code: string, message: string) => fault("SIGNAL_NOT_DELIVERED", message, { cause_code });

/** The run that a signal is for. A direct run is no run of a workflow: it has nobody to signal. */
const targetOf = ({ signalTo, order: { workflow } }: Context) => signalTo?.exec_id ?? workflow?.exec_id;

/** Why there is nothing that the attempt could do. */
function problemOf({ problem, order }: Context): Outcome {
  if (problem) return { error: problem };
  const { task_type, signal } = order.payload.context;
  if (task_type === "signal" && signal) return undelivered("EXECUTION_NOT_FOUND", "there is no run to signal");
  return fault("VALIDATION_FAILED", `the order of a task of type ${task_type} does not say what to do`);
}

const chart = setup({
  types: {} as { input: Input; context: Context; events: In; emitted: Out },
  delays: { signalAck: signalAckMs },
  guards: {
    hasProblem: ({ context }) => context.problem !== undefined,
    isResumed: ({ context }) => isResumption(context.order),
    isWait: ({ context: { order } }) =>
      order.payload.context.task_type === "wait" && order.payload.context.wait !== undefined,
    isSignal: ({ context }) =>
      context.order.payload.context.task_type === "signal" &&
      context.order.payload.context.signal !== undefined &&
      targetOf(context) !== undefined,
    isCall: ({ context }) => context.call?.kind === context.order.payload.context.task_type,
    callSucceeded: ({ event }) => event.type === "cue:CallEnded" && event.status === "SUCCESS",
    isOtherCall: ({ context, event }) => event.type === "cue:CallEnded" && event.exec_id !== context.callId,
    // An order without its resumption is another one, as is that of another attempt: each has a life of its own.
    isOtherOrder: ({ context, event }) =>
      event.type === "command:TaskExecute" &&
      (event.payload.context.attempt !== attemptOf(context) || isResumption(event) !== isResumption(context.order)),
    isOld: ({ context, event }) =>
      event.type === "command:TaskCancel" && (event.payload.context.attempt ?? Infinity) < attemptOf(context),
    isGivenUp: ({ context }) => context.cancel.cause === "timed_out" || context.cancel.cause === "caller_lost",
    accepted: ({ event }) => event.type === "result:CommandAck" && event.payload.status === "ACKNOWLEDGED",
  },
  actions: {
    noteProblem: assign(({ context }) => ({ result: problemOf(context) })),
    noteResume: assign(({ context }) => ({ result: { output: asData(context.order.payload.context.resume_data) } })),
    noteCall: assign(({ context }) => ({ callId: context.call?.exec_id ?? idAfter(context.seed, 1) })),
    noteCallEnd: assign(({ event }) => (event.type === "cue:CallEnded" ? { result: event.result } : {})),
    noteDelivered: assign({ result: { output: { delivered: true } } }),
    noteRefused: assign(({ event }) => {
      const error = event.type === "result:CommandAck" ? event.payload.result?.error : undefined;
      return error ? { result: undelivered(error.code, error.message) } : {};
    }),
    noteNoAck: assign({ result: undelivered("COMMAND_TIMEOUT", "nobody acknowledged the signal in time") }),
    noteNobody: assign({ result: undelivered("NO_RESPONDER", "nobody takes signals") }),
    noteCancel: assign(({ event }) =>
      event.type === "command:TaskCancel"
        ? { cancel: { cause: event.payload.context.cause, reason: event.payload.context.reason } }
        : {},
    ),

    acknowledge: emit(({ context }) => accept(context.order)),
    acknowledgeAgain: emit(({ event }) => accept(event, { duplicate: true })),
    sayStarted: emit(({ context }) => ({
      type: "event:TaskExecutionStarted",
      ...about(context),
      payload: { status: "RUNNING", result: null, context: { attempt: attemptOf(context) } },
    })),
    call: emit(({ context: { call, callId } }) =>
      call ? { type: "cue:Call", kind: call.kind, id: call.id, exec_id: callId } : silence,
    ),
    endCall: emit(({ context }) => ({ type: "cue:EndCall", exec_id: context.callId, ...context.cancel })),
    sendSignal: emit(({ context }) => {
      const { signal } = context.order.payload.context;
      const exec_id = targetOf(context);
      if (!signal || exec_id === undefined) return silence;
      return { type: "command:WorkflowSignal", workflow: { exec_id }, payload: { context: { signal } } };
    }),
    sayWaiting: emit(({ context }) => {
      const { attempt, timeout_config, wait } = context.order.payload.context;
      if (!wait) return silence;
      return {
        type: "event:TaskWaitingStarted",
        ...about(context),
        payload: {
          status: "WAITING",
          result: null,
          context: { attempt, reason: reasonOf(wait), timeout_config, wait },
        },
      };
    }),
    sayCompleted: emit(({ context, event }) => ({
      type: "event:TaskExecutionSuccess",
      ...about(context),
      payload: {
        status: "SUCCESS",
        duration_ms: lasted(context.startedAt, event),
        result: "output" in context.result ? context.result : { output: {} },
        context: { attempt: attemptOf(context) },
      },
    })),
    sayFailed: emit(({ context, event }) => ({
      type: "event:TaskExecutionFailed",
      ...about(context),
      payload: {
        status: "FAILED",
        duration_ms: lasted(context.startedAt, event),
        result: "error" in context.result ? context.result : fault("INTERNAL_ERROR", "failed without an error"),
        context: { attempt: attemptOf(context), retry_policy: context.order.payload.context.retry_policy },
      },
    })),
    sayCanceled: emit(({ context }) => ({
      type: "event:TaskExecutionCanceled",
      ...about(context),
      payload: {
        status: "CANCELED",
        result: null,
        context: { attempt: attemptOf(context), reason: context.cancel.reason },
      },
    })),
  },
});

function reasonOf(wait: Wait): string {
  if ("signal" in wait) return `signal ${wait.signal}`;
  if ("until" in wait) return `until ${wait.until} ms since 1970`;
  return "approval" in wait ? wait.approval : `${wait.duration_ms} ms`;
}

/** A doubled order is answered in every state. */
const again = {
  "command:TaskExecute": [
    { guard: "isOtherOrder", description: "not mine" },
    { actions: "acknowledgeAgain", description: "duplicate" },
  ],
} as const;

const old = { guard: "isOld", description: "late" } as const;

export const taskAttempt = chart.createMachine({
  id: "taskAttempt",
  version: "1",
  options: { maxIterations: 100 },
  meta: { entity: "task", home: "task.Executor" },
  context: ({ input: { at, ...input } }) => ({
    ...input,
    startedAt: at,
    result: { output: {} },
    cancel: { cause: "requested", reason: "" },
    callId: "",
  }),

  initial: "taken",
  states: {
    taken: {
      entry: "acknowledge",
      always: [{ guard: "isResumed", target: "resumed" }, { target: "begun" }],
    },
    resumed: {
      entry: "noteResume",
      always: "completed",
    },
    begun: {
      entry: "sayStarted",
      always: [
        { guard: "hasProblem", target: "failed", actions: "noteProblem" },
        { guard: "isWait", target: "waiting" },
        { guard: "isSignal", target: "signaling" },
        { guard: "isCall", target: "calling", actions: "noteCall" },
        { target: "failed", actions: "noteProblem" },
      ],
    },
    calling: {
      // The call's own chart has the timeout; it always ends.
      tags: "waiting",
      meta: { status: "RUNNING" },
      entry: "call",
      on: {
        ...again,
        "command:TaskCancel": [old, { target: "canceling", actions: "noteCancel" }],
        "cue:CallEnded": [
          { guard: "isOtherCall", description: "not mine" },
          { guard: "callSucceeded", target: "completed", actions: "noteCallEnd" },
          { target: "failed", actions: "noteCallEnd" },
        ],
        ...ignoring("not mine", "cue:NoResponder", "result:CommandAck"),
      },
    },
    signaling: {
      meta: { status: "RUNNING" },
      entry: "sendSignal",
      on: {
        ...again,
        "result:CommandAck": [
          { guard: "accepted", target: "completed", actions: "noteDelivered" },
          { target: "failed", actions: "noteRefused" },
        ],
        "cue:NoResponder": { target: "failed", actions: "noteNobody" },
        "command:TaskCancel": [old, { target: "closing", actions: "noteCancel" }],
        ...ignoring("not mine", "cue:CallEnded"),
      },
      after: { signalAck: { target: "failed", actions: "noteNoAck" } },
    },
    canceling: {
      // The call's own chart has the grace; it always ends.
      tags: "waiting",
      meta: { status: "RUNNING" },
      entry: "endCall",
      on: {
        ...again,
        "cue:CallEnded": [{ guard: "isOtherCall", description: "not mine" }, { target: "closing" }],
        ...ignoring("duplicate", "command:TaskCancel"),
        ...ignoring("not mine", "cue:NoResponder", "result:CommandAck"),
      },
    },
    closing: {
      always: [{ guard: "isGivenUp", target: "dismissed" }, { target: "canceled" }],
    },

    completed: { meta: { status: "SUCCESS" }, type: "final", entry: "sayCompleted" },
    failed: { meta: { status: "FAILED" }, type: "final", entry: "sayFailed" },
    waiting: { meta: { status: "WAITING" }, type: "final", entry: "sayWaiting" },
    canceled: { meta: { status: "CANCELED" }, type: "final", entry: "sayCanceled" },
    dismissed: { meta: { status: "TIMED_OUT" }, type: "final" },
  },
});
