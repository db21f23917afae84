// What a task execution remembers and hears: its input, its context, its words, and what follows from them alone.

import type { Message, Payload, Section } from "../protocol/catalogue.ts";
import type { WireError } from "../protocol/errors.ts";
import { type Cause, type Data, type RetryPolicy, type TaskType, type Wait, workerTypes } from "../protocol/fields.ts";
import { type CallKind, type EndStatus, fault, type Place, type TaskName } from "./cues.ts";
import type { Graph, Plan } from "./plan.ts";
import type { Hears, Outcome, Says } from "./speech.ts";
import type { Stamp } from "./step.ts";

/** How much longer than its timeout a worker may take: the executor's own timeout has to be first. */
const executorGraceMs = 5_000;
/**
 * How long a canceled executor may be silent: the 5 s that it waits for what it called, and one for its word to arrive.
 * Without that second both would report the end of one cancel.
 */
export const cancelGraceMs = 6_000;
/** How long after its attempt a call may stay open. */
export const callerLostMs = 5_000;
/** The protocol's timeout where a worker's task has none. */
const workerTimeoutMs = 30_000;
/** The step of an executor that only says that it is alive. */
export const signOfLife = "heartbeat";
/** How many ended calls are remembered. */
export const endedCallsMax = 100;

type Order = Payload<"event:TaskScheduled">["context"];

/** A task execution to begin. Absent limits are null: a snapshot is JSON, which knows no Infinity. */
export type TaskInput = Stamp & {
  workflow?: Section;
  task: { id: string; exec_id: string; name?: string };
  /** The parent's lane, where there is a parent: it is told of the end. */
  lane: number | null;
  place?: Place;
  taskType: TaskType;
  input: unknown;
  /**
   * Of one attempt; of the wait in a wait task. Only a wait and what the orchestrator does itself may go without:
   * a worker that has none gets the protocol's 30 s, for nobody else would end it.
   */
  timeoutMs: number | null;
  /** Over all attempts and waits, by the clock on the wall. */
  totalTimeoutMs: number | null;
  startTimeoutMs: number;
  heartbeatMs: number | null;
  retry: RetryPolicy;
  wait?: Wait;
  /** More of the order's context: env names, the agent's own request, the signal to send. */
  order?: Pick<Order, "env" | "agent_request" | "signal">;
  /** Of a container: the graph it walks. */
  graph?: Graph;
  /** Of a workflow task: the definition that its child runs. */
  child?: { id: string; /** Its end is not waited for, and it does not end with this run. */ detached?: true };
  /** It cannot even begin: its input expression failed, or a trigger was declined. */
  problem?: WireError;
  /** The command that asked for it, to be acknowledged. */
  trigger?: Message<"command:TaskTrigger">;
};

export type OpenCall = { kind: CallKind; callee: TaskName; parents: Data; attempt: number };

export type TaskContext = Omit<TaskInput, "at" | "seed"> & {
  startedAt: number;
  attempt: number;
  attemptAt: number;
  result: Outcome | null;
  delayMs: number;
  /** `ours`: the cancel came from within the orchestrator, so the executor does not know of it yet. */
  cancel: { cause: Cause; reason: string; by: string; ours: boolean } | null;
  /** Whether the workflow is paused. */
  paused: boolean;
  /** When the wait began, pauses included; what is left of it, and since when that counts. */
  waitedSince: number;
  waitLeftMs: number | null;
  waitingAt: number;
  resume: Data | null;
  plan: Plan | null;
  childId: string | null;
  /** Where a route goes. */
  next: string | null;
  calls: OpenCall[];
  /** The newest calls that have ended, so that a doubled or belated Started opens none of them again. */
  endedCalls: string[];
  /** The newest attempt that ended without a word of its executor, which may still begin a call; 0 is none. */
  uncertainAttempt: number;
  /** The same, and not forgotten when its calls are: its executor may begin long after. */
  givenUpAttempt: number;
  /** The calls of attempts up to this one are being given their last seconds. */
  watchedAttempt: number;
  /** The newest attempt that has waited: its wait does not open twice. */
  waitedAttempt: number;
  ended: EndStatus | null;
  /** What the executor said last of how far it is: the next attempt is told. */
  lastStep?: unknown;
};

/** What is heard of the agents and tools that a task calls. */
export type CallEvent =
  | "event:AgentExecutionStarted"
  | "event:AgentExecutionResult"
  | "event:AgentExecutionFailed"
  | "event:AgentExecutionCanceled"
  | "event:ToolExecutionStarted"
  | "event:ToolExecutionSuccess"
  | "event:ToolExecutionFailed"
  | "event:ToolExecutionCanceled";

export type TaskHears = Hears<
  | "event:TaskExecutionStarted"
  | "event:TaskWaitingStarted"
  | "event:TaskExecutionSuccess"
  | "event:TaskExecutionFailed"
  | "event:TaskExecutionCanceled"
  | "progress:TaskStep"
  | "command:TaskResume"
  | "command:TaskCancel"
  | "event:WorkflowExecutionSuccess"
  | "event:WorkflowExecutionFailed"
  | "event:WorkflowExecutionCanceled"
  | "event:WorkflowExecutionTimedOut"
  | CallEvent
  | "cue:ParentEnded"
  | "cue:Paused"
  | "cue:Resumed"
  | "cue:Wake"
  | "cue:TaskEnded"
  | "cue:PauseWanted"
  | "cue:Broken"
  | "cue:Routed"
  | "cue:RouteFailed"
