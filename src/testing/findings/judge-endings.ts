// Judges of how runs end: whether they do, by which limit, and whether the engine kept its own rules.

import { isObject } from "../../protocol/json.ts";
import type { Judge, Played } from "../check/trial.ts";
import { failuresOf, isUndisturbed, specIn, tasksIn } from "./evidence.ts";
import { flaw, type PlacedFlaw } from "./flaw.ts";
import { linksWithout } from "./dead-ways.ts";
import { reach } from "../../language/blocks.ts";
import { readsIn } from "./reads.ts";

/** Nothing is left that would ever happen, and it has not ended; or it has gone round until it was stopped. */
export const neverEnds: Judge = (played) => [...stuck(played), ...endlessly(played)];

function stuck(played: Played): PlacedFlaw[] {
  return played.open.flatMap(({ run, workflow, why }) => {
    const status = played.executions.find(({ execId }) => execId === run)?.status;
    // Whoever paused it, or asked for it in the definition, wanted it to stand still.
    if (status === "PAUSED") return [];
    return [
      flaw("never-ends", { workflow, says: `nothing is left that would end the run of "${workflow}": it ${why}` }),
    ];
  });
}

function endlessly(played: Played): PlacedFlaw[] {
  return played.executions.flatMap(({ entity, id: workflow, error, execId }) => {
    if (entity !== "workflow" || error?.code !== "STEP_LIMIT") return [];
    const details = played.run === execId ? played.error?.details : undefined;
    const task = typeof details?.["task"] === "string" ? details["task"] : undefined;
    if (task !== undefined && !isFixed(played, workflow, task)) return [];
    const loop = task === undefined ? "a loop" : `"${task}"`;
    const says =
      `the run went round ${loop} until the limit of steps ended it: nothing in the loop changes what its routes` +
      " ask for";
    return [flaw("never-ends", { workflow, task, says })];
  });
}

/** Whether what leads out of the loop of a task depends on nothing that the loop finds out. */
function isFixed(played: Played, workflow: string, task: string): boolean {
  const walked = tasksIn(specIn(played, workflow)).get(task);
  if (!walked) return false;
  const links = linksWithout(walked.node.within, new Set());
  const loop = [...reach([walked.node], links)].filter((one) => reach([one], links).has(walked.node));
  const ids = new Set(loop.map(({ id }) => id));
  return loop.every(({ type, spec, blocks }) => {
    if (type === "wait" && isObject(spec["wait"]) && !("duration" in spec["wait"])) return false;
    if (type !== "route" || blocks.length > 0) return true;
    const text = JSON.stringify(spec["cases"]);
    return !text.includes("now()") && !text.includes("workflow.") && readsIn(text).every((read) => !ids.has(read.task));
  });
}

/** What handlers say they use is what whoever checks has them say: a budget that it passes is too small. */
export const budgetExceeded: Judge = (played) =>
  played.executions.flatMap(({ entity, id: workflow, error, status, about }) => {
    if (entity !== "workflow") return [];
    const cause = error?.code === "BUDGET_EXCEEDED" ? error : status === "PAUSED" ? pausedBy(about) : undefined;
    if (!cause) return [];
    const { budget } = specIn(played, workflow);
    // Time is used up by whatever was made to hang or be slow, and that is what the limit is for.
    if (budget?.time !== undefined && / ms,/.test(cause.message) && !isUndisturbed(played.trial)) return [];
    const severity = isUndisturbed(played.trial) ? "error" : "warning";
    return [flaw("budget-exceeded", { workflow, path: ["budget"], says: cause.message, severity })];
  });

function pausedBy(about: unknown): { message: string } | undefined {
  const text = typeof about === "string" ? about : JSON.stringify(about ?? "");
  return /its budget allows/.test(text)
    ? { message: text.replace(/^.*?(the run used .*?allows [\d.]+).*$/s, "$1") }
    : undefined;
}

export const limitExceeded: Judge = (played) => {
  if (!isUndisturbed(played.trial)) return [];
  const planned = new Set(Object.entries(played.trial.calls).map(([place]) => place));
  const tasks = failuresOf(played).flatMap(({ workflow, task, error }): PlacedFlaw[] => {
    const { code, message, details } = error;
    const isFull = code.endsWith("_DISPATCH_FAILED") && details["reason"] === "all_busy" && !planned.has(task);
    const isOver = code === "PAYLOAD_TOO_LARGE" || code === "RATE_LIMITED" || isLimit(details["limit"]);
    if (!isFull && !isOver) return [];
    return [flaw("limit-exceeded", { workflow, task, says: `"${task}" fails in fair weather: ${message} (${code})` })];
  });
  if (tasks.length > 0 || !played.error) return tasks;
  const { code, message, details } = played.error;
  if (code !== "PAYLOAD_TOO_LARGE" && code !== "RATE_LIMITED" && !isLimit(details["limit"])) return [];
  return [
    flaw("limit-exceeded", {
      workflow: played.definition.id,
      says: `the run fails in fair weather: ${message} (${code})`,
    }),
  ];
};

const isLimit = (limit: unknown): boolean => limit === "itemsMax" || limit === "depthMax" || limit === "payloadBytes";

export const engineDefect: Judge = (played) => {
  const workflow = played.definition.id;
  const says = [
    ...played.troubles,
    ...played.executions
      .filter(({ error }) => error?.code === "INTERNAL_ERROR")
      .map(({ entity, id, error }) => `${entity} "${id}" failed with INTERNAL_ERROR: ${error?.message}`),
    ...played.lines
      .filter(({ disposition }) => disposition === "illegal")
      .map(({ word }) => `"${word.type}" was recorded as illegal: it may not follow what went before`),
  ];
  const [first] = says;
  return first === undefined ? [] : [flaw("engine-defect", { workflow, says: first })];
};
