// The count of records and journal lines: both go up by one from 1, and a unit of other numbers is refused whole.

import { fault } from "./faults.ts";
import type { Unit } from "./store.ts";

/** The last record and the last journal line. */
export type Numbers = { readonly seq: number; readonly line: number };

export const noNumbers: Numbers = { seq: 0, line: 0 };

/** The numbers after a unit; throws if the unit does not follow. */
export function numbersAfter({ seq, line }: Numbers, unit: Unit): Numbers {
  for (const record of unit.records) {
    if (record.seq !== seq + 1) throw misnumbered("record", record.seq, seq + 1);
    if (record.line !== line + 1) throw misnumbered("journal line", record.line, line + 1);
    if (!Number.isSafeInteger(record.lines) || record.lines < 0) {
      throw fault("store_failed", `record ${record.seq} has ${record.lines} journal lines`);
    }
    seq = record.seq;
    line += record.lines;
  }
  for (const checkpoint of unit.checkpoints ?? []) {
    if (checkpoint.seq > seq) {
      throw fault("store_failed", `a checkpoint of ${checkpoint.run} covers record ${checkpoint.seq} after ${seq}`);
    }
  }
  return { seq, line };
}

const misnumbered = (what: string, given: number, expected: number): Error =>
  fault("store_failed", `the next ${what} is ${expected}, not ${given}`, { given, expected });
