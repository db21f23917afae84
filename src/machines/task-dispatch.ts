// One order of a task attempt, in the task dispatcher: hold it back, hand it to an executor, ask again, let go.
//
//   received ─┬─ a retry ──▶ holding ──delay over──┐
//             └─ anything else ────────────────────┴▶ handing
//   handing: assigning ──busy, nobody──▶ waiting ──a second──▶ assigning
//      ├─ acknowledged, or the executor speaks ─▶ assigned     it has an executor
//      ├─ silence ──────────────────────────────▶ assumed      it may have one: it is never sent again
//      ├─ refused ──────────────────────────────▶ dropped      the task's own start timeout decides
//      └─ start timeout ────────────────────────▶ expired      the task reports it, nobody hears of it here
//   anywhere: the task was canceled, or ran over its time ─▶ revoked
//
// The start timeout runs from when the order is first handed out, as the task's own does. This one was set by what the
// task said, so it is never the earlier of the two.
//
// Invariants:
//   H1. The order leaves once each time it is asked, and is asked again only after nobody, or a busy one, answered.
//   H2. Nothing leaves once an executor has it or may have it, once it was refused, or once the task has ended.
//   H3. The delay of a retry is held to the millisecond, as is the pause between two asks; without a delay it leaves
//       at once.
//   H4. What leaves is what was scheduled, each time the same.
//   H5. Nothing leaves once the start timeout is over, by the clock and not by the timer; it always ends.
//   H6. Words of an earlier attempt or another task change nothing. What resumes a wait has started long ago: it is
//       not over because that is told again.

import { assign, emit, setup } from "xstate";
import type { Message } from "../protocol/catalogue.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import { type Hears, ignoring, type Says } from "./speech.ts";
import type { Stamp } from "./step.ts";

/** How long an executor may take to acknowledge. */
const ackTimeoutMs = 5_000;
/** How long to wait before an order that nobody could take is handed out again. */
const askAgainMs = 1_000;

type Order = Message<"command:TaskExecute">;
type Scheduled = Message<"event:TaskScheduled" | "event:TaskRetryScheduled" | "event:TaskWaitingEnded">;

type Input = Stamp & {
  /** What the task said. Of a worker task: the others have no executor. */
  scheduled: Scheduled;
  startTimeoutMs: number;
};

type Context = {
  order: Order;
  delayMs: number;
  startTimeoutMs: number;
  /** When it was handed out first. */
  handedAt: number;
};

type In = Hears<
  | "result:CommandAck"
  | "cue:NoResponder"
  | "event:TaskExecutionStarted"
  | "event:TaskExecutionSuccess"
  | "event:TaskExecutionFailed"
  | "event:TaskExecutionCanceled"
  | "event:TaskExecutionTimedOut"
>;
type Out = Says<"command:TaskExecute">;

/** All that the executor needs is in what was scheduled; how it came to that is not its business. */
function orderOf({ workflow, task, payload }: Scheduled): Order {
  const {
    delay_ms: _delay,
    original_error: _error,
    ...context
  } = payload.context as Partial<Message<"event:TaskRetryScheduled">["payload"]["context"]>;
  return {
    type: "command:TaskExecute",
    ...(workflow && { workflow }),
    task,
    payload: {
      reply_to_subject: `results.task.${task.exec_id}`,
      context: context as Order["payload"]["context"],
    },
  };
}

const attemptOf = ({ order }: Context): number => order.payload.context.attempt;

const errorCodeIn = (event: In): ErrorCode | undefined =>
  event.type === "result:CommandAck" ? event.payload.result?.error.code : undefined;

/** Of another task, or of an attempt that is over. An acknowledgment may leave out the attempt. */
function isOther(context: Context, event: In): boolean {
  if (event.type === "cue:NoResponder") return false;
  const { exec_id } = context.order.task;
  return event.task?.exec_id !== exec_id || (event.payload.context.attempt ?? Infinity) < attemptOf(context);
}

