// Goal: an order reaches one executor, exactly when it is due, or nobody; none leaves that nobody waits for any more.
// Method: random histories under the invariants of the chart, broken variants that they must find, the same histories
// with a live actor, and what is said to the letter.

import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "vitest";
import { taskDispatch } from "../../src/machines/task-dispatch.ts";
import { taskDispatchPart as part } from "../../src/testing/parts/task-dispatch.ts";
import {
  begin,
  type Broken,
  crash,
  elapse,
  finds,
  hear,
  type Invariants,
  type Moment,
  must,
  type Run,
  saidBy,
  say,
  searches,
  snapshotOf,
  variant,
  type Word,
} from "../kit/chart-model.ts";
import { livesAlike } from "../kit/lives-alike.ts";

type Dispatch = typeof taskDispatch;
type Heard = {
  type: string;
  task?: { exec_id: string };
  payload?: { status?: string; result?: { error?: { code: string } } | null; context: { attempt?: number } };
};

const began = 1_000_000;
const ends = [
  "event:TaskExecutionStarted",
  "event:TaskExecutionSuccess",
  "event:TaskExecutionFailed",
  "event:TaskExecutionCanceled",
  "event:TaskExecutionTimedOut",
];

const inputOf = (run: Run<Dispatch>) => {
  const input = part.inputs[run.input];
  must(input !== undefined, "no such input");
  const { type, task, payload } = input.scheduled;
  const context = payload.context as { attempt: number; delay_ms?: number; resume_data?: unknown };
  return { type, task, context, delayMs: context.delay_ms ?? 0, startTimeoutMs: input.startTimeoutMs };
};
const ordersIn = ({ said }: Moment): Word[] => said.filter(({ type }) => type === "command:TaskExecute");
const hasRung = ({ event, heard }: Moment, delay: string): boolean =>
  heard === "taken" && event.type.startsWith(`xstate.after.${delay}.`);

/** A word about this very attempt, or a later one; without an attempt it may be about this one. */
function isMine(run: Run<Dispatch>, { event }: Moment): boolean {
  const { task, payload } = event as Heard;
  const { task: mine, context } = inputOf(run);
  return task?.exec_id === mine.exec_id && (payload?.context.attempt ?? Infinity) >= context.attempt;
}
const isWord = ({ event }: Moment): boolean => event.type === "result:CommandAck" || ends.includes(event.type);
/** What resumes a wait has started before. */
const saysNothing = (run: Run<Dispatch>, { event }: Moment): boolean =>
  event.type === "event:TaskExecutionStarted" && inputOf(run).context.resume_data !== undefined;
const codeIn = ({ event }: Moment): string | undefined => (event as Heard).payload?.result?.error?.code;

/** Nobody took the order, and none will. */
const isUntaken = (run: Run<Dispatch>, moment: Moment): boolean =>
  moment.event.type === "cue:NoResponder" ||
  (moment.event.type === "result:CommandAck" && isMine(run, moment) && codeIn(moment) === "EXECUTOR_BUSY");

/** After this the order is over; `isAsked`: an answer is awaited, `hasLeft`: it was asked before. */
function isOver(run: Run<Dispatch>, moment: Moment, hasLeft: boolean, isAsked: boolean): boolean {
  if (hasRung(moment, "startTimeout") || (isAsked && hasRung(moment, "ackTimeout"))) return true;
  if (!isWord(moment) || !isMine(run, moment) || saysNothing(run, moment)) return false;
  if (moment.event.type !== "result:CommandAck") return true;
  return codeIn(moment) === undefined ? hasLeft : isAsked && !isUntaken(run, moment);
}

/** Each moment, and how things stood when it came. */
function courseOf(run: Run<Dispatch>) {
  let [firstAt, isAsked, isEnded]: [number | undefined, boolean, boolean] = [undefined, false, false];
  return run.moments.map((moment) => {
    const before = { firstAt, isAsked, isEnded };
    isEnded ||= isOver(run, moment, firstAt !== undefined, isAsked);
    if (isAsked && isUntaken(run, moment)) isAsked = false;
    if (ordersIn(moment).length > 0) [firstAt, isAsked] = [firstAt ?? moment.at, true];
    return { moment, before, isEnded };
  });
}

