// The door for foreign bytes lets through what the protocol allows, and fills the gaps that it names.
//
// Method: good messages with something left out, added, or said in another of the allowed ways.

import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Key } from "../../src/protocol/catalogue.ts";
import type { JsonObject } from "../../src/protocol/json.ts";
import { replySubject } from "../../src/protocol/parse.ts";
import {
  ack,
  agentx,
  answer,
  change,
  correlated,
  dead,
  direct,
  fieldsOf,
  hear,
  id,
  log,
  metadata,
  put,
  refusalOf,
  relay,
  rt,
  run,
  taskx,
  toolx,
  trigger,
  wfx,
  type Sent,
} from "../kit/sent.ts";

describe("a right message", () => {
  test("P2: is answered with its key, its address and itself", () => {
    expect(hear(trigger)).toEqual({
      key: "command:TriggerAgent",
      address: { key: "command:TriggerAgent", layout: "flow", params: { wf: "refund", agent: "judge" } },
      envelope: trigger.body,
      warnings: [],
      dropped: 0,
      trace: {},
    });
  });

  test("P2: is answered with the other layout's address, whichever layout is built", () => {
    const { address, envelope } = hear({ ...trigger, subject: `compozy.${run}.agent.commands.judge.trigger` });
    expect(address).toEqual({
      key: "command:TriggerAgent",
      layout: "correlated",
      params: { corr: run, agent: "judge" },
    });
    expect(envelope).toEqual(trigger.body);
  });

  test("P2: one name of two kinds is told apart by the subject", () => {
    const { key } = hear(answer);
    const event = {
      ...answer.body,
      payload: { ...answer.body.payload, status: "FAILED", agent_execution_status: "AGENT_ERROR", duration_ms: 1 },
    };
    const heard = hear({ subject: `compozy.events.agent.instance.${agentx}.completed`, body: event });
    expect([key, heard.key]).toEqual(["result:AgentExecutionResult", "event:AgentExecutionResult"]);
  });

  test("P2: on an inbox the name says which result it is, and there is no address", () => {
    expect(hear({ ...answer, subject: "_INBOX.a.b" })).toMatchObject({
      key: "result:AgentExecutionResult",
      address: null,
    });
    const ack = {
      metadata: { ...metadata, message_type: "CommandAck" },
      payload: { status: "ACKNOWLEDGED", context: {} },
    };
    expect(hear({ subject: `_INBOX_${rt}.a`, body: ack }).key).toBe("result:CommandAck");
  });

  test("P4: loses its unknown fields, which are counted, and nothing of its data", () => {
    const data = { id: 1, exec_id: null, nested: [{ unknown: true }], constructor: "x" };
    const body = {
      ...put(trigger.body, "payload.context.input", data),
      unknown: { a: 1, b: 2 },
      metadata: { ...trigger.body.metadata, unknown: 1 },
      agent: { ...trigger.body.agent, unknown: 1 },
    };
    const { envelope, dropped } = hear({ ...trigger, body: put(body, "payload.context.timeout_config.unknown", []) });
    expect(dropped).toBe(4);
    expect(envelope).toEqual(put(trigger.body, "payload.context.input", data));
  });

  test("P4: loses unknown fields inside lists, and keeps all details, resume data and signals", () => {
    const signal = { name: "paid", payload: { any: { thing: [1] } } };
    const warnings = [
      { code: "LATE_MESSAGE", given: "a", use: "b", unknown: 1 },
      { code: "LATE_MESSAGE", given: "c", use: "d" },
    ];
    const body = {
      metadata,
      workflow: { exec_id: wfx },
      payload: { context: { signal, warnings, resume_data: { a: { b: 1 } } } },
    };
    const { envelope, dropped } = hear({ subject: `compozy.commands.workflow.signal.${wfx}`, body });
    expect(dropped).toBe(1);
    expect(envelope.payload).toMatchObject({ context: { signal, resume_data: { a: { b: 1 } } } });
    const details = { any: { thing: [1] } };
    const refusing = put(answer.body, "payload.result.error.details", details);
    expect(hear({ ...answer, body: refusing })).toMatchObject({ dropped: 0, envelope: refusing });
  });

  test("P4: an unknown field is dropped and counted, also where every object has one of its name", () => {
    const { envelope, dropped } = hear({ ...trigger, body: { ...trigger.body, toString: "x", constructor: {} } });
    expect([envelope, dropped]).toEqual([trigger.body, 2]);
  });

  test("P6: is answered the same when it is sent as it was answered", () => {
    const body = put(put(trigger.body, "payload.context.attempt"), "payload.context.attempt_number", 2);
    const { envelope } = hear({ ...trigger, body: { ...body, extra: 1 } });
    expect(hear({ ...trigger, body: envelope })).toMatchObject({ envelope, warnings: [], dropped: 0 });
  });

  test("its trace comes with it", () => {
    const headers = { traceparent: "00-a-b-01", tracestate: "x=1", "Nats-Msg-Id": id(10) };
    expect(hear({ ...trigger, headers }).trace).toEqual({ traceparent: "00-a-b-01", tracestate: "x=1" });
  });
});

