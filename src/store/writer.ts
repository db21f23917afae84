// Writes groups: each in one transaction, whole or not at all.

import { createHash } from "node:crypto";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { crc32, deflateSync } from "node:zlib";
import type { Flat, Group } from "./group.ts";
import {
  insertRecord,
  rowValues,
  upsertCheckpoint,
  upsertKey,
  upsertNote,
  upsertRow,
  upsertRun,
  type Value,
} from "./schema.ts";
import type { Seal } from "./seal.ts";
import { sealedValues } from "./sealed.ts";
import type { Row } from "./store.ts";

/** The next so many runs that ended before a time, to be forgotten with all that is of them. */
export type Forgetting = { endedBefore: number; max: number };

export type Writer = {
  /** In one transaction; gives how many runs were forgotten in it. */
  write(groups: readonly Group[], forgetting?: Forgetting): number;
  /** Between these nothing else is written. */
  beginRows(): void;
  addRows(rows: readonly Row[]): void;
  endRows(isWhole: boolean): void;
};

const recordWidth = 6;
const checkpointWidth = 3;
const runWidth = 4;
const rowWidth = 14;
const keyWidth = 4;
const noteWidth = 2;

export function openWriter(database: DatabaseSync, blobBytes: number, seal?: Seal): Writer {
  const sealed = seal && sealedValues(seal);
  const statement = statementsOf(database);

  const within = <T>(act: () => T): T => {
    database.exec("begin immediate");
    try {
      const result = act();
      database.exec("commit");
      return result;
    } catch (error) {
      // A full disk may have rolled it back already.
      if (database.isTransaction) database.exec("rollback");
      throw error;
    }
  };

  const writeRecords = (records: Flat): void => {
    for (let at = 0; at < records.length; at += recordWidth) {
      const body = String(records[at + 5]);
      const head = records.slice(at, at + 5);
      if (body.length < blobBytes) {
        const kept = sealed ? sealed.record(head[0], body) : body;
        statement.record.run(...head, crc32(kept), null, kept);
        continue;
      }
      const name = sealed ? sealed.nameOf(body) : createHash("sha256").update(body).digest("hex");
      const bytes = deflateSync(body, { level: 1 });
      statement.blob.run(name, sealed ? sealed.blob(name, bytes) : bytes);
      // The checksum of a content tells of it: what is sealed needs none.
      statement.record.run(...head, sealed ? 0 : crc32(body), name, "");
    }
  };

  const write = (group: Group): void => {
    writeRecords(group.records);
    each(group.checkpoints, checkpointWidth, (run = null, seq = null, body = null) => {
      const kept = sealed ? sealed.checkpoint(run, seq, body) : String(body);
      statement.checkpoint.run(run, seq, crc32(kept), kept);
    });
    each(group.runs, runWidth, (...values) => statement.run.run(...values));
    each(group.rows, rowWidth, (...values) => statement.row.run(...(sealed?.row(values) ?? values)));
    each(group.keys, keyWidth, (...values) => statement.key.run(...(sealed?.key(values) ?? values)));
    each(group.notes, noteWidth, (...values) => statement.note.run(...(sealed?.note(values) ?? values)));
    if (group.records.length > 0) statement.meta.run(group.seq, group.line, group.seq);
  };

  const forget = ({ endedBefore, max }: Forgetting): number => {
    const runs = statement.ended.all(endedBefore, max).map((found) => String(found["run"]));
    if (runs.length > 0) {
      const list = JSON.stringify(runs);
      const blobs = statement.blobsOf.all(list).map((found) => String(found["blob"]));
      for (const gone of statement.goneWithRuns) gone.run(list);
      for (const blob of blobs) statement.goneBlob.run(blob, blob);
    }
    statement.goneKeys.run(endedBefore);
    statement.kept.run();
    return runs.length;
  };

  return {
    write: (groups, forgetting) =>
      within(() => {
        for (const group of groups) write(group);
        return forgetting === undefined ? 0 : forget(forgetting);
      }),
    beginRows: () => database.exec("begin immediate; delete from rows"),
    addRows: (rows) => {
      for (const row of rows) statement.row.run(...(sealed?.row(rowValues(row)) ?? rowValues(row)));
    },
    endRows: (isWhole) => {
      if (database.isTransaction) database.exec(isWhole ? "commit" : "rollback");
    },
  };
}

function each(values: Flat, width: number, act: (...values: Value[]) => unknown): void {
  for (let at = 0; at < values.length; at += width) act(...values.slice(at, at + width));
}

function statementsOf(database: DatabaseSync) {
  const prepare = (sql: string): StatementSync => database.prepare(sql);
  return {
    record: prepare(insertRecord),
    blob: prepare("insert or ignore into blobs values (?, ?)"),
    checkpoint: prepare(upsertCheckpoint),
    run: prepare(upsertRun),
    row: prepare(upsertRow),
    key: prepare(upsertKey),
    note: prepare(upsertNote),
    meta: prepare("update meta set seq = ?, line = ?, kept = ?"),
    ended: prepare("select run from runs where state = 'ended' and at < ? order by at, run limit ?"),
    blobsOf: prepare(
      "select distinct blob from log where run in (select value from json_each(?)) and blob is not null",
    ),
    goneWithRuns: ["log", "checkpoints", "runs", "rows"].map((table) =>
      prepare(`delete from ${table} where run in (select value from json_each(?))`),
    ),
    goneBlob: prepare("delete from blobs where sha256 = ? and not exists (select 1 from log where blob = ?)"),
    goneKeys: prepare("delete from keys where expires_at < ?"),
    kept: prepare("update meta set kept = coalesce((select max(seq) from log), 0)"),
  };
}
