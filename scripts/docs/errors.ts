// Writes docs/errors.md: what each code means, and what follows from it.

import { errors as codes, exits, type ErrorCode, errorRow } from "../../src/protocol/errors.ts";
import { refusals } from "../../src/protocol/refusal.ts";
import { code, generatedFrom, table, type Document } from "./document.ts";

const all = Object.keys(codes) as ErrorCode[];

type Group = { readonly title: string; readonly holds: (name: ErrorCode) => boolean };

const isWarning = (name: ErrorCode): boolean => errorRow(name).http === null;
const groups: readonly Group[] = [
  { title: "Refused: the call or message was wrong", holds: (name) => errorRow(name).exit === exits.usage },
  { title: "Unanswered: nobody took it", holds: (name) => errorRow(name).exit === exits.unreachable },
  { title: "Failed, worth another try", holds: (name) => errorRow(name).retry },
  { title: "Failed for good", holds: (name) => !isWarning(name) },
  { title: "Warnings: nothing failed", holds: isWarning },
];

// A code belongs to the first group that holds it.
const grouped = Map.groupBy(all, (name) => groups.find((group) => group.holds(name)));

const http = (name: ErrorCode): string => String(errorRow(name).http ?? "none");
const by = (name: ErrorCode): string => errorRow(name).by.split(" ").join(", ");
const exit = (name: ErrorCode): string => (isWarning(name) ? "none" : String(errorRow(name).exit));
const yes = (flag: boolean): string => (flag ? "yes" : "no");

/** The reasons for which a message is refused with this code. */
const refusedFor = (name: ErrorCode): string[] =>
  Object.entries(refusals).flatMap(([why, meant]) => (meant === name ? [why] : []));

const index = (names: readonly ErrorCode[]): string =>
  table(
    ["Code", "Meaning", "By", "Retried", "HTTP", "Exit"],
    names.map((name) => {
      const { summary, retry } = errorRow(name);
      return [`[${code(name)}](#${name.toLowerCase()})`, summary, by(name), yes(retry), http(name), exit(name)];
    }),
  );

const entry = (name: ErrorCode): string => {
  const { summary, retry } = errorRow(name);
  const sentence = `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`;
  const facts = [
    `Given by: ${by(name)}`,
    `Retried by default: ${yes(retry)}`,
    `HTTP: ${http(name)}`,
    `Exit code: ${exit(name)}`,
    ...(refusedFor(name).length > 0 ? [`Reasons in \`details.why\`: ${refusedFor(name).map(code).join(", ")}`] : []),
  ];
  return [`## ${name}`, sentence, facts.map((fact) => `- ${fact}`).join("\n")].join("\n\n");
};

export function errors(): Document[] {
  const sections = [
    generatedFrom("src/protocol/errors.ts"),
    "# Errors",
    "Every failure carries one of these codes, in `payload.result.error.code`, in an HTTP problem, or in a WebSocket " +
      "`error` frame. What follows from a failure is looked up by its code: whether a task that failed so is tried " +
      "again when its retry policy names no codes, which HTTP status a request ends with, and with what a command of " +
      "the command line exits (1 an execution failed, 2 the call was wrong, 3 nobody answered). " +
      "The components behind the short names under *By* are listed in [protocol.md](protocol.md#components).",
    ...groups.map((group) => `**${group.title}**\n\n${index(grouped.get(group) ?? [])}`),
    ...all.map(entry),
  ];
  return [{ path: "docs/errors.md", text: `${sections.join("\n\n")}\n` }];
}
