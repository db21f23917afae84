// What a wiretap listens to. Where somebody has asked, and is told at once if nobody hears him, a listener would be
// taken for somebody: there it listens only if that is wanted.

import { entryOf, type Key, keys, kindOf } from "../protocol/catalogue.ts";
import type { SubjectCodec } from "../protocol/subjects.ts";
import { entities } from "../protocol/statuses.ts";

/** Orders that somebody must take, and the results that are said again while nobody is there to hear them. */
const isMissed = (key: Key): boolean =>
  entryOf(key).delivery === "request" || key === "result:AgentExecutionResult" || key === "result:ToolExecutionResult";

type Selection = Parameters<SubjectCodec["patternOf"]>[0];
const selectionOf = (key: Key): Selection => ({ key }) as Selection;

const wholes: readonly Selection[] = (["events", "progress", "logs", "heartbeats", "rejected"] as const).map(
  (whole) => ({
    whole,
  }),
);
const answers: readonly Selection[] = entities
  .filter((entity) => entity !== "agent" && entity !== "tool")
  .map((entity) => ({ kind: "result", entity }));

/** All that can be heard without anybody noticing. */
export const unnoticed = (subjects: SubjectCodec): string[] => [
  ...keys
    .filter((key) => kindOf(key) === "command" && !isMissed(key))
    .map((key) => subjects.patternOf(selectionOf(key))),
  ...[...wholes, ...answers].map((selection) => subjects.patternOf(selection)),
];

/** In either layout these words stand where otherwise a correlation id may. */
const apart: ReadonlySet<string> = new Set(["heartbeats", "rejected"]);

/** Whether somebody who asks in vain would not be told, because of whoever listens to this. */
export function hides(pattern: string, subjects: SubjectCodec): boolean {
  if (apart.has(pattern.split(".")[1] ?? "")) return false;
  return keys.some((key) => isMissed(key) && haveCommon(pattern, subjects.patternOf(selectionOf(key))));
}

/** Whether there is a subject that matches both. */
function haveCommon(one: string, other: string): boolean {
  const [ones, others] = [one.split("."), other.split(".")];
  for (const [index, token] of ones.entries()) {
    const against = others[index];
    if (against === undefined) return false;
    if (token === ">" || against === ">") return true;
    if (token !== "*" && against !== "*" && token !== against) return false;
  }
  return ones.length === others.length;
}
