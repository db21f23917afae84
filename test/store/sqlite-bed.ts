// Directories for stores on disk, and what can happen to them.

import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openSqlite, type SqliteOptions } from "../../src/store/sqlite.ts";
import type { Store } from "../../src/store/store.ts";
import { type Bed, committed } from "./contract.ts";

export type SqliteBed = Bed & {
  directory(): string;
  openWith(options: Omit<SqliteOptions, "directory">): Store;
  /** Changes the files of a store that nobody has open. */
  tamper(sql: string): void;
};

export function makeSqliteBed(always: Omit<SqliteOptions, "directory"> = {}): SqliteBed {
  const root = mkdtempSync(join(tmpdir(), "troupe-store-"));
  const stores: Store[] = [];
  let count = 0;
  let directory = "";
  let breaker: DatabaseSync | null = null;

  const move = (): string => {
    directory = join(root, `data-${(count += 1)}`);
    mkdirSync(directory);
    return directory;
  };
  move();
  const openWith = (options: Omit<SqliteOptions, "directory">): Store => {
    const store = openSqlite({ directory, ...always, ...options });
    stores.push(store);
    return store;
  };
  // The thread may be writing meanwhile: then the copy has a torn tail, as after a loss of power.
  const imageOf = async (store: Store): Promise<void> => {
    store.onCommitted(() => {});
    const from = directory;
    move();
    for (const name of ["troupe.db", "troupe.db-wal", "troupe.tail"]) {
      if (existsSync(join(from, name))) copyFileSync(join(from, name), join(directory, name));
    }
    await store.close();
  };

  return {
    directory: () => directory,
    openWith,
    open: () => openWith({}),
    crash: imageOf,
    tear: async (store) => {
      await committed(store, Infinity, () => store.pending() === 0);
      await imageOf(store);
      const log = join(directory, "troupe.db-wal");
      truncateSync(log, statSync(log).size - 5_000);
    },
    // Who holds the lock of a database keeps all others from writing.
    breakDisk: () => {
      breaker = new DatabaseSync(join(directory, "troupe.db"), { timeout: 5_000 });
      breaker.exec("begin immediate");
    },
    mendDisk: () => breaker?.close(),
    openBackup: (name) => {
      copyFileSync(join(root, name), join(move(), "troupe.db"));
      return openWith({});
    },
    pathOf: (name) => join(root, name),
    tamper: (sql) => {
      const database = new DatabaseSync(join(directory, "troupe.db"));
      database.exec(sql);
      database.close();
    },
    clear: async () => {
      for (const store of stores) await store.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}
