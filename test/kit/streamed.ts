// A transport whose deliveries under some subjects come as if from a stream: with ack, nak and term, which it notes.

import type { Connection, Transport } from "../../src/transport/transport.ts";

export function streamed(inner: Transport, part: string, settled: string[]): Transport {
  return {
    connect(options) {
      const connection = inner.connect(options);
      const subscribe: Connection["subscribe"] = (pattern, hear, group) =>
        connection.subscribe(
          pattern,
          (delivery) => {
            if (!delivery.subject.includes(part)) return hear(delivery);
            hear({
              ...delivery,
              ack: () => void settled.push("ack"),
              nak: () => void settled.push("nak"),
              term: () => void settled.push("term"),
            });
          },
          group,
        );
      return {
        publish: (...given) => connection.publish(...given),
        request: (...given) => connection.request(...given),
        subscribe,
        hasInterest: (subject) => connection.hasInterest(subject),
        connected: () => connection.connected(),
        onChange: (listener) => connection.onChange(listener),
        close: () => connection.close(),
      };
    },
  };
}
