// Judges of data: expressions that fail on what may come, values that break what is asked for, routes without a way.
//
// What a callee with a schema answers is within it, so what fails on that is the definition's flaw. Of one without a
// schema nothing is promised: then it is a note, and what mends it is a schema.

import { isObject } from "../../protocol/json.ts";
import { dataOf } from "../../language/json-schema.ts";
import type { TaskSpec } from "../../language/spec.ts";
import type { Judge, Played } from "../check/trial.ts";
import { failuresOf, type Failure, hasSucceeded, onErrorPath, outputOf, specIn, taskIn, tasksIn } from "./evidence.ts";
import { kinds } from "./kinds.ts";
import { flaw, type PlacedFlaw, type Subject } from "./flaw.ts";
import { readsIn } from "./reads.ts";

type Callees = Pick<Subject, "agents" | "tools">;

export const judgeOfData =
  (callees: Callees): Judge =>
  (played) => [
    ...failuresOf(played).flatMap((failure) => ofTask(failure, played, callees)),
    ...ofRuns(played, callees),
  ];

function ofTask(failure: Failure, played: Played, callees: Callees): PlacedFlaw[] {
  const { error, workflow, task: id } = failure;
  const task = taskIn(played, workflow, id);
  if (!task) return [];
  const says = `"${id}" fails with ${error.code}: ${error.message}`;
  // What a block that undoes fails on is told of what it leaves undone.
  const isUndoing = tasksIn(specIn(played, workflow)).get(id)?.isUndoing === true;
  if (isUndoing && isPromised(failure, played, callees)) return [];
  if (error.code === "EXPRESSION_ERROR") return [ofExpression(failure, task, played, callees, says)];
  if (error.code === "NO_ROUTE") {
    const source = task.type === "route" ? JSON.stringify(task.cases) : "";
    return [promised("no-route", source, failure, played, callees, says)];
  }
  const isInput = error.code === "VALIDATION_FAILED" && Array.isArray(error.details["errors"]);
  const isChildInput = error.code === "CHILD_FAILED" && error.details["cause_code"] === "VALIDATION_FAILED";
  if (!isInput && !(isChildInput && isRefusal(failure, played))) return [];
  return [promised("input-violates-schema", JSON.stringify(task.with ?? {}), failure, played, callees, says)];
}

/** Whether a child was refused for its input: it has begun nothing. */
function isRefusal({ execId }: Failure, { executions }: Played): boolean {
  const child = executions.find(({ entity, parent }) => entity === "workflow" && parent === execId);
  return child === undefined || !executions.some(({ parent }) => parent === child.execId);
}

function ofExpression(failure: Failure, task: TaskSpec, played: Played, callees: Callees, says: string): PlacedFlaw {
  const { workflow, run, line, error } = failure;
  const source = sourceOf(error.details, task);
  const lost = readsIn(source).find((read) => isLost(read.task, played, workflow, run, line));
  const isOfError = /\berror\b/.test(source) && !/\btasks\b|\binput\b|\bitem\b/.test(source);
  const isHandling = onErrorPath(played, workflow, task.id);
  if (lost && isHandling) {
    const why = `it reads the output of "${lost.task}", which has none on this path: it failed, or did not run`;
    return flaw("handler-path-fails", { workflow, task: task.id, says: `${says}; ${why}` });
  }
  if (isOfError && isHandling) return flaw("handler-path-fails", { workflow, task: task.id, says });
  if (lost) {
    const why = `it reads the output of "${lost.task}", which did not succeed on this path, or did not run`;
    return flaw("expression-fails", { workflow, task: task.id, says: `${says}; ${why}`, fix: fixOfLost });
  }
  const holder = readsIn(source).find((read) => hasFailedLane(read.task, played, workflow, run));
  if (holder && unpromisedIn(source, played, workflow, callees, task.id) === undefined) {
    const why = `a lane of "${holder.task}" failed, and the result of that is null`;
    return flaw("expression-fails", { workflow, task: task.id, says: `${says}; ${why}`, fix: fixOfLane });
  }
  return promised("expression-fails", source, failure, played, callees, says);
}

const fixOfLost = kinds["handler-path-fails"].fix;
const fixOfLane = "leave out what is null before it is read: `results.filter(one, one != null)`";

/** Whether a container has succeeded although a lane of it failed. */
function hasFailedLane(id: string, played: Played, workflow: string, run: string): boolean {
  const task = taskIn(played, workflow, id);
  if ((task?.type !== "each" && task?.type !== "parallel") || task.strategy !== "best_effort") return false;
  const output = outputOf(played, run, id);
  return isObject(output) && Object.keys(Object(output["errors"])).length > 0;
}

/** The expression that failed; where the log has cut it, all that the task has written. */
function sourceOf(details: Readonly<Record<string, unknown>>, task: TaskSpec): string {
  const { expression } = details;
  if (typeof expression === "string" && !expression.endsWith("…")) return expression;
  return JSON.stringify({ ...task, undo: undefined, do: undefined, branches: undefined });
}

