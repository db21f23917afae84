// What is said twice in a message, or in its headers too, is the same, or the message is refused.
//
// Method: one good message in which one of the two places says something else, and those where both may differ.

import { describe, expect, test } from "vitest";
import {
  agentx,
  answer,
  change,
  fieldsOf,
  hear,
  id,
  metadata,
  put,
  refusalOf,
  said,
  relay,
  run,
  spoilt,
  timeout,
  trigger,
  wfx,
} from "../kit/sent.ts";

test("R1: what contradicts is named, and what it contradicts", () => {
  expect(said({ ...trigger, headers: { "Nats-Msg-Id": id(11), "Troupe-Correlation-Id": "x".repeat(200) } })).toEqual({
    "metadata.message_id": `the header Nats-Msg-Id says "${id(11)}"`,
    "metadata.correlation_id": `the header Troupe-Correlation-Id says "${"x".repeat(80)}…"`,
  });
  const full = { ...trigger, headers: { "Nats-Msg-Id": "x".repeat(80) } };
  expect(said(full)).toEqual({ "metadata.message_id": `the header Nats-Msg-Id says "${"x".repeat(80)}"` });
  const request = { agent_id: "clerk", agent_exec_id: id(99) };
  const body = put(put(trigger.body, "payload.context.agent_request", request), "payload.context.attempt_number", "1");
  expect(said({ ...trigger, body })).toEqual({
    "payload.context.agent_request.agent_id": "is another than agent.id",
    "payload.context.agent_request.agent_exec_id": "is another than agent.exec_id",
    "payload.context.attempt_number": "is another than payload.context.attempt",
  });
});

describe("what is said twice", () => {
  test("R1: a request for the agent of the message is let in, with its other fields", () => {
    const request = { agent_id: "judge", agent_exec_id: agentx, action: "judge" };
    const body = put(put(trigger.body, "payload.context.agent_request", request), "payload.context.attempt_number", 1);
    const { envelope, dropped } = hear({ ...trigger, body });
    expect([envelope.payload, dropped]).toMatchObject([{ context: { agent_request: request, attempt: 1 } }, 1]);
    expect(hear({ ...trigger, body: put(body, "payload.context.attempt_number", null) }).dropped).toBe(1);
  });

  test("R1: the request of a task is for an agent that is still to come, and may be for any", () => {
    const agent_request = { agent_id: "clerk", agent_exec_id: id(98) };
    const policy = { max_attempts: 1, backoff: { initial_ms: 1, factor: 1, max_ms: 1, jitter: 0 } };
    const order = { input: 1, task_type: "agent", attempt: 1, timeout_config: timeout, retry_policy: policy };
    const { agent, ...body } = { ...trigger.body, payload: { context: { ...order, agent_request } } };
    const sent = { subject: "compozy.commands.task.refund.execute.decide", body: { ...body, metadata, agent } };
    expect(hear(sent).envelope.payload).toMatchObject({ context: { agent_request } });
  });

  test("R1: where a message has no attempt, an attempt_number is an unknown field", () => {
    const signal = { signal: { name: "paid", payload: 1 }, attempt_number: 7 };
    const body = { metadata, workflow: { exec_id: wfx }, payload: { context: signal } };
    expect(hear({ subject: `compozy.commands.workflow.signal.${wfx}`, body }).dropped).toBe(1);
  });
});

describe("a message and its headers", () => {
  const both = { "Nats-Msg-Id": id(10), "Troupe-Correlation-Id": run };

  test("R1: agree, or there are none", () => {
    for (const headers of [both, {}, { "Nats-Msg-Id": id(10) }, { "Troupe-Correlation-Id": run }]) {
      expect(hear({ ...trigger, headers }).envelope).toEqual(trigger.body);
    }
  });

  test.each([
    ["Nats-Msg-Id", "metadata.message_id", id(11)],
    ["Nats-Msg-Id", "metadata.message_id", ""],
    ["Nats-Msg-Id", "metadata.message_id", id(10).replace("-8", "-A")],
    ["Troupe-Correlation-Id", "metadata.correlation_id", id(10)],
    ["Troupe-Correlation-Id", "metadata.correlation_id", "x\ud800"],
  ])("R1: a header %s that contradicts %s with %j is refused, on a subject and on an inbox", (header, field, given) => {
    for (const sent of [trigger, { ...answer, subject: "_INBOX.a" }]) {
      const refused = refusalOf(() => hear({ ...sent, headers: { ...both, [header]: given } }));
      expect([refused.code, fieldsOf(refused)]).toEqual(["INVALID_ENVELOPE", [field]]);
      expect(refused.message).toContain(header);
      expect(refused.message.isWellFormed()).toBe(true);
    }
  });

  test("R1: a correlation id that only a header says is missing", () => {
    const sent = { ...spoilt("metadata.correlation_id"), headers: both };
    expect(said(sent)).toEqual({ "metadata.correlation_id": "is missing" });
  });
});

test("R1: a relay names the agent it asks for, as the trigger does", () => {
  const wrong = change(relay, "payload.context.agent_request", { agent_id: "judge", agent_exec_id: id(99) });
  expect(said(wrong)).toEqual({ "payload.context.agent_request.agent_exec_id": "is another than agent.exec_id" });
  expect(
    hear(change(relay, "payload.context.agent_request", { agent_id: "judge", agent_exec_id: agentx })).dropped,
  ).toBe(0);
});
