// The orchestrator: hosts the charts of workflows and tasks, makes their inputs, passes on what concerns them.

import type { Cue } from "../machines/cues.ts";
import { answerEnded, answerOrder, answerUnknown } from "../machines/answers.ts";
import { taskExecution } from "../machines/task-execution.ts";
import { workflowExecution } from "../machines/workflow-execution.ts";
import type { Message } from "../protocol/catalogue.ts";
import { fromUnknown, toWire, TroupeError, type WireError } from "../protocol/errors.ts";
import type { Data } from "../protocol/fields.ts";
import type { Status } from "../protocol/statuses.ts";
import { asData } from "../machines/speech.ts";
import { oneAttempt } from "../machines/retry.ts";
import { as, type Component, type Ear, execIdIn, type Host } from "./component.ts";
import { defaultTimeoutMs, type Task, type Workflow } from "./definition.ts";
import { evaluate, type Scope, type Value } from "./template.ts";

const workflowAt = (execId: string): string => `workflow/${execId}`;
const taskAt = (execId: string): string => `task/${execId}`;

const workflowOf = ({ run, world }: Host): Workflow | undefined =>
  run.facts.definition === null ? undefined : world.definitions.byHash(run.facts.definition.hash);

// ── what begins a run ──

const executeWorkflow: Ear = (host, heard) => {
  const { word, run: sender } = heard;
  const { run, world } = host;
  const order = as<Message<"command:WorkflowExecute">>(word);
  // Said to a child: another run hears it.
  if (order.workflow.exec_id !== run.id) {
    return host.forward(order.workflow.exec_id, heard);
  }
  if (host.tell(workflowAt(run.id), word)) return;
  const known = run.facts.order;
  if (known) return host.say("WO", answerOrder(known, order));
  const definition = host.ask(() => hashOf(world.definitions.workflows.get(order.workflow.id)));
  const workflow = definition === null ? undefined : world.definitions.byHash(definition);
  const { input, parent_exec_id, labels } = order.payload.context as typeof order.payload.context & {
    labels?: Record<string, string>;
  };
  host.note("definition", definition === null ? null : { id: order.workflow.id, hash: definition });
  host.note("input", input);
  host.note("startedAt", host.at);
  host.note("labels", labels ?? null);
  host.note("order", order);
  if (parent_exec_id !== undefined && sender !== "" && sender !== run.id) {
    host.note("parent", { run: sender, task: parent_exec_id });
    host.note(
      "depth",
      host.ask(() => world.depthOf(sender) + 1),
    );
  }
  const problem = workflow === undefined ? notFound(order.workflow.id) : tooDeep(host);
  host.enter(workflowAt(run.id), workflowExecution, "WO", {
    order,
    graph: workflow?.graph ?? nothing,
    timeoutMs: workflow?.timeoutMs ?? 0,
    concludes: workflow?.spec.result !== undefined,
    ...(problem && { problem }),
  });
};

const notFound = (id: string): WireError => ({
  code: "WORKFLOW_NOT_FOUND",
  message: `there is no workflow '${id}'`,
  details: {},
});

function tooDeep({ run: { facts }, world: { limits } }: Host): WireError | undefined {
  if (facts.depth <= limits.depthMax) return undefined;
  const message = `workflows call each other ${facts.depth} deep, at most ${limits.depthMax} are allowed`;
  return { code: "VALIDATION_FAILED", message, details: { limit: "depthMax", max: limits.depthMax } };
}

const nothing = { strategy: "all", width: 1, stepsMax: 1, blocks: [[]], lanes: [{ block: 0 }] } as const as never;
const hashOf = (workflow: Workflow | undefined): string | null => workflow?.hash ?? null;

const direct = {
  startTimeoutMs: 60_000,
  heartbeatMs: null,
  totalTimeoutMs: null,
  retry: oneAttempt,
  lane: null,
} as const;

