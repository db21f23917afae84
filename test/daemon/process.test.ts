// Goal: the daemon as people run it: it comes up, answers, is killed and goes on, and ends when it is told to.
// Method: real processes, begun by the command; what is waited for is a line, an answer or an end.

import { on } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { connect, nkeyAuthenticator } from "@nats-io/transport-node";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { ask, emptyFolder, type Ready, up } from "../kit/daemon.ts";
import { endAll } from "../kit/process.ts";
import { root } from "../kit/tree.ts";
import { troupe } from "../kit/troupe.ts";

const config = ["--config", join(root, "test/fixtures/daemon/troupe.yaml")];
const withData = (folder: string): string[] => [...config, "--data-dir", folder];

afterEach(endAll);

async function start(ready: Ready, workflow: string, input: object): Promise<string> {
  const { status, body } = await ask(ready, `/api/workflows/${workflow}/execute-async`, {
    method: "POST",
    body: { input },
  });
  expect(status).toBe(202);
  return String(body["exec_id"]);
}

/** Asks until it has ended: each answer comes when the daemon gives it. */
async function ended(ready: Ready, execId: string): Promise<Record<string, unknown>> {
  for (;;) {
    const { body } = await ask(ready, `/api/workflows/executions/${execId}`);
    if (body["status"] !== "RUNNING" && body["status"] !== "PENDING") return body;
  }
}

describe("a daemon that comes up", () => {
  test("says so in one line of JSON, writes the same beside its store, and answers", async () => {
    const data = emptyFolder();
    const daemon = up(withData(data));
    const ready = await daemon.ready;
    expect(ready).toEqual({
      event: "ready",
      http: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) as string,
      ws: `${ready.http.replace("http", "ws")}/api/ws`,
      pid: daemon.child.pid,
      durability: "fsync",
    });
    expect(JSON.parse(readFileSync(join(data, "ready.json"), "utf8"))).toEqual(ready);
    expect((await ask(ready, "/api/health")).body).toMatchObject({ status: "ok" });
    expect(await ask(ready, "/api/ready")).toMatchObject({ status: 200, body: { status: "ready", reasons: [] } });
    expect((await ask(ready, "/api/metrics")).text).toContain("\ntroupe_ready 1\n");
    const run = { method: "POST", body: { input: { name: "Ada" } } };
    const { status, body } = await ask(ready, "/api/workflows/quick/execute", run);
    expect({ status, result: body["result"] }).toMatchObject({
      status: 200,
      result: { output: { text: "hello, Ada" } },
    });
    daemon.child.kill("SIGTERM");
    const { code, stdout, stderr } = await daemon.ended;
    expect({ code, lines: stdout.trim().split("\n").length }).toEqual({ code: 0, lines: 1 });
    // Everything else it says is a line of JSON on the other stream.
    for (const line of stderr.trim().split("\n")) expect(JSON.parse(line)).toMatchObject({ level: "info" });
    expect(stderr).toContain("workflow quick: success");
    expect(existsSync(join(data, "ready.json"))).toBe(false);
  });

  test("says for people where it is, and what to do next", async () => {
    const daemon = up(withData(emptyFolder()), { json: false });
    await daemon.printed(/Next: .*\n/);
    const [line = "", next = ""] = daemon.said().stdout.split("\n");
    const [, port = ""] = /^troupe \S+ is ready in \d+ ms: http:\/\/127\.0\.0\.1:(\d+)\/ /.exec(line) ?? [];
    const at = `127.0.0.1:${port}`;
    expect(line.slice(line.indexOf("http"))).toBe(`http://${at}/  http://${at}/api  ws://${at}/api/ws`);
    // Its data is elsewhere and so is its port: without the address nobody would find it.
    expect(next).toMatch(new RegExp(String.raw`^Next: npx troupe run \w+ --watch --url http://${at}$`));
    const found = up(config, { cwd: emptyFolder(), json: false });
    await found.printed(/^Next: npx troupe run \w+ --watch$/m);
  });

  test("comes up where there is no project, and says how one begins", async () => {
    const cwd = emptyFolder();
    const daemon = up([], { cwd });
    expect((await ask(await daemon.ready, "/api/workflows")).status).toBe(200);
    expect(existsSync(join(cwd, ".troupe/troupe.db"))).toBe(true);
  });
});

