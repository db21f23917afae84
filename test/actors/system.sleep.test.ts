// A run that only waits leaves memory, and nobody can tell but by looking there.
//
// Method: troupes with small memories in time that stands still; runs are compared before they sleep and after.

import { describe, expect, test } from "vitest";
import { freezeRun } from "../../src/actors/run.ts";
import { company, makeBed, play, settle, standing, type Life } from "./recovery-bed.ts";

const hourMs = 3_600_000;

async function pass(life: Life, ms: number): Promise<void> {
  await settle(life);
  life.clock.jump(ms);
  life.clock.advanceTo(life.clock.now());
  await settle(life);
}

const many = (life: Life, id: string, count: number): string[] =>
  Array.from({ length: count }, () => life.troupe.start(id, { q: 1 }).execId);

describe("a run that only waits", () => {
  test("Y6: is put to sleep when it has been idle, and is the same when it comes back", async () => {
    const bed = makeBed({ limits: { idleBeforeSleepMs: 120_000 } });
    const life = await bed.open();
    const { system } = life.troupe;
    const ids = ["signaled", "patient", "paused", "wide"].flatMap((id) => many(life, id, 2));
    for (let n = 0; n < 3; n++) await pass(life, 20_000);
    const before = new Map(ids.map((id) => [id, system.peek(id)]));
    const frozen = new Map([...before].map(([id, run]) => [id, run && freezeRun(run)]));
    expect([...before.values()].every((run) => run !== undefined)).toBe(true);
    await pass(life, 121_000);
    await pass(life, 10_000);
    const slept = ids.filter((id) => system.peek(id) === undefined);
    expect(slept.length).toBe(ids.length);
    expect(life.troupe.stats()).toMatchObject({ awake: 0, asleep: ids.length });
    for (const id of ids) {
      const run = system.run(id);
      expect(run && JSON.parse(freezeRun(run))).toEqual(JSON.parse(frozen.get(id) ?? ""));
      expect(run).not.toBe(before.get(id));
    }
    expect(life.troupe.stats()).toMatchObject({ awake: ids.length, asleep: 0 });
  });

  test("Y6: wakes for a message, a timer and a question", async () => {
    const bed = makeBed({ limits: { awakeMax: 1, idleBeforeSleepMs: 0 } });
    const life = await bed.open();
    const [told, asked] = many(life, "signaled", 2);
    const [due] = many(life, "unsignaled", 1);
    await pass(life, 20_000);
    expect(life.troupe.stats().awake).toBeLessThanOrEqual(1);
    expect(life.troupe.why(asked ?? "")).toContain("waits for signal 'go'");
    await life.troupe.signal(told ?? "", "go");
    await settle(life);
    expect(life.troupe.get(told ?? "").status).toBe("SUCCESS");
    await pass(life, 2 * hourMs);
    expect(life.troupe.get(due ?? "").status).toBe("SUCCESS");
    await pass(life, hourMs);
    expect(life.troupe.stats()).toMatchObject({ awake: 0, asleep: 0, slots: { taken: 0, waiting: 0 } });
  });

  test("Y6: leaves as soon as there are too many, and the others stay", async () => {
    const bed = makeBed({ limits: { awakeMax: 10 } });
    const life = await bed.open();
    const ids = many(life, "signaled", 200);
    await settle(life);
    expect(life.troupe.stats()).toMatchObject({ awake: 10, asleep: 190 });
    const ends = Promise.all(ids.map((id) => life.troupe.result(id)));
    for (const id of ids) await life.troupe.signal(id, "go");
    expect((await ends).filter(({ status }) => status !== "SUCCESS")).toEqual([]);
    await settle(life);
    expect(life.troupe.stats()).toMatchObject({ awake: 0, asleep: 0 });
    expect(bed.logged).toEqual([]);
  });

  test("Y6: leaves a checkpoint behind when it goes, so that little is read when it comes", async () => {
    const bed = makeBed({ limits: { awakeMax: 1 } });
    const life = await bed.open();
    const ids = many(life, "signaled", 5);
    await settle(life);
    const asleep = ids.filter((id) => life.troupe.system.peek(id) === undefined);
    expect(asleep).toHaveLength(4);
    for (const id of asleep) expect(life.store.load(id)?.tail).toEqual([]);
  });

  test("Y6: that sleeps and wakes again unchanged writes nothing more", async () => {
    const bed = makeBed({ limits: { idleBeforeSleepMs: 0 } });
    const life = await bed.open();
    const [id] = many(life, "signaled", 1);
    await pass(life, 10_000);
    expect(life.troupe.stats().asleep).toBe(1);
    const appends = life.appends();
    for (let n = 0; n < 5; n++) {
      expect(life.troupe.system.run(id ?? "")).toBeDefined();
      await pass(life, 10_000);
      expect(life.troupe.stats().asleep).toBe(1);
    }
    expect(life.appends()).toBe(appends);
  });
});

describe("a run that is at work", () => {
  test("Y6: stays in memory, and keeps no other from leaving", async () => {
    const bed = makeBed({ limits: { awakeMax: 5, idleBeforeSleepMs: 1_000 } });
    const life = await bed.open();
    const busy = many(life, "canceled", 100);
    await settle(life);
    expect(bed.begun.filter(({ handler }) => handler === "sleeper")).toHaveLength(100);
    many(life, "signaled", 50);
    await settle(life);
    await pass(life, 20_000);
    expect(life.troupe.stats()).toMatchObject({ awake: 100, asleep: 50 });
    expect(busy.every((id) => life.troupe.system.peek(id) !== undefined)).toBe(true);
  });
});

describe("small memories", () => {
  test.each([{ awakeMax: 1 }, { awakeMax: 3 }, { idleBeforeSleepMs: 0 }, { awakeMax: 2, idleBeforeSleepMs: 0 }])(
    "Y6: %j end as large ones do",
    async (limits) => {
      const ids = company.map(({ id }) => id);
      const large = makeBed();
      await play(large, await large.open(), ids);
      const small = makeBed({ limits });
      const life = await small.open();
      await play(small, life, ids);
      expect(standing(small.disk)).toEqual(standing(large.disk));
      expect(small.logged).toEqual([]);
    },
  );
});
