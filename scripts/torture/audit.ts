// Looks at the database of the engine from outside, and holds it against the ledgers.
//
// The journal is read record by record, each once; its state events are judged by the protocol's transition table
// anew, which has to give what the engine recorded.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { journalOf, type JournalLine } from "../../src/actors/record.ts";
import { catalogue, isKey } from "../../src/protocol/catalogue.ts";
import { isTerminal } from "../../src/protocol/statuses.ts";
import { type EventKey, nothingRecorded, record, type Recording } from "../../src/protocol/transitions.ts";
import { connect } from "../../src/store/database.ts";
import { openQuestions } from "../../src/store/questions.ts";
import type { Intent } from "./clients.ts";
import type { Ran } from "./company.ts";

type Kept = { view: Recording; entity: string; /** Terminal statuses reached, retries taken off. */ ends: number };
type Content = { payload: { status?: string; context?: Record<string, unknown> } } & Record<string, unknown>;

type Find = (finding: string) => void;

const recordsAtOnce = 2_000;

function answerOf<T>(answering: Generator<void, T, void>): T {
  for (;;) {
    const { done, value } = answering.next();
    if (done === true) return value;
  }
}

type Stored = { exec_id: string; entity: string; run: string; status: string };

/** Executions as the engine shows them. */
function rowsOf(file: string): Map<string, Stored> {
  const database = connect(file, { readOnly: true });
  try {
    const all = database.prepare("select exec_id, entity, run, status from rows").all() as unknown as Stored[];
    return new Map(all.map((row) => [row.exec_id, { ...row }]));
  } finally {
    database.close();
  }
}

/** What the journal has of state events, by the ids of their messages. */
type Told = { known: Set<string>; ends: Set<string> };

/** A state event, judged by the table of transitions. */
function judge({ type, disposition, envelope, line }: JournalLine, kept: Map<string, Kept>, told: Told, find: Find) {
  if (!type.startsWith("event:") || !isKey(type)) return;
  const { entity } = catalogue[type];
  if (entity === null) return;
  const { payload, ...about } = envelope as unknown as Content;
  const execId = (about[entity] as { exec_id: string } | undefined)?.exec_id;
  if (execId === undefined) return find(`line ${line}: ${type} names no ${entity}`);
  const before = kept.get(execId) ?? { view: nothingRecorded, entity, ends: 0 };
  const attempt = payload.context?.["attempt"];
  const messageId = envelope.metadata["message_id"] ?? "";
  const recorded = {
    type: type as EventKey,
    messageId,
    attempt: typeof attempt === "number" ? attempt : undefined,
    status: payload.status ?? "",
  };
  const { disposition: due, view } = record(before.view, recorded);
  if (due !== disposition) find(`I8 line ${line}: ${type} of ${execId} is recorded as ${disposition}, not ${due}`);
  const isEnd = due === "applied" && isTerminal(view.status) && view.status !== before.view.status;
  const isRetry = due === "applied" && type === "event:TaskRetryScheduled";
  kept.set(execId, { view, entity, ends: before.ends + Number(isEnd) - Number(isRetry) });
  told.known.add(messageId);
  if (isEnd && entity !== "agent_runtime") told.ends.add(messageId);
}

/** A runtime stays. */
const isOpen = ({ entity, status }: Pick<Stored, "entity" | "status">): boolean =>
  entity !== "agent_runtime" && !isTerminal(status);

/** All has ended, once, and its row says the same as its events. */
function judgeRows(stored: ReadonlyMap<string, Stored>, kept: ReadonlyMap<string, Kept>, find: Find): void {
  for (const { exec_id, entity, status } of stored.values()) {
    if (entity === "agent_runtime") continue;
    if (isOpen({ entity, status })) find(`I1 ${entity} ${exec_id} is ${status}`);
    const ends = kept.get(exec_id)?.ends;
    if (ends !== 1) find(`I2 ${entity} ${exec_id} has ${ends ?? "no"} terminal events`);
    if (kept.get(exec_id)?.view.status !== status) find(`I5 ${entity} ${exec_id} is ${status} only in its row`);
  }
}

/** Whether a handler may begin so long after its run has ended: over a network its order may have been on its way. */
type Excuse = (endedAt: number, begunAt: number) => boolean;
const noExcuse: Excuse = () => false;

