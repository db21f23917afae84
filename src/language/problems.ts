// A defect as people see it: file, line and column, the line itself, and under it what was probably meant.

import type { Defect, Problem } from "./spec.ts";

/** Line and column of a character, both from 1; a column is a character, however many bytes it has. */
export function placeOf(text: string, offset: number): { line: number; col: number } {
  const before = text.slice(0, offset);
  const start = before.lastIndexOf("\n") + 1;
  const line = before.split("\n").length;
  return { line, col: Array.from(before.slice(start)).length + 1 };
}

// A message that begins so needs its subject, which whoever made it knew only as a path.
const lacksSubject = /^(?:must|is|are|has|needs|says|can|contains|unfolds)\b/;

export function problemOf(defect: Defect, file: string, place: { line: number; col: number }): Problem {
  const { path, message } = defect;
  if (!lacksSubject.test(message)) return { ...defect, file, ...place };
  const key = path.findLast((step) => typeof step === "string");
  const subject =
    key === undefined ? "the file" : typeof path.at(-1) === "number" ? `an entry of "${key}"` : `"${key}"`;
  return { ...defect, message: `${subject} ${message}`, file, ...place };
}

// A file may hold what would command the terminal that it is printed on.
const controls = /[^\P{Cc}\t]/gu;

/** As `troupe validate` prints it; without the source, the first line only. */
export function problemText(problem: Problem, source?: string): string {
  const { line, col, code, severity } = problem;
  const [file = "", says = "", hint] = [problem.file, problem.message, problem.hint].map((text) =>
    text?.replaceAll(controls, "\uFFFD"),
  );
  const first = `${file}:${line}:${col} ${code} ${severity === "warning" ? "warning: " : ""}${says}`;
  const shown = source?.split("\n")[line - 1]?.replace(/\r$/, "").replaceAll(controls, "\uFFFD");
  if (shown === undefined || shown.trim() === "") return hint === undefined ? first : `${first}\n  ${hint}`;
  const number = String(line);
  const { text, column } = cut(shown, col);
  const under = `  ${" ".repeat(number.length)} | ${blankOf(text, column)}^${hint === undefined ? "" : ` ${hint}`}`;
  return `${first}\n  ${number} | ${text}\n${under}`;
}

const columnsMax = 160;

/** A line that is too long is shown around the place. */
function cut(line: string, col: number): { text: string; column: number } {
  const letters = Array.from(line.toWellFormed());
  if (letters.length <= columnsMax) return { text: letters.join(""), column: col };
  const from = Math.max(0, Math.min(col - columnsMax / 2, letters.length - columnsMax));
  const text = `${from > 0 ? "…" : ""}${letters.slice(from, from + columnsMax).join("")}`;
  return { text, column: col - from + (from > 0 ? 1 : 0) };
}

const wide = /[\p{Extended_Pictographic}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;

/** As much room as the letters before a column take. */
const blankOf = (text: string, column: number): string =>
  Array.from(text)
    .slice(0, column - 1)
    .map((letter) => (letter === "\t" ? "\t" : /\p{M}/u.test(letter) ? "" : wide.test(letter) ? "  " : " "))
    .join("");

export const isError = ({ severity }: Defect): boolean => severity === "error";

/** By place; what is said twice of one place, because an alias leads there twice, is said once. */
export function inOrder(problems: readonly Problem[]): Problem[] {
  const keyOf = ({ file, line, col, code, message }: Problem): string =>
    JSON.stringify([file, line, col, code, message]);
  const once = new Map(problems.toReversed().map((problem) => [keyOf(problem), problem]));
  return [...once.values()]
    .reverse()
    .sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line || a.col - b.col));
}

/** The text of a file, or the place of the first byte that is none. */
export function textOf(bytes: Uint8Array): { text: string; badAt?: number } {
  const text = new TextDecoder().decode(bytes);
  if (!text.includes("\uFFFD")) return { text };
  // A text may hold the sign for what cannot be read; a byte is bad where writing the sign again differs.
  let byte = 0;
  let at = 0;
  const shift = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  for (const letter of text) {
    const written = new TextEncoder().encode(letter);
    if (!written.every((value, index) => bytes[byte + index + shift] === value)) return { text, badAt: at };
    byte += written.length;
    at += letter.length;
  }
  return { text };
}
