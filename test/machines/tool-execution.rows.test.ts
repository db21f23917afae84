// Goal: what a tool execution says, word for word, in each row of the protocol's table that its caller is home of.
// Method: examples, as the golden flows tell them; and the same histories with a live actor.

import { describe, expect, test } from "vitest";
import type { toolExecution } from "../../src/machines/tool-execution.ts";
import { idOf } from "../../src/testing/part.ts";
import { toolExecutionPart as part } from "../../src/testing/parts/tool-execution.ts";
import { begin, crash, elapse, type Run, saidBy, say, statusOf } from "../kit/chart-model.ts";
import { livesAlike } from "../kit/lives-alike.ts";

const tool = { id: "orders", exec_id: idOf(3) };
const about = { workflow: { id: "refund", exec_id: idOf(1) }, task: { id: "look", exec_id: idOf(2) }, tool };
const agent = { id: "clerk", exec_id: idOf(4) };
const context = { attempt: 1 };
const hangs = "NATS request timed out waiting for ToolExecutionResult";

type Ended = { code: string; message: string; details: object };

const fails = (code: string): Ended => ({ code, message: "not today", details: { cause_code: "CLOSED" } });
const failed = (error: Ended, duration_ms = 0) => ({
  type: "event:ToolExecutionFailed",
  ...about,
  payload: { status: "FAILED", duration_ms, result: { error }, context },
});
const canceled = (reason: string) => ({
  type: "event:ToolExecutionCanceled",
  ...about,
  payload: { status: "CANCELED", result: null, context: { ...context, reason } },
});
const stop = (cause: string, reason: string) => ({
  type: "command:ToolCancel",
  ...about,
  payload: { context: { ...context, cause, reason } },
});
const callEnded = (status: string, result: object) => ({
  type: "cue:CallEnded",
  exec_id: tool.exec_id,
  status,
  result,
});

function running(): Run<typeof toolExecution> {
  const run = begin(part, "of a task");
  say(run, "event:ToolExecutionStarted");
  return run;
}

test("a tool is ordered with its input, its attempt and its time", () => {
  const run = begin(part, "of a task");
  expect(saidBy(run)).toEqual([
    {
      type: "command:ToolExecute",
      ...about,
      payload: {
        context: {
          ...context,
          input: { order: "A7" },
          timeout_config: { timeout_duration_ms: 30_000, timeout_policy: "FAIL_TASK" },
        },
      },
    },
  ]);
  expect(statusOf(run)).toBe("-");
});

test("an order carries the names of environment values", () => {
  const env = { KEY: { from: "secret" } } as const;
  const call = { parents: {}, callee: tool, attempt: 1, input: {}, timeoutMs: 1_000, context: { env } };
  const run = begin({ ...part, inputs: { call } }, "call");
  expect(saidBy(run)[0]).toMatchObject({ payload: { context: { env, attempt: 1, input: {} } } });
});

test("a tool that an agent calls names the agent among its parents in all that is said of it", () => {
  const run = begin(part, "of an agent");
  say(run, "event:ToolExecutionStarted");
  say(run, "result:ToolExecutionResult (SUCCESS)");
  const [order, completed] = saidBy(run);
  expect(order).toMatchObject({ ...about, agent, payload: { context: { attempt: 2 } } });
  expect(completed).toMatchObject({ ...about, agent, payload: { context: { attempt: 2 } } });
});

