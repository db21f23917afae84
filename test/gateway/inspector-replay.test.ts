// Goal: a run that is over is shown from its log as it went, however fast, and no faster than a viewer can take it.
// Method: a troupe in virtual time; what the play sends is held against the steps of the log and against the clock.

import { describe, expect, test } from "vitest";
import { play } from "../../src/gateway/inspector-replay.ts";
import type { Viewer } from "../../src/gateway/inspector-stage.ts";
import type { Troupe } from "../../src/runtime/troupe.ts";
import type { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { pass } from "../kit/passing.ts";
import { checkFrames, type Frame, lastOf, openHere } from "./inspector-bed.ts";

const second = 1_000;

function screen() {
  const frames: Frame[] = [];
  const own = { frames, waiting: 0, notes: [] as { shown: number; is_over: boolean; is_whole: boolean }[] };
  const viewer: Viewer = {
    send: (text) => void frames.push(JSON.parse(text) as Frame),
    waiting: () => own.waiting,
    sees: () => true,
  };
  return Object.assign(own, { viewer, told: (note: (typeof own.notes)[number]) => void own.notes.push(note) });
}

/** A run of which an hour was waiting. */
async function ended(here: Troupe, clock: VirtualClock): Promise<string> {
  const { execId, result } = here.start("patient");
  await pass(clock, 1_800 * second);
  await here.signal(execId, "go");
  await pass(clock, second);
  await result();
  return execId;
}

async function played(here: Troupe, clock: VirtualClock, run: string, speed: number, forMs: number) {
  const shown = screen();
  const { over, end } = play(here, run, speed, shown.viewer, shown.told);
  await pass(clock, forMs);
  return { ...shown, over, end };
}

describe("a play", () => {
  test("IP1: shows everything of a run in the order of the log, with what it called, and ends", async () => {
    const { here, clock } = await openHere();
    const { execId, result } = here.start("parent");
    await pass(clock, second);
    await result();
    const { frames, notes, over } = await played(here, clock, execId, 0, 60 * second);
    await over;
    checkFrames(frames);
    const { items } = await here.list({ entity: "workflow", id: "short" });
    const [own, child] = [await here.steps(execId), await here.steps(items[0]?.execId ?? "")];
    const steps = [...own.steps, ...child.steps].toSorted((one, other) => one.seq - other.seq);
    const snapshots = frames.filter(
      ({ type, sessionId }) => type === "@xstate.snapshot" && !sessionId.startsWith("chart/"),
    );
    expect(snapshots.map(({ sessionId, snapshot }) => [sessionId, snapshot.value])).toEqual(
      steps.map(({ address, value }) => [address, value]),
    );
    expect(lastOf(frames, `chart/${execId}`)?.value).toBe("$SUCCESS");
    expect(notes.at(-1)).toEqual({ shown: steps.length, at: steps.at(-1)?.at, is_over: true, is_whole: true });
  });

  test("IP1: shows a run that is large piece by piece", async () => {
    const { here, clock } = await openHere();
    const { execId, result } = here.start("many");
    await pass(clock, second);
    await result();
    const { frames, notes } = await played(here, clock, execId, 0, 60 * second);
    expect(notes.length).toBeGreaterThan(2);
    expect(notes.at(-1)?.is_over).toBe(true);
    expect(lastOf(frames, `workflow/${execId}`)?.value).toBe("succeeded");
  });

  test("IP2: takes the time between two steps, divided by the speed", async () => {
    const { here, clock } = await openHere();
    const run = await ended(here, clock);
    const slow = await played(here, clock, run, 1, 2 * second);
    expect(lastOf(slow.frames, `chart/${run}`)?.value).toBe("wait");
    expect(slow.notes.some(({ is_over }) => is_over)).toBe(false);
    // Half an hour is no more than some seconds.
    await pass(clock, 2 * second);
    expect(slow.notes.at(-1)).toMatchObject({ is_over: true });
    const fast = await played(here, clock, run, 3_600, second);
    expect(fast.notes.at(-1)).toMatchObject({ is_over: true });
  });

  test("IP2: waits for a viewer that has too much before it", async () => {
    const { here, clock } = await openHere();
    const run = await ended(here, clock);
    const shown = screen();
    shown.waiting = 1_000_000;
    play(here, run, 0, shown.viewer, shown.told);
    await pass(clock, 10 * second);
    expect(shown.frames).toEqual([]);
    shown.waiting = 0;
    await pass(clock, 10 * second);
    expect(shown.notes.at(-1)).toMatchObject({ is_over: true });
  });

  test("that is ended shows nothing more, and leaves no alarm", async () => {
    const { here, clock } = await openHere();
    const run = await ended(here, clock);
    const before = clock.pending();
    const { frames, over, end } = await played(here, clock, run, 1, second);
    const seen = frames.length;
    expect(clock.pending()).toBe(before + 1);
    end();
    await over;
    expect(clock.pending()).toBe(before);
    await pass(clock, 60 * second);
    expect(frames).toHaveLength(seen);
  });
});
