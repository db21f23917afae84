// A message as it is written for the transport: where it goes, its bytes, and what of it travels by reference.

import type { Key, Message } from "../protocol/catalogue.ts";
import { components as names, type Component as Code } from "../protocol/entry.ts";
import { encode, type Encoded, type Envelope, type Trace } from "../protocol/envelope.ts";
import { TroupeError } from "../protocol/errors.ts";
import type { Bounds } from "../protocol/json.ts";
import { referred, type StoredContent } from "../protocol/references.ts";
import type { SubjectCodec } from "../protocol/subjects.ts";
import type { Word } from "./component.ts";
import type { Contents } from "./contents.ts";
import { envelopeOf } from "./record.ts";
import type { Requests } from "./requests.ts";

export type Speech = { id: string; by: Code; word: Word; cause: string | null };

export type Written = {
  encoded: Encoded;
  /** What has to be in the object store before it may leave. */
  contents: readonly StoredContent[];
};

export type WriterParts = {
  subjects: SubjectCodec;
  contents: Pick<Contents, "store" | "isOn">;
  bounds: Bounds;
  requests: Requests;
  /** How safe what is acknowledged is. */
  durability: "fsync" | "os" | "memory";
};

export function newWriter({ subjects, contents: { store, isOn }, bounds, requests, durability }: WriterParts) {
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
    to: string,
    correlationId: string,
    at: number,
    trace: Trace = {},
  ): Written {
    const envelope = envelopeOf({ id, by, word: addressed(word, cause), cause }, correlationId, at);
    const key = word.type as Key;
    const writtenAs = (isTooLarge: boolean): Written => {
      const { payload, contents } = isOn
        ? referred(envelope["payload"] as object, store, isTooLarge, bounds)
        : { payload: envelope["payload"], contents: [] };
      // How large it is, is looked at below.
      const sending = { to, trace, bounds: { ...bounds, sizeBytesMax: Infinity } };
      return { encoded: encode({ ...envelope, payload } as unknown as Envelope, key, subjects, sending), contents };
    };
    const whole = writtenAs(false);
    const { sizeBytesMax } = bounds;
    if (whole.encoded.bytes.byteLength <= sizeBytesMax) return whole;
    const smaller = isOn ? writtenAs(true) : whole;
    const bytes = smaller.encoded.bytes.byteLength;
    if (bytes <= sizeBytesMax) return smaller;
    const message = `${key} would have ${bytes} bytes, and a message may have ${sizeBytesMax}`;
    const details = { limit: "payloadBytes", max: sizeBytesMax, bytes, ...(!isOn && { fix: storeOff }) };
    throw new TroupeError("PAYLOAD_TOO_LARGE", message, details);
  }

  return { subjectOf, written };
}

const storeOff = "send less, or set `object_store: true`, so that inputs and outputs travel by reference";
