// Goal: commands to an execution that has ended, or never was, get the answer of the protocol's table.
// Method: every status with every command, and a property for when two orders are the same.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { silence } from "../../src/machines/step.ts";
import { answerEnded, answerUnknown, type Order, sameJson, sameOrder } from "../../src/machines/workflow-answers.ts";
import type { Message } from "../../src/protocol/catalogue.ts";
import { jsonValues } from "../kit/messages.ts";
import { ack, notWhile, refusal, to, workflow } from "../kit/workflow-words.ts";

const asked = { reply_to_subject: to };
const order = (input: unknown = { claim: "late" }, id = "refund"): Order => ({
  type: "command:WorkflowExecute",
  workflow: { ...workflow, id },
  payload: { ...asked, context: { input, trigger_type: "api" } },
});
const cancel: Message<"command:WorkflowCancel"> = {
  type: "command:WorkflowCancel",
  workflow,
  payload: { ...asked, context: { reason: "stop", canceled_by: "ann" } },
};
const others = [
  { type: "command:WorkflowPause", workflow, payload: { ...asked, context: { reason: "hold", paused_by: "ann" } } },
  { type: "command:WorkflowResume", workflow, payload: { ...asked, context: { resumed_by: "bob" } } },
  {
    type: "command:WorkflowSignal",
    workflow,
    payload: { ...asked, context: { signal: { name: "go", payload: null } } },
  },
] as const satisfies Message[];
const ends = ["SUCCESS", "FAILED", "TIMED_OUT", "CANCELED"] as const;

describe.each(ends)("an execution that has ended as %s", (status) => {
  const ended = { order: order(), status };

  test("W12: takes the same order for a duplicate, and is in conflict with another", () => {
    expect(answerEnded(ended, order())).toEqual(ack({ duplicate: true }));
    const conflict = refusal("EXEC_ID_CONFLICT", `execution '${workflow.exec_id}' has other content`, {});
    expect(answerEnded(ended, order({ claim: "lost" }))).toEqual(conflict);
  });

  test("W13: is canceled again without a change only where it was canceled", () => {
    const answer = status === "CANCELED" ? ack({ no_change: true }) : notWhile(status);
    expect(answerEnded(ended, cancel)).toEqual(answer);
  });

  test.each(others)("W14: declines a $type", (command) => {
    expect(answerEnded(ended, command)).toEqual(notWhile(status));
  });
});

test.each([...others, cancel])("W14: nobody knows the execution that a $type is for", (command) => {
  const message = `no workflow execution '${workflow.exec_id}' is known`;
  expect(answerUnknown(command)).toEqual(refusal("EXECUTION_NOT_FOUND", message, {}));
});

test("who did not ask gets no answer", () => {
  const quiet = { ...cancel, payload: { context: cancel.payload.context } };
  expect(answerEnded({ order: order(), status: "SUCCESS" }, quiet)).toBe(silence);
  expect(answerUnknown(quiet)).toBe(silence);
});

describe("two orders are the same", () => {
  test("by workflow and input, not by who triggered them", () => {
    const other = order();
    const triggered = {
      ...other,
      payload: { context: { ...other.payload.context, trigger_type: "schedule" } },
    } as const;
    expect(sameOrder(order(), triggered)).toBe(true);
    expect(sameOrder(order(), order({ claim: "late" }, "return"))).toBe(false);
    expect(sameOrder(order(), order({ claim: "lost" }))).toBe(false);
  });

  /** The same value with its fields in the other order. */
  const turned = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(turned);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .map(([field, inner]) => [field, turned(inner)] as const)
        .toReversed(),
    );
  };

  test("whatever the order of their fields, as JSON goes", () => {
    fc.assert(
      fc.property(jsonValues, jsonValues, (one, other) => {
        expect(sameJson(one, turned(structuredClone(one)))).toBe(true);
        const text = (value: unknown) => JSON.stringify(sorted(value));
        expect(sameJson(one, other)).toBe(text(one) === text(other));
      }),
    );
  });

  const sorted = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(sorted);
    if (typeof value !== "object" || value === null) return value;
    const entries = Object.entries(value).map(([field, inner]) => [field, sorted(inner)] as const);
    return Object.fromEntries(entries.toSorted(([one], [other]) => (one < other ? -1 : 1)));
  };

  test.each([
    [{ a: 1 }, { a: 2 }],
    [{ a: 1 }, { b: 1 }],
    [{ a: 1 }, { a: 1, b: 1 }],
    [{ a: undefined }, { b: undefined }],
    [{}, []],
    [{ 0: 1 }, [1]],
    [
      [1, 2],
      [2, 1],
    ],
    [[1], [1, 1]],
    [null, {}],
    [1, {}],
    [[], ""],
    [{}, null],
    [{}, 1],
    ["", []],
    [0, false],
    ["1", 1],
    [{ toString: 1 }, { a: 1 }],
  ])("but %j is not %j", (one, other) => {
    expect(sameJson(one, other)).toBe(false);
    expect(sameJson({ deep: [one] }, { deep: [other] })).toBe(false);
  });
});
