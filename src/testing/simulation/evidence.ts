// What a simulation leaves behind for its checkers: the log, what those outside saw, and what is left at the end.

import { type JournalLine, journalOf } from "../../actors/record.ts";
import type { Committed } from "../../actors/system.ts";
import type { Disk } from "../../store/memory.ts";
import type { ShownSchedule } from "../../runtime/schedules.ts";
import type { LogRecord } from "../../store/store.ts";
import type { Begun } from "./cast.ts";
import type { Asked } from "./client.ts";
import type { Scenario } from "./scenario.ts";
import type { Tried } from "./tries.ts";

/** Something that must not be: which invariant is broken, and how. */
export type Finding = { invariant: `I${number}`; what: string };

export type Evidence = {
  scenario: Scenario;
  disk: Disk;
  records: readonly LogRecord[];
  lines: readonly Line[];
  asked: readonly Asked[];
  tried: readonly Tried[];
  /** When all began. */
  began: number;
  /** How each schedule stood when it was paused at last, so that all could end. */
  schedules: readonly Paused[];
  seen: readonly { life: number; committed: Committed }[];
  begun: readonly Begun[];
  /** By how much waits may have been longer than they should: time without a process or a disk, and jumps. */
  troubleMs: number;
  /** By how much the clock jumped. */
  jumpedMs: number;
  /** Whether the disk failed at some time. */
  hadTrouble: boolean;
};

export type Paused = ShownSchedule & { at: number };

/** A line of the journal, with its time. */
export type Line = JournalLine & { at: number };

/** An event of an execution, as it stands in the journal. The id is the one that its row has. */
export type Told = Line & { entity: string; execId: string; attempt: number; status: string };

export const linesOf = (records: readonly LogRecord[]): Line[] =>
  records.flatMap((record) => journalOf(record).map((line) => ({ ...line, at: record.at })));

/** Whether every order that is on disk has been heard: over a wire it may still be on its way. */
export function areHeard({ rows }: Disk): boolean {
  for (const { status } of rows.values()) if (status === "PENDING") return false;
  return true;
}
