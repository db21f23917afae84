// JSON that may come from anyone: read and written within bounds.
//
// Invariants:
//   J1. What is read is plain: no key `__proto__`, no lone surrogate, no number beyond the finite ones, no integer that
//       lost digits.
//   J2. Size, encoding and depth are checked in this order and before a value is built, so that neither memory nor
//       stack grows with what a stranger sends.
//   J3. What is written can be read, and what was read can be written; anything else is refused, not bent to fit.

import { clip, refusal, type Why } from "./refusal.ts";

export type Bounds = { sizeBytesMax: number; depthMax: number };

/** One mebibyte as the protocol says; the protocol's own structure is 7 deep, the rest is left to people's data. */
export const defaultBounds: Bounds = { sizeBytesMax: 1_048_576, depthMax: 128 };

export type JsonObject = { [key: string]: unknown };
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** An object as JSON has them: of no class. */
export function isPlainObject(value: unknown): value is JsonObject {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

// A byte order mark is kept by the decoder and then refused: it is not JSON.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

export function readJson(bytes: Uint8Array, { sizeBytesMax, depthMax }: Bounds = defaultBounds): unknown {
  checkSize(bytes, sizeBytesMax);
  const text = decode(bytes);
  if (text.startsWith("\uFEFF")) throw refusal("byte_order_mark", "the body begins with a byte order mark");
  if (depthOf(text) > depthMax) throw tooDeep(depthMax);
  const value = parseText(text);
  const flaw = flawOf(value, depthMax) ?? flawOfDigits(text, depthMax);
  if (flaw !== undefined) throw refusalOf(flaw, depthMax);
  return value;
}

export function writeJson(value: unknown, { sizeBytesMax, depthMax }: Bounds = defaultBounds): Uint8Array {
  const flaw = flawOf(value, depthMax);
  if (flaw !== undefined) throw refusalOf(flaw, depthMax);
  const bytes = encoder.encode(JSON.stringify(value));
  checkSize(bytes, sizeBytesMax);
  return bytes;
}

function checkSize(bytes: Uint8Array, sizeBytesMax: number): void {
  const size = bytes.byteLength;
  if (size > sizeBytesMax)
    throw refusal("too_large", `${size} bytes, more than ${sizeBytesMax}`, { size, limit: sizeBytesMax });
}

// The decoder's and the parser's own messages quote the body, and bodies hold secrets: neither is passed on.
function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw refusal("not_utf8", "the body is not UTF-8");
  }
}

function parseText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw refusal("not_json", "the body is not JSON");
  }
}

const quote = 0x22;
const backslash = 0x5c;

/** The deepest nesting of brackets outside strings; no more than a bound where the text is not JSON. */
export function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let index = 0; index < text.length; index++) {
    const letter = text.charCodeAt(index);
    if (inString) {
      if (letter === backslash) index++;
      else if (letter === quote) inString = false;
    } else if (letter === quote) inString = true;
    // [ and { differ from ] and } by two, and the brackets from the braces by one bit.
    else if ((letter | 0x20) === 0x7b) deepest = Math.max(deepest, ++depth);
    else if ((letter | 0x20) === 0x7d) depth--;
  }
  return deepest;
}

type Flaw = { why: Why; message: string; path: string[] };

/** The first thing in a value that cannot travel. It calls itself no deeper than the bound. */
function flawOf(value: unknown, depthLeft: number): Flaw | undefined {
  if (typeof value === "string") return flawOfText(value);
  if (typeof value === "number") {
    return Number.isFinite(value)
      ? undefined
      : { why: "number_out_of_range", message: "is no finite number", path: [] };
  }
  if (typeof value === "boolean" || value === null) return undefined;
  if (!isPlain(value)) return { why: "not_json", message: `is no JSON value`, path: [] };
  if (depthLeft === 0) return { why: "too_deep", message: "is nested too deeply", path: [] };
  if (Array.isArray(value)) return flawOfList(value, depthLeft - 1);
  return flawOfFields(value, depthLeft - 1);
}

const manyDigits = /\d{16}/;
const stringOrLongInteger = /"(?:[^"\\]+|\\.)*"|(?<![\d.eE+-])-?\d{16,}(?![\d.eE])/g;
const beyondAll = "1e999";

/** The first integer of a sound text that would be written with other digits: those it had are lost. */
function flawOfDigits(text: string, depthMax: number): Flaw | undefined {
  if (!manyDigits.test(text)) return undefined;
  // A number beyond all in its place is found where it stands; a reviver would cost 25 times as much.
  const marked = text.replaceAll(stringOrLongInteger, (found) =>
    found.startsWith('"') || String(Number(found)) === found ? found : beyondAll,
  );
  const flaw = flawOf(JSON.parse(marked), depthMax);
  return flaw && { why: "bent_number", message: "has more digits than a number can keep", path: flaw.path };
}

const flawOfText = (text: string): Flaw | undefined =>
  text.isWellFormed() ? undefined : { why: "lone_surrogate", message: "has half a surrogate pair", path: [] };

function flawOfList(list: readonly unknown[], depthLeft: number): Flaw | undefined {
  for (let index = 0; index < list.length; index++) {
    const flaw = flawOf(list[index], depthLeft);
    if (flaw !== undefined) return { ...flaw, path: [String(index), ...flaw.path] };
  }
  return undefined;
}

function flawOfFields(fields: JsonObject, depthLeft: number): Flaw | undefined {
  for (const key of Object.keys(fields)) {
    if (key === "__proto__") return { why: "forbidden_key", message: "is a forbidden key", path: [key] };
    // Absent by the rules of JSON, and so it is left out.
    if (fields[key] === undefined) continue;
    const flaw = flawOfText(key) ?? flawOf(fields[key], depthLeft);
    if (flaw !== undefined) return { ...flaw, path: [key, ...flaw.path] };
  }
  return undefined;
}

// Dates, maps and whatever has a toJSON would silently become something else.
const isPlain = (value: unknown): value is JsonObject | unknown[] => Array.isArray(value) || isPlainObject(value);

const tooDeep = (depthMax: number) =>
  refusal("too_deep", `the body is nested deeper than ${depthMax}`, { limit: depthMax });

function refusalOf({ why, message, path }: Flaw, depthMax: number) {
  if (why === "too_deep") return tooDeep(depthMax);
  const field = clip(path.join("."));
  return refusal(why, `"${field}" ${message}`, { errors: [{ field, message }] });
}
