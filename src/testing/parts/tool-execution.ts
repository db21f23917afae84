// The part of a tool execution: a tool that answers, errs, is not found, is stopped, is never there.

import { fault } from "../../machines/cues.ts";
import { toolExecution } from "../../machines/tool-execution.ts";
import type { ErrorCode } from "../../protocol/errors.ts";
import type { Cause } from "../../protocol/fields.ts";
import { idOf, type Line, type Part } from "../part.ts";

type ToolLine = Line<typeof toolExecution>;
type Failure = "TOOL_ERROR" | "FAILURE" | "ERROR";

const callee = { id: "orders", exec_id: idOf(3) };
const task = { workflow: { id: "refund", exec_id: idOf(1) }, task: { id: "look", exec_id: idOf(2) } };
const call = { parents: task, callee, attempt: 1, input: { order: "A7" }, timeoutMs: 30_000 };

const reply = (status: Failure, code: ErrorCode, attempt: number): ToolLine => ({
  note: status === code ? status : `${status} ${code}`,
  event: {
    type: "result:ToolExecutionResult",
    tool: callee,
    payload: { status, result: fault(code, "not today", { cause_code: "CLOSED" }), context: { attempt } },
  },
});

const endCall = (cause: Cause): ToolLine => ({
  note: cause,
  event: { type: "cue:EndCall", exec_id: callee.exec_id, cause, reason: "stop" },
});

export const toolExecutionPart: Part<typeof toolExecution> = {
  machine: toolExecution,
  inputs: {
    "of a task": call,
    "of an agent": { ...call, parents: { ...task, agent: { id: "clerk", exec_id: idOf(4) } }, attempt: 2 },
  },
  menu: ({ attempt }) => [
    {
      event: {
        type: "event:ToolExecutionStarted",
        ...task,
        tool: callee,
        payload: { status: "RUNNING", result: null, context: { attempt } },
      },
    },
    {
      note: "SUCCESS",
      event: {
        type: "result:ToolExecutionResult",
        tool: callee,
        payload: { status: "SUCCESS", result: { output: { state: "sent" } }, context: { attempt } },
      },
    },
    reply("TOOL_ERROR", "TOOL_ERROR", attempt),
    reply("FAILURE", "TOOL_NOT_FOUND", attempt),
    reply("FAILURE", "TOOL_CANCELED", attempt),
    reply("ERROR", "INVALID_ENVELOPE", attempt),
    { event: { type: "cue:NoResponder" } },
    ...(["requested", "parent_ended", "timed_out", "caller_lost"] as const).map(endCall),
  ],
};