/** One task by itself: a task of a workflow, or an agent or tool without any. */
const triggerTask: Ear = (host, { word }) => {
  const { run, world } = host;
  const trigger = as<Message<"command:TaskTrigger">>(word);
  if (run.facts.trigger) return host.say("WO", answerOrder(run.facts.trigger, trigger));
  const { workflow: scope, task, payload } = trigger;
  const { input, task_type } = payload.context;
  host.note("input", input);
  host.note("startedAt", host.at);
  host.note("trigger", trigger);
  const hash =
    scope?.id === undefined ? null : host.ask(() => hashOf(world.definitions.workflows.get(scope.id as string)));
  const found = hash === null ? undefined : world.definitions.byHash(hash)?.tasks.get(task.id);
  if (hash !== null) host.note("definition", { id: scope?.id ?? "", hash });
  const problem = problemOf(host, scope?.id, task, task_type, found);
  const isWait = found?.type === "wait";
  host.enter(taskAt(task.exec_id), taskExecution, "WO", {
    ...direct,
    // Of which workflow the task is; there is no execution of it.
    ...(scope?.id !== undefined && { workflow: { id: scope.id } }),
    task: { id: task.id, exec_id: task.exec_id },
    taskType: found?.type ?? task_type ?? "agent",
    input,
    timeoutMs: found ? timeoutOf(host, found) : calleeTimeout(host, task_type === "tool" ? "tools" : "agents", task.id),
    trigger,
    ...(found && { startTimeoutMs: found.startTimeoutMs, heartbeatMs: found.heartbeatMs, retry: found.retry }),
    ...(found?.graph && { graph: found.graph }),
    ...(isWait && found.wait && { wait: found.wait }),
    ...(problem && { problem }),
  });
};

/** A task that sets no timeout has that of the agent or tool it calls. */
function timeoutOf(host: Host, { spec, timeoutMs }: Task): number | null {
  if (spec.timeout !== undefined) return timeoutMs;
  if (spec.type === "agent") return calleeTimeout(host, "agents", spec.agent);
  return spec.type === "tool" ? calleeTimeout(host, "tools", spec.tool) : timeoutMs;
}
const calleeTimeout = (host: Host, kind: "agents" | "tools", id: string): number =>
  host.ask(() => host.world.definitions[kind].get(id)?.timeoutMs ?? defaultTimeoutMs);

function problemOf(
  host: Host,
  scope: string | undefined,
  task: { id: string },
  type: unknown,
  found: Task | undefined,
) {
  const { definitions } = host.world;
  if (found || (scope === undefined && type === "agent")) return undefined;
  const isTool = scope === undefined && type === "tool";
  if (isTool && host.ask(() => definitions.tools.has(task.id) || !host.world.here.has("XE"))) return undefined;
  const message = `there is no ${isTool ? "tool" : "task"} '${task.id}'`;
  return { code: isTool ? "TOOL_NOT_FOUND" : "TASK_NOT_FOUND", message, details: {} } as WireError;
}

// ── what is told to charts ──

type RunCommand = Message<
  "command:WorkflowPause" | "command:WorkflowResume" | "command:WorkflowCancel" | "command:WorkflowSignal"
>;

const toWorkflow: Ear = (host, heard) => {
  const { word } = heard;
  const target = word.workflow?.exec_id ?? "";
  if (target !== host.run.id) return host.forward(target, heard);
  const { type } = word;
  if (type === "command:WorkflowResume") {
    const { resume_data } = (word["payload"] as { context: { resume_data?: unknown } }).context;
    host.note("resumeData", resume_data);
  }
  if (host.tell(workflowAt(target), word)) return;
  answer(host, as<RunCommand>(word), target);
};

/** No chart is left to answer: what is known of the execution does. */
function answer(host: Host, command: Parameters<typeof answerUnknown>[0], execId: string): void {
  const known = host.run.executions.get(execId);
  const said = known ? answerEnded(known.status as Status<"workflow">, command) : answerUnknown(command);
  host.say("WO", said);
}

const toTask: Ear = (host, { word }) => void host.tell(taskAt(word.task?.exec_id ?? ""), word);

const commandTask: Ear = (host, { word, by }) => {
  // Its own order to the executor is not for itself.
  if (by === "WO" || host.tell(taskAt(word.task?.exec_id ?? ""), word)) return;
  answer(host, as<Message<"command:TaskCancel" | "command:TaskResume">>(word), word.task?.exec_id ?? "");
};

