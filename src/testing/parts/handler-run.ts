// The part of a handler run: agents and tools that return, return nothing, throw, obey a cancel or do not.

import { fault } from "../../machines/cues.ts";
import { handlerRun } from "../../machines/handler-run.ts";
import type { Message } from "../../protocol/catalogue.ts";
import type { ErrorCode } from "../../protocol/errors.ts";
import type { Cause } from "../../protocol/fields.ts";
import { idOf, type Line, type Part } from "../part.ts";

type RunLine = Line<typeof handlerRun>;
type Threw = Extract<RunLine["event"], { type: "cue:Threw" }>;

const parents = { workflow: { id: "refund", exec_id: idOf(1) }, task: { id: "decide", exec_id: idOf(2) } };
const agent = { id: "clerk", exec_id: idOf(3) };
const tool = { id: "orders", exec_id: idOf(4) };
const runtime = { id: "gpu-0", exec_id: idOf(20) };
const another = idOf(99);
const context = { attempt: 2, input: { claim: "late" }, timeout_config: { timeout_duration_ms: 30_000 } };
const inbox = "_INBOX.1";

const ofAgent: Message<"command:AgentRuntimeExecute"> = {
  type: "command:AgentRuntimeExecute",
  ...parents,
  agent,
  agent_runtime: { exec_id: runtime.exec_id },
  payload: { reply_to_subject: `results.agent.${agent.exec_id}`, context },
};
const ofTool: Message<"command:ToolExecute"> = {
  type: "command:ToolExecute",
  ...parents,
  tool,
  payload: { reply_to_subject: `results.tool.${tool.exec_id}`, context },
};
const problem = (code: ErrorCode, message: string) => ({ problem: fault(code, message).error });

const inputs = {
  agent: { order: ofAgent, runtime },
  "agent, direct": {
    order: { type: ofAgent.type, agent, agent_runtime: ofAgent.agent_runtime, payload: ofAgent.payload },
  },
  "agent, no free slot": { order: ofAgent, runtime, ...problem("AGENT_RUNTIME_BUSY", "no free slot") },
  "no such agent": { order: ofAgent, runtime, ...problem("AGENT_NOT_FOUND", "no such agent") },
  tool: { order: ofTool },
  "tool of an agent, no reply": { order: { ...ofTool, agent, payload: { context } } },
  "tool with limits": { order: ofTool, waits: true },
  "tool, ordered from elsewhere": { order: ofTool, isRemote: true },
  "agent, ordered from elsewhere": { order: ofAgent, runtime, isRemote: true },
  "tool without a timeout, ordered from elsewhere": {
    order: { ...ofTool, payload: { context: { ...context, timeout_config: { timeout_duration_ms: 0 } } } },
    isRemote: true,
  },
  "no such tool": { order: ofTool, ...problem("TOOL_NOT_FOUND", "no such tool") },
  "tool, no free slot": { order: ofTool, ...problem("EXECUTOR_BUSY", "no free slot") },
  "tool, bad input": { order: ofTool, ...problem("TOOL_INPUT_INVALID", "order must be a string") },
} satisfies Part<typeof handlerRun>["inputs"];

const returned = (note: string, exec_id: string, output: object, thought = false): RunLine => ({
  note,
  event: { type: "cue:Returned", exec_id, output: { ...output }, thought },
});
const threw = (note: string, exec_id: string, error: Threw["error"], thought = false): RunLine => ({
  note,
  event: { type: "cue:Threw", exec_id, error, thought },
});

/** A cancel of the kind of callee that it is. */
function cancel(isAgent: boolean, cause: Cause, isAsking: boolean, exec_id?: string): RunLine {
  const payload = {
    ...(isAsking && { reply_to_subject: inbox }),
    context: { attempt: context.attempt, cause, reason: "not needed" },
  };
  const note = exec_id === undefined ? (isAsking ? `${cause}, to be answered` : cause) : "another's";
  return isAgent
    ? {
        note,
        event: {
          type: "command:AgentRuntimeCancel",
          ...parents,
          agent: { exec_id: exec_id ?? agent.exec_id },
          agent_runtime: runtime,
          payload,
        },
      }
    : { note, event: { type: "command:ToolCancel", ...parents, tool: { exec_id: exec_id ?? tool.exec_id }, payload } };
}

export const handlerRunPart: Part<typeof handlerRun> = {
  machine: handlerRun,
  inputs,
  menu: ({ order }) => {
    const isAgent = order.type === "command:AgentRuntimeExecute";
    const { exec_id } = isAgent ? order.agent : order.tool;
    return [
      { note: "again", event: order },
      ...(isAgent ? [{ note: "another's", event: { ...order, agent: { ...agent, exec_id: another } } }] : []),
      returned("an output", exec_id, { verdict: "refund" }),
      returned("an output, had thought", exec_id, { verdict: "refund" }, true),
      returned("nothing", exec_id, {}),
      returned("another's", another, { verdict: "lost" }),
      threw("no code", exec_id, { message: "not today" }),
      threw("its own code, had thought", exec_id, { message: "closed", code: "CLOSED", details: { until: 9 } }, true),
      threw("TOOL_OUTPUT_INVALID", exec_id, { message: "n must be a number", code: "TOOL_OUTPUT_INVALID" }),
      threw("AGENT_ERROR", exec_id, { message: "refused", code: "AGENT_ERROR", details: { cause_code: "RUDE" } }),
      threw("TOOL_ERROR", exec_id, { message: "broken", code: "TOOL_ERROR" }),
      threw("another's", another, { message: "lost" }),
      { event: { type: "cue:RoomGranted" } },
      { note: "no place in line", event: { type: "cue:RoomGranted", ...problem("TOOL_DISPATCH_FAILED", "full") } },
      ...(["requested", "parent_ended", "timed_out", "caller_lost"] as const).flatMap((cause) => [
        cancel(isAgent, cause, false),
        cancel(isAgent, cause, true),
      ]),
      cancel(isAgent, "requested", true, another),
      // What belongs to the other kind of callee is never about this run.
      isAgent ? cancel(false, "requested", true, another) : cancel(true, "requested", true, another),
    ];
  },
};
