// The task executor: carries out attempts of worker tasks, and makes their calls of agents and tools.

import { agentExecution } from "../machines/agent-execution.ts";
import type { CallKind, Cue } from "../machines/cues.ts";
import { taskAttempt } from "../machines/task-attempt.ts";
import { toolExecution } from "../machines/tool-execution.ts";
import type { Message } from "../protocol/catalogue.ts";
import { fromUnknown, toWire, type WireError } from "../protocol/errors.ts";
import { isExecId } from "../protocol/ids.ts";
import { clip } from "../protocol/refusal.ts";
import { checkedBy } from "../tools/tool.ts";
import { as, type Component, type Ear, type Host } from "./component.ts";
import { sayLate } from "./late.ts";
import { evaluate, type Scope } from "./template.ts";

type Callee = { kind: CallKind; id: string; exec_id?: string };
type Order = Message<"command:TaskExecute">;

const attemptsOf = (execId: string): string => `attempt/${execId}#`;
const callAt = (execId: string): string => `call/${execId}`;

const execute: Ear = (host, { word }) => {
  const order = as<Order>(word);
  const { attempt, resume_data } = order.payload.context;
  const address = `${attemptsOf(order.task.exec_id)}${attempt}${resume_data === undefined ? "" : "r"}`;
  if (host.tell(address, word)) return;
  const call = callOf(host, order);
  const target = targetOf(host, order);
  const problem =
    resume_data === undefined && call?.kind === "tool" ? problemOf(host, call.id, order) : (target.problem ?? null);
  host.enter(address, taskAttempt, "TE", {
    order,
    ...(call && { call }),
    ...(target.signalTo && { signalTo: target.signalTo }),
    ...(problem && { problem }),
  });
};

/** What is wrong with the input of a tool that is defined here; the tool is not called then. */
const problemOf = (host: Host, id: string, { payload }: Order): WireError | null =>
  host.ask(() => {
    const { errors } = checkedBy(host.world.definitions.tools.get(id)?.input, structuredClone(payload.context.input));
    if (!errors) return null;
    const listed = errors.map(({ field, message }) => (field === "" ? message : `${field}: ${message}`)).join("; ");
    return { code: "VALIDATION_FAILED", message: `the input of tool '${id}' is wrong: ${listed}`, details: { errors } };
  });

/** What the task calls. By itself, a task is the agent or tool of its name, and the first call takes its id. */
function callOf(host: Host, { workflow, task, payload }: Order): Callee | undefined {
  const { task_type, attempt } = payload.context;
  if (task_type !== "agent" && task_type !== "tool") return undefined;
  if (workflow === undefined && host.run.facts.definition === null) {
    return { kind: task_type, id: task.id, ...(attempt === 1 && { exec_id: task.exec_id }) };
  }
  const id = host.ask(() => {
    const spec = specOf(host, workflow?.id, task.id);
    return spec?.type === "agent" ? spec.agent : spec?.type === "tool" ? spec.tool : null;
  });
  return id === null ? undefined : { kind: task_type, id };
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
  const { facts, id, correlationId } = host.run;
  return host.ask(() => {
    const workflow = { id: facts.definition?.id ?? "", exec_id: id, correlation_id: correlationId, started_at: "" };
    const scope: Scope = { input: facts.input, tasks: facts.tasks, workflow };
    try {
      const to = String(evaluate(spec.to, scope));
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
  const { order } = attempt.life.snapshot.context as { order: Order };
  const { workflow, task, payload } = order;
  const { agent_request, env } = payload.context;
  const input = {
    parents: { ...(workflow && { workflow }), task },
    callee: { id, exec_id },
    attempt: payload.context.attempt,
    input: payload.context.input,
    timeoutMs: payload.context.timeout_config.timeout_duration_ms,
    ...((agent_request ?? env) && { context: { ...(agent_request && { agent_request }), ...(env && { env }) } }),
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
