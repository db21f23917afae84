// Goal: what a chart hears and says is held by the compiler to the catalogue, and results carry objects.
// Method: wrong words under @ts-expect-error, which tsc refuses if they were right; examples for the rest.

import { emit, setup } from "xstate";
import { describe, expect, expectTypeOf, test } from "vitest";
import { asData, type Hears, ignoring, outcomeOf, type Says } from "../../src/machines/speech.ts";
import type { Message, StatusOf } from "../../src/protocol/catalogue.ts";

type In = Hears<"event:AgentExecutionStarted" | "cue:EndCall">;
type Out = Says<"event:AgentExecutionCanceled" | "cue:NoResponder">;

const chart = setup({ types: {} as { events: In; emitted: Out } });
const agent = { id: "clerk", exec_id: "01900000-0000-7000-8000-000000000003" };
const canceled = { status: "CANCELED", result: null, context: { attempt: 1, reason: "stop" } } as const;

describe("the compiler", () => {
  test("takes a declared message with all it must carry, and a declared cue", () => {
    chart.createAction(emit({ type: "event:AgentExecutionCanceled", agent, payload: canceled }));
    chart.createAction(emit({ type: "cue:NoResponder" }));
    expectTypeOf<Message<"event:AgentExecutionStarted">["agent_runtime"]>().toHaveProperty("exec_id");
    expectTypeOf<StatusOf<"event:TaskScheduled">>().toEqualTypeOf<"PENDING">();
  });

  test("refuses a message that the chart does not declare", () => {
    // @ts-expect-error -- the chart does not say that an agent failed.
    chart.createAction(emit({ type: "event:AgentExecutionFailed", agent, payload: canceled }));
    // @ts-expect-error -- nobody says that.
    chart.createAction(emit({ type: "event:AgentExecutionExploded", agent, payload: canceled }));
  });

  test("refuses a message that lacks something, or carries something wrong", () => {
    // @ts-expect-error -- an event names its entity.
    chart.createAction(emit({ type: "event:AgentExecutionCanceled", payload: canceled }));
    const running = { ...canceled, status: "RUNNING" } as const;
    // @ts-expect-error -- a canceled agent is not running.
    chart.createAction(emit({ type: "event:AgentExecutionCanceled", agent, payload: running }));
    const unreasoned = { ...canceled, context: { attempt: 1 } };
    // @ts-expect-error -- a reason is required.
    chart.createAction(emit({ type: "event:AgentExecutionCanceled", agent, payload: unreasoned }));
  });

  test("refuses an event that the chart does not hear", () => {
    const machine = chart.createMachine({ initial: "only", states: { only: { on: { "cue:EndCall": "only" } } } });
    // @ts-expect-error -- it does not hear of tools.
    const deaf = () => chart.createMachine({ on: { "event:ToolExecutionStarted": {} } });
    expect(machine.events).toEqual(["cue:EndCall"]);
    expect(deaf).toBeTypeOf("function");
  });
});

describe("a result", () => {
  test.each([
    [{ a: 1 }, { a: 1 }],
    ["text", { value: "text" }],
    [[1, 2], { value: [1, 2] }],
    [null, { value: null }],
    [0, { value: 0 }],
    [undefined, {}],
  ])("of %j travels as %j", (value, data) => {
    expect(asData(value)).toEqual(data);
  });

  test("is its error if it has one, else its output, else nothing", () => {
    const error = { code: "AGENT_ERROR", message: "refused" } as const;
    expect(outcomeOf({ error })).toEqual({ error });
    expect(outcomeOf({ output: { ok: true } })).toEqual({ output: { ok: true } });
    expect(outcomeOf(null)).toEqual({ output: {} });
    expect(outcomeOf(undefined)).toEqual({ output: {} });
  });
});

test("what is ignored on purpose says why", () => {
  expect(ignoring("late", "cue:Wake", "cue:Paused")).toEqual({
    "cue:Wake": { description: "late" },
    "cue:Paused": { description: "late" },
  });
});
