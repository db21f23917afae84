// A transport behind a gate: while it is shut nothing is said or heard, as if the connection were cut.
//
//   publish, request ─▶ open? ─▶ the transport          shut: refused at once, as while a server is away
//   delivery ─▶ open? ─▶ whoever hears it               shut: a stored one is given back, for whoever speaks then
//
// It is asked at each message and not only when it changes: a process that was frozen has what it was about to say
// still before it, and its timers ring late.
//
// Invariants:
//   NG1. Nothing is published or requested while the gate is shut.
//   NG2. What is stored and comes while it is shut is not lost.
//   NG3. Who listens for changes hears of the gate and of the connection as of one thing.

import { TroupeError } from "../protocol/errors.ts";
import type { Connection, Delivery, Transport } from "./transport.ts";

export type Gate = {
  isOpen(): boolean;
  onChange(listener: () => void): void;
  /** Why it is shut. */
  reason: string;
};

export const gated = (transport: Transport, gate: Gate): Transport => ({
  connect: (options) => behind(transport.connect(options), gate),
});

function behind(connection: Connection, gate: Gate): Connection {
  const shut = (subject: string): TroupeError =>
    new TroupeError("NO_RESPONDER", `${gate.reason}: "${subject}" was not published`, {
      subject,
      reason: "disconnected",
    });
  const isUp = (): boolean => gate.isOpen() && connection.connected();
  return {
    publish(subject, bytes, outgoing) {
      if (gate.isOpen()) return connection.publish(subject, bytes, outgoing);
      if (outgoing?.stored === true) return Promise.reject(shut(subject));
      throw shut(subject);
    },
    async request(subject, bytes, asked) {
      if (!gate.isOpen()) throw shut(subject);
      return connection.request(subject, bytes, asked);
    },
    subscribe(pattern, hear, group, passing) {
      const heard = (delivery: Delivery): void => {
        if (gate.isOpen()) hear(delivery);
        else delivery.nak?.();
      };
      return connection.subscribe(pattern, heard, group, passing);
    },
    hasInterest: (subject) => connection.hasInterest(subject),
    connected: isUp,
    onChange(listener) {
      let was = isUp();
      const changed = (): void => {
        const is = isUp();
        if (is === was) return;
        was = is;
        listener(is);
      };
      gate.onChange(changed);
      connection.onChange(changed);
    },
    close: () => connection.close(),
  };
}
