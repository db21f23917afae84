// Whether a runtime runs agents as the protocol wants it: acknowledged, begun, thought, answered once, within limits.

import { isDeepStrictEqual } from "node:util";
import type { Bed, Case } from "./bed.ts";
import { known } from "./bed.ts";
import { ackOf, cancelAgent, errorOf, isKey, orderAgent, outputOf, resultOf, statusOf } from "./orders.ts";
import { at, type Heard, type Order, type Stand, traceparent } from "./stand.ts";

/** Letters that are easily bent: other alphabets, escapes, a pair of surrogates, numbers at their limits. */
const bendable = {
  text: 'a"\\/\n\u0000é漢🎈',
  numbers: [0, -1, 1.5, 9007199254740991, 1e21],
  deep: { of: [{ it: null }] },
};
const largeBytes = 500_000;
const tooLargeBytes = 1_300_000;

async function echo({ stand, target, agent = "" }: Bed): Promise<void> {
  const order = orderAgent(stand, target, agent, agent === known ? { do: "echo", value: bendable } : {});
  const ack = await ackOf(stand, order);
  const expected = `CommandAck ACKNOWLEDGED on ${order.inbox} within ${stand.patienceMs} ms`;
  if (!stand.judge("acknowledges", ack?.flaw === undefined && statusOf(ack) === "ACKNOWLEDGED", expected, ack)) return;
  const result = await resultOf(stand, order, agentMs);
  stand.judge("answers", result !== undefined && result.flaw === undefined, `a result on ${order.resultTo}`, result);
  if (agent === known) {
    const isSame = isDeepStrictEqual(outputOf(result), { echo: bendable });
    stand.judge("answers-exactly", isSame, `output ${JSON.stringify({ echo: bendable })}`, result);
  }
  const started = stand.heard.find((one) => isKey("event:AgentExecutionStarted", order.execId)(one));
  const names = started && at(started, "agent_runtime.exec_id") === target.runtime.exec_id;
  stand.judge("starts", names === true, `AgentExecutionStarted with agent_runtime ${target.runtime.exec_id}`, started);
  judgeOrder(stand, order, ack, started, result);
}
/** Whatever an agent that nobody knows may take. */
const agentMs = 35_000;

function judgeOrder(stand: Stand, order: Order, ack?: Heard, started?: Heard, result?: Heard): void {
  const place = (one: Heard | undefined): number => (one ? stand.heard.indexOf(one) : -1);
  if (ack && started) {
    stand.judge("acknowledges-first", place(ack) < place(started), "the acknowledgment first", started);
  }
  const thought = stand.heard.find((one) => isKey("progress:AgentThinking", order.execId)(one));
  const isBetween = place(thought) > place(started) && (result === undefined || place(thought) < place(result));
  stand.judge("thinks", thought !== undefined && isBetween, "AgentThinking after Started, before the result", thought);
  for (const one of [started, thought, result]) {
    if (!one) continue;
    const { workflow, task, agent } = order.sections;
    const areKept = Object.entries({ workflow, task, agent }).every(
      ([name, section]) => at(one, `${name}.id`) === section?.id && at(one, `${name}.exec_id`) === section?.exec_id,
    );
    stand.judge("sections-kept", areKept, `workflow, task and agent ${JSON.stringify(order.sections)}`, one);
  }
  for (const one of [ack, started, thought, result]) {
    if (one) stand.judge("attempt-kept", at(one, "payload.context.attempt") === order.attempt, "attempt 1", one);
    if (one) judgeOrigin(stand, order, one);
  }
}

export function judgeOrigin(stand: Stand, order: Order, one: Heard, isTool = false): void {
  const [correlation, cause] = [at(one, "metadata.correlation_id"), at(one, "metadata.causation_id")];
  const { correlationId, messageId } = order;
  if (isTool) {
    const isKept = correlation === correlationId && cause === messageId;
    stand.judge("tool-kept", isKept, `correlation_id ${correlationId}, causation_id ${messageId}`, one);
  } else {
    stand.judge("correlation-kept", correlation === correlationId, `correlation_id ${correlationId}`, one);
    stand.judge("causation", cause === messageId, `causation_id ${messageId}`, one);
  }
  stand.judge("trace", one.headers["traceparent"] === traceparent, `the header traceparent: ${traceparent}`, one);
}

