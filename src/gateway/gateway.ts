// Everything that a troupe is reached by over the network: HTTP, streams, sockets and pages, on one port.
//
//   fastify ─┬─ contract ─▶ answers ─▶ troupe
//            ├─ upgrade ─▶ sockets
//            └─ else ─▶ pages
//
// Invariants:
//   GW1. Once it closes nobody is kept waiting: streams end, sockets are told, who waits for an end is answered 202.

import type { AddressInfo } from "node:net";
import type { FastifyInstance } from "fastify";
import type { Report } from "../protocol/report.ts";
import type { Troupe } from "../runtime/troupe.ts";
import { bundleAnswers } from "./answers-bundle.ts";
import { daemonAnswers } from "./answers-daemon.ts";
import { definitionAnswers } from "./answers-definitions.ts";
import { executionAnswers } from "./answers-executions.ts";
import { runAnswers } from "./answers-runs.ts";
import type { DaemonDoor, GatewayMetrics } from "./door.ts";
import type { Guard } from "./guard.ts";
import { openHttp } from "./http.ts";
import { openSockets } from "./socket.ts";
import { openPages } from "./static.ts";
import { openStreams } from "./stream.ts";

export type { DaemonDoor, GatewayMetrics, InspectorState, LogLine } from "./door.ts";

export type GatewayOptions = {
  troupe: Troupe;
  /** Whoever it does not let in comes no further; without one everybody may do everything. */
  guard?: Guard;
  /** What only the process can answer. */
  daemon?: DaemonDoor;
  metrics?: GatewayMetrics;
  log?: Report;
  /** The folder of the built pages. */
  pages?: string;
  sockets?: Parameters<typeof openSockets>[0]["settings"];
};

export type Gateway = {
  /** For requests without a port. */
  app: FastifyInstance;
  /** Gives where it is. Rejects with what the system says, if it cannot listen there. */
  listen(at: { host: string; port: number }): Promise<string>;
  /** Takes nothing new, and lets requests end for so long. */
  close(graceMs?: number): Promise<void>;
  stats(): ReturnType<ReturnType<typeof openSockets>["stats"]>;
};

export async function openGateway(options: GatewayOptions): Promise<Gateway> {
  const { troupe, guard, daemon, metrics, log = () => undefined } = options;
  const { clock } = troupe;
  const closing = new AbortController();
  const streams = openStreams({ troupe, limits: guard?.limits });
  const pages = openPages(options.pages);
  let sockets: ReturnType<typeof openSockets> | undefined;
  const answers = {
    ...executionAnswers({ troupe, streams }),
    ...runAnswers({ troupe, closing: closing.signal }),
    ...definitionAnswers({ troupe }),
    ...bundleAnswers({ troupe }),
    ...daemonAnswers({ troupe, daemon, threads: () => sockets?.threads }),
  };
  const means = { answers, guard, metrics, log, now: clock.now, otherwise: pages.serve };
  // The file of a run has its journal and steps beside what is kept of it.
  const app = openHttp(means, { importExecution: 2 * troupe.limits.bundleBytes });
  // What a frame needs beyond that is asked for frame by frame.
  const admit = guard && ((request: Parameters<Guard["admit"]>[0]) => guard.admit(request, { scope: "read" }));
  sockets = openSockets({
    troupe,
    server: app.server,
    log,
    ...(admit && { admit }),
    ...(metrics && { metrics }),
    ...(options.sockets && { settings: options.sockets }),
  });
  await app.ready();

  async function close(graceMs = 5_000): Promise<void> {
    closing.abort();
    streams.close();
    const spare = clock.alarm(clock.now() + graceMs, () => app.server.closeAllConnections());
    try {
      await Promise.all([sockets?.close(graceMs), app.close()]);
    } finally {
      spare();
    }
  }

  let closed: Promise<void> | undefined;
  return {
    app,
    async listen(at) {
      await app.listen(at);
      const { address, family, port } = app.server.address() as AddressInfo;
      const host = address === "::" || address === "0.0.0.0" ? "127.0.0.1" : address;
      const isTls = guard?.serverOptions !== undefined && "https" in guard.serverOptions;
      return `${isTls ? "https" : "http"}://${family === "IPv6" && host !== "127.0.0.1" ? `[${host}]` : host}:${port}`;
    },
    close: (graceMs) => (closed ??= close(graceMs)),
    stats: () => sockets.stats(),
  };
}
