// Goal: what an agent execution says, word for word, in each row of the protocol's table that its caller is home of.
// Method: examples, as the golden flows tell them; and the same histories with a live actor.

import { describe, expect, test } from "vitest";
import type { Run } from "../kit/chart-model.ts";
import type { agentExecution } from "../../src/machines/agent-execution.ts";
import { idOf } from "../../src/testing/part.ts";
import { agentExecutionPart as part } from "../../src/testing/parts/agent-execution.ts";
import { begin, crash, elapse, hear, saidBy, say, statusOf } from "../kit/chart-model.ts";
import { livesAlike } from "../kit/lives-alike.ts";

const agent = { id: "clerk", exec_id: idOf(3) };
const parents = { workflow: { id: "refund", exec_id: idOf(1) }, task: { id: "decide", exec_id: idOf(2) } };
const about = { ...parents, agent };
const context = { attempt: 1 };
const hangs = "NATS request timed out waiting for AgentExecutionResult";

type Ended = { code: string; message: string; details: object };

const failed = (error: Ended, duration_ms = 0) => ({
  type: "event:AgentExecutionFailed",
  ...about,
  payload: { status: "FAILED", duration_ms, result: { error }, context },
});
const canceled = (reason: string) => ({
  type: "event:AgentExecutionCanceled",
  ...about,
  payload: { status: "CANCELED", result: null, context: { ...context, reason } },
});
const stop = (cause: string, reason: string) => ({
  type: "command:AgentCancel",
  ...about,
  payload: { context: { ...context, cause, reason, canceled_by: "task.Executor" } },
});
const callEnded = (status: string, result: object) => ({
  type: "cue:CallEnded",
  exec_id: agent.exec_id,
  status,
  result,
});

/** A reply that is not in the part. */
const reply = (run: Run<typeof agentExecution>, status: string, error: Ended) =>
  hear(run, { type: "result:AgentExecutionResult", agent, payload: { status, result: { error }, context } });

function running(): Run<typeof agentExecution> {
  const run = begin(part, "call");
  say(run, "event:AgentExecutionStarted");
  return run;
}

test("an agent is triggered with its input, its attempt and its time", () => {
  const run = begin(part, "call");
  expect(saidBy(run)).toEqual([
    {
      type: "command:TriggerAgent",
      ...about,
      payload: {
        context: {
          ...context,
          input: { claim: "late" },
          timeout_config: { timeout_duration_ms: 30_000, timeout_policy: "FAIL_TASK" },
        },
      },
    },
  ]);
  expect(statusOf(run)).toBe("-");
});

test("a trigger carries the names of environment values and the agent's own request", () => {
  const context = {
    env: { KEY: { from: "secret" } },
    agent_request: { agent_id: "clerk", agent_exec_id: agent.exec_id, action: "judge" },
  } as const;
  const { call } = part.inputs;
  const run = begin(
    { ...part, inputs: { call: { ...call, callee: agent, context } as NonNullable<typeof call> } },
    "call",
  );
  expect(saidBy(run)[0]).toMatchObject({ payload: { context: { ...context, attempt: 1, input: { claim: "late" } } } });
});