async function progress({ stand, target }: Bed): Promise<void> {
  const order = orderAgent(stand, target, known, { do: "think", text: "Reading A7" });
  const result = await resultOf(stand, order);
  const said = stand.heard.filter(
    (one) => one.parsed?.key.startsWith("progress:") === true && at(one, "agent.exec_id") === order.execId,
  );
  const kinds = said.map((one) => one.parsed?.key.replace(/^.*:Agent/, "")).join(", ");
  const seqs = said.map((one) => Number(at(one, "payload.context.seq")));
  const isGrowing = seqs.every((seq, index) => index === 0 || seq > (seqs[index - 1] ?? 0));
  const texts = said.slice(0, 2).every((one) => at(one, "payload.context.text") === "Reading A7");
  const isRight = kinds === "Thinking, Token, Step" && isGrowing && texts && statusOf(result) === "SUCCESS";
  const expected = "AgentThinking, AgentToken and AgentStep in this order, with the text and a growing seq";
  stand.judge("progress", isRight, expected, said.length === 0 ? undefined : `${kinds}; seq ${seqs.join(", ")}`);
}

async function failure({ stand, target }: Bed): Promise<void> {
  const failing = orderAgent(stand, target, known, { do: "fail", code: "CARD_DECLINED", message: "no funds" });
  const failed = await resultOf(stand, failing);
  const { code, cause } = errorOf(failed);
  const isRight = statusOf(failed) === "AGENT_ERROR" && code === "AGENT_ERROR" && cause === "CARD_DECLINED";
  const saysWhy = at(failed, "payload.result.error.message") === "no funds";
  const expected = "AGENT_ERROR, error.code AGENT_ERROR, message 'no funds', details.cause_code CARD_DECLINED";
  stand.judge("fails", isRight && saysWhy, expected, failed);
  const returning = orderAgent(stand, target, known, { do: "empty" });
  const empty = await resultOf(stand, returning);
  const isEmpty = statusOf(empty) === "AGENT_ERROR" && errorOf(empty).cause === "EMPTY_RESULT";
  stand.judge("empty", isEmpty, "AGENT_ERROR, details.cause_code EMPTY_RESULT", empty);
}

async function sizes({ stand, target }: Bed): Promise<void> {
  const value = "y".repeat(largeBytes);
  const whole = await resultOf(stand, orderAgent(stand, target, known, { do: "echo", value }), agentMs);
  const isWhole = (outputOf(whole) as { echo?: unknown } | undefined)?.echo === value;
  stand.judge("large", isWhole, `${largeBytes} letters back`, whole && short(whole));
  const over = await resultOf(stand, orderAgent(stand, target, known, { do: "large", bytes: tooLargeBytes }), agentMs);
  const isTold = statusOf(over) === "AGENT_ERROR" && errorOf(over).cause === "PAYLOAD_TOO_LARGE";
  stand.judge("too-large", isTold, "AGENT_ERROR, details.cause_code PAYLOAD_TOO_LARGE", over && short(over));
}
const short = (one: Heard): Heard => ({ ...one, text: one.text.slice(0, shownChars) });
const shownChars = 600;

async function together({ stand, target }: Bed): Promise<void> {
  const orders = ["one", "two"].map((value) => orderAgent(stand, target, known, { do: "echo", value }));
  const results = await Promise.all(orders.map((order) => resultOf(stand, order)));
  const outputs = results.map((one) => (outputOf(one) as { echo?: unknown } | undefined)?.echo);
  const isRight = isDeepStrictEqual(outputs, ["one", "two"]);
  stand.judge("two-at-once", isRight, "each run its own output: one, two", JSON.stringify(outputs));
}

async function counted({ stand, target }: Bed): Promise<number> {
  const result = await resultOf(stand, orderAgent(stand, target, known, { do: "count" }));
  return Number((outputOf(result) as { begun?: unknown } | undefined)?.begun);
}

