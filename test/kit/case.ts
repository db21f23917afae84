// A case of the fuzzer: what is sent, what it was made from, and what must come of it.

import type { Key } from "../../src/protocol/catalogue.ts";
import type { Envelope } from "../../src/protocol/envelope.ts";
import type { JsonObject } from "../../src/protocol/json.ts";
import type { Layout } from "../../src/protocol/layouts.ts";
import { subjectCodec, type SubjectCodec } from "../../src/protocol/subjects.ts";

const prefix = "compozy";
export const codecs: Readonly<Record<Layout, SubjectCodec>> = {
  flow: subjectCodec({ prefix, layout: "flow" }),
  correlated: subjectCodec({ prefix, layout: "correlated" }),
};

/** A valid message as it was sent. */
export type Sample = {
  key: Key;
  subject: string;
  headers: Record<string, string>;
  text: string;
  envelope: Envelope;
};

/** What must come of a case: nothing in particular, a refusal, or the message that it was made from. */
export type Expectation =
  | { outcome: "any" }
  | { outcome: "refused" }
  | { outcome: "same"; warnings?: "none" | "some"; dropped?: number; secret?: string };
export const any: Expectation = { outcome: "any" };
export const refused: Expectation = { outcome: "refused" };
export const same: Expectation = { outcome: "same", warnings: "none", dropped: 0 };

export type Case = {
  subject: string;
  headers: Record<string, string>;
  bytes: Uint8Array;
  expected: Expectation;
  sample: Sample;
  /** The mutations that made it. */
  steps: string[];
};

export type Random = {
  below(bound: number): number;
  pick<T>(list: readonly T[]): T;
  chance(probability: number): boolean;
};

/** Numbers that look random, from two numbers. */
export function randomOf(seed: number, index: number): Random {
  let state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b)) >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (bound: number): number => Math.floor(next() * bound);
  return {
    below,
    pick: (list) => list[below(list.length)] as (typeof list)[number],
    chance: (p) => next() < p,
  };
}

export type Draft = { sample: Sample; subject: string; headers: Record<string, string>; body: JsonObject };

/** Stands for a number that JSON can write and JavaScript cannot hold. */
export const hugeNumber = "\u0001huge\u0001";
