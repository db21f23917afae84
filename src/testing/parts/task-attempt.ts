// The part of a task attempt: calls, signals and waits, orders that come twice or too late, cancels of every attempt.

import { fault } from "../../machines/cues.ts";
import { taskAttempt } from "../../machines/task-attempt.ts";
import type { Message } from "../../protocol/catalogue.ts";
import type { Cause, workerTypes } from "../../protocol/fields.ts";
import { idOf, type Line, type Part } from "../part.ts";

type AttemptLine = Line<typeof taskAttempt>;
type Order = Message<"command:TaskExecute">;
type Ended = Extract<AttemptLine["event"], { type: "cue:CallEnded" }>;

const workflow = { id: "refund", exec_id: idOf(1) };
const task = { id: "decide", exec_id: idOf(2) };

const order = (task_type: (typeof workerTypes)[number], more: Partial<Order["payload"]["context"]> = {}): Order => ({
  type: "command:TaskExecute",
  workflow,
  task,
  payload: {
    reply_to_subject: `compozy.results.task.${task.exec_id}`,
    context: {
      attempt: 1,
      task_type,
      input: { claim: "late" },
      timeout_config: { timeout_duration_ms: 30_000 },
      retry_policy: { max_attempts: 1, backoff: { initial_ms: 1_000, factor: 2, max_ms: 60_000, jitter: 0 } },
      ...more,
    },
  },
});

const signal = { name: "ready", payload: { n: 1 } };
const signaling = order("signal", { signal });
const { workflow: _none, ...direct } = signaling;
const silent = order("tool");

const inputs = {
  "tool, second attempt": { order: order("tool", { attempt: 2 }), call: { kind: "tool", id: "orders" } },
  "agent, direct": { order: order("agent"), call: { kind: "agent", id: "clerk", exec_id: task.exec_id } },
  "tool, no reply": {
    order: { ...silent, payload: { context: silent.payload.context } },
    call: { kind: "tool", id: "orders" },
  },
  signal: { order: signaling },
  "signal to another run": { order: signaling, signalTo: { exec_id: idOf(8) } },
  "signal to nobody": { order: direct },
  "wait for a signal": { order: order("wait", { wait: { signal: "ready", match: "n == 1" } }) },
  "wait for an approval": { order: order("wait", { wait: { approval: "ok?" } }) },
  "wait for a time": { order: order("wait", { wait: { duration_ms: 60_000 } }) },
  resumed: { order: order("wait", { wait: { approval: "ok?" }, resume_data: { approved: true } }) },
  "bad input": { order: order("tool"), problem: fault("VALIDATION_FAILED", "n must be a number").error },
  "wait for nothing": { order: order("wait") },
} satisfies Part<typeof taskAttempt>["inputs"];

const cancel = (note: string, cause: Cause, attempt?: number): AttemptLine => ({
  note,
  event: {
    type: "command:TaskCancel",
    workflow,
    task,
    payload: {
      reply_to_subject: "_INBOX.1",
      context: { ...(attempt !== undefined && { attempt }), cause, reason: "stop", canceled_by: "ada" },
    },
  },
});

const ended = (note: string, exec_id: string, status: Ended["status"], result: Ended["result"]): AttemptLine => ({
  note,
  event: { type: "cue:CallEnded", exec_id, status, result },
});

export const taskAttemptPart: Part<typeof taskAttempt> = {
  machine: taskAttempt,
  inputs,
  menu: ({ order: mine, callId }) => {
    const { context } = mine.payload;
    const otherwise = (note: string, more: Partial<Order["payload"]["context"]>): AttemptLine => ({
      note,
      event: { ...mine, payload: { ...mine.payload, context: { ...context, ...more } } },
    });
    return [
      otherwise("again", {}),
      otherwise("next attempt", { attempt: context.attempt + 1 }),
      otherwise("resumed", { resume_data: { approved: false } }),
      cancel("requested", "requested"),
      cancel("timed_out", "timed_out", context.attempt),
      ...(context.attempt > 1 ? [cancel("earlier attempt", "timed_out", context.attempt - 1)] : []),
      cancel("later attempt", "parent_ended", context.attempt + 1),
      ended("SUCCESS", callId, "SUCCESS", { output: { state: "sent" } }),
      ended("FAILED", callId, "FAILED", fault("TOOL_ERROR", "not today", { cause_code: "CLOSED" })),
      ended("CANCELED", callId, "CANCELED", fault("AGENT_CANCELED", "not needed")),
      ended("another's", idOf(99), "SUCCESS", { output: { state: "lost" } }),
      { event: { type: "cue:NoResponder" } },
      {
        note: "ACKNOWLEDGED",
        event: { type: "result:CommandAck", workflow, payload: { status: "ACKNOWLEDGED", context: {} } },
      },
      {
        note: "ERROR",
        event: {
          type: "result:CommandAck",
          workflow,
          payload: { status: "ERROR", result: fault("INVALID_STATE", "not possible while SUCCESS"), context: {} },
        },
      },
    ];
  },
};
