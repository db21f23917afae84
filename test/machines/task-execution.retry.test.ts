// Goal: a failed attempt is tried again as the policy says, and the calls of a lost executor do not stay open.
// Method: examples of T14 and C12, message for message; what the policy's arithmetic comes to, over many seeds.

import { describe, expect, test } from "vitest";
import type { RetryPolicy } from "../../src/protocol/fields.ts";
import { idOf } from "../../src/testing/part.ts";
import { elapse, hear, type Moment, say, snapshotOf, statusOf } from "../kit/chart-model.ts";
import {
  contextOf,
  delaysOf,
  dueIn,
  error,
  exec_id,
  placeOf,
  taskEnded,
  type TaskRun,
  taskRun,
  workflow,
} from "../kit/task-runs.ts";

const backoff = { initial_ms: 1_000, factor: 2, max_ms: 60_000, jitter: 0 };
const policy = (given: Partial<RetryPolicy>): { retry: RetryPolicy } => ({
  retry: { max_attempts: 9, backoff, ...given },
});

/** The executor fails the current attempt with a code, and perhaps the callee's own. */
function fail(run: TaskRun, code: string, cause_code?: string): Moment {
  return hear(run, {
    type: "event:TaskExecutionFailed",
    workflow,
    task: { id: "lookup", exec_id },
    payload: {
      status: "FAILED",
      duration_ms: 1,
      result: error(code, "broke", cause_code === undefined ? {} : { cause_code }),
      context: { attempt: contextOf(run).attempt, retry_policy: contextOf(run).retry },
    },
  });
}

const isRetried = ({ said }: Moment): boolean => said.some(({ type }) => type === "event:TaskRetryScheduled");

const delayIn = ({ said }: Moment): number => {
  const retry = said.find(({ type }) => type === "event:TaskRetryScheduled")?.payload?.context as { delay_ms?: number };
  return retry?.delay_ms ?? NaN;
};