/** A task that has no output where it is read, because it did not end well. */
function isLost(id: string, played: Played, workflow: string, run: string, line: number): boolean {
  return tasksIn(specIn(played, workflow)).has(id) && !hasSucceeded(played, run, id, line);
}

/** Whether a task failed on data that the schemas allow, or that no path has. */
export function isPromised(failure: Failure, played: Played, callees: Callees): boolean {
  const { workflow, run, line, task: id, error } = failure;
  const task = taskIn(played, workflow, id);
  if (!task) return false;
  const source = error.code === "EXPRESSION_ERROR" ? sourceOf(error.details, task) : JSON.stringify(task.with ?? {});
  const isOfNobody = readsIn(source).some((read) => isLost(read.task, played, workflow, run, line));
  return isOfNobody || unpromisedIn(source, played, workflow, callees, id) === undefined;
}

type DataFlaw = "expression-fails" | "no-route" | "input-violates-schema" | "output-violates-schema";

/** The finding, or a note if any of the data that it comes of was promised by nobody. */
function promised(
  id: DataFlaw,
  source: string,
  { workflow, task }: Pick<Failure, "workflow"> & { task?: string },
  played: Played,
  callees: Callees,
  says: string,
): PlacedFlaw {
  const unknown = unpromisedIn(source, played, workflow, callees, task);
  if (unknown === undefined) return flaw(id, { workflow, task, says });
  const fix = `give ${unknown} a schema: what it may be is not said anywhere`;
  return flaw("unpromised-data", { workflow, task, says, fix });
}

/** Whose data it is of which nothing is said; nothing if there is a schema for all of it. */
function unpromisedIn(
  source: string,
  played: Played,
  workflow: string,
  callees: Callees,
  within?: string,
): string | undefined {
  const spec = specIn(played, workflow);
  for (const { task, of, fields } of readsIn(source)) {
    if (of === "status" || of === "error") continue;
    const unknown = unpromisedOutput(tasksIn(spec).get(task)?.task, fields, played, callees);
    if (unknown !== undefined) return unknown;
  }
  if (/(?<![\w.])input\b/.test(source) && !describes(dataOf(spec.input))) return "the input of the workflow";
  if (!/(?<![\w.])item\b/.test(source) || within === undefined) return undefined;
  const each = tasksIn(spec)
    .get(within)
    ?.holders.find(({ type }) => type === "each");
  const items = each?.spec["items"];
  return typeof items === "string" ? unpromisedIn(items, played, workflow, callees, each?.id) : undefined;
}

function unpromisedOutput(
  task: TaskSpec | undefined,
  fields: readonly string[],
  played: Played,
  callees: Callees,
): string | undefined {
  if (task?.type === "agent" && !describes(dataOf(callees.agents.get(task.agent)?.output)))
    return `agent "${task.agent}"`;
  if (task?.type === "tool" && !describes(dataOf(callees.tools.get(task.tool)?.output))) return `tool "${task.tool}"`;
  if (task?.type === "workflow" && !task.detached) {
    return describes(dataOf(played.workflows.get(task.workflow)?.output))
      ? undefined
      : `workflow "${task.workflow}" (output)`;
  }
  if (task?.type !== "wait") return undefined;
  // Of a signal nothing is known but that it has a payload; an approval may say more than yes or no.
  if ("signal" in task.wait) return fields.length > 1 ? `signal "${task.wait.signal}"` : undefined;
  return "approval" in task.wait && fields[0] !== "approved" && fields.length > 0
    ? `the answer to "${task.id}"`
    : undefined;
}

const describes = (schema: unknown): boolean => isObject(schema) && Object.keys(schema).length > 0;

// ── runs as a whole ──

function ofRuns(played: Played, callees: Callees): PlacedFlaw[] {
  const { error, definition } = played;
  const workflow = definition.id;
  const hasBegun = played.executions.some(({ entity, parent }) => entity === "task" && parent === played.run);
  // What is not taken for an input is what whoever starts it has to know.
  if (!error || !hasBegun) return [];
  const source = JSON.stringify(definition.result ?? "");
  if (error.code === "EXPRESSION_ERROR") {
    const says = `the result cannot be made: ${error.message}`;
    const { expression } = error.details;
    const text = typeof expression === "string" ? expression : source;
    const lost = readsIn(text).find((read) => isLost(read.task, played, workflow, played.run, Infinity));
    if (!lost) return [promised("expression-fails", text, { workflow }, played, callees, says)];
    const why = `it reads the output of "${lost.task}", which did not succeed in this run, or did not run`;
    return [flaw("expression-fails", { workflow, path: ["result"], says: `${says}; ${why}`, fix: fixOfLost })];
  }
  if (error.code !== "VALIDATION_FAILED" || !Array.isArray(error.details["errors"])) return [];
  const from = definition.result === undefined ? lastOutputs(played) : source;
  return [promised("output-violates-schema", from, { workflow }, played, callees, error.message)];
}

/** Without `result` the output is that of whichever task ended last. */
const lastOutputs = ({ definition }: Played): string =>
  definition.tasks
    .filter((task) => task.type !== "route" && task.next === undefined)
    .map(({ id }) => `tasks["${id}"].output`)
    .join(" ");
