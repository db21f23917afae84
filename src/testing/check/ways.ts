// The ways of a workflow's own chart: all there are, and which of them a played run took.

import { waysOf } from "../../language/draw.ts";
import type { TaskSpec, WorkflowSpec } from "../../language/spec.ts";
import { innerBlocks } from "../../language/blocks.ts";
import type { Transition } from "./trial.ts";

/** Where a block ends. */
const blockEnd = "$SUCCESS";

/** All tasks of a definition, those inside others and those that undo too. */
export function tasksOf({ tasks }: WorkflowSpec): TaskSpec[] {
  const walk = (block: readonly TaskSpec[]): TaskSpec[] =>
    block.flatMap((task) => [
      task,
      ...innerBlocks(task).flatMap(({ block: inner }) => walk(inner)),
      ...walk(task.undo ?? []),
    ]);
  return walk(tasks);
}

export const allWays = (spec: WorkflowSpec): Transition[] =>
  tasksOf(spec).flatMap((task) =>
    waysOf(task).flatMap(({ after, to = blockEnd }): Transition[] => {
      const way = { workflow: spec.id, task: task.id, to };
      // An error and a timeout of the task lead the same way.
      return [{ ...way, on: after === "success" ? "SUCCESS" : "FAILED" }];
    }),
  );

export const wayText = ({ workflow, task, on, to }: Transition): string => `${workflow}.${task} ${on} ${to}`;

/** The way that a task took when it ended; nothing where what is around it fails. */
export function wayTaken(workflow: string, task: TaskSpec, status: string, about: Ending): Transition | undefined {
  const way = { workflow, task: task.id };
  if (status === "SUCCESS") {
    const routed = task.type === "route" ? (about.output as { next?: string } | undefined)?.next : undefined;
    return { ...way, on: "SUCCESS", to: routed ?? task.next ?? blockEnd };
  }
  if (status !== "FAILED" && status !== "TIMED_OUT") return undefined;
  const codes = [about.code, about.cause];
  const handling = waysOf(task).find(
    ({ after, codes: wanted }) => after === "error" && (!wanted || wanted.some((code) => codes.includes(code))),
  );
  return handling?.to === undefined ? undefined : { ...way, on: "FAILED", to: handling.to };
}

/** How a task ended. */
export type Ending = { output?: unknown; code?: string | undefined; cause?: string | undefined };
