// One agent execution, as the dispatcher sees it: choose a runtime, relay, watch that it lives, relay a cancel.
//
//   choosing ──chosen──▶ relayed ──ack, or started──▶ acknowledged ──lease over──▶ lost
//     ▲  │  ▲               │ │                          │      ▲
//   free │  └─busy, nobody──┘ └─silence, refusal─┐     cancel   │ in vain
//     │ all busy                                 │       ▼      │
//   queued ──too long──▶ undispatched ◀──────────┘      canceling ──runtime gone──▶ canceled
//
// An agent with limits of its own may have to wait for them first (inLine), until there is room or its caller reports.
// A runtime that is silent when it is asked is told to stop (unanswered): it may have begun all the same.
// A cancel before a runtime has acknowledged ends it as canceled. What its caller reports ends it as released; after a
// timeout it is givenUp for a while, because the caller's cancel is still to come.
//
// What it remembers and says stands in agent-dispatch-actions.ts.
//
// Invariants:
//   D1. Either a runtime has acknowledged, or the caller is told why not, unless it reported an end itself.
//   D2. No runtime is asked twice, but for one that was busy, once a runtime is free. After an unanswered relay no
//       other is asked: it may be running there.
//   D3. A failed dispatch is recorded first, then answered.
//   D4. At most one answer leaves on the agent's behalf, and none to a caller that gave the agent up.
//   D5. Every cancel that asks for an answer gets exactly one, also when the runtime is silent.
//   D6. Whoever waits for a free runtime waits that long once, however often one seems free.
//   D7. A runtime that may have the agent is told to stop: by a cancel, also one that comes after its caller's timeout,
//       and when it was silent on the relay.

import { dispatchSetup, type Reason } from "./agent-dispatch-actions.ts";
import { ignoring } from "./speech.ts";

const tried = (reason: Reason) => ({ type: "noteTried", params: { reason } }) as const;
const because = (reason: Reason) => ({ type: "noteReason", params: { reason } }) as const;

/** The caller has reported an end: nothing is left to dispatch. */
const reported = {
  "event:AgentExecutionResult": "released",
  "event:AgentExecutionFailed": "released",
  "event:AgentExecutionCanceled": "released",
} as const;

/** Where a runtime may be at work, the cancel that follows a caller's timeout is still needed. */
const reportedAtWork = {
  ...reported,
  "event:AgentExecutionFailed": [{ guard: "callerTimedOut", target: "givenUp" }, { target: "released" }],
} as const;

/** Nothing runs, as far as anyone knows: a cancel ends it here. */
const cancelHere = {
  "command:AgentCancel": { target: "stopped", actions: ["noteCancel", "acceptCancels"] },
} as const;
const stopHere = { target: "#agentDispatch.stopped", actions: "acceptCancels" } as const;

const told = { target: "told", actions: "acceptCancels" } as const;
const inVain = { target: "#agentDispatch.acknowledged", actions: "refuseCancels" } as const;

const registryWords = ["cue:RuntimeChosen", "cue:NoRuntime", "cue:AllBusy", "cue:InLine", "cue:RuntimeFree"] as const;

