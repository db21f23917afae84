// Writes a data directory of this release for later releases to open: executions that wait, pause, retry and run.
//
//   node scripts/release-fixture.ts            into test/fixtures/releases/<version>
//
// A first life is stopped as it should be and leaves checkpoints; a second is killed and leaves records after them.

import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { troupe, type Options } from "../src/runtime/troupe.ts";
import { openSqlite } from "../src/store/sqlite.ts";
import { randomFrom } from "../src/testing/random.ts";
import { virtualClock } from "../src/testing/virtual-clock.ts";
import { version } from "../src/version.ts";
import type { WorkflowSpec } from "../src/language/spec.ts";

const target = join(import.meta.dirname, `../test/fixtures/releases/${version}`);
const { workflows } = (await import(join(target, "workflows.ts"))) as { workflows: readonly WorkflowSpec[] };
const directory = mkdtempSync(join(tmpdir(), "troupe-fixture-"));
const clock = virtualClock(Date.UTC(2026, 10, 1));

const failing = (): never => {
  throw Object.assign(new Error("not yet"), { code: "NOT_YET" });
};
const options = (seed: number): Options => ({
  clock,
  random: randomFrom(seed),
  workflows,
  agents: [
    { id: "clerk", handler: (input) => ({ answer: input }) },
    { id: "slow", handler: () => new Promise(() => undefined) },
  ],
  tools: [
    { id: "look", handler: (input) => ({ seen: input }) },
    { id: "second-time", handler: failing },
  ],
});

/** Begins these, and lets everything happen that needs no time. */
async function live(seed: number, starts: readonly string[]) {
  const store = openSqlite({ directory });
  const it = await troupe({ ...options(seed), store });
  for (const [index, id] of starts.entries()) {
    it.start(id, { q: index }, { idempotencyKey: `${seed}-${index}`, labels: { life: String(seed) } });
  }
  for (let still = 0, last = -1; still < 100; still = it.stats().seq === last ? still + 1 : 0) {
    last = it.stats().seq;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return { it, store };
}

const first = await live(1, ["short", "signaled", "patient", "paused", "wide"]);
await first.it.stop({ graceMs: 0 });
await first.store.close();
clock.jump(60_000);
const second = await live(2, ["short", "signaled", "retried", "asked"]);
for (const name of ["troupe.db", "troupe.db-wal", "troupe.tail"]) {
  copyFileSync(join(directory, name), join(target, name));
}
// Whoever has it open last writes the log beside the file into the file.
const database = new DatabaseSync(join(target, "troupe.db"));
database.exec("pragma wal_checkpoint(truncate)");
database.close();
await second.it.stop({ graceMs: 0 });
await second.store.close();
rmSync(directory, { recursive: true, force: true });
