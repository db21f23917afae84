// Tasks for examples: those of the part and others like them, and what they say, word for word.

import { taskExecution } from "../../src/machines/task-execution.ts";
import type { TaskContext, TaskInput } from "../../src/machines/task-memory.ts";
import type { Unstamped } from "../../src/machines/step.ts";
import { idAfter } from "../../src/protocol/ids.ts";
import { idOf, stampAt } from "../../src/testing/part.ts";
import { taskExecutionPart as part } from "../../src/testing/parts/task-execution.ts";
import { begin, must, type Run, snapshotOf } from "./chart-model.ts";

export type TaskRun = Run<typeof taskExecution>;

export const workflow = { id: "refund", exec_id: idOf(1) };
export const exec_id = idOf(2);
export const replySubject = `results.task.${exec_id}`;

/** Where the clock stands when a task begins. */
export const beganAt = 1_000_000;

/** A task of the part, with some fields changed. */
export function taskRun(name: string, given: Partial<Unstamped<TaskInput>> = {}): TaskRun {
  const input = part.inputs[name];
  must(input !== undefined, `the part has no input '${name}'`);
  return begin({ ...part, inputs: { [name]: { ...input, ...given } } }, name);
}

export const contextOf = (run: TaskRun): TaskContext => snapshotOf(run).context as TaskContext;

/** The state of the task itself, without the region that watches its calls. */
export const placeOf = (run: TaskRun): string => {
  const place = /life\.(\S+)/.exec(run.moments.at(-1)?.to ?? "")?.[1];
  must(place !== undefined, "the task is nowhere");
  return place;
};

/** When the timer with this delay's name is due, in milliseconds from now. */
export const dueIn = (run: TaskRun, delay: string): number | undefined => {
  const timer = run.life.timers.find(({ id }) => id.split(".")[2] === delay);
  return timer && timer.dueAt - run.at;
};

export const delaysOf = (run: TaskRun): string[] => run.life.timers.map(({ id }) => id.split(".")[2] ?? id).toSorted();

/** An answer to the command that was just heard. */
export const ack = (context: object = {}) => ({
  type: "result:CommandAck",
  workflow,
  task: { id: "task", exec_id },
  payload: { status: "ACKNOWLEDGED", result: null, context },
  to: replySubject,
});

export const declined = (status: string) => ({
  ...ack(),
  payload: {
    status: "ERROR",
    result: { error: { code: "INVALID_STATE", message: `not possible while ${status}`, details: { status } } },
    context: {},
  },
});

export const taskEnded = (id: string, status: string, result: object | null, attempt = 1) => ({
  type: "cue:TaskEnded",
  task: { id, exec_id },
  lane: 0,
  status,
  result,
  ...(attempt > 1 && { attempt }),
});

export const error = (code: string, message: string, details: object = {}) => ({ error: { code, message, details } });

/** The retry policies of the part's tasks. */
export const once = { max_attempts: 1, backoff: { initial_ms: 1_000, factor: 2, max_ms: 60_000, jitter: 0 } };
export const twice = { ...once, max_attempts: 2, never_on: ["CARD_DECLINED"] };

export const typesOf = (said: readonly { type: string }[]): string[] => said.map(({ type }) => type);
const of = (id: string) => ({ workflow, task: { id, exec_id } });

export const started = (id: string, attempt = 1) => ({
  type: "event:TaskExecutionStarted",
  ...of(id),
  payload: { status: "RUNNING", result: null, context: { attempt } },
});
export const completed = (id: string, output: object, duration_ms = 0, attempt = 1) => ({
  type: "event:TaskExecutionSuccess",
  ...of(id),
  payload: { status: "SUCCESS", duration_ms, result: { output }, context: { attempt } },
});
export const failed = (id: string, result: object, retry_policy: object = once, duration_ms = 0) => ({
  type: "event:TaskExecutionFailed",
  ...of(id),
  payload: { status: "FAILED", duration_ms, result, context: { attempt: 1, retry_policy } },
});

/** The task that a step begins n-th; the seed of the step makes its id. */
export const begun = (run: TaskRun, id: string, nth = 1) => ({
  id,
  exec_id: idAfter(stampAt(run.at, run.count).seed, nth),
});
