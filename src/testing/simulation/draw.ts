// A scenario by chance: what a seed stands for.

import type { RetrySpec, TaskSpec, WaitSpec, WorkflowSpec } from "../../actors/definition.ts";
import type { Limits } from "../../actors/limits.ts";
import type { Value } from "../../actors/template.ts";
import type { Strategy } from "../../machines/plan.ts";
import { type Dice, diceFrom } from "./dice.ts";
import type { Act, Cast, Fault, Foreigner, Move, Scenario, Weather } from "./scenario.ts";

const agents = ["ann", "bob"] as const;
/** Only runtimes in other processes serve it. */
const foreign = "eve";
const tools = ["saw", "hammer"] as const;
const signals = ["go", "stop"] as const;
const workflows = ["first", "second", "third"] as const;

export function scenarioOf(seed: number, { isForeign = seed % 3 === 0 }: { isForeign?: boolean } = {}): Scenario {
  const dice = diceFrom(seed);
  const calmAt = dice.between(5_000, 60_000);
  const names = workflows.slice(0, dice.between(1, workflows.length));
  // What a process had not sent to itself when it died is not sent again: a wire is searched without its death.
  const isWire = isForeign && dice.chance(0.4);
  const specs = names.map((id, index) => workflowOf(dice, id, names.slice(index + 1), isForeign));
  return {
    seed,
    workflows: specs,
    agents: agents.map((id) => castOf(dice, id, true)),
    tools: tools.map((id) => castOf(dice, id, false)),
    moves: movesOf(dice, specs, calmAt),
    faults: faultsOf(dice, calmAt).filter((fault) => !isWire || (fault.do !== "crash" && fault.do !== "stop")),
    foreigners: isForeign ? dice.many(1, 2, (index) => foreignerOf(dice, index, calmAt)) : [],
    weather:
      isForeign && dice.chance(0.6) ? weatherOf(dice, calmAt) : { drop: 0, double: 0, delay: 0, delayMs: 0, cuts: [] },
    wire: isWire,
    limits: limitsOf(dice),
    commitMs: dice.pick([0, 0, 1, 5, 20]),
    calmAt,
  };
}

// ── workflows ──

function workflowOf(dice: Dice, id: string, children: readonly string[], isForeign: boolean): WorkflowSpec {
  let count = 0;
  const means: Means = { dice, children, isForeign, id: () => `${id}-${++count}` };
  return {
    id,
    tasks: blockOf(means, 0),
    timeout: dice.pick(["2s", "20s", "60s", "90s"]),
    ...(dice.chance(0.2) && { result: resultOf(dice) }),
  };
}

type Means = { dice: Dice; children: readonly string[]; isForeign: boolean; id: () => string };

function blockOf(means: Means, depth: number): TaskSpec[] {
  const { dice } = means;
  const ids = dice.many(1, depth === 0 ? 4 : 2, means.id);
  return ids.map((id, index) => {
    const bare = taskOf(means, id, depth, ids.slice(index + 1));
    const task = { ...bare, ...extrasOf(dice, bare.type) } as TaskSpec;
    const next = ids[index + 1];
    if (task.type === "route" || next === undefined) return task;
    // Onward, or back: a loop ends at its limit of steps.
    const [first = next, ...others] = ids;
    return { ...task, next, ...(dice.chance(0.25) && { on_error: dice.pick([first, ...others]) }) };
  });
}

function taskOf(means: Means, id: string, depth: number, later: readonly string[]): TaskSpec {
  const { dice, children } = means;
  const [child] = children;
  const [next, ...others] = later;
  const roll = dice.between(0, 19);
  if (roll < 6) return { id, type: "agent", agent: means.isForeign && dice.chance(0.6) ? foreign : dice.pick(agents) };
  if (roll < 10) return { id, type: "tool", tool: dice.pick(tools) };
  if (roll < 13) return { id, type: "wait", wait: waitOf(dice), timeout: dice.pick(["1s", "10s", "40s"]) };
  if (roll < 14)
    return { id, type: "signal", signal: dice.pick(signals), ...(dice.chance(0.3) && { to: "${{ input.other }}" }) };
  if (roll < 16 && child !== undefined) return { id, type: "workflow", workflow: dice.chance(0.9) ? child : "nowhere" };
  if (roll < 18 && depth < 2) return parallelOf(means, id, depth);
  if (next !== undefined) {
    const last = others.at(-1) ?? next;
    return {
      id,
      type: "route",
      cases: [{ when: "${{ input.flag }}", next }],
      ...(dice.chance(0.8) && { default: last }),
    };
  }
  return { id, type: "agent", agent: dice.pick(agents) };
}

