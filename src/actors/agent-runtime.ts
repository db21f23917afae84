// The agent runtime: runs the handlers of agents in this process, and calls tools for them.

import { isOfThisProcess } from "../agents/agent.ts";
import type { Cue } from "../machines/cues.ts";
import { handlerRun } from "../machines/handler-run.ts";
import { toolExecution } from "../machines/tool-execution.ts";
import type { Message } from "../protocol/catalogue.ts";
import type { WireError } from "../protocol/errors.ts";
import { usedByHandler } from "./budget.ts";
import { as, type Component, type Ear, type Host } from "./component.ts";
import { sayLate } from "./late.ts";
import { isAgentCall } from "./run.ts";

type Order = Message<"command:AgentRuntimeExecute">;

const handlerAt = (execId: string): string => `handler/${execId}`;
const callAt = (execId: string): string => `call/${execId}`;

/** Recorded: a replay may happen where the runtime of this process has another id. */
const isMine = ({ ask, world }: Host, { agent_runtime }: { agent_runtime?: { exec_id: string } }): boolean =>
  ask(() => agent_runtime?.exec_id === world.runtime?.exec_id);

const execute: Ear = (host, { word, run }) => {
  if (!isMine(host, word)) return;
  const order = as<Order>(word);
  const address = handlerAt(order.agent.exec_id);
  if (host.tell(address, word)) return;
  const runtime = host.ask(() => host.world.runtime);
  const problem = host.ask(() => problemOf(host, order.agent));
  const more = { ...(runtime && { runtime }), ...(problem && { problem }), ...(run === "" && { isRemote: true }) };
  host.enter(address, handlerRun, "AR", { order, ...more });
};

function problemOf({ world, run }: Host, { id, exec_id }: Order["agent"]): WireError | null {
  const agent = world.definitions.agents.get(id);
  if (!agent || !isOfThisProcess(agent)) {
    return { code: "AGENT_NOT_FOUND", message: `this runtime has no agent '${id}'`, details: {} };
  }
  if (world.handlers.running("agent") < world.limits.agents) {
    world.handlers.reserve("agent", run.id, handlerAt(exec_id));
    return null;
  }
  return {
    code: "AGENT_RUNTIME_BUSY",
    message: "the runtime has no free slot",
    details: { limit: "agents", max: world.limits.agents },
  };
}

/** The agent asks for a tool: a call like any other, which the runtime makes. */
const beginCall: Ear = (host, { word, from }) => {
  const { id, exec_id, input } = as<Cue<"cue:Call"> & { input: unknown }>(word);
  const handler = host.actor(from);
  if (!handler) throw new Error(`'${from}' calls, and is not there`);
  const { order } = handler.life.snapshot.context as { order: Order };
  const { workflow, task, agent, payload } = order;
  const parents = { ...(workflow && { workflow }), ...(task && { task }), agent };
  const timeoutMs = host.ask(() => host.world.definitions.tools.get(id)?.timeoutMs ?? defaultTimeoutMs);
  const call = { parents, callee: { id, exec_id }, attempt: payload.context.attempt, input, timeoutMs };
  host.enter(callAt(exec_id), toolExecution, "AR", call, from);
};
const defaultTimeoutMs = 30_000;

/** Whatever the agent has called and not heard of ends with it. */
function endCalls(host: Host, from: string, cause: "requested" | "caller_lost", reason: string): void {
  if (host.run.agentCalls === 0) return;
  const open: string[] = [];
  for (const [address, actor] of host.run.actors) {
    if (actor.reportsTo === from && isAgentCall(actor)) open.push(address);
  }
  for (const address of open) host.tell(address, { type: "cue:EndCall", exec_id: "", cause, reason });
}

const toCall: Ear = (host, { word }) => {
  const address = callAt(word.tool?.exec_id ?? "");
  if (host.actor(address)?.by === "AR") host.tell(address, word);
};

/** An answer to a call that has ended changes nothing, and does not pass in silence. */
const toCaller: Ear = (host, heard) => {
  const { tool, agent } = heard.word;
  if (host.actor(callAt(tool?.exec_id ?? ""))) toCall(host, heard);
  else if (agent !== undefined) sayLate(host, "AR", heard.word);
};

export const agentRuntimeComponent: Component = {
  role: "agent-runtime",
  code: "AR",
  group: "agent-runtime",
  hears: {
    "command:AgentRuntimeExecute": execute,
    "command:AgentRuntimeCancel": (host, { word }) => {
      if (!isMine(host, word)) return;
      const address = handlerAt(word.agent?.exec_id ?? "");
      if (host.tell(address, word)) return;
      // It has ended, or never began: there is nothing to stop, and the dispatcher need not wait.
      const { agent, agent_runtime, payload } = as<Message<"command:AgentRuntimeCancel">>(word);
      const error: WireError = {
        code: "EXECUTION_NOT_FOUND",
        message: `agent execution '${agent.exec_id}' does not run here`,
        details: {},
      };
      const context = { attempt: payload.context.attempt };
      host.say("AR", {
        type: "result:CommandAck",
        agent_runtime,
        agent,
        payload: { status: "ERROR", result: { error }, context },
      });
    },
    "result:ToolExecutionResult": toCaller,
    "event:ToolExecutionStarted": toCall,
    "cue:Perform": (host, { from }) => host.effect(() => host.world.handlers.perform(host.run.id, from)),
    "cue:Abort": (host, { word, from }) => {
      const { cause, reason } = as<Cue<"cue:Abort">>(word);
      host.effect(() => host.world.handlers.abort(host.run.id, from, cause, reason));
      endCalls(host, from, "requested", reason);
    },
    "cue:Call": beginCall,
    "cue:Used": usedByHandler,
    "cue:CallEnded": (host, { word }) => {
      const { exec_id, result } = as<Cue<"cue:CallEnded">>(word);
      host.effect(() => host.world.handlers.called(exec_id, result));
    },
    "result:AgentExecutionResult": (host, { word, by }) => {
      if (by === "AR") endCalls(host, handlerAt(word.agent?.exec_id ?? ""), "caller_lost", "the agent has ended");
    },
  },
};
