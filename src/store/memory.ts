// The store in memory: the same guarantees over a disk that is an object, for simulations and who keeps nothing.
//
//   append ─▶ waiting units ──commit(act)──▶ disk ─▶ onCommitted(seq)
//                  └──────── crash() ────────┘ what is not on the disk is gone, and nobody is told anything any more
//
// When a commit runs is for `options.commit` to say, so a simulation holds it back as long as it likes. What is
// appended is frozen: whoever went on to change it would change what is "on disk".

import type { TroupeError } from "../protocol/errors.ts";
import { comparePlaces, fromCursor, toCursor } from "./cursor.ts";
import { closedFault, fault } from "./faults.ts";
import { makeDisk, type Disk } from "./memory-disk.ts";
import { type Numbers, numbersAfter } from "./numbers.ts";
import type { Key, LogRecord, Opened, Page, Query, Row, RunState, Store, Unit } from "./store.ts";

export { makeDisk, type Disk } from "./memory-disk.ts";

export type MemoryOptions = {
  disk?: Disk;
  /** Runs a commit, now or later. */
  commit?: (act: () => void) => void;
};

/** What the last group left on the disk: so many units whole though nobody was told, and so many torn after them. */
export type Crash = { whole?: number; torn?: number };

export type MemoryStore = Store & {
  readonly disk: Disk;
  /** As `kill -9` or a lost power supply: nothing that is not committed survives, no listener is called again. */
  crash(left?: Crash): void;
};

export const openMemory = (options: MemoryOptions = {}): MemoryStore => new Memory(options);

class Memory implements MemoryStore {
  readonly disk: Disk;
  readonly #opened: Opened;
  readonly #commit: (act: () => void) => void;
  readonly #letGo: () => void;
  #numbers: Numbers;
  #waiting: Unit[] = [];
  /** They follow the units that were appended before them, so many, and what is appended later follows them. */
  readonly #notes = new Map<string, string>();
  readonly #savers: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  #unitsBeforeNotes = 0;
  #isCommitting = false;
  #isOpen = true;
  #trouble: TroupeError | null = null;
  #tellCommitted: (seq: number) => void = () => {};
  readonly #tellTrouble: ((trouble: TroupeError | null) => void)[] = [];

  constructor({ disk = makeDisk(), commit = queueMicrotask }: MemoryOptions) {
    if (disk.owner !== null) throw fault("store_locked", "another store has this disk");
    disk.owner = this;
    this.disk = disk;
    this.#commit = commit;
    this.#numbers = disk.numbers;
    this.#opened = { ...disk.numbers, cut: disk.torn };
    disk.torn = null;
    this.#letGo = disk.onMended(() => this.#schedule());
  }

  opened(): Opened {
    return this.#opened;
  }

  append(unit: Unit): void {
    if (!this.#isOpen) throw closedFault();
    this.#numbers = numbersAfter(this.#numbers, unit);
    freeze(unit);
    this.#waiting.push(unit);
    this.#schedule();
  }

  onCommitted(listener: (seq: number) => void): void {
    this.#tellCommitted = listener;
  }

  trouble(): TroupeError | null {
    return this.#trouble;
  }

  onTrouble(listener: (trouble: TroupeError | null) => void): void {
    this.#tellTrouble.push(listener);
  }

  pending(): number {
    return this.#waiting.length;
  }

  load(run: string): ReturnType<Store["load"]> {
    const file = this.disk.runs.get(run);
    if (file?.state === undefined) return undefined;
    const { checkpoint, records, state } = file;
    const after = checkpoint?.seq ?? 0;
    return { checkpoint, tail: records.filter((record) => record.seq > after), state };
  }

  runOf(execId: string): string | undefined {
    return this.disk.rows.get(execId)?.run;
  }

  rowsOf(run: string): Row[] {
    return [...(this.disk.rowsOfRun.get(run) ?? [])].flatMap((id) => this.row(id) ?? []).sort(comparePlaces);
  }

  row(execId: string): Row | undefined {
    return this.disk.rows.get(execId);
  }

  key(key: string, now: number): Key | undefined {
    const found = this.disk.keys.get(key);
    return found !== undefined && found.expiresAt > now ? found : undefined;
  }

  live(): RunState[] {
    return [...this.disk.runs.values()]
      .flatMap(({ state }) => (state !== undefined && state.state !== "ended" ? [state] : []))
      .sort((one, other) => dueOf(one) - dueOf(other) || (one.run < other.run ? -1 : 1));
  }

  async find(query: Query): Promise<Page> {
    const sign = query.order === "oldest" ? 1 : -1;
    const after = query.after === undefined ? undefined : fromCursor(query.after);
    const found = this.#matching(query)
      .filter((row) => after === undefined || sign * comparePlaces(row, after) > 0)
      .sort((one, other) => sign * comparePlaces(one, other));
    const rows = found.slice(0, query.limit);
    const last = rows.at(-1);
    return { rows, cursor: last !== undefined && found.length > rows.length ? toCursor(last) : null };
  }

  async count(
    query: Parameters<Store["count"]>[0],
    by: Parameters<Store["count"]>[1],
  ): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const row of this.#matching(query)) counts[row[by]] = (counts[row[by]] ?? 0) + 1;
    return counts;
  }