describe("a task that failed", () => {
  test("T15: is not ended by a cancel that was for its attempt before, such as the one it said itself", () => {
    const run = taskRun("agent");
    say(run, "event:TaskExecutionStarted");
    const { said } = elapse(run, "deadline");
    const own = said.find(({ type }) => type === "command:TaskCancel");
    expect(own).toMatchObject({ payload: { context: { attempt: 1, cause: "timed_out" } } });
    expect(hear(run, own)).toMatchObject({ to: run.moments.at(-2)?.to, said: [] });
    const asked = { ...own, payload: { ...own?.payload, reply_to_subject: "_INBOX.client" } };
    expect(hear(run, asked).said).toMatchObject([{ payload: { result: { error: { code: "INVALID_STATE" } } } }]);
    expect(say(run, "event:TaskExecutionStarted").heard).toBe("taken");
  });

  test("T14: is scheduled again under its own id, with the next attempt, the delay and what went wrong", () => {
    const run = taskRun("agent", { order: { env: { KEY: { from: "env" } } } });
    say(run, "event:TaskExecutionStarted");
    const { said } = say(run, "event:TaskExecutionFailed (NOT_FOUND)");
    expect(said).toEqual([
      {
        type: "event:TaskRetryScheduled",
        workflow,
        task: { id: "decide", exec_id },
        payload: {
          status: "PENDING",
          result: null,
          context: {
            env: { KEY: { from: "env" } },
            parent_exec_id: idOf(7),
            branch: "left",
            attempt: 2,
            task_type: "agent",
            input: { claim: "late" },
            timeout_config: { timeout_duration_ms: 30_000, timeout_policy: "FAIL_TASK" },
            retry_policy: { max_attempts: 2, backoff, never_on: ["CARD_DECLINED"] },
            delay_ms: 1_000,
            original_error: error("TOOL_ERROR", "broke", { cause_code: "NOT_FOUND" }).error,
          },
        },
      },
    ]);
    expect(statusOf(run)).toBe("PENDING");
    expect(delaysOf(run)).toEqual(["retryStartTimeout"]);
  });

  test("T14: succeeds at its second attempt, and its parent hears of the success alone", () => {
    const run = taskRun("agent");
    say(run, "event:TaskExecutionStarted");
    say(run, "event:TaskExecutionFailed (NOT_FOUND)");
    expect(say(run, "event:TaskExecutionStarted")).toMatchObject({ heard: "taken", said: [] });
    expect(statusOf(run)).toBe("RUNNING");
    expect(say(run, "event:TaskExecutionSuccess").said).toEqual([
      taskEnded("decide", "SUCCESS", { output: { ok: true } }, 2),
    ]);
  });

  test("T14: fails when its attempts are used up, with the error of the last one", () => {
    const run = taskRun("agent");
    fail(run, "AGENT_RUNTIME_LOST");
    expect(fail(run, "AGENT_ERROR", "REFUSED").said).toEqual([
      taskEnded("decide", "FAILED", error("AGENT_ERROR", "broke", { cause_code: "REFUSED" }), 2),
    ]);
  });

  test("T14: is tried again after a timeout, of which it is told in between", () => {
    const run = taskRun("agent");
    say(run, "event:TaskExecutionStarted");
    const { said } = elapse(run, "deadline");
    expect(said.map(({ type }) => type)).toEqual([
      "event:TaskExecutionTimedOut",
      "command:TaskCancel",
      "event:TaskRetryScheduled",
    ]);
    expect(said[1]).toMatchObject({ payload: { context: { attempt: 1 } } });
    expect(said[2]).toMatchObject({ payload: { context: { attempt: 2, original_error: { code: "TASK_TIMEOUT" } } } });
  });

  test.each([
    ["a code that may pass", {}, "TOOL_ERROR", undefined, true],
    ["a code that will not pass", {}, "VALIDATION_FAILED", undefined, false],
    ["a code of the callee, which alone says nothing", {}, "SIGNAL_NOT_DELIVERED", "BUSY", false],
    ["a code on retry_on", { retry_on: ["VALIDATION_FAILED"] }, "VALIDATION_FAILED", undefined, true],
    ["a callee's code on retry_on", { retry_on: ["BUSY"] }, "SIGNAL_NOT_DELIVERED", "BUSY", true],
    ["a code that is not on retry_on", { retry_on: ["BUSY"] }, "TOOL_ERROR", undefined, false],
    ["a callee's code on never_on", { never_on: ["CARD_DECLINED"] }, "TOOL_ERROR", "CARD_DECLINED", false],
    ["a code on both lists", { retry_on: ["TOOL_ERROR"], never_on: ["TOOL_ERROR"] }, "TOOL_ERROR", undefined, false],
  ])("T14: with %s", (_, given, code, cause, expected) => {
    const run = taskRun("tool, one attempt", policy(given));
    expect(isRetried(fail(run, code, cause))).toBe(expected);
    expect(placeOf(run)).toBe(expected ? "backoff" : "failed");
  });

  test("T14: waits longer each time, and never longer than the policy's most", () => {
    const run = taskRun(
      "tool, one attempt",
      policy({ backoff: { initial_ms: 400, factor: 3, max_ms: 5_000, jitter: 0 } }),
    );
    const delays = [1, 2, 3, 4, 5].map(() => delayIn(fail(run, "TOOL_ERROR")));
    expect(delays).toEqual([400, 1_200, 3_600, 5_000, 5_000]);
  });

  test("T14: spreads its delays by the jitter, as its seed says and not otherwise", () => {
    const delays = Array.from({ length: 200 }, (_, index) => {
      const run = taskRun("tool, one attempt", policy({ backoff: { ...backoff, jitter: 0.2 } }));
      run.count += index;
      return delayIn(fail(run, "TOOL_ERROR"));
    });
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(800);
    expect(Math.min(...delays)).toBeLessThan(850);
    expect(Math.max(...delays)).toBeLessThanOrEqual(1_200);
    expect(Math.max(...delays)).toBeGreaterThan(1_150);
    const again = taskRun("tool, one attempt", policy({ backoff: { ...backoff, jitter: 0.2 } }));
    expect(delayIn(fail(again, "TOOL_ERROR"))).toBe(delays[0]);
  });

  test("T14: is not tried again when its total timeout has passed, though the timer is late", () => {
    const run = taskRun("tool, watched");
    run.at += 69_999;
    expect(isRetried(fail(run, "TOOL_ERROR"))).toBe(true);
    const late = taskRun("tool, watched");
    late.at += 70_000;
    expect(isRetried(fail(late, "TOOL_ERROR"))).toBe(false);
  });
});

