// Goal: a workflow execution walks its tasks one by one and ends once, whatever people, tasks and time do.
// Method: random histories under the invariants of the chart, broken variants that they must find, and a live actor.

import { assign } from "xstate";
import type { Cue } from "../../src/machines/cues.ts";
import { openPlan, openTasks, settle } from "../../src/machines/plan.ts";
import { names } from "../../src/machines/retry.ts";
import type { WorkflowContext } from "../../src/machines/workflow-memory.ts";
import { workflowExecution } from "../../src/machines/workflow-execution.ts";
import type { Message } from "../../src/protocol/catalogue.ts";
import type { Part } from "../../src/testing/part.ts";
import { workflowExecutionPart as part } from "../../src/testing/parts/workflow-execution.ts";
import { type Broken, finds, type Invariants, type Moment, must, type Run, searches } from "../kit/chart-model.ts";
import { saidBy, snapshotOf, variant, type Word } from "../kit/chart-model.ts";
import { livesAlike } from "../kit/lives-alike.ts";

type Chart = typeof workflowExecution;
type Input = NonNullable<(typeof part)["inputs"][string]>;
type Any = { type: string; task: { id: string; exec_id: string }; to?: string };

const contextOf = (run: Run<Chart>): WorkflowContext => snapshotOf(run).context as WorkflowContext;
const has = (words: readonly Word[], type: string): boolean => words.some((word) => word.type === type);
const tasksOf = (words: readonly Word[], type: string): string[] =>
  words.filter((word) => word.type === type).map((word) => (word as unknown as Any).task.exec_id);

const started = "event:WorkflowExecutionStarted";
const paused = "event:WorkflowExecutionPaused";
const resumed = "event:WorkflowExecutionResumed";
const ends = ["Success", "Failed", "Canceled", "TimedOut"].map((end) => `event:WorkflowExecution${end}`);
const leavings = ["unwinding", "undoing"];
const finals = ["declined", "succeeded", "failed", "timedOut", "canceled"];

/** A moment, and the tasks that were open before it and are after it. */
type Scene = Moment & { before: string[]; after: string[] };

function scenesOf(run: Run<Chart>): Scene[] {
  let open: string[] = [];
  return run.moments.map((moment) => {
    const before = open;
    const { event, heard, said } = moment;
    const ended = heard === "taken" && event.type === "cue:TaskEnded" ? (event as unknown as Any).task.exec_id : "";
    open = [...open.filter((id) => id !== ended), ...tasksOf(said, "cue:BeginTask")];
    return { ...moment, before: before.filter((id) => id !== ended), after: open };
  });
}

/** A run that is roused from its pause only to end: its tasks hear of the end alone. */
const isEnd = (event: { type: string }, to: string): boolean =>
  event.type !== "command:WorkflowResume" && (leavings.includes(to) || finals.includes(to));

/** What is left of its budget's time: what it has, and what that was raised by. */
function budgetLeft(run: Run<Chart>, ranMs: number): number {
  const { budget } = contextOf(run);
  return budget?.timeMs === undefined ? Infinity : Math.max(0, budget.timeMs - ranMs);
}

type Walk = { next: string | null; verdict: "open" | "good" | "bad" };

/** What the graph says of the walk so far: the task that may begin next, and how it ended. */
function walk(run: Run<Chart>, begun: (id: string, walk: Walk) => void = () => {}): Walk {
  const { graph } = contextOf(run);
  const steps = graph.blocks[0] ?? [];
  const at: Walk = { next: null, verdict: "open" };
  let open = "";
  const goTo = (next: string | undefined, end: Walk["verdict"]): void => {
    at.next = next ?? null;
    if (next === undefined) at.verdict = end;
  };
  for (const { event, heard, said } of run.moments) {
    const ended = event as unknown as Cue<"cue:TaskEnded">;
    if (has(said, started)) goTo(steps[0]?.id, "good");
    if (event.type === "cue:TaskEnded" && heard === "taken" && ended.task.exec_id === open) {
      open = "";
      const step = steps.find(({ id }) => id === ended.task.id);
      const error = ended.result && "error" in ended.result ? ended.result.error : null;
      const way = step?.on_error?.find(({ codes }) => error && (!codes || names(codes, error)));
      if (ended.status === "SUCCESS") goTo(ended.next ?? step?.next, "good");
      else goTo(ended.status === "CANCELED" ? undefined : way?.next, "bad");
    }
    for (const word of said) {
      if (word.type !== "cue:BeginTask" || "undoes" in word) continue;
      const { task } = word as unknown as Any;
      begun(task.id, { ...at, verdict: open === "" ? at.verdict : "open" });
      open = task.exec_id;
      at.next = null;
    }
  }
  return at;
}

