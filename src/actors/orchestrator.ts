// The orchestrator: hosts the charts of workflows and tasks, makes their inputs, passes on what concerns them.

import { definitionIn, inherited, lineageOf } from "./lineage.ts";
import { answerEnded, answerOrder, answerUnknown } from "../machines/answers.ts";
import { oneAttempt } from "../machines/retry.ts";
import { lateCall } from "../machines/late-call.ts";
import { callIn } from "../machines/task-calls.ts";
import { taskExecution } from "../machines/task-execution.ts";
import { workflowExecution } from "../machines/workflow-execution.ts";
import type { Message } from "../protocol/catalogue.ts";
import type { WireError } from "../protocol/errors.ts";
import type { Status } from "../protocol/statuses.ts";
import { raisedIn, usedBelow, usedByAgent } from "./budget.ts";
import { as, type Component, type Ear, type Host, type Word } from "./component.ts";
import type { Task, Workflow } from "./definition.ts";
import {
  beginTask,
  calleeAlone,
  conclude,
  fitsFor,
  ownOf,
  route,
  taskAt,
  taskEnded,
  timeoutOf,
  toParent,
  waitOpened,
  workflowAt,
  workflowOf,
} from "./orchestrator-tasks.ts";
import { admitted, slotWanted, standingOf } from "./flow-start.ts";
import { schemaOf, wrong } from "../language/json-schema.ts";
import { outermost, type Worked } from "./scope.ts";
import { undoing, undoWanted } from "./undo.ts";
import type { World } from "./world.ts";

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
  const isChild = isChildOf(sender, order, run.id);
  const given = host.ask(() => admitted(world, order.workflow.id, isChild));
  const lineage = lineageOf(order);
  const hash = lineage?.definition;
  const definition = hash === undefined ? definitionIn([given]) : host.ask(() => (isKnown(world, hash) ? hash : null));
  const workflow = definition === null ? undefined : world.definitions.byHash(definition);
  const { input, parent_exec_id, labels } = order.payload.context;
  host.note("definition", definition === null ? null : { id: order.workflow.id, hash: definition });
  const fit = workflow?.spec.input === undefined ? null : fitting(host, workflow, input);
  host.note("input", fit && "value" in fit ? fit.value : input);
  host.note("startedAt", host.at);
  host.note("labels", labels ?? null);
  host.note("order", order);
  if (parent_exec_id !== undefined && sender !== "" && sender !== run.id) {
    if (isChild) host.note("parent", { run: sender, task: parent_exec_id });
    host.note(
      "depth",
      host.ask(() => world.depthOf(sender) + 1),
    );
  }
  const standing = workflow && standingOf(host, workflow, isChild);
  if (standing && "flow" in standing) host.note("flow", standing.flow);
  const full = standing && "problem" in standing ? standing.problem : typeof given === "object" && given?.problem;
  const begun = workflow && (lineage ? inherited(host, workflow, lineage) : workflow);
  const misfit = begun && "error" in begun ? begun.error : undefined;
  const unfit = fit && "error" in fit ? fit.error : (misfit ?? tooDeep(host));
  const problem = workflow === undefined ? notFound(order.workflow.id) : (unfit ?? (full || undefined));
  host.enter(workflowAt(run.id), workflowExecution, "WO", {
    order,
    graph: begun && "graph" in begun ? begun.graph : nothing,
    timeoutMs: workflow?.timeoutMs ?? 0,
    ...(workflow && undoing(workflow)),
    ...(workflow?.budget && { budget: workflow.budget }),
    concludes: workflow?.spec.result !== undefined || workflow?.spec.output !== undefined,
    ...(problem && { problem }),
  });
};

/** What is wrong with the input, or the input with its defaults filled in; nothing if it is well as it is. */
const fitting = (host: Host, { id, spec }: Workflow, input: unknown): Worked | null =>
  host.ask(() => {
    const checked = schemaOf(spec.input).check(input);
    if (!checked.errors) return checked.value === input ? null : { value: checked.value };
    return { error: { code: "VALIDATION_FAILED", ...wrong(`the input of workflow '${id}'`, checked.errors) } };
  });

/** Nobody waits for the end of one that is detached. */
function isChildOf(sender: string, { payload }: Message<"command:WorkflowExecute">, run: string): boolean {
  const { parent_exec_id, detached } = payload.context;
  return parent_exec_id !== undefined && sender !== "" && sender !== run && detached !== true;
}

