// A chart with everything that XState offers and a machine may use, and random histories of it.

import fc from "fast-check";
import { assign, emit, raise, setup } from "xstate";
import { silence, type Stamp } from "../../src/machines/step.ts";
import type { Act } from "./live.ts";

export type Told = { type: "told"; what: string; n: number } & Stamp;
export type SampleEvent = {
  type: "GO" | "COUNT" | "BACK" | "NEXT" | "KICK" | "HUSH" | "AGAIN" | "PAUSE" | "RESUME" | "STOP";
};

const sampleSetup = setup({
  types: {} as {
    input: { n: number } & Stamp;
    context: { n: number; bornAt: number; lastAt: number };
    events: SampleEvent & Stamp;
    emitted: Told;
    output: { n: number; lastAt: number };
  },
  delays: {
    short: 10,
    growing: ({ context }) => 5 + 10 * context.n,
    drawn: ({ event }) => 1 + (event.at % 7),
    past: -5,
    never: Infinity,
    century: 100 * 365 * 86_400_000,
  },
  guards: { even: ({ context }) => context.n % 2 === 0, many: ({ context }) => context.n > 2 },
  actions: {
    count: assign({ n: ({ context }) => context.n + 1, lastAt: ({ event }) => event.at }),
    tell: emit(({ context, event }, { what }: { what: string }) => {
      return { type: "told", what, n: context.n, at: event.at, seed: event.seed };
    }),
    tellEven: emit(({ context, event }) =>
      context.n % 2 === 0 ? { type: "told", what: "even", n: context.n, at: event.at, seed: event.seed } : silence,
    ),
    kick: raise(({ event }) => ({ type: "NEXT", at: event.at, seed: event.seed })),
  },
});

const tell = (what: string) => ({ type: "tell", params: { what } }) as const;

export const sample = sampleSetup.createMachine({
  id: "sample",
  version: "1",
  options: { maxIterations: 100 },
  context: ({ input }) => ({ n: input.n, bornAt: input.at, lastAt: 0 }),
  output: ({ context }) => ({ n: context.n, lastAt: context.lastAt }),
  initial: "idle",
  on: { STOP: { target: ".stopped", actions: tell("stop") } },
  after: { century: ".stopped" },
  states: {
    idle: {
      entry: tell("idle"),
      on: {
        GO: { guard: "even", target: "work" },
        COUNT: { actions: "count" },
        HUSH: { actions: "tellEven" },
        AGAIN: { target: "idle", reenter: true },
        BACK: {},
      },
      after: { growing: [{ guard: "even", target: "work" }, { actions: "count" }], never: "stopped" },
    },
    work: {
      type: "parallel",
      entry: tell("work"),
      exit: tell("work left"),
      on: { PAUSE: "paused", HUSH: { actions: "tellEven" } },
      onDone: { target: "resting", actions: tell("both done") },
      states: {
        left: {
          initial: "first",
          states: {
            first: { on: { COUNT: { target: "second", actions: "count" } }, after: { short: "second" } },
            second: {
              entry: tell("second"),
              always: { guard: "many", target: "third", actions: tell("left has many") },
              on: { COUNT: { actions: "count" }, BACK: "first" },
            },
            third: { on: { NEXT: "done", BACK: { target: "first", actions: assign({ n: 0 }) } } },
            done: { type: "final" },
            memory: { type: "history" },
          },
          on: { AGAIN: { target: "left", reenter: true } },
        },
        right: {
          initial: "outer",
          states: {
            outer: {
              initial: "fresh",
              exit: tell("outer left"),
              on: { KICK: { actions: ["kick", tell("kicked")] } },
              states: {
                fresh: {
                  entry: tell("fresh"),
                  on: { NEXT: "stale" },
                  after: { drawn: "stale", growing: "stale" },
                },
                stale: { on: { NEXT: "ripe", BACK: "fresh" }, after: { past: "fresh" } },
                ripe: { type: "final" },
              },
              onDone: { target: "waiting", actions: tell("ripe") },
            },
            waiting: {
              always: { guard: "many", target: "over", actions: tell("right has many") },
              on: { BACK: "outer" },
            },
            over: { on: { NEXT: "done", BACK: "outer", KICK: "#sample.work.left.memory" } },
            done: { type: "final" },
          },
        },
        memory: { type: "history", history: "deep" },
      },
    },
    paused: {
      entry: tell("paused"),
      on: { RESUME: "work.memory", COUNT: { actions: ["count", tell("counted")] }, GO: "work.left.memory" },
      after: { short: [{ guard: "even", target: "work.memory" }, { actions: tell("odd") }] },
    },
    resting: { on: { GO: "idle", NEXT: "ended" }, after: { growing: "ended" } },
    ended: { type: "final", entry: tell("ended") },
    stopped: { type: "final", entry: tell("stopped") },
  },
});

const types = ["GO", "COUNT", "COUNT", "BACK", "NEXT", "NEXT", "KICK", "HUSH", "AGAIN", "PAUSE", "RESUME"] as const;
const event = (type: SampleEvent["type"]): Act<typeof sample> => ({ event: { type } });
const acts: fc.Arbitrary<Act<typeof sample>> = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom(...types).map(event) },
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 60 }).map((advanceMs) => ({ advanceMs })) },
  { weight: 1, arbitrary: fc.constant(event("STOP")) },
);
/** A first number, and what happens. */
export const histories = fc.tuple(fc.nat({ max: 3 }), fc.array(acts, { maxLength: 40, size: "max" }));
