// The door where the engine is not: it lets in whom the engine's own would, and passes everything on to that.
//
//   request ─▶ guard: origin, token, rate ─▶ the orchestrator's gateway ─▶ as it comes: JSON, text, a stream of events
//   upgrade ─▶ guard ─▶ the same ─▶ both sockets, joined
//
// Pages are served here. Who asks is known there by the same token: what the caller sent is passed on. What only a
// browser says of itself is not: whether its page may ask was decided here.
//
// Invariants:
//   RL1. Nothing is passed on that the guard of this door does not let in, each route under its own scope.
//   RL2. What the other answers comes as it was said, piece by piece; a caller who goes ends what was asked for him.
//   RL3. Where the other cannot be reached each request is told so, and this door goes on.

import {
  Agent,
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as ask,
  type RequestOptions,
} from "node:http";
import { Agent as TlsAgent, request as askByTls } from "node:https";
import { type Duplex, Readable } from "node:stream";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import { minter } from "../protocol/ids.ts";
import type { Report } from "../protocol/report.ts";
import type { Troupe } from "../runtime/troupe.ts";
import { isLoopback } from "../protocol/loopback.ts";
import { type Route, routes } from "./contract.ts";
import type { DaemonDoor } from "./door.ts";
import type { Guard } from "./guard.ts";
import { correlationIn, pathsOf, unknownPath } from "./http.ts";
import { problemOf, problemType } from "./problem.ts";
import { openPages } from "./static.ts";

export type RelayOptions = {
  /** Where the gateway of the orchestrator is. */
  upstream: string;
  guard: Guard;
  daemon: Pick<DaemonDoor, "health">;
  log: Report;
  clock: Troupe["clock"];
  pages?: string;
};

export type Relay = {
  app: FastifyInstance;
  close(graceMs: number): Promise<void>;
};

