// Goal: the examples pass `troupe check`. Method: each workflow of each is checked with a small budget.

import { globSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadChecked } from "../../src/testing/findings/load.ts";
import { checked, isBad } from "../../src/testing/report/checked.ts";
import { reportText } from "../../src/testing/report/text.ts";
import { root } from "../kit/tree.ts";

const folder = join(root, "examples");
const files = globSync("*/workflows/*.{yaml,ts}", { cwd: folder }).toSorted();

test("there are examples to check", () => {
  expect(files.length).toBeGreaterThan(10);
});

test.each(files)("%s passes", async (file) => {
  const loaded = await loadChecked(file, folder);
  const result = await checked(loaded, { seed: 1, runs: 300, timeMs: 100_000 });
  const bad = result.findings.filter(isBad);
  expect(bad, reportText({ ...result, findings: bad }, { command: `troupe check ${file}` })).toEqual([]);
  // Whoever is stood in for without a word on what it answers is in the list.
  expect(result.report?.assumed.length).toBeGreaterThan(0);
});
