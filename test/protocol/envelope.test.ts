// An envelope holds a message and its origin, exactly, and its headers say what it says.
//
// Method: the protocol's own example letter by letter, and properties over generated messages of every key.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keys, type Message } from "../../src/protocol/catalogue.ts";
import { encode, traceOf, unwrap, wrap, type Envelope, type Origin } from "../../src/protocol/envelope.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { subjectCodec } from "../../src/protocol/subjects.ts";
import { envelopesOf, messagesOf, origins } from "../kit/messages.ts";
import { id, refusalOf } from "../kit/sent.ts";

const subjects = subjectCodec({ prefix: "compozy", layout: "flow" });

const message: Message<"command:TriggerAgent"> = {
  type: "command:TriggerAgent",
  workflow: { id: "refund", exec_id: id(1) },
  task: { id: "decide", exec_id: id(2) },
  agent: { id: "judge", exec_id: id(3) },
  payload: {
    reply_to_subject: `compozy.results.agent.${id(3)}`,
    context: {
      attempt: 1,
      input: { claim: "late" },
      timeout_config: { timeout_duration_ms: 30_000 },
      env: { KEY: { from: "secret" } },
    },
  },
};
const origin: Origin = {
  id: id(10),
  at: Date.UTC(2026, 10, 21, 9, 0, 2),
  correlationId: id(11),
  causationId: id(12),
  source: "TE",
  instance: "w1",
};
const written =
  `{"metadata":{"message_id":"${id(10)}","message_type":"TriggerAgent","correlation_id":"${id(11)}",` +
  `"causation_id":"${id(12)}","event_timestamp":"2026-11-21T09:00:02.000Z","source_component":"task.Executor:w1"},` +
  `"workflow":{"id":"refund","exec_id":"${id(1)}"},"task":{"id":"decide","exec_id":"${id(2)}"},` +
  `"agent":{"id":"judge","exec_id":"${id(3)}"},"payload":{"reply_to_subject":"compozy.results.agent.${id(3)}",` +
  `"context":{"attempt":1,"input":{"claim":"late"},"timeout_config":{"timeout_duration_ms":30000},` +
  `"env":{"KEY":{"from":"secret"}}}}}`;

describe("an envelope", () => {
  test("V1: it is the example of the protocol", () => {
    const { subject, bytes } = encode(wrap(message, origin), "command:TriggerAgent", subjects);
    expect(subject).toBe("compozy.commands.agent.refund.trigger.judge");
    expect(new TextDecoder().decode(bytes)).toBe(written);
  });

  test("V1: a root has no cause, one instance has no name, and nobody need have created it", () => {
    const { causationId: _cause, instance: _instance, ...root } = origin;
    expect(wrap(message, root).metadata).toEqual({
      message_id: id(10),
      message_type: "TriggerAgent",
      correlation_id: id(11),
      event_timestamp: "2026-11-21T09:00:02.000Z",
      source_component: "task.Executor",
    });
    expect(wrap(message, { ...root, createdBy: "ada" }).metadata.created_by).toBe("ada");
  });

  test("V1: what a chart says beside its message does not travel", () => {
    const said = { ...message, to: "compozy.results.task.x", at: 7, seed: id(9), tool: undefined };
    const envelope = wrap(said as unknown as typeof message, origin);
    expect(Object.keys(envelope)).toEqual(["metadata", "workflow", "task", "agent", "payload"]);
  });

  test.each(keys)("V2: unwrap takes off what wrap put on a message of %s", (key) => {
    fc.assert(
      fc.property(messagesOf(key), origins, (given, from) => {
        const said = given as Message<typeof key>;
        expect(unwrap(wrap(said, from), key)).toEqual(said);
      }),
      { numRuns: 10 },
    );
  });
});

describe("the headers", () => {
  test.each(keys)("V3: those of %s are the ids of its metadata", (key) => {
    fc.assert(
      fc.property(envelopesOf(key), (given) => {
        const envelope = given as Envelope<typeof key>;
        expect(encode(envelope, key, subjects).headers).toEqual({
          "Nats-Msg-Id": envelope.metadata.message_id,
          "Troupe-Correlation-Id": envelope.metadata.correlation_id,
        });
      }),
      { numRuns: 5 },
    );
  });

  const trace = { traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", tracestate: "a=1,b=2" };

  test("V3: the context of a trace passes through, in and out", () => {
    const { headers } = encode(wrap(message, origin), "command:TriggerAgent", subjects, { trace });
    expect(headers).toMatchObject(trace);
    expect(traceOf(headers)).toEqual(trace);
    expect(traceOf({ tracestate: "a=1", other: "x" })).toEqual({ tracestate: "a=1" });
  });

  test.each(["x", " ", "~", "x".repeat(512)])("V3: %j is the context of a trace", (value) => {
    expect(traceOf({ tracestate: value, other: "x" })).toEqual({ tracestate: value });
  });

  test.each(["", "a\r\nNats-Msg-Id: x", "é", "\u0000", "x".repeat(513)])("V3: %j is no context of a trace", (value) => {
    expect(traceOf({ traceparent: value, tracestate: value })).toEqual({});
  });
});

describe("sending", () => {
  test("a message that no receiver would take does not leave", () => {
    const codeOf = (input: unknown): string => {
      const { payload } = message;
      const envelope = wrap({ ...message, payload: { ...payload, context: { ...payload.context, input } } }, origin);
      try {
        encode(envelope, "command:TriggerAgent", subjects);
        return "sent";
      } catch (thrown) {
        return (thrown as TroupeError).code;
      }
    };
    expect(codeOf("x")).toBe("sent");
    expect(codeOf("x".repeat(1_048_576))).toBe("PAYLOAD_TOO_LARGE");
    expect(codeOf("\ud800")).toBe("INVALID_ENVELOPE");
  });

  test("a reply goes where it was asked for, and need not have a subject of its own", () => {
    const ack: Message<"result:CommandAck"> = {
      type: "result:CommandAck",
      agent: { exec_id: id(3) },
      payload: { status: "ACKNOWLEDGED", context: {} },
    };
    const envelope = wrap(ack, origin);
    expect(encode(envelope, "result:CommandAck", subjects, { to: "_INBOX.a" }).subject).toBe("_INBOX.a");
    expect(() => encode(envelope, "result:CommandAck", subjects)).toThrow(TroupeError);
    for (const to of ["", ">", "a.*", "a b", "a\r\nPUB b 0"]) {
      expect(refusalOf(() => encode(envelope, "result:CommandAck", subjects, { to })).code).toBe("INVALID_ID");
    }
  });

  test("the limits can be given", () => {
    const bounds = { sizeBytesMax: written.length, depthMax: 5 };
    expect(encode(wrap(message, origin), "command:TriggerAgent", subjects, { bounds }).bytes).toHaveLength(
      written.length,
    );
    const tight = { ...bounds, sizeBytesMax: written.length - 1 };
    expect(() => encode(wrap(message, origin), "command:TriggerAgent", subjects, { bounds: tight })).toThrow(
      TroupeError,
    );
  });
});
