// What a schedule does next: which due times it starts, skips, keeps and misses.
//
// Method: a schedule is lived through step by step, with the time and the open runs given; then random lives, whose
// due times are all held against the cron expression.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  adopt,
  dueAfter,
  type Memory,
  nextStep,
  paused,
  resumed,
  type Rule,
  type Step,
} from "../../src/actors/schedule.ts";
import { nextAfter } from "../../src/language/cron.ts";

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const noon = Date.UTC(2026, 0, 1, 12);

const hourly: Rule = {
  name: "report/0",
  cron: "0 * * * *",
  timezone: "UTC",
  overlap: "skip",
  catchUpMs: 0,
  jitterMs: 0,
  isEnabled: true,
};
const rule = (more: Partial<Rule> = {}): Rule => ({ ...hourly, ...more });
const fresh = (of: Rule, now = noon): Memory => adopt(undefined, of, now);

/** Takes one step, which must be this one, and gives what is remembered. */
function step<A extends Step["act"]>(act: A, memory: Memory, of: Rule, now: number): Extract<Step, { act: A }> {
  const taken = nextStep(memory, of, now);
  expect(taken.act).toBe(act);
  return taken as Extract<Step, { act: A }>;
}
const withOpen = (memory: Memory, ...open: string[]): Memory => ({ ...memory, open });

describe("a schedule", () => {
  test("waits until it is due, starts, and waits for the next time", () => {
    const memory = fresh(hourly);
    expect(step("wait", memory, hourly, noon).until).toBe(noon + hour);
    const started = step("start", memory, hourly, noon + hour);
    expect(started).toMatchObject({ due: noon + hour, memory: { settledAt: noon + hour, startedAt: noon + hour } });
    expect(step("wait", started.memory, hourly, noon + hour).until).toBe(noon + 2 * hour);
    expect(dueAfter(started.memory)).toBe(noon + 2 * hour);
  });

  test("that is never due again waits for ever", () => {
    const once = rule({ cron: "0 0 29 2 *", timezone: "UTC" });
    const memory = { ...fresh(once), settledAt: Date.UTC(9999, 0, 1) };
    expect(step("wait", memory, once, Date.UTC(9999, 5, 1)).until).toBeNull();
    expect(dueAfter(memory)).toBeNull();
  });

  test("S1: settles nothing twice when the clock goes back", () => {
    const { memory } = step("start", fresh(hourly), hourly, noon + hour);
    expect(step("wait", memory, hourly, noon - 5 * hour).until).toBe(noon + 2 * hour);
  });
});

describe("S3: while a run of it is open", () => {
  const dueAt = noon + hour;

  test("skip leaves out what is due and counts it", () => {
    const skipped = step("skip", withOpen(fresh(hourly), "a"), hourly, dueAt);
    expect(skipped.memory).toMatchObject({ settledAt: dueAt, skipped: 1, startedAt: null, keptAt: null });
  });

  test("allow starts another", () => {
    const allow = rule({ overlap: "allow" });
    expect(step("start", withOpen(fresh(allow), "a"), allow, dueAt).due).toBe(dueAt);
  });

  test("buffer_one keeps one, skips the next, and starts the kept one once nothing is open", () => {
    const buffer = rule({ overlap: "buffer_one" });
    const kept = step("skip", withOpen(fresh(buffer), "a"), buffer, dueAt).memory;
    expect(kept).toMatchObject({ keptAt: dueAt, skipped: 0 });
    const more = step("skip", kept, buffer, dueAt + hour).memory;
    expect(more).toMatchObject({ keptAt: dueAt, skipped: 1, settledAt: dueAt + hour });
    const started = step("start", withOpen(more), buffer, dueAt + hour + minute);
    expect(started).toMatchObject({ due: dueAt, memory: { keptAt: null, startedAt: dueAt, settledAt: dueAt + hour } });
  });

  test("cancel_other asks for its end, and keeps the newest due time for then", () => {
    const other = rule({ overlap: "cancel_other" });
    const first = step("cancel", withOpen(fresh(other), "a"), other, dueAt).memory;
    expect(first).toMatchObject({ keptAt: dueAt, skipped: 0 });
    const second = step("cancel", first, other, dueAt + hour).memory;
    expect(second).toMatchObject({ keptAt: dueAt + hour, skipped: 1 });
    expect(step("start", withOpen(second), other, dueAt + hour).due).toBe(dueAt + hour);
  });
});

describe("S2: after an absence", () => {
  const back = noon + 5 * hour + 10 * minute;

  test("what was missed is counted and not started", () => {
    const missed = step("miss", fresh(hourly), hourly, back);
    expect(missed).toMatchObject({ count: 5, memory: { missed: 5, settledAt: noon + 5 * hour } });
    expect(step("wait", missed.memory, hourly, back).until).toBe(noon + 6 * hour);
  });

  test("what is a minute late at most was not missed", () => {
    expect(step("start", fresh(hourly), hourly, noon + hour + minute).due).toBe(noon + hour);
    step("miss", fresh(hourly), hourly, noon + hour + minute + 1);
  });

  test("what lies within the window is made up for, the oldest first", () => {
    const window = rule({ catchUpMs: 2 * hour + 30 * minute, overlap: "allow" });
    let { memory } = step("miss", fresh(window), window, back);
    expect(memory.missed).toBe(2);
    for (const due of [3, 4, 5]) {
      const started = step("start", memory, window, back);
      expect(started.due).toBe(noon + due * hour);
      ({ memory } = started);
    }
    step("wait", memory, window, back);
  });

  test("a long one costs no more than a short one, and its end is right", () => {
    const often = rule({ cron: "* * * * * *", catchUpMs: 2 * minute });
    const later = noon + 1_000 * day;
    let { memory, count } = step("miss", fresh(often), often, later);
    expect(count).toBe(1_000);
    expect(memory.settledAt).toBe(later - 2 * minute - 1);
    expect(step("start", memory, often, later).due).toBe(later - 2 * minute);
  });
});

