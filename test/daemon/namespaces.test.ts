// Goal: two namespaces on one server do not see each other.
// Method: two daemons that differ in their prefix alone, and a listener to everything that passes by.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { readConfig } from "../../src/daemon/config.ts";
import { type Daemon, openDaemon } from "../../src/daemon/daemon.ts";
import { emptyFolder } from "../kit/daemon.ts";
import { natsForThisFile } from "../kit/nats.ts";

const nats = natsForThisFile();
const daemons = new Map<string, Daemon>();
const prefixes = ["north", "south"] as const;

beforeAll(async () => {
  const key = join(emptyFolder("key"), "operator.nk");
  nats.server().credentials(key);
  for (const prefix of prefixes) {
    const folder = emptyFolder(prefix);
    mkdirSync(join(folder, "workflows"));
    const agent = `{ id: clerk, kind: module, module: "./clerk.mjs#clerk" }`;
    writeFileSync(
      join(folder, "troupe.yaml"),
      `version: 1\nname: ${prefix}\nprefix: ${prefix}\nagents:\n  - ${agent}\n`,
    );
    writeFileSync(join(folder, "clerk.mjs"), `export const clerk = () => ({ from: "${prefix}" });\n`);
    writeFileSync(join(folder, "workflows/w.yaml"), "id: w\ntasks:\n  - { id: ask, type: agent, agent: clerk }\n");
    const flags = {
      config: join(folder, "troupe.yaml"),
      data_dir: join(folder, "data"),
      port: 0,
      grace: 0,
      watch: false,
    };
    const there = { transport: "nats", nats_url: nats.server().url() };
    const config = await readConfig({ flags: { ...flags, ...there }, environment: { TROUPE_NATS_KEY: key } });
    daemons.set(prefix, await openDaemon(config, { write: () => undefined }));
  }
});
afterAll(async () => {
  for (const daemon of daemons.values()) await daemon.close();
});

test("each is the orchestrator of its own, and what one says the other does not hear", async () => {
  const { authenticator } = nats.server();
  const listener = await connect({ servers: nats.server().url(), authenticator });
  const senders = new Map<string, Set<string>>();
  const others = new Set<string>();
  listener.subscribe(">", {
    callback(_error, { subject, headers }) {
      const [first = ""] = subject.split(".");
      const from = headers?.get("Troupe-From") ?? "";
      if (from === "") others.add(first);
      else senders.set(first, (senders.get(first) ?? new Set()).add(from));
    },
  });
  await listener.flush();
  // The same id in both: only the prefix tells them apart.
  const execId = "0199aaaa-0000-7000-8000-00000000abcd";
  for (const prefix of prefixes) {
    const { result } = (daemons.get(prefix) as Daemon).troupe().start("w", {}, { execId });
    expect(await result()).toMatchObject({ output: { from: prefix } });
  }
  // What was said leaves once it is on disk, and that may be after the result is known.
  await vi.waitFor(() => expect(senders.size).toBe(prefixes.length), { timeout: 20_000 });
  const north = senders.get("north") ?? new Set();
  const south = senders.get("south") ?? new Set();
  expect([north.size, south.size, new Set([...north, ...south]).size]).toEqual([1, 1, 2]);
  // Whatever else passed by is of the server itself, or of neither.
  for (const first of others) expect(["north", "south"].includes(first) || /^[$_]/.test(first), first).toBe(true);
  const streams: string[] = [];
  for await (const { config } of (await jetstreamManager(listener)).streams.list()) streams.push(config.name);
  const own = ["COMMANDS", "EVENTS", "LOGS", "REJECTED"];
  expect(streams.toSorted()).toEqual(
    prefixes.flatMap((prefix) => [`KV_${prefix}_LEASES`, ...own.map((name) => `${prefix}_${name}`)]).toSorted(),
  );
  await listener.close();
});
