// Goal: what is asked at a door elsewhere is answered as at the orchestrator's own, and only who may come is let in.
// Method: two daemons in this process, one of them with nothing but the door; plain clients, a stream and a socket.

import { request } from "node:http";
import { on, once } from "node:events";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { readConfig } from "../../src/daemon/config.ts";
import { type Daemon, openDaemon } from "../../src/daemon/daemon.ts";
import { upstreamIn } from "../../src/gateway/relay.ts";
import { createToken } from "../../src/gateway/tokens.ts";
import { emptyFolder } from "../kit/daemon.ts";
import { root } from "../kit/tree.ts";

const project = join(root, "test/fixtures/daemon/troupe.yaml");
const tokenFile = join(emptyFolder("tokens"), "tokens.json");
let inner: Daemon;
let outer: Daemon;
let token = "";
let reader = "";

const open = async (flags: Record<string, unknown>): Promise<Daemon> =>
  openDaemon(await readConfig({ flags: { port: 0, grace: 0, ...flags }, environment: {} }), { write: () => undefined });

beforeAll(async () => {
  const lasting = { expiresAt: null, now: Date.now() };
  ({ secret: token } = createToken(tokenFile, { name: "ada", scope: "admin", ...lasting }));
  ({ secret: reader } = createToken(tokenFile, { name: "bea", scope: "read", ...lasting }));
  inner = await open({ config: project, data_dir: emptyFolder() });
  outer = await open({
    config: project,
    data_dir: emptyFolder(),
    roles: "api",
    upstream: inner.ready.http,
    token_file: tokenFile,
  });
});
afterAll(async () => {
  await outer.close();
  await inner.close();
});

type Asking = Omit<RequestInit, "headers"> & { as?: string; headers?: Record<string, string> };
const at = (path: string, { as = token, ...more }: Asking = {}): Promise<Response> =>
  fetch(`${outer.ready.http}${path}`, {
    ...more,
    headers: { ...(as !== "" && { authorization: `Bearer ${as}` }), ...more.headers },
  });
const run = (workflow: string, input: object, more: object = {}): Promise<Response> =>
  at(`/api/workflows/${workflow}`, {
    method: "POST",
    body: JSON.stringify({ input }),
    headers: { "content-type": "application/json" },
    ...more,
  });

describe("the door", () => {
  test("RL2: a run is begun, looked at, and told with the correlation id of who asked", async () => {
    const id = "0199aaaa-0000-7000-8000-00000000000a";
    const headers = { "content-type": "application/json", "x-correlation-id": id };
    const answer = await run("quick/execute", { name: "Ada" }, { headers });
    expect([answer.status, answer.headers.get("x-correlation-id")]).toEqual([200, id]);
    const body = (await answer.json()) as { exec_id: string; result: unknown };
    expect(body.result).toMatchObject({ output: { text: "hello, Ada" } });
    const listed = await at(`/api/workflows/executions/${body.exec_id}`);
    expect(await listed.json()).toMatchObject({ status: "SUCCESS", correlation_id: id });
    // What it cannot read it passes on, and what comes back is the other's word.
    const bad = await at("/api/workflows/quick/execute", { method: "POST", body: "{", headers });
    expect([bad.status, bad.headers.get("content-type")]).toEqual([400, "application/problem+json; charset=utf-8"]);
    expect((await at("/api/workflows/none/execute", { method: "POST", body: "{}", headers })).status).toBe(404);
  });

  test("RL2: a stream comes event by event, and ends with who listens", async () => {
    const { exec_id: execId } = (await (await run("later/execute-async", {})).json()) as { exec_id: string };
    const ending = new AbortController();
    const stream = await at(`/api/workflows/executions/${execId}/stream`, { signal: ending.signal });
    expect(stream.headers.get("content-type")).toContain("text/event-stream");
    let text = "";
    for await (const piece of stream.body ?? []) {
      text += Buffer.from(piece).toString();
      if (text.includes("TaskWaitingStarted")) break;
    }
    ending.abort();
    // The other has noticed, and counts no stream any more.
    for (let page = ""; !page.includes('troupe_connections{kind="sse"} 0');)
      page = await (await at("/api/metrics")).text();
  });

  test("RL2: a socket is joined to the other, both ways", async () => {
    const socket = new WebSocket(`${outer.ready.ws}?access_token=${token}`);
    await once(socket, "open");
    socket.send(JSON.stringify({ id: "r1", type: "start_agent", user_request: "x", agent_id: "tracer" }));
    const types: string[] = [];
    for await (const [data] of on(socket, "message")) {
      types.push((JSON.parse(String(data)) as { type: string }).type);
      if (types.at(-1) === "agent_completed") break;
    }
    expect(types).toEqual(expect.arrayContaining(["ack", "agent_started", "agent_completed"]));
    socket.close();
    await once(socket, "close");
  });

  test("RL1: who may not come does not get as far as the other, each route under its own scope", async () => {
    expect((await at("/api/workflows", { as: "" })).status).toBe(401);
    expect((await at("/api/workflows", { as: reader })).status).toBe(200);
    expect((await run("quick/execute", {}, { as: reader })).status).toBe(403);
    expect((await at("/api/workflows", { headers: { origin: "https://elsewhere.example" } })).status).toBe(403);
    const socket = new WebSocket(outer.ready.ws);
    const [error] = (await once(socket, "error")) as [Error];
    expect(error.message).toContain("401");
    // And not even by a name that somebody made to lead here.
    const asked = request(`${outer.ready.http}/api/workflows`, { headers: { host: "evil.example" } });
    asked.end();
    const [answer] = (await once(asked, "response")) as [{ statusCode: number }];
    expect(answer.statusCode).toBe(403);
  });

  test("it says of itself whether it lives; an unknown path is a problem of its own", async () => {
    expect(await (await at("/api/health")).json()).toMatchObject({ status: "ok" });
    expect((await at("/api/nothing")).status).toBe(404);
    expect((await at("/api/ready")).status).toBe(200);
  });

  test("RL3: while the other is away each request is told so", async () => {
    const other = await open({ config: project, data_dir: emptyFolder() });
    const door = await open({ data_dir: emptyFolder(), roles: "api", upstream: other.ready.http });
    await other.close();
    for (const path of ["/api/ready", "/api/workflows"]) {
      const answer = await fetch(`${door.ready.http}${path}`);
      expect([answer.status, await answer.json()]).toMatchObject([503, { code: "DAEMON_UNREACHABLE" }]);
    }
    const socket = new WebSocket(door.ready.ws);
    const [error] = (await once(socket, "error")) as [Error];
    expect(error.message).toContain("503");
    await door.close();
  });
});

test("an address that is none, or that tokens would go to in the open, is refused", () => {
  expect(upstreamIn("http://127.0.0.1:7420").port).toBe("7420");
  expect(upstreamIn("https://there.example").host).toBe("there.example");
  for (const text of ["nowhere", "ftp://127.0.0.1", "http://127.0.0.1/api", "http://ada@127.0.0.1"]) {
    expect(() => upstreamIn(text)).toThrow(/is no address such as/);
  }
  expect(() => upstreamIn("http://10.0.0.5:7420")).toThrow(/https:\/\//);
});