const chart = setup({
  types: {} as { input: Input; context: Context; events: In; emitted: Out },
  delays: {
    holdBack: ({ context }) => context.delayMs,
    startTimeout: ({ context }) => context.startTimeoutMs,
    ackTimeout: ackTimeoutMs,
    askAgain: askAgainMs,
  },
  guards: {
    hasDelay: ({ context }) => context.delayMs > 0,
    isResumed: ({ context }) => context.order.payload.context.resume_data !== undefined,
    isOther: ({ context, event }) => isOther(context, event),
    accepted: ({ event }) => event.type === "result:CommandAck" && event.payload.status === "ACKNOWLEDGED",
    isBusy: ({ event }) => errorCodeIn(event) === "EXECUTOR_BUSY",
    isTooLate: ({ context, event }) => event.at >= context.handedAt + context.startTimeoutMs,
  },
  actions: {
    noteHanded: assign(({ event }) => ({ handedAt: event.at })),
    sendOrder: emit(({ context }) => context.order),
  },
});

const other = { guard: "isOther", description: "not mine" } as const;
const revoked = [other, { target: "#taskDispatch.revoked" }] as const;
const assigned = [other, { target: "#taskDispatch.assigned" }] as const;

/** What the executor says, or whoever ended the task, makes every further word to an executor needless. */
const overtaken = {
  "event:TaskExecutionStarted": [
    other,
    { guard: "isResumed", description: "late" },
    { target: "#taskDispatch.assigned" },
  ],
  "event:TaskExecutionSuccess": assigned,
  "event:TaskExecutionFailed": assigned,
  "event:TaskExecutionCanceled": revoked,
  "event:TaskExecutionTimedOut": revoked,
} as const;

export const taskDispatch = chart.createMachine({
  id: "taskDispatch",
  version: "1",
  options: { maxIterations: 100 },
  meta: { entity: "task", home: "task.Dispatcher" },
  context: ({ input: { at, scheduled, startTimeoutMs } }) => ({
    order: orderOf(scheduled),
    delayMs: scheduled.type === "event:TaskRetryScheduled" ? scheduled.payload.context.delay_ms : 0,
    startTimeoutMs,
    handedAt: at,
  }),

  initial: "received",
  states: {
    received: {
      always: [{ guard: "hasDelay", target: "holding" }, { target: "handing" }],
    },
    holding: {
      meta: { status: "PENDING" },
      on: { ...overtaken, ...ignoring("early", "result:CommandAck", "cue:NoResponder") },
      after: { holdBack: "handing" },
    },
    handing: {
      entry: "noteHanded",
      initial: "assigning",
      on: overtaken,
      after: { startTimeout: "expired" },
      states: {
        assigning: {
          meta: { status: "PENDING" },
          entry: "sendOrder",
          on: {
            "result:CommandAck": [
              other,
              { guard: "accepted", target: "#taskDispatch.assigned" },
              { guard: "isBusy", target: "waiting" },
              { target: "#taskDispatch.dropped" },
            ],
            "cue:NoResponder": "waiting",
          },
          after: { ackTimeout: "#taskDispatch.assumed" },
        },
        waiting: {
          meta: { status: "PENDING" },
          on: {
            "result:CommandAck": [
              other,
              { guard: "accepted", target: "#taskDispatch.assigned" },
              { description: "duplicate" },
            ],
            ...ignoring("duplicate", "cue:NoResponder"),
          },
          after: { askAgain: [{ guard: "isTooLate", target: "#taskDispatch.expired" }, { target: "assigning" }] },
        },
      },
    },

    assigned: { meta: { status: "RUNNING" }, type: "final" },
    assumed: { meta: { status: "PENDING" }, type: "final" },
    dropped: { meta: { status: "PENDING" }, type: "final" },
    expired: { meta: { status: "PENDING" }, type: "final" },
    revoked: { meta: { status: "-" }, type: "final" },
  },
});