/** The wakes that signals and waits lead to: the oldest of the one for the oldest of the other. */
function wakesOf(run: Run<Chart>): string[] {
  const { signalsMax } = contextOf(run);
  const waits: { task: string; name: string }[] = [];
  const kept: { name: string; payload: unknown }[] = [];
  const woken = new Map<string, string>();
  const wake = (task: string, signal: { name: string; payload: unknown }): void => {
    woken.set(task, JSON.stringify([task, signal.name, signal.payload]));
  };
  for (const { event, from, heard } of run.moments) {
    if (heard === "inert") continue;
    const isRunning = from.startsWith("running");
    if (event.type === "command:WorkflowSignal" && (isRunning || from === "paused")) {
      const { payload, fits } = event as unknown as Message<"command:WorkflowSignal"> & { fits?: string[] };
      const { name, payload: told } = payload.context.signal;
      const signal = { name, payload: told };
      const waiter = waits.findIndex((one) => one.name === name && (!fits || fits.includes(one.task)));
      if (isRunning && waiter >= 0) wake(waits.splice(waiter, 1)[0]?.task ?? "", signal);
      else if (kept.filter((one) => one.name === name).length < signalsMax) kept.push(signal);
    }
    if (event.type === "cue:WaitOpened" && isRunning) {
      const { task, wait, fits } = event as unknown as Cue<"cue:WaitOpened">;
      if (!("signal" in wait) || woken.has(task.exec_id) || waits.some((one) => one.task === task.exec_id)) continue;
      const signal = kept.findIndex(({ name }, index) => name === wait.signal && (!fits || fits.includes(index)));
      const [taken] = signal < 0 ? [] : kept.splice(signal, 1);
      if (taken) wake(task.exec_id, taken);
      else waits.push({ task: task.exec_id, name: wait.signal });
    }
    if (event.type === "cue:WaitClosed" && (isRunning || from === "paused")) {
      const closed = waits.findIndex(({ task }) => task === (event as unknown as Any).task.exec_id);
      if (closed >= 0) waits.splice(closed, 1);
    }
  }
  return [...woken.values()];
}

