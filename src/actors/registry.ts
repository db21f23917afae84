// Which runtimes serve which agents: each has a chart that follows its beats; the fairest of them is chosen.
//
//   registered, beating ──▶ choosable      who lists the agent: not suspect, then least loaded, then longest idle
//   all full ──▶ the dispatch waits ──one is free──▶ whoever waited longest is told
//
// Invariants:
//   J1. No runtime is given more at once than it said it can take.
//   J2. A runtime that drains, or has left, is given nothing.
//   J3. Whatever a runtime held when its lease ran out is told to its dispatch, once.
//   J4. A restart sends nobody away for want of a runtime that was here before, until its lease would be over.
//   J5. Two runtimes that have one id are told of, once.

import { agentRuntime } from "../machines/agent-runtime.ts";
import { fire, type Life, type Stamp, start, step, type Timer } from "../machines/step.ts";
import type { Message } from "../protocol/catalogue.ts";
import type { WireError } from "../protocol/errors.ts";
import type { Report } from "../protocol/report.ts";
import type { Clock } from "./clock.ts";

type Registration = Message<"event:AgentRuntimeRegistered">;
type Told = Registration | Message<"event:AgentRuntimeDeregistered"> | Message<"progress:AgentRuntimeHeartbeat">;
type Place = { run: string; address: string };

type Runtime = {
  registration: Registration;
  life: Life<typeof agentRuntime>;
  held: Map<string, Place>;
  /** When it was last given something, and when it last said anything. */
  chosenAt: number;
  heardAt: number;
  lastError: RuntimeError | null;
  /** The number of its last beat, and how many since it registered did not come after the one before. */
  seq: number;
  backwards: number;
  isDoubled: boolean;
};

/** What went wrong with a runtime last: with one of its agents, or with itself. */
export type RuntimeError = Pick<WireError, "code" | "message"> & { at: number };

export type Choice = { is: "chosen"; runtime: { id: string; exec_id: string } } | { is: "none" } | { is: "busy" };

/** Harmless once: a network may say a word twice. */
const backwardsMax = 2;

export type Registry = ReturnType<typeof newRegistry>;

type Means = {
  clock: Clock;
  stamp: () => Stamp;
  /** Tells a dispatch something. */
  tell: (place: Place, cue: { type: "cue:RuntimeFree" } | { type: "cue:RuntimeLost" }) => void;
  /** A runtime left without a word: the registry says so. */
  say: (message: Message<"event:AgentRuntimeDeregistered">) => void;
  report?: Report;
  /** The dispatcher is elsewhere: runtimes are known to whoever asks here, and given nothing from here. */
  isOnlooker?: boolean;
};

