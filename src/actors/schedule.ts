// What one schedule does next: a pure function of what it remembers, its rule, and the time.
//
//   due ─▶ later than the window? missed ─▶ a run of it open? overlap: skip, allow, buffer_one, cancel_other ─▶ start
//
// A due time is settled when it was started, skipped, missed, or kept until the open run has ended. Whoever carries a
// step out remembers it afterwards: done again after a crash, it is the same step, for the same due time.
//
// Invariants:
//   S1. Due times are settled in order, each once, also by a clock that goes back.
//   S2. Nothing is started that is later than its window, and what was missed is counted.
//   S3. But for `allow`, nothing is started while a run of the schedule is open.
//   S4. What is due while nobody may start it (disabled, paused, before it was written so) is never made up for.

import { nextAfter } from "../language/cron.ts";
import type { Overlap } from "../language/spec.ts";
import { chanceOf } from "../machines/retry.ts";

/** A schedule, ready to be kept. */
export type Rule = {
  /** It stands in what is random about it: each schedule spreads otherwise, and the same after a restart. */
  name: string;
  cron: string;
  timezone: string;
  overlap: Overlap;
  catchUpMs: number;
  jitterMs: number;
  isEnabled: boolean;
};

/** Plain JSON: what has to outlive the process. */
export type Memory = Pick<Rule, "cron" | "timezone" | "isEnabled"> & {
  /** Due times up to this one are settled. */
  settledAt: number;
  /** The due time that was started last. */
  startedAt: number | null;
  skipped: number;
  missed: number;
  isPaused: boolean;
  /** What it started that has not ended. */
  open: readonly string[];
  /** A due time that is started once nothing is open. */
  keptAt: number | null;
};

export type Step =
  /** Nothing before that; nothing at all if it is null. */
  | { act: "wait"; until: number | null }
  /** What to remember once that is done. */
  | { act: "start"; due: number; memory: Memory }
  | { act: "cancel"; memory: Memory }
  | { act: "skip"; memory: Memory }
  | { act: "miss"; memory: Memory; count: number };

/** A process that was busy, or gone for a moment, has missed nothing. */
const lateMs = 60_000;
/** Counting is work for each due time: of a long absence, no more are counted. */
const missedAtOnce = 1_000;

/** What a schedule remembers when it is seen as it is now: what is new about it counts from now on. */
export function adopt(memory: Memory | undefined, { cron, timezone, isEnabled }: Rule, now: number): Memory {
  const own = { cron, timezone, isEnabled };
  if (memory === undefined) {
    const none = { startedAt: null, skipped: 0, missed: 0, isPaused: false, open: [], keptAt: null };
    return { ...own, ...none, settledAt: now };
  }
  const isSame = memory.cron === cron && memory.timezone === timezone;
  if (isSame && memory.isEnabled) return { ...memory, isEnabled };
  return { ...forgone(memory), ...own, settledAt: isSame ? Math.max(now, memory.settledAt) : now };
}

/** What was kept for later is not started any more. */
const forgone = (memory: Memory): Memory =>
  memory.keptAt === null ? memory : { ...memory, keptAt: null, skipped: memory.skipped + 1 };

/** By hand: it starts nothing until it is resumed, and from then on only what becomes due. */
export const paused = (memory: Memory): Memory => ({ ...forgone(memory), isPaused: true });
export const resumed = (memory: Memory, now: number): Memory => ({ ...memory, isPaused: false, settledAt: now });

export const isActive = ({ isPaused, isEnabled }: Memory): boolean => isEnabled && !isPaused;

/** When what is due then is started: later by chance, the same whenever it is asked. */
const startOf = ({ name, jitterMs }: Rule, due: number): number =>
  jitterMs === 0 ? due : due + Math.floor(jitterMs * chanceOf(`${name} ${due}`));

export function nextStep(memory: Memory, rule: Rule, now: number): Step {
  if (!isActive(memory)) return { act: "wait", until: null };
  const { open, keptAt, settledAt, skipped } = memory;
  if (keptAt !== null && open.length === 0) {
    return { act: "start", due: keptAt, memory: { ...memory, keptAt: null, startedAt: keptAt } };
  }
  const due = nextAfter(rule.cron, rule.timezone, settledAt);
  if (due === null) return { act: "wait", until: null };
  const at = startOf(rule, due);
  if (at > now) return { act: "wait", until: at };
  if (at < now - windowOf(rule)) return miss(memory, rule, due, now);
  const settled: Memory = { ...memory, settledAt: due };
  if (open.length === 0 || rule.overlap === "allow") {
    return { act: "start", due, memory: { ...settled, startedAt: due } };
  }
  if (rule.overlap === "buffer_one" && keptAt === null) return { act: "skip", memory: { ...settled, keptAt: due } };
  if (rule.overlap === "cancel_other") {
    // One that waited for the same end gives way to the later one.
    const more = keptAt === null ? 0 : 1;
    return { act: "cancel", memory: { ...settled, keptAt: due, skipped: skipped + more } };
  }
  return { act: "skip", memory: { ...settled, skipped: skipped + 1 } };
}

const windowOf = ({ catchUpMs }: Rule): number => Math.max(catchUpMs, lateMs);

function miss(memory: Memory, rule: Rule, first: number, now: number): Step {
  const from = now - windowOf(rule);
  let count = 0;
  let settledAt = first;
  for (let due: number | null = first; due !== null && startOf(rule, due) < from; count += 1) {
    settledAt = due;
    if (count === missedAtOnce) {
      // The rest is passed over uncounted; what is still in the window begins no earlier than this.
      settledAt = Math.max(due, from - rule.jitterMs - 1);
      break;
    }
    due = nextAfter(rule.cron, rule.timezone, due);
  }
  return { act: "miss", count, memory: { ...memory, settledAt, missed: memory.missed + count } };
}

/** When it is due next; null if never, or not as things stand. */
export const dueAfter = (memory: Memory): number | null =>
  isActive(memory) ? nextAfter(memory.cron, memory.timezone, memory.settledAt) : null;
