// A data directory belongs to one process, as long as that process lives.
//
// The lock is the operating system's, held through SQLite on a file of its own: it ends with the process however
// that ends, so there is no stale lock, no reused pid to be taken in by, and other containers see it as well. The file
// says who has it.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fault } from "./faults.ts";

const busy = 5;
const corrupt = 11;
const notADatabase = 26;
const codeOf = (error: unknown): number =>
  error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : 0;

/** Takes the directory and gives what lets go of it. */
export function lockDirectory(directory: string): () => void {
  const file = join(directory, "troupe.lock");
  try {
    return take(file, directory);
  } catch (error) {
    // Nobody can have it: a power failure may leave the file in any state, and there is nothing in it to lose.
    if (codeOf(error) !== corrupt && codeOf(error) !== notADatabase) throw error;
    rmSync(file);
    return take(file, directory);
  }
}

function take(file: string, directory: string): () => void {
  const database = new DatabaseSync(file);
  try {
    database.exec("pragma journal_mode = memory; pragma synchronous = off; begin immediate");
    database.exec("create table if not exists holder (one integer primary key, pid integer not null)");
    database.prepare("replace into holder values (1, ?)").run(process.pid);
    database.exec("commit; begin immediate");
    return () => database.close();
  } catch (error) {
    const pid = codeOf(error) === busy ? holderOf(database) : undefined;
    database.close();
    if (pid === undefined) throw error;
    throw fault(
      "store_locked",
      `${directory} is in use by process ${pid}; stop that process, or choose another directory`,
      { directory, pid },
      { cause: error },
    );
  }
}

// Others may read while one holds the lock. Whoever is just taking it has not written its name yet.
function holderOf(database: DatabaseSync): number | "unknown" {
  try {
    return Number(database.prepare("select pid from holder").get()?.["pid"] ?? "unknown");
  } catch {
    return "unknown";
  }
}
