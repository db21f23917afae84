// One run of an agent's or tool's handler, in the agent runtime or the tool executor: begin, perform, answer once.
//
//   ordered ─┬─ an agent that cannot be taken ──▶ refused     the acknowledgment says why
//            ├─ a tool that cannot be run ──────▶ unfit       the answer says why
//            ├─ a tool with limits ─▶ queued ─room─▶ running     a cancel ends it at once: nothing runs yet
//            └─ running ──returned──▶ succeeded
//                  ├──threw, or returned nothing──▶ failed
//                  └──cancel──▶ canceling ──settled, or 4 s──▶ canceled · dismissed (given up: nothing is said)
//
// A caller in another process may be gone, or its cancel lost: 10 s after its timeout its run is given up.
// Whether a canceled handler has settled stands in `confirmed` at the end: if not, it may still be running.
// A second cancel aborts nothing anew, but a caller that gives the run up only then is not answered any more.
//
// Invariants:
//   B1. The order of an agent is acknowledged once, first, and as a duplicate when it comes again, which does nothing.
//       The order of a tool never is: its answer is the result.
//   B2. One answer leaves and ends the run, and none if the agent was refused.
//   B3. Who gave the run up is not answered.
//   B4. The handler is begun once, right after Started, and not at all if there is a problem.
//   B5. It is told to stop once: by the first cancel, or because a caller elsewhere must have given it up.
//   B6. Each cancel of an agent is acknowledged once, at once; that of a tool never is.
//   B7. A canceled run ends when its handler does, or after 4 s, and its answer tells which of the two.
//   B8. An agent that has not said what it thinks is said to be thinking before its own answer, and a tool never is.
//   B9. Words about another execution change nothing.
//   B10. Who waits for room asks for it once, first, and begins when it is told that there is some.
//   B11. No handler for a caller elsewhere is at work for longer than its timeout, 10 s and the 4 s.

import { assign, emit, setup } from "xstate";
import type { Message } from "../protocol/catalogue.ts";
import type { WireError } from "../protocol/errors.ts";
import type { Cause } from "../protocol/fields.ts";
import { fault } from "./cues.ts";
import { type Hears, ignoring, lasted, type Outcome, type Says } from "./speech.ts";
import { silence, type Stamp } from "./step.ts";

/** How long a handler that is told to stop may take: its caller waits a second longer. */
const abortGraceMs = 4_000;
/** How much later than its own timeout the cancel of a caller elsewhere may come. */
const cancelWayMs = 10_000;

type AgentOrder = Message<"command:AgentRuntimeExecute">;
type Order = AgentOrder | Message<"command:ToolExecute">;

type Input = Stamp & {
  order: Order;
  /** The runtime that runs it, if it is an agent. */
  runtime?: { id: string; exec_id: string };
  /** Why it cannot be run: no such agent or tool, no free slot, a bad input. */
  problem?: WireError;
  /** It is a tool whose limits say when it may begin. */
  waits?: true;
  /** Whoever ordered it is in another process. */
  isRemote?: boolean;
};

type Context = Omit<Input, keyof Stamp> & {
  cancel: { cause: Cause; reason: string };
  /** When it was canceled first. */
  canceledAt: number | null;
  /** Whether the handler has settled after a cancel. */
  confirmed: boolean;
};

type Settled = Hears<"cue:Returned" | "cue:Threw">;
type Cancel = Hears<"command:AgentRuntimeCancel" | "command:ToolCancel">;
type Room = Hears<"cue:RoomGranted">;
type In = Settled | Cancel | Room | Hears<"command:AgentRuntimeExecute" | "command:ToolExecute">;
type Answer = Says<"result:AgentExecutionResult" | "result:ToolExecutionResult">;
type Out =
  | Answer
  | Says<
      | "result:CommandAck"
      | "event:AgentExecutionStarted"
      | "event:ToolExecutionStarted"
      | "progress:AgentThinking"
      | "cue:RoomWanted"
      | "cue:Perform"
      | "cue:Abort"
    >;

