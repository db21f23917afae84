// What every store must do: one suite, run by the test of each implementation.
//
// A bed makes stores on one disk, takes the power away, and breaks and mends the disk.

import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { TroupeError } from "../../src/protocol/errors.ts";
import type { Store } from "../../src/store/store.ts";
import { questionsContract } from "./questions-contract.ts";
import { anyPlan, foundIn, type Plan, plan, rowOf, Script } from "./units.ts";

export type Bed = {
  open(): Store;
  /** What is on the disk at this moment is what the next one to open finds. */
  crash(store: Store): Promise<void>;
  breakDisk(store: Store): void;
  mendDisk(store: Store): void;
  /** Leaves torn bytes where the last group should be. */
  tear(store: Store): Promise<void>;
  /** The store in a backup of this name. */
  openBackup(name: string): Store;
  pathOf(name: string): string;
  clear(): Promise<void>;
};

/** Resolves when everything up to a record is committed, or when that is so. */
export function committed(store: Store, seq: number, isSo = (): boolean => false): Promise<void> {
  return new Promise((resolve) => {
    store.onCommitted((done) => {
      if (done >= seq || isSo()) resolve();
    });
  });
}

async function appendAll(store: Store, script: Script, ...plans: readonly Plan[]): Promise<void> {
  script.appendTo(store, ...plans);
  await committed(store, script.seq);
}

