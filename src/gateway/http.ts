// The contract as a server: each operation is a route, checked on its way in, and answered by its one answer.
//
//   request ─▶ correlation id ─▶ guard ─▶ validate ─▶ answer ─▶ JSON, text or a stream
//                                  └──────────┴──────────┴───▶ problem document
//
// Invariants:
//   HT1. Every operation of the contract is a route with an answer, and its path holds nothing else.
//   HT2. Whatever goes wrong is a problem document with a code and a correlation id, which is that of the header too.
//   HT3. What cannot be right is refused with every field at fault, before anything was done.

import type { Readable } from "node:stream";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import { isExecId, minter } from "../protocol/ids.ts";
import { clip } from "../protocol/refusal.ts";
import type { Report } from "../protocol/report.ts";
import type { Answers, Asked, Said } from "./answers.ts";
import { type Operation, type Route, routes } from "./contract.ts";
import type { GatewayMetrics } from "./door.ts";
import type { Guard } from "./guard.ts";
import { problemOf, problemType } from "./problem.ts";
import { entityNames } from "./shapes.ts";
import { validator } from "./validate.ts";

type Means = {
  answers: Answers;
  guard: Guard | undefined;
  metrics: GatewayMetrics | undefined;
  log: Report;
  now: () => number;
  /** What is not of the interface: pages, if there are any. */
  otherwise: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;
};

/** What bodies may be, where it differs from what is usual. */
export type BodyLimits = Partial<Record<Operation, number>>;

const keyCharsMax = 256;
const streamHeaders = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache",
  "x-accel-buffering": "no",
  // Nothing comes after it: a connection that was kept would keep the gateway from closing.
  connection: "close",
};

export function openHttp({ answers, guard, metrics, log, now, otherwise }: Means, bodyLimits: BodyLimits) {
  const ids = minter(Math.random);
  const app: FastifyInstance = fastify({
    ...guard?.serverOptions,
    routerOptions: { ...guard?.serverOptions.routerOptions, ignoreTrailingSlash: true },
    // A caller's id, if it is one: whatever the request leads to carries it.
    genReqId: ({ headers }) => correlationIn(headers["x-correlation-id"]) ?? ids.next(now()),
    // What has a path that cannot be read never comes to a route.
    frameworkErrors: (error, request, reply) => refuse(error, request, reply as unknown as FastifyReply),
    exposeHeadRoutes: false,
    forceCloseConnections: "idle",
  });

  function refuse(thrown: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const problem = problemOf(thrown, request.id);
    if (problem.status >= 500 && problem.code === "INTERNAL_ERROR") {
      const { message, stack } = thrown instanceof Error ? thrown : fromUnknown(thrown);
      log("error", "a request could not be answered", { message, stack, correlation_id: request.id });
    }
    void reply
      .code(problem.status)
      .header("x-correlation-id", request.id)
      .header("content-type", problemType)
      .send(JSON.stringify(problem));
  }

  app.addHook("onRequest", (request, reply, done) => {
    reply.header("x-correlation-id", request.id);
    done();
  });
  guard?.install(app);
  if (metrics) {
    app.addHook("onResponse", (request, reply, done) => {
      const { url = "unknown" } = request.routeOptions;
      const route = request.is404
        ? "unknown"
        : url.replace(/^\/api\/(?:workflows|tasks|agents|tools|any)\/(?=executions|$)/, "/api/:entities/");
      metrics.answered(request.method, route, reply.statusCode, reply.elapsedTime);
      done();
    });
  }
  app.setErrorHandler(refuse);
  app.setNotFoundHandler(async (request, reply) => {
    const isOurs = /^\/(?:api|openapi\.json)(?:[/?]|$)/.test(request.url);
    if (!isOurs && (request.method === "GET" || request.method === "HEAD")) return otherwise(request, reply);
    throw unknownPath(request.method, request.url);
  });

  for (const [name, route] of Object.entries(routes) as [Operation, Route][]) {
    if (route.takes === "bytes") void app.register((inner) => takeBytes(inner, name, route));
    else serve(app, name, route);
  }

  /** What is signed is the bytes: nothing reads them before. */
  function takeBytes(inner: FastifyInstance, name: Operation, route: Route): Promise<void> {
    inner.removeAllContentTypeParsers();
    inner.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
    serve(inner, name, route);
    return Promise.resolve();
  }

  function serve(at: FastifyInstance, name: Operation, route: Route): void {
    const answer = answers[name] as unknown as (asked: Asked) => Said | Promise<Said>;
    const validate = validator(route);
    const isStream = route.gives === "events";
    const bodyLimit = bodyLimits[name];
    for (const { path, fixed } of pathsOf(route)) {
      at.route({
        method: route.method,
        url: path,
        config: { scope: route.scope, ...(isStream && { stream: true }) },
        ...(bodyLimit !== undefined && { bodyLimit }),
        // Whoever only looks whether it is there.
        exposeHeadRoute: route.method === "GET" && !isStream,
        handler: async (request, reply) => {
          const parts = validate({
            params: { ...(request.params as object), ...fixed },
            query: request.query,
            body: request.body,
          });
          const said = await answer({ ...(parts as Asked), ...aside(request) });
          return send(reply, said, route, metrics);
        },
      });
    }
  }
  return app;
}

