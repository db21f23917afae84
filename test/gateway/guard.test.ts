// Goal: the door lets in whom it should, tames browsers, and refuses whatever else comes before anything is read.
// Method: a small app behind the real door, asked by injection, and by raw bytes where a client would not send such.

import { fastify, type FastifyInstance, type InjectOptions } from "fastify";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { request as httpsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { errorRow, fromUnknown } from "../../src/protocol/errors.ts";
import { guardLimits } from "../../src/gateway/guard-limits.ts";
import { type GuardSettings, openGuard } from "../../src/gateway/guard.ts";
import { createToken, openTokens, revokeToken, type Scope } from "../../src/gateway/tokens.ts";
import { writeCertificate } from "../kit/certificate.ts";

let folder: string;
let now: number;
const apps: FastifyInstance[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "troupe-guard-"));
  now = 1_000_000;
});
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
  rmSync(folder, { recursive: true });
});

const tokensOf = (...secrets: readonly Scope[]) => {
  const file = join(folder, "tokens.json");
  const made = secrets.map((scope) => createToken(file, { name: scope, scope, expiresAt: null, now }).secret);
  return { file, made, tokens: openTokens({ file, now: () => now, report: () => undefined }) };
};

/** An app with a route of each scope; each answers what it sees of the caller. */
function appWith(more: Partial<GuardSettings> = {}) {
  const guard = openGuard({ host: "127.0.0.1", now: () => now, ...more });
  const app: FastifyInstance = fastify({ ...guard.serverOptions, logger: false } as object);
  apps.push(app);
  guard.install(app);
  app.setErrorHandler((thrown, _request, reply) => {
    const { code, message, details } = fromUnknown(thrown);
    const status = (thrown as { statusCode?: number }).statusCode ?? errorRow(code).http ?? 500;
    void reply.code(status).send({ code, detail: message, details });
  });
  const sees = (request: { caller: unknown; url: string; headers: object; query: unknown; body: unknown }) => ({
    caller: request.caller,
    url: request.url,
    headers: request.headers,
    query: request.query,
    body: request.body,
  });
  for (const scope of ["open", "read", "run", "admin"] as const) {
    app.all(`/api/${scope}`, { config: { scope } }, async (request) => sees(request));
  }
  app.get("/api/stream", { config: { scope: "read", stream: true } }, async (request) => sees(request));
  app.get("/api/unstated", async (request) => sees(request));
  app.get("/", { config: { scope: "open" } }, async () => "page");
  return { app, guard };
}

const bearer = (secret: string | undefined) => ({ authorization: `Bearer ${secret}` });
const statusOf = async (app: FastifyInstance, options: InjectOptions): Promise<number> =>
  (await app.inject({ url: "/api/read", ...options })).statusCode;

describe("without tokens, on loopback", () => {
  test("GD1: everybody is an admin, also where no scope is stated", async () => {
    const { app } = appWith();
    for (const url of ["/api/read", "/api/run", "/api/admin", "/api/unstated"]) {
      const answer = await app.inject(url);
      expect(answer.statusCode).toBe(200);
      expect(answer.json()).toMatchObject({ caller: { name: "local", scope: "admin" } });
    }
  });

  test("requests are not counted, unless that is asked for", async () => {
    const { app } = appWith({ limits: { requestBurst: 20 } });
    for (let round = 0; round < 50; round += 1) expect(await statusOf(app, {})).toBe(200);
    const { app: counted } = appWith({ limits: { requestBurst: 20, requestsPerSecond: 10 } });
    const answers = [];
    for (let round = 0; round < 25; round += 1) answers.push(await statusOf(counted, {}));
    expect(answers.filter((status) => status === 429)).toHaveLength(5);
  });
});

