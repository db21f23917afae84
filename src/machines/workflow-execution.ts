// One workflow execution: get a slot, walk the plan task by task, pause and resume, end once.
//
//   pending ──slot──▶ running ──────┬─ last task ended well ──▶ concluding ──▶ succeeded
//      │                │  ▲        ├─ task failed, or broken ─▶ failed
//      │              pause │       └─ deadline ──────────────▶ timedOut
//      │                ▼ resume
//      └── cancel ──▶ paused ── cancel ──▶ canceled
//
//   with something to undo, before failed, timedOut and canceled:    leaving ──▶ unwinding ──no task is open──▶ undoing
//
// What it says stands in workflow-actions.ts and workflow-undo.ts, how it walks in plan.ts. Whatever is open when it
// ends is told so. A pause stops its deadline and whatever has not begun; what runs goes on, and its end is kept.
// Undoing walks a second plan, whose lanes stand in the reverse order of success.
//
// Invariants:
//   W1. Started is said once, and not again after a pause.
//   W2. It ends exactly once, and then no task of it begins and each open one is told.
//   W3. While it is paused no task begins and its deadline stands still.
//   W4. A task begins only after what leads to it, at most one at a time, and never after the run is broken.
//   W5. Each signal ends at most one wait, and each wait takes at most one signal, oldest first.
//   W6. Every command that asks for an answer gets exactly one.
//   W7. Canceled in any open state it ends at once, or as soon as what it has done is undone.
//   W8. Each open task is told when a pause begins and when it is over, once each.
//   W9. It succeeds only when its last task did, and a task that failed for good fails it.
//   W10. It undoes only after all its tasks were told to end, one lane after the other and each once; what it decided
//        before, it says after that, with how many were undone and which were not.
//   W11. What it uses is added up, and no task begins at the report that passes its budget.
//
// A finished chart is inert: what is answered after the end stands in answers.ts.

import { ignoring } from "./speech.ts";
import { openWorkflow } from "./workflow-memory.ts";
import { endingSetup } from "./workflow-undo.ts";

const decline = (status: string) => ({ type: "declineCommand", params: { status } }) as const;
type Bad = "FAILED" | "TIMED_OUT" | "CANCELED";
const end = (status: Bad) => ({ type: "endTasks", params: { status } }) as const;
const ending = (status: Bad) => ({ type: "noteEnding", params: { status } }) as const;

const twice = [
  { guard: "isOtherOrder", actions: "declineOther" },
  { actions: "acceptAgain", description: "duplicate" },
] as const;

/** What it is over with is said at once, or after all that can be undone is. */
const over = "#leaving";

/** Of an end that is decided, nothing is changed any more. */
const decided = {
  "command:WorkflowExecute": twice,
  "command:WorkflowCancel": { actions: "acceptNoChange" },
  "command:WorkflowPause": { actions: decline("RUNNING") },
  "command:WorkflowResume": { actions: decline("RUNNING") },
  "cue:Used": { actions: "noteUsage" },
  ...ignoring("late", "cue:Displaced", "cue:Concluded"),
  ...ignoring("duplicate", "cue:SlotGranted"),
} as const;

const full = (status: string) => ({ guard: "isFull", actions: { type: "declineFull", params: { status } } }) as const;

