// Goal: commands to an execution that has ended, or never was, get the answer of the protocol's table.
// Method: every status with every command, and a property for when two orders are the same.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { answerEnded, answerOrder, answerUnknown, sameJson, sameOrder } from "../../src/machines/answers.ts";
import type { Order, Trigger } from "../../src/machines/answers.ts";
import { silence } from "../../src/machines/step.ts";
import type { Message } from "../../src/protocol/catalogue.ts";
import { idOf } from "../../src/testing/part.ts";
import { jsonValues } from "../kit/messages.ts";
import { ack, notWhile, refusal, to, workflow } from "../kit/workflow-words.ts";

const asked = { reply_to_subject: to };
const order = (input: unknown = { claim: "late" }, id = "refund"): Order => ({
  type: "command:WorkflowExecute",
  workflow: { ...workflow, id },
  payload: { ...asked, context: { input, trigger_type: "api" } },
});
const task = { id: "decide", exec_id: idOf(2) };
const trigger = (given: Partial<Trigger["payload"]["context"]> = {}, id = "decide"): Trigger => ({
  type: "command:TaskTrigger",
  task: { ...task, id },
  payload: { ...asked, context: { attempt: 1, input: { n: 1 }, triggered_by: "ann", ...given } },
});

const canceling = { cause: "requested", reason: "stop", canceled_by: "ann" } as const;
const cancel = {
  type: "command:WorkflowCancel",
  workflow,
  payload: { ...asked, context: { reason: "stop", canceled_by: "ann" } },
} as const satisfies Message;
const taskCancel = {
  type: "command:TaskCancel",
  workflow,
  task,
  payload: { ...asked, context: { attempt: 2, ...canceling } },
} as const satisfies Message;
const taskResume = {
  type: "command:TaskResume",
  workflow,
  task,
  payload: { ...asked, context: { resume_data: 7, resumed_by: "ann" } },
} as const satisfies Message;
const agent = { id: "judge", exec_id: idOf(3) };
const agentCancel = {
  type: "command:AgentCancel",
  workflow,
  task,
  agent,
  payload: { ...asked, context: canceling },
} as const satisfies Message;
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

/** An answer as it is, but to a command about a task, or an agent. */
const about = (sections: object, { type, payload, to }: ReturnType<typeof ack | typeof refusal>) => ({
  type,
  payload,
  to,
  ...sections,
});

describe.each(ends)("an execution that has ended as %s", (status) => {
  test("W13: a workflow is canceled again without a change only where it was canceled", () => {
    const answer = status === "CANCELED" ? ack({ no_change: true }) : notWhile(status);
    expect(answerEnded(status, cancel)).toEqual(answer);
  });

  test.each(others)("W14: declines a $type", (command) => {
    expect(answerEnded(status, command)).toEqual(notWhile(status));
  });

  test("T15: a task is canceled again without a change only where it was canceled", () => {
    const answer = status === "CANCELED" ? ack({ no_change: true }) : notWhile(status);
    const { payload } = answer;
    const ofAttempt = { ...payload, context: { attempt: 2, ...payload.context } };
    expect(answerEnded(status, taskCancel)).toEqual({ ...about({ workflow, task }, answer), payload: ofAttempt });
  });

  test("T15: a task declines to be resumed, and says how it ended", () => {
    expect(answerEnded(status, taskResume)).toEqual(about({ workflow, task }, notWhile(status)));
  });

  test("C13: an agent declines a cancel, also another one", () => {
    expect(answerEnded(status, agentCancel)).toEqual(about({ agent }, notWhile(status)));
  });
});

test.each([...others, cancel])("W14: nobody knows the execution that a $type is for", (command) => {
  const message = `no workflow execution '${workflow.exec_id}' is known`;
  expect(answerUnknown(command)).toEqual(refusal("EXECUTION_NOT_FOUND", message, {}));
});

test("T15: nobody knows the task that a resume or a cancel is for", () => {
  const answer = refusal("EXECUTION_NOT_FOUND", `no task execution '${task.exec_id}' is known`, {});
  expect(answerUnknown(taskResume)).toEqual(about({ workflow, task }, answer));
  expect(answerUnknown(taskCancel)).toMatchObject({
    task,
    to,
    payload: { status: "ERROR", result: answer.payload.result },
  });
});

test("C13: nobody knows the agent that a cancel is for", () => {
  const answer = refusal("EXECUTION_NOT_FOUND", `no agent execution '${agent.exec_id}' is known`, {});
  expect(answerUnknown(agentCancel)).toEqual(about({ agent }, answer));
});

describe("an order whose execution id is taken", () => {
  test("W12: is a duplicate of the same one, and in conflict with another", () => {
    expect(answerOrder(order(), order())).toEqual(ack({ duplicate: true }));
    const conflict = refusal("EXEC_ID_CONFLICT", `execution '${workflow.exec_id}' has other content`, {});
    expect(answerOrder(order(), order({ claim: "lost" }))).toEqual(conflict);
  });

  test("is for a task what it is for a workflow", () => {
    expect(answerOrder(trigger(), trigger())).toMatchObject({
      task,
      to,
      payload: { status: "ACKNOWLEDGED", context: { duplicate: true } },
    });
    expect(answerOrder(trigger(), trigger({ input: { n: 2 } }))).toMatchObject({
      task,
      to,
      payload: {
        status: "ERROR",
        result: { error: { code: "EXEC_ID_CONFLICT", message: `execution '${task.exec_id}' has other content` } },
      },
    });
  });
});

test.each([...others, cancel, taskCancel, taskResume, agentCancel])(
  "who did not ask hears nothing to a $type",
  (one) => {
    const quiet = { ...one, payload: { context: one.payload.context } } as typeof one;
    expect(answerEnded("SUCCESS", quiet)).toBe(silence);
    expect(answerUnknown(quiet)).toBe(silence);
  },
);

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

  test("by task, its type and input, not by who asked for it", () => {
    expect(sameOrder(trigger(), trigger({ triggered_by: "bob" }))).toBe(true);
    expect(sameOrder(trigger(), trigger({}, "other"))).toBe(false);
    expect(sameOrder(trigger(), trigger({ input: 2 }))).toBe(false);
    expect(sameOrder(trigger(), trigger({ task_type: "tool" }))).toBe(false);
    expect(sameOrder(trigger(), { ...trigger(), workflow: { id: "refund" } })).toBe(false);
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
