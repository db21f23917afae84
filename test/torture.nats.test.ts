// Engine, NATS server and runtimes, each a process of its own, are killed under load, and nothing is lost or doubled.
//
// Method: scripts/torture, with few cycles. What is held against them stands in ledgers that none of them can touch,
// and in what an outsider heard; `npm run torture -- --transport nats --cycles 100` is the same for longer.

import { expect, test } from "vitest";
import { campaignApart } from "../scripts/torture/apart.ts";
import { randomFrom } from "../src/testing/random.ts";

test("engine, server and runtimes are killed in turn, and all that was accepted ends as it had to, once", async () => {
  const report = await campaignApart({ cycles: 3, random: randomFrom(Date.now() % 2 ** 31) });
  expect(report.findings).toEqual([]);
  expect(report.ended).toBe(report.accepted);
  expect(report.accepted).toBeGreaterThan(0);
  expect(report.heard).toBeGreaterThan(report.accepted);
  for (const way of ["engine kill", "server kill", "runtime kill"]) {
    expect(report.ways[way]).toBeGreaterThanOrEqual(1);
  }
});
