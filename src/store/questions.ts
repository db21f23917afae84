// Answers what people ask of the database, in slices: between two of them the writer has its turn.
//
// Each question sees the database as it was when it began.

import type { DatabaseSync } from "node:sqlite";
import { comparePlaces, toCursor } from "./cursor.ts";
import { decoderOf, type StoredRecord, type StoredRow } from "./decode.ts";
import { recordColumns, rowColumns } from "./schema.ts";
import type { Seal } from "./seal.ts";
import { openedRow } from "./sealed.ts";
import { type By, type Columns, driversOf, type Entry, type Filter, plainColumns, scan } from "./scan.ts";
import type { LogRecord, Page, Query, Store } from "./store.ts";

/** Yields between slices, returns the answer. */
export type Answering<T> = Generator<void, T, void>;

const recordsPerSlice = 256;

export type Questions = {
  find(query: Query): Answering<Page>;
  count(query: Filter, by: By): Answering<Record<string, number>>;
  read(from: Parameters<Store["read"]>[0]): Answering<LogRecord[]>;
};

export function openQuestions(file: string, database: DatabaseSync, seal?: Seal): Questions {
  const { recordOf, rowOf } = decoderOf(file, seal);
  const columns = seal ? columnsOpenedBy(database, seal) : plainColumns;
  // SQLite's own lower() knows only ASCII.
  database.function("fold", { deterministic: true }, (text) => String(text).toLowerCase());

  function* find(query: Query): Answering<Page> {
    const sign = query.order === "oldest" ? 1 : -1;
    const found: Entry[] = [];
    for (const driver of driversOf(query)) {
      let count = 0;
      for (const entries of scan(database, columns, query, driver, "status")) {
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
      for (const entries of scan(database, columns, filter, driver, by)) {
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

  function* read(from: Parameters<Store["read"]>[0]): Answering<LogRecord[]> {
    const { run, afterSeq = 0, fromLine = 0, limit, charsMax = Infinity } = from;
    const index = run === undefined ? "not indexed" : "indexed by log_run";
    const statement = database.prepare(`
      select ${recordColumns} from log ${index} where seq > ? ${run === undefined ? "" : "and run = ?"}
      order by seq limit ?`);
    const records: LogRecord[] = [];
    let chars = 0;
    let after = Math.max(afterSeq, fromLine > 0 ? recordBefore(fromLine) : 0);
    for (;;) {
      const wanted = Math.min(limit - records.length, recordsPerSlice);
      const before = records.length;
      for (const stored of statement.iterate(after, ...(run === undefined ? [] : [run]), wanted)) {
        const record = recordOf(stored as unknown as StoredRecord);
        records.push(record);
        chars += record.body.length;
        if (chars >= charsMax) return records;
      }
      const last = records.at(-1);
      if (records.length - before < wanted || records.length >= limit || last === undefined) return records;
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

/** What is looked into row by row has to be opened for that, row by row. */
function columnsOpenedBy(database: DatabaseSync, seal: Seal): Columns {
  const opened = (of: "text" | "labels") => (execId: unknown, text: unknown, labels: unknown, body: unknown) => {
    const row = { execId, text, labels, body } as { execId: string; text: string; labels: string | null; body: string };
    return openedRow(seal, row)[of];
  };
  database.function("opened_text", { deterministic: true }, opened("text"));
  database.function("opened_labels", { deterministic: true }, opened("labels"));
  const given = "(exec_id, text, labels, body)";
  return { text: `opened_text${given}`, labels: `opened_labels${given}` };
}

function* snapshot<T>(database: DatabaseSync, answering: Answering<T>): Answering<T> {
  database.exec("begin");
  try {
    return yield* answering;
  } finally {
    database.exec("commit");
  }
}
