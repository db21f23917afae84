// The door of the gateway: who is let through came to the right host, from our own page, with a token that suffices.
//
//   request ─▶ install: admission, headers, JSON within bounds ─▶ route
//   upgrade ─▶ admit: admission, for sockets and for the inspector's port
//
// Invariants:
//   GD1. A route that states no scope is for admins; without tokens, and so on loopback alone, everybody is one.
//   GD2. A token in the query counts where a browser cannot send a header: for streams and sockets.
//   GD3. No answer of the interface is kept by a cache, and every answer carries the headers that tame a browser.
//   GD4. A client is refused before its body is read, and a refusal costs it more than a request.
//   GD5. What a client sends slowly, or too much of, ends by a limit that has a name.
//   GD6. Nothing behind the door sees a token: neither a header nor the path nor the query holds it.

import type { FastifyInstance, FastifyReply, FastifyRequest, FastifyServerOptions } from "fastify";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { type ErrorCode, errorRow, fromUnknown } from "../protocol/errors.ts";
import { readJson } from "../protocol/json.ts";
import { isPreflight, local, openAdmission } from "./admission.ts";
import { checkBind, readTls, type Tls, type TlsFiles } from "./bind.ts";
import { type GuardLimits, withGuardLimits } from "./guard-limits.ts";
import { originsOf } from "./origin.ts";
import type { Caller, Scope, Tokens } from "./tokens.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Who asks; null where everybody may. */
    caller: Caller | null;
  }
  interface FastifyContextConfig {
    scope?: Scope | "open";
    /** Its answer is a stream, which browsers open without headers. */
    stream?: boolean;
  }
}

export type GuardSettings = {
  /** Where the daemon listens. */
  host: string;
  now: () => number;
  tokens?: Tokens | undefined;
  tls?: TlsFiles | undefined;
  /** A proxy before this daemon has the certificate. */
  tls_ends_elsewhere?: boolean | undefined;
  allowed_hosts?: readonly string[] | undefined;
  allowed_origins?: readonly string[] | undefined;
  limits?: Partial<GuardLimits> | undefined;
  /** Hears of each refusal, by its reason. */
  refused?: ((reason: string) => void) | undefined;
};

export type Guard = ReturnType<typeof openGuard>;

const tame: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};
const lasting = { "strict-transport-security": "max-age=31536000" };

/** Throws if it would not be safe to listen there. */
export function openGuard(settings: GuardSettings) {
  const { host, now, tokens, tls_ends_elsewhere: tlsEndsElsewhere = false, refused = () => undefined } = settings;
  checkBind({ host, tokens, tls: settings.tls, tlsEndsElsewhere });
  const tls = settings.tls && readTls(settings.tls, now());
  const limits = withGuardLimits(settings.limits);
  const { allowed_hosts = [], allowed_origins = [] } = settings;
  const origins = originsOf({ hosts: [host, ...allowed_hosts], origins: allowed_origins });
  const isCounted = tokens !== undefined || settings.limits?.requestsPerSecond !== undefined;
  const admission = openAdmission({ limits, isCounted, origins, tokens, now, refused });

  function onRequest(request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void {
    const { scope = request.is404 ? "open" : "admin", stream = false } = request.routeOptions.config;
    // Before anything can be refused: refusals carry them too.
    reply.headers(tls ? { ...tame, ...lasting } : tame);
    if (request.url.startsWith("/api")) reply.header("cache-control", "no-store");
    try {
      const { caller, origin } = admission(request.raw, { scope, inQuery: stream });
      request.caller = caller;
      dropSecret(request.query);
      if (origin !== null) reply.headers(shared(origin));
      if (isPreflight(request.raw, origin)) return void reply.headers(preflight).code(204).send();
      done();
    } catch (thrown) {
      const error = fromUnknown(thrown);
      if (error.code === "UNAUTHENTICATED") reply.header("www-authenticate", 'Bearer realm="troupe"');
      const waitMs = Number(error.details["retry_after_ms"] ?? 0);
      if (waitMs > 0) reply.header("retry-after", String(Math.ceil(waitMs / 1_000)));
      done(error);
    }
  }

  return {
    limits,
    /** For `fastify({…})`. */
    serverOptions: serverOptionsOf(limits, tls),
    /** Before any route. */
    install(app: FastifyInstance): void {
      app.server.maxConnections = limits.connections;
      app.decorateRequest("caller", null);
      app.addHook("onRequest", onRequest);
      takeJson(app, limits.jsonDepth);
    },
    /** For what does not come as a request: an upgrade. Other origins may be named for it alone. */
    admit(
      request: IncomingMessage,
      needs: { scope: Scope | "open"; origins?: readonly string[] },
    ): {
      caller: Caller;
    } {
      const own = needs.origins && { ...origins, ...originsOf({ hosts: [...origins.hosts], origins: needs.origins }) };
      const { caller } = admission(request, { scope: needs.scope, inQuery: true, ...(own && { origins: own }) });
      return { caller: caller ?? local };
    },
  };
}

/** Plain text is what any page may send without asking: nothing but JSON is taken, unless a route says so. */
function takeJson(app: FastifyInstance, depthMax: number): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, (request, body, done) => {
    const bytes = body as Buffer;
    const bounds = { sizeBytesMax: request.routeOptions.bodyLimit ?? Infinity, depthMax };
    try {
      // Whoever has nothing to send may still say that it is JSON.
      done(null, bytes.byteLength === 0 ? undefined : readJson(bytes, bounds));
    } catch (error) {
      done(fromUnknown(error));
    }
  });
}