export function newRegistry({ clock, stamp, tell, say, report, isOnlooker = false }: Means) {
  const runtimes = new Map<string, Runtime>();
  /** Dispatches that wait until a runtime for their agent is free, by execution id. */
  const waiting = new Map<string, { agent: string; place: Place }>();
  const alarms = new Set<() => void>();
  let isStopped = false;
  let choices = 0;
  /** Until then runtimes of before a restart may be heard of again. */
  let expectedUntil = 0;

  const serves = ({ registration }: Runtime, agent: string): boolean => {
    const { agents } = registration.agent_runtime.capabilities;
    return agents.includes(agent) || agents.includes("*");
  };
  const stateOf = ({ life }: Runtime): string => String(life.snapshot.value);
  const isOpen = (runtime: Runtime): boolean => ["registered", "suspect"].includes(stateOf(runtime));
  const maxOf = ({ registration }: Runtime): number =>
    registration.agent_runtime.capabilities.max_concurrent_executions;
  const isFree = (runtime: Runtime): boolean => runtime.held.size < maxOf(runtime);

  const isFairer = (one: Runtime, other: Runtime): boolean => {
    const suspects = Number(stateOf(one) === "suspect") - Number(stateOf(other) === "suspect");
    if (suspects !== 0) return suspects < 0;
    if (one.held.size !== other.held.size) return one.held.size < other.held.size;
    return one.chosenAt < other.chosenAt;
  };

  /** Tells those that wait, the longest waiting first, as long as there is room for one more of them. */
  const wake = (): void => {
    if (waiting.size === 0) return;
    const open = [...runtimes.values()].filter(isOpen);
    const room = new Map(open.map((one) => [one, maxOf(one) - one.held.size]));
    for (const [execId, { agent, place }] of waiting) {
      const free = open.find((one) => serves(one, agent) && (room.get(one) ?? 0) > 0);
      if (!free) continue;
      room.set(free, (room.get(free) ?? 0) - 1);
      waiting.delete(execId);
      tell(place, { type: "cue:RuntimeFree" });
    }
  };

  /** Beats of one process count upwards. One may come twice on its way; two of them are the beats of two processes. */
  const count = (id: string, runtime: Runtime, seq: number): void => {
    if (seq <= runtime.seq) runtime.backwards += 1;
    runtime.seq = seq;
    if (runtime.isDoubled || runtime.backwards < backwardsMax) return;
    runtime.isDoubled = true;
    const code = "EXEC_ID_CONFLICT";
    const message = `two runtimes beat as ${id}: both do each order, one of them in vain; give each an id of its own`;
    runtime.lastError = { code, message, at: clock.now() };
    const { id: name } = runtime.registration.agent_runtime;
    report?.("warn", "two agent runtimes have one id", { code, runtime: id, name, reason: message });
  };

  const lose = (runtime: Runtime): void => {
    const { lease_ms: ms } = runtime.registration.payload.context;
    const at = clock.now();
    if (at - runtime.heardAt >= ms) {
      runtime.lastError = { code: "AGENT_RUNTIME_LOST", message: `nothing was heard of it for ${ms} ms`, at };
    }
    const lost = [...runtime.held.values()];
    runtime.held.clear();
    for (const place of lost) tell(place, { type: "cue:RuntimeLost" });
  };

  /** Whoever has no dispatcher only looks on, and says nothing in its name. */
  const settle = (id: string, runtime: Runtime, taken: ReturnType<typeof step<typeof agentRuntime>>): void => {
    const before = stateOf(runtime);
    runtime.life = taken.life;
    for (const timer of isStopped ? [] : taken.armed) {
      const cancel = clock.alarm(timer.dueAt, () => {
        alarms.delete(cancel);
        ring(id, timer);
      });
      alarms.add(cancel);
    }
    for (const message of isOnlooker ? [] : taken.messages) say(message as Message<"event:AgentRuntimeDeregistered">);
    if (taken.life.snapshot.status === "done") runtimes.delete(id);
    else if (before !== stateOf(runtime) && stateOf(runtime) === "deregistered") lose(runtime);
    if (isOpen(runtime)) wake();
  };
  const ring = (id: string, timer: Timer): void => {
    const runtime = runtimes.get(id);
    if (runtime) settle(id, runtime, fire(agentRuntime, runtime.life, timer, stamp()));
  };

  return {
    /** A word of a runtime: it registers, beats or leaves. */
    hear(message: Told): void {
      const id = message.agent_runtime.exec_id;
      const known = runtimes.get(id);
      if (known) {
        known.heardAt = clock.now();
        if (message.type === "event:AgentRuntimeRegistered") {
          known.registration = message;
          // It may have begun anew, and counts from one.
          known.seq = 0;
          known.backwards = 0;
        }
        if (message.type === "progress:AgentRuntimeHeartbeat") count(id, known, message.payload.context.seq);
        return settle(id, known, step(agentRuntime, known.life, { ...message, ...stamp() } as never));
      }
      if (message.type !== "event:AgentRuntimeRegistered") return;
      const begun = start(agentRuntime, { registration: message }, stamp());
      const heardAt = clock.now();
      const { life } = begun;
      const fresh = { chosenAt: 0, lastError: null, seq: 0, backwards: 0, isDoubled: false };
      const runtime = { registration: message, life, held: new Map(), heardAt, ...fresh };
      runtimes.set(id, runtime);
      settle(id, runtime, begun);
    },

    choose(agent: string, except: readonly string[]): Choice {
      const candidates = [...runtimes.entries()].filter(
        ([id, runtime]) => serves(runtime, agent) && isOpen(runtime) && !except.includes(id),
      );
      const free = candidates.filter(([, runtime]) => isFree(runtime)).map(([, runtime]) => runtime);
      const [first, ...others] = free;
      // One that drains comes back, or another in its place: until then whoever asks waits in line.
      const isComing = [...runtimes.values()].some((one) => serves(one, agent) && stateOf(one) === "draining");
      if (!first) return { is: candidates.length > 0 || isComing || clock.now() < expectedUntil ? "busy" : "none" };
      const { id, exec_id } = others.reduce((best, one) => (isFairer(one, best) ? one : best), first).registration
        .agent_runtime;
      return { is: "chosen", runtime: { id, exec_id } };
    },
    /** The dispatch of an agent execution has, or had, this runtime. */
    take(runtimeId: string, execId: string, place: Place): void {
      // Given to another, after the first did not take it: the first holds it no longer.
      for (const one of runtimes.values()) one.held.delete(execId);
      const runtime = runtimes.get(runtimeId);
      if (!runtime) return;
      runtime.held.set(execId, place);
      choices += 1;
      runtime.chosenAt = choices;
    },
    wait(agent: string, execId: string, place: Place): void {
      waiting.set(execId, { agent, place });
    },
    hasRoom: (agent: string): boolean =>
      [...runtimes.values()].some((one) => serves(one, agent) && isOpen(one) && isFree(one)),
    release(execId: string): void {
      waiting.delete(execId);
      for (const runtime of runtimes.values()) {
        if (runtime.held.delete(execId)) return wake();
      }
    },
    /** It went wrong with an agent execution, where a runtime has that. */
    failed(execId: string, { code, message }: WireError, at: number): void {
      const runtime = [...runtimes.values()].find(({ held }) => held.has(execId));
      if (runtime) runtime.lastError = { code, message, at };
    },
    runtimes: () =>
      Array.from(runtimes, ([id, runtime]) => {
        const { id: name, capabilities } = runtime.registration.agent_runtime;
        const { agents, language = null, version = null, max_concurrent_executions: max } = capabilities;
        const { inFlight } = runtime.life.snapshot.context;
        const { heardAt, lastError } = runtime;
        const held = runtime.held.size;
        return {
          id,
          name,
          state: stateOf(runtime),
          language,
          version,
          agents,
          held,
          inFlight,
          max,
          heardAt,
          lastError,
        };
      }),
    /** After a restart: whoever was here before has so long to be heard of again, and nobody is sent away meanwhile. */
    expect(forMs: number): void {
      expectedUntil = clock.now() + forMs;
      const cancel = clock.alarm(expectedUntil, () => {
        alarms.delete(cancel);
        for (const [execId, { agent, place }] of Array.from(waiting)) {
          if ([...runtimes.values()].some((one) => serves(one, agent))) continue;
          waiting.delete(execId);
          // It asks once more, and hears that there is nobody.
          tell(place, { type: "cue:RuntimeFree" });
        }
      });
      alarms.add(cancel);
    },
    stop(): void {
      isStopped = true;
      for (const cancel of alarms) cancel();
      alarms.clear();
    },
    /** Whether a runtime has registered here, and has not left since. */
    isKnown(runtimeId: string): boolean {
      const runtime = runtimes.get(runtimeId);
      return runtime !== undefined && stateOf(runtime) !== "deregistered";
    },
    /** Whether any runtime that is here lists the agent. */
    knows: (agent: string): boolean => [...runtimes.values()].some((one) => serves(one, agent) && isOpen(one)),
  };
}
