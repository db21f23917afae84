// A story as Mermaid text (`sequenceDiagram`): the run, whom it calls, what they answer, and what comes between.

import { timeText } from "../findings/flaw.ts";
import type { Step } from "./story.ts";

const textCharsMax = 60;

export function diagramOf(workflow: string, steps: readonly Step[]): string {
  const names = new Map<string, string>();
  for (const { kind, with: who } of steps) {
    if ((kind === "call" || kind === "wait") && who !== undefined && !names.has(who)) names.set(who, `P${names.size}`);
  }
  const lines: string[] = [];
  let before = steps[0]?.at ?? 0;
  for (const step of steps) {
    const passed = step.at - before;
    if (passed >= noticedMs) lines.push(`Note over W: ${timeText(passed)} pass`);
    before = step.at;
    lines.push(...arrowsOf(step, names.get(step.with ?? "")));
  }
  return [
    "sequenceDiagram",
    `  participant C as caller`,
    `  participant W as ${written(workflow)}`,
    ...[...names].map(([who, name]) => `  participant ${name} as ${written(who)}`),
    ...lines.map((line) => `  ${line}`),
  ].join("\n");
}

/** Shorter times are those of every call. */
const noticedMs = 1_000;

function arrowsOf({ kind, says, asks, answers }: Step, who: string | undefined): string[] {
  switch (kind) {
    case "start":
      return [`C->>W: start ${written(asks ?? "")}`];
    case "call":
      return who === undefined
        ? []
        : [`W->>${who}: ${written(asks ?? "")}`, `${who}--${ends(answers ?? "")}W: ${written(answers ?? "")}`];
    case "wait":
      return [`Note over W${who === undefined ? "" : `,${who}`}: ${written(says)}`];
    case "end":
      return answers === undefined ? [`Note over W: ${written(says)}`] : [`W-->>C: ${written(answers)}`];
    case "failure":
    case "disturbance":
      return [`Note over W: ${written(says)}`];
  }
}

/** What never arrives ends in a cross. */
const ends = (answers: string): string =>
  /hangs|dies|nobody|after the timeout|not done|told to stop/.test(answers) ? "x" : ">>";

// A diagram ends a line at a semicolon, and takes `#` for the beginning of a letter by its number.
const written = (text: string): string => {
  const short = text.length > textCharsMax ? `${text.slice(0, textCharsMax)}…` : text;
  return short.replace(/[`;#\n<>]/g, (letter) => (letter === "`" ? "'" : " ")).trim() || "…";
};
