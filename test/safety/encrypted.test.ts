// Goal: with a key file nothing that was given, said, returned or defined can be read from the data directory.
// Method: a troupe on a real directory is used in every way that writes; then the bytes of all its files are searched
// for the words that were planted. The same without a key finds them all: the search can find.

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Options, type Troupe, troupe } from "../../src/runtime/troupe.ts";
import { addKey } from "../../src/store/key-file.ts";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "troupe-encrypted-"))));
afterEach(() => rmSync(folder, { recursive: true }));

const words = {
  input: "PLANTEDINPUT",
  output: "PLANTEDOUTPUT",
  error: "PLANTEDERROR",
  details: "PLANTEDDETAILS",
  label: "PLANTEDLABEL",
  signal: "PLANTEDSIGNAL",
  reason: "PLANTEDREASON",
  definition: "PLANTEDDEFINITION",
  key: "PLANTEDKEY",
  large: "PLANTEDLARGE",
};

const parts: Pick<Options, "workflows" | "tools" | "limits"> = {
  tools: [
    {
      id: "work",
      handler: ({ n }: { n?: number }) => ({ said: words.output, large: words.large.repeat((n ?? 0) * 10_000) }),
    },
    {
      id: "fail",
      handler: () => {
        throw Object.assign(new Error(words.error), { details: { about: words.details } });
      },
    },
  ],
  workflows: [
    {
      id: "well",
      description: words.definition,
      tasks: [{ id: "a", type: "tool", tool: "work", with: { text: words.definition, n: 4 } }],
    },
    { id: "badly", tasks: [{ id: "a", type: "tool", tool: "fail" }] },
    {
      id: "waits",
      tasks: [
        { id: "w", type: "wait", wait: { signal: "go" }, timeout: "1h", next: "b" },
        { id: "b", type: "tool", tool: "work" },
      ],
    },
  ] as NonNullable<Options["workflows"]>,
};

async function use(store: { directory: string; keyFile?: string }): Promise<Troupe> {
  const t = await troupe({ ...parts, store });
  const options = { labels: { customer: words.label }, idempotencyKey: words.key };
  await run(t, "well", { about: words.input }, options);
  await run(t, "badly", {});
  const waiting = t.start("waits", {});
  await waiting.accepted();
  await t.signal(waiting.execId, "go", { text: words.signal });
  await waiting.result();
  const canceled = t.start("waits", {});
  await canceled.accepted();
  await t.cancel(canceled.execId, words.reason);
  return t;
}

const run = (t: Troupe, ...given: Parameters<Troupe["start"]>): Promise<unknown> => t.start(...given).result();

const foundIn = (directory: string): string[] => {
  const files = readdirSync(directory, { recursive: true }).map((name) => join(directory, String(name)));
  const texts = files.filter((file) => statSync(file).isFile()).map((file) => readFileSync(file).toString("latin1"));
  return Object.values(words).filter((word) => texts.some((text) => text.includes(word)));
};

test("no word is in any file, while it runs, after it, and in a backup; and all of it comes back", async () => {
  const store = { directory: join(folder, "data"), keyFile: join(folder, "keys") };
  addKey(store.keyFile);
  const t = await use(store);
  await t.backup(join(store.directory, "backup.db"));
  expect(foundIn(store.directory)).toEqual([]);
  await t.stop();
  expect(foundIn(store.directory)).toEqual([]);
  const again = await troupe({ ...parts, store });
  const { items } = await again.list({ labels: { customer: words.label }, limit: 10 });
  expect(items).toHaveLength(1);
  expect(await again.result(items[0]?.execId ?? "")).toMatchObject({ status: "SUCCESS" });
  expect((await again.list({ text: words.error, limit: 10 })).items.length).toBeGreaterThan(0);
  const same = again.start(
    "well",
    { about: words.input },
    { labels: { customer: words.label }, idempotencyKey: words.key },
  );
  expect(same.duplicate).toBe(true);
  await again.stop();
});

test("without a key the same search finds them, so it can find", async () => {
  const store = { directory: join(folder, "data") };
  const t = await use(store);
  await t.stop();
  expect(foundIn(store.directory)).toEqual(Object.values(words));
});
