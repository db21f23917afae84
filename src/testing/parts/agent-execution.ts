// The part of an agent execution: an agent that speaks, errs, is canceled elsewhere, is never there.

import { agentExecution } from "../../machines/agent-execution.ts";
import { fault } from "../../machines/cues.ts";
import { idOf, type Part } from "../part.ts";

const callee = { id: "clerk", exec_id: idOf(3) };
const parents = { workflow: { id: "refund", exec_id: idOf(1) }, task: { id: "decide", exec_id: idOf(2) } };
const call = { parents, callee, attempt: 1, input: { claim: "late" }, timeoutMs: 30_000 };

export const agentExecutionPart: Part<typeof agentExecution> = {
  machine: agentExecution,
  inputs: { call },
  menu: ({ attempt }) => [
    {
      event: {
        type: "event:AgentExecutionStarted",
        ...parents,
        agent: callee,
        agent_runtime: { exec_id: idOf(9) },
        payload: { status: "RUNNING", result: null, context: { attempt } },
      },
    },
    {
      note: "SUCCESS",
      event: {
        type: "result:AgentExecutionResult",
        agent: callee,
        payload: { status: "SUCCESS", result: { output: { ok: true } }, context: { attempt } },
      },
    },
    {
      note: "AGENT_ERROR",
      event: {
        type: "result:AgentExecutionResult",
        agent: callee,
        payload: {
          status: "AGENT_ERROR",
          result: fault("AGENT_ERROR", "refused", { cause_code: "REFUSED" }),
          context: { attempt },
        },
      },
    },
    {
      note: "FAILURE AGENT_RUNTIME_LOST",
      event: {
        type: "result:AgentExecutionResult",
        agent: callee,
        payload: { status: "FAILURE", result: fault("AGENT_RUNTIME_LOST", "the runtime died"), context: { attempt } },
      },
    },
    {
      note: "FAILURE AGENT_CANCELED",
      event: {
        type: "result:AgentExecutionResult",
        agent: callee,
        payload: { status: "FAILURE", result: fault("AGENT_CANCELED", "not needed"), context: { attempt } },
      },
    },
    { event: { type: "cue:NoResponder" } },
    { note: "requested", event: { type: "cue:EndCall", exec_id: callee.exec_id, cause: "requested", reason: "stop" } },
    { note: "timed_out", event: { type: "cue:EndCall", exec_id: callee.exec_id, cause: "timed_out", reason: "late" } },
  ],
};
