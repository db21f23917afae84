// What this page reads of an execution: lines of its journal, steps of its charts, rows of its tree.

import type { Answer } from "../../src/gateway/client.ts";

/** A message as it was recorded. */
export type Line = {
  line: number;
  seq: number;
  run: string;
  disposition: string;
  type: string;
  envelope: Envelope;
};

export type Envelope = {
  metadata: Readonly<Record<string, string>>;
  payload?: Payload;
} & Readonly<Record<string, unknown>>;

export type Payload = Readonly<Record<string, unknown>> & {
  status?: string;
  context?: Readonly<Record<string, unknown>>;
  result?: { output?: unknown; error?: { code?: string; message?: string } } | null;
};

/** A step of one chart, as it was taken. */
export type Step = {
  line: number;
  seq: number;
  at: string;
  address: string;
  machine: string;
  exec_id: string;
  parent: string | null;
  event: { type: string } & Readonly<Record<string, unknown>>;
  value: unknown;
  status: "active" | "done";
};

/** An execution as it stands. */
export type Execution = Answer<"getExecution">;

export type Named = { id: string; exec_id: string };

/** Who a message is about: the section of that name. */
export function sectionOf({ envelope }: Line, entity: string): Named | undefined {
  const section = envelope[entity] as Partial<Named> | undefined;
  return section?.exec_id === undefined ? undefined : { id: section.id ?? "", exec_id: section.exec_id };
}

export const timeOf = ({ envelope }: Line): number => Date.parse(envelope.metadata["event_timestamp"] ?? "");
export const contextOf = ({ envelope }: Line): Readonly<Record<string, unknown>> => envelope.payload?.context ?? {};
/** `TaskScheduled` of `event:TaskScheduled`. */
export const nameOf = ({ type }: Pick<Line, "type">): string => type.slice(type.indexOf(":") + 1);
export const kindOf = ({ type }: Pick<Line, "type">): string => type.slice(0, Math.max(0, type.indexOf(":")));

const entityOf: readonly [RegExp, string][] = [
  [/^(?:AgentRuntime)/, "agent_runtime"],
  [/^Workflow/, "workflow"],
  [/^Task/, "task"],
  [/^(?:Agent|TriggerAgent)/, "agent"],
  [/^Tool/, "tool"],
];

/** The entity that a message is about, by its name; an acknowledgment is about whatever it names innermost. */
export function subjectOf(line: Line): { entity: string; named: Named } | undefined {
  const name = nameOf(line);
  const entity = entityOf.find(([pattern]) => pattern.test(name))?.[1];
  const order = entity === undefined || entity === "agent_runtime" ? ["tool", "agent", "task", "workflow"] : [entity];
  for (const candidate of order) {
    const named = sectionOf(line, candidate);
    if (named) return { entity: candidate, named };
  }
  return undefined;
}
