// The part of a task execution: workers, waits, containers, routes, children, and tasks that are run by themselves.

import { fault } from "../../machines/cues.ts";
import { type Graph, openTasks, type Step } from "../../machines/plan.ts";
import { causeOf, oneAttempt } from "../../machines/retry.ts";
import { taskExecution } from "../../machines/task-execution.ts";
import { isWorker, type TaskContext, type TaskInput } from "../../machines/task-memory.ts";
import type { RetryPolicy } from "../../protocol/fields.ts";
import type { Message } from "../../protocol/catalogue.ts";
import type { Unstamped } from "../../machines/step.ts";
import { idOf, type Line, type Part } from "../part.ts";

type Menu = Line<typeof taskExecution>[];

const workflow = { id: "refund", exec_id: idOf(1) };
const exec_id = idOf(2);
const reply_to_subject = `results.task.${exec_id}`;

// ── ways to begin ────────────────────────────────────────────────────────────────────────────────

const twice: RetryPolicy = {
  max_attempts: 2,
  backoff: { initial_ms: 1_000, factor: 2, max_ms: 60_000, jitter: 0 },
  never_on: ["CARD_DECLINED"],
};

type Given = Pick<TaskInput, "taskType"> & Partial<Unstamped<TaskInput>>;

const task = (id: string, given: Given): Unstamped<TaskInput> => ({
  workflow,
  task: { id, exec_id },
  lane: 0,
  input: { claim: "late" },
  timeoutMs: 30_000,
  totalTimeoutMs: null,
  startTimeoutMs: 60_000,
  heartbeatMs: null,
  retry: oneAttempt,
  ...given,
});

/** Two branches side by side. */
const graph = (strategy: Graph["strategy"], left: Step[], right: Step[]): Graph => ({
  strategy,
  width: 2,
  stepsMax: 2,
  blocks: [left, right],
  lanes: [
    { block: 0, name: "left" },
    { block: 1, name: "right" },
  ],
});
const inTurn: Step[] = [
  { id: "a", next: "b" },
  { id: "b", pause_before: "look first" },
];
/** It goes round, and sooner or later too often. */
const circle: Step[] = [{ id: "c", next: "c" }];

const trigger: Message<"command:TaskTrigger"> = {
  type: "command:TaskTrigger",
  workflow: { id: workflow.id },
  task: { id: "direct", exec_id },
  payload: { reply_to_subject, context: { attempt: 1, input: { n: 1 }, triggered_by: "ada" } },
};
const direct = { workflow: { id: workflow.id }, lane: null } as const;

const inputs = {
  agent: task("decide", { taskType: "agent", retry: twice, place: { parent_exec_id: idOf(7), branch: "left" } }),
  "tool, one attempt": task("lookup", { taskType: "tool" }),
  "tool, watched": task("watched", { taskType: "tool", heartbeatMs: 10_000, totalTimeoutMs: 70_000, retry: twice }),
  "agent, its calls": task("calls", { taskType: "agent", retry: twice }),
  "wait for a signal": task("click", { taskType: "wait", wait: { signal: "clicked" }, timeoutMs: 3_600_000 }),
  "wait for an approval": task("ask", {
    taskType: "wait",
    wait: { approval: "Release it?" },
    timeoutMs: 3_600_000,
    totalTimeoutMs: 7_200_000,
  }),
  "wait for a time": task("sleep", { taskType: "wait", wait: { duration_ms: 60_000 }, timeoutMs: null }),
  "wait until a time": task("alarm", { taskType: "wait", wait: { until: 1_020_000 }, timeoutMs: 30_000 }),
  each: task("map", {
    taskType: "each",
    graph: { ...graph("best_effort", [{ id: "c", next: "b" }, { id: "b" }], []), width: 1, lanes: [], items: 2 },
    timeoutMs: null,
  }),
  "parallel, fail_fast": task("pair", {
    taskType: "parallel",
    graph: graph("fail_fast", inTurn, [{ id: "c" }]),
    retry: twice,
  }),
  "parallel, race": task("contest", {
    taskType: "parallel",
    graph: graph("race", [{ id: "a" }], circle),
    timeoutMs: null,
    totalTimeoutMs: 70_000,
  }),
  route: task("pick", { taskType: "route", timeoutMs: null }),
  workflow: task("pay", { taskType: "workflow", child: { id: "payment" }, retry: twice, totalTimeoutMs: 31_000 }),
  "workflow, detached": task("tell", { taskType: "workflow", child: { id: "letter", detached: true } }),
  "direct tool": task("direct", { ...direct, taskType: "tool", trigger }),
  "direct parallel": task("direct", {
    ...direct,
    taskType: "parallel",
    graph: graph("all", inTurn, circle),
    timeoutMs: null,
    trigger,
  }),
  "direct, declined": task("direct", {
    ...direct,
    taskType: "tool",
    trigger,
    problem: fault("TASK_NOT_FOUND", "no such task").error,
    retry: { ...twice, retry_on: ["TASK_NOT_FOUND"] },
  }),
  "bad input": task("lookup", {
    taskType: "tool",
    problem: fault("EXPRESSION_ERROR", "no such field").error,
    retry: { ...twice, retry_on: ["EXPRESSION_ERROR"] },
  }),
};

