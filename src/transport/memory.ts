// The transport inside one process: nothing is copied, nothing is stored, and who publishes never waits.
//
// `stored` is granted at once: what matters survives in the log of those who said it, and they say it again. Bytes and
// headers are handed on as they are, so nobody may change them once they are published.

import { Exchange, type ExchangeLimits } from "./exchange.ts";
import { MemoryConnection, type World } from "./memory-connection.ts";
import type { Transport } from "./transport.ts";

export type MemoryTransport = Transport & {
  /** How many subscriptions there are, inboxes included. */
  subscriptions(): number;
  /** How many deliveries were dropped because a subscription had too many waiting. */
  dropped(): number;
};

export type MemoryOptions = {
  clock: World["clock"];
  limits?: Partial<ExchangeLimits>;
  /** Runs each act later, in any order it likes; a simulation passes its own. */
  deliver?: (act: () => void) => void;
  /** In [0, 1); inboxes are named by it. */
  random?: () => number;
};

const defaults: ExchangeLimits = { payloadBytes: 1_048_576, subscriptionsMax: 100_000, deliveriesMax: 10_000 };

export function memoryTransport({
  clock,
  limits = {},
  deliver = queueMicrotask,
  random = Math.random,
}: MemoryOptions): MemoryTransport {
  const exchange = new Exchange({ ...defaults, ...limits }, deliver);
  let inboxes = 0;
  // By chance, so that nobody guesses it; by count, so that none is given twice.
  const inbox = (): string => `_INBOX.${Math.floor(random() * 2 ** 52).toString(36)}-${inboxes++}`;
  return {
    connect: (options) => new MemoryConnection(exchange, { clock, inbox }, options),
    subscriptions: () => exchange.size,
    dropped: () => exchange.dropped,
  };
}