const invariants: Invariants<Chart> = {
  "W1: Started is said once, when the slot is granted, and not again after a pause": (run) => {
    const moments = run.moments.filter(({ said }) => has(said, started));
    must(moments.length <= 1, "Started was said again");
    must(
      moments.every(({ from, event }) => from === "pending" && event.type === "cue:SlotGranted"),
      "Started was said without a slot",
    );
    const left = run.moments.find(({ from, to }) => from === "pending" && to !== "pending" && to !== "canceled");
    must(!left || has(left.said, started), "it runs without a word");
  },

  "W2: it ends exactly once, and then no task of it begins and each open one is told": (run) => {
    const isDone = snapshotOf(run).status === "done";
    must(saidBy(run).filter(({ type }) => ends.includes(type)).length === (isDone ? 1 : 0), "it does not end once");
    for (const { said, before, after, from, to, heard } of scenesOf(run)) {
      const told = tasksOf(said, "cue:ParentEnded");
      if (heard === "inert") must(said.length === 0, "something was said after the end");
      // What follows is W10's affair.
      else if (leavings.includes(from)) continue;
      else if (![...finals, "unwinding"].includes(to))
        must(told.length === 0, "a task was told of an end that is not one");
      else {
        must(told.toSorted().join() === before.toSorted().join(), `open were ${before.length}, told ${told.length}`);
        must(after.length === before.length, "a task began when it ended");
      }
    }
  },

  "W3: while it is paused no task begins and its deadline stands still": (run) => {
    const { timeoutMs } = contextOf(run);
    if (contextOf(run).ending) return;
    let ran = 0;
    let since: number | null = null;
    for (const { from, to, said, at } of run.moments) {
      must(!(from === "paused" && to === "paused" && has(said, "cue:BeginTask")), "a task began in a pause");
      if (has(said, started) || has(said, resumed)) since = at;
      if (has(said, paused)) {
        ran += at - (since ?? at);
        since = null;
      }
    }
    const deadline = run.life.timers.find(({ id }) => id.includes("deadline"));
    if (snapshotOf(run).status === "done") return;
    must((deadline === undefined) === (since === null), "its deadline and its run do not go together");
    const dueAt = (since ?? 0) + Math.min(Math.max(0, timeoutMs - ran), budgetLeft(run, ran));
    must(!deadline || deadline.dueAt === dueAt, `the deadline is ${deadline?.dueAt}, not ${dueAt}`);
  },

  "W4: a task begins only after what leads to it, at most one at a time, and never after the run is broken": (run) => {
    walk(run, (id, { next }) => must(id === next, `'${id}' began where '${next}' was next`));
    must(
      scenesOf(run).every(({ after, to }) => after.length <= 1 || leavings.includes(to) || finals.includes(to)),
      "two tasks are open",
    );
    const broken = run.moments.findIndex(({ event, heard }) => event.type === "cue:Broken" && heard === "taken");
    const later = broken < 0 ? [] : run.moments.slice(broken).flatMap(({ said }) => said);
    must(!later.some((word) => word.type === "cue:BeginTask" && !("undoes" in word)), "a task began in a broken run");
  },

  "W6: every command that asks for an answer gets exactly one": (run) => {
    for (const { event, heard, said } of run.moments) {
      const command = event.type === "start" ? contextOf(run).order : (event as unknown as Message);
      const { reply_to_subject: asked } = { reply_to_subject: undefined, ...command.payload };
      const isAsked = command.type.startsWith("command:") && asked !== undefined && heard !== "inert";
      const answers = said.filter(({ type }) => type === "result:CommandAck") as unknown as Any[];
      must(answers.length === (isAsked ? 1 : 0), `${answers.length} answers to ${command.type}`);
      must(
        answers.every(({ to }) => to === asked),
        "an answer went elsewhere",
      );
    }
  },

  "W7: canceled in any open state it ends at once, or as soon as what it has done is undone": (run) => {
    const canceled = run.moments.find(
      ({ event, heard }) => ["command:WorkflowCancel", "cue:Displaced"].includes(event.type) && heard !== "inert",
    );
    if (!canceled || leavings.includes(canceled.from)) return;
    const undoes = contextOf(run).undoes && canceled.from !== "pending";
    must(canceled.to === (undoes ? "unwinding" : "canceled"), `a cancel led to ${canceled.to}`);
    const end = run.moments.find(({ to }) => finals.includes(to));
    must(!end || end.to === "canceled", `a canceled run has ${end?.to}`);
  },

  "W8: each open task is told when a pause begins and when it is over, once each": (run) => {
    for (const { said, before, from, to, event } of scenesOf(run)) {
      const told = tasksOf(said, "cue:Paused");
      must(told.join() === (has(said, paused) ? before.join() : ""), `a pause was told to ${told.length}`);
      if (leavings.includes(from)) continue;
      const again = tasksOf(said, "cue:Resumed");
      const isLeft = leavings.includes(to) || finals.includes(to);
      must(again.join() === (has(said, resumed) && !isEnd(event, to) ? before.join() : ""), "a resume was not told");
      const goesOn = from === "paused" && (event.type === "command:WorkflowResume" || (isLeft && to !== "canceled"));
      must(has(said, resumed) === goesOn, goesOn ? "a pause ended in silence" : "Resumed was said in no pause");
    }
  },

  "W9: it succeeds only when its last task did, and a task that failed for good fails it": (run) => {
    const { verdict } = walk(run);
    const place = run.moments.at(-1)?.to ?? "";
    must(place !== "succeeded" || verdict === "good", `it succeeded where the tasks say ${verdict}`);
    must(!place.startsWith("running") || verdict !== "bad", "it goes on after a task failed for good");
    must(place !== "running.walking" || verdict === "open", "it goes on after its last task");
  },
};

