// Goal: `troupe wiretap` tells what is said on a real server as it is said, takes nothing from anybody, and says what
// is in its way.
//
// Method: the command as a process of its own beside a plain client that speaks; daemons only where their files count.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, type NatsConnection, RequestError } from "@nats-io/transport-node";
import { jetstreamManager } from "@nats-io/jetstream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { uuid } from "../kit/bridged.ts";
import { emptyFolder } from "../kit/daemon.ts";
import { natsForThisFile } from "../kit/nats.ts";
import { begin, type Run } from "./bed.ts";

const { open, server, signIn, directory } = natsForThisFile();
const cwd = emptyFolder("wiretap");
let outside: NatsConnection;
let keyFile = "";

beforeAll(async () => {
  // Its streams are there, so that what is kept could be taken from somebody.
  await (await open("tap")).close();
  outside = await connect(signIn());
  keyFile = join(directory(), "wiretap.nk");
  server().credentials(keyFile);
});
afterAll(() => outside.close());

/** Only what hangs takes so long. */
const timeout = 40_000;
const listen = (...more: string[]): Run =>
  begin(["wiretap", "--nats-url", server().url(), "--nats-key", keyFile, "--prefix", "tap", ...more], { cwd, timeout });

const metadata = (n: number) => ({
  message_id: uuid(n),
  correlation_id: uuid(1_000),
  event_timestamp: "2026-11-21T09:00:00.000Z",
  source_component: "workflow.Orchestrator",
});
async function say(n: number, execution = n): Promise<void> {
  const workflow = { id: "w", exec_id: uuid(execution) };
  const payload = { status: "RUNNING", result: null, context: { input: {}, trigger_type: "api" } };
  const subject = `tap.events.workflow.instance.${uuid(execution)}.started`;
  outside.publish(subject, JSON.stringify({ metadata: metadata(n), workflow, payload }));
  await outside.flush();
}
async function beat(n: number): Promise<void> {
  const agent_runtime = { id: "far", exec_id: uuid(77) };
  const body = { metadata: { ...metadata(n), source_component: "agent.Runtime" }, agent_runtime };
  const payload = { context: { seq: n, in_flight: 2 } };
  outside.publish(`tap.heartbeats.agent_runtime.${uuid(77)}`, JSON.stringify({ ...body, payload }));
  await outside.flush();
}

describe("what is said", () => {
  test("is told line by line, malformed messages with why, up to the limit; nothing of it is taken", async () => {
    const run = listen("--limit", "3");
    await run.until("listening to tap.>");
    const before = await (await jetstreamManager(outside)).streams.info("tap_EVENTS");
    await say(1);
    outside.publish(`tap.events.agent.instance.${uuid(9)}.exploded`, "{}");
    await beat(3);
    const { exit, stdout, stderr } = await run.ended;
    expect(exit).toBe(0);
    const [first, second, third, ...more] = stdout.trimEnd().split("\n");
    expect(first).toMatch(/^09:00:00\.000 {2}WO → SM +event +WorkflowExecutionStarted +workflow w 000001 +RUNNING$/);
    expect(second).toMatch(/malformed {2}tap\.events\.agent\.\S+\.exploded {2}UNKNOWN_MESSAGE_TYPE: /);
    expect(third).toMatch(/AgentRuntimeHeartbeat +agent_runtime far 00004d +in_flight 2$/);
    expect(more).toEqual([]);
    expect(stderr).not.toContain("gone");
    const { state } = await (await jetstreamManager(outside)).streams.info("tap_EVENTS");
    expect(state.messages).toBe(before.state.messages + 1);
    expect(state.consumer_count).toBe(before.state.consumer_count);
  });

  test("is told of one execution, of one correlation, or without beats, if that is wanted", async () => {
    const one = listen("--execution", uuid(21).slice(-6), "--json", "--limit", "1");
    const other = listen("--correlation", uuid(1_000), "--no-heartbeats", "--json", "--limit", "2");
    const none = listen("--correlation", uuid(9_999), "--limit", "1");
    await Promise.all([one, other, none].map((run) => run.until("listening")));
    await beat(19);
    await say(20);
    await say(21);
    const idsIn = ({ stdout }: { stdout: string }): unknown[] =>
      stdout
        .trimEnd()
        .split("\n")
        .map(
          (line) =>
            (JSON.parse(line) as { envelope: { metadata: { message_id: string } } }).envelope.metadata.message_id,
        );
    expect(idsIn(await one.ended)).toEqual([uuid(21)]);
    expect(idsIn(await other.ended)).toEqual([uuid(20), uuid(21)]);
    none.interrupt();
    expect(await none.ended).toMatchObject({ exit: 130, stdout: "" });
  });

  test("is drawn at the end with --mermaid", async () => {
    const run = listen("--mermaid", "--limit", "2");
    await run.until("listening");
    await say(31, 30);
    await say(32, 30);
    const { exit, stdout } = await run.ended;
    expect(exit).toBe(0);
    expect(stdout).toMatch(/^sequenceDiagram\n {4}participant WO as Workflow Orchestrator\n/);
    expect(stdout.match(/WO->>NATS: Publishes `WorkflowExecutionStarted` \(State Event\)/g)).toHaveLength(2);
  });
});

