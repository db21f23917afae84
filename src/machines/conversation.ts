// One conversation, in the gateway: whatever is to run in a thread runs in order, one at a time.
//
//   idle ◀──last one ended── busy ──turn ended──▶ busy       the next in line begins
//     │ ──turn wanted──────▶   │ ──turn wanted──▶ it waits; the seventeenth that waits is refused
//     └──closed, or ten quiet minutes──▶ closed ◀── closed: whoever waits is refused
//
// Invariants:
//   CV1. One turn runs at a time: another begins only after that one has ended.
//   CV2. Turns begin in the order in which they were wanted, each once at the most.
//   CV3. Sixteen wait at the most; each that is wanted begins, waits, or is refused at once.
//   CV4. A turn that is over, or not wanted any more, does not begin.
//   CV5. Nothing begins once the thread is closed, and whoever waited is told.

import { assign, emit, enqueueActions, setup } from "xstate";
import { type Hears, ignoring, type Says } from "./speech.ts";
import type { Stamp } from "./step.ts";

/** How many may wait behind the one that runs. */
export const turnsMax = 16;
/** How long a thread in which nothing runs is remembered; after that the store tells who had been there. */
const quietMs = 600_000;

/** What the gateway shows of a conversation; it is none of the protocol's entities. */
export const conversationStatuses = ["IDLE", "BUSY", "CLOSED"] as const;

/** `turn` runs already: it was begun before a restart. */
type Input = Stamp & { turn: string | null };
type Context = { turn: string | null; line: string[] };

type In = Hears<"cue:TurnWanted" | "cue:TurnEnded" | "cue:ThreadClosed">;
type Out = Says<"cue:TurnBegins" | "cue:TurnWaits" | "cue:TurnRefused">;

const turnIn = (event: In): string => ("turn" in event ? event.turn : "");

const chart = setup({
  types: {} as { input: Input; context: Context; events: In; emitted: Out },
  delays: { quiet: quietMs },
  guards: {
    isUnderWay: ({ context }) => context.turn !== null,
    isKnown: ({ context, event }) => context.turn === turnIn(event) || context.line.includes(turnIn(event)),
    isFull: ({ context }) => context.line.length >= turnsMax,
    isRunning: ({ context, event }) => context.turn === turnIn(event),
    isLast: ({ context }) => context.line.length === 0,
    isInLine: ({ context, event }) => context.line.includes(turnIn(event)),
  },
  actions: {
    noteFirst: assign(({ event }) => ({ turn: turnIn(event) })),
    noteNext: assign(({ context: { line } }) => ({ turn: line[0] ?? null, line: line.slice(1) })),
    noteIdle: assign({ turn: null }),
    enqueue: assign(({ context, event }) => ({ line: [...context.line, turnIn(event)] })),
    withdraw: assign(({ context, event }) => ({ line: context.line.filter((turn) => turn !== turnIn(event)) })),
    sayBegins: emit(({ context }) => ({ type: "cue:TurnBegins", turn: context.turn ?? "" })),
    sayWaits: emit(({ context, event }) => ({
      type: "cue:TurnWaits",
      turn: turnIn(event),
      before: context.line.length,
    })),
    sayFull: emit(({ event }) => ({ type: "cue:TurnRefused", turn: turnIn(event), why: "full" })),
    refuseLine: enqueueActions(({ context, enqueue }) => {
      for (const turn of context.line) enqueue.emit({ type: "cue:TurnRefused", turn, why: "closed" });
      enqueue.assign({ line: [] });
    }),
  },
});

export const conversation = chart.createMachine({
  id: "conversation",
  version: "1",
  options: { maxIterations: 100 },
  meta: { entity: "conversation", home: "api.Gateway" },
  context: ({ input: { turn } }) => ({ turn, line: [] }),

  initial: "opening",
  states: {
    opening: { always: [{ guard: "isUnderWay", target: "busy.running" }, { target: "idle" }] },
    idle: {
      meta: { status: "IDLE" },
      on: {
        "cue:TurnWanted": { target: "busy", actions: "noteFirst" },
        "cue:ThreadClosed": "closed",
        ...ignoring("late", "cue:TurnEnded"),
      },
      after: { quiet: "closed" },
    },
    busy: {
      initial: "beginning",
      on: {
        "cue:TurnWanted": [
          { guard: "isKnown", description: "duplicate" },
          { guard: "isFull", actions: "sayFull" },
          { actions: ["enqueue", "sayWaits"] },
        ],
        "cue:TurnEnded": [
          { guard: "isInLine", actions: "withdraw" },
          { guard: "isRunning", target: "parting" },
          { description: "late" },
        ],
        "cue:ThreadClosed": "closed",
      },
      states: {
        beginning: { entry: "sayBegins", always: "running" },
        // The gateway ends every run in time, and says so.
        running: { meta: { status: "BUSY" }, tags: "waiting" },
      },
    },
    parting: {
      always: [
        { guard: "isLast", target: "idle", actions: "noteIdle" },
        { target: "busy", actions: "noteNext" },
      ],
    },
    closed: { meta: { status: "CLOSED" }, entry: "refuseLine", type: "final" },
  },
});
