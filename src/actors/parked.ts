// A run that cannot be replayed: it is canceled by what its rows say of it, and says why it does nothing else.
//
//   parked ──its cancel──▶ every open row canceled, a checkpoint without charts ──▶ ended, and readable again
//      └──any other command──▶ INVALID_STATE, and how it can be helped
//
// What workflows it called stay as they are: whoever cancels it cancels them too.

import { accept, decline } from "../machines/acknowledgment.ts";
import { silence } from "../machines/step.ts";
import type { Row, Store } from "../store/store.ts";
import { isTerminal } from "../protocol/statuses.ts";
import type { Heard, Host, Word } from "./component.ts";
import { newRun, type Run } from "./run.ts";
import type { Execution } from "./state-manager.ts";

/** Whether the run itself is meant to end; only that can be done without its charts. */
export const endsParked = (run: string, { type, workflow, task }: Word): boolean =>
  (type === "command:WorkflowCancel" && workflow?.exec_id === run) ||
  (type === "command:TaskCancel" && task?.exec_id === run);

/** What a parked run answers; `silence` if nobody asked for an answer. */
export const declineParked = (word: Word, reason: string): Word | typeof silence =>
  decline(word, "INVALID_STATE", `the run is parked: ${reason}`, { status: "parked" }) as unknown as Word;

/** As its rows have it: nothing but how its executions stand. */
export function runFromRows(store: Pick<Store, "rowsOf" | "runOf">, id: string): Run | undefined {
  const rows = store.rowsOf(id);
  const root = rows.find(({ execId }) => execId === id);
  if (!root) return undefined;
  const run = newRun(id, root.correlationId);
  for (const row of rows) run.executions.set(row.execId, executionOf(row));
  const above = root.parent === null ? undefined : store.runOf(root.parent);
  run.facts.labels = root.labels;
  run.facts.parent = root.parent !== null && above !== undefined ? { run: above, task: root.parent } : null;
  return run;
}

function executionOf(row: Row): Execution {
  const { execId, entity, id, parent, status, attempt, createdAt, endedAt } = row;
  const body = JSON.parse(row.body) as Pick<Execution, "startedAt" | "parents" | "error" | "result" | "about">;
  const [own = execId] = execId.split("/");
  const at = { createdAt, startedAt: body.startedAt, endedAt, isOpen: !isTerminal(status) };
  return { execId: own, entity, id, parent, status, attempt, ...at, ...body, seen: [] };
}

const events = {
  workflow: { key: "event:WorkflowExecutionCanceled", by: "WO" },
  task: { key: "event:TaskExecutionCanceled", by: "WO" },
  agent: { key: "event:AgentExecutionCanceled", by: "TE" },
  tool: { key: "event:ToolExecutionCanceled", by: "TE" },
} as const;

/** Innermost first, so that nothing outlives what contains it. */
export function endParked(host: Host, { word }: Heard): void {
  const { reason, canceled_by } = (word["payload"] as { context: { reason: string; canceled_by: string } }).context;
  for (const { execId, id, entity, attempt, parents, isOpen } of [...host.run.executions.values()].reverse()) {
    if (!isOpen || entity === "agent_runtime") continue;
    const { key, by } = events[entity];
    const context = entity === "workflow" ? { reason, canceled_by } : { attempt: Math.max(1, attempt), reason };
    const payload = { status: "CANCELED", result: null, context };
    host.say(by, { type: key, ...parents, [entity]: { id, exec_id: execId }, payload });
  }
  host.say("WO", accept(word));
}
