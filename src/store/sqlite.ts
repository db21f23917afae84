// The store on disk: a SQLite database in a directory, written by a thread of its own, read here at once.
//
//   append ─▶ waiting ──groups──▶ thread: all that came in one transaction, fsync ─▶ committed ─▶ onCommitted(seq)
//   load, row, key … ◀── a connection of this thread that only reads
//   find, count, read, prune, rebuild, backup ◀──▶ thread
//
// Whatever arrives while a commit is under way goes into the next one, so groups grow with the load. Nothing checks a
// whole database when it is opened, for that takes as long as reading it: the ends of the log are compared with what
// was last written, every record and checkpoint carries a checksum that is looked at when it is read, and SQLite looks
// at the structure of each page it touches.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { Worker } from "node:worker_threads";
import { TroupeError } from "../protocol/errors.ts";
import { databaseFault, openDatabase } from "./database.ts";
import { type Decoder, decoderOf, type StoredCheckpoint, type StoredRecord, type StoredRow } from "./decode.ts";
import { closedFault, fault } from "./faults.ts";
import { groupOf } from "./group.ts";
import { lockDirectory } from "./lock.ts";
import { type Numbers, numbersAfter } from "./numbers.ts";
import { agreeOnKeys, openedOf, statementsOf } from "./opening.ts";
import { keyIdOf, type Seal, type SealKey, sealOf } from "./seal.ts";
import { keyNames, openedKey } from "./sealed.ts";
import type { Order, Question, Told, ToldError, WorkerOptions } from "./sqlite-worker.ts";
import type { Key, LogRecord, Opened, Page, Query, Row, RunState, Store, Unit } from "./store.ts";

export type SqliteOptions = {
  directory: string;
  /** Record bodies from this size on are kept compressed, and once however often they occur. */
  blobBytes?: number;
  /** Units in one commit at most. */
  groupUnits?: number;
  /** Pages of 8 KiB that the database may grow to. Past them it is a full disk. */
  pagesMax?: number;
  /** What contents are sealed with: the first key seals, all of them open. Without them nothing is sealed. */
  keys?: readonly SealKey[];
};

const rowsPerMessage = 500;

/** Opens or creates it; throws if another process has it, a later release wrote it, or it is damaged. */
export function openSqlite(options: SqliteOptions): Store {
  const { directory } = options;
  const file = join(directory, "troupe.db");
  let unlock: (() => void) | undefined;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    unlock = lockDirectory(directory);
    return new Sqlite(options, file, join(directory, "troupe.tail"), openDatabase(file), unlock);
  } catch (error) {
    unlock?.();
    if (error instanceof TroupeError) throw error;
    throw unlock === undefined ? unusable(directory, error) : databaseFault(file, error);
  }
}

const unusable = (directory: string, error: unknown): TroupeError => {
  const why = error instanceof Error ? error.message : String(error);
  const message = `${directory} cannot be used (${why}); make it writable, or choose another directory`;
  return fault("store_failed", message, { directory }, { cause: error });
};

type Asked = { resolve: (answer: unknown) => void; reject: (error: TroupeError) => void };

/** What the writer makes is short-lived and small: without a limit V8 lets it grow to tens of megabytes. */
const resourceLimits = { maxYoungGenerationSizeMb: 12 };
/** How many units go to the writer without waiting for the end of a turn: when it is idle, and when it is not. */
const eagerUnits = 8;
const busyUnits = 64;

class Sqlite implements Store {
  readonly #file: string;
  readonly #database: DatabaseSync;
  readonly #select: ReturnType<typeof statementsOf>;
  readonly #unlock: () => void;
  readonly #worker: Worker;
  readonly #opened: Opened;
  readonly #groupUnits: number;
  readonly #seal: Seal | undefined;
  readonly #decoder: Decoder;
  readonly #notes = new Map<string, string>();
  readonly #newNotes = new Map<string, string>();

  #numbers: Numbers;
  #sentNumbers: Numbers;
  #waiting: Unit[] = [];
  /** What the writer has and has not committed. */
  #sentUnits = 0;
  #sentGroups = 0;
  #isScheduled = false;
  /** Rows are being rebuilt: what is appended now has to wait. */
  #isHeld = false;
  #isOpen = true;
  #maintenance: Promise<unknown> = Promise.resolve();
  #trouble: TroupeError | null = null;
  #tellCommitted: (seq: number) => void = () => {};
  readonly #tellTrouble: ((trouble: TroupeError | null) => void)[] = [];
  readonly #asked = new Map<number, Asked>();
  #questions = 0;
  /** They look again at each commit and each change of trouble. */
  #waiters: (() => void)[] = [];
  #ended: TroupeError | null = null;

