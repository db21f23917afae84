// What a workflow execution is expected to say, word for word, and runs of it that have come somewhere.

import type { WorkflowContext } from "../../src/machines/workflow-memory.ts";
import type { workflowExecution } from "../../src/machines/workflow-execution.ts";
import { idAfter } from "../../src/protocol/ids.ts";
import { idOf, type Part, stampAt } from "../../src/testing/part.ts";
import { workflowExecutionPart as part } from "../../src/testing/parts/workflow-execution.ts";
import { begin, type Moment, type Run, say, snapshotOf } from "./chart-model.ts";

export type Chart = typeof workflowExecution;
export type Input = NonNullable<Part<Chart>["inputs"][string]>;

export const workflow = { id: "refund", exec_id: idOf(1) };
export const to = `compozy.results.workflow.${workflow.exec_id}`;
export const me = "workflow.Orchestrator";
export const began = 1_000_000;

export const ack = (context: object = {}) => ({
  type: "result:CommandAck",
  workflow,
  payload: { status: "ACKNOWLEDGED", result: null, context },
  to,
});
export const refusal = (code: string, message: string, details: object) => ({
  type: "result:CommandAck",
  workflow,
  payload: { status: "ERROR", result: { error: { code, message, details } }, context: {} },
  to,
});
export const notWhile = (status: string) => refusal("INVALID_STATE", `not possible while ${status}`, { status });
export const paused = (reason: string, paused_by: string) => ({
  type: "event:WorkflowExecutionPaused",
  workflow,
  payload: { status: "PAUSED", result: null, context: { reason, paused_by } },
});
export const failed = (error: object, duration_ms = 0) => ({
  type: "event:WorkflowExecutionFailed",
  workflow,
  payload: { status: "FAILED", duration_ms, result: { error }, context: {} },
});
export const canceled = (reason: string, canceled_by: string) => ({
  type: "event:WorkflowExecutionCanceled",
  workflow,
  payload: { status: "CANCELED", result: null, context: { reason, canceled_by } },
});
export const completed = (output: object, duration_ms = 0) => ({
  type: "event:WorkflowExecutionSuccess",
  workflow,
  payload: { status: "SUCCESS", duration_ms, result: { output }, context: {} },
});

/** The task that begins at this moment of a run: ids come from the moment's seed. */
export const task = (id: string, count: number) => ({ id, exec_id: idAfter(stampAt(began, count).seed, 1) });
export const decide = task("decide", 2);
export const parentEnded = (of: object, reason: string) => ({
  type: "cue:ParentEnded",
  task: of,
  cause: "parent_ended",
  reason,
});

export function running(input = "run"): Run<Chart> {
  const run = begin(part, input);
  say(run, "cue:SlotGranted");
  return run;
}
export const pausedRun = (input = "run"): Run<Chart> => {
  const run = running(input);
  say(run, "command:WorkflowPause");
  return run;
};
export const typesOf = ({ said }: Moment): string[] => said.map(({ type }) => type);
export const contextOf = (run: Run<Chart>): WorkflowContext => snapshotOf(run).context as WorkflowContext;
/** The part with one more way to begin. */
export const beginning = (change: Partial<Input>) =>
  begin<Chart>({ ...part, inputs: { other: { ...(part.inputs["run"] as Input), ...change } } }, "other");