describe("with tokens", () => {
  test("a token opens what its scope allows, and nothing else does", async () => {
    const { made, tokens } = tokensOf("read", "run", "admin");
    const { app } = appWith({ tokens });
    const table: Record<string, number[]> = {};
    for (const scope of ["open", "read", "run", "admin", "unstated"]) {
      const answers = [undefined, "troupe_wrong", ...made].map((secret) =>
        statusOf(app, { url: `/api/${scope}`, headers: secret === undefined ? {} : bearer(secret) }),
      );
      table[scope] = await Promise.all(answers);
    }
    expect(table).toEqual({
      open: [200, 200, 200, 200, 200],
      read: [401, 401, 200, 200, 200],
      run: [401, 401, 403, 200, 200],
      admin: [401, 401, 403, 403, 200],
      unstated: [401, 401, 403, 403, 200],
    });
    const refused = await app.inject("/api/read");
    expect(refused.headers["www-authenticate"]).toContain("Bearer");
    expect(refused.json()).toMatchObject({ code: "UNAUTHENTICATED" });
  });

  test("what is revoked is refused by the next request", async () => {
    const { file, made, tokens } = tokensOf("read", "admin");
    const { app } = appWith({ tokens });
    expect(await statusOf(app, { headers: bearer(made[0]) })).toBe(200);
    revokeToken(file, "read");
    expect(await statusOf(app, { headers: bearer(made[0]) })).toBe(401);
    expect(await statusOf(app, { headers: bearer(made[1]) })).toBe(200);
  });

  test("GD2: in the query it counts for streams and for upgrades, and nowhere else", async () => {
    const { made, tokens } = tokensOf("read");
    const { app, guard } = appWith({ tokens });
    expect(await statusOf(app, { url: `/api/stream?access_token=${made[0]}` })).toBe(200);
    expect(await statusOf(app, { url: `/api/read?access_token=${made[0]}` })).toBe(401);
    const upgrade = (url: string): unknown => guard.admit(requestOf({ url }), { scope: "read" });
    expect(upgrade(`/api/ws?session_id=s&access_token=${made[0]}`)).toMatchObject({ caller: { name: "read" } });
    expect(() => upgrade("/api/ws")).toThrow("a token is needed");
    expect(() => upgrade("/api/ws?access_token=troupe_wrong")).toThrow("unknown, revoked or over its time");
    expect(() => guard.admit(requestOf({ url: `/?access_token=${made[0]}` }), { scope: "run" })).toThrow("may read");
  });

  test("GD6: nothing behind the door sees a token", async () => {
    const { made, tokens } = tokensOf("read");
    const { app, guard } = appWith({ tokens });
    const [secret] = made;
    for (const url of [`/api/stream?access_token=${secret}`, `/api/stream?a=1&access_token=${secret}&b=2`]) {
      const answer = await app.inject({ url, headers: bearer(secret) });
      expect(answer.statusCode).toBe(200);
      expect(answer.body).not.toContain(secret);
    }
    const twice = `/api/stream?access_token=${secret}&access_token=${secret}&b=2`;
    const answer = await app.inject(twice);
    expect(answer.body).not.toContain(secret);
    const request = requestOf({ url: `/api/ws?a=1&access_token=${secret}&session_id=s`, headers: bearer(secret) });
    guard.admit(request, { scope: "read" });
    expect(request.url).toBe("/api/ws?a=1&session_id=s");
    expect(request.headers.authorization).toBeUndefined();
  });

  test("GD4: a client with wrong tokens is put off long before one with a right one is, who is not", async () => {
    const { made, tokens } = tokensOf("read");
    const { app } = appWith({ tokens, limits: { requestsPerSecond: 100, requestBurst: 100 } });
    const wrong = [];
    for (let round = 0; round < 10; round += 1) wrong.push(await statusOf(app, { headers: bearer("troupe_wrong") }));
    expect(wrong.slice(0, 5)).toEqual([401, 401, 401, 401, 401]);
    expect(wrong.slice(5)).toEqual([429, 429, 429, 429, 429]);
    const right = [];
    for (let round = 0; round < 101; round += 1) right.push(await statusOf(app, { headers: bearer(made[0]) }));
    expect(right.filter((status) => status === 200)).toHaveLength(100);
    const late = await app.inject({ url: "/api/read", headers: bearer(made[0]) });
    expect(late.headers["retry-after"]).toBe("1");
    now += 1_000;
    expect(await statusOf(app, { headers: bearer(made[0]) })).toBe(200);
    expect(await statusOf(app, { headers: bearer("troupe_wrong") })).toBe(401);
  });
});

const requestOf = ({ url, headers = {} }: { url: string; headers?: Record<string, string> }) => {
  const all: Record<string, string> = { host: "localhost", ...headers };
  const request = { url, method: "GET", headers: all, rawHeaders: Object.entries(all).flat(), socket: {} };
  return request as unknown as Parameters<ReturnType<typeof openGuard>["admit"]>[0];
};

