// Goal: an agent is dispatched to one runtime or its caller hears why not, whatever runtimes and callers do.
// Method: random histories under the invariants of the chart, broken variants that they must find, and the same
// histories with a live actor.

import { isDeepStrictEqual } from "node:util";
import { expect, test } from "vitest";
import { agentDispatch } from "../../src/machines/agent-dispatch.ts";
import type { Message } from "../../src/protocol/catalogue.ts";
import { agentDispatchPart as part } from "../../src/testing/parts/agent-dispatch.ts";
import {
  begin,
  type Broken,
  finds,
  hear,
  type Invariants,
  type Moment,
  must,
  saidBy,
  searches,
  snapshotOf,
  variant,
  type Word,
} from "../kit/chart-model.ts";
import { livesAlike } from "../kit/lives-alike.ts";

const reports = ["event:AgentExecutionResult", "event:AgentExecutionFailed", "event:AgentExecutionCanceled"];
const unacknowledged = ["relayed", "canceling.unacknowledged"];
const allBusyMs = 5_000;
const ends = ["undispatched", "canceled", "released"];
/** Where a runtime has the agent, or may have it. */
const atWork = ["relayed", "acknowledged"];

type Heard = { type: string; payload: { status?: string; result?: { error?: { code: string } } | null } };
const acknowledges = ({ event, from }: Moment): boolean =>
  unacknowledged.includes(from) &&
  (event.type === "event:AgentExecutionStarted" ||
    (event.type === "result:CommandAck" && (event as Heard).payload.status === "ACKNOWLEDGED"));
const cannot = ({ event, from }: Moment): boolean =>
  from === "relayed" &&
  (event.type === "cue:NoResponder" ||
    (event.type === "result:CommandAck" && (event as Heard).payload.result?.error?.code === "AGENT_RUNTIME_BUSY"));
const refuses = ({ event, from }: Moment): boolean =>
  unacknowledged.includes(from) && event.type === "result:CommandAck" && (event as Heard).payload.status === "ERROR";
const hasTimedOut = ({ event }: Moment): boolean =>
  event.type === "event:AgentExecutionFailed" &&
  (event as Heard).payload.result?.error?.code === "AGENT_INVOCATION_TIMEOUT";

const cancelIn = ({ event, heard }: Moment): Message<"command:AgentCancel"> | null =>
  event.type === "command:AgentCancel" && heard !== "inert" ? (event as Message<"command:AgentCancel">) : null;
const givesUp = (moment: Moment): boolean =>
  ["timed_out", "caller_lost"].includes(cancelIn(moment)?.payload.context.cause ?? "");
const reported = ({ event, heard }: Moment): boolean => reports.includes(event.type) && heard === "taken";

const isAnswer = ({ type }: Word): boolean => type === "result:AgentExecutionResult";
const says = ({ said }: Moment, type: string): Word | undefined => said.find((word) => word.type === type);

