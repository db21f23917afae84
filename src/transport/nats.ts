// The transport over a NATS server: each connection of ours is one of the server, stored messages are in its streams.
//
// The server is reached, and its streams are made, before anything is said; from then on outages are survived. Who may
// not wait for the server opens the transport with what it needs and hears of it by `onChange`.

import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NodeConnectionOptions, PermissionViolationError } from "@nats-io/transport-node";
import { TroupeError } from "../protocol/errors.ts";
import type { Layout } from "../protocol/layouts.ts";
import type { Report } from "../protocol/report.ts";
import { type Link, NatsLink } from "./nats-connection.ts";
import { type ObjectsOptions, openObjects } from "./nats-objects.ts";
import { keepStreams, type StreamPlan, streamsOf } from "./nats-streams.ts";
import type { Objects, Transport, TransportClock } from "./transport.ts";

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
  /** A connection that was cut is dialed again after so long, and then again and again. */
  reconnectWaitMs?: number;
  /** Whether it makes and mends the streams; who does not waits until somebody has. */
  keeps?: boolean;
  /** What the server does not let this user say or hear; it is reported as any fault is, besides. */
  forbidden?: (subject: string) => void;
  /** How large each stream may be. */
  streamBytes?: number;
  ackTimeoutMs?: number;
  /** A stored message that somebody has held for so long without a sign of life is delivered again. */
  ackWaitMs?: number;
  closeTimeoutMs?: number;
  /** Where content goes that is too large for a message; without it, such content is refused. */
  objects?: Pick<ObjectsOptions, "name" | "retentionMs" | "storeBytes">;
};

export type NatsTransport = Transport & {
  /** Resolves when all that was said so far has arrived at the server. */
  settled(): Promise<void>;
  /** Whether every connection of it can be used. */
  connected(): boolean;
  /** A connection of the server's own kind, for what is no message: whoever opens it closes it. */
  dial(name: string): Promise<Link>;
  close(): Promise<void>;
  readonly streams: readonly StreamPlan[];
};

/** What older servers take without a word and do not do: see docs/nats.md. */
const versionMin = [2, 12] as const;
const defaults = {
  payloadBytes: 1_048_576,
  subscriptionsMax: 100_000,
  pingIntervalMs: 5_000,
  reconnectWaitMs: 250,
  ackTimeoutMs: 5_000,
  ackWaitMs: 30_000,
  closeTimeoutMs: 5_000,
};

export async function openNats(options: NatsOptions): Promise<NatsTransport> {
  const { clock, prefix, report, keeps = true } = options;
  const limits = { ...defaults, ...options };
  const streams = streamsOf(prefix, options.layout ?? "flow", options.streamBytes);
  const links = new Set<NatsLink>();
  let subscriptions = 0;

  const dial = async (name: string, isEchoed: boolean): Promise<Link> => {
    const nc = await connect({
      ...options.server,
      name,
      noEcho: !isEchoed,
      maxReconnectAttempts: -1,
      // A server that is set up anew may not know us for a while.
      ignoreAuthErrorAbort: true,
      reconnectTimeWait: limits.reconnectWaitMs,
      // Not all at once.
      reconnectJitter: 0.4 * limits.reconnectWaitMs,
      pingInterval: limits.pingIntervalMs,
      maxPingOut: 2,
      // A trace for each message that asks for something costs more than all else about it.
      noAsyncTraces: true,
    });
    const manager = { checkAPI: false, timeout: limits.ackTimeoutMs };
    return { nc, js: jetstream(nc, manager), jsm: await jetstreamManager(nc, manager) };
  };

  const first = await dial(`${prefix}-streams`, false);
  try {
    checkVersion(first.nc.info?.version ?? "unknown");
    if (keeps) await keepStreams(first.jsm, streams, report);
  } finally {
    await first.nc.close();
  }

  // What is large does not stand in the way of what is urgent: it goes by a connection of its own.
  const store = options.objects && (await dial(`${prefix}-objects`, false));
  const objects = store && (await openStore(store, options, limits.ackTimeoutMs));

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
    ...(objects && { objects }),
    connect({ name, echo = false, onFault: told }) {
      const onFault = (error: unknown, subject: string): void => {
        if (error instanceof PermissionViolationError) options.forbidden?.(error.subject);
        told(error, subject);
      };
      const { payloadBytes, ackTimeoutMs, ackWaitMs, closeTimeoutMs } = limits;
      const mend = async ({ jsm }: Link): Promise<void> => (keeps ? keepStreams(jsm, streams, report) : undefined);
      const times = { ackTimeoutMs, ackWaitMs, closeTimeoutMs };
      const parts = { clock, streams, name, payloadBytes, ...times, occupy, onFault, report, mend };
      const left = (): void => void links.delete(link);
      const link: NatsLink = new NatsLink({ ...parts, left, dial: () => dial(name, echo) });
      links.add(link);
      return link;
    },
    dial: (name) => dial(name, false),
    connected: () => [...links].every((link) => link.connected()),
    async settled(): Promise<void> {
      await Promise.all([...links].map((link) => link.settled()));
    },
    async close(): Promise<void> {
      await Promise.all([...links].map((link) => link.close()));
      links.clear();
      await store?.nc.close();
    },
  };
}

async function openStore(link: Link, options: NatsOptions, stepMs: number): Promise<Objects | undefined> {
  const { clock, report, keeps = true, objects } = options;
  try {
    return objects && (await openObjects(link, { ...objects, clock, report, keeps, stepMs }));
  } catch (error) {
    await link.nc.close();
    throw error;
  }
}

function checkVersion(version: string): void {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [leastMajor, leastMinor] = versionMin;
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return;
  const least = versionMin.join(".");
  const message = `the NATS server is version ${version}, and has to be ${least} or newer: use a newer one`;
  throw new TroupeError("INVALID_STATE", message, { status: "old_server", version, least });
}
