// Units on their way to the writer: what goes to the disk in one commit, as flat lists that are cheap to hand over.
//
// A row, run state, checkpoint or key that several units of the group have is written once, as the last one left it.

import { checkpointValues, keyValues, recordValues, rowValues, runValues, type Value } from "./schema.ts";
import type { Checkpoint, Key, Row, RunState, Unit } from "./store.ts";

/** The values of one thing after the other. */
export type Flat = Value[];

export type Group = {
  /** The last record and journal line that are in the log once it is written. */
  seq: number;
  line: number;
  units: number;
  /** How many runs end in it. */
  ended: number;
  records: Flat;
  checkpoints: Flat;
  runs: Flat;
  rows: Flat;
  keys: Flat;
  notes: Flat;
};

export function groupOf(
  units: readonly Unit[],
  notes: ReadonlyMap<string, string>,
  before: { seq: number; line: number },
): Group {
  let { seq, line } = before;
  const records: Flat = [];
  const checkpoints = new Map<string, Checkpoint>();
  const runs = new Map<string, RunState>();
  const rows = new Map<string, Row>();
  const keys = new Map<string, Key>();
  for (const unit of units) {
    for (const record of unit.records) {
      records.push(...recordValues(record));
      seq = record.seq;
      line += record.lines;
    }
    for (const checkpoint of unit.checkpoints ?? []) checkpoints.set(checkpoint.run, checkpoint);
    for (const run of unit.runs) runs.set(run.run, run);
    for (const row of unit.rows) rows.set(row.execId, row);
    for (const key of unit.keys ?? []) keys.set(key.key, key);
  }
  let ended = 0;
  for (const { state } of runs.values()) if (state === "ended") ended += 1;
  return {
    seq,
    line,
    units: units.length,
    ended,
    records,
    checkpoints: flat(checkpoints, checkpointValues),
    runs: flat(runs, runValues),
    rows: flat(rows, rowValues),
    keys: flat(keys, keyValues),
    notes: [...notes].flat(),
  };
}

function flat<T>(things: ReadonlyMap<string, T>, valuesOf: (thing: T) => Value[]): Flat {
  const values: Flat = [];
  for (const thing of things.values()) values.push(...valuesOf(thing));
  return values;
}
