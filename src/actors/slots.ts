// Which workflow executions may begin: a slot of the engine for each, and the limits that their own definitions set.
//
//   want ─▶ room by every door? ─yes─▶ it begins ──release──▶ a door opens ─▶ grant: the next asks again, and begins
//              └─no─▶ waits · is displaced (skip) · displaces the oldest (cancel_oldest) · is refused (queue_max)
//
// Invariants:
//   L1. Never more hold a slot than there are, but for children, and those that came back after a restart.
//   L2. A slot that is given back goes to whoever waited longest, once, unless definitions say who goes first.
//   L3. A limit of a definition holds for children too; a child waits for no slot of the engine.
//   L4. Of a key that cancels its oldest no more than its limit are left that nobody told to end.
//   L5. After a restart whoever was in is in, and whoever waited waits, in the same order.

import type { WireError } from "../protocol/errors.ts";
import type { Clock } from "./clock.ts";
import { type FlowMemory, newFlowDesk } from "./flow-desk.ts";
import { type Door, type DoorRule } from "./flow-line.ts";
import { doorsOf, type RunFlow } from "./flow-rules.ts";

export type Slots = ReturnType<typeof newSlots>;

/** `displaced`: it may neither begin nor wait, and why. */
export type Answer = boolean | { displaced: string };

/** A run of before a restart. */
export type Inherited = { run: string; createdAt: number; flow: RunFlow };
export type Inheritance = {
  /** How many hold a slot, and those of them that stand by doors of their definitions, too. */
  begun: number;
  known: readonly Inherited[];
  /** Those that wait, the oldest first. */
  waiting: readonly (Inherited | string)[];
};

type Means = {
  max: number;
  queueMax?: number;
  clock: Clock;
  memory: FlowMemory;
  /** The run may begin; `asks`: by asking once more, for its rate is to know when. */
  grant: (run: string, asks: boolean) => void;
  displace: (run: string, reason: string) => void;
};

