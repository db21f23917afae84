// One tool execution, as its caller (task executor or agent runtime) sees it: order, wait, report once.
//
//   ordered ──started──▶ running              either one ──cancel──▶ canceling ──reply, or grace──▶ canceled
//       ├────────────reply─────┼──▶ completed · failed      the tool spoke, for good or ill
//       ├───────────timeout────┴──▶ timedOut                nobody spoke
//       └────────no responder─────▶ unreachable             nobody listens
//
// Invariants:
//   X1. ToolExecute leaves once, first.
//   X2. One terminal event and one CallEnded leave, whatever arrives, in any order, any number of times.
//   X3. A reply that overtakes Started counts; a reply after the end does not.
//   X4. A canceled call ends as CANCELED within the grace, also when the tool never answers.
//   X5. A timeout is reported first, then the tool is told to stop.
//   X6. Its time runs from the order on: to have started earns no more of it.

import { assign, emit, setup } from "xstate";
import { awaitsReply, type CallContext, cancelGraceMs, type CallInput, errorOf, openCall, timeoutOf } from "./call.ts";
import { fault } from "./cues.ts";
import { type Hears, ignoring, lasted, outcomeOf, type Says } from "./speech.ts";

type In = Hears<"event:ToolExecutionStarted" | "result:ToolExecutionResult" | "cue:NoResponder" | "cue:EndCall">;
type Out = Says<
  | "command:ToolExecute"
  | "command:ToolCancel"
  | "event:ToolExecutionSuccess"
  | "event:ToolExecutionFailed"
  | "event:ToolExecutionCanceled"
  | "cue:CallEnded"
>;

/** The text is part of the protocol: people match on it. */
const timeoutMessage = "NATS request timed out waiting for ToolExecutionResult";

const about = ({ parents, callee }: CallContext) => ({ ...parents, tool: callee });

const chart = setup({
  types: {} as { input: CallInput; context: CallContext; events: In; emitted: Out },
  delays: { invocationTimeout: ({ context }) => context.timeoutMs, cancelGrace: cancelGraceMs },
  guards: {
    succeeded: ({ event }) => event.type === "result:ToolExecutionResult" && event.payload.status === "SUCCESS",
    willNotReply: ({ context }) => !awaitsReply(context),
  },
  actions: {
    keepReply: assign(({ event }) =>
      event.type === "result:ToolExecutionResult" ? { reply: outcomeOf(event.payload.result) } : {},
    ),
    keepCancel: assign(({ event }) =>
      event.type === "cue:EndCall" ? { cancel: { cause: event.cause, reason: event.reason } } : {},
    ),
    noteNoResponder: assign({
      reply: fault("TOOL_DISPATCH_FAILED", "no tool executor answers", { reason: "no_responders" }),
    }),
    noteTimeout: assign({ reply: fault("TOOL_INVOCATION_TIMEOUT", timeoutMessage) }),
    noteCancel: assign(({ context }) => ({ reply: fault("TOOL_CANCELED", context.cancel.reason || "canceled") })),

    order: emit(({ context }) => ({
      type: "command:ToolExecute",
      ...about(context),
      payload: {
        context: {
          ...context.context,
          attempt: context.attempt,
          input: context.input,
          timeout_config: timeoutOf(context),
        },
      },
    })),
    tellToStop: emit(({ context }) => ({
      type: "command:ToolCancel",
      ...about(context),
      payload: { context: { attempt: context.attempt, ...context.cancel } },
    })),
    tellToStopLate: emit(({ context }) => ({
      type: "command:ToolCancel",
      ...about(context),
      payload: { context: { attempt: context.attempt, cause: "timed_out", reason: timeoutMessage } },
    })),
    sayCompleted: emit(({ context, event }) => ({
      type: "event:ToolExecutionSuccess",
      ...about(context),
      payload: {
        status: "SUCCESS",
        duration_ms: lasted(context.startedAt, event),
        result: "error" in context.reply ? { output: {} } : context.reply,
        context: { attempt: context.attempt },
      },
    })),
    sayFailed: emit(({ context, event }) => ({
      type: "event:ToolExecutionFailed",
      ...about(context),
      payload: {
        status: "FAILED",
        duration_ms: lasted(context.startedAt, event),
        result: "error" in context.reply ? context.reply : fault("INTERNAL_ERROR", "failed without an error"),
        context: { attempt: context.attempt },
      },
    })),
    sayCanceled: emit(({ context }) => ({
      type: "event:ToolExecutionCanceled",
      ...about(context),
      payload: {
        status: "CANCELED",
        result: null,
        context: { attempt: context.attempt, reason: errorOf(context.reply)?.message ?? "" },
      },
    })),
    reportEnd: emit(({ context }, { status }: { status: "SUCCESS" | "FAILED" | "CANCELED" }) => ({
      type: "cue:CallEnded",
      exec_id: context.callee.exec_id,
      status,
      result: context.reply,
    })),
  },
});

const ended = (status: "SUCCESS" | "FAILED" | "CANCELED") => ({ type: "reportEnd", params: { status } }) as const;

export const toolExecution = chart.createMachine({
  id: "toolExecution",
  version: "1",
  options: { maxIterations: 100 },
  meta: { entity: "tool", home: "task.Executor, agent.Runtime" },
  context: ({ input }) => openCall(input),

  // A transition moves; a state speaks. Every message below leaves on entry.
  initial: "open",
  states: {
    // One timer for both: a callee that says late that it started has no more time than one that does not say so.
    open: {
      initial: "ordered",
      on: {
        "result:ToolExecutionResult": [
          { guard: "succeeded", target: "completed", actions: "keepReply" },
          { target: "failed", actions: "keepReply" },
        ],
        "cue:EndCall": { target: "canceling", actions: "keepCancel" },
      },
      after: { invocationTimeout: { target: "timedOut", actions: "noteTimeout" } },
      states: {
        ordered: {
          meta: { status: "-" },
          entry: "order",
          on: {
            "event:ToolExecutionStarted": "running",
            "cue:NoResponder": { target: "#toolExecution.unreachable", actions: "noteNoResponder" },
          },
        },
        running: {
          meta: { status: "RUNNING" },
          on: { ...ignoring("duplicate", "event:ToolExecutionStarted"), ...ignoring("late", "cue:NoResponder") },
        },
      },
    },
    canceling: {
      meta: { status: "RUNNING" },
      entry: "tellToStop",
      always: { guard: "willNotReply", target: "canceled" },
      on: {
        "result:ToolExecutionResult": "canceled",
        "cue:NoResponder": "canceled",
        ...ignoring("late", "event:ToolExecutionStarted"),
        ...ignoring("duplicate", "cue:EndCall"),
      },
      after: { cancelGrace: "canceled" },
    },

    completed: { meta: { status: "SUCCESS" }, type: "final", entry: ["sayCompleted", ended("SUCCESS")] },
    failed: { meta: { status: "FAILED" }, type: "final", entry: ["sayFailed", ended("FAILED")] },
    unreachable: { meta: { status: "FAILED" }, type: "final", entry: ["sayFailed", ended("FAILED")] },
    timedOut: { meta: { status: "FAILED" }, type: "final", entry: ["sayFailed", "tellToStopLate", ended("FAILED")] },
    canceled: { meta: { status: "CANCELED" }, type: "final", entry: ["noteCancel", "sayCanceled", ended("CANCELED")] },
  },
});