const isKnown = ({ definitions }: World, hash: string): boolean => definitions.byHash(hash) !== undefined;

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
  const { input, task_type, labels } = payload.context;
  host.note("input", input);
  host.note("startedAt", host.at);
  host.note("labels", labels ?? null);
  host.note("trigger", trigger);
  const hash =
    scope?.id === undefined ? null : host.ask(() => hashOf(world.definitions.workflows.get(scope.id as string)));
  const found = hash === null ? undefined : world.definitions.byHash(hash)?.tasks.get(task.id);
  if (hash !== null) host.note("definition", { id: scope?.id ?? "", hash });
  const problem = problemOf(host, scope?.id, task, task_type, found);
  const own = found && problem === undefined ? ownOf(host, found, task.exec_id, outermost) : {};
  const alone = found ? null : calleeAlone(host, task_type === "tool" ? "tool" : "agent", task.id, input);
  const refused = problem ?? own.error ?? alone?.problem;
  host.enter(taskAt(task.exec_id), taskExecution, "WO", {
    ...direct,
    // Of which workflow the task is; there is no execution of it.
    ...(scope?.id !== undefined && { workflow: { id: scope.id } }),
    task: { id: task.id, exec_id: task.exec_id },
    taskType: found?.type ?? task_type ?? "agent",
    input,
    timeoutMs: found ? timeoutOf(host, found) : (alone?.timeoutMs ?? null),
    trigger,
    ...(found && {
      startTimeoutMs: found.startTimeoutMs,
      totalTimeoutMs: found.totalTimeoutMs,
      heartbeatMs: found.heartbeatMs,
      retry: found.retry,
    }),
    ...(own.graph && { graph: own.graph }),
    ...(own.wait && { wait: own.wait }),
    ...(own.child && { child: own.child }),
    ...(found?.spec.type === "signal" && { order: { signal: { name: found.spec.signal, payload: input as never } } }),
    ...(refused && { problem: refused }),
  });
};

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
    if (host.tell(workflowAt(target), { ...word, ...raisedIn(resume_data, workflowOf(host)?.budget) })) return;
  } else if (host.tell(workflowAt(target), type === "command:WorkflowSignal" ? signalFor(host, word) : word)) return;
  answer(host, as<RunCommand>(word), target);
};

function signalFor(host: Host, word: Word): Word {
  const { signal } = (word["payload"] as Message<"command:WorkflowSignal">["payload"]).context;
  return { ...word, ...fitsFor(host, signal) };
}

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

/** Of a call that is heard of when its task is over. */
const lateAt = ({ tool, agent }: Word): string => `late/${(tool ?? agent)?.exec_id}`;

/** No task is left that would see to its end. */
const callStarted: Ear = (host, { word, by }) => {
  if (by === "WO" || host.tell(taskAt(word.task?.exec_id ?? ""), word) || host.tell(lateAt(word), word)) return;
  host.enter(lateAt(word), lateCall, "WO", { call: callIn(as<Message<"event:AgentExecutionStarted">>(word)) });
};

const callEnded: Ear = (host, heard) => {
  fromExecutor(host, heard);
  if (heard.by !== "WO") host.tell(lateAt(heard.word), heard.word);
};

const agentEnded: Ear = (host, heard) => {
  usedByAgent(host, heard);
  callEnded(host, heard);
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

const toRun: Ear = (host, { word }) => void host.tell(workflowAt(host.run.id), word);

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
    "event:AgentExecutionStarted": callStarted,
    "event:AgentExecutionResult": agentEnded,
    "event:AgentExecutionFailed": agentEnded,
    "event:AgentExecutionCanceled": agentEnded,
    "event:ToolExecutionStarted": callStarted,
    "event:ToolExecutionSuccess": callEnded,
    "event:ToolExecutionFailed": callEnded,
    "event:ToolExecutionCanceled": callEnded,
    "event:WorkflowExecutionSuccess": childEnded,
    "event:WorkflowExecutionFailed": childEnded,
    "event:WorkflowExecutionCanceled": childEnded,
    "event:WorkflowExecutionTimedOut": childEnded,

    "cue:SlotWanted": slotWanted,
    "cue:BeginTask": beginTask,
    "cue:TaskEnded": taskEnded,
    "cue:PauseWanted": toParent,
    "cue:Broken": toParent,
    "cue:WaitOpened": waitOpened,
    "cue:WaitClosed": toRun,
    "cue:ParentEnded": toTask,
    "cue:Paused": toTask,
    "cue:Resumed": toTask,
    "cue:Wake": toTask,
    "cue:RouteWanted": route,
    "cue:Conclude": conclude,
    "cue:UndoWanted": undoWanted(workflowOf),
    "cue:Used": usedBelow,
  },
};