const isAgent = (order: Order): order is AgentOrder => order.type === "command:AgentRuntimeExecute";
const calleeOf = (order: Order) => (isAgent(order) ? order.agent : order.tool);
const isSettled = (event: { type: string }): event is Settled =>
  event.type === "cue:Returned" || event.type === "cue:Threw";
/** In its own process a cancel cannot be lost. */
function deadlineMs({ isRemote, order }: Context): number {
  const timeoutMs = order.payload.context.timeout_config.timeout_duration_ms;
  return isRemote === true && timeoutMs > 0 ? timeoutMs + cancelWayMs : Infinity;
}
const isGivenUp = (cause: Cause): boolean => cause === "timed_out" || cause === "caller_lost";

const parentsOf = ({ workflow, task }: Order) => ({ ...(workflow && { workflow }), ...(task && { task }) });

function execIdIn(event: Exclude<In, Room>): string {
  if (isSettled(event)) return event.exec_id;
  return event.type === "command:ToolExecute" || event.type === "command:ToolCancel"
    ? event.tool.exec_id
    : event.agent.exec_id;
}

type Extra = { duplicate?: true; no_change?: true };

/**
 * Both commands to a runtime are requests: their way back is the reply field of the transport, unseen here, but a
 * cancel may name another. The reply subject of an order is for its result.
 */
function acknowledgment({ order, runtime, problem }: Context, extra: Extra = {}, to?: string) {
  if (!isAgent(order)) return silence;
  const { agent, agent_runtime, payload } = order;
  const context = { attempt: payload.context.attempt, ...extra };
  return {
    type: "result:CommandAck" as const,
    agent_runtime: runtime ?? agent_runtime,
    agent,
    ...(to !== undefined && { to }),
    payload: problem
      ? { status: "ERROR" as const, result: { error: problem }, context }
      : { status: "ACKNOWLEDGED" as const, result: null, context },
  };
}

const replyTo = (event: In): string | undefined =>
  event.type === "command:AgentRuntimeCancel" ? event.payload.reply_to_subject : undefined;

/** `ERRED`: the callee's own logic failed, which each kind of callee has its own word for. */
function answer({ order }: Context, status: "SUCCESS" | "ERRED" | "FAILURE" | "ERROR", result: Outcome): Answer {
  const { reply_to_subject: to, context } = order.payload;
  const rest = { result, context: { attempt: context.attempt } };
  const way = { ...parentsOf(order), ...(to !== undefined && { to }) };
  if (isAgent(order)) {
    const payload = { status: status === "ERRED" ? ("AGENT_ERROR" as const) : status, ...rest };
    return { type: "result:AgentExecutionResult", ...way, agent: order.agent, payload };
  }
  const { agent, tool } = order;
  const payload = { status: status === "ERRED" ? ("TOOL_ERROR" as const) : status, ...rest };
  return { type: "result:ToolExecutionResult", ...way, ...(agent && { agent }), tool, payload };
}

/** A code of the handler's own goes into the details: to whoever called, its logic failed, whatever it was. */
function answerFailure(context: Context, event: In): Answer {
  const { order } = context;
  const own = isAgent(order) ? "AGENT_ERROR" : "TOOL_ERROR";
  if (event.type !== "cue:Threw") {
    return answer(context, "ERRED", fault(own, "the agent returned nothing", { cause_code: "EMPTY_RESULT" }));
  }
  const { message, code, details = {} } = event.error;
  if (code === "TOOL_OUTPUT_INVALID" && !isAgent(order))
    return answer(context, "FAILURE", fault(code, message, details));
  const cause = code === undefined || code === own ? {} : { cause_code: code };
  return answer(context, "ERRED", fault(own, message, { ...details, ...cause }));
}

