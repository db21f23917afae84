// What is on disk and has to leave the process: it leaves in the order of the log, over outages and crashes.
//
//   committed ─▶ outbound ─▶ kept ─▶ noted: all up to here has left
//                   ├─ cannot leave ─▶ behind: the log is read from there, again and again, until it has caught up
//                   └─ too many are on their way ─▶ behind, until they have arrived
//
// The log is the only buffer: while a transport cannot be reached nothing piles up in memory.
//
// The note lags by a second at the most, so what has left may leave again, as the same message: whoever hears it knows
// its id, or sees that it is late.
//
// Invariants:
//   J1. What is on disk and has to leave leaves, however often the process dies.
//   J2. A command that was answered, or is about what has ended, does not leave again.
//   J3. While a transport cannot be reached nothing is lost, and afterwards all leaves in the order of the log.
//   J4. However slow a transport is, only so many records are on their way; the others wait on disk.
//   J5. Nothing is noted in a store that closes, or has closed.

import { entryOf, isKey, type Key, kindOf } from "../protocol/catalogue.ts";
import { isTerminal } from "../protocol/statuses.ts";
import { fromUnknown } from "../protocol/errors.ts";
import type { LogRecord, Store } from "../store/store.ts";
import type { Clock } from "./clock.ts";
import type { Word } from "./component.ts";
import type { Said } from "./react.ts";
import { committedIn } from "./record.ts";
import { importedAt } from "./imported.ts";
import type { Committed, SystemParts } from "./system.ts";

export type OutboxParts = {
  store: Pick<Store, "opened" | "read" | "note" | "setNote" | "row">;
  /** Whether it is of any use to try. */
  isReachable: () => boolean;
  clock: Clock;
  /** Settles once it is kept; rejects if it could not leave for now. */
  send: (committed: Committed) => Promise<unknown> | undefined;
  report: SystemParts["report"];
};

const noteName = "left_seq";
const noteEveryMs = 1_000;
const recordsPerRead = 500;
const retryMs = 1_000;
const newsMax = 1_000;
/** So many records may be on their way at once. */
const goingMax = 1_000;
/** What was said so shortly before a connection was cut may not have arrived; looked at in steps of so much. */
const unsureMs = 5_000;
const unsureStepMs = 100;
/** After an outage everybody comes back, one after the other. */
const graceMs = 5_000;
const againMs = 500;

/** What the log says of answers, between two of its records. */
const nothingAhead = () => ({ from: Infinity, to: Infinity, answered: new Set<string>() });

