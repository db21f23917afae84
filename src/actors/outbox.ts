// What was on disk and may not have left when the process died: it leaves at the next start.
//
//   committed ─▶ outbound ─▶ noted: all up to here has left      … crash …      records behind the note ─▶ outbound
//
// The note lags by a second at the most, so what has left may leave again, as the same message: whoever hears it knows
// its id, or sees that it is late.
//
// Invariants:
//   J1. What is on disk and has to leave leaves, however often the process dies.
//   J2. A command that was answered, or is about what has ended, does not leave again.

import { entryOf, isKey, type Key, kindOf } from "../protocol/catalogue.ts";
import { isTerminal } from "../protocol/statuses.ts";
import type { Store } from "../store/store.ts";
import type { Clock } from "./clock.ts";
import type { Word } from "./component.ts";
import type { Said } from "./react.ts";
import { committedIn } from "./record.ts";
import type { Committed } from "./system.ts";

export type OutboxParts = {
  store: Pick<Store, "opened" | "read" | "note" | "setNote" | "row">;
  clock: Clock;
  send: (committed: Committed) => void;
};

const noteName = "left_seq";
const noteEveryMs = 1_000;
const recordsPerRead = 500;

export function openOutbox({ store, clock, send }: OutboxParts) {
  const known = store.note(noteName);
  // Whoever was alone until now had nobody to send to.
  let left = Number(known ?? store.opened().seq);
  let noted = left;
  if (known === undefined) store.setNote(noteName, String(left));
  let cancel: (() => void) | null = null;

  function note(): void {
    cancel = null;
    if (left === noted) return;
    noted = left;
    store.setNote(noteName, String(left));
  }

  /** An order to what has ended would begin it anew where it is no longer known. */
  function isOver(key: Key, word: Word): boolean {
    const { entity } = entryOf(key);
    // What a runtime is ordered to do is an agent's.
    const own = entity === "agent_runtime" ? word.agent : entity === null ? undefined : word[entity];
    const row = own && store.row(own.exec_id);
    return row !== undefined && isTerminal(row.status);
  }
  function isDue(line: Said, answered: ReadonlySet<string>): boolean {
    const { word } = line;
    if (!isKey(word.type) || kindOf(word.type) !== "command") return true;
    return !answered.has(line.id) && !isOver(word.type, word);
  }

  return {
    /** All up to this record has left. */
    sent(seq: number): void {
      left = seq;
      cancel ??= clock.alarm(clock.now() + noteEveryMs, note);
    },
    /** Before anything new is said: what may not have left does. */
    async resend(): Promise<number> {
      const { seq: last } = store.opened();
      const answered = new Set<string>();
      const all: Committed[] = [];
      for (let afterSeq = left; afterSeq < last;) {
        const records = await store.read({ afterSeq, limit: recordsPerRead });
        const newest = records.at(-1);
        if (!newest) break;
        afterSeq = newest.seq;
        for (const record of records) {
          const { committed, answers } = committedIn(record);
          if (answers !== null) answered.add(answers);
          all.push(committed);
        }
      }
      for (const committed of all) {
        send({ ...committed, said: committed.said.filter((line) => isDue(line, answered)) });
      }
      left = last;
      note();
      return all.length;
    },
    close(): void {
      cancel?.();
      cancel = null;
    },
  };
}
