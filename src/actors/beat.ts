// What a task hears of the progress of its agent or tool: that it is alive, and how far it is for the next attempt.

import { signOfLife, type TaskContext } from "../machines/task-memory.ts";
import { taskExecution } from "../machines/task-execution.ts";
import type { Word } from "./component.ts";
import type { Actor } from "./run.ts";

type Progress = { context: { attempt: number; seq: number; step?: unknown } };

/** Nothing, if the task is neither given up when nobody speaks nor tried again. */
export function beatOf(task: Actor | undefined, progress: Word): Word | undefined {
  if (task?.machine !== taskExecution || !progress.task) return undefined;
  const { heartbeatMs, retry } = task.life.snapshot.context as TaskContext;
  const { attempt, seq, step } = (progress["payload"] as Progress).context;
  // A tool that an agent calls says how far itself is, and not the task.
  const isOfTask = !(progress.agent && progress.tool);
  const isKept = step !== undefined && isOfTask && retry.max_attempts > attempt;
  if (heartbeatMs === null && !isKept) return undefined;
  const { workflow, task: of } = progress;
  const context = { attempt, seq, step: isKept ? step : signOfLife };
  return { type: "progress:TaskStep", ...(workflow && { workflow }), task: of, payload: { context } };
}