describe("browsers", () => {
  test("GD3: every answer tames them, refusals and unknown paths too, and none of the interface is kept", async () => {
    const { tokens } = tokensOf("read");
    const { app } = appWith({ tokens });
    for (const url of ["/", "/api/open", "/api/read", "/api/none", "/none"]) {
      const { headers } = await app.inject(url);
      expect(headers["content-security-policy"], url).toContain("default-src 'self'");
      expect(headers["content-security-policy"], url).not.toContain("unsafe");
      expect(headers, url).toMatchObject({
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
      });
      expect(headers["cache-control"], url).toBe(url.startsWith("/api") ? "no-store" : undefined);
      expect(headers["access-control-allow-origin"], url).toBeUndefined();
    }
  });

  test("an allowed origin is told so, and may ask beforehand; no other is", async () => {
    const { tokens } = tokensOf("run");
    const { app } = appWith({ tokens, allowed_origins: ["https://board.example.org"] });
    const asks = { "access-control-request-method": "POST" };
    const options = { method: "OPTIONS", url: "/api/run" } as const;
    const told = await app.inject({ ...options, headers: { ...asks, origin: "https://board.example.org" } });
    expect(told.statusCode).toBe(204);
    expect(told.headers["access-control-allow-origin"]).toBe("https://board.example.org");
    expect(told.headers["access-control-allow-headers"]).toContain("authorization");
    const other = await app.inject({ ...options, headers: { ...asks, origin: "https://evil.example" } });
    expect(other.statusCode).toBe(403);
    expect(other.headers["access-control-allow-origin"]).toBeUndefined();
    const real = { url: "/api/run", method: "POST", headers: { origin: "https://board.example.org" } } as const;
    expect((await app.inject(real)).statusCode).toBe(401);
  });

  test("the inspector's port may name origins of its own, for itself alone", () => {
    const { guard } = appWith({ allowed_origins: ["https://board.example.org"] });
    const from = (origin: string, origins?: readonly string[]): unknown =>
      guard.admit(requestOf({ url: "/", headers: { origin } }), { scope: "read", ...(origins && { origins }) });
    expect(from("https://stately.ai", ["https://stately.ai"])).toMatchObject({ caller: { name: "local" } });
    expect(() => from("https://stately.ai")).toThrow("may not call");
    expect(() => from("https://evil.example", ["https://stately.ai"])).toThrow("may not call");
    expect(() => from("https://board.example.org", ["https://stately.ai"])).toThrow("may not call");
  });
});

describe("bodies and paths", () => {
  test("GD4: a body is not read before its sender is let in", async () => {
    const { tokens } = tokensOf("run");
    const { app } = appWith({ tokens });
    const spoiled = { method: "POST", url: "/api/run", headers: { "content-type": "application/json" } } as const;
    expect((await app.inject({ ...spoiled, body: "{" })).statusCode).toBe(401);
  });

  const post = (app: FastifyInstance, body: string, type = "application/json"): Promise<number> =>
    statusOf(app, { url: "/api/run", method: "POST", headers: { "content-type": type }, body });

  test("only JSON is taken, nothing deep, large, doubly meant or meant to change what all objects have", async () => {
    const { app } = appWith({ limits: { bodyBytes: 10_000, jsonDepth: 20 } });
    expect(await post(app, '{"input":{}}')).toBe(200);
    expect(await post(app, "")).toBe(200);
    expect(await post(app, '{"input":{}}', "application/json; charset=utf-8")).toBe(200);
    expect(await post(app, '{"input":{}}', "text/plain")).toBe(415);
    expect(await post(app, "input=1", "application/x-www-form-urlencoded")).toBe(415);
    expect(await post(app, JSON.stringify({ input: "x".repeat(10_000) }))).toBe(413);
    expect(await post(app, `{"input":${"[".repeat(19)}${"]".repeat(19)}}`)).toBe(200);
    for (const body of [`{"input":${"[".repeat(20)}${"]".repeat(20)}}`, "{", "{'a':1}", '{"a":1}{', "\u0000"]) {
      expect(await post(app, body), body).toBe(400);
    }
    for (const body of ['{"__proto__":{"a":1}}', '{"a":{"__proto__":1}}', '{"\\u005f_proto__":1}']) {
      expect(await post(app, body), body).toBe(400);
    }
    expect(({} as { a?: unknown }).a).toBeUndefined();
  });

  test("a path that is too long is refused, and so is one that names a host", async () => {
    const { app } = appWith({ limits: { urlChars: 100 } });
    expect(await statusOf(app, { url: `/api/read?a=${"b".repeat(80)}` })).toBe(200);
    expect(await statusOf(app, { url: `/api/read?a=${"b".repeat(100)}` })).toBe(413);
    const { guard } = appWith();
    expect(() => guard.admit(requestOf({ url: "http://localhost/api/ws" }), { scope: "read" })).toThrow("slash");
  });
});

