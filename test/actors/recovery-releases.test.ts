// What earlier releases left behind goes on in this one, and ends.
//
// Method: the data directory of each release is copied, opened in time that stands still, given what its executions
// wait for, and watched until everything has ended.

import { copyFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { WorkflowSpec } from "../../src/language/spec.ts";
import { rebuildViews } from "../../src/actors/views.ts";
import { troupe } from "../../src/runtime/troupe.ts";
import { openSqlite } from "../../src/store/sqlite.ts";
import { randomFrom } from "../../src/testing/random.ts";
import { virtualClock } from "../../src/testing/virtual-clock.ts";
import { version } from "../../src/version.ts";

const releases = join(import.meta.dirname, "../fixtures/releases");
const directory = mkdtempSync(join(tmpdir(), "troupe-releases-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** How each of its executions ends, by release. */
const ends: Record<string, Record<string, number>> = {
  "0.1.0": { short: 2, signaled: 3, patient: 1, paused: 1, retried: 1, asked: 1, wide: 1 },
};

test("every release has left a directory, this one too", () => {
  expect(readdirSync(releases)).toEqual(Object.keys(ends));
  expect(Object.keys(ends)).toContain(version);
});

const hourMs = 3_600_000;

describe.each(Object.keys(ends))("the directory of %s", (release) => {
  test("is opened, and its executions end", async () => {
    for (const name of ["troupe.db", "troupe.tail"]) {
      copyFileSync(join(releases, release, name), join(directory, name));
    }
    const { workflows } = (await import(join(releases, release, "workflows.ts"))) as {
      workflows: readonly WorkflowSpec[];
    };
    const store = openSqlite({ directory });
    const clock = virtualClock(Date.UTC(2026, 10, 1) + 5 * 60_000);
    const logged: string[] = [];
    const it = await troupe({
      store,
      clock,
      random: randomFrom(7),
      limits: { retentionMs: 10_000 * hourMs },
      workflows,
      agents: [
        { id: "clerk", handler: (input) => ({ answer: input }) },
        { id: "slow", handler: () => ({ done: true }) },
      ],
      tools: [
        { id: "look", handler: (input) => ({ seen: input }) },
        { id: "second-time", handler: (_input, { attempt }) => ({ attempt }) },
      ],
      log: (level, message, fields) => logged.push(`${level} ${message} ${JSON.stringify(fields)}`),
    });
    expect(it.recovered.parked).toBe(0);
    const workflowsNow = async () => (await it.list({ entity: "workflow", limit: 500 })).items;
    const isOpen = ({ status }: { status: string }): boolean => status === "RUNNING" || status === "PAUSED";
    const settle = async (): Promise<void> => {
      for (let last = -1; last !== it.stats().seq;) {
        last = it.stats().seq;
        // A question waits for its turn behind what was written.
        for (let turn = 0; turn < 3; turn++) await workflowsNow();
      }
    };
    for (let step = 0; step < 200 && (await workflowsNow()).some(isOpen); step++) {
      for (const { id, execId, status } of await workflowsNow()) {
        if (id === "signaled" && status === "RUNNING") it.signal(execId, "go", {}).catch(() => undefined);
        if (id === "paused" && status === "PAUSED") await it.resume(execId);
      }
      await settle();
      clock.jump(12 * hourMs);
      clock.advanceTo(clock.now());
      await settle();
    }
    const found = await workflowsNow();
    expect(found.filter(({ status }) => status !== "SUCCESS")).toEqual([]);
    const counts = await it.count({ entity: "workflow" }, "id");
    expect(counts).toEqual(ends[release]);
    expect(logged).toEqual([]);
    await it.stop({ graceMs: 0 });
    await store.close();

    const again = openSqlite({ directory });
    const rows = (await again.find({ limit: 500, order: "oldest" })).rows;
    await rebuildViews(again);
    expect((await again.find({ limit: 500, order: "oldest" })).rows).toEqual(rows);
    await again.close();
  });
});
