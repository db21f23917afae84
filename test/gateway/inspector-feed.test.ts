// Goal: runs are followed while somebody looks at them, and no more of them than people can look at.
// Method: a troupe in virtual time with a feed and a stage; what is followed is asked for after each change.

import { describe, expect, test } from "vitest";
import { openFeed, rootOf } from "../../src/gateway/inspector-feed.ts";
import { openStage } from "../../src/gateway/inspector-stage.ts";
import { pass } from "../kit/passing.ts";
import { openHere } from "./inspector-bed.ts";

const second = 1_000;

async function bed() {
  const { here, clock } = await openHere();
  const logged: string[] = [];
  const stage = openStage(clock);
  const feed = openFeed(here, stage, (_level, message) => void logged.push(message));
  return { here, clock, stage, feed, logged };
}

describe("a run", () => {
  test("IE1: is followed as long as somebody looks at it, and with it what it called", async () => {
    const { here, clock, stage, feed } = await bed();
    const { execId } = here.start("parent");
    await pass(clock, second);
    const { items } = await here.list({ entity: "workflow", id: "short" });
    const child = items[0]?.execId ?? "";
    const [one, other] = [feed.look(execId), feed.look(child)];
    expect([one.group, other.group]).toEqual([execId, execId]);
    await pass(clock, second);
    expect(feed.stats()).toEqual({ followed: 1, skipped: 0 });
    expect(stage.stats().actors).toBeGreaterThan(10);
    one.end();
    expect(feed.stats().followed).toBe(1);
    other.end();
    expect(feed.stats().followed).toBe(0);
    expect(stage.stats().actors).toBe(0);
  });

  test("IE1: that is not known is refused, and of one that was forgotten above it is its own root", async () => {
    const { here, clock, feed } = await bed();
    expect(() => feed.look("01900000-0000-7000-8000-00000000beef")).toThrow(/no execution/);
    const { execId } = here.start("parent");
    await pass(clock, second);
    const { items } = await here.list({ entity: "workflow", id: "short" });
    const child = items[0]?.execId ?? "";
    const { get } = here;
    const gone = {
      ...here,
      get: (id: string) => get(id === execId || get(id).run === execId ? "01900000-0000-7000-8000-00000000beef" : id),
    };
    expect(rootOf(here, child)).toBe(execId);
    expect(rootOf(gone, child)).toBe(child);
  });

  test("IE1: is let go once nobody looks at all, but for those that somebody looks at", async () => {
    const { here, clock, feed } = await bed();
    const runs = [here.start("patient"), here.start("patient"), here.start("patient")];
    await pass(clock, second);
    const alone = feed.look(runs[0]?.execId ?? "");
    const all = feed.look(null);
    await pass(clock, second);
    expect(feed.stats().followed).toBe(3);
    expect(feed.isForAll(runs[0]?.execId ?? "")).toBe(true);
    all.end();
    expect(feed.stats().followed).toBe(1);
    alone.end();
    expect(feed.stats().followed).toBe(0);
  });
});

describe("all runs", () => {
  test("IE2: that are at work are followed, so many of them, and those that begin, so many in a second", async () => {
    const { here, clock, feed } = await bed();
    for (let n = 0; n < 40; n++) here.start("patient");
    await pass(clock, second);
    feed.look(null);
    await pass(clock, second);
    expect(feed.stats()).toEqual({ followed: 20, skipped: 0 });
    for (let n = 0; n < 40; n++) here.start("patient");
    await pass(clock, second);
    expect(feed.stats()).toEqual({ followed: 25, skipped: 35 });
  });

  test("IE2: give way, the ones that are over first", async () => {
    const { here, clock, feed } = await bed();
    feed.look(null);
    const old = here.start("patient");
    await pass(clock, second);
    const over: string[] = [];
    for (let n = 0; n < 40; n++) {
      over.push(here.start("short").execId);
      await pass(clock, second);
    }
    expect(feed.stats().followed).toBe(30);
    expect(feed.isForAll(old.execId)).toBe(true);
    expect(feed.isForAll(over[0] ?? "")).toBe(false);
    expect(feed.isForAll(over.at(-1) ?? "")).toBe(true);
  });

  test("that can be watched no more are said, and harm nobody", async () => {
    const { here, clock, feed, logged } = await bed();
    Object.assign(here, {
      watch: () => {
        throw new Error("there are too many");
      },
    });
    feed.look(null);
    here.start("short");
    await pass(clock, second);
    expect(logged).toEqual(["an execution cannot be shown to the inspector"]);
  });
});
