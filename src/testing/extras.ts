// The extras on a stage: they host the charts, assign tasks, run agents and tools, and are no charts themselves.

import { agentExecution } from "../machines/agent-execution.ts";
import { type Cue, fault, type TaskName } from "../machines/cues.ts";
import { oneAttempt } from "../machines/retry.ts";
import type { Outcome } from "../machines/speech.ts";
import { taskAttempt } from "../machines/task-attempt.ts";
import { taskExecution } from "../machines/task-execution.ts";
import { toolExecution } from "../machines/tool-execution.ts";
import type { Message, Section } from "../protocol/catalogue.ts";
import { type TaskType, workerTypes } from "../protocol/fields.ts";
import { type Act, graphOf, type Play, type Task } from "./play.ts";
import type { Stage, Word } from "./stage.ts";

const heartbeatMs = 5_000;
const leaseMs = 15_000;
const capable = { supported_providers: [], supported_models: [], max_concurrent_executions: 8 };
export const runtime = { id: "runtime", exec_id: "01900000-0000-7000-8000-00000000aaaa" };

/** What the extras know of a play that is under way. */
export type World = {
  stage: Stage;
  play: Play;
  workflow: { id: string; exec_id: string };
  tasks: ReadonlyMap<string, Task>;
  /** How often an agent or tool was called. */
  calls: Map<string, number>;
  /** Executions that were told to stop, and did; tasks that were canceled before they were assigned. */
  stopped: Set<string>;
  orders: Map<string, Message<"command:TaskExecute">>;
  /** The address of a task's parent, and the task of a call, by execution id. */
  parents: Map<string, string>;
  callers: Map<string, string>;
  /** The task that sent a signal to a workflow. */
  signalers: Map<string, string>;
  /** The agent executions that the runtime has; whether it is still alive, and how often it beat. */
  held: Set<string>;
  runtimeAlive: boolean;
  beats: number;
};

type Ids = { workflow?: Section; task?: TaskName; agent?: TaskName; tool?: TaskName };
type Context = { attempt: number; task_type: TaskType; delay_ms?: number; original_error?: unknown; cause?: string };
/** A message as the extras read it. */
export type Told = Word & Ids & { payload: { reply_to_subject?: string; context: Context } };

// ── the orchestrator's host and the dispatcher of tasks ──────────────────────────────────────────

export function beginTask(world: World, { task, lane, place }: Cue<"cue:BeginTask">, parent: string): void {
  const about = world.tasks.get(task.id);
  if (!about) throw new Error(`the play has no task '${task.id}'`);
  world.parents.set(task.exec_id, parent);
  const calls = about.type === "agent" || about.type === "tool";
  world.stage.enter(`task/${task.exec_id}`, taskExecution, "WO", {
    workflow: world.workflow,
    task,
    lane,
    taskType: about.type,
    input: {},
    timeoutMs: about.timeoutMs ?? (calls ? 30_000 : null),
    totalTimeoutMs: null,
    startTimeoutMs: 60_000,
    heartbeatMs: null,
    retry: about.retry ?? oneAttempt,
    ...(place && { place }),
    ...(about.wait && { wait: about.wait }),
    ...(about.signal !== undefined && { order: { signal: { name: about.signal, payload: {} } } }),
    ...(about.branches && { graph: graphOf(about.branches, about.strategy) }),
  });
}

/** Orders an attempt, after the delay of a retry, unless it was canceled; control tasks have no executor. */
export function dispatchTask({ stage, stopped }: World, { workflow, task, payload }: Told): void {
  if (!task || !(workerTypes as readonly string[]).includes(payload.context.task_type)) return;
  const { delay_ms = 0, original_error: _, ...context } = payload.context;
  const of = { ...(workflow && { workflow }), task };
  const order = { reply_to_subject: `results.task.${task.exec_id}`, context };
  stage.after(delay_ms, () => {
    if (!stopped.has(task.exec_id)) stage.say("TD", { type: "command:TaskExecute", ...of, payload: order });
  });
}

// ── the task executor's host ─────────────────────────────────────────────────────────────────────

export function execute({ stage, tasks, orders }: World, order: Message<"command:TaskExecute">): void {
  const { task } = order;
  const { calls: id, type } = tasks.get(task.id) ?? { type: "agent" };
  orders.set(task.exec_id, order);
  const call = id === undefined || (type !== "agent" && type !== "tool") ? {} : { call: { kind: type, id } };
  stage.enter(`attempt/${task.exec_id}`, taskAttempt, "TE", { order, ...call });
}

