// Goal: a task ends once and takes with it whatever it began, whatever its executor, children and clients do.
// Method: random histories under the invariants of the chart, and broken variants that they must find.

import { taskExecution } from "../../src/machines/task-execution.ts";
import { cancelGraceMs, isWorker, type TaskContext, waitMs } from "../../src/machines/task-memory.ts";
import type { Part } from "../../src/testing/part.ts";
import { taskExecutionPart as part } from "../../src/testing/parts/task-execution.ts";
import { type Broken, finds, type Invariants, type Moment, must, type Run, saidBy } from "../kit/chart-model.ts";
import { searches, snapshotOf, variant, type Word } from "../kit/chart-model.ts";
import { livesAlike } from "../kit/lives-alike.ts";

type Chart = typeof taskExecution;
type TaskWord = Word & {
  lane?: number;
  status?: string;
  task?: { exec_id: string };
  workflow?: { exec_id: string };
  agent?: { exec_id: string };
  tool?: { exec_id: string };
};

const contextOf = (run: Run<Chart>): TaskContext => snapshotOf(run).context as TaskContext;
const count = (run: Run<Chart>, ...types: string[]): number =>
  saidBy(run).filter(({ type }) => types.includes(type)).length;
const has = (words: readonly Word[], ...types: string[]): boolean => words.some(({ type }) => types.includes(type));

/** What was heard and taken, and what was said, in order: what a recorder of events would see. */
const told = (run: Run<Chart>): { word: TaskWord; moment: Moment }[] =>
  run.moments.flatMap((moment) => [
    ...(moment.heard === "taken" ? [{ word: moment.event as TaskWord, moment }] : []),
    ...moment.said.map((word) => ({ word: word as TaskWord, moment })),
  ]);

const ends: Readonly<Record<string, string>> = {
  "event:TaskExecutionSuccess": "SUCCESS",
  "event:TaskExecutionFailed": "FAILED",
  "event:TaskExecutionTimedOut": "TIMED_OUT",
  "event:TaskWaitingTimedOut": "TIMED_OUT",
  "event:TaskExecutionCanceled": "CANCELED",
};
const retry = "event:TaskRetryScheduled";
const executorWords = [
  "event:TaskExecutionStarted",
  "event:TaskWaitingStarted",
  "event:TaskExecutionSuccess",
  "event:TaskExecutionFailed",
  "event:TaskExecutionCanceled",
  "progress:TaskStep",
];
const beginnings = ["cue:BeginTask", "command:WorkflowExecute", retry];

/** The moments at which an attempt was over, the last one included. */
const closings = (run: Run<Chart>): Moment[] =>
  run.moments.filter(
    ({ event, heard, said }) => has(said, ...Object.keys(ends)) || (heard === "taken" && event.type in ends),
  );

