// What an expression gives, as JSON: whole numbers as numbers, times and durations as texts.

import { isPlainObject } from "../protocol/json.ts";
import { countChars, countItems, refuse, spend } from "./meter.ts";
import { numberIn } from "./same.ts";

/** A copy. What has no JSON is an error, and so is what would be too much of it. */
export function plainOf(value: unknown): unknown {
  let chars = 0;
  const text = (given: string): string => {
    countChars((chars += given.length));
    return given;
  };
  function copy(given: unknown, depth: number): unknown {
    spend(1);
    if (typeof given === "string") return text(given);
    if (given === null || typeof given === "boolean") return given;
    const number = numberIn(given);
    if (number !== undefined) return plainNumber(number);
    if (depth > depthMax) refuse(`what it gives is nested more than ${depthMax} deep`);
    if (Array.isArray(given)) {
      countItems(given.length);
      return given.map((item) => copy(item, depth + 1));
    }
    if (isPlainObject(given)) {
      return Object.fromEntries(Object.entries(given).map(([key, inner]) => [text(key), copy(inner, depth + 1)]));
    }
    return text(textOf(given));
  }
  return copy(value, 0);
}

const depthMax = 200;

function plainNumber(value: number | bigint): number {
  const number = Number(value);
  if (typeof value === "bigint" && !Number.isSafeInteger(number)) throw new Error(`${value} is too big for JSON`);
  if (!Number.isFinite(number)) throw new Error(`${number} is no number of JSON`);
  return number;
}

function textOf(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  const ms = durationMs(value);
  if (ms === undefined) throw new Error("a type is no JSON value");
  return ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`;
}

const durationMs = (value: unknown): number | undefined =>
  typeof value === "object" && value !== null && "nanos" in value ? Number(value.valueOf()) : undefined;
