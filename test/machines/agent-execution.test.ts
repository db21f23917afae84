// Goal: an agent execution reports exactly once, whatever its agent does or does not do.
// Method: random histories under the invariants of the chart, and broken variants that they must find.

import { expect, test } from "vitest";
import { agentExecution } from "../../src/machines/agent-execution.ts";
import { agentExecutionPart as part } from "../../src/testing/parts/agent-execution.ts";
import {
  begin,
  type Broken,
  finds,
  hear,
  type Invariants,
  must,
  saidBy,
  searches,
  snapshotOf,
  variant,
} from "../kit/chart-model.ts";

const ends = ["event:AgentExecutionResult", "event:AgentExecutionFailed", "event:AgentExecutionCanceled"];
const cancelGraceMs = 5_000;

const invariants: Invariants<typeof agentExecution> = {
  "A1: TriggerAgent leaves once, first": (run) => {
    const words = saidBy(run).map(({ type }) => type);
    must(words[0] === "command:TriggerAgent", "TriggerAgent is not the first word");
    must(words.filter((word) => word === "command:TriggerAgent").length === 1, "TriggerAgent was said twice");
  },
  "A2: one terminal event and one CallEnded leave, whatever arrives": (run) => {
    const words = saidBy(run).map(({ type }) => type);
    const wanted = snapshotOf(run).status === "done" ? 1 : 0;
    must(words.filter((word) => ends.includes(word)).length === wanted, `not ${wanted} terminal events`);
    must(words.filter((word) => word === "cue:CallEnded").length === wanted, `not ${wanted} CallEnded`);
  },
  "A3: a reply counts while the call is open and not after": (run) => {
    const reply = run.moments.find(
      ({ event, from }) => event.type === "result:AgentExecutionResult" && from.startsWith("open."),
    );
    must(!reply || reply.said.some(({ type }) => ends.includes(type)), "a reply to an open call did not end it");
    const late = run.moments.filter(({ heard }) => heard === "inert");
    must(
      late.every(({ said }) => said.length === 0),
      "something was said after the end",
    );
  },
  "A4: a canceled call ends as CANCELED within the grace": (run) => {
    const canceled = run.moments.find(({ event, heard }) => event.type === "cue:EndCall" && heard !== "inert");
    if (!canceled) return;
    const grace = run.life.timers.find(({ id }) => id.includes("cancelGrace"));
    must(snapshotOf(run).status === "done" || grace !== undefined, "a canceled call has no end in sight");
    must(!grace || grace.dueAt <= canceled.at + cancelGraceMs, "the grace is longer than it may be");
    const end = saidBy(run).find(({ type }) => ends.includes(type));
    must(!end || end.type === "event:AgentExecutionCanceled", "a canceled call ended otherwise");
  },
  "A5: a timeout is reported before the agent is told to stop": (run) => {
    const timedOut = run.moments.find(({ event }) => event.type.includes("invocationTimeout"));
    if (!timedOut || timedOut.heard !== "taken") return;
    const [first, second] = timedOut.said.map(({ type }) => type);
    must(first === "event:AgentExecutionFailed", "a timeout is not reported first");
    must(second === "command:AgentCancel", "the agent is not told to stop after its timeout");
  },
  "A6: its time runs from the trigger on": (run) => {
    const timeout = run.life.timers.find(({ id }) => id.includes("invocationTimeout"));
    must(!timeout || timeout.dueAt === 1_030_000, "the timeout moved");
    must(
      Boolean(timeout) === run.moments.at(-1)?.to.startsWith("open."),
      "an open call has no timeout, or a closed one",
    );
  },
};

searches(part, invariants);

const broken = (damage: (config: Broken) => void) => variant(agentExecution, damage);

finds(part, invariants, {
  "takes a late reply for a good one": broken((config) => {
    config.states["canceling"].on["result:AgentExecutionResult"] = { target: "completed", actions: "keepReply" };
  }),
  "forgets to listen for a cancel while running": broken((config) => {
    config.states["open"].states["running"].on["cue:EndCall"] = { description: "ignored" };
  }),
  "begins its time anew when the agent says that it started": broken((config) => {
    config.states["open"].on["event:AgentExecutionStarted"] = { target: ".running", reenter: true };
    config.states["open"].states["triggered"].on = {};
  }),
  "has no grace when it cancels": broken((config) => {
    config.states["canceling"].after = {};
  }),
  "reports a timeout twice": broken((config) => {
    config.states["timedOut"].entry = ["sayFailed", ...config.states["timedOut"].entry];
  }),
  "tells the agent to stop before it reports": broken((config) => {
    config.states["timedOut"].entry = config.states["timedOut"].entry.toReversed();
  }),
  "triggers again when the agent says that it started": broken((config) => {
    config.states["open"].states["running"].entry = "trigger";
  }),
  "swallows a failure": broken((config) => {
    config.states["failed"].entry = [];
  }),
});

test("an agent execution hears nothing that the protocol does not know", () => {
  const run = begin(part, "call");
  expect(hear(run, { type: "event:AgentExecutionExploded" }).heard).toBe("unknown");
  expect(hear(run, { type: "event:AgentExecutionStarted" }).heard).toBe("taken");
});