describe("words about an attempt", () => {
  const stale = [
    "event:TaskExecutionStarted (stale)",
    "event:TaskExecutionSuccess (stale)",
    "event:TaskExecutionFailed (stale)",
    "event:TaskExecutionCanceled (stale)",
    "event:TaskWaitingStarted (stale)",
    "progress:TaskStep (stale)",
  ];

  test.each(stale)("T3: %s changes nothing before, during and at the end of the next one", (label) => {
    const run = taskRun("agent");
    say(run, "event:TaskExecutionFailed (NOT_FOUND)");
    expect(say(run, label).heard).toBe("ignored");
    say(run, "event:TaskExecutionStarted");
    expect(say(run, label).heard).toBe("ignored");
    say(run, "command:TaskCancel");
    expect(say(run, label).heard).toBe("ignored");
    expect(placeOf(run)).toBe("canceling");
  });

  test("T3: a word about an attempt that is yet to come changes nothing either", () => {
    const run = taskRun("agent");
    const success = {
      type: "event:TaskExecutionSuccess",
      workflow,
      task: { id: "decide", exec_id },
      payload: { status: "SUCCESS", duration_ms: 1, result: { output: {} }, context: { attempt: 2 } },
    };
    expect(hear(run, success).heard).toBe("ignored");
  });
});

