// Goal: a handler runs once, its caller hears once what came of it, and a cancel ends it whether it obeys or not.
// Method: random histories under the invariants of the chart, broken variants that they must find, and the same
// histories with a live actor. What is said to the letter stands in handler-run.words.test.ts.

import { isDeepStrictEqual } from "node:util";
import { expect, test } from "vitest";
import { handlerRun } from "../../src/machines/handler-run.ts";
import { handlerRunPart as part } from "../../src/testing/parts/handler-run.ts";
import {
  begin,
  type Broken,
  finds,
  hear,
  type Invariants,
  type Moment,
  must,
  type Run,
  saidBy,
  searches,
  snapshotOf,
  variant,
  type Word,
} from "../kit/chart-model.ts";
import { livesAlike } from "../kit/lives-alike.ts";

type Handler = typeof handlerRun;
type Ids = { exec_id: string };
type Heard = {
  type: string;
  exec_id?: string;
  agent?: Ids;
  tool?: Ids;
  thought?: boolean;
  payload?: { reply_to_subject?: string; context: { cause?: string; reason?: string } };
};
type Ack = Word & { to?: string; payload: { status: string; result: unknown; context: Record<string, unknown> } };

const graceMs = 4_000;
const orders = ["command:AgentRuntimeExecute", "command:ToolExecute"];
const cancels = ["command:AgentRuntimeCancel", "command:ToolCancel"];
const settles = ["cue:Returned", "cue:Threw"];

const inputOf = (run: Run<Handler>) => {
  const input = part.inputs[run.input];
  must(input !== undefined, "no such input");
  return input;
};
const isAgent = (run: Run<Handler>): boolean => inputOf(run).order.type === "command:AgentRuntimeExecute";
const waits = (run: Run<Handler>): boolean => inputOf(run).waits === true;
const isRoom = ({ event }: Moment): boolean => event.type === "cue:RoomGranted";
/** When it began, or was told that it cannot. */
const entryOf = (run: Run<Handler>): Moment | undefined =>
  waits(run) ? run.moments.find((moment) => isRoom(moment) && moment.from === "queued") : run.moments[0];
const hasProblem = (run: Run<Handler>): boolean =>
  inputOf(run).problem !== undefined || (waits(run) && Object.hasOwn(entryOf(run)?.event ?? {}, "problem"));
const isDone = (run: Run<Handler>): boolean => snapshotOf(run).status === "done";

/** Whether a word is about this run; one that comes after its end is about nothing. */
function isMine(run: Run<Handler>, { event, heard }: Moment): boolean {
  const { exec_id, agent, tool } = event as Heard;
  const own = (inputOf(run).order as unknown as Heard)[isAgent(run) ? "agent" : "tool"];
  return heard !== "inert" && (exec_id ?? (isAgent(run) ? agent : tool)?.exec_id) === own?.exec_id;
}
const mine = (run: Run<Handler>, types: readonly string[]): Moment[] =>
  run.moments.filter((moment) => types.includes(moment.event.type) && isMine(run, moment));
const contextOf = (moment: Moment) => (moment.event as Heard).payload?.context;
const isDeadline = ({ event, heard }: Moment): boolean =>
  heard === "taken" && event.type.startsWith("xstate.after.deadline.");
/** What first told the handler to stop. */
const stopOf = (run: Run<Handler>): Moment | undefined =>
  run.moments.find((moment) => isDeadline(moment) || (cancels.includes(moment.event.type) && isMine(run, moment)));
const isGivenUp = (run: Run<Handler>): boolean =>
  run.moments.some(isDeadline) ||
  mine(run, cancels).some((moment) => ["timed_out", "caller_lost"].includes(contextOf(moment)?.cause ?? ""));

const of =
  (type: string) =>
  (word: Word): boolean =>
    word.type === type;
const isAnswer = ({ type }: Word): boolean => /^result:(?:Agent|Tool)ExecutionResult$/.test(type);
const acksIn = (words: readonly Word[]): Ack[] => words.filter(of("result:CommandAck")) as Ack[];
const errorIn = (word: Word | undefined) =>
  (word?.payload as { result?: { error?: { code: string; details: object } } } | undefined)?.result?.error;