const invariants: Invariants<Chart> = {
  "T1: it ends exactly once: one terminal event that no retry follows, and one TaskEnded to its parent": (run) => {
    const { ended, lane } = contextOf(run);
    const story = told(run).flatMap(({ word: { type } }) => (type === retry ? ["again"] : (ends[type] ?? [])));
    const wrong = story.findIndex((step, index) => (step === "again") !== (index % 2 === 1));
    must(wrong < 0, `ends and retries do not alternate: ${story.join(", ")}`);
    must(story.length % 2 === (ended === null ? 0 : 1), `ended is ${ended} after ${story.join(", ")}`);
    must(ended === null || story.at(-1) === ended, `it ended as ${ended}, and said ${story.join(", ")}`);
    const reports = saidBy(run).filter(({ type }) => type === "cue:TaskEnded") as TaskWord[];
    must(reports.length === (ended !== null && lane !== null ? 1 : 0), `${reports.length} TaskEnded`);
    must(
      reports.every(({ status }) => status === ended),
      "TaskEnded tells another end",
    );
  },

  "T2: attempts count up by one and never pass the policy; every delay is the policy's": (run) => {
    const { retry: policy } = contextOf(run);
    const orders = run.moments.flatMap(({ said, at }) =>
      said.filter(({ type }) => type === retry || type === "event:TaskScheduled").map((word) => ({ word, at })),
    );
    orders.forEach(({ word, at }, index) => {
      const context = word.payload?.context as { attempt: number; delay_ms?: number };
      must(context.attempt === index + 1, `attempt ${context.attempt} is the ${index + 1}. one`);
      must(context.attempt <= policy.max_attempts, `attempt ${context.attempt} of ${policy.max_attempts}`);
      if (word.type !== retry) return;
      const { initial_ms, factor, max_ms, jitter } = policy.backoff;
      const grown = Math.min(max_ms, initial_ms * factor ** (index - 1));
      const delay = context.delay_ms ?? NaN;
      must(Math.abs(delay - grown) <= grown * jitter + 1, `a delay of ${delay} ms, not of ${grown} ms`);
      const begun = run.moments.find(({ said }) =>
        said.some((one) => one.type === "event:TaskExecutionStarted" && one.payload?.context?.attempt === index + 1),
      );
      must(!begun || begun.at >= at + delay, "an attempt began before its delay was over");
    });
  },

  "T3: a word about another attempt changes nothing; an executor that begins one given up is told to stop": (run) => {
    let current = 1;
    let givenUp = 0;
    for (const { event, heard, said } of run.moments) {
      const word = event as Word;
      const attempt = word.payload?.context?.attempt ?? 0;
      if (word.type === "event:TaskExecutionStarted" && attempt <= givenUp && heard !== "inert") {
        must(said.length === 1 && has(said, "command:TaskCancel"), "nobody stops who begins too late");
        must(said[0]?.payload?.context?.attempt === attempt, "another attempt is told to stop");
        continue;
      }
      if (isWorker(contextOf(run)) && has(said, "event:TaskExecutionTimedOut", "event:TaskExecutionCanceled")) {
        givenUp = current;
      }
      const stale = executorWords.includes(word.type) && attempt !== current;
      must(!stale || heard !== "taken", `${word.type} of attempt ${attempt} counted in ${current}`);
      if (has(said, retry)) current += 1;
    }
  },

  "T4: canceled, it ends within the grace, whatever its executor does, and nothing of it begins any more": (run) => {
    const canceled = run.moments.findIndex(
      ({ event, heard, from }) =>
        (event.type === "command:TaskCancel" || event.type === "cue:ParentEnded") &&
        !("attempt" in ((event as Word).payload?.context ?? {})) &&
        heard === "taken" &&
        !/life\.(?:succeeded|failed|timedOut|waitTimedOut|canceled)/.test(from),
    );
    const moment = run.moments[canceled];
    if (!moment) return;
    const grace = run.life.timers.find(({ id }) => id.includes("cancelGrace"));
    must(contextOf(run).ended !== null || grace !== undefined, "a canceled task has no end in sight");
    must(!grace || grace.dueAt <= moment.at + cancelGraceMs, "the grace is longer than it may be");
    const begun = run.moments.slice(canceled).find(({ said }) => has(said, ...beginnings));
    must(begun === undefined, `something began after it was canceled`);
  },

  "T5: a wait is ended once, and neither ends nor runs out while the workflow is paused": (run) => {
    const context = contextOf(run);
    const [opened, closed] = [count(run, "cue:WaitOpened"), count(run, "cue:WaitClosed")];
    const isOpen = placeIn(run.moments.at(-1)).startsWith("waiting.counting");
    must(opened - closed === (isOpen ? 1 : 0), `a wait was opened ${opened} times and closed ${closed} times`);
    const begun = told(run).filter(({ word }) => word.type === "event:TaskWaitingStarted").length;
    const over = count(run, "event:TaskWaitingEnded", "event:TaskWaitingTimedOut");
    must(over <= begun, `${begun} waits were ended ${over} times`);
    let paused = false;
    let counted = 0;
    let countsSince = 0;
    run.moments.forEach((moment, index) => {
      const { event, heard, said, at } = moment;
      const before = run.moments[index - 1];
      if (placeIn(before) !== "waiting.counting" && placeIn(moment) === "waiting.counting") countsSince = at;
      if (placeIn(before) === "waiting.counting") counted += at - (before?.at ?? at);
      if (event.type === "cue:Paused" && heard === "taken") {
        paused = true;
        // A wait whose timer is late has nothing left when its clock is stopped, and not less than that.
        counted = Math.min(counted, waitMs(context, context.waitedSince) ?? Infinity);
      }
      if (event.type === "cue:Resumed" && heard === "taken") paused = false;
      must(!(paused && has(said, "event:TaskWaitingEnded")), "a wait ended while the workflow was paused");
      const isTotal = event.type.includes("totalTimeout");
      must(!(paused && has(said, "event:TaskWaitingTimedOut")) || isTotal, "a wait ran out while paused");
    });
    const clock = run.life.timers.find(({ id }) => id.includes("waitOver"));
    const left = (waitMs(context, context.waitedSince) ?? Infinity) - counted;
    // No pause puts off a time of the calendar.
    const until = context.wait && "until" in context.wait ? Math.max(context.wait.until, countsSince) : undefined;
    const dueAt = until ?? (run.moments.at(-1)?.at ?? 0) + left;
    must(!clock || clock.dueAt === dueAt, "the clock of the wait is wrong");
  },

  "T6: whatever it began ends with it: children, child workflow, and calls whose caller is gone": (run) => {
    for (const closing of closings(run)) {
      const until = run.moments.slice(0, run.moments.indexOf(closing) + 1);
      const story = until.flatMap(({ event, heard, said }) => [
        ...(heard === "taken" ? [event as TaskWord] : []),
        ...said,
      ]);
      endOnce(story as TaskWord[], "cue:BeginTask", ["cue:TaskEnded", "cue:ParentEnded"], ({ task }) => task?.exec_id);
      const childEnds = ["Success", "Failed", "Canceled", "TimedOut"].map((end) => `event:WorkflowExecution${end}`);
      const idOfRun = ({ workflow }: TaskWord) => workflow?.exec_id;
      // Nobody waits for the end of one that is detached.
      if (contextOf(run).child?.detached === true) continue;
      endOnce(story as TaskWord[], "command:WorkflowExecute", [...childEnds, "command:WorkflowCancel"], idOfRun);
    }
    callsEnd(run);
  },

  "T7: after its total timeout, by the clock and not by the timer, nothing of it begins": (run) => {
    const { startedAt, totalTimeoutMs } = contextOf(run);
    const late = run.moments.filter(({ at }) => totalTimeoutMs !== null && at >= startedAt + totalTimeoutMs);
    must(!late.some(({ said }) => has(said, ...beginnings, "event:TaskExecutionStarted")), "something began too late");
  },

  "T8: a command that asks for an answer gets exactly one, and who does not ask gets none": (run) => {
    for (const { event, heard, said } of run.moments) {
      const asks = event.type.startsWith("command:") && (event as Word).payload?.["reply_to_subject" as "status"];
      const starts = event.type === "start" && contextOf(run).trigger !== undefined;
      const answers = said.filter(({ type }) => type === "result:CommandAck").length;
      const wanted = starts || (asks && heard !== "inert") ? 1 : 0;
      must(answers === wanted, `${event.type} got ${answers} answers`);
    }
  },

  "T9: without a parent it says nothing to one, and waits for nothing from one": (run) => {
    if (contextOf(run).lane !== null) return;
    const toParent = ["cue:TaskEnded", "cue:PauseWanted", "cue:Broken"];
    must(count(run, ...toParent) === 0, "it spoke to a parent that it does not have");
    must(placeIn(run.moments.at(-1)) !== "control.broken", "it waits for a parent that it does not have to end it");
  },
};