function dropSecret(query: unknown): void {
  if (typeof query === "object" && query !== null) Reflect.deleteProperty(query, "access_token");
}

const shared = (origin: string): Record<string, string> => ({
  "access-control-allow-origin": origin,
  "access-control-expose-headers": "location, retry-after, x-correlation-id",
  vary: "origin",
});
const preflight: Readonly<Record<string, string>> = {
  "access-control-allow-methods": "GET, POST, PUT, DELETE",
  "access-control-allow-headers":
    "authorization, content-type, idempotency-key, last-event-id, traceparent, tracestate, x-correlation-id",
  "access-control-max-age": "600",
};

/** How often Node looks for connections that take too long. */
const lookMs = 2_000;
const paramCharsMax = 1_024;

function serverOptionsOf(limits: GuardLimits, tls: Tls | undefined) {
  const { headerBytes: maxHeaderSize, headersTimeoutMs: headersTimeout } = limits;
  const wire = { maxHeaderSize, headersTimeout, connectionsCheckingInterval: Math.min(lookMs, headersTimeout) };
  return {
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    routerOptions: { maxParamLength: paramCharsMax },
    clientErrorHandler: refuseBytes,
    ...(tls ? { https: { ...wire, ...tls } } : { http: wire }),
  } satisfies FastifyServerOptions & { http?: unknown; https?: unknown };
}

// What is no request at all: nothing has been understood, so little is said, and the connection ends.
const unreadable: Readonly<Record<string, readonly [status: string, code: ErrorCode]>> = {
  HPE_HEADER_OVERFLOW: ["431 Request Header Fields Too Large", "PAYLOAD_TOO_LARGE"],
  ERR_HTTP_REQUEST_TIMEOUT: ["408 Request Timeout", "INVALID_ENVELOPE"],
};

function refuseBytes(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const [line, code] = unreadable[error.code ?? ""] ?? (["400 Bad Request", "INVALID_ENVELOPE"] as const);
  const body = JSON.stringify({
    type: "about:blank",
    title: errorRow(code).summary,
    status: Number.parseInt(line, 10),
    detail: "this is no HTTP request that can be read",
    code,
  });
  const head = [
    `HTTP/1.1 ${line}`,
    "content-type: application/problem+json",
    `content-length: ${Buffer.byteLength(body)}`,
    "cache-control: no-store",
    "connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}
