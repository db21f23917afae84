// How things are said to people: statuses in colour, times as they are felt, tables, and what to do next.

import { stripVTControlCharacters, styleText } from "node:util";

type Style = Parameters<typeof styleText>[0];

const styles: Readonly<Record<string, Style>> = {
  SUCCESS: "green",
  REGISTERED: "green",
  FAILED: "red",
  TIMED_OUT: "red",
  CANCELED: "yellow",
  RUNNING: "cyan",
  WAITING: "magenta",
  PAUSED: "magenta",
};
const marks: Readonly<Record<string, string>> = {
  SUCCESS: "✔",
  FAILED: "✖",
  TIMED_OUT: "✖",
  CANCELED: "■",
  RUNNING: "●",
  WAITING: "◆",
  PAUSED: "‖",
  PENDING: "○",
};

export const inStatus = (status: string, text = status): string => styleText(styles[status] ?? "dim", text);
export const markOf = (status: string): string => inStatus(status, marks[status] ?? "·");
export const dim = (text: string): string => styleText("dim", text);
export const bold = (text: string): string => styleText("bold", text);

const units = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
] as const;

/** How long something took: `12 ms`, `1.2 s`, `3 m 20 s`. */
export function lengthOf(given: number): string {
  const ms = Math.max(0, Math.round(given));
  if (ms < 1_000) return `${ms} ms`;
  if (ms < 60_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  const index = units.findIndex(([, size]) => ms >= size);
  const [unit, size] = units[index] ?? ["m", 60_000];
  const [lower, lowerSize] = units[index + 1] ?? ["s", 1_000];
  const rest = Math.floor((ms % size) / lowerSize);
  return `${Math.floor(ms / size)} ${unit}${rest > 0 ? ` ${rest} ${lower}` : ""}`;
}

/** When something was, or will be. */
export function whenOf(time: string | null, now: number): string {
  if (time === null) return "-";
  const ms = now - Date.parse(time);
  if (ms < 0) return `in ${lengthOf(-ms)}`;
  return ms < 1_000 ? "now" : `${lengthOf(ms).replace(/\.\d s/, " s")} ago`;
}

export function tookOf(from: string | null, until: string | null, now: number): string {
  return from === null ? "-" : lengthOf((until === null ? now : Date.parse(until)) - Date.parse(from));
}

const plain = /^[ -~]*$/;
const wide = /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\uff60]/u;

/** What a reader takes for one letter each, and how many columns it takes: emoji and East Asian scripts take two. */
export function lettersIn(text: string): { letter: string; columns: number }[] {
  // Segmenting has tables that take their time to load.
  if (plain.test(text)) return text.split("").map((letter) => ({ letter, columns: 1 }));
  const segments = new Intl.Segmenter().segment(text);
  return Array.from(segments, ({ segment }) => ({ letter: segment, columns: wide.test(segment) ? 2 : 1 }));
}

export const widthOf = (text: string): number =>
  lettersIn(stripVTControlCharacters(text)).reduce((sum, { columns }) => sum + columns, 0);

/** Columns as wide as what stands in them; the last one takes what it takes. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((name, column) => Math.max(widthOf(name), ...rows.map((row) => widthOf(row[column] ?? ""))));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell + " ".repeat(Math.max(0, (widths[column] ?? 0) - widthOf(cell))))
      .join("  ")
      .trimEnd();
  return [dim(line(head.map((name) => name.toUpperCase()))), ...rows.map(line)].join("\n");
}

/** How this program was called, for commands that can be copied. */
export const self = process.env["npm_command"] === "exec" ? "npx troupe" : "troupe";

/** What to do next, a line for each command. */
export const next = (...commands: readonly (readonly [command: string, does: string])[]): string => {
  const width = Math.max(...commands.map(([command]) => command.length));
  return commands.map(([command, does]) => `  ${self} ${command.padEnd(width)}  ${dim(does)}`).join("\n");
};

export const jsonText = (value: unknown): string => JSON.stringify(value, null, 2);

const escape = String.fromCodePoint(27);
const notColour = new RegExp(`${escape}(?!\\[[0-9;]*m)`, "g");
// All but tabs, line ends and escapes, which stand for themselves.
// oxlint-disable-next-line no-control-regex -- it is about those
const control = /[\u0000-\u0008\u000b-\u001a\u001c-\u001f\u007f-\u009f]/g;

/** What agents say may hold anything: on a terminal it may be coloured, and move nothing. */
export const harmless = (text: string): string => text.replace(notColour, "␛").replace(control, "·");

export const print = (text: string): void => void process.stdout.write(`${harmless(text)}\n`);
/** As it is: JSON has its own way with what a terminal would take for a command. */
export const printRaw = (text: string): void => void process.stdout.write(`${text}\n`);
export const printJson = (value: unknown): void => printRaw(JSON.stringify(value));
/** Beside the output: what is of no use to who reads it. */
export const remark = (text: string): void => void process.stderr.write(`${harmless(text)}\n`);
