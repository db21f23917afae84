// The dead letter of a message that was refused: what came, as whole as the size limit allows.
//
// Invariants:
//   X1. It can be sent whatever was refused: it is within the limit, well formed, and names a known code.
//   X2. What fits is kept whole; what does not is cut at the end, and says so.

import type { Message } from "./catalogue.ts";
import type { Headers } from "./envelope.ts";
import type { TroupeError } from "./errors.ts";
import { defaultBounds } from "./json.ts";

/** A message as it came. */
export type Received = { subject: string; headers: Headers; bytes: Uint8Array };

// Of the limit, for everything but the body: metadata, and the parts below at their longest.
const spareBytes = 65_536;
const subjectBytesMax = 4_096;
const messageBytesMax = 4_096;
const headersMax = 32;
const headerBytesMax = 512;

/** What is to be published of a refusal; `at` is the current time in epoch milliseconds. */
export function rejectionOf(
  { code, message }: TroupeError,
  { subject, headers, bytes }: Received,
  at: number,
  { sizeBytesMax } = defaultBounds,
): Message<"log:MessageRejected"> {
  const kept = Object.entries(headers).slice(0, headersMax);
  // Through a map, so that a header named __proto__ is one like any other, and is then left out: no reader takes it.
  const cutHeaders = kept
    .filter(([name]) => name !== "__proto__")
    .map(([name, value]) => [cut(name, headerBytesMax), cut(value, headerBytesMax)]);
  return {
    type: "log:MessageRejected",
    payload: {
      log_level: "error",
      message: cut(message, messageBytesMax),
      timestamp: new Date(at).toISOString(),
      context: {
        code,
        original_subject: cut(subject, subjectBytesMax),
        original_headers: Object.fromEntries(cutHeaders) as Record<string, unknown>,
        original_body: cut(new TextDecoder().decode(bytes), Math.max(0, sizeBytesMax - spareBytes)),
      },
    },
  };
}

const ending = "…";
const endingBytes = 3;

/** A text that takes no more than so many bytes when it is written as JSON. */
function cut(text: string, bytesMax: number): string {
  let size = 0;
  let index = 0;
  let end = 0;
  for (const letter of text) {
    if (size <= bytesMax - endingBytes) end = index;
    size += bytesOf(letter);
    index += letter.length;
    if (size > bytesMax) return `${text.slice(0, end).toWellFormed()}${ending}`;
  }
  return text.toWellFormed();
}

const shortEscapes: ReadonlySet<string> = new Set('\b\t\n\f\r"\\');

/** The bytes of a letter in JSON: escaped, or in UTF-8; half a surrogate pair becomes a letter of three. */
function bytesOf(letter: string): number {
  if (shortEscapes.has(letter)) return 2;
  const unit = letter.codePointAt(0) ?? 0;
  if (unit < 0x20) return 6;
  if (unit < 0x80) return 1;
  if (unit < 0x800) return 2;
  return unit < 0x10000 ? 3 : 4;
}