const placeIn = (moment: Moment | undefined): string => /life\.(\S+)/.exec(moment?.to ?? "")?.[1] ?? "";

/** Of all that was begun so far, each was ended once: by itself or by the task. */
function endOnce(
  story: readonly TaskWord[],
  begin: string,
  endings: readonly string[],
  idOf: (word: TaskWord) => string | undefined,
): void {
  for (const begun of story.filter(({ type }) => type === begin)) {
    const ended = story.filter((word) => endings.includes(word.type) && idOf(word) === idOf(begun));
    must(ended.length === 1, `what ${begin} began was ended ${ended.length} times when its attempt was over`);
  }
}

/** A call that began is ended once: by its caller, or as lost, 5 s after its attempt at the earliest. */
function callsEnd(run: Run<Chart>): void {
  const story = told(run).filter(({ word }) => /^event:(?:Agent|Tool)/.test(word.type));
  const idOf = ({ tool, agent }: TaskWord): string | undefined => (tool ?? agent)?.exec_id;
  const closed = closings(run);
  for (const { word } of story.filter(({ word: { type } }) => type.endsWith("Started"))) {
    const attempt = word.payload?.context?.attempt ?? 0;
    const [ended, ...more] = story.filter(
      (other) => idOf(other.word) === idOf(word) && !other.word.type.endsWith("Started"),
    );
    must(more.length === 0, `call ${idOf(word)} was ended twice`);
    must(ended !== undefined || snapshotOf(run).status !== "done", `call ${idOf(word)} was left open`);
    const over = closed[attempt - 1];
    const watched = run.life.timers.some(({ id }) => id.includes("callerLost"));
    must(ended !== undefined || over === undefined || watched, `nobody watches call ${idOf(word)}`);
    if (!ended?.moment.said.includes(ended.word)) continue;
    must(over !== undefined && ended.moment.at >= over.at + 5_000, `call ${idOf(word)} was given up too early`);
    const cancel = ended.moment.said.find(
      (other) => other.type.endsWith("Cancel") && idOf(other as TaskWord) === idOf(word),
    );
    must(cancel !== undefined, `call ${idOf(word)} was given up, and not told so`);
  }
  const last = closed.at(-1);
  const context = contextOf(run);
  const isSilent = last !== undefined && has(last.said, "event:TaskExecutionTimedOut", "event:TaskExecutionCanceled");
  if (!isSilent || !isWorker(context) || snapshotOf(run).status !== "done") return;
  const watchedFor = (run.moments.findLast(({ heard }) => heard === "taken")?.at ?? 0) - last.at;
  must(watchedFor >= 5_000, "it left although its executor might still begin a call");
}

