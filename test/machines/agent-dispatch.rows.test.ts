// Goal: what the dispatcher says of an agent, word for word, in each row of the protocol's table that it is home of.
// Method: examples, as the golden flows tell them.

import { describe, expect, test } from "vitest";
import type { agentDispatch } from "../../src/machines/agent-dispatch.ts";
import { idOf } from "../../src/testing/part.ts";
import { agentDispatchPart as part } from "../../src/testing/parts/agent-dispatch.ts";
import { begin, crash, elapse, type Run, saidBy, say, snapshotOf, statusOf } from "../kit/chart-model.ts";

const agent = { id: "clerk", exec_id: idOf(3) };
const about = { workflow: { id: "refund", exec_id: idOf(1) }, task: { id: "decide", exec_id: idOf(2) }, agent };
const runtime = { id: "gpu-0", exec_id: idOf(20) };
const other = { id: "gpu-1", exec_id: idOf(21) };
const to = `compozy.results.agent.${agent.exec_id}`;
const inbox = "_INBOX.0";
const context = { attempt: 1 };

const timeout = "event:AgentExecutionFailed (AGENT_INVOCATION_TIMEOUT)";
const acknowledgment = "result:CommandAck (ACKNOWLEDGED)";
const busy = "result:CommandAck (ERROR AGENT_RUNTIME_BUSY)";
const refusal = "result:CommandAck (ERROR EXECUTION_NOT_FOUND)";
const started = "event:AgentExecutionStarted";
const cancel = "command:AgentCancel (requested, to be answered)";
const cancelOf = (cause: string) => `command:AgentCancel (${cause})`;

type Fault = { code: string; message: string; details: object };
type Dispatch = Run<typeof agentDispatch>;

const choose = (...except: string[]) => ({ type: "cue:ChooseRuntime", agent: "clerk", except });
const relay = (agent_runtime: object) => ({
  type: "command:AgentRuntimeExecute",
  ...about,
  agent_runtime,
  payload: {
    reply_to_subject: to,
    context: { ...context, input: { claim: "late" }, timeout_config: { timeout_duration_ms: 30_000 } },
  },
});
const relayCancel = (cause = "requested") => ({
  type: "command:AgentRuntimeCancel",
  ...about,
  agent_runtime: runtime,
  payload: { context: { ...context, cause, reason: "not needed" } },
});
const answer = (error: Fault) => ({
  type: "result:AgentExecutionResult",
  ...about,
  to,
  payload: { status: "FAILURE", result: { error }, context },
});
const canceled = answer({ code: "AGENT_CANCELED", message: "not needed", details: {} });
const accepted = (extra: object = {}) => ({
  type: "result:CommandAck",
  agent,
  to: inbox,
  payload: { status: "ACKNOWLEDGED", result: null, context: { ...context, ...extra } },
});
const declined = (error: Fault) => ({
  type: "result:CommandAck",
  agent,
  to: inbox,
  payload: { status: "ERROR", result: { error }, context },
});
const unheard = declined({
  code: "COMMAND_TIMEOUT",
  message: "the runtime did not acknowledge the cancel",
  details: {},
});
const ended = (status: string) =>
  declined({ code: "INVALID_STATE", message: `not possible while ${status}`, details: { status } });

/** Recorded first, then answered. */
const undispatched = (why: string, details: object) => {
  const error = { code: "AGENT_DISPATCH_FAILED", message: `agent 'clerk' not dispatched: ${why}`, details };
  const recorded = {
    type: "event:AgentDispatchFailed",
    ...about,
    payload: { status: "FAILED", result: { error }, context },
  };
  return [recorded, answer(error)];
};

function relayed(): Dispatch {
  const run = begin(part, "order");
  say(run, "cue:RuntimeChosen (gpu-0)");
  return run;
}

function running(): Dispatch {
  const run = relayed();
  say(run, acknowledgment);
  say(run, started);
  return run;
}

