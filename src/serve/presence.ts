// A runtime as its dispatcher sees it: it registers, beats, drains and leaves.
//
//   register ─▶ beat … beat ─▶ draining beat ─▶ farewell         forgotten, or back after an outage ─▶ register
//
// Invariants:
//   PR1. A beat leaves every `heartbeatMs`, also while it drains, until it has left.
//   PR2. Whoever forgot it, or could not hear it, is told again who it is.

import type { Word } from "../actors/component.ts";
import type { Clock } from "../actors/clock.ts";

type Means = {
  clock: Clock;
  runtime: { id: string; exec_id: string };
  capabilities: Readonly<Record<string, unknown>>;
  heartbeatMs: number;
  leaseMs: number;
  inFlight: () => number;
  say: (word: Word) => void;
};

export function newPresence({ clock, runtime, capabilities, heartbeatMs, leaseMs, inFlight, say }: Means) {
  let seq = 0;
  let isDraining = false;
  let cancel = (): void => undefined;

  function register(): void {
    const context = { heartbeat_ms: heartbeatMs, lease_ms: leaseMs };
    const payload = { status: "REGISTERED", result: null, context };
    say({ type: "event:AgentRuntimeRegistered", agent_runtime: { ...runtime, capabilities }, payload } as Word);
    // One that drains says so after it has said who it is, or it would be chosen again.
    beat();
  }
  function beat(): void {
    seq += 1;
    const context = { seq, in_flight: inFlight(), ...(isDraining && { draining: true }) };
    say({ type: "progress:AgentRuntimeHeartbeat", agent_runtime: runtime, payload: { context } });
    cancel();
    cancel = clock.alarm(clock.now() + heartbeatMs, beat);
  }
  return {
    register,
    drain(): void {
      isDraining = true;
      beat();
    },
    leave(): void {
      cancel();
      const payload = { status: "DEREGISTERED", result: null, context: { reason: "shutdown" } };
      say({ type: "event:AgentRuntimeDeregistered", agent_runtime: runtime, payload });
    },
  };
}
