// Goal: a daemon without a gateway says whether it lives and is ready, to whom a gateway would.
// Method: a role by itself on a real server, brought up in this process, and asked; with tokens and without.

import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { readConfig } from "../../src/daemon/config.ts";
import { type Daemon, openDaemon } from "../../src/daemon/daemon.ts";
import { createToken } from "../../src/gateway/tokens.ts";
import { emptyFolder } from "../kit/daemon.ts";
import { natsForThisFile } from "../kit/nats.ts";
import { root } from "../kit/tree.ts";

const nats = natsForThisFile();
const daemons: Daemon[] = [];
afterEach(async () => {
  for (const daemon of daemons.splice(0)) await daemon.close();
});

async function open(flags: Record<string, unknown> = {}): Promise<Daemon> {
  const key = join(emptyFolder("key"), "operator.nk");
  nats.server().credentials(key);
  const own = { config: join(root, "test/fixtures/daemon/troupe.yaml"), data_dir: emptyFolder(), grace: 0 };
  const there = { transport: "nats", nats_url: nats.server().url(), roles: "task-executor" };
  const config = await readConfig({ flags: { ...own, ...there, ...flags }, environment: { TROUPE_NATS_KEY: key } });
  const daemon = await openDaemon(config, { write: () => undefined });
  daemons.push(daemon);
  return daemon;
}

test("PB1: it answers what a gateway would, and says where the rest is", async () => {
  const { ready } = await open({ port: 0 });
  expect(ready).toMatchObject({ ws: "", durability: "memory", roles: ["task-executor"] });
  const at = async (path: string, method = "GET") => {
    const answer = await fetch(`${ready.http}${path}`, { method });
    return { status: answer.status, text: await answer.text() };
  };
  expect(await at("/api/health")).toMatchObject({
    status: 200,
    text: expect.stringContaining('"status":"ok"') as string,
  });
  expect(await at("/api/ready")).toEqual({ status: 200, text: '{"status":"ready","reasons":[]}' });
  expect(await at("/api/ready", "HEAD")).toEqual({ status: 200, text: "" });
  expect((await at("/api/metrics")).text).toContain("\ntroupe_ready 1\n");
  const other = await at("/api/workflows");
  expect([other.status, (JSON.parse(other.text) as { detail: string }).detail]).toEqual([
    404,
    "this process answers /api/health, /api/ready, /api/metrics; ask the orchestrator's daemon for the rest",
  ]);
});

test("PB1: figures need a token where there are tokens, and names that lead here are known", async () => {
  const file = join(emptyFolder(), "tokens.json");
  const { secret } = createToken(file, { name: "ada", scope: "read", expiresAt: null, now: Date.now() });
  const { ready } = await open({ port: 0, token_file: file });
  const at = async (path: string, headers = {}): Promise<number> =>
    (await fetch(`${ready.http}${path}`, { headers })).status;
  expect([await at("/api/health"), await at("/api/metrics")]).toEqual([200, 401]);
  expect(await at("/api/metrics", { authorization: `Bearer ${secret}` })).toBe(200);
  expect(await at("/api/health", { origin: "https://elsewhere.example" })).toBe(403);
});

test("without a port it answers nobody, keeps nothing, and is told apart by its roles", async () => {
  const { ready } = await open();
  expect(ready).toMatchObject({ http: "", ws: "", roles: ["task-executor"] });
});