// ── what it may hear ─────────────────────────────────────────────────────────────────────────────

const of = { workflow, task: { id: "task", exec_id } };

/** The executor's words about an attempt. */
const executor = (attempt: number, failures: readonly ReturnType<typeof fault>[], note?: string): Menu => {
  const noted = note === undefined ? {} : { note };
  const context = { attempt };
  const said = { status: "RUNNING", result: null, context } as const;
  return [
    { ...noted, event: { type: "event:TaskExecutionStarted", ...of, payload: said } },
    {
      ...noted,
      event: { type: "progress:TaskStep", ...of, payload: { context: { attempt, seq: 1, step: "heartbeat" } } },
    },
    {
      ...noted,
      event: {
        type: "event:TaskExecutionSuccess",
        ...of,
        payload: { status: "SUCCESS", duration_ms: 5, result: { output: { ok: true } }, context },
      },
    },
    ...failures.map((result): Menu[number] => ({
      note: note ?? causeOf(result.error) ?? result.error.code,
      event: {
        type: "event:TaskExecutionFailed",
        ...of,
        payload: { status: "FAILED", duration_ms: 5, result, context: { attempt, retry_policy: oneAttempt } },
      },
    })),
    {
      ...noted,
      event: {
        type: "event:TaskExecutionCanceled",
        ...of,
        payload: { status: "CANCELED", result: null, context: { attempt, reason: "told to" } },
      },
    },
  ];
};

const waitingStarted = (attempt: number, note?: string): Menu[number] => ({
  ...(note !== undefined && { note }),
  event: {
    type: "event:TaskWaitingStarted",
    ...of,
    payload: {
      status: "WAITING",
      result: null,
      context: {
        attempt,
        reason: "signal clicked",
        timeout_config: { timeout_duration_ms: 3_600_000 },
        wait: { signal: "clicked" },
      },
    },
  },
});

const staleCancel = (attempt: number): Menu[number] => ({
  note: "stale",
  event: {
    type: "command:TaskCancel",
    ...of,
    payload: { reply_to_subject, context: { attempt, cause: "requested", reason: "stop", canceled_by: "ada" } },
  },
});

const broke = fault("TOOL_ERROR", "broke", { cause_code: "NOT_FOUND" });
const declined = fault("TOOL_ERROR", "declined", { cause_code: "CARD_DECLINED" });

const workerWords = ({ attempt, taskType }: TaskContext): Menu => [
  ...executor(attempt, taskType === "tool" ? [broke, declined] : [broke]),
  waitingStarted(attempt),
  ...(attempt > 1
    ? [...executor(attempt - 1, [broke], "stale"), waitingStarted(attempt - 1, "stale"), staleCancel(attempt - 1)]
    : []),
];

/** An agent at each attempt, and at the first one a tool that it calls. */
const callWords = ({ attempt, calls, endedCalls }: TaskContext): Menu =>
  [attempt, ...(attempt > 1 ? [attempt - 1] : [attempt + 1])].flatMap((nth): Menu => {
    const agent = { id: "judge", exec_id: idOf(20 + nth) };
    const tool = { id: "orders", exec_id: idOf(30 + nth) };
    const of = { workflow, task: { id: "calls", exec_id } };
    const running = { status: "RUNNING", result: null, context: { attempt: nth } } as const;
    const failed = { status: "FAILED", result: broke, context: { attempt: nth } } as const;
    const agent_runtime = { exec_id: idOf(9) };
    const note = nth === attempt ? {} : { note: nth < attempt ? "stale" : "of no attempt" };
    const isKnown = [...calls.map(({ callee }) => callee.exec_id), ...endedCalls].includes(agent.exec_id);
    const ofTool: Menu = [
      { ...note, event: { type: "event:ToolExecutionStarted", ...of, agent, tool, payload: running } },
      { ...note, event: { type: "event:ToolExecutionFailed", ...of, agent, tool, payload: failed } },
    ];
    return [
      { ...note, event: { type: "event:AgentExecutionStarted", ...of, agent, agent_runtime, payload: running } },
      { ...note, event: { type: "event:AgentExecutionFailed", ...of, agent, payload: failed } },
      ...(nth === 1 && isKnown ? ofTool : []),
    ];
  });

