// Goal: the table of codes is the protocol's, and any thrown value becomes one of them. Method: the protocol's table
// transcribed by hand and compared; thrown values of every kind, generated and hostile.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { errors, fromUnknown, isErrorCode, toWire, TroupeError, type ErrorCode } from "../../src/protocol/errors.ts";

// Code, R if retried by default, HTTP status or - for a warning.
const protocolTable = `
  UNKNOWN_MESSAGE_TYPE 400 · MESSAGE_TYPE_MISMATCH 400 · INVALID_ENVELOPE 400 · INVALID_SUBJECT 400 · INVALID_ID 400
  VALIDATION_FAILED 422 · PAYLOAD_TOO_LARGE 413 · MAX_DELIVERIES 500
  EXEC_ID_CONFLICT 409 · IDEMPOTENCY_CONFLICT 409 · INVALID_STATE 409
  WORKFLOW_NOT_FOUND 404 · TASK_NOT_FOUND 404 · AGENT_NOT_FOUND 404 · TOOL_NOT_FOUND 404
  EXECUTION_NOT_FOUND 404 · THREAD_NOT_FOUND 404 · NOT_FOUND 404
  TASK_AMBIGUOUS 409 · DEFINITION_IN_USE 409 · DEFINITION_INVALID 422
  UNAUTHENTICATED 401 · FORBIDDEN 403 · RATE_LIMITED 429 · THREAD_BUSY 429 · REPLAY_UNAVAILABLE 410
  NO_RESPONDER 503 · COMMAND_TIMEOUT 504 · DAEMON_UNREACHABLE 503 · API_TIMEOUT 504
  EXECUTOR_BUSY 503 · AGENT_RUNTIME_BUSY 503
  AGENT_ERROR R 502 · TOOL_ERROR R 502 · AGENT_RUNTIME_LOST R 502
  AGENT_INVOCATION_TIMEOUT R 504 · TOOL_INVOCATION_TIMEOUT R 504
  AGENT_DISPATCH_FAILED R 503 · TOOL_DISPATCH_FAILED R 503
  AGENT_CANCELED 409 · TOOL_CANCELED 409 · SIGNAL_NOT_DELIVERED 409
  TOOL_INPUT_INVALID 422 · TOOL_OUTPUT_INVALID 502
  TASK_TIMEOUT R 504 · TASK_HEARTBEAT_LOST R 504 · TASK_START_TIMEOUT R 503
  WAIT_TIMEOUT 504 · WORKFLOW_EXECUTION_TIMEOUT 504
  CALLER_LOST 500 · TASK_FAILED 500 · CHILD_FAILED 500 · NO_ROUTE 500 · EXPRESSION_ERROR 500 · STEP_LIMIT 500
  BUDGET_EXCEEDED 500 · UNDO_TIMEOUT 504
  STORE_UNAVAILABLE R 503 · INTERNAL_ERROR R 500
  DEPRECATED_ALIAS - · DEPRECATED_MESSAGE_TYPE - · LATE_MESSAGE -
`;

const expected = protocolTable
  .trim()
  .split(/\n| · /)
  .map((row) => row.trim().replaceAll(/\s+/g, " "))
  .toSorted();

const codes = Object.keys(errors) as ErrorCode[];

describe("the table of codes", () => {
  test("E1: it holds the protocol's codes with retry and HTTP status, and no other", () => {
    const actual = codes.map((code) => `${code}${errors[code].retry ? " R" : ""} ${errors[code].http ?? "-"}`);
    expect(actual.toSorted()).toEqual(expected);
  });

  test("E1: what an object inherits is no code", () => {
    for (const name of ["toString", "constructor", "__proto__", "hasOwnProperty", "", "agent_error"]) {
      expect(isErrorCode(name), name).toBe(false);
    }
  });

  test("a refused call exits 2, an unanswered one 3, every failed execution 1", () => {
    expect(codes.filter((code) => errors[code].exit === 3)).toEqual([
      "NO_RESPONDER",
      "COMMAND_TIMEOUT",
      "DAEMON_UNREACHABLE",
    ]);
    for (const code of codes) {
      const { exit, http, retry } = errors[code];
      if (retry) expect(exit, code).toBe(1);
      if (exit === 2) expect([400, 401, 403, 404, 409, 410, 413, 422, 429], code).toContain(http);
    }
  });
});

