// One workflow execution: get a slot, walk the plan task by task, pause and resume, end once.
//
//   pending ──slot──▶ running ──────┬─ last task ended well ──▶ concluding ──▶ succeeded
//      │                │  ▲        ├─ task failed, or broken ─▶ failed
//      │              pause │       └─ deadline ──────────────▶ timedOut
//      │                ▼ resume
//      └── cancel ──▶ paused ── cancel ──▶ canceled
//
// What it says stands in workflow-actions.ts, how it walks in plan.ts. Whatever is open when it ends is told so.
// A pause stops its deadline and whatever has not begun; what runs goes on, and its end is kept.
//
// Invariants:
//   W1. Started is said once, and not again after a pause.
//   W2. It ends exactly once, and then no task of it begins and each open one is told.
//   W3. While it is paused no task begins and its deadline stands still.
//   W4. A task begins only after what leads to it, at most one at a time, and never after the run is broken.
//   W5. Each signal ends at most one wait, and each wait takes at most one signal, oldest first.
//   W6. Every command that asks for an answer gets exactly one.
//   W7. Canceled in any open state it ends at once.
//   W8. Each open task is told when a pause begins and when it is over, once each.
//   W9. It succeeds only when its last task did, and a task that failed for good fails it.
//
// A finished chart is inert: what is answered after the end stands in answers.ts.

import { ignoring } from "./speech.ts";
import { openWorkflow, workflowSetup } from "./workflow-actions.ts";

const decline = (status: string) => ({ type: "declineCommand", params: { status } }) as const;
const end = (reason: string) => ({ type: "endTasks", params: { reason } }) as const;

const twice = [
  { guard: "isOtherOrder", actions: "declineOther" },
  { actions: "acceptAgain", description: "duplicate" },
] as const;

/** In every open state: it can be canceled, and ordered again in vain. */
const open = {
  "command:WorkflowExecute": twice,
  "command:WorkflowCancel": { target: "#canceled", actions: "acceptCommand" },
  "cue:Displaced": { target: "#canceled" },
} as const;

const full = (status: string) => ({ guard: "isFull", actions: { type: "declineFull", params: { status } } }) as const;

export const workflowExecution = workflowSetup.createMachine({
  id: "workflowExecution",
  version: "1",
  options: { maxIterations: 100 },
  meta: { entity: "workflow", home: "workflow.Orchestrator" },
  context: ({ input }) => openWorkflow(input),

  initial: "arriving",
  states: {
    arriving: {
      always: [{ guard: "hasProblem", target: "declined", actions: "noteProblem" }, { target: "pending" }],
    },
    // The slot is granted by whoever holds the limit, sooner or later.
    pending: {
      tags: "waiting",
      meta: { status: "PENDING" },
      entry: ["acceptOrder", "wantSlot"],
      on: {
        ...open,
        "cue:SlotGranted": { target: "begun", actions: "beginToCount" },
        "command:WorkflowPause": { actions: decline("PENDING") },
        "command:WorkflowResume": { actions: decline("PENDING") },
        "command:WorkflowSignal": { actions: decline("PENDING") },
        ...ignoring("early", "cue:TaskEnded", "cue:PauseWanted", "cue:Broken"),
        ...ignoring("early", "cue:WaitOpened", "cue:WaitClosed", "cue:Concluded"),
      },
    },
    begun: { entry: ["sayStarted", "beginTasks"], always: "running" },

    running: {
      initial: "walking",
      on: {
        ...open,
        "command:WorkflowPause": { target: "paused", actions: ["notePause", "acceptCommand"] },
        "command:WorkflowResume": { actions: decline("RUNNING") },
        "command:WorkflowSignal": [
          { guard: "hasWaiter", actions: ["acceptCommand", "deliverSignal"] },
          full("RUNNING"),
          { actions: ["keepSignal", "acceptCommand"] },
        ],
        "cue:Broken": { target: "failed", actions: ["noteBroken", "noteBreak"] },
        "cue:WaitOpened": { actions: "openWait" },
        "cue:WaitClosed": { actions: "closeWait" },
        ...ignoring("duplicate", "cue:SlotGranted"),
      },
      after: { deadline: { target: "timedOut", actions: "noteTimeout" } },
      states: {
        walking: {
          meta: { status: "RUNNING" },
          always: [
            { guard: "isBroken", target: "#failed", actions: "noteBreak" },
            { guard: "isPauseWanted", target: "#paused" },
            { guard: "isOver", target: "ending" },
          ],
          on: {
            "cue:TaskEnded": { actions: ["settleTask", "beginTasks"] },
            "cue:PauseWanted": { actions: "notePause" },
            ...ignoring("early", "cue:Concluded"),
          },
        },
        ending: {
          always: [
            { guard: "awaitsConclusion", target: "concluding" },
            { guard: "endedWell", target: "#succeeded", actions: "noteVerdict" },
            { target: "#failed", actions: "noteVerdict" },
          ],
        },
        concluding: {
          meta: { status: "RUNNING" },
          entry: "conclude",
          on: {
            "cue:Concluded": { target: "#succeeded", actions: "noteConclusion" },
            ...ignoring("late", "cue:TaskEnded", "cue:PauseWanted"),
          },
        },
      },
    },

    paused: {
      id: "paused",
      tags: "waiting",
      meta: { status: "PAUSED" },
      entry: ["stopCounting", "sayPaused", "pauseTasks"],
      on: {
        ...open,
        "command:WorkflowResume": { target: "resumed", actions: ["noteResume", "acceptCommand"] },
        "command:WorkflowPause": { actions: "acceptNoChange" },
        "command:WorkflowSignal": [full("PAUSED"), { actions: ["keepSignal", "acceptCommand"] }],
        "cue:TaskEnded": { actions: "settleTask" },
        "cue:WaitClosed": { actions: "closeWait" },
        "cue:Broken": { actions: "noteBroken" },
        "cue:Concluded": [{ guard: "awaitsConclusion", actions: "noteConclusion" }, { description: "early" }],
        // A task that is told of the pause closes its wait, and opens it anew when the run goes on.
        ...ignoring("early", "cue:WaitOpened"),
        ...ignoring("duplicate", "cue:SlotGranted", "cue:PauseWanted"),
      },
    },
    resumed: {
      entry: ["goOnCounting", "sayResumed", "resumeTasks", "releaseTasks", "beginTasks"],
      always: "running",
    },

    declined: { meta: { status: "FAILED" }, type: "final", entry: ["declineOrder", "sayFailed"] },
    succeeded: {
      id: "succeeded",
      meta: { status: "SUCCESS" },
      type: "final",
      entry: "sayCompleted",
    },
    failed: {
      id: "failed",
      meta: { status: "FAILED" },
      type: "final",
      entry: ["sayFailed", end("the workflow has failed")],
    },
    timedOut: {
      meta: { status: "TIMED_OUT" },
      type: "final",
      entry: ["sayTimedOut", end("the workflow ran over its deadline")],
    },
    canceled: {
      id: "canceled",
      meta: { status: "CANCELED" },
      type: "final",
      entry: ["sayCanceled", end("the workflow was canceled")],
    },
  },
});
