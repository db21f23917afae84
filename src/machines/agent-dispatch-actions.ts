// What the dispatch of an agent remembers, asks and says: the words of the chart in agent-dispatch.ts.

import { assign, emit, enqueueActions, setup } from "xstate";
import type { Message } from "../protocol/catalogue.ts";
import type { WireError } from "../protocol/errors.ts";
import type { Cause } from "../protocol/fields.ts";
import { accept, decline, declineIn } from "./acknowledgment.ts";
import { cancelGraceMs } from "./call.ts";
import { fault } from "./cues.ts";
import type { Hears, Says } from "./speech.ts";
import { silence, type Stamp } from "./step.ts";

/** How long a runtime may take to acknowledge. */
const relayAckMs = 2_000;
/** How long to wait for a free runtime. */
const allBusyMs = 5_000;
/** How much longer than the call's own timeout it is remembered: by then its caller has reported, or was given up. */
const forgetMs = 15_000;

type Order = Message<"command:TriggerAgent">;
export type Reason = "no_runtime" | "all_busy" | "ack_timeout" | "rejected" | "no_responders";
type Cancel = Message<"command:AgentCancel">;

type Input = Stamp & { order: Order };
type Context = {
  order: Order;
  runtime: { id: string; exec_id: string } | null;
  /** Who could not; who was busy may be asked again once a runtime is free. */
  tried: string[];
  busy: string[];
  /** Why it would not be dispatched, as far as is known. */
  reason: Reason;
  /** Why the runtime refused. */
  refusal: WireError | null;
  /** When it first had to wait for a free runtime. */
  busySince: number | null;
  /** Cancels whose answer is owed. */
  cancels: Cancel[];
  cancel: { cause: Cause; reason: string };
};

type In = Hears<
  | "cue:RuntimeChosen"
  | "cue:NoRuntime"
  | "cue:AllBusy"
  | "cue:InLine"
  | "cue:RuntimeFree"
  | "cue:NoResponder"
  | "cue:RuntimeLost"
  | "result:CommandAck"
  | "command:AgentCancel"
  | "event:AgentExecutionStarted"
  | "event:AgentExecutionResult"
  | "event:AgentExecutionFailed"
  | "event:AgentExecutionCanceled"
>;
type Out = Says<
  | "cue:ChooseRuntime"
  | "command:AgentRuntimeExecute"
  | "command:AgentRuntimeCancel"
  | "event:AgentDispatchFailed"
  | "result:AgentExecutionResult"
  | "result:CommandAck"
>;

const about = ({ order: { workflow, task, agent } }: Context) => ({
  ...(workflow && { workflow }),
  ...(task && { task }),
  agent,
});
const attemptOf = ({ order }: Context) => order.payload.context.attempt;

/** What the agent's caller is answered where no runtime answers it. */
const answer = (context: Context, error: WireError): Says<"result:AgentExecutionResult"> => ({
  type: "result:AgentExecutionResult",
  ...about(context),
  ...(context.order.payload.reply_to_subject !== undefined && { to: context.order.payload.reply_to_subject }),
  payload: { status: "FAILURE", result: { error }, context: { attempt: attemptOf(context) } },
});

const words: Record<Reason, string> = {
  no_runtime: "no registered runtime serves the agent",
  all_busy: "every runtime that serves the agent is busy",
  ack_timeout: "the runtime did not acknowledge",
  rejected: "the runtime refused",
  no_responders: "no runtime answers",
};

function undispatched({ reason, refusal, order }: Context) {
  // No runtime was asked, and yet refused: the limits of the agent did.
  const why = refusal && reason === "all_busy" ? "it has no place in line" : words[reason];
  const message = `agent '${order.agent.id}' not dispatched: ${why}${refusal ? `: ${refusal.message}` : ""}`;
  const details = { reason, ...(refusal && { cause_code: refusal.code }) };
  return { code: "AGENT_DISPATCH_FAILED" as const, message, details };
}

const errorIn = (event: In): WireError | null =>
  event.type === "result:CommandAck" ? (event.payload.result?.error ?? null) : null;

/** Why a cancel came to nothing: the runtime refused it, the agent had ended, or nobody spoke. */
function refuse(cancel: Cancel, event: In) {
  const error = errorIn(event);
  if (error) return decline(cancel, error.code, error.message, error.details);
  if (event.type === "event:AgentExecutionResult" || event.type === "event:AgentExecutionFailed") {
    return declineIn(cancel, event.payload.status);
  }
  return decline(cancel, "COMMAND_TIMEOUT", "the runtime did not acknowledge the cancel");
}

const isGivenUp = (cause: Cause) => cause === "timed_out" || cause === "caller_lost";

