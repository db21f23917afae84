// Goal: of the daemons of a namespace one is the orchestrator; the others stand by, and one that is deposed ends.
// Method: real processes on a real server; what is waited for is a line, an answer or an end.

import { cpSync } from "node:fs";
import { join } from "node:path";
import { connect } from "@nats-io/transport-node";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../src/actors/clock.ts";
import { readConfig } from "../../src/daemon/config.ts";
import { openDaemon } from "../../src/daemon/daemon.ts";
import { type NatsServer, startNatsServer } from "../../src/transport/nats-server.ts";
import { ask, emptyFolder, type Ready, type RunningDaemon, up } from "../kit/daemon.ts";
import { silent } from "../kit/nats.ts";
import { endAll } from "../kit/process.ts";
import { root } from "../kit/tree.ts";

const project = join(root, "test/fixtures/roles/troupe.yaml");
const limitMs = 60_000;
const run = { method: "POST", body: { input: { name: "Ada" } } };

let server: NatsServer;
let environment: Record<string, string>;
beforeEach(async () => {
  server = await startNatsServer({ directory: emptyFolder("nats"), clock: systemClock(), report: silent });
  const key = join(emptyFolder("key"), "operator.nk");
  server.credentials(key);
  environment = {
    TROUPE_NATS_KEY: key,
    TROUPE_TRANSPORT: "nats",
    TROUPE_NATS_URL: server.url(),
    TROUPE_LEASE: "2s",
  };
});
afterEach(async () => {
  await endAll();
  await server.stop();
});

const begin = (data: string, ...more: string[]): RunningDaemon =>
  up(["--config", project, "--data-dir", data, ...more], { environment });

/** Where a daemon that stands by says that it is alive. */
async function probeOf(daemon: RunningDaemon): Promise<Ready> {
  await daemon.logged("whether it is ready can be asked");
  const http = /"url":"(http[^"]*)"/.exec(daemon.said().stderr)?.[1] ?? "";
  return { event: "", http, ws: "", pid: 0, durability: "" };
}

test(
  "PL1: a second one with the same directory is alive and not ready, and says behind whom it stands",
  { timeout: limitMs },
  async () => {
    const data = emptyFolder();
    const first = begin(data);
    await first.ready;
    const second = begin(data);
    const probe = await probeOf(second);
    expect(await ask(probe, "/api/health")).toMatchObject({ status: 200, body: { status: "ok" } });
    const behind = `process ${first.child.pid} on `;
    expect(await ask(probe, "/api/ready")).toMatchObject({
      status: 503,
      body: { status: "not_ready", reasons: [expect.stringContaining(behind) as string] },
    });
    expect(await ask(probe, "/api/workflows/part/execute", run)).toMatchObject({
      status: 503,
      body: { code: "NO_RESPONDER", detail: expect.stringContaining(behind) as string },
    });
    expect((await ask(probe, "/api/metrics")).text).toContain("\ntroupe_ready 0\n");
  },
);

test("PL2: it goes on at once where the other stops or is killed", { timeout: limitMs }, async () => {
  const data = emptyFolder();
  let first = begin(data);
  const { body } = await ask(await first.ready, "/api/workflows/all/execute-async", run);
  const execId = String(body["exec_id"]);
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    const second = begin(data, "--grace", "0s");
    await second.logged("it stands by");
    first.child.kill(signal);
    const ready = await second.ready;
    expect((await ask(ready, `/api/workflows/executions/${execId}`)).body).toMatchObject({ id: "all" });
    expect(await ask(ready, "/api/workflows/part/execute", run)).toMatchObject({ status: 200 });
    first = second;
  }
});

test(
  "PL2: one that was frozen for longer than its lease goes on, for its directory was nobody else's",
  { timeout: limitMs },
  async () => {
    const data = emptyFolder();
    const first = begin(data);
    const ready = await first.ready;
    const second = begin(data);
    await second.logged("it stands by");
    first.child.kill("SIGSTOP");
    await passed(3_000);
    first.child.kill("SIGCONT");
    await first.logged("the lease of the namespace is held again");
    expect(await ask(ready, "/api/workflows/part/execute", run)).toMatchObject({ status: 200 });
    expect(second.said().stdout).toBe("");
  },
);

test(
  "PL3: one whose place another has taken meanwhile ends with the reason, and says nothing more",
  { timeout: limitMs },
  async () => {
    const data = emptyFolder();
    const first = begin(data);
    // Its time comes while it is frozen: it is what both of them have to say.
    const { body } = await ask(await first.ready, "/api/workflows/nap/execute-async", run);
    const execId = String(body["exec_id"]);
    first.child.kill("SIGSTOP");
    // As on another machine, where no lock of this one counts.
    const copy = join(emptyFolder(), "copy");
    cpSync(data, copy, { recursive: true, filter: (path) => !path.endsWith("troupe.lock") });
    const second = begin(copy);
    const ready = await second.ready;
    await ended(ready, execId);
    const heard: string[] = [];
    const listener = await connect({ servers: server.url(), authenticator: server.authenticator });
    listener.subscribe(`compozy.events.>`, { callback: (_error, { subject }) => void heard.push(subject) });
    await listener.flush();
    first.child.kill("SIGCONT");
    expect(await first.ended).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("was taken over by process") as string,
    });
    await listener.flush();
    expect(heard).toEqual([]);
    await listener.close();
  },
);

test(
  "PL3: while its place may be another's it says nothing, long before a connection is known to be cut",
  { timeout: limitMs },
  async () => {
    const flags = { config: project, data_dir: emptyFolder(), port: 0, grace: 0, watch: false };
    const daemon = await openDaemon(await readConfig({ flags, environment }), { write: () => undefined });
    const bridge = () => daemon.troupe().stats().bridge;
    server.signal("SIGSTOP");
    while (bridge()?.connected === true) await passed(20);
    expect(await ask(daemon.ready, "/api/ready")).toMatchObject({
      status: 503,
      body: { reasons: ["another daemon may be the orchestrator by now"] },
    });
    server.signal("SIGCONT");
    while ((await ask(daemon.ready, "/api/ready")).status !== 200) await passed(20);
    expect(bridge()?.connected).toBe(true);
    await daemon.close();
  },
);

test("another store is refused with who has the namespace, and what can be done", { timeout: limitMs }, async () => {
  const first = begin(emptyFolder());
  await first.ready;
  const { code, stderr } = await begin(emptyFolder()).ended;
  expect(code).toBe(1);
  expect(stderr).toContain(`process ${first.child.pid} on `);
  expect(stderr).toContain("has no access to");
  expect(stderr).toContain("--new-store");
});

/** Asks until it has ended well. */
async function ended(ready: Ready, execId: string): Promise<void> {
  for (let status: unknown; status !== "SUCCESS";) {
    ({ status } = (await ask(ready, `/api/workflows/executions/${execId}`)).body);
  }
}

/** Real time, that the lease of a process that stands still runs out in. */
const passed = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));
