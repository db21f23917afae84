// Whether the tasks of a workflow lead to each other: ids, ways, and what cannot be reached.

import { meantId, type Notes, shown } from "./defects.ts";
import { type Block, blocksOf, linksOf, reach, tasksOf, waysOf } from "./blocks.ts";

export type Sizes = { tasksMax: number; depthMax: number; fanOutMax: number };

/** Whether it is small enough to be looked at more closely. */
export function checkBlocks(top: Block, sizes: Sizes, notes: Notes): boolean {
  if (!checkIds(top, sizes, notes)) return false;
  const ids = new Set([...tasksOf(top)].map(({ id }) => id));
  for (const block of blocksOf(top)) {
    checkWays(block, ids, notes);
    checkReach(block, notes);
    checkKind(block, sizes, notes);
  }
  return true;
}

function checkIds(top: Block, { tasksMax }: Sizes, { note }: Notes): boolean {
  const first = new Set<string>();
  let count = 0;
  for (const { id, path } of tasksOf(top)) {
    count += 1;
    if (id !== "" && first.has(id)) note([...path, "id"], "DUPLICATE_ID", `${shown(id)} is already the id of a task`);
    first.add(id);
  }
  if (count > tasksMax) note(["tasks"], "TOO_LARGE", `has ${count} tasks, at most ${tasksMax} are allowed`);
  return count <= tasksMax;
}

function checkWays({ tasks }: Block, all: ReadonlySet<string>, { note, isFull }: Notes): void {
  const ids = new Set(tasks.map(({ id }) => id));
  for (const task of tasks) {
    for (const { path, to } of waysOf(task)) {
      if (isFull()) return;
      if (typeof to !== "string" || to === "" || ids.has(to)) continue;
      const elsewhere = "it is a task of another block, and none can be gone to from here";
      const hint = all.has(to) ? elsewhere : meantId(to, ids);
      note(path, "UNKNOWN_TASK", `${shown(to)} is no task of this block`, hint);
    }
  }
}

function checkReach(block: Block, { note }: Notes): void {
  const [entry] = block.tasks;
  if (!entry) return;
  const reached = reach([entry], linksOf(block).onward);
  // Of two with one id the second is never reached, and that is not what is wrong with it.
  const seen = new Set(["", entry.id]);
  for (const task of block.tasks) {
    if (task === entry || reached.has(task) || seen.has(task.id)) continue;
    seen.add(task.id);
    const hint = "a task leads to it by next, on_error, or a case of a route";
    note(task.path, "UNREACHABLE_TASK", `task ${shown(task.id)} cannot be reached from ${shown(entry.id)}`, hint);
  }
}

function checkKind(block: Block, { fanOutMax }: Sizes, { note }: Notes): void {
  for (const { blocks, path, spec } of block.tasks) {
    const branches = blocks.filter(({ kind }) => kind === "branch").length;
    if (branches > fanOutMax) {
      note([...path, "branches"], "TOO_LARGE", `has ${branches} branches, at most ${fanOutMax} are allowed`);
    }
    if (spec["undo"] !== undefined && isWithinUndo(block)) {
      note([...path, "undo"], "UNKNOWN_KEY", "what is run to undo a task is not undone itself");
    }
  }
}

const isWithinUndo = (block: Block): boolean =>
  block.kind === "undo" || (block.holder !== undefined && isWithinUndo(block.holder.within));
