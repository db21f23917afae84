// WebSocket connections at /api/ws: let in, read frame by frame, kept alive, and closed with a code that says why.
//
//   upgrade ─▶ admit ─▶ session ─▶ what was missed ─▶ frames, one after the other ─▶ closed
//
// Invariants:
//   WS1. Nothing of a connection is read before its request was admitted.
//   WS2. The frames of a connection are taken one after the other, in the order in which they came.
//   WS3. A frame that is refused is answered with an error, logged and counted, and never acknowledged.
//   WS4. What waits for a client is bounded: one that does not read is closed, and can come back and go on.

import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import { type Trace, traceOf } from "../protocol/envelope.ts";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import { clip } from "../protocol/refusal.ts";
import type { Report } from "../protocol/report.ts";
import type { Troupe } from "../runtime/troupe.ts";
import { openConversations } from "./conversations.ts";
import type { GatewayMetrics } from "./door.ts";
import { errorFrame, frameTypes, readFrame } from "./frames.ts";
import { type Link, openSessions, type Session } from "./sessions.ts";
import { type SocketLimits, withSocketLimits } from "./socket-limits.ts";
import type { Caller } from "./tokens.ts";

/** Why a connection is closed, beside what WebSocket itself knows. */
export const closings = {
  normal: 1000,
  draining: 1001,
  binary: 1003,
  internal: 1011,
  refusals: 4400,
  unauthenticated: 4401,
  forbidden: 4403,
  idle: 4408,
  elsewhere: 4409,
  rate: 4429,
} as const;

export type SocketSettings = {
  /** Whom a message is for that names no agent. */
  defaultAgent?: string;
  /** Old types of frames are refused. */
  strict?: boolean;
  limits?: Partial<SocketLimits>;
};

type Means = {
  troupe: Troupe;
  server: Pick<Server, "on" | "off">;
  /** Who asks; throws if that may not be. Without it everybody may do everything. */
  admit?: (request: IncomingMessage) => { caller: Caller | null };
  log: Report;
  metrics?: GatewayMetrics | undefined;
  settings?: SocketSettings;
};

type Connection = {
  socket: WebSocket;
  session: Session;
  caller: Caller;
  trace: Trace;
  /** What came before the connection was told what it had missed. */
  inbox: Uint8Array[];
  isBusy: boolean;
  refusals: number;
  credit: number;
  creditAt: number;
  heardAt: number;
  cancelPing: () => void;
  link?: Link;
};

const path = "/api/ws";
/** How long a client has to answer a close. */
const partingMs = 1_000;
const inboxMax = 32;
const sessionPattern = /^[\w.:-]{1,64}$/;
const everybody: Caller = { name: "local", scope: "admin", isValid: () => true };

export type Sockets = ReturnType<typeof openSockets>;

