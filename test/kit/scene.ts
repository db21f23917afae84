// A scene: what is defined and what is done so that a golden flow is said, and the words that scenes are made of.

import type { TaskSpec, WorkflowSpec } from "../../src/language/spec.ts";
import type { AgentDefinition, AgentHandler } from "../../src/agents/agent.ts";
import type { Options } from "../../src/runtime/troupe.ts";
import type { VirtualClock } from "../../src/testing/virtual-clock.ts";
import type { ToolHandler } from "../../src/tools/tool.ts";
import { takes, type VirtualTroupe } from "./virtual-troupe.ts";

export type Direct = (stage: VirtualTroupe) => Promise<void> | void;
export type Scene = {
  /** Anything that takes time takes it from the clock. */
  given?: (clock: VirtualClock) => Pick<Options, "agents" | "tools" | "workflows" | "limits">;
  direct: Direct;
  /** The roles of each process, where it matters which there are. */
  processes?: readonly (readonly string[])[];
  /** What a client says itself on the transport is said in the layout of the flows alone. */
  isForClients?: true;
  /** How long the conversation is watched after all that was done. */
  watchMs?: number;
};

// ── what is defined ──

export const workflow = (tasks: TaskSpec[], more: Partial<WorkflowSpec> = {}): WorkflowSpec => ({
  id: "shop",
  tasks,
  ...more,
});
export const ask = { id: "ask", type: "agent", agent: "clerk" } as const;
export const look = { id: "look", type: "tool", tool: "orders" } as const;

export const throws =
  (code: string, message = "it failed") =>
  (): never => {
    throw Object.assign(new Error(message), { code });
  };
/** Each call goes as the next of these says, and the last of them for good. */
export function inTurn(...handlers: AgentHandler[]): AgentHandler {
  let calls = 0;
  return (input, context) => {
    calls += 1;
    return (handlers[calls - 1] ?? (handlers.at(-1) as AgentHandler))(input, context);
  };
}
export const agent = (handler: AgentHandler, id = "clerk", more: Partial<AgentDefinition> = {}) =>
  [{ id, handler, ...more }] as AgentDefinition[];
export const tool = (handler: ToolHandler, id = "orders", more: object = {}) => [{ id, handler, ...more }];
export const ok = () => ({ ok: true });
export const retry = (max_attempts: number, initial: string, more: object = {}) => ({
  retry: { max_attempts, backoff: { initial }, ...more },
});

export const oneTool =
  (handler: (clock: VirtualClock) => ToolHandler, task: Partial<TaskSpec> = {}, more: Partial<WorkflowSpec> = {}) =>
  (clock: VirtualClock) => ({
    tools: tool(handler(clock)),
    workflows: [workflow([{ ...look, ...task } as TaskSpec], more)],
  });
export const oneAgent =
  (handler: (clock: VirtualClock) => AgentHandler, task: Partial<TaskSpec> = {}) =>
  (clock: VirtualClock) => ({
    agents: agent(handler(clock)),
    workflows: [workflow([{ ...ask, ...task } as TaskSpec])],
  });
export const slow = (ms: number) => (clock: VirtualClock) => takes(clock, ms);
export const swift = () => ok;
export const fails = (code: string) => () => throws(code);

// ── what is done ──

export const starts: Direct = ({ troupe }) => void troupe.start("shop");
export const asks =
  (id: string, input: unknown = { user_request: "hi" }): Direct =>
  ({ troupe }) =>
    void troupe.startOne({ agent: id }, input);
export const calls =
  (id: string, input: unknown = {}): Direct =>
  ({ troupe }) =>
    void troupe.startOne({ tool: id }, input);
