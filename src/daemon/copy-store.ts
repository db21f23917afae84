// A copy of the store of a daemon that does not run.

import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { checkBackupFile } from "../gateway/backup-file.ts";
import { readKeyFile } from "../store/key-file.ts";
import { openSqlite } from "../store/sqlite.ts";
import { heldStore } from "./held.ts";
import type { Settings } from "./settings.ts";

/** False, if there is no store; throws if another process has it. */
export async function copyStore({ data_dir, key_file }: Settings, file: string): Promise<boolean> {
  const directory = resolve(data_dir);
  if (!existsSync(join(directory, "troupe.db"))) return false;
  checkBackupFile(file);
  try {
    const store = openSqlite({ directory, ...(key_file !== null && { keys: readKeyFile(resolve(key_file)) }) });
    try {
      await store.backup(file);
    } finally {
      await store.close();
    }
    return true;
  } catch (error) {
    throw heldStore(error);
  }
}