export function newSlots({ max, queueMax = Infinity, clock, memory, grant, displace }: Means) {
  const flows = new Map<string, RunFlow>();
  /** Of each key that cancels its oldest: the runs that nobody told to end, oldest first. */
  const lasting = new Map<string, Set<string>>();
  const desk = newFlowDesk({ clock, memory, grant: (run) => grant(run, flows.get(run)?.rate !== undefined) });
  const { line } = desk;
  const engine: Door = line.door({ scope: "the engine", key: null, limit: max });
  const plain = { doors: [engine] };
  const plainChild = { doors: [], also: [engine] };
  // Runs that held a slot before a restart, are known by no name, and have not been seen since.
  let inherited = 0;

  const whatOf = ({ workflow }: RunFlow): string => `workflow '${workflow}'`;
  const nameOf = ({ scope, key }: Pick<DoorRule, "scope" | "key">): string =>
    key === null ? scope : `${scope} for key '${key}'`;

  function wishOf(isChild: boolean, flow: RunFlow | undefined) {
    if (!flow) return isChild ? plainChild : plain;
    const { priority = 0, turn = "" } = flow;
    const own = doorsOf(flow, whatOf(flow)).map((rule) => line.door(rule));
    return isChild ? { doors: own, also: [engine], priority, turn } : { doors: [...own, engine], priority, turn };
  }

  /** Why it may neither begin nor wait, if so. */
  function displacedBy({ concurrency, onLimit, ...flow }: RunFlow): string | undefined {
    if (!concurrency || onLimit !== "skip") return undefined;
    const [door] = doorsOf({ concurrency }, whatOf(flow)).map((rule) => line.door(rule));
    if (!door || door.held + door.waiting < door.limit) return undefined;
    return `${nameOf(door)}: ${door.limit} of ${door.limit} are begun or about to`;
  }

  /** One more that lasts: the oldest that are too many are told to end. */
  function last(run: string, flow: RunFlow): void {
    const { concurrency, onLimit } = flow;
    if (!concurrency || onLimit !== "cancel_oldest") return;
    const name = nameOf(doorsOf({ concurrency }, whatOf(flow))[0] as DoorRule);
    const runs = lasting.get(name) ?? new Set();
    lasting.set(name, runs.add(run));
    for (const oldest of runs) {
      if (runs.size <= concurrency.limit) return;
      runs.delete(oldest);
      displace(oldest, `${name}: a newer one takes its place`);
    }
  }
  function forget(run: string): void {
    const flow = flows.get(run);
    if (!flow || !flows.delete(run) || !flow.concurrency || flow.onLimit !== "cancel_oldest") return;
    const name = nameOf(doorsOf(flow, whatOf(flow))[0] as DoorRule);
    const runs = lasting.get(name);
    runs?.delete(run);
    if (runs?.size === 0) lasting.delete(name);
  }

  return {
    /** Why a run cannot even stand in line, if so. A child is refused by its own definition alone. */
    refusal(isChild: boolean, flow?: RunFlow): WireError | undefined {
      const isFull = !isChild && line.waiting() >= queueMax;
      const ownMax = flow?.onLimit === undefined ? (flow?.concurrency?.queueMax ?? Infinity) : Infinity;
      if (!isFull && ownMax === Infinity) return undefined;
      const { doors } = wishOf(isChild, flow);
      const isShut = line.isShut(doors, clock.now());
      line.drop(doors, clock.now());
      if (!isShut) return undefined;
      if (isFull) return full(`${queueMax} executions already wait for a slot`, "queueMax", queueMax);
      if (!flow || (doors[0]?.ofRule.waiting ?? 0) < ownMax) return undefined;
      return full(`${ownMax} executions of ${whatOf(flow)} already wait in line`, "queue_max", ownMax);
    },
    /**
     * Whether the run may begin now; else it stands in line, and is granted a slot later. A child waits for no slot
     * of the engine: its parent has one, and would keep it while it waits for the child.
     */
    want(run: string, isChild = false, flow?: RunFlow): Answer {
      if (!line.knows(run)) {
        const displaced = flow && displacedBy(flow);
        if (displaced !== undefined) return { displaced };
        if (flow) flows.set(run, flow);
        const isIn = desk.enter(run, wishOf(isChild, flow));
        if (flow) last(run, flow);
        if (!isIn) return false;
      } else if (!line.isIn(run)) return false;
      if (flow?.rate) desk.begin(run);
      return true;
    },
    /** `isNew`: it cannot have held one before a restart. */
    release(run: string, isNew = false): void {
      forget(run);
      if (line.knows(run)) return desk.leave(run);
      if (isNew || inherited === 0) return;
      inherited -= 1;
      desk.count(engine, -1);
    },
    /** It never began: whatever it had, or stood in line for, is given back. */
    abandon(run: string): void {
      forget(run);
      desk.leave(run);
    },
    /** After a restart. */
    inherit({ begun, known, waiting }: Inheritance): void {
      for (const { run, flow } of known) {
        flows.set(run, flow);
        line.hold(run, wishOf(flow.isChild === true, flow));
      }
      inherited = Math.max(0, begun - known.length);
      engine.held += inherited;
      // Nobody goes in before all stand in line: whoever came first may go last.
      const granted = line.queue(
        waiting.map((one) => {
          if (typeof one === "string") return { id: one, wish: plain };
          flows.set(one.run, one.flow);
          return { id: one.run, wish: wishOf(one.flow.isChild === true, one.flow) };
        }),
        clock.now(),
      );
      for (const run of granted) grant(run, flows.get(run)?.rate !== undefined);
      const all = [...known, ...waiting.filter((one) => typeof one !== "string")];
      all.sort((one, other) => one.createdAt - other.createdAt || (one.run < other.run ? -1 : 1));
      for (const { run, flow } of all) last(run, flow);
      desk.setAlarm();
    },
    /** It was parked, and is back: it is in again, or stands in line again. */
    rejoin(run: string, isChild: boolean, isWaiting: boolean, flow: RunFlow | undefined): void {
      if (flow) flows.set(run, flow);
      const wish = wishOf(isChild, flow);
      if (!isWaiting) line.hold(run, wish);
      const granted = isWaiting ? line.queue([{ id: run, wish }], clock.now()) : [];
      for (const one of granted) grant(one, flows.get(one)?.rate !== undefined);
      if (flow) last(run, flow);
      desk.setAlarm();
    },
    taken: (): number => engine.held,
    waiting: (): number => line.waiting(),
    place: (run: string): number => line.place(run)?.place ?? 0,
    /** What it waits for, if that is not just a slot. */
    why(run: string): string | undefined {
      return line.place(run)?.door === engine ? undefined : desk.why(run);
    },
    lines: () => desk.lines().filter(({ line: name }) => name !== engine.scope),
    stop: desk.stop,
  };
}

const full = (message: string, limit: string, max: number): WireError => ({
  code: "RATE_LIMITED",
  message: `${message}; try again later`,
  details: { limit, max },
});