describe("gaps that the protocol fills", () => {
  const without = (path: string): JsonObject => put(trigger.body, path);

  test("P5: the name comes from the subject", () => {
    expect(hear({ ...trigger, body: without("metadata.message_type") }).envelope).toEqual(trigger.body);
  });

  test("P5: the message id comes from the header", () => {
    const headers = { "Nats-Msg-Id": id(77) };
    const { envelope, warnings } = hear({ ...trigger, headers, body: without("metadata.message_id") });
    expect([envelope.metadata.message_id, warnings]).toEqual([id(77), []]);
    const both = { "Nats-Msg-Id": id(10), "Troupe-Correlation-Id": run };
    expect(hear({ ...trigger, headers: both }).envelope.metadata).toMatchObject(metadata);
  });

  test("P5: without a header it is a hash of subject and body", () => {
    const idOf = (sent: Sent): string => hear(sent).envelope.metadata.message_id;
    const body = without("metadata.message_id");
    const first = idOf({ ...trigger, body });
    // The first 16 bytes of the SHA-256 of subject, a zero byte and body, marked as version 8.
    expect(first).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(idOf({ ...trigger, body })).toBe(first);
    for (const attempt of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const sent = put(body, "payload.context.attempt", attempt);
      const text = `${trigger.subject}\0${JSON.stringify(sent)}`;
      const digits = createHash("sha256").update(text).digest("hex").slice(0, 32).split("");
      digits[12] = "8";
      digits[16] = "89ab"[Number.parseInt(digits[16] ?? "", 16) % 4] ?? "";
      expect(idOf({ ...trigger, body: sent }).replaceAll("-", "")).toBe(digits.join(""));
    }
    expect(idOf({ ...trigger, body: put(body, "payload.context.attempt", 2) })).not.toBe(first);
    expect(idOf({ subject: `compozy.${run}.agent.commands.judge.trigger`, body })).not.toBe(first);
  });

  const execute = {
    subject: "compozy.commands.workflow.execute.refund",
    body: { metadata, workflow: { id: "refund" }, payload: { context: { input: {}, trigger_type: "api" } } },
  };
  const single = {
    subject: "compozy.commands.task._.trigger.judge",
    body: {
      metadata,
      task: { id: "judge" },
      payload: { context: { attempt: 1, input: {}, triggered_by: "ada", task_type: "agent" } },
    },
  };

  test("P5: a new execution takes the id of the message that creates it", () => {
    expect(hear(execute).envelope).toMatchObject({ workflow: { exec_id: id(10) } });
    expect(hear(single).envelope).toMatchObject({ task: { exec_id: id(10) } });
    const own = put(execute.body, "workflow.exec_id", wfx);
    expect(hear({ ...execute, body: own }).envelope).toMatchObject({ workflow: { exec_id: wfx } });
  });

  test("P5: no other execution gets an id, and null is no gap", () => {
    expect(fieldsOf(refusalOf(() => hear({ ...trigger, body: without("agent.exec_id") })))).toEqual(["agent.exec_id"]);
    for (const path of ["metadata.message_id", "metadata.message_type", "workflow.id"]) {
      expect(fieldsOf(refusalOf(() => hear({ ...trigger, body: put(trigger.body, path, null) })))).toEqual([path]);
    }
    expect(fieldsOf(refusalOf(() => hear({ ...execute, body: put(execute.body, "workflow.id") })))).toEqual([
      "workflow.id",
    ]);
    const ofNull = put(execute.body, "workflow.exec_id", null);
    expect(fieldsOf(refusalOf(() => hear({ ...execute, body: ofNull })))).toEqual(["workflow.exec_id"]);
  });

  test("P5: the scope of the subject names the workflow", () => {
    expect(hear({ ...trigger, body: without("workflow.id") }).envelope).toEqual(trigger.body);
    expect(hear({ ...trigger, body: without("workflow") }).envelope).toMatchObject({ workflow: { id: "refund" } });
    const direct = { subject: "compozy.commands.agent._.trigger.judge", body: without("workflow") };
    expect(hear(direct).envelope).not.toHaveProperty("workflow");
  });

  test("P5: where nothing is required of a context, it need not be there", () => {
    const body = put(answer.body, "payload", { status: "SUCCESS", result: { output: {} }, duration_ms: 1 });
    const workflow = { id: "refund", exec_id: wfx };
    const subject = `compozy.events.workflow.instance.${wfx}.completed`;
    const done = { ...body, workflow, metadata };
    expect(hear({ subject, body: done }).envelope.payload).toMatchObject({ context: {} });
  });

  test.each([
    ["AGENT_ERROR", "REFUSED", "AGENT_ERROR", { cause_code: "REFUSED" }],
    ["FAILURE", "rate-limited", "INTERNAL_ERROR", { cause_code: "rate-limited" }],
    ["ERROR", "toString", "INTERNAL_ERROR", { cause_code: "toString" }],
    ["AGENT_ERROR", undefined, "AGENT_ERROR", undefined],
    ["FAILURE", undefined, "INTERNAL_ERROR", undefined],
    ["FAILURE", "AGENT_RUNTIME_LOST", "AGENT_RUNTIME_LOST", undefined],
    ["AGENT_ERROR", 404, "AGENT_ERROR", { cause_code: "404" }],
    ["ERROR", false, "INTERNAL_ERROR", { cause_code: "false" }],
    ["FAILURE", "", "INTERNAL_ERROR", { cause_code: "" }],
    ["AGENT_ERROR", null, "AGENT_ERROR", undefined],
    ["FAILURE", null, "INTERNAL_ERROR", undefined],
  ])("P5: a result of status %s with the code %s has the code %s", (status, given, code, details) => {
    const body = put(put(answer.body, "payload.result.error.code", given), "payload.status", status);
    const { envelope, warnings } = hear({ ...answer, body });
    expect(envelope.payload).toMatchObject({ result: { error: { message: "no", code } } });
    expect((envelope.payload as { result: { error: { details?: unknown } } }).result.error.details).toEqual(details);
    expect(warnings).toEqual([]);
  });

  test("P5: a tool's own code keeps its other details, and an acknowledgment's becomes INTERNAL_ERROR", () => {
    const error = { message: "no", code: "HTTP_500", details: { status: 500, cause_code: "older" } };
    const tool = {
      metadata,
      tool: { id: "mail", exec_id: toolx },
      payload: { status: "TOOL_ERROR", result: { error }, context: { attempt: 1 } },
    };
    expect(hear({ subject: `compozy.results.tool.${toolx}`, body: tool }).envelope.payload).toMatchObject({
      result: { error: { code: "TOOL_ERROR", details: { status: 500, cause_code: "HTTP_500" } } },
    });
    const ack = { metadata, task: { exec_id: taskx }, payload: { status: "ERROR", result: { error }, context: {} } };
    expect(hear({ subject: `compozy.results.task.${taskx}`, body: ack }).envelope.payload).toMatchObject({
      result: { error: { code: "INTERNAL_ERROR", details: { cause_code: "HTTP_500" } } },
    });
  });

  test("P5: an event's foreign code is not mapped, and neither is a code that is a list or an object", () => {
    const event = {
      metadata,
      task: { id: "decide", exec_id: taskx },
      payload: {
        status: "TIMED_OUT",
        result: { error: { message: "x", code: "MINE" } },
        duration_ms: 1,
        context: { attempt: 1 },
      },
    };
    const subject = `compozy.events.task.instance.${taskx}.waiting_timed_out`;
    expect(fieldsOf(refusalOf(() => hear({ subject, body: event })))).toEqual(["payload.result.error.code"]);
    for (const code of [{}, { toString: "x" }, [], ["AGENT_ERROR"]]) {
      const body = put(answer.body, "payload.result.error.code", code);
      expect(fieldsOf(refusalOf(() => hear({ ...answer, body })))).toEqual(["payload.result.error.code"]);
    }
  });

  test("P1: a status that cannot become text is refused, not thrown over", () => {
    const body = put(put(answer.body, "payload.result.error.code"), "payload.status", { toString: "x" });
    expect(fieldsOf(refusalOf(() => hear({ ...answer, body })))).toEqual(["payload.status"]);
  });
});

