// The task executor: carries out attempts of worker tasks, and makes their calls of agents and tools.

import { agentExecution } from "../machines/agent-execution.ts";
import type { CallKind, Cue } from "../machines/cues.ts";
import { taskAttempt } from "../machines/task-attempt.ts";
import { toolExecution } from "../machines/tool-execution.ts";
import type { Message } from "../protocol/catalogue.ts";
import { fromUnknown, toWire, type WireError } from "../protocol/errors.ts";
import { isExecId } from "../protocol/ids.ts";
import { clip } from "../protocol/refusal.ts";
import { as, type Component, type Ear, type Host } from "./component.ts";
import { sayLate } from "./late.ts";
import { schemaOf, wrong } from "../language/json-schema.ts";
import { evaluate } from "../language/template.ts";
import { frameOf, scopeIn } from "./scope.ts";

type Callee = { kind: CallKind; id: string; exec_id?: string; action?: string };
type Order = Message<"command:TaskExecute">;

const attemptsOf = (execId: string): string => `attempt/${execId}#`;
const callAt = (execId: string): string => `call/${execId}`;

const execute: Ear = (host, { word }) => {
  const order = as<Order>(word);
  const { attempt, resume_data } = order.payload.context;
  const address = `${attemptsOf(order.task.exec_id)}${attempt}${resume_data === undefined ? "" : "r"}`;
  if (host.tell(address, word)) return;
  const { call, problem: unfit } = callOf(host, order);
  const target = targetOf(host, order);
  const problem =
    resume_data === undefined && call?.kind === "tool"
      ? host.ask(() => problemOf(host, "tool", call.id, order))
      : (unfit ?? target.problem ?? null);
  host.enter(address, taskAttempt, "TE", {
    order,
    ...(call && { call }),
    ...(target.signalTo && { signalTo: target.signalTo }),
    ...(problem && { problem }),
  });
};

/** What is wrong with the input of an agent or tool that is defined here; it is not called then. */
function problemOf({ world: { definitions } }: Host, kind: CallKind, id: string, { payload }: Order): WireError | null {
  const schema = (kind === "tool" ? definitions.tools : definitions.agents).get(id)?.input;
  const { errors } = schemaOf(schema).check(payload.context.input);
  return errors ? { code: "VALIDATION_FAILED", ...wrong(`the input of ${kind} '${id}'`, errors) } : null;
}

/** What the task calls. By itself, a task is the agent or tool of its name, and the first call takes its id. */
function callOf(host: Host, order: Order): { call?: Callee; problem?: WireError } {
  const { workflow, task, payload } = order;
  const { task_type, attempt } = payload.context;
  if (task_type !== "agent" && task_type !== "tool") return {};
  if (workflow === undefined && host.run.facts.definition === null) {
    return { call: { kind: task_type, id: task.id, ...(attempt === 1 && { exec_id: task.exec_id }) } };
  }
  // One question for all: an agent whose input is well, and of which no action is wanted, is told by its id alone.
  const called = host.ask(() => {
    const spec = specOf(host, workflow?.id, task.id);
    if (spec?.type === "tool") return spec.tool;
    if (spec?.type !== "agent") return null;
    const { agent: id, action } = spec;
    const problem = problemOf(host, "agent", id, order);
    return problem || action !== undefined ? { id, ...(action !== undefined && { action }), problem } : id;
  });
  if (called === null) return {};
  if (typeof called === "string") return { call: { kind: task_type, id: called } };
  const { problem, ...callee } = called;
  return { call: { kind: task_type, ...callee }, ...(problem && { problem }) };
}

/** The task as it is defined: for the run, where that lives here; else as this process has it. */
function specOf({ run, world }: Host, workflowId: string | undefined, taskId: string) {
  const { definitions } = world;
  const hash = run.facts.definition?.hash;
  const workflow = hash === undefined ? definitions.workflows.get(workflowId ?? "") : definitions.byHash(hash);
  return workflow?.tasks.get(taskId)?.spec;
}