/** What goes beside the content of a request. */
function aside(request: FastifyRequest): Pick<Asked, "headers" | "correlationId" | "idempotencyKey" | "isWelcome"> {
  const { headers, id } = request;
  const errors = [];
  const given = headers["x-correlation-id"];
  if (given !== undefined && correlationIn(given) === undefined) {
    errors.push({ field: "x-correlation-id", message: "must be a UUID" });
  }
  const [key] = [headers["idempotency-key"]].flat();
  if (key !== undefined && (key.length === 0 || key.length > keyCharsMax)) {
    errors.push({ field: "idempotency-key", message: `must have 1 to ${keyCharsMax} characters` });
  }
  if (errors.length > 0) throw new TroupeError("VALIDATION_FAILED", "these headers cannot be", { errors });
  const isWelcome = (): boolean => request.caller?.isValid() ?? true;
  return { headers, correlationId: id, idempotencyKey: key, isWelcome };
}

export function correlationIn(header: string | readonly string[] | undefined): string | undefined {
  const id = typeof header === "string" ? header.trim().toLowerCase() : "";
  return isExecId(id) ? id : undefined;
}

function send(reply: FastifyReply, said: Said, route: Route, metrics: GatewayMetrics | undefined): unknown {
  const { status = 200, body, headers } = said;
  void reply.code(status);
  if (headers) void reply.headers(headers);
  if (status === 204) return reply.send();
  if (route.gives === "events") {
    const stream = body as Readable;
    metrics?.connected("sse", 1);
    stream.once("close", () => metrics?.connected("sse", -1));
    return reply.headers(streamHeaders).send(stream);
  }
  if (route.gives === "text") return reply.send(body);
  return reply.type("application/json; charset=utf-8").send(JSON.stringify(body));
}

/** A kind of entity in the path is a word of it: each has its own route, and any other word none. */
export function pathsOf({ path, params }: Route): { path: string; fixed: Record<string, string> }[] {
  if (!path.includes(":entities")) return [{ path, fixed: {} }];
  const { options: words = entityNames } = Object(params?.shape["entities"]) as { options?: readonly string[] };
  return words.map((entities) => ({ path: path.replace(":entities", entities), fixed: { entities } }));
}

const known = Object.values(routes as Record<string, Route>).flatMap((route) =>
  pathsOf(route).map(({ path }) => ({
    method: route.method,
    form: new RegExp(`^${path.replaceAll(".", "\\.").replaceAll(/:[a-z_]+/g, "[^/]+")}/?$`),
  })),
);

export function unknownPath(method: string, url: string): TroupeError {
  const [path = ""] = url.split("?");
  const allowed = known.filter(({ form }) => form.test(path)).map((one) => one.method);
  const message =
    allowed.length > 0
      ? `${method} is not possible at '${clip(path)}', but ${allowed.join(" and ")}`
      : /^\/api\/ws\/?$/.test(path)
        ? `'${clip(path)}' is where WebSockets connect: a plain ${method} finds nothing here`
        : `nothing is at '${clip(path)}'`;
  return new TroupeError("NOT_FOUND", message, { path: clip(path), ...(allowed.length > 0 && { allowed }) });
}
