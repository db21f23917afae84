// What the runs of one process share: definitions, who serves agents, how many may run, and where answers go.

import { agentDispatch } from "../machines/agent-dispatch.ts";
import { handlerRun } from "../machines/handler-run.ts";
import { workflowExecution } from "../machines/workflow-execution.ts";
import type { AgentDefinition } from "../agents/agent.ts";
import type { ToolDefinition } from "../tools/tool.ts";
import type { SubjectCodec } from "../protocol/subjects.ts";
import type { Component as Code } from "../protocol/entry.ts";
import type { Workflow } from "./definition.ts";
import type { Calls } from "./flow-calls.ts";
import type { Limits } from "./limits.ts";
import type { Handlers } from "./handlers.ts";
import type { Registry } from "./registry.ts";
import { execIdIn } from "./component.ts";
import type { Actor, Run } from "./run.ts";
import type { Slots } from "./slots.ts";

export type Definitions = {
  workflows: ReadonlyMap<string, Workflow>;
  agents: ReadonlyMap<string, AgentDefinition>;
  tools: ReadonlyMap<string, ToolDefinition>;
  /** A definition by its hash, also one that was replaced meanwhile. */
  byHash(hash: string): Workflow | undefined;
  /** Whether one that is not here any more held functions, so that it could not be kept. */
  holdsCode(hash: string): boolean;
};

export type World = {
  definitions: Definitions;
  limits: Limits;
  registry: Registry;
  slots: Slots;
  calls: Calls;
  handlers: Handlers;
  /** The runtime of this process, if it has one. */
  runtime: { id: string; exec_id: string } | null;
  /** The components of this process; whoever is not here is reached over the transport. */
  here: ReadonlySet<Code>;
  /** How many workflows deep a run is. */
  depthOf(run: string): number;
  replySubject: (
    entity: "agent" | "tool" | "workflow" | "task" | "agent_runtime",
    execId: string,
    correlationId: string,
  ) => string;
  /** A chart has ended: what it held is free. */
  ended(run: Run, address: string, actor: Actor): void;
};

export function openWorld(parts: Omit<World, "ended" | "replySubject">, subjects: SubjectCodec): World {
  const replySubject: World["replySubject"] = (entity, execId, corr) => {
    if (subjects.layout === "correlated") return subjects.build(addressOf(entity, execId, corr));
    return subjects.build(addressOf(entity, execId));
  };
  return {
    ...parts,
    replySubject,
    ended(run, address, { machine, by }) {
      if (machine === handlerRun) {
        parts.handlers.release(address);
        if (by === "XE") parts.calls.leave(execIdIn(address));
      }
      if (machine === agentDispatch) {
        parts.registry.release(execIdIn(address));
        parts.calls.leave(execIdIn(address));
      }
      if (machine === workflowExecution) parts.slots.release(run.id, !hasStarted(run));
    },
  };
}

const resultKeys = {
  agent: "result:AgentExecutionResult",
  tool: "result:ToolExecutionResult",
  workflow: "result:CommandAck",
  task: "result:CommandAck",
  agent_runtime: "result:CommandAck",
} as const;

function addressOf(
  entity: keyof typeof resultKeys,
  execId: string,
  corr?: string,
): Parameters<SubjectCodec["build"]>[0] {
  const key = resultKeys[entity];
  const target = key === "result:CommandAck" ? { entity, execx: execId } : { [`${entity}x`]: execId };
  const layout = corr === undefined ? "flow" : "correlated";
  return { key, layout, params: corr === undefined ? target : { ...target, corr } } as never;
}

/** Declined, or canceled while it waited, it never had a slot. */
const hasStarted = ({ id, executions }: Run): boolean => (executions.get(id)?.startedAt ?? null) !== null;
