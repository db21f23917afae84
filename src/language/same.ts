// Whether two values of an expression are the same: numbers by their value, whatever kind they are of.

import { isPlainObject } from "../protocol/json.ts";
import { spend } from "./meter.ts";

/** What is of two types is not the same, and no error. Each look is paid for. */
export function isSame(one: unknown, other: unknown): boolean {
  spend(1);
  if (one === other) return true;
  const [number, otherNumber] = [numberIn(one), numberIn(other)];
  if (number !== undefined || otherNumber !== undefined) {
    // oxlint-disable-next-line eqeqeq -- a BigInt and a double of one value are the same only loosely
    return number !== undefined && otherNumber !== undefined && number == otherNumber;
  }
  if (typeof one === "string") spend(one.length >> 5);
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
  if (Array.isArray(one) || Array.isArray(other)) return areLists(one, other);
  if (isPlainObject(one) || isPlainObject(other))
    return isPlainObject(one) && isPlainObject(other) && areObjects(one, other);
  if (one instanceof Uint8Array || other instanceof Uint8Array) return areBytes(one, other);
  // Times and durations.
  return one.constructor === other.constructor && one.valueOf() === other.valueOf();
}

function areLists(one: unknown, other: unknown): boolean {
  if (!Array.isArray(one) || !Array.isArray(other) || one.length !== other.length) return false;
  return one.every((item, index) => isSame(item, other[index]));
}

type Plain = Readonly<Record<string, unknown>>;

function areObjects(one: Plain, other: Plain): boolean {
  const keys = Object.keys(one);
  spend(keys.length);
  if (keys.length !== Object.keys(other).length) return false;
  return keys.every((key) => Object.hasOwn(other, key) && isSame(one[key], other[key]));
}

function areBytes(one: unknown, other: unknown): boolean {
  if (!(one instanceof Uint8Array && other instanceof Uint8Array)) return false;
  spend(one.length >> 5);
  return Buffer.compare(one, other) === 0;
}

/** A number of any kind: an unsigned one is an object around a BigInt. */
export function numberIn(value: unknown): number | bigint | undefined {
  if (typeof value === "number" || typeof value === "bigint") return value;
  if (typeof value !== "object" || value === null || Array.isArray(value) || isPlainObject(value)) return undefined;
  const inner: unknown = value.valueOf();
  return typeof inner === "bigint" ? inner : undefined;
}