/** Where a signal goes, if not to its own run; or why that cannot be said. */
function targetOf(host: Host, { workflow: own, task }: Order): { signalTo?: { exec_id: string }; problem?: WireError } {
  const spec = specOf(host, own?.id, task.id);
  if (spec?.type !== "signal" || spec.to === undefined) return {};
  return host.ask(() => {
    const scope = scopeIn(host, frameOf(host, task.exec_id));
    try {
      const to = String(evaluate(spec.to, { ...scope, tasks: { ...scope.tasks } }, `task '${task.id}' to`));
      if (isExecId(to)) return { signalTo: { exec_id: to } };
      const message = `task '${task.id}' signals '${clip(to)}', which is no execution id`;
      return { problem: { code: "SIGNAL_NOT_DELIVERED", message, details: { cause_code: "INVALID_ID" } } };
    } catch (error) {
      return { problem: toWire(fromUnknown(error)) };
    }
  });
}

const beginCall: Ear = (host, { word, from }) => {
  const { kind, id, exec_id } = as<Cue<"cue:Call">>(word);
  const attempt = host.actor(from);
  if (!attempt) throw new Error(`'${from}' calls, and is not there`);
  const { order, call } = attempt.life.snapshot.context as { order: Order; call?: Callee };
  const { workflow, task, payload } = order;
  const { agent_request, env, last_step } = payload.context;
  const request =
    call?.action === undefined ? agent_request : { agent_id: id, agent_exec_id: exec_id, action: call.action };
  const more = {
    ...(request && { agent_request: request }),
    ...(env && { env }),
    ...(last_step !== undefined && { last_step }),
  };
  const input = {
    parents: { ...(workflow && { workflow }), task },
    callee: { id, exec_id },
    attempt: payload.context.attempt,
    input: payload.context.input,
    timeoutMs: payload.context.timeout_config.timeout_duration_ms,
    ...(Object.keys(more).length > 0 && { context: more }),
  };
  host.enter(callAt(exec_id), chartOf(kind), "TE", input, from);
};

const chartOf = (kind: CallKind) => (kind === "agent" ? agentExecution : toolExecution);

/** Calls of a runtime's agents live here too, but are spoken for by the runtime. */
const toCall: Ear = (host, { word }) => {
  const address = callAt((word.tool ?? word.agent)?.exec_id ?? "");
  if (host.actor(address)?.by === "TE") host.tell(address, word);
};

/** An answer to a call that has ended changes nothing, and does not pass in silence. */
const toCaller: Ear = (host, heard) => {
  const { tool, agent } = heard.word;
  if (host.actor(callAt((tool ?? agent)?.exec_id ?? ""))) toCall(host, heard);
  else if (tool === undefined || agent === undefined) sayLate(host, "TE", heard.word);
};

const toAttempts: Ear = (host, { word, from }) => {
  const prefix = attemptsOf(word.task?.exec_id ?? "");
  for (const address of Array.from(host.run.actors.keys())) {
    if (address.startsWith(prefix) && address !== from) host.tell(address, word);
  }
};

export const taskExecutor: Component = {
  role: "task-executor",
  code: "TE",
  group: "task-executor",
  hears: {
    "command:TaskExecute": execute,
    "command:TaskCancel": toAttempts,
    "result:AgentExecutionResult": toCaller,
    "result:ToolExecutionResult": toCaller,
    "event:AgentExecutionStarted": toCall,
    "event:ToolExecutionStarted": toCall,
    // The answer to a signal: whoever sent it hears it.
    "result:CommandAck": (host, { word, cause }) => {
      if (word.workflow && cause?.from.startsWith("attempt/")) host.tell(cause.from, word);
    },
    "cue:Call": beginCall,
    "cue:EndCall": (host, { word }) => void host.tell(callAt(String(word["exec_id"])), word),
    "cue:CallEnded": (host, { word, from }) => {
      const reportsTo = host.reportsTo(from);
      if (reportsTo) host.tell(reportsTo, word);
    },
  },
};
