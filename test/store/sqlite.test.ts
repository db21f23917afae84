// Goal: the store on disk keeps the contract, and whatever can be wrong with its directory is said clearly.
// Method: the contract over copies of a live directory; then real processes, real kills, and files spoiled by hand.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, openSync, readFileSync, statSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { TroupeError } from "../../src/protocol/errors.ts";
import { migrations } from "../../src/store/schema.ts";
import { openSqlite } from "../../src/store/sqlite.ts";
import type { Store } from "../../src/store/store.ts";
import { committed, storeContract } from "./contract.ts";
import { makeSqliteBed, type SqliteBed } from "./sqlite-bed.ts";
import { foundIn, type Plan, plan, planAt, Script } from "./units.ts";

storeContract("SQLite", () => makeSqliteBed(), 10);

const appender = fileURLToPath(new URL("./appender.ts", import.meta.url));

function faultOf(act: () => unknown): TroupeError {
  try {
    act();
  } catch (error) {
    if (error instanceof TroupeError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("the SQLite store", () => {
  let bed: SqliteBed;
  let script: Script;
  beforeEach(() => {
    bed = makeSqliteBed();
    script = new Script();
  });
  afterEach(() => bed.clear());

  const appendAll = async (store: Store, ...plans: readonly Plan[]): Promise<void> => {
    script.appendTo(store, ...plans);
    await committed(store, script.seq);
  };
  const agrees = async (store: Store): Promise<void> => {
    const expected = script.expected();
    expect(await foundIn(store, expected)).toEqual(expected);
  };

  describe("with other processes", () => {
    test("a second process is refused with the pid of the first, and has it when that is killed", async () => {
      const first = spawn(process.execPath, [appender, bed.directory()], { stdio: ["ignore", "pipe", "inherit"] });
      await once(first.stdout, "data");
      const refusal = faultOf(() => bed.open());
      expect(refusal.details).toMatchObject({ reason: "store_locked", pid: first.pid });
      expect(refusal.message).toContain(`is in use by process ${first.pid}`);
      first.kill("SIGKILL");
      await once(first, "exit");
      expect(bed.open().opened().seq).toBeGreaterThan(0);
    });

    test("kill -9 in the middle of appending leaves a prefix that holds all that was told", async () => {
      for (let round = 1; round <= 5; round += 1) {
        const child = spawn(process.execPath, [appender, bed.directory()], { stdio: ["ignore", "pipe", "inherit"] });
        let told = 0;
        let lines = 0;
        for await (const line of createInterface({ input: child.stdout })) {
          told = Number(line);
          lines += 1;
          if (lines === round * 5) child.kill("SIGKILL");
        }
        const store = bed.open();
        expect(lines).toBeGreaterThanOrEqual(round * 5);
        expect(store.opened().seq).toBeGreaterThanOrEqual(told);
        script = new Script();
        while (script.seq < store.opened().seq) script.next(planAt(script.units.length));
        expect(script.seq).toBe(store.opened().seq);
        await agrees(store);
        await store.close();
      }
    });

    test("a lock file that is nonsense locks nobody out", async () => {
      writeFileSync(join(bed.directory(), "troupe.lock"), "nonsense ".repeat(1_000));
      await appendAll(bed.open(), plan());
    });
  });

  describe("refuses", () => {
    test("a database of a later release, and leaves it alone", async () => {
      await bed.open().close();
      bed.tamper("pragma user_version = 99");
      const refusal = faultOf(() => bed.open());
      expect(refusal.details).toMatchObject({ reason: "store_newer", version: 99 });
      expect(refusal.message).toContain("later release");
      bed.tamper(`pragma user_version = ${migrations.length}`);
      await bed.open().close();
    });

    test("a directory that nobody can write", () => {
      // Even root can make nothing here.
      const refusal = faultOf(() => openSqlite({ directory: "/sys/kernel/troupe" }));
      expect(refusal.details["reason"]).toBe("store_failed");
      expect(refusal.message).toMatch(/cannot be used .* make it writable, or choose another directory/);
    });

    test("a directory that is a file", () => {
      const file = bed.pathOf("file");
      writeFileSync(file, "");
      expect(faultOf(() => openSqlite({ directory: file })).details["reason"]).toBe("store_failed");
    });

    test.each([
      ["its head", "delete from meta"],
      ["the end of the log", "delete from log where seq = 3"],
      ["a journal line", "update log set lines = 7 where seq = 3"],
    ])("a database that lost %s, naming the file and what to do", async (_what, sql) => {
      const store = bed.open();
      await appendAll(store, plan(), plan(), plan());
      await store.close();
      bed.tamper(sql);
      const refusal = faultOf(() => bed.open());
      expect(refusal.details["reason"]).toBe("store_damaged");
      expect(refusal.message).toContain(join(bed.directory(), "troupe.db"));
      expect(refusal.message).toContain("put a backup in its place");
    });

    test("a file that is no database", () => {
      writeFileSync(join(bed.directory(), "troupe.db"), "nonsense ".repeat(2_000));
      expect(faultOf(() => bed.open()).details["reason"]).toBe("store_damaged");
    });
  });

  describe("on a spoiled disk", () => {
    const reasonOf = (error: unknown): unknown => error instanceof TroupeError && error.details["reason"];

    test("pages overwritten in the middle are an error wherever they are read, and never a loss unsaid", async () => {
      let store = bed.open();
      for (let more = 0; more < 200; more += 1) script.appendTo(store, plan({ run: `run-${more}`, size: 4_000 }));
      await committed(store, script.seq);
      await store.close();
      const file = join(bed.directory(), "troupe.db");
      const third = Math.floor(statSync(file).size / 3);
      writeSync(openSync(file, "r+"), Buffer.alloc(third, "spoiled "), 0, third, third);
      let errors = 0;
      let sound = 0;
      try {
        store = bed.open();
      } catch (error) {
        expect(reasonOf(error)).toBe("store_damaged");
        return;
      }
      for (const { records } of script.units) {
        try {
          expect(store.load(records[0]?.run ?? "")?.tail).toEqual(records);
          sound += 1;
        } catch (error) {
          expect(reasonOf(error)).toBe("store_damaged");
          errors += 1;
        }
      }
      expect(errors).toBeGreaterThan(0);
      expect(sound + errors).toBe(200);
      await expect(store.read({ limit: 1_000 })).rejects.toMatchObject({ details: { reason: "store_damaged" } });
    });

    test.each([
      ["a record", "update log set body = replace(body, '2', '3') where seq = 2"],
      ["a packed record", "update blobs set bytes = zeroblob(10)"],
      ["a checkpoint", "update checkpoints set body = 'checkpoint at 9'"],
    ])("%s that is not as it was written is an error", async (_what, sql) => {
      let store = bed.open();
      await appendAll(store, plan({ checkpoint: true }), plan(), plan({ size: 300_000 }));
      await store.close();
      bed.tamper(sql);
      store = bed.open();
      expect(reasonOf(faultOf(() => store.load("run-1")))).toBe("store_damaged");
    });

    test("an older copy put in its place is reported as a loss of what had been committed", async () => {
      let store = bed.open();
      await appendAll(store, plan(), plan());
      await store.backup(bed.pathOf("older"));
      await appendAll(store, plan({ records: 3 }));
      await store.close();
      writeFileSync(join(bed.directory(), "troupe.db"), readFileSync(bed.pathOf("older")));
      store = bed.open();
      expect(store.opened()).toMatchObject({ seq: 2, cut: { records: 3 } });
      expect(store.opened().cut?.reason).toContain("that had been committed");
    });

    test("G1: nothing is there of a group that cannot be written whole", async () => {
      let store = bed.open();
      await appendAll(store, plan());
      const sound = { seq: 2, run: "run-2", at: 1, line: 3, lines: 1, body: "{}" };
      const trouble = new Promise((resolve) => {
        store.onTrouble(resolve);
      });
      // No unit is like this one, but a disk may fail between two of its parts as well.
      const broken = { key: "key", execId: "run-2", fingerprint: "", expiresAt: 0.5 };
      store.append({ records: [sound], runs: [], rows: [], keys: [broken] });
      await trouble;
      expect(await store.read({ limit: 10 })).toEqual(script.expected().records);
      await store.close();
      store = bed.open();
      expect(store.opened()).toMatchObject({ seq: 1, line: 2, cut: { records: 1 } });
      await agrees(store);
    });

    test("G6: a full one is said, answers go on, and what was appended is written when there is room", async () => {
      const store = bed.openWith({ pagesMax: 120 });
      await appendAll(store, ...Array.from({ length: 10 }, () => plan({ run: "old", state: "ended", size: 10_000 })));
      const full = new Promise<TroupeError | null>((resolve) => {
        store.onTrouble(resolve);
      });
      let told = script.seq;
      let isFilling = true;
      store.onCommitted((seq) => {
        told = seq;
        if (isFilling) script.appendTo(store, plan({ size: 10_000 }));
      });
      script.appendTo(store, plan({ size: 10_000 }));
      const trouble = await full;
      isFilling = false;
      expect(trouble?.details["reason"]).toBe("store_full");
      expect(trouble?.message).toContain("nothing is lost");
      expect(store.pending()).toBeGreaterThan(0);
      expect((await store.read({ limit: 1_000 })).at(-1)?.seq).toBe(told);
      const room = new Promise<void>((resolve) => {
        store.onTrouble((now) => now === null && resolve());
      });
      expect(await store.prune(9_999, 10)).toBe(1);
      await room;
      store.onCommitted(() => {});
      await store.close();
      const again = bed.open();
      expect(again.opened()).toEqual({ seq: script.seq, line: script.line, cut: null });
      expect(again.load("run-1")?.tail).toEqual(script.expected().records.filter(({ run }) => run === "run-1"));
    });
  });

  describe("keeps large bodies", () => {
    test("packed and once, until the last run that has them is forgotten", async () => {
      const store = bed.openWith({ blobBytes: 1_000 });
      const body = JSON.stringify("large ".repeat(20_000));
      const record = (seq: number, run: string) => ({ seq, run, at: 1, line: seq, lines: 1, body });
      const state = (run: string, at: number) => ({ run, state: "ended" as const, dueAt: null, at });
      const runs = [state("run-1", 1), state("run-2", 2)];
      store.append({ records: [record(1, "run-1"), record(2, "run-2"), record(3, "run-2")], runs, rows: [] });
      await committed(store, 3);
      expect(store.load("run-2")?.tail.map((each) => each.body)).toEqual([body, body]);
      expect((await store.read({ limit: 10 })).map((each) => each.body)).toEqual([body, body, body]);
      expect(await store.prune(2, 10)).toBe(1);
      expect(store.load("run-2")?.tail.map((each) => each.body)).toEqual([body, body]);
      await store.close();
      expect(statSync(join(bed.directory(), "troupe.db")).size).toBeLessThan(2 * body.length);
      const again = bed.open();
      await again.prune(3, 10);
      await again.close();
      bed.tamper(
        "create table left_over (blobs integer check (blobs = 0)); insert into left_over select count(*) from blobs",
      );
    });
  });

  describe("under load", () => {
    test("a commit does not wait for a question that goes through everything", async () => {
      const store = bed.open();
      const names = Array.from({ length: 60 }, (_, index) => ({ name: `row-${index}`, status: "RUNNING" }));
      for (let more = 0; more < 500; more += 1) script.appendTo(store, plan({ run: `run-${more}`, rows: names }));
      await committed(store, script.seq);
      const order: string[] = [];
      store.onCommitted(() => order.push("committed"));
      const counted = store.count({ text: "ärger" }, "status").then((counts) => {
        order.push("counted");
        return counts;
      });
      script.appendTo(store, plan());
      expect(await counted).toEqual({ RUNNING: 30_000 });
      expect(order).toEqual(["committed", "counted"]);
    });

    test("a group holds so many units at most, and none is left behind", async () => {
      const store = bed.openWith({ groupUnits: 3 });
      const told: number[] = [];
      script.appendTo(store, ...Array.from({ length: 10 }, () => plan()));
      const done = new Promise<void>((resolve) => {
        store.onCommitted((seq) => {
          told.push(seq);
          if (seq === 10) resolve();
        });
      });
      await done;
      expect(told).toEqual([3, 6, 9, 10]);
      await agrees(store);
    });

    test("a directory is made if there is none", async () => {
      mkdirSync(bed.pathOf("deep"));
      const store = openSqlite({ directory: join(bed.pathOf("deep"), "er", "still") });
      await appendAll(store, plan());
      await store.close();
    });
  });
});
