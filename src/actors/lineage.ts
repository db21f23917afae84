// A run that begins in the middle: with what another has found out before the task that it begins at.

import { TroupeError, type WireError } from "../protocol/errors.ts";
import type { Message, Payload } from "../protocol/catalogue.ts";
import type { Graph } from "../machines/plan.ts";
import type { Host } from "./component.ts";
import type { Workflow } from "./definition.ts";
import type { TaskFact } from "./run.ts";

export type Lineage = NonNullable<Payload<"command:WorkflowExecute">["context"]["lineage"]>;

export const lineageOf = ({ payload }: Message<"command:WorkflowExecute">): Lineage | undefined =>
  payload.context.lineage;

/** The same graph, begun at another task of its block: the first of a block is its entry. */
function begunAt(graph: Graph, task: string): Graph {
  const [block = []] = graph.blocks;
  const first = block.filter(({ id }) => id === task);
  return { ...graph, blocks: [[...first, ...block.filter(({ id }) => id !== task)]] };
}

/** The graph of a run, and what it knows from the beginning; or why it cannot begin there. */
export function inherited(host: Host, workflow: Workflow, lineage: Lineage): { graph: Graph } | { error: WireError } {
  const { from_task, tasks = {}, error, resume_data } = lineage;
  const problem = unfit(workflow, from_task, Object.keys(tasks));
  if (problem) return { error: { code: problem.code, message: problem.message, details: { ...problem.details } } };
  for (const [id, fact] of Object.entries(tasks)) host.put(host.run.facts.tasks, id, fact as TaskFact);
  if (error !== undefined) host.note("error", error);
  if (resume_data !== undefined) host.note("resumeData", resume_data);
  return { graph: begunAt(workflow.graph, from_task) };
}

/** Why a definition cannot begin at a task with these results, if so. */
export function unfit(workflow: Workflow, from: string, given: readonly string[]): TroupeError | undefined {
  const about = { workflow: workflow.id, task: from };
  const [block = []] = workflow.graph.blocks;
  if (!block.some(({ id }) => id === from)) {
    const inner = workflow.tasks.has(from) ? "; it is part of another task, and a run begins at one of its own" : "";
    return new TroupeError("TASK_NOT_FOUND", `workflow '${workflow.id}' has no task '${from}'${inner}`, about);
  }
  const lost = given.filter((id) => !workflow.tasks.has(id));
  if (lost.length === 0) return undefined;
  const message = `the results do not fit: workflow '${workflow.id}' has no ${lost.map((id) => `'${id}'`).join(", ")}`;
  return new TroupeError("VALIDATION_FAILED", message, { ...about, lost });
}

/** The hash of the definition that a run was admitted with: the first thing it asked. */
export function definitionIn(answers: readonly unknown[]): string | null {
  const [given] = answers as [string | { hash: string } | null];
  return typeof given === "object" ? (given?.hash ?? null) : given;
}