export const dispatchSetup = setup({
  types: {} as { input: Input; context: Context; events: In; emitted: Out },
  delays: {
    relayAck: relayAckMs,
    allBusy: ({ context, event }) => (context.busySince ?? event.at) + allBusyMs - event.at,
    cancelGrace: cancelGraceMs,
    forget: ({ context }) => context.order.payload.context.timeout_config.timeout_duration_ms + forgetMs,
  },
  guards: {
    isAck: ({ event }) => event.type === "result:CommandAck" && event.payload.status === "ACKNOWLEDGED",
    hasNoPlace: ({ event }) => event.type === "cue:NoRuntime" && event.error !== undefined,
    isBusy: ({ event }) => errorIn(event)?.code === "AGENT_RUNTIME_BUSY",
    wasGivenUp: ({ context }) => isGivenUp(context.cancel.cause),
    isGivenUp: ({ event }) => event.type === "command:AgentCancel" && isGivenUp(event.payload.context.cause),
    callerTimedOut: ({ event }) =>
      event.type === "event:AgentExecutionFailed" && event.payload.result.error.code === "AGENT_INVOCATION_TIMEOUT",
    wasTried: ({ context, event }) =>
      event.type === "cue:RuntimeChosen" && [...context.tried, ...context.busy].includes(event.runtime.exec_id),
  },
  actions: {
    noteRuntime: assign(({ event }) => (event.type === "cue:RuntimeChosen" ? { runtime: event.runtime } : {})),
    noteTried: assign(({ context }, { reason }: { reason: Reason }) => ({
      tried: context.runtime ? [...context.tried, context.runtime.exec_id] : context.tried,
      runtime: null,
      reason,
    })),
    noteReason: assign((_, { reason }: { reason: Reason }) => ({ reason })),
    noteNoPlace: assign(({ event }) =>
      event.type === "cue:NoRuntime" && event.error ? { reason: "all_busy" as const, refusal: event.error } : {},
    ),
    noteBusyRuntime: assign(({ context }) => ({
      busy: context.runtime ? [...context.busy, context.runtime.exec_id] : context.busy,
      runtime: null,
      reason: "all_busy" as const,
    })),
    forgetBusy: assign({ busy: [] }),
    noteBusy: assign(({ context, event }) => ({ busySince: context.busySince ?? event.at })),
    noteRefusal: assign(({ event }) => ({ reason: "rejected" as const, refusal: errorIn(event) })),
    // Once given up is given up: a later cancel with another cause brings no caller back.
    noteCancel: assign(({ context, event }) => {
      if (event.type !== "command:AgentCancel") return {};
      const { cause, reason } = event.payload.context;
      const cancel = isGivenUp(context.cancel.cause) ? context.cancel : { cause, reason };
      if (event.payload.reply_to_subject === undefined) return { cancel };
      return { cancels: [...context.cancels, event], cancel };
    }),

    choose: emit(({ context }) => ({
      type: "cue:ChooseRuntime",
      agent: context.order.agent.id,
      except: [...context.tried, ...context.busy],
    })),
    relay: emit(({ context }) => {
      if (!context.runtime) return silence;
      const { order, runtime } = context;
      return {
        type: "command:AgentRuntimeExecute",
        ...about(context),
        agent_runtime: runtime,
        payload: order.payload,
      };
    }),
    relayCancel: emit(({ context }) => {
      if (!context.runtime) return silence;
      const payload = { context: { attempt: attemptOf(context), ...context.cancel } };
      return { type: "command:AgentRuntimeCancel", ...about(context), agent_runtime: context.runtime, payload };
    }),
    tellToStop: emit(({ context }) => {
      if (!context.runtime) return silence;
      const stop = { attempt: attemptOf(context), cause: "caller_lost" as const, reason: words[context.reason] };
      const of = { ...about(context), agent_runtime: context.runtime };
      return { type: "command:AgentRuntimeCancel", ...of, payload: { context: stop } };
    }),
    sayDispatchFailed: emit(({ context }) => ({
      type: "event:AgentDispatchFailed",
      ...about(context),
      payload: {
        status: "FAILED",
        result: { error: undispatched(context) },
        context: { attempt: attemptOf(context) },
      },
    })),
    answerUndispatched: emit(({ context }) => answer(context, undispatched(context))),
    answerLost: emit(({ context }) =>
      answer(context, fault("AGENT_RUNTIME_LOST", "the runtime died during the run").error),
    ),
    answerCanceled: emit(({ context }) =>
      answer(context, fault("AGENT_CANCELED", context.cancel.reason || "canceled").error),
    ),
    acceptCancels: enqueueActions(({ context, enqueue }) => {
      for (const cancel of context.cancels) enqueue.emit(accept(cancel));
      enqueue.assign({ cancels: [] });
    }),
    refuseCancels: enqueueActions(({ context, event, enqueue }) => {
      for (const cancel of context.cancels) enqueue.emit(refuse(cancel, event));
      enqueue.assign({ cancels: [] });
    }),
    acceptAgain: emit(({ event }) => accept(event, { no_change: true })),
    declineEnded: emit(({ event }) => declineIn(event, "FAILED")),
  },
});