const endings: Invariants<Chart> = {
  "W10: it undoes only once its tasks were told to end, lane by lane, and then says what it had decided": (run) => {
    const open = new Set<string>();
    const lanes: (number | undefined)[] = [];
    let planned = -1;
    let decided: WorkflowContext["ending"];
    for (const [index, { event, heard, from, to, said }] of run.moments.entries()) {
      if (event.type === "cue:UndoPlanned" && from === "unwinding") planned = index;
      if (heard === "taken" && event.type === "cue:TaskEnded") open.delete((event as unknown as Any).task.exec_id);
      if (event.type === "cue:Broken" && from === "undoing") open.clear();
      for (const word of said) {
        if (word.type !== "cue:BeginTask" || !("undoes" in word)) continue;
        must(planned >= 0, "something was undone before that was planned");
        must(open.size === 0, "two undos are open");
        open.add((word as unknown as Any).task.exec_id);
        lanes.push((word as unknown as Cue<"cue:BeginTask">).lane);
      }
      if (has(said, "cue:UndoWanted")) decided = contextOf(run).ending;
      if (!finals.includes(to) || !decided || heard === "inert") continue;
      const { status } = decided;
      must(to === { FAILED: "failed", TIMED_OUT: "timedOut", CANCELED: "canceled" }[status], `${status} became ${to}`);
      const end = said.find(({ type }) => ends.includes(type));
      const { undo } = (end?.payload?.context ?? {}) as { undo?: { done: number; failed: unknown[] } };
      must(undo !== undefined, "nothing was said of the undoing");
      const planOf = contextOf(run).undo?.plan.lanes ?? [];
      must(undo.done === planOf.filter(({ is }) => is === "ok").length, `${undo.done} were undone`);
      must(undo.done + undo.failed.length === planOf.length, "not every undo is told");
    }
    must(lanes.join() === [...lanes.keys()].join(), `undone were lanes ${lanes.join()}`);
  },

  "W11: what it uses is added up, and no task begins at the report that passes its budget": (run) => {
    let tokens = 0;
    let max = contextOf(run).budget ? (part.inputs[run.input] as Input).budget?.tokens : undefined;
    for (const { event, from, to, heard, said } of run.moments) {
      const raised = (event as { raised?: { tokens: number } }).raised?.tokens;
      if (from === "paused" && raised !== undefined && heard === "taken") max = raised;
      if (event.type !== "cue:Used" || heard !== "taken") continue;
      tokens += (event as unknown as Cue<"cue:Used">).tokens;
      must(!has(said, "cue:BeginTask"), "a task began at a report");
      must(max === undefined || tokens <= max || to === "paused", `${tokens} tokens led to ${to}`);
    }
    must((contextOf(run).usage?.tokens ?? 0) === tokens, `${contextOf(run).usage?.tokens} tokens, not ${tokens}`);
  },
};
const endingInputs = ["run with undo", "run with a budget to ask about", "run with a budget to keep"] as const;
const withEndings: Part<Chart> = {
  ...part,
  inputs: Object.fromEntries(endingInputs.map((name) => [name, part.inputs[name] as Input])),
};

const withWaits: Part<Chart> = { ...part, inputs: { waits: part.inputs["run with waits"] as Input } };

