// Where a copy of the store may be written when somebody asks for it over the network.
//
// The place is on the machine of the daemon, and holds whatever clients have said: it must never become a file that
// another program believes, nor take the place of one that is there.

import { existsSync, statSync } from "node:fs";
import { dirname, isAbsolute } from "node:path";
import { TroupeError } from "../protocol/errors.ts";
import { clip } from "../protocol/refusal.ts";

const ending = ".db";

/** Throws if it may not be written there. */
export function checkBackupFile(file: string): void {
  const why = defectOf(file);
  if (why === undefined) return;
  const errors = [{ field: "file", message: why }];
  throw new TroupeError("VALIDATION_FAILED", `no copy is written to '${clip(file)}': file ${why}`, { errors });
}

function defectOf(file: string): string | undefined {
  if (file.includes("\0")) return "cannot hold a zero byte";
  if (!isAbsolute(file)) return "must be a whole path, on the machine of the daemon";
  if (!file.endsWith(ending)) return `must end with ${ending}`;
  if (existsSync(file)) return "is there already: choose another name, or take it away first";
  const folder = dirname(file);
  return statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true
    ? undefined
    : `has no folder: make ${folder}`;
}
