// Goal: a connection is let in, read, kept alive and closed as the protocol says, whatever the client does.
// Method: real `ws` clients before a gateway that listens, over a real troupe with its store in memory.

import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { TroupeError } from "../../src/protocol/errors.ts";
import { clerk, echo, type Frame, held, openBed, openClient, orders, slow, stopAll, typesOf } from "./socket-bed.ts";

afterEach(stopAll);

const agents = [clerk, echo, slow];
const tools = [orders];
const start = (id: string, agent_id = "echo", more: object = {}): object => ({
  id,
  type: "start_agent",
  user_request: "hi",
  agent_id,
  ...more,
});

describe("a request for a connection", () => {
  const refusing = (code: "UNAUTHENTICATED" | "FORBIDDEN" | "RATE_LIMITED") => () => {
    throw new TroupeError(code, "not you");
  };

  test.each([
    ["UNAUTHENTICATED", 4401],
    ["FORBIDDEN", 4403],
    ["RATE_LIMITED", 4429],
  ] as const)("WS1: that is refused with %s is closed with %i, and nothing of it is read", async (code, closing) => {
    const { client, t, reports } = await openBed({ agents, admit: refusing(code) });
    const one = await client({ session_id: "s1" });
    one.send(start("r1"));
    expect(await one.closed()).toEqual({ code: closing, reason: "not you" });
    expect(one.frames).toEqual([]);
    expect((await t.list({ entity: "task" })).items).toEqual([]);
    expect(reports).toEqual([]);
  });

  test("WS1: at any other path is answered 404", async () => {
    const { url } = await openBed({ agents });
    await expect(openClient(url.replace("/api/ws", "/api/other"))).rejects.toThrow("404");
  });

  test.each(["//[", "http://[", "%", "/api/ws%00", "*", "/api/ws/../ws", `/api/${"x".repeat(5_000)}`])(
    "WS1: for '%s' is turned away, and the gateway goes on",
    async (target) => {
      const { client, server } = await openBed({ agents });
      const { port } = server.address() as AddressInfo;
      const socket = connect(port, "127.0.0.1");
      const upgrade = ["host: 127.0.0.1", "connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13"];
      socket.write([`GET ${target} HTTP/1.1`, ...upgrade, "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="].join("\r\n"));
      socket.write("\r\n\r\n");
      const [answer] = (await once(socket, "data")) as [Buffer];
      expect(answer.toString()).toMatch(/^HTTP\/1\.1 (?:400|404)/);
      socket.destroy();
      await (await client()).leave();
    },
  );

  test("WS1: without an upgrade is left to others", async () => {
    const { url, server } = await openBed({ agents });
    server.on("request", (_request, response) => response.writeHead(426).end());
    const status = await new Promise((answered, failed) => {
      httpRequest(url.replace("ws:", "http:"), (response) => answered(response.statusCode))
        .on("error", failed)
        .end();
    });
    expect(status).toBe(426);
  });

  test("WS1: with a session id that is none, or one connection too many, is closed", async () => {
    const { client } = await openBed({ agents, settings: { limits: { sockets: 1 } } });
    expect(await (await client({ session_id: "a b" })).closed()).toMatchObject({ code: 4400 });
    await client();
    expect(await (await client()).closed()).toMatchObject({ code: 4429 });
  });

  test("WS1: of a token that was revoked since is closed with 4401 at its next frame", async () => {
    let isValid = true;
    const caller = { name: "ann", scope: "run" as const, isValid: () => isValid };
    const { client, t } = await openBed({ agents, admit: () => ({ caller }) });
    const one = await client();
    one.send({ type: "ping", id: "p1" });
    await one.of("pong", "p1");
    isValid = false;
    one.send(start("r1"));
    expect(await one.closed()).toMatchObject({ code: 4401 });
    expect((await t.list({ entity: "task" })).items).toEqual([]);
  });
});