describe("orders", () => {
  const order = "tap.commands.tool.w.execute.hammer";
  const isMissed = async (): Promise<boolean> => {
    const asked = outside.request(order, "{}", { timeout: 300 });
    return asked.then(
      () => false,
      (error: unknown) => error instanceof RequestError && error.isNoResponders(),
    );
  };

  test("are not heard unless that is wanted, so that whoever orders in vain is told at once", async () => {
    const run = listen("--limit", "1");
    await run.until("but for orders");
    expect(await isMissed()).toBe(true);
    await say(51);
    expect((await run.ended).stdout).toContain("WorkflowExecutionStarted");
  });

  test.each([["--orders"], ["tap.commands.tool.>"]])(
    "are heard with %s, with a warning of what that hides",
    async (word) => {
      const run = listen(word, "--limit", "1");
      await run.until("is not told at once");
      expect(await isMissed()).toBe(false);
      expect((await run.ended).stdout).toContain(order);
    },
  );
});

describe("what is in its way", () => {
  test("a server that is not there, a key that does not fit, no daemon: each is said with what to do", async () => {
    const away = begin(["wiretap", "--nats-url", "nats://127.0.0.1:9"], { cwd, timeout });
    expect((await away.ended).stderr).toContain("the NATS server at");
    const stranger = begin(["wiretap", "--nats-url", server().url()], { cwd, timeout });
    const refused = await stranger.ended;
    expect(refused.exit).not.toBe(0);
    expect(refused.stderr).toMatch(/cannot be used: .*[Aa]uthorization/);
    const nobody = await begin(["wiretap"], { cwd }).ended;
    expect(nobody.stderr).toContain("start one with `troupe up --transport nats`");
  });

  test("a daemon that speaks over no server says so, and what shows its messages instead", async () => {
    const alone = emptyFolder("alone");
    mkdirSync(join(alone, ".troupe"));
    writeFileSync(join(alone, ".troupe", "ready.json"), JSON.stringify({ event: "ready", http: "http://127.0.0.1:1" }));
    const { exit, stderr } = await begin(["wiretap"], { cwd: alone }).ended;
    expect(exit).not.toBe(0);
    expect(stderr).toContain("`troupe events` prints what is said in it");
  });

  test("a subject that is none, or an id that is none, is refused before it listens", async () => {
    expect((await listen("a..b").ended).stderr).toContain("is no pattern");
    expect((await listen("--execution", "x").ended).stderr).toContain("Write an id");
    expect((await listen("--limit", "0").ended).stderr).toContain("1 or more");
  });
});

test("it finds the server and the key of the daemon of this folder", async () => {
  const home = emptyFolder("home");
  mkdirSync(join(home, ".troupe"));
  const nats = { url: server().url(), key: null, operator: keyFile };
  writeFileSync(join(home, ".troupe", "ready.json"), JSON.stringify({ event: "ready", http: "", nats }));
  const run = begin(["wiretap", "tap.events.>", "--prefix", "tap", "--limit", "1"], { cwd: home });
  await run.until("listening to tap.events.> at");
  await say(41);
  expect((await run.ended).stdout).toContain("WorkflowExecutionStarted");
});
