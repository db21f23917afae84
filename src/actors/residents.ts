// The runs of this process: which are in memory, which sleep on disk with an alarm, which are parked.
//
//   begun ─▶ awake ──idle, or no room──▶ asleep ──timer, message, question──▶ awake ──ended──▶ gone
//              └── cannot be replayed ──▶ parked
//
// Invariants:
//   B1. A run is in memory once, whoever wakes it.
//   B2. A run falls asleep only when all of it is on disk and nobody outside holds on to it.
//   B3. What a run holds outside itself, it holds again when it wakes.

import type { Timer } from "../machines/step.ts";
import { fromUnknown } from "../protocol/errors.ts";
import type { Report } from "../protocol/report.ts";
import type { RunState, Store } from "../store/store.ts";
import type { Clock } from "./clock.ts";
import type { Heard, Word } from "./component.ts";
import type { Call, Was } from "./flow-calls.ts";
import type { Ears, Input } from "./react.ts";
import { runFromRows } from "./parked.ts";
import { importedAt } from "./imported.ts";
import { inertWorld, replay } from "./replay.ts";
import { inheritedIn } from "./flow-recovery.ts";
import { dueOf, freezeRun, isBusy, newRun, type Run } from "./run.ts";
import { newSpectator, type Spectator } from "./spectator.ts";
import type { World } from "./world.ts";

export type Means = {
  store: Store;
  clock: Clock;
  world: World;
  ears: Ears;
  report: Report;
  /** An input, at once. */
  take: (run: string, input: Input) => void;
  /** An input, when what is under way is done. */
  post: (letter: { run: string; input: Input }) => void;
  isCommitted: (seq: number) => boolean;
  isStopped: () => boolean;
};

type Loaded = NonNullable<ReturnType<Store["load"]>>;

const sweepMs = 10_000;
/** How many charts may be looked through at each input. */
const scannedMax = 32;

