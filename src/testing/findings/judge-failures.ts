// Judges of failures that disappear, and of calls that come twice.

import { innerBlocks } from "../../language/blocks.ts";
import { listed } from "../../language/defects.ts";
import { isObject } from "../../protocol/json.ts";
import type { TaskSpec, WorkflowSpec } from "../../language/spec.ts";
import type { Called, Judge, Played } from "../check/trial.ts";
import { contentOf, failuresOf, specIn, taskIn, tasksIn } from "./evidence.ts";
import { flaw, type PlacedFlaw, type Subject } from "./flaw.ts";
import { mentions, outputReads, type Read } from "./reads.ts";

/** A run that succeeded, a lane that failed in it, and nobody who ever looks at that. */
export const successDespiteFailure: Judge = (played) => {
  const good = new Set(
    played.executions
      .filter(({ entity, status }) => entity === "workflow" && status === "SUCCESS")
      .map(({ execId }) => execId),
  );
  if (good.size === 0) return [];
  return played.lines.flatMap((line): PlacedFlaw[] => {
    const { workflow, task, payload } = contentOf(line);
    if (line.word.type !== "event:TaskExecutionSuccess" || !task || !workflow || !good.has(workflow.exec_id)) return [];
    const spec = specIn(played, workflow.id);
    const container = taskIn(played, workflow.id, task.id);
    if (container?.type !== "each" && container?.type !== "parallel") return [];
    if (container.strategy !== "best_effort") return [];
    const failed = failedIn(payload?.result?.output);
    if (failed.length === 0 || isLookedAt(container, spec)) return [];
    const says =
      `the run succeeds although ${listed(failed)} of "${container.id}" failed: its strategy is best_effort, and no` +
      " expression of the workflow reads what failed";
    return [flaw("success-despite-failure", { workflow: spec.id, task: container.id, says })];
  });
};

function failedIn(output: unknown): string[] {
  const { errors } = isObject(output) ? output : {};
  if (Array.isArray(errors))
    return errors.map((one) => `item ${isObject(one) ? String(one["index"]) : ""}`).slice(0, 3);
  return isObject(errors) ? Object.keys(errors).map((name) => `branch "${name}"`) : [];
}

/** Somebody reads what the container gives, or its tasks; or it is part of what the run gives. */
function isLookedAt(container: TaskSpec, spec: WorkflowSpec): boolean {
  const reads = outputReads(spec);
  if (reads === "anything") return true;
  const inside = innerBlocks(container).flatMap(({ block }) => block.map(({ id }) => id));
  return (
    isRead(container.id, reads) ||
    inside.some((id) => reads.some(({ task }) => task === id)) ||
    leavesWith(spec, container.id, reads)
  );
}

const telling: ReadonlySet<string | undefined> = new Set([undefined, "errors", "counts", "results"]);
const isRead = (task: string, reads: readonly Read[]): boolean =>
  mentions(reads, task, ([field]) => telling.has(field));

/** The last task of a block gives what the block gives: to the caller, or to the container around it. */
function leavesWith(spec: WorkflowSpec, id: string, reads: readonly Read[]): boolean {
  const walked = tasksIn(spec).get(id);
  if (!walked || walked.task.next !== undefined) return false;
  const [holder] = walked.holders;
  if (!holder) return spec.result === undefined && !walked.isUndoing;
  return isRead(holder.id, reads) || leavesWith(spec, holder.id, reads);
}

// ── twice ──

const unknownOutcome: ReadonlySet<string> = new Set(["hangs", "late", "dies"]);

/** One that must not come twice came again, though the call before it may have done its work. */
export const calledTwice =
  ({ agents, tools }: Pick<Subject, "agents" | "tools">): Judge =>
  (played) => {
    const delicate = played.calls.filter(
      ({ kind, callee }) => (kind === "tool" ? tools : agents).get(callee)?.idempotent === false,
    );
    if (delicate.length < 2) return [];
    return [...Map.groupBy(delicate, ({ taskExecId }) => taskExecId).values()].flatMap((calls) => {
      const again = calls.findIndex((call, index) => index > 0 && mayRepeat(calls[index - 1], call));
      const [before, call] = [calls[again - 1], calls[again]];
      if (!before || !call) return [];
      const why = call.isAgain
        ? "the process died before its answer was written down, and after the restart it is called again"
        : `nobody knows whether attempt ${before.attempt} had done its work (${wordsOf(before)}), and attempt` +
          ` ${call.attempt} does it again`;
      const what = `${call.kind} "${call.callee}" is marked idempotent: false`;
      const says = `${what} and runs twice for "${call.task}": ${why}`;
      return [flaw("not-idempotent-twice", { workflow: call.workflow, task: call.task, says })];
    });
  };

const mayRepeat = (before: Called | undefined, call: Called): boolean =>
  before !== undefined && (call.isAgain || (call.attempt > before.attempt && unknownOutcome.has(before.outcome.do)));

const wordsOf = ({ outcome }: Called): string =>
  outcome.do === "dies"
    ? "its runtime died"
    : outcome.do === "late"
      ? "it answered too late"
      : "it hung until its timeout";

// ── handlers that were handed in ──

/** What a script or a real handler gives breaks what its own definition promises. */
export const judgeOfAnswers =
  ({ agents, tools }: Pick<Subject, "agents" | "tools">): Judge =>
  (played) =>
    failuresOf(played).flatMap(({ workflow, task: id, error }): PlacedFlaw[] => {
      const task = taskIn(played, workflow, id);
      const callee =
        task?.type === "agent" ? agents.get(task.agent) : task?.type === "tool" ? tools.get(task.tool) : undefined;
      const isInvalid = error.code === "TOOL_OUTPUT_INVALID" || error.details["cause_code"] === "OUTPUT_INVALID";
      if (!isInvalid || !callee?.answers || isPlanned(played, id)) return [];
      const says = `"${callee.id}" gives what breaks its own output: ${error.message}`;
      return [
        flaw("output-violates-schema", { workflow, task: id, says, fix: "mend the handler, or widen its `output`" }),
      ];
    });

const isPlanned = ({ trial }: Played, task: string): boolean =>
  Object.keys(trial.calls).some(
    (place) =>
      place
        .split("/")
        .at(-1)
        ?.replace(/[#@].*$/, "") === task,
  );