function parallelOf(means: Means, id: string, depth: number): TaskSpec {
  const { dice } = means;
  const names = ["left", "middle", "right"].slice(0, dice.between(1, 3));
  const branches = Object.fromEntries(names.map((name) => [name, blockOf(means, depth + 1)]));
  const strategy = dice.pick<Strategy>(["all", "fail_fast", "best_effort", "race"]);
  return { id, type: "parallel", branches, strategy, ...(dice.chance(0.3) && { max_concurrency: dice.between(1, 2) }) };
}

const waitOf = (dice: Dice): WaitSpec =>
  dice.pick<() => WaitSpec>([
    () => ({ signal: dice.pick(signals) }),
    () => ({ approval: "may it?" }),
    () => ({ duration: dice.pick(["10ms", "3s", "20s"]) }),
  ])();

function extrasOf(dice: Dice, type: TaskSpec["type"]): Partial<TaskSpec> {
  return {
    with: valueOf(dice),
    ...(dice.chance(0.3) && { timeout: dice.pick(["100ms", "2s", "15s"]) }),
    ...(type !== "wait" && type !== "route" && dice.chance(0.4) && { retry: retryOf(dice) }),
    ...(dice.chance(0.1) && { start_timeout: dice.pick(["1s", "10s"]) }),
    ...(dice.chance(0.07) && { pause_before: "look first" }),
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

const valueOf = (dice: Dice): Value =>
  dice.pick<Value>([
    {},
    { n: "${{ input.n }}" },
    { text: "number ${{ input.n }}", deep: { run: "${{ workflow.exec_id }}" } },
    ({ tasks }) => ({ before: Object.keys(tasks).length }),
    dice.chance(0.1) ? { nothing: "${{ input.absent }}" } : {},
    dice.chance(0.1)
      ? () => {
          throw new Error("a template that throws");
        }
      : {},
  ]);
const resultOf = (dice: Dice): Value =>
  dice.pick<Value>([
    { n: "${{ input.n }}" },
    ({ tasks }) => ({ done: Object.keys(tasks) }),
    "${{ tasks.absent.output }}",
  ]);

// ── handlers ──

const castOf = (dice: Dice, id: string, isAgent: boolean): Cast => ({
  id,
  acts: dice.many(1, 5, () => actOf(dice, isAgent)),
});

function actOf(dice: Dice, isAgent: boolean): Act {
  const roll = dice.between(0, 19);
  if (roll < 6) return { do: "answer" };
  if (roll < 10) return { do: "slow", ms: dice.pick([1, 100, 3_000, 30_000]) };
  if (roll < 12) return { do: "deaf", ms: dice.pick([100, 3_000, 8_000, 40_000]) };
  if (roll < 13) return { do: "hang" };
  if (roll < 16) return { do: "throw", code: dice.pick([null, "CARD_DECLINED", "lower case"]), ms: dice.pick([0, 50]) };
  if (roll < 17 || !isAgent) return { do: "garbage", which: dice.between(0, 9) };
  return { do: "call", tools: dice.many(1, 3, () => dice.pick([...tools, "nothing"])), bears: dice.chance(0.5) };
}

// ── the client ──

function movesOf(dice: Dice, specs: readonly WorkflowSpec[], calmAt: number): Move[] {
  const at = (): number => dice.between(0, calmAt - 1);
  const names = specs.map(({ id }) => id);
  const [name = "first", ...others] = names;
  const start = (): Move => ({
    at: dice.chance(0.5) ? 0 : at(),
    do: "start",
    workflow: dice.pick([name, ...others]),
    key: dice.chance(0.4) ? `key ${dice.between(0, 2)}` : null,
    n: dice.between(0, 1),
  });
  const of = (): number => dice.between(0, 9);
  const other = (): Move => {
    const roll = dice.between(0, 15);
    if (roll < 3) return { at: at(), do: "signal", of: of(), name: dice.pick(signals) };
    if (roll < 5) return { at: at(), do: "pause", of: of() };
    if (roll < 7) return { at: at(), do: "resume", of: of() };
    if (roll < 9) return { at: at(), do: "cancel", of: of() };
    if (roll < 11) return { at: at(), do: "approve", of: of() };
    if (roll < 12) return { at: at(), do: "cancel part", of: of(), part: dice.between(0, 5) };
    if (roll < 14) return { at: at(), do: "repeat", of: of() };
    if (roll < 15)
      return dice.chance(0.5)
        ? { at: at(), do: "execute", agent: dice.pick(agents) }
        : { at: at(), do: "execute", tool: dice.pick(tools) };
    return { at: at(), do: "execute", task: `${name}.${name}-1` };
  };
  const moves = [...dice.many(1, 5, start), ...dice.many(0, 8, other)];
  return moves.sort((one, next) => one.at - next.at);
}

// ── what goes wrong ──

function faultsOf(dice: Dice, calmAt: number): Fault[] {
  if (dice.chance(0.15)) return [];
  return dice.many(1, 4, () => faultOf(dice, calmAt));
}

function faultOf(dice: Dice, calmAt: number): Fault {
  const at = dice.chance(0.4) ? dice.between(0, 200) : dice.between(0, calmAt - 1);
  const left = { whole: dice.between(0, 2), torn: dice.chance(0.3) ? dice.between(1, 2) : 0 };
  const downMs = dice.pick([0, 50, 5_000, 25_000]);
  const roll = dice.between(0, 15);
  if (roll < 6) return { do: "crash", append: dice.between(1, 60), ...left, downMs };
  if (roll < 8) return { do: "crash", at, ...left, downMs };
  if (roll < 10) return { do: "stop", at, graceMs: dice.pick([0, 500, 5_000]), downMs };
  if (roll < 12)
    return { do: "slow disk", at, forMs: dice.between(100, 10_000), commitMs: dice.pick([50, 500, 7_000]) };
  if (roll < 13) return { do: "full disk", at, units: dice.between(0, 5), forMs: dice.between(100, 10_000) };
  if (roll < 14) return { do: "broken disk", at, units: dice.between(0, 5), forMs: dice.between(100, 10_000) };
  return { do: "clock jump", at, ms: dice.pick([-20_000, -1_000, 500, 10_000, 30_000]) };
}

function limitsOf(dice: Dice): Partial<Limits> {
  return {
    stepsMax: dice.pick([3, 8]),
    ...(dice.chance(0.3) && { concurrency: dice.between(1, 3) }),
    ...(dice.chance(0.2) && { mailbox: dice.between(1, 6) }),
    ...(dice.chance(0.3) && { agents: dice.between(1, 2) }),
    ...(dice.chance(0.3) && { tools: dice.between(1, 2) }),
    ...(dice.chance(0.3) && { awakeMax: dice.between(1, 3) }),
    ...(dice.chance(0.4) && { idleBeforeSleepMs: dice.pick([0, 1, 5_000]) }),
    ...(dice.chance(0.2) && { payloadBytes: 2_000 }),
  };
}

function foreignerOf(dice: Dice, index: number, calmAt: number): Foreigner {
  const act = (): Foreigner["acts"][number] =>
    dice.pick([
      "answers",
      "answers",
      "answers late",
      "fails",
      "refuses",
      "dies before started",
      "dies after started",
      "dies before its reply",
      "hangs",
      "answers twice",
      "answers after cancel",
      "sends wrong bytes",
    ]);
  return {
    id: `away-${index}`,
    agents: dice.chance(0.5) ? [foreign] : [foreign, dice.pick(agents)],
    max: dice.between(1, 3),
    acts: dice.many(1, 4, act),
    diesAt: dice.chance(0.2) ? dice.between(0, calmAt) : null,
    beatMs: dice.pick([5_000, 5_000, 12_000, 20_000]),
  };
}

const weatherOf = (dice: Dice, calmAt: number): Weather => ({
  drop: dice.pick([0, 0.02, 0.2]),
  double: dice.pick([0, 0.05, 0.3]),
  delay: dice.pick([0, 0.1, 0.5]),
  delayMs: dice.pick([5, 200, 3_000]),
  cuts: dice.many(0, 1, () => ({ at: dice.between(0, calmAt), forMs: dice.pick([100, 4_000, 20_000]) })),
});
