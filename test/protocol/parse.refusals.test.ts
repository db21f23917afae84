// The door for foreign bytes refuses whatever the protocol does not allow, and says why and where.
//
// Method: one good message, spoilt in one way at a time; each way with its reason, its code and its field.

import { describe, expect, test } from "vitest";
import { keys, kindOf, nameOf } from "../../src/protocol/catalogue.ts";
import type { ErrorCode, TroupeError } from "../../src/protocol/errors.ts";
import { parse } from "../../src/protocol/parse.ts";
import { refusals, type Why } from "../../src/protocol/refusal.ts";
import {
  ack,
  agentx,
  answer,
  change,
  correlated,
  dead,
  direct,
  encoder,
  fieldsOf,
  hear,
  id,
  log,
  metadata,
  put,
  refusalOf,
  said,
  relay,
  spoilt,
  subjects,
  taskx,
  timeout,
  trigger,
  type Sent,
} from "../kit/sent.ts";

describe("refusals", () => {
  type Reason = readonly [why: Why, code: ErrorCode, sent: Sent, ...fields: string[]];
  const reasons: readonly Reason[] = [
    ["too_large", "PAYLOAD_TOO_LARGE", { ...trigger, text: " ".repeat(1_048_577) }],
    ["byte_order_mark", "INVALID_ENVELOPE", { ...trigger, text: "\uFEFF{}" }],
    ["not_json", "INVALID_ENVELOPE", { ...trigger, text: "{" }],
    ["not_an_object", "INVALID_ENVELOPE", { ...trigger, text: "[]" }],
    ["not_an_object", "INVALID_ENVELOPE", { ...trigger, text: "null" }],
    ["too_deep", "INVALID_ENVELOPE", { ...trigger, text: "[".repeat(129) + "]".repeat(129) }],
    ["forbidden_key", "INVALID_ENVELOPE", { ...trigger, text: '{"a":{"__proto__":1}}' }, "a.__proto__"],
    ["lone_surrogate", "INVALID_ENVELOPE", { ...trigger, text: '{"a":"\\ud800"}' }, "a"],
    ["number_out_of_range", "INVALID_ENVELOPE", { ...trigger, text: '{"a":1e999}' }, "a"],
    ["bent_number", "VALIDATION_FAILED", { ...trigger, text: '{"a":[9007199254740993]}' }, "a.0"],

    ["malformed_subject", "INVALID_SUBJECT", { ...trigger, subject: "compozy.commands.>" }],
    ["foreign_prefix", "INVALID_SUBJECT", { ...trigger, subject: "other.commands.agent.refund.trigger.judge" }],
    ["unknown_root", "INVALID_SUBJECT", { ...trigger, subject: "compozy.orders.agent.refund.trigger.judge" }],
    ["misshapen_subject", "INVALID_SUBJECT", { ...trigger, subject: "compozy.commands.agent.trigger.judge" }],
    ["bad_token", "INVALID_SUBJECT", { ...trigger, subject: "compozy.commands.agent.refund.trigger._" }],
    ["unknown_subject", "UNKNOWN_MESSAGE_TYPE", { ...trigger, subject: "compozy.commands.agent.refund.explode.judge" }],

    ["unknown_name", "UNKNOWN_MESSAGE_TYPE", spoilt("metadata.message_type", "Explode"), "metadata.message_type"],
    ["unknown_name", "UNKNOWN_MESSAGE_TYPE", spoilt("metadata.message_type", ""), "metadata.message_type"],
    ["unknown_name", "UNKNOWN_MESSAGE_TYPE", spoilt("metadata.message_type", "constructor"), "metadata.message_type"],
    [
      "unknown_name",
      "UNKNOWN_MESSAGE_TYPE",
      { ...spoilt("metadata.message_type", "Explode"), subject: "_INBOX.a" },
      "metadata.message_type",
    ],
    [
      "contradicting_name",
      "MESSAGE_TYPE_MISMATCH",
      spoilt("metadata.message_type", "ToolExecute"),
      "metadata.message_type",
    ],
    [
      "contradicting_name",
      "MESSAGE_TYPE_MISMATCH",
      spoilt("metadata.message_type", "ExecuteTool"),
      "metadata.message_type",
    ],
    ["contradicting_name", "MESSAGE_TYPE_MISMATCH", { ...trigger, subject: "_INBOX.a" }, "metadata.message_type"],
    [
      "missing_name",
      "INVALID_ENVELOPE",
      { ...change(answer, "metadata.message_type"), subject: "_INBOX.a" },
      "metadata.message_type",
    ],

    ["bad_metadata", "INVALID_ENVELOPE", spoilt("metadata"), "metadata"],
    ["bad_metadata", "INVALID_ENVELOPE", spoilt("metadata", []), "metadata"],
    ["bad_metadata", "INVALID_ENVELOPE", spoilt("metadata.message_type", 7), "metadata.message_type"],
    ["bad_metadata", "INVALID_ENVELOPE", spoilt("metadata.message_id", "m1"), "metadata.message_id"],
    [
      "bad_metadata",
      "INVALID_ENVELOPE",
      { ...spoilt("metadata.message_id"), headers: { "Nats-Msg-Id": "m1" } },
      "metadata.message_id",
    ],
    ["bad_metadata", "INVALID_ENVELOPE", spoilt("metadata.correlation_id"), "metadata.correlation_id"],
    ["bad_metadata", "INVALID_ENVELOPE", spoilt("metadata.causation_id", "c1"), "metadata.causation_id"],
    ["bad_metadata", "INVALID_ENVELOPE", spoilt("metadata.event_timestamp"), "metadata.event_timestamp"],
    ["bad_metadata", "INVALID_ENVELOPE", spoilt("metadata.event_timestamp", "yesterday"), "metadata.event_timestamp"],
    ["bad_metadata", "INVALID_ENVELOPE", spoilt("metadata.source_component"), "metadata.source_component"],

    ["bad_section", "INVALID_ENVELOPE", spoilt("agent"), "agent"],
    ["bad_section", "INVALID_ENVELOPE", spoilt("agent", null), "agent"],
    ["bad_section", "INVALID_ENVELOPE", spoilt("agent.id"), "agent.id"],
    ["bad_section", "INVALID_ENVELOPE", spoilt("agent.id", "_"), "agent.id"],
    [
      "bad_section",
      "INVALID_ENVELOPE",
      spoilt("agent.exec_id", agentx.toUpperCase().replace("8", "A")),
      "agent.exec_id",
    ],
    ["bad_section", "INVALID_ENVELOPE", spoilt("task", {}), "task"],
    ["bad_section", "INVALID_ENVELOPE", spoilt("tool", "mail"), "tool"],
    ["bad_section", "INVALID_ENVELOPE", change(relay, "agent_runtime"), "agent_runtime"],
    ["bad_section", "INVALID_ENVELOPE", change(ack, "task"), "task"],
    ["bad_section", "INVALID_ENVELOPE", change(ack, "task", { id: "decide" }), "task.exec_id"],

    ["contradicts_subject", "INVALID_ENVELOPE", spoilt("agent.id", "clerk"), "agent.id"],
    ["contradicts_subject", "INVALID_ENVELOPE", spoilt("workflow.id", "other"), "workflow.id"],
    [
      "contradicts_subject",
      "INVALID_ENVELOPE",
      { ...trigger, subject: "compozy.commands.agent._.trigger.judge" },
      "workflow.id",
    ],
    ["contradicts_subject", "INVALID_ENVELOPE", change(answer, "agent.exec_id", id(99)), "agent.exec_id"],
    [
      "contradicts_subject",
      "INVALID_ENVELOPE",
      change(relay, "agent_runtime.exec_id", id(99)),
      "agent_runtime.exec_id",
    ],
    ["contradicts_subject", "INVALID_ENVELOPE", change(relay, "agent.id", "clerk"), "agent.id"],
    ["contradicts_subject", "INVALID_ENVELOPE", change(ack, "task.exec_id", id(99)), "task.exec_id"],
    [
      "contradicts_subject",
      "INVALID_ENVELOPE",
      change(correlated, "metadata.correlation_id", id(99)),
      "metadata.correlation_id",
    ],
    ["contradicts_subject", "INVALID_ENVELOPE", change(correlated, "agent.id", "clerk"), "agent.id"],
    [
      "contradicts_subject",
      "INVALID_ENVELOPE",
      change(log, "metadata.correlation_id", id(99)),
      "metadata.correlation_id",
    ],
    ["contradicts_subject", "INVALID_ENVELOPE", change(log, "payload.log_level", "error"), "payload.log_level"],
    [
      "contradicts_subject",
      "INVALID_ENVELOPE",
      change(dead, "payload.context.code", "INVALID_ID"),
      "payload.context.code",
    ],

    [
      "contradicts_header",
      "INVALID_ENVELOPE",
      { ...trigger, headers: { "Nats-Msg-Id": id(11) } },
      "metadata.message_id",
    ],
    ["contradicts_header", "INVALID_ENVELOPE", { ...trigger, headers: { "Nats-Msg-Id": "" } }, "metadata.message_id"],
    [
      "contradicts_header",
      "INVALID_ENVELOPE",
      { ...answer, headers: { "Troupe-Correlation-Id": id(11), "Nats-Msg-Id": id(10) } },
      "metadata.correlation_id",
    ],
    [
      "contradicts_header",
      "INVALID_ENVELOPE",
      { ...answer, subject: "_INBOX.a", headers: { "Troupe-Correlation-Id": id(11), "Nats-Msg-Id": id(12) } },
      "metadata.message_id",
      "metadata.correlation_id",
    ],

    [
      "contradicts_itself",
      "VALIDATION_FAILED",
      spoilt("payload.context.agent_request", { agent_id: "clerk", agent_exec_id: agentx }),
      "payload.context.agent_request.agent_id",
    ],
    [
      "contradicts_itself",
      "VALIDATION_FAILED",
      spoilt("payload.context.agent_request", { agent_id: "judge", agent_exec_id: id(99) }),
      "payload.context.agent_request.agent_exec_id",
    ],
    [
      "contradicts_itself",
      "VALIDATION_FAILED",
      spoilt("payload.context.attempt_number", 2),
      "payload.context.attempt_number",
    ],

    ["bad_payload", "VALIDATION_FAILED", spoilt("payload"), "payload"],
    ["bad_payload", "VALIDATION_FAILED", change(relay, "payload.reply_to_subject"), "payload.reply_to_subject"],
    ["bad_payload", "VALIDATION_FAILED", spoilt("payload.context"), "payload.context"],
    ["bad_payload", "VALIDATION_FAILED", spoilt("payload.context.attempt"), "payload.context.attempt"],
    ["bad_payload", "VALIDATION_FAILED", spoilt("payload.context.attempt", 0), "payload.context.attempt"],
    ["bad_payload", "VALIDATION_FAILED", spoilt("payload.context.input"), "payload.context.input"],
    ["bad_payload", "VALIDATION_FAILED", change(answer, "payload.status"), "payload.status"],
    ["bad_payload", "VALIDATION_FAILED", change(answer, "payload.status", "GREAT"), "payload.status"],
    ["bad_payload", "VALIDATION_FAILED", change(answer, "payload.status", "SUCCESS"), "payload.result"],
    ["bad_payload", "VALIDATION_FAILED", change(answer, "payload.result", null), "payload.result"],
    [
      "bad_payload",
      "VALIDATION_FAILED",
      change(answer, "payload.result.output", {}),
      "payload.result",
      "payload.result",
    ],
    ["bad_payload", "VALIDATION_FAILED", change(direct, "payload.context.task_type"), "payload.context.task_type"],
    [
      "bad_payload",
      "VALIDATION_FAILED",
      change(direct, "payload.context.task_type", "wait"),
      "payload.context.task_type",
    ],
    ...["a b", "a.*", ">", "a..b", "a\r\nPUB b 1"].map(
      (reply) =>
        [
          "bad_payload",
          "VALIDATION_FAILED",
          spoilt("payload.reply_to_subject", reply),
          "payload.reply_to_subject",
        ] as const,
    ),
  ];

  test.each(reasons.map(([why, code, sent, ...fields]) => ({ why, code, sent, fields })))(
    "P3: $why is $code at $fields",
    ({ why, code, sent, fields }) => {
      const refused = refusalOf(() => hear(sent));
      expect([refused.details["why"], refused.code, fieldsOf(refused)]).toEqual([why, code, fields]);
      expect(refusals[why]).toBe(code);
    },
  );

  test("P1: every reason but that of building a subject has an example", () => {
    const shown = new Set([...reasons.map(([why]) => why), "not_utf8", "bad_id"]);
    expect(new Set(Object.keys(refusals))).toEqual(shown);
    const bytes = Uint8Array.from([0x7b, 0xff, 0x7d]);
    const { code, details } = refusalOf(() => parse(trigger.subject, {}, bytes, { subjects }));
    expect([code, details["why"]]).toEqual(["INVALID_ENVELOPE", "not_utf8"]);
  });

  test("P1: an unknown name is answered with the names there are and the nearest", () => {
    const { details } = refusalOf(() => hear(spoilt("metadata.message_type", "TrigerAgent")));
    const known = keys.filter((key) => kindOf(key) === "command").map(nameOf);
    expect(details).toMatchObject({ given: "TrigerAgent", known, nearest: "TriggerAgent" });
    const onInbox = refusalOf(() => hear({ ...spoilt("metadata.message_type", "CommandAct"), subject: "_INBOX.a" }));
    expect(onInbox.details).toMatchObject({ given: "CommandAct", nearest: "CommandAck" });
    expect(onInbox.details["known"]).toEqual(["AgentExecutionResult", "ToolExecutionResult", "CommandAck"]);
  });

  test("P1: a name of another message is answered with the name that was wanted", () => {
    const { message, details } = refusalOf(() => hear(spoilt("metadata.message_type", "ToolExecute")));
    expect(message).toContain("TriggerAgent");
    expect(details["given"]).toBe("ToolExecute");
  });

  test("P1: all fields at fault are listed, but not without end, and none is quoted at length", () => {
    const body = put(trigger.body, "payload.context", { env: {} });
    expect(fieldsOf(refusalOf(() => hear({ ...trigger, body }))).sort()).toEqual([
      "payload.context.attempt",
      "payload.context.input",
      "payload.context.timeout_config",
    ]);
    const env = Object.fromEntries(Array.from({ length: 50 }, (_, index) => ["x".repeat(9_000) + index, { from: 1 }]));
    const { details } = refusalOf(() => hear(spoilt("payload.context.env", env)));
    expect(fieldsOf({ details } as TroupeError)).toHaveLength(20);
    expect(JSON.stringify(details).length).toBeLessThan(10_000);
  });

  test.each([
    [{ signal: 5 }, ["payload.context.wait.signal"]],
    [{ signal: "paid", match: 5 }, ["payload.context.wait.match"]],
    [{ duration_ms: -1 }, ["payload.context.wait.duration_ms"]],
    [{ approval: null }, ["payload.context.wait.approval"]],
  ])("P1: of several alternatives the one that was meant is at fault: %j", (wait, fields) => {
    const body = {
      metadata,
      task: { id: "decide", exec_id: taskx },
      payload: { status: "WAITING", context: { attempt: 1, reason: "x", timeout_config: timeout, wait } },
    };
    const refused = refusalOf(() => hear({ subject: `compozy.events.task.instance.${taskx}.waiting_started`, body }));
    expect(fieldsOf(refused)).toEqual(fields);
  });

  test("P1: a missing field is said to be missing, another what it should be", () => {
    const body = put(
      put(trigger.body, "payload.context.attempt"),
      "payload.context.timeout_config.timeout_duration_ms",
      "5s",
    );
    const { details, message } = refusalOf(() => hear({ ...trigger, body }));
    const said = Object.fromEntries(
      (details["errors"] as { field: string; message: string }[]).map((error) => [error.field, error.message]),
    );
    expect(said["payload.context.attempt"]).toBe("is missing");
    expect(said["payload.context.timeout_config.timeout_duration_ms"]).toBe("must be a number");
    expect(message).toMatch(/^payload\.context\.\S+ .*, and 1 more$/);
  });

  test("P1: a field in a list is found by its place, and one that is only inherited is missing", () => {
    const policy = { max_attempts: 1, backoff: { initial_ms: 1, factor: 1, max_ms: 1, jitter: 0 }, retry_on: ["A", 7] };
    expect(said(spoilt("payload.context.retry_policy", policy))).toEqual({
      "payload.context.retry_policy.retry_on.1": "must be text",
    });
    expect(said(spoilt("payload.context.env", { constructor: { from: 7 } }))).toEqual({
      "payload.context.env.constructor.from": "must be one of env, secret",
    });
  });

  test("P1: the limits can be given", () => {
    const bytes = encoder.encode(JSON.stringify(trigger.body));
    const heard = (sizeBytesMax: number, depthMax: number) =>
      parse(trigger.subject, {}, bytes, { subjects, bounds: { sizeBytesMax, depthMax } });
    expect(heard(bytes.length, 4).key).toBe("command:TriggerAgent");
    expect(refusalOf(() => heard(bytes.length - 1, 4)).code).toBe("PAYLOAD_TOO_LARGE");
    expect(refusalOf(() => heard(bytes.length, 3)).details["why"]).toBe("too_deep");
  });
});
