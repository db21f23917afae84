// A line with a clock and a memory: doors that time opens are opened in time, and rates outlive the process.
//
//   let in ─▶ told ─▶ asks again ─▶ begin: the times of its rates are appended ─▶ its own record follows
//
// Invariants:
//   O1. A begin under a rate is on disk no later than the record of what began: after a crash it is remembered.
//   O2. What is remembered is never earlier than what was.
//   O3. While anybody waits for a time there is an alarm for it, and otherwise none.

import type { Store } from "../store/store.ts";
import type { Clock } from "./clock.ts";
import { type Door, newFlowLine, type Wish } from "./flow-line.ts";

export type FlowMemory = Pick<Store, "key" | "append">;

/** So many marks stand for all times within a rate's own: each for those that fall into a part of it. */
const marksMax = 64;
/** Longer than any key that a caller may use once: they stand in the same table. */
const keyFor = (door: string): string => `rate ${door}`.padEnd(keyCharsMin, " ");
const keyCharsMin = 257;

type Marks = [at: number, count: number][];

export function marksOf({ times, rate }: Pick<Door, "times" | "rate">, now: number): Marks {
  const perMs = rate?.perMs ?? 0;
  const width = Math.max(1, Math.ceil(perMs / marksMax));
  const marks: Marks = [];
  for (const time of times) {
    if (time + perMs <= now) continue;
    // As late as it may have been.
    const at = Math.ceil(time / width) * width;
    const last = marks.at(-1);
    if (last?.[0] === at) last[1] += 1;
    else marks.push([at, 1]);
  }
  return marks;
}

export const timesOf = (marks: Marks): number[] =>
  marks.flatMap(([at, count]) => Array.from({ length: count }, () => at));

/** `grant`: whoever waited may go in, and is told so. */
export function newFlowDesk({
  clock,
  memory,
  grant,
}: {
  clock: Clock;
  memory: FlowMemory;
  grant: (id: string) => void;
}) {
  const line = newFlowLine((door) => {
    const kept = memory.key(keyFor(door), clock.now());
    return kept ? timesOf(JSON.parse(kept.fingerprint) as Marks) : [];
  });
  let alarm: { at: number; cancel: () => void } | null = null;
  let isStopped = false;

  function setAlarm(): void {
    const at = line.dueAt();
    if (alarm?.at === at || isStopped) return;
    alarm?.cancel();
    alarm = at === Infinity ? null : { at, cancel: clock.alarm(at, ring) };
  }
  function ring(): void {
    alarm = null;
    tell(line.advance(clock.now()));
    setAlarm();
  }
  function tell(granted: readonly string[], except?: string): void {
    for (const id of granted) if (id !== except) grant(id);
  }

  return {
    line,
    setAlarm,
    /** Whether it may begin at once; otherwise it waits, and is told. */
    enter(id: string, wish: Wish): boolean {
      const granted = line.enter(id, wish, clock.now());
      tell(granted, id);
      setAlarm();
      return granted.includes(id);
    },
    begin(id: string): void {
      const now = clock.now();
      const rated = line.begin(id, now);
      if (rated.length === 0) return;
      const keys = rated.map((door) => ({
        key: keyFor(door.name),
        execId: id,
        fingerprint: JSON.stringify(marksOf(door, now)),
        expiresAt: now + 2 * (door.rate?.perMs ?? 0),
      }));
      memory.append({ records: [], runs: [], rows: [], keys });
      setAlarm();
    },
    leave(id: string): void {
      tell(line.leave(id, clock.now()));
      setAlarm();
    },
    count(door: Door, change: 1 | -1): void {
      tell(line.count(door, change, clock.now()));
    },
    /** What it waits for, for a person. */
    why(id: string): string | undefined {
      const found = line.place(id);
      if (!found) return undefined;
      const { door, place } = found;
      const what = `${door.scope}${door.key === null ? "" : ` for key '${door.key}'`}`;
      const { rate } = door;
      if (!rate) return `waits for room: ${what} (${door.held} of ${door.limit} taken), place ${place} in line`;
      const at = line.opensAt(door);
      const next = Number.isFinite(at) ? `next at ${new Date(at).toISOString()}` : "the next has not begun yet";
      return `waits for room: ${what} (${rate.limit} within ${rate.perMs} ms): ${next}, place ${place} in line`;
    },
    /** All lines, the doors of one rule together. */
    lines(): FlowShown[] {
      const shown = new Map<string, FlowShown>();
      for (const { scope, held, waiting } of line.doors()) {
        const known = shown.get(scope) ?? { line: scope, keys: 0, taken: 0, waiting: 0 };
        const taken = known.taken + held;
        shown.set(scope, { line: scope, keys: known.keys + 1, taken, waiting: known.waiting + waiting });
      }
      return [...shown.values()];
    },
    stop(): void {
      isStopped = true;
      alarm?.cancel();
      alarm = null;
    },
  };
}

export type FlowShown = { line: string; keys: number; taken: number; waiting: number };
