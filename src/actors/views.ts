// The rows of all executions made anew from the log, should they be lost, damaged, or of an earlier form.
//
//   log ─▶ journal lines ─▶ the same recording as when they were said ─▶ rows ─▶ store.rebuild
//
// It is for a store that no troupe works on: what is said meanwhile would be missed. Runs that were pruned have no
// records, and so no rows either.

import type { LogRecord, Row, Store } from "../store/store.ts";
import type { Word } from "./component.ts";
import type { RunFlow } from "./flow-rules.ts";
import { importedAt, importedRow } from "./imported.ts";
import { type JournalLine, journalOf, replayOf } from "./record.ts";
import { newRun, type Run } from "./run.ts";
import { recordEvent, rowOf } from "./state-manager.ts";

const recordsPerRead = 1_000;

/** Puts what the log says in the place of every row there is. */
export async function rebuildViews(store: Store): Promise<{ records: number; rows: number }> {
  const runs = new Map<string, Run>();
  const imported = new Set<string>();
  let records = 0;
  for (let afterSeq = 0; ;) {
    const some = await store.read({ afterSeq, limit: recordsPerRead });
    const last = some.at(-1);
    if (!last) break;
    afterSeq = last.seq;
    records += some.length;
    for (const record of some) {
      if (importedAt(record) !== null) imported.add(record.run);
      retellRecord(runs, record);
    }
  }
  const rows = rowsOf(runs).map((row) => (imported.has(row.run) ? importedRow(row) : row));
  await store.rebuild(rows);
  return { records, rows: rows.length };
}

/** What a record says of how executions stand. */
export function retellRecord(runs: Map<string, Run>, record: LogRecord): void {
  retellCreation(runs, record);
  for (const line of journalOf(record)) retell(runs, line, record.at);
  noteFlow(runs, record);
}

export const rowsOf = (runs: ReadonlyMap<string, Run>): Row[] =>
  [...runs.values()].flatMap((run) => [...run.executions.values()].map((one) => rowOf(run, one)));

/** A run that another ordered was created by a message that stands in the other's record. */
function retellCreation(runs: Map<string, Run>, record: LogRecord): void {
  const { run: id, at, body } = record;
  if (runs.has(id) || !body.includes("command:WorkflowExecute")) return;
  const { input, correlationId } = replayOf(record);
  if (input.on !== "message" || !input.told || input.word.workflow?.exec_id !== id) return;
  const run = newRun(id, correlationId);
  runs.set(id, run);
  recordEvent(run, input, at, new Set(), []);
}

/** How a run stands in line was asked once, when it was ordered. */
function noteFlow(runs: ReadonlyMap<string, Run>, record: LogRecord): void {
  if (!record.body.includes('"flow":')) return;
  const run = runs.get(record.run);
  for (const answer of replayOf(record).answers) {
    const { flow } = Object(answer) as { flow?: RunFlow };
    if (run && flow?.workflow !== undefined) run.facts.flow = flow;
  }
}

function retell(runs: Map<string, Run>, { run: id, type, envelope }: JournalLine, at: number): void {
  const { metadata, ...content } = envelope;
  const word = { ...content, type } as Word;
  const run = runs.get(id) ?? newRun(id, metadata["correlation_id"] ?? id);
  runs.set(id, run);
  // The first order of a run labels it, and another changes nothing.
  if (type === "command:WorkflowExecute" && word.workflow?.exec_id === id && !run.executions.has(id)) {
    const { labels } = (word["payload"] as { context: { labels?: Readonly<Record<string, string>> } }).context;
    run.facts.labels = labels ?? null;
  }
  recordEvent(run, { id: metadata["message_id"] ?? "", word }, at, new Set(), []);
}