export function storeContract(name: string, makeBed: () => Bed, numRuns: number): void {
  describe(`the ${name} store`, () => {
    let bed: Bed;
    let script: Script;
    beforeEach(() => {
      bed = makeBed();
      script = new Script();
    });
    afterEach(() => bed.clear());

    const agrees = async (store: Store): Promise<void> => {
      const expected = script.expected();
      expect(await foundIn(store, expected)).toEqual(expected);
    };

    describe("is durable:", () => {
      test("what is committed is there after a clean end and after a crash", async () => {
        let store = bed.open();
        expect(store.opened()).toEqual({ seq: 0, line: 0, cut: null });
        await appendAll(store, script, plan(), plan({ run: "run-2", records: 3, checkpoint: true }), plan());
        await store.close();
        store = bed.open();
        expect(store.opened()).toEqual({ seq: 5, line: 10, cut: null });
        await agrees(store);
        await appendAll(store, script, plan({ run: "run-3" }));
        await bed.crash(store);
        store = bed.open();
        expect(store.opened()).toMatchObject({ seq: 6, line: 12 });
        await agrees(store);
      });

      test("G1: a unit is there whole or not at all", async () => {
        const store = bed.open();
        await appendAll(store, script, plan());
        script.appendTo(store, plan({ records: 3 }), plan({ run: "run-2", records: 3 }), plan({ records: 2 }));
        await bed.crash(store);
        const again = bed.open();
        expect(script.cutTo(again.opened().seq)).toBe(true);
        expect(again.opened().line).toBe(script.line);
        await agrees(again);
      });

      test("G2: wherever a crash comes, a prefix is there that holds all that was said to be committed", async () => {
        const step = fc.oneof(
          { weight: 6, arbitrary: anyPlan },
          { weight: 1, arbitrary: fc.constant("settle" as const) },
          { weight: 1, arbitrary: fc.constant("crash" as const) },
        );
        await fc.assert(
          fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
            await bed.clear();
            bed = makeBed();
            script = new Script();
            let store = bed.open();
            let told = 0;
            const listen = (): void => store.onCommitted((seq) => (told = seq));
            listen();
            for (const given of [...steps, "crash" as const]) {
              if (given === "settle") {
                if (store.pending() > 0) await committed(store, script.seq);
                if (store.pending() === 0) told = script.seq;
                listen();
              } else if (given === "crash") {
                await bed.crash(store);
                store = bed.open();
                expect(store.opened().seq).toBeGreaterThanOrEqual(told);
                expect(script.cutTo(store.opened().seq)).toBe(true);
                await agrees(store);
                listen();
              } else {
                script.appendTo(store, given);
              }
            }
            await store.close();
          }),
          { numRuns },
        );
      });

      test("G3: commits are told in order, and what is told is on the disk", async () => {
        const store = bed.open();
        const told: number[] = [];
        const done = new Promise<void>((resolve) => {
          store.onCommitted((seq) => {
            told.push(seq);
            const expected = script.expected().records.filter((record) => record.seq <= seq);
            const found = store.load("run-1")?.tail ?? [];
            expect(found.slice(0, expected.length)).toEqual(expected);
            if (seq < 20) script.appendTo(store, plan(), plan());
            else resolve();
          });
        });
        script.appendTo(store, plan());
        expect(told).toEqual([]);
        await done;
        expect(told).toEqual([...new Set(told)].sort((one, other) => one - other));
        expect(store.pending()).toBe(0);
        await store.close();
      });

      test("G4: a unit of other numbers is refused whole, and the next one fits", async () => {
        const store = bed.open();
        await appendAll(store, script, plan({ lines: 3 }));
        const record = { seq: 2, run: "run-1", at: 1, line: 4, lines: 1, body: "{}" };
        const wrong = [{ seq: 1 }, { seq: 3 }, { line: 3 }, { line: 5 }, { lines: -1 }, { lines: 0.5 }];
        for (const part of wrong) {
          expect(() => store.append({ records: [{ ...record, ...part }], runs: [], rows: [] })).toThrow(TroupeError);
        }
        const second = { ...record, seq: 4, line: 5 };
        expect(() => store.append({ records: [record, second], runs: [], rows: [] })).toThrow(TroupeError);
        const checkpoints = [{ run: "run-1", seq: 3, body: "{}" }];
        expect(() => store.append({ records: [record], runs: [], rows: [], checkpoints })).toThrow(TroupeError);
        await appendAll(store, script, plan());
        await agrees(store);
        await store.close();
      });

      test("G5: a run is loaded as its newest checkpoint and what came after", async () => {
        const store = bed.open();
        await appendAll(store, script, plan(), plan({ checkpoint: true }), plan({ run: "run-2" }), plan(), plan());
        expect(store.load("run-1")).toMatchObject({
          checkpoint: { seq: 2, body: "checkpoint at 2" },
          tail: [{ seq: 4 }, { seq: 5 }],
          state: { run: "run-1", state: "waiting" },
        });
        await appendAll(store, script, plan({ checkpoint: true }));
        expect(store.load("run-1")).toMatchObject({ checkpoint: { seq: 6 }, tail: [] });
        expect(store.load("run-2")).toMatchObject({ checkpoint: null, tail: [{ seq: 3 }] });
        expect(store.load("run-9")).toBeUndefined();
        expect(store.runOf("run-2-a")).toBe("run-2");
        expect(store.runOf("run-2-b")).toBeUndefined();
        await store.close();
      });

      test("G6: a disk that refuses loses nothing, is said once, and carries on when it is mended", async () => {
        const store = bed.open();
        await appendAll(store, script, plan());
        const told: (TroupeError | null)[] = [];
        const troubled = new Promise<void>((resolve) => {
          store.onTrouble((trouble) => {
            told.push(trouble);
            resolve();
          });
        });
        expect(store.trouble()).toBeNull();
        bed.breakDisk(store);
        script.appendTo(store, plan({ run: "run-2" }), plan());
        await troubled;
        script.appendTo(store, plan({ records: 2 }));
        expect(store.trouble()).toBeInstanceOf(TroupeError);
        expect(store.pending()).toBe(3);
        expect(store.load("run-2")).toBeUndefined();
        expect((await store.find({ limit: 10 })).rows).toHaveLength(1);
        bed.mendDisk(store);
        await committed(store, script.seq);
        expect(store.pending()).toBe(0);
        expect(store.trouble()).toBeNull();
        expect(told.map((trouble) => trouble?.code)).toEqual(["STORE_UNAVAILABLE", undefined]);
        await agrees(store);
        await store.close();
      });

      test("G6: whoever closes on a disk that refuses gets away, and what was told is kept", async () => {
        const store = bed.open();
        await appendAll(store, script, plan());
        bed.breakDisk(store);
        const lost = new Script();
        lost.cutTo(0);
        lost.seq = script.seq;
        lost.line = script.line;
        lost.appendTo(store, plan());
        await store.close();
        bed.mendDisk(store);
        const again = bed.open();
        expect(again.opened()).toMatchObject({ seq: 1, line: 2 });
        await agrees(again);
        await again.close();
      });

      test("G7: a torn tail is cut at the last whole unit and reported once", async () => {
        let store = bed.open();
        await appendAll(store, script, plan(), plan());
        script.appendTo(store, plan({ records: 2 }));
        await bed.tear(store);
        store = bed.open();
        expect(store.opened().cut?.records).toBe(2);
        expect(script.cutTo(2)).toBe(true);
        expect(store.opened()).toMatchObject({ seq: 2, line: 4 });
        await appendAll(store, script, plan());
        await agrees(store);
        await store.close();
        store = bed.open();
        expect(store.opened().cut).toBeNull();
        await store.close();
      });

      test("notes are told at once and are there after a crash", async () => {
        let store = bed.open();
        expect(store.note("release")).toBeUndefined();
        store.setNote("release", "1");
        store.setNote("release", "2");
        expect(store.note("release")).toBe("2");
        await appendAll(store, script, plan());
        await bed.crash(store);
        store = bed.open();
        expect(store.note("release")).toBe("2");
        store.setNote("other", "3");
        await store.close();
        store = bed.open();
        expect(store.note("other")).toBe("3");
        await store.close();
      });

      test("what was saved is there after a crash", async () => {
        let store = bed.open();
        await store.saved();
        store.append(script.next(plan()));
        store.setNote("release", "1");
        await store.saved();
        await bed.crash(store);
        store = bed.open();
        expect(store.note("release")).toBe("1");
        expect(store.opened().seq).toBeGreaterThan(0);
        await store.close();
      });

      test("a disk belongs to one store, and a closed one takes nothing more", async () => {
        const store = bed.open();
        expect(() => bed.open()).toThrow(
          expect.objectContaining({ details: expect.objectContaining({ reason: "store_locked" }) }),
        );
        await store.close();
        await store.close();
        expect(() => store.append(script.next(plan()))).toThrow(TroupeError);
        expect(() => store.setNote("release", "1")).toThrow(TroupeError);
        await bed.open().close();
      });
    });

    questionsContract({ bed: () => bed, script: () => script, appendAll });

    describe("keeps house:", () => {
      const ended = (run: string, size = 10): Plan => plan({ run, state: "ended", checkpoint: true, size });

      test("G9: whole ended runs are forgotten, oldest first, and nothing of another", async () => {
        let store = bed.open();
        const plans = [
          plan({ run: "run-3" }),
          ended("run-1"),
          plan({ run: "run-4" }),
          ended("run-2"),
          ended("run-3"),
          ended("run-5"),
        ];
        await appendAll(store, script, ...plans);
        expect(await store.prune(1_000, 10)).toBe(0);
        expect(await store.prune(1_006, 2)).toBe(2);
        expect(store.load("run-1") ?? store.load("run-2")).toBeUndefined();
        expect(store.rowsOf("run-1")).toEqual([]);
        expect((await store.read({ limit: 100 })).map(({ seq }) => seq)).toEqual([1, 3, 5, 6]);
        expect(await store.prune(1_006, 10)).toBe(1);
        expect(await store.prune(9_999, 10)).toBe(1);
        expect((await store.read({ limit: 100 })).map(({ run }) => run)).toEqual(["run-4"]);
        expect((await store.find({ limit: 100 })).rows.map(({ run }) => run)).toEqual(["run-4"]);
        expect([...store.live()].map(({ run }) => run)).toEqual(["run-4"]);
        await store.close();
        store = bed.open();
        expect(store.opened()).toEqual({ seq: 6, line: 12, cut: null });
        await appendAll(store, script, plan({ run: "run-6" }));
        expect(store.load("run-6")?.tail).toHaveLength(1);
        await store.close();
      });

      test("expired keys go with what is forgotten", async () => {
        const store = bed.open();
        await appendAll(store, script, plan());
        await store.prune(50_000, 10);
        expect(store.key("key-run-1", 0)).toBeDefined();
        await store.prune(50_001, 10);
        expect(store.key("key-run-1", 0)).toBeUndefined();
        await store.close();
      });

      test("rows are replaced whole, and what is appended meanwhile counts", async () => {
        const store = bed.open();
        await appendAll(store, script, plan(), plan({ run: "run-2" }));
        const rebuilt = store.rebuild([rowOf("run-1", "a", "SUCCESS", 9), rowOf("run-1", "b", "RUNNING", 9)]);
        await appendAll(store, script, plan({ rows: [{ name: "b", status: "SUCCESS" }] }));
        await rebuilt;
        const { rows } = await store.find({ limit: 10, order: "oldest" });
        expect(rows.map(({ execId, status }) => [execId, status])).toEqual([
          ["run-1-a", "SUCCESS"],
          ["run-1-b", "SUCCESS"],
        ]);
        await store.close();
      });

      test("rows stay as they were if rebuilding fails", async () => {
        const store = bed.open();
        await appendAll(store, script, plan());
        const rows = function* () {
          yield rowOf("run-2", "a", "SUCCESS", 9);
          throw new Error("the log cannot be read");
        };
        await expect(store.rebuild(rows())).rejects.toThrow("the log cannot be read");
        await appendAll(store, script, plan());
        await agrees(store);
        await store.close();
      });

      test("a backup made while it is written to is a whole store of one moment", async () => {
        const store = bed.open();
        await appendAll(store, script, plan({ size: 5_000 }), plan({ run: "run-2", checkpoint: true }));
        const before = script.seq;
        const copied = store.backup(bed.pathOf("copy"));
        for (let round = 0; round < 20; round += 1) await appendAll(store, script, plan({ size: 2_000 }));
        await copied;
        await store.close();
        const copy = bed.openBackup("copy");
        expect(copy.opened().seq).toBeGreaterThanOrEqual(before);
        expect(script.cutTo(copy.opened().seq)).toBe(true);
        await agrees(copy);
        await copy.close();
      });
    });
  });
}
