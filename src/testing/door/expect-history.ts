// What a test expects of a history, in any runner: what does not hold throws, and says how the run went.
//
//   expectHistory(await run.history()).toEndAs("SUCCESS").toHaveTask("ship").failedWith("SOLD_OUT").before("refund")
//
// Invariants:
//   X1. An expectation that does not hold throws an AssertionError that lists what became of each task.

import { AssertionError } from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import type { JournalLine } from "../../actors/record.ts";

type Content = {
  workflow?: { id: string; exec_id: string };
  task?: { id: string; exec_id: string };
  payload?: {
    status?: string;
    result?: { output?: unknown; error?: { code: string; message: string; details?: { cause_code?: string } } } | null;
    context?: { attempt?: number };
  };
};
type Error = { code: string; message: string; cause?: string | undefined };
/** One execution of a task: in a loop or an `each` there are several. */
type Seen = { status: string; attempts: number; beganAt: number; endedAt: number; output?: unknown; error?: Error };

/** Of a run as a whole. */
export type HistoryExpectation = {
  /** The run has ended so; or it has not, with its status. */
  toEndAs(status: string): HistoryExpectation;
  /** The run gave this. */
  toGive(output: unknown): HistoryExpectation;
  toHaveTask(id: string): TaskExpectation;
  toHaveNoTask(id: string): HistoryExpectation;
  /** These tasks began in this order, others between them or not. */
  toHaveOrder(...ids: string[]): HistoryExpectation;
};
/** Of one task of it. Where it ran several times, of the last of them. */
export type TaskExpectation = HistoryExpectation & {
  succeeded(): TaskExpectation;
  gave(output: unknown): TaskExpectation;
  /** With this code, of its own or as the cause. */
  failedWith(code: string): TaskExpectation;
  timedOut(): TaskExpectation;
  wasCanceled(): TaskExpectation;
  /** The task has not ended. */
  isOpen(): TaskExpectation;
  /** It ran so often: in passes of a loop, for items of an `each`. */
  ran(times: number): TaskExpectation;
  /** It took so many attempts. */
  tookAttempts(count: number): TaskExpectation;
  /** It ended before the other task began. */
  before(other: string): TaskExpectation;
};

/** The history of a run: of a simulation, of a troupe, or of an exported run. */
export function expectHistory(
  lines: readonly Pick<JournalLine, "type" | "disposition" | "envelope">[],
): HistoryExpectation {
  const { tasks, run } = seenIn(lines);

  function expected(holds: boolean, what: string): void {
    if (holds) return;
    const told = [...tasks].flatMap(([id, all]) => all.map((seen) => `  ${id} ${textOf(seen)}`));
    const list = told.length === 0 ? "  no task began" : told.join("\n");
    throw new AssertionError({ message: `${what}\n\nthe run: ${textOf(run)}\n${list}`, stackStartFn: expected });
  }

  const history: HistoryExpectation = {
    toEndAs(status) {
      expected(run.status === status, `expected the run to end as ${status}, and it is ${run.status}`);
      return history;
    },
    toGive(output) {
      expected(
        isDeepStrictEqual(run.output, output),
        `expected the run to give ${json(output)}, not ${json(run.output)}`,
      );
      return history;
    },
    toHaveTask(id) {
      expected(tasks.has(id), `expected task '${id}' to have begun`);
      return of(id, tasks.get(id) ?? []);
    },
    toHaveNoTask(id) {
      expected(!tasks.has(id), `expected task '${id}' not to have begun`);
      return history;
    },
    toHaveOrder(...ids) {
      let after = -1;
      for (const id of ids) {
        const next = tasks.get(id)?.find(({ beganAt }) => beganAt > after);
        expected(
          next !== undefined,
          `expected the tasks ${ids.join(", ")} to begin in this order, and '${id}' did not`,
        );
        after = next?.beganAt ?? after;
      }
      return history;
    },
  };

  function of(id: string, all: readonly Seen[]): TaskExpectation {
    const last = all.at(-1) ?? nothing();
    const isSo = (holds: boolean, what: string): TaskExpectation => {
      expected(holds, `expected task '${id}' ${what}, and it is ${textOf(last)}`);
      return task;
    };
    const task: TaskExpectation = {
      ...history,
      succeeded: () => isSo(last.status === "SUCCESS", "to succeed"),
      gave: (output) => isSo(isDeepStrictEqual(last.output, output), `to give ${json(output)}`),
      failedWith: (code) => isSo([last.error?.code, last.error?.cause].includes(code), `to fail with ${code}`),
      timedOut: () => isSo(last.status === "TIMED_OUT", "to time out"),
      wasCanceled: () => isSo(last.status === "CANCELED", "to be canceled"),
      isOpen: () => isSo(last.endedAt === Infinity, "to be open"),
      ran: (times) => isSo(all.length === times, `to have run ${times} times, not ${all.length}`),
      tookAttempts: (count) => isSo(last.attempts === count, `to have taken ${count} attempts, not ${last.attempts}`),
      before: (other) =>
        isSo(last.endedAt < (tasks.get(other)?.[0]?.beganAt ?? -1), `to have ended before '${other}' began`),
    };
    return task;
  }
  return history;
}

const nothing = (): Seen => ({ status: "PENDING", attempts: 1, beganAt: 0, endedAt: Infinity });

/** Every task by its executions, and the run that all of them are of: of the first workflow that is spoken of. */
function seenIn(lines: readonly Pick<JournalLine, "type" | "disposition" | "envelope">[]) {
  const tasks = new Map<string, Seen[]>();
  const executions = new Map<string, Seen>();
  const run = nothing();
  let root: string | undefined;
  for (const [index, { type, disposition, envelope }] of lines.entries()) {
    const { workflow, task, payload } = envelope as Content;
    root ??= workflow?.exec_id;
    if (disposition !== "applied" || !type.startsWith("event:") || workflow?.exec_id !== root) continue;
    const entity = /^event:(Workflow|Task)/.exec(type)?.[1];
    if (entity === "Workflow") note(run, payload, type, index);
    if (entity !== "Task" || !task) continue;
    const known = executions.get(task.exec_id);
    const seen = known ?? { ...nothing(), beganAt: index };
    if (!known) tasks.set(task.id, [...(tasks.get(task.id) ?? []), seen]);
    executions.set(task.exec_id, seen);
    note(seen, payload, type, index);
  }
  return { tasks, run };
}

const endings: ReadonlySet<string> = new Set(["SUCCESS", "FAILED", "TIMED_OUT", "CANCELED"]);

/** A failure that is tried again is none. */
function note(seen: Seen, payload: Content["payload"], type: string, index: number): void {
  const { status = seen.status, result, context } = payload ?? {};
  seen.status = status;
  seen.attempts = Math.max(seen.attempts, context?.attempt ?? 1);
  seen.endedAt = endings.has(status) ? index : Infinity;
  if (type === "event:TaskRetryScheduled") delete seen.error;
  if (!result) return;
  if (result.error) {
    const { code, message, details } = result.error;
    seen.error = { code, message, cause: details?.cause_code };
  } else seen.output = result.output;
}

function textOf({ status, attempts, error, output }: Seen): string {
  const cause = error?.cause === undefined || error.cause === error.code ? "" : ` (${error.cause})`;
  const why = error ? ` with ${error.code}${cause}: ${error.message}` : output === undefined ? "" : `: ${json(output)}`;
  return `${status}${attempts > 1 ? ` after ${attempts} attempts` : ""}${why}`;
}

const charsMax = 200;
function json(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > charsMax ? `${text.slice(0, charsMax)}…` : text;
}