describe("a daemon that is killed", () => {
  test("goes on where it was, wherever it is started again", async () => {
    const data = emptyFolder();
    const first = up(withData(data));
    const before = await first.ready;
    const waits = await start(before, "later", {});
    const works = await start(before, "slowly", { name: "deaf" });
    await first.logged("at work for deaf");
    first.child.kill("SIGKILL");
    expect(await first.ended).toMatchObject({ signal: "SIGKILL" });

    const second = up(withData(data));
    const after = await second.ready;
    expect(second.said().stderr).toContain('"runs":2,"at_work":1,"parked":0,"msg":"what was under way goes on"');
    // What was at work is at work again, and what waited waits.
    await second.logged("at work for deaf");
    expect((await ask(after, `/api/workflows/executions/${works}`)).body).toMatchObject({ status: "RUNNING" });
    const signal = { method: "POST", body: { name: "go", payload: { name: "Ada" } } };
    expect((await ask(after, `/api/workflows/executions/${waits}/signals`, signal)).status).toBe(202);
    expect(await ended(after, waits)).toMatchObject({ status: "SUCCESS", result: { output: { text: "hello, Ada" } } });
  });
});

describe("a daemon that is told to stop", () => {
  test("waits for what is under way, says how it stands, and leaves it for the next start at its limit", async () => {
    const data = emptyFolder();
    const daemon = up([...withData(data), "--grace", "1500ms"]);
    const execId = await start(await daemon.ready, "slowly", { name: "deaf" });
    await daemon.logged("at work for deaf");
    daemon.child.kill("SIGTERM");
    await daemon.logged(/"agents":1,.*"msg":"stopping"/);
    expect(await daemon.ended).toMatchObject({ code: 0 });
    const again = up(withData(data));
    const { body } = await ask(await again.ready, `/api/workflows/executions/${execId}`);
    expect(body).toMatchObject({ status: "RUNNING" });
  });

  test("is not ready any more, and takes nothing new", async () => {
    const daemon = up([...withData(emptyFolder()), "--grace", "60s"]);
    const ready = await daemon.ready;
    await start(ready, "slowly", { name: "deaf" });
    await daemon.logged("at work for deaf");
    daemon.child.kill("SIGTERM");
    await daemon.logged("SIGTERM: stopping");
    const tried = await ask(ready, "/api/ready").catch(() => ({ status: 503 }));
    expect(tried.status).toBe(503);
  });

  test.each([
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ] as const)("by %s a second time ends at once with %i", async (signal, code) => {
    const daemon = up([...withData(emptyFolder()), "--grace", "60s"]);
    await start(await daemon.ready, "slowly", { name: "deaf" });
    await daemon.logged("at work for deaf");
    daemon.child.kill(signal);
    daemon.child.kill(signal);
    // Twice in a moment is once, as npm passes it on; a second later it waits, and says so.
    await daemon.logged('"msg":"stopping"');
    daemon.child.kill(signal);
    expect(await daemon.ended).toMatchObject({ code });
  });
});

