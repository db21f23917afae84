// Whether a runtime calls tools, and serves its own, as the protocol wants it.

import { isDeepStrictEqual } from "node:util";
import type { Message } from "../protocol/catalogue.ts";
import { isObject } from "../protocol/json.ts";
import { type Bed, type Case, known } from "./bed.ts";
import { judgeOrigin } from "./cases-agent.ts";
import {
  cancelAgent,
  cancelTool,
  errorOf,
  isKey,
  orderAgent,
  orderTool,
  outputOf,
  resultOf,
  statusOf,
} from "./orders.ts";
import { at, type Heard, type Order, type Stand } from "./stand.ts";

// ── tools that agents call ──

/** A tool that nobody else serves. */
const ownTool = "conformance-tool-of-the-test";

const execIdIn = (one: Heard): string => String(at(one, "tool.exec_id"));

/** Answers as a tool executor would. */
function answerCall(stand: Stand, call: Heard, payload: object): void {
  const sections = Object.fromEntries(
    ["workflow", "task", "agent", "tool"].flatMap((name) =>
      isObject(call.body[name]) ? [[name, call.body[name]]] : [],
    ),
  );
  const attempt = at(call, "payload.context.attempt") ?? 1;
  const word = { type: "result:ToolExecutionResult", ...sections, payload: { ...payload, context: { attempt } } };
  const correlationId = String(at(call, "metadata.correlation_id"));
  const causationId = String(at(call, "metadata.message_id"));
  const to = call.reply ?? String(at(call, "payload.reply_to_subject"));
  stand.answer(to, word as unknown as Message, { source: "XE", correlationId, causationId });
}

async function calls({ stand, target }: Bed): Promise<void> {
  const found: Heard[] = [];
  const served = stand.serve(ownTool, (call) => {
    found.push(call);
    const { wants } = (at(call, "payload.context.input") ?? {}) as { wants?: string };
    if (wants === "good") answerCall(stand, call, { status: "SUCCESS", result: { output: { found: "A7" } } });
    if (wants !== "bad") return;
    const error = { code: "TOOL_ERROR", message: "the press is broken", details: { cause_code: "PRESS_BROKEN" } };
    answerCall(stand, call, { status: "TOOL_ERROR", result: { error } });
  });
  const good = orderAgent(stand, target, known, { do: "tool", tool: ownTool, input: { wants: "good" } });
  const result = await resultOf(stand, good);
  judgeCall(stand, good, target.runtime.exec_id, found[0], result);
  const bad = orderAgent(stand, target, known, { do: "tool", tool: ownTool, input: { wants: "bad" } });
  const failed = await resultOf(stand, bad);
  const isTold =
    statusOf(failed) === "AGENT_ERROR" && ["TOOL_ERROR", "PRESS_BROKEN"].includes(String(errorOf(failed).cause));
  stand.judge("tool-failure-told", isTold, "AGENT_ERROR, details.cause_code PRESS_BROKEN or TOOL_ERROR", failed);
  const failedCall = found[1];
  if (failedCall) await judgeReport(stand, failedCall, "event:ToolExecutionFailed");
  const open = orderAgent(stand, target, known, { do: "tool", tool: ownTool, input: { wants: "nothing" } });
  const isOpen = (one: Heard) => (found.length > 2 && one === found[2] ? one : undefined);
  const hung = await stand.first(isOpen, stand.patienceMs, open.sentAt);
  cancelAgent(stand, target, open);
  const canceled =
    hung && (await stand.first(isKey("command:ToolCancel", execIdIn(hung)), stand.patienceMs, open.sentAt));
  stand.judge("tool-canceled", canceled !== undefined, "ToolCancel of the tool that the agent waits for", canceled);
  const withdrawn = { code: "TOOL_CANCELED", message: "canceled", details: {} };
  if (hung) answerCall(stand, hung, { status: "FAILURE", result: { error: withdrawn } });
  await resultOf(stand, open);
  served.unsubscribe();
  const nobody = orderAgent(stand, target, known, { do: "tool", tool: `${ownTool}-2`, input: {} });
  const unheard = await resultOf(stand, nobody, nobodyMs);
  const isUnheard = statusOf(unheard) === "AGENT_ERROR" && errorOf(unheard).cause === "TOOL_DISPATCH_FAILED";
  // Where a tool executor is at work, it answers for all tools.
  const isUnknown = errorOf(unheard).cause === "TOOL_NOT_FOUND";
  const expected = "AGENT_ERROR, details.cause_code TOOL_DISPATCH_FAILED, long before its timeout";
  stand.judge("tool-nobody", isUnheard || isUnknown, expected, unheard);
}
/** Far less than a tool may take. */
const nobodyMs = 5_000;

