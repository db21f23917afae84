// An exported run, as it is read from its file: what of it is shown here, and a plain word if it is something else.

import type { Definition } from "./graph.ts";
import type { Execution, Line, Step } from "./journal.ts";

export type Bundle = {
  execId: string;
  executions: Execution[];
  journal: Line[];
  steps: Step[];
  chart: Definition | undefined;
};

const format = "troupe-run";

type Raw = {
  format?: unknown;
  exec_id?: unknown;
  executions?: unknown;
  journal?: unknown;
  steps?: unknown;
  chart?: { statechart?: Definition } | null;
};

const listOf = <T>(value: unknown): T[] => (Array.isArray(value) ? (value as T[]) : []);

/** Throws an Error that says what is wrong with the file. */
export function bundleIn(text: string): Bundle {
  const raw = parsed(text);
  if (raw.format !== format || typeof raw.exec_id !== "string") {
    throw new Error(`this is no exported run: its "format" must be "${format}"; make one with troupe export`);
  }
  const journal = listOf<Line>(raw.journal);
  if (journal.length === 0) throw new Error("the file has no journal, so there is nothing to step through");
  return {
    execId: raw.exec_id,
    executions: listOf<Execution>(raw.executions),
    journal,
    steps: listOf<Step>(raw.steps),
    chart: raw.chart?.statechart,
  };
}

function parsed(text: string): Raw {
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value === "object" && value !== null) return value;
  } catch (error) {
    throw new Error("the file is not JSON; choose one that troupe export has written", { cause: error });
  }
  throw new Error("the file holds no object; choose one that troupe export has written");
}
