// A refusal names the field at fault and says, in the words of the protocol, what it should have been.
//
// Method: one good message with one wrong field of each sort, and the failures whose code promises details.

import { describe, expect, test } from "vitest";
import { unwrap, type Envelope } from "../../src/protocol/envelope.ts";
import {
  ack,
  answer,
  change,
  fieldsOf,
  hear,
  id,
  log,
  metadata,
  put,
  refusalOf,
  said,
  run,
  spoilt,
  subjects,
  taskx,
  trigger,
  type Sent,
} from "../kit/sent.ts";

test("P3: a header that is to be the message's id and is none is named", () => {
  for (const given of ["m1", "", id(10).toUpperCase().replace("8", "A")]) {
    expect(said({ ...spoilt("metadata.message_id"), headers: { "Nats-Msg-Id": given } })).toEqual({
      "metadata.message_id": "comes from the header Nats-Msg-Id, which must be a lower-case hyphenated UUID",
    });
  }
});

test("P1: what a field should be is said in the words of the protocol", () => {
  const policy = { max_attempts: 101, backoff: { initial_ms: 1.5, factor: 0, max_ms: -1, jitter: "x" }, retry_on: 7 };
  const body = put(put(trigger.body, "payload.context.retry_policy", policy), "payload.context.env", []);
  const place = "payload.context.retry_policy";
  expect(said({ ...trigger, body: put(body, "payload.context.branch", "") })).toEqual({
    [`${place}.max_attempts`]: "must be at most 100",
    [`${place}.backoff.initial_ms`]: "must be a whole number",
    [`${place}.backoff.factor`]: "must be at least 1",
    [`${place}.backoff.max_ms`]: "must be at least 0",
    [`${place}.backoff.jitter`]: "must be a number",
    [`${place}.retry_on`]: "must be a list",
    "payload.context.env": "must be an object",
    "payload.context.branch": "must not be empty",
  });
  expect(said(spoilt("metadata.event_timestamp", "yesterday"))).toEqual({
    "metadata.event_timestamp": "must be a time in ISO 8601",
  });
  expect(said(spoilt("metadata.source_component", "x".repeat(129)))).toEqual({
    "metadata.source_component": "must be at most 128 characters",
  });
  expect(said(spoilt("agent.id", "a.b"))).toEqual({ "agent.id": "must be 1 to 64 letters, digits, _ and -" });
  const many = Array.from({ length: 1025 }, () => ({ code: "LATE_MESSAGE", given: "a", use: "b" }));
  expect(said(spoilt("payload.context.warnings", many))).toEqual({
    "payload.context.warnings": "must be at most 1024 items",
  });
  expect(said(change(ack, "payload.context.duplicate", "yes"))).toEqual({
    "payload.context.duplicate": "must be true or false",
  });
  const begun = {
    subject: `compozy.events.task.instance.${taskx}.started`,
    body: {
      metadata,
      task: { id: "decide", exec_id: taskx },
      payload: { status: "DONE", result: {}, context: { attempt: 1 } },
    },
  };
  expect(said(begun)).toEqual({ "payload.status": "must be RUNNING", "payload.result": "must be null" });
  expect(said(change(answer, "payload.duration_ms", "1 s"))).toEqual({ "payload.duration_ms": "must be a number" });
  expect(said(spoilt("payload.context.env", { "": { from: "env" } }))).toEqual({
    "payload.context.env.": "is no name that a field can have here",
  });
});

test("P1: of a long list of words the five nearest to the given one are named", () => {
  const { message, ...error } = { message: "no", code: "AGENT_RUNTIME_BUZY" };
  const event = {
    metadata,
    task: { id: "decide", exec_id: taskx },
    payload: {
      status: "TIMED_OUT",
      result: { error: { message, ...error } },
      duration_ms: 1,
      context: { attempt: 1 },
    },
  };
  const sent = { subject: `compozy.events.task.instance.${taskx}.waiting_timed_out`, body: event };
  const words = said(sent)["payload.result.error.code"] ?? "";
  expect(words).toMatch(/^must be one of \d\d words, such as AGENT_RUNTIME_BUSY, AGENT_RUNTIME_LOST(, [A-Z_]+){3}$/);
  expect(said(change(sent, "payload.result.error.code", 7))["payload.result.error.code"]).toMatch(
    /^must be one of \d\d words, such as UNKNOWN_MESSAGE_TYPE(, [A-Z_]+){4}$/,
  );
});

