// I13: an `each` or `parallel` reports exactly what became of its lanes, and ends as its strategy says.

import { prepare, type Task } from "../../actors/definition.ts";
import { withLimits } from "../../actors/limits.ts";
import { sameJson } from "../../machines/answers.ts";
import { isTerminal } from "../../protocol/statuses.ts";
import type { Evidence, Told } from "./evidence.ts";

type Failure = { code: string; details?: { counts?: unknown; failed?: unknown } };
type Result = { output?: Record<string, unknown>; error?: Failure } | null;
/** How the last task of a lane stood when its container ended; a lane that was to go on is `open`. */
type Lane = { status: string; result: Result; line: number; isPlaced?: true };

export const tasksOf = ({ scenario }: Evidence): ReadonlyMap<string, Task> => {
  const limits = withLimits(scenario.limits);
  return new Map(scenario.workflows.flatMap((spec) => [...prepare(spec, limits).tasks]));
};
export const resultIn = ({ envelope }: Told): Result => (envelope["payload"] as { result: Result }).result;
export const contextIn = ({ envelope }: Told): Record<string, unknown> =>
  (envelope["payload"] as { context?: Record<string, unknown> }).context ?? {};
const nameIn = ({ envelope }: Told): string => (envelope["task"] as { id: string }).id;

export function* containers(evidence: Evidence, byExecution: ReadonlyMap<string, readonly Told[]>): Generator<string> {
  // Over a wire an end is recorded where it is said, and may be too late where it is heard.
  if (evidence.scenario.wire) return;
  const tasks = tasksOf(evidence);
  const events = [...byExecution.values()].flat();
  const children = Map.groupBy(
    events.filter(({ type }) => type === "event:TaskScheduled"),
    (told) => String(contextIn(told)["parent_exec_id"]),
  );
  const stillborn = Map.groupBy(
    events.filter((one) => isStillborn(one, byExecution)),
    ({ run }) => run,
  );
  for (const [execId, told] of byExecution) {
    const [first] = told;
    const task = first?.entity === "task" ? tasks.get(nameIn(first)) : undefined;
    if (!task || (task.spec.type !== "parallel" && task.spec.type !== "each")) continue;
    for (const end of told.filter((one) => one.disposition === "applied" && isTerminal(one.status))) {
      const began = told.findLast(({ line, status }) => line < end.line && status === "RUNNING")?.line ?? end.line;
      const isWithin = ({ line }: Told): boolean => line > began && line < end.line;
      const lanes = lanesOf((children.get(execId) ?? []).filter(isWithin), end.line, byExecution, tasks);
      for (const one of stillborn.get(end.run) ?? []) if (isWithin(one)) place(one, task, end, lanes);
      for (const what of judge(task, end, lanes)) yield `${task.id} ${execId}, attempt ${end.attempt}: ${what}`;
    }
  }
}

/** It failed before it was scheduled, because its input could not be made: then it does not say where it stood. */
export const isStillborn = (one: Told, byExecution: ReadonlyMap<string, readonly Told[]>): boolean =>
  one.type === "event:TaskExecutionFailed" && byExecution.get(one.execId)?.[0] === one;

/** Where a task stood that did not say it: by its id, or by what the container says of its error. */
function place(one: Told, { spec }: Task, end: Told, lanes: Map<string | number, Lane>): void {
  const id = nameIn(one);
  const lane: Lane = { status: "FAILED", result: resultIn(one), line: one.line };
  const isLater = (label: string | number): boolean => (lanes.get(label)?.line ?? 0) < one.line;
  if (spec.type === "parallel") {
    for (const [name, block] of Object.entries(spec.branches)) {
      const own = block.find((step) => step.id === id);
      if (own && isLater(name)) lanes.set(name, goesOn(own, one) ? { ...lane, status: "open" } : lane);
    }
    return;
  }
  const own = spec.type === "each" ? spec.do.find((step) => step.id === id) : undefined;
  if (!own || goesOn(own, one)) return;
  const { output, error } = resultIn(end) ?? {};
  const failed = (error?.details?.failed ?? []) as { lane: number; exec_id: string }[];
  const listed = failed.find(({ exec_id }) => exec_id === one.execId)?.lane;
  const errors = (output?.["errors"] ?? []) as { index: number; error: Failure }[];
  const fits = errors.find(({ index, error: { code } }) => {
    return (
      code === lane.result?.error?.code &&
      isLater(index) &&
      lanes.get(index)?.status !== "SUCCESS" &&
      !lanes.get(index)?.isPlaced
    );
  })?.index;
  const label = listed ?? fits;
  if (label !== undefined) lanes.set(label, { ...lane, isPlaced: true });
}

