// The tasks of a sound definition, each with its block and its path: what every look at a definition walks.

import { type Block, type TaskNode, treeOf } from "../../language/blocks.ts";
import type { Path, TaskSpec, WorkflowSpec } from "../../language/spec.ts";

export type Walked = {
  task: TaskSpec;
  path: Path;
  node: TaskNode;
  /** The containers that it stands in, the nearest first; one that it undoes is none. */
  holders: readonly TaskNode[];
  isUndoing: boolean;
};

const depthMax = 64;

export const blocksIn = (spec: WorkflowSpec): Block => treeOf(spec, depthMax);

export function* walkTasks(spec: WorkflowSpec): Generator<Walked> {
  yield* walk(blocksIn(spec), [], false);
}

function* walk(block: Block, holders: readonly TaskNode[], isUndoing: boolean): Generator<Walked> {
  for (const node of block.tasks) {
    yield { task: specOf(node), path: node.path, node, holders, isUndoing };
    for (const inner of node.blocks) {
      const isUndo = inner.kind === "undo";
      yield* walk(inner, isUndo ? [] : [node, ...holders], isUndoing || isUndo);
    }
  }
}

export const specOf = (node: TaskNode): TaskSpec => node.spec as unknown as TaskSpec;
