// Goal: what an attempt of a task says, word for word, in each row of the protocol's table that is the executor's.
// Method: examples, as the golden flows tell them.

import { describe, expect, test } from "vitest";
import { taskAttempt } from "../../src/machines/task-attempt.ts";
import { idAfter } from "../../src/protocol/ids.ts";
import type { Unstamped } from "../../src/machines/step.ts";
import { idOf, stampAt } from "../../src/testing/part.ts";
import { taskAttemptPart as part } from "../../src/testing/parts/task-attempt.ts";
import type { InputFrom } from "xstate";
import { begin, crash, elapse, hear, type Run, saidBy, say, statusOf } from "../kit/chart-model.ts";

const workflow = { id: "refund", exec_id: idOf(1) };
const task = { id: "decide", exec_id: idOf(2) };
const about = { workflow, task };
const to = `compozy.results.task.${task.exec_id}`;
const retry_policy = { max_attempts: 1, backoff: { initial_ms: 1_000, factor: 2, max_ms: 60_000, jitter: 0 } };
/** The first id of the step in which the attempt began. */
const callId = idAfter(stampAt(1_000_000, 1).seed, 1);

type Fault = { code: string; message: string; details: object };

const acknowledged = (attempt: number, extra: object = {}) => ({
  type: "result:CommandAck",
  ...about,
  to,
  payload: { status: "ACKNOWLEDGED", result: null, context: { attempt, ...extra } },
});
const started = (attempt = 1) => ({
  type: "event:TaskExecutionStarted",
  ...about,
  payload: { status: "RUNNING", result: null, context: { attempt } },
});
const completed = (output: object, duration_ms = 0, attempt = 1) => ({
  type: "event:TaskExecutionSuccess",
  ...about,
  payload: { status: "SUCCESS", duration_ms, result: { output }, context: { attempt } },
});
const failed = (error: Fault, duration_ms = 0, attempt = 1) => ({
  type: "event:TaskExecutionFailed",
  ...about,
  payload: { status: "FAILED", duration_ms, result: { error }, context: { attempt, retry_policy } },
});
const canceled = (attempt = 1) => ({
  type: "event:TaskExecutionCanceled",
  ...about,
  payload: { status: "CANCELED", result: null, context: { attempt, reason: "stop" } },
});
const waiting = (wait: object, reason: string) => ({
  type: "event:TaskWaitingStarted",
  ...about,
  payload: {
    status: "WAITING",
    result: null,
    context: { attempt: 1, reason, timeout_config: { timeout_duration_ms: 30_000 }, wait },
  },
});
const endCall = (cause: string) => ({ type: "cue:EndCall", exec_id: callId, cause, reason: "stop" });
const undelivered = (cause_code: string, message: string) =>
  failed({ code: "SIGNAL_NOT_DELIVERED", message, details: { cause_code } });

const calling = (): Run<typeof taskAttempt> => begin(part, "tool, second attempt");

/** An attempt that is not in the part. */
const withInput = (input: Unstamped<InputFrom<typeof taskAttempt>>) => begin({ ...part, inputs: { input } }, "input");

describe("an attempt that begins", () => {
  test("T4: is acknowledged first, says then that it runs, and calls its tool", () => {
    const run = calling();
    expect(saidBy(run)).toEqual([
      acknowledged(2),
      started(2),
      { type: "cue:Call", kind: "tool", id: "orders", exec_id: callId },
    ]);
    expect(statusOf(run)).toBe("RUNNING");
  });

  test("T4: calls its agent by the id that a direct run gives the first call", () => {
    expect(saidBy(begin(part, "agent, direct")).at(-1)).toEqual({
      type: "cue:Call",
      kind: "agent",
      id: "clerk",
      exec_id: task.exec_id,
    });
  });

  test("T4: acknowledges nothing where nobody asked", () => {
    const run = begin(part, "tool, no reply");
    expect(saidBy(run).map(({ type }) => type)).toEqual(["event:TaskExecutionStarted", "cue:Call"]);
    expect(say(run, "command:TaskExecute (again)")).toMatchObject({ heard: "ignored", said: [] });
  });

  test("T4: names no workflow where there is none", () => {
    const [first, second] = saidBy(begin(part, "signal to nobody"));
    expect(first).not.toHaveProperty("workflow");
    expect(second).not.toHaveProperty("workflow");
  });

  test("answers a doubled order as a duplicate, in every state, and leaves another attempt's to another life", () => {
    const run = calling();
    expect(say(run, "command:TaskExecute (again)").said).toEqual([acknowledged(2, { duplicate: true })]);
    expect(say(run, "command:TaskExecute (next attempt)")).toMatchObject({ heard: "ignored", said: [] });
    expect(say(run, "command:TaskExecute (resumed)")).toMatchObject({ heard: "ignored", said: [] });
    say(run, "command:TaskCancel (requested)");
    expect(say(run, "command:TaskExecute (again)").said).toEqual([acknowledged(2, { duplicate: true })]);
    const signal = begin(part, "signal");
    expect(say(signal, "command:TaskExecute (again)").said).toEqual([acknowledged(1, { duplicate: true })]);
  });
});