describe("the calls of a task", () => {
  const task = { id: "calls", exec_id };
  const agent = { id: "judge", exec_id: idOf(21) };
  const tool = { id: "orders", exec_id: idOf(31) };
  const lost = error("CALLER_LOST", "the caller of this call vanished");
  const told = { attempt: 1, cause: "caller_lost", reason: "the caller of this call vanished" };
  const failed = { status: "FAILED", result: lost, context: { attempt: 1 } };
  const givenUp = {
    agent: [
      {
        type: "command:AgentCancel",
        workflow,
        task,
        agent,
        payload: { context: { ...told, canceled_by: "workflow.Orchestrator" } },
      },
      { type: "event:AgentExecutionFailed", workflow, task, agent, payload: failed },
    ],
    tool: [
      { type: "command:ToolCancel", workflow, task, agent, tool, payload: { context: told } },
      { type: "event:ToolExecutionFailed", workflow, task, agent, tool, payload: failed },
    ],
  };

  const running = (): TaskRun => {
    const run = taskRun("agent, its calls");
    say(run, "event:TaskExecutionStarted");
    return run;
  };

  test("C12: calls of an executor that died are given up 5 s after their attempt, first told and then reported", () => {
    const run = running();
    say(run, "event:AgentExecutionStarted");
    say(run, "event:ToolExecutionStarted");
    elapse(run, "deadline");
    expect(dueIn(run, "callerLost")).toBe(5_000);
    expect(elapse(run, "callerLost").said).toEqual([...givenUp.agent, ...givenUp.tool]);
    expect(placeOf(run)).toBe("backoff");
    expect(contextOf(run).calls).toEqual([]);
  });

  test("C12: a call that ends within these 5 s is left alone", () => {
    const run = running();
    say(run, "event:AgentExecutionStarted");
    say(run, "event:TaskExecutionFailed (NOT_FOUND)");
    expect(delaysOf(run)).toContain("callerLost");
    say(run, "event:AgentExecutionFailed (stale)");
    expect(delaysOf(run)).not.toContain("callerLost");
  });

  test("C12: a call of which is heard only after the end of a silent attempt is given up as well", () => {
    const run = running();
    say(run, "command:TaskCancel");
    elapse(run, "cancelGrace");
    expect(snapshotOf(run).status).toBe("active");
    run.at += 4_000;
    say(run, "event:AgentExecutionStarted");
    expect(dueIn(run, "callerLost")).toBe(1_000);
    expect(elapse(run, "callerLost").said).toEqual(givenUp.agent);
    expect(snapshotOf(run).status).toBe("done");
  });

  test("C12: a task whose silent executor began nothing in 5 s is over", () => {
    const run = running();
    say(run, "command:TaskCancel");
    elapse(run, "cancelGrace");
    expect(elapse(run, "callerLost").said).toEqual([]);
    expect(snapshotOf(run).status).toBe("done");
  });

  test("C12: a task with no call open is over as soon as its executor says so", () => {
    const run = running();
    say(run, "event:AgentExecutionStarted");
    say(run, "event:AgentExecutionFailed");
    say(run, "event:TaskExecutionSuccess");
    expect(snapshotOf(run).status).toBe("done");
  });

  test("C12: the next attempt's calls are not taken for orphans", () => {
    const run = running();
    elapse(run, "deadline");
    say(run, "event:TaskExecutionStarted");
    say(run, "event:AgentExecutionStarted");
    expect(elapse(run, "callerLost").said).toEqual([]);
    expect(contextOf(run).calls).toMatchObject([
      { kind: "agent", callee: { id: "judge", exec_id: idOf(22) }, attempt: 2 },
    ]);
    say(run, "event:TaskExecutionSuccess");
    expect(dueIn(run, "callerLost")).toBe(5_000);
  });

  test("C12: an attempt that ends while the one before is watched gets its own 5 s", () => {
    const run = running();
    elapse(run, "deadline");
    run.at += 2_000;
    say(run, "event:TaskExecutionStarted");
    say(run, "event:AgentExecutionStarted");
    say(run, "event:TaskExecutionFailed (NOT_FOUND)");
    const failedAt = run.at;
    expect(elapse(run, "callerLost").said).toEqual([]);
    const { said, at } = elapse(run, "callerLost");
    expect(said.map(({ type }) => type)).toEqual(["command:AgentCancel", "event:AgentExecutionFailed"]);
    expect(at).toBeGreaterThanOrEqual(failedAt + 5_000);
    expect(snapshotOf(run).status).toBe("done");
  });

  test("C12: a doubled or belated Started opens no call that has ended", () => {
    const run = running();
    say(run, "event:AgentExecutionStarted");
    expect(say(run, "event:AgentExecutionStarted").heard).toBe("ignored");
    say(run, "event:AgentExecutionFailed");
    expect(say(run, "event:AgentExecutionStarted").heard).toBe("ignored");
    expect(say(run, "event:AgentExecutionFailed").heard).toBe("ignored");
    say(run, "event:ToolExecutionFailed");
    expect(say(run, "event:ToolExecutionStarted").heard).toBe("ignored");
    expect(contextOf(run)).toMatchObject({ calls: [], endedCalls: [agent.exec_id, tool.exec_id] });
  });

  test.each([
    ["agent", "event:AgentExecutionResult"],
    ["agent", "event:AgentExecutionFailed"],
    ["agent", "event:AgentExecutionCanceled"],
    ["tool", "event:ToolExecutionSuccess"],
    ["tool", "event:ToolExecutionFailed"],
    ["tool", "event:ToolExecutionCanceled"],
  ])("C12: the call of an %s is over after %s", (kind, type) => {
    const run = running();
    say(run, "event:AgentExecutionStarted");
    say(run, "event:ToolExecutionStarted");
    const callee = kind === "tool" ? { agent, tool } : { agent };
    hear(run, { type, workflow, task, ...callee, payload: { context: { attempt: 1 } } });
    expect(contextOf(run).calls.map((call) => call.kind)).toEqual(kind === "tool" ? ["agent"] : ["tool"]);
  });

  test("C12: a call that was given up is not given up twice", () => {
    const run = running();
    say(run, "event:AgentExecutionStarted");
    elapse(run, "deadline");
    elapse(run, "callerLost");
    expect(say(run, "event:AgentExecutionStarted (stale)").heard).toBe("ignored");
    expect(say(run, "event:AgentExecutionFailed (stale)").heard).toBe("ignored");
  });

  test("C12: a call of an attempt that never was is none", () => {
    const run = running();
    expect(say(run, "event:AgentExecutionStarted (of no attempt)").heard).toBe("ignored");
    expect(contextOf(run).calls).toEqual([]);
  });

  test("C12: only the newest ended calls are remembered", () => {
    const run = running();
    const ended = Array.from({ length: 101 }, (_, nth) => idOf(1_000 + nth));
    for (const id of ended) {
      const payload = { status: "FAILED", result: lost, context: { attempt: 1 } };
      hear(run, { type: "event:ToolExecutionFailed", workflow, task, tool: { id: "orders", exec_id: id }, payload });
    }
    expect(contextOf(run).endedCalls).toEqual(ended.slice(1));
  });
});

describe("what an attempt said last of how far it is", () => {
  const step = (run: TaskRun, value: unknown) =>
    hear(run, {
      type: "progress:TaskStep",
      workflow,
      task: { id: "task", exec_id },
      payload: { context: { attempt: contextOf(run).attempt, seq: 1, step: value } },
    });
  const lastStepIn = (said: readonly object[]): unknown =>
    (said as { payload?: { context: { last_step?: unknown } } }[])[0]?.payload?.context.last_step;

  test("goes into the order of the next, and a mere sign of life does not", () => {
    const run = taskRun("agent");
    say(run, "event:TaskExecutionStarted");
    step(run, { page: 1 });
    step(run, { page: 2 });
    step(run, "heartbeat");
    expect(lastStepIn(say(run, "event:TaskExecutionFailed (NOT_FOUND)").said)).toEqual({ page: 2 });
  });

  test("is not there where none was said", () => {
    const run = taskRun("agent");
    say(run, "event:TaskExecutionStarted");
    const { said } = say(run, "event:TaskExecutionFailed (NOT_FOUND)");
    expect(JSON.stringify(said)).not.toContain("last_step");
  });
});
