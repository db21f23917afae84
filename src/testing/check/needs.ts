// What data a workflow wants, where nobody has written a schema: the fields that its own expressions read.
//
// Each may be missing: nobody has promised it. What is made so is no more than a guess, and the report says so.

import type { Json, JsonSchema, TaskSpec, WorkflowSpec } from "../../language/spec.ts";
import { innerBlocks } from "../../language/blocks.ts";
import { type Read, readsIn, sourcesIn } from "./reads.ts";
import { tasksOf } from "./ways.ts";

type Shape = { fields: Map<string, Shape>; item?: Shape; literals: Set<unknown>; as?: Read["as"] };
const newShape = (): Shape => ({ fields: new Map(), literals: new Set() });

/** Of the input of a workflow. */
export const neededInput = (spec: WorkflowSpec): JsonSchema => schemaFor(readsOfInput(spec));

export const readsOfInput = (spec: WorkflowSpec): Read[] =>
  allReads(spec).flatMap(({ path, ...rest }) => (path[0] === "input" ? [{ ...rest, path: path.slice(1) }] : []));

/** Of what an agent or tool answers, by all the tasks of these workflows that call it. */
export const neededOutput = (specs: Iterable<WorkflowSpec>, kind: "agent" | "tool", id: string): JsonSchema =>
  schemaFor(readsOfOutput(specs, kind, id));

export function readsOfOutput(specs: Iterable<WorkflowSpec>, kind: "agent" | "tool", id: string): Read[] {
  const reads: Read[] = [];
  for (const spec of specs) {
    const own = tasksOf(spec).filter(
      (task) => task.type === kind && (task.type === "agent" ? task.agent : task.tool) === id,
    );
    const ids = new Set(own.map((task) => task.id));
    if (ids.size === 0) continue;
    for (const { path, ...rest } of allReads(spec)) {
      const [root, task = "", field] = path;
      if (root === "tasks" && field === "output" && ids.has(task)) reads.push({ ...rest, path: path.slice(3) });
    }
  }
  return reads;
}

/** With those of items, which are parts of the list that the `each` goes through. */
function allReads(spec: WorkflowSpec): Read[] {
  const { agents: _agents, tools: _tools, triggers: _triggers, tasks, ...rest } = spec;
  return [...readsIn(rest), ...tasks.flatMap((task) => readsOf(task, []))];
}

function readsOf(task: TaskSpec, items: readonly (readonly string[])[]): Read[] {
  const { undo = [], ...own } = task;
  const { do: _do, branches: _branches, ...alone } = own as Record<string, unknown>;
  const path = task.type === "each" ? pathOf(task.items) : undefined;
  const inside = path ? [...items, [...path, "[]"]] : task.type === "each" ? [...items, ["?"]] : items;
  const inner = innerBlocks(task).flatMap(({ block }) => block.flatMap((one) => readsOf(one, inside)));
  const list: Read[] = path ? [{ path, literals: [], as: "list" }] : [];
  return [
    ...readsIn(alone).map((read) => outOfItem(read, items)),
    ...list.map((read) => outOfItem(read, items)),
    ...inner,
    ...undo.flatMap((one) => readsOf(one, items)),
  ];
}

const outOfItem = (read: Read, items: readonly (readonly string[])[]): Read => {
  const nearest = items.at(-1);
  if (read.path[0] !== "item" || !nearest) return read;
  return outOfItem({ ...read, path: [...nearest, ...read.path.slice(1)] }, items.slice(0, -1));
};

function pathOf(value: unknown): readonly string[] | undefined {
  if (typeof value !== "string") return undefined;
  const [source, ...others] = sourcesIn(value);
  const [read, ...more] = readsIn(value);
  return source !== undefined && others.length === 0 && more.length === 0 ? read?.path : undefined;
}

function schemaFor(reads: readonly Read[]): JsonSchema {
  const shape = newShape();
  for (const { path, literals, as } of reads) {
    let at = shape;
    for (const step of path) at = step === "[]" ? (at.item ??= newShape()) : fieldOf(at, step);
    for (const literal of literals) at.literals.add(literal);
    if (as) at.as ??= as;
  }
  return jsonOf(shape) as JsonSchema;
}

function fieldOf({ fields }: Shape, name: string): Shape {
  const known = fields.get(name) ?? newShape();
  fields.set(name, known);
  return known;
}

function jsonOf({ fields, item, literals, as }: Shape): Json {
  if (item || as === "list") return { type: "array", items: item ? jsonOf(item) : {} };
  if (fields.size > 0) {
    return {
      type: "object",
      properties: Object.fromEntries([...fields].map(([name, field]) => [name, jsonOf(field)])),
    };
  }
  if (as === "boolean") return { type: "boolean" };
  if (as === "number") return { type: "number", examples: around([...literals]) };
  // Any text, or one of those that are asked for.
  const [...known] = literals;
  if (known.length > 0) return { enum: [...(known as Json[]), "another"] };
  return as === "text" ? { type: "string" } : {};
}

const around = (literals: readonly unknown[]): number[] =>
  literals.flatMap((one) => (typeof one === "number" ? [one, one - 1, one + 1] : []));
