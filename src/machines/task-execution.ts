// One task execution, as the orchestrator sees it: schedule, follow its attempts, retry, wait, end once.
//
//   pending ──started──▶ running ──┬─ completed ──▶ succeeded
//      ▲                   │ ▲     ├─ failed ────▶ failing ──┬─ no retry ──▶ failed
//      │                   ▼ │     └─ deadline ──▶ overdue ──┼─ no retry ──▶ timedOut
//   backoff ◀───retry──  waiting ──timeout──▶ waitTimedOut   └─ retry ────▶ backoff
//   any of them ──cancel──▶ canceled, by way of canceling where an executor is at work
//
// The region `life` is the task; the region `calls` watches the agents and tools it called (task-calls.ts). What it
// says stands in task-actions.ts, what a container, route or child workflow needs in task-children.ts.
//
// A paused workflow stops the clock of a wait and keeps what comes for it; a container begins nothing new. The deadline
// of an attempt runs on, and so does a retry: it is the same work. The total timeout never stops.
//
// Invariants:
//   T1. It ends exactly once: one terminal event that no retry follows, and one TaskEnded to its parent.
//   T2. Attempts count up by one and never pass the policy; every delay is the policy's.
//   T3. A word about another attempt than the current one changes nothing; who begins one that was given up is told to
//       stop.
//   T4. Canceled, it ends within the grace, whatever its executor does, and nothing of it begins any more.
//   T5. A wait is ended once, by a resume, a signal, its duration or its timeout; none of them while the workflow is
//       paused, when its clock stands.
//   T6. Whatever it began ends with it: children, child workflow, and calls whose caller is gone.
//   T7. After its total timeout, by the clock and not by the timer, nothing of it begins.
//   T8. A command that asks for an answer gets exactly one, and who does not ask gets none.
//   T9. Without a parent it says nothing to one, and waits for nothing from one.

import { ignoring } from "./speech.ts";
import { callsRegion, callsSetup } from "./task-calls.ts";
import { openTask } from "./task-memory.ts";

const timeout = { type: "noteError", params: { code: "TASK_TIMEOUT", message: "the task ran over its time" } } as const;
const notStarted = {
  type: "noteError",
  params: { code: "TASK_START_TIMEOUT", message: "no executor took the task in time" },
} as const;
const silent = {
  type: "noteError",
  params: { code: "TASK_HEARTBEAT_LOST", message: "the executor fell silent" },
} as const;
const nothingToDo = {
  type: "noteError",
  params: { code: "VALIDATION_FAILED", message: "the definition of the task does not say what it begins" },
} as const;
const waitRanOut = {
  type: "noteError",
  params: { code: "WAIT_TIMEOUT", message: "what the task waited for did not come in time" },
} as const;

const decline = (status: string) => ({ type: "declineCommand", params: { status } }) as const;
const report = (status: "SUCCESS" | "FAILED" | "TIMED_OUT" | "CANCELED") =>
  ({ type: "reportEnd", params: { status } }) as const;

const old = { guard: "isOld", description: "late" } as const;
/** What began too late has to stop: nobody waits for it any more. */
const givenUp = { guard: "isGivenUp", actions: "stopLateExecutor" } as const;
const noWait = { guard: "hasNoWait", description: "duplicate" } as const;
const other = { guard: "isOtherChild", description: "not mine" } as const;

const executorWords = [
  "event:TaskExecutionStarted",
  "event:TaskWaitingStarted",
  "event:TaskExecutionSuccess",
  "event:TaskExecutionFailed",
  "event:TaskExecutionCanceled",
  "progress:TaskStep",
] as const;
const childWords = [
  "event:WorkflowExecutionSuccess",
  "event:WorkflowExecutionFailed",
  "event:WorkflowExecutionCanceled",
  "event:WorkflowExecutionTimedOut",
] as const;
const laneWords = ["cue:TaskEnded", "cue:PauseWanted", "cue:Broken"] as const;
const routeWords = ["cue:Routed", "cue:RouteFailed"] as const;
const controlWords = [...childWords, ...laneWords, ...routeWords] as const;

