// What the parent was told, on disk before it goes on: the memory that the engine's crashes cannot touch.

import { closeSync, existsSync, fdatasyncSync, openSync, readFileSync, writeSync } from "node:fs";
import type { End } from "../../src/runtime/desk.ts";
import type { Ran } from "./company.ts";

export type Entry =
  | { what: "accepted"; key: string; execId: string; at: number }
  | { what: "ended"; key: string; end: End; at: number };

export function openLedger(file: string) {
  const handle = openSync(file, "a");
  return {
    write(entry: Entry): void {
      writeSync(handle, `${JSON.stringify(entry)}\n`);
      fdatasyncSync(handle);
    },
    close: () => closeSync(handle),
  };
}

/** What handlers wrote; the last line of a killed process may be half a line. */
export function ranIn(file: string): Ran[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8")
    .split("\n")
    .flatMap((line) => {
      try {
        return line === "" ? [] : [JSON.parse(line) as Ran];
      } catch {
        return [];
      }
    });
}