describe("an agent dispatch", () => {
  test("asks the registry for a runtime, relays the order as it came, and watches until the caller reports", () => {
    const run = begin(part, "order");
    expect(saidBy(run)).toEqual([choose()]);
    expect(statusOf(run)).toBe("-");
    expect(say(run, "cue:RuntimeChosen (gpu-0)").said).toEqual([relay(runtime)]);
    expect(statusOf(run)).toBe("-");
    expect(say(run, acknowledgment)).toMatchObject({ to: "acknowledged", said: [] });
    expect(statusOf(run)).toBe("RUNNING");
    expect(say(run, started)).toMatchObject({ heard: "ignored", said: [] });
    expect(say(run, acknowledgment).heard).toBe("ignored");
    expect(say(run, "event:AgentExecutionResult")).toMatchObject({ to: "released", said: [] });
  });

  test("relays a direct order without parents and without a reply subject", () => {
    const run = begin(part, "direct order, no reply");
    const { said } = say(run, "cue:RuntimeChosen (gpu-0)");
    const { context } = relay(runtime).payload;
    expect(said).toEqual([
      { type: "command:AgentRuntimeExecute", agent, agent_runtime: runtime, payload: { context } },
    ]);
    expect(elapse(run, "relayAck").said[1]).not.toHaveProperty("to");
  });

  test.each(["relayed", "acknowledged"])("has nothing more to do when its caller reports a failure (%s)", (from) => {
    const run = from === "relayed" ? relayed() : running();
    expect(say(run, "event:AgentExecutionFailed (AGENT_RUNTIME_LOST)")).toMatchObject({ to: "released", said: [] });
  });

  test("takes a start for an acknowledgment that was lost", () => {
    expect(say(relayed(), started)).toMatchObject({ to: "acknowledged", said: [] });
  });

  test("forgets an agent of which nobody reports anything, after its time and the time to end orphans", () => {
    expect(elapse(running(), "forget")).toMatchObject({ at: 1_045_000, to: "released", said: [] });
  });

  test.each(["event:AgentExecutionFailed (AGENT_RUNTIME_LOST)", timeout])(
    "ends without a word when its caller reports before a runtime was chosen: %s",
    (report) => {
      expect(say(begin(part, "order"), report)).toMatchObject({ to: "released", said: [] });
      const run = begin(part, "order");
      say(run, "cue:AllBusy");
      expect(say(run, report)).toMatchObject({ to: "released", said: [] });
    },
  );
});

describe("a dispatch that fails", () => {
  test("C5: because no runtime serves the agent is recorded, then answered", () => {
    const { said } = say(begin(part, "order"), "cue:NoRuntime");
    expect(said).toEqual(undispatched("no registered runtime serves the agent", { reason: "no_runtime" }));
  });

  test("C5: because every runtime is busy waits five seconds in all, however often one seemed free", () => {
    const run = begin(part, "order");
    expect(say(run, "cue:AllBusy")).toMatchObject({ to: "queued", said: [] });
    run.at += 3_000;
    expect(say(run, "cue:RuntimeFree").said).toEqual([choose()]);
    expect(say(run, "cue:AllBusy").to).toBe("queued");
    crash(run);
    const { said, at } = elapse(run, "allBusy");
    expect(at).toBe(1_005_000);
    expect(said).toEqual(undispatched("every runtime that serves the agent is busy", { reason: "all_busy" }));
  });

  test("C5: because the runtime does not acknowledge asks no other", () => {
    const { said, at } = elapse(relayed(), "relayAck");
    expect(at).toBe(1_002_000);
    const told = undispatched("the runtime did not acknowledge", { reason: "ack_timeout" });
    // It may have begun all the same, so it is told to stop; one that is gone is not.
    const stop = { context: { attempt: 1, cause: "caller_lost", reason: "the runtime did not acknowledge" } };
    expect(said).toEqual([...told, { ...relayCancel("caller_lost"), payload: stop }]);
    expect(say(relayed(), "cue:RuntimeLost").said).toEqual(told);
  });

  test("C5: because the runtime refuses tells its code", () => {
    const { said } = say(relayed(), refusal);
    const details = { reason: "rejected", cause_code: "EXECUTION_NOT_FOUND" };
    expect(said).toEqual(undispatched("the runtime refused: not now", details));
  });

  test.each([
    [busy, "all_busy", "every runtime that serves the agent is busy"],
    ["cue:NoResponder", "no_responders", "no runtime answers"],
  ])("C5: tries another runtime on %s, and says why the last one could not", (word, reason, why) => {
    const run = relayed();
    expect(say(run, word).said).toEqual([choose(runtime.exec_id)]);
    expect(say(run, "cue:RuntimeChosen (gpu-0)").heard).toBe("ignored");
    expect(say(run, "cue:RuntimeChosen (gpu-1)").said).toEqual([relay(other)]);
    expect(say(run, word).said).toEqual([choose(runtime.exec_id, other.exec_id)]);
    expect(say(run, "cue:NoRuntime").said).toEqual(undispatched(why, { reason }));
  });
});

