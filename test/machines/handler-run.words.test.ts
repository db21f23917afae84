// Goal: what a handler run says is right to the letter: sections, codes, details, where it goes.
// Method: examples, one for each way to end.

import { describe, expect, test } from "vitest";
import { handlerRun } from "../../src/machines/handler-run.ts";
import { handlerRunPart } from "../../src/testing/parts/handler-run.ts";
import { begin, crash, elapse, hear, type Run, saidBy, say, snapshotOf } from "../kit/chart-model.ts";

const id = (number: number): string => `01900000-0000-7000-8000-${number.toString(16).padStart(12, "0")}`;
const parents = { workflow: { id: "refund", exec_id: id(1) }, task: { id: "decide", exec_id: id(2) } };
const agent = { id: "clerk", exec_id: id(3) };
const tool = { id: "orders", exec_id: id(4) };
const agent_runtime = { id: "gpu-0", exec_id: id(20) };
const context = { attempt: 2 };
const began = { status: "RUNNING", result: null, context };
const acknowledgment = {
  type: "result:CommandAck",
  agent_runtime,
  agent,
  payload: { status: "ACKNOWLEDGED", result: null, context },
};
const thinking = {
  type: "progress:AgentThinking",
  ...parents,
  agent,
  payload: { context: { attempt: 2, seq: 1, text: "thinking" } },
};
const agentAnswer = (status: string, result: object) => ({
  type: "result:AgentExecutionResult",
  ...parents,
  agent,
  to: `results.agent.${agent.exec_id}`,
  payload: { status, result, context },
});
const toolAnswer = (status: string, result: object) => ({
  type: "result:ToolExecutionResult",
  ...parents,
  tool,
  to: `results.tool.${tool.exec_id}`,
  payload: { status, result, context },
});

const open = (input: string): Run<typeof handlerRun> => begin(handlerRunPart, input);

describe("an agent", () => {
  test("is acknowledged, started and performed", () => {
    expect(saidBy(open("agent"))).toEqual([
      acknowledgment,
      { type: "event:AgentExecutionStarted", ...parents, agent, agent_runtime, payload: began },
      { type: "cue:Perform", kind: "agent", ...agent },
    ]);
  });

  test("outside a workflow names no parents, and the runtime as its order does", () => {
    expect(saidBy(open("agent, direct"))[1]).toEqual({
      type: "event:AgentExecutionStarted",
      agent,
      agent_runtime: { exec_id: id(20) },
      payload: began,
    });
  });

  test.each([
    ["agent, no free slot", { code: "AGENT_RUNTIME_BUSY", message: "no free slot", details: {} }],
    ["no such agent", { code: "AGENT_NOT_FOUND", message: "no such agent", details: {} }],
  ])("that cannot be taken (%s) is refused in its acknowledgment", (input, error) => {
    const run = open(input);
    expect(saidBy(run)).toEqual([{ ...acknowledgment, payload: { status: "ERROR", result: { error }, context } }]);
    expect(snapshotOf(run)).toMatchObject({ status: "done", value: "refused" });
  });

  test("answers what it returned, after a thought", () => {
    const output = { verdict: "refund" };
    expect(say(open("agent"), "cue:Returned (an output)").said).toEqual([thinking, agentAnswer("SUCCESS", { output })]);
    expect(say(open("agent"), "cue:Returned (an output, had thought)").said).toHaveLength(1);
  });

  test("that returns nothing has failed", () => {
    const error = {
      code: "AGENT_ERROR",
      message: "the agent returned nothing",
      details: { cause_code: "EMPTY_RESULT" },
    };
    expect(say(open("agent"), "cue:Returned (nothing)").said).toEqual([
      thinking,
      agentAnswer("AGENT_ERROR", { error }),
    ]);
  });

  test.each([
    ["no code", { message: "not today", details: {} }],
    ["its own code, had thought", { message: "closed", details: { until: 9, cause_code: "CLOSED" } }],
    ["AGENT_ERROR", { message: "refused", details: { cause_code: "RUDE" } }],
    ["TOOL_ERROR", { message: "broken", details: { cause_code: "TOOL_ERROR" } }],
    ["TOOL_OUTPUT_INVALID", { message: "n must be a number", details: { cause_code: "TOOL_OUTPUT_INVALID" } }],
  ])("that throws with %s answers AGENT_ERROR", (note, error) => {
    const { said } = say(open("agent"), `cue:Threw (${note})`);
    expect(said.at(-1)).toEqual(agentAnswer("AGENT_ERROR", { error: { code: "AGENT_ERROR", ...error } }));
  });

  test("that obeys a cancel answers that it did, and how long it took", () => {
    const run = open("agent");
    expect(say(run, "command:AgentRuntimeCancel (requested, to be answered)").said).toEqual([
      { ...acknowledgment, to: "_INBOX.1" },
      { type: "cue:Abort", exec_id: agent.exec_id, cause: "requested", reason: "not needed" },
    ]);
    crash(run);
    run.at += 120;
    const error = { code: "AGENT_CANCELED", message: "not needed", details: { confirmed: true, took_ms: 120 } };
    expect(say(run, "cue:Threw (no code)")).toMatchObject({
      to: "canceled",
      said: [thinking, agentAnswer("FAILURE", { error })],
    });
  });

  test("that disobeys is answered for after 4 s", () => {
    const run = open("agent");
    say(run, "command:AgentRuntimeCancel (parent_ended)");
    const error = { code: "AGENT_CANCELED", message: "not needed", details: { confirmed: false, took_ms: 4_000 } };
    expect(elapse(run, "abortGrace").said).toEqual([agentAnswer("FAILURE", { error })]);
  });

  test("that is canceled without a reason answers all the same", () => {
    const run = open("agent");
    const cancel = { attempt: 2, cause: "requested", reason: "" };
    hear(run, { type: "command:AgentRuntimeCancel", agent, agent_runtime, payload: { context: cancel } });
    expect(elapse(run, "abortGrace").said).toMatchObject([{ payload: { result: { error: { message: "canceled" } } } }]);
  });

  test.each(["timed_out", "caller_lost"])(
    "that is canceled as %s stays until it settles, and says nothing",
    (cause) => {
      const run = open("agent");
      expect(say(run, `command:AgentRuntimeCancel (${cause})`)).toMatchObject({
        to: "canceling",
        said: [acknowledgment, { type: "cue:Abort", cause }],
      });
      expect(say(run, "cue:Returned (an output)")).toMatchObject({ to: "dismissed", said: [] });
      expect(snapshotOf(run).context).toMatchObject({ confirmed: true, cancel: { cause } });
    },
  );

  test("that was given up is not taken back by a cancel for another cause", () => {
    const run = open("agent");
    say(run, "command:AgentRuntimeCancel (timed_out)");
    const { said } = say(run, "command:AgentRuntimeCancel (requested, to be answered)");
    expect(said).toMatchObject([{ type: "result:CommandAck", payload: { context: { attempt: 2, no_change: true } } }]);
    expect(elapse(run, "abortGrace")).toMatchObject({ to: "dismissed", said: [] });
    expect(snapshotOf(run).context).toMatchObject({ confirmed: false, cancel: { cause: "timed_out" } });
  });

  test("that is ordered twice answers so each time", () => {
    const run = open("agent");
    const duplicate = {
      ...acknowledgment,
      payload: { status: "ACKNOWLEDGED", result: null, context: { attempt: 2, duplicate: true } },
    };
    expect(say(run, "command:AgentRuntimeExecute (again)").said).toEqual([duplicate]);
    say(run, "command:AgentRuntimeCancel (requested)");
    expect(say(run, "command:AgentRuntimeExecute (again)").said).toEqual([duplicate]);
  });
});

