// Rows made again from the log are row for row the ones that were made as it was written.
//
// Method: a company of workflows lives and dies at random on a disk in memory; its rows are set aside, made anew from
// the log alone, and compared.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { rebuildViews } from "../../src/actors/views.ts";
import { openMemory } from "../../src/store/memory.ts";
import type { Row } from "../../src/store/store.ts";
import { type Bed, company, makeBed, playThrough, settle } from "./recovery-bed.ts";

const ids = company.map(({ id }) => id);

const rowsOf = ({ disk }: Bed): Map<string, Row> => new Map(disk.rows);

async function lived(
  starts: readonly string[],
  deaths: Parameters<typeof playThrough>[2] = [],
  seed = 1,
): Promise<Bed> {
  const bed = makeBed({ seed });
  const life = await playThrough(bed, starts, deaths);
  await life.troupe.stop({ graceMs: 0 });
  return bed;
}

async function rebuilt(bed: Bed): Promise<Map<string, Row>> {
  const store = openMemory({ disk: bed.disk });
  await rebuildViews(store);
  await store.close();
  return rowsOf(bed);
}

describe("views made from the log", () => {
  test("are those that were there, whatever was run and whenever it was killed", async () => {
    const death = fc.record({ append: fc.integer({ min: 1, max: 30 }), isWritten: fc.boolean() });
    const starts = fc.array(fc.constantFrom(...ids), { minLength: 1, maxLength: 6 });
    const deaths = fc.array(death, { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(starts, deaths, fc.integer({ min: 1, max: 9_999 }), async (some, dies, seed) => {
        const bed = await lived(some, dies, seed);
        const before = rowsOf(bed);
        expect(before.size).toBeGreaterThan(some.length);
        expect(await rebuilt(bed)).toEqual(before);
      }),
      { numRuns: 40 },
    );
  });

  test("are those of executions that have not ended, too", async () => {
    const bed = makeBed();
    const life = await bed.open();
    for (const id of ids) life.troupe.start(id, {}, { labels: { team: id } });
    await life.troupe.stop({ graceMs: 0 });
    const before = rowsOf(bed);
    expect([...before.values()].some(({ endedAt }) => endedAt === null)).toBe(true);
    expect([...before.values()].filter(({ labels }) => labels !== null)).toHaveLength(ids.length);
    expect(await rebuilt(bed)).toEqual(before);
  });

  test("replace rows that were lost or spoiled, and rows of nobody", async () => {
    const bed = await lived(["agent", "wide", "parent"]);
    const before = rowsOf(bed);
    const [one, two, ...others] = [...before.values()];
    if (!one || !two || others.length === 0) throw new Error("there are too few rows");
    bed.disk.rows.delete(one.execId);
    bed.disk.rows.set(two.execId, { ...two, status: "PENDING", text: "" });
    bed.disk.writeRow({ ...two, execId: "nobody" });
    expect(await rebuilt(bed)).toEqual(before);
  });

  test("have nothing of runs that were pruned, and all of the others", async () => {
    const bed = await lived(["agent", "patient", "tool"]);
    const before = rowsOf(bed);
    const store = openMemory({ disk: bed.disk });
    const ends = [...before.values()].filter(({ id }) => id === "patient").map(({ endedAt }) => endedAt ?? 0);
    expect(await store.prune(Math.max(...ends), 100)).toBeGreaterThanOrEqual(2);
    await store.close();
    const left = rowsOf(bed);
    expect(left.size).toBeLessThan(before.size);
    expect([...left.values()].some(({ id }) => id === "patient")).toBe(true);
    expect(await rebuilt(bed)).toEqual(left);
  });

  test("are made of more records than one read gives", async () => {
    const bed = makeBed();
    const life = await bed.open();
    for (let n = 0; n < 500; n++) life.troupe.start("agent", { q: n });
    await settle(life);
    await life.troupe.stop({ graceMs: 0 });
    expect(bed.disk.log.length).toBeGreaterThan(1_000);
    const before = rowsOf(bed);
    expect(await rebuilt(bed)).toEqual(before);
  });
});