describe("a runtime that dies", () => {
  test("C8: is answered for by the dispatcher", () => {
    const { said } = say(running(), "cue:RuntimeLost");
    expect(said).toEqual([
      answer({ code: "AGENT_RUNTIME_LOST", message: "the runtime died during the run", details: {} }),
    ]);
  });

  test.each(["cue:RuntimeLost", "cue:NoResponder"])("C8: while its agent is canceled has stopped it: %s", (word) => {
    const run = running();
    say(run, cancel);
    expect(say(run, word).said).toEqual([accepted(), canceled]);
  });
});

describe("a cancel from outside", () => {
  test("C10: is relayed, acknowledged when the runtime has, and ends with what the caller reports", () => {
    const run = running();
    expect(say(run, cancel).said).toEqual([relayCancel()]);
    expect(statusOf(run)).toBe("RUNNING");
    expect(say(run, acknowledgment).said).toEqual([accepted()]);
    expect(say(run, cancel)).toMatchObject({ to: "canceling.told", said: [accepted({ no_change: true })] });
    expect(say(run, "event:AgentExecutionCanceled")).toMatchObject({ to: "released", said: [] });
  });

  test.each(["cue:NoRuntime", "cue:AllBusy"])("C10: before anything runs ends it here, in spite of %s", (word) => {
    const run = begin(part, "order");
    if (word === "cue:AllBusy") say(run, word);
    expect(say(run, cancel).said).toEqual([accepted(), canceled]);
    expect(say(run, word).heard).toBe("inert");
  });

  test.each([busy, refusal, "cue:NoResponder", "cue:RuntimeLost"])(
    "C10: of an agent that was relayed and not acknowledged ends it on %s: nothing runs",
    (word) => {
      const run = relayed();
      expect(say(run, cancel).said).toEqual([relayCancel()]);
      expect(statusOf(run)).toBe("-");
      expect(say(run, word).said).toEqual([accepted(), canceled]);
    },
  );

  test("C10: of an agent that was relayed to a silent runtime ends it after the time to acknowledge", () => {
    const run = relayed();
    say(run, cancel);
    crash(run);
    expect(elapse(run, "relayAck")).toMatchObject({ at: 1_002_000, said: [accepted(), canceled] });
  });

  test("C10: of an agent that starts meanwhile waits for the runtime's word about the cancel", () => {
    const run = relayed();
    say(run, cancel);
    expect(say(run, started)).toMatchObject({ to: "canceling.asked", said: [] });
    expect(say(run, acknowledgment).said).toEqual([accepted()]);
  });

  test("C10: of which the runtime says nothing is answered so, and the agent stays watched", () => {
    const run = running();
    say(run, cancel);
    expect(elapse(run, "relayAck")).toMatchObject({ at: 1_002_000, to: "acknowledged", said: [unheard] });
    expect(say(run, cancel).said).toEqual([relayCancel()]);
    expect(say(run, "cue:RuntimeLost").said).toEqual([accepted(), canceled]);
  });

  test("C10: that the runtime took and did not carry out leaves the agent watched", () => {
    const run = running();
    say(run, cancel);
    say(run, acknowledgment);
    expect(say(run, "cue:NoResponder").heard).toBe("ignored");
    expect(elapse(run, "cancelGrace")).toMatchObject({ at: 1_005_000, to: "acknowledged", said: [] });
  });

  test("C10: that comes twice is relayed once and answered twice, each to its own subject", () => {
    const run = running();
    say(run, cancel);
    expect(say(run, cancel).said).toEqual([]);
    expect(say(run, acknowledgment).said).toEqual([accepted(), { ...accepted(), to: "_INBOX.1" }]);
  });

  test("C10: without a reason still says that it was canceled", () => {
    const run = begin(part, "order");
    const line = part.menu(snapshotOf(run).context).find(({ note }) => note === "parent_ended");
    const silent = { ...part, menu: () => [{ note: "silent", event: withoutReason(line?.event) }] };
    const { said } = say({ ...run, part: silent }, "command:AgentCancel (silent)");
    expect(said).toEqual([answer({ code: "AGENT_CANCELED", message: "canceled", details: {} })]);
  });
});

