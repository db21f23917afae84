// The tables of the database, how an older one becomes the present one, and one record, row or run as a list of values.
//
// A release appends to `migrations` and changes nothing in what is there: `user_version` counts those that have run.

import type { Checkpoint, Key, LogRecord, Row, RunState } from "./store.ts";

export type Value = string | number | null;

// What the connections agree on. A commit is on the disk when it returns (FULL), in the log beside the file (WAL).
// Checkpoints of that log are rare, so that a page that changes often is copied once; it is read again after a crash,
// so it must not be large.
export const settings = `
  pragma page_size = 8192;
  pragma journal_mode = wal;
  pragma synchronous = full;
  pragma wal_autocheckpoint = 8000;
  pragma journal_size_limit = 67108864;
  pragma cache_size = -16000;
  pragma cell_size_check = on;
  pragma temp_store = memory;
`;

// Rows are kept in a table by number, and every index holds that number: ids stand in as few places as possible.
// `log_run` needs no seq: it is the number of the row, by which an index is ordered within equal keys.
export const migrations: readonly string[] = [
  `
  create table meta (
    one integer primary key check (one = 1), seq integer not null, line integer not null, kept integer not null
  ) strict;
  insert into meta values (1, 0, 0, 0);

  create table log (
    seq integer primary key, run text not null, at integer not null, line integer not null, lines integer not null,
    checksum integer not null, blob text, body text not null
  ) strict;
  create index log_run on log (run);
  create index log_blob on log (blob) where blob is not null;
  create table blobs (sha256 text primary key, bytes blob not null) strict;

  create table checkpoints (
    run text primary key, seq integer not null, checksum integer not null, body text not null
  ) strict;

  create table runs (
    run text primary key, state text not null, due_at integer, at integer not null
  ) strict, without rowid;
  create index runs_live on runs (due_at) where state <> 'ended';
  create index runs_ended on runs (at) where state = 'ended';

  create table rows (
    exec_id text primary key, entity text not null, id text not null, run text not null, parent text,
    status text not null, attempt integer not null, correlation_id text not null, created_at integer not null,
    ended_at integer, error_code text, text text not null, labels text, body text not null
  ) strict;
  create index rows_run on rows (run);
  create index rows_parent on rows (parent) where parent is not null;
  create index rows_id on rows (id, created_at);
  create index rows_status on rows (status, created_at);
  create index rows_created on rows (created_at);

  create table keys (
    key text primary key, exec_id text not null, fingerprint text not null, expires_at integer not null
  ) strict, without rowid;
  create index keys_expiry on keys (expires_at);

  create table notes (name text primary key, value text not null) strict, without rowid;
  `,
  // Which keys anything here may be sealed with.
  "create table sealing (key_id text primary key) strict, without rowid",
];

export const insertRecord = "insert into log values (?, ?, ?, ?, ?, ?, ?, ?)";
export const upsertCheckpoint = "replace into checkpoints values (?, ?, ?, ?)";

// What never changes of a row stays out of the update, and so do the indexes over it.
export const upsertRow = `
  insert into rows values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (exec_id) do update set
    status = excluded.status, attempt = excluded.attempt, ended_at = excluded.ended_at,
    error_code = excluded.error_code, text = excluded.text, labels = excluded.labels, body = excluded.body`;
export const upsertRun = `
  insert into runs values (?, ?, ?, ?) on conflict (run) do update set
    state = excluded.state, due_at = excluded.due_at, at = excluded.at`;
export const upsertKey = `
  insert into keys values (?, ?, ?, ?) on conflict (key) do update set
    exec_id = excluded.exec_id, fingerprint = excluded.fingerprint, expires_at = excluded.expires_at`;
export const upsertNote = "insert into notes values (?, ?) on conflict (name) do update set value = excluded.value";

export const recordValues = (it: LogRecord): Value[] => [it.seq, it.run, it.at, it.line, it.lines, it.body];
export const checkpointValues = (it: Checkpoint): Value[] => [it.run, it.seq, it.body];
export const runValues = (it: RunState): Value[] => [it.run, it.state, it.dueAt, it.at];
export const keyValues = (it: Key): Value[] => [it.key, it.execId, it.fingerprint, it.expiresAt];
export const rowValues = (it: Row): Value[] => [
  it.execId,
  it.entity,
  it.id,
  it.run,
  it.parent,
  it.status,
  it.attempt,
  it.correlationId,
  it.createdAt,
  it.endedAt,
  it.errorCode,
  it.text,
  it.labels === null ? null : JSON.stringify(it.labels),
  it.body,
];

// The way back: what a statement that selects these columns gives is the object itself, but for what needs decoding.
export const runColumns = "run, due_at as dueAt, state, at";
export const keyColumns = "key, exec_id as execId, fingerprint, expires_at as expiresAt";
export const recordColumns = `seq, run, at, line, lines, body, checksum, blob, (
  select bytes from blobs where sha256 = log.blob) as bytes`;
export const rowColumns = `exec_id as execId, entity, id, run, parent, status, attempt,
  correlation_id as correlationId, created_at as createdAt, ended_at as endedAt, error_code as errorCode,
  text, labels, body`;
