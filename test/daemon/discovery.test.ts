// Goal: standard NATS tools see a daemon: what it is, which components live in it, what each of them hears and how that
// goes; and `troupe runtimes` tells the same of who runs agents.
//
// Method: a daemon as a process of its own on a real server, asked by a plain client, in the micro protocol's form.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { version } from "../../src/version.ts";
import { emptyFolder, ask, type Ready, type RunningDaemon, up } from "../kit/daemon.ts";
import { answerForms, askAll } from "../kit/micro.ts";
import { natsForThisFile } from "../kit/nats.ts";

const { server, signIn, directory } = natsForThisFile();
const cwd = emptyFolder("discovery");
let daemon: RunningDaemon;
let outside: NatsConnection;
let ready: Ready;

beforeAll(async () => {
  const keyFile = join(directory(), "daemon.nk");
  server().credentials(keyFile);
  writeFileSync(join(cwd, "agents.mjs"), 'export const greet = () => ({ text: "hello" });\n');
  const agent = '{ id: greeter, kind: module, module: "./agents.mjs#greet" }';
  writeFileSync(join(cwd, "troupe.yaml"), `version: 1\nname: shop\nprefix: shop\nagents:\n  - ${agent}\n`);
  const environment = { TROUPE_NATS_KEY: keyFile };
  daemon = up(["--transport", "nats", "--nats-url", server().url()], { cwd, environment });
  outside = await connect(signIn());
  ready = await daemon.ready;
  // It dials while others come already.
  await vi.waitFor(async () => expect(await askAll(outside, "$SRV.PING.troupe")).toHaveLength(1), { timeout: 20_000 });
}, 60_000);
afterAll(async () => {
  await outside.close();
  daemon.child.kill("SIGTERM");
  await daemon.ended;
});

test.each(["PING", "INFO", "STATS"] as const)("it answers %s in the form of the protocol", async (verb) => {
  const [answer, ...others] = await askAll(outside, `$SRV.${verb}.troupe`);
  expect(others).toEqual([]);
  expect(answerForms[verb].parse(answer)).toEqual(answer);
  expect(answer).toMatchObject({ name: "troupe", version });
  const metadata = { language: "typescript", prefix: "shop", http: ready.http, agents: "greeter" };
  expect(answer?.["metadata"]).toMatchObject(metadata);
  expect(answer).toHaveProperty("metadata.roles", expect.stringContaining("agent-dispatcher"));
});

test("its endpoints are what its components hear, with their groups, and count what comes", async () => {
  type Endpoint = { name: string; subject: string; queue_group: string; num_requests: number; num_errors: number };
  const endpoints = async (): Promise<Endpoint[]> => {
    const [answer] = await askAll(outside, "$SRV.STATS.troupe");
    return answer?.["endpoints"] as Endpoint[];
  };
  const of = async (subject: string): Promise<Endpoint | undefined> =>
    (await endpoints()).find((one) => one.subject === subject);
  expect(await of("shop.commands.tool.>")).toMatchObject({
    name: "tool-executor_commands_tool",
    queue_group: "tool-executor",
    num_requests: 0,
    num_errors: 0,
  });
  outside.publish("shop.commands.tool.w.explode.hammer", "{}");
  await expect
    .poll(() => of("shop.commands.tool.>"))
    .toMatchObject({
      num_requests: 1,
      num_errors: 1,
      last_error: expect.stringContaining("UNKNOWN_MESSAGE_TYPE"),
    });
});

test("whoever runs agents is told with language, version and how it fares", async () => {
  const { body } = await ask(ready, "/api/runtimes");
  expect(body["items"]).toMatchObject([
    {
      id: "local",
      state: "registered",
      language: "typescript",
      version,
      agents: ["greeter"],
      held: 0,
      in_flight: 0,
      last_error: null,
    },
  ]);
});