const childWords = ({ childId }: TaskContext): Menu => {
  const child = { id: "payment", exec_id: childId ?? idOf(66) };
  const ended = { duration_ms: 5, context: {} };
  const timeout_config = { timeout_duration_ms: 5 };
  const success = (exec: string): Menu[number]["event"] => ({
    type: "event:WorkflowExecutionSuccess",
    workflow: { ...child, exec_id: exec },
    payload: { status: "SUCCESS", result: { output: { paid: true } }, ...ended },
  });
  return [
    { event: success(child.exec_id) },
    { note: "not mine", event: success(idOf(67)) },
    {
      event: {
        type: "event:WorkflowExecutionFailed",
        workflow: child,
        payload: { status: "FAILED", result: fault("EXPRESSION_ERROR", "no such field"), ...ended },
      },
    },
    {
      event: {
        type: "event:WorkflowExecutionCanceled",
        workflow: child,
        payload: { status: "CANCELED", result: null, context: { reason: "stop", canceled_by: "ada" } },
      },
    },
    {
      event: {
        type: "event:WorkflowExecutionTimedOut",
        workflow: child,
        payload: {
          status: "TIMED_OUT",
          ...ended,
          result: fault("WORKFLOW_EXECUTION_TIMEOUT", "ran over its deadline"),
          context: { timeout_config },
        },
      },
    },
  ];
};

const laneWords = ({ plan }: TaskContext): Menu => {
  const open = plan ? openTasks(plan) : [];
  const of = { task: { id: "a", exec_id: idOf(66) }, lane: 0 };
  return [
    ...open.flatMap((task): Menu => {
      const ended = { type: "cue:TaskEnded", task, lane: task.id === "c" ? 1 : 0 } as const;
      return [
        { note: `${task.id} SUCCESS`, event: { ...ended, status: "SUCCESS", result: { output: { by: task.id } } } },
        { note: `${task.id} FAILED`, event: { ...ended, status: "FAILED", result: broke } },
        ...(task.id === "c"
          ? [{ note: "c CANCELED", event: { ...ended, status: "CANCELED", result: null } as const }]
          : []),
      ];
    }),
    { note: "not mine", event: { type: "cue:TaskEnded", ...of, status: "SUCCESS", result: { output: {} } } },
    { event: { type: "cue:PauseWanted", reason: "look first" } },
    { event: { type: "cue:Broken", error: fault("STEP_LIMIT", "went round too often").error } },
  ];
};

const routeWords: Menu = [
  { event: { type: "cue:Routed", output: { case: 0, next: "pay" }, next: "pay" } },
  { event: { type: "cue:RouteFailed", error: fault("NO_ROUTE", "no case was true").error } },
];

const commands: Menu = [{ reply_to_subject }, {}].flatMap((asking): Menu => {
  const note = "reply_to_subject" in asking ? {} : { note: "no reply" };
  const cancel = { cause: "requested", reason: "stop", canceled_by: "ada" } as const;
  return [
    { ...note, event: { type: "command:TaskCancel", ...of, payload: { ...asking, context: cancel } } },
    {
      ...note,
      event: {
        type: "command:TaskResume",
        ...of,
        payload: {
          ...asking,
          context: { resume_data: "note" in note ? "yes" : { approved: true }, resumed_by: "ada" },
        },
      },
    },
  ];
});

const cues: Menu = [
  { event: { type: "cue:ParentEnded", task: of.task, cause: "parent_ended", reason: "the workflow was canceled" } },
  { event: { type: "cue:Paused", task: of.task } },
  { event: { type: "cue:Resumed", task: of.task } },
  { event: { type: "cue:Wake", task: of.task, resume_data: { name: "clicked", payload: 7 } } },
];

/** Of each kind of task the words it lives by; of the other kinds one each, to be ignored. */
function wordsOf(context: TaskContext): Menu {
  if (isWorker(context)) {
    const strays = [...routeWords.slice(0, 1), ...laneWords(context).slice(0, 1), ...childWords(context).slice(0, 1)];
    return [...workerWords(context), ...strays];
  }
  const stray = executor(context.attempt, [broke]);
  if (context.taskType === "route") return [...routeWords, ...stray];
  return [...(context.taskType === "workflow" ? childWords(context) : laneWords(context)), ...stray];
}

export const taskExecutionPart: Part<typeof taskExecution> = {
  machine: taskExecution,
  inputs,
  menu: (context) => {
    // What has to do with each other is searched together; all of it at once would be too much.
    if (context.task.id === "calls") {
      return [...executor(context.attempt, [broke]).slice(0, -1), ...callWords(context), ...commands.slice(0, 1)];
    }
    return [...wordsOf(context), ...commands, ...cues];
  },
};
