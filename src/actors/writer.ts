// A message as it is written for the transport: where it goes, and its bytes, made once.

import type { Key, Message } from "../protocol/catalogue.ts";
import { components as names, type Component as Code } from "../protocol/entry.ts";
import { encode, type Encoded, type Envelope, type Trace } from "../protocol/envelope.ts";
import type { Bounds } from "../protocol/json.ts";
import type { SubjectCodec } from "../protocol/subjects.ts";
import type { Word } from "./component.ts";
import { envelopeOf } from "./record.ts";
import type { Requests } from "./requests.ts";

export type Speech = { id: string; by: Code; word: Word; cause: string | null };

export type WriterParts = {
  subjects: SubjectCodec;
  bounds: Bounds;
  requests: Requests;
  /** How safe what is acknowledged is. */
  durability: "fsync" | "os" | "memory";
};

export function newWriter({ subjects, bounds, requests, durability }: WriterParts) {
  /** Where a message goes; none if it has no place outside, as an acknowledgment that nobody asked for. */
  function subjectOf(speech: Speech, correlationId: string): string | undefined {
    const { by, word, cause } = speech;
    const isAck = word.type === "result:CommandAck";
    const to = word.to ?? (isAck ? requests.asking(cause)?.reply : undefined);
    if (to !== undefined) return to;
    // To an agent or tool an acknowledgment has nothing but an inbox.
    if (isAck && !(word.agent_runtime ?? word.task ?? word.workflow)) return undefined;
    return subjects.subjectOf(word as unknown as Message, {
      correlation_id: correlationId,
      source_component: names[by],
    });
  }

  /** What only the answer over the transport says: which old words its command used, and how safe it is. */
  function addressed(word: Word, cause: string | null): Word {
    if (!word.type.startsWith("result:")) return word;
    const payload = word["payload"] as { status: string; context?: object };
    const { warnings = [] } = requests.asking(cause) ?? {};
    const isAck = word.type === "result:CommandAck" && payload.status === "ACKNOWLEDGED";
    if (warnings.length === 0 && !isAck) return word;
    const context = { ...payload.context, ...(warnings.length > 0 && { warnings }), ...(isAck && { durability }) };
    return { ...word, payload: { ...payload, context } };
  }

  function written(
    { id, by, word, cause }: Speech,
    subject: string,
    correlationId: string,
    at: number,
    trace: Trace = {},
  ): Encoded {
    const envelope = envelopeOf({ id, by, word: addressed(word, cause), cause }, correlationId, at);
    const key = word.type as Key;
    return encode(envelope as unknown as Envelope, key, subjects, {
      to: subject,
      bounds,
      trace,
    });
  }

  return { subjectOf, written };
}
