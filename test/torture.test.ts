// An engine in a process of its own, under load, is killed, frozen and drained, and loses nothing.
//
// Method: scripts/torture, with few cycles. What is held against the engine stands in ledgers that it cannot touch;
// `npm run torture -- --cycles 200` is the same for longer.

import { expect, test } from "vitest";
import { campaign } from "../scripts/torture/campaign.ts";
import { fullDisk, fullFile, readOnlyDirectory, secondProcess } from "../scripts/torture/disks.ts";
import { randomFrom } from "../src/testing/random.ts";

const random = randomFrom(Date.now() % 2 ** 31);

test("five lives end by force or by order, and nothing accepted is lost, doubled or left open", async () => {
  const report = await campaign({ cycles: 5, random });
  expect(report.findings).toEqual([]);
  expect(report.ended).toBe(report.accepted);
  expect(report.accepted).toBeGreaterThan(0);
  expect(report.ways).toEqual({ kill: 2, freeze: 1, drain: 1, early: 1 });
});

test.each([
  ["disk", fullDisk],
  ["file", fullFile],
])("a full %s is said, and takes nothing back", async (_what, scene) => {
  const { says, findings } = await scene(random);
  console.log(says);
  expect(findings).toEqual([]);
});

test("a directory that may not be written is refused by its name", async () => {
  const { says, findings } = await readOnlyDirectory();
  console.log(says);
  expect(findings).toEqual([]);
});

test("a directory that is taken is refused with the process that has it, and is free once that is killed", async () => {
  expect((await secondProcess()).findings).toEqual([]);
});
