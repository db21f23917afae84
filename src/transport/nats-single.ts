// One connection to a NATS server that keeps streams elsewhere: for a runtime, and for whoever tests one.

import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import { type Link, NatsLink } from "./nats-connection.ts";
import type { NatsOptions } from "./nats.ts";
import type { TransportClock } from "./transport.ts";

export type SingleOptions = {
  server: NatsOptions["server"];
  clock: TransportClock;
  /** As the server's own tools show it. */
  name: string;
  /** Whether it hears what it published itself. */
  echo?: boolean;
  payloadBytes?: number;
  pingIntervalMs?: number;
  ackTimeoutMs?: number;
  closeTimeoutMs?: number;
  onFault: (error: unknown, subject: string) => void;
};

const defaults = { payloadBytes: 1_048_576, pingIntervalMs: 5_000, ackTimeoutMs: 5_000, closeTimeoutMs: 5_000 };

/** Rejects if the server cannot be reached now; once it was, outages are survived. */
export async function linkSingle(options: SingleOptions): Promise<NatsLink> {
  const {
    clock,
    name,
    echo = false,
    onFault,
    server,
    payloadBytes,
    pingIntervalMs,
    ackTimeoutMs,
    closeTimeoutMs,
  } = {
    ...defaults,
    ...options,
  };
  const dial = async (): Promise<Link> => {
    const nc = await connect({
      ...server,
      name,
      noEcho: !echo,
      maxReconnectAttempts: -1,
      // A server that is set up anew may not know us for a while.
      ignoreAuthErrorAbort: true,
      reconnectTimeWait: 250,
      reconnectJitter: 100,
      pingInterval: pingIntervalMs,
      maxPingOut: 2,
      // A trace for each message that asks for something costs more than all else about it.
      noAsyncTraces: true,
    });
    const manager = { checkAPI: false, timeout: ackTimeoutMs };
    return { nc, js: jetstream(nc, manager), jsm: await jetstreamManager(nc, manager) };
  };
  let first: Link | undefined = await dial().catch((error: unknown) => {
    const { message: reason } = fromUnknown(error);
    const message = `the NATS server at ${shown(server.servers)} cannot be used: ${reason}`;
    const fix = "start it, or look at the address and at what you sign in with";
    throw new TroupeError("NO_RESPONDER", message, { reason: "unreachable", fix }, { cause: error });
  });
  const link = new NatsLink({
    clock,
    dial() {
      const dialed = first;
      first = undefined;
      return dialed ? Promise.resolve(dialed) : dial();
    },
    streams: [],
    // Without streams nobody has anything to settle.
    ackWaitMs: 0,
    report: () => undefined,
    name,
    payloadBytes,
    ackTimeoutMs,
    closeTimeoutMs,
    mend: () => Promise.resolve(),
    occupy: () => () => undefined,
    onFault,
  });
  await link.settled();
  return link;
}

/** Without the name and password that an address may hold. */
const shown = (servers: NatsOptions["server"]["servers"]): string =>
  [servers ?? "127.0.0.1:4222"]
    .flat()
    .join(", ")
    .replaceAll(/[^/,\s]*@/g, "");
