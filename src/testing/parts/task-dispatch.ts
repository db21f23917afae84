// The part of a task dispatch: executors that take the order, are busy, refuse, are not there, and ends of the task.

import { fault } from "../../machines/cues.ts";
import { taskDispatch } from "../../machines/task-dispatch.ts";
import type { Message } from "../../protocol/catalogue.ts";
import type { ErrorCode } from "../../protocol/errors.ts";
import { idOf, type Line, type Part } from "../part.ts";

type DispatchLine = Line<typeof taskDispatch>;
type Retry = Message<"event:TaskRetryScheduled">;

const workflow = { id: "refund", exec_id: idOf(1) };
const task = { id: "decide", exec_id: idOf(2) };
const another = { id: "decide", exec_id: idOf(99) };
const retry_policy = { max_attempts: 3, backoff: { initial_ms: 1_000, factor: 2, max_ms: 60_000, jitter: 0 } };
const timeout_config = { timeout_duration_ms: 30_000 };
const order = { attempt: 1, task_type: "tool" as const, input: { order: "A7" }, timeout_config, retry_policy };
const startTimeoutMs = 60_000;

const retry = (delay_ms: number): Retry => ({
  type: "event:TaskRetryScheduled",
  workflow,
  task,
  payload: {
    status: "PENDING",
    result: null,
    context: { ...order, attempt: 2, delay_ms, original_error: fault("TOOL_ERROR", "not today").error },
  },
});

const inputs = {
  scheduled: {
    scheduled: { type: "event:TaskScheduled", workflow, task, payload: { status: "PENDING", context: order } },
    startTimeoutMs,
  },
  "signal, direct": {
    scheduled: {
      type: "event:TaskScheduled",
      task,
      payload: {
        status: "PENDING",
        context: { ...order, task_type: "signal", signal: { name: "ready", payload: { n: 1 } } },
      },
    },
    startTimeoutMs: 2_500,
  },
  retry: { scheduled: retry(4_000), startTimeoutMs: 3_500 },
  "retry at once": { scheduled: retry(0), startTimeoutMs },
  resumed: {
    scheduled: {
      type: "event:TaskWaitingEnded",
      workflow,
      task,
      payload: {
        status: "RUNNING",
        result: null,
        duration_ms: 60_000,
        context: { ...order, task_type: "wait", wait: { approval: "ok?" }, resume_data: { approved: true } },
      },
    },
    startTimeoutMs,
  },
} satisfies Part<typeof taskDispatch>["inputs"];

const acknowledgment = (note: string, of: typeof task, attempt?: number, code?: ErrorCode): DispatchLine => ({
  note,
  event: {
    type: "result:CommandAck",
    workflow,
    task: of,
    payload: {
      ...(code === undefined ? { status: "ACKNOWLEDGED" } : { status: "ERROR", result: fault(code, "not now") }),
      context: { ...(attempt !== undefined && { attempt }) },
    },
  },
});

const started = (note: string, of: typeof task, attempt: number): DispatchLine => ({
  note,
  event: {
    type: "event:TaskExecutionStarted",
    workflow,
    task: of,
    payload: { status: "RUNNING", result: null, context: { attempt } },
  },
});

const canceled = (note: string, of: typeof task, attempt: number): DispatchLine => ({
  note,
  event: {
    type: "event:TaskExecutionCanceled",
    workflow,
    task: of,
    payload: { status: "CANCELED", result: null, context: { attempt, reason: "not needed" } },
  },
});

const timedOut = (note: string, attempt: number): DispatchLine => ({
  note,
  event: {
    type: "event:TaskExecutionTimedOut",
    workflow,
    task,
    payload: {
      status: "TIMED_OUT",
      result: fault("TASK_START_TIMEOUT", "no executor took the task in time"),
      context: { attempt, timeout_config, retry_policy },
    },
  },
});

export const taskDispatchPart: Part<typeof taskDispatch> = {
  machine: taskDispatch,
  inputs,
  menu: ({ order: mine }) => {
    const { attempt } = mine.payload.context;
    const isRetry = attempt > 1;
    return [
      acknowledgment("ACKNOWLEDGED", task, attempt),
      acknowledgment("ACKNOWLEDGED, no attempt", task),
      acknowledgment("ERROR EXECUTOR_BUSY", task, attempt, "EXECUTOR_BUSY"),
      acknowledgment("ERROR VALIDATION_FAILED", task, attempt, "VALIDATION_FAILED"),
      acknowledgment("another's", another, attempt),
      ...(isRetry ? [acknowledgment("earlier attempt", task, attempt - 1)] : []),
      { event: { type: "cue:NoResponder" } },
      started("mine", task, attempt),
      started("another's", another, attempt),
      ...(isRetry ? [started("earlier attempt", task, attempt - 1)] : []),
      {
        event: {
          type: "event:TaskExecutionSuccess",
          workflow,
          task,
          payload: { status: "SUCCESS", duration_ms: 950, result: { output: { ok: true } }, context: { attempt } },
        },
      },
      {
        event: {
          type: "event:TaskExecutionFailed",
          workflow,
          task,
          payload: {
            status: "FAILED",
            result: fault("TOOL_ERROR", "not today"),
            context: { attempt, retry_policy },
          },
        },
      },
      canceled("mine", task, attempt),
      canceled("later attempt", task, attempt + 1),
      canceled("another's", another, attempt),
      ...(isRetry ? [canceled("earlier attempt", task, attempt - 1)] : []),
      timedOut("mine", attempt),
      ...(isRetry ? [timedOut("earlier attempt", attempt - 1)] : []),
    ];
  },
};