/** The last moment in which the run still lived. */
const lastOf = (run: Run<Handler>): Moment => run.moments.findLast(({ heard }) => heard !== "inert") as Moment;

const invariants: Invariants<Handler> = {
  "B1: an agent's order is acknowledged once, first, and as a duplicate when it comes again; a tool's never": (run) => {
    const acks = acksIn(run.moments.flatMap(({ event, said }) => (cancels.includes(event.type) ? [] : said)));
    const first = acks.filter(({ payload }) => payload.context["duplicate"] === undefined);
    const again = mine(run, orders);
    must(
      again.every(({ from, to }) => from === to),
      "a doubled order did something",
    );
    if (!isAgent(run)) return must(acks.length === 0 && again.every(({ said }) => said.length === 0), "a tool's was");
    must(first.length === 1 && run.moments[0]?.said[0] === first[0], "not acknowledged once and first");
    must((first[0]?.payload.status === "ERROR") === hasProblem(run), "acknowledged the wrong way");
    must(acks.length - 1 === again.length, "a doubled order is not answered once");
    must(
      again.every(({ said }) => said.length === 1 && said[0]?.type === "result:CommandAck"),
      "a doubled order brought more than its acknowledgment",
    );
  },
  "B2: one answer leaves and ends the run, and none if the agent was refused": (run) => {
    const answers = saidBy(run).filter(isAnswer);
    const isRefused = isAgent(run) && hasProblem(run);
    const wanted = isDone(run) && !isRefused && !isGivenUp(run) ? 1 : 0;
    must(answers.length === wanted, `${answers.length} answers, not ${wanted}`);
    must(wanted === 0 || lastOf(run).said.at(-1) === answers[0], "something came after the answer");
  },
  "B3: who gave the run up is not answered": (run) => {
    must(!isGivenUp(run) || !saidBy(run).some(isAnswer), "an answer that nobody waits for");
  },
  "B4: the handler is begun once, right after Started, and not at all if there is a problem": (run) => {
    const begins = saidBy(run).filter(({ type }) => type === "cue:Perform" || type.endsWith("ExecutionStarted"));
    const started = isAgent(run) ? "event:AgentExecutionStarted" : "event:ToolExecutionStarted";
    const entry = entryOf(run);
    const wanted = hasProblem(run) || !entry ? [] : [started, "cue:Perform"];
    must(
      isDeepStrictEqual(
        begins.map(({ type }) => type),
        wanted,
      ),
      "not begun once and announced before",
    );
    must(wanted.length === 0 || isDeepStrictEqual(entry?.said.slice(-2), begins), "begun later");
    must(hasProblem(run) === (entry?.to === "refused" || entry?.to === "unfit"), "not over at once");
  },
  "B5: it is told to stop once, by the first cancel or its deadline, and never without one": (run) => {
    const first = stopOf(run);
    const aborts = saidBy(run).filter(of("cue:Abort"));
    if (first?.from === "queued") return must(aborts.length === 0, "told to stop, and never began");
    must(aborts.length === (first ? 1 : 0), `${aborts.length} aborts`);
    must(!first || first.said.includes(aborts[0] as Word), "told later");
    if (first && isDeadline(first)) return must(aborts[0]?.["cause"] === "caller_lost", "told why otherwise");
    const { cause, reason } = (first && contextOf(first)) ?? {};
    must(!first || isDeepStrictEqual([aborts[0]?.["cause"], aborts[0]?.["reason"]], [cause, reason]), "told otherwise");
  },
  "B6: each cancel of an agent is acknowledged once, at once, and that of a tool never": (run) => {
    const first = stopOf(run);
    for (const moment of run.moments.filter(({ event }) => cancels.includes(event.type))) {
      const answers = acksIn(moment.said);
      const wanted = isAgent(run) && isMine(run, moment) ? 1 : 0;
      must(answers.length === wanted, `${answers.length} answers to ${moment.hears}`);
      const [answer] = answers;
      if (!answer) continue;
      const { reply_to_subject } = (moment.event as Heard).payload ?? {};
      must(answer.to === reply_to_subject && answer.payload.status === "ACKNOWLEDGED", "a wrong answer");
      must((answer.payload.context["no_change"] === true) === (moment !== first), "no_change is wrong");
    }
  },
  "B7: a canceled run ends when its handler does, or after 4 s, and its answer tells which": (run) => {
    const first = stopOf(run);
    const settled = mine(run, settles).filter(({ from }) => from !== "queued");
    if (first?.from === "queued") {
      must(isDone(run) && lastOf(run) === first && snapshotOf(run).context.confirmed, "nothing ran, and it went on");
      return;
    }
    must(settled.length === 0 || isDone(run), "the handler has settled, and the run goes on");
    must(hasProblem(run) || first !== undefined || settled.length > 0 || !isDone(run), "it ended by itself");
    if (!first) return;
    const [timer] = run.life.timers;
    if (!isDone(run)) return must(timer?.dueAt === first.at + graceMs, "nothing ends it in time");
    const last = lastOf(run);
    const confirmed = settled.length > 0;
    must(confirmed || last.event.type.startsWith("xstate.after.abortGrace."), "it did not wait for the handler");
    must(snapshotOf(run).context.confirmed === confirmed, "it remembers otherwise");
    if (isGivenUp(run)) return;
    const error = errorIn(last.said.at(-1));
    must(error?.code === (isAgent(run) ? "AGENT_CANCELED" : "TOOL_CANCELED"), "not answered as canceled");
    must(isDeepStrictEqual(error.details, { confirmed, took_ms: last.at - first.at }), "the answer tells otherwise");
  },
  "B8: an agent is said to be thinking before its own answer, unless it said so itself; a tool never": (run) => {
    const thoughts = saidBy(run).filter(of("progress:AgentThinking"));
    const [settled] = mine(run, settles);
    const isWanted = isAgent(run) && !isGivenUp(run) && (settled?.event as Heard | undefined)?.thought === false;
    must(thoughts.length === (isWanted ? 1 : 0), `${thoughts.length} thoughts`);
    must(!isWanted || settled?.said[0] === thoughts[0], "it thought after its answer");
  },
  "B10: who waits for room asks for it once, first, and begins when it is told that there is some": (run) => {
    const asked = saidBy(run).filter(of("cue:RoomWanted"));
    must(asked.length === (waits(run) ? 1 : 0), `${asked.length} times`);
    must(!waits(run) || isDeepStrictEqual(run.moments[0]?.said, asked), "not first");
    const told = run.moments.find(isRoom);
    must(!waits(run) || told?.heard !== "taken" || told === entryOf(run), "begun when it was not told");
  },
  "B9: words about another execution change nothing": (run) => {
    for (const moment of run.moments) {
      const isTimed = moment.event.type === "start" || moment.event.type.startsWith("xstate.");
      must(isTimed || isRoom(moment) || isMine(run, moment) || moment.heard !== "taken", `${moment.hears} was taken`);
    }
  },
};