function lanesOf(
  children: readonly Told[],
  before: number,
  byExecution: ReadonlyMap<string, readonly Told[]>,
  tasks: ReadonlyMap<string, Task>,
): Map<string | number, Lane> {
  const lanes = new Map<string | number, Lane>();
  for (const child of children) {
    const { branch, index } = contextIn(child) as { branch?: string; index?: number };
    const ends = (byExecution.get(child.execId) ?? []).filter(
      (one) => one.line < before && one.disposition === "applied",
    );
    const last = ends.at(-1);
    const spec = tasks.get(nameIn(child))?.spec;
    const isOver = last !== undefined && isTerminal(last.status) && spec !== undefined && !goesOn(spec, last);
    const { line } = child;
    lanes.set(
      branch ?? index ?? "",
      isOver ? { status: last.status, result: resultIn(last), line } : { ...open, line },
    );
  }
  return lanes;
}
const open: Lane = { status: "open", result: null, line: 0 };

/** The task of its block to which what a task came to leads, if it does. */
export function onward(spec: Task["spec"], end: Told): string | undefined {
  const result = resultIn(end);
  if (end.status === "SUCCESS") {
    const { next } = spec.type === "route" ? (result?.output ?? {}) : spec;
    return typeof next === "string" ? next : undefined;
  }
  if (end.status === "CANCELED") return undefined;
  const { on_error } = spec;
  return typeof on_error === "string" ? on_error : on_error?.[0]?.next;
}
const goesOn = (spec: Task["spec"], end: Told): boolean => onward(spec, end) !== undefined;

function* judge({ spec }: Task, end: Told, lanes: ReadonlyMap<string | number, Lane>): Generator<string> {
  if (spec.type !== "parallel" && spec.type !== "each") return;
  const { strategy = "all" } = spec;
  const { output, error } = resultIn(end) ?? {};
  const ok = [...lanes.values()].filter(({ status }) => status === "SUCCESS").length;
  const open_ = [...lanes.values()].filter(({ status }) => status === "open").length;
  const failed = lanes.size - ok - open_;
  if (end.status === "FAILED" && error?.code === "CHILD_FAILED") {
    if (failed === 0) yield "it failed because of a child, and none has failed";
    if (strategy === "race" && ok > 0) yield "the race was won, and it failed";
    if (strategy === "best_effort") yield "it failed because of a child, and it bears that";
    if (strategy !== "fail_fast" && open_ > 0) yield "it did not wait for a child that was open";
    const counts = error.details?.counts as { ok: number; failed: number; skipped: number } | undefined;
    // Of those that end at once, the first decides for one that does not wait.
    const isWrong = (told: number, is: number): boolean => (strategy === "fail_fast" ? told > is : told !== is);
    if (counts && (isWrong(counts.ok, ok) || isWrong(counts.failed, failed))) {
      yield `it counts ${counts.ok} ok and ${counts.failed} failed, and there are ${ok} and ${failed}`;
    }
  }
  if (end.status !== "SUCCESS" || !output) return;
  if (strategy === "race") {
    const won = lanes.get(output["winner"] as string | number);
    if (lanes.size > 0 && won?.status !== "SUCCESS") yield `'${String(output["winner"])}' won, and is ${won?.status}`;
    else if (won && !sameJson(won.result?.output, output["result"])) yield "the winner gave something else";
    return;
  }
  if (open_ > 0) yield "it ended well while a child was open";
  if (strategy !== "best_effort" && failed > 0) yield "it ended well, and a child has failed";
  yield* reported(spec.type === "parallel" ? Object.keys(spec.branches) : null, output, lanes);
}

function* reported(
  names: readonly string[] | null,
  output: Record<string, unknown>,
  lanes: ReadonlyMap<string | number, Lane>,
): Generator<string> {
  const results = output["results"] as Record<string | number, unknown>;
  const errors = new Map<string | number, Failure>(
    names
      ? Object.entries(output["errors"] as Record<string, Failure>)
      : (output["errors"] as { index: number; error: Failure }[]).map(({ index, error }) => [index, error]),
  );
  const labels = names ?? Array.from(Object.keys(results), (_, index) => index);
  if (labels.length !== lanes.size) yield `it reports ${labels.length} lanes, and ${lanes.size} were begun`;
  for (const label of labels) {
    const lane = lanes.get(label);
    const isOk = lane?.status === "SUCCESS";
    if (isOk && !sameJson(results[label], lane.result?.output)) yield `lane ${label} gave something else`;
    if (!isOk && results[label] !== null) yield `lane ${label} is ${lane?.status}, and has a result`;
    if (isOk === errors.has(label))
      yield `lane ${label} is ${lane?.status}, and its error is ${isOk ? "" : "not "}listed`;
    const code = lane?.status === "CANCELED" ? "CHILD_FAILED" : lane?.result?.error?.code;
    if (!isOk && errors.get(label)?.code !== code) yield `lane ${label} failed with ${code}, and another is listed`;
  }
}
