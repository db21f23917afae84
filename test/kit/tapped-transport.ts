// A transport that writes down what is published on it, as whoever reads the bytes understands it.

import type { Word } from "../../src/actors/component.ts";
import { components } from "../../src/protocol/entry.ts";
import { parse } from "../../src/protocol/parse.ts";
import { subjectCodec } from "../../src/protocol/subjects.ts";
import { randomFrom } from "../../src/testing/random.ts";
import type { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { memoryTransport } from "../../src/transport/memory.ts";
import type { Connection, Headers, Transport } from "../../src/transport/transport.ts";
import type { Line } from "./virtual-troupe.ts";

export const clientName = "client";
const codes = new Map(Object.entries(components).map(([code, source]) => [source as string, code]));
const subjects = subjectCodec({ prefix: "compozy", layout: "flow" });

/** One in memory. */
export const tappedTransport = (clock: Pick<VirtualClock, "now" | "alarm">, note: (line: Line) => void): Transport =>
  tapped(memoryTransport({ clock, random: randomFrom(1) }), note, clock.now);

export function tapped(transport: Transport, note: (line: Line) => void, now: () => number = Date.now): Transport {
  return {
    connect(options): Connection {
      const connection = transport.connect(options);
      return {
        publish(subject, bytes, outgoing) {
          const isClient = options.name === clientName;
          note((isClient ? lineOfClient : lineOf)(subject, outgoing?.headers ?? {}, bytes, now(), outgoing?.reply));
          return connection.publish(subject, bytes, outgoing);
        },
        request: (...asked) => connection.request(...asked),
        subscribe: (...wanted) => connection.subscribe(...wanted),
        // Everything is of interest: it is written down.
        hasInterest: () => true,
        connected: () => connection.connected(),
        onChange: (listener) => connection.onChange(listener),
        close: () => connection.close(),
      };
    },
  };
}

/** Whatever the engine publishes is a message of the protocol, or this throws. */
export function lineOf(subject: string, headers: Headers, bytes: Uint8Array, at: number): Line {
  const { envelope, key, warnings, dropped } = parse(subject, headers, bytes, { subjects });
  const { metadata, ...content } = envelope;
  const line = {
    id: metadata.message_id,
    at,
    run: "",
    correlationId: metadata.correlation_id,
    by: codes.get(metadata.source_component.split(":", 1).join()) ?? "CLIENT",
    word: { type: key, ...content, to: subject } as unknown as Word,
    cause: metadata.causation_id ?? null,
  };
  if (dropped > 0) throw new Error(`${dropped} fields of '${key}' are unknown`);
  return warnings.length === 0 ? line : { ...line, by: "CLIENT" };
}

type ByClient = (...given: [...Parameters<typeof lineOf>, string | undefined]) => Line;
/** A client may say anything: what is no message is written down as that. */
export const lineOfClient: ByClient = (subject, headers, bytes, at, reply) => {
  try {
    return lineOf(subject, headers, bytes, at);
  } catch {
    const { metadata } = JSON.parse(new TextDecoder().decode(bytes)) as { metadata: Record<string, string> };
    return {
      id: metadata["message_id"] ?? "",
      at,
      run: "",
      correlationId: metadata["correlation_id"] ?? "",
      by: "CLIENT",
      word: { type: "command:?", to: subject, payload: { reply_to_subject: reply } },
      cause: null,
    };
  }
};