/** The cancel of the part, its reason empty. */
function withoutReason(event: unknown) {
  const given = event as Extract<ReturnType<typeof part.menu>[number]["event"], { type: "command:AgentCancel" }>;
  return { ...given, payload: { ...given.payload, context: { ...given.payload.context, reason: "" } } };
}

describe("a cancel by the caller", () => {
  test.each(["acknowledged", "relayed"])("C7: that follows its timeout still reaches the runtime (%s)", (from) => {
    const run = from === "relayed" ? relayed() : running();
    expect(say(run, timeout)).toMatchObject({ to: "givenUp", said: [] });
    expect(statusOf(run)).toBe("FAILED");
    expect(say(run, cancelOf("timed_out")).said).toEqual([relayCancel("timed_out")]);
    expect(say(run, acknowledgment)).toMatchObject({ to: "released", said: [] });
  });

  test("C7: that never comes is waited for no longer than the grace", () => {
    const run = running();
    say(run, timeout);
    expect(say(run, timeout).heard).toBe("ignored");
    expect(elapse(run, "cancelGrace")).toMatchObject({ at: 1_005_000, to: "released", said: [] });
  });

  test.each(["cue:RuntimeLost", "cue:NoResponder"])("C7: is not needed any more after %s", (word) => {
    const run = running();
    say(run, timeout);
    expect(say(run, word)).toMatchObject({ to: "released", said: [] });
  });

  test.each(["timed_out", "caller_lost"])(
    "C9: that gives the agent up (%s) is answered by nobody but the runtime",
    (cause) => {
      const word = cause === "timed_out" ? cancelOf(cause) : `command:AgentCancel (${cause}, to be answered)`;
      const answers = cause === "timed_out" ? [] : [accepted()];
      expect(say(begin(part, "order"), word)).toMatchObject({ to: "released", said: answers });
      const run = running();
      expect(say(run, word).said).toEqual([relayCancel(cause)]);
      expect(say(run, acknowledgment)).toMatchObject({ to: "released", said: answers });
    },
  );

  test("C9: that gives up an agent whose runtime is silent, or refuses, or is gone, ends the watch", () => {
    for (const word of ["relayAck", refusal, "cue:RuntimeLost"]) {
      const run = running();
      say(run, cancelOf("timed_out"));
      const { to, said } = word === "relayAck" ? elapse(run, word) : say(run, word);
      expect({ to, said }).toEqual({ to: "released", said: [] });
    }
  });

  test("C9: that gives up what another cancel had stopped ends the watch, and no later cause changes that", () => {
    const run = running();
    say(run, cancel);
    say(run, acknowledgment);
    expect(say(run, cancelOf("timed_out"))).toMatchObject({ to: "released", said: [] });
    const again = running();
    say(again, cancelOf("timed_out"));
    expect(say(again, cancel).said).toEqual([]);
    expect(say(again, acknowledgment)).toMatchObject({ to: "released", said: [accepted()] });
  });
});

describe("a cancel that comes too late", () => {
  test("C13: for an agent that has ended meanwhile is declined with its status", () => {
    const run = running();
    say(run, cancel);
    expect(say(run, "event:AgentExecutionResult").said).toEqual([ended("SUCCESS")]);
    const failed = running();
    say(failed, cancel);
    expect(say(failed, "event:AgentExecutionFailed (AGENT_RUNTIME_LOST)").said).toEqual([ended("FAILED")]);
    const stopped = running();
    say(stopped, cancel);
    expect(say(stopped, "event:AgentExecutionCanceled").said).toEqual([accepted()]);
  });

  test("C13: for an agent whose caller reported a timeout is declined", () => {
    const run = running();
    say(run, timeout);
    expect(say(run, cancel)).toMatchObject({ to: "givenUp", said: [ended("FAILED")] });
  });

  test("C13: for an agent that the runtime does not have is declined as the runtime does", () => {
    const run = running();
    say(run, cancel);
    const error = { code: "EXECUTION_NOT_FOUND", message: "not now", details: {} };
    expect(say(run, refusal)).toMatchObject({ to: "acknowledged", said: [declined(error)] });
  });
});