const invariants: Invariants<typeof agentDispatch> = {
  "D1: a runtime has acknowledged, or the caller hears why not, unless it has ended itself": (run) => {
    const failed = saidBy(run).some(({ type }) => type === "event:AgentDispatchFailed");
    const acknowledged = run.moments.some(acknowledges);
    must(!acknowledged || !failed, "a dispatch failed that a runtime had acknowledged");
    const goesOn = run.moments.some((moment) => refuses(moment) && !cannot(moment) && !ends.includes(moment.to));
    must(!goesOn, "it goes on without the runtime that refused it");
    if (snapshotOf(run).status !== "done" || acknowledged) return;
    const over = run.moments.some((moment) => givesUp(moment) || reported(moment));
    must(over || saidBy(run).some(isAnswer), "no runtime has it, and its caller does not know");
  },
  "D2: no runtime is asked twice but one that was busy, and after an unanswered relay no other": (run) => {
    const asked: unknown[] = [];
    let mayAsk = true;
    for (const moment of run.moments) {
      if (cannot(moment)) mayAsk = true;
      if (moment.event.type === "cue:RuntimeFree" && moment.heard === "taken") asked.length = 0;
      const relay = says(moment, "command:AgentRuntimeExecute");
      if (!relay) continue;
      const { exec_id } = relay["agent_runtime"] as { exec_id: string };
      must(mayAsk, "another runtime was asked though the first may have it");
      must(!asked.includes(exec_id), "a runtime was asked twice");
      asked.push(exec_id);
      mayAsk = false;
    }
  },
  "D3: a failed dispatch is recorded first, then answered": (run) => {
    for (const { said } of run.moments) {
      const recorded = said.findIndex(({ type }) => type === "event:AgentDispatchFailed");
      const answer = said.findIndex((word) => isAnswer(word) && codeOf(word) === "AGENT_DISPATCH_FAILED");
      if (recorded < 0 && answer < 0) continue;
      must(recorded >= 0 && answer === recorded + 1, "not recorded, or not answered next");
      must(isDeepStrictEqual(resultOf(said[recorded]), resultOf(said[answer])), "the answer tells something else");
    }
  },
  "D4: one answer at most, and none to a caller that gave up or has reported": (run) => {
    must(saidBy(run).filter(isAnswer).length <= 1, "two answers");
    const over = run.moments.findIndex((moment) => givesUp(moment) || reported(moment));
    const after = over < 0 ? [] : run.moments.slice(over);
    must(!after.some(({ said }) => said.some(isAnswer)), "an answer that nobody waits for");
  },
  "D5: every cancel that asks for an answer gets one, also when the runtime is silent": (run) => {
    const cancels = run.moments.flatMap((moment) => cancelIn(moment) ?? []);
    const wanted = cancels.filter(({ payload }) => payload.reply_to_subject !== undefined).length;
    const answers = saidBy(run).filter(({ type }) => type === "result:CommandAck");
    const owed = snapshotOf(run).context.cancels.length;
    must(answers.length + owed === wanted, `${wanted} cancels, ${answers.length} answers, ${owed} to come`);
    must(
      answers.every(({ to }) => String(to).startsWith("_INBOX.")),
      "an answer goes elsewhere",
    );
    const isBounded = run.life.timers.some(({ id }) => id.includes("relayAck"));
    must(owed === 0 || isBounded, "an answer is owed without a limit");
  },
  "D6: whoever waits for a free runtime waits that long once": (run) => {
    const timer = run.life.timers.find(({ id }) => id.includes("allBusy"));
    const waits = run.moments.filter(({ from, to }) => to === "queued" && from !== "queued").map(({ at }) => at);
    const [first, last] = [waits[0] ?? 0, waits.at(-1) ?? 0];
    must(!timer || timer.dueAt === Math.max(first + allBusyMs, last), "the wait began anew");
  },
  "D7: a runtime that may have it is told to stop: by a cancel, also after a timeout, or when it was silent": (run) => {
    let runtime: unknown;
    for (const moment of run.moments) {
      const isNeeded = atWork.includes(moment.from)
        ? cancelIn(moment) !== null || moment.to === "unanswered"
        : moment.from === "givenUp" && givesUp(moment);
      const stop = says(moment, "command:AgentRuntimeCancel");
      must(isNeeded === Boolean(stop), isNeeded ? "the runtime is not told" : "a runtime is told for no reason");
      must(!stop || isDeepStrictEqual(stop["agent_runtime"], runtime), "the wrong runtime is told");
      runtime = says(moment, "command:AgentRuntimeExecute")?.["agent_runtime"] ?? runtime;
      if (!atWork.includes(moment.from) || !hasTimedOut(moment)) continue;
      must(moment.to === "givenUp", "nobody listens for the cancel that follows a timeout");
    }
  },
};

const resultOf = (word: Word | undefined): unknown => (word?.payload as Heard["payload"] | undefined)?.result;
const codeOf = (word: Word): string | undefined => (word.payload as Heard["payload"] | undefined)?.result?.error?.code;

searches(part, invariants);

const broken = (damage: (config: Broken) => void) => variant(agentDispatch, damage);

finds(part, invariants, {
  "asks another runtime after one that was silent": broken((config) => {
    const tried = { type: "noteTried", params: { reason: "ack_timeout" } };
    config.states["relayed"].after = { relayAck: { target: "choosing", actions: tried } };
  }),
  "asks a busy runtime again": broken((config) => {
    config.states["choosing"].on["cue:RuntimeChosen"] = { target: "relayed", actions: "noteRuntime" };
  }),
  "answers before it records": broken((config) => {
    config.states["undispatched"].entry = config.states["undispatched"].entry.toReversed();
  }),
  "records and does not answer": broken((config) => {
    config.states["undispatched"].entry = "sayDispatchFailed";
  }),
  "takes a refusal for an acknowledgment": broken((config) => {
    config.states["relayed"].on["result:CommandAck"] = "acknowledged";
  }),
  "takes a refused relay for a refused cancel": broken((config) => {
    config.states["canceling"].states["unacknowledged"].on["result:CommandAck"] = {
      target: "told",
      actions: "acceptCancels",
    };
  }),
  "lets those who cancel wait for a silent runtime": broken((config) => {
    config.states["canceling"].states["asked"].after = { cancelGrace: "#agentDispatch.acknowledged" };
  }),
  "forgets the cancels when the caller reports": broken((config) => {
    config.states["canceling"].on["event:AgentExecutionResult"] = "released";
  }),
  "answers a caller that gave up": broken((config) => {
    config.states["stopped"].always = { target: "canceled" };
  }),
  "answers a caller that has reported": broken((config) => {
    config.states["relayed"].on["event:AgentExecutionCanceled"] = "lost";
  }),
  "is gone when the cancel comes that follows a timeout": broken((config) => {
    config.states["relayed"].on["event:AgentExecutionFailed"] = "released";
    config.states["acknowledged"].on["event:AgentExecutionFailed"] = "released";
  }),
  "does not pass a cancel on": broken((config) => {
    config.states["canceling"].entry = [];
  }),
  "waits anew whenever a runtime seemed free": broken((config) => {
    config.states["choosing"].on["cue:AllBusy"] = "queued";
  }),
});

livesAlike(part);

test("an agent dispatch hears nothing that the protocol does not know", () => {
  expect(hear(begin(part, "order"), { type: "command:AgentExplode" }).heard).toBe("unknown");
});
