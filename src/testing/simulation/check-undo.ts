// I14: what a run had done is undone if it does not end well, and only then: each success once, the newest first.

import type { Task } from "../../actors/definition.ts";
import { withLimits } from "../../actors/limits.ts";
import { innerBlocks } from "../../language/blocks.ts";
import type { TaskSpec } from "../../language/spec.ts";
import { isTerminal } from "../../protocol/statuses.ts";
import { contextIn, isStillborn, onward, resultIn, tasksOf } from "./check-containers.ts";
import type { Evidence, Told } from "./evidence.ts";

type Undone = { done: number; failed: { task: string; code: string }[]; unlisted?: number };
/** The tasks of undo blocks, by id: what they undo, and whether they are the first of their block. */
type Undoing = ReadonlyMap<string, { of: string; isEntry: boolean }>;

const idIn = ({ envelope }: Told): string => (envelope["task"] as { id: string }).id;

export function* compensation(evidence: Evidence, told: readonly Told[]): Generator<string> {
  // Over a wire an end is recorded where it is said, and may be too late where it is heard.
  if (evidence.scenario.wire) return;
  const tasks = tasksOf(evidence);
  const { stepsMax } = withLimits(evidence.scenario.limits);
  const undoing = undoingIn(evidence.scenario.workflows.flatMap((spec) => spec.tasks));
  const roots = new Map(
    [...evidence.disk.rows.values()].filter(({ execId, run }) => execId === run).map((row) => [row.run, row]),
  );
  for (const [run, events] of Map.groupBy(told, (one) => one.run)) {
    const root = roots.get(run);
    if (root?.entity !== "workflow" || !isTerminal(root.status)) continue;
    const own = events.filter(({ entity, disposition }) => entity === "task" && disposition === "applied");
    const end = events.findLast(({ execId, disposition }) => execId === run && disposition === "applied");
    if (end) for (const what of ofRun(own, end, tasks, undoing, stepsMax)) yield `${root.id} ${run}: ${what}`;
  }
}

/** Every task of an undo block, however deep in it. */
function undoingIn(specs: readonly TaskSpec[]): Undoing {
  const found = new Map<string, { of: string; isEntry: boolean }>();
  const within = (block: readonly TaskSpec[], of: string, isTop: boolean): void => {
    for (const [index, task] of block.entries()) {
      found.set(task.id, { of, isEntry: isTop && index === 0 });
      for (const { block: inner } of innerBlocks(task)) within(inner, of, false);
    }
  };
  const look = (block: readonly TaskSpec[]): void => {
    for (const task of block) {
      if (task.undo) within(task.undo, task.id, true);
      for (const { block: inner } of innerBlocks(task)) look(inner);
    }
  };
  look(specs);
  return found;
}

function* ofRun(
  events: readonly Told[],
  end: Told,
  tasks: ReadonlyMap<string, Task>,
  undoing: Undoing,
  stepsMax: number,
): Generator<string> {
  const undone = lanesOf(events, tasks, undoing, stepsMax);
  const [first] = undone;
  if (end.status === "SUCCESS") {
    if (first) yield `it ended well, and '${first.of}' was undone`;
    return;
  }
  // A run whose charts broke can do nothing more.
  if (resultIn(end)?.error?.code === "INTERNAL_ERROR") return;
  const done = events
    .filter((one) => one.status === "SUCCESS" && !undoing.has(idIn(one)) && tasks.get(idIn(one))?.undo)
    .map(idIn)
    .reverse();
  const late = first && events.find((one) => one.line > first.line && !undoing.has(idIn(one)));
  if (late) yield `'${late.type}' of '${idIn(late)}' came after '${first.of}' began to be undone`;
  const order = undone.map(({ of }) => of);
  const report = contextIn(end)["undo"] as Undone | undefined;
  const isOverTime = report?.failed.some(({ code }) => code === "UNDO_TIMEOUT") === true;
  const wanted = isOverTime ? done.slice(0, order.length) : done;
  if (String(order) !== String(wanted)) yield `[${order.join()}] were undone, and [${wanted.join()}] were to be`;
  const told = report ? report.done + report.failed.length + (report.unlisted ?? 0) : 0;
  if (told !== done.length) yield `it tells of ${told} that were to be undone, and there are ${done.length}`;
  const ok = undone.filter(({ isOk }) => isOk).length;
  if (report && report.done !== ok) yield `it tells that ${report.done} were undone, and ${ok} were`;
}

/** What was begun to be undone, in order, and whether that ended well. */
function lanesOf(events: readonly Told[], tasks: ReadonlyMap<string, Task>, undoing: Undoing, stepsMax: number) {
  const byExecution = Map.groupBy(events, ({ execId }) => execId);
  const lanes: { of: string; line: number; isOk: boolean }[] = [];
  let isOpen = false;
  let times = new Map<string, number>();
  for (const one of events) {
    const known = undoing.get(idIn(one));
    const isBegin = one.type === "event:TaskScheduled" || isStillborn(one, byExecution);
    if (known?.isEntry && !isOpen && isBegin) {
      lanes.push({ of: known.of, line: one.line, isOk: false });
      isOpen = true;
      times = new Map();
    }
    if (known && isBegin) times.set(idIn(one), (times.get(idIn(one)) ?? 0) + 1);
    const spec = tasks.get(idIn(one))?.spec;
    const lane = lanes.at(-1);
    if (!known || !isOpen || !spec || !lane || !isTerminal(one.status) || !isTopOf(known.of, one, tasks)) continue;
    const isRetried = events.some(
      (other) => other.line > one.line && other.execId === one.execId && other.type === "event:TaskRetryScheduled",
    );
    const next = onward(spec, one);
    // One that would run too often is given up there.
    const isOver = next !== undefined && (times.get(next) ?? 0) >= stepsMax;
    if (isRetried || (next !== undefined && !isOver)) continue;
    lane.isOk = one.status === "SUCCESS" && !isOver;
    isOpen = false;
  }
  return lanes;
}

/** Whether it is a task of the undo block itself, and of none within it. */
const isTopOf = (of: string, one: Told, tasks: ReadonlyMap<string, Task>): boolean =>
  tasks.get(of)?.undo?.some(({ id }) => id === idIn(one)) === true;