describe("an attempt that ends", () => {
  test("T6: with its call's success has its call's output", () => {
    const run = calling();
    run.at += 950;
    expect(say(run, "cue:CallEnded (SUCCESS)").said).toEqual([completed({ state: "sent" }, 950, 2)]);
    expect(statusOf(run)).toBe("SUCCESS");
  });

  test("T6: with a signal that was taken says that it was delivered", () => {
    const run = begin(part, "signal");
    expect(saidBy(run).slice(2)).toEqual([
      {
        type: "command:WorkflowSignal",
        workflow: { exec_id: workflow.exec_id },
        payload: { context: { signal: { name: "ready", payload: { n: 1 } } } },
      },
    ]);
    expect(statusOf(run)).toBe("RUNNING");
    expect(say(run, "cue:CallEnded (another's)").heard).toBe("ignored");
    expect(say(run, "result:CommandAck (ACKNOWLEDGED)").said).toEqual([completed({ delivered: true })]);
  });

  test("T6: with a signal may have sent it to another run", () => {
    expect(saidBy(begin(part, "signal to another run")).at(-1)).toMatchObject({ workflow: { exec_id: idOf(8) } });
  });

  test("T7: with its call's failure has its call's code", () => {
    const run = calling();
    run.at += 950;
    const error = { code: "TOOL_ERROR", message: "not today", details: { cause_code: "CLOSED" } };
    expect(say(run, "cue:CallEnded (FAILED)").said).toEqual([failed(error, 950, 2)]);
    expect(statusOf(run)).toBe("FAILED");
  });

  test("T7: with a call that was canceled apart from it has failed", () => {
    const error = { code: "AGENT_CANCELED", message: "not needed", details: {} };
    expect(say(begin(part, "agent, direct"), "cue:CallEnded (CANCELED)").said).toEqual([failed(error)]);
  });

  test("T7: before it calls anything tells what is wrong with its input", () => {
    const error = { code: "VALIDATION_FAILED", message: "n must be a number", details: {} };
    expect(saidBy(begin(part, "bad input"))).toEqual([acknowledged(1), started(), failed(error)]);
  });

  test.each([
    ["wait for nothing", "wait"],
    ["tool without a call", "tool"],
    ["agent that is given a tool", "agent"],
    ["signal without a name", "signal"],
  ])("T7: a %s has nothing to do, and says so", (name, task_type) => {
    const { order } = part.inputs["wait for nothing"] as { order: Unstamped<InputFrom<typeof taskAttempt>>["order"] };
    const context = { ...order.payload.context, task_type: task_type as "wait" };
    const call = name.startsWith("agent") ? { call: { kind: "tool", id: "orders" } as const } : {};
    const run = withInput({ order: { ...order, payload: { ...order.payload, context } }, ...call });
    const message = `the order of a task of type ${task_type} does not say what to do`;
    expect(saidBy(run).slice(2)).toEqual([failed({ code: "VALIDATION_FAILED", message, details: {} })]);
  });

  test("T7: with a signal that was refused, found nobody, or was never answered says which", () => {
    const refused = say(begin(part, "signal"), "result:CommandAck (ERROR)").said;
    expect(refused).toEqual([undelivered("INVALID_STATE", "not possible while SUCCESS")]);
    const nobody = say(begin(part, "signal"), "cue:NoResponder").said;
    expect(nobody).toEqual([undelivered("NO_RESPONDER", "nobody takes signals")]);
    const run = begin(part, "signal");
    crash(run);
    const { said, at } = elapse(run, "signalAck");
    expect(at).toBe(1_005_000);
    const [silent] = [undelivered("COMMAND_TIMEOUT", "nobody acknowledged the signal in time")];
    expect(said).toEqual([{ ...silent, payload: { ...silent?.payload, duration_ms: 5_000 } }]);
  });

  test("T7: with a signal for a run has no run to signal where it is run directly", () => {
    const { workflow: _none, ...direct } = undelivered("EXECUTION_NOT_FOUND", "there is no run to signal");
    expect(saidBy(begin(part, "signal to nobody")).at(-1)).toEqual(direct);
  });
});