describe("a tool execution", () => {
  test("C1: that began is running, and that is said by the tool executor alone", () => {
    const run = begin(part, "of a task");
    expect(say(run, "event:ToolExecutionStarted").said).toEqual([]);
    expect(statusOf(run)).toBe("RUNNING");
    expect(say(run, "event:ToolExecutionStarted")).toMatchObject({ heard: "ignored", said: [] });
  });

  test.each(["running", "ordered"])("C2: that succeeded while %s is reported with the tool's output", (from) => {
    const run = from === "running" ? running() : begin(part, "of a task");
    run.at += 12;
    expect(say(run, "result:ToolExecutionResult (SUCCESS)").said).toEqual([
      {
        type: "event:ToolExecutionSuccess",
        ...about,
        payload: { status: "SUCCESS", duration_ms: 12, result: { output: { state: "sent" } }, context },
      },
      callEnded("SUCCESS", { output: { state: "sent" } }),
    ]);
    expect(statusOf(run)).toBe("SUCCESS");
  });

  test("C3: whose tool erred has failed, with the tool's own code", () => {
    const run = running();
    run.at += 12;
    const error = fails("TOOL_ERROR");
    const { said } = say(run, "result:ToolExecutionResult (TOOL_ERROR)");
    expect(said).toEqual([failed(error, 12), callEnded("FAILED", { error })]);
    expect(statusOf(run)).toBe("FAILED");
  });

  test.each([
    ["FAILURE", "TOOL_NOT_FOUND"],
    ["FAILURE", "TOOL_CANCELED"],
    ["ERROR", "INVALID_ENVELOPE"],
  ])("C4: that was answered %s %s has failed with that code", (status, code) => {
    const { said } = say(running(), `result:ToolExecutionResult (${status} ${code})`);
    expect(said).toEqual([failed(fails(code)), callEnded("FAILED", { error: fails(code) })]);
  });

  test("C6: that no tool executor can take fails at once, not after its timeout", () => {
    const run = begin(part, "of a task");
    const error = {
      code: "TOOL_DISPATCH_FAILED",
      message: "no tool executor answers",
      details: { reason: "no_responders" },
    };
    expect(say(run, "cue:NoResponder")).toMatchObject({
      at: 1_000_000,
      said: [failed(error), callEnded("FAILED", { error })],
    });
    expect(statusOf(run)).toBe("FAILED");
  });

  test("C6: that runs is not failed by a repeated order that finds nobody", () => {
    expect(say(running(), "cue:NoResponder")).toMatchObject({ heard: "ignored", to: "open.running" });
  });

  test("C7: whose tool hangs ends at its timeout, counted from the order, in the protocol's own words", () => {
    const run = begin(part, "of a task");
    run.at += 29_000;
    say(run, "event:ToolExecutionStarted");
    const error = { code: "TOOL_INVOCATION_TIMEOUT", message: hangs, details: {} };
    expect(elapse(run, "invocationTimeout")).toMatchObject({
      at: 1_030_000,
      said: [failed(error, 30_000), stop("timed_out", hangs), callEnded("FAILED", { error })],
    });
    expect(statusOf(run)).toBe("FAILED");
  });

  test("C9: that its caller cancels tells the tool to stop, and is canceled when the tool has stopped", () => {
    const run = running();
    expect(say(run, "cue:EndCall (requested)").said).toEqual([stop("requested", "stop")]);
    expect(statusOf(run)).toBe("RUNNING");
    expect(say(run, "result:ToolExecutionResult (FAILURE TOOL_CANCELED)").said).toEqual([
      canceled("stop"),
      callEnded("CANCELED", { error: { code: "TOOL_CANCELED", message: "stop", details: {} } }),
    ]);
    expect(statusOf(run)).toBe("CANCELED");
  });

  test("C9: whose tool does not stop is canceled after the grace, also after a crash", () => {
    const run = begin(part, "of a task");
    say(run, "cue:EndCall (parent_ended)");
    crash(run);
    expect(say(run, "event:ToolExecutionStarted").heard).toBe("ignored");
    expect(say(run, "cue:EndCall (timed_out)").heard).toBe("ignored");
    expect(elapse(run, "cancelGrace")).toMatchObject({ at: 1_005_000, to: "canceled" });
  });

  test("C9: that nobody can be told to stop is canceled at once", () => {
    const run = running();
    say(run, "cue:EndCall (requested)");
    expect(say(run, "cue:NoResponder").said[0]).toEqual(canceled("stop"));
  });

  test.each(["timed_out", "caller_lost"])("C9: that is given up (%s) waits for no reply", (cause) => {
    const error = { code: "TOOL_CANCELED", message: "stop", details: {} };
    expect(say(running(), `cue:EndCall (${cause})`).said).toEqual([
      stop(cause, "stop"),
      canceled("stop"),
      callEnded("CANCELED", { error }),
    ]);
  });

  test("C11: that has ended says nothing to a late reply, and stays as it is", () => {
    const run = begin(part, "of a task");
    elapse(run, "invocationTimeout");
    const { life } = run;
    expect(say(run, "result:ToolExecutionResult (SUCCESS)")).toMatchObject({ heard: "inert", said: [] });
    expect(run.life).toBe(life);
  });
});

livesAlike(part);
