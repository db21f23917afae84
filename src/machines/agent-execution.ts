// One agent execution, as its caller sees it: trigger, wait, report once.
//
//   triggered ──started──▶ running            either one ──cancel──▶ canceling ──reply, or grace──▶ canceled
//       ├─────────────reply──────┼──▶ completed · erred · failed · canceled     the agent, or its dispatcher, spoke
//       ├────────────timeout─────┴──▶ timedOut                                  nobody spoke
//       └─────────no responder──────▶ unreachable                               nobody listens
//
// Invariants:
//   A1. TriggerAgent leaves once, first.
//   A2. One terminal event and one CallEnded leave, whatever arrives, in any order, any number of times.
//   A3. A reply that overtakes Started counts; a reply after the end does not.
//   A4. A canceled call ends as CANCELED within the grace, also when the agent never answers.
//   A5. A timeout is reported first, then the agent is told to stop.
//   A6. Its time runs from the order on: to have started earns no more of it.

import { assign, emit, setup } from "xstate";
import { awaitsReply, type CallContext, cancelGraceMs, type CallInput, errorOf, openCall, timeoutOf } from "./call.ts";
import { fault } from "./cues.ts";
import { type Hears, ignoring, lasted, outcomeOf, type Says } from "./speech.ts";

type In = Hears<"event:AgentExecutionStarted" | "result:AgentExecutionResult" | "cue:NoResponder" | "cue:EndCall">;
type Out = Says<
  | "command:TriggerAgent"
  | "command:AgentCancel"
  | "event:AgentExecutionResult"
  | "event:AgentExecutionFailed"
  | "event:AgentExecutionCanceled"
  | "cue:CallEnded"
>;

/** The text is part of the protocol: people match on it. */
const timeoutMessage = "NATS request timed out waiting for AgentExecutionResult";

const about = ({ parents, callee }: CallContext) => ({ ...parents, agent: callee });

const chart = setup({
  types: {} as { input: CallInput; context: CallContext; events: In; emitted: Out },
  delays: { invocationTimeout: ({ context }) => context.timeoutMs, cancelGrace: cancelGraceMs },
  guards: {
    succeeded: ({ event }) => event.type === "result:AgentExecutionResult" && event.payload.status === "SUCCESS",
    erred: ({ event }) => event.type === "result:AgentExecutionResult" && event.payload.status === "AGENT_ERROR",
    canceledElsewhere: ({ event }) =>
      event.type === "result:AgentExecutionResult" && event.payload.result.error?.code === "AGENT_CANCELED",
    willNotReply: ({ context }) => !awaitsReply(context),
  },
  actions: {
    keepReply: assign(({ event }) =>
      event.type === "result:AgentExecutionResult" ? { reply: outcomeOf(event.payload.result) } : {},
    ),
    keepCancel: assign(({ event }) =>
      event.type === "cue:EndCall" ? { cancel: { cause: event.cause, reason: event.reason } } : {},
    ),
    noteNoResponder: assign({
      reply: fault("AGENT_DISPATCH_FAILED", "no agent dispatcher answers", { reason: "no_responders" }),
    }),
    noteTimeout: assign({ reply: fault("AGENT_INVOCATION_TIMEOUT", timeoutMessage) }),
    noteCancel: assign(({ context }) => ({
      reply: fault("AGENT_CANCELED", context.cancel.reason || errorOf(context.reply)?.message || "canceled"),
    })),

    trigger: emit(({ context }) => ({
      type: "command:TriggerAgent",
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
      type: "command:AgentCancel",
      ...about(context),
      payload: { context: { attempt: context.attempt, ...context.cancel, canceled_by: "task.Executor" } },
    })),
    tellToStopLate: emit(({ context }) => ({
      type: "command:AgentCancel",
      ...about(context),
      payload: {
        context: {
          attempt: context.attempt,
          cause: "timed_out",
          reason: timeoutMessage,
          canceled_by: "task.Executor",
        },
      },
    })),
    sayCompleted: emit(({ context, event }) => ({
      type: "event:AgentExecutionResult",
      ...about(context),
      payload: {
        status: "error" in context.reply ? "FAILED" : "SUCCESS",
        agent_execution_status: "error" in context.reply ? "AGENT_ERROR" : "SUCCESS",
        duration_ms: lasted(context.startedAt, event),
        result: context.reply,
        context: { attempt: context.attempt },
      },
    })),
    sayFailed: emit(({ context, event }) => ({
      type: "event:AgentExecutionFailed",
      ...about(context),
      payload: {
        status: "FAILED",
        duration_ms: lasted(context.startedAt, event),
        result: "error" in context.reply ? context.reply : fault("INTERNAL_ERROR", "failed without an error"),
        context: { attempt: context.attempt },
      },
    })),
    sayCanceled: emit(({ context }) => ({
      type: "event:AgentExecutionCanceled",
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

export const agentExecution = chart.createMachine({
  id: "agentExecution",
  version: "1",
  options: { maxIterations: 100 },
  meta: { entity: "agent", home: "task.Executor" },
  context: ({ input }) => openCall(input),

  // A transition moves; a state speaks. Every message below leaves on entry.
  initial: "open",
  states: {
    // One timer for both: a callee that says late that it started has no more time than one that does not say so.
    open: {
      initial: "triggered",
      on: {
        "result:AgentExecutionResult": [
          { guard: "succeeded", target: "completed", actions: "keepReply" },
          { guard: "erred", target: "erred", actions: "keepReply" },
          { guard: "canceledElsewhere", target: "canceled", actions: "keepReply" },
          { target: "failed", actions: "keepReply" },
        ],
        "cue:EndCall": { target: "canceling", actions: "keepCancel" },
      },
      after: { invocationTimeout: { target: "timedOut", actions: "noteTimeout" } },
      states: {
        triggered: {
          meta: { status: "-" },
          entry: "trigger",
          on: {
            "event:AgentExecutionStarted": "running",
            "cue:NoResponder": { target: "#agentExecution.unreachable", actions: "noteNoResponder" },
          },
        },
        running: {
          meta: { status: "RUNNING" },
          on: { ...ignoring("duplicate", "event:AgentExecutionStarted"), ...ignoring("late", "cue:NoResponder") },
        },
      },
    },
    canceling: {
      meta: { status: "RUNNING" },
      entry: "tellToStop",
      always: { guard: "willNotReply", target: "canceled" },
      on: {
        "result:AgentExecutionResult": "canceled",
        "cue:NoResponder": "canceled",
        ...ignoring("late", "event:AgentExecutionStarted"),
        ...ignoring("duplicate", "cue:EndCall"),
      },
      after: { cancelGrace: "canceled" },
    },

    completed: { meta: { status: "SUCCESS" }, type: "final", entry: ["sayCompleted", ended("SUCCESS")] },
    erred: { meta: { status: "FAILED" }, type: "final", entry: ["sayCompleted", ended("FAILED")] },
    failed: { meta: { status: "FAILED" }, type: "final", entry: ["sayFailed", ended("FAILED")] },
    unreachable: { meta: { status: "FAILED" }, type: "final", entry: ["sayFailed", ended("FAILED")] },
    timedOut: { meta: { status: "FAILED" }, type: "final", entry: ["sayFailed", "tellToStopLate", ended("FAILED")] },
    canceled: { meta: { status: "CANCELED" }, type: "final", entry: ["noteCancel", "sayCanceled", ended("CANCELED")] },
  },
});
