// Serves Stately's inspector: a port of its own with the page that holds it, and the frames that it understands.
//
//   GET /            the page           ws /feed   what the page hands on: one execution or all, live or replayed
//   GET /executions  for its picker     ws /       as @statelyai/inspect serves it: applications send, viewers hear
//
// Invariants:
//   IN1. It listens on loopback alone, and lets in whom the guard lets in: host, origin, token.
//   IN2. While nobody looks, nothing of a run is followed.
//   IN3. Whoever is gone without a word, or whose token lets in no longer, is let go after a while.
//   IN4. Once it is closed nothing of it is left: no connection, no timer, no run that is watched.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import { errorRow, fromUnknown, TroupeError } from "../protocol/errors.ts";
import { clip } from "../protocol/refusal.ts";
import type { Report } from "../protocol/report.ts";
import type { Troupe } from "../runtime/troupe.ts";
import { isLoopback } from "../protocol/loopback.ts";
import type { Guard } from "./guard.ts";
import type { Caller } from "./tokens.ts";
import { openApp, type App } from "./inspector-apps.ts";
import { openFeed, rootOf } from "./inspector-feed.ts";
import { pageFiles, policyOf } from "./inspector-page.ts";
import { play } from "./inspector-replay.ts";
import { openStage, type Viewer } from "./inspector-stage.ts";

export type InspectorSettings = {
  troupe: Troupe;
  guard: Pick<Guard, "admit">;
  log: Report;
  /** 8080 unless it is said; 0 is any. */
  port?: number | undefined;
  host?: string | undefined;
  /** The inspector that the page holds. */
  inspectorUrl?: string | undefined;
  /** Where our own pages are. */
  pagesUrl?: string | null | undefined;
};

export type Inspector = Awaited<ReturnType<typeof openInspector>>;

const lookMs = 20_000;
const frameBytesMax = 1_000_000;
const viewersMax = 50;
const refusalsMax = 20;
const listedMax = 100;
const hostedInspector = "https://stately.ai/inspect";

type Connection = { socket: WebSocket; caller: Caller; end: () => void; hasAnswered: boolean };

