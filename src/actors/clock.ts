// The time, and alarms: the only place that asks the machine for either.
//
//   alarm(at, act) ──▶ heap ──first──▶ one real timer ──▶ what is due by the wall clock, in order ──▶ the timer again
//
// Invariants:
//   C1. Alarms that are due fire in the order of their time, and in the order they were set where it is the same.
//   C2. An alarm fires once, and never before its time by the wall clock; a cancelled one never.
//   C3. A wall clock that jumps forward is noticed within ten seconds; one that jumps back delays alarms, no more.
//   C4. Waits of any length work: no real timer is ever set for longer than those ten seconds.
//   C5. An alarm that throws harms no other: its error goes to the process, the rest fire.
//   C6. However many are due, the process is let at its other work between a thousand of them.

import { AlarmHeap } from "./alarm-heap.ts";

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Acts once that time has come, never from within this call; gives what cancels it. */
  alarm(at: number, act: () => void): () => void;
}

/** For measuring how long something took, and for nothing that is recorded: it counts from no time in particular. */
export const elapsedMs = (): number => performance.now();

/** What a clock is made over: the wall clock, which may jump, and one wait at a time, which does not. */
export type Timepiece = { now(): number; wait(ms: number, act: () => void): () => void };

const waitMaxMs = 10_000;
const roundMax = 1_000;

/** The clock of this machine. Without `keepAlive` its alarms alone do not keep the process from ending. */
export function systemClock({ keepAlive = true }: { keepAlive?: boolean } = {}): Clock {
  return clockOver({
    now: Date.now,
    wait(ms, act) {
      const timer = setTimeout(act, ms);
      if (!keepAlive) timer.unref();
      return () => clearTimeout(timer);
    },
  });
}

/** Acts once the process had its turn at all else that is due. */
export const afterTurn = (act: () => void): void => void setImmediate(act);

export function clockOver(timepiece: Timepiece): Clock {
  const heap = new AlarmHeap();
  // The one real timer: the time by the wall clock that it was set for, and how to take it back.
  let timer: { at: number; cancel: () => void } | undefined;

  function setTimer(): void {
    const first = heap.first();
    if (first === undefined) {
      timer?.cancel();
      timer = undefined;
      return;
    }
    // A timer that rings too early finds nothing due and is set again: cheaper than one more for every cancel.
    if (timer !== undefined && timer.at <= first.at) return;
    timer?.cancel();
    const now = timepiece.now();
    const ms = Math.min(Math.max(first.at - now, 0), waitMaxMs);
    timer = { at: now + ms, cancel: timepiece.wait(ms, ring) };
  }

  function ring(): void {
    timer = undefined;
    const now = timepiece.now();
    try {
      for (let left = roundMax; left > 0; left--) {
        const first = heap.first();
        if (first === undefined || first.at > now) return;
        heap.remove(first);
        first.act();
      }
    } finally {
      setTimer();
    }
  }

  return {
    now: () => timepiece.now(),
    alarm(at, act) {
      const alarm = heap.add(at, act);
      setTimer();
      return () => {
        if (heap.remove(alarm)) setTimer();
      };
    },
  };
}
