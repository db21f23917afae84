// What the actor system asks of a store: one totally ordered log, what is alive, and the views made from the log.
//
//   append ─▶ group ─▶ commit ─▶ onCommitted(seq)          what leaves the process waits for that
//   restart ─▶ live() ─▶ load(run): checkpoint + tail      what is asleep is read when it is needed
//
// Every implementation passes test/store/contract.ts, which names these guarantees:
//   G1. What was appended in one unit is there whole after a crash, or not at all.
//   G2. After a crash the log is a prefix of what was appended: whatever is there has everything before it there.
//   G3. onCommitted(seq) is called in order, once a commit holds every record up to seq, and never before.
//   G4. Records count by one from 1, journal lines too; a record of another number is refused.
//   G5. load(run) and runOf(execId) give what is committed: the newest checkpoint, and the records after it in order.
//   G6. A full disk or a failed write loses nothing that was appended: it is kept, said by trouble(), and tried again.
//   G7. A torn tail is cut at the last whole unit and reported by opened().
//   G8. Rows are as the newest committed unit left them; find() and count() see nothing else.
//   G9. prune() takes whole ended runs, oldest first, and nothing of another run.

import type { TroupeError } from "../protocol/errors.ts";

/** What one input did to one run. */
export type LogRecord = {
  /** Its place in the log. */
  seq: number;
  run: string;
  at: number;
  /** The number of its first journal line, and how many it has. */
  line: number;
  lines: number;
  /** JSON: the input, what was answered, what was said. The store never reads it. */
  body: string;
};

/** What must be known of a run without reading it. */
export type RunState = {
  run: string;
  /** When its next timer is due. */
  dueAt: number | null;
  /** `busy`: something it began outside is under way and has to begin again after a crash. */
  state: "busy" | "waiting" | "ended" | "parked";
  at: number;
};

export type Checkpoint = { run: string; seq: number; body: string };

/** One execution as it is shown and found. What it is, whose it is and when it was created never change. */
export type Row = {
  execId: string;
  entity: "workflow" | "task" | "agent" | "tool" | "agent_runtime";
  id: string;
  run: string;
  /** The execution that contains or called it. */
  parent: string | null;
  status: string;
  attempt: number;
  correlationId: string;
  createdAt: number;
  endedAt: number | null;
  errorCode: string | null;
  /** What a search by text looks at: ids, labels, the error's message. */
  text: string;
  labels: Readonly<Record<string, string>> | null;
  /** JSON: whatever else is shown of it. The store never reads it. */
  body: string;
};

/** A key that a caller may use once: what it began, and for what content. */
export type Key = { key: string; execId: string; fingerprint: string; expiresAt: number };

/** What is appended together: it survives together or not at all. From then on it is the store's: nobody changes it. */
export type Unit = {
  records: readonly LogRecord[];
  runs: readonly RunState[];
  rows: readonly Row[];
  checkpoints?: readonly Checkpoint[];
  keys?: readonly Key[];
};

export type Query = {
  entity?: Row["entity"];
  /** Definition id. */
  id?: string;
  status?: readonly string[];
  run?: string;
  parent?: string;
  errorCode?: string;
  correlationId?: string;
  text?: string;
  labels?: Readonly<Record<string, string>>;
  createdFrom?: number;
  createdUntil?: number;
  /** Newest first unless asked otherwise. A cursor is where the last page ended. */
  order?: "newest" | "oldest";
  after?: string;
  limit: number;
};

export type Page = { rows: Row[]; cursor: string | null };

/** What was found when the store was opened. */
export type Opened = {
  seq: number;
  line: number;
  /** What was cut from a torn tail, and why. */
  cut: { records: number; reason: string } | null;
};

export interface Store {
  opened(): Opened;

  /** Never waits and never throws for the disk's sake: see trouble(). Commits follow in groups. */
  append(unit: Unit): void;
  /** One listener: everything up to this record is on disk. */
  onCommitted(listener: (seq: number) => void): void;
  /** Why nothing can be written at present; null when all is well. Listeners hear each change. */
  trouble(): TroupeError | null;
  onTrouble(listener: (trouble: TroupeError | null) => void): void;
  /** How many units are appended and not committed. */
  pending(): number;

  // Point reads answer at once, from what is committed.
  load(run: string): { checkpoint: Checkpoint | null; tail: LogRecord[]; state: RunState } | undefined;
  runOf(execId: string): string | undefined;
  rowsOf(run: string): Row[];
  row(execId: string): Row | undefined;
  key(key: string, now: number): Key | undefined;

  /** Runs that have not ended, by due time. */
  live(): Iterable<RunState>;

  // Questions of people may take their time.
  find(query: Query): Promise<Page>;
  count(
    query: Omit<Query, "limit" | "after" | "order">,
    by: "status" | "id" | "entity",
  ): Promise<Record<string, number>>;
  /** Records in order: of a run, or of all, from a place on. With `charsMax` the one that reaches it is the last. */
  read(from: {
    run?: string;
    afterSeq?: number;
    fromLine?: number;
    limit: number;
    charsMax?: number;
  }): Promise<LogRecord[]>;

  /** Forgets runs that ended before a time, so many at most; gives how many. */
  prune(endedBefore: number, max: number): Promise<number>;
  /** Replaces every row: the views are built anew from the log. Commits wait for it. */
  rebuild(rows: Iterable<Row>): Promise<void>;

  /** Small things to remember; what is set is told at once, and on disk no sooner than what was appended before. */
  note(name: string): string | undefined;
  setNote(name: string, value: string): void;
  /** Resolves once everything that was appended or set before is on disk; rejects if nothing can be written. */
  saved(): Promise<void>;

  /** A whole copy while it is in use. */
  backup(file: string): Promise<void>;
  /** Commits what is appended, unless it cannot, and lets go of the directory. */
  close(): Promise<void>;
}
