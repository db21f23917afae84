// Goal: the heap gives what is due first, whatever was added and removed before.
// Method: random histories against a sorted list.

import fc from "fast-check";
import { expect, test } from "vitest";
import { AlarmHeap, type Alarm } from "../../src/actors/alarm-heap.ts";

const numRuns = Number(process.env["TROUPE_RUNS"] ?? 200);
const act = (): void => undefined;

// A time to add an alarm for, an alarm of those there to remove by its index, or the first to take.
const moves = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ add: fc.integer({ min: 0, max: 30 }) }) },
    { weight: 1, arbitrary: fc.record({ remove: fc.nat(30) }) },
    { weight: 1, arbitrary: fc.constant({ take: true }) },
  ),
  { size: "+1", maxLength: 120 },
);

test("H1: the first is the earliest, and of one time the one that was set first", () => {
  fc.assert(
    fc.property(moves, (history) => {
      const heap = new AlarmHeap();
      const there: Alarm[] = [];
      for (const move of history) {
        if ("add" in move) there.push(heap.add(move.add, act));
        if ("remove" in move) for (const alarm of there.splice(move.remove, 1)) heap.remove(alarm);
        const first = there.toSorted((a, b) => a.at - b.at || a.order - b.order)[0];
        expect(heap.first()).toBe(first);
        expect(heap.size).toBe(there.length);
        if ("take" in move && first !== undefined) {
          heap.remove(first);
          there.splice(there.indexOf(first), 1);
        }
      }
    }),
    { numRuns },
  );
});

test("H2: what is removed takes no room, and is removed once", () => {
  const heap = new AlarmHeap();
  const alarms = Array.from({ length: 1_000 }, (_, index) => heap.add(index % 7, act));
  const [kept, ...others] = alarms;
  for (const alarm of others) expect(heap.remove(alarm)).toBe(true);
  for (const alarm of others) expect(heap.remove(alarm)).toBe(false);
  expect(heap.size).toBe(1);
  expect(heap.first()).toBe(kept);
});

test("a time that is no time is refused", () => {
  const heap = new AlarmHeap();
  for (const at of [NaN, Infinity, -Infinity]) expect(() => heap.add(at, act)).toThrow(RangeError);
  expect(heap.size).toBe(0);
});
