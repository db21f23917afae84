// What the disk allows when nobody thinks: the records of the same workflows, written and waited for, without engine.
//
//   file    plain appends to a file, one fdatasync at a time, whatever came in meanwhile rides the next
//   store   the same units through the engine's own store
//
// The units are those that the engine appended for one such workflow, so their sizes and numbers are the same.

import { closeSync, fdatasync, openSync, write } from "node:fs";
import { join } from "node:path";
import { openMemory } from "../src/store/memory.ts";
import { openSqlite } from "../src/store/sqlite.ts";
import type { Store, Unit } from "../src/store/store.ts";
import { troupe } from "../src/runtime/troupe.ts";
import { call, definitions, drive, inFolder, type Kind, type Measured } from "./load.ts";

/** The units of one workflow, as the engine appends them. */
async function unitsOf(kind: Kind): Promise<Unit[]> {
  const store = openMemory();
  const units: Unit[] = [];
  const append = store.append.bind(store);
  const engine = await troupe({ ...definitions, store });
  store.append = (unit) => {
    units.push(unit);
    append(unit);
  };
  await call(engine, kind, 0);
  const own = units.filter(({ records }) => records.length > 0);
  await engine.stop();
  return own;
}

/** The same unit for another run, at the end of the log. */
function renewed(unit: Unit, name: string, at: { seq: number; line: number }): Unit {
  return {
    records: unit.records.map((record) => {
      const renamed = { ...record, seq: (at.seq += 1), line: at.line + 1, run: name };
      at.line += record.lines;
      return renamed;
    }),
    runs: unit.runs.map((run) => ({ ...run, run: name })),
    rows: unit.rows.map((row) => ({ ...row, run: name, execId: name + row.execId.slice(-8) })),
  };
}

type Floor = { kind: Kind; callers: readonly number[]; seconds: number };

async function storeFloor(
  { kind, callers, seconds }: Floor,
  units: readonly Unit[],
  folder: string,
): Promise<Measured[]> {
  const store: Store = openSqlite({ directory: folder });
  const waiting: { seq: number; resolve: () => void }[] = [];
  store.onCommitted((seq) => {
    const left = waiting.findIndex((one) => one.seq > seq);
    for (const { resolve } of waiting.splice(0, left < 0 ? waiting.length : left)) resolve();
  });
  const at = { ...store.opened() };
  const measured: Measured[] = [];
  let run = 0;
  for (const count of callers) {
    const of = { kind: `floor ${kind} store`, callers: count, seconds };
    measured.push(
      await drive(of, async () => {
        const name = `run-${(run += 1)}`;
        for (const unit of units) {
          store.append(renewed(unit, name, at));
          await new Promise<void>((resolve) => waiting.push({ seq: at.seq, resolve }));
        }
      }),
    );
  }
  await store.close();
  return measured;
}

async function fileFloor(
  { kind, callers, seconds }: Floor,
  units: readonly Unit[],
  folder: string,
): Promise<Measured[]> {
  const handle = openSync(join(folder, "floor.log"), "w");
  let queue: { text: string; resolve: () => void }[] = [];
  let isBusy = false;
  function flush(): void {
    if (isBusy || queue.length === 0) return;
    isBusy = true;
    const group = queue;
    queue = [];
    write(handle, group.map(({ text }) => text).join(""), (failed) => {
      if (failed) throw failed;
      fdatasync(handle, (error) => {
        if (error) throw error;
        isBusy = false;
        for (const { resolve } of group) resolve();
        flush();
      });
    });
  }
  const texts = units.map((unit) => `${JSON.stringify(unit)}\n`);
  const measured: Measured[] = [];
  for (const count of callers) {
    const of = { kind: `floor ${kind} file`, callers: count, seconds };
    measured.push(
      await drive(of, async () => {
        for (const text of texts) {
          await new Promise<void>((resolve) => {
            queue.push({ text, resolve });
            if (!isBusy) setImmediate(flush);
          });
        }
      }),
    );
  }
  closeSync(handle);
  return measured;
}

export async function floorOf(floor: Floor): Promise<{ units: number; bytes: number; measured: Measured[] }> {
  const units = await unitsOf(floor.kind);
  const measured = [
    ...(await inFolder((folder) => fileFloor(floor, units, folder))),
    ...(await inFolder((folder) => storeFloor(floor, units, folder))),
  ];
  return { units: units.length, bytes: units.reduce((sum, unit) => sum + JSON.stringify(unit).length, 0), measured };
}
