// The calls of a task that are still open, watched from outside: if their caller dies, somebody has to end them.

import { assign, enqueueActions } from "xstate";
import { fault } from "./cues.ts";
import { parentSetup } from "./task-children.ts";
import {
  endedCallsMax,
  lastOver,
  me,
  type OpenCall,
  type TaskContext,
  type TaskHears,
  type TaskSays,
} from "./task-memory.ts";

const lost = fault("CALLER_LOST", "the caller of this call vanished");

const begins = ["event:AgentExecutionStarted", "event:ToolExecutionStarted"] as const;
const ends = [
  "event:AgentExecutionResult",
  "event:AgentExecutionFailed",
  "event:AgentExecutionCanceled",
  "event:ToolExecutionSuccess",
  "event:ToolExecutionFailed",
  "event:ToolExecutionCanceled",
] as const;

type CallEvent = Extract<TaskHears, { type: (typeof begins)[number] | (typeof ends)[number] }>;

/** The call that an agent or tool event is about, its parents as the event names them. */
export function callIn(event: object): OpenCall {
  const { type, workflow, task, agent, tool, payload } = event as CallEvent;
  const kind = type.startsWith("event:Tool") ? "tool" : "agent";
  const { id = "", exec_id = "" } = (kind === "tool" ? tool : agent) ?? {};
  const parents = { ...(workflow && { workflow }), ...(task && { task }), ...(kind === "tool" && agent && { agent }) };
  return { kind, callee: { id, exec_id }, parents, attempt: payload.context.attempt };
}

const idOf = (event: TaskHears): string => {
  const { type, agent, tool } = event as CallEvent;
  return (type.startsWith("event:Tool") ? tool : agent)?.exec_id ?? "";
};

/** The open calls of attempts up to this one. */
const callsUpTo = ({ calls }: TaskContext, last: number): OpenCall[] => calls.filter(({ attempt }) => attempt <= last);

const hasOrphans = (context: TaskContext): boolean => {
  const last = lastOver(context);
  const isDoubtful = context.uncertainAttempt > 0 && context.uncertainAttempt <= last;
  return isDoubtful || context.calls.some(({ attempt }) => attempt <= last);
};

const withEnded = ({ endedCalls }: TaskContext, ended: OpenCall[]): string[] =>
  [...endedCalls, ...ended.map(({ callee }) => callee.exec_id)].slice(-endedCallsMax);

export type Loss = Extract<
  TaskSays,
  { type: "command:ToolCancel" | "command:AgentCancel" | "event:ToolExecutionFailed" | "event:AgentExecutionFailed" }
>;

/** What is said of a call whose caller is gone: it has to stop, and it has failed. */
export function wordsOfLoss({ kind, callee, parents, attempt }: OpenCall): Loss[] {
  const cancel = { attempt, cause: "caller_lost" as const, reason: lost.error.message };
  const failed = { status: "FAILED" as const, result: lost, context: { attempt } };
  if (kind === "tool") {
    return [
      { type: "command:ToolCancel", ...parents, tool: callee, payload: { context: cancel } },
      { type: "event:ToolExecutionFailed", ...parents, tool: callee, payload: failed },
    ];
  }
  return [
    { type: "command:AgentCancel", ...parents, agent: callee, payload: { context: { ...cancel, canceled_by: me } } },
    { type: "event:AgentExecutionFailed", ...parents, agent: callee, payload: failed },
  ];
}

export const callsSetup = parentSetup.extend({
  guards: {
    hasOrphans: ({ context }) => hasOrphans(context),
    hasNoOrphans: ({ context }) => !hasOrphans(context),
    isAllOver: ({ context }) => context.ended !== null && !hasOrphans(context),
    /** It is open or over already, or of an attempt that never was. */
    isStrayCall: ({ context, event }) =>
      (event as CallEvent).payload.context.attempt > context.attempt ||
      context.endedCalls.includes(idOf(event)) ||
      context.calls.some(({ callee }) => callee.exec_id === idOf(event)),
    isEndedCall: ({ context, event }) => context.endedCalls.includes(idOf(event)),
  },
  actions: {
    noteCall: assign(({ context, event }) => ({ calls: [...context.calls, callIn(event)] })),
    dropCall: assign(({ context, event }) => ({
      calls: context.calls.filter(({ callee }) => callee.exec_id !== idOf(event)),
      endedCalls: withEnded(context, [callIn(event)]),
    })),
    watch: assign(({ context }) => ({ watchedAttempt: lastOver(context) })),
    endOrphans: enqueueActions(({ context, enqueue }) => {
      const orphans = callsUpTo(context, context.watchedAttempt);
      for (const orphan of orphans) for (const word of wordsOfLoss(orphan)) enqueue.emit(word);
      enqueue.assign({
        calls: context.calls.filter((call) => !orphans.includes(call)),
        endedCalls: withEnded(context, orphans),
        uncertainAttempt: context.uncertainAttempt > context.watchedAttempt ? context.uncertainAttempt : 0,
      });
    }),
  },
});

const noting = [{ guard: "isStrayCall", description: "duplicate" }, { actions: "noteCall" }] as const;
const dropping = [{ guard: "isEndedCall", description: "duplicate" }, { actions: "dropCall" }] as const;

const heard = {
  ...Object.fromEntries(begins.map((key) => [key, noting])),
  ...Object.fromEntries(ends.map((key) => [key, dropping])),
} as Record<(typeof begins)[number], typeof noting> & Record<(typeof ends)[number], typeof dropping>;

/** The region beside the task's own life: it has no status, and ends when no call is left that could be orphaned. */
export const callsRegion = callsSetup.createStateConfig({
  meta: { aside: true },
  initial: "calm",
  states: {
    calm: {
      tags: "waiting",
      on: heard,
      always: [
        { guard: "isAllOver", target: "settled" },
        { guard: "hasOrphans", target: "orphaned" },
      ],
    },
    // An attempt ended with calls still open, or without a word of its executor, which may yet begin one.
    orphaned: {
      entry: "watch",
      on: heard,
      always: { guard: "hasNoOrphans", target: "calm" },
      after: { callerLost: "swept" },
    },
    swept: { entry: "endOrphans", always: "calm" },
    settled: { type: "final" },
  },
});