export function openOutbox({ store, clock, isReachable, send, report }: OutboxParts) {
  const known = store.note(noteName);
  // Whoever was alone until now had nobody to send to.
  let left = Number(known ?? store.opened().seq);
  let noted = left;
  if (known === undefined) store.setNote(noteName, String(left));
  let cancel: (() => void) | null = null;
  /** Records that are on their way, in their order; those that have left while an earlier one has not. */
  let going: { seq: number; hasLeft: boolean }[] = [];
  let newest = left;
  let isBehind = false;
  /** Why something cannot leave, once that was said. */
  let held: string | null = null;
  /** From where what was said before the last cut may not have arrived. */
  let unsureFrom = Infinity;
  let graceUntil = 0;
  let cancelUnsure: (() => void) | null = null;
  /** Up to which record all had left a while ago, oldest first. */
  let earlier: { seq: number; at: number }[] = [];
  /** What is of no record, and comes after what is. */
  const news: (() => void)[] = [];
  let draining: Promise<number> | null = null;
  let cancelRetry: (() => void) | null = null;
  let isOpen = true;
  let isNoting = true;
  let ahead = nothingAhead();

  function note(): void {
    cancel?.();
    cancel = null;
    if (left === noted || !isNoting) return;
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
  function isDue({ id, word }: Said): boolean {
    if (!isKey(word.type) || kindOf(word.type) !== "command") return true;
    return !ahead.answered.has(id) && !isOver(word.type, word);
  }

  function moved(seq: number): void {
    left = seq;
    if (isNoting) cancel ??= clock.alarm(clock.now() + noteEveryMs, note);
  }
  function remember(seq: number): void {
    const at = clock.now();
    if (at - (earlier.at(-1)?.at ?? -Infinity) < unsureStepMs) return;
    earlier = [...earlier.filter((one) => one.at >= at - 2 * unsureMs), { seq: Math.min(left, seq - 1), at }];
  }
  function resendUnsure(): void {
    left = Math.min(left, unsureFrom);
    going = [];
    if (clock.now() + againMs >= graceUntil) unsureFrom = Infinity;
    void catchUp();
  }
  function sweep(): void {
    let count = 0;
    for (const { seq, hasLeft } of going) {
      if (!hasLeft) break;
      moved(seq);
      count += 1;
    }
    going.splice(0, count);
    // Too many were on their way: the others are read now.
    if (isBehind && going.length === 0 && !draining && held === null) void catchUp();
  }

  function fallBehind(error: unknown): void {
    if (!isOpen) return;
    const { message, code } = fromUnknown(error);
    const isTold = held !== null;
    held = message;
    if (isTold) return;
    isBehind = true;
    going = [];
    report("warn", "what is on disk cannot leave: it is tried again until it has", { code, reason: message });
    later();
  }
  function later(): void {
    cancelRetry?.();
    const again = (): void => void (isReachable() ? catchUp() : later());
    cancelRetry = isOpen ? clock.alarm(clock.now() + retryMs, again) : null;
  }

  /** Sends what may not have left; gives how many records that was. */
  function catchUp(): Promise<number> {
    isBehind = true;
    draining ??= drain().finally(() => (draining = null));
    return draining;
  }
  async function drain(): Promise<number> {
    cancelRetry?.();
    let count = 0;
    try {
      while (isOpen) {
        await lookAhead();
        const records = await store.read({ afterSeq: left, limit: recordsPerRead });
        const last = records.at(-1);
        if (!last && newest <= left) break;
        await Promise.all(records.flatMap((record) => send(dueIn(record)) ?? []));
        if (last) moved(last.seq);
        count += records.length;
      }
      if (!isOpen) return count;
      ahead = nothingAhead();
      if (held !== null) report("info", "what waited to leave has left", { records: count });
      isBehind = false;
      held = null;
      note();
      for (const act of news.splice(0)) act();
    } catch (error) {
      fallBehind(error);
      later();
    }
    return count;
  }

  /** Learns which commands behind the note have their answer; of a long outage each record is read once for that. */
  async function lookAhead(): Promise<void> {
    if (left < ahead.from) ahead = { ...nothingAhead(), from: left, to: left };
    for (;;) {
      const records = await store.read({ afterSeq: ahead.to, limit: recordsPerRead });
      const last = records.at(-1);
      if (!last) return;
      ahead.to = last.seq;
      for (const record of records) {
        const { answers } = committedIn(record);
        if (answers !== null) ahead.answered.add(answers);
      }
    }
  }
  function dueIn(record: LogRecord): Committed {
    const { committed } = committedIn(record);
    // What was brought here from elsewhere was said there.
    const said = importedAt(record) === null ? committed.said.filter(isDue) : [];
    return { ...committed, said };
  }

  return {
    /** Sends it, if nothing before it still has to leave. */
    committed(committed: Committed): void {
      const { seq } = committed;
      newest = seq;
      remember(seq);
      if (isBehind) return;
      const kept = send(committed);
      if (!kept && going.length === 0) return moved(seq);
      const one = { seq, hasLeft: kept === undefined };
      going.push(one);
      const own = going;
      kept?.then(() => {
        one.hasLeft = true;
        if (own === going) sweep();
      }, fallBehind);
      isBehind = going.length >= goingMax;
    },
    /** Before anything new is said: what may not have left does. */
    resend: catchUp,
    /** Acts when all that was said before has left. Of what would have to wait long only the first is kept. */
    after(act: () => void): void {
      if (!isBehind) act();
      else if (news.length < newsMax) news.push(act);
    },
    /** The connection was cut: what was said just before may not have arrived. */
    lost(): void {
      const [oldest] = earlier.filter(({ at }) => at >= clock.now() - unsureMs);
      unsureFrom = Math.min(unsureFrom, left, oldest?.seq ?? left);
    },
    /** It is there again. Others may not be for a while. */
    back(): void {
      graceUntil = clock.now() + graceMs;
      resendUnsure();
    },
    /** Nobody hears a message; whether it is said again, because whoever should may be about to come back. */
    unheard(): boolean {
      if (clock.now() >= graceUntil) return false;
      cancelUnsure ??= clock.alarm(clock.now() + againMs, () => {
        cancelUnsure = null;
        resendUnsure();
      });
      return true;
    },
    /** How many records have not left. */
    behind: (): number => (isBehind ? newest - left : going.length),
    /** Why they cannot leave, if they cannot. */
    held: (): string | null => held,
    /** The store is about to close: what leaves from now on leaves again at the next start, as the same message. */
    endNotes(): void {
      note();
      isNoting = false;
    },
    close(): void {
      isOpen = false;
      isNoting = false;
      cancelRetry?.();
      cancelUnsure?.();
      cancel?.();
      cancel = null;
    },
  };
}
