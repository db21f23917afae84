// A failing scenario made smaller, as long as it fails in the same way: less of everything, then simpler handlers.

import { innerBlocks } from "../../language/blocks.ts";
import type { TaskSpec, WorkflowSpec } from "../../language/spec.ts";
import type { Finding } from "./evidence.ts";
import type { Variant } from "./life.ts";
import type { Scenario } from "./scenario.ts";
import { playScenario } from "./play-scenario.ts";

/** A scenario with less in it. */
type Smaller = (scenario: Scenario) => Scenario | undefined;

const without = <T>(list: readonly T[], from: number, count: number): T[] =>
  list.filter((_, index) => index < from || index >= from + count);

/** Every way to take a part of a list away: large parts first. */
function* cuts<K extends "moves" | "faults" | "foreigners">(key: K, length: number): Generator<Smaller> {
  for (let count = Math.max(1, length >> 1); count >= 1; count >>= 1) {
    for (let from = length - count; from >= 0; from -= count) {
      yield (scenario) =>
        scenario[key].length < from + count
          ? undefined
          : { ...scenario, [key]: without<unknown>(scenario[key], from, count) };
    }
  }
}

function* reductions(scenario: Scenario): Generator<Smaller> {
  yield* cuts("faults", scenario.faults.length);
  yield* cuts("moves", scenario.moves.length);
  yield* cuts("foreigners", scenario.foreigners.length);
  yield (one) => ({ ...one, weather: { drop: 0, double: 0, delay: 0, delayMs: 0, cuts: [] } });
  yield (one) => ({ ...one, wire: false });
  for (const name of Object.keys(scenario.limits)) {
    yield (one) => ({ ...one, limits: Object.fromEntries(Object.entries(one.limits).filter(([key]) => key !== name)) });
  }
  for (const { id } of scenario.workflows) {
    yield (one) => ({ ...one, workflows: one.workflows.filter((spec) => spec.id !== id) });
    // The tail of a workflow: what is left still leads from task to task.
    yield (one) => ({
      ...one,
      workflows: one.workflows.map((spec) => (spec.id === id ? { ...spec, tasks: lastTaken(spec.tasks) } : spec)),
    });
  }
  for (const { id, tasks } of scenario.workflows) {
    for (const key of optional.workflow) yield inWorkflow(id, ({ [key]: _gone, ...spec }) => spec as WorkflowSpec);
    for (const task of within(tasks)) {
      for (const key of optional.task) {
        if (key in task) yield inWorkflow(id, (spec) => ({ ...spec, tasks: lighter(spec.tasks, task.id, key) }));
      }
    }
  }
  for (const kind of ["agents", "tools"] as const) {
    for (const { id } of scenario[kind]) {
      yield (one) => ({
        ...one,
        [kind]: one[kind].map((cast) => (cast.id === id ? { id, acts: [{ do: "answer" }] } : cast)),
      });
      yield (one) => ({
        ...one,
        [kind]: one[kind].map((cast) => (cast.id === id ? { id, acts: cast.acts.slice(0, 1) } : cast)),
      });
    }
  }
  yield (one) => ({ ...one, commitMs: 0 });
}

/** What a workflow and its tasks can do without. */
const optional = {
  workflow: [
    "concurrency",
    "rate",
    "budget",
    "priority",
    "fair_by",
    "input",
    "output",
    "undo_timeout",
    "result",
    "triggers",
  ],
  task: ["undo", "retry", "total_timeout", "start_timeout", "heartbeat", "pause_before", "with"],
} as const;

const inWorkflow =
  (id: string, change: (spec: WorkflowSpec) => WorkflowSpec): Smaller =>
  (one) => ({ ...one, workflows: one.workflows.map((spec) => (spec.id === id ? change(spec) : spec)) });

const within = (tasks: readonly TaskSpec[]): TaskSpec[] =>
  tasks.flatMap((task) => [task, ...innerBlocks(task).flatMap(({ block }) => within(block))]);

/** The same tasks, one of them without one of its keys. */
function lighter(tasks: readonly TaskSpec[], id: string, key: (typeof optional.task)[number]): TaskSpec[] {
  return tasks.map((task) => {
    const { [key]: gone, ...rest } = task;
    const one = (task.id === id || gone === undefined ? rest : { ...rest, [key]: gone }) as TaskSpec;
    if (one.type === "each") return { ...one, do: lighter(one.do, id, key) };
    if (one.type !== "parallel") return one;
    const branches = Object.entries(one.branches).map(([name, block]) => [name, lighter(block, id, key)]);
    return { ...one, branches: Object.fromEntries(branches) as typeof one.branches };
  });
}

function lastTaken(tasks: Scenario["workflows"][number]["tasks"]): typeof tasks {
  const kept = tasks.slice(0, -1);
  const last = tasks.at(-1)?.id;
  return kept.map((task) => {
    const { next, on_error, ...rest } = task;
    return {
      ...rest,
      ...(next !== last && next && { next }),
      ...(on_error !== last && on_error && { on_error }),
    } as typeof task;
  });
}

export type Shrunk = { scenario: Scenario; findings: readonly Finding[]; plays: number };

/** Tries so many plays at most. What cannot be played any more, because a definition broke, is not smaller. */
export async function shrink(
  scenario: Scenario,
  findings: readonly Finding[],
  variant: Variant = {},
  playsMax = 200,
): Promise<Shrunk> {
  const wanted = findings[0]?.invariant;
  let smallest: Shrunk = { scenario, findings, plays: 0 };
  let plays = 0;
  for (let isSmaller = true; isSmaller && plays < playsMax;) {
    isSmaller = false;
    for (const reduce of reductions(smallest.scenario)) {
      if (plays >= playsMax) break;
      const tried = reduce(smallest.scenario);
      if (!tried || sizeOf(tried) >= sizeOf(smallest.scenario)) continue;
      plays += 1;
      const again = await findingsOf(tried, variant);
      if (!again.some(({ invariant }) => invariant === wanted)) continue;
      smallest = { scenario: tried, findings: again, plays };
      isSmaller = true;
    }
  }
  return { ...smallest, plays };
}

/** A scenario that makes no sense any more finds nothing. */
async function findingsOf(scenario: Scenario, variant: Variant): Promise<Finding[]> {
  try {
    return (await playScenario(scenario, variant)).findings;
  } catch {
    return [];
  }
}

const sizeOf = (scenario: Scenario): number => textOf(scenario).length;

/** As people read it; functions stand in it as their text. */
export const textOf = (scenario: Scenario): string =>
  JSON.stringify(scenario, (_, value: unknown) => (typeof value === "function" ? `fn ${String(value)}` : value));
