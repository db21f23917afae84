// What is wrong with a definition, collected: each with the place it is about, a code, and what was probably meant.

import { nearest } from "../protocol/nearest.ts";
import { clip } from "../protocol/refusal.ts";
import type { Defect, Path } from "./spec.ts";

/** `offset` leads on to a place within the text that stands at the path. */
export type Note = (path: Path, code: string, message: string, hint?: string, offset?: number) => void;

/** Once it is full, nothing more need be looked for. */
export type Notes = { note: Note; warn: Note; defects: Defect[]; isFull(): boolean };

const defectsMax = 500;
const editsMax = 3;
const wordCharsMax = 100;
const wordsMax = 2_000;

/** Whoever has so many has generated them, and will mend the cause of the first. */
export function collect(): Notes {
  const defects: Defect[] = [];
  const noteAs =
    (severity: Defect["severity"]): Note =>
    (path, code, message, hint, offset) => {
      if (defects.length > defectsMax) return;
      if (defects.length === defectsMax) {
        const says = `there are more than ${defectsMax} defects; the others are not listed`;
        return void defects.push({ path: [], code: "TOO_LARGE", message: says, severity: "error" });
      }
      const more = { ...(hint !== undefined && { hint }), ...(offset !== undefined && { offset }) };
      defects.push({ path, code, message, severity, ...more });
    };
  return { note: noteAs("error"), warn: noteAs("warning"), defects, isFull: () => defects.length > defectsMax };
}

/** The question whether a known word of the language was meant, or nothing: a third of its letters may be wrong. */
export const meant = (given: unknown, known: Iterable<string>): string | undefined =>
  asked(given, known, (edits, word) => edits <= Math.max(1, Math.floor(word.length / 3)));

/** The same of an id, which people make up as they like: up to half of it may be wrong. */
export const meantId = (given: unknown, known: Iterable<string>): string | undefined => asked(given, known);

function asked(given: unknown, known: Iterable<string>, isNear?: IsNear): string | undefined {
  const name = typeof given === "string" ? meantName(given, [...known], isNear) : undefined;
  return name === undefined || name === given ? undefined : `did you mean "${name}"?`;
}
type IsNear = (edits: number, word: string) => boolean;

/** The same word in another spelling, or one that a slip of the pen leads to; not one with no letter in common. */
export function meantName(given: string, known: readonly string[], isNear: IsNear = () => true): string | undefined {
  // Whoever writes so much did not slip.
  if (given.length > wordCharsMax) return undefined;
  const bare = (name: string): string => name.toLowerCase().replaceAll(/[_-]/g, "");
  const same = known.find((name) => bare(name) === bare(given) && bare(given) !== "");
  if (same !== undefined) return same;
  const near = known.filter((name) => Math.abs(name.length - given.length) <= editsMax).slice(0, wordsMax);
  const mostOf = (word: string): number =>
    Math.min(editsMax, given.length - 1, Math.floor(Math.max(given.length, word.length) / 2));
  return nearest(given, near, (edits, word) => edits <= mostOf(word) && isNear(edits, word));
}

/** A value as a message may have it: short, and in the notation of JSON. */
export function shown(value: unknown): string {
  if (typeof value === "string") return `"${clip(value)}"`;
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  return typeof value === "function" ? "a function" : clip(String(value));
}

/** The kind of a value, in words of people who write YAML. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return "empty";
  if (Array.isArray(value)) return "a list";
  const words: Readonly<Record<string, string>> = {
    string: "a text",
    number: "a number",
    boolean: "true or false",
    object: "an object",
    function: "a function",
  };
  return words[typeof value] ?? `a ${typeof value}`;
}

/** `a, b and c`. */
export const listed = (words: readonly string[], last = "and"): string =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} ${last} ${words.at(-1)}`;
