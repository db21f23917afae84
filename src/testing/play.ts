// A play: a workflow with the agents and tools it calls, each with a script of what it does when it is called.

import type { Graph, Step } from "../machines/plan.ts";
import type { Outcome } from "../machines/speech.ts";
import type { WireError } from "../protocol/errors.ts";
import type { RetryPolicy, TaskType, Wait } from "../protocol/fields.ts";

/** What an agent or tool does with a call: answer after a while, never, or die with its runtime. */
export type Act = { afterMs: number; outcome: Outcome } | "hangs" | "dies";

export type Task = {
  id: string;
  type: TaskType;
  /** The agent or tool it calls. */
  calls?: string;
  timeoutMs?: number;
  retry?: RetryPolicy;
  wait?: Wait;
  signal?: string;
  branches?: Record<string, Task[]>;
  strategy?: Graph["strategy"];
} & Pick<Step, "next" | "on_error" | "pause_before">;

export type Play = {
  id: string;
  tasks: Task[];
  timeoutMs?: number;
  /** By agent or tool id: what each call does, in order; the last one goes on. Who is not here is not there. */
  scripts: Record<string, Act[]>;
  /** Whether the agent dispatcher is there at all. */
  dispatcher?: boolean;
  /** Whether agents and tools stop when they are told to. */
  obedient?: boolean;
  /** Whether the runtime registers and beats; then a play has to be played until a time. */
  beats?: boolean;
  /** The workflow is declined for this. */
  problem?: WireError;
};

export const tasksIn = (tasks: readonly Task[]): Task[] =>
  tasks.flatMap((task) => [task, ...Object.values(task.branches ?? {}).flatMap(tasksIn)]);

export const graphOf = (branches: Record<string, Task[]>, strategy: Graph["strategy"] = "all"): Graph => ({
  strategy,
  width: Object.keys(branches).length,
  stepsMax: 1000,
  blocks: Object.values(branches),
  lanes: Object.keys(branches).map((name, block) => ({ block, name })),
});
