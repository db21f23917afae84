// Whether a runtime refuses what is none of the protocol's, tells who sent it, and goes on.

import type { Bed, Case } from "./bed.ts";
import { ackOf, cancelAgent, errorOf, isKey, orderAgent, resultOf, statusOf } from "./orders.ts";
import { known } from "./bed.ts";
import { at, type Heard, type Stand } from "./stand.ts";

/** What was sent, as a dead letter has to name it. */
const isDeadLetter =
  (code: string, body: string) =>
  (one: Heard): Heard | undefined =>
    one.parsed?.key === "log:MessageRejected" &&
    at(one, "payload.context.code") === code &&
    at(one, "payload.context.original_body") === body
      ? one
      : undefined;

const on = (stand: Stand, inbox: string, from: number): Promise<Heard | undefined> =>
  stand.first((one) => (one.subject === inbox ? one : undefined), stand.patienceMs, from);

/** A well-formed order as text, with what a case changes in it. */
function orderText({ stand, target, agent = "" }: Bed, change: (body: Record<string, unknown>) => void): string {
  const body: Record<string, unknown> = {
    metadata: {
      message_id: stand.id(),
      correlation_id: stand.id(),
      event_timestamp: new Date(stand.clock.now()).toISOString(),
      source_component: "agent.Dispatcher",
    },
    agent_runtime: target.runtime,
    agent: { id: agent, exec_id: stand.id() },
    payload: {
      reply_to_subject: stand.inbox(),
      context: { attempt: 1, input: {}, timeout_config: { timeout_duration_ms: 5_000 } },
    },
  };
  change(body);
  return JSON.stringify(body);
}

/** The subject of an order to this runtime, with another action in its place. */
function subjectOf({ stand, target, agent = "x" }: Bed, action = "execute"): string {
  const { exec_id: rt } = target.runtime;
  const { layout } = stand.subjects;
  const params = { rt, agent, ...(layout === "correlated" && { corr: stand.id() }) };
  const subject = stand.subjects.build({ key: "command:AgentRuntimeExecute", layout, params } as never);
  return subject.replace(/\.execute(?=\.|$)/, `.${action}`);
}

async function unknownWords(bed: Bed): Promise<void> {
  const { stand, target } = bed;
  const none = orderAgent(stand, target, "no-such-agent", {});
  const declined = await ackOf(stand, none);
  const isTold = statusOf(declined) === "ERROR" && errorOf(declined).code === "AGENT_NOT_FOUND";
  const begun = stand.heard.find((one) => isKey("event:AgentExecutionStarted", none.execId)(one));
  if (!target.agents.includes("*")) {
    const expected = "CommandAck ERROR, AGENT_NOT_FOUND, and nothing begun";
    stand.judge("unknown-agent", isTold && begun === undefined, expected, begun ?? declined);
  } else stand.untried("unknown-agent", "it takes any agent: its capabilities say *");
  const from = stand.heard.length;
  const body = orderText(bed, () => undefined);
  const { inbox } = stand.raw(subjectOf(bed, "explode"), body);
  const refused = await on(stand, inbox, from);
  const isRefused = statusOf(refused) === "ERROR" && errorOf(refused).code === "UNKNOWN_MESSAGE_TYPE";
  stand.judge("unknown-command", isRefused, "CommandAck ERROR, UNKNOWN_MESSAGE_TYPE", refused);
  const kept = await stand.first(isDeadLetter("UNKNOWN_MESSAGE_TYPE", body), stand.patienceMs, from);
  stand.judge(
    "unknown-command-kept",
    kept !== undefined,
    "MessageRejected with the body on rejected.unknown_message_type",
  );
}