export function openResidents({ store, clock, world, ears, report, take, post, isCommitted, isStopped }: Means) {
  const awake = new Map<string, Run>();
  /** The alarms of runs that are not in memory. */
  const asleep = new Map<string, () => void>();
  const parked = new Map<string, string>();
  /** Those of them that could not be replayed; all that is known of them is on disk. */
  const unread = new Set<string>();
  /** Which run an execution belongs to, as long as it is in memory. */
  const homes = new Map<string, string>();
  const inert = inertWorld(world);

  function keep(run: Run): void {
    awake.set(run.id, run);
    for (const execId of run.executions.keys()) homes.set(execId, run.id);
    asleep.get(run.id)?.();
    asleep.delete(run.id);
  }
  function drop(run: Run): void {
    awake.delete(run.id);
    for (const execId of run.executions.keys()) homes.delete(execId);
    run.cancelAlarm?.();
    run.cancelAlarm = null;
  }
  /** `set`: the earliest timer that was set since the last time; `isGone`: one that was due before it no longer is. */
  function setAlarm(run: Run, set = Infinity, isGone = true): void {
    // Of a large run not all timers are looked at again: an alarm that rings early finds nothing due, and is set anew.
    const isKept = !isGone || (run.cancelAlarm !== null && run.actors.size > scannedMax);
    const dueAt = isKept ? Math.min(run.dueAt, set) : dueOf(run);
    if (dueAt === run.dueAt && run.cancelAlarm !== null) return;
    run.cancelAlarm?.();
    run.dueAt = dueAt;
    run.cancelAlarm = dueAt === Infinity ? null : clock.alarm(dueAt, () => ring(run.id));
  }

  /** Everything due in a run fires, the earliest first; each may cancel others. */
  function ring(id: string): void {
    if (isStopped()) return;
    for (;;) {
      const run = awake.get(id) ?? wake(id);
      const next = run && earliestOf(run);
      if (!run || !next) return;
      // Set anew now, or by what comes of it.
      run.cancelAlarm?.();
      run.cancelAlarm = null;
      if (next.timer.dueAt > clock.now()) return setAlarm(run);
      take(id, { on: "timer", address: next.address, timer: next.timer });
    }
  }

  /** Brings a run back into memory; nothing if it is not known, has ended, or cannot be replayed. */
  function wake(id: string): Run | undefined {
    // An alarm may have been first: a second copy, from the disk, would be behind it.
    const here = awake.get(id);
    if (here) return here;
    if (parked.has(id)) return undefined;
    try {
      const loaded = store.load(id);
      if (!loaded || loaded.state.state === "ended") return undefined;
      const run = replay(inert, ears, id, loaded);
      keep(run);
      resume(run);
      setAlarm(run);
      return run;
    } catch (error) {
      unread.add(id);
      park(id, fromUnknown(error).message);
      return undefined;
    }
  }

  /** Parked runs that can be replayed now, for what they lacked is there, are awake; gives them. */
  function mend(): Run[] {
    return [...unread].flatMap((id) => {
      const run = readable(id);
      if (!run) return [];
      unread.delete(id);
      parked.delete(id);
      keep(run);
      rejoin(id);
      resume(run);
      setAlarm(run);
      return [run];
    });
  }
  function readable(id: string): Run | undefined {
    try {
      const loaded = store.load(id);
      return loaded && parked.has(id) ? replay(inert, ears, id, loaded) : undefined;
    } catch {
      // It stays parked, for the reason that was said.
      return undefined;
    }
  }
  function rejoin(id: string): void {
    const row = store.row(id);
    if (row?.entity !== "workflow") return;
    world.slots.rejoin(id, row.parent !== null, row.status === "PENDING", inheritedIn(row)?.flow);
  }

  /** What a run holds outside itself it holds again; handlers that were at work begin anew. */
  function resume(run: Run): void {
    for (const [address, { machine, life }] of Array.from(run.actors)) {
      const { value, context } = life.snapshot as { value: unknown; context: Record<string, unknown> };
      if (machine.id === "agentDispatch") {
        const { runtime, order } = context as {
          runtime: { exec_id: string } | null;
          order: { agent: { id: string; exec_id: string } };
        };
        const place = { run: run.id, address };
        world.calls.resume(agentCall(run.id, address, context), wasOf[String(value)] ?? "begun");
        if (runtime) world.registry.take(runtime.exec_id, order.agent.exec_id, place);
        else if (value === "queued" && world.registry.hasRoom(order.agent.id)) {
          // Before its patience ends, which may have been while nobody was here.
          const cue = { type: "cue:RuntimeFree" } as unknown as Word;
          post({ run: run.id, input: { on: "cue", address, cue } });
        } else if (value === "queued") world.registry.wait(order.agent.id, order.agent.exec_id, place);
      }
      if (machine.id !== "handlerRun" || isStopped()) continue;
      const call = toolCall(run.id, address, context);
      if (call) world.calls.resume(call, value === "queued" ? "waiting" : "begun");
      // Its place is its own before anything new is taken.
      if (value === "running") world.handlers.reserve(call ? "tool" : "agent", run.id, address);
      if (value === "running") later(run.id, address, call ?? agentCall(run.id, address, context));
      else if (value !== "queued") post({ run: run.id, input: { on: "cue", address, cue: gone(address) } });
    }
  }
  const gone = (address: string): Word =>
    ({
      type: "cue:Threw",
      exec_id: address.slice(address.indexOf("/") + 1),
      error: { message: "the process ended while the handler was told to stop" },
      thought: true,
    }) as unknown as Word;
  /** What an agent had called before a crash ends; then it begins anew. */
  function later(id: string, address: string, call: Call): void {
    const run = awake.get(id);
    for (const [callAddress, { reportsTo, by }] of run?.actors ?? []) {
      if (reportsTo !== address || by !== "AR") continue;
      const cue = { type: "cue:EndCall", exec_id: "", cause: "caller_lost", reason: "the agent begins anew" };
      post({ run: id, input: { on: "cue", address: callAddress, cue: cue as unknown as Word } });
    }
    if (!world.calls.restart(call)) again.push({ run: id, address });
  }
  const again: { run: string; address: string }[] = [];

  function park(id: string, reason: string): void {
    parked.set(id, reason);
    const run = awake.get(id);
    if (run) drop(run);
    asleep.get(id)?.();
    asleep.delete(id);
    // It may stand for long: others need not wait for it.
    world.slots.release(id);
    world.calls.abandon(id);
    report("error", "a run is parked", { run: id, reason });
    store.append({ records: [], runs: [{ run: id, dueAt: null, state: "parked", at: clock.now() }], rows: [] });
  }

  /** A parked run as its rows have it, to be ended. */
  function unpark(id: string): Run | undefined {
    const run = runFromRows(store, id);
    if (!run) return undefined;
    parked.delete(id);
    keep(run);
    return run;
  }

  /** Lets go of runs that only wait. */
  function sleep(run: Run): boolean {
    if (!isCommitted(run.seq) || run.actors.size === 0 || isBusy(run)) return false;
    if (run.kept < run.seq) {
      const checkpoint = { run: run.id, seq: run.seq, body: freezeRun(run) };
      store.append({ records: [], runs: [], rows: [], checkpoints: [checkpoint] });
    }
    const dueAt = dueOf(run);
    drop(run);
    const { id } = run;
    asleep.set(id, dueAt === Infinity ? nothing : clock.alarm(dueAt, () => ring(id)));
    return true;
  }

  let cancelSweep = (): void => undefined;
  function sweep(): void {
    const until = clock.now() - world.limits.idleBeforeSleepMs;
    for (const run of Array.from(awake.values())) if (run.heardAt <= until) sleep(run);
    cancelSweep = clock.alarm(clock.now() + sweepMs, sweep);
  }
  let roomMadeAt = 0;
  function makeRoom(reactions: number): void {
    if (isStopped() || awake.size <= world.limits.awakeMax) return;
    // As many as may have come since, and some more, for some cannot sleep: work for the work there was.
    let left = 2 * (reactions - roomMadeAt) + 64;
    roomMadeAt = reactions;
    for (const run of awake.values()) {
      // Whoever cannot sleep goes to the end of the line: the next are looked at the next time.
      if (!sleep(run)) {
        awake.delete(run.id);
        awake.set(run.id, run);
      }
      left -= 1;
      if (left === 0 || awake.size <= world.limits.awakeMax) return;
    }
  }

  /** A run begins with the command that creates it. One that has ended is looked at once more, to answer. */
  function begun(id: string, input: Input, isNew = false): Run | undefined {
    if (input.on !== "message" || parked.has(id)) return undefined;
    const loaded = isNew ? undefined : store.load(id);
    // What was recorded elsewhere is looked at here, and hears nothing.
    if (loaded?.tail[0] && importedAt(loaded.tail[0]) !== null) return undefined;
    if (loaded?.state.state === "ended") return reopened(id, loaded);
    const { word } = input;
    const isCarrying = carrying.has(word.type) || (!ears.records && scheduling.has(word.type));
    const isCarried = input.foreign === true && isCarrying;
    if (!creating.has(word.type) && !isCarried) return undefined;
    const run = newRun(id, input.correlationId ?? correlationOf(input) ?? id);
    awake.set(id, run);
    return run;
  }
  function reopened(id: string, loaded: Loaded): Run | undefined {
    try {
      const run = replay(inert, ears, id, loaded);
      awake.set(id, run);
      return run;
    } catch (error) {
      report("error", "an ended run cannot be read", { run: id, reason: fromUnknown(error).message });
      return undefined;
    }
  }
  const correlationOf = ({ run }: Heard): string | undefined => awake.get(run)?.correlationId;

  return {
    get: (id: string): Run | undefined => awake.get(id),
    wake,
    begun,
    drop,
    setAlarm,
    park,
    unpark,
    mend,
    sweep,
    makeRoom,
    /** A run made again from these records alone, beside the one that is here; throws if they contradict themselves. */
    again: (id: string, loaded: Loaded): Run => replay(inert, ears, id, loaded),
    spectator: (id: string): Spectator => newSpectator(inert, ears, id),
    live: (execId: string, run: string): void => void homes.set(execId, run),
    homeOf: (execId: string): string | undefined => homes.get(execId) ?? store.runOf(execId),
    /** Handlers that have to begin anew, since last asked. */
    restarts: () => again.splice(0),
    /** All that have not ended, each with its alarm: gives those needed at once, and those that were parked. */
    settle(): { live: number; busy: string[]; broken: string[] } {
      const busy: string[] = [];
      const broken: string[] = [];
      let live = 0;
      for (const { run, dueAt, state } of store.live()) {
        live += 1;
        if (state === "parked") broken.push(run);
        else if (state === "busy") busy.push(run);
        asleep.set(run, dueAt === null || state === "parked" ? nothing : clock.alarm(dueAt, () => ring(run)));
      }
      return { live, busy, broken };
    },
    /** Leaves a checkpoint of all that is open. */
    close(): void {
      cancelSweep();
      for (const cancel of asleep.values()) cancel();
      const checkpoints = [];
      for (const run of awake.values()) {
        run.cancelAlarm?.();
        const isKept = run.actors.size === 0 || run.kept >= run.seq;
        if (!isKept) checkpoints.push({ run: run.id, seq: run.seq, body: freezeRun(run) });
      }
      if (checkpoints.length > 0) store.append({ records: [], runs: [], rows: [], checkpoints });
    },
    counts: () => ({ awake: awake.size, asleep: asleep.size, parked: parked.size }),
    parked: (): ReadonlyMap<string, string> => parked,
  };
}