async function repetition(bed: Bed): Promise<void> {
  const { stand, target } = bed;
  const before = await counted(bed);
  const order = orderAgent(stand, target, known, { do: "hang", ms: 400 });
  await ackOf(stand, order);
  const same = orderAgent(stand, target, known, { do: "hang", ms: 400 }, { like: order, messageId: order.messageId });
  const other = orderAgent(stand, target, known, { do: "hang", ms: 400 }, { like: order });
  const acks = [await ackOf(stand, same), await ackOf(stand, other)];
  await resultOf(stand, order);
  const late = orderAgent(stand, target, known, { do: "hang", ms: 400 }, { like: order });
  acks.push(await ackOf(stand, late));
  for (const ack of acks) {
    const isDuplicate = statusOf(ack) === "ACKNOWLEDGED" && at(ack, "payload.context.duplicate") === true;
    stand.judge("repeat-acknowledged", isDuplicate, "CommandAck ACKNOWLEDGED with context.duplicate true", ack);
  }
  await stand.wait(settleMs);
  const after = await counted(bed);
  const began = after - before - 1;
  stand.judge("repeat-runs-once", began === 1, "one run begun by four orders", `${began} runs begun`);
  const results = stand.heard.filter(({ subject }) => subject === order.resultTo);
  const told = new Set(results.map((one) => at(one, "metadata.message_id")));
  stand.judge("repeat-answered-once", told.size === 1, "one result, the same if it comes again", results.at(-1));
}
/** Longer than the run that may wrongly have begun. */
const settleMs = 700;

async function capacity({ stand, target }: Bed): Promise<void> {
  const { max } = target;
  if (max > capacityMax) {
    return stand.untried("over-capacity", `it takes ${max} at once, and the test fills at most ${capacityMax}`);
  }
  const fill = Array.from({ length: max }, () => orderAgent(stand, target, known, { do: "hang" }));
  const acks = await Promise.all(fill.map((order) => ackOf(stand, order)));
  const areTaken = acks.every((ack) => statusOf(ack) === "ACKNOWLEDGED");
  const expected = `${max} orders acknowledged, as max_concurrent_executions says`;
  if (
    !stand.judge(
      "over-capacity",
      areTaken,
      expected,
      acks.find((ack) => statusOf(ack) !== "ACKNOWLEDGED"),
    )
  )
    return;
  const beat = stand.first(
    (one) => (one.subject.endsWith(target.runtime.exec_id) && one.subject.includes(".heartbeats.") ? one : undefined),
    target.heartbeatMs * 2,
    stand.heard.length,
  );
  const over = orderAgent(stand, target, known, { do: "echo", value: 1 });
  const refused = await ackOf(stand, over);
  const isBusy = statusOf(refused) === "ERROR" && errorOf(refused).code === "AGENT_RUNTIME_BUSY";
  stand.judge("over-capacity", isBusy, "CommandAck ERROR, AGENT_RUNTIME_BUSY", refused);
  const told = await beat;
  const counts = at(told, "payload.context.in_flight");
  stand.judge("beats-in-flight", counts === max, `in_flight ${max} while ${max} run`, told);
  for (const order of fill) cancelAgent(stand, target, order);
  await Promise.all(fill.map((order) => resultOf(stand, order)));
  const begun = stand.heard.find((one) => isKey("event:AgentExecutionStarted", over.execId)(one));
  stand.judge("over-capacity", begun === undefined, "no AgentExecutionStarted of what was refused", begun);
  const next = orderAgent(stand, target, known, { do: "echo", value: 1 });
  const taken = await ackOf(stand, next);
  await resultOf(stand, next);
  stand.judge("capacity-freed", statusOf(taken) === "ACKNOWLEDGED", "CommandAck ACKNOWLEDGED", taken);
}
const capacityMax = 64;

export const agentCases: readonly Case[] = [
  {
    name: "an order",
    needs: ["agent"],
    rules: [
      ...(["acknowledges", "acknowledges-first", "starts", "thinks", "answers", "sections-kept"] as const),
      ...(["attempt-kept", "correlation-kept", "causation", "trace"] as const),
    ],
    play: echo,
  },
  { name: "an echo", needs: ["known agent"], rules: ["answers-exactly"], play: () => Promise.resolve() },
  { name: "progress", needs: ["known agent"], rules: ["progress"], play: progress },
  { name: "failure", needs: ["known agent"], rules: ["fails", "empty"], play: failure },
  { name: "sizes", needs: ["known agent"], rules: ["large", "too-large"], play: sizes },
  { name: "two at once", needs: ["known agent"], rules: ["two-at-once"], play: together },
  {
    name: "repetition",
    needs: ["known agent"],
    rules: ["repeat-acknowledged", "repeat-runs-once", "repeat-answered-once"],
    play: repetition,
  },
  {
    name: "capacity",
    needs: ["known agent"],
    rules: ["over-capacity", "capacity-freed", "beats-in-flight"],
    play: capacity,
  },
];
