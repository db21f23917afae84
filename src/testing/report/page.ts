// One finding as a page of Markdown: to be kept beside the recording, or put into a report of a defect.

import type { Told } from "./checked.ts";
import { type Asked, replayLine, whereOf } from "./text.ts";

export function pageOf(finding: Told, { command }: Asked): string {
  const { id, severity, title, explanation, fix, shown } = finding;
  const story = shown
    ? [
        "",
        ...shown.story,
        "",
        "```mermaid",
        shown.diagram,
        "```",
        "",
        `Again: \`${replayLine(command, shown.replay)}\``,
      ]
    : [];
  const head = [`# ${id}`, "", `${whereOf(finding)} (${severity})`, "", `${title}: ${explanation}`];
  return [...head, ...story, "", `What mends it: ${fix}`, ""].join("\n");
}

/** A name for its file: the same finding has the same name. */
export const fileNameOf = ({ id, workflow, task }: Told, index: number): string =>
  `${String(index + 1).padStart(2, "0")}-${id}-${workflow}${task === undefined ? "" : `-${task}`}`;
