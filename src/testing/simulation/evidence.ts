// What a simulation leaves behind for its checkers: the log, what those outside saw, and what is left at the end.

import { type JournalLine, journalOf } from "../../actors/record.ts";
import type { Committed } from "../../actors/system.ts";
import type { Disk } from "../../store/memory.ts";
import type { LogRecord } from "../../store/store.ts";
import type { Begun } from "./cast.ts";
import type { Asked } from "./client.ts";
import type { Scenario } from "./scenario.ts";

/** Something that must not be: which invariant is broken, and how. */
export type Finding = { invariant: `I${number}`; what: string };

export type Evidence = {
  scenario: Scenario;
  disk: Disk;
  records: readonly LogRecord[];
  lines: readonly Line[];
  asked: readonly Asked[];
  seen: readonly { life: number; committed: Committed }[];
  begun: readonly Begun[];
  /** By how much waits may have been longer than they should: time without a process or a disk, and jumps. */
  troubleMs: number;
  /** By how much the clock jumped. */
  jumpedMs: number;
  /** Whether the disk failed at some time. */
  hadTrouble: boolean;
};

/** A line of the journal, with its time. */
export type Line = JournalLine & { at: number };

export const linesOf = (records: readonly LogRecord[]): Line[] =>
  records.flatMap((record) => journalOf(record).map((line) => ({ ...line, at: record.at })));