export const workflowExecution = endingSetup.createMachine({
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
        "command:WorkflowExecute": twice,
        "command:WorkflowCancel": { target: "canceled", actions: "acceptCommand" },
        "cue:Displaced": { target: "canceled" },
        "cue:SlotGranted": { target: "begun", actions: "beginToCount" },
        "command:WorkflowPause": { actions: decline("PENDING") },
        "command:WorkflowResume": { actions: decline("PENDING") },
        "command:WorkflowSignal": { actions: decline("PENDING") },
        ...ignoring("early", "cue:TaskEnded", "cue:PauseWanted", "cue:Broken"),
        ...ignoring("early", "cue:WaitOpened", "cue:WaitClosed", "cue:Concluded", "cue:Used", "cue:UndoPlanned"),
      },
    },
    begun: { entry: ["sayStarted", "beginTasks"], always: "running" },

    running: {
      initial: "walking",
      on: {
        "command:WorkflowExecute": twice,
        "command:WorkflowCancel": { target: over, actions: [ending("CANCELED"), "acceptCommand"] },
        "cue:Displaced": { target: over, actions: ending("CANCELED") },
        "command:WorkflowPause": { target: "paused", actions: ["notePause", "acceptCommand"] },
        "command:WorkflowResume": { actions: decline("RUNNING") },
        "command:WorkflowSignal": [
          { guard: "hasWaiter", actions: ["acceptCommand", "deliverSignal"] },
          full("RUNNING"),
          { actions: ["keepSignal", "acceptCommand"] },
        ],
        "cue:Broken": { target: over, actions: ["noteBroken", "noteBreak", ending("FAILED")] },
        "cue:Used": [
          { guard: "failsBudget", target: over, actions: ["noteOverBudget", "noteUsage", ending("FAILED")] },
          { guard: "pausesBudget", target: "paused", actions: ["noteBudgetPause", "noteUsage"] },
          { actions: "noteUsage" },
        ],
        "cue:WaitOpened": { actions: "openWait" },
        "cue:WaitClosed": { actions: "closeWait" },
        ...ignoring("duplicate", "cue:SlotGranted"),
        ...ignoring("early", "cue:UndoPlanned"),
      },
      after: {
        deadline: [
          { guard: "failsTime", target: over, actions: ["noteOverTime", ending("FAILED")] },
          { guard: "pausesTime", target: "paused", actions: "noteTimePause" },
          { target: over, actions: ["noteTimeout", ending("TIMED_OUT")] },
        ],
      },
      states: {
        walking: {
          meta: { status: "RUNNING" },
          always: [
            { guard: "isBroken", target: over, actions: ["noteBreak", ending("FAILED")] },
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
            { target: over, actions: ["noteVerdict", ending("FAILED")] },
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
        "command:WorkflowExecute": twice,
        "command:WorkflowCancel": [
          { guard: "undoes", target: "roused", actions: [ending("CANCELED"), "acceptCommand"] },
          { target: "canceled", actions: "acceptCommand" },
        ],
        "cue:Displaced": [{ guard: "undoes", target: "roused", actions: ending("CANCELED") }, { target: "canceled" }],
        "command:WorkflowResume": { target: "resumed", actions: ["noteRaised", "noteResume", "acceptCommand"] },
        "command:WorkflowPause": { actions: "acceptNoChange" },
        "command:WorkflowSignal": [full("PAUSED"), { actions: ["keepSignal", "acceptCommand"] }],
        "cue:TaskEnded": { actions: "settleTask" },
        "cue:WaitClosed": { actions: "closeWait" },
        "cue:Broken": { actions: "noteBroken" },
        "cue:Used": [
          { guard: "failsBudget", target: "roused", actions: ["noteOverBudget", "noteUsage", ending("FAILED")] },
          { actions: "noteUsage" },
        ],
        "cue:Concluded": [{ guard: "awaitsConclusion", actions: "noteConclusion" }, { description: "early" }],
        // A task that is told of the pause closes its wait, and opens it anew when the run goes on.
        ...ignoring("early", "cue:WaitOpened", "cue:UndoPlanned"),
        ...ignoring("duplicate", "cue:SlotGranted", "cue:PauseWanted"),
      },
    },
    // A run that does something is not paused: it goes on, to undo what it has done, or to fail.
    roused: { entry: "sayResumed", always: "leaving" },
    resumed: {
      entry: ["goOnCounting", "sayResumed", "resumeTasks", "releaseTasks", "beginTasks"],
      always: "running",
    },

    leaving: {
      id: "leaving",
      always: [
        { guard: "undoes", target: "unwinding" },
        { guard: "endsCanceled", target: "canceled" },
        { guard: "endsTimedOut", target: "timedOut" },
        { target: "failed" },
      ],
    },
    // What a task did while it was told to end is done, too. Each ends by itself, within its grace.
    unwinding: {
      tags: "waiting",
      meta: { status: "RUNNING" },
      entry: ["endTasksFirst", "wantUndo"],
      on: {
        ...decided,
        "cue:UndoPlanned": [
          { guard: "nothingToUndo", target: "leaving", actions: "openUndo" },
          { target: "undoing", actions: "openUndo" },
        ],
        "command:WorkflowSignal": { actions: decline("RUNNING") },
        ...ignoring("late", "cue:TaskEnded", "cue:PauseWanted", "cue:Broken", "cue:WaitOpened", "cue:WaitClosed"),
      },
    },
    undoing: {
      meta: { status: "RUNNING" },
      entry: "beginUndo",
      always: { guard: "isUndone", target: "leaving" },
      on: {
        ...decided,
        "cue:TaskEnded": { actions: ["settleUndo", "beginUndo"] },
        "cue:PauseWanted": { actions: "resumeUndo" },
        "cue:Broken": { actions: ["giveUpUndo", "beginUndo"] },
        "cue:WaitOpened": { actions: "openWait" },
        "cue:WaitClosed": { actions: "closeWait" },
        "command:WorkflowSignal": [
          { guard: "hasWaiter", actions: ["acceptCommand", "deliverSignal"] },
          full("RUNNING"),
          { actions: ["keepSignal", "acceptCommand"] },
        ],
        ...ignoring("duplicate", "cue:UndoPlanned"),
      },
      after: { undoTimeout: "leaving" },
    },

    declined: { meta: { status: "FAILED" }, type: "final", entry: ["declineOrder", "sayFailed"] },
    succeeded: {
      id: "succeeded",
      meta: { status: "SUCCESS" },
      type: "final",
      entry: "sayCompleted",
    },
    failed: {
      meta: { status: "FAILED" },
      type: "final",
      entry: ["sayFailed", end("FAILED")],
    },
    timedOut: {
      meta: { status: "TIMED_OUT" },
      type: "final",
      entry: ["sayTimedOut", end("TIMED_OUT")],
    },
    canceled: {
      meta: { status: "CANCELED" },
      type: "final",
      entry: ["sayCanceled", end("CANCELED")],
    },
  },
});
