// The pure step over whole lives: it changes nothing it was given, survives paper, and is the equal of a live actor.
//
// Method: a chart with everything lives through random histories, in pairs that must come out the same.

import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { emit, type AnyStateMachine } from "xstate";
import { fire, freeze, start, step, thaw } from "../../src/machines/step.ts";
import type { Frozen, Life, Stamp, Step } from "../../src/machines/step.ts";
import { deepFreeze } from "../kit/deep-freeze.ts";
import { bothWays, liveScenes, pureScenes } from "../kit/live.ts";
import { histories, sample, type Told } from "../kit/sample.ts";

const numRuns = Number(process.env["TROUPE_RUNS"] ?? 1000);

const stamp = (at: number, seed = `seed-${at}`): Stamp => ({ at, seed });
const through = <M extends AnyStateMachine>(machine: M, life: Life<M>): Life<M> =>
  thaw(machine, JSON.parse(JSON.stringify(freeze(life))) as Frozen);

/** toEqual() says well what differs, and takes its time where nothing does. */
function expectSame(ours: unknown, theirs: unknown): void {
  if (!isDeepStrictEqual(ours, theirs)) expect(ours).toEqual(theirs);
}

describe("a step is pure", () => {
  const again = <M extends AnyStateMachine>(taken: Step<M>) => ({ ...taken, life: freeze(taken.life) });

  test("S1: the same arguments give the same step, and come out as they went in", () => {
    fc.assert(
      fc.property(histories, ([n, history]) => {
        let { life } = start(sample, { n }, stamp(0));
        history.forEach((act, index) => {
          deepFreeze(life);
          const now = deepFreeze(stamp(10 * index));
          const timer = life.timers[index % Math.max(1, life.timers.length)];
          const take = (): Step<typeof sample> => {
            if ("event" in act) return step(sample, life, deepFreeze({ ...act.event, ...now }));
            return fire(sample, life, timer ?? { id: "none", visit: "none", dueAt: 0 }, now);
          };
          const before = JSON.stringify(freeze(life));
          const taken = take();
          expect(again(take())).toEqual(again(taken));
          expect(JSON.stringify(freeze(life))).toBe(before);
          life = taken.life;
        });
      }),
    );
  });

  test("S1: an input that is frozen is enough to start with", () => {
    expect(start(sample, deepFreeze({ n: 1 }), deepFreeze(stamp(5))).life.snapshot.context.bornAt).toBe(5);
  });
});

describe("in every history", () => {
  test("S5: whoever did not take an event has the same life and said nothing", () => {
    fc.assert(
      fc.property(histories, ([n, history]) => {
        let { life } = start(sample, { n }, stamp(0));
        history.forEach((act, index) => {
          if (!("event" in act)) return;
          const taken = step(sample, life, { ...act.event, ...stamp(index) });
          if (taken.heard !== "taken") expect(taken).toEqual({ ...taken, messages: [], armed: [], cancelled: [] });
          expect(taken.life === life).toBe(taken.heard !== "taken");
          life = taken.life;
        });
      }),
    );
  });

  test("S3: a finished machine waits for nothing", () => {
    const left = step(sample, start(sample, { n: 0 }, stamp(0)).life, { type: "STOP", ...stamp(1) });
    expect(left.life.snapshot.output).toEqual({ n: 0, lastAt: 0 });
    expect(left.life.timers).toEqual([]);
    expect(left.cancelled.map(({ id }) => id).toSorted()).toEqual([
      "xstate.after.century.sample",
      "xstate.after.growing.sample.idle",
    ]);
  });
});

describe("a life on paper", () => {
  test("S8: goes on as one that was never put down", () => {
    fc.assert(
      fc.property(histories, ([n, history]) => {
        const crashing = pureScenes(sample, { n }, history, (life) => through(sample, life));
        expectSame(crashing, pureScenes(sample, { n }, history));
      }),
      { numRuns },
    );
  });

  test("S8: is itself again after a second time through", () => {
    const { life } = step(sample, start(sample, { n: 2 }, stamp(0)).life, { type: "GO", ...stamp(1) });
    expect(freeze(through(sample, life))).toEqual(freeze(life));
    expect(JSON.parse(JSON.stringify(freeze(life)))).toEqual(freeze(life));
  });

  test("S8: a finished life stays finished, with its output", () => {
    const { life } = step(sample, start(sample, { n: 2 }, stamp(0)).life, { type: "STOP", ...stamp(9) });
    expect(freeze(life).status).toBe("done");
    const back = through(sample, life);
    expect(back.snapshot).toMatchObject({ status: "done", output: { n: 2, lastAt: 0 }, value: "stopped" });
    expect(step(sample, back, { type: "GO", ...stamp(10) }).heard).toBe("inert");
  });

  test("S8: is not taken for one of another machine or version, nor with states the machine does not have", () => {
    const paper = freeze(start(sample, { n: 0 }, stamp(0)).life);
    expect(() => thaw(sample, { ...paper, version: "2" })).toThrow(
      "of machine 'sample 2' cannot go on as one of 'sample 1'",
    );
    expect(() => thaw(sample, { ...paper, machine: "door" })).toThrow("of machine 'door 1' cannot go on");
    expect(() => thaw(sample, { ...paper, value: "nowhere" })).toThrow("State 'nowhere' does not exist on 'sample'");
    expect(() => thaw(sample, { ...paper, nodes: ["nowhere"] })).toThrow("machine 'sample' has no state 'nowhere'");
    expect(() => thaw(sample, { ...paper, history: { x: ["gone"] } })).toThrow("machine 'sample' has no state 'gone'");
  });
});

describe("a live actor", () => {
  test("S9: says the same as the pure step, in the same order", () => {
    fc.assert(
      fc.property(histories, ([n, history]) => {
        const { live, pure } = bothWays(sample, { n }, history);
        expectSame(pure, live);
      }),
      { numRuns },
    );
  });

  test("S9: and the histories lead everywhere", () => {
    const seen = new Set<string>();
    const collect = (value: unknown, path = ""): void => {
      if (typeof value === "string") seen.add(`${path}${value}`);
      else for (const [key, inner] of Object.entries(value as object)) collect(inner, `${path}${key}.`);
    };
    fc.assert(
      fc.property(histories, ([n, history]) => {
        for (const { value } of pureScenes(sample, { n }, history)) collect(value);
      }),
      { numRuns: 1000, seed: 1 },
    );
    expect([...seen].toSorted()).toEqual([
      "ended",
      "idle",
      "paused",
      "resting",
      "stopped",
      "work.left.done",
      "work.left.first",
      "work.left.second",
      "work.left.third",
      "work.right.done",
      "work.right.outer.fresh",
      "work.right.outer.stale",
      "work.right.over",
      "work.right.waiting",
    ]);
  });

  test("S9: the comparison sees a machine that differs in one delay, and one that differs in one word", () => {
    const slower: AnyStateMachine = sample.provide({ delays: { growing: 6 } });
    const history = [{ advanceMs: 5 }];
    expect(pureScenes(slower, { n: 0 }, history)).not.toEqual(liveScenes(sample, { n: 0 }, history));
    const ruder: AnyStateMachine = sample.provide({ actions: { tell: emit({ type: "told" } as Told) } });
    expect(pureScenes(ruder, { n: 0 }, [])).not.toEqual(liveScenes(sample, { n: 0 }, []));
  });
});
