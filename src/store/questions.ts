// Answers what people ask of the database, in slices: between two of them the writer has its turn.
//
// Each question sees the database as it was when it began.

import type { DatabaseSync } from "node:sqlite";
import { comparePlaces, toCursor } from "./cursor.ts";
import { recordOf, rowOf, type StoredRecord, type StoredRow } from "./decode.ts";
import { recordColumns, rowColumns } from "./schema.ts";
import { type By, driversOf, type Entry, type Filter, scan } from "./scan.ts";
import type { LogRecord, Page, Query, Store } from "./store.ts";

/** Yields between slices, returns the answer. */
export type Answering<T> = Generator<void, T, void>;

const recordsPerSlice = 256;

export type Questions = {
  find(query: Query): Answering<Page>;
  count(query: Filter, by: By): Answering<Record<string, number>>;
  read(from: Parameters<Store["read"]>[0]): Answering<LogRecord[]>;
};

export function openQuestions(file: string, database: DatabaseSync): Questions {
  // SQLite's own lower() knows only ASCII.
  database.function("fold", { deterministic: true }, (text) => String(text).toLowerCase());

  function* find(query: Query): Answering<Page> {
    const sign = query.order === "oldest" ? 1 : -1;
    const found: Entry[] = [];
    for (const driver of driversOf(query)) {
      let count = 0;
      for (const entries of scan(database, query, driver, "status")) {
        found.push(...entries);
        count += entries.length;
        if (count > query.limit) break;
        yield;
      }
    }
    found.sort((one, other) => sign * comparePlaces(one, other));
    const row = database.prepare(`select ${rowColumns} from rows where rowid = ?`);
    const page = found.slice(0, query.limit);
    const rows = page.map(({ number }) => rowOf(row.get(number) as unknown as StoredRow));
    const last = page.at(-1);
    return { rows, cursor: last !== undefined && found.length > page.length ? toCursor(last) : null };
  }

  function* count(filter: Filter, by: By): Answering<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const driver of driversOf(filter)) {
      for (const entries of scan(database, filter, driver, by)) {
        for (const { key } of entries) counts[key] = (counts[key] ?? 0) + 1;
        yield;
      }
    }
    return counts;
  }

  /** The first record whose lines reach this one: lines grow with records, so halving finds it. */
  function recordBefore(line: number): number {
    const next = database.prepare("select seq, line + lines as end from log where seq > ? order by seq limit 1");
    const last = database.prepare("select max(seq) as seq from log").get();
    let low = 0;
    let high = Number(last?.["seq"] ?? 0);
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const found = next.get(middle);
      if (found === undefined || Number(found["end"]) > line) high = middle;
      else low = Number(found["seq"]);
    }
    return low;
  }

  function* read({ run, afterSeq = 0, fromLine = 0, limit }: Parameters<Store["read"]>[0]): Answering<LogRecord[]> {
    const index = run === undefined ? "not indexed" : "indexed by log_run";
    const statement = database.prepare(`
      select ${recordColumns} from log ${index} where seq > ? ${run === undefined ? "" : "and run = ?"}
      order by seq limit ?`);
    const records: LogRecord[] = [];
    let after = Math.max(afterSeq, fromLine > 0 ? recordBefore(fromLine) : 0);
    for (;;) {
      const wanted = Math.min(limit - records.length, recordsPerSlice);
      const found = statement.all(after, ...(run === undefined ? [] : [run]), wanted) as unknown as StoredRecord[];
      for (const stored of found) records.push(recordOf(file, stored));
      const last = records.at(-1);
      if (found.length < wanted || records.length >= limit || last === undefined) return records;
      after = last.seq;
      yield;
    }
  }

  return {
    find: (query) => snapshot(database, find(query)),
    count: (filter, by) => snapshot(database, count(filter, by)),
    read: (from) => snapshot(database, read(from)),
  };
}

function* snapshot<T>(database: DatabaseSync, answering: Answering<T>): Answering<T> {
  database.exec("begin");
  try {
    return yield* answering;
  } finally {
    database.exec("commit");
  }
}