describe("frames", () => {
  test("WS2: are taken in order", async () => {
    const { client } = await openBed({ agents });
    const one = await client();
    one.send({ id: "r1", type: "user_message", thread_id: "nowhere", content: "hi" });
    one.send({ id: "r2", type: "ping" });
    await one.of("pong");
    expect(one.frames).toMatchObject([
      { type: "error", request_id: "r1", code: "THREAD_NOT_FOUND", event_id: "1" },
      { type: "pong", request_id: "r2", event_id: "2" },
    ]);
  });

  test("WS3: of an unknown type are answered with an error, logged and counted, and never acknowledged", async () => {
    const { client, reports, refused, t } = await openBed({ agents });
    const one = await client();
    one.send({ id: "r1", type: "run_agent", user_request: "hi", agent_id: "echo" });
    one.send({ id: "r2", type: "start_agnt", user_request: "hi", agent_id: "echo" });
    await one.of("error", "r2");
    const known_types = ["start_agent", "user_message", "chat", "cancel", "ping"];
    expect(one.frames).toMatchObject([
      {
        type: "error",
        request_id: "r1",
        code: "UNKNOWN_MESSAGE_TYPE",
        details: { given: "run_agent", known_types, nearest: "start_agent" },
      },
      { type: "error", message: "unknown type 'start_agnt'; use 'start_agent'", details: { nearest: "start_agent" } },
    ]);
    const logged = reports.filter(({ level, message }) => level === "error" && message === "a message was refused");
    expect(logged.map(({ fields }) => fields["code"])).toEqual(["UNKNOWN_MESSAGE_TYPE", "UNKNOWN_MESSAGE_TYPE"]);
    expect(refused).toEqual(["UNKNOWN_MESSAGE_TYPE", "UNKNOWN_MESSAGE_TYPE"]);
    expect((await t.list({ entity: "task" })).items).toEqual([]);
    one.send(start("r3"));
    expect(await one.of("agent_completed", "r3")).toMatchObject({ status: "SUCCESS" });
  });

  test("WS3: twenty refused in a row close the connection with 4400, and one that is taken begins anew", async () => {
    const { client } = await openBed({ agents });
    const one = await client();
    for (let count = 0; count < 19; count += 1) one.send({ id: `a${count}`, type: "nonsense" });
    one.send({ id: "p1", type: "ping" });
    for (let count = 0; count < 19; count += 1) one.send({ id: `b${count}`, type: "nonsense" });
    one.send({ id: "p2", type: "ping" });
    await one.of("pong", "p2");
    for (let count = 0; count < 20; count += 1) one.send({ id: `c${count}`, type: "nonsense" });
    expect(await one.closed()).toMatchObject({ code: 4400 });
    expect(one.frames.filter(({ type }) => type === "error")).toHaveLength(58);
    expect(one.frames.some(({ type }) => type === "ack")).toBe(false);
  });

  test("WS3: of someone who may only read are refused, but for a ping", async () => {
    const caller = { name: "ann", scope: "read" as const, isValid: () => true };
    const { client, t } = await openBed({ agents, admit: () => ({ caller }) });
    const one = await client();
    one.send(start("r1"));
    one.send({ id: "p1", type: "ping" });
    await one.of("pong", "p1");
    expect(one.frames).toMatchObject([{ type: "error", code: "FORBIDDEN", request_id: "r1" }, { type: "pong" }]);
    expect((await t.list({ entity: "task" })).items).toEqual([]);
  });
});

