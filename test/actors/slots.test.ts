// Goal: never more runs hold a slot than there are, and who waits gets one in turn.
// Method: cases for each invariant; random wishes and releases against a list that does the same slowly.

import fc from "fast-check";
import { expect, test } from "vitest";
import { newSlots } from "../../src/actors/slots.ts";

function opened(max: number) {
  const granted: string[] = [];
  return { granted, slots: newSlots({ max, grant: (run) => void granted.push(run) }) };
}

test("L1: never more hold a slot than there are", () => {
  const { slots, granted } = opened(2);
  expect(["a", "b", "c", "d"].map((run) => slots.want(run))).toEqual([true, true, false, false]);
  expect([slots.taken(), slots.waiting(), slots.place("d")]).toEqual([2, 2, 2]);
  slots.release("a");
  expect(granted).toEqual(["c"]);
  expect([slots.taken(), slots.waiting(), slots.place("d")]).toEqual([2, 1, 1]);
});

test("L1: those that came back after a restart count, and are taken for what they are", () => {
  const { slots, granted } = opened(2);
  slots.inherit(3, ["x"]);
  expect(slots.want("a")).toBe(false);
  slots.release("old one");
  expect(granted).toEqual([]);
  slots.release("old two");
  expect(granted, "who stood in line before the restart comes first").toEqual(["x"]);
  slots.release("old three");
  expect(granted).toEqual(["x", "a"]);
});

test("L2: a slot that is given back goes to whoever waited longest, once", () => {
  const { slots, granted } = opened(1);
  slots.want("a");
  for (const run of ["b", "c", "b"]) slots.want(run);
  slots.release("a");
  slots.release("a");
  expect(granted).toEqual(["b"]);
  slots.release("b");
  slots.release("c");
  expect(granted).toEqual(["b", "c"]);
  expect(slots.taken()).toBe(0);
});

test("L2: who leaves the line is given none", () => {
  const { slots, granted } = opened(1);
  slots.want("a");
  slots.want("b");
  slots.want("c");
  slots.release("b");
  slots.release("a");
  expect(granted).toEqual(["c"]);
});

test("whatever comes in whatever order, it does what a plain list does", () => {
  const acts = fc.array(fc.tuple(fc.constantFrom("want", "release"), fc.nat(6)), { maxLength: 60 });
  fc.assert(
    fc.property(acts, fc.integer({ min: 1, max: 3 }), (list, max) => {
      const { slots, granted } = opened(max);
      const held: string[] = [];
      const line: string[] = [];
      for (const [act, number] of list) {
        const run = String(number);
        if (act === "want" && !held.includes(run) && !line.includes(run)) {
          const isFree = held.length < max;
          expect(slots.want(run)).toBe(isFree);
          (isFree ? held : line).push(run);
        } else if (act === "release" && line.includes(run)) {
          slots.release(run);
          line.splice(line.indexOf(run), 1);
        } else if (act === "release" && held.includes(run)) {
          slots.release(run);
          held.splice(held.indexOf(run), 1);
          const next = line.shift();
          expect(granted.splice(0)).toEqual(next === undefined ? [] : [next]);
          if (next !== undefined) held.push(next);
        }
        expect([slots.taken(), slots.waiting()]).toEqual([held.length, line.length]);
      }
    }),
  );
});