/** Handlers ran for what is known, once in each process, and not after the end was told. */
function judgeRuns(
  stored: ReadonlyMap<string, Stored>,
  intents: readonly Intent[],
  ran: readonly Ran[],
  find: Find,
  isExcused: Excuse,
): void {
  const endedAt = new Map(intents.map(({ execId, endedAt: at }) => [execId, at]));
  const begun = new Set<string>();
  for (const { execId, key, pid, phase, at, handler } of ran) {
    const row = stored.get(execId);
    if (!row) find(`I11 handler '${handler}' ran for ${execId}, which is not known`);
    if (phase !== "begun") continue;
    const once = `${pid} ${key} ${handler}`;
    if (begun.has(once)) find(`I10 handler '${handler}' was begun twice for ${key} by process ${pid}`);
    begun.add(once);
    const end = row && endedAt.get(row.run);
    if (end && at > end && !isExcused(end, at))
      find(`I3 handler '${handler}' was begun for ${row.run} ${at - end} ms after its end was told`);
  }
}

export function openAudit(directory: string, find: Find) {
  const file = join(directory, "troupe.db");
  const kept = new Map<string, Kept>();
  const told: Told = { known: new Set(), ends: new Set() };
  const startsOf = new Map<string, Set<string>>();
  let seq = 0;
  let line = 0;

  function noteStart({ type, envelope }: JournalLine): void {
    if (type !== "command:WorkflowExecute" || envelope.metadata["source_component"] !== "api.Service") return;
    const { payload, workflow } = envelope as unknown as Content & { workflow: { exec_id: string } };
    const { key } = Object(payload.context)["input"] as { key: string };
    startsOf.set(key, (startsOf.get(key) ?? new Set()).add(workflow.exec_id));
  }

  /** Reads on in the journal, from where the last look ended. */
  function look(): void {
    if (!existsSync(file)) return;
    const database = connect(file, { readOnly: true });
    try {
      const questions = openQuestions(file, database);
      for (;;) {
        const records = answerOf(questions.read({ afterSeq: seq, limit: recordsAtOnce }));
        for (const entry of records) {
          if (entry.seq !== seq + 1) find(`I6 record ${entry.seq} follows record ${seq}`);
          if (entry.line !== line + 1) find(`I6 line ${entry.line} follows line ${line}`);
          seq = entry.seq;
          line += entry.lines;
          for (const said of journalOf(entry)) {
            judge(said, kept, told, find);
            noteStart(said);
          }
        }
        if (records.length < recordsAtOnce) return;
      }
    } finally {
      database.close();
    }
  }

  /** What must be so at any moment: whatever was answered is on the disk. */
  function holdAgainst(intents: readonly Intent[]): void {
    if (!existsSync(file)) return;
    const stored = rowsOf(file);
    for (const { key, execId, end } of intents) {
      if (execId === null) continue;
      const row = stored.get(execId);
      if (!row) find(`I6 ${key} was accepted as ${execId}, and is not known`);
      else if (end && row.status !== end.status) find(`I6 ${key} was ${end.status}, and is ${row.status}`);
      const starts = startsOf.get(key);
      if (starts?.size !== 1 || !starts.has(execId)) find(`I10 ${key} began ${[...(starts ?? [])].join(" and ")}`);
    }
    for (const [key, starts] of startsOf) if (starts.size > 1) find(`I10 ${key} began ${[...starts].join(" and ")}`);
  }

  /** What must be so when all is done. */
  function conclude(intents: readonly Intent[], ran: readonly Ran[], isExcused = noExcuse): void {
    const stored = rowsOf(file);
    judgeRows(stored, kept, find);
    judgeRuns(stored, intents, ran, find, isExcused);
  }

  return {
    look,
    holdAgainst,
    conclude,
    /** How many executions have not ended. */
    unended: () => [...rowsOf(file).values()].filter(isOpen).length,
    /** How each execution stands. */
    statuses: () => new Map([...rowsOf(file)].map(([execId, { status }]) => [execId, status])),
    told: told as { known: ReadonlySet<string>; ends: ReadonlySet<string> },
    records: () => seq,
    lines: () => line,
    executions: () => kept.size,
  };
}