describe("a wait", () => {
  test.each([
    ["a signal", { signal: "ready", match: "n == 1" }, "signal ready"],
    ["an approval", { approval: "ok?" }, "ok?"],
    ["a time", { duration_ms: 60_000 }, "60000 ms"],
  ])("T9: for %s says what it waits for, and is over for the executor", (what, wait, reason) => {
    const run = begin(part, `wait for ${what}`);
    expect(saidBy(run)).toEqual([acknowledged(1), started(), waiting(wait, reason)]);
    expect(statusOf(run)).toBe("WAITING");
    expect(say(run, "command:TaskCancel (requested)")).toMatchObject({ heard: "inert", said: [] });
  });

  test("T10: that has ended goes on as the same attempt, without a second start", () => {
    const run = begin(part, "resumed");
    expect(saidBy(run)).toEqual([acknowledged(1), completed({ approved: true })]);
    expect(statusOf(run)).toBe("SUCCESS");
  });

  test("T10: that ended with a bare value has an object for its output", () => {
    const { order } = part.inputs["resumed"] as { order: Unstamped<InputFrom<typeof taskAttempt>>["order"] };
    const context = { ...order.payload.context, resume_data: null };
    const run = withInput({ order: { ...order, payload: { ...order.payload, context } } });
    expect(saidBy(run).at(-1)).toEqual(completed({ value: null }));
  });
});

describe("a cancel", () => {
  test("T11: ends the call first, then the attempt, and is never acknowledged by the executor", () => {
    const run = calling();
    expect(say(run, "command:TaskCancel (requested)").said).toEqual([endCall("requested")]);
    expect(statusOf(run)).toBe("RUNNING");
    crash(run);
    expect(say(run, "command:TaskCancel (timed_out)").heard).toBe("ignored");
    expect(say(run, "cue:CallEnded (another's)").heard).toBe("ignored");
    expect(say(run, "cue:NoResponder").heard).toBe("ignored");
    expect(say(run, "result:CommandAck (ERROR)").heard).toBe("ignored");
    expect(say(run, "cue:CallEnded (CANCELED)").said).toEqual([canceled(2)]);
    expect(statusOf(run)).toBe("CANCELED");
  });

  test("T11: of a signal under way ends the attempt at once", () => {
    const run = begin(part, "signal");
    expect(say(run, "command:TaskCancel (requested)").said).toEqual([canceled()]);
    expect(say(run, "result:CommandAck (ACKNOWLEDGED)")).toMatchObject({ heard: "inert", said: [] });
  });

  test("T8: of an attempt that the orchestrator gave up ends its call, and says nothing of the task", () => {
    const run = calling();
    expect(say(run, "command:TaskCancel (timed_out)").said).toEqual([endCall("timed_out")]);
    expect(say(run, "cue:CallEnded (CANCELED)")).toMatchObject({ to: "dismissed", said: [] });
    expect(statusOf(run)).toBe("TIMED_OUT");
  });

  test.each(["timed_out", "caller_lost"])("T8: of a signal that was given up (%s) says nothing at all", (cause) => {
    const run = begin(part, "signal");
    const context = { cause, reason: "late", canceled_by: "ada" };
    const cancel = { type: "command:TaskCancel", ...about, payload: { reply_to_subject: "_INBOX.1", context } };
    expect(hear(run, cancel)).toMatchObject({ to: "dismissed", said: [] });
  });

  test("T11: meant for an earlier attempt does nothing, for a later one it ends this one too", () => {
    const run = calling();
    expect(say(run, "command:TaskCancel (earlier attempt)")).toMatchObject({ heard: "ignored", to: "calling" });
    expect(say(run, "command:TaskCancel (later attempt)").said).toEqual([endCall("parent_ended")]);
    expect(say(run, "cue:CallEnded (SUCCESS)").said).toEqual([canceled(2)]);
  });
});
