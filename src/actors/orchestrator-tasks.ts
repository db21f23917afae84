// What the orchestrator does for the tasks of a run: begins them with their input, notes their ends, works out routes,
// waits and the run's output.

import type { Cue } from "../machines/cues.ts";
import type { Graph } from "../machines/plan.ts";
import { isOpen } from "../machines/plan.ts";
import { asData } from "../machines/speech.ts";
import { taskExecution } from "../machines/task-execution.ts";
import type { TaskContext } from "../machines/task-memory.ts";
import type { WorkflowContext } from "../machines/workflow-memory.ts";
import type { WireError } from "../protocol/errors.ts";
import type { Data, Wait } from "../protocol/fields.ts";
import { timeOf } from "../language/duration.ts";
import { schemaOf, wrong } from "../language/json-schema.ts";
import { as, type Ear, type Heard, type Host } from "./component.ts";
import { defaultTimeoutMs, type Task, type Workflow } from "./definition.ts";
import { frameOfUndo, noteBegun, noteEnded } from "./undo.ts";
import {
  dropFrames,
  frameOf,
  frameOfLane,
  noteEnd,
  outermost,
  standIn,
  timesOf,
  worked,
  type Worked,
} from "./scope.ts";

export const workflowAt = (execId: string): string => `workflow/${execId}`;
export const taskAt = (execId: string): string => `task/${execId}`;

export const workflowOf = ({ run, world }: Host): Workflow | undefined =>
  run.facts.definition === null ? undefined : world.definitions.byHash(run.facts.definition.hash);

function specAt(host: Host, id: string): { workflow: Workflow; known: Task } {
  const workflow = workflowOf(host);
  const known = workflow?.tasks.get(id);
  if (!workflow || !known) throw new Error(`the definition of the run has no task '${id}'`);
  return { workflow, known };
}

/** A task that sets no timeout has that of the agent or tool it calls. */
export function timeoutOf(host: Host, { spec, timeoutMs }: Task): number | null {
  if (spec.timeout !== undefined) return timeoutMs;
  if (spec.type === "agent") return calleeTimeout(host, "agents", spec.agent);
  return spec.type === "tool" ? calleeTimeout(host, "tools", spec.tool) : timeoutMs;
}
const calleeTimeout = (host: Host, kind: "agents" | "tools", id: string): number =>
  host.ask(() => host.world.definitions[kind].get(id)?.timeoutMs ?? defaultTimeoutMs);

type Alone = { timeoutMs: number; problem?: WireError };
/** Of an agent or tool by itself: its timeout, and what is wrong with its input; one question for both. */
export function calleeAlone(host: Host, kind: "agent" | "tool", id: string, input: unknown): Alone {
  const answer = host.ask((): number | Alone => {
    const { timeoutMs = defaultTimeoutMs, input: schema } = host.world.definitions[`${kind}s`].get(id) ?? {};
    const { errors } = schemaOf(schema).check(input);
    if (!errors) return timeoutMs;
    return { timeoutMs, problem: { code: "VALIDATION_FAILED", ...wrong(`the input of ${kind} '${id}'`, errors) } };
  });
  return typeof answer === "number" ? { timeoutMs: answer } : answer;
}

const invalid = (message: string, details: Data = {}): { error: WireError } => ({
  error: { code: "VALIDATION_FAILED", message, details },
});
const mistaken = (message: string): { error: WireError } => ({
  error: { code: "EXPRESSION_ERROR", message, details: {} },
});

// ── a task begins ──

/** About how many words the begin of a task leads to at once, if it is not a container. */
const wordsPerTask = 20;

type Begin = Cue<"cue:BeginTask"> & { /** It was put off, because too much began at once. */ late?: true };

/** Whether whoever wanted a task that was put off still waits for it, and whether the run is paused meanwhile. */
function stillWanted(host: Host, address: string, { lane, task }: Begin): { wanted: boolean; paused: boolean } {
  const parent = host.actor(address);
  const { graph, plan, paused } = (parent?.life.snapshot.context ?? {}) as Partial<TaskContext & WorkflowContext>;
  const { value } = parent?.life.snapshot ?? {};
  const isPaused = paused === true || value === "paused";
  const isEnding = value === "unwinding" || value === "undoing";
  return { wanted: Boolean(!isEnding && graph && plan && isOpen(graph, plan, lane, task)), paused: isPaused };
}

export const beginTask: Ear = (host, heard) => {
  const begin = as<Begin>(heard.word);
  const { task, lane } = begin;
  const { workflow, known } = specAt(host, task.id);
  const { paused, wanted } = begin.late ? stillWanted(host, heard.from, begin) : { paused: false, wanted: true };
  if (!wanted) return;
  // What is undone begins one by one.
  const { undoes } = begin;
  if (!undoes && !host.hasRoom(known.graph?.width ?? wordsPerTask)) return putOff(host, heard);
  const frame = undoes ? frameOfUndo(host, undoes) : frameOfLane(host, heard.from, lane);
  standIn(host, task.exec_id, frame);
  const stepsMax = graphAt(host, heard.from)?.stepsMax ?? Infinity;
  if (timesOf(host, frame, task.id) >= stepsMax) return overLimit(host, task.id, stepsMax);
  if (workflow.undoes) noteBegun(host);
  enterTask(host, begin, heard.from, workflow, known);
  if (paused) host.tell(taskAt(task.exec_id), { type: "cue:Paused", task });
};

