// Orders as a dispatcher and a caller of tools give them, and what is to come of each.

import type { Key, Message } from "../protocol/catalogue.ts";
import { isObject } from "../protocol/json.ts";
import { at, type Heard, type Order, type Ordering, type Stand, type Target } from "./stand.ts";

const timeoutMs = 30_000;

/** Gives an agent to the runtime. */
export function orderAgent(
  stand: Stand,
  { runtime }: Target,
  id: string,
  input: unknown,
  ordering: Ordering = {},
): Order {
  const { like, attempt = like?.attempt ?? 1 } = ordering;
  const execId = ordering.execId ?? like?.execId ?? stand.id();
  const correlationId = like?.correlationId ?? stand.id();
  const sections = like?.sections ?? { ...parents(stand), agent: { id, exec_id: execId } };
  const resultTo = like?.resultTo ?? resultSubject(stand, "result:AgentExecutionResult", sections, correlationId);
  const inbox = stand.inbox();
  const sentAt = stand.heard.length;
  const context = { attempt, input, timeout_config: { timeout_duration_ms: ordering.timeoutMs ?? timeoutMs } };
  const payload = { reply_to_subject: resultTo, context };
  const command = { type: "command:AgentRuntimeExecute", ...sections, agent_runtime: runtime, payload };
  const origin = { source: "AD" as const, correlationId, ...(ordering.messageId && { id: ordering.messageId }) };
  const messageId = stand.send(command as unknown as Message, origin, { reply: inbox });
  return { execId, messageId, correlationId, inbox, resultTo, sections, attempt, sentAt };
}

/** Calls a tool. */
export function orderTool(stand: Stand, id: string, input: unknown, ordering: Ordering = {}): Order {
  const { like, attempt = like?.attempt ?? 1 } = ordering;
  const execId = ordering.execId ?? like?.execId ?? stand.id();
  const correlationId = like?.correlationId ?? stand.id();
  const sections = like?.sections ?? { ...parents(stand), tool: { id, exec_id: execId } };
  const inbox = like?.inbox ?? stand.inbox();
  const sentAt = stand.heard.length;
  const context = { attempt, input, timeout_config: { timeout_duration_ms: ordering.timeoutMs ?? timeoutMs } };
  const command = { type: "command:ToolExecute", ...sections, payload: { reply_to_subject: inbox, context } };
  const origin = { source: "TE" as const, correlationId, ...(ordering.messageId && { id: ordering.messageId }) };
  const messageId = stand.send(command as unknown as Message, origin, { reply: inbox });
  return { execId, messageId, correlationId, inbox, resultTo: inbox, sections, attempt, sentAt };
}

type Cause = "requested" | "timed_out";

/** Cancels an agent; gives where that is acknowledged, and since when to look. */
export function cancelAgent(stand: Stand, { runtime }: Target, order: Order, cause: Cause = "requested"): Canceled {
  const inbox = stand.inbox();
  const sentAt = stand.heard.length;
  const context = { attempt: order.attempt, cause, reason: "the test wants it" };
  const command = {
    type: "command:AgentRuntimeCancel",
    ...order.sections,
    agent_runtime: runtime,
    payload: { context },
  };
  const { correlationId } = order;
  const messageId = stand.send(command as unknown as Message, { source: "AD", correlationId }, { reply: inbox });
  return { inbox, sentAt, messageId };
}
export type Canceled = { inbox: string; sentAt: number; messageId: string };

export function cancelTool(stand: Stand, order: Order, cause: Cause = "requested"): void {
  const context = { attempt: order.attempt, cause, reason: "the test wants it" };
  const command = { type: "command:ToolCancel", ...order.sections, payload: { context } };
  stand.send(command as unknown as Message, { source: "TE", correlationId: order.correlationId });
}

const parents = (stand: Stand) => ({
  workflow: { id: "conformance-test", exec_id: stand.id() },
  task: { id: "probe", exec_id: stand.id() },
});

function resultSubject(stand: Stand, type: Key, sections: Order["sections"], correlation_id: string): string {
  const message = { type, ...sections, payload: {} } as unknown as Message;
  return stand.subjects.subjectOf(message, { correlation_id, source_component: "agent.Runtime" });
}

// ── what comes of it ──

export const isKey =
  (key: Key, execId: string) =>
  (one: Heard): Heard | undefined => {
    if (one.parsed?.key !== key) return undefined;
    const entity = key.includes("Tool") ? "tool" : "agent";
    return at(one, `${entity}.exec_id`) === execId ? one : undefined;
  };
const on =
  (subject: string) =>
  (one: Heard): Heard | undefined =>
    one.subject === subject ? one : undefined;

export const ackOf = (stand: Stand, { inbox, sentAt }: Pick<Order, "inbox" | "sentAt">): Promise<Heard | undefined> =>
  stand.first(on(inbox), stand.patienceMs, sentAt);
export const resultOf = (stand: Stand, order: Order, ms = resultMs): Promise<Heard | undefined> =>
  stand.first(on(order.resultTo), ms, order.sentAt);
/** As long as a canceled callee may take to answer. */
const resultMs = 6_000;

export const errorOf = (one: Heard | undefined): { code: unknown; cause: unknown } => {
  const error = at(one, "payload.result.error");
  if (!isObject(error)) return { code: undefined, cause: undefined };
  const { code, details } = error;
  return { code, cause: isObject(details) ? details["cause_code"] : undefined };
};
export const statusOf = (one: Heard | undefined): unknown => at(one, "payload.status");
export const outputOf = (one: Heard | undefined): unknown => at(one, "payload.result.output");
