// A call: what the charts of agent and tool executions have in common.

import type { Payload, Section } from "../protocol/catalogue.ts";
import type { WireError } from "../protocol/errors.ts";
import type { Cause } from "../protocol/fields.ts";
import type { Outcome } from "./speech.ts";
import type { Stamp } from "./step.ts";

/** How long a canceled callee may take to answer before it is taken as gone. */
export const cancelGraceMs = 5_000;

type Parents = { workflow?: Section; task?: Section; agent?: Section };

/** What the caller asks for. */
export type Call = {
  parents: Parents;
  callee: { id: string; exec_id: string };
  attempt: number;
  input: unknown;
  timeoutMs: number;
  /** More of the command's context: names of environment values, the agent's own request. */
  context?: Pick<Payload<"command:TriggerAgent">["context"], "env" | "agent_request" | "last_step">;
};

export type CallInput = Call & Stamp;

/** What a call's chart remembers. */
export type CallContext = Call & {
  startedAt: number;
  reply: Outcome;
  cancel: { cause: Cause; reason: string };
};

export const openCall = ({ at, seed: _seed, ...call }: CallInput): CallContext => ({
  ...call,
  startedAt: at,
  reply: { output: {} },
  cancel: { cause: "requested", reason: "" },
});

export const timeoutOf = ({ timeoutMs }: Call) => ({
  timeout_duration_ms: timeoutMs,
  timeout_policy: "FAIL_TASK" as const,
});

export const errorOf = (outcome: Outcome): WireError | undefined => ("error" in outcome ? outcome.error : undefined);

/** Whether a canceled callee still answers: one that is given up stops without a reply. */
export const awaitsReply = ({ cancel }: CallContext): boolean =>
  cancel.cause === "requested" || cancel.cause === "parent_ended";