function judgeCall(stand: Stand, order: Order, runtimeId: string, call?: Heard, result?: Heard): void {
  if (!call) return void stand.judge("calls-tool", false, `ToolExecute for ${ownTool}`);
  const seen = stand.heard.find((one) => isKey("command:ToolExecute", execIdIn(call))(one));
  const timeout = at(call, "payload.context.timeout_config.timeout_duration_ms");
  const isOfAgent = at(call, "agent.exec_id") === order.execId && at(call, "payload.context.attempt") === order.attempt;
  const isPrivate = call.reply?.startsWith(`_INBOX_${runtimeId}.`) === true;
  const isRight = seen !== undefined && isOfAgent && Number(timeout) > 0 && isPrivate;
  const inbox = `_INBOX_${runtimeId}.>`;
  const expected = `a well-formed ToolExecute with agent ${order.execId}, attempt, timeout_config, a reply in ${inbox}`;
  stand.judge("calls-tool", isRight, expected, { ...call, subject: `${call.subject} (reply ${call.reply ?? "none"})` });
  const isTaken = isDeepStrictEqual(outputOf(result), { tool: { found: "A7" } });
  stand.judge("tool-answer-taken", isTaken, 'output {"tool":{"found":"A7"}}', result);
  const reported = stand.heard.find((one) => isKey("event:ToolExecutionSuccess", execIdIn(call))(one));
  stand.judge("tool-reported", reported !== undefined, "event ToolExecutionSuccess of the call", reported);
}
async function judgeReport(stand: Stand, call: Heard, key: "event:ToolExecutionFailed"): Promise<void> {
  const reported = await stand.first(isKey(key, execIdIn(call)), stand.patienceMs);
  stand.judge("tool-reported", reported !== undefined, "event ToolExecutionFailed of the call", reported);
}

// ── tools that it serves ──

async function serving({ stand, tool = "" }: Bed): Promise<void> {
  const value = { text: "é漢🎈", list: [1, null] };
  const order = orderTool(stand, tool, tool === known ? { do: "echo", value } : {});
  const result = await resultOf(stand, order, serveMs);
  const isRight =
    tool === known ? isDeepStrictEqual(outputOf(result), { echo: value }) : statusOf(result) !== undefined;
  stand.judge("tool-answers", result?.flaw === undefined && isRight, `a result on ${order.inbox}`, result);
  const started = stand.heard.find((one) => isKey("event:ToolExecutionStarted", order.execId)(one));
  const isBefore = started && result && stand.heard.indexOf(started) < stand.heard.indexOf(result);
  stand.judge("tool-starts", isBefore === true, "ToolExecutionStarted before the result", started);
  for (const one of [started, result]) {
    if (!one) continue;
    judgeOrigin(stand, order, one, true);
    const isKept = ["workflow", "task", "tool"].every(
      (name) => at(one, `${name}.exec_id`) === order.sections[name]?.exec_id,
    );
    stand.judge("tool-kept", isKept, `workflow, task and tool ${JSON.stringify(order.sections)}`, one);
  }
}
const serveMs = 35_000;

