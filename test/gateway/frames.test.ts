// Goal: whatever is no frame is refused by name, and whatever is one is read as it was meant.
// Method: examples of each refusal, and random bodies that must come out as a frame of a known type or as an error.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isErrorCode } from "../../src/protocol/errors.ts";
import { frameTypes, type Read, readFrame } from "../../src/gateway/frames.ts";

const read = (body: unknown, strict = false): Read =>
  readFrame(Buffer.from(typeof body === "string" ? body : JSON.stringify(body)), {
    sizeBytesMax: 10_000,
    sessionId: "s1",
    strict,
  });
const refusal = (body: unknown, strict = false): { code: string; errors?: unknown; details: object } => {
  const found = read(body, strict);
  if (!("error" in found)) throw new Error("it was taken");
  const { code, details } = found.error;
  return { code, errors: details["errors"], details };
};

describe("what is refused", () => {
  test.each([
    ["{", "INVALID_ENVELOPE"],
    ["", "INVALID_ENVELOPE"],
    ['{"a":1} x', "INVALID_ENVELOPE"],
    ["[1]", "VALIDATION_FAILED"],
    ["null", "VALIDATION_FAILED"],
    [`{"type":"ping","x":${"[".repeat(200)}${"]".repeat(200)}}`, "INVALID_ENVELOPE"],
    [`{"__proto__":{"type":"ping"}}`, "INVALID_ENVELOPE"],
  ])("FR1: %j is no frame", (text, code) => {
    expect(refusal(text).code).toBe(code);
  });

  test.each([
    [{ id: "r1", type: "start_agent" }, ["user_request is missing"]],
    [{ type: "start_agent" }, ["id is missing", "user_request is missing"]],
    [{ id: "r1", type: "start_agent", user_request: "" }, ["user_request must not be empty"]],
    [{ id: "r1", type: "start_agent", user_request: 7 }, ["user_request must be text"]],
    [{ id: 7, type: "start_agent", user_request: "hi" }, ["id must be text"]],
    [{ id: "r1", type: "user_message", content: "hi" }, ["thread_id is missing"]],
    [{ id: "r1", type: "user_message", thread_id: "t9" }, ["content is missing"]],
    [{ id: "r1", type: "chat" }, ["content is missing"]],
    [{ id: "r1", type: "cancel" }, ["run_id is missing"]],
    [{ id: "r1", type: "agent_execute", data: {} }, ["data.query is missing"]],
    [{ id: "r1" }, ["type is missing"]],
    [{ id: "r1", type: 7 }, ["type must be text"]],
  ])("FR1: %j names what is wrong", (frame, wanted) => {
    const { code, errors } = refusal(frame);
    expect(code).toBe("VALIDATION_FAILED");
    const said = (errors as { field: string; message: string }[]).map(({ field, message }) => `${field} ${message}`);
    expect(said).toEqual(wanted);
  });

  test("FR1: an unknown type names the known ones and the nearest, and never what an object has by itself", () => {
    for (const type of ["run_agent", "toString", "__proto__", "constructor", "START_AGENT", ""]) {
      const { code, details } = refusal({ id: "r1", type });
      expect(code).toBe("UNKNOWN_MESSAGE_TYPE");
      expect(details).toMatchObject({ given: type, known_types: frameTypes });
      expect(frameTypes).toContain((details as { nearest: string }).nearest);
    }
    expect(refusal({ id: "r1", type: "user_mesage" }).details).toMatchObject({ nearest: "user_message" });
  });

  test("FR1: any JSON comes out as a frame of a known type, or as an error with a code", () => {
    const type = fc.oneof(fc.constantFrom(...frameTypes, "agent_execute", "execute_agent"), fc.string());
    const body = fc.record(
      {
        id: fc.oneof(fc.string(), fc.jsonValue()),
        type,
        user_request: fc.jsonValue(),
        content: fc.jsonValue(),
        thread_id: fc.oneof(fc.string(), fc.jsonValue()),
        run_id: fc.jsonValue(),
        data: fc.oneof(fc.record({ query: fc.jsonValue() }), fc.jsonValue()),
        timestamp: fc.jsonValue(),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(body, fc.jsonValue()), (given) => {
        const found = read(given);
        if ("error" in found) expect(isErrorCode(found.error.code)).toBe(true);
        else expect(frameTypes).toContain(found.frame.type);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("what is taken", () => {
  test("is as it was sent; what is null was not sent, and a timestamp may be anything", () => {
    const sent = { id: "r1", type: "chat", content: "hi", agent_id: null, thread_id: null, data: null, timestamp: 7 };
    expect(read(sent)).toMatchObject({ requestId: "r1", frame: { type: "chat", id: "r1", content: "hi" } });
    const { frame } = read(sent) as { frame: Record<string, unknown> };
    expect([frame["agent_id"], frame["thread_id"], frame["data"]]).toEqual([undefined, undefined, undefined]);
  });

  test.each(["agent_execute", "execute_agent"])("FR2: %s is start_agent by its old name", (type) => {
    const old = { id: "r1", type, agent_type: "echo", session_id: "t9", data: { query: "hi", more: 1 } };
    expect(read(old)).toEqual({
      requestId: "r1",
      given: type,
      frame: {
        type: "start_agent",
        id: "r1",
        user_request: "hi",
        agent_id: undefined,
        thread_id: "t9",
        data: { query: "hi", more: 1, agent_type: "echo" },
      },
    });
    expect(read({ id: "r1", type, data: { query: "hi" } })).toMatchObject({ frame: { thread_id: "s1" } });
    expect(refusal(old, true)).toMatchObject({
      code: "UNKNOWN_MESSAGE_TYPE",
      details: { given: type, nearest: "start_agent" },
    });
  });
});