export function openSockets({ troupe, server, admit, log, metrics, settings = {} }: Means) {
  const { clock } = troupe;
  const { defaultAgent, strict = false } = settings;
  const limits = withSocketLimits(settings.limits);
  const sessions = openSessions(clock, limits);
  const conversations = openConversations({
    troupe,
    sessions,
    report: log,
    metrics,
    defaultAgent,
    runsMax: limits.runs,
  });
  const door = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: limits.frameBytes,
    perMessageDeflate: false,
  });
  const connections = new Set<Connection>();
  let isClosing = false;

  // ── opening ──

  const upgrade = (request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    stream.on("error", () => stream.destroy());
    // Not parsed: what stands there may be no URL at all.
    const [place] = (request.url ?? "").split("?", 1);
    if (place !== path) return turnAway(stream, "404 Not Found");
    if (isClosing) return turnAway(stream, "503 Service Unavailable");
    let admitted: Caller | TroupeError;
    try {
      admitted = admit?.(request).caller ?? everybody;
    } catch (error) {
      admitted = fromUnknown(error);
    }
    door.handleUpgrade(request, stream, head, (socket) => {
      // A browser sees the code of a close, and nothing of an answer with a status.
      if (!(admitted instanceof Error)) welcome(socket, request, admitted);
      else refuseEntry(socket, codeOf(admitted), admitted.message);
    });
  };

  function refuseEntry(socket: WebSocket, code: number, reason: string): void {
    socket.on("error", () => socket.terminate());
    part(socket, code, reason);
  }

  function welcome(socket: WebSocket, request: IncomingMessage, caller: Caller): void {
    const query = new URLSearchParams((request.url ?? "").slice(path.length));
    const id = query.get("session_id") ?? troupe.system.id();
    if (!sessionPattern.test(id)) {
      return refuseEntry(socket, closings.refusals, "session_id has 1 to 64 letters, digits, or . _ : -");
    }
    if (connections.size >= limits.sockets) {
      metrics?.refused("RATE_LIMITED");
      return refuseEntry(socket, closings.rate, `there are ${limits.sockets} connections already`);
    }
    let opened: ReturnType<typeof sessions.open>;
    try {
      opened = sessions.open(id);
    } catch (error) {
      return refuseEntry(socket, closings.rate, fromUnknown(error).message);
    }
    const now = clock.now();
    const connection: Connection = {
      socket,
      session: opened.session,
      caller,
      trace: traceOf(request.headers),
      inbox: [],
      isBusy: true,
      refusals: 0,
      credit: limits.frameBurst,
      creditAt: now,
      heardAt: now,
      cancelPing: () => undefined,
    };
    connections.add(connection);
    metrics?.connected("websocket", 1);
    listen(connection);
    keepAlive(connection);
    const last = query.get("last_event_id");
    void enter(connection, opened.isNew, last === null ? null : /^\d{1,15}$/.test(last) ? Number(last) : Infinity);
  }

  /** Gives what was missed before anything new is taken. */
  async function enter(connection: Connection, isNew: boolean, last: number | null): Promise<void> {
    const { session } = connection;
    try {
      const isWhole = sessions.attach(session, linkOf(connection), last, isNew);
      if (isNew || !isWhole) await conversations.recall(connection, !isWhole);
    } catch (error) {
      return fail(connection, error);
    }
    connection.isBusy = false;
    work(connection);
  }

  function linkOf(connection: Connection) {
    const { socket } = connection;
    return (connection.link = {
      send(text: string): void {
        if (socket.readyState !== socket.OPEN) return;
        socket.send(text);
        metrics?.frame("out", /"type":"(\w+)"/.exec(text)?.[1] ?? "unknown");
        if (socket.bufferedAmount <= limits.unsentBytes) return;
        log("warn", "a client reads too slowly", { session: connection.session.id, bytes: socket.bufferedAmount });
        close(connection, closings.rate, `${socket.bufferedAmount} bytes wait to be read: come back and go on`);
      },
      unsent: () => socket.bufferedAmount,
      displaced: () => close(connection, closings.elsewhere, "the session was opened elsewhere"),
    });
  }

  // ── reading ──

  function listen(connection: Connection): void {
    const { socket } = connection;
    const alive = (): void => void (connection.heardAt = clock.now());
    socket.on("pong", alive);
    socket.on("ping", alive);
    // What breaks the protocol of WebSocket is closed by the package, with its code; nothing is to be done here.
    socket.on("error", (error) =>
      log("debug", "a connection broke", { session: connection.session.id, reason: error.message }),
    );
    socket.on("close", () => {
      connections.delete(connection);
      connection.inbox.length = 0;
      connection.cancelPing();
      if (connection.link) sessions.leave(connection.session, connection.link);
      metrics?.connected("websocket", -1);
    });
    socket.on("message", (raw, isBinary) => {
      alive();
      if (isBinary) return close(connection, closings.binary, "frames are text");
      if (!isInRate(connection)) return;
      connection.inbox.push(bytesOf(raw));
      if (connection.inbox.length >= inboxMax) socket.pause();
      work(connection);
    });
  }

  function isInRate(connection: Connection): boolean {
    const now = clock.now();
    const earned = (Math.max(0, now - connection.creditAt) / 1_000) * limits.framesPerSecond;
    connection.credit = Math.min(limits.frameBurst, connection.credit + earned) - 1;
    connection.creditAt = now;
    if (connection.credit >= 0) return true;
    const message = `more than ${limits.framesPerSecond} frames a second`;
    if (connection.socket.readyState === connection.socket.OPEN) {
      metrics?.refused("RATE_LIMITED");
      const details = { limit: "framesPerSecond", max: limits.framesPerSecond };
      sessions.tell(connection.session, null, errorFrame(new TroupeError("RATE_LIMITED", message, details)));
    }
    close(connection, closings.rate, message);
    return false;
  }

  function work(connection: Connection): void {
    if (connection.isBusy) return;
    try {
      for (let bytes = connection.inbox.shift(); bytes; bytes = connection.inbox.shift()) take(connection, bytes);
    } catch (error) {
      fail(connection, error);
    }
    if (connection.socket.isPaused) connection.socket.resume();
  }

  function take(connection: Connection, bytes: Uint8Array): void {
    const { session, caller } = connection;
    if (!caller.isValid()) return close(connection, closings.unauthenticated, "the token is not valid any more");
    const read = readFrame(bytes, { sizeBytesMax: limits.frameBytes, sessionId: session.id, strict });
    if ("error" in read) return refuse(connection, bytes, read.requestId, read.error);
    metrics?.frame("in", read.frame.type);
    connection.refusals = 0;
    conversations.handle(read.frame, connection, read.given);
  }

  function refuse(connection: Connection, bytes: Uint8Array, requestId: string | null, error: TroupeError): void {
    metrics?.frame("in", "unknown");
    metrics?.refused(error.code);
    troupe.refuse("GW", { subject: "ws", headers: {}, bytes }, error);
    sessions.tell(connection.session, requestId, errorFrame(error));
    connection.refusals += 1;
    if (connection.refusals < limits.refusalsMax) return;
    const known = frameTypes.join(", ");
    close(connection, closings.refusals, `${limits.refusalsMax} frames in a row were refused; known are ${known}`);
  }

  // ── closing ──

  function keepAlive(connection: Connection): void {
    const { socket, caller } = connection;
    connection.cancelPing = clock.alarm(clock.now() + limits.pingMs, () => {
      const quietMs = clock.now() - connection.heardAt;
      if (quietMs >= limits.idleMs) return close(connection, closings.idle, `no sign of life for ${quietMs} ms`);
      if (!caller.isValid()) return close(connection, closings.unauthenticated, "the token is not valid any more");
      if (socket.readyState === socket.OPEN) socket.ping();
      keepAlive(connection);
    });
  }

  function fail(connection: Connection, thrown: unknown): void {
    const { code, message } = fromUnknown(thrown);
    log("error", "a connection failed", { session: connection.session.id, code, reason: message });
    close(connection, closings.internal, "something unexpected happened: the log of the daemon says what");
  }

  function close({ socket, inbox }: Connection, code: number, reason: string): void {
    inbox.length = 0;
    part(socket, code, reason);
  }

  /** Says why, and does not wait long for an answer. */
  function part(socket: WebSocket, code: number, reason: string): void {
    if (socket.readyState === socket.CLOSING || socket.readyState === socket.CLOSED) return;
    const cancel = clock.alarm(clock.now() + partingMs, () => socket.terminate());
    socket.on("close", cancel);
    socket.close(code, reasonOf(reason));
  }

  server.on("upgrade", upgrade);
  return {
    threads: conversations.threads,
    stats: () => ({ connections: connections.size, ...sessions.stats(), ...conversations.stats() }),
    /** Takes nothing new, lets runs end for so long, and says good-bye; what still runs goes on. */
    async close(graceMs: number): Promise<void> {
      isClosing = true;
      conversations.drain();
      await until(() => conversations.open() === 0, graceMs);
      for (const connection of connections) close(connection, closings.draining, "the daemon is stopping: come back");
      await until(() => connections.size === 0, 2 * partingMs);
      server.off("upgrade", upgrade);
      conversations.close();
      sessions.close();
    },
  };

  function until(isSo: () => boolean, graceMs: number): Promise<void> {
    const last = clock.now() + graceMs;
    return new Promise((done) => {
      const look = (): void => {
        if (isSo() || clock.now() >= last) done();
        else clock.alarm(clock.now() + 20, look);
      };
      look();
    });
  }
}

const codeOf = ({ code }: TroupeError): number => {
  if (code === "RATE_LIMITED") return closings.rate;
  return code === "UNAUTHENTICATED" ? closings.unauthenticated : closings.forbidden;
};

/** The reason of a close has 123 bytes. */
const reasonOf = (text: string): string => {
  const bytes = Buffer.from(clip(text));
  return bytes.length <= 123 ? bytes.toString() : "see docs/websocket.md";
};

function bytesOf(raw: RawData): Uint8Array {
  if (Array.isArray(raw)) return Buffer.concat(raw);
  return raw instanceof ArrayBuffer ? new Uint8Array(raw) : raw;
}

function turnAway(stream: Duplex, status: string): void {
  stream.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}