const signals: Invariants<Chart> = {
  "W5: each signal ends at most one wait, and each wait takes at most one signal, oldest first": (run) => {
    const woken = saidBy(run)
      .filter(({ type }) => type === "cue:Wake")
      .map((word) => {
        const { task, resume_data: data } = word as unknown as Cue<"cue:Wake">;
        return JSON.stringify([task.exec_id, data["name"], data["payload"]]);
      });
    const wanted = wakesOf(run);
    must(woken.join() === wanted.join(), `woken were ${woken.join()}, not ${wanted.join()}`);
  },
};

searches(part, invariants);
searches(withWaits, signals);
searches(withEndings, endings);

const broken = (damage: (config: Broken) => void, guards?: Record<string, () => boolean>) =>
  variant(workflowExecution, damage, guards);
const forgetful = workflowExecution.provide({ actions: { closeWait: assign({ woken: [] }) } }) as Chart;

finds(part, invariants, {
  "says Started again when it goes on": broken(({ states }) => {
    states["resumed"].always = "begun";
  }),
  "reports its success twice": broken(({ states }) => {
    states["succeeded"].entry = ["sayCompleted", "sayCompleted"];
  }),
  "leaves its task alone when it is canceled": broken(({ states }) => {
    states["canceled"].entry = "sayCanceled";
  }),
  "begins the next task in a pause": broken(({ states }) => {
    states["paused"].on["cue:TaskEnded"] = { actions: ["settleTask", "beginTasks"] };
  }),
  "counts a pause as running time": broken(({ states }) => {
    states["resumed"].entry = states["resumed"].entry.filter((action: unknown) => action !== "goOnCounting");
  }),
  "takes an old word of a task for one about the open task": workflowExecution.provide({
    actions: {
      settleTask: assign(({ context, event }) => {
        const [task] = openTasks(context.plan);
        if (event.type !== "cue:TaskEnded" || !task) return {};
        return { plan: settle(context.graph, context.plan, { ...event, task }) };
      }),
    },
  }) as Chart,
  "answers a second pause twice": broken(({ states }) => {
    states["paused"].on["command:WorkflowPause"] = { actions: ["acceptNoChange", "acceptCommand"] };
  }),
  "is silent when it cannot be resumed": broken(({ states }) => {
    states["running"].on["command:WorkflowResume"] = { description: "ignored" };
  }),
  "does not listen for a cancel while it waits for its slot": broken(({ states }) => {
    states["pending"].on["command:WorkflowCancel"] = { actions: "acceptCommand" };
  }),
  "tells nobody of its pause": broken(({ states }) => {
    states["paused"].entry = ["stopCounting", "sayPaused"];
  }),
  "tells a task that just began that a pause is over": broken(({ states }) => {
    states["resumed"].entry = ["goOnCounting", "sayResumed", "releaseTasks", "beginTasks", "resumeTasks"];
  }),
  "asks for its result although a task failed": broken(() => {}, { awaitsConclusion: () => true }),
});

finds(withWaits, signals, {
  "keeps a signal that it delivers": broken(({ states }) => {
    states["running"].on["command:WorkflowSignal"][0].actions = ["acceptCommand", "deliverSignal", "keepSignal"];
  }),
  "forgets that a wait was closed": broken(({ states }) => {
    states["running"].on["cue:WaitClosed"] = { description: "ignored" };
  }),
  "lets a wait begin again that got its signal": forgetful,
});

finds(withEndings, endings, {
  "undoes in the order of success": workflowExecution.provide({
    actions: {
      openUndo: assign(({ event }) => {
        if (event.type !== "cue:UndoPlanned") return {};
        const plan = openPlan(event.graph);
        return { undo: { graph: event.graph, plan: { ...plan, again: [1] }, of: event.of } };
      }),
    },
  }) as Chart,
  "fails where it was canceled": broken(() => {}, { endsCanceled: () => false }),
  "begins an undo twice": broken(({ states }) => {
    states["undoing"].on["cue:UndoPlanned"] = { actions: ["openUndo", "beginUndo"] };
  }),
  "forgets what was used in a pause": broken(({ states }) => {
    states["paused"].on["cue:Used"] = { actions: "noteResume" };
  }),
  "goes on over its budget": broken(() => {}, { pausesBudget: () => false }),
});

livesAlike(part);
