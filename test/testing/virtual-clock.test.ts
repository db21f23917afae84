// Goal: virtual time goes on when it is told to, and alarms fire in their order as it does.
// Method: cases, and random alarms that must fire as a sorted list says.

import fc from "fast-check";
import { expect, test } from "vitest";
import { virtualClock } from "../../src/testing/virtual-clock.ts";

const beganAt = 1_800_000_000_000;

test("V1: alarms fire in the order of their time, then of their setting, and cancelled ones never", () => {
  const alarms = fc.array(fc.record({ after: fc.integer({ min: -3, max: 20 }), kept: fc.boolean() }));
  fc.assert(
    fc.property(alarms, (set) => {
      const clock = virtualClock(beganAt);
      const fired: { name: number; at: number }[] = [];
      const cancels = set.map(({ after }, name) =>
        clock.alarm(beganAt + after, () => void fired.push({ name, at: clock.now() })),
      );
      for (const [name, { kept }] of set.entries()) if (!kept) cancels[name]?.();
      clock.advance(20);
      const expected = set
        .map(({ after, kept }, name) => ({ name, at: beganAt + Math.max(after, 0), after, kept }))
        .filter(({ kept }) => kept)
        .sort((a, b) => a.after - b.after)
        .map(({ name, at }) => ({ name, at }));
      expect(fired).toEqual(expected);
      expect(clock.now()).toBe(beganAt + 20);
      expect(clock.pending()).toBe(0);
    }),
  );
});

test("V1: what an alarm sets fires in the same advance if it is due by its end", () => {
  const clock = virtualClock(0);
  const fired: number[] = [];
  const again = (): void => {
    fired.push(clock.now());
    clock.alarm(clock.now() + 10, again);
  };
  clock.alarm(10, again);
  clock.advanceTo(35);
  expect(fired).toEqual([10, 20, 30]);
  expect(clock.nextAt()).toBe(40);
});

test("V2: a jump fires nothing; what it made due fires afterwards, at the new time", () => {
  const clock = virtualClock(beganAt);
  const fired: number[] = [];
  clock.alarm(beganAt + 10, () => fired.push(clock.now()));
  clock.jump(1_000);
  expect(fired).toEqual([]);
  expect(clock.next()).toBe(true);
  expect(fired).toEqual([beganAt + 1_000]);
});

test("V2: after a jump back an alarm waits for its time", () => {
  const clock = virtualClock(beganAt);
  const fired: number[] = [];
  clock.alarm(beganAt + 10, () => fired.push(clock.now()));
  clock.jump(-100);
  clock.advance(109);
  expect(fired).toEqual([]);
  clock.advance(1);
  expect(fired).toEqual([beganAt + 10]);
});

test("V2: time never goes back by an advance", () => {
  const clock = virtualClock(beganAt);
  clock.advanceTo(beganAt - 1);
  clock.advance(-1);
  expect(clock.now()).toBe(beganAt);
});

test("next() goes to the next alarm and fires only that one; without one it stays where it is", () => {
  const clock = virtualClock(0);
  const fired: string[] = [];
  clock.alarm(5, () => fired.push("a"));
  clock.alarm(5, () => fired.push("b"));
  expect(clock.next()).toBe(true);
  expect(fired).toEqual(["a"]);
  expect(clock.now()).toBe(5);
  expect(clock.next()).toBe(true);
  expect(clock.next()).toBe(false);
  expect(clock.nextAt()).toBeNull();
  expect(clock.now()).toBe(5);
});
