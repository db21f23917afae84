// Takes the values of secrets out of whatever a handler gives back, before anything of it is recorded, sent or logged.
//
//   handler ─ output, error, step, thinking, token, input of a tool, log ─▶ redact ─▶ charts, journal, rows, news, log
//
// Values of secrets exist in handlers alone, and everything a handler says comes through one door: what is stored
// behind it is as it is shown, and nobody else has to look. A value is found as it is, and as JSON, as a part of a URL
// and in base64; what a handler made of it in another way, only that handler can keep to itself.
//
// Invariants:
//   RD1. Nothing that comes out holds a value, in a text, a key or a number, however deep.
//   RD2. What holds none comes out as it went in, the very same object.
//   RD3. What comes out is no longer than what went in: a limit on its size still holds.
//   RD4. A value that a stream of pieces says in parts is found, too; what is held back for that is said in the end.

import { isPlainObject } from "../protocol/json.ts";

/** What stands where a value stood. */
export const mark = "[secret]";
/** What is shorter is no secret, and occurs everywhere; and the mark is no longer than that. */
export const charsMin = mark.length;
/** A key in several lines is printed line by line. */
const lineCharsMin = 20;

export type Redactor = {
  text(given: string): string;
  /** Whatever it is: data, errors, and what throws when it is looked at. */
  value(given: unknown): unknown;
  stream(): Stream;
};

/** For a text that comes in pieces. */
export type Stream = { push(piece: string): string; end(): string };

/** Nothing, if there is nothing to look for. */
export function redactorOf(values: readonly string[]): Redactor | undefined {
  const forms = formsOf(values);
  if (forms.length === 0) return undefined;
  // The longest first: a value may be the beginning of another.
  const pattern = new RegExp(forms.map((form) => form.replace(/[$()*+.?[\\\]^{|}]/g, "\\$&")).join("|"), "g");
  const known = new Set(forms);
  const text = (given: string): string => given.replace(pattern, mark);

  function value(given: unknown, within: ReadonlySet<object> = nothing): unknown {
    if (typeof given === "string") return text(given);
    if (typeof given === "number" || typeof given === "bigint") return known.has(String(given)) ? mark : given;
    if (typeof given !== "object" || given === null) return given;
    // What contains itself: whoever prints it stops here, too.
    if (within.has(given)) return given;
    const inside = new Set(within).add(given);
    if (Array.isArray(given))
      return sameOr(
        given,
        given.map((one) => value(one, inside)),
      );
    if (given instanceof Error) return errorOf(given, inside);
    if (isPlainObject(given)) return objectOf(given, inside);
    // Dates, buffers, maps and people's own classes are shown by their JSON.
    const shown: unknown = JSON.parse(JSON.stringify(given) ?? "null");
    return value(shown, inside) === shown ? given : value(shown, inside);
  }

  function objectOf(given: Record<string, unknown>, within: ReadonlySet<object>): unknown {
    const parts = Object.entries(given).map(([key, one]) => [text(key), value(one, within)] as const);
    const isSame = Object.entries(given).every(([key, one], at) => parts[at]?.[0] === key && parts[at]?.[1] === one);
    return isSame ? given : Object.fromEntries(parts);
  }

  function errorOf(given: Error, within: ReadonlySet<object>): unknown {
    const { name, message, stack, cause } = given;
    const parts = { ...Object.fromEntries(Object.entries(given)), name, message, stack, cause };
    const own = objectOf(parts, within) as Error & Record<string, unknown>;
    const isSame = own.message === message && own.stack === stack && own.cause === cause && own.name === name;
    if (isSame && Object.entries(given).every(([key, one]) => own[key] === one)) return given;
    return Object.defineProperties(Object.create(Object.getPrototypeOf(given) as object), {
      ...Object.fromEntries(Object.keys(given).map((key) => [key, { value: own[key], enumerable: true }])),
      name: { value: own.name },
      message: { value: own.message },
      stack: { value: own.stack },
      ...(cause !== undefined && { cause: { value: own.cause } }),
    });
  }

  return {
    text,
    value: (given) => {
      try {
        return value(given);
      } catch {
        // Nobody can say what is in it.
        return mark;
      }
    },
    stream: () => streamOf(text, forms),
  };
}

const nothing: ReadonlySet<object> = new Set();

const sameOr = (given: readonly unknown[], made: readonly unknown[]): readonly unknown[] =>
  made.every((one, place) => one === given[place]) ? given : made;

/** Every text by which one of the values may be said, the longest first. */
function formsOf(values: readonly string[]): string[] {
  const forms = values.flatMap((whole) => {
    const lines = whole.includes("\n") ? whole.split(/\r?\n/).filter((line) => isTelling(line)) : [];
    return [whole, whole.trim(), ...lines].flatMap((plain) => [plain, ...quotedOf(plain), ...encodedOf(plain)]);
  });
  return [...new Set(forms.filter((form) => form.length >= charsMin))].sort((one, other) => other.length - one.length);
}

/** `-----BEGIN …` is the same in every key. */
const isTelling = (line: string): boolean => line.length >= lineCharsMin && !line.startsWith("-----");

function quotedOf(plain: string): string[] {
  const once = JSON.stringify(plain).slice(1, -1);
  return [once, JSON.stringify(once).slice(1, -1)];
}

function encodedOf(plain: string): string[] {
  if (plain.length < charsMin) return [];
  const bytes = Buffer.from(plain);
  const base64 = bytes.toString("base64");
  const url = encodeURIComponent(plain.toWellFormed());
  return [url, base64, base64.replace(/=+$/, ""), bytes.toString("base64url"), bytes.toString("hex")];
}

function streamOf(text: Redactor["text"], forms: readonly string[]): Stream {
  let held = "";
  return {
    push(piece) {
      const all = text(held + piece);
      const keep = Math.max(0, ...forms.map((form) => overlap(all, form)));
      held = all.slice(all.length - keep);
      return all.slice(0, all.length - keep);
    },
    end() {
      const rest = held;
      held = "";
      return rest;
    },
  };
}

/** How many letters at the end may be the beginning of a value. */
function overlap(all: string, form: string): number {
  for (let count = Math.min(all.length, form.length - 1); count > 0; count -= 1) {
    if (all.endsWith(form.slice(0, count))) return count;
  }
  return 0;
}
