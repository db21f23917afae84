// One agent runtime, as the dispatcher's registry sees it: it registers, beats, falls silent, drains, leaves.
//
//   registered ──beat missed──▶ suspect ──lease over──▶ deregistered ──forgotten──▶ (gone)
//     ▲  │  └──────beat───────────┘                        ▲   │
//     │  └─draining beat─▶ draining ──lease over, farewell─┘   │
//     └───────────────────registers again──────────────────────┘
//
// Invariants:
//   R1. A runtime that beats in time is never given up.
//   R2. A silent one is given up once its lease is over, and that is said once.
//   R3. A draining runtime never becomes choosable again by a beat.
//   R4. One that was given up can come back by registering, not by beating.

import { assign, emit, setup } from "xstate";
import type { Message } from "../protocol/catalogue.ts";
import { type Hears, ignoring, type Says } from "./speech.ts";
import type { Stamp } from "./step.ts";

/** How long a runtime that left is remembered, so that its late words are known as late. */
const forgetMs = 60_000;

type Registration = Message<"event:AgentRuntimeRegistered">;
type Input = Stamp & { registration: Registration };
type Context = { registration: Registration; inFlight: number };

type In = Hears<"event:AgentRuntimeRegistered" | "event:AgentRuntimeDeregistered" | "progress:AgentRuntimeHeartbeat">;
type Out = Says<"event:AgentRuntimeDeregistered">;

const terms = ({ registration }: Context) => registration.payload.context;
/** A beat that is late by half an interval was missed. */
const suspectMs = (context: Context): number => Math.min(terms(context).heartbeat_ms * 1.5, terms(context).lease_ms);

const chart = setup({
  types: {} as { input: Input; context: Context; events: In; emitted: Out },
  delays: {
    beatMissed: ({ context }) => suspectMs(context),
    restOfLease: ({ context }) => terms(context).lease_ms - suspectMs(context),
    lease: ({ context }) => terms(context).lease_ms,
    forgotten: forgetMs,
  },
  guards: {
    isDraining: ({ event }) =>
      event.type === "progress:AgentRuntimeHeartbeat" && event.payload.context.draining === true,
  },
  actions: {
    noteRegistration: assign(({ event }) => {
      if (event.type !== "event:AgentRuntimeRegistered") return {};
      const { at: _at, seed: _seed, ...registration } = event;
      return { registration, inFlight: 0 };
    }),
    noteBeat: assign(({ event }) =>
      event.type === "progress:AgentRuntimeHeartbeat" ? { inFlight: event.payload.context.in_flight } : {},
    ),
    sayGivenUp: emit(({ context: { registration } }) => ({
      type: "event:AgentRuntimeDeregistered",
      agent_runtime: { id: registration.agent_runtime.id, exec_id: registration.agent_runtime.exec_id },
      payload: { status: "DEREGISTERED", result: null, context: { reason: "lease_expired" } },
    })),
  },
});

const leaves = { "event:AgentRuntimeDeregistered": "deregistered" } as const;
const registers = {
  "event:AgentRuntimeRegistered": { target: "registered", actions: "noteRegistration", reenter: true },
} as const;

export const agentRuntime = chart.createMachine({
  id: "agentRuntime",
  version: "1",
  options: { maxIterations: 100 },
  meta: { entity: "agent_runtime", home: "agent.Dispatcher" },
  context: ({ input: { registration } }) => ({ registration, inFlight: 0 }),

  initial: "registered",
  states: {
    registered: {
      meta: { status: "REGISTERED" },
      on: {
        ...leaves,
        ...registers,
        "progress:AgentRuntimeHeartbeat": [
          { guard: "isDraining", target: "draining", actions: "noteBeat" },
          { target: "registered", actions: "noteBeat", reenter: true },
        ],
      },
      after: { beatMissed: "suspect" },
    },
    suspect: {
      meta: { status: "REGISTERED" },
      on: {
        ...leaves,
        ...registers,
        "progress:AgentRuntimeHeartbeat": [
          { guard: "isDraining", target: "draining", actions: "noteBeat" },
          { target: "registered", actions: "noteBeat" },
        ],
      },
      after: { restOfLease: "givenUp" },
    },
    draining: {
      meta: { status: "REGISTERED" },
      on: {
        ...leaves,
        ...registers,
        "progress:AgentRuntimeHeartbeat": { target: "draining", actions: "noteBeat", reenter: true },
      },
      after: { lease: "givenUp" },
    },
    givenUp: { entry: "sayGivenUp", always: "deregistered" },
    deregistered: {
      meta: { status: "DEREGISTERED" },
      on: { ...registers, ...ignoring("late", "progress:AgentRuntimeHeartbeat", "event:AgentRuntimeDeregistered") },
      after: { forgotten: "gone" },
    },
    gone: { meta: { status: "DEREGISTERED" }, type: "final" },
  },
});
