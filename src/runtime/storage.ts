// Where everything of a troupe is kept, and what it keeps of itself there.

import { resolve } from "node:path";
import { afterTurn, type Clock } from "../actors/clock.ts";
import { seedAt } from "../protocol/ids.ts";
import { openMemory } from "../store/memory.ts";
import { openSqlite } from "../store/sqlite.ts";
import type { SealKey } from "../store/seal.ts";
import type { Store } from "../store/store.ts";
import type { Options } from "./options.ts";

export async function storeOf(given: NonNullable<Options["store"]>, isRealTime: boolean): Promise<Store> {
  // Between two commits the process has its turn: timers ring, sockets are read. Where time is played, nothing waits.
  if (given === "memory") return openMemory(isRealTime ? { commit: afterTurn } : {});
  if (!("directory" in given)) return given;
  const { directory, keyFile } = given;
  return openSqlite({ directory: resolve(directory), ...(keyFile !== undefined && { keys: await keysIn(keyFile) }) });
}

/** Read only where there is one. */
async function keysIn(file: string): Promise<readonly SealKey[]> {
  const { readKeyFile } = await import("../store/key-file.ts");
  return readKeyFile(resolve(file));
}

/** The runtime of this process is the same one after a restart: what it had begun it begins again. */
export function runtimeId(store: Store, clock: Clock, random: () => number): string {
  const known = store.note("runtime_id");
  if (known !== undefined) return known;
  const minted = seedAt(clock.now(), random);
  store.setNote("runtime_id", minted);
  return minted;
}
