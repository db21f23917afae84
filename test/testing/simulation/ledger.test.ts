// Goal: what was searched is counted for the code it was played on, and for no other.
// Method: folders of files that differ in name, content or place; lines that follow each other and lines that do not.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { added, codeOf, type Searched } from "../../../scripts/ledger.ts";

function hashOf(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "ledger-"));
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    return codeOf(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("the same code has the same name, and any other change of it another", () => {
  const code = { "a.ts": "1", "b/c.ts": "2" };
  expect(hashOf({ "b/c.ts": "2", "a.ts": "1" })).toBe(hashOf(code));
  expect(hashOf({ ...code, "notes.md": "no code" })).toBe(hashOf(code));
  const others = [{ ...code, "a.ts": "2" }, { "a.ts": "1", "b/d.ts": "2" }, { "a.ts": "1" }, { ...code, "e.ts": "" }];
  expect(new Set([code, ...others].map(hashOf)).size).toBe(5);
});

const line: Searched = { version: "1", code: "x", from: 1, seeds: 10, found: null, day: "2026-01-01" };
const next = { ...line, from: 11, day: "2026-01-02" };

test("searches of the same code that follow each other become one line", () => {
  expect(added([line], next)).toEqual([{ ...line, seeds: 20, day: "2026-01-02" }]);
});

test.each<[string, Searched, Searched]>([
  ["other code", line, { ...next, code: "y" }],
  ["another version", line, { ...next, version: "2" }],
  ["a gap between them", line, { ...next, from: 12 }],
  ["a finding at the end of the first", { ...line, found: 10 }, next],
])("they stay apart where there is %s", (_what, one, other) => {
  expect(added([one], other)).toEqual([one, other]);
});
