// Goal: a troupe whose writer has died says so and refuses what is new, and loses nothing that it acknowledged.
// Method: the thread of a store on disk is ended from outside; then the directory is opened again.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { troupe } from "../../src/runtime/troupe.ts";
import { refusal } from "./bed.ts";

const parts = {
  tools: [{ id: "fine", handler: () => ({ ok: true }) }],
  workflows: [
    { id: "works", tasks: [{ id: "a", type: "tool" as const, tool: "fine" }] },
    { id: "waits", tasks: [{ id: "w", type: "wait" as const, wait: { signal: "go" }, timeout: "1h" }] },
  ],
};

test("a troupe whose writer has died says it, refuses, stops, and is whole when it is opened again", async () => {
  const directory = await mkdtemp(join(tmpdir(), "troupe-dead-"));
  try {
    const writers: Worker[] = [];
    const note = (worker: Worker): void => void writers.push(worker);
    process.on("worker", note);
    const said: string[] = [];
    let tell = (): void => undefined;
    const dead = new Promise<void>((resolve) => (tell = resolve));
    const log = (_level: string, message: string, { message: why }: Readonly<Record<string, unknown>>): void => {
      said.push(`${message}: ${String(why)}`);
      if (message === "nothing can be written") tell();
    };
    const it = await troupe({ ...parts, store: { directory }, log });
    process.off("worker", note);
    const ended = await it.run("works");
    const { execId } = it.start("waits");
    await it.signal(execId, "other");
    expect(writers).toHaveLength(1);
    await writers[0]?.terminate();
    await dead;
    expect(said).toEqual([expect.stringMatching(/^nothing can be written: the writer of .*troupe.db has ended/)]);
    const gone = { code: "STORE_UNAVAILABLE", message: expect.stringContaining("start again") };
    expect(await refusal(() => it.run("works"))).toMatchObject(gone);
    expect(await refusal(() => it.cancel(execId))).toMatchObject(gone);
    expect(await refusal(() => it.list())).toMatchObject(gone);
    expect(it.get(ended.execId), "what is on disk can be read").toMatchObject({ status: "SUCCESS" });
    await it.stop({ graceMs: 0 });
    const again = await troupe({ ...parts, store: { directory } });
    expect(again.recovered).toMatchObject({ live: 1, parked: 0 });
    await again.signal(execId, "go");
    expect(await again.result(execId)).toMatchObject({ status: "SUCCESS" });
    await again.stop();
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