const putOff = (host: Host, heard: Heard): void =>
  host.forward(host.run.id, { ...heard, word: { ...heard.word, late: true } });

/** The graph that a workflow or container walks, with the limits that it had when it began. */
const graphAt = (host: Host, address: string): Graph | undefined =>
  (host.actor(address)?.life.snapshot.context as { graph?: Graph } | undefined)?.graph;

function overLimit(host: Host, id: string, stepsMax: number): void {
  const message = `task '${id}' ran ${stepsMax} times, more is not allowed`;
  const error: WireError = { code: "STEP_LIMIT", message, details: { task: id, max_steps: stepsMax } };
  const root = host.actor(workflowAt(host.run.id)) ? workflowAt(host.run.id) : taskAt(host.run.id);
  host.tell(root, { type: "cue:Broken", error });
}

function enterTask(host: Host, { task, lane, place }: Begin, from: string, workflow: Workflow, known: Task): void {
  const { spec } = known;
  const frame = frameOf(host, task.exec_id);
  const input = worked(host, spec.with, frame, `task '${task.id}' with`);
  const { error, ...own } = "error" in input ? input : { error: undefined, ...ownOf(host, known, task.exec_id, frame) };
  const value = "value" in input ? input.value : {};
  host.enter(
    taskAt(task.exec_id),
    taskExecution,
    "WO",
    {
      // A task by itself is a run without a workflow, and so are the tasks in it.
      ...(host.actor(workflowAt(host.run.id)) && { workflow: { id: workflow.id, exec_id: host.run.id } }),
      task,
      lane,
      taskType: known.type,
      input: value,
      timeoutMs: timeoutOf(host, known),
      totalTimeoutMs: known.totalTimeoutMs,
      startTimeoutMs: known.startTimeoutMs,
      heartbeatMs: known.heartbeatMs,
      retry: known.retry,
      ...(place && { place }),
      ...(spec.type === "signal" && { order: { signal: { name: spec.signal, payload: value as never } } }),
      ...own,
      ...(error && { problem: error }),
    },
    from,
  );
}

type Own = { error?: WireError; graph?: Graph; wait?: Wait; child?: { id: string; detached?: true } };

/** What only this type of task has, worked out where the task stands. */
export function ownOf(host: Host, { spec, graph, wait }: Task, execId: string, frame: string): Own {
  if (spec.type === "workflow") return { child: { id: spec.workflow, ...(spec.detached && { detached: true }) } };
  if (spec.type === "each" && graph)
    return itemsOf(host, graph, worked(host, spec.items, frame, `task '${spec.id}' items`), execId);
  if (spec.type === "wait" && "until" in spec.wait) {
    return untilOf(worked(host, spec.wait.until, frame, `task '${spec.id}' wait.until`));
  }
  return { ...(graph && { graph }), ...(wait && { wait }) };
}

function itemsOf(host: Host, graph: Graph, items: ReturnType<typeof worked>, execId: string): Own {
  if ("error" in items) return { ...items, graph };
  const { value } = items;
  if (!Array.isArray(value)) return { ...mistaken("`items` must give a list"), graph };
  const itemsMax = host.ask(() => host.world.limits.itemsMax);
  if (value.length > itemsMax) {
    const details = { limit: "itemsMax", max: itemsMax, items: value.length };
    return { ...invalid(`there are ${value.length} items, at most ${itemsMax} are allowed`, details), graph };
  }
  host.put(host.run.facts.items, execId, value);
  return { graph: { ...graph, items: value.length } };
}

function untilOf(given: ReturnType<typeof worked>): Own {
  if ("error" in given) return given;
  const until = timeOf(given.value);
  if (until !== undefined) return { wait: { until } };
  return mistaken("`wait.until` must give a time, such as 2027-01-31T08:00:00Z, or milliseconds since 1970");
}

// ── a task ends ──

export const toParent: Ear = (host, { word, from }) => {
  const reportsTo = host.reportsTo(from);
  if (reportsTo) host.tell(reportsTo, word);
};

export const taskEnded: Ear = (host, heard) => {
  const ended = as<Cue<"cue:TaskEnded">>(heard.word);
  const parent = host.reportsTo(heard.from);
  noteEnd(host, ended, parent);
  toParent(host, heard);
  const workflow = workflowOf(host);
  if (workflow?.undoes) noteEnded(host, workflow, ended, frameOf(host, ended.task.exec_id));
  dropFrames(host, ended.task, ended.lane, parent);
};

