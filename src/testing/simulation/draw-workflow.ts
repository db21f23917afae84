// Workflows by chance, over the whole language: whatever may stand in one stands in some, at any depth.

import type {
  BudgetSpec,
  JsonSchema,
  RateSpec,
  RetrySpec,
  RunConcurrencySpec,
  Strategy,
  TaskSpec,
  Value,
  WaitSpec,
  WorkflowSpec,
} from "../../language/spec.ts";
import type { Dice } from "./dice.ts";

export const agents = ["ann", "bob"] as const;
/** Only runtimes in other processes serve it. */
export const foreign = "eve";
export const tools = ["saw", "hammer"] as const;
export const signals = ["go", "stop"] as const;

/** How deep containers stand in each other at most. */
const depthMax = 2;

type Means = { dice: Dice; children: readonly string[]; isForeign: boolean; id: () => string };
/** Where a task stands: what it may speak of, and what it may not be. */
type Place = { depth: number; before: readonly string[]; isItem: boolean; isUndo: boolean };

export function workflowOf(dice: Dice, id: string, children: readonly string[], isForeign: boolean): WorkflowSpec {
  let count = 0;
  const means: Means = { dice, children, isForeign, id: () => `${id}_${++count}` };
  return {
    id,
    tasks: blockOf(means, { depth: 0, before: [], isItem: false, isUndo: false }),
    timeout: dice.pick(["2s", "20s", "60s", "90s"]),
    ...(dice.chance(0.2) && { result: resultOf(dice) }),
    ...(dice.chance(0.3) && { undo_timeout: dice.pick(["1s", "20s"]) }),
    ...(dice.chance(0.15) && { concurrency: concurrencyOf(dice) }),
    ...(dice.chance(0.15) && { rate: rateOf(dice) }),
    ...(dice.chance(0.2) && { priority: dice.pick<Value>([5, -5, "${{ input.n * 10 }}"]) }),
    ...(dice.chance(0.2) && { fair_by: "${{ input.n }}" }),
    ...(dice.chance(0.15) && { budget: budgetOf(dice) }),
    ...(dice.chance(0.15) && { input: inputSchemaOf(dice) }),
    ...(dice.chance(0.1) && { output: outputSchemaOf(dice) }),
  };
}

// ── blocks and tasks ──

function blockOf(means: Means, place: Place): TaskSpec[] {
  const { dice } = means;
  const ids = dice.many(1, place.depth === 0 && !place.isUndo ? 4 : 2, means.id);
  return ids.map((id, index) => {
    const at = { ...place, before: [...place.before, ...ids.slice(0, index)] };
    const bare = taskOf(means, id, at, ids.slice(index + 1));
    const task = { ...bare, ...extrasOf(means, at, bare.type) } as TaskSpec;
    const next = ids[index + 1];
    if (task.type === "route" || next === undefined) return task;
    // Onward, or back: a loop ends at its limit of steps.
    const [first = next, ...others] = ids;
    return { ...task, next, ...(dice.chance(0.25) && { on_error: dice.pick([first, ...others]) }) };
  });
}

function taskOf(means: Means, id: string, place: Place, later: readonly string[]): TaskSpec {
  const { dice, children } = means;
  const [child] = children;
  const [next, ...others] = later;
  const roll = dice.between(0, 21);
  if (roll < 6) return { id, type: "agent", agent: means.isForeign && dice.chance(0.6) ? foreign : dice.pick(agents) };
  if (roll < 10) return { id, type: "tool", tool: dice.pick(tools) };
  if (roll < 13) return { id, type: "wait", wait: waitOf(dice, place), timeout: dice.pick(["1s", "10s", "40s"]) };
  if (roll < 14)
    return { id, type: "signal", signal: dice.pick(signals), ...(dice.chance(0.3) && { to: "${{ input.other }}" }) };
  if (roll < 16 && child !== undefined) {
    const workflow = dice.chance(0.9) ? child : "nowhere";
    return { id, type: "workflow", workflow, ...(dice.chance(0.2) && { detached: true }) };
  }
  if (roll < 18 && place.depth < depthMax) return parallelOf(means, id, place);
  if (roll < 20 && place.depth < depthMax) return eachOf(means, id, place);
  if (next !== undefined) {
    const last = others.at(-1) ?? next;
    const cases = [{ when: dice.pick(["${{ input.flag }}", "${{ input.n > 0 }}"]), next }];
    return { id, type: "route", cases, ...(dice.chance(0.8) && { default: last }) };
  }
  return { id, type: "agent", agent: dice.pick(agents) };
}

const within = (place: Place): Place => ({ ...place, depth: place.depth + 1 });
const strategies = ["all", "fail_fast", "best_effort", "race"] as const satisfies readonly Strategy[];

function parallelOf(means: Means, id: string, place: Place): TaskSpec {
  const { dice } = means;
  const names = ["left", "middle", "right"].slice(0, dice.between(1, 3));
  const branches = Object.fromEntries(names.map((name) => [name, blockOf(means, within(place))]));
  const strategy = dice.pick(strategies);
  return { id, type: "parallel", branches, strategy, ...(dice.chance(0.3) && { max_concurrency: dice.between(1, 2) }) };
}

function eachOf(means: Means, id: string, place: Place): TaskSpec {
  const { dice } = means;
  const items = dice.pick<Value>(["${{ input.items }}", "${{ input.items }}", "${{ [1, 2, 3] }}", () => ["a", "b"]]);
  return {
    id,
    type: "each",
    items: dice.chance(0.05) ? "${{ input.n }}" : items,
    do: blockOf(means, { ...within(place), isItem: true }),
    strategy: dice.pick(strategies),
    ...(dice.chance(0.6) && { max_concurrency: dice.between(1, 4) }),
  };
}

