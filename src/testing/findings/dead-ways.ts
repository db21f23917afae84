// Ways that are never taken, and the tasks that no way leads to then.

import { type Block, blocksOf, type LeadsTo, reach, type TaskNode, waysOf } from "../../language/blocks.ts";
import { listed } from "../../language/defects.ts";
import type { TaskSpec } from "../../language/spec.ts";
import { type Subject, type PlacedFlaw, flaw } from "./flaw.ts";
import { blocksIn, specOf } from "./tasks.ts";
import { chosenCases } from "./values.ts";

type Dead = { way: LeadsTo; says: string; fix?: string };

/** The ways of a task that nothing takes. */
export function deadWaysOf(node: TaskNode, subject: Subject): Dead[] {
  const task = specOf(node);
  return [...deadErrors(node, task), ...(task.type === "route" ? deadCases(node, task, subject) : [])];
}

function deadCases(node: TaskNode, task: Extract<TaskSpec, { type: "route" }>, subject: Subject): Dead[] {
  const chosen = chosenCases(task, subject);
  if (!chosen) return [];
  return waysOf(node).flatMap((way): Dead[] => {
    const [kind, index] = way.path.slice(node.path.length);
    if (kind === "default") {
      if (chosen.has("default")) return [];
      return [{ way, says: `"default" of "${task.id}" is never taken: the cases before it take everything` }];
    }
    if (kind !== "cases" || chosen.has(Number(index))) return [];
    const says = `case ${Number(index) + 1} of "${task.id}", which leads to "${String(way.to)}", is never taken`;
    return [{ way, says: `${says}: no data makes it true that does not make one before it true` }];
  });
}

/** Codes that say what became of a call, a wait, a route: no other kind of task ever has them. */
const codesOf: Readonly<Record<string, RegExp>> = {
  agent: /^(?:WAIT_TIMEOUT|NO_ROUTE|SIGNAL_NOT_DELIVERED|CHILD_FAILED|TOOL_INPUT_INVALID)$/,
  tool: /^(?:AGENT_.*|WAIT_TIMEOUT|NO_ROUTE|SIGNAL_NOT_DELIVERED|CHILD_FAILED)$/,
  wait: /^(?:AGENT_.*|TOOL_.*|NO_ROUTE|SIGNAL_NOT_DELIVERED|CHILD_FAILED)$/,
  route: /^(?:AGENT_.*|TOOL_.*|WAIT_TIMEOUT|SIGNAL_NOT_DELIVERED|CHILD_FAILED)$/,
  signal: /^(?:AGENT_.*|TOOL_.*|WAIT_TIMEOUT|NO_ROUTE|CHILD_FAILED)$/,
};

function deadErrors(node: TaskNode, { id, type, on_error: onError }: TaskSpec): Dead[] {
  if (!Array.isArray(onError)) return [];
  const ways = waysOf(node).filter(({ isError }) => isError);
  const taken = new Set<string>();
  let takesAll = false;
  return onError.flatMap(({ codes }: { codes?: string[] }, index): Dead[] => {
    const way = ways[index];
    if (!way) return [];
    const before = takesAll || (codes !== undefined && codes.every((code) => taken.has(code)));
    const foreign = codes?.every((code) => codesOf[type]?.test(code)) === true;
    for (const code of codes ?? []) taken.add(code);
    takesAll ||= codes === undefined;
    const which = `entry ${index + 1} of "on_error" of "${id}"`;
    if (before) return [{ way, says: `${which} is never taken: one before it takes every error that it is for` }];
    if (!foreign || codes === undefined) return [];
    const fix = "name codes that such a task has, or leave `codes` out to take any error";
    const kind = type === "agent" ? "an agent task" : `a ${type}`;
    return [{ way, says: `${which} is never taken: ${kind} never fails with ${listed(codes, "or")}`, fix }];
  });
}

/** What of a workflow no run ever comes to. */
export function unreachable(subject: Subject): PlacedFlaw[] {
  const workflow = subject.spec.id;
  const flaws: PlacedFlaw[] = [];
  for (const block of blocksOf(blocksIn(subject.spec))) {
    const dead = block.tasks.flatMap((node) => deadWaysOf(node, subject).map((one) => ({ ...one, node })));
    const lost = dead.length === 0 ? [] : unreached(block, new Set(dead.map(({ way }) => way.path.join("."))));
    for (const { way, says, fix, node } of dead) {
      // What it leads to is told once, with the way that is to blame.
      const only = lost.find(({ id }) => id === way.to);
      const mends = fix === undefined ? {} : { fix };
      if (only) {
        const both = `"${only.id}" never runs: ${says}`;
        flaws.push(flaw("unreachable-task", { workflow, task: only.id, path: way.path, says: both, ...mends }));
      } else {
        flaws.push(flaw("unreachable-route", { workflow, task: node.id, path: way.path, says, ...mends }));
      }
    }
  }
  return flaws;
}

function unreached(block: Block, dead: ReadonlySet<string>): TaskNode[] {
  const [entry] = block.tasks;
  if (!entry) return [];
  const reached = new Set([entry, ...reach([entry], linksWithout(block, dead))]);
  return block.tasks.filter((node) => !reached.has(node));
}

/** Which task leads to which, apart from what is never taken. */
export function linksWithout(block: Block, dead: ReadonlySet<string>): Map<TaskNode, Set<TaskNode>> {
  const byId = new Map(block.tasks.map((node) => [node.id, node]));
  return new Map(
    block.tasks.map((node) => {
      const ways = waysOf(node).filter(({ path }) => !dead.has(path.join(".")));
      return [node, new Set(ways.flatMap(({ to }) => byId.get(String(to)) ?? []))];
    }),
  );
}
