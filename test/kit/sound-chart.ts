// A chart that the check finds sound, and ways to depart from it. Untyped: what the check must find would not compile.

import { and, assign, createMachine, emit, not, or, type AnyStateMachine } from "xstate";

export type Config = Record<string, unknown>;

export const statuses = { agent: ["RUNNING", "SUCCESS", "FAILED"] };

const parts = {
  actions: { note: assign({}), say: emit({ type: "said" }), effect: (): undefined => undefined },
  guards: {
    yes: (): boolean => true,
    both: and(["yes", not("yes")]),
    neither: not(or(["yes", "absent"])),
    circle: "circle",
  },
  delays: { patience: 1000 },
  actors: {},
};

export function chart(states: Record<string, Config>, root: Config = {}, more: Config = {}): AnyStateMachine {
  const sound = { id: "chart", version: "1", options: { maxIterations: 100 }, meta: { entity: "agent" } };
  const config = { ...sound, initial: "first", states, ...root };
  return createMachine(config as never, { ...parts, ...more } as never);
}

export const running = { status: "RUNNING" };
export const over: Config = { type: "final", meta: { status: "SUCCESS" } };

/** A state with nothing amiss: it shows a status, does not wait for ever, and names what the chart hears. */
export const state = (more: Config = {}): Config => ({
  meta: running,
  after: { patience: "over" },
  on: { GO: "over" },
  ...more,
});

/** One state and its end. */
export const one = (first: Config = {}, root: Config = {}, more: Config = {}): AnyStateMachine =>
  chart({ first: state(first), over }, root, more);