const fromExecutor: Ear = (host, heard) => {
  if (heard.by !== "WO") toTask(host, heard);
};

/** A run has ended: a task of another run may wait for it. */
const childEnded: Ear = (host, heard) => {
  const { run } = host;
  const { word } = heard;
  if (word.workflow?.exec_id === run.id) {
    if (run.facts.parent) host.forward(run.facts.parent.run, heard);
    return;
  }
  for (const [address, { machine, life }] of run.actors) {
    if (machine !== taskExecution) continue;
    const { childId } = life.snapshot.context as { childId: string | null };
    if (childId === word.workflow?.exec_id) return void host.tell(address, word);
  }
};

// ── cues of its own charts ──

const toParent: Ear = (host, { word, from }) => {
  const reportsTo = host.reportsTo(from);
  if (reportsTo) host.tell(reportsTo, word);
};
const toRun: Ear = (host, { word }) => void host.tell(workflowAt(host.run.id), word);

const taskEnded: Ear = (host, heard) => {
  const { task, status, result } = as<Cue<"cue:TaskEnded">>(heard.word);
  const { facts } = host.run;
  const outcome = result === null ? {} : "output" in result ? { output: result.output } : { error: result.error };
  host.note("tasks", { ...facts.tasks, [task.id]: { status, exec_id: task.exec_id, ...outcome } });
  const isWell = status === "SUCCESS";
  host.note(
    "error",
    isWell ? undefined : { ...Object(result && "error" in result ? result.error : {}), task: task.id },
  );
  toParent(host, heard);
};

function scopeOf({ run }: Host): Scope {
  const { facts, id, correlationId } = run;
  return {
    input: facts.input,
    tasks: facts.tasks,
    ...(facts.error !== undefined && { error: facts.error }),
    workflow: {
      id: facts.definition?.id ?? "",
      exec_id: id,
      correlation_id: correlationId,
      started_at: new Date(facts.startedAt).toISOString(),
      resume_data: facts.resumeData,
    },
  };
}

type Worked = { value: unknown } | { error: WireError };

/** What a template gives; a function is asked once, and a replay is given its answer. */
function worked(host: Host, value: Value | undefined): Worked {
  const work = (): Worked => {
    try {
      const given = evaluate(value, scopeOf(host));
      checkSize(given, host.world.limits.payloadBytes);
      return { value: given };
    } catch (thrown) {
      return { error: toWire(fromUnknown(thrown)) };
    }
  };
  return isPure(value) ? work() : host.ask(work);
}

/** The parts of a template fit into a message each, and may not together. */
function checkSize(value: unknown, max: number): void {
  const text = JSON.stringify(value) ?? "";
  const bytes = text.length > max ? text.length : Buffer.byteLength(text);
  if (bytes <= max) return;
  const details = { limit: "payloadBytes", max, bytes };
  throw new TroupeError("PAYLOAD_TOO_LARGE", `a template gives ${bytes} bytes, at most ${max} are allowed`, details);
}

const isPure = (value: Value | undefined): boolean => {
  if (typeof value === "function") return false;
  return typeof value !== "object" || value === null || Object.values(value).every((inner) => isPure(inner as Value));
};

const beginTask: Ear = (host, { word, from }) => {
  const { task, lane, place } = as<Cue<"cue:BeginTask">>(word);
  const workflow = workflowOf(host);
  const known = workflow?.tasks.get(task.id);
  if (!workflow || !known) throw new Error(`the definition of the run has no task '${task.id}'`);
  const { spec } = known;
  const input = worked(host, spec.with ?? {});
  const signal =
    spec.type === "signal" ? { name: spec.signal, payload: "value" in input ? input.value : {} } : undefined;
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
      input: "value" in input ? input.value : {},
      timeoutMs: timeoutOf(host, known),
      totalTimeoutMs: null,
      startTimeoutMs: known.startTimeoutMs,
      heartbeatMs: known.heartbeatMs,
      retry: known.retry,
      ...(place && { place }),
      ...(known.wait && { wait: known.wait }),
      ...(signal && { order: { signal } }),
      ...(known.graph && { graph: known.graph }),
      ...(spec.type === "workflow" && { child: { id: spec.workflow } }),
      ...("error" in input && { problem: input.error }),
    },
    from,
  );
};

