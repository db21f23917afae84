// The agent runtime of this process as the dispatcher sees it: it registers, beats, drains, and leaves.

import type { Clock } from "../actors/clock.ts";
import type { Word } from "../actors/component.ts";
import type { Limits } from "../actors/limits.ts";
import type { Registry } from "../actors/registry.ts";
import type { System } from "../actors/system.ts";
import { type AgentDefinition, isOfThisProcess } from "../agents/agent.ts";
import { version } from "../version.ts";

const heartbeatMs = 5_000;
const leaseMs = 15_000;

type Means = {
  system: System;
  clock: Clock;
  runtime: { id: string; exec_id: string };
  agents: ReadonlyMap<string, AgentDefinition>;
  limits: Limits;
  registry: Registry;
  running: () => number;
  /** Lets those outside hear what is not recorded. */
  publish: (word: Word) => void;
};

export function enlist({ system, clock, runtime, agents, limits, registry, running, publish }: Means) {
  let seq = 0;
  let isDraining = false;
  let cancel = (): void => undefined;

  function register(): void {
    const capabilities = {
      agents: [...agents.values()].filter(isOfThisProcess).map(({ id }) => id),
      supported_providers: [],
      supported_models: [],
      max_concurrent_executions: limits.agents,
      language: "typescript",
      version,
    };
    const context = { heartbeat_ms: heartbeatMs, lease_ms: leaseMs };
    const payload = { status: "REGISTERED", result: null, context };
    const word = { type: "event:AgentRuntimeRegistered", agent_runtime: { ...runtime, capabilities }, payload };
    system.tell(runtime.exec_id, "AR", word as unknown as Word);
  }
  // A beat is news: it moves the registry, and is not recorded.
  function beat(): void {
    seq += 1;
    const context = { seq, in_flight: running(), ...(isDraining && { draining: true }) };
    const word = { type: "progress:AgentRuntimeHeartbeat", agent_runtime: runtime, payload: { context } } as const;
    registry.hear(word);
    publish(word as unknown as Word);
    cancel();
    cancel = clock.alarm(clock.now() + heartbeatMs, beat);
  }

  register();
  beat();
  return {
    register,
    /** Is given nothing more. */
    drain(): void {
      isDraining = true;
      beat();
      cancel();
    },
    /** Nothing is left to do: it says that it goes. */
    leave(): void {
      cancel();
      const payload = { status: "DEREGISTERED", result: null, context: { reason: "shutdown" } };
      const word = { type: "event:AgentRuntimeDeregistered", agent_runtime: runtime, payload };
      system.tell(runtime.exec_id, "AR", word as unknown as Word);
    },
  };
}
