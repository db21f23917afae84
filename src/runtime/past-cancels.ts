// What came of a cancel, read from the journal: for whoever asks later, or could not wait.

import { journalOf, type JournalLine } from "../actors/record.ts";
import { TroupeError } from "../protocol/errors.ts";
import { isTerminal } from "../protocol/statuses.ts";
import type { Row, Store } from "../store/store.ts";
import { checkExecId } from "./arguments.ts";
import type { ChildReport } from "./cancel-report.ts";
import type { CancelReport } from "./commands.ts";

const recordsAtOnce = 200;
const childrenMax = 100;
const cancels = ["command:WorkflowCancel", "command:TaskCancel", "command:AgentCancel"];

type Named = { id: string; exec_id: string };
type Payload = { status?: string; result?: { error?: { details?: { confirmed?: boolean } } } | null };

const timeOf = ({ envelope }: JournalLine): number => Date.parse(envelope.metadata["event_timestamp"] ?? "");
const ownOf = (line: JournalLine, entity: string): Named | undefined => line.envelope[entity] as Named | undefined;
/** The execution that a message is about: the innermost that it names. */
function aboutIn(line: JournalLine): { entity: string; execId: string; id: string } | undefined {
  for (const entity of ["tool", "agent", "task", "workflow"]) {
    const own = ownOf(line, entity);
    if (own?.exec_id !== undefined) return { entity, execId: own.exec_id, id: own.id };
  }
  return undefined;
}

export function openPastCancels(store: Store) {
  async function linesOf(run: string): Promise<JournalLine[]> {
    const lines: JournalLine[] = [];
    for (let afterSeq = 0; ;) {
      const records = await store.read({ run, afterSeq, limit: recordsAtOnce });
      const last = records.at(-1);
      if (!last) return lines;
      afterSeq = last.seq;
      lines.push(...records.flatMap(journalOf));
    }
  }

  /** What of a run was open when the cancel came, and how each of that ended. */
  async function childrenOf(row: Row, lines: readonly JournalLine[], from: number, beganAt: number) {
    const rows = store.rowsOf(row.run);
    const parents = new Map(rows.map(({ execId, parent }) => [idOf(execId), parent]));
    const isBelow = (execId: string): boolean => {
      for (let above = parents.get(execId), depth = 0; above && depth < rows.length; depth++) {
        if (above === row.execId) return true;
        above = parents.get(above);
      }
      return false;
    };
    const keyOf = (entity: string, execId: string): string => `${entity}/${execId}`;
    const ignored = new Set<string>();
    const overBefore = new Set<string>();
    const ended = new Map<string, Pick<ChildReport, "outcome" | "tookMs">>();
    for (const line of lines) {
      const about = line.disposition === "applied" ? aboutIn(line) : undefined;
      const { status = "", result } = (line.envelope["payload"] ?? {}) as Payload;
      // Whoever gave it up says so in its answer, before it is said that it has ended.
      if (about && result?.error?.details?.confirmed === false) ignored.add(about.execId);
      if (!about || !line.type.startsWith("event:") || !isTerminal(status)) continue;
      const key = keyOf(about.entity, about.execId);
      if (line.line < from) overBefore.add(key);
      else {
        const isIgnored = about.entity !== "task" && ignored.has(about.execId);
        const outcome = status !== "CANCELED" ? "ended" : isIgnored ? "ignored" : "confirmed";
        ended.set(key, { outcome, tookMs: timeOf(line) - beganAt });
      }
    }
    const children: ChildReport[] = [];
    for (const { entity, execId: named, id, createdAt } of rows) {
      const execId = idOf(named);
      const key = keyOf(entity, execId);
      const isRoot = execId === row.execId && entity === row.entity;
      const isIn = row.run === row.execId || isBelow(execId);
      if (isRoot || !isIn || createdAt > beganAt || overBefore.has(key)) continue;
      children.push({ execId, entity, id, ...(ended.get(key) ?? { outcome: "open", tookMs: 0 }) });
    }
    return children;
  }

  /** The workflow executions that its tasks called, and what was open in them. */
  async function calledBy(tasks: readonly ChildReport[], beganAt: number): Promise<ChildReport[]> {
    const called: ChildReport[] = [];
    for (const { execId } of tasks.filter(({ entity }) => entity === "task")) {
      const { rows } = await store.find({ parent: execId, entity: "workflow", limit: childrenMax });
      for (const row of rows.filter(({ run, endedAt }) => run !== execId && (endedAt ?? Infinity) >= beganAt)) {
        const lines = await linesOf(row.run);
        const from = lines.find((line) => cancels.includes(line.type) && timeOf(line) >= beganAt)?.line;
        const tookMs = row.endedAt === null ? 0 : row.endedAt - beganAt;
        const outcome = row.endedAt === null ? "open" : row.status === "CANCELED" ? "confirmed" : "ended";
        const own = await childrenOf(row, lines, from ?? Infinity, beganAt);
        called.push({ execId: row.execId, entity: "workflow", id: row.id, outcome, tookMs }, ...own);
        called.push(...(await calledBy(own, beganAt)));
      }
    }
    return called;
  }

  return {
    /** What came of the first cancel that an execution was given. */
    async cancelReport(execId: string): Promise<CancelReport> {
      checkExecId(execId);
      const row = store.row(execId);
      if (!row) throw new TroupeError("EXECUTION_NOT_FOUND", `no execution '${execId}' is known`, { exec_id: execId });
      const lines = await linesOf(row.run);
      const cancel = lines.find(
        (line) =>
          cancels.includes(line.type) && ownOf(line, row.entity)?.exec_id === execId && line.disposition === "applied",
      );
      if (!cancel) {
        const message = `'${execId}' was not canceled by anybody: there is nothing to report`;
        throw new TroupeError("INVALID_STATE", message, { status: row.status });
      }
      const beganAt = timeOf(cancel);
      const own = await childrenOf(row, lines, cancel.line, beganAt);
      const children = [...own, ...(await calledBy(own, beganAt))];
      const ends = [row.endedAt ?? beganAt, ...children.map(({ tookMs }) => beganAt + tookMs)];
      return { execId, changed: true, children, tookMs: Math.max(...ends) - beganAt };
    },
  };
}

/** The first call of a direct run shares its id with the run's task. */
const idOf = (execId: string): string => execId.split("/")[0] ?? execId;
