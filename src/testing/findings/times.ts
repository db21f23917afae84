// Time limits that contradict what they limit: told from the definition, since whether one can ever fire, or always
// does, no number of runs can tell.
//
// Invariants:
//   D1. What is said to take so long at least does: of every way to success the shortest counts, and of it the waits.

import { isDeepStrictEqual } from "node:util";
import { durationOf } from "../../language/duration.ts";
import { innerBlocks } from "../../language/blocks.ts";
import { defaultTimeoutMs } from "../../actors/definition.ts";
import type { Duration, TaskSpec, WorkflowSpec } from "../../language/spec.ts";
import { flaw, type PlacedFlaw, type Subject, timeText } from "./flaw.ts";
import { specOf, type Walked, walkTasks } from "./tasks.ts";

const dayMs = 86_400_000;
const hourMs = 3_600_000;
/** What was checked has durations that are some. */
const msOf = (given: Duration): number => durationOf(given, "", () => undefined);
const msIn = (given: Duration | undefined): number | undefined => (given === undefined ? undefined : msOf(given));
const deadlineOf = ({ timeout }: WorkflowSpec): number => msIn(timeout) ?? dayMs;

export function contradictions(subject: Subject): PlacedFlaw[] {
  const { spec } = subject;
  const tasks = [...walkTasks(spec)];
  return [
    ...ofWhole(subject),
    ...tasks.flatMap((walked) => [
      ...tooShort(walked, subject),
      ...outlived(walked, subject),
      ...beyond(walked, subject),
    ]),
  ];
}

// ── how long success takes at least ──

type Workflows = ReadonlyMap<string, WorkflowSpec>;

/** The shortest way through a block, by its waits. Infinity if there is none. */
export function leastOf(block: readonly TaskSpec[], workflows: Workflows, seen: readonly string[] = []): number {
  const byId = new Map(block.map((task) => [task.id, task]));
  const known = new Map<string, number>(block[0] ? [[block[0].id, 0]] : []);
  let least = Infinity;
  const open = new Set(known.keys());
  for (const id of open) {
    open.delete(id);
    const task = byId.get(id);
    if (!task) continue;
    const at = known.get(id) ?? 0;
    const done = at + leastFor(task, workflows, seen);
    const errors = typeof task.on_error === "string" ? [task.on_error] : (task.on_error ?? []).map(({ next }) => next);
    const ways = task.type === "route" ? [...task.cases.map(({ next }) => next), task.default] : [task.next];
    if (task.type !== "route" && task.next === undefined) least = Math.min(least, done);
    const reaches = (to: string | undefined, when: number): void => {
      if (to === undefined || when >= (known.get(to) ?? Infinity)) return;
      known.set(to, when);
      open.add(to);
    };
    for (const to of ways) reaches(to, done);
    for (const to of errors) reaches(to, at);
  }
  return least;
}

function leastFor(task: TaskSpec, workflows: Workflows, seen: readonly string[]): number {
  if (task.type === "wait") return "duration" in task.wait ? msOf(task.wait.duration) : 0;
  if (task.type === "workflow") {
    const child = workflows.get(task.workflow);
    if (!child || task.detached || seen.includes(child.id)) return 0;
    return leastOf(child.tasks, workflows, [...seen, child.id]);
  }
  // One that fails is over at once, and a list may be empty.
  if (task.type !== "parallel" || task.strategy === "best_effort") return 0;
  const branches = innerBlocks(task).map(({ block }) => leastOf(block, workflows, seen));
  if (task.strategy === "race") return Math.min(...branches);
  return task.max_concurrency === 1 ? branches.reduce((sum, ms) => sum + ms, 0) : Math.max(0, ...branches);
}

function ofWhole({ spec, workflows }: Subject): PlacedFlaw[] {
  const least = leastOf(spec.tasks, workflows);
  if (least === Infinity) return [];
  const limits = [
    { path: ["timeout"], ms: msIn(spec.timeout), what: "its timeout" },
    { path: ["budget", "time"], ms: msIn(spec.budget?.time), what: "the time of its budget" },
  ];
  return limits.flatMap(({ path, ms, what }) => {
    if (ms === undefined || least <= ms) return [];
    const takes = `its waits alone take ${timeText(least)}, and ${what} is ${timeText(ms)}`;
    const says = `no run of "${spec.id}" can succeed: ${takes}`;
    return [flaw("timeout-always-fires", { workflow: spec.id, path, says })];
  });
}

