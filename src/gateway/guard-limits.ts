// Every limit of the door, once: its name, its default, and what happens when it is reached.

import { TroupeError } from "../protocol/errors.ts";

type Row = { readonly default: number; readonly behaviour: string };

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
} as const satisfies Record<string, Row>;

export type GuardLimits = { readonly [name in keyof typeof guardLimits]: number };

const names = Object.keys(guardLimits) as (keyof GuardLimits)[];

/** The defaults, with what is given in their place. */
export function withGuardLimits(given: Partial<GuardLimits> = {}): GuardLimits {
  const wrong = names.filter(
    (name) => given[name] !== undefined && !(Number.isSafeInteger(given[name]) && given[name] > 0),
  );
  if (wrong.length > 0) {
    const errors = wrong.map((name) => ({ field: name, message: "must be a whole number above 0" }));
    throw new TroupeError("VALIDATION_FAILED", `these limits cannot be: ${wrong.join(", ")}`, { errors });
  }
  const defaults = Object.fromEntries(names.map((name) => [name, guardLimits[name].default])) as GuardLimits;
  const limits = { ...defaults, ...given };
  // The headers are a part of the request.
  return { ...limits, headersTimeoutMs: Math.min(limits.headersTimeoutMs, limits.requestTimeoutMs) };
}