/** The workflow's pause reaches every open state: most only remember it. */
const pausing = { "cue:Paused": { actions: "notePaused" }, "cue:Resumed": { actions: "noteResumed" } } as const;

/** The executor's words about the current attempt, whether or not it said first that it started. */
const ended = {
  "event:TaskExecutionSuccess": [old, { target: "#succeeded", actions: "noteOutcome" }],
  "event:TaskExecutionFailed": [old, { target: "#failing", actions: "noteOutcome" }],
  "event:TaskExecutionCanceled": [old, { target: "#canceled" }],
} as const;

/** Only a task that waits has a wait, and one that is over does not open again because its word came twice. */
const waits = {
  "event:TaskWaitingStarted": [old, noWait, { target: "#waiting" }],
} as const;

/** A cancel that names an earlier attempt was for that one: it comes too late, and ends no other. */
const oldCancel = (status: string) =>
  ({ guard: "isOld", actions: { type: "declineCommand", params: { status } } }) as const;

/** Nobody is at work on it, or nobody who could be told: the task ends here. */
const cancelHere = (status: string) =>
  ({
    "command:TaskCancel": [oldCancel(status), { target: "#canceledHere", actions: ["noteCancel", "acceptCommand"] }],
    "cue:ParentEnded": { target: "#canceledHere", actions: "noteCancel" },
  }) as const;

const awaitingExecutor = {
  "event:TaskExecutionStarted": [givenUp, old, { target: "#worker", actions: "beginAttempt" }],
  ...ended,
  ...waits,
  ...cancelHere("PENDING"),
  ...pausing,
  "command:TaskResume": { actions: decline("PENDING") },
  ...ignoring("early", "progress:TaskStep"),
  ...ignoring("late", "cue:Wake", ...controlWords),
} as const;

/** What every control task hears; each kind adds its own words. */
const atControl = {
  ...cancelHere("RUNNING"),
  "command:TaskResume": { actions: decline("RUNNING") },
  ...ignoring("not mine", ...executorWords, "cue:Wake"),
} as const;

const tooLong = { target: "overdue", actions: timeout } as const;
const neverStarted = { target: "overdue", actions: notStarted } as const;
const tryAgain = { guard: "isRetried", target: "retrying", actions: "nextAttempt" } as const;