  constructor(options: SqliteOptions, file: string, mark: string, database: DatabaseSync, unlock: () => void) {
    this.#file = file;
    this.#database = database;
    this.#unlock = unlock;
    this.#groupUnits = options.groupUnits ?? 1_024;
    const { keys = [] } = options;
    this.#seal = sealOf(keys);
    this.#decoder = decoderOf(file, this.#seal);
    agreeOnKeys(file, database, this.#seal);
    this.#opened = openedOf(file, mark, database);
    this.#numbers = { seq: this.#opened.seq, line: this.#opened.line };
    this.#sentNumbers = this.#numbers;
    for (const note of database.prepare("select name, value from notes").all()) {
      const [name, value] = [String(note["name"]), String(note["value"])];
      this.#notes.set(name, this.#decoder.noteOf(name, value));
      if (this.#seal && keyIdOf(value) !== this.#seal.keyId) this.#newNotes.set(name, this.#notes.get(name) ?? value);
    }
    database.exec("pragma query_only = on");
    this.#select = statementsOf(database);
    const workerData: WorkerOptions = {
      file,
      mark,
      blobBytes: options.blobBytes ?? 256 * 1_024,
      groupUnits: this.#groupUnits,
      pagesMax: options.pagesMax ?? null,
      keys,
    };
    this.#worker = new Worker(threadFile, { workerData, resourceLimits });
    this.#worker.on("message", (told: Told) => this.#hear(told));
    for (const how of ["error", "exit"]) this.#worker.on(how, (why) => this.#threadEnded(`${how} ${String(why)}`));
    // What was noted under another key, or under none.
    if (this.#newNotes.size > 0) this.#schedule();
  }

  opened(): Opened {
    return this.#opened;
  }

  append(unit: Unit): void {
    if (!this.#isOpen) throw closedFault();
    this.#numbers = numbersAfter(this.#numbers, unit);
    this.#waiting.push(unit);
    // The writer begins while this thread goes on; what comes meanwhile it puts into its next commit.
    const enough = this.#sentGroups === 0 ? eagerUnits : busyUnits;
    if (this.#waiting.length >= Math.min(enough, this.#groupUnits)) this.#send();
    else this.#schedule();
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
    return this.#waiting.length + this.#sentUnits;
  }

  load(run: string): ReturnType<Store["load"]> {
    const [state] = this.#all<RunState>(this.#select.run, run);
    if (state === undefined) return undefined;
    const [stored] = this.#all<StoredCheckpoint>(this.#select.checkpoint, run);
    const tail = this.#all<StoredRecord>(this.#select.tail, run, stored?.seq ?? 0);
    return {
      checkpoint: stored === undefined ? null : this.#decoder.checkpointOf(stored),
      tail: tail.map((record) => this.#decoder.recordOf(record)),
      state,
    };
  }

  runOf(execId: string): string | undefined {
    return this.#all<{ run: string }>(this.#select.runOf, execId)[0]?.run;
  }

  rowsOf(run: string): Row[] {
    return this.#all<StoredRow>(this.#select.rowsOf, run).map(this.#decoder.rowOf);
  }

  row(execId: string): Row | undefined {
    return this.#all<StoredRow>(this.#select.row, execId).map(this.#decoder.rowOf)[0];
  }

  key(key: string, now: number): Key | undefined {
    if (!this.#seal) return this.#all<Key>(this.#select.key, key, now)[0];
    for (const name of keyNames(this.#seal, key)) {
      const [found] = this.#all<Key>(this.#select.key, name, now);
      if (found) return openedKey(this.#seal, key, found);
    }
    return undefined;
  }

  live(): RunState[] {
    return this.#all<RunState>(this.#select.live);
  }

  find(query: Query): Promise<Page> {
    return this.#ask({ ask: "find", query });
  }

  count(query: Parameters<Store["count"]>[0], by: Parameters<Store["count"]>[1]): Promise<Record<string, number>> {
    return this.#ask({ ask: "count", query, by });
  }

  read(from: Parameters<Store["read"]>[0]): Promise<LogRecord[]> {
    return this.#ask({ ask: "read", from });
  }

  prune(endedBefore: number, max: number): Promise<number> {
    return this.#maintain(() => this.#ask<number>({ ask: "prune", endedBefore, max }));
  }

  rebuild(rows: Iterable<Row>): Promise<void> {
    return this.#maintain(async () => {
      // What waits is written afterwards: its rows are at least as new as these.
      this.#isHeld = true;
      try {
        await this.#until(() => this.#sentGroups === 0);
        if (this.#trouble !== null) throw this.#trouble;
        await this.#replaceRows(rows);
      } finally {
        this.#isHeld = false;
        this.#schedule();
      }
    });
  }

  note(name: string): string | undefined {
    return this.#notes.get(name);
  }

  setNote(name: string, value: string): void {
    if (!this.#isOpen) throw closedFault();
    this.#notes.set(name, value);
    this.#newNotes.set(name, value);
    this.#schedule();
  }

  async saved(): Promise<void> {
    await this.#until(() => this.#waiting.length === 0 && this.#newNotes.size === 0);
    // The writer commits what it has before it answers what is asked behind that.
    await this.#ask({ ask: "read", from: { limit: 1 } });
    if (this.#trouble !== null) throw this.#trouble;
  }

  backup(file: string): Promise<void> {
    return this.#ask({ ask: "backup", file });
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#maintenance;
    await this.#until(() => this.#sentGroups === 0 && this.#waiting.length === 0 && this.#newNotes.size === 0);
    this.#database.close();
    if (this.#ended === null) await this.#ask({ ask: "close" });
    await this.#worker.removeAllListeners("exit").terminate();
    this.#unlock();
  }

  async #replaceRows(rows: Iterable<Row>): Promise<void> {
    await this.#ask({ ask: "beginRows" });
    let isWhole = false;
    try {
      for (const some of inParts(rows)) await this.#ask({ ask: "addRows", rows: some });
      isWhole = true;
    } finally {
      await this.#ask({ ask: "endRows", isWhole });
    }
  }

  #all<T>(statement: StatementSync, ...values: SQLInputValue[]): T[] {
    try {
      return statement.all(...values).map((found) => ({ ...found }) as T);
    } catch (error) {
      throw databaseFault(this.#file, error);
    }
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => this.#send());
  }

  #send(): void {
    this.#isScheduled = false;
    if (this.#isHeld) return;
    if (this.#waiting.length === 0 && this.#newNotes.size === 0) return;
    const units = this.#waiting.splice(0, this.#groupUnits);
    // Notes follow what was appended before them.
    const notes = this.#waiting.length === 0 ? this.#newNotes : noNotes;
    const group = groupOf(units, notes, this.#sentNumbers);
    if (notes === this.#newNotes) this.#newNotes.clear();
    this.#sentNumbers = { seq: group.seq, line: group.line };
    this.#sentUnits += units.length;
    this.#sentGroups += 1;
    this.#post({ group });
  }

  #post(order: Order): void {
    this.#worker.postMessage(order);
  }

  #hear(told: Told): void {
    if ("committed" in told) {
      this.#sentGroups -= told.groups;
      this.#sentUnits -= told.units;
      this.#tellCommitted(told.committed);
      this.#tellWaiters();
    } else if ("trouble" in told) {
      this.#say(told.trouble === null ? null : toError(told.trouble));
    } else {
      const asked = this.#asked.get(told.number);
      this.#asked.delete(told.number);
      if ("refusal" in told) asked?.reject(toError(told.refusal));
      else asked?.resolve(told.answer);
    }
  }

  #say(trouble: TroupeError | null): void {
    const isNew = trouble?.message !== this.#trouble?.message;
    this.#trouble = trouble;
    if (isNew) for (const tell of this.#tellTrouble) tell(trouble);
    this.#tellWaiters();
  }

  #threadEnded(cause: string): void {
    this.#ended ??= fault("store_ended", `the writer of ${this.#file} has ended (${cause}); start again`);
    for (const asked of this.#asked.values()) asked.reject(this.#ended);
    this.#asked.clear();
    this.#say(this.#ended);
  }

  #ask<T>(question: Question): Promise<T> {
    if (!this.#isOpen && question.ask !== "close") return Promise.reject(closedFault());
    if (this.#ended !== null) return Promise.reject(this.#ended);
    const number = (this.#questions += 1);
    return new Promise<T>((resolve, reject) => {
      this.#asked.set(number, { resolve: (answer) => resolve(answer as T), reject });
      this.#post({ number, question });
    });
  }

  #maintain<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#maintenance.then(act);
    // Whoever asked hears of the failure by what is returned; the next only waits for its turn.
    this.#maintenance = done.catch(() => undefined);
    return done;
  }

  /** Waits for that or for trouble. */
  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo() && this.#trouble === null) {
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }

  #tellWaiters(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const tell of waiters) tell();
  }
}

const noNotes: ReadonlyMap<string, string> = new Map();
const toError = ({ code, message, details }: ToldError): TroupeError => new TroupeError(code, message, details);

// Compiled files have another ending, inside the text of a program too.
const threadFile = import.meta.url.endsWith(".ts")
  ? new URL("./sqlite-worker.ts", import.meta.url)
  : new URL("./sqlite-worker.js", import.meta.url);

function* inParts(rows: Iterable<Row>): Generator<Row[], void, void> {
  let some: Row[] = [];
  for (const row of rows) {
    some.push(row);
    if (some.length < rowsPerMessage) continue;
    yield some;
    some = [];
  }
  if (some.length > 0) yield some;
}