describe("jitter", () => {
  const spread = rule({ jitterMs: 10 * minute });
  const startsAt = (of: Rule, due: number): number =>
    (nextStep({ ...fresh(of), settledAt: due - 1 }, of, due - 1) as { until: number }).until;

  test("starts a due time later by chance, always within its bound, and the same after a restart", () => {
    const delays = Array.from({ length: 50 }, (_, n) => startsAt(spread, noon + n * hour) - (noon + n * hour));
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...delays)).toBeLessThan(10 * minute);
    expect(new Set(delays).size).toBeGreaterThan(40);
    expect(startsAt(structuredClone(spread), noon)).toBe(startsAt(spread, noon));
    expect(startsAt({ ...spread, name: "other/0" }, noon)).not.toBe(startsAt(spread, noon));
  });

  test("is no lateness: what waits for its chance is not missed", () => {
    const at = startsAt(spread, noon + hour);
    const memory = fresh(spread);
    expect(step("wait", memory, spread, at - 1).until).toBe(at);
    expect(step("start", memory, spread, at).due).toBe(noon + hour);
  });
});

describe("S4: what is due", () => {
  const later = noon + 10 * hour;

  test("while it is paused is never made up for", () => {
    const window = rule({ catchUpMs: day });
    const still = paused(fresh(window));
    expect(step("wait", still, window, later).until).toBeNull();
    expect(dueAfter(still)).toBeNull();
    expect(step("wait", resumed(still, later), window, later).until).toBe(later + hour);
  });

  test("while it is disabled is never made up for", () => {
    const window = rule({ catchUpMs: day });
    const off = { ...window, isEnabled: false };
    const disabled = adopt(fresh(window), off, noon + minute);
    expect(step("wait", disabled, off, later).until).toBeNull();
    expect(step("wait", adopt(disabled, window, later), window, later).until).toBe(later + hour);
  });

  test("before its cron or time zone was changed counts no more, and afterwards counts at once", () => {
    const window = rule({ catchUpMs: day });
    const { memory } = step("start", withOpen(fresh(window)), window, noon + hour);
    const changed = { ...window, cron: "30 * * * *" };
    const adopted = adopt(withOpen(memory, "a"), changed, later);
    expect(adopted).toMatchObject({ settledAt: later, startedAt: noon + hour, open: ["a"], cron: "30 * * * *" });
    expect(step("wait", adopted, changed, later).until).toBe(later + 30 * minute);
    expect(adopt(memory, { ...window, timezone: "Asia/Kolkata" }, later).settledAt).toBe(later);
    expect(adopt(memory, window, later)).toEqual(memory);
  });

  test("and was kept for later is counted as skipped when it is given up", () => {
    const kept = { ...withOpen(fresh(hourly), "a"), keptAt: noon };
    expect(paused(kept)).toMatchObject({ keptAt: null, skipped: 1 });
    expect(adopt(kept, rule({ cron: "1 * * * *" }), later)).toMatchObject({ keptAt: null, skipped: 1 });
    expect(paused(fresh(hourly)).skipped).toBe(0);
  });
});

test("S1, S2, S3: in any life every due time is settled once, in order, and started only when it may be", () => {
  const move = fc.oneof(
    fc.record({ move: fc.constant("pass" as const), ms: fc.integer({ min: -3 * hour, max: 12 * hour }) }),
    fc.constant({ move: "end" as const, ms: 0 }),
  );
  const rules = fc.record({
    overlap: fc.constantFrom("skip" as const, "allow" as const, "buffer_one" as const, "cancel_other" as const),
    catchUpMs: fc.constantFrom(0, 2 * hour, day),
    jitterMs: fc.constantFrom(0, minute, 2 * hour),
    cron: fc.constantFrom("0 * * * *", "*/20 * * * *"),
  });
  fc.assert(
    fc.property(rules, fc.array(move, { maxLength: 20 }), (more, moves) => {
      const of = rule(more);
      let memory = fresh(of);
      let now = noon;
      const starts: number[] = [];
      for (const { move: what, ms } of moves) {
        if (what === "end") memory = withOpen(memory);
        now += ms;
        for (let taken = nextStep(memory, of, now); taken.act !== "wait"; taken = nextStep(memory, of, now)) {
          if (taken.act === "start") {
            if (of.overlap !== "allow") expect(memory.open).toEqual([]);
            if (memory.keptAt === null)
              expect(now - taken.due).toBeLessThanOrEqual(Math.max(of.catchUpMs, minute) + of.jitterMs);
            starts.push(taken.due);
            memory = { ...taken.memory, open: [...taken.memory.open, `run ${starts.length}`] };
          } else memory = taken.memory;
        }
      }
      expect(starts).toEqual([...new Set(starts)].sort((a, b) => a - b));
      let due = 0;
      for (
        let at = nextAfter(of.cron, "UTC", noon);
        at !== null && at <= memory.settledAt;
        at = nextAfter(of.cron, "UTC", at)
      )
        due += 1;
      const keptNow = memory.keptAt === null ? 0 : 1;
      expect(starts.length + memory.skipped + memory.missed + keptNow).toBe(due);
    }),
    { numRuns: 80 },
  );
});
