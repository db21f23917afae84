// A disk in memory: what is written there is there for the next store, and it breaks when told to.
//
//   store ──write(unit)──▶ disk ◀──breakAfter(2, "store_full"), mend()── a test
//     └ crash                └ survives

import { fault, type FaultReason } from "./faults.ts";
import { noNumbers, type Numbers, numbersAfter } from "./numbers.ts";
import type { Checkpoint, Key, LogRecord, Opened, Row, RunState, Unit } from "./store.ts";
import type { TroupeError } from "../protocol/errors.ts";

/** Everything of one run. */
export type RunFile = { state: RunState | undefined; records: LogRecord[]; checkpoint: Checkpoint | null };

export class Disk {
  numbers: Numbers = noNumbers;
  log: LogRecord[] = [];
  readonly runs = new Map<string, RunFile>();
  readonly rows = new Map<string, Row>();
  /** Their ids by run. */
  readonly rowsOfRun = new Map<string, Set<string>>();
  readonly keys = new Map<string, Key>();
  readonly notes = new Map<string, string>();
  /** Copies by the name they were given. */
  readonly backups = new Map<string, Disk>();
  /** Bytes that a crash left behind the last whole unit. */
  torn: Opened["cut"] = null;
  /** The store that has it; like a data directory, a disk belongs to one at a time. */
  owner: object | null = null;
  readonly #mended = new Set<() => void>();
  #unitsLeft = Infinity;
  #reason: FaultReason = "store_full";

  /** So many more units are written; then every write fails until it is mended. */
  breakAfter(units: number, reason: "store_full" | "store_failed"): void {
    this.#unitsLeft = units;
    this.#reason = reason;
  }

  mend(): void {
    this.#unitsLeft = Infinity;
    for (const act of this.#mended) act();
  }

  onMended(act: () => void): () => void {
    this.#mended.add(act);
    return () => this.#mended.delete(act);
  }

  trouble(): TroupeError | null {
    if (this.#unitsLeft > 0) return null;
    const message = this.#reason === "store_full" ? "the disk is full" : "the disk cannot be written";
    return fault(this.#reason, `${message}; nothing is lost, it is tried again`);
  }

  /** A whole unit or, if the disk is broken, nothing. */
  write(unit: Unit): boolean {
    if (this.#unitsLeft <= 0) return false;
    this.#unitsLeft -= 1;
    this.numbers = numbersAfter(this.numbers, unit);
    for (const record of unit.records) {
      this.log.push(record);
      this.#file(record.run).records.push(record);
    }
    for (const state of unit.runs) this.#file(state.run).state = state;
    for (const checkpoint of unit.checkpoints ?? []) this.#file(checkpoint.run).checkpoint = checkpoint;
    for (const row of unit.rows) this.writeRow(row);
    for (const key of unit.keys ?? []) this.keys.set(key.key, key);
    return true;
  }

  writeRow(row: Row): void {
    this.rows.set(row.execId, row);
    const ids = this.rowsOfRun.get(row.run);
    if (ids === undefined) this.rowsOfRun.set(row.run, new Set([row.execId]));
    else ids.add(row.execId);
  }

  forget(runs: ReadonlySet<string>): void {
    this.log = this.log.filter((record) => !runs.has(record.run));
    for (const run of runs) {
      this.runs.delete(run);
      for (const execId of this.rowsOfRun.get(run) ?? []) this.rows.delete(execId);
      this.rowsOfRun.delete(run);
    }
  }

  /** Another disk with the same content, whole and mended. */
  copy(): Disk {
    const copy = new Disk();
    copy.numbers = this.numbers;
    copy.log = [...this.log];
    for (const [run, file] of this.runs) copy.runs.set(run, { ...file, records: [...file.records] });
    for (const row of this.rows.values()) copy.writeRow(row);
    for (const [key, value] of this.keys) copy.keys.set(key, value);
    for (const [name, value] of this.notes) copy.notes.set(name, value);
    return copy;
  }

  #file(run: string): RunFile {
    let file = this.runs.get(run);
    if (file === undefined) this.runs.set(run, (file = { state: undefined, records: [], checkpoint: null }));
    return file;
  }
}

export const makeDisk = (): Disk => new Disk();
