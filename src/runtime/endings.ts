// How runs end, and who waits for it.
//
//   run ─ on disk ─▶ waiters          one that ended before is answered from its row
//
// Invariants:
//   W1. Whoever waits for a run is told how it ended, once that is on disk, or that nothing is known of it any more.

import { isImportedRow } from "../actors/imported.ts";
import type { Word } from "../actors/component.ts";
import type { Limits } from "../actors/limits.ts";
import type { Said } from "../actors/react.ts";
import type { Committed, System } from "../actors/system.ts";
import { type ErrorCode, TroupeError } from "../protocol/errors.ts";
import { isTerminal } from "../protocol/statuses.ts";
import type { Row, Store } from "../store/store.ts";

type Output = Readonly<Record<string, unknown>>;
type Failure = { code: ErrorCode; message: string; details?: Readonly<Record<string, unknown>> };

/** How an execution ended. */
export type End<O = Output> =
  | { execId: string; status: "SUCCESS"; output: O; error?: never }
  | { execId: string; status: "FAILED" | "TIMED_OUT"; error: Failure; output?: never }
  | { execId: string; status: "CANCELED"; error?: never; output?: never };

type Waiter = { resolve: (end: End) => void; reject: (error: unknown) => void };

export type Endings = ReturnType<typeof openEndings>;

export function openEndings(system: System, store: Store, { retentionMs }: Pick<Limits, "retentionMs">) {
  const waiters = new Map<string, Waiter[]>();

  const off = system.subscribe(({ run, said }: Committed) => {
    const waiting = waiters.get(run);
    const ended = waiting && endIn(run, said);
    if (!ended) return;
    waiters.delete(run);
    for (const { resolve } of waiting) resolve(ended);
  });

  /** Of a run that has just begun: nothing of it can be on disk. */
  const expect = (run: string): Promise<End> =>
    new Promise((resolve, reject) => {
      const waiting = waiters.get(run);
      if (waiting) waiting.push({ resolve, reject });
      else waiters.set(run, [{ resolve, reject }]);
    });

  return {
    expect,
    /** Of a run that is on disk, if it has not been forgotten. */
    of(run: string): Promise<End> {
      const row = store.row(run);
      if (row && isImportedRow(row) && !isTerminal(row.status)) {
        const still = `'${run}' was imported as it stood, ${row.status}: it does not end here`;
        return Promise.reject(new TroupeError("INVALID_STATE", still, { status: row.status, imported: true }));
      }
      if (row) return isTerminal(row.status) ? Promise.resolve(endOfRow(row)) : expect(run);
      const message = `nothing is known of '${run}' any more: what has ended is kept for ${retentionMs} ms`;
      return Promise.reject(new TroupeError("EXECUTION_NOT_FOUND", message, { exec_id: run, limit: "retentionMs" }));
    },
    /** Nobody hears of an end any more: whoever waits is told so. */
    close(): void {
      off();
      const error = new TroupeError("INVALID_STATE", "the troupe was stopped before the execution ended", {
        status: "stopped",
      });
      for (const { reject } of [...waiters.values()].flat()) reject(error);
      waiters.clear();
    },
  };
}

const terminalEvents: ReadonlySet<string> = new Set([
  ...["Workflow", "Task"].flatMap((entity) =>
    ["Success", "Failed", "Canceled", "TimedOut"].map((how) => `event:${entity}Execution${how}`),
  ),
  "event:TaskWaitingTimedOut",
]);

/** The end of the run itself, if it is among these. A failure that is tried again is no end. */
function endIn(run: string, said: readonly Said[]): End | undefined {
  let last: Word | undefined;
  for (const { word, disposition } of said) {
    const isRetry = word.type === "event:TaskRetryScheduled";
    if (!isRetry && !terminalEvents.has(word.type)) continue;
    const own = word.type.startsWith("event:Workflow") ? word.workflow : word.task;
    if (own?.exec_id === run && disposition === undefined) last = isRetry ? undefined : word;
  }
  return last && endOf(run, last);
}

type Result = { output?: Output; error?: Failure } | null | undefined;

function ended(execId: string, status: string, result: Result): End {
  if (status === "SUCCESS") return { execId, status, output: result?.output ?? {} };
  if (status === "CANCELED") return { execId, status };
  const error = result?.error ?? { code: "INTERNAL_ERROR", message: "it failed without an error" };
  return { execId, status: status as "FAILED" | "TIMED_OUT", error };
}
function endOf(execId: string, word: Word): End {
  const { status, result } = word["payload"] as { status: string; result?: Result };
  return ended(execId, status, result);
}
function endOfRow({ execId, status, body }: Row): End {
  const { result } = JSON.parse(body) as { result: Result };
  return ended(execId, status, result);
}