function tooShort({ task, path }: Walked, { spec, workflows }: Subject): PlacedFlaw[] {
  if (task.type === "wait") return [];
  const least = leastFor(task, workflows, [spec.id]);
  return (["timeout", "total_timeout"] as const).flatMap((key) => {
    const ms = msIn(task[key]);
    if (ms === undefined || least <= ms || least === Infinity) return [];
    const takes = `what is in it takes ${timeText(least)} at least, and its ${key} is ${timeText(ms)}`;
    const says = `"${task.id}" cannot succeed: ${takes}`;
    return [flaw("timeout-always-fires", { workflow: spec.id, task: task.id, path: [...path, key], says })];
  });
}

// ── limits that are never reached, beyond those that loading warns of ──

function beyond({ task, path, isUndoing }: Walked, { spec, workflows }: Subject): PlacedFlaw[] {
  const limits: { ms: number; what: string }[] = [];
  if (isUndoing) limits.push({ ms: msIn(spec.undo_timeout) ?? hourMs, what: "undoing as a whole may take" });
  const child = task.type === "workflow" && !task.detached ? workflows.get(task.workflow) : undefined;
  if (child) limits.push({ ms: deadlineOf(child), what: `a run of "${child.id}" may take` });
  return (["timeout", "total_timeout"] as const).flatMap((key) => {
    const ms = msIn(task[key]);
    // Of a child: over all attempts it may take as often as long.
    const limit = limits.find((one) => ms !== undefined && ms > one.ms && (key === "timeout" || isUndoing));
    if (!limit || ms === undefined) return [];
    const why = `${limit.what} ${timeText(limit.ms)} at most`;
    const says = `the ${key} of "${task.id}" (${timeText(ms)}) is never reached: ${why}`;
    return [flaw("timeout-never-fires", { workflow: spec.id, task: task.id, path: [...path, key], says })];
  });
}

// ── retries ──

/** How long all attempts may take, if each takes as long as it may. */
function allAttempts(task: TaskSpec, { agents, tools }: Subject): { ms: number; attempts: number } | undefined {
  const { retry } = task;
  const attempts = retry?.max_attempts ?? 1;
  const callee =
    task.type === "agent" ? agents.get(task.agent) : task.type === "tool" ? tools.get(task.tool) : undefined;
  const isCall = task.type === "agent" || task.type === "tool" || task.type === "signal";
  const each =
    msIn(task.timeout) ?? msIn(callee?.timeout) ?? callee?.timeoutMs ?? (isCall ? defaultTimeoutMs : undefined);
  if (attempts < 2 || each === undefined) return undefined;
  const { initial = 1_000, factor = 2, max = 60_000, jitter = 0 } = retry?.backoff ?? {};
  let ms = attempts * each;
  for (let attempt = 1; attempt < attempts; attempt++) {
    ms += Math.min(msOf(max), msOf(initial) * factor ** (attempt - 1)) * (1 + jitter);
  }
  return { ms, attempts };
}

function outlived({ task, path, holders, isUndoing }: Walked, subject: Subject): PlacedFlaw[] {
  const all = allAttempts(task, subject);
  if (!all || task.total_timeout !== undefined) return [];
  const { spec, defaults } = subject;
  // What the project says for many tasks is not meant for the one that stands in something shorter.
  const isInherited = isDeepStrictEqual(task.retry, defaults?.retry);
  const around = (isInherited ? [] : holders).flatMap((node) => {
    const ms = msIn(specOf(node).timeout);
    return ms === undefined ? [] : [{ ms, what: `the timeout of "${node.id}" around it` }];
  });
  const outermost = isUndoing
    ? { ms: msIn(spec.undo_timeout) ?? hourMs, what: "undo_timeout" }
    : {
        ms: deadlineOf(spec),
        what: spec.timeout === undefined ? "the deadline of a run, 24h" : "the timeout of the workflow",
      };
  const limit = [...around, outermost].find(({ ms }) => all.ms > ms);
  if (!limit) return [];
  const says =
    `the ${all.attempts} attempts of "${task.id}" with their delays may take ${timeText(all.ms)},` +
    ` longer than ${limit.what} (${timeText(limit.ms)})`;
  const at = [...path, "retry", "max_attempts"];
  return [flaw("retries-outlive-deadline", { workflow: spec.id, task: task.id, path: at, says })];
}
