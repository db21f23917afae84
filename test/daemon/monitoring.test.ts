// Goal: a process that only monitors writes what others report, and counts what happens anywhere.
// Method: two real daemons on a real server; what is said to the one is read at the other.

import { join } from "node:path";
import { connect } from "@nats-io/transport-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readConfig } from "../../src/daemon/config.ts";
import { type Daemon, openDaemon } from "../../src/daemon/daemon.ts";
import { emptyFolder } from "../kit/daemon.ts";
import { natsForThisFile } from "../kit/nats.ts";
import { root } from "../kit/tree.ts";

const nats = natsForThisFile();
let log = "";
let monitor: Daemon;
let worker: Daemon;

beforeAll(async () => {
  const key = join(emptyFolder("key"), "operator.nk");
  nats.server().credentials(key);
  const common = {
    config: join(root, "test/fixtures/daemon/troupe.yaml"),
    transport: "nats",
    nats_url: nats.server().url(),
    grace: 0,
    port: 0,
  };
  const open = async (flags: object, write: (text: string) => void): Promise<Daemon> =>
    openDaemon(
      await readConfig({
        flags: { ...common, data_dir: emptyFolder(), ...flags },
        environment: { TROUPE_NATS_KEY: key },
      }),
      { write },
    );
  worker = await open({}, () => undefined);
  monitor = await open({ roles: "monitoring" }, (text) => (log += text));
});
afterAll(async () => {
  await monitor.close();
  await worker.close();
});

async function until<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test("MN1: what another refused is a line here, once, with who said it", async () => {
  const { authenticator } = nats.server();
  const client = await connect({ servers: nats.server().url(), authenticator });
  client.publish("compozy.commands.agent.w.explode.clerk", "{}");
  const line = await until(() => log.split("\n").find((one) => one.includes("UNKNOWN_MESSAGE_TYPE")));
  expect(JSON.parse(line)).toMatchObject({
    level: "error",
    from: expect.stringMatching(/^agent\.Dispatcher/) as string,
    code: "UNKNOWN_MESSAGE_TYPE",
  });
  await client.close();
  // Both of what says so have come by the time that the dead letter is counted and a later message is here.
  await until(async () => {
    const page = await (await fetch(`${monitor.ready.http}/api/metrics`)).text();
    return page.includes('troupe_rejected_total{reason="UNKNOWN_MESSAGE_TYPE"} 1') ? true : undefined;
  });
  expect(log.match(/UNKNOWN_MESSAGE_TYPE/g)).toHaveLength(1);
  const page = await (await fetch(`${monitor.ready.http}/api/metrics`)).text();
  expect(page).toContain('troupe_rejected_total{reason="UNKNOWN_MESSAGE_TYPE"} 1');
});

test("MN2: what begins and ends elsewhere is counted here as there", async () => {
  const body = JSON.stringify({ input: { name: "Ada" } });
  const headers = { "content-type": "application/json" };
  const run = await fetch(`${worker.ready.http}/api/workflows/quick/execute`, { method: "POST", body, headers });
  expect(run.status).toBe(200);
  const counted = /^troupe_(?:started|ended)_total\{.*$/gm;
  const page = async ({ ready }: Daemon): Promise<string[]> =>
    ((await (await fetch(`${ready.http}/api/metrics`)).text()).match(counted) ?? []).toSorted();
  const there = await page(worker);
  expect(there).toContain('troupe_ended_total{entity="workflow",status="SUCCESS"} 1');
  await until(async () => (JSON.stringify(await page(monitor)) === JSON.stringify(there) ? true : undefined));
});
