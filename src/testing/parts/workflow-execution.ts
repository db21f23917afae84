// The part of a workflow execution: tasks that end well, badly and twice, pauses, cancels, and signals for waits.

import { type EndStatus, fault, type TaskName } from "../../machines/cues.ts";
import { type Graph, linear, openTasks } from "../../machines/plan.ts";
import type { Wait } from "../../protocol/fields.ts";
import type { Outcome } from "../../machines/speech.ts";
import type { WorkflowContext } from "../../machines/workflow-actions.ts";
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

const ended = (note: string, task: TaskName, status: EndStatus, result: Outcome | null, next?: string): Lines => [
  { note, event: { type: "cue:TaskEnded", task, lane: 0, status, result, ...(next !== undefined && { next }) } },
];

const tasks = ({ plan }: WorkflowContext): Lines => {
  const [open] = openTasks(plan);
  const output = { output: { paid: true } };
  const stale = ended("not open", { id: "decide", exec_id: idOf(9) }, "SUCCESS", output);
  if (!open) return stale;
  return [
    ...stale,
    ...ended("SUCCESS", open, "SUCCESS", output),
    ...(open.id === "decide" ? ended("SUCCESS, next apologize", open, "SUCCESS", output, "apologize") : []),
    ...ended("FAILED TOOL_ERROR", open, "FAILED", fault("TOOL_ERROR", "refused", { cause_code: "DECLINED" })),
    ...ended("TIMED_OUT", open, "TIMED_OUT", fault("TASK_TIMEOUT", "the task ran over its time")),
    ...ended("CANCELED", open, "CANCELED", null),
  ];
};

export const workflowExecutionPart: Part<typeof workflowExecution> = {
  machine: workflowExecution,
  inputs: {
    run: begin(refund),
    "run with a result": { ...begin(linear([{ id: "pay" }])), order: order({}), concludes: true },
    "run with waits": { ...begin(onboard), signalsMax: 2 },
    loop: begin(linear([{ id: "poll", next: "poll" }], 2)),
    "no tasks": begin(linear([])),
    declined: {
      ...begin(linear([])),
      problem: fault("WORKFLOW_NOT_FOUND", "no workflow is called 'refund'", { id: "refund" }).error,
    },
  },
  menu: (context) => [
    { event: { type: "cue:SlotGranted" } },
    ...pauses,
    ...orders,
    ...cancels,
    ...(hasWaits(context) ? waits(context) : [...tasks(context), ...hosts, ...signal(context, "stop", "stop")]),
  ],
};