describe("a daemon that cannot come up says why in one line, and ends", () => {
  const inWords = { json: false };
  const oneLine = (stderr: string): string => {
    const lines = stderr.trim().split("\n");
    expect(lines.filter((line) => line.startsWith("troupe: "))).toHaveLength(1);
    expect(stderr).not.toMatch(/^ {4}at /m);
    return lines.find((line) => line.startsWith("troupe: ")) ?? "";
  };

  test("with 1 where another has the data directory, whom it names", async () => {
    const data = emptyFolder();
    const { pid } = await up(withData(data)).ready;
    const { code, stdout, stderr } = await up(withData(data), inWords).ended;
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(oneLine(stderr)).toContain(`is in use by process ${pid}; stop that process, or choose another directory`);
  });

  test("with 1 where the port is taken, and gives the data directory back", async () => {
    const server = createServer();
    const port = await new Promise<number>((done) => {
      server.listen(0, "127.0.0.1", () => done((server.address() as { port: number }).port));
    });
    const data = emptyFolder();
    const { code, stderr } = await up([...withData(data), "--port", String(port)], inWords).ended;
    server.close();
    expect(code).toBe(1);
    expect(oneLine(stderr)).toContain(`port ${port} of 127.0.0.1 is in use`);
    expect((await up(withData(data)).ready).event).toBe("ready");
  });

  test("with 1 where the data directory is a file", async () => {
    const file = join(emptyFolder(), "file");
    writeFileSync(file, "");
    const { code, stderr } = await up(withData(file), inWords).ended;
    expect({ code, says: oneLine(stderr) }).toMatchObject({
      code: 1,
      says: expect.stringContaining("cannot be used") as string,
    });
  });

  test("with 1 for a NATS server that is not there", async () => {
    const args = ["--transport", "nats", "--nats-url", "nats://127.0.0.1:1"];
    const { code, stderr } = await up([...withData(emptyFolder()), ...args], inWords).ended;
    expect({ code, says: oneLine(stderr) }).toMatchObject({
      code: 1,
      says: expect.stringContaining("the NATS server at nats://127.0.0.1:1 cannot be used") as string,
    });
  });

  test("with 1 where its own NATS server cannot write, and without the password of one that is elsewhere", async () => {
    const file = join(emptyFolder(), "file");
    writeFileSync(file, "");
    const own = await up([...withData(file), "--transport", "nats"], inWords).ended;
    expect({ code: own.code, says: oneLine(own.stderr) }).toMatchObject({
      code: 1,
      says: expect.stringContaining("the daemon's own NATS server cannot be used") as string,
    });
    const args = [
      "--transport",
      "nats",
      "--nats-url",
      "nats://ada:lovelace@127.0.0.1:1,nats://ada:lovelace@127.0.0.1:2",
    ];
    const { code, stderr } = await up([...withData(emptyFolder()), ...args], inWords).ended;
    expect({ code, says: oneLine(stderr) }).toMatchObject({
      code: 1,
      says: expect.stringContaining("nats://127.0.0.1:1,nats://127.0.0.1:2 cannot be used") as string,
    });
    expect(stderr).not.toContain("lovelace");
  });

  test.each([
    ["a setting that is none", { TROUPE_PROT: "1" }, [], "did you mean 'TROUPE_PORT'?"],
    ["a value that cannot be", {}, ["--grace", "soon"], "--grace must be a duration"],
    ["an address that others reach", {}, ["--host", "0.0.0.0"], "needs tokens"],
    ["a role that is none", {}, ["--roles", "orchestrator,clerk"], "'clerk' is none"],
    ["a certificate without its key", {}, ["--tls-cert", "x"], "needs both"],
  ] as const)("with 2 for %s", async (_what, environment, args, says) => {
    const { code, stdout, stderr } = await up([...withData(emptyFolder()), ...args], { ...inWords, environment }).ended;
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(oneLine(stderr)).toContain(says);
  });

  test("with 2 for a project with defects, each with its place", async () => {
    const folder = emptyFolder();
    writeFileSync(join(folder, "troupe.yaml"), "version: 1\nname: x\nagents: [{ id: a, kind: wrong }]\n");
    const { code, stderr } = await up(["--config", join(folder, "troupe.yaml"), "--data-dir", folder], inWords).ended;
    expect(code).toBe(2);
    expect(stderr).toMatch(/troupe\.yaml:3:\d+ /);
  });
});

test("the trace of a request is told to the agent that it leads to", async () => {
  const ready = await up(withData(emptyFolder())).ready;
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const { body } = await ask(ready, "/api/workflows/traced/execute", {
    method: "POST",
    body: { input: {} },
    headers: { traceparent },
  });
  expect(body["result"]).toMatchObject({ output: { trace: traceparent } });
  const { body: logs } = await ask(ready, `/api/logs?exec_id=${String(body["exec_id"])}`);
  expect(logs).toMatchObject({ items: [{ exec_id: body["exec_id"] }] });
});

