// Content too large for a message: it lies in an object store under its hash, and a reference travels in its place.
//
//   payload.context.input ┐  too large  ┌─ {"$ref":"<store>/<sha256>","size":n}
//   payload.result.output ┘ ──────────▶ └─ the object: the JSON of the content
//
// Invariants:
//   RF1. A reference is exactly these two fields, of this store, with a hash and a size; all else is content.
//   RF2. Content that would be taken for a reference travels by reference itself, however small it is.
//   RF3. What was fetched is taken only if it has the size and the hash that were said, and is JSON within bounds.

import { createHash } from "node:crypto";
import { TroupeError } from "./errors.ts";
import { type Bounds, defaultBounds, isObject, isPlainObject, type JsonObject, readJson, writeJson } from "./json.ts";

export type Reference = { hash: string; size: number };
/** What is to lie in the store before a message may leave. */
export type StoredContent = Reference & {
  /** Made when they are needed: whoever waits holds none. */
  bytes: () => Uint8Array;
};
export type Place = "input" | "output";

/** Why content cannot be had; a callee's own code, where a result needs one. */
export type Missing = "OBJECT_LOST" | "OBJECT_WRONG" | "OBJECT_UNREACHABLE" | "OBJECT_TOO_LARGE" | "OBJECT_STORE_OFF";

const sections = { input: "context", output: "result" } as const;
const places = Object.keys(sections) as readonly Place[];
/** What is smaller makes room for nothing. */
const leastBytes = 1_024;

export const objectStoreOf = (prefix: string): string => `${prefix}_OBJECTS`;

const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

type Payload = { readonly [section in "context" | "result"]?: JsonObject | null };

function contentAt(payload: Payload, place: Place): unknown {
  const section = payload[sections[place]];
  return isObject(section) ? section[place] : undefined;
}

/** The payload with other content in a place that is there. */
export function withContent<P extends object>(payload: P, place: Place, content: unknown): P {
  const section = sections[place];
  return { ...payload, [section]: { ...(payload as Payload)[section], [place]: content } };
}

/** The reference that stands for content, if one does. */
export function referenceOf(content: unknown, store: string): Reference | undefined {
  if (!isPlainObject(content) || Object.keys(content).length !== 2) return undefined;
  const { $ref: ref, size } = content;
  if (typeof ref !== "string" || !Number.isSafeInteger(size) || Number(size) < 1) return undefined;
  const hash = ref.startsWith(`${store}/`) ? ref.slice(store.length + 1) : "";
  return /^[\da-f]{64}$/.test(hash) ? { hash, size: Number(size) } : undefined;
}

export function referencesIn(payload: object, store: string): (Reference & { place: Place })[] {
  return places.flatMap((place) => {
    const reference = referenceOf(contentAt(payload, place), store);
    return reference ? [{ ...reference, place }] : [];
  });
}

/** The payload as it travels, and what of it is to lie in the store: of one that is too large all that makes room. */
export function referred<P extends object>(
  payload: P,
  store: string,
  isTooLarge: boolean,
  { depthMax }: Bounds = defaultBounds,
): { payload: P; contents: StoredContent[] } {
  const contents: StoredContent[] = [];
  let whole = payload;
  for (const place of places) {
    const content = contentAt(payload, place);
    if (content === undefined) continue;
    const isLikeOne = referenceOf(content, store) !== undefined;
    if (!isTooLarge && !isLikeOne) continue;
    const bytes = (): Uint8Array => writeJson(content, { sizeBytesMax: Infinity, depthMax });
    const written = bytes();
    if (!isLikeOne && written.byteLength < leastBytes) continue;
    const reference = { hash: hashOf(written), size: written.byteLength };
    contents.push({ ...reference, bytes });
    whole = withContent(whole, place, { $ref: `${store}/${reference.hash}`, size: reference.size });
  }
  return { payload: whole, contents };
}

/** What an object holds. */
export function contentIn(bytes: Uint8Array, { hash, size }: Reference, store: string, bounds: Bounds): unknown {
  if (bytes.byteLength !== size || hashOf(bytes) !== hash) {
    throw missing("OBJECT_WRONG", { hash, size }, store, "it is not what was meant: its size or its hash is another");
  }
  return readJson(bytes, bounds);
}

const fixes: Readonly<Record<Missing, string>> = {
  OBJECT_LOST: "objects are kept for `object_retention`: begin the execution anew",
  OBJECT_WRONG: "whoever sent it has to put exactly the bytes whose hash and size it says",
  OBJECT_UNREACHABLE: "look at the NATS server, and at what this process may do there",
  OBJECT_TOO_LARGE: "send less, or set `object_bytes` higher wherever it is to be read",
  OBJECT_STORE_OFF: "set `object_store: true` for this process, as it is for the one that sent it",
};

/** Content of a message cannot be had. */
export function missing(what: Missing, { hash, size }: Reference, store: string, why: string): TroupeError {
  const object = `${store}/${hash}`;
  const message = `content of ${size} bytes cannot be read from ${object}: ${why}`;
  const code = what === "OBJECT_TOO_LARGE" ? "PAYLOAD_TOO_LARGE" : "INVALID_ENVELOPE";
  return new TroupeError(code, message, { reason: what, object, size, fix: fixes[what] });
}
