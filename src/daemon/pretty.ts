// A line of the log as a person reads it at a terminal: the time, how bad it is, what it is, and what belongs to it.

import { styleText } from "node:util";

type Style = Parameters<typeof styleText>[0];

const styles: Readonly<Record<string, Style>> = {
  fatal: ["bold", "red"],
  error: "red",
  warn: "yellow",
  info: "green",
  debug: "gray",
  trace: "gray",
};
const levelChars = 5;
const valueCharsMax = 400;
// What is shown in a column of its own, or is of use to machines alone.
const hidden = new Set(["level", "time", "msg", "message_id"]);
// What a log holds may command the terminal that it is printed on.
const controls = /[^\P{Cc}\t\n]/gu;

/** Colours are left out where they are not wanted. */
export function pretty(line: Readonly<Record<string, unknown>>, stream: NodeJS.WriteStream = process.stderr): string {
  const { level = "info", time = "", msg = "" } = line;
  const paint = (style: Style, text: string): string => styleText(style, text, { stream });
  const name = String(level).padEnd(levelChars);
  const fields = Object.entries(line)
    .filter(([key]) => !hidden.has(key))
    // A run is its own execution: said once.
    .filter(([key, value]) => key !== "run" || value !== line["exec_id"])
    .map(([key, value]) => ` ${paint("gray", `${key}=`)}${valueOf(value)}`);
  const clock = paint("gray", clockOf(String(time)));
  return `${clock} ${paint(styles[String(level)] ?? "gray", name)} ${plain(String(msg))}${fields.join("")}\n`;
}

const clockOf = (iso: string): string => iso.slice(11, 23);
const plain = (text: string): string => text.replaceAll(controls, "\uFFFD");

function valueOf(value: unknown): string {
  const text = typeof value === "string" && /^[\w.:/@-]+$/.test(value) ? value : JSON.stringify(value);
  const short = text.length > valueCharsMax ? `${text.slice(0, valueCharsMax)}…` : text;
  return plain(short);
}