const invariants: Invariants<Dispatch> = {
  "H1: the order leaves once each time, and again only after nobody, or a busy one, answered": (run) => {
    for (const { moment, before } of courseOf(run)) {
      const { length } = ordersIn(moment);
      must(length <= 1 && moment.said.length === length, "more than one order was said at once");
      must(length === 0 || !before.isAsked, "it was asked again although somebody may have it");
    }
  },
  "H2: nothing leaves once an executor has it or may have it, it was refused, or the task has ended": (run) => {
    const course = courseOf(run);
    for (const { moment, isEnded } of course)
      must(!isEnded || ordersIn(moment).length === 0, "an order left after all");
    const isDone = snapshotOf(run).status === "done";
    const wasLate = run.moments.some(({ to }) => to === "expired");
    const isEnded = course.at(-1)?.isEnded === true;
    must(isDone === (isEnded || wasLate), isDone ? "it is over for no reason" : "it is not over");
  },
  "H3: a delay is held to the millisecond, as is the pause between two asks; without one it leaves at once": (run) => {
    const { delayMs } = inputOf(run);
    const [first] = run.moments;
    must(ordersIn(first as Moment).length === (delayMs > 0 ? 0 : 1), "it did not leave when it was due");
    for (const moment of run.moments.slice(1)) {
      const isDue = hasRung(moment, moment.from === "holding" ? "holdBack" : "askAgain");
      must(ordersIn(moment).length === 0 || isDue, "it left at another time");
      must(
        moment.to !== "handing.waiting" || moment.from === moment.to || armedAt(run, "askAgain", moment.at + 1_000),
        "a pause of another length",
      );
    }
    must(snapshotOf(run).value !== "holding" || dueAt(run, "holdBack") === began + delayMs, "another delay");
    must(snapshotOf(run).status === "done" || delayMs === 0 || held(run), "it left before its delay was over");
  },
  "H4: what leaves is what was scheduled, each time the same": (run) => {
    const { scheduled } = part.inputs[run.input] as (typeof part.inputs)[string];
    const { delay_ms: _, original_error: __, ...context } = scheduled.payload.context as Record<string, unknown>;
    const { workflow, task } = scheduled;
    const reply_to_subject = `results.task.${task.exec_id}`;
    const of = { ...(workflow && { workflow }), task };
    const wanted = { type: "command:TaskExecute", ...of, payload: { reply_to_subject, context } };
    for (const order of saidBy(run)) must(isDeepStrictEqual(order, wanted), "another order");
  },
  "H5: nothing leaves after the start timeout, by the clock, and it always ends": (run) => {
    const { startTimeoutMs } = inputOf(run);
    for (const { moment, before } of courseOf(run)) {
      const isLate = before.firstAt !== undefined && moment.at >= before.firstAt + startTimeoutMs;
      must(!isLate || ordersIn(moment).length === 0, "an order left after the start timeout");
      must(isLate || moment.to !== "expired" || moment.heard === "inert", "it gave up too early");
    }
    if (snapshotOf(run).status === "done") return;
    const firstAt = run.moments.find((moment) => ordersIn(moment).length > 0)?.at;
    must(firstAt === undefined || dueAt(run, "startTimeout") === firstAt + startTimeoutMs, "nothing ends it in time");
  },
  "H6: words of an earlier attempt or another task change nothing, nor that a resumed one had started": (run) => {
    for (const moment of run.moments) {
      if (!isWord(moment) || (isMine(run, moment) && !saysNothing(run, moment))) continue;
      must(moment.heard !== "taken", `${moment.hears} was taken`);
    }
  },
};

const dueAt = (run: Run<Dispatch>, delay: string): number | undefined =>
  run.life.timers.find(({ id }) => id.startsWith(`xstate.after.${delay}.`))?.dueAt;
const armedAt = (run: Run<Dispatch>, delay: string, at: number): boolean =>
  run.armed.some((timer) => timer.id.startsWith(`xstate.after.${delay}.`) && timer.dueAt === at);
/** The delay is over, or it is still held. */
const held = (run: Run<Dispatch>): boolean =>
  snapshotOf(run).value === "holding" || run.moments.some((moment) => hasRung(moment, "holdBack"));

searches(part, invariants);

const broken = (damage: (config: Broken) => void) => variant(taskDispatch, damage);
const [assigning, waiting] = ["assigning", "waiting"];

