// What was searched adds up in a file, by version and by the code itself: a seed counts for what it was played on.

import { createHash } from "node:crypto";
import { globSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** `code` is missing in lines of before it was noted. */
export type Searched = {
  version: string;
  code?: string;
  from: number;
  seeds: number;
  found: number | null;
  day: string;
};

/** The same for the same files with the same content, wherever they lie. */
export function codeOf(folder: string): string {
  const hash = createHash("sha256");
  for (const file of globSync("**/*.ts", { cwd: folder }).sort()) {
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(folder, file)))
      .update("\0");
  }
  return hash.digest("hex").slice(0, 12);
}

/** Searches of the same code that follow each other become one line. */
export function added(lines: readonly Searched[], one: Searched): Searched[] {
  const last = lines.at(-1);
  const isNext =
    last &&
    last.code === one.code &&
    last.version === one.version &&
    last.found === null &&
    last.from + last.seeds === one.from;
  if (!isNext) return [...lines, one];
  return [...lines.slice(0, -1), { ...one, from: last.from, seeds: last.seeds + one.seeds }];
}

export function enter(file: URL, one: Searched): void {
  const lines = JSON.parse(readFileSync(file, "utf8")) as Searched[];
  // Whole or not at all: whoever searches may be stopped at any moment.
  const part = new URL(`${file.href}.part`);
  writeFileSync(part, `${JSON.stringify(added(lines, one), null, 2)}\n`);
  renameSync(part, file);
}