async function wrongBodies(bed: Bed): Promise<void> {
  const { stand } = bed;
  const from = stand.heard.length;
  const broken = '{"metadata":';
  const { inbox } = stand.raw(subjectOf(bed), broken);
  const refused = await on(stand, inbox, from);
  const isRefused = statusOf(refused) === "ERROR" && errorOf(refused).code === "INVALID_ENVELOPE";
  stand.judge("bad-bytes", isRefused, "CommandAck ERROR, INVALID_ENVELOPE", refused);
  const kept = await stand.first(isDeadLetter("INVALID_ENVELOPE", broken), stand.patienceMs, from);
  stand.judge("bad-bytes-kept", kept !== undefined, `MessageRejected with original_body ${broken}`);
  const lacking = orderText(bed, ({ payload }) => delete (payload as { context: { input?: unknown } }).context.input);
  const invalid = await on(stand, stand.raw(subjectOf(bed), lacking).inbox, from);
  const isInvalid = statusOf(invalid) === "ERROR" && errorOf(invalid).code === "VALIDATION_FAILED";
  stand.judge("bad-fields", isInvalid, "CommandAck ERROR, VALIDATION_FAILED", invalid);
  const misnamed = orderText(bed, ({ metadata }) => Object.assign(metadata as object, { message_type: "AgentCancel" }));
  const contradicting = await on(stand, stand.raw(subjectOf(bed), misnamed).inbox, from);
  const isMismatch = statusOf(contradicting) === "ERROR" && errorOf(contradicting).code === "MESSAGE_TYPE_MISMATCH";
  stand.judge("bad-name", isMismatch, "CommandAck ERROR, MESSAGE_TYPE_MISMATCH", contradicting);
  const order = orderAgent(stand, bed.target, bed.agent ?? "", bed.agent === known ? { do: "echo", value: 1 } : {});
  const after = await ackOf(stand, order);
  stand.judge("bad-survived", statusOf(after) === "ACKNOWLEDGED", "the next order acknowledged", after);
  await resultOf(stand, order);
}

async function cancels({ stand, target }: Bed): Promise<void> {
  const order = orderAgent(stand, target, known, { do: "hang" });
  await ackOf(stand, order);
  const first = cancelAgent(stand, target, order);
  const second = cancelAgent(stand, target, order);
  const ack = await ackOf(stand, first);
  stand.judge("cancel-acknowledged", statusOf(ack) === "ACKNOWLEDGED", "CommandAck ACKNOWLEDGED", ack);
  const result = await resultOf(stand, order);
  const isCanceled = statusOf(result) === "FAILURE" && errorOf(result).code === "AGENT_CANCELED";
  stand.judge("cancel-answered", isCanceled, "FAILURE, error.code AGENT_CANCELED within 5 s", result);
  const again = await ackOf(stand, second);
  // It may have ended before the second came.
  const isNoChange = at(again, "payload.context.no_change") === true || errorOf(again).code === "EXECUTION_NOT_FOUND";
  stand.judge("cancel-again", isNoChange, "CommandAck with context.no_change true, or ERROR if it has ended", again);
  const ended = await ackOf(stand, cancelAgent(stand, target, order));
  stand.judge("cancel-ended", statusOf(ended) === "ERROR", "CommandAck ERROR", ended);
  const stranger = { ...order, execId: stand.id() };
  stranger.sections = { ...order.sections, agent: { id: known, exec_id: stranger.execId } };
  const unknown = await ackOf(stand, cancelAgent(stand, target, stranger));
  const isUnknown = statusOf(unknown) === "ERROR" && errorOf(unknown).code === "EXECUTION_NOT_FOUND";
  stand.judge("cancel-unknown", isUnknown, "CommandAck ERROR, EXECUTION_NOT_FOUND", unknown);
  const silent = orderAgent(stand, target, known, { do: "hang", ms: silentMs });
  await ackOf(stand, silent);
  const givenUp = await ackOf(stand, cancelAgent(stand, target, silent, "timed_out"));
  stand.judge("cancel-acknowledged", statusOf(givenUp) === "ACKNOWLEDGED", "CommandAck ACKNOWLEDGED", givenUp);
  const said = await resultOf(stand, silent, silentMs * 2);
  stand.judge("cancel-silent", said === undefined, "no result: its caller has reported the timeout", said);
}
/** A runtime that goes on in spite of the cancel answers after that. */
const silentMs = 600;

export const refusalCases: readonly Case[] = [
  {
    name: "unknown words",
    needs: ["agent"],
    rules: ["unknown-agent", "unknown-command", "unknown-command-kept"],
    play: unknownWords,
  },
  {
    name: "wrong bytes",
    needs: ["agent"],
    rules: ["bad-bytes", "bad-bytes-kept", "bad-fields", "bad-name", "bad-survived"],
    play: wrongBodies,
  },
  {
    name: "cancels",
    needs: ["known agent"],
    rules: [
      ...(["cancel-acknowledged", "cancel-answered", "cancel-again"] as const),
      ...(["cancel-unknown", "cancel-ended", "cancel-silent"] as const),
    ],
    play: cancels,
  },
];
