// Which lines of the log are wanted: by kind, by text, by the execution they are about.

import { kindOf, type Line } from "./journal.ts";

export type Filter = { readonly text: string; readonly kinds: ReadonlySet<string>; readonly isOnlyChosen: boolean };

/** With no kind chosen, all are wanted. */
export const noFilter: Filter = { text: "", kinds: new Set(), isOnlyChosen: false };

const texts = new WeakMap<Line, string>();

/** A line is searched many times while one types, and never changes. */
function textOf(line: Line): string {
  const known = texts.get(line);
  if (known !== undefined) return known;
  const text = `${line.type} ${line.disposition} ${JSON.stringify(line.envelope)}`.toLowerCase();
  texts.set(line, text);
  return text;
}

/** Positions of the lines that are wanted. */
export function chosenLines(lines: readonly Line[], { text, kinds }: Filter, execId: string | null): number[] {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  return lines.flatMap((line, position) => {
    const isWanted =
      (kinds.size === 0 || kinds.has(kindOf(line))) &&
      words.every((word) => textOf(line).includes(word)) &&
      (execId === null || textOf(line).includes(execId));
    return isWanted ? [position] : [];
  });
}

/** The line before this one about the same execution, if there is one: what it is compared with. */
export function beforeOf(lines: readonly Line[], position: number, keyOf: (line: Line) => string): number | undefined {
  const line = lines[position];
  const key = line && keyOf(line);
  for (let other = position - 1; other >= 0; other -= 1) {
    const candidate = lines[other];
    if (candidate && keyOf(candidate) === key) return other;
  }
  return undefined;
}
