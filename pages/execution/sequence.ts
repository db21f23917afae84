// The sequence of messages between components: who said what to whom, as lanes and arrows between them.
//
// Invariants:
//   EQ1. Every line is one arrow or one note in a lane that is there, in the order of the journal.

import { kindOf, type Line, nameOf, subjectOf } from "./journal.ts";

const allLanes = [
  "api.Service",
  "api.Gateway",
  "schedule.Service",
  "workflow.Orchestrator",
  "task.Dispatcher",
  "task.Executor",
  "agent.Dispatcher",
  "agent.Runtime",
  "tool.Executor",
  "state.Manager",
] as const;

export type Said = {
  position: number;
  from: string;
  /** Who takes it; who said it, if it is only recorded. */
  to: string;
  name: string;
  kind: string;
  about: string;
  disposition: string;
};

const takers: readonly [RegExp, string][] = [
  [/^command:(?:Workflow|TaskTrigger|TaskResume)/, "workflow.Orchestrator"],
  [/^command:TaskExecute/, "task.Executor"],
  [/^command:TaskCancel/, "task.Executor"],
  [/^command:(?:TriggerAgent|AgentCancel)/, "agent.Dispatcher"],
  [/^command:AgentRuntime/, "agent.Runtime"],
  [/^command:Tool/, "tool.Executor"],
  [/^result:AgentExecutionResult/, "task.Executor"],
  [/^event:(?:TaskScheduled|TaskRetryScheduled|TaskWaitingEnded)/, "task.Dispatcher"],
  [/^event:AgentExecutionStarted/, "agent.Dispatcher"],
  [/^event:AgentRuntime/, "agent.Dispatcher"],
  [/^event:(?:Task|Agent|Tool)/, "workflow.Orchestrator"],
  [/^event:Workflow/, "state.Manager"],
];

/** The component of a name such as `task.Executor:w1`. */
const laneOf = (source: string): string => source.split(":")[0] ?? source;

export type Sequence = {
  said: Said[];
  /** Those that somebody is in, in the order of the protocol. */
  lanes: string[];
  issuers: Map<string, string>;
};

export const openSequence = (): Sequence => ({ said: [], lanes: [], issuers: new Map() });

/** Goes on with the lines that follow; gives a new one, for the lanes may be others. */
export function saySequence(before: Sequence, lines: readonly Line[]): Sequence {
  const lanes = new Set(before.lanes);
  for (const line of lines) {
    const one = saidOf(before, line);
    before.said.push(one);
    before.issuers.set(line.envelope.metadata["message_id"] ?? "", one.from);
    lanes.add(one.from).add(one.to);
  }
  const rank = (lane: string): number => {
    const found = (allLanes as readonly string[]).indexOf(lane);
    return found < 0 ? allLanes.length : found;
  };
  return { ...before, lanes: [...lanes].toSorted((one, other) => rank(one) - rank(other)) };
}

function saidOf({ said, issuers }: Sequence, line: Line): Said {
  const { metadata } = line.envelope;
  const from = laneOf(metadata["source_component"] ?? "unknown");
  const kind = kindOf(line);
  const known = takers.find(([pattern]) => pattern.test(line.type))?.[1];
  // An answer goes to whoever gave the command.
  const issuer = kind === "result" ? issuers.get(metadata["causation_id"] ?? "") : undefined;
  const taker = issuer ?? known ?? from;
  const to = kind === "event" && taker === from ? "state.Manager" : taker;
  const subject = subjectOf(line);
  return {
    position: said.length,
    from,
    to,
    name: nameOf(line),
    kind,
    about: subject ? `${subject.entity} ${subject.named.id}` : "",
    disposition: line.disposition,
  };
}
