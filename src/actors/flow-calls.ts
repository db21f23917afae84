// Which calls of agents and tools may begin: the limits that their definitions set, over all runs of this process.
//
//   want ─▶ room? ─yes─▶ it begins ──leave──▶ a door opens ─▶ the next is told, and wants again
//              └─no─▶ waits until it is told, or its caller's patience ends
//
// Invariants:
//   Q1. After a restart nobody goes in before all that were in are in again.
//   Q2. A handler that begins anew after a crash counts for the rate of its agent or tool once more, and waits for it.
//   Q3. Whoever is told may go in when it wants again; who has ended meanwhile gives way to the next.

import type { CallKind } from "../machines/cues.ts";
import { fromUnknown, toWire, type WireError } from "../protocol/errors.ts";
import type { Clock } from "./clock.ts";
import { type FlowMemory, newFlowDesk } from "./flow-desk.ts";
import type { Wish } from "./flow-line.ts";
import { callFlowOf, doorsOf, type Flow } from "./flow-rules.ts";
import type { Definitions } from "./world.ts";

export type Call = { kind: CallKind; id: string; execId: string; input: unknown; run: string; address: string };
/** Before a restart: it had begun, or was let in and had not, or stood in line. */
export type Was = "begun" | "let in" | "waiting";
export type Room = { is: "room" } | { is: "line" } | { is: "refused"; error: WireError };
export type Calls = ReturnType<typeof newCalls>;

type Means = {
  clock: Clock;
  memory: FlowMemory;
  definitions: Pick<Definitions, "agents" | "tools">;
  /** The call may go in: it is to want again. */
  tell: (call: Call) => void;
  /** The handler of a call that was at work before a crash begins anew. */
  again: (run: string, address: string) => void;
};

const againAs = (execId: string): string => `${execId} again`;

export function newCalls({ clock, memory, definitions, tell, again }: Means) {
  const calls = new Map<string, Call>();
  /** Handlers that begin anew, by the name that they wait under. */
  const restarts = new Map<string, Call>();
  /** What was found at a restart, until all of it is. */
  let found: { id: string; call: Call; flow: Flow; was: Was }[] | null = [];

  const desk = newFlowDesk({
    clock,
    memory,
    grant: granted,
  });
  const { line } = desk;

  function granted(id: string): void {
    const call = calls.get(id);
    if (call) return tell(call);
    const restarted = restarts.get(id);
    if (!restarted) return;
    desk.begin(id);
    restarts.delete(id);
    desk.leave(id);
    again(restarted.run, restarted.address);
  }

  const flowFor = ({ kind, id, input }: Call): Flow | undefined =>
    callFlowOf(definitions[kind === "agent" ? "agents" : "tools"].get(id), input);
  const wishOf = ({ kind, id }: Call, flow: Flow): Wish => ({
    doors: doorsOf(flow, `${kind} '${id}'`).map((rule) => line.door(rule)),
  });

  function full({ kind, id }: Call, { concurrency }: Flow, wish: Wish): WireError | undefined {
    const max = concurrency?.queueMax ?? Infinity;
    const waiting = wish.doors[0]?.ofRule.waiting ?? 0;
    if (waiting < max || !line.isShut(wish.doors, clock.now())) return undefined;
    const details = { reason: "all_busy", cause_code: "RATE_LIMITED", limit: "queue_max", max };
    const code = kind === "agent" ? "AGENT_DISPATCH_FAILED" : "TOOL_DISPATCH_FAILED";
    return { code, message: `${max} calls of ${kind} '${id}' already wait in line`, details };
  }

  /** Without a key that can be worked out it was let in when it could, and is nobody's concern any more. */
  function known(call: Call): Flow | undefined {
    try {
      return flowFor(call);
    } catch {
      return undefined;
    }
  }
  function come(one: NonNullable<typeof found>[number]): void {
    if (found) return void found.push(one);
    const { id, call, flow, was } = one;
    (id === call.execId ? calls : restarts).set(id, call);
    const wish = wishOf(call, flow);
    if (was !== "waiting") line.hold(id, wish, was === "begun");
    else if (desk.enter(id, wish)) granted(id);
  }

  function leave(execId: string): void {
    if (found) found = found.filter(({ call }) => call.execId !== execId);
    if (restarts.size > 0 && restarts.delete(againAs(execId))) desk.leave(againAs(execId));
    if (calls.delete(execId)) desk.leave(execId);
  }

  return {
    /** Whether the call may begin now; nothing if its definition sets no limit. */
    want(call: Call): Room | undefined {
      const { execId } = call;
      if (line.knows(execId)) return { is: line.isIn(execId) ? "room" : "line" };
      try {
        const flow = flowFor(call);
        if (!flow) return undefined;
        if (found) {
          found.push({ id: execId, call, flow, was: "waiting" });
          return { is: "line" };
        }
        const wish = wishOf(call, flow);
        const error = full(call, flow, wish);
        if (error) return { is: "refused", error };
        calls.set(execId, call);
        return { is: desk.enter(execId, wish) ? "room" : "line" };
      } catch (thrown) {
        return { is: "refused", error: toWire(fromUnknown(thrown)) };
      }
    },
    /** It begins now, perhaps once more. */
    begin: (execId: string): void => desk.begin(execId),
    leave,
    /** The run is gone for now, with all its calls. */
    abandon(run: string): void {
      for (const call of [...calls.values(), ...restarts.values()]) if (call.run === run) leave(call.execId);
    },
    /** A call of before, as its run comes back. */
    resume(call: Call, was: Was): void {
      const flow = known(call);
      if (flow) come({ id: call.execId, call, flow, was });
    },
    /** A handler is to begin anew; if its agent or tool has a rate, in its turn: whether it has. */
    restart(call: Call): boolean {
      const rate = known(call)?.rate;
      if (rate) come({ id: againAs(call.execId), call, flow: { rate }, was: "waiting" });
      return rate !== undefined;
    },
    /** All runs that hold on to something are back: who came first goes first. */
    open(): void {
      const all = (found ?? []).sort((one, other) => (one.call.execId < other.call.execId ? -1 : 1));
      found = null;
      for (const one of all) if (one.was !== "waiting") come(one);
      for (const one of all) if (one.was === "waiting") come(one);
    },
    why: (execId: string): string | undefined => desk.why(execId),
    lines: desk.lines,
    stop: desk.stop,
  };
}