const socketPath = "/api/ws";
/** Of one connection, not of what is said by it; and what the guard here has decided on. */
const ownHeaders = new Set([
  "connection",
  "host",
  "keep-alive",
  "origin",
  "proxy-authorization",
  "proxy-connection",
  "sec-fetch-dest",
  "sec-fetch-mode",
  "sec-fetch-site",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Throws what no address of another daemon can be. */
export function upstreamIn(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isOne = url && /^https?:$/.test(url.protocol) && url.pathname === "/" && url.username === "";
  if (!url || !isOne) {
    throw new TroupeError("VALIDATION_FAILED", `'${text}' is no address such as http://127.0.0.1:7420: see --upstream`);
  }
  if (url.protocol === "https:" || isLoopback(url.hostname)) return url;
  const what = `'${text}' is elsewhere, and what is passed on holds tokens`;
  const message = `${what}: give the orchestrator's daemon TLS, and --upstream an address with https://`;
  throw new TroupeError("VALIDATION_FAILED", message, { reason: "unsafe_upstream" });
}

export async function openRelay({ upstream, guard, daemon, log, clock, pages }: RelayOptions): Promise<Relay> {
  const to = upstreamIn(upstream);
  const ids = minter(Math.random);
  const agent = to.protocol === "https:" ? new TlsAgent({ keepAlive: true }) : new Agent({ keepAlive: true });
  const underWay = new Set<ClientRequest | Duplex>();
  const shown = openPages(pages);

  function asked(request: IncomingMessage, more: RequestOptions): ClientRequest {
    const { method, url: path } = request;
    const { hostname, port } = to;
    const options = { hostname: hostname.replace(/^\[(.*)\]$/, "$1"), port, method, path, ...more };
    const sent = to.protocol === "https:" ? askByTls(options) : ask(options);
    underWay.add(sent);
    sent.once("close", () => underWay.delete(sent));
    return sent;
  }

  /** Settles once the other begins to answer. */
  function pass(request: FastifyRequest, reply: FastifyReply): Promise<IncomingMessage> {
    const headers = { ...passedOn(request.headers), "x-correlation-id": request.id };
    const sent = asked(request.raw, { headers, agent });
    reply.raw.once("close", () => sent.destroy());
    return new Promise((resolve, reject) => {
      sent.once("response", resolve);
      sent.once("error", (error) => reject(unreachable(to, error)));
      if (request.body instanceof Readable) request.body.pipe(sent);
      else sent.end();
    });
  }

  const app: FastifyInstance = fastify({
    ...guard.serverOptions,
    routerOptions: { ...guard.serverOptions.routerOptions, ignoreTrailingSlash: true },
    genReqId: ({ headers }) => correlationIn(headers["x-correlation-id"]) ?? ids.next(clock.now()),
    frameworkErrors: (error, request, reply) => refuse(error, request, reply as unknown as FastifyReply),
    exposeHeadRoutes: false,
    forceCloseConnections: "idle",
  });
  function refuse(thrown: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const problem = problemOf(thrown, request.id);
    if (problem.code === "INTERNAL_ERROR") {
      log("error", "a request could not be passed on", { reason: fromUnknown(thrown).message });
    }
    void reply
      .code(problem.status)
      .header("x-correlation-id", request.id)
      .type(problemType)
      .send(JSON.stringify(problem));
  }
  guard.install(app);
  app.setErrorHandler(refuse);
  app.setNotFoundHandler(async (request, reply) => {
    const isPage = !/^\/(?:api|openapi\.json)(?:[/?]|$)/.test(request.url);
    if (isPage && (request.method === "GET" || request.method === "HEAD")) return shown.serve(request, reply);
    throw unknownPath(request.method, request.url);
  });
  await app.register((inner) => {
    // What is passed on is read there: here it is bytes.
    inner.removeAllContentTypeParsers();
    inner.addContentTypeParser("*", (_request, body, done) => done(null, body));
    for (const [name, route] of Object.entries(routes) as [string, Route][]) {
      for (const { path: url } of pathsOf(route)) {
        inner.route({
          method: route.method,
          url,
          config: { scope: route.scope, ...(route.gives === "events" && { stream: true }) },
          exposeHeadRoute: route.method === "GET" && route.gives !== "events",
          handler: async (request, reply) => {
            // Whether this process lives only it can say.
            if (name === "health") return reply.send(daemon.health());
            const answer = await pass(request, reply);
            return reply
              .code(answer.statusCode ?? 502)
              .headers(saidBack(answer.headers))
              .send(answer);
          },
        });
      }
    }
    return Promise.resolve();
  });

  app.server.on("upgrade", (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    stream.on("error", () => stream.destroy());
    try {
      const [place] = (request.url ?? "").split("?", 1);
      if (place !== socketPath) throw unknownPath("GET", request.url ?? "");
      guard.admit(request, { scope: "read" });
      join(request, stream, head);
    } catch (error) {
      turnAway(stream, error);
    }
  });

  function join(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    const headers = { ...passedOn(request.headers), connection: "Upgrade", upgrade: "websocket" };
    const sent = asked(request, { headers });
    sent.once("error", (error) => turnAway(stream, unreachable(to, error)));
    sent.once("response", (answer) => {
      stream.write(headOf(answer));
      answer.pipe(stream);
    });
    sent.once("upgrade", (answer: IncomingMessage, other: Duplex, first: Buffer) => {
      underWay.add(stream);
      stream.once("close", () => {
        underWay.delete(stream);
        other.destroy();
      });
      other.once("close", () => stream.destroy());
      other.on("error", () => stream.destroy());
      stream.write(headOf(answer));
      stream.write(first);
      other.write(head);
      stream.pipe(other).pipe(stream);
    });
    stream.once("close", () => sent.destroy());
    sent.end();
  }

  return {
    app,
    async close(graceMs): Promise<void> {
      const closed = app.close();
      const spare = clock.alarm(clock.now() + graceMs, () => app.server.closeAllConnections());
      // Streams and sockets have no end of their own: who is cut off comes back.
      for (const one of underWay) one.destroy();
      await closed.finally(spare);
      agent.destroy();
    },
  };
}

const passedOn = (headers: IncomingHttpHeaders): IncomingHttpHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !ownHeaders.has(name)));

/** Which pages may read it the guard here has said already. */
const saidBack = (headers: IncomingHttpHeaders): IncomingHttpHeaders =>
  Object.fromEntries(
    Object.entries(passedOn(headers)).filter(([name]) => !name.startsWith("access-control-") && name !== "vary"),
  );

function headOf({ statusCode = 502, statusMessage = "", rawHeaders }: IncomingMessage): string {
  const lines = rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${rawHeaders[at + 1]}`] : []));
  return `HTTP/1.1 ${statusCode} ${statusMessage}\r\n${lines.join("\r\n")}\r\n\r\n`;
}

function turnAway(stream: Duplex, thrown: unknown): void {
  const { status, title } = problemOf(thrown, "");
  stream.end(
    `HTTP/1.1 ${status} ${title.replaceAll(/[^\x20-\x7e]/g, "")}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
  );
}

function unreachable(to: URL, cause: unknown): TroupeError {
  const { message: reason } = fromUnknown(cause);
  const message = `the orchestrator's daemon at ${to.origin} cannot be reached: ${reason}; look at upstream`;
  return new TroupeError("DAEMON_UNREACHABLE", message, { upstream: to.origin }, { cause });
}
