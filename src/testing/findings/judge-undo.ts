// Judges of undoing: a step that is left as it was done, and one that is taken back twice.

import { isObject } from "../../protocol/json.ts";
import { isDeepStrictEqual } from "node:util";
import type { TaskSpec } from "../../language/spec.ts";
import type { Called, Judge, Played } from "../check/trial.ts";
import { failuresOf, hasWorked, onErrorPath, specIn, taskIn, tasksIn } from "./evidence.ts";
import { flaw, type PlacedFlaw, type Subject } from "./flaw.ts";
import { isPromised } from "./judge-data.ts";

export const compensationMissed =
  (callees: Pick<Subject, "agents" | "tools">): Judge =>
  (played) =>
    played.executions.flatMap((execution): PlacedFlaw[] => {
      const { entity, id: workflow, execId } = execution;
      const failed = entity === "workflow" ? failedUndos(execution.story?.undo) : [];
      return failed.flatMap(({ task, says }) => {
        const why = causeOf(played, callees, workflow, execId, task) ?? says;
        if (why === excused) return [];
        const what = `"${task}" had succeeded, and is not undone when the run ends: ${why}`;
        return [flaw("compensation-missed", { workflow, task, says: what })];
      });
    });

/** Nothing that the definition could help. */
const excused = Symbol("excused");

type Undone = { task: string; says: string };

/** What the last event of a run says was not undone. */
function failedUndos(undo: unknown): Undone[] {
  const { failed } = isObject(undo) ? undo : {};
  if (!Array.isArray(failed)) return [];
  return failed.flatMap((one): Undone[] => {
    const { task, code, message } = isObject(one) ? one : {};
    return typeof task === "string" ? [{ task, says: `${String(message)} (${String(code)})` }] : [];
  });
}

const takesTime: ReadonlySet<string> = new Set(["crash", "pause", "jump"]);

/** What failed in the block that undoes a task. Whoever fails as often as its retry allows cannot be helped by it. */
function causeOf(
  played: Played,
  callees: Pick<Subject, "agents" | "tools">,
  workflow: string,
  run: string,
  task: string,
): string | typeof excused | undefined {
  const undo = taskIn(played, workflow, task)?.undo ?? [];
  const ids = new Set(undo.map(({ id }) => id));
  const last = failuresOf(played).findLast((failure) => failure.run === run && ids.has(failure.task));
  // Time that a crash, a pause or a jump of the clock took is nobody's fault.
  if (!last) return played.trial.disturbances.some(({ do: what }) => takesTime.has(what)) ? excused : undefined;
  const own = undo.find(({ id }) => id === last.task);
  const { code, message } = last.error;
  const isOwnFault = code === "EXPRESSION_ERROR" || code === "VALIDATION_FAILED" || code === "NO_ROUTE";
  const isExcused = isOwnFault ? !isPromised(last, played, callees) : (own?.retry?.max_attempts ?? 1) > 1;
  if (isExcused) return excused;
  return isOwnFault
    ? `"${last.task}", which undoes it, fails: ${message}`
    : `one call of "${last.task}", which undoes it, failed (${code}), and it is not tried again`;
}

/** The same was taken back by the path of an error and by the undo. */
export const compensationRepeated: Judge = (played) => {
  if (played.status === "SUCCESS") return [];
  const done = played.calls.filter((call) => call.kind !== "wait" && hasWorked(call));
  return done.flatMap((undoing) => {
    const walked = tasksIn(specIn(played, undoing.workflow)).get(undoing.task);
    if (!walked?.isUndoing) return [];
    const twin = done.find((call) => isTwin(call, undoing) && isHandling(played, call));
    const of = undoneBy(played, undoing);
    if (!twin || !of || !begunAfter(played, of.id, twin)) return [];
    const says =
      `"${of.id}" is taken back twice in one run: by "${twin.task}" on the path of an error, and by "${undoing.task}"` +
      ` that undoes it; both call ${undoing.kind} "${undoing.callee}" with the same input`;
    return [flaw("compensation-repeated", { workflow: undoing.workflow, task: of.id, says })];
  });
};

const isTwin = (call: Called, undoing: Called): boolean =>
  call.run === undoing.run &&
  call.taskExecId !== undoing.taskExecId &&
  call.kind === undoing.kind &&
  call.callee === undoing.callee &&
  isDeepStrictEqual(call.input, undoing.input);

function isHandling(played: Played, { workflow, task }: Called): boolean {
  const walked = tasksIn(specIn(played, workflow)).get(task);
  return walked?.isUndoing === false && onErrorPath(played, workflow, task);
}

/** The task in whose `undo` it stands. */
function undoneBy(played: Played, { workflow, task }: Called): TaskSpec | undefined {
  for (const { task: candidate } of tasksIn(specIn(played, workflow)).values()) {
    if (candidate.undo?.some(({ id }) => id === task)) return candidate;
  }
  return undefined;
}

const begunAfter = (played: Played, task: string, call: Called): boolean =>
  played.calls.some((one) => one.run === call.run && one.task === task && one.doneAt !== null && one.doneAt <= call.at);