const nothing = (): void => undefined;

/** Of a dispatch, by its state; in all others the agent had begun. */
const wasOf: Readonly<Record<string, Was>> = { inLine: "waiting", choosing: "waiting", queued: "let in" };

const creating: ReadonlySet<string> = new Set([
  "command:WorkflowExecute",
  "command:TaskTrigger",
  "event:AgentRuntimeRegistered",
]);

/** From elsewhere they bring all that is needed to do what they ask, where the run itself lives in another process. */
const carrying: ReadonlySet<string> = new Set([
  "command:TaskExecute",
  "command:TriggerAgent",
  "command:ToolExecute",
  "command:AgentRuntimeExecute",
  "command:AgentRuntimeCancel",
]);
/** Likewise for a dispatcher of tasks; beside an orchestrator it serves that one alone. */
const scheduling: ReadonlySet<string> = new Set([
  "event:TaskScheduled",
  "event:TaskRetryScheduled",
  "event:TaskWaitingEnded",
]);

type Order = { agent?: Callee; tool?: Callee; payload: { context: { input: unknown } } };
type Callee = { id: string; exec_id: string };

/** The call that a dispatch or handler of an agent is about. */
function agentCall(run: string, address: string, context: Record<string, unknown>): Call {
  const { agent = { id: "", exec_id: "" }, payload } = context["order"] as Order;
  return { kind: "agent", id: agent.id, execId: agent.exec_id, input: payload.context.input, run, address };
}
/** The call that the handler of a tool is about, which may be one of an agent. */
function toolCall(run: string, address: string, context: Record<string, unknown>): Call | undefined {
  const { tool, payload } = context["order"] as Order;
  return tool && { kind: "tool", id: tool.id, execId: tool.exec_id, input: payload.context.input, run, address };
}

/** What must be known of a run without reading it. */
export function stateOf(run: Run, at: number): RunState {
  const state = run.actors.size === 0 ? "ended" : isBusy(run) ? "busy" : "waiting";
  return { run: run.id, dueAt: run.dueAt === Infinity ? null : run.dueAt, state, at };
}

function earliestOf({ actors }: Run): { address: string; timer: Timer } | undefined {
  let first: { address: string; timer: Timer } | undefined;
  for (const [address, { life }] of actors) {
    for (const timer of life.timers) if (!first || timer.dueAt < first.timer.dueAt) first = { address, timer };
  }
  return first;
}
