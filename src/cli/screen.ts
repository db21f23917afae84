// A few lines of a terminal that are drawn again and again, no wider and no longer than it is.

import { harmless, lettersIn, widthOf } from "./words.ts";

export type Terminal = { isTTY?: boolean; columns?: number; rows?: number; write(text: string): unknown };

const escape = String.fromCodePoint(27);
// Escape sequences take no room, and end with a letter.
const sequence = new RegExp(`(${escape}\\[[0-9;]*[A-Za-z])`);
const reset = `${escape}[0m`;

/** The line as far as it fits; colours that it began end with it. */
export function clipped(line: string, columns: number): string {
  if (widthOf(line) <= columns) return line;
  let room = Math.max(0, columns - 1);
  let shown = "";
  let isColoured = false;
  for (const part of line.split(sequence)) {
    if (part.startsWith(escape)) {
      isColoured = true;
      shown += part;
      continue;
    }
    for (const { letter, columns: needed } of lettersIn(part)) {
      if (needed > room) return `${shown}…${isColoured ? reset : ""}`;
      room -= needed;
      shown += letter;
    }
  }
  return shown;
}

export function openScreen(terminal: Terminal) {
  let drawn = 0;
  // One that does not know how wide it is says 0.
  const columns = (): number => terminal.columns || 80;
  const erase = (): string => (drawn === 0 ? "" : `${escape}[${drawn}A${escape}[0J`);
  return {
    /** How many lines there is room for. */
    linesMax: (): number => Math.max(2, (terminal.rows ?? 24) - 1),
    draw(lines: readonly string[]): void {
      const fitting = lines.map((line) => clipped(harmless(line), columns()));
      terminal.write(`${erase()}${fitting.map((line) => `${line}\n`).join("")}`);
      drawn = fitting.length;
    },
    /** What was drawn is gone, and other things are written in its place. */
    clear(): void {
      terminal.write(erase());
      drawn = 0;
    },
  };
}
