// A crash at any append changes nothing of how things end.
//
// Method: a company of workflows on a disk in memory, in time that stands still. Each is killed after each of its
// appends in turn, with the last one written or lost, opened again and let run; then at random, many at once.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isTerminal } from "../../src/protocol/statuses.ts";
import type { Disk } from "../../src/store/memory.ts";
import {
  type Bed,
  company,
  type Death,
  endingsOf,
  type Life,
  makeBed,
  type Options,
  playThrough,
  settle,
  standing,
} from "./recovery-bed.ts";

/** What is true of every end, however it was come by. */
function isWhole(bed: Bed, life: Life, starts: readonly string[]): void {
  const { disk, acknowledged, begun } = bed;
  const rows = [...disk.rows.values()];
  // Everything that was acknowledged is there, once.
  for (const [key, execId] of acknowledged) {
    expect(rows.filter(({ labels }) => labels?.["key"] === key).map((row) => row.execId)).toEqual([execId]);
  }
  expect(acknowledged.size).toBeLessThanOrEqual(starts.length);
  // Everything has ended, and said so once.
  const endings = endingsOf(disk);
  for (const { entity, execId, status, attempt } of rows) {
    if (entity === "agent_runtime") continue;
    expect(isTerminal(status), `${entity} ${execId} is ${status}`).toBe(true);
    expect(endings.get(`${entity} ${execId}#${attempt}`)).toEqual({ applied: 1, all: 1 });
  }
  expect([...endings.values()].filter(({ applied, all }) => applied !== 1 || all !== 1)).toEqual([]);
  // Nobody was begun after the disk knew that it was canceled.
  expect(begun.filter(({ isCanceled }) => isCanceled)).toEqual([]);
  // Nothing is left.
  const { awake, asleep, parked, waiting, slots } = life.troupe.stats();
  expect({ awake, asleep, parked, waiting, slots }).toEqual({
    awake: 0,
    asleep: 0,
    parked: 0,
    waiting: 0,
    slots: { taken: 0, waiting: 0 },
  });
  expect(life.troupe.runtimes().map(({ held }) => held)).toEqual([0]);
  expect(bed.logged).toEqual([]);
}

/** The alarms of a troupe that has nothing to do: its sweep, its beat, and the chart of its runtime. */
async function alarmsAtRest(life: Life): Promise<number> {
  life.clock.advance(180_000);
  let least = Infinity;
  for (let second = 0; second < 30; second++) {
    life.clock.advance(1_000);
    await settle(life);
    least = Math.min(least, life.clock.pending());
  }
  return least;
}

async function undisturbed(starts: readonly string[], options: Options = {}) {
  const bed = makeBed(options);
  const life = await playThrough(bed, starts, []);
  isWhole(bed, life, starts);
  return { standing: standing(bed.disk), appends: life.appends(), begun: bed.begun, alarms: await alarmsAtRest(life) };
}

const handlersOf = (begun: Bed["begun"]): string[] => [...new Set(begun.map(({ handler }) => handler))].sort();

describe.each(company.map(({ id }) => id))("a workflow '%s'", (id) => {
  test("I1, I2, I4, I6, I9: ends as it would have, whichever of its appends the process dies at", async () => {
    const calm = await undisturbed([id]);
    for (let append = 1; append <= calm.appends; append++) {
      for (const isWritten of [false, true]) {
        const bed = makeBed();
        const life = await playThrough(bed, [id], [{ append, isWritten }]);
        expect(life.isDead()).toBe(false);
        expect(standing(bed.disk), `at append ${append}`).toEqual(calm.standing);
        isWhole(bed, life, [id]);
        expect(handlersOf(bed.begun)).toEqual(handlersOf(calm.begun));
        expect(await alarmsAtRest(life)).toBe(calm.alarms);
      }
    }
  });

  test("ends as it would have when the process dies again at each append of its second life", async () => {
    const calm = await undisturbed([id]);
    for (let append = 1; append <= calm.appends; append++) {
      const first: Death = { append: Math.ceil(calm.appends / 2), isWritten: append % 2 === 0 };
      const bed = makeBed();
      const life = await playThrough(bed, [id], [first, { append, isWritten: true }]);
      expect(standing(bed.disk)).toEqual(calm.standing);
      isWhole(bed, life, [id]);
    }
  });
});

test("a child does not wait for the slot that its parent has, whenever the process dies", async () => {
  const limits = { concurrency: 1 };
  const starts = ["parent", "agent", "parent"];
  const calm = await undisturbed(starts);
  for (let append = 1; append <= calm.appends; append++) {
    const bed = makeBed({ limits });
    const life = await playThrough(bed, starts, [{ append, isWritten: append % 2 === 0 }]);
    expect(standing(bed.disk)).toEqual(calm.standing);
    isWhole(bed, life, starts);
  }
});

describe("many at once", () => {
  const ids = company.map(({ id }) => id);
  const death = fc.record({ append: fc.integer({ min: 1, max: 40 }), isWritten: fc.boolean() });
  const plays = fc.record({
    starts: fc.array(fc.constantFrom(...ids), { minLength: 1, maxLength: 8 }),
    deaths: fc.array(death, { maxLength: 5 }),
    seed: fc.integer({ min: 1, max: 1_000_000 }),
    limits: fc.constantFrom(
      {},
      { awakeMax: 1 },
      { awakeMax: 2, idleBeforeSleepMs: 0 },
      { concurrency: 8 },
      { concurrency: 1 },
    ),
  });

  test("random plays with random deaths, small memories and short lines end as calm ones do", async () => {
    await fc.assert(
      fc.asyncProperty(plays, async ({ starts, deaths, seed, limits }) => {
        const calm = await undisturbed(starts, { seed });
        const bed = makeBed({ seed, limits });
        const life = await playThrough(bed, starts, deaths);
        expect(standing(bed.disk)).toEqual(calm.standing);
        isWhole(bed, life, starts);
        expect(await alarmsAtRest(life)).toBe(calm.alarms);
      }),
      { numRuns: 60, endOnFailure: false },
    );
  });
});

describe("the checks", () => {
  test("notice an end that is said twice, one that is missing, and one that was lost", async () => {
    const bed = makeBed();
    const life = await playThrough(bed, ["agent"], []);
    const spoil = (change: (disk: Disk) => void): void => {
      const { log, rows } = bed.disk;
      const kept = { log: [...log], rows: [...rows] };
      change(bed.disk);
      expect(() => isWhole(bed, life, ["agent"])).toThrow();
      bed.disk.log = kept.log;
      rows.clear();
      for (const [id, row] of kept.rows) rows.set(id, row);
    };
    spoil((disk) => disk.log.push(...disk.log.slice(-1)));
    spoil((disk) => void disk.log.pop());
    spoil((disk) => [...disk.rows.keys()].forEach((id) => disk.rows.delete(id)));
    isWhole(bed, life, ["agent"]);
  });
});
