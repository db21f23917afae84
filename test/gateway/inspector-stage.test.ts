// Goal: actors are shown to each viewer in order and as they are, and no viewer is sent more than it can take.
// Method: a clock that stands still, and viewers whose buffers are filled and emptied by hand.

import { describe, expect, test } from "vitest";
import type { Sight } from "../../src/gateway/inspector-scene.ts";
import { openStage, type Viewer } from "../../src/gateway/inspector-stage.ts";
import { virtualClock } from "../../src/testing/virtual-clock.ts";
import type { Frame } from "./inspector-bed.ts";

const second = 1_000;

function bed() {
  const clock = virtualClock(1_790_000_000_000);
  const stage = openStage(clock);
  const join = (sees: Viewer["sees"] = () => true) => {
    const frames: Frame[] = [];
    const buffer = { waiting: 0 };
    const viewer: Viewer = {
      send: (text) => void frames.push(JSON.parse(text) as Frame),
      waiting: () => buffer.waiting,
      sees,
    };
    stage.join(viewer);
    return Object.assign(buffer, { frames, viewer });
  };
  const show = (sessionId: string, value: string, more: Partial<Sight> = {}, group = "g"): void =>
    stage.show(group, `${group}/root`, {
      sessionId,
      name: sessionId,
      definition: "{}",
      at: clock.now(),
      heard: () => ({ type: `to ${value}` }),
      isDone: false,
      look: () => ({ status: "active", value }),
      ...more,
    });
  return { clock, stage, join, show };
}

const told = ({ frames }: { frames: Frame[] }, kind: string): string[] =>
  frames
    .filter(({ type }) => type === `@xstate.${kind}`)
    .map(({ sessionId, snapshot, event }) => `${sessionId} ${String(kind === "event" ? event?.type : snapshot.value)}`);

describe("a stage", () => {
  test("IA1: announces an actor first, under one that was announced", () => {
    const { clock, join, show } = bed();
    const one = join();
    show("g/root", "a");
    show("x", "a", { parentId: "g/root" });
    show("y", "a", { parentId: "nobody" });
    clock.advance(second);
    expect(one.frames.map(({ type, sessionId }) => `${type.slice(8)} ${sessionId}`)).toEqual(
      ["g/root", "x", "y"].flatMap((id) => ["actor", "event", "snapshot"].map((type) => `${type} ${id}`)),
    );
    const parents = one.frames.filter(({ type }) => type === "@xstate.actor").map(({ parentId }) => parentId);
    expect(parents).toEqual([undefined, "g/root", "g/root"]);
  });

  test("IA1: holds an actor back from whoever has not heard yet of what contains it", () => {
    const { clock, join, show } = bed();
    const slow = join();
    slow.waiting = 2_000_000;
    show("g/root", "a");
    clock.advance(second);
    expect(slow.frames).toEqual([]);
    slow.waiting = 0;
    show("x", "a", { parentId: "g/root" });
    clock.advance(second);
    expect(slow.frames.map(({ sessionId }) => sessionId).indexOf("g/root")).toBe(0);
    expect(told(slow, "actor")).toEqual(["g/root a", "x a"]);
  });

  test("IA2: shows an actor ten times a second at the most, and at last as it is", () => {
    const { clock, join, show } = bed();
    const one = join();
    for (let n = 0; n < 5_000; n++) {
      show("x", String(n));
      clock.advance(1);
    }
    clock.advance(second);
    const snapshots = told(one, "snapshot");
    expect(snapshots.length).toBeLessThanOrEqual(51);
    expect(snapshots.length).toBeGreaterThan(40);
    expect(snapshots.at(-1)).toBe("x 4999");
    expect(told(one, "event").length).toBeLessThanOrEqual(5 * 51);
    expect(told(one, "event").at(-1)).toBe("x to 4999");
  });

  test("IA2: shows many actors over some ticks, each of them", () => {
    const { clock, join, show } = bed();
    const one = join();
    for (let n = 0; n < 1_000; n++) show(`x${n}`, "a");
    clock.advance(100);
    expect(told(one, "actor")).toHaveLength(100);
    clock.advance(second);
    expect(told(one, "actor")).toHaveLength(1_000);
  });

  test("IA3: sends nothing to whoever has too much before it, and later what is so then", () => {
    const { clock, join, show } = bed();
    const [quick, slow] = [join(), join()];
    show("x", "a");
    clock.advance(second);
    slow.waiting = 1_000_001;
    for (const value of ["b", "c", "d"]) {
      show("x", value);
      clock.advance(second);
    }
    expect(told(quick, "snapshot")).toEqual(["x a", "x b", "x c", "x d"]);
    expect(told(slow, "snapshot")).toEqual(["x a"]);
    slow.waiting = 0;
    clock.advance(second);
    expect(told(slow, "snapshot")).toEqual(["x a", "x d"]);
  });

  test("IA3: keeps so many actors of a group, and forgets first those that ended first", () => {
    const { clock, stage, join, show } = bed();
    show("g/root", "done", { isDone: true });
    for (let n = 0; n < 3_000; n++) {
      show(`x${n}`, "a", { isDone: true });
      clock.advance(100);
    }
    expect(stage.stats().actors).toBe(2_000);
    const late = join();
    clock.advance(10 * second);
    expect(told(late, "actor")).toHaveLength(2_000);
    expect(told(late, "actor")[0]).toBe("g/root done");
    expect(told(late, "actor").at(-1)).toBe("x2999 a");
  });

  test("IA3: lets go of those that were over before anybody heard of them, and not of an end that was not told", () => {
    const { clock, stage, join, show } = bed();
    const one = join();
    show("told", "a");
    clock.advance(100);
    show("told", "over", { isDone: true });
    for (let n = 0; n < 3_000; n++) show(`x${n}`, "over", { isDone: true });
    expect(stage.stats()).toMatchObject({ actors: 2_000, dropped: 0 });
    for (let n = 0; n < 2_500; n++) show(`y${n}`, "a");
    expect(stage.stats()).toMatchObject({ actors: 2_000, dropped: 501 });
    clock.advance(10 * second);
    expect(told(one, "snapshot").filter((text) => text.startsWith("told"))).toEqual(["told a", "told over"]);
    expect(told(one, "actor").filter((text) => text.startsWith("x"))).toEqual([]);
  });

  test("IA4: shows whoever comes what is there, once, and what it looks at alone", () => {
    const { clock, stage, join, show } = bed();
    show("x", "a");
    show("y", "a", {}, "other");
    clock.advance(second);
    const [one, all] = [join((group) => group === "g"), join()];
    clock.advance(second);
    expect(told(one, "actor")).toEqual(["x a"]);
    expect(told(all, "snapshot")).toEqual(["x a", "y a"]);
    stage.drop("other");
    show("y", "b", {}, "other");
    clock.advance(second);
    expect(told(all, "actor")).toEqual(["x a", "y a", "y b"]);
    stage.leave(one.viewer);
    show("x", "b");
    clock.advance(second);
    expect(told(one, "snapshot")).toEqual(["x a"]);
  });

  test("does nothing while nothing changes, and nothing once it is closed", () => {
    const { clock, stage, join, show } = bed();
    join();
    show("x", "a");
    clock.advance(second);
    expect(clock.pending()).toBe(0);
    show("x", "b");
    stage.close();
    expect(clock.pending()).toBe(0);
  });
});