const chart = setup({
  types: {} as { input: Input; context: Context; events: In; emitted: Out },
  delays: { abortGrace: abortGraceMs, deadline: ({ context }) => deadlineMs(context) },
  guards: {
    isRefused: ({ context }) => context.problem !== undefined && isAgent(context.order),
    isUnfit: ({ context }) => context.problem !== undefined,
    isOther: ({ context, event }) =>
      event.type !== "cue:RoomGranted" && execIdIn(event) !== calleeOf(context.order).exec_id,
    waits: ({ context }) => context.waits === true,
    hasNoPlace: ({ event }) => event.type === "cue:RoomGranted" && event.problem !== undefined,
    isEmpty: ({ context, event }) =>
      event.type === "cue:Returned" && isAgent(context.order) && Object.keys(event.output).length === 0,
    isGivenUp: ({ context }) => isGivenUp(context.cancel.cause),
  },
  actions: {
    // Once given up is given up: a later cancel with another cause brings no caller back.
    noteCancel: assign(({ context, event }) => {
      if (event.type !== "command:AgentRuntimeCancel" && event.type !== "command:ToolCancel") return {};
      const { cause, reason } = event.payload.context;
      const cancel = isGivenUp(context.cancel.cause) ? context.cancel : { cause, reason };
      return { cancel, canceledAt: context.canceledAt ?? event.at };
    }),
    noteLost: assign(({ event }) => ({
      cancel: { cause: "caller_lost" as const, reason: "its time is over, and its caller was not heard of" },
      canceledAt: event.at,
    })),
    noteConfirmed: assign({ confirmed: true }),
    noteProblem: assign(({ event }) =>
      event.type === "cue:RoomGranted" && event.problem ? { problem: event.problem } : {},
    ),
    wantRoom: emit({ type: "cue:RoomWanted" }),

    acknowledge: emit(({ context }) => acknowledgment(context)),
    acknowledgeAgain: emit(({ context }) => acknowledgment(context, { duplicate: true })),
    acknowledgeCancel: emit(({ context, event }) => acknowledgment(context, {}, replyTo(event))),
    acknowledgeCancelAgain: emit(({ context, event }) => acknowledgment(context, { no_change: true }, replyTo(event))),
    sayStarted: emit(({ context: { order, runtime } }) => {
      const payload = {
        status: "RUNNING" as const,
        result: null,
        context: { attempt: order.payload.context.attempt },
      };
      if (isAgent(order)) {
        const { agent, agent_runtime } = order;
        const by = { agent, agent_runtime: runtime ?? agent_runtime };
        return { type: "event:AgentExecutionStarted", ...parentsOf(order), ...by, payload };
      }
      const { agent, tool } = order;
      return { type: "event:ToolExecutionStarted", ...parentsOf(order), ...(agent && { agent }), tool, payload };
    }),
    perform: emit(({ context: { order } }) => {
      const { id, exec_id } = calleeOf(order);
      return { type: "cue:Perform", kind: isAgent(order) ? "agent" : "tool", id, exec_id };
    }),
    abort: emit(({ context: { order, cancel } }) => ({
      type: "cue:Abort",
      exec_id: calleeOf(order).exec_id,
      ...cancel,
    })),
    sayThinking: emit(({ context: { order }, event }) => {
      if (!isAgent(order) || !isSettled(event) || event.thought) return silence;
      return {
        type: "progress:AgentThinking",
        ...parentsOf(order),
        agent: order.agent,
        payload: { context: { attempt: order.payload.context.attempt, seq: 1, text: "thinking" } },
      };
    }),
    answerProblem: emit(({ context }) => {
      if (!context.problem) return silence;
      const status = context.problem.code === "TOOL_NOT_FOUND" ? "ERROR" : "FAILURE";
      return answer(context, status, { error: context.problem });
    }),
    answerOutput: emit(({ context, event }) =>
      event.type === "cue:Returned" ? answer(context, "SUCCESS", { output: event.output }) : silence,
    ),
    answerFailure: emit(({ context, event }) => answerFailure(context, event)),
    answerCanceled: emit(({ context, event }) => {
      const { order, cancel, confirmed, canceledAt } = context;
      const details = { confirmed, took_ms: lasted(canceledAt ?? event.at, event) };
      const code = isAgent(order) ? "AGENT_CANCELED" : "TOOL_CANCELED";
      return answer(context, "FAILURE", fault(code, cancel.reason || "canceled", details));
    }),
  },
});

const other = { guard: "isOther", description: "not mine" } as const;

