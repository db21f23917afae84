// The tasks of a workflow as a tree of blocks, and what may have run before each: read from a definition that may be
// wrong in any way, as far as it can be read.

import { isObject } from "../protocol/json.ts";
import { meantName } from "./defects.ts";
import type { Path, TaskSpec } from "./spec.ts";

export type TaskNode = {
  path: Path;
  spec: Readonly<Record<string, unknown>>;
  id: string;
  type: unknown;
  within: Block;
  blocks: Block[];
};
/** `holder`: the task that the block is part of. */
export type Block = { path: Path; kind: "tasks" | "branch" | "do" | "undo"; holder?: TaskNode; tasks: TaskNode[] };
/** A key that names the task that follows. */
export type LeadsTo = { path: Path; to: unknown; isError: boolean };

/** The blocks inside a task of a sound definition, each with its name where it has one; not what undoes the task. */
export function innerBlocks(task: TaskSpec): { name?: string; block: readonly TaskSpec[] }[] {
  if (task.type === "parallel") return Object.entries(task.branches).map(([name, block]) => ({ name, block }));
  return task.type === "each" ? [{ block: task.do }] : [];
}

/** The outermost block; blocks deeper than allowed are left out. */
export const treeOf = (spec: Readonly<Record<string, unknown>>, depthMax: number): Block =>
  blockOf(spec["tasks"], ["tasks"], "tasks", depthMax);

function blockOf(value: unknown, path: Path, kind: Block["kind"], depthLeft: number, holder?: TaskNode): Block {
  const block: Block = { path, kind, tasks: [], ...(holder && { holder }) };
  if (!Array.isArray(value) || depthLeft < 1) return block;
  for (const [index, spec] of value.entries()) {
    if (!isObject(spec)) continue;
    const { id, type } = spec;
    const at = [...path, index];
    const node: TaskNode = { path: at, spec, id: typeof id === "string" ? id : "", type, within: block, blocks: [] };
    const inner = (key: string, of: Block["kind"], given: unknown, ...steps: string[]): void =>
      void node.blocks.push(blockOf(given, [...at, key, ...steps], of, depthLeft - 1, node));
    if (type === "parallel" && isObject(spec["branches"])) {
      for (const [name, branch] of Object.entries(spec["branches"])) inner("branches", "branch", branch, name);
    }
    if (type === "each") inner("do", "do", spec["do"]);
    if (spec["undo"] !== undefined) inner("undo", "undo", spec["undo"]);
    block.tasks.push(node);
  }
  return block;
}

/** Every task, those of containers and undo blocks included. */
export function* tasksOf(block: Block): Generator<TaskNode> {
  for (const task of block.tasks) {
    yield task;
    for (const inner of task.blocks) yield* tasksOf(inner);
  }
}

export function* blocksOf(block: Block): Generator<Block> {
  yield block;
  for (const task of block.tasks) for (const inner of task.blocks) yield* blocksOf(inner);
}

/** Where a task may lead, whether or not it is there. */
export function waysOf({ spec, path, type }: TaskNode): LeadsTo[] {
  const ways: LeadsTo[] = [];
  const add = (to: unknown, isError: boolean, ...steps: (string | number)[]): void => {
    if (to !== undefined) ways.push({ path: [...path, ...steps], to, isError });
  };
  const { next, on_error: onError, cases, default: otherwise } = spec;
  if (type !== "route") add(next, false, "next");
  if (typeof onError === "string") add(onError, true, "on_error");
  for (const [index, way] of entriesOf(onError)) add(way["next"], true, "on_error", index, "next");
  if (type !== "route") return ways;
  for (const [index, way] of entriesOf(cases)) add(way["next"], false, "cases", index, "next");
  add(otherwise, false, "default");
  return ways;
}

const entriesOf = (value: unknown): [number, Record<string, unknown>][] =>
  Array.isArray(value)
    ? [...value.entries()].filter((entry): entry is [number, Record<string, unknown>] => isObject(entry[1]))
    : [];

const guessesMax = 100;

