// Every limit of the door, once: its name, its default, and what happens when it is reached.

import { type LimitRow, limitsOf } from "./limits.ts";

export const guardLimits = {
  bodyBytes: {
    default: 1_048_576,
    behaviour: "bytes of one request body, where its route says no other; a larger one is refused with 413",
  },
  headerBytes: {
    default: 16_384,
    behaviour: "bytes of the request line and all headers; more are refused with 431",
  },
  urlChars: {
    default: 8_192,
    behaviour: "characters of a path and its query; more are refused with 413",
  },
  jsonDepth: {
    default: 160,
    behaviour: "how deep the JSON of a body may be nested; deeper is refused with 400",
  },
  connections: {
    default: 10_000,
    behaviour: "connections at once, sockets and streams included; one more is closed at once",
  },
  streams: {
    default: 256,
    behaviour: "streams of events at once; one more is refused with RATE_LIMITED",
  },
  streamStalledMs: {
    default: 60_000,
    behaviour: "how long who reads a stream may leave unread what it was sent; then it is ended, and may come back",
  },
  requestsPerSecond: {
    default: 1_000,
    behaviour:
      "requests of one client, by its token or else its address; more are refused with 429. " +
      "Without tokens it counts only if it is set",
  },
  requestBurst: {
    default: 2_000,
    behaviour: "how many of them may come at once after a pause",
  },
  clients: {
    default: 10_000,
    behaviour: "clients whose requests are counted; past them the one that was quiet longest is counted anew",
  },
  headersTimeoutMs: {
    default: 10_000,
    behaviour: "how long a client may take to send its headers; then it gets 408 and is closed",
  },
  requestTimeoutMs: {
    default: 60_000,
    behaviour: "how long a client may take to send a whole request; then it gets 408 and is closed",
  },
  keepAliveTimeoutMs: {
    default: 30_000,
    behaviour: "how long a connection may be idle between two requests; then it is closed",
  },
} as const satisfies Record<string, LimitRow>;

export type GuardLimits = { readonly [name in keyof typeof guardLimits]: number };

export function withGuardLimits(given: Partial<GuardLimits> = {}): GuardLimits {
  const limits = limitsOf(guardLimits, given);
  // The headers are a part of the request.
  return { ...limits, headersTimeoutMs: Math.min(limits.headersTimeoutMs, limits.requestTimeoutMs) };
}