/** The part, with longer retries than a complete search could bear. */
const searched: Part<Chart> = {
  ...part,
  inputs: {
    ...part.inputs,
    "tool, five attempts": {
      ...(part.inputs["tool, watched"] as Part<Chart>["inputs"][string]),
      totalTimeoutMs: null,
      retry: {
        max_attempts: 5,
        backoff: { initial_ms: 400, factor: 3, max_ms: 5_000, jitter: 0.5 },
        never_on: ["CARD_DECLINED"],
      },
    },
  },
};

searches(searched, invariants);
livesAlike(part);

type Guards = Record<string, () => boolean>;
// oxlint-disable-next-line typescript/no-explicit-any -- a config is damaged on purpose, in ways that no type allows.
type Regions = { life: Record<string, any>; calls: Record<string, any> };
const broken = (damage: (states: Regions) => void, guards: Guards = {}) =>
  variant(
    taskExecution,
    (config: Broken) => damage({ life: config.states["life"].states, calls: config.states["calls"].states }),
    guards,
  );
const unguarded = (guard: string, value = false) => broken(() => undefined, { [guard]: () => value });

/** A flaw of some tasks is looked for in those. */
const among = (...names: string[]): Part<Chart> => ({
  ...part,
  inputs: Object.fromEntries(Object.entries(part.inputs).filter(([name]) => names.includes(name))),
});

finds(among("agent", "tool, watched"), invariants, {
  "takes a word about an earlier attempt for one about this": unguarded("isOld"),
  "tries again whatever the policy says": unguarded("isRetried", true),
  "lets an executor go on that begins too late": unguarded("isGivenUp"),
  "reports its end twice": broken(({ life }) => {
    life["succeeded"].entry = [life["succeeded"].entry, life["succeeded"].entry];
  }),
  "does not tell its parent that it timed out": broken(({ life }) => {
    life["timedOut"].entry = [];
  }),
  "announces a retry twice": broken(({ life }) => {
    life["retrying"].entry = ["sayRetryScheduled", "sayRetryScheduled"];
  }),
  "has no grace when it is canceled": broken(({ life }) => {
    life["canceling"].after = {};
  }),
  "tries again although it was canceled": broken(({ life }) => {
    life["canceling"].on["event:TaskExecutionFailed"] = { target: "retrying", actions: "nextAttempt" };
  }),
  "answers a resume only where it can be resumed": broken(({ life }) => {
    life["worker"].on["command:TaskResume"] = { actions: [] };
  }),
});

finds(among("wait for a signal", "wait for a time"), invariants, {
  "opens a wait twice": unguarded("hasNoWait"),
  "cannot be canceled while it waits": broken(({ life }) => {
    life["waiting"].on["command:TaskCancel"] = { description: "ignored" };
  }),
  "lets the clock of a wait run on in a pause": broken(({ life }) => {
    life["waiting"].states.counting.on["cue:Paused"] = { actions: "notePaused" };
  }),
  "gives a wait its whole time again after a pause": broken(({ life }) => {
    life["waiting"].states.held.on["cue:Resumed"][1].actions = ["noteResumed", "openWait"];
  }),
  "ends a wait that is held": broken(({ life }) => {
    life["waiting"].states.held.on["cue:Wake"] = { target: "#resumed", actions: "keepResume" };
  }),
});

finds(among("workflow", "parallel, fail_fast", "parallel, race", "direct parallel"), invariants, {
  "takes another child's end for its own child's": unguarded("isOtherChild"),
  "begins again after its total timeout": unguarded("isOutOfTime"),
  "waits for nobody to end it when its plan cannot go on": unguarded("isAlone"),
  "leaves its children alone when its time is up": broken(({ life }) => {
    life["overdue"].entry = ["sayTimedOut", "noteSilence"];
  }),
  "leaves the losers of a race alone": broken(({ life }) => {
    life["succeededHere"].entry = ["sayCompleted", life["succeededHere"].entry.at(-1)];
  }),
});

finds(among("agent, its calls"), invariants, {
  "opens a call again that has ended": unguarded("isStrayCall"),
  "leaves the calls of a lost executor open": broken(({ calls }) => {
    calls["orphaned"].after = { callerLost: "settled" };
  }),
  "gives a call up as soon as its attempt has ended": broken(({ calls }) => {
    calls["orphaned"].always = "swept";
  }),
  "does not wait for the calls that a silent executor may begin": broken(({ life }) => {
    life["overrun"].entry = ["sayTimedOut", "stopExecutor"];
  }),
});
