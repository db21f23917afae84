// What a control task says to its children: the tasks of a container, the run of a child workflow, the route's host.

import { assign, emit, enqueueActions } from "xstate";
import { idAfter } from "../protocol/ids.ts";
import { fault } from "./cues.ts";
import { isOpen, openPlan, openTasks, release, settle, take } from "./plan.ts";
import { type Outcome, outcomeOf } from "./speech.ts";
import { taskSetup } from "./task-actions.ts";
import { me, nameOf, type TaskContext, type TaskHears, totalLeft } from "./task-memory.ts";

type ChildEnd = Extract<TaskHears, { type: `event:WorkflowExecution${string}` }>;

/** How a child workflow ended, as the outcome of its task; one that was canceled has no error of its own. */
function outcomeOfChild({ type, payload }: ChildEnd): Outcome {
  if (type === "event:WorkflowExecutionSuccess") return outcomeOf(payload.result);
  const { code, message } = payload.result?.error ?? canceledChild;
  return fault("CHILD_FAILED", message, { cause_code: code });
}

const canceledChild = { code: "WORKFLOW_CANCELED", message: "the child workflow was canceled" };

const placeOf = (context: TaskContext, lane: number) => {
  const branch = context.graph?.lanes[lane]?.name;
  return { parent_exec_id: context.task.exec_id, ...(branch === undefined ? { index: lane } : { branch }) };
};

export const parentSetup = taskSetup.extend({
  guards: {
    isRoute: ({ context }) => context.taskType === "route",
    isChild: ({ context }) => context.taskType === "workflow",
    isDetached: ({ context }) => context.child?.detached === true,
    /** A container without a graph, or a workflow task without a workflow: it would wait for nobody, for ever. */
    hasNothingToBegin: ({ context: { taskType, child, graph } }) => (taskType === "workflow" ? !child : !graph),
    isOtherChild: ({ context, event }) => (event as ChildEnd).workflow.exec_id !== context.childId,
    isOtherTask: ({ context: { graph, plan }, event }) =>
      event.type === "cue:TaskEnded" && !(graph && plan && isOpen(graph, plan, event.lane, event.task)),
    /** A run by itself has nobody above it who could pause it, or end it: then the task fails. */
    isAlone: ({ context }) => context.lane === null,
    planBreaksRun: ({ context: { lane, plan } }) =>
      lane !== null && Boolean(plan?.verdict && "error" in plan.verdict && plan.verdict.fatal),
    planSucceeded: ({ context: { plan } }) => Boolean(plan?.verdict && "output" in plan.verdict),
    planFailed: ({ context: { plan } }) => Boolean(plan?.verdict && "error" in plan.verdict),
  },
  actions: {
    // ── a container and its tasks ──
    openLanes: enqueueActions(({ context, enqueue }) => {
      if (context.graph) enqueue.assign({ plan: openPlan(context.graph) });
    }),
    settleTask: enqueueActions(({ context: { graph, plan }, event, enqueue }) => {
      if (graph && plan && event.type === "cue:TaskEnded") enqueue.assign({ plan: settle(graph, plan, event) });
    }),
    releaseTasks: enqueueActions(({ context: { plan }, enqueue }) => {
      if (plan) enqueue.assign({ plan: release(plan) });
    }),
    /** Begins what is ready, unless the workflow is paused or the time is up. */
    beginTasks: enqueueActions(({ context, event, enqueue }) => {
      if (!context.graph || !context.plan || context.paused || totalLeft(context, event.at) === 0) return;
      const { plan, begin, pause } = take(context.graph, context.plan, event.seed);
      enqueue.assign({ plan });
      for (const { task, lane } of begin) {
        enqueue.emit({ type: "cue:BeginTask", task, lane, place: placeOf(context, lane) });
      }
      if (pause !== undefined) enqueue.emit({ type: "cue:PauseWanted", reason: pause });
    }),
    pauseTasks: enqueueActions(({ context: { plan }, enqueue }) => {
      for (const task of plan ? openTasks(plan) : []) enqueue.emit({ type: "cue:Paused", task });
    }),
    resumeTasks: enqueueActions(({ context: { plan }, enqueue }) => {
      for (const task of plan ? openTasks(plan) : []) enqueue.emit({ type: "cue:Resumed", task });
    }),
    noteVerdict: enqueueActions(({ context: { plan }, enqueue }) => {
      const verdict = plan?.verdict;
      if (!verdict) return;
      enqueue.assign({ result: "error" in verdict ? { error: verdict.error } : verdict });
    }),
    noteBroken: enqueueActions(({ event, enqueue }) => {
      if (event.type === "cue:Broken") enqueue.assign({ result: { error: event.error } });
    }),
    passOn: enqueueActions(({ event, enqueue }) => {
      if (event.type === "cue:PauseWanted") enqueue.emit({ type: "cue:PauseWanted", reason: event.reason });
      if (event.type === "cue:Broken") enqueue.emit({ type: "cue:Broken", error: event.error });
    }),
    sayBroken: enqueueActions(({ context: { plan }, enqueue }) => {
      const verdict = plan?.verdict;
      if (verdict && "error" in verdict) enqueue.emit({ type: "cue:Broken", error: verdict.error });
    }),

    // ── a workflow task and its child ──
    nameChild: enqueueActions(({ event, enqueue }) => enqueue.assign({ childId: idAfter(event.seed, 1) })),
    runChild: emit(({ context }) => ({
      type: "command:WorkflowExecute",
      workflow: { id: context.child?.id ?? "", exec_id: context.childId ?? "" },
      task: nameOf(context),
      payload: {
        context: {
          input: context.input,
          trigger_type: "workflow",
          parent_exec_id: context.task.exec_id,
          ...(context.child?.detached && { detached: true }),
        },
      },
    })),
    noteDetached: assign(({ context }) => ({ result: { output: { exec_id: context.childId } }, childId: null })),
    noteChildEnd: assign(({ event }) => ({ result: outcomeOfChild(event as ChildEnd), childId: null })),

    // ── a route and its host ──
    wantRoute: emit(({ context }) => ({ type: "cue:RouteWanted", task: nameOf(context) })),
    noteRoute: enqueueActions(({ event, enqueue }) => {
      if (event.type === "cue:Routed") enqueue.assign({ result: { output: event.output }, next: event.next ?? null });
      if (event.type === "cue:RouteFailed") enqueue.assign({ result: { error: event.error } });
    }),

    /** Whatever is still open below ends with this task. */
    endChildren: enqueueActions(({ context, enqueue }) => {
      const reason = `${context.task.id} has ended`;
      for (const task of context.plan ? openTasks(context.plan) : []) {
        enqueue.emit({ type: "cue:ParentEnded", task, cause: "parent_ended", reason });
      }
      if (context.childId === null) return;
      enqueue.emit({
        type: "command:WorkflowCancel",
        workflow: { ...(context.child && { id: context.child.id }), exec_id: context.childId },
        payload: { context: { reason, canceled_by: me } },
      });
      enqueue.assign({ childId: null });
    }),
  },
});