describe("a client", () => {
  const words = "x".repeat(1_000);
  /** Streams and thinks aloud far more than a socket holds, and says when it is done. */
  const talker = {
    id: "talker",
    handler(_input: unknown, { token, think }: { token: (text: string) => void; think: (text: string) => void }) {
      for (let count = 0; count < 4_000; count += 1) token(words);
      for (let count = 0; count < 10; count += 1) think(`${count}`);
      return { text: "done" };
    },
  };
  const chatter = {
    id: "chatter",
    handler(_input: unknown, { think }: { think: (text: string) => void }) {
      for (let count = 0; count < 2_000; count += 1) think(words.repeat(4));
      return { text: "done" };
    },
  };

  test("WS4: that does not read is told fewer tokens, and all else, without a gap in the numbers", async () => {
    const limits = { unsentTokenBytes: 100_000, unsentBytes: 50_000_000 };
    const { client } = await openBed({ agents: [talker], settings: { limits } });
    const one = await client();
    one.socket.pause();
    one.send(start("r1", "talker", { data: { stream: true } }));
    // The socket writes what is sent also while it does not read.
    await new Promise((sent) => one.socket.send(JSON.stringify({ type: "ping", id: "p1" }), sent));
    one.socket.resume();
    expect(await one.of("agent_completed", "r1")).toMatchObject({ status: "SUCCESS" });
    expect(one.frames.map(({ event_id }) => event_id)).toEqual(one.frames.map((_, index) => String(index + 1)));
    expect(one.frames.filter(({ kind }) => kind === "thought")).toHaveLength(10);
    expect(one.frames.filter(({ kind }) => kind === "token").length).toBeLessThan(4_000);
  });

  test("WS4: that does not read at all is closed with 4429, and hears the rest when it comes back", async () => {
    const limits = { unsentTokenBytes: 100_000, unsentBytes: 1_000_000, replayBytes: 100_000_000 };
    const { client, reports } = await openBed({ agents: [chatter], settings: { limits } });
    const one = await client({ session_id: "s1" });
    one.socket.pause();
    one.send(start("r1", "chatter"));
    one.socket.resume();
    const { code } = await one.closed();
    expect([4429, 1006]).toContain(code);
    expect(reports).toContainEqual(expect.objectContaining({ message: "a client reads too slowly" }));
    const last = `${Number(one.frames.at(-1)?.["event_id"] ?? 0)}`;
    const two = await client({ session_id: "s1", last_event_id: last });
    await expect.poll(() => all([...one.frames, ...two.frames]), { timeout: 10_000 }).toContain("agent_completed");
    const numbers = [...one.frames, ...two.frames].map(({ event_id }) => Number(event_id));
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  });
  const all = (frames: readonly Frame[]): string[] => frames.map(({ type }) => type);

  test.each([
    ["bytes", 1003, (socket: Sending) => socket.send(Buffer.from("{}"), { binary: true })],
    ["text that is no UTF-8", 1007, (socket: Sending) => socket.send(Buffer.from([0xff, 0xfe]), { binary: false })],
    ["a frame that is too large", 1009, (socket: Sending) => socket.send("x".repeat(2_000), { binary: false })],
  ] as const)("that sends %s is closed with %i", async (_what, code, send) => {
    const { client } = await openBed({ agents, settings: { limits: { frameBytes: 1_000 } } });
    const one = await client();
    send(one.socket);
    expect(await one.closed()).toMatchObject({ code });
  });
  type Sending = { send(data: Buffer | string, options: { binary: boolean }): void };

  test("that gives no sign of life is closed with 4408, and one that answers pings is not", async () => {
    const { client } = await openBed({ agents, settings: { limits: { pingMs: 20, idleMs: 200 } } });
    const alive = await client();
    const dead = await client({}, { autoPong: false });
    expect(await dead.closed()).toMatchObject({ code: 4408 });
    alive.send({ type: "ping", id: "p1" });
    expect(await alive.of("pong", "p1")).toMatchObject({ request_id: "p1" });
  });

  test("whose session is opened elsewhere is closed with 4409, and the new connection goes on", async () => {
    const agent = held();
    const { client } = await openBed({ agents: [agent.definition] });
    const one = await client({ session_id: "s1" });
    one.send(start("r1", "held"));
    await one.of("agent_started", "r1");
    const two = await client({ session_id: "s1", last_event_id: "1" });
    expect(await one.closed()).toMatchObject({ code: 4409 });
    await expect.poll(agent.begun).toBe(1);
    agent.end();
    await two.of("agent_completed", "r1");
    expect(typesOf([...one.frames.slice(0, 1), ...two.frames], "r1")).toEqual([
      "ack",
      "agent_started",
      "agent_thinking",
      "agent_completed",
    ]);
  });

  test("that sends too much is told so, and closed with 4429", async () => {
    const { client } = await openBed({ agents, settings: { limits: { framesPerSecond: 1, frameBurst: 5 } } });
    const one = await client();
    for (let count = 0; count < 10; count += 1) one.send({ type: "ping", id: `p${count}` });
    expect(await one.closed()).toMatchObject({ code: 4429 });
    expect(one.frames).toContainEqual(expect.objectContaining({ type: "error", code: "RATE_LIMITED" }));
  });

  test("is told 1001 when the gateway stops, and what runs goes on", async () => {
    const agent = held();
    const { client, sockets, t } = await openBed({ agents: [agent.definition] });
    const one = await client();
    one.send(start("r1", "held", { thread_id: "t1" }));
    const { run_id } = await one.of("agent_started", "r1");
    one.send(start("r2", "held", { thread_id: "t1" }));
    await one.of("warning", "r2");
    await sockets.close(0);
    expect(await one.closed()).toMatchObject({ code: 1001 });
    expect(await one.of("error", "r2")).toMatchObject({ code: "INVALID_STATE" });
    agent.end();
    expect(await t.result(String(run_id))).toMatchObject({ status: "SUCCESS" });
  });

  test("is waited for as long as the gateway may, until its run has ended", async () => {
    const agent = held();
    const { client, sockets } = await openBed({ agents: [agent.definition] });
    const one = await client();
    one.send(start("r1", "held"));
    await one.of("agent_started", "r1");
    const closed = sockets.close(10_000);
    one.send(start("r2", "held"));
    expect(await one.of("error", "r2")).toMatchObject({ code: "INVALID_STATE", details: { status: "stopping" } });
    agent.end();
    expect(await one.of("agent_completed", "r1")).toMatchObject({ status: "SUCCESS" });
    await closed;
    expect(await one.closed()).toMatchObject({ code: 1001 });
  });
});

test("an agent that uses a tool answers end to end within a second, with all five frames", async () => {
  const { client } = await openBed({ agents, tools });
  const one = await client();
  const began = performance.now();
  one.send(start("r1", "clerk", { user_request: "A7" }));
  const { result } = await one.of("agent_completed", "r1");
  expect(result).toEqual({ text: "A7 was sent." });
  expect(typesOf(one.frames, "r1")).toEqual([
    "ack",
    "agent_started",
    "agent_thinking",
    "tool_executing",
    "tool_completed",
    "agent_completed",
  ]);
  // It takes some milliseconds; the limit only notices that something waits.
  expect(performance.now() - began).toBeLessThan(60_000);
});
