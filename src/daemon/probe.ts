// What a daemon answers that has no gateway, or none yet: whether it is alive, whether it is ready, and what it counts.
//
// Invariants:
//   PB1. It says of itself what a gateway would, on the same paths, and lets in whom that would let in.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Scope } from "../gateway/contract-route.ts";
import { problemOf, problemType } from "../gateway/problem.ts";
import { TroupeError } from "../protocol/errors.ts";
import { minter } from "../protocol/ids.ts";
import { heldPort } from "./held.ts";
import type { Means } from "./parts.ts";

type Answer = { status: number; type: string; text: string };

const json = "application/json; charset=utf-8";
const told = (status: number, body: unknown): Answer => ({ status, type: json, text: JSON.stringify(body) });

const paths: Readonly<Record<string, { scope: Scope; answer: (means: Means) => Answer | Promise<Answer> }>> = {
  "/api/health": { scope: "open", answer: ({ door }) => told(200, door.health()) },
  "/api/ready": {
    scope: "open",
    answer({ door }) {
      const { ready, reasons } = door.ready();
      return told(ready ? 200 : 503, { status: ready ? "ready" : "not_ready", reasons });
    },
  },
  "/api/metrics": {
    scope: "read",
    async answer({ door }) {
      const { contentType, text } = await door.metrics();
      return { status: 200, type: contentType, text };
    },
  },
};

/** Gives what ends it. A standby whose port is still the other's goes without, until it has its place. */
export async function openProbe(means: Means, isNeeded = false): Promise<() => Promise<void>> {
  const { guard, config, log, state } = means;
  const { settings } = config;
  const ids = minter(Math.random);
  const answerTo = async (request: IncomingMessage): Promise<Answer> => {
    const [path = ""] = (request.url ?? "").split("?");
    const found = paths[path.replace(/(?<=.)\/$/, "")];
    guard.admit(request, { scope: found?.scope ?? "open" });
    if (found && (request.method === "GET" || request.method === "HEAD")) return found.answer(means);
    const known = Object.keys(paths).join(", ");
    if (state.waiting !== undefined) throw new TroupeError("NO_RESPONDER", state.waiting, { known });
    throw new TroupeError("NOT_FOUND", `this process answers ${known}; ask the orchestrator's daemon for the rest`);
  };
  const hear = (request: IncomingMessage, response: ServerResponse): void => {
    const refused = (error: unknown): Answer => {
      const problem = problemOf(error, ids.next(means.clock.now()));
      return { status: problem.status, type: problemType, text: JSON.stringify(problem) };
    };
    void answerTo(request)
      .catch(refused)
      .then(({ status, type, text }) => {
        response.writeHead(status, { "content-type": type, "cache-control": "no-store" });
        response.end(request.method === "HEAD" ? "" : text);
      });
  };
  const options = guard.serverOptions;
  const server: Server = "https" in options ? createTlsServer(options.https, hear) : createServer(options.http, hear);
  try {
    await listening(server, settings.host, state.port);
  } catch (error) {
    const said = heldPort(error, { ...settings, port: state.port });
    if (isNeeded) throw said;
    log.report("info", "whether it is ready cannot be asked for the time being", { reason: String(said) });
    return () => Promise.resolve();
  }
  state.port = (server.address() as AddressInfo).port;
  const isTls = "https" in options;
  const host = settings.host.includes(":") ? `[${settings.host}]` : settings.host;
  state.url = `${isTls ? "https" : "http"}://${host}:${state.port}`;
  log.report("info", "whether it is ready can be asked", { url: state.url });
  return async () => {
    delete state.url;
    server.closeAllConnections();
    await new Promise<void>((resolve) => void server.close(() => resolve()));
  };
}

const listening = (server: Server, host: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => resolve());
  });