export function beginCall({ stage, orders, callers }: World, call: Cue<"cue:Call">, taskExecId: string): void {
  const { kind, id, exec_id } = call;
  const order = orders.get(taskExecId);
  if (!order) throw new Error(`no order for task '${taskExecId}'`);
  callers.set(exec_id, taskExecId);
  const { workflow, task, payload } = order;
  stage.enter(`call/${exec_id}`, kind === "agent" ? agentExecution : toolExecution, "TE", {
    parents: { ...(workflow && { workflow }), task },
    callee: { id, exec_id },
    attempt: payload.context.attempt,
    input: payload.context.input,
    timeoutMs: payload.context.timeout_config.timeout_duration_ms,
  });
}

// ── the agent runtime and the tool executor ──────────────────────────────────────────────────────

type Performer = "AR" | "XE";

const words = {
  AR: {
    entity: "agent",
    started: "event:AgentExecutionStarted",
    result: "result:AgentExecutionResult",
    erred: "AGENT_ERROR",
    canceled: "AGENT_CANCELED",
  },
  XE: {
    entity: "tool",
    started: "event:ToolExecutionStarted",
    result: "result:ToolExecutionResult",
    erred: "TOOL_ERROR",
    canceled: "TOOL_CANCELED",
  },
} as const;

function nextAct({ play, calls }: World, id: string): Act | undefined {
  const acts = play.scripts[id];
  const nth = calls.get(id) ?? 0;
  calls.set(id, nth + 1);
  return acts?.[Math.min(nth, acts.length - 1)];
}

/** An agent or tool at work: it says that it began, and what came of it. */
export function perform(world: World, by: Performer, { workflow, task, payload }: Told, callee: TaskName): void {
  const { stage, stopped } = world;
  const act = nextAct(world, callee.id);
  const context = { attempt: payload.context.attempt };
  stage.say(by, {
    type: words[by].started,
    ...(workflow && { workflow }),
    ...(task && { task }),
    [words[by].entity]: callee,
    ...(by === "AR" && { agent_runtime: runtime }),
    payload: { status: "RUNNING", result: null, context },
  });
  if (act === "dies") world.runtimeAlive = false;
  if (act === undefined || act === "hangs" || act === "dies") return;
  const status = "output" in act.outcome ? "SUCCESS" : words[by].erred;
  stage.after(act.afterMs, () => {
    if (!stopped.has(callee.exec_id)) answer(stage, by, callee, status, act.outcome, context);
  });
}

const answer = (
  stage: Stage,
  by: Performer,
  callee: TaskName,
  status: string,
  result: Outcome,
  context: object,
): void => stage.say(by, { type: words[by].result, [words[by].entity]: callee, payload: { status, result, context } });

/** Whoever is told to stop stops, and says so unless it was given up. */
export function stop({ stage, play, stopped }: World, by: Performer, { payload }: Told, callee: TaskName): void {
  if (play.obedient === false || stopped.has(callee.exec_id)) return;
  stopped.add(callee.exec_id);
  const { cause, attempt } = payload.context;
  if (cause === "timed_out" || cause === "caller_lost") return;
  answer(stage, by, callee, "FAILURE", fault(words[by].canceled, "stopped when told to"), { attempt });
}

export const acknowledge = ({ stage }: World, { agent }: Told): void =>
  stage.say("AR", {
    type: "result:CommandAck",
    agent_runtime: runtime,
    agent,
    payload: { status: "ACKNOWLEDGED", result: null, context: {} },
  });

/** The runtime offers what the play has a script for, and beats from then on. */
export function register(world: World): void {
  const { stage, play } = world;
  stage.say("AR", {
    type: "event:AgentRuntimeRegistered",
    agent_runtime: { ...runtime, capabilities: { ...capable, agents: Object.keys(play.scripts) } },
    payload: { status: "REGISTERED", result: null, context: { heartbeat_ms: heartbeatMs, lease_ms: leaseMs } },
  });
  stage.after(heartbeatMs, () => beat(world));
}

function beat(world: World): void {
  if (!world.runtimeAlive) return;
  world.beats += 1;
  world.stage.say("AR", {
    type: "progress:AgentRuntimeHeartbeat",
    agent_runtime: runtime,
    payload: { context: { seq: world.beats, in_flight: world.held.size } },
  });
  world.stage.after(heartbeatMs, () => beat(world));
}