export const agentDispatch = dispatchSetup.createMachine({
  id: "agentDispatch",
  version: "1",
  options: { maxIterations: 100 },
  meta: { entity: "agent", home: "agent.Dispatcher" },
  context: ({ input }) => ({
    order: input.order,
    runtime: null,
    tried: [],
    busy: [],
    reason: "no_runtime",
    refusal: null,
    busySince: null,
    cancels: [],
    cancel: { cause: "requested", reason: "" },
  }),

  initial: "choosing",
  states: {
    choosing: {
      // The registry answers at once, in process.
      tags: "waiting",
      meta: { status: "-" },
      entry: "choose",
      on: {
        ...reported,
        ...cancelHere,
        "cue:RuntimeChosen": [
          { guard: "wasTried", description: "duplicate" },
          { target: "relayed", actions: "noteRuntime" },
        ],
        // If one was tried, the reason is why it could not, not that nobody is left.
        "cue:NoRuntime": [
          { guard: "hasNoPlace", target: "undispatched", actions: "noteNoPlace" },
          { target: "undispatched" },
        ],
        "cue:AllBusy": { target: "queued", actions: "noteBusy" },
        "cue:InLine": "inLine",
        ...ignoring("late", "cue:RuntimeFree", "cue:NoResponder", "cue:RuntimeLost", "result:CommandAck"),
        ...ignoring("late", "event:AgentExecutionStarted"),
      },
    },
    // As long as its caller has patience: the time of the call runs meanwhile.
    inLine: {
      tags: "waiting",
      meta: { status: "-" },
      on: {
        ...reported,
        ...cancelHere,
        "cue:RuntimeFree": "choosing",
        ...ignoring("late", "cue:RuntimeChosen", "cue:NoRuntime", "cue:AllBusy", "cue:InLine", "cue:NoResponder"),
        ...ignoring("late", "cue:RuntimeLost", "result:CommandAck", "event:AgentExecutionStarted"),
      },
    },
    queued: {
      meta: { status: "-" },
      on: {
        ...reported,
        ...cancelHere,
        "cue:RuntimeFree": { target: "choosing", actions: "forgetBusy" },
        ...ignoring("late", "cue:RuntimeChosen", "cue:NoRuntime", "cue:AllBusy", "cue:InLine", "cue:NoResponder"),
        ...ignoring("late", "cue:RuntimeLost", "result:CommandAck", "event:AgentExecutionStarted"),
      },
      after: { allBusy: { target: "undispatched", actions: because("all_busy") } },
    },
    relayed: {
      meta: { status: "-" },
      entry: "relay",
      on: {
        ...reportedAtWork,
        "result:CommandAck": [
          { guard: "isAck", target: "acknowledged" },
          { guard: "isBusy", target: "choosing", actions: "noteBusyRuntime" },
          { target: "undispatched", actions: "noteRefusal" },
        ],
        "cue:NoResponder": { target: "choosing", actions: tried("no_responders") },
        "cue:RuntimeLost": { target: "undispatched", actions: because("ack_timeout") },
        // It acknowledges before it starts: the word was lost or is slower.
        "event:AgentExecutionStarted": "acknowledged",
        "command:AgentCancel": { target: "canceling.unacknowledged", actions: "noteCancel" },
        ...ignoring("late", ...registryWords),
      },
      after: { relayAck: { target: "unanswered", actions: because("ack_timeout") } },
    },
    acknowledged: {
      meta: { status: "RUNNING" },
      // A cancel may have come to nothing, but nobody waits for an agent that was given up.
      always: { guard: "wasGivenUp", target: "released" },
      on: {
        ...reportedAtWork,
        "cue:RuntimeLost": "lost",
        "command:AgentCancel": { target: "canceling", actions: "noteCancel" },
        ...ignoring("duplicate", "result:CommandAck", "event:AgentExecutionStarted"),
        ...ignoring("late", ...registryWords, "cue:NoResponder"),
      },
      after: { forget: "released" },
    },
    givenUp: {
      // The caller reports its timeout first and cancels then.
      meta: { status: "FAILED" },
      on: {
        "command:AgentCancel": [
          { guard: "isGivenUp", target: "canceling", actions: "noteCancel" },
          { actions: "declineEnded" },
        ],
        "cue:RuntimeLost": "released",
        "cue:NoResponder": "released",
        ...ignoring("late", ...registryWords, "result:CommandAck", "event:AgentExecutionStarted"),
        ...ignoring("duplicate", "event:AgentExecutionResult", "event:AgentExecutionFailed"),
        ...ignoring("duplicate", "event:AgentExecutionCanceled"),
      },
      after: { cancelGrace: "released" },
    },
    canceling: {
      entry: "relayCancel",
      initial: "asked",
      on: {
        "event:AgentExecutionResult": { target: "released", actions: "refuseCancels" },
        "event:AgentExecutionFailed": { target: "released", actions: "refuseCancels" },
        "event:AgentExecutionCanceled": { target: "released", actions: "acceptCancels" },
        "cue:RuntimeLost": stopHere,
        "cue:NoResponder": stopHere,
        "command:AgentCancel": { actions: "noteCancel" },
        ...ignoring("late", ...registryWords),
        ...ignoring("duplicate", "event:AgentExecutionStarted"),
      },
      states: {
        // Whatever the runtime answers first is about the relay, or says the same of it.
        unacknowledged: {
          meta: { status: "-" },
          on: {
            "result:CommandAck": [{ guard: "isAck", ...told }, stopHere],
            "event:AgentExecutionStarted": "asked",
          },
          after: { relayAck: stopHere },
        },
        asked: {
          meta: { status: "RUNNING" },
          on: { "result:CommandAck": [{ guard: "isAck", ...told }, inVain] },
          after: { relayAck: inVain },
        },
        // It may still be running: its lease stays watched.
        told: {
          meta: { status: "RUNNING" },
          always: { guard: "wasGivenUp", target: "#agentDispatch.released" },
          on: {
            "command:AgentCancel": [
              { guard: "isGivenUp", target: "#agentDispatch.released", actions: "acceptAgain" },
              { actions: "acceptAgain" },
            ],
            ...ignoring("duplicate", "result:CommandAck"),
            ...ignoring("late", "cue:NoResponder"),
          },
          after: { cancelGrace: "#agentDispatch.acknowledged" },
        },
      },
    },
    stopped: {
      always: [{ guard: "wasGivenUp", target: "released" }, { target: "canceled" }],
    },

    undispatched: { meta: { status: "-" }, type: "final", entry: ["sayDispatchFailed", "answerUndispatched"] },
    // The runtime may have begun all the same, and nobody waits for that any more.
    unanswered: {
      meta: { status: "-" },
      type: "final",
      entry: ["sayDispatchFailed", "answerUndispatched", "tellToStop"],
    },
    lost: { meta: { status: "RUNNING" }, type: "final", entry: "answerLost" },
    canceled: { meta: { status: "RUNNING" }, type: "final", entry: "answerCanceled" },
    released: { meta: { status: "RUNNING" }, type: "final" },
  },
});
