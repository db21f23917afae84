// Goal: an output that cannot be read is taken as what it is: its sender's failure, in a message of the catalogue.

import { expect, test } from "vitest";
import { withoutOutput } from "../../src/actors/remote-output.ts";
import { catalogue, type Key } from "../../src/protocol/catalogue.ts";
import type { Parsed } from "../../src/protocol/parse.ts";
import { missing } from "../../src/protocol/references.ts";

const error = missing("OBJECT_LOST", { hash: "a".repeat(64), size: 7 }, "s", "it is not there");
const parsed = (key: Key, status: string): Parsed =>
  ({
    key,
    envelope: {
      task: { id: "t" },
      payload: { status, result: { output: { $ref: "s" } }, duration_ms: 5, context: { attempt: 2 } },
    },
  }) as unknown as Parsed;

test.each([
  ["result:AgentExecutionResult", "result:AgentExecutionResult", "AGENT_ERROR", "AGENT_ERROR"],
  ["result:ToolExecutionResult", "result:ToolExecutionResult", "TOOL_ERROR", "TOOL_ERROR"],
  ["event:TaskExecutionSuccess", "event:TaskExecutionFailed", "FAILED", "INTERNAL_ERROR"],
] as const)("%s is taken as %s %s", (given, key, status, code) => {
  const taken = withoutOutput(parsed(given, "SUCCESS"), error);
  expect(taken?.key).toBe(key);
  const payload: unknown = taken?.envelope.payload;
  expect(catalogue[key].payload.parse(payload)).toMatchObject({ status, context: { attempt: 2 } });
  expect(payload).toMatchObject({
    result: { error: { code, message: error.message, details: { cause_code: "OBJECT_LOST", size: 7 } } },
  });
});

test.each(["event:AgentExecutionResult", "event:ToolExecutionSuccess", "event:WorkflowExecutionSuccess"] as const)(
  "%s is recorded with its reference: nobody acts on its output",
  (key) => {
    const given = parsed(key, "SUCCESS");
    expect(withoutOutput(given, error)).toBe(given);
  },
);

test.each(["command:TaskExecute", "command:AgentRuntimeExecute", "event:TaskScheduled"] as const)(
  "in place of %s nothing is taken: its input cannot be read",
  (key) => {
    expect(withoutOutput(parsed(key, "PENDING"), error)).toBeUndefined();
  },
);
