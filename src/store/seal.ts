// Seals what is written to the disk and opens it again: AES-256-GCM, each text with a nonce of its own.
//
//   key of the file ─HKDF─┬▶ id: stands with all that it sealed         sealed.1.<id>.<salt, nonce, tag, text>
//                         ├▶ content: salted anew by each process, so that no nonce can come twice under one key
//                         └▶ names: what must be found by its name is named by its HMAC
//
// Sealed are the contents: of records, checkpoints, rows, keys that callers use once, and notes. In the open stand
// what the store works with: ids, statuses, error codes, numbers, times and sizes. A place is sealed with each text,
// so what is moved to another place does not open there.
//
// Invariants:
//   SL1. What was sealed opens with its key at its place as it was, and neither elsewhere, changed, nor with another.
//   SL2. The first key seals; all of them open. What was never sealed is given as it is.

import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from "node:crypto";

/** A key of the file, taken apart. */
export type SealKey = { id: string; content: Uint8Array; names: Uint8Array };

export type Seal = ReturnType<typeof sealWith>;

export const keyBytes = 32;
const saltBytes = 16;
const nonceBytes = 12;
const tagBytes = 16;
const headBytes = saltBytes + nonceBytes + tagBytes;
const prefix = "sealed.1.";
const idChars = 8;
/** As many texts as random nonces are good for, far from the first that might come twice. */
const sealsPerSalt = 2 ** 30;
const saltsKept = 64;

const derived = (key: Uint8Array, salt: Uint8Array, purpose: string, bytes = keyBytes): Buffer =>
  Buffer.from(hkdfSync("sha256", key, salt, `troupe/${purpose}`, bytes));
const noSalt = new Uint8Array();

export function sealKeyOf(key: Uint8Array): SealKey {
  const id = derived(key, noSalt, "id", idChars / 2).toString("hex");
  return { id, content: derived(key, noSalt, "content"), names: derived(key, noSalt, "names") };
}

/** What a text, or the bytes of a blob, begins with that this key has sealed. */
export const beginOf = (id: string): string => prefix + id;

/** With which key something was sealed; nothing if it was not. */
export const keyIdOf = (text: string): string | undefined =>
  text.startsWith(prefix) ? text.slice(prefix.length, prefix.length + idChars) : undefined;

/** Nothing, without keys. */
export function sealOf([first, ...more]: readonly SealKey[]): Seal | undefined {
  return first && sealWith([first, ...more]);
}

/** The first key seals. */
function sealWith(keys: readonly [SealKey, ...SealKey[]]) {
  const [current] = keys;
  const byId = new Map(keys.map((key) => [key.id, key]));
  const opening = new Map<string, Buffer>();
  let salt = randomBytes(saltBytes);
  let sealing = derived(current.content, salt, "salted");
  let left = sealsPerSalt;

  function sealed(content: string | Uint8Array, place: string): Buffer {
    if ((left -= 1) < 0) {
      salt = randomBytes(saltBytes);
      sealing = derived(current.content, salt, "salted");
      left = sealsPerSalt;
    }
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv("aes-256-gcm", sealing, nonce, { authTagLength: tagBytes });
    cipher.setAAD(Buffer.from(place));
    const body = typeof content === "string" ? cipher.update(content, "utf8") : cipher.update(content);
    cipher.final();
    return Buffer.concat([salt, nonce, cipher.getAuthTag(), body]);
  }

  function opened(bytes: Buffer, id: string, place: string): Buffer {
    const key = byId.get(id);
    if (!key) throw new Error(`there is no key ${id}`);
    const given = bytes.subarray(0, saltBytes);
    const decipher = createDecipheriv(
      "aes-256-gcm",
      openingKey(key, given),
      bytes.subarray(saltBytes, saltBytes + nonceBytes),
      {
        authTagLength: tagBytes,
      },
    );
    decipher.setAAD(Buffer.from(place));
    decipher.setAuthTag(bytes.subarray(saltBytes + nonceBytes, headBytes));
    return Buffer.concat([decipher.update(bytes.subarray(headBytes)), decipher.final()]);
  }

  function openingKey({ id, content }: SealKey, given: Buffer): Buffer {
    const name = id + given.toString("latin1");
    const known = opening.get(name);
    if (known) return known;
    const key = derived(content, given, "salted");
    if (opening.size >= saltsKept) opening.delete(opening.keys().next().value ?? "");
    opening.set(name, key);
    return key;
  }

  const named = ({ id, names }: SealKey, name: string): string =>
    `${prefix}${id}.${createHmac("sha256", names).update(name).digest("base64url")}`;

  return {
    /** Of the key that seals, and of all that open. */
    keyId: current.id,
    keyIds: keys.map(({ id }) => id),
    text: (text: string, place: string): string =>
      `${prefix}${current.id}.${sealed(text, place).toString("base64url")}`,
    bytes: (bytes: Uint8Array, place: string): Buffer =>
      Buffer.concat([Buffer.from(beginOf(current.id)), sealed(bytes, place)]),
    /** Throws if it was changed, or is not of this place. */
    openText(text: string, place: string): string {
      const id = keyIdOf(text);
      if (id === undefined) return text;
      const bytes = Buffer.from(text.slice(prefix.length + idChars + 1), "base64url");
      return opened(bytes, id, place).toString("utf8");
    },
    openBytes(bytes: Uint8Array, place: string): Uint8Array {
      const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const id = keyIdOf(all.toString("latin1", 0, prefix.length + idChars));
      return id === undefined ? bytes : opened(all.subarray(prefix.length + idChars), id, place);
    },
    /** What something is found by. */
    name: (name: string): string => named(current, name),
    /** All that it may be found by: under an older key, or from before there were keys. */
    names: (name: string): string[] => [...keys.map((key) => named(key, name)), name],
  };
}