/** A doubled order is answered in every state, that of a tool by its result. */
const again = {
  "command:AgentRuntimeExecute": [other, { actions: "acknowledgeAgain", description: "duplicate" }],
  ...ignoring("duplicate", "command:ToolExecute"),
} as const;

const cancel = [other, { target: "canceling", actions: ["noteCancel", "acknowledgeCancel"] }] as const;
const cancelAgain = [other, { actions: ["noteCancel", "acknowledgeCancelAgain"], description: "duplicate" }] as const;
/** Nothing runs yet: there is nothing to wait for. */
const withdraw = [
  other,
  { target: "withdrawn", actions: ["noteCancel", "noteConfirmed", "acknowledgeCancel"] },
] as const;
const settled = [
  other,
  { guard: "isGivenUp", target: "dismissed", actions: "noteConfirmed" },
  { target: "canceled", actions: "noteConfirmed" },
] as const;

export const handlerRun = chart.createMachine({
  id: "handlerRun",
  version: "1",
  options: { maxIterations: 100 },
  // A tool has the same states.
  meta: { entity: "agent", home: "agent.Runtime, tool.Executor" },
  context: ({ input: { order, runtime, problem, waits, isRemote } }) => ({
    order,
    ...(runtime && { runtime }),
    ...(problem && { problem }),
    ...(waits && { waits }),
    ...(isRemote === true && { isRemote }),
    cancel: { cause: "requested", reason: "" },
    canceledAt: null,
    confirmed: false,
  }),

  initial: "ordered",
  states: {
    ordered: {
      always: [
        { guard: "isRefused", target: "refused" },
        { guard: "isUnfit", target: "unfit" },
        { guard: "waits", target: "queued" },
        { target: "running" },
      ],
    },
    // Room is granted by whoever holds the limit, or its caller's timeout comes as a cancel.
    queued: {
      tags: "waiting",
      meta: { status: "-" },
      entry: "wantRoom",
      on: {
        ...again,
        "command:AgentRuntimeCancel": withdraw,
        "command:ToolCancel": withdraw,
        "cue:RoomGranted": [{ guard: "hasNoPlace", target: "unfit", actions: "noteProblem" }, { target: "running" }],
        ...ignoring("early", "cue:Returned", "cue:Threw"),
      },
    },
    withdrawn: { always: [{ guard: "isGivenUp", target: "dismissed" }, { target: "canceled" }] },
    running: {
      // The handler settles, or its caller's timeout comes as a cancel.
      tags: "waiting",
      meta: { status: "RUNNING" },
      entry: ["acknowledge", "sayStarted", "perform"],
      on: {
        ...again,
        "command:AgentRuntimeCancel": cancel,
        "command:ToolCancel": cancel,
        "cue:Returned": [other, { guard: "isEmpty", target: "failed" }, { target: "succeeded" }],
        "cue:Threw": [other, { target: "failed" }],
        ...ignoring("duplicate", "cue:RoomGranted"),
      },
      after: { deadline: { target: "canceling", actions: "noteLost" } },
    },
    canceling: {
      meta: { status: "RUNNING" },
      entry: "abort",
      on: {
        ...again,
        "command:AgentRuntimeCancel": cancelAgain,
        "command:ToolCancel": cancelAgain,
        "cue:Returned": settled,
        "cue:Threw": settled,
        ...ignoring("late", "cue:RoomGranted"),
      },
      after: { abortGrace: [{ guard: "isGivenUp", target: "dismissed" }, { target: "canceled" }] },
    },

    refused: { meta: { status: "-" }, type: "final", entry: "acknowledge" },
    unfit: { meta: { status: "FAILED" }, type: "final", entry: "answerProblem" },
    succeeded: { meta: { status: "SUCCESS" }, type: "final", entry: ["sayThinking", "answerOutput"] },
    failed: { meta: { status: "FAILED" }, type: "final", entry: ["sayThinking", "answerFailure"] },
    canceled: { meta: { status: "CANCELED" }, type: "final", entry: ["sayThinking", "answerCanceled"] },
    // Its caller has reported that it failed.
    dismissed: { meta: { status: "FAILED" }, type: "final" },
  },
});
