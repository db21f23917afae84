// The part of a workflow execution: tasks that end well, badly and twice, pauses, cancels, signals for waits, what is
// used up, and what is undone.

import { type EndStatus, fault, type TaskName } from "../../machines/cues.ts";
import { type Graph, linear, openTasks } from "../../machines/plan.ts";
import type { Wait } from "../../protocol/fields.ts";
import type { Outcome } from "../../machines/speech.ts";
import type { WorkflowContext } from "../../machines/workflow-memory.ts";
import type { Order } from "../../machines/answers.ts";
import { workflowExecution } from "../../machines/workflow-execution.ts";
import { idOf, type Line, type Part } from "../part.ts";

const workflow = { id: "refund", exec_id: idOf(1) };
const reply = { reply_to_subject: `compozy.results.workflow.${workflow.exec_id}` };

const order = (more: { reply_to_subject?: string } = reply, input: unknown = { claim: "late" }): Order => ({
  type: "command:WorkflowExecute",
  workflow,
  payload: { ...more, context: { input, trigger_type: "api" } },
});

/** Decide, then pay after a look at the figures; a tool that errs leads to an apology. */
const refund = linear([
  { id: "decide", next: "pay", on_error: [{ codes: ["TOOL_ERROR"], next: "apologize" }] },
  { id: "pay", pause_before: "check the figures" },
  { id: "apologize" },
]);

const poll = linear([{ id: "poll", next: "poll" }], 2);

/** Two tasks that can be undone. */
const shop = linear([{ id: "decide", next: "pay" }, { id: "pay" }]);

/** One container, whose tasks wait for signals. */
const onboard = linear([{ id: "mail" }]);
const hasWaits = ({ graph }: WorkflowContext): boolean => graph.blocks[0]?.[0]?.id === "mail";

const begin = (graph: Graph) => ({ order: order(), graph, timeoutMs: 60_000, concludes: false, signalsMax: 1 });

type Lines = Line<typeof workflowExecution>[];

// ── what people say ──

const orders: Lines = [
  { note: "again", event: order() },
  { note: "other input", event: order(reply, { claim: "lost" }) },
];

const pauses: Lines = [
  {
    event: {
      type: "command:WorkflowPause",
      workflow,
      payload: { ...reply, context: { reason: "hold", paused_by: "ann" } },
    },
  },
  {
    note: "no answer wanted",
    event: { type: "command:WorkflowPause", workflow, payload: { context: { reason: "hold", paused_by: "ann" } } },
  },
  {
    event: {
      type: "command:WorkflowResume",
      workflow,
      payload: { ...reply, context: { resumed_by: "bob", resume_data: { checked: true } } },
    },
  },
  {
    note: "without data",
    event: { type: "command:WorkflowResume", workflow, payload: { ...reply, context: { resumed_by: "bob" } } },
  },
];

const cancels: Lines = [
  {
    event: {
      type: "command:WorkflowCancel",
      workflow,
      payload: { ...reply, context: { reason: "stop", canceled_by: "ann" } },
    },
  },
];

// ── what the host says ──

const hosts: Lines = [
  { event: { type: "cue:Concluded", output: { total: 12 } } },
  { event: { type: "cue:PauseWanted", reason: "look inside" } },
  { event: { type: "cue:Displaced", reason: "a newer run takes its place" } },
  { event: { type: "cue:Broken", error: fault("EXPRESSION_ERROR", "no such field").error } },
];

// ── signals, and tasks that wait for them ──

const [first, second]: [TaskName, TaskName] = [
  { id: "first", exec_id: idOf(21) },
  { id: "second", exec_id: idOf(22) },
];

/** Signals count up, so that one can be told from another. */
const signal = ({ signals, woken }: WorkflowContext, note: string, name: string, fits?: string[]): Lines => {
  const payload = { ...reply, context: { signal: { name, payload: { n: signals.length + woken.length } } } };
  return [{ note, event: { type: "command:WorkflowSignal", workflow, payload, ...(fits && { fits }) } }];
};

const opened = (note: string, task: TaskName, wait: Wait, fits?: number[]): Lines => [
  { note, event: { type: "cue:WaitOpened", task, wait, ...(fits && { fits }) } },
];

const go = { signal: "go" };

const waits = (context: WorkflowContext): Lines => [
  ...signal(context, "go", "go"),
  ...signal(context, "go, fits the second", "go", [second.exec_id]),
  ...opened("first", first, go),
  ...opened("first, fits the newest", first, go, context.signals.length > 0 ? [context.signals.length - 1] : []),
  { note: "first", event: { type: "cue:WaitClosed", task: first } },
  ...opened("second", second, go),
  { note: "second", event: { type: "cue:WaitClosed", task: second } },
  ...opened("approval", { id: "third", exec_id: idOf(23) }, { approval: "pay?" }),
];

// ── tasks ──

