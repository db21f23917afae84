// The part of an agent runtime: it beats, beats late, drains, leaves, is given up, and comes back.

import { agentRuntime } from "../../machines/agent-runtime.ts";
import { idOf, type Line, type Part } from "../part.ts";

type RuntimeLine = Line<typeof agentRuntime>;

const runtime = { id: "gpu", exec_id: idOf(9) };
const capable = { supported_providers: [], supported_models: [], max_concurrent_executions: 4 };

const registration = (heartbeat_ms: number, lease_ms: number) => ({
  type: "event:AgentRuntimeRegistered" as const,
  agent_runtime: { ...runtime, capabilities: { agents: ["clerk"], ...capable } },
  payload: { status: "REGISTERED" as const, result: null, context: { heartbeat_ms, lease_ms } },
});

const beat = (context: { seq: number; in_flight: number; draining?: boolean }): RuntimeLine["event"] => ({
  type: "progress:AgentRuntimeHeartbeat",
  agent_runtime: runtime,
  payload: { context },
});

const leave = (reason: "shutdown" | "lease_expired"): RuntimeLine => ({
  note: reason,
  event: {
    type: "event:AgentRuntimeDeregistered",
    agent_runtime: runtime,
    payload: { status: "DEREGISTERED", result: null, context: { reason } },
  },
});

export const agentRuntimePart: Part<typeof agentRuntime> = {
  machine: agentRuntime,
  inputs: {
    registers: { registration: registration(5_000, 15_000) },
    // Its lease is over before a beat could be called late.
    "registers, short lease": { registration: registration(5_000, 6_000) },
  },
  menu: () => [
    { event: registration(5_000, 15_000) },
    { note: "other terms", event: registration(1_000, 2_000) },
    { event: beat({ seq: 1, in_flight: 2 }) },
    { note: "not draining", event: beat({ seq: 1, in_flight: 2, draining: false }) },
    { note: "draining", event: beat({ seq: 1, in_flight: 1, draining: true }) },
    leave("shutdown"),
    leave("lease_expired"),
  ],
};