test.each(["DEPRECATED_ALIAS", "DEPRECATED_MESSAGE_TYPE", "LATE_MESSAGE"])(
  "P2: nothing ends with the warning %s",
  (code) => {
    const field = "payload.result.error.code";
    expect(fieldsOf(refusalOf(() => hear(change(answer, field, code))))).toEqual([field]);
    const warned = { code, given: "a", use: "b" };
    expect(hear(change(answer, "payload.context.warnings", [warned])).envelope.payload).toMatchObject({
      context: { warnings: [warned] },
    });
  },
);

describe("P2: a failure carries what its code promises", () => {
  const failed = (entity: "workflow" | "agent" | "tool", code: string, details?: unknown): Sent => ({
    subject: `compozy.events.${entity}.instance.${id(7)}.failed`,
    body: {
      metadata,
      [entity]: { id: "judge", exec_id: id(7) },
      payload: {
        status: "FAILED",
        result: { error: { message: "no", code, ...(details !== undefined && { details }) } },
        context: entity === "workflow" ? {} : { attempt: 1 },
      },
    },
  });
  const at = "payload.result.error.details";
  const named = { failed_task_id: "decide", failed_task_exec_id: taskx, cause_code: "AGENT_ERROR" };

  test.each([
    ["agent", "AGENT_DISPATCH_FAILED", undefined, [`${at}.reason`]],
    ["agent", "AGENT_DISPATCH_FAILED", { reason: "tired" }, [`${at}.reason`]],
    ["tool", "TOOL_DISPATCH_FAILED", {}, [`${at}.reason`]],
    ["tool", "TOOL_DISPATCH_FAILED", { reason: 7 }, [`${at}.reason`]],
    ["workflow", "TASK_FAILED", {}, Object.keys(named).map((name) => `${at}.${name}`)],
    ["workflow", "TASK_FAILED", { ...named, failed_task_id: 7 }, [`${at}.failed_task_id`]],
    ["workflow", "TASK_FAILED", { ...named, failed_task_exec_id: "T" }, [`${at}.failed_task_exec_id`]],
    ["workflow", "TASK_FAILED", { ...named, cause_code: null }, [`${at}.cause_code`]],
  ] as const)("%s %s with %j is refused", (entity, code, details, fields) => {
    expect(Object.keys(said(failed(entity, code, details)))).toEqual(fields);
  });

  test.each([
    ["agent", "AGENT_DISPATCH_FAILED", { reason: "all_busy", more: [1] }],
    ["tool", "TOOL_DISPATCH_FAILED", { reason: "no_responders" }],
    ["workflow", "TASK_FAILED", { ...named, cause: { more: 1 } }],
    ["workflow", "STEP_LIMIT", undefined],
    ["agent", "CALLER_LOST", { reason: 7 }],
  ] as const)("%s %s with %j is right", (entity, code, details) => {
    const sent = failed(entity, code, details);
    const { payload } = sent.body as { payload: unknown };
    expect([hear(sent).dropped, hear(sent).envelope.payload]).toEqual([0, payload]);
  });

  test("the word that is wrong is answered with those that are right", () => {
    expect(said(failed("agent", "AGENT_DISPATCH_FAILED", { reason: "tired" }))).toEqual({
      [`${at}.reason`]: "must be one of no_runtime, all_busy, ack_timeout, rejected, no_responders",
    });
  });
});

test("P3: a log line may come from a component of another name than its subject's", () => {
  const { envelope } = hear(change(log, "metadata.source_component", "my.own.Thing:1"));
  expect(envelope.metadata.source_component).toBe("my.own.Thing:1");
  const message = unwrap(envelope as Envelope<"log:LogEmitted">, "log:LogEmitted");
  expect(subjects.subjectOf(message, envelope.metadata)).toBe(`compozy.logs.my_own_thing.${run}.warn`);
});

test("P1: a subject of no known form is answered with the forms there are", () => {
  const { details } = refusalOf(() => hear({ ...log, subject: "compozy.logs.task_executor" }));
  expect(details["known"]).toEqual(["logs.<component>.<corr>.<level>"]);
});