describe("an agent execution", () => {
  test("C1: that began is running, and that is said by the runtime alone", () => {
    const run = begin(part, "call");
    expect(say(run, "event:AgentExecutionStarted").said).toEqual([]);
    expect(statusOf(run)).toBe("RUNNING");
    expect(say(run, "event:AgentExecutionStarted")).toMatchObject({ heard: "ignored", said: [] });
  });

  test.each(["running", "triggered"])("C2: that succeeded while %s is reported with the agent's output", (from) => {
    const run = from === "running" ? running() : begin(part, "call");
    run.at += 950;
    expect(say(run, "result:AgentExecutionResult (SUCCESS)").said).toEqual([
      {
        type: "event:AgentExecutionResult",
        ...about,
        payload: {
          status: "SUCCESS",
          agent_execution_status: "SUCCESS",
          duration_ms: 950,
          result: { output: { ok: true } },
          context,
        },
      },
      callEnded("SUCCESS", { output: { ok: true } }),
    ]);
    expect(statusOf(run)).toBe("SUCCESS");
  });

  test("C3: whose agent erred has completed, and failed, with the agent's own code", () => {
    const run = running();
    run.at += 950;
    const error = { code: "AGENT_ERROR", message: "refused", details: { cause_code: "REFUSED" } };
    expect(say(run, "result:AgentExecutionResult (AGENT_ERROR)").said).toEqual([
      {
        type: "event:AgentExecutionResult",
        ...about,
        payload: {
          status: "FAILED",
          agent_execution_status: "AGENT_ERROR",
          duration_ms: 950,
          result: { error },
          context,
        },
      },
      callEnded("FAILED", { error }),
    ]);
    expect(statusOf(run)).toBe("FAILED");
  });

  test.each(["FAILURE", "ERROR"])("C4: that was answered %s has failed with the code of the answer", (status) => {
    const run = running();
    run.at += 7;
    const error = { code: "INVALID_ENVELOPE", message: "no agent section", details: {} };
    expect(reply(run, status, error).said).toEqual([failed(error, 7), callEnded("FAILED", { error })]);
    expect(statusOf(run)).toBe("FAILED");
  });

  test("C5: that was not dispatched fails with what the dispatcher answers", () => {
    const run = begin(part, "call");
    const error = { code: "AGENT_DISPATCH_FAILED", message: "no runtime", details: { reason: "no_runtime" } };
    expect(reply(run, "FAILURE", error).said).toEqual([failed(error), callEnded("FAILED", { error })]);
  });

  test("C6: that no dispatcher can take fails at once, not after its timeout", () => {
    const run = begin(part, "call");
    const error = {
      code: "AGENT_DISPATCH_FAILED",
      message: "no agent dispatcher answers",
      details: { reason: "no_responders" },
    };
    expect(say(run, "cue:NoResponder")).toMatchObject({
      at: 1_000_000,
      said: [failed(error), callEnded("FAILED", { error })],
    });
    expect(statusOf(run)).toBe("FAILED");
  });

  test("C6: that runs is not failed by a repeated trigger that finds nobody", () => {
    expect(say(running(), "cue:NoResponder")).toMatchObject({ heard: "ignored", to: "open.running" });
  });

  test("C7: whose agent hangs ends at its timeout, counted from the trigger, in the protocol's own words", () => {
    const run = begin(part, "call");
    run.at += 29_000;
    say(run, "event:AgentExecutionStarted");
    const error = { code: "AGENT_INVOCATION_TIMEOUT", message: hangs, details: {} };
    expect(elapse(run, "invocationTimeout")).toMatchObject({
      at: 1_030_000,
      said: [failed(error, 30_000), stop("timed_out", hangs), callEnded("FAILED", { error })],
    });
    expect(statusOf(run)).toBe("FAILED");
  });

  test("C8: whose runtime died has failed with AGENT_RUNTIME_LOST", () => {
    const error = { code: "AGENT_RUNTIME_LOST", message: "the runtime died", details: {} };
    const { said } = say(running(), "result:AgentExecutionResult (FAILURE AGENT_RUNTIME_LOST)");
    expect(said).toEqual([failed(error), callEnded("FAILED", { error })]);
  });

  test("C9: that its caller cancels tells the agent to stop, and is canceled when the agent has stopped", () => {
    const run = running();
    expect(say(run, "cue:EndCall (requested)").said).toEqual([stop("requested", "stop")]);
    expect(statusOf(run)).toBe("RUNNING");
    const error = { code: "AGENT_CANCELED", message: "stop", details: {} };
    expect(say(run, "result:AgentExecutionResult (FAILURE AGENT_CANCELED)").said).toEqual([
      canceled("stop"),
      callEnded("CANCELED", { error }),
    ]);
    expect(statusOf(run)).toBe("CANCELED");
  });

  test("C9: whose agent does not stop is canceled after the grace, also after a crash", () => {
    const run = begin(part, "call");
    say(run, "cue:EndCall (requested)");
    crash(run);
    expect(elapse(run, "cancelGrace")).toMatchObject({ at: 1_005_000, to: "canceled" });
  });

  test("C9: that nobody can be told to stop is canceled at once", () => {
    const run = running();
    say(run, "cue:EndCall (requested)");
    expect(say(run, "cue:NoResponder").said[0]).toEqual(canceled("stop"));
  });

  test.each(["timed_out", "caller_lost"])("C9: that is given up (%s) waits for no reply", (cause) => {
    const run = running();
    expect(hear(run, { type: "cue:EndCall", exec_id: agent.exec_id, cause, reason: "late" }).said).toEqual([
      stop(cause, "late"),
      canceled("late"),
      callEnded("CANCELED", { error: { code: "AGENT_CANCELED", message: "late", details: {} } }),
    ]);
  });

  test.each(["parent_ended", "requested"])("C9: that is canceled (%s) waits for the reply", (cause) => {
    const run = running();
    hear(run, { type: "cue:EndCall", exec_id: agent.exec_id, cause, reason: "" });
    expect(say(run, "event:AgentExecutionStarted").heard).toBe("ignored");
    expect(say(run, "cue:EndCall (requested)").heard).toBe("ignored");
    expect(say(run, "result:AgentExecutionResult (SUCCESS)").said[0]).toEqual(canceled("canceled"));
  });

  test("C10: that was canceled from outside is canceled, for the reason that the runtime gives", () => {
    const error = { code: "AGENT_CANCELED", message: "not needed", details: {} };
    const { said } = say(running(), "result:AgentExecutionResult (FAILURE AGENT_CANCELED)");
    expect(said).toEqual([canceled("not needed"), callEnded("CANCELED", { error })]);
  });

  test("C11: that has ended says nothing to a late reply, and stays as it is", () => {
    const run = begin(part, "call");
    elapse(run, "invocationTimeout");
    const { life } = run;
    expect(say(run, "result:AgentExecutionResult (SUCCESS)")).toMatchObject({ heard: "inert", said: [] });
    expect(run.life).toBe(life);
  });

  test("takes no time, rather than less than none, where the clock was set back", () => {
    const run = running();
    run.at -= 60_000;
    const { said } = say(run, "result:AgentExecutionResult (SUCCESS)");
    expect(said[0]).toMatchObject({ payload: { duration_ms: 0 } });
  });
});

livesAlike(part);