async function toolFailures({ stand }: Bed): Promise<void> {
  const failed = await resultOf(
    stand,
    orderTool(stand, known, { do: "fail", code: "PRESS_BROKEN", message: "broken" }),
  );
  const { code, cause } = errorOf(failed);
  const isRight = statusOf(failed) === "TOOL_ERROR" && code === "TOOL_ERROR" && cause === "PRESS_BROKEN";
  stand.judge("tool-fails", isRight, "TOOL_ERROR, error.code TOOL_ERROR, details.cause_code PRESS_BROKEN", failed);
  const empty = await resultOf(stand, orderTool(stand, known, { do: "empty" }));
  const isEmpty = statusOf(empty) === "SUCCESS" && isDeepStrictEqual(outputOf(empty), {});
  stand.judge("tool-empty", isEmpty, "SUCCESS, output {}", empty);
  const wrong = orderTool(stand, known, { do: "no such thing" });
  const unfit = await resultOf(stand, wrong);
  const begun = stand.heard.find((one) => isKey("event:ToolExecutionStarted", wrong.execId)(one));
  const isUnfit = statusOf(unfit) === "FAILURE" && errorOf(unfit).code === "TOOL_INPUT_INVALID" && begun === undefined;
  stand.judge(
    "tool-input",
    isUnfit,
    "FAILURE, error.code TOOL_INPUT_INVALID, and no ToolExecutionStarted",
    begun ?? unfit,
  );
  const from = stand.heard.length;
  const { layout } = stand.subjects;
  const params = { wf: "_", tool: known, ...(layout === "correlated" && { corr: stand.id() }) };
  const { inbox } = stand.raw(stand.subjects.build({ key: "command:ToolExecute", layout, params } as never), "{}");
  const refused = await stand.first((one) => (one.subject === inbox ? one : undefined), stand.patienceMs, from);
  const isRefused = statusOf(refused) === "ERROR" && errorOf(refused).code === "INVALID_ENVELOPE";
  stand.judge("tool-bad-bytes", isRefused, "ERROR, INVALID_ENVELOPE", refused);
}

async function toolCancels({ stand }: Bed): Promise<void> {
  const order = orderTool(stand, known, { do: "hang" });
  await stand.first(isKey("event:ToolExecutionStarted", order.execId), stand.patienceMs, order.sentAt);
  cancelTool(stand, order);
  const result = await resultOf(stand, order);
  const isCanceled = statusOf(result) === "FAILURE" && errorOf(result).code === "TOOL_CANCELED";
  stand.judge("tool-cancel", isCanceled, "FAILURE, error.code TOOL_CANCELED within 5 s", result);
  const silent = orderTool(stand, known, { do: "hang", ms: silentMs });
  await stand.first(isKey("event:ToolExecutionStarted", silent.execId), stand.patienceMs, silent.sentAt);
  cancelTool(stand, silent, "timed_out");
  const said = await resultOf(stand, silent, silentMs * 2);
  stand.judge("tool-cancel-silent", said === undefined, "no result: its caller has reported the timeout", said);
}
const silentMs = 600;

async function toolRepetition({ stand }: Bed): Promise<void> {
  const counted = async (): Promise<number> => {
    const result = await resultOf(stand, orderTool(stand, known, { do: "count" }));
    return Number((outputOf(result) as { begun?: unknown } | undefined)?.begun);
  };
  const before = await counted();
  const order = orderTool(stand, known, { do: "hang", ms: 300 });
  orderTool(stand, known, { do: "hang", ms: 300 }, { like: order, messageId: order.messageId });
  await resultOf(stand, order);
  const late = orderTool(stand, known, { do: "hang", ms: 300 }, { like: order });
  const again = await resultOf(stand, late);
  const began = (await counted()) - before - 1;
  stand.judge("tool-repeat", began === 1, "one run begun by three orders", `${began} runs begun`);
  const isSame = isDeepStrictEqual(outputOf(again), { waited: 300 });
  stand.judge("tool-repeat", isSame, "the same result for an order that is repeated after the end", again);
}

export const toolCases: readonly Case[] = [
  {
    name: "calls of tools",
    needs: ["known agent"],
    rules: [
      ...(["calls-tool", "tool-answer-taken", "tool-reported"] as const),
      ...(["tool-failure-told", "tool-nobody", "tool-canceled"] as const),
    ],
    play: calls,
  },
  { name: "a tool", needs: ["tool"], rules: ["tool-starts", "tool-answers", "tool-kept"], play: serving },
  {
    name: "failures of a tool",
    needs: ["known tool"],
    rules: ["tool-fails", "tool-empty", "tool-input", "tool-bad-bytes"],
    play: toolFailures,
  },
  { name: "cancels of a tool", needs: ["known tool"], rules: ["tool-cancel", "tool-cancel-silent"], play: toolCancels },
  { name: "repetition of a tool", needs: ["known tool"], rules: ["tool-repeat"], play: toolRepetition },
];
