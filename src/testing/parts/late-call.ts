// The part of a call that was heard of late: of an agent or a tool, it ends well or badly, or nobody says how.

import { fault } from "../../machines/cues.ts";
import { lateCall } from "../../machines/late-call.ts";
import type { OpenCall } from "../../machines/task-memory.ts";
import { idOf, type Line, type Part } from "../part.ts";

type CallLine = Line<typeof lateCall>;

const workflow = { id: "refund", exec_id: idOf(1) };
const task = { id: "decide", exec_id: idOf(2) };
const agent = { id: "judge", exec_id: idOf(3) };
const tool = { id: "orders", exec_id: idOf(4) };
const context = { attempt: 1 };

const calls = {
  tool: { kind: "tool", callee: tool, parents: { workflow, task, agent }, attempt: 1 },
  agent: { kind: "agent", callee: agent, parents: { workflow, task }, attempt: 1 },
} satisfies Record<string, OpenCall>;

const failure = fault("TOOL_ERROR", "not today");
const reason = "not needed";

const ofTool: CallLine[] = [
  {
    event: {
      type: "event:ToolExecutionStarted",
      workflow,
      task,
      agent,
      tool,
      payload: { status: "RUNNING", result: null, context },
    },
  },
  {
    event: {
      type: "event:ToolExecutionSuccess",
      workflow,
      task,
      agent,
      tool,
      payload: { status: "SUCCESS", duration_ms: 12, result: { output: { ok: true } }, context },
    },
  },
  {
    event: {
      type: "event:ToolExecutionFailed",
      workflow,
      task,
      agent,
      tool,
      payload: { status: "FAILED", result: failure, context },
    },
  },
  {
    event: {
      type: "event:ToolExecutionCanceled",
      workflow,
      task,
      agent,
      tool,
      payload: { status: "CANCELED", result: null, context: { ...context, reason } },
    },
  },
];

const ofAgent: CallLine[] = [
  {
    event: {
      type: "event:AgentExecutionStarted",
      workflow,
      task,
      agent,
      agent_runtime: { id: "far", exec_id: idOf(9) },
      payload: { status: "RUNNING", result: null, context },
    },
  },
  {
    event: {
      type: "event:AgentExecutionResult",
      workflow,
      task,
      agent,
      payload: {
        status: "SUCCESS",
        agent_execution_status: "SUCCESS",
        duration_ms: 12,
        result: { output: { ok: true } },
        context,
      },
    },
  },
  {
    event: {
      type: "event:AgentExecutionFailed",
      workflow,
      task,
      agent,
      payload: { status: "FAILED", result: failure, context },
    },
  },
  {
    event: {
      type: "event:AgentExecutionCanceled",
      workflow,
      task,
      agent,
      payload: { status: "CANCELED", result: null, context: { ...context, reason } },
    },
  },
];

export const lateCallPart: Part<typeof lateCall> = {
  machine: lateCall,
  inputs: { "a tool": { call: calls.tool }, "an agent": { call: calls.agent } },
  menu: ({ call }) => (call.kind === "tool" ? ofTool : ofAgent),
};
