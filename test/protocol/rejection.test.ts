// Whatever was refused, its dead letter can be sent and read.
//
// Method: bodies on both sides of the size limit, of letters that take one to six bytes when they are written again.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encode, wrap, type Headers } from "../../src/protocol/envelope.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { defaultBounds } from "../../src/protocol/json.ts";
import { parse, type Parsed } from "../../src/protocol/parse.ts";
import { rejectionOf, type Received } from "../../src/protocol/rejection.ts";
import { encoder, hear, id, refusalOf, run, subjects, trigger } from "../kit/sent.ts";

const at = Date.UTC(2026, 10, 21, 9);
const limit = defaultBounds.sizeBytesMax;
const error = new TroupeError("INVALID_ENVELOPE", "the body is not JSON", { why: "not_json" });

/** The dead letter after its journey, and how large it was. */
function journey(
  received: Partial<Received>,
  refused = error,
): { sizeBytes: number; parsed: Parsed; context: Context } {
  const message = rejectionOf(refused, { subject: "a.b", headers: {}, bytes: new Uint8Array(), ...received }, at);
  const envelope = wrap(message, { id: id(1), at, correlationId: run, source: "MON" });
  const { subject, headers, bytes } = encode(envelope, message.type, subjects);
  const parsed = parse(subject, headers, bytes, { subjects });
  const { context } = parsed.envelope.payload as unknown as { context: Context };
  return { sizeBytes: bytes.length, parsed, context };
}
type Context = { code: string; original_subject: string; original_headers: Headers; original_body: string };

/** So many bytes of a letter, filled up with a letter of one byte. */
function bytesOf(letter: string, sizeBytes: number): Uint8Array {
  const one = encoder.encode(letter);
  const bytes = new Uint8Array(sizeBytes).fill(0x78);
  for (let place = 0; place + one.length <= sizeBytes; place += one.length) bytes.set(one, place);
  return bytes;
}

describe("a message that was refused", () => {
  test("X2: is kept whole, with its code, subject and headers", () => {
    const sent = { ...trigger, subject: "compozy.commands.agent.refund.explode.judge" };
    const refused = refusalOf(() => hear(sent));
    const headers = { "Nats-Msg-Id": id(2), traceparent: "00-a-b-01" };
    const text = JSON.stringify(sent.body);
    const { parsed, context } = journey({ subject: sent.subject, headers, bytes: encoder.encode(text) }, refused);
    expect(parsed).toMatchObject({ key: "log:MessageRejected", dropped: 0, warnings: [] });
    expect(parsed.address).toMatchObject({ params: { reason: "unknown_message_type" } });
    expect(parsed.envelope.payload).toMatchObject({ log_level: "error", message: refused.message });
    expect(parsed.envelope.payload).toHaveProperty("timestamp", "2026-11-21T09:00:00.000Z");
    expect(context).toEqual({
      code: "UNKNOWN_MESSAGE_TYPE",
      original_subject: sent.subject,
      original_headers: headers,
      original_body: text,
    });
  });

  test.each(["x", '"', "\\", "\u0000", "\n", "é", "€", "😀", "\uFEFF"])(
    "X1: a body of %j that just fits the limit, or is beyond it, is cut so that its dead letter fits",
    (letter) => {
      for (const sizeBytes of [limit - 1, limit, limit + 1, 3 * limit]) {
        const bytes = bytesOf(letter, sizeBytes);
        const { sizeBytes: sent, context } = journey({ bytes });
        expect(sent).toBeLessThan(limit - 4_096);
        // As much is kept as there is room for.
        expect(sent).toBeGreaterThan(limit - 65_536);
        const kept = context.original_body.slice(0, -1);
        expect(context.original_body.at(-1)).toBe("…");
        expect(new TextDecoder().decode(bytes).startsWith(kept)).toBe(true);
      }
    },
  );

  test("X1: a body that is not UTF-8 is told as well as text can", () => {
    const { context } = journey({ bytes: Uint8Array.from([0x7b, 0xff, 0x7d]) });
    expect(context.original_body).toBe("{\ufffd}");
    expect(journey({ bytes: new Uint8Array(limit).fill(0xff) }).sizeBytes).toBeLessThan(limit);
  });

  test("X1: neither subject, headers nor reason make it too large", () => {
    const long = "\u0001".repeat(limit);
    const headers = Object.fromEntries(
      Array.from({ length: 200 }, (_, index) => [`${index}${long.slice(0, 9_000)}`, long]),
    );
    const refused = new TroupeError("INVALID_SUBJECT", long);
    const { sizeBytes, context } = journey({ subject: long, headers, bytes: bytesOf("€", limit) }, refused);
    expect(sizeBytes).toBeLessThan(limit);
    expect(Object.keys(context.original_headers)).toHaveLength(32);
    expect(context.original_subject).toMatch(/…$/);
  });

  test("X2: a text at its limit is whole, and one byte more cuts it", () => {
    const whole = "s".repeat(4_096);
    expect(journey({ subject: whole }).context.original_subject).toBe(whole);
    expect(journey({ subject: `${whole}s` }).context.original_subject).toBe(`${"s".repeat(4_093)}…`);
    // Not within a letter of two units.
    expect(journey({ subject: "😀".repeat(4_096) }).context.original_subject).toMatch(/^(?:😀)+…$/u);
  });

  test("X1: a header of any name and half a letter anywhere can be sent", () => {
    const headers = JSON.parse('{"__proto__":"a","constructor":"b"}') as Headers;
    const { context } = journey({ subject: "a\ud800", headers: { ...headers, x: "\udc00" } });
    expect(context).toMatchObject({ original_subject: "a\ufffd", original_headers: { constructor: "b", x: "\ufffd" } });
  });

  test("X1: nothing that can come makes one that cannot be read", () => {
    const headers = fc.dictionary(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }));
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), headers, fc.uint8Array(), (subject, given, bytes) => {
        expect(journey({ subject, headers: given, bytes }).parsed.dropped).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});
