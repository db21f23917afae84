// The envelope: a message with what is known of its origin, as it travels.
//
// Invariants:
//   V1. An envelope is metadata, entity sections and payload, and nothing else of what a chart says.
//   V2. unwrap takes off what wrap puts on.
//   V3. The headers repeat the message id and the correlation id; the context of a trace passes through.

import { z } from "zod";
import { nameOf, type Key, type Message } from "./catalogue.ts";
import { components, type Component } from "./entry.ts";
import * as f from "./fields.ts";
import { defaultBounds, writeJson, type Bounds } from "./json.ts";
import { entities } from "./statuses.ts";
import { badId, isConcrete, type SubjectCodec } from "./subjects.ts";

export const metadata = z.object({
  message_id: f.execId,
  message_type: f.name,
  correlation_id: f.execId,
  causation_id: f.execId.optional(),
  event_timestamp: f.timestamp,
  source_component: f.source,
  created_by: f.name.optional(),
});
export type Metadata = z.infer<typeof metadata>;

export type Envelope<K extends Key = Key> = K extends Key ? { metadata: Metadata } & Omit<Message<K>, "type"> : never;

/** Where a message comes from: its id and time, its run, its cause and its speaker. */
export type Origin = {
  id: string;
  /** Epoch milliseconds. */
  at: number;
  correlationId: string;
  /** The message that caused it; a root has none. */
  causationId?: string | undefined;
  source: Component;
  /** Which of several instances of the component. */
  instance?: string | undefined;
  createdBy?: string | undefined;
};

/** The headers of a message; a header has one value here. */
export type Headers = Readonly<Record<string, string>>;
export const headerNames = {
  messageId: "Nats-Msg-Id",
  correlationId: "Troupe-Correlation-Id",
  trace: ["traceparent", "tracestate"],
} as const;

/** The context of a distributed trace, which every caused message carries on. */
export type Trace = { traceparent?: string; tracestate?: string };

export type Encoded = { subject: string; headers: Headers; bytes: Uint8Array };

export function wrap<K extends Key>(message: Message<K>, origin: Origin): Envelope<K> {
  const { type }: Message = message;
  const stamped: Metadata = {
    message_id: origin.id,
    message_type: nameOf(type),
    correlation_id: origin.correlationId,
    ...(origin.causationId !== undefined && { causation_id: origin.causationId }),
    event_timestamp: new Date(origin.at).toISOString(),
    source_component: components[origin.source] + (origin.instance === undefined ? "" : `:${origin.instance}`),
    ...(origin.createdBy !== undefined && { created_by: origin.createdBy }),
  };
  return { metadata: stamped, ...contentOf(message) } as unknown as Envelope<K>;
}

export const unwrap = <K extends Key>(envelope: Envelope<K>, key: K): Message<K> =>
  ({ type: key, ...contentOf(envelope) }) as unknown as Message<K>;

/** The sections that are there, and the payload. */
function contentOf(said: object): Record<string, unknown> {
  const fields = new Map(Object.entries(said));
  const names = [...entities, "payload"].filter((name) => fields.get(name) !== undefined);
  return Object.fromEntries(names.map((name) => [name, fields.get(name)]));
}

export type Sending = {
  /** Where a reply was asked for; else a message goes to the subject that its own sections give. */
  to?: string | undefined;
  trace?: Trace;
  bounds?: Bounds;
};

/** An envelope ready to be sent. */
export function encode<K extends Key>(
  envelope: Envelope<K>,
  key: K,
  subjects: SubjectCodec,
  { to, trace = {}, bounds = defaultBounds }: Sending = {},
): Encoded {
  const { metadata: origin }: Envelope = envelope;
  if (to !== undefined && !isConcrete(to)) throw badId("to", to, "a subject without wildcards");
  return {
    subject: to ?? subjects.subjectOf(unwrap(envelope, key), origin),
    headers: {
      [headerNames.messageId]: origin.message_id,
      [headerNames.correlationId]: origin.correlation_id,
      ...trace,
    },
    bytes: writeJson(envelope, bounds),
  };
}

// The grammar of the W3C is wider for tracestate; printable is what matters for a header.
const printable = /^[\x20-\x7e]{1,512}$/;

const traceparentForm = /^[\da-f]{2}-([\da-f]{32})-[\da-f]{16}-[\da-f]{2}/;

/** The id that all of a trace has in common; none if the context has not the form of the W3C. */
export const traceIdOf = ({ traceparent = "" }: Trace): string | undefined => traceparentForm.exec(traceparent)?.[1];

/** What of the headers is the trace; a value that is no text is none. */
export function traceOf(headers: Readonly<Record<string, unknown>>): Trace {
  const given = headerNames.trace.flatMap((name) => {
    const value = headers[name];
    return typeof value === "string" && printable.test(value) ? [[name, value]] : [];
  });
  return Object.fromEntries(given) as Trace;
}
