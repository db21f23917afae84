// Goal: what rates remember outlives the process and is never too early, and alarms are there when they are needed.
// Method: a desk in virtual time over a memory that a second desk reads; random times for what is remembered.

import fc from "fast-check";
import { expect, test } from "vitest";
import { marksOf, newFlowDesk, timesOf } from "../../src/actors/flow-desk.ts";
import type { Key, Unit } from "../../src/store/store.ts";
import { virtualClock } from "../../src/testing/virtual-clock.ts";

const beganAt = 1_790_000_000_000;
const second = 1_000;

function opened(keys = new Map<string, Key>(), at = beganAt) {
  const clock = virtualClock(at);
  const granted: string[] = [];
  const memory = {
    key: (key: string, now: number) => {
      const found = keys.get(key);
      return found && found.expiresAt > now ? found : undefined;
    },
    append: ({ keys: more = [] }: Unit) => more.forEach((key) => keys.set(key.key, key)),
  };
  const desk = newFlowDesk({ clock, memory, grant: (id) => void granted.push(id) });
  const door = () => desk.line.door({ scope: "rate of x", key: "k", rate: { limit: 2, perMs: 10 * second } });
  const begins = (id: string): boolean => {
    const isIn = desk.enter(id, { doors: [door()] });
    if (isIn) desk.begin(id);
    return isIn;
  };
  return { clock, desk, keys, granted, begins };
}

test("O1: after a crash what has begun counts still, and the next begins when it no longer does", () => {
  const one = opened();
  expect([one.begins("a"), one.begins("b"), one.begins("c")]).toEqual([true, true, false]);
  const two = opened(one.keys, beganAt + 4 * second);
  expect(two.begins("c")).toBe(false);
  two.clock.advance(6 * second);
  // Remembered in parts of its time: at most one part later than it was.
  two.clock.advance(second);
  expect(two.granted).toEqual(["c"]);
  expect(
    [...one.keys.keys()].every((key) => key.length > 256),
    "no key of a caller can be one of these",
  ).toBe(true);
});

test("O2: what is remembered is never earlier than what was, never later than by a part, and none is missing", () => {
  const times = fc.array(fc.nat(100_000), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(times, fc.integer({ min: 1, max: 100_000 }), (list, perMs) => {
      const sorted = list.sort((one, other) => one - other);
      const now = sorted.at(-1) ?? 0;
      const kept = sorted.filter((time) => time + perMs > now);
      const remembered = timesOf(marksOf({ times: sorted, rate: { limit: 1_000, perMs } }, now));
      expect(remembered).toHaveLength(kept.length);
      for (const [index, time] of remembered.entries()) {
        const late = time - (kept[index] as number);
        expect(late >= 0 && late <= Math.ceil(perMs / 64)).toBe(true);
      }
      expect(marksOf({ times: sorted, rate: { limit: 1_000, perMs } }, now).length).toBeLessThanOrEqual(66);
    }),
  );
});

test("O3: while anybody waits for a time there is an alarm for it, and otherwise none", () => {
  const { clock, desk, begins, granted } = opened();
  begins("a");
  begins("b");
  expect(clock.pending()).toBe(0);
  begins("c");
  begins("d");
  expect([clock.pending(), clock.nextAt()]).toEqual([1, beganAt + 10 * second]);
  desk.leave("c");
  expect(clock.pending()).toBe(1);
  desk.leave("d");
  expect(clock.pending()).toBe(0);
  begins("e");
  clock.advance(10 * second);
  expect([granted, clock.pending()]).toEqual([["e"], 0]);
  desk.begin("e");
  begins("f");
  begins("g");
  desk.stop();
  expect(clock.pending()).toBe(0);
});

test("who waits is told what for, its place, and since no time is known yet, that too", () => {
  const { desk } = opened();
  const slow = desk.line.door({ scope: "rate of x", key: null, rate: { limit: 1, perMs: second } });
  desk.enter("a", { doors: [slow] });
  desk.enter("b", { doors: [slow] });
  expect(desk.why("b")).toBe(
    "waits for room: rate of x (1 within 1000 ms): the next has not begun yet, place 1 in line",
  );
  expect(desk.why("a")).toBeUndefined();
});
