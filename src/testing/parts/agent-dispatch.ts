// The part of an agent dispatch: runtimes that acknowledge, refuse, are busy or silent, die, and cancels at any time.

import { agentDispatch } from "../../machines/agent-dispatch.ts";
import { fault } from "../../machines/cues.ts";
import type { Message } from "../../protocol/catalogue.ts";
import type { ErrorCode } from "../../protocol/errors.ts";
import type { Cause } from "../../protocol/fields.ts";
import { idOf, type Line, type Part } from "../part.ts";

type DispatchLine = Line<typeof agentDispatch>;

const agent = { id: "clerk", exec_id: idOf(3) };
const parents = { workflow: { id: "refund", exec_id: idOf(1) }, task: { id: "decide", exec_id: idOf(2) } };
const context = { attempt: 1, input: { claim: "late" }, timeout_config: { timeout_duration_ms: 30_000 } };
const order: Message<"command:TriggerAgent"> = { type: "command:TriggerAgent", agent, payload: { context } };
const reply_to_subject = `compozy.results.agent.${agent.exec_id}`;

/** More than these are never tried, nor asked for at once: a search has to end. */
const runtimes = [0, 1].map((number) => ({ id: `gpu-${number}`, exec_id: idOf(20 + number) }));
const cancelsMax = 2;

const acknowledgment = (code?: ErrorCode): DispatchLine => ({
  note: code === undefined ? "ACKNOWLEDGED" : `ERROR ${code}`,
  event: {
    type: "result:CommandAck",
    agent,
    payload:
      code === undefined
        ? { status: "ACKNOWLEDGED", result: null, context: { attempt: 1 } }
        : { status: "ERROR", result: fault(code, "not now"), context: { attempt: 1 } },
  },
});

const cancel = (cause: Cause, inbox?: string): DispatchLine => ({
  note: inbox === undefined ? cause : `${cause}, to be answered`,
  event: {
    type: "command:AgentCancel",
    ...parents,
    agent,
    payload: {
      ...(inbox !== undefined && { reply_to_subject: inbox }),
      context: { attempt: 1, cause, reason: "not needed", canceled_by: "ada" },
    },
  },
});

const failed = (code: ErrorCode): DispatchLine => ({
  note: code,
  event: {
    type: "event:AgentExecutionFailed",
    ...parents,
    agent,
    payload: { status: "FAILED", result: fault(code, "it failed"), context: { attempt: 1 } },
  },
});

export const agentDispatchPart: Part<typeof agentDispatch> = {
  machine: agentDispatch,
  inputs: {
    order: { order: { ...order, ...parents, payload: { reply_to_subject, context } } },
    "direct order, no reply": { order },
  },
  menu: ({ tried, busy, cancels }) => [
    ...runtimes
      .slice(0, [...tried, ...busy].length + 1)
      .map((runtime): DispatchLine => ({ note: runtime.id, event: { type: "cue:RuntimeChosen", runtime } })),
    { event: { type: "cue:NoRuntime" } },
    { note: "no place in line", event: { type: "cue:NoRuntime", ...fault("RATE_LIMITED", "the line is full") } },
    { event: { type: "cue:AllBusy" } },
    { event: { type: "cue:InLine" } },
    { event: { type: "cue:RuntimeFree" } },
    { event: { type: "cue:NoResponder" } },
    { event: { type: "cue:RuntimeLost" } },
    acknowledgment(),
    acknowledgment("AGENT_RUNTIME_BUSY"),
    acknowledgment("EXECUTION_NOT_FOUND"),
    ...(cancels.length < cancelsMax ? [cancel("requested", `_INBOX.${cancels.length}`)] : []),
    cancel("parent_ended"),
    cancel("timed_out"),
    ...(cancels.length < cancelsMax ? [cancel("caller_lost", `_INBOX.${cancels.length}`)] : []),
    {
      event: {
        type: "event:AgentExecutionStarted",
        ...parents,
        agent,
        agent_runtime: { exec_id: idOf(20) },
        payload: { status: "RUNNING", result: null, context: { attempt: 1 } },
      },
    },
    {
      event: {
        type: "event:AgentExecutionResult",
        ...parents,
        agent,
        payload: {
          status: "SUCCESS",
          agent_execution_status: "SUCCESS",
          duration_ms: 950,
          result: { output: { ok: true } },
          context: { attempt: 1 },
        },
      },
    },
    failed("AGENT_INVOCATION_TIMEOUT"),
    failed("AGENT_RUNTIME_LOST"),
    {
      event: {
        type: "event:AgentExecutionCanceled",
        ...parents,
        agent,
        payload: { status: "CANCELED", result: null, context: { attempt: 1, reason: "not needed" } },
      },
    },
  ],
};