const waitOf = (dice: Dice, { depth }: Place): WaitSpec =>
  dice.pick<() => WaitSpec>([
    () => ({ signal: dice.pick(signals) }),
    () => ({ signal: dice.pick(signals), match: "${{ signal.payload.n == input.n }}" }),
    () => ({ approval: "may it?" }),
    // One that can never end within the timeout around it is refused.
    () => ({ duration: depth === 0 ? dice.pick(["10ms", "1s"]) : "10ms" }),
    () => ({
      until: dice.pick<Value>([
        "${{ now() + duration('900ms') }}",
        "${{ now() - duration('5s') }}",
        "2026-01-01T00:00:07Z",
      ]),
    }),
  ])();

/** What can be undone: whatever may have done something outside. */
const undoable: readonly TaskSpec["type"][] = ["agent", "tool", "workflow", "signal"];
const untried: readonly TaskSpec["type"][] = ["wait", "route"];

function extrasOf(means: Means, place: Place, type: TaskSpec["type"]): Partial<TaskSpec> {
  const { dice } = means;
  const isTried = !untried.includes(type);
  const isCall = type === "agent" || type === "tool";
  return {
    with: valueOf(dice, place),
    ...(isTried && dice.chance(0.3) && { timeout: dice.pick(["100ms", "2s", "15s"]) }),
    ...(isTried && dice.chance(0.4) && { retry: retryOf(dice) }),
    ...(isTried && dice.chance(0.15) && { total_timeout: dice.pick(["300ms", "5s", "30s"]) }),
    ...(dice.chance(0.1) && { start_timeout: dice.pick(["1s", "10s"]) }),
    ...(isCall && dice.chance(0.15) && { heartbeat: dice.pick(["50ms", "2s"]) }),
    ...(dice.chance(0.07) && !place.isUndo && { pause_before: "look first" }),
    ...(undoable.includes(type) &&
      !place.isUndo &&
      dice.chance(0.25) && {
        undo: blockOf(means, { ...place, depth: depthMax, isUndo: true }),
      }),
  };
}

type Backoff = NonNullable<RetrySpec["backoff"]>;
const backoffs: readonly [Backoff, ...Backoff[]] = [
  { initial: 0, max: "50ms" },
  { initial: "20ms", max: "50ms" },
  { initial: "20ms", max: "5s" },
  { initial: "1s", max: "5s" },
];
const retryOf = (dice: Dice): RetrySpec => ({
  max_attempts: dice.between(1, 4),
  backoff: { ...dice.pick(backoffs), factor: dice.pick([1, 2]), jitter: dice.pick([0, 0.5]) },
  ...(dice.chance(0.2) && { never_on: ["CARD_DECLINED"] }),
});

// ── values ──

function valueOf(dice: Dice, { before, isItem }: Place): Value {
  const [known, ...more] = before;
  const earlier = known === undefined ? "" : dice.pick([known, ...more]);
  const values: [Value, ...Value[]] = [
    {},
    { n: "${{ input.n }}" },
    { n: "${{ input.n }}", flag: true, other: "nobody", items: "${{ input.items }}" },
    { text: "number ${{ input.n }}", deep: { run: "${{ workflow.exec_id }}" } },
    { even: "${{ [1, 2, 3, 4].filter(x, x % 2 == 0) }}", input: "${{ json(input) }}" },
    ({ tasks }) => ({ before: Object.keys(tasks).length }),
    dice.chance(0.1) ? { nothing: "${{ input.absent }}" } : { nothing: "${{ default(input.absent, 0) }}" },
    dice.chance(0.1)
      ? () => {
          throw new Error("a template that throws");
        }
      : {},
  ];
  if (isItem) values.push({ item: "${{ item }}", index: "${{ index }}" }, { place: "${{ index }} of ${{ item }}" });
  if (earlier !== "") {
    values.push({ was: `\${{ default(tasks.${earlier}.output, "nothing") }}` });
    // It may have been passed by.
    if (dice.chance(0.3)) values.push({ was: `\${{ tasks.${earlier}.output }}` });
  }
  return dice.pick(values);
}

const resultOf = (dice: Dice): Value =>
  dice.pick<Value>([
    { n: "${{ input.n }}" },
    ({ tasks }) => ({ done: Object.keys(tasks) }),
    "${{ input.absent.output }}",
  ]);

// ── limits of a workflow ──

const concurrencyOf = (dice: Dice): RunConcurrencySpec => ({
  limit: dice.between(1, 2),
  ...(dice.chance(0.5) && { key: "${{ input.n }}" }),
  ...dice.pick<Partial<RunConcurrencySpec>>([
    {},
    { on_limit: "queue", queue_max: dice.between(1, 2) },
    { on_limit: "skip" },
    { on_limit: "cancel_oldest" },
  ]),
});

export const rateOf = (dice: Dice): RateSpec => ({
  limit: dice.between(1, 3),
  per: dice.pick(["200ms", "3s", "10s"]),
  ...(dice.chance(0.5) && { key: "${{ input.n }}" }),
});

const budgetOf = (dice: Dice): BudgetSpec => ({
  ...dice.pick<BudgetSpec>([{ tokens: dice.between(3, 30) }, { cost: 0.5 }, { time: dice.pick(["1s", "10s"]) }]),
  on_limit: dice.pick(["fail", "pause"]),
});

const inputSchemaOf = (dice: Dice): JsonSchema => ({
  type: "object",
  properties: { n: { type: "integer", maximum: dice.between(0, 1) }, extra: { default: "filled in" } },
  required: ["n"],
});
const outputSchemaOf = (dice: Dice): JsonSchema =>
  dice.chance(0.5) ? { type: "object" } : { type: "object", required: ["missing"] };
