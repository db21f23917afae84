// Goal: never more runs hold a slot than there are, and who waits gets one in turn.
// Method: cases for each invariant; random wishes and releases against a list that does the same slowly.

import fc from "fast-check";
import { expect, test } from "vitest";
import type { RunFlow } from "../../src/actors/flow-rules.ts";
import { newSlots } from "../../src/actors/slots.ts";
import type { Key, Unit } from "../../src/store/store.ts";
import { virtualClock } from "../../src/testing/virtual-clock.ts";

const beganAt = 1_790_000_000_000;

function opened(max: number, queueMax?: number) {
  const granted: string[] = [];
  const displaced: string[] = [];
  const clock = virtualClock(beganAt);
  const keys = new Map<string, Key>();
  const memory = {
    key: (key: string) => keys.get(key),
    append: ({ keys: more = [] }: Unit) => more.forEach((key) => keys.set(key.key, key)),
  };
  const slots = newSlots({
    max,
    ...(queueMax !== undefined && { queueMax }),
    clock,
    memory,
    grant: (run) => void granted.push(run),
    displace: (run, reason) => void displaced.push(`${run}: ${reason}`),
  });
  return { granted, displaced, clock, memory, slots };
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
  slots.inherit({ begun: 3, known: [], waiting: ["x"] });
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

const flow = (more: Partial<RunFlow> = {}): RunFlow => ({ workflow: "w", ...more });
const one = { concurrency: { limit: 1, key: null, queueMax: null } };

test("L3: a limit of a definition holds for children too; a child waits for no slot of the engine", () => {
  const { slots, granted } = opened(1);
  expect(slots.want("parent")).toBe(true);
  expect(slots.want("child", true, flow(one))).toBe(true);
  expect(slots.want("second", true, flow(one))).toBe(false);
  expect(slots.want("third", false, flow(one))).toBe(false);
  slots.release("child");
  expect(granted).toEqual(["second"]);
  slots.release("second");
  expect([granted, slots.taken()], "it is no child: it waits for the engine").toEqual([["second"], 1]);
  slots.release("parent");
  expect(granted).toEqual(["second", "third"]);
});

test("L4: of a key that cancels its oldest no more than its limit are left that nobody told to end", () => {
  const { slots, displaced, granted } = opened(10);
  const newest = flow({ concurrency: { limit: 2, key: "k", queueMax: null }, onLimit: "cancel_oldest" });
  expect(["a", "b", "c", "d"].map((run) => slots.want(run, false, newest))).toEqual([true, true, false, false]);
  const why = "concurrency of workflow 'w' for key 'k': a newer one takes its place";
  expect(displaced).toEqual([`a: ${why}`, `b: ${why}`]);
  slots.release("b");
  slots.release("a");
  expect(granted).toEqual(["c", "d"]);
  slots.release("c");
  slots.want("e", false, newest);
  expect(displaced).toHaveLength(2);
});

test("L5: after a restart whoever was in is in, whoever waited waits in the same order, and the oldest is told", () => {
  const { slots, displaced, granted } = opened(3);
  const newest = flow({ ...one, workflow: "n", onLimit: "cancel_oldest" });
  const known = [
    { run: "old", createdAt: 1, flow: flow(one) },
    { run: "older", createdAt: 2, flow: newest },
  ];
  const waiting = [
    { run: "x", createdAt: 3, flow: flow({ ...one, priority: -1 }) },
    "y",
    { run: "z", createdAt: 4, flow: flow(one) },
    { run: "newer", createdAt: 5, flow: newest },
  ];
  slots.inherit({ begun: 3, known, waiting });
  expect([slots.taken(), slots.waiting()]).toEqual([3, 4]);
  expect(displaced).toEqual(["older: concurrency of workflow 'n': a newer one takes its place"]);
  slots.release("old");
  expect(granted, "z is before x, and y came before z").toEqual(["y"]);
  slots.release("declined", true);
  slots.release("unknown");
  expect(granted).toEqual(["y", "z"]);
  slots.release("older");
  slots.release("z");
  expect(granted).toEqual(["y", "z", "newer", "x"]);
});

test("more than may wait are refused, and nobody is who need not wait", () => {
  const { slots } = opened(1, 1);
  expect(slots.refusal(false)).toBeUndefined();
  slots.want("a");
  expect(slots.refusal(false)).toBeUndefined();
  slots.want("b");
  expect(slots.refusal(false)).toMatchObject({ code: "RATE_LIMITED", details: { limit: "queueMax", max: 1 } });
  expect(slots.refusal(true)).toBeUndefined();
  expect(slots.want("b"), "who waits waits on").toBe(false);
});
