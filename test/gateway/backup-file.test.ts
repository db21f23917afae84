// Goal: whoever asks for a copy over the network cannot have it become a file that another program believes.
// Method: paths one after the other, in a folder that has some of them.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkBackupFile } from "../../src/gateway/backup-file.ts";

test("a new file of a folder may be written, and nothing that is there, is named otherwise, or has no folder", () => {
  const folder = mkdtempSync(join(tmpdir(), "troupe-backup-"));
  const taken = join(folder, "taken.db");
  writeFileSync(taken, "");
  expect(() => checkBackupFile(join(folder, "copy.db"))).not.toThrow();
  const wrong = [
    taken,
    join(folder, "authorized_keys"),
    join(folder, "none", "copy.db"),
    "copy.db",
    "../copy.db",
    "",
    "/",
  ];
  for (const file of [...wrong, `${join(folder, "a")}\0.db`, join(taken, "copy.db")]) {
    expect(() => checkBackupFile(file), file).toThrow("no copy is written");
  }
  rmSync(folder, { recursive: true });
});
