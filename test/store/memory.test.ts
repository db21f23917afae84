// Goal: the store in memory keeps the contract, and breaks as it is told to.
// Method: the contract over an object that is the disk; then each fault, and commits that a test runs by hand.

import { describe, expect, test } from "vitest";
import { type Disk, makeDisk, type MemoryStore, openMemory } from "../../src/store/memory.ts";
import { type Bed, storeContract } from "./contract.ts";
import { foundIn, plan, Script } from "./units.ts";

function makeBed(): Bed {
  let disk: Disk = makeDisk();
  const last = (store: unknown): MemoryStore => store as MemoryStore;
  return {
    open: () => openMemory({ disk }),
    crash: async (store) => last(store).crash(),
    breakDisk: () => disk.breakAfter(0, "store_full"),
    mendDisk: () => disk.mend(),
    tear: async (store) => last(store).crash({ torn: 1 }),
    openBackup: (name) => {
      disk = disk.backups.get(name) ?? disk;
      return openMemory({ disk });
    },
    pathOf: (name) => name,
    clear: async () => {},
  };
}

storeContract("memory", makeBed, 200);

describe("the memory store", () => {
  /** A store whose commits run when they are told to. */
  const held = (disk = makeDisk()) => {
    const acts: (() => void)[] = [];
    const store = openMemory({ disk, commit: (act) => acts.push(act) });
    const told: number[] = [];
    store.onCommitted((seq) => told.push(seq));
    return { store, disk, told, script: new Script(), commit: () => acts.splice(0).forEach((act) => act()) };
  };

  test("commits when it is told to, and as one group", () => {
    const { store, told, script, commit } = held();
    script.appendTo(store, plan(), plan());
    expect([told, store.pending(), store.load("run-1")]).toEqual([[], 2, undefined]);
    commit();
    expect([told, store.pending(), store.load("run-1")?.tail.length]).toEqual([[2], 0, 2]);
  });

  test("tells nobody anything after a crash, and takes nothing of its disk with it", () => {
    const { store, disk, told, script, commit } = held();
    script.appendTo(store, plan());
    commit();
    script.appendTo(store, plan());
    store.crash();
    commit();
    expect(told).toEqual([1]);
    expect(openMemory({ disk }).opened()).toEqual({ seq: 1, line: 2, cut: null });
    expect(() => store.append(script.next(plan()))).toThrow("closed");
  });

  test("may have written what nobody was told of, and torn what comes after", async () => {
    const { store, disk, told, script } = held();
    script.appendTo(store, plan(), plan({ records: 2 }), plan({ records: 3 }), plan({ records: 2 }));
    store.crash({ whole: 2, torn: 1 });
    expect(told).toEqual([]);
    const again = openMemory({ disk });
    expect(again.opened()).toEqual({
      seq: 3,
      line: 6,
      cut: { records: 3, reason: "the last group was not written whole" },
    });
    expect(script.cutTo(3)).toBe(true);
    expect(await foundIn(again, script.expected())).toEqual(script.expected());
  });

  test("writes so many units before the disk breaks, and the rest when it is mended", () => {
    const { store, disk, told, script, commit } = held();
    const troubles: unknown[] = [];
    store.onTrouble((trouble) => troubles.push(trouble?.details["reason"] ?? null));
    disk.breakAfter(2, "store_failed");
    script.appendTo(store, plan(), plan(), plan());
    commit();
    expect([told, store.pending(), troubles]).toEqual([[2], 1, ["store_failed"]]);
    disk.breakAfter(0, "store_full");
    script.appendTo(store, plan());
    commit();
    expect([told, store.pending(), troubles]).toEqual([[2], 2, ["store_failed", "store_full"]]);
    disk.mend();
    commit();
    expect([told, store.pending(), troubles]).toEqual([[2, 4], 0, ["store_failed", "store_full", null]]);
  });

  test("a note is not on the disk before what was appended ahead of it", () => {
    const { store, disk, script, commit } = held();
    disk.breakAfter(0, "store_full");
    script.appendTo(store, plan());
    store.setNote("release", "1");
    commit();
    store.crash();
    disk.mend();
    expect(openMemory({ disk }).note("release")).toBeUndefined();
  });

  test("what is appended can no longer be changed", () => {
    const { store, script } = held();
    const unit = script.next(plan());
    store.append(unit);
    expect(() => Object.assign(unit.rows[0] ?? {}, { status: "OTHER" })).toThrow(TypeError);
    expect(() => Object.assign(unit.runs[0] ?? {}, { dueAt: 1 })).toThrow(TypeError);
  });
});