const route: Ear = (host, { word, from }) => {
  const { task } = as<Cue<"cue:RouteWanted">>(word);
  const spec = workflowOf(host)?.tasks.get(task.id)?.spec;
  if (spec?.type !== "route") throw new Error(`task '${task.id}' is no route`);
  for (const [index, { when, next }] of spec.cases.entries()) {
    const given = worked(host, when);
    const isWrong = "error" in given || typeof given.value !== "boolean";
    if (isWrong) {
      const error = "error" in given ? given.error : notBoolean(index);
      return void host.tell(from, { type: "cue:RouteFailed", error });
    }
    if (given.value === true) return void host.tell(from, { type: "cue:Routed", output: { case: index, next }, next });
  }
  const { default: next } = spec;
  if (next !== undefined) return void host.tell(from, { type: "cue:Routed", output: { case: "default", next }, next });
  const error: WireError = {
    code: "NO_ROUTE",
    message: `no case of '${task.id}' is true, and it has no default`,
    details: {},
  };
  host.tell(from, { type: "cue:RouteFailed", error });
};

const notBoolean = (index: number): WireError => ({
  code: "EXPRESSION_ERROR",
  message: `case ${index}: \`when\` must give true or false`,
  details: {},
});

const conclude: Ear = (host, { word, from }) => {
  const { last } = as<Cue<"cue:Conclude">>(word);
  const result = workflowOf(host)?.spec.result;
  const given: Worked = result === undefined ? { value: last } : worked(host, result);
  if ("error" in given) host.tell(from, { type: "cue:Broken", error: given.error });
  else host.tell(from, { type: "cue:Concluded", output: asData(given.value) satisfies Data });
};

export const orchestrator: Component = {
  role: "orchestrator",
  code: "WO",
  group: "orchestrator",
  hears: {
    "command:WorkflowExecute": executeWorkflow,
    "command:WorkflowPause": toWorkflow,
    "command:WorkflowResume": toWorkflow,
    "command:WorkflowCancel": toWorkflow,
    "command:WorkflowSignal": toWorkflow,
    "command:TaskTrigger": triggerTask,
    "command:TaskResume": commandTask,
    "command:TaskCancel": commandTask,

    "event:TaskExecutionStarted": fromExecutor,
    "event:TaskWaitingStarted": fromExecutor,
    "event:TaskExecutionSuccess": fromExecutor,
    "event:TaskExecutionFailed": fromExecutor,
    "event:TaskExecutionCanceled": fromExecutor,
    "progress:TaskStep": toTask,
    "event:AgentExecutionStarted": fromExecutor,
    "event:AgentExecutionResult": fromExecutor,
    "event:AgentExecutionFailed": fromExecutor,
    "event:AgentExecutionCanceled": fromExecutor,
    "event:ToolExecutionStarted": fromExecutor,
    "event:ToolExecutionSuccess": fromExecutor,
    "event:ToolExecutionFailed": fromExecutor,
    "event:ToolExecutionCanceled": fromExecutor,
    "event:WorkflowExecutionSuccess": childEnded,
    "event:WorkflowExecutionFailed": childEnded,
    "event:WorkflowExecutionCanceled": childEnded,
    "event:WorkflowExecutionTimedOut": childEnded,

    "cue:SlotWanted": (host, { from }) => {
      const granted = host.ask(() => host.world.slots.want(execIdIn(from), host.run.facts.parent !== null));
      if (granted) host.tell(from, { type: "cue:SlotGranted" });
    },
    "cue:BeginTask": beginTask,
    "cue:TaskEnded": taskEnded,
    "cue:PauseWanted": toParent,
    "cue:Broken": toParent,
    "cue:WaitOpened": toRun,
    "cue:WaitClosed": toRun,
    "cue:ParentEnded": toTask,
    "cue:Paused": toTask,
    "cue:Resumed": toTask,
    "cue:Wake": toTask,
    "cue:RouteWanted": route,
    "cue:Conclude": conclude,
  },
};
