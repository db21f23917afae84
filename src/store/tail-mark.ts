// Beside the database: up to where the log was committed, and up to where a commit was tried.
//
// SQLite cuts a torn tail by itself and says nothing. With this mark the next start knows that something was cut, and
// whether anybody had been told that it was safe. It is written before each commit and never waited for.

import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import type { Opened } from "./store.ts";

export type TailMark = { write(committed: number, tried: number): void; close(): void };

export function openTailMark(file: string): TailMark {
  const descriptor = openSync(file, "a+");
  closeSync(descriptor);
  const open = openSync(file, "r+");
  return {
    // Always of the same length: a full disk has room for it.
    write: (committed, tried) => {
      writeSync(open, `${String(committed).padStart(16)} ${String(tried).padStart(16)}\n`, 0);
    },
    close: () => closeSync(open),
  };
}

/** What is missing in a log that ends with this record. */
export function cutAfter(file: string, seq: number): Opened["cut"] {
  const [committed, tried] = marksOf(file);
  if (committed > seq) {
    const reason = "records are missing that had been committed: the disk lost them, or an older copy was put back";
    return { records: Math.max(committed, tried) - seq, reason };
  }
  return tried > seq ? { records: tried - seq, reason: "the last group was not committed whole" } : null;
}

function marksOf(file: string): [committed: number, tried: number] {
  const text = readFileSync(file, { encoding: "utf8", flag: "a+" });
  const [, committed = 0, tried = 0] = /^ *(\d+) +(\d+)\n$/.exec(text) ?? [];
  return [Number(committed), Number(tried)];
}