>;
export type TaskSays = Says<
  | "event:TaskScheduled"
  | "event:TaskExecutionStarted"
  | "event:TaskWaitingEnded"
  | "event:TaskWaitingTimedOut"
  | "event:TaskRetryScheduled"
  | "event:TaskExecutionSuccess"
  | "event:TaskExecutionFailed"
  | "event:TaskExecutionCanceled"
  | "event:TaskExecutionTimedOut"
  | "event:AgentExecutionFailed"
  | "event:ToolExecutionFailed"
  | "command:TaskCancel"
  | "command:AgentCancel"
  | "command:ToolCancel"
  | "command:WorkflowExecute"
  | "command:WorkflowCancel"
  | "result:CommandAck"
  | "cue:TaskEnded"
  | "cue:BeginTask"
  | "cue:ParentEnded"
  | "cue:Paused"
  | "cue:Resumed"
  | "cue:PauseWanted"
  | "cue:Broken"
  | "cue:RouteWanted"
  | "cue:WaitOpened"
  | "cue:WaitClosed"
>;

export type Attempted = Extract<TaskHears, { payload: { context: { attempt?: number | undefined } } }>;

export const me = "workflow.Orchestrator";
export const about = ({ workflow, task }: TaskContext) => ({ ...(workflow && { workflow }), task });
export const nameOf = ({ task }: TaskContext): TaskName => ({ id: task.id, exec_id: task.exec_id });
export const isWorker = ({ taskType }: Pick<TaskContext, "taskType">): boolean =>
  (workerTypes as readonly string[]).includes(taskType);
export const orInfinity = (ms: number | null): number => ms ?? Infinity;

export const timeoutConfig = ({ timeoutMs, taskType, startTimeoutMs }: TaskContext) => ({
  timeout_duration_ms: timeoutMs ?? (taskType === "wait" ? startTimeoutMs : 0),
  timeout_policy: "FAIL_TASK" as const,
});

export const orderOf = (context: TaskContext, attempt: number) => ({
  ...context.order,
  ...(context.place && {
    parent_exec_id: context.place.parent_exec_id,
    ...(context.place.branch !== undefined && { branch: context.place.branch }),
    ...(context.place.index !== undefined && { index: context.place.index }),
  }),
  ...(context.wait && { wait: context.wait }),
  attempt,
  ...(attempt > 1 && context.lastStep !== undefined && { last_step: context.lastStep }),
  task_type: context.taskType,
  input: context.input,
  timeout_config: timeoutConfig(context),
  retry_policy: context.retry,
});

export const errorIn = ({ result }: TaskContext) =>
  result && "error" in result ? result : fault("INTERNAL_ERROR", "ended without an error");

/** How long the executor may take: to begin if the task waits, else to do it. */
export const deadlineMs = (context: TaskContext): number => {
  if (!isWorker(context)) return orInfinity(context.timeoutMs);
  if (context.taskType === "wait") return context.startTimeoutMs + executorGraceMs;
  return orInfinity(context.timeoutMs) + executorGraceMs;
};

/** How long a wait for a time takes; no other wait knows. */
const ownWaitMs = ({ wait }: TaskContext, at: number): number | null => {
  if (wait && "until" in wait) return Math.max(0, wait.until - at);
  return wait && "duration_ms" in wait ? wait.duration_ms : null;
};

/** How long a wait may take from now on: until its time has come, or until its timeout. */
export function waitMs(context: TaskContext, at: number): number | null {
  const { timeoutMs } = context;
  const own = ownWaitMs(context, at);
  return own === null || timeoutMs === null ? (own ?? timeoutMs) : Math.min(own, timeoutMs);
}

/** A pause moves no point in time: one that has come meanwhile has come. */
export const leftAfterPause = ({ wait, waitLeftMs }: TaskContext, at: number): number | null =>
  wait && "until" in wait ? Math.min(waitLeftMs ?? Infinity, Math.max(0, wait.until - at)) : waitLeftMs;

/** Whether a wait for a time ends because its time has come; otherwise its timeout was first. */
export function timeIsOver(context: TaskContext, at: number): boolean {
  const { wait, timeoutMs } = context;
  if (wait && "until" in wait) return at >= wait.until;
  return wait !== undefined && "duration_ms" in wait && wait.duration_ms <= (timeoutMs ?? Infinity);
}

export const totalLeft = ({ startedAt, totalTimeoutMs }: TaskContext, at: number): number =>
  totalTimeoutMs === null ? Infinity : Math.max(0, startedAt + totalTimeoutMs - at);

/** Attempts up to this one are over. */
export const lastOver = ({ ended, attempt }: TaskContext): number => (ended === null ? attempt - 1 : attempt);

/** How long an attempt may take. The time of a wait is its own matter: it may be without end. */
const timeoutOf = ({ taskType, timeoutMs }: Pick<TaskInput, "taskType" | "timeoutMs">): number | null =>
  isWorker({ taskType }) && taskType !== "wait" ? (timeoutMs ?? workerTimeoutMs) : timeoutMs;

/** A run by itself has no workflow that could pause before a task. */
const withoutPauses = (graph: Graph): Graph => ({
  ...graph,
  blocks: graph.blocks.map((block) => block.map(({ pause_before: _pause, ...step }) => step)),
});

export const openTask = ({ at, seed: _seed, ...input }: TaskInput): TaskContext => ({
  ...input,
  ...(input.graph && { graph: input.lane === null ? withoutPauses(input.graph) : input.graph }),
  timeoutMs: timeoutOf(input),
  startedAt: at,
  attempt: 1,
  attemptAt: at,
  result: null,
  delayMs: 0,
  cancel: null,
  paused: false,
  waitedSince: at,
  waitLeftMs: null,
  waitingAt: at,
  resume: null,
  plan: null,
  childId: null,
  next: null,
  calls: [],
  endedCalls: [],
  uncertainAttempt: 0,
  givenUpAttempt: 0,
  watchedAttempt: 0,
  waitedAttempt: 0,
  ended: null,
});