describe("a tool", () => {
  test("is started and performed", () => {
    expect(saidBy(open("tool"))).toEqual([
      { type: "event:ToolExecutionStarted", ...parents, tool, payload: began },
      { type: "cue:Perform", kind: "tool", ...tool },
    ]);
  });

  test("of an agent names it, and answers on its own subject where none is given", () => {
    const run = open("tool of an agent, no reply");
    expect(saidBy(run)[0]).toEqual({ type: "event:ToolExecutionStarted", ...parents, agent, tool, payload: began });
    const { to: _, ...answer } = toolAnswer("SUCCESS", { output: { verdict: "refund" } });
    expect(say(run, "cue:Returned (an output)").said).toEqual([{ ...answer, agent }]);
  });

  test.each([
    ["no such tool", "ERROR", { code: "TOOL_NOT_FOUND", message: "no such tool", details: {} }],
    ["tool, no free slot", "FAILURE", { code: "EXECUTOR_BUSY", message: "no free slot", details: {} }],
    ["tool, bad input", "FAILURE", { code: "TOOL_INPUT_INVALID", message: "order must be a string", details: {} }],
  ])("that cannot be run (%s) answers %s at once", (input, status, error) => {
    const run = open(input);
    expect(saidBy(run)).toEqual([toolAnswer(status, { error })]);
    expect(snapshotOf(run)).toMatchObject({ status: "done", value: "unfit" });
  });

  test("that returns nothing has succeeded", () => {
    expect(say(open("tool"), "cue:Returned (nothing)").said).toEqual([toolAnswer("SUCCESS", { output: {} })]);
  });

  test.each([
    ["no code", "TOOL_ERROR", { code: "TOOL_ERROR", message: "not today", details: {} }],
    [
      "its own code, had thought",
      "TOOL_ERROR",
      { code: "TOOL_ERROR", message: "closed", details: { until: 9, cause_code: "CLOSED" } },
    ],
    ["TOOL_ERROR", "TOOL_ERROR", { code: "TOOL_ERROR", message: "broken", details: {} }],
    ["AGENT_ERROR", "TOOL_ERROR", { code: "TOOL_ERROR", message: "refused", details: { cause_code: "AGENT_ERROR" } }],
    ["TOOL_OUTPUT_INVALID", "FAILURE", { code: "TOOL_OUTPUT_INVALID", message: "n must be a number", details: {} }],
  ])("that throws with %s answers %s", (note, status, error) => {
    expect(say(open("tool"), `cue:Threw (${note})`).said).toEqual([toolAnswer(status, { error })]);
  });

  test("that is canceled answers TOOL_CANCELED, and nobody acknowledges the cancel", () => {
    const run = open("tool");
    expect(say(run, "command:ToolCancel (requested, to be answered)").said).toEqual([
      { type: "cue:Abort", exec_id: tool.exec_id, cause: "requested", reason: "not needed" },
    ]);
    expect(say(run, "command:ToolCancel (requested, to be answered)").said).toEqual([]);
    const error = { code: "TOOL_CANCELED", message: "not needed", details: { confirmed: true, took_ms: 0 } };
    expect(say(run, "cue:Returned (nothing)").said).toEqual([toolAnswer("FAILURE", { error })]);
  });
});