test("the trace of a socket is told to the agents that it starts, and nonsense in its place harms nobody", async () => {
  const { ws } = await up(withData(emptyFolder())).ready;
  const said = async (traceparent: string): Promise<unknown> => {
    const socket = new WebSocket(ws, { headers: { traceparent } });
    socket.on("open", () =>
      socket.send(JSON.stringify({ id: "r1", type: "start_agent", user_request: "x", agent_id: "tracer" })),
    );
    for await (const [data] of on(socket, "message")) {
      const frame = JSON.parse(String(data)) as { type: string; result?: unknown };
      if (frame.type === "ack" || frame.type.startsWith("agent_thinking") || frame.type === "agent_started") continue;
      socket.close();
      return frame.result;
    }
    return undefined;
  };
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  expect(await said(traceparent)).toEqual({ trace: traceparent });
  expect(await said("nonsense")).toEqual({ trace: null });
});

test("the level of the log is changed while it runs", async () => {
  const daemon = up([...withData(emptyFolder()), "--log-level", "error"]);
  const ready = await daemon.ready;
  await ask(ready, "/api/workflows/quick/execute", { method: "POST", body: { input: {} } });
  expect((await ask(ready, "/api/log-level")).body).toEqual({ level: "error" });
  const put = await ask(ready, "/api/log-level", { method: "PUT", body: { level: "info" } });
  expect(put).toMatchObject({ status: 200, body: { level: "info" } });
  await ask(ready, "/api/workflows/quick/execute", { method: "POST", body: { input: {} } });
  await daemon.logged("workflow quick: success");
  expect(daemon.said().stderr.match(/workflow quick: success/g)).toHaveLength(1);
});

test("doctor finds what is in the way, and a backup is a store to start from", async () => {
  const data = emptyFolder();
  const ready = await up(withData(data)).ready;
  const execId = await start(ready, "later", {});
  const port = new URL(ready.http).port;
  const looked = troupe("doctor", "--json", ...withData(data), "--port", port);
  expect(looked.exit).toBe(1);
  const findings = looked.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { name: string; is: string });
  expect(findings.filter(({ is }) => is === "bad").map(({ name }) => name)).toEqual(["data directory", "port"]);

  const copy = join(emptyFolder(), "troupe.db");
  expect(troupe("backup", copy, "--url", ready.http)).toMatchObject({ exit: 0, stderr: "" });
  await endAll();
  const again = await up(withData(join(copy, ".."))).ready;
  expect((await ask(again, `/api/workflows/executions/${execId}`)).body).toMatchObject({ id: "later" });
  await endAll();
  // And where nobody runs, from the folder.
  const other = join(emptyFolder(), "troupe.db");
  expect(troupe("backup", other, "--data-dir", data)).toMatchObject({ exit: 0 });
  expect(existsSync(other)).toBe(true);
});

test("with NATS it has a server of its own, says where, and is not ready while that cannot be reached", async () => {
  const data = emptyFolder();
  const daemon = up([...withData(data), "--transport", "nats"]);
  const ready = (await daemon.ready) as Ready & { nats: { url: string; key: string } };
  expect(ready.nats).toMatchObject({ url: expect.stringMatching(/^nats:\/\/127\.0\.0\.1:\d+$/) as string });
  const ended = await ask(ready, "/api/workflows/traced/execute", { method: "POST", body: { input: {} } });
  expect(ended.status).toBe(200);
  const seed = readFileSync(ready.nats.key, "utf8").trim();
  const outside = await connect({
    servers: ready.nats.url,
    authenticator: nkeyAuthenticator(new TextEncoder().encode(seed)),
  });
  await outside.close();
  await expect(connect({ servers: ready.nats.url })).rejects.toThrow();
  daemon.child.kill("SIGTERM");
  expect(await daemon.ended).toMatchObject({ code: 0 });
  await expect(connect({ servers: ready.nats.url, reconnect: false })).rejects.toThrow();
});
