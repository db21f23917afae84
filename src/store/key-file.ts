// The file with the keys that the contents of a data directory are sealed with.
//
// Each line is a key: 32 random bytes in base64 or hexadecimal. The first one seals, all of them open: to change the
// key, put a new line before the old ones.

import { randomBytes } from "node:crypto";
import { readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { fault } from "./faults.ts";
import { keyBytes, type SealKey, sealKeyOf } from "./seal.ts";

const othersMay = 0o077;
const hexForm = /^[0-9a-f]{64}$/i;
const base64Form = /^[A-Za-z0-9+/_-]{43}=?$/;

/** Throws with what is wrong and what to do; no key stands in what it says. */
export function readKeyFile(file: string): readonly [SealKey, ...SealKey[]] {
  const found = statSync(file, { throwIfNoEntry: false });
  if (!found?.isFile()) throw unusable(file, "it is not there; make one with `troupe key create`, or put it back");
  if (process.platform !== "win32" && (found.mode & othersMay) !== 0) {
    const octal = (found.mode & 0o777).toString(8).padStart(3, "0");
    throw unusable(file, `others can read it (mode ${octal}); close it with \`chmod 600 ${file}\``);
  }
  const lines = readFileSync(file, "utf8").split(/\r?\n/);
  const keys = lines.flatMap((line, place) => {
    const text = line.trim();
    return text === "" || text.startsWith("#") ? [] : [sealKeyOf(bytesOf(file, text, place + 1))];
  });
  const [first, ...more] = keys;
  if (!first) throw unusable(file, "there is no key in it; a key is a line of 32 random bytes in base64");
  return [first, ...more];
}

function bytesOf(file: string, text: string, line: number): Uint8Array {
  if (hexForm.test(text)) return Buffer.from(text, "hex");
  if (base64Form.test(text)) return Buffer.from(text, "base64");
  throw unusable(
    file,
    `line ${line} is no key: write ${keyBytes} random bytes in base64 (44 letters) or in hexadecimal`,
  );
}

/** Adds a new key before those that are there, or makes the file; gives the key's id. */
export function addKey(file: string): string {
  const isThere = statSync(file, { throwIfNoEntry: false }) !== undefined;
  // One that cannot be used is not touched.
  if (isThere) readKeyFile(file);
  const before = isThere ? readFileSync(file, "utf8") : "";
  const key = randomBytes(keyBytes);
  // Whole or not at all: whoever loses a key loses all that it sealed.
  const part = `${file}.${process.pid}.part`;
  writeFileSync(part, `${key.toString("base64")}\n${before}`, { mode: 0o600, flag: "wx", flush: true });
  renameSync(part, file);
  return sealKeyOf(key).id;
}

const unusable = (file: string, why: string): Error =>
  fault("store_sealed", `the key file ${file} cannot be used: ${why}`, { file });
