// A clock that stands still until it is told to go on, for runs that are the same every time.
//
// Invariants:
//   V1. Alarms fire in the order of their time, then of their setting, each at its own time or later; cancelled never.
//   V2. Nothing fires but within next(), advance() and advanceTo(); time goes back only by jump().

import { AlarmHeap } from "../actors/alarm-heap.ts";
import type { Clock } from "../actors/clock.ts";

export type VirtualClock = Clock & {
  /** Lets so much time pass, and fires what becomes due meanwhile, each at its time. */
  advance(ms: number): void;
  /** Lets time pass until then, likewise. */
  advanceTo(at: number): void;
  /** Goes to the next alarm and fires it; false if there is none. */
  next(): boolean;
  /** The wall clock jumps, forward or back, and nothing fires because of it alone. */
  jump(ms: number): void;
  /** When the next alarm is due; null if there is none. */
  nextAt(): number | null;
  /** How many alarms are set. */
  pending(): number;
};

export function virtualClock(beganAt: number): VirtualClock {
  const heap = new AlarmHeap();
  let now = beganAt;

  function next(until = Infinity): boolean {
    const first = heap.first();
    if (first === undefined || first.at > until) return false;
    heap.remove(first);
    now = Math.max(now, first.at);
    first.act();
    return true;
  }

  function advanceTo(at: number): void {
    while (next(at));
    now = Math.max(now, at);
  }

  return {
    now: () => now,
    alarm(at, act) {
      const alarm = heap.add(at, act);
      return () => void heap.remove(alarm);
    },
    next: () => next(),
    advanceTo,
    advance: (ms) => advanceTo(now + ms),
    jump(ms) {
      now += ms;
    },
    nextAt: () => heap.first()?.at ?? null,
    pending: () => heap.size,
  };
}
