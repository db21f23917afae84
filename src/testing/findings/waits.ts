// Waits that nothing can end, and approvals whose answer nobody reads.

import { reach, type TaskNode } from "../../language/blocks.ts";
import { expressionOf } from "../../language/expression.ts";
import { evaluate } from "../../language/template.ts";
import type { Scope, TaskSpec, WorkflowSpec } from "../../language/spec.ts";
import { linksWithout } from "./dead-ways.ts";
import { flaw, type PlacedFlaw, type Subject } from "./flaw.ts";
import { mentions, outputReads } from "./reads.ts";
import { specOf, type Walked, walkTasks } from "./tasks.ts";

type Wait = Extract<TaskSpec, { type: "wait" }>;

export function hopeless({ spec }: Subject): PlacedFlaw[] {
  const tasks = [...walkTasks(spec)];
  return tasks.flatMap((walked) => {
    const { task } = walked;
    if (task.type !== "wait") return [];
    return [
      ...neverMatching(walked, task, spec),
      ...sentTooLate(walked, task, tasks, spec),
      ...ignored(walked, task, spec),
    ];
  });
}

const whole = /^\s*\$\{\{([^]*)\}\}\s*$/;

/** A `match` that looks at nothing but the name is the same for every signal. */
function neverMatching({ path }: Walked, { id, wait }: Wait, spec: WorkflowSpec): PlacedFlaw[] {
  if (!("signal" in wait) || wait.match === undefined) return [];
  const source = typeof wait.match === "string" ? whole.exec(wait.match)?.[1] : undefined;
  const expression = source === undefined ? undefined : expressionOf(source);
  const isConstant =
    wait.match === false ||
    (expression !== undefined &&
      !("flaw" in expression) &&
      expression.names.every(({ name }) => name === "signal") &&
      // A bare `signal` may be looked at in any way.
      expression.fields.length >= expression.names.length &&
      expression.fields.every(({ name }) => name === "name"));
  if (!isConstant) return [];
  const scope = { input: {}, tasks: {}, signal: { name: wait.signal, payload: null } } as unknown as Scope;
  const given = outcomeOf(wait.match, scope);
  if (given === true) return [];
  const what = given === false ? "false for every one" : "no condition";
  const says = `"${id}" waits for a signal "${wait.signal}", and its match is ${what}`;
  return [flaw("wait-never-satisfied", { workflow: spec.id, task: id, path: [...path, "wait", "match"], says })];
}

function outcomeOf(value: unknown, scope: Scope): unknown {
  try {
    return evaluate(value, scope);
  } catch {
    return undefined;
  }
}

/** The run sends itself what it waits for, and nowhere but behind the wait. */
function sentTooLate(waiting: Walked, { id, wait }: Wait, tasks: readonly Walked[], spec: WorkflowSpec): PlacedFlaw[] {
  if (!("signal" in wait)) return [];
  const senders = tasks.filter(({ task }) => task.type === "signal" && task.signal === wait.signal);
  const isToItself = ({ task }: Walked): boolean =>
    task.type === "signal" &&
    (task.to === undefined || (typeof task.to === "string" && /workflow\.exec_id/.test(task.to)));
  if (senders.length === 0 || !senders.every((sender) => isToItself(sender) && comesAfter(waiting, sender))) return [];
  const [first] = senders;
  const says =
    `"${id}" waits for the signal "${wait.signal}" that only "${first?.task.id}" of the same run sends, and that` +
    " comes after the wait: if nobody from outside sends it, the wait ends with its timeout";
  return [
    flaw("wait-never-satisfied", { workflow: spec.id, task: id, path: [...waiting.path, "wait", "signal"], says }),
  ];
}

/** Whether one task only begins when the other has ended. */
function comesAfter(first: Walked, second: Walked): boolean {
  const firsts = [first.node, ...first.holders];
  const seconds = [second.node, ...second.holders];
  for (const a of firsts) {
    const b = seconds.find((one) => one.within === a.within);
    if (!b) continue;
    if (a !== b) return isBehind(a, b) && (a === first.node || waitsForAll(firsts, a));
    // The same container: its branches one after the other.
    return areInTurn(a, firsts, seconds);
  }
  return false;
}

function isBehind(a: TaskNode, b: TaskNode): boolean {
  const links = linksWithout(a.within, new Set());
  const [entry] = a.within.tasks;
  if (!entry || entry === b) return false;
  // Not to be come to without passing the wait.
  links.set(a, new Set());
  return a === entry || !reach([entry], links).has(b);
}

/** Every container between the wait and there ends only when all in it have. */
const waitsForAll = (inside: readonly TaskNode[], outermost: TaskNode): boolean =>
  inside.slice(1, inside.indexOf(outermost) + 1).every((node) => {
    const { strategy = "all" } = node.spec;
    return strategy === "all" || strategy === "fail_fast";
  });

function areInTurn(holder: TaskNode, firsts: readonly TaskNode[], seconds: readonly TaskNode[]): boolean {
  const task = specOf(holder);
  if (task.type !== "parallel" || task.max_concurrency !== 1) return false;
  const placeOf = (nodes: readonly TaskNode[]): number =>
    holder.blocks.findIndex((block) => nodes.some((node) => node.within === block));
  return placeOf(firsts) < placeOf(seconds);
}

/** An approval is followed by more, and nothing ever looks at whether it was given. */
function ignored({ path, node, holders }: Walked, { id, wait, next }: Wait, spec: WorkflowSpec): PlacedFlaw[] {
  if (!("approval" in wait)) return [];
  const isLast = next === undefined && node.within.tasks.length === 1 && holders.length === 0;
  const isResult = next === undefined && (holders.length > 0 || spec.result === undefined);
  if (isLast || isResult) return [];
  const reads = outputReads(spec);
  if (reads === "anything") return [];
  const isRead = mentions(reads, id, (fields) => fields.length === 0 || fields[0] === "approved");
  if (isRead) return [];
  const goesOn = next === undefined ? "the run goes on" : `the run goes on with "${next}"`;
  const says = `whatever is answered to "${wait.approval}", ${goesOn}: nothing reads \`tasks.${id}.output.approved\``;
  const fix = `route on \`tasks.${id}.output.approved\` right after it`;
  return [flaw("refusal-ignored", { workflow: spec.id, task: id, path: [...path, "wait", "approval"], says, fix })];
}