describe("values of variables", () => {
  const secret = "s3cr3t";
  const withEnv = (env: unknown): Sent => ({ ...trigger, body: put(trigger.body, "payload.context.env", env) });

  test("P7: only where they are taken from is kept, and a warning names the variable", () => {
    const { envelope, warnings, dropped } = hear(
      withEnv({
        A: { from: "env" },
        B: secret,
        C: { from: "secret", value: secret },
        D: { value: secret },
        E: [secret],
        F: null,
      }),
    );
    expect(envelope.payload).toMatchObject({ context: { env: { A: { from: "env" }, C: { from: "secret" } } } });
    expect(Object.keys((envelope.payload as { context: { env: object } }).context.env)).toEqual(["A", "C"]);
    expect(warnings.map(({ given }) => given)).toEqual(
      ["B", "C", "D", "E", "F"].map((name) => `payload.context.env.${name}`),
    );
    expect(new Set(warnings.map(({ code }) => code))).toEqual(new Set(["DEPRECATED_ALIAS"]));
    expect(JSON.stringify([envelope, warnings])).not.toContain(secret);
    expect(dropped).toBe(0);
  });

  test("P7: a variable of which nothing is said is refused", () => {
    expect(fieldsOf(refusalOf(() => hear(withEnv({ A: {} }))))).toEqual(["payload.context.env.A.from"]);
  });

  test.each([[{ A: { from: secret } }], [{ A: { from: [secret] } }], [secret], [[secret]]])(
    "P7: no refusal quotes %j",
    (env) => {
      const { message, details, code } = refusalOf(() => hear(withEnv(env)));
      expect(code).toBe("VALIDATION_FAILED");
      expect(JSON.stringify([message, details])).not.toContain(secret);
    },
  );

  test("P7: there are no more warnings than a reply can carry", () => {
    const env = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`V${index}`, secret]));
    expect(hear(withEnv(env)).warnings).toHaveLength(100);
  });
});

