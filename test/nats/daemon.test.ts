// Goal: a daemon that is killed while its NATS server cannot be reached loses nothing, and says what it had to say.
//
// Method: the daemon is a real process, between it and the server is a proxy. Runs are accepted over HTTP; the link
// goes, more are accepted without it; then SIGKILL, the link comes back, and so does the daemon. What a plain client
// heard is judged.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { ask, type Ready, up } from "../kit/daemon.ts";
import { natsForThisFile } from "../kit/nats.ts";
import { endAll } from "../kit/process.ts";
import { openProxy } from "../kit/proxy.ts";
import { type Heard, judge } from "../kit/wire-judge.ts";
import { connect } from "@nats-io/transport-node";

const { server, signIn } = natsForThisFile();
const place = mkdtempSync(join(tmpdir(), "troupe-cut-"));
const patience = { timeout: 60_000, interval: 100 };

afterAll(async () => {
  await endAll();
  rmSync(place, { recursive: true, force: true });
});

const project = "version: 1\nname: cutoff\nprefix: cutoff\nworkflows: [naps.yaml]\n";
const naps = "id: naps\ntasks:\n  - { id: nap, type: wait, wait: { duration: 50ms } }\n";

test("what was accepted before and without the server ends once, and is heard outside", async () => {
  const folder = join(place, "project");
  mkdirSync(folder);
  writeFileSync(join(folder, "troupe.yaml"), project);
  writeFileSync(join(folder, "naps.yaml"), naps);
  const key = join(place, "server.nk");
  server().credentials(key);
  const proxy = await openProxy(() => ({ host: "127.0.0.1", port: Number(new URL(server().url()).port) }));
  const outsider = await connect(signIn());
  const heard: Heard[] = [];
  outsider.subscribe("cutoff.>", {
    callback: (_error, message) =>
      void (message.data.length > 0 && heard.push({ subject: message.subject, text: message.string() })),
  });
  await outsider.flush();

  const start = () =>
    up(["--config", join(folder, "troupe.yaml"), "--data-dir", join(place, "data"), "--transport", "nats"], {
      environment: { TROUPE_NATS_URL: proxy.url, TROUPE_NATS_KEY: key },
      cwd: folder,
    });
  const accepted: string[] = [];
  const begin = async (ready: Ready): Promise<void> => {
    const { status, body } = await ask(ready, "/api/workflows/naps/execute-async", {
      method: "POST",
      body: { input: {} },
    });
    expect(status).toBe(202);
    accepted.push(String(body["exec_id"]));
  };

  const first = start();
  const ready = await first.ready;
  for (let n = 0; n < 5; n++) await begin(ready);
  proxy.refuse();
  proxy.cut();
  await vi.waitFor(async () => expect((await ask(ready, "/api/ready")).status).toBe(503), patience);
  const { text } = await ask(ready, "/api/metrics");
  expect(text).toMatch(/^troupe_transport_up 0$/m);
  for (let n = 0; n < 5; n++) await begin(ready);
  first.child.kill("SIGKILL");
  await first.ended;

  proxy.refuse(false);
  const second = start();
  const again = await second.ready;
  const statuses = async () =>
    Promise.all(
      accepted.map(async (execId) => {
        const { body } = await ask(again, `/api/workflows/executions/${execId}`);
        return { execId, status: String(body["status"]) };
      }),
    );
  await vi.waitFor(async () => {
    const asked = await statuses();
    expect(asked.map(({ status }) => status)).toEqual(Array(10).fill("SUCCESS"));
    const statusOf = (execId: string): string | undefined => asked.find((one) => one.execId === execId)?.status;
    expect(judge({ heard, asked, begun: [], statusOf })).toEqual([]);
  }, patience);
  expect((await ask(again, "/api/ready")).status).toBe(200);
  second.child.kill("SIGTERM");
  expect(await second.ended).toMatchObject({ code: 0 });
  await outsider.close();
  await proxy.close();
});
