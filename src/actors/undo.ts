// Which tasks of a run are done and can be undone, and the plan by which they are, once nothing of it is open.
//
//   TaskEnded, well, with an undo ─▶ done        UndoWanted, and no task is open ─▶ UndoPlanned, newest first
//
// Invariants:
//   J1. What is undone is exactly what ended well and has an undo, each success once, the newest first.
//   J2. Nothing is planned before every task that began has ended, also one whose container has ended before.
//   J3. An undo sees what its task saw, what that gave then, and why the run ends.
//   J4. A definition without an undo notes nothing.

import type { Cue, TaskName, Why } from "../machines/cues.ts";
import type { Graph, Step } from "../machines/plan.ts";
import { as, type Ear, type Host } from "./component.ts";
import type { Workflow } from "./definition.ts";
import type { TaskFact } from "./run.ts";
import { openFrame } from "./scope.ts";

/** A task that ended well: where it stood, and what it gave. */
type Done = { task: TaskName; frame: string; fact: TaskFact };

export type UndoFacts = {
  /** How many tasks have begun and not ended. */
  open: number;
  /** By execution, in the order of success. */
  done: Record<string, Done>;
  /** Why the run ends, once it does. */
  why?: Why;
  isPlanned?: true;
};

const nothing: UndoFacts = { open: 0, done: {} };

/** What a workflow's chart has to know of it. */
export const undoing = ({ undoes, undoTimeoutMs }: Workflow): { undoes?: true; undoTimeoutMs?: number } =>
  undoes ? { undoes, undoTimeoutMs } : {};

export function noteBegun(host: Host): void {
  const facts = host.run.facts.undo ?? nothing;
  // The table is one for the whole run, and changed in place.
  const done = host.run.facts.undo ? facts.done : {};
  host.note("undo", { ...facts, done, open: facts.open + 1 });
}

/** A task has ended, and whoever contains it has heard of that; `frame` is where it stood. */
export function noteEnded(host: Host, workflow: Workflow, ended: Cue<"cue:TaskEnded">, frame: string): void {
  const facts = host.run.facts.undo;
  if (!facts) return;
  const { task, status, result } = ended;
  if (status === "SUCCESS" && !facts.isPlanned && workflow.tasks.get(task.id)?.undo) {
    const output = result && "output" in result ? { output: result.output } : {};
    host.put(facts.done, task.exec_id, { task, frame, fact: { status, exec_id: task.exec_id, ...output } });
  }
  const open = facts.open - 1;
  host.note("undo", { ...facts, open });
  if (open === 0 && facts.why && !facts.isPlanned) plan(host, workflow);
}

export const undoWanted =
  (workflowOf: (host: Host) => Workflow | undefined): Ear =>
  (host, { word }) => {
    const { error: why } = as<Cue<"cue:UndoWanted">>(word);
    const facts = host.run.facts.undo ?? { ...nothing, done: {} };
    const workflow = workflowOf(host);
    host.note("undo", { ...facts, why });
    if (workflow && facts.open === 0) plan(host, workflow);
  };

function plan(host: Host, workflow: Workflow): void {
  const facts = host.run.facts.undo ?? nothing;
  const newestFirst = Object.values(facts.done).reverse();
  const blocks: Step[][] = [];
  const places = new Map<string, number>();
  for (const { task } of newestFirst) {
    if (places.has(task.id)) continue;
    places.set(task.id, blocks.length);
    blocks.push(workflow.tasks.get(task.id)?.undo ?? []);
  }
  const graph: Graph = {
    strategy: "best_effort",
    width: 1,
    // Over its limit one is given up, and not all: who begins a task sees to that.
    stepsMax: Number.MAX_SAFE_INTEGER,
    blocks,
    lanes: newestFirst.map(({ task }) => ({ block: places.get(task.id) ?? 0 })),
  };
  host.note("undo", { ...facts, isPlanned: true });
  const of = newestFirst.map(({ task }) => task);
  host.tell(`workflow/${host.run.id}`, { type: "cue:UndoPlanned", graph, of });
}

/** Where the tasks of an undo stand. Around them stands what it undoes, with an error that no success forgets. */
export function frameOfUndo(host: Host, { id, exec_id }: TaskName): string {
  const { facts } = host.run;
  const outer = `undo/${exec_id}`;
  const inner = `${outer}/tasks`;
  const done = facts.undo?.done[exec_id];
  if (!done || Object.hasOwn(facts.frames, inner)) return inner;
  openFrame(host, outer, { outer: done.frame, tasks: { [id]: done.fact }, error: facts.undo?.why });
  openFrame(host, inner, { outer, tasks: {} });
  return inner;
}