  async read(from: Parameters<Store["read"]>[0]): Promise<LogRecord[]> {
    const { run, afterSeq = 0, fromLine = 0, limit, charsMax = Infinity } = from;
    const records = run === undefined ? this.disk.log : (this.disk.runs.get(run)?.records ?? []);
    const found = records.filter(({ seq, line, lines }) => seq > afterSeq && line + lines > fromLine).slice(0, limit);
    let chars = 0;
    const last = found.findIndex(({ body }) => (chars += body.length) >= charsMax);
    return last === -1 ? found : found.slice(0, last + 1);
  }

  async prune(endedBefore: number, max: number): Promise<number> {
    const ended = [...this.disk.runs.values()]
      .flatMap(({ state }) => (state?.state === "ended" && state.at < endedBefore ? [state] : []))
      .sort((one, other) => one.at - other.at || (one.run < other.run ? -1 : 1))
      .slice(0, max);
    this.disk.forget(new Set(ended.map(({ run }) => run)));
    for (const { key, expiresAt } of this.disk.keys.values()) {
      if (expiresAt < endedBefore) this.disk.keys.delete(key);
    }
    return ended.length;
  }

  async rebuild(rows: Iterable<Row>): Promise<void> {
    const anew = [...rows];
    this.disk.rows.clear();
    this.disk.rowsOfRun.clear();
    for (const row of anew) this.disk.writeRow(Object.freeze(row));
  }

  note(name: string): string | undefined {
    return this.#notes.get(name) ?? this.disk.notes.get(name);
  }

  setNote(name: string, value: string): void {
    if (!this.#isOpen) throw closedFault();
    this.#notes.set(name, value);
    this.#unitsBeforeNotes = this.#waiting.length;
    this.#schedule();
  }

  saved(): Promise<void> {
    if (this.#waiting.length === 0 && this.#notes.size === 0) return Promise.resolve();
    return new Promise((resolve, reject) => this.#savers.push({ resolve, reject }));
  }

  async backup(file: string): Promise<void> {
    this.disk.backups.set(file, this.disk.copy());
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#commitNow();
    this.#leave();
  }

  crash({ whole = 0, torn = 0 }: Crash = {}): void {
    if (!this.#isOpen) return;
    for (const unit of this.#waiting.slice(0, whole)) this.disk.write(unit);
    const records = this.#waiting.slice(whole, whole + torn).reduce((sum, unit) => sum + unit.records.length, 0);
    if (torn > 0) this.disk.torn = { records, reason: "the last group was not written whole" };
    if (whole > this.#unitsBeforeNotes) this.#writeNotes();
    this.#waiting = [];
    this.#notes.clear();
    this.#leave();
  }

  #leave(): void {
    this.#isOpen = false;
    this.#letGo();
    this.disk.owner = null;
  }

  #schedule(): void {
    if (this.#isCommitting || (this.#waiting.length === 0 && this.#notes.size === 0)) return;
    this.#isCommitting = true;
    this.#commit(() => this.#commitNow());
  }

  #commitNow(): void {
    this.#isCommitting = false;
    if (!this.#isOpen) return;
    const refused = this.#waiting.findIndex((unit) => !this.disk.write(unit));
    const done = this.#waiting.splice(0, refused === -1 ? this.#waiting.length : refused).length;
    this.#unitsBeforeNotes = Math.max(0, this.#unitsBeforeNotes - done);
    if (refused === -1) this.#writeNotes();
    const trouble = refused === -1 ? null : this.disk.trouble();
    this.#say(trouble);
    for (const saver of this.#savers.splice(0)) {
      if (trouble === null) saver.resolve();
      else saver.reject(trouble);
    }
    if (done > 0) this.#tellCommitted(this.disk.numbers.seq);
  }

  #writeNotes(): void {
    for (const [name, value] of this.#notes) this.disk.notes.set(name, value);
    this.#notes.clear();
  }

  #say(trouble: TroupeError | null): void {
    if (trouble?.details["reason"] === this.#trouble?.details["reason"]) return;
    this.#trouble = trouble;
    for (const tell of this.#tellTrouble) tell(trouble);
  }

  #matching(query: Omit<Query, "limit">): Row[] {
    const text = query.text?.toLowerCase();
    const labels = Object.entries(query.labels ?? {});
    const candidates = query.run === undefined ? this.disk.rows.values() : this.rowsOf(query.run);
    return [...candidates].filter(
      (row) =>
        (query.run === undefined || row.run === query.run) &&
        (query.entity === undefined || row.entity === query.entity) &&
        (query.id === undefined || row.id === query.id) &&
        (query.status === undefined || query.status.includes(row.status)) &&
        (query.parent === undefined || row.parent === query.parent) &&
        (query.errorCode === undefined || row.errorCode === query.errorCode) &&
        (query.correlationId === undefined || row.correlationId === query.correlationId) &&
        (query.createdFrom === undefined || row.createdAt >= query.createdFrom) &&
        (query.createdUntil === undefined || row.createdAt < query.createdUntil) &&
        (text === undefined || row.text.toLowerCase().includes(text)) &&
        labels.every(([name, value]) => row.labels?.[name] === value),
    );
  }
}

const dueOf = ({ dueAt }: RunState): number => dueAt ?? Number.MAX_SAFE_INTEGER;

function freeze(unit: Unit): void {
  for (const part of [unit.records, unit.runs, unit.rows, unit.checkpoints ?? [], unit.keys ?? []]) {
    for (const value of Object.freeze(part)) Object.freeze(value);
  }
  Object.freeze(unit);
}