type Links = { onward: Map<TaskNode, Set<TaskNode>>; back: Map<TaskNode, Set<TaskNode>>; failed: Set<TaskNode> };

/** What the tasks of a block have to do with each other. */
export function linksOf(block: Block): Links {
  const byId = new Map(block.tasks.toReversed().map((task) => [task.id, task]));
  const onward = new Map(block.tasks.map((task) => [task, new Set<TaskNode>()]));
  const back = new Map(block.tasks.map((task) => [task, new Set<TaskNode>()]));
  const failed = new Set<TaskNode>();
  let guesses = 0;
  const targetOf = (to: unknown): TaskNode | undefined => {
    if (typeof to !== "string") return undefined;
    const target = byId.get(to);
    if (target || ++guesses > guessesMax) return target;
    // A slip of the pen is complained about once, and not again where it would have led.
    return byId.get(meantName(to, [...byId.keys()]) ?? "");
  };
  for (const task of block.tasks) {
    for (const { to, isError } of waysOf(task)) {
      const target = targetOf(to);
      if (!target) continue;
      onward.get(task)?.add(target);
      back.get(target)?.add(task);
      if (isError) failed.add(target);
    }
  }
  return { onward, back, failed };
}

/** Whatever can be reached by one link or more. */
export function reach(from: readonly TaskNode[], links: ReadonlyMap<TaskNode, ReadonlySet<TaskNode>>): Set<TaskNode> {
  const reached = new Set<TaskNode>();
  const open = [...from];
  for (let task = open.pop(); task !== undefined; task = open.pop()) {
    for (const target of links.get(task) ?? []) {
      if (reached.has(target)) continue;
      reached.add(target);
      open.push(target);
    }
  }
  return reached;
}

/** What is seen of a task that has ended: itself, and the tasks of its branches; an `each` keeps its own to itself. */
function seen(tasks: Iterable<TaskNode>, into: Set<string>): Set<string> {
  for (const task of tasks) {
    into.add(task.id);
    for (const block of task.blocks) if (block.kind === "branch") seen(block.tasks, into);
  }
  return into;
}

export type Sight = { tasks: ReadonlySet<string>; names: readonly string[] };

const always = ["input", "tasks", "workflow"];

/** What each task can see, asked for one by one. */
export function sights(top: Block) {
  const known = new Map<Block, Links>();
  const linked = (block: Block): Links => {
    const links = known.get(block) ?? linksOf(block);
    known.set(block, links);
    return links;
  };
  const outside = new Map<Block, Sight>();

  /** What every task of a block sees of the world around it. */
  function around(block: Block): Sight {
    const before = outside.get(block);
    if (before) return before;
    const { holder } = block;
    const sight = holder ? sightFrom(holder, block.kind) : { tasks: new Set<string>(), names: always };
    outside.set(block, sight);
    return sight;
  }

  function sightFrom(holder: TaskNode, kind: Block["kind"]): Sight {
    const { tasks, names } = of(holder);
    if (kind === "do") return { tasks, names: [...new Set([...names, "item", "index"])] };
    if (kind !== "undo") return { tasks, names };
    return { tasks: seen([holder], new Set(tasks)), names: [...new Set([...names, "error"])] };
  }

  function of(task: TaskNode): Sight {
    const { within } = task;
    const { tasks, names } = around(within);
    const { back, failed } = linked(within);
    const before = seen(reach([task], back), new Set(tasks));
    // An error is there until the next success: in what follows the failure at once, and where that begins.
    const hasError =
      failed.has(task) || (names.includes("error") && (task === within.tasks[0] || within.kind === "undo"));
    const inner = names.filter((name) => name !== "error");
    return { tasks: before, names: hasError ? [...inner, "error"] : inner };
  }

  /** What the result of the run sees. */
  const atEnd = (): Sight => {
    const [entry] = top.tasks;
    const reached = entry ? [entry, ...reach([entry], linked(top).onward)] : [];
    return { tasks: seen(reached, new Set()), names: always };
  };
  return { of, atEnd };
}
