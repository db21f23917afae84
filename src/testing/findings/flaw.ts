// How a finding is put into words: its kind gives the title and the usual remedy, the judge what is so in this case.

import type { Path, ProjectSpec, WorkflowSpec } from "../../language/spec.ts";
import type { CalleeSpec, Flaw } from "../check/trial.ts";
import { type FindingId, kinds, type Severity } from "./kinds.ts";

/** What is judged before anything runs: one workflow, and what it stands among. */
export type Subject = {
  spec: WorkflowSpec;
  workflows: ReadonlyMap<string, WorkflowSpec>;
  agents: ReadonlyMap<string, CalleeSpec>;
  tools: ReadonlyMap<string, CalleeSpec>;
  /** What the project fills into tasks that say nothing themselves. */
  defaults?: ProjectSpec["defaults"];
};

/** Where in the definition of its workflow it is; without a path, at the task, or at the workflow as a whole. */
export type PlacedFlaw = Flaw & { path?: Path };

type Case = {
  workflow: string;
  task?: string | undefined;
  path?: Path | undefined;
  /** What is so, in a sentence or two. */
  says: string;
  /** If the usual remedy does not fit. */
  fix?: string;
  /** If it is not as bad as its kind, or worse. */
  severity?: Severity;
};

export function flaw(id: FindingId, { workflow, task, path, says, fix, severity }: Case): PlacedFlaw {
  const kind = kinds[id];
  return {
    id,
    severity: severity ?? kind.severity,
    title: kind.title,
    explanation: says,
    fix: fix ?? kind.fix,
    workflow,
    ...(task !== undefined && { task }),
    ...(path !== undefined && { path }),
  };
}

/** `40 s`, `2 m 30 s`, `1 d`: times as people say them. */
export function timeText(ms: number): string {
  const units = [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["m", 60_000],
    ["s", 1_000],
    ["ms", 1],
  ] as const;
  let rest = Math.round(ms);
  const parts: string[] = [];
  for (const [unit, size] of units) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count} ${unit}`);
  }
  return parts.slice(0, 2).join(" ") || "0 ms";
}
