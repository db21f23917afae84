// Goal: an attempt of a task is acknowledged, does its one thing and reports once, whatever arrives meanwhile.
// Method: random histories under the invariants of the chart, broken variants that they must find, and the same
// histories with a live actor.

import { expect, test } from "vitest";
import { taskAttempt } from "../../src/machines/task-attempt.ts";
import type { Message } from "../../src/protocol/catalogue.ts";
import { taskAttemptPart as part } from "../../src/testing/parts/task-attempt.ts";
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

type Attempt = typeof taskAttempt;
type Order = Message<"command:TaskExecute">;
type Cancel = Message<"command:TaskCancel">;
type Ack = Word & { payload: { context: { duplicate?: boolean } } };

const ends = [
  "event:TaskExecutionSuccess",
  "event:TaskExecutionFailed",
  "event:TaskExecutionCanceled",
  "event:TaskWaitingStarted",
];

const orderOf = (run: Run<Attempt>): Order => snapshotOf(run).context.order;
const isOver = ({ heard }: Moment): boolean => heard === "inert";

/** An order of this attempt, as it began. */
function isMine(run: Run<Attempt>, { event }: Moment): boolean {
  if (event.type !== "command:TaskExecute") return false;
  const [told, mine] = [(event as Order).payload.context, orderOf(run).payload.context];
  return told.attempt === mine.attempt && (told.resume_data === undefined) === (mine.resume_data === undefined);
}
const isOld = (run: Run<Attempt>, { event }: Moment): boolean =>
  event.type === "command:TaskCancel" &&
  ((event as Cancel).payload.context.attempt ?? Infinity) < orderOf(run).payload.context.attempt;
const isOtherCall = (run: Run<Attempt>, { event }: Moment): boolean =>
  event.type === "cue:CallEnded" && (event as unknown as { exec_id: string }).exec_id !== callIn(run)?.["exec_id"];

const callIn = (run: Run<Attempt>): Word | undefined => saidBy(run).find(({ type }) => type === "cue:Call");
const cancelIn = (run: Run<Attempt>): Moment | undefined =>
  run.moments.find(({ event, heard }) => event.type === "command:TaskCancel" && heard === "taken");

