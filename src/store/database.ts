// Opening the database file: what it must be, what it becomes, and what an error of SQLite means to a person.

import type { TroupeError } from "../protocol/errors.ts";
import { DatabaseSync } from "node:sqlite";
import { fault, type FaultReason } from "./faults.ts";
import { migrations, settings } from "./schema.ts";

// Primary result codes of SQLite.
const corrupt = 11;
const full = 13;
const notADatabase = 26;

/** Any error of SQLite as a fault that names the file and what to do. */
export function databaseFault(file: string, error: unknown): TroupeError {
  const reason = reasonOf(error);
  const why = error instanceof Error ? error.message : String(error);
  const message = {
    store_full: `there is no room to write ${file} (${why}); nothing is lost: free some space, it is tried again`,
    store_damaged: `${file} is damaged (${why}); stop, keep a copy of it, and put a backup in its place`,
    store_failed: `${file} cannot be used (${why})`,
  }[reason];
  return fault(reason, message, { file }, { cause: error });
}

function reasonOf(error: unknown): FaultReason & ("store_full" | "store_damaged" | "store_failed") {
  const code = error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : 0;
  if (code === full) return "store_full";
  return code === corrupt || code === notADatabase ? "store_damaged" : "store_failed";
}

/** What is read differs from what was written. */
export const damagedFault = (file: string, what: string): TroupeError =>
  fault("store_damaged", `${file} is damaged (${what}); stop, keep a copy of it, and put a backup in its place`, {
    file,
  });

// Somebody with a tool of their own may have the database for a moment; longer than that is trouble, and is said.
const patienceMs = 100;

export function connect(file: string, options: { readOnly?: boolean } = {}): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: patienceMs, ...options });
  if (options.readOnly !== true) database.exec(settings);
  return database;
}

/** The database in its present form. */
export function openDatabase(file: string): DatabaseSync {
  const database = connect(file);
  try {
    migrate(file, database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function migrate(file: string, database: DatabaseSync): void {
  const version = Number(database.prepare("pragma user_version").get()?.["user_version"]);
  if (version > migrations.length) {
    throw fault(
      "store_newer",
      `${file} was written by a later release (version ${version}, this one knows ${migrations.length}); ` +
        "start that release, or restore a backup that this one made",
      { file, version, known: migrations.length },
    );
  }
  for (const [index, migration] of migrations.entries()) {
    if (index < version) continue;
    database.exec(`begin immediate; ${migration}; pragma user_version = ${index + 1}; commit`);
  }
}