test.each([trigger, answer, log, dead, ack, relay, correlated, direct])(
  "P1: $subject is right before it is spoilt",
  (sent) => {
    expect(hear(sent)).toMatchObject({ warnings: [], dropped: 0 });
  },
);

describe("where the reply goes", () => {
  const to = "compozy.results.agent.x";
  const answering = (sent: Sent, reply?: string, field?: string): string | undefined =>
    replySubject(hear(reply === undefined ? sent : change(sent, "payload.reply_to_subject", reply)), field);

  test("of a core command to the field of the transport, else to the subject it names", () => {
    expect(answering(trigger, to, "_INBOX.a")).toBe("_INBOX.a");
    expect(answering(trigger, to)).toBe(to);
    expect(answering(trigger)).toBeUndefined();
  });

  test("of a stored command to the subject it names: the field belongs to the stream", () => {
    expect(answering(direct, to, "$JS.ACK.x")).toBe(to);
    expect(answering(direct, undefined, "$JS.ACK.x")).toBeUndefined();
  });

  test("of a relay to the field alone: the result goes to the subject it names", () => {
    expect(answering(relay, to, "_INBOX.a")).toBe("_INBOX.a");
    expect(answering(relay, to)).toBeUndefined();
  });

  test("of anything but a command nowhere", () => {
    expect(replySubject(hear(answer), "_INBOX.a")).toBeUndefined();
  });
});

test("P2: the answer's type is told apart by its key", () => {
  const parsed = hear(trigger);
  if (parsed.key !== "command:TriggerAgent") throw new Error("another key");
  const attempt: number = parsed.envelope.payload.context.attempt;
  const key: Key = parsed.key;
  expect([attempt, key]).toEqual([1, "command:TriggerAgent"]);
});