const invariants: Invariants<Attempt> = {
  "K1: the order is acknowledged once, first, and as a duplicate when it comes again": (run) => {
    const isWanted = orderOf(run).payload.reply_to_subject !== undefined;
    const acks = saidBy(run).filter(({ type }) => type === "result:CommandAck") as Ack[];
    const first = acks.filter(({ payload }) => payload.context.duplicate !== true);
    must(first.length === Number(isWanted), `${first.length} acknowledgments of the order`);
    must(!isWanted || saidBy(run)[0] === first[0], "something was said before the acknowledgment");
    const again = run.moments.filter((moment) => isMine(run, moment) && !isOver(moment));
    must(acks.length - first.length === (isWanted ? again.length : 0), "a doubled order is not answered once");
    must(
      again.every(({ from, to, said }) => from === to && said.every(({ type }) => type === "result:CommandAck")),
      "a doubled order did something",
    );
  },
  "K2: one end is reported, and none if the task was given up": (run) => {
    const reported = saidBy(run).filter(({ type }) => ends.includes(type)).length;
    const cause = (cancelIn(run)?.event as Cancel | undefined)?.payload.context.cause ?? "";
    const isGivenUp = ["timed_out", "caller_lost"].includes(cause);
    const wanted = snapshotOf(run).status === "done" && !isGivenUp ? 1 : 0;
    must(reported === wanted, `${reported} ends were reported, not ${wanted}`);
  },
  "K3: Started is said once, next, and not when a wait has ended": (run) => {
    const isResumed = orderOf(run).payload.context.resume_data !== undefined;
    const started = saidBy(run).filter(({ type }) => type === "event:TaskExecutionStarted");
    must(started.length === (isResumed ? 0 : 1), `Started was said ${started.length} times`);
    const place = orderOf(run).payload.reply_to_subject === undefined ? 0 : 1;
    must(isResumed || saidBy(run)[place] === started[0], "something was said before Started");
  },
  "K4: a call is begun at most once, before any cancel, and has ended before the attempt does": (run) => {
    const calls = saidBy(run).filter(({ type }) => type === "cue:Call");
    const stops = saidBy(run).filter(({ type }) => type === "cue:EndCall");
    must(calls.length <= 1 && stops.length <= calls.length, "a call was begun or ended twice");
    must(
      stops.every(({ exec_id }) => exec_id === calls[0]?.["exec_id"]),
      "another's call was ended",
    );
    const canceledAt = run.moments.indexOf(cancelIn(run) as Moment);
    const after = canceledAt < 0 ? [] : run.moments.slice(canceledAt);
    must(!after.some(({ said }) => said.some(({ type }) => type === "cue:Call")), "a call was begun after a cancel");
    const hasEnded = run.moments.some(({ event, heard }) => event.type === "cue:CallEnded" && heard === "taken");
    must(calls.length === 0 || snapshotOf(run).status !== "done" || hasEnded, "its call is still open");
  },
  "K5: an earlier attempt's cancel, another attempt's order and another's call change nothing": (run) => {
    for (const moment of run.moments) {
      const isOther = moment.event.type === "command:TaskExecute" && !isMine(run, moment);
      if (!isOther && !isOld(run, moment) && !isOtherCall(run, moment)) continue;
      must(moment.heard !== "taken", `${moment.hears} was taken`);
    }
  },
  "K6: it always ends, by its call or by its own timeout": (run) => {
    const { status, value } = snapshotOf(run);
    if (status === "done") return;
    const [timer] = run.life.timers;
    must(value !== "signaling" || timer?.dueAt === 1_005_000, "a signal is waited for without a limit");
    must(value === "signaling" || callIn(run) !== undefined, "it waits for a call that was not begun");
  },
};

searches(part, invariants);

const broken = (damage: (config: Broken) => void) => variant(taskAttempt, damage);

finds(part, invariants, {
  "starts before it acknowledges": broken((config) => {
    config.states["taken"].entry = [];
    config.states["begun"].entry = ["sayStarted", "acknowledge"];
  }),
  "begins again when the order comes twice": broken((config) => {
    config.states["calling"].on["command:TaskExecute"] = "taken";
  }),
  "takes the next attempt's order for a duplicate": broken((config) => {
    config.states["calling"].on["command:TaskExecute"] = { actions: "acknowledgeAgain" };
  }),
  "reports to whom gave it up": broken((config) => {
    config.states["closing"].always = { target: "canceled" };
  }),
  "says that it started when its wait has ended": broken((config) => {
    config.states["resumed"].entry = ["sayStarted", "noteResume"];
  }),
  "reports a failure twice": broken((config) => {
    config.states["failed"].entry = ["sayFailed", "sayFailed"];
  }),
  "calls again instead of ending its call": broken((config) => {
    config.states["canceling"].entry = "call";
  }),
  "leaves its call open": broken((config) => {
    const [old] = config.states["calling"].on["command:TaskCancel"];
    config.states["calling"].on["command:TaskCancel"] = [old, { target: "closing", actions: "noteCancel" }];
  }),
  "is canceled by what was meant for an earlier attempt": broken((config) => {
    config.states["calling"].on["command:TaskCancel"] = { target: "canceling", actions: "noteCancel" };
  }),
  "ends with another's call": broken((config) => {
    config.states["calling"].on["cue:CallEnded"] = { target: "completed", actions: "noteCallEnd" };
  }),
  "waits for ever for the answer to a signal": broken((config) => {
    config.states["signaling"].after = {};
    config.states["signaling"].tags = "waiting";
  }),
});

livesAlike(part);

test("a task attempt hears nothing that the protocol does not know", () => {
  expect(hear(begin(part, "signal"), { type: "command:TaskExplode" }).heard).toBe("unknown");
});