describe("on the wire", () => {
  /** Sends bytes; gives all that comes until the other side closes. */
  async function say(app: FastifyInstance, ...lines: readonly string[]): Promise<string> {
    const socket = connect((app.server.address() as AddressInfo).port, "127.0.0.1");
    let heard = "";
    socket.on("data", (data: Buffer) => (heard += data.toString()));
    socket.write(lines.join("\r\n"));
    await once(socket, "close");
    return heard;
  }
  const statusIn = (text: string): number => Number(/^HTTP\/1.1 (\d+)/.exec(text)?.[1]);

  test("what can be read in two ways is refused", async () => {
    const { app } = appWith();
    await app.listen({ port: 0, host: "127.0.0.1" });
    const post = ["POST /api/run HTTP/1.1", "host: localhost", "connection: close", "content-type: application/json"];
    const chunked = ["2", "{}", "0", "", ""];
    expect(statusIn(await say(app, ...post, "transfer-encoding: chunked", "", ...chunked))).toBe(200);
    const both = await say(app, ...post, "content-length: 2", "transfer-encoding: chunked", "", ...chunked);
    const twice = await say(app, ...post, "content-length: 2", "content-length: 3", "", "{}");
    const odd = await say(app, ...post, "transfer-encoding: xchunked", "", ...chunked);
    const spaced = await say(app, ...post, "content-length : 2", "", "{}");
    const folded = await say(app, ...post, "x: a", " b: c", "content-length: 2", "", "{}");
    const noHost = await say(app, "GET /api/read HTTP/1.1", "connection: close", "", "");
    const bare = await say(app, ...post, "x: a\nb", "content-length: 2", "", "{}");
    for (const answer of [both, twice, odd, spaced, folded, noHost, bare]) expect(statusIn(answer)).toBe(400);
    const hosts = await say(
      app,
      "GET /api/read HTTP/1.1",
      "host: localhost",
      "host: evil",
      "connection: close",
      "",
      "",
    );
    expect([400, 403]).toContain(statusIn(hosts));
    const absolute = await say(
      app,
      "GET http://localhost/api/read HTTP/1.1",
      "host: localhost",
      "connection: close",
      "",
      "",
    );
    expect(statusIn(absolute)).toBe(400);
  });

  test("GD5: too many headers, and bytes that are no request, are answered as problems and closed", async () => {
    const { app } = appWith({ limits: { headerBytes: 2_000 } });
    await app.listen({ port: 0, host: "127.0.0.1" });
    const large = await say(app, "GET / HTTP/1.1", "host: localhost", `x: ${"y".repeat(3_000)}`, "", "");
    expect(statusIn(large)).toBe(431);
    expect(large).toContain("application/problem+json");
    const noise = await say(app, "\u0016\u0003\u0001 hello", "", "");
    expect(statusIn(noise)).toBe(400);
    expect(noise).not.toContain("hello");
  });

  test("GD5: who sends slowly is closed with 408", async () => {
    const { app } = appWith({ limits: { headersTimeoutMs: 50, requestTimeoutMs: 50 } });
    await app.listen({ port: 0, host: "127.0.0.1" });
    const [headers, body] = await Promise.all([
      say(app, "GET /api/read HTTP/1.1", "host: localhost", "x: "),
      say(
        app,
        "POST /api/run HTTP/1.1",
        "host: localhost",
        "content-type: application/json",
        "content-length: 9",
        "",
        "{",
      ),
    ]);
    expect([statusIn(headers), statusIn(body)]).toEqual([408, 408]);
  });

  test("GD5: one connection more than there may be is closed", async () => {
    const { app } = appWith({ limits: { connections: 2 } });
    await app.listen({ port: 0, host: "127.0.0.1" });
    const { port } = app.server.address() as AddressInfo;
    const kept = [connect(port, "127.0.0.1"), connect(port, "127.0.0.1")];
    for (const socket of kept) await once(socket, "connect");
    const third = connect(port, "127.0.0.1");
    third.on("error", () => undefined);
    await once(third, "close");
    for (const socket of kept) socket.destroy();
  });
});

describe("limits", () => {
  test("each says what happens at it, and what cannot be is refused by name", () => {
    for (const { behaviour } of Object.values(guardLimits)) expect(behaviour.length).toBeGreaterThan(20);
    expect(() => appWith({ limits: { bodyBytes: 0, urlChars: 1.5 } })).toThrow("bodyBytes, urlChars");
  });
});

describe("TLS", () => {
  test("it is spoken with the certificate, from the version on that is asked for", async () => {
    now = Date.now();
    const tls = writeCertificate(folder);
    const { tokens, made } = tokensOf("read");
    const { app } = appWith({ host: "0.0.0.0", tls: { ...tls, min_version: "TLSv1.3" }, tokens });
    await app.listen({ port: 0, host: "127.0.0.1" });
    const { port } = app.server.address() as AddressInfo;
    const get = (more: object): Promise<number | string> =>
      new Promise((resolve) => {
        const headers = bearer(made[0]);
        const options = { port, host: "localhost", path: "/api/read", rejectUnauthorized: false, headers, ...more };
        const asked = httpsRequest(options, (answer) => {
          expect(answer.headers["strict-transport-security"]).toContain("max-age");
          answer.resume();
          resolve(answer.statusCode ?? 0);
        });
        asked.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
        asked.end();
      });
    expect(await get({})).toBe(200);
    expect(await get({ maxVersion: "TLSv1.2" })).toMatch(/PROTOCOL_VERSION|EPROTO/);
  });
});
