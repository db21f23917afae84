// The transport over a NATS server: each connection of ours is one of the server, stored messages are in its streams.
//
// The server is reached, and its streams are made, before anything is said; from then on outages are survived. Who may
// not wait for the server opens the transport with what it needs and hears of it by `onChange`.

import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NodeConnectionOptions } from "@nats-io/transport-node";
import { TroupeError } from "../protocol/errors.ts";
import type { Layout } from "../protocol/layouts.ts";
import type { Report } from "../protocol/report.ts";
import { type Link, NatsLink } from "./nats-connection.ts";
import { keepStreams, type StreamPlan, streamsOf } from "./nats-streams.ts";
import type { Transport, TransportClock } from "./transport.ts";

export type NatsOptions = {
  /** Where the servers are, and who we are there: as the client of NATS takes it. */
  server: Pick<NodeConnectionOptions, "servers" | "authenticator" | "tls" | "user" | "pass" | "token" | "inboxPrefix">;
  clock: TransportClock;
  prefix: string;
  /** The layout of the subjects. */
  layout?: Layout;
  report: Report;
  payloadBytes?: number;
  subscriptionsMax?: number;
  /** A connection that is silent for so long is looked at, and is dead after twice that. */
  pingIntervalMs?: number;
  ackTimeoutMs?: number;
  closeTimeoutMs?: number;
};

export type NatsTransport = Transport & {
  /** Resolves when all that was said so far has arrived at the server. */
  settled(): Promise<void>;
  /** Whether every connection of it can be used. */
  connected(): boolean;
  close(): Promise<void>;
  readonly streams: readonly StreamPlan[];
};

/** What older servers take without a word and do not do: see docs/nats.md. */
const versionMin = [2, 12] as const;
const defaults = {
  payloadBytes: 1_048_576,
  subscriptionsMax: 100_000,
  pingIntervalMs: 5_000,
  ackTimeoutMs: 5_000,
  closeTimeoutMs: 5_000,
};

export async function openNats(options: NatsOptions): Promise<NatsTransport> {
  const { clock, prefix, report } = options;
  const limits = { ...defaults, ...options };
  const streams = streamsOf(prefix, options.layout ?? "flow");
  const links = new Set<NatsLink>();
  let subscriptions = 0;

  const dial = async (name: string, isEchoed: boolean): Promise<Link> => {
    const nc = await connect({
      ...options.server,
      name,
      noEcho: !isEchoed,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 250,
      reconnectJitter: 100,
      pingInterval: limits.pingIntervalMs,
      maxPingOut: 2,
    });
    const manager = { checkAPI: false, timeout: limits.ackTimeoutMs };
    return { nc, js: jetstream(nc, manager), jsm: await jetstreamManager(nc, manager) };
  };

  const first = await dial(`${prefix}-streams`, false);
  try {
    checkVersion(first.nc.info?.version ?? "unknown");
    await keepStreams(first.jsm, streams, report);
  } finally {
    await first.nc.close();
  }

  const occupy = (): (() => void) => {
    const { subscriptionsMax: max } = limits;
    if (subscriptions >= max) {
      const message = `there are ${max} subscriptions already`;
      throw new TroupeError("RATE_LIMITED", message, { limit: "subscriptionsMax", max });
    }
    subscriptions += 1;
    return () => void (subscriptions -= 1);
  };

  return {
    streams,
    connect({ name, echo = false, onFault }) {
      const { payloadBytes, ackTimeoutMs, closeTimeoutMs } = limits;
      const mend = ({ jsm }: Link): Promise<void> => keepStreams(jsm, streams, report);
      const parts = { clock, streams, name, payloadBytes, ackTimeoutMs, closeTimeoutMs, occupy, onFault, mend };
      const link = new NatsLink({ ...parts, dial: () => dial(name, echo) });
      links.add(link);
      return link;
    },
    connected: () => [...links].every((link) => link.connected()),
    async settled(): Promise<void> {
      await Promise.all([...links].map((link) => link.settled()));
    },
    async close(): Promise<void> {
      await Promise.all([...links].map((link) => link.close()));
      links.clear();
    },
  };
}

function checkVersion(version: string): void {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [leastMajor, leastMinor] = versionMin;
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return;
  const least = versionMin.join(".");
  const message = `the NATS server is version ${version}, and has to be ${least} or newer: use a newer one`;
  throw new TroupeError("INVALID_STATE", message, { status: "old_server", version, least });
}