const ended = (
  note: string,
  task: TaskName,
  status: EndStatus,
  result: Outcome | null,
  { next, lane = 0 }: { next?: string; lane?: number } = {},
): Lines => [
  { note, event: { type: "cue:TaskEnded", task, lane, status, result, ...(next !== undefined && { next }) } },
];

const output = { output: { paid: true } };
const stale = ended("not open", { id: "decide", exec_id: idOf(9) }, "SUCCESS", output);

const tasks = ({ plan, undo }: WorkflowContext): Lines => {
  const [open] = openTasks(plan);
  if (undo || !open) return stale;
  return [
    ...stale,
    ...ended("SUCCESS", open, "SUCCESS", output),
    ...(open.id === "decide" ? ended("SUCCESS, next apologize", open, "SUCCESS", output, { next: "apologize" }) : []),
    ...ended("FAILED TOOL_ERROR", open, "FAILED", fault("TOOL_ERROR", "refused", { cause_code: "DECLINED" })),
    ...ended("TIMED_OUT", open, "TIMED_OUT", fault("TASK_TIMEOUT", "the task ran over its time")),
    ...ended("CANCELED", open, "CANCELED", null),
  ];
};

// ── what is undone ──

/** The newest success first: the second task, and then the first. */
const takenBack: Graph = {
  strategy: "best_effort",
  width: 1,
  stepsMax: 2,
  blocks: [[{ id: "refund", pause_before: "never" }], [{ id: "recall" }]],
  lanes: [{ block: 0 }, { block: 1 }],
};
const undone = [
  { id: "pay", exec_id: idOf(31) },
  { id: "decide", exec_id: idOf(32) },
];

const undos = ({ undo }: WorkflowContext): Lines => {
  const planned: Lines = [
    { note: "two", event: { type: "cue:UndoPlanned", graph: takenBack, of: undone } },
    { note: "nothing", event: { type: "cue:UndoPlanned", graph: { ...takenBack, lanes: [] }, of: [] } },
  ];
  const lane = undo?.plan.lanes.findIndex(({ is }) => is === "open") ?? -1;
  const at = undo?.plan.lanes[lane];
  if (at?.is !== "open") return planned;
  return [
    ...planned,
    ...ended("undo SUCCESS", at.task, "SUCCESS", output, { lane }),
    ...ended("undo FAILED", at.task, "FAILED", fault("TOOL_ERROR", "too late"), { lane }),
  ];
};

// ── what is used up ──

/** No more is said than shows what comes of it: sums grow without end. */
const uses = ({ usage }: WorkflowContext): Lines => [
  ...((usage?.tokens ?? 0) < 18
    ? ([{ note: "6 tokens", event: { type: "cue:Used", tokens: 6, cost: 0.5 } }] as const)
    : []),
  {
    note: "with more to spend",
    event: {
      type: "command:WorkflowResume",
      workflow,
      payload: { ...reply, context: { resumed_by: "bob", resume_data: { budget: { tokens: 100, time: 90_000 } } } },
      raised: { tokens: 100, timeMs: 90_000 },
    },
  },
];

const all = (context: WorkflowContext): Lines => [
  ...pauses,
  ...orders,
  ...cancels,
  ...(hasWaits(context) ? waits(context) : [...tasks(context), ...hosts, ...signal(context, "stop", "stop")]),
];

/** No more of each than shows how it ends: what is undone multiplies with all that can be. */
const endings = (context: WorkflowContext): Lines => [
  ...pauses.slice(0, 3),
  ...orders,
  ...cancels,
  ...tasks(context).filter(({ note }) => note !== "TIMED_OUT" && note !== "CANCELED"),
  ...hosts.slice(context.undo ? 1 : 2),
  ...(context.undoes ? undos(context) : []),
  ...(context.budget ? uses(context) : []),
];

export const workflowExecutionPart: Part<typeof workflowExecution> = {
  machine: workflowExecution,
  inputs: {
    run: begin(refund),
    "run with a result": { ...begin(linear([{ id: "pay" }])), order: order({}), concludes: true },
    "run with waits": { ...begin(onboard), signalsMax: 2 },
    loop: begin(poll),
    "run with undo": { ...begin(shop), undoes: true, undoTimeoutMs: 600_000 },
    "run with a budget to ask about": { ...begin(poll), budget: { tokens: 10, timeMs: 30_000, onLimit: "pause" } },
    "run with a budget to keep": {
      ...begin(poll),
      budget: { cost: 0.9, timeMs: 30_000, onLimit: "fail" },
    },
    "no tasks": begin(linear([])),
    declined: {
      ...begin(linear([])),
      problem: fault("WORKFLOW_NOT_FOUND", "no workflow is called 'refund'", { id: "refund" }).error,
    },
  },
  menu: (context) => [
    { event: { type: "cue:SlotGranted" } },
    ...(context.undoes || context.budget ? endings(context) : all(context)),
  ],
};