// ── routes ──

export const route: Ear = (host, { word, from }) => {
  const { task } = as<Cue<"cue:RouteWanted">>(word);
  const { spec } = specAt(host, task.id).known;
  if (spec.type !== "route") throw new Error(`task '${task.id}' is no route`);
  const frame = frameOf(host, task.exec_id);
  const fail = ({ error }: { error: WireError }): void => void host.tell(from, { type: "cue:RouteFailed", error });
  for (const [index, { when, next }] of spec.cases.entries()) {
    const given = worked(host, when, frame, `case ${index} of '${task.id}'`);
    if ("error" in given) return fail(given);
    if (typeof given.value !== "boolean") return fail(mistaken(`case ${index}: \`when\` must give true or false`));
    if (given.value) return void host.tell(from, { type: "cue:Routed", output: { case: index, next }, next });
  }
  const { default: next } = spec;
  if (next !== undefined) return void host.tell(from, { type: "cue:Routed", output: { case: "default", next }, next });
  const message = `no case of '${task.id}' is true, and it has no default`;
  fail({ error: { code: "NO_ROUTE", message, details: {} } });
};

// ── waits for signals ──

/** Whether a wait takes a signal. A match that cannot be had on this signal takes it for another's. */
function fits(host: Host, task: { id: string; exec_id: string }, signal: { name: string; payload: unknown }): boolean {
  const { spec } = specAt(host, task.id).known;
  const match = spec.type === "wait" && "match" in spec.wait ? spec.wait.match : undefined;
  if (match === undefined) return true;
  const given = worked(host, match, frameOf(host, task.exec_id), `task '${task.id}' wait.match`, { signal });
  if ("value" in given && typeof given.value === "boolean") return given.value;
  const why = "error" in given ? given.error.message : "it must give true or false";
  sayMismatch(host, task, `a signal '${signal.name}' is passed over by task '${task.id}': its match failed: ${why}`);
  return false;
}

function sayMismatch(host: Host, { id, exec_id }: { id: string; exec_id: string }, message: string): void {
  host.say("WO", {
    type: "log:LogEmitted",
    workflow: { id: workflowOf(host)?.id ?? "", exec_id: host.run.id },
    task: { id, exec_id },
    payload: {
      log_level: "warn",
      message,
      timestamp: new Date(host.at).toISOString(),
      context: { code: "EXPRESSION_ERROR" },
    },
  });
}

const hasMatch = (host: Host, id: string): boolean => {
  const spec = workflowOf(host)?.tasks.get(id)?.spec;
  return spec?.type === "wait" && "match" in spec.wait && spec.wait.match !== undefined;
};

const waitsOf = (host: Host): WorkflowContext | undefined =>
  host.actor(workflowAt(host.run.id))?.life.snapshot.context as WorkflowContext | undefined;

/** Which open waits take a signal, if any of them asks for more than its name. */
export function fitsFor(host: Host, signal: { name: string; payload: unknown }): { fits?: string[] } {
  const asked = (waitsOf(host)?.waiters ?? []).filter((waiter) => waiter.signal === signal.name);
  if (!asked.some(({ task }) => hasMatch(host, task.id))) return {};
  return { fits: asked.filter(({ task }) => fits(host, task, signal)).map(({ task }) => task.exec_id) };
}

/** A wait has opened: of the signals that are kept it may take only those that fit. */
export const waitOpened: Ear = (host, { word }) => {
  const { task, wait } = as<Cue<"cue:WaitOpened">>(word);
  const kept = "signal" in wait && hasMatch(host, task.id) ? (waitsOf(host)?.signals ?? []) : undefined;
  const which = kept?.flatMap((signal, index) =>
    "signal" in wait && signal.name === wait.signal && fits(host, task, signal) ? [index] : [],
  );
  host.tell(workflowAt(host.run.id), { ...word, ...(which && { fits: which }) });
};

// ── the run's output ──

export const conclude: Ear = (host, { word, from }) => {
  const { last } = as<Cue<"cue:Conclude">>(word);
  const workflow = workflowOf(host);
  const result = workflow?.spec.result;
  let given: Worked = result === undefined ? { value: last } : worked(host, result, outermost, "result");
  if ("value" in given && workflow?.spec.output !== undefined) given = fitFor(host, workflow, given.value);
  if ("error" in given) host.tell(from, { type: "cue:Broken", error: given.error });
  else host.tell(from, { type: "cue:Concluded", output: asData(given.value) satisfies Data });
};

/** The output as its schema wants it, or what is wrong with it. */
const fitFor = (host: Host, { id, spec }: Workflow, output: unknown): Worked =>
  host.ask(() => {
    const checked = schemaOf(spec.output).check(output);
    if (!checked.errors) return { value: checked.value };
    return { error: { code: "VALIDATION_FAILED", ...wrong(`the output of workflow '${id}'`, checked.errors) } };
  });
