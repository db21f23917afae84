// One command for all that a query finds: canceled, or begun again, and what came of each.

import { isImportedRow } from "../actors/imported.ts";
import { orderIn } from "../actors/record.ts";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import { isTerminal, statuses } from "../protocol/statuses.ts";
import type { Row, Store } from "../store/store.ts";
import { checkExecId, checkFields } from "./arguments.ts";
import type { CancelReport, openCommands } from "./commands.ts";
import type { Labels } from "./content.ts";
import { type openDesk } from "./desk.ts";
import { checkedQuery, type Search } from "./questions.ts";
import { keyRule, type Once } from "./repeats.ts";

/** Which executions; of workflows, whatever it says. */
export type BulkQuery = Omit<Search, "limit" | "after" | "order" | "entity">;

export type BulkError = { execId: string; code: string; message: string };
export type CancelAllReport = { matched: number; canceled: CancelReport[]; failed: BulkError[] };
export type Retry = { execId: string; retryOf: string };
export type RetryAllReport = { matched: number; retried: Retry[]; failed: BulkError[] };

type Means = {
  store: Store;
  again: ReturnType<typeof openDesk>["again"];
  cancel: ReturnType<typeof openCommands>["cancel"];
};

const atOnce = 100;
const pageRows = 500;
/** The label of a run that was begun again: which one it repeats. */
const retryLabel = "retry_of";

export function openBulk({ store, again, cancel }: Means) {
  /** All at the time of asking: what begins meanwhile is not among them. */
  async function matching(query: BulkQuery, status: readonly string[]): Promise<Row[]> {
    const rows: Row[] = [];
    const wanted = { status, ...checkedQuery(query, ["limit", "after", "order", "entity"]) };
    for (let after: string | null | undefined; after !== null;) {
      const from = after === undefined ? {} : { after };
      const page = await store.find({ ...wanted, ...from, entity: "workflow", order: "oldest", limit: pageRows });
      rows.push(...page.rows);
      after = page.cursor;
    }
    return rows;
  }

  async function retryOne(row: Row, { idempotencyKey: key }: Once = {}): Promise<Retry> {
    if (row.entity !== "workflow") {
      throw new TroupeError("INVALID_STATE", `'${row.execId}' is no workflow execution: only those are retried`);
    }
    if (!isTerminal(row.status)) {
      const message = `'${row.execId}' has not ended: only what has ended is retried`;
      throw new TroupeError("INVALID_STATE", message, { status: row.status });
    }
    const input = await inputOf(store, row);
    const labels: Labels = { ...row.labels, [retryLabel]: row.execId };
    const once = key === undefined ? {} : { idempotencyKey: `retry/${row.execId}/${key}` };
    const options = { labels, correlationId: row.correlationId, ...once };
    return { execId: again(row.id, input, options), retryOf: row.execId };
  }

  return {
    /** Cancels all workflow executions that a query finds and that have not ended. */
    async cancelAll(query: BulkQuery, reason?: string): Promise<CancelAllReport> {
      const open = statuses.workflow.filter((status) => !isTerminal(status));
      const rows = (await matching(query, open)).filter((row) => !isTerminal(row.status) && !isImportedRow(row));
      const { done, failed } = await forEach(rows, ({ execId }) => cancel(execId, reason));
      return { matched: rows.length, canceled: done, failed };
    },
    /** Begins an ended workflow execution once more: same workflow, same input, same labels and `retry_of`. */
    async retry(execId: string, once: Once = {}): Promise<Retry> {
      checkExecId(execId);
      checkFields(once, { idempotencyKey: keyRule }, "the options of a retry cannot be");
      const row = store.row(execId);
      if (row) return retryOne(row, once);
      throw new TroupeError("EXECUTION_NOT_FOUND", `no execution '${execId}' is known`, { exec_id: execId });
    },
    /** Retries all that a query finds; without a status, those that failed, ran over their time or were canceled. */
    async retryAll(query: BulkQuery, once: Once = {}): Promise<RetryAllReport> {
      checkFields(once, { idempotencyKey: keyRule }, "the options of a retry cannot be");
      const rows = (await matching(query, ["FAILED", "TIMED_OUT", "CANCELED"])).filter(({ status }) =>
        isTerminal(status),
      );
      const { done, failed } = await forEach(rows, (row) => retryOne(row, once));
      return { matched: rows.length, retried: done, failed };
    },
  };
}

/** What it was begun with stands in its first record. */
async function inputOf(store: Store, { run }: Row): Promise<unknown> {
  const [first] = await store.read({ run, limit: 1 });
  const order = first && orderIn(first);
  if (order) return order.payload.context.input;
  throw new TroupeError("EXECUTION_NOT_FOUND", `what '${run}' was begun with is no longer kept`, { exec_id: run });
}

/** So many at once; the failure of one is no reason to leave the others. */
async function forEach<T>(rows: readonly Row[], act: (row: Row) => Promise<T>) {
  const done: T[] = [];
  const failed: BulkError[] = [];
  const left = [...rows];
  const work = async (): Promise<void> => {
    for (let row = left.shift(); row; row = left.shift()) {
      try {
        done.push(await act(row));
      } catch (error) {
        const { code, message } = fromUnknown(error);
        failed.push({ execId: row.execId, code, message });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, rows.length) }, work));
  return { done, failed };
}
