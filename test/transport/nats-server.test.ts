// Goal: a server of our own lets nobody else in, keeps what it has acknowledged, and is there again when it died.
// Method: the real server, killed as a crash would; its configuration is read where no test can pull the plug.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect, nkeyAuthenticator } from "@nats-io/transport-node";
import { expect, test, vi } from "vitest";
import { findNatsServer, startNatsServer } from "../../src/transport/nats-server.ts";
import { openNats } from "../../src/transport/nats.ts";
import { bytes, connectTo, eventOf, natsForThisFile, silent } from "../kit/nats.ts";

const { clock, directory, open, server } = natsForThisFile();

test("NV1: a stranger is not let in, and nobody from elsewhere reaches it", async () => {
  const servers = server().url();
  expect(new URL(servers).hostname).toBe("127.0.0.1");
  await expect(openNats({ server: { servers }, prefix: "stranger", clock, report: silent })).rejects.toThrow(
    /authorization/i,
  );
  expect(statSync(join(directory(), "server.conf")).mode & 0o077, "its configuration is for its owner").toBe(0);
});

test("NV1: who has the key for runtimes may do what those do, and nothing else", async () => {
  const folder = mkdtempSync(join(tmpdir(), "troupe-nats-keys-"));
  const runtimes = { publish: ["mine.said"], subscribe: ["mine.heard"] };
  const own = await startNatsServer({ directory: folder, clock, report: silent, runtimes });
  const file = join(folder, "runtime.nk");
  own.credentials(file, "runtime");
  expect(statSync(file).mode & 0o077).toBe(0);
  const authenticator = nkeyAuthenticator(new TextEncoder().encode(readFileSync(file, "utf8").trim()));
  const client = await connect({ servers: own.url(), authenticator });
  const refused: string[] = [];
  void (async () => {
    for await (const status of client.status()) if (status.type === "error") refused.push(status.error.message);
  })();
  for (const subject of ["mine.said", "others.said", "$JS.API.STREAM.NAMES"]) client.publish(subject);
  for (const subject of ["mine.heard", ">"]) client.subscribe(subject, { callback: silent });
  await client.flush();
  await vi.waitFor(() => expect(refused).toHaveLength(3));
  expect(refused.join()).not.toContain("mine");
  await client.close();
  await own.stop();
  rmSync(folder, { recursive: true });
});

test("NV3: after a death it is there again, on the same port", async () => {
  const [url, pid] = [server().url(), server().pid()];
  const transport = await open("again");
  const a = connectTo(transport, "a", silent);
  await transport.settled();
  server().kill();
  await vi.waitFor(() => expect(a.connected()).toBe(false), { timeout: 20_000 });
  await vi.waitFor(() => expect(a.connected()).toBe(true), { timeout: 20_000 });
  expect([server().url(), server().pid() === pid]).toEqual([url, false]);
  await transport.close();
});

test("NV2: after a death it has what it had acknowledged, and it writes through before it acknowledges", async () => {
  const transport = await open("kept");
  const a = connectTo(transport, "a", silent);
  await a.publish(eventOf("kept", 1, "started"), bytes("before"), { stored: true });
  server().kill();
  await vi.waitFor(() => expect(a.connected()).toBe(false), { timeout: 20_000 });
  await vi.waitFor(() => expect(a.connected()).toBe(true), { timeout: 20_000 });
  const manager = await connect({ servers: server().url(), authenticator: server().authenticator });
  const stored = await (await jetstreamManager(manager)).streams.getMessage("kept_EVENTS", { seq: 1 });
  expect(new TextDecoder().decode(stored?.data)).toBe("before");
  // What only a machine that dies would show.
  expect(readFileSync(join(directory(), "server.conf"), "utf8")).toContain("sync_interval: always");
  await manager.close();
  await transport.close();
});

test("NV3: after a death it is there again also where its folder was deleted under it", async () => {
  const transport = await open("deleted");
  const a = connectTo(transport, "a", silent);
  await transport.settled();
  rmSync(directory(), { recursive: true });
  server().kill();
  await vi.waitFor(() => expect(a.connected()).toBe(false), { timeout: 20_000 });
  await vi.waitFor(() => expect(a.connected()).toBe(true), { timeout: 20_000 });
  await a.publish(eventOf("deleted", 1, "started"), bytes("after"), { stored: true });
  await transport.close();
});

test("NV4: what was left running over its streams is ended first, and nobody else who has the pid", async () => {
  const folder = mkdtempSync(join(tmpdir(), "troupe-nats-left-"));
  const waits = ["-e", "setInterval(() => undefined, 1_000); process.stdout.write('there')"];
  const start = () => startNatsServer({ directory: folder, clock, report: silent });
  for (const [isLeft, more] of [
    [true, [join(folder, "server.conf")]],
    [false, []],
  ] as const) {
    const other = spawn(process.execPath, [...waits, ...more], { stdio: ["ignore", "pipe", "ignore"] });
    const gone = once(other, "exit");
    await once(other.stdout, "data");
    writeFileSync(join(folder, "server.pid"), String(other.pid));
    const own = await start();
    expect(Number(readFileSync(join(folder, "server.pid"), "utf8"))).toBe(own.pid());
    await own.stop();
    if (!isLeft) {
      expect([other.exitCode, other.signalCode]).toEqual([null, null]);
      other.kill();
    }
    await gone;
  }
  rmSync(folder, { recursive: true });
});

test("a server that is none, or too old, is refused with what to do", () => {
  expect(() => findNatsServer(process.execPath, {})).toThrow(/is version unknown, and has to be 2.12 or newer/);
  expect(() => findNatsServer("/nowhere/nats-server", {})).toThrow(/is no nats-server that runs here/);
  expect(findNatsServer(undefined, { PATH: "" }).version).toMatch(/^2\./);
});