finds(part, invariants, {
  "asks again after silence": broken((config) => {
    config.states["handing"].states[assigning].after = { ackTimeout: "waiting" };
  }),
  "sends the order twice": broken((config) => {
    config.states["handing"].states[assigning].entry = ["sendOrder", "sendOrder"];
  }),
  "asks a busy executor again at once": broken((config) => {
    config.states["handing"].states[assigning].on["cue:NoResponder"] = { target: assigning, reenter: true };
  }),
  "takes any refusal for a busy executor": broken((config) => {
    config.states["handing"].states[assigning].on["result:CommandAck"].pop();
    config.states["handing"].states[assigning].on["result:CommandAck"][2] = { target: waiting };
  }),
  "sends an order that was canceled while it was held": broken((config) => {
    config.states["holding"].on["event:TaskExecutionCanceled"] = { description: "late" };
  }),
  "goes on although the executor speaks": broken((config) => {
    config.states["handing"].on["event:TaskExecutionSuccess"] = { description: "late" };
  }),
  "holds nothing back": broken((config) => {
    config.states["received"].always = { target: "handing" };
  }),
  "holds back what has no delay": broken((config) => {
    config.states["received"].always = { target: "holding" };
  }),
  "grants the start timeout anew with each ask": broken((config) => {
    config.states["handing"].states[waiting].after = { askAgain: { target: "#taskDispatch.handing", reenter: true } };
  }),
  "looks at the timer and not at the clock": broken((config) => {
    config.states["handing"].states[waiting].after = { askAgain: assigning };
  }),
  "waits for an executor for ever": broken((config) => {
    config.states["handing"].after = {};
  }),
  "ends with a cancel of an earlier attempt": broken((config) => {
    config.states["holding"].on["event:TaskExecutionCanceled"].shift();
  }),
  "takes the acknowledgment of another task": broken((config) => {
    config.states["handing"].states[assigning].on["result:CommandAck"].shift();
  }),
  "thinks that a wait is resumed when it hears again that it had started": broken((config) => {
    config.states["handing"].on["event:TaskExecutionStarted"].splice(1, 1);
  }),
  "does not hear that it is taken while it waits": broken((config) => {
    config.states["handing"].states[waiting].on["result:CommandAck"] = { description: "late" };
  }),
});

livesAlike(part);

describe("an order", () => {
  const retried = begin(part, "retry");
  const { value, context } = snapshotOf(retried);

  test("of a retry is held for its delay, and leaves without it", () => {
    expect(value).toBe("holding");
    expect(context).toMatchObject({ delayMs: 4_000, startTimeoutMs: 3_500 });
    const { at, said } = elapse(retried, "holdBack");
    expect(at).toBe(began + 4_000);
    expect(said).toEqual([
      {
        type: "command:TaskExecute",
        workflow: { id: "refund", exec_id: "01900000-0000-7000-8000-000000000001" },
        task: { id: "decide", exec_id: "01900000-0000-7000-8000-000000000002" },
        payload: {
          reply_to_subject: "results.task.01900000-0000-7000-8000-000000000002",
          context: {
            attempt: 2,
            task_type: "tool",
            input: { order: "A7" },
            timeout_config: { timeout_duration_ms: 30_000 },
            retry_policy: { max_attempts: 3, backoff: { initial_ms: 1_000, factor: 2, max_ms: 60_000, jitter: 0 } },
          },
        },
      },
    ]);
  });

  test("that resumes a wait carries what resumes it", () => {
    expect(saidBy(begin(part, "resumed"))).toMatchObject([
      { payload: { context: { attempt: 1, task_type: "wait", resume_data: { approved: true } } } },
    ]);
  });

  test("goes out every second to a busy executor until the start timeout, and then no more", () => {
    const run = begin(part, "scheduled");
    for (let asked = 1; asked < 60; asked += 1) {
      say(run, "result:CommandAck (ERROR EXECUTOR_BUSY)");
      expect(elapse(run, "askAgain").at).toBe(began + asked * 1_000);
    }
    crash(run);
    say(run, "cue:NoResponder");
    expect(elapse(run, "askAgain")).toMatchObject({ at: began + 60_000, to: "expired", said: [] });
    expect(saidBy(run)).toHaveLength(60);
  });

  test("is not sent again when the executor is silent for 5 s", () => {
    const run = begin(part, "scheduled");
    expect(elapse(run, "ackTimeout")).toMatchObject({ at: began + 5_000, to: "assumed", said: [] });
  });

  test.each([
    ["result:CommandAck (ACKNOWLEDGED)", "assigned"],
    ["result:CommandAck (ERROR VALIDATION_FAILED)", "dropped"],
    ["event:TaskExecutionStarted (mine)", "assigned"],
    ["event:TaskExecutionSuccess", "assigned"],
    ["event:TaskExecutionFailed", "assigned"],
    ["event:TaskExecutionCanceled (mine)", "revoked"],
    ["event:TaskExecutionTimedOut (mine)", "revoked"],
  ])("that was handed out and hears %s is %s", (label, to) => {
    expect(say(begin(part, "scheduled"), label)).toMatchObject({ to, said: [] });
  });

  test("hears nothing that the protocol does not know", () => {
    expect(hear(begin(part, "scheduled"), { type: "command:TaskExplode" }).heard).toBe("unknown");
  });
});