export const taskExecution = callsSetup.createMachine({
  id: "taskExecution",
  version: "1",
  options: { maxIterations: 100 },
  meta: { entity: "task", home: "workflow.Orchestrator" },
  context: ({ input }) => openTask(input),

  type: "parallel",
  // Only a task that has ended gets here: its open calls keep it alive for some seconds.
  on: {
    "command:TaskCancel": { actions: "answerEnded" },
    "command:TaskResume": { actions: "answerEnded" },
    "event:TaskExecutionStarted": [givenUp, { description: "late" }],
  },
  states: {
    calls: callsRegion,
    life: {
      initial: "arriving",
      states: {
        arriving: {
          always: [{ guard: "hasProblem", target: "refused", actions: "noteProblem" }, { target: "pending" }],
        },
        refused: { entry: "declineTrigger", always: "failedHere" },

        // A transition moves; a state speaks. Every message below leaves on entry.
        pending: {
          meta: { status: "PENDING" },
          entry: ["acceptTrigger", "sayScheduled"],
          always: { guard: "isControl", target: "control" },
          on: awaitingExecutor,
          after: { startTimeout: neverStarted, totalTimeout: tooLong },
        },
        retrying: {
          entry: "sayRetryScheduled",
          always: [{ guard: "isControl", target: "resting" }, { target: "backoff" }],
        },
        // The delay of a worker is held by whoever dispatches it, that of a control task here.
        backoff: {
          meta: { status: "PENDING" },
          on: awaitingExecutor,
          after: { retryStartTimeout: neverStarted, totalTimeout: tooLong },
        },
        resting: {
          meta: { status: "PENDING" },
          on: {
            ...cancelHere("PENDING"),
            ...pausing,
            "command:TaskResume": { actions: decline("PENDING") },
            ...ignoring("not mine", ...executorWords, "cue:Wake"),
            ...ignoring("late", ...controlWords),
          },
          after: {
            retryDelay: [{ guard: "isOutOfTime", description: "late" }, { target: "control" }],
            totalTimeout: tooLong,
          },
        },

        worker: {
          id: "worker",
          initial: "lively",
          on: {
            ...ended,
            ...waits,
            ...pausing,
            "command:TaskCancel": [
              oldCancel("RUNNING"),
              { target: "canceling", actions: ["noteCancel", "acceptCommand"] },
            ],
            "cue:ParentEnded": { target: "canceling", actions: "noteCancel" },
            "command:TaskResume": { actions: decline("RUNNING") },
            "event:TaskExecutionStarted": [givenUp, { description: "duplicate" }],
            ...ignoring("late", "cue:Wake", ...controlWords),
          },
          after: {
            deadline: { target: "overrun", actions: timeout },
            totalTimeout: { target: "overrun", actions: timeout },
          },
          states: {
            // Every sign of life opens it anew, and with it the gap that is too long.
            lively: {
              meta: { status: "RUNNING" },
              on: { "progress:TaskStep": [old, { target: "lively", reenter: true, actions: "noteStep" }] },
              after: { heartbeatGap: { target: "#overrun", actions: silent } },
            },
          },
        },

        control: {
          entry: ["beginAttempt", "sayStarted"],
          initial: "choosing",
          on: atControl,
          after: {
            deadline: tooLong,
            totalTimeout: tooLong,
          },
          states: {
            choosing: {
              always: [
                { guard: "isRoute", target: "routing" },
                { guard: "hasNothingToBegin", target: "#failedHere", actions: nothingToDo },
                { guard: "isChild", target: "watching" },
                { target: "walking" },
              ],
            },
            routing: {
              tags: "waiting",
              meta: { status: "RUNNING" },
              entry: "wantRoute",
              on: {
                "cue:Routed": { target: "#succeededHere", actions: "noteRoute" },
                "cue:RouteFailed": { target: "#failedHere", actions: "noteRoute" },
                ...pausing,
                ...ignoring("not mine", ...childWords, ...laneWords),
              },
            },
            watching: {
              tags: "waiting",
              meta: { status: "RUNNING" },
              entry: ["nameChild", "runChild"],
              always: { guard: "isDetached", target: "#succeededHere", actions: "noteDetached" },
              on: {
                "event:WorkflowExecutionSuccess": [other, { target: "#succeededHere", actions: "noteChildEnd" }],
                "event:WorkflowExecutionFailed": [other, { target: "#failedHere", actions: "noteChildEnd" }],
                "event:WorkflowExecutionCanceled": [other, { target: "#failedHere", actions: "noteChildEnd" }],
                "event:WorkflowExecutionTimedOut": [other, { target: "#failedHere", actions: "noteChildEnd" }],
                ...pausing,
                ...ignoring("not mine", ...laneWords, ...routeWords),
              },
            },
            walking: {
              tags: "waiting",
              meta: { status: "RUNNING" },
              entry: ["openLanes", "beginTasks"],
              always: [
                { guard: "planBreaksRun", target: "broken" },
                { guard: "planSucceeded", target: "#succeededHere", actions: "noteVerdict" },
                { guard: "planFailed", target: "#failedHere", actions: "noteVerdict" },
              ],
              on: {
                "cue:TaskEnded": [
                  { guard: "isOtherTask", description: "not mine" },
                  { actions: ["settleTask", "beginTasks"] },
                ],
                "cue:Paused": { actions: ["notePaused", "pauseTasks"] },
                "cue:Resumed": { actions: ["noteResumed", "resumeTasks", "releaseTasks", "beginTasks"] },
                "cue:PauseWanted": [{ guard: "isAlone", actions: "resumeTasks" }, { actions: "passOn" }],
                "cue:Broken": [
                  { guard: "isAlone", target: "#failedHere", actions: "noteBroken" },
                  { actions: "passOn" },
                ],
                ...ignoring("not mine", ...childWords, ...routeWords),
              },
            },
            // The whole run cannot go on: it will end this task too.
            broken: {
              tags: "waiting",
              meta: { status: "RUNNING" },
              entry: "sayBroken",
              on: { ...pausing, ...ignoring("late", ...controlWords) },
            },
          },
        },

        waiting: {
          id: "waiting",
          entry: "openWait",
          initial: "opening",
          on: { ...cancelHere("WAITING"), ...ignoring("late", ...executorWords, ...controlWords) },
          after: { totalTimeout: { target: "waitTimedOut", actions: waitRanOut } },
          states: {
            opening: { always: [{ guard: "isPaused", target: "held" }, { target: "counting" }] },
            counting: {
              meta: { status: "WAITING" },
              tags: "waiting",
              entry: "sayWaitOpened",
              exit: "sayWaitClosed",
              on: {
                "command:TaskResume": { target: "#resumed", actions: ["keepResume", "acceptCommand"] },
                "cue:Wake": { target: "#resumed", actions: "keepResume" },
                "cue:Paused": { target: "held", actions: "stopWait" },
                ...ignoring("duplicate", "cue:Resumed"),
              },
              after: {
                waitOver: [
                  { guard: "isTimeItself", target: "#resumed", actions: "keepResume" },
                  { target: "#waitTimedOut", actions: waitRanOut },
                ],
              },
            },
            // The workflow is paused: the clock stands, and what comes is kept until it goes on.
            held: {
              meta: { status: "WAITING" },
              tags: "waiting",
              on: {
                "command:TaskResume": [
                  { guard: "wasResumed", actions: decline("WAITING") },
                  { actions: ["keepResume", "acceptCommand"] },
                ],
                "cue:Wake": [{ guard: "wasResumed", description: "late" }, { actions: "keepResume" }],
                "cue:Resumed": [
                  { guard: "wasResumed", target: "#resumed", actions: "noteResumed" },
                  { target: "counting", actions: "goOnWaiting" },
                ],
                ...ignoring("duplicate", "cue:Paused"),
              },
            },
          },
        },
        resumed: { id: "resumed", entry: "sayWaitingEnded", always: "worker" },

        canceling: {
          meta: { status: "RUNNING" },
          entry: "cancelExecutor",
          on: {
            ...ended,
            "event:TaskWaitingStarted": [old, noWait, { target: "canceledHere" }],
            "command:TaskCancel": { actions: "acceptAgain" },
            "command:TaskResume": { actions: decline("RUNNING") },
            "event:TaskExecutionStarted": [givenUp, { description: "duplicate" }],
            ...ignoring("duplicate", "cue:ParentEnded"),
            ...ignoring("late", "progress:TaskStep", "cue:Paused", "cue:Resumed", "cue:Wake", ...controlWords),
          },
          after: { cancelGrace: { target: "canceledHere" } },
        },

        // An attempt ended badly. What is said was said by the executor, or is said here.
        failing: { id: "failing", always: [tryAgain, { target: "failed" }] },
        failedHere: { id: "failedHere", entry: ["sayFailed", "endChildren"], always: "failing" },
        overdue: { entry: ["sayTimedOut", "endChildren", "noteSilence"], always: [tryAgain, { target: "timedOut" }] },
        overrun: {
          id: "overrun",
          entry: ["sayTimedOut", "stopExecutor", "noteSilence"],
          always: [tryAgain, { target: "timedOut" }],
        },

        succeeded: { id: "succeeded", meta: { status: "SUCCESS" }, type: "final", entry: report("SUCCESS") },
        succeededHere: {
          id: "succeededHere",
          meta: { status: "SUCCESS" },
          type: "final",
          entry: ["sayCompleted", "endChildren", report("SUCCESS")],
        },
        failed: { meta: { status: "FAILED" }, type: "final", entry: report("FAILED") },
        timedOut: { meta: { status: "TIMED_OUT" }, type: "final", entry: report("TIMED_OUT") },
        waitTimedOut: {
          id: "waitTimedOut",
          meta: { status: "TIMED_OUT" },
          type: "final",
          entry: ["sayWaitingTimedOut", report("TIMED_OUT")],
        },
        canceled: { id: "canceled", meta: { status: "CANCELED" }, type: "final", entry: report("CANCELED") },
        canceledHere: {
          id: "canceledHere",
          meta: { status: "CANCELED" },
          type: "final",
          entry: ["sayCanceled", "endChildren", "noteSilence", report("CANCELED")],
        },
      },
    },
  },
});
