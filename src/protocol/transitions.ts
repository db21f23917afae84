// Which state event may follow which: the protocol's transition tables, and what recording an event makes of it.
//
// Invariants:
//   N1. An event is applied only where a row allows it, also one that skips a step.
//   N2. The same event twice, and an event of an attempt that is over, change nothing.
//   N3. A terminal status is left by the retry of a task alone, or by a runtime that is back.
//   N4. The attempt never goes down.

import { catalogue, type Key } from "./catalogue.ts";
import { type Entity, isTerminal, unborn } from "./statuses.ts";

export type EventKey = Extract<Key, `event:${string}`>;

type Row = {
  /** The rows of the protocol's tables that this transition stands for. */
  readonly rows: string;
  readonly event: EventKey;
  readonly from: readonly string[];
  readonly to: string;
};

const row = (rows: string, event: EventKey, from: string, to: string): Row => ({
  rows,
  event,
  from: from.split(" "),
  to,
});

export const transitions: readonly Row[] = [
  row("W3", "event:WorkflowExecutionStarted", "- PENDING", "RUNNING"),
  row("W4", "event:WorkflowExecutionPaused", "RUNNING", "PAUSED"),
  row("W5", "event:WorkflowExecutionResumed", "PAUSED", "RUNNING"),
  row("W6", "event:WorkflowExecutionSuccess", "RUNNING", "SUCCESS"),
  row("W2 W7 W8", "event:WorkflowExecutionFailed", "- RUNNING", "FAILED"),
  row("W9", "event:WorkflowExecutionTimedOut", "RUNNING", "TIMED_OUT"),
  row("W10", "event:WorkflowExecutionCanceled", "- PENDING RUNNING PAUSED", "CANCELED"),

  row("T1", "event:TaskScheduled", "-", "PENDING"),
  row("T4", "event:TaskExecutionStarted", "PENDING", "RUNNING"),
  row("T9", "event:TaskWaitingStarted", "RUNNING", "WAITING"),
  row("T10", "event:TaskWaitingEnded", "WAITING", "RUNNING"),
  row("T13", "event:TaskWaitingTimedOut", "WAITING", "TIMED_OUT"),
  row("T6", "event:TaskExecutionSuccess", "RUNNING", "SUCCESS"),
  row("T2 T3 T7", "event:TaskExecutionFailed", "- RUNNING", "FAILED"),
  row("T5 T8", "event:TaskExecutionTimedOut", "PENDING RUNNING", "TIMED_OUT"),
  row("T11 T12", "event:TaskExecutionCanceled", "PENDING WAITING RUNNING", "CANCELED"),
  row("T14", "event:TaskRetryScheduled", "FAILED TIMED_OUT", "PENDING"),

  row("C1", "event:AgentExecutionStarted", "-", "RUNNING"),
  row("C2", "event:AgentExecutionResult", "- RUNNING", "SUCCESS"),
  row("C3", "event:AgentExecutionResult", "- RUNNING", "FAILED"),
  row("C4 C6 C7 C12", "event:AgentExecutionFailed", "- RUNNING", "FAILED"),
  row("C9 C10", "event:AgentExecutionCanceled", "- RUNNING", "CANCELED"),
  // A failed dispatch is a fact about an execution, not a state of it.
  row("C5", "event:AgentDispatchFailed", "-", unborn),

  row("C1", "event:ToolExecutionStarted", "-", "RUNNING"),
  row("C2", "event:ToolExecutionSuccess", "- RUNNING", "SUCCESS"),
  row("C3 C4 C6 C7 C12", "event:ToolExecutionFailed", "- RUNNING", "FAILED"),
  row("C9", "event:ToolExecutionCanceled", "- RUNNING", "CANCELED"),

  row("R1 R4", "event:AgentRuntimeRegistered", "- DEREGISTERED REGISTERED", "REGISTERED"),
  row("R2 R3", "event:AgentRuntimeDeregistered", "REGISTERED", "DEREGISTERED"),
];

const rowsOf: ReadonlyMap<EventKey, readonly Row[]> = Map.groupBy(transitions, ({ event }) => event);

/** What is recorded of one execution. */
export type Recording = { readonly status: string; readonly attempt: number; readonly seen: readonly string[] };
export type Disposition = "applied" | "duplicate" | "late" | "illegal";

/** An event as far as recording it goes. */
export type Recorded = { type: EventKey; messageId: string; attempt: number | undefined; status: string };

export const nothingRecorded: Recording = { status: unborn, attempt: 0, seen: [] };

// An event of these happens once per attempt: a second one is the same, whatever its message id.
const perAttempt: readonly Entity[] = ["task", "agent", "tool"];

/** Records an event: the first case that fits. */
export function record(view: Recording, event: Recorded): { disposition: Disposition; view: Recording } {
  const attempt = event.attempt ?? view.attempt;
  const mark = `${event.type}#${attempt}`;
  const isMarked = view.seen.includes(mark);
  const isSame = isMarked && perAttempt.includes(catalogue[event.type].entity);
  if (isSame || view.seen.includes(event.messageId)) return { disposition: "duplicate", view };
  const seen = [...view.seen, event.messageId, mark];
  const unmoved = { ...view, seen };
  if (attempt < view.attempt) return { disposition: "late", view: unmoved };
  // The status decides where an event has two rows: an agent's result may be good or bad.
  const row = rowsOf.get(event.type)?.find(({ to }) => to === unborn || to === event.status);
  if (row && mayFollow(view, row, attempt)) {
    return { disposition: "applied", view: { status: row.to, attempt, seen } };
  }
  const isLate = isTerminal(view.status) || (row && attempt === view.attempt && !isMarked && isPast(view, row));
  return { disposition: isLate ? "late" : "illegal", view: unmoved };
}

/** How far along a status is. Equal ranks do not precede each other. */
const rankOf = (status: string): number => {
  if (isTerminal(status)) return 4;
  const rank = [unborn, "PENDING", "RUNNING"].indexOf(status);
  return rank < 0 ? 3 : rank;
};

function mayFollow({ status, attempt: current }: Recording, row: Row, attempt: number): boolean {
  const isRetry = row.event === "event:TaskRetryScheduled";
  const isAnew = catalogue[row.event].entity === "task" && attempt > current && current > 0;
  // A higher attempt stands for the retry that led to it, and begins where a retry may follow.
  if (isAnew) return !["SUCCESS", "CANCELED"].includes(status) && (isRetry || leadsFrom("PENDING", row));
  return leadsFrom(status, row) && !(isRetry && current > 0);
}

/** Any later word overtakes the steps it skips: those before it began to run, and the one that ends a wait. */
const leadsFrom = (status: string, { from, to }: Row): boolean => {
  if (from.includes(status)) return true;
  if (rankOf(status) < rankOf("RUNNING")) return from.some((other) => rankOf(other) > rankOf(status));
  return status === "WAITING" && isTerminal(to) && from.includes("RUNNING");
};

/** A step that the execution has behind it: it was skipped, and arrives after all. */
const isPast = ({ status }: Recording, { from, to }: Row): boolean =>
  rankOf(to) < rankOf(status) ||
  (rankOf(to) === rankOf(status) && from.some((other) => rankOf(other) < rankOf(status)));
