// Acknowledgments: how a chart answers a command, where the command asked for an answer.

import type { Key, Message, Payload } from "../protocol/catalogue.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { Data } from "../protocol/fields.ts";
import { fault } from "./cues.ts";
import type { Says } from "./speech.ts";
import { silence } from "./step.ts";

type Command = Extract<Message, { type: `command:${string}` }>;
export type CommandKey = Extract<Key, `command:${string}`>;
type Extra = Pick<Payload<"result:CommandAck">["context"], "duplicate" | "no_change">;
type Ack = Says<"result:CommandAck">;

const isCommand = (event: { type: string }): event is Command => event.type.startsWith("command:");

/** The command is taken. Nobody who did not ask hears of it. */
export function accept(event: { type: string }, extra: Extra = {}): Ack {
  return answer(event, { status: "ACKNOWLEDGED", result: null, context: extra });
}

/** The command is valid, but not allowed now. */
export function decline(event: { type: string }, code: ErrorCode, message: string, details: Data = {}): Ack {
  return answer(event, { status: "ERROR", result: fault(code, message, details), context: {} });
}

/** The usual reason to decline: the execution is in the wrong state. */
export const declineIn = (event: { type: string }, status: string): Ack =>
  decline(event, "INVALID_STATE", `not possible while ${status}`, { status });

function answer(event: { type: string }, { context, ...payload }: Payload<"result:CommandAck">): Ack {
  // A relay names where the agent's result goes. Its acknowledgment goes to the transport's reply field, unseen here.
  if (!isCommand(event) || event.type === "command:AgentRuntimeExecute") return silence;
  if (event.payload.reply_to_subject === undefined) return silence;
  // The answer names the entity of the command, so that it fits the subject `results.<entity>.<exec_id>`.
  const { workflow, task, agent, tool, agent_runtime } = event;
  const own = event.type.startsWith("command:Workflow")
    ? { workflow }
    : event.type.startsWith("command:Task")
      ? { ...(workflow && { workflow }), task }
      : { ...(agent && { agent }), ...(tool && { tool }), ...(agent_runtime && { agent_runtime }) };
  const attempt = "attempt" in event.payload.context ? event.payload.context.attempt : undefined;
  return {
    type: "result:CommandAck",
    ...own,
    payload: { ...payload, context: { ...(attempt !== undefined && { attempt }), ...context } },
    to: event.payload.reply_to_subject,
  } as Ack;
}