const explode = (): never => {
  throw new Error("boom");
};

const exploding = new Proxy(new Error("inner"), {
  get: explode,
  has: explode,
  getPrototypeOf: explode,
  ownKeys: explode,
  getOwnPropertyDescriptor: explode,
});

/** An error with some fields of its own making. */
const errorWith = (fields: PropertyDescriptorMap): Error => Object.defineProperties(new Error("plain"), fields);

const oursBut = { name: { value: "TroupeError" }, code: { value: "TASK_FAILED" }, details: { value: {} } };

const hostile: [string, unknown][] = [
  ["a proxy whose traps all throw", exploding],
  ["a proxy that was revoked", revoked()],
  ["an object without prototype", Object.create(null)],
  ["an object whose toString throws", { toString: explode }],
  ["an object whose toString gives an object", { toString: () => ({}), valueOf: () => ({}) }],
  ["an error whose message throws", errorWith({ message: { get: explode } })],
  ["an error whose message cannot be printed", errorWith({ message: { value: Object.create(null) } })],
  ["an error whose message is a symbol", errorWith({ message: { value: Symbol("message") } })],
  ["an error whose name throws", errorWith({ name: { get: explode } })],
  ["one of ours whose code throws", errorWith({ ...oursBut, code: { get: explode } })],
  [
    "one of ours whose code only prints like a code",
    errorWith({ ...oursBut, code: { value: { toString: () => "TASK_FAILED" } } }),
  ],
  ["one of ours without details", errorWith({ ...oursBut, details: {} })],
  ["one of ours whose details throw", errorWith({ ...oursBut, details: { get: explode } })],
  ["one of ours with a code nobody knows", errorWith({ ...oursBut, code: { value: "ODD" } })],
  ["a function", () => "thrown"],
  ["nothing", undefined],
  ["null", null],
  ["a symbol", Symbol("thrown")],
  ["a string", "thrown"],
  ["a big number", 10n],
];

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

const anything = fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true, withMap: true });

describe("any thrown value", () => {
  test.each(hostile)("E2: %s becomes an INTERNAL_ERROR that keeps it as cause", (_, thrown) => {
    const error = fromUnknown(thrown);
    expect(error instanceof TroupeError).toBe(true);
    expect(error.code).toBe("INTERNAL_ERROR");
    expect(typeof error.message).toBe("string");
    expect(Object.is(error.cause, thrown)).toBe(true);
    expect(() => JSON.stringify(toWire(error))).not.toThrow();
  });

  test("E2: fromUnknown never throws, and what it gives can be sent", () => {
    fc.assert(
      fc.property(anything, (thrown) => {
        const wire = toWire(fromUnknown(thrown));
        expect(wire.code).toBe("INTERNAL_ERROR");
        expect(typeof wire.message).toBe("string");
      }),
      { numRuns: 2000 },
    );
  });

  test("one of ours passes through untouched", () => {
    const error = new TroupeError("TASK_FAILED", "task decide failed", { failed_task_id: "decide" });
    expect(fromUnknown(error)).toBe(error);
  });

  test("one of ours from another copy of the package is known by its shape", () => {
    const fields = { name: "TroupeError", code: "EXECUTOR_BUSY", details: { slots: 4 } };
    const foreign = Object.assign(new Error("busy"), fields);
    expect(fromUnknown(foreign)).toBe(foreign);
    expect(toWire(fromUnknown(foreign))).toEqual({
      message: "busy",
      code: "EXECUTOR_BUSY",
      details: { slots: 4 },
    });
  });

  test("an ordinary error keeps its message", () => {
    expect(fromUnknown(new RangeError("too far")).message).toBe("too far");
  });
});

describe("the wire", () => {
  test("E2: toWire gives message, code and details, and neither stack nor cause", () => {
    const cause = new Error("disk full");
    const error = new TroupeError("INTERNAL_ERROR", "cannot write", { path: "log" }, { cause });
    expect(error.stack).toContain("errors.test.ts");
    expect(toWire(error)).toEqual({
      message: "cannot write",
      code: "INTERNAL_ERROR",
      details: { path: "log" },
    });
    expect(JSON.stringify(toWire(error))).not.toContain("errors.test.ts");
  });
});