export async function openInspector(settings: InspectorSettings) {
  const { troupe, guard, log, port = 8_080, host = "127.0.0.1", pagesUrl = null } = settings;
  const { inspectorUrl = hostedInspector } = settings;
  if (!isLoopback(host)) {
    const message = `the inspector listens on loopback alone, not on '${clip(host)}'; from elsewhere use a tunnel`;
    throw new TroupeError("VALIDATION_FAILED", message, { host, reason: "unsafe_bind" });
  }
  if (!/^https?:/.test(inspectorUrl) || !URL.canParse(inspectorUrl)) {
    const message = `'${clip(inspectorUrl)}' is no address of an inspector; write it as ${hostedInspector}`;
    throw new TroupeError("VALIDATION_FAILED", message, { inspect_url: clip(inspectorUrl) });
  }
  const stage = openStage(troupe.clock);
  const feed = openFeed(troupe, stage, log);
  const door = new WebSocketServer({ noServer: true, maxPayload: frameBytesMax, perMessageDeflate: false });
  const connections = new Set<Connection>();
  const files = pageFiles({ inspectorUrl, pagesUrl });
  const headers = { ...tame, "content-security-policy": policyOf({ inspectorUrl, pagesUrl }) };
  let apps = 0;
  let cancelLook: (() => void) | undefined;

  // ── the page ──

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = addressOf(request);
    try {
      if (request.method !== "GET") throw new TroupeError("NOT_FOUND", "there is nothing here but to look at");
      const file = files.get(pathname);
      guard.admit(request, { scope: file ? "open" : "read" });
      if (file) return void response.writeHead(200, { ...headers, "content-type": file.type }).end(file.text);
      if (pathname !== "/executions") throw new TroupeError("NOT_FOUND", `there is no '${clip(pathname)}' here`);
      const { items } = await troupe.list({ entity: "workflow", limit: listedMax });
      const shown = items.map(({ execId, id, status, createdAt }) => {
        return { exec_id: execId, id, status, created_at: new Date(createdAt).toISOString() };
      });
      response.writeHead(200, { ...headers, ...unkept }).end(JSON.stringify({ items: shown }));
    } catch (thrown) {
      const { code, message } = fromUnknown(thrown);
      const status = errorRow(code).http ?? 500;
      response.writeHead(status, { ...headers, ...unkept }).end(JSON.stringify({ status, code, detail: message }));
    }
  }

  // ── connections ──

  function upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    stream.on("error", () => stream.destroy());
    try {
      const { caller } = guard.admit(request, { scope: "read" });
      const { pathname, searchParams } = addressOf(request);
      if (pathname !== "/" && pathname !== "/feed") throw new TroupeError("NOT_FOUND", "no socket is here");
      if (connections.size >= viewersMax) {
        throw new TroupeError("RATE_LIMITED", `${viewersMax} look already`, { limit: "viewers", max: viewersMax });
      }
      door.handleUpgrade(request, stream, head, (socket) => {
        if (pathname === "/feed") guarded(socket, caller, () => welcome(socket, searchParams));
        else guarded(socket, caller, () => welcomeAnyone(socket));
      });
    } catch (thrown) {
      const { code, message } = fromUnknown(thrown);
      log("warn", "the inspector let somebody not in", { code, reason: message });
      stream.end(`HTTP/1.1 ${errorRow(code).http ?? 500} ${code}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
    }
  }

  function guarded(socket: WebSocket, caller: Caller, act: () => () => void): void {
    const connection: Connection = { socket, caller, end: () => undefined, hasAnswered: true };
    connections.add(connection);
    cancelLook ??= troupe.clock.alarm(troupe.clock.now() + lookMs, lookAround);
    socket.on("pong", () => (connection.hasAnswered = true));
    socket.on("error", () => socket.terminate());
    socket.on("close", () => {
      connections.delete(connection);
      part(connection);
    });
    try {
      connection.end = act();
    } catch (error) {
      socket.close(refused, fromUnknown(error).message.slice(0, reasonCharsMax));
    }
  }

  function lookAround(): void {
    for (const connection of connections) {
      const { socket, caller, hasAnswered } = connection;
      if (!hasAnswered) socket.terminate();
      else if (caller.isValid()) socket.ping();
      else socket.close(unauthenticated, "the token lets in no longer");
      connection.hasAnswered = false;
    }
    cancelLook = connections.size > 0 ? troupe.clock.alarm(troupe.clock.now() + lookMs, lookAround) : undefined;
  }

  const viewerOf = (socket: WebSocket, sees: (group: string) => boolean): Viewer => ({
    send: (text) => void (socket.readyState === socket.OPEN && socket.send(text)),
    waiting: () => socket.bufferedAmount,
    sees,
  });
  const isForAll = (group: string): boolean => group.startsWith(appPrefix) || feed.isForAll(group);

  /** Our page: it looks at what it asks for, and is told how that goes. */
  function welcome(socket: WebSocket, query: URLSearchParams): () => void {
    const execution = query.get("execution");
    const speed = query.get("speed");
    if (execution === null || speed === null) return look(socket, execution);
    const factor = Number(speed);
    if (!Number.isFinite(factor) || factor < 0)
      throw new TroupeError("VALIDATION_FAILED", "a speed is a number from 0");
    const tell = (text: string): void => socket.send(JSON.stringify({ type: "troupe.state", text }));
    const viewer = viewerOf(socket, () => true);
    const { over, end } = play(troupe, rootOf(troupe, execution), factor, viewer, (progress) => {
      const { shown, at, is_over: isOver, is_whole: isWhole } = progress;
      const missing = isWhole ? "" : "; not all of its log can be read by this release";
      tell(isOver ? `replayed, ${shown} steps${missing}` : `${shown} steps, at ${new Date(at).toISOString()}`);
    });
    over.catch((error: unknown) => socket.close(refused, fromUnknown(error).message.slice(0, reasonCharsMax)));
    return end;
  }

  function look(socket: WebSocket, execution: string | null): () => void {
    const { group, end } = feed.look(execution);
    const viewer = viewerOf(socket, (one) => (group === null ? isForAll(one) : one === group));
    stage.join(viewer);
    return () => {
      stage.leave(viewer);
      end();
    };
  }

  /** An application, once it says something; until then somebody who wants to hear. */
  function welcomeAnyone(socket: WebSocket): () => void {
    let end = look(socket, null);
    let app: App | undefined;
    let refusals = 0;
    socket.on("message", (data: RawData, isBinary) => {
      if (!app) {
        end();
        apps += 1;
        app = openApp(stage, `${appPrefix}${apps}`, troupe.clock.now);
        end = app.end;
      }
      if (!isBinary && app.hear(textOf(data))) return;
      refusals += 1;
      if (refusals >= refusalsMax) socket.close(refused, "these are no frames of @statelyai/inspect");
    });
    return () => end();
  }

  const server = createServer((request, response) => void answer(request, response));
  server.on("upgrade", upgrade);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => {
      const fix = "choose another with --inspect=<port>";
      const message = `the inspector cannot listen on port ${port}: ${error.message}; ${fix}`;
      reject(new TroupeError("INVALID_STATE", message, { port }, { cause: error }));
    });
    server.listen(port, host, resolve);
  });
  const { port: taken } = server.address() as AddressInfo;
  const name = host.includes(":") ? `[${host.replace(/^\[|\]$/g, "")}]` : host;

  return {
    port: taken,
    url: `http://${name}:${taken}`,
    stats: () => ({ viewers: stage.viewers(), ...stage.stats(), ...feed.stats() }),
    async close(): Promise<void> {
      cancelLook?.();
      feed.close();
      stage.close();
      for (const connection of connections) {
        part(connection);
        connection.socket.close(goingAway, "the inspector is no longer served");
      }
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        for (const { socket } of connections) socket.terminate();
      });
    },
  };
}

/** What it held is let go, once. */
function part(connection: Connection): void {
  const { end } = connection;
  connection.end = () => undefined;
  end();
}

const appPrefix = "app-";
const goingAway = 1001;
const unauthenticated = 4401;
const refused = 4400;
/** What the reason of a close may hold, in bytes. */
const reasonCharsMax = 120;
const unkept = { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" };
const tame = {
  "cache-control": "no-cache",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

const addressOf = ({ url }: IncomingMessage): URL => new URL(url ?? "/", "http://localhost");

const textOf = (data: RawData): string =>
  (Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as ArrayBuffer)).toString("utf8");