searches(part, invariants);

test("B11: a run for a caller elsewhere is given up 10 s after its timeout, and one from here never", () => {
  const dueOf = (input: string): (number | undefined)[] => {
    const run = begin(part, input);
    return run.life.timers.map(({ dueAt }) => dueAt - (run.moments[0]?.at ?? 0));
  };
  expect(dueOf("tool, ordered from elsewhere")).toEqual([40_000]);
  expect(dueOf("agent, ordered from elsewhere")).toEqual([40_000]);
  expect(dueOf("tool without a timeout, ordered from elsewhere")).toEqual([]);
  expect(dueOf("tool")).toEqual([]);
  expect(dueOf("agent")).toEqual([]);
});

const broken = (damage: (config: Broken) => void) => variant(handlerRun, damage);
const cancelKeys = ["command:AgentRuntimeCancel", "command:ToolCancel"];
const other = { guard: "isOther", description: "not mine" };

finds(part, invariants, {
  "runs a tool before there is room": broken((config) => {
    config.states["ordered"].always.splice(2, 1);
  }),
  "asks for room again when its order comes again": broken((config) => {
    config.states["queued"].on["command:ToolExecute"] = { actions: "wantRoom" };
  }),
  "runs a tool that has no place in line": broken((config) => {
    config.states["queued"].on["cue:RoomGranted"].shift();
  }),
  "waits for a handler that never began": broken((config) => {
    for (const key of cancelKeys) config.states["queued"].on[key][1].target = "canceling";
  }),
  "starts before it acknowledges": broken((config) => {
    config.states["running"].entry = ["sayStarted", "acknowledge", "perform"];
  }),
  "performs before it says that it started": broken((config) => {
    config.states["running"].entry = ["acknowledge", "perform", "sayStarted"];
  }),
  "runs a tool with a bad input": broken((config) => {
    config.states["ordered"].always.splice(1, 1);
  }),
  "runs an agent that it refuses": broken((config) => {
    config.states["refused"].entry = ["acknowledge", "sayStarted", "perform"];
  }),
  "answers for an agent that it refused": broken((config) => {
    config.states["ordered"].always.shift();
  }),
  "begins again when the order comes twice": broken((config) => {
    config.states["running"].on["command:AgentRuntimeExecute"][1] = { target: "running", reenter: true };
  }),
  "lets a doubled order of a tool begin again": broken((config) => {
    config.states["running"].on["command:ToolExecute"] = { target: "running", reenter: true };
  }),
  "does not acknowledge a doubled order while it is canceled": broken((config) => {
    config.states["canceling"].on["command:AgentRuntimeExecute"] = { description: "duplicate" };
  }),
  "answers twice": broken((config) => {
    config.states["failed"].entry = ["sayThinking", "answerFailure", "answerFailure"];
  }),
  "answers who gave it up": broken((config) => {
    config.states["canceling"].on["cue:Returned"].splice(1, 1);
  }),
  "answers who gave it up, after the grace": broken((config) => {
    config.states["canceling"].after = { abortGrace: "canceled" };
  }),
  "does not hear that it is given up after it was canceled": broken((config) => {
    for (const key of cancelKeys) config.states["canceling"].on[key] = [other, { actions: "acknowledgeCancelAgain" }];
  }),
  "aborts again with each cancel": broken((config) => {
    for (const key of cancelKeys) config.states["canceling"].on[key][1].actions = ["acknowledgeCancelAgain", "abort"];
  }),
  "grants the grace anew with each cancel": broken((config) => {
    config.states["canceling"].entry = [];
    for (const key of cancelKeys) {
      config.states["running"].on[key][1].actions.push("abort");
      Object.assign(config.states["canceling"].on[key][1], { target: "canceling", reenter: true });
    }
  }),
  "acknowledges a cancel twice": broken((config) => {
    config.states["canceling"].on[cancelKeys[0] as string][1].actions = [
      "acknowledgeCancelAgain",
      "acknowledgeCancelAgain",
    ];
  }),
  "takes the second cancel for the first": broken((config) => {
    config.states["canceling"].on[cancelKeys[0] as string][1].actions = ["noteCancel", "acknowledgeCancel"];
  }),
  "does not wait for the handler that it told to stop": broken((config) => {
    config.states["canceling"].always = [{ guard: "isGivenUp", target: "dismissed" }, { target: "canceled" }];
  }),
  "waits for ever for the handler that it told to stop": broken((config) => {
    config.states["canceling"].after = {};
    config.states["canceling"].tags = "waiting";
  }),
  "says that the handler has stopped when it does not know": broken((config) => {
    config.states["canceling"].after.abortGrace[1].actions = "noteConfirmed";
  }),
  "does not say that the handler has stopped": broken((config) => {
    for (const key of settles) for (const way of config.states["canceling"].on[key]) delete way.actions;
  }),
  "is not told to stop when its time is over": broken((config) => {
    config.states["running"].after = { deadline: { target: "dismissed", actions: "noteLost" } };
  }),
  "answers a caller that must have given it up": broken((config) => {
    config.states["running"].after = { deadline: "canceling" };
  }),
  "thinks after its answer": broken((config) => {
    config.states["succeeded"].entry = ["answerOutput", "sayThinking"];
  }),
  "never thinks": broken((config) => {
    config.states["succeeded"].entry = "answerOutput";
  }),
  "ends with what another's handler returned": broken((config) => {
    config.states["running"].on["cue:Returned"].shift();
  }),
  "is canceled by what was meant for another": broken((config) => {
    for (const key of cancelKeys) config.states["running"].on[key].shift();
  }),
});

livesAlike(part);

test("a handler run hears nothing that the protocol does not know", () => {
  expect(hear(begin(part, "agent"), { type: "command:AgentExplode" }).heard).toBe("unknown");
});
