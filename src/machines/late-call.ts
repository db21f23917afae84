// A call whose start is heard when its task is over: its end is on its way, unless its caller is gone.
//
//   open ──it ended──▶ over
//     └──5 s──▶ lost     it is told to stop, and has failed
//
// A result goes straight to whoever waits for it, an event by way of a stream: so a task may be over before it is heard
// that its agent called a tool.
//
// Invariants:
//   LC1. A call that ends in time is not said to be lost.
//   LC2. One that does not is told to stop and said to have failed, once, 5 s after it was heard of.

import { emit, enqueueActions, setup } from "xstate";
import { type Hears, ignoring } from "./speech.ts";
import { type CallEvent, callerLostMs, type OpenCall } from "./task-memory.ts";
import type { Stamp } from "./step.ts";
import { type Loss, wordsOfLoss } from "./task-calls.ts";

type Input = Stamp & { call: OpenCall };
type In = Hears<CallEvent>;

const chart = setup({
  types: {} as { input: Input; context: { call: OpenCall }; events: In; emitted: Loss },
  delays: { callerLost: callerLostMs },
  actions: {
    sayLost: enqueueActions(({ context, enqueue }) => {
      for (const word of wordsOfLoss(context.call)) enqueue(emit(word));
    }),
  },
});

export const lateCall = chart.createMachine({
  id: "lateCall",
  version: "1",
  options: { maxIterations: 100 },
  meta: { entity: "agent", home: "workflow.Orchestrator" },
  context: ({ input: { call } }) => ({ call }),

  initial: "open",
  states: {
    open: {
      meta: { status: "RUNNING" },
      on: {
        "event:AgentExecutionResult": "over",
        "event:AgentExecutionFailed": "over",
        "event:AgentExecutionCanceled": "over",
        "event:ToolExecutionSuccess": "over",
        "event:ToolExecutionFailed": "over",
        "event:ToolExecutionCanceled": "over",
        ...ignoring("duplicate", "event:AgentExecutionStarted", "event:ToolExecutionStarted"),
      },
      after: { callerLost: "lost" },
    },
    // How it ended stands in the event that said so.
    over: { meta: { status: "SUCCESS" }, type: "final" },
    lost: { meta: { status: "FAILED" }, entry: "sayLost", type: "final" },
  },
});
