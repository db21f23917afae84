// A scenario by chance: what a seed stands for.

import type { WorkflowSpec } from "../../language/spec.ts";
import { type Dice, diceFrom } from "./dice.ts";
import { deliveriesOf, triggersOf } from "./draw-triggers.ts";
import { faultsOf, foreignerOf, limitsOf, weatherOf } from "./draw-trouble.ts";
import { agents, rateOf, signals, tools, workflowOf } from "./draw-workflow.ts";
import type { Act, Cast, Move, Scenario } from "./scenario.ts";

const workflows = ["first", "second", "third"] as const;
const triggersFrom = 2 ** 40;

export function scenarioOf(seed: number, { isForeign = seed % 3 === 0 }: { isForeign?: boolean } = {}): Scenario {
  const dice = diceFrom(seed);
  const calmAt = dice.between(5_000, 60_000);
  const names = workflows.slice(0, dice.between(1, workflows.length));
  const isWire = isForeign && dice.chance(0.4);
  // By dice of their own: what a seed stood for before there were triggers it stands for still.
  const others = diceFrom(seed + triggersFrom);
  const specs = names.map((id, index): WorkflowSpec => {
    const spec = workflowOf(dice, id, names.slice(index + 1), isForeign);
    const triggers = triggersOf(others, id);
    return triggers.length > 0 ? { ...spec, triggers } : spec;
  });
  return {
    seed,
    workflows: specs,
    agents: agents.map((id) => castOf(dice, id, true)),
    tools: tools.map((id) => castOf(dice, id, false)),
    moves: [...movesOf(dice, specs, calmAt), ...deliveriesOf(others, specs, calmAt)].sort(byTime),
    faults: faultsOf(dice, calmAt),
    foreigners: isForeign ? dice.many(1, 2, (index) => foreignerOf(dice, index, calmAt)) : [],
    weather:
      isForeign && dice.chance(0.6) ? weatherOf(dice, calmAt) : { drop: 0, double: 0, delay: 0, delayMs: 0, cuts: [] },
    wire: isWire,
    limits: limitsOf(dice, specs),
    commitMs: dice.pick([0, 0, 1, 5, 20]),
    calmAt,
  };
}

// ── handlers ──

const castOf = (dice: Dice, id: string, isAgent: boolean): Cast => ({
  id,
  acts: dice.many(1, 5, () => actOf(dice, isAgent)),
  ...(dice.chance(0.15) && { concurrency: { limit: dice.between(1, 2) } }),
  ...(dice.chance(0.1) && { concurrency: { limit: 1, key: "${{ default(input.n, 0) }}" } }),
  ...(dice.chance(0.15) && {
    rate: { ...rateOf(dice), ...(dice.chance(0.5) && { key: "${{ default(input.n, 0) }}" }) },
  }),
});

function actOf(dice: Dice, isAgent: boolean): Act {
  const roll = dice.between(0, 21);
  if (roll < 6) return { do: "answer" };
  if (roll < 8) return { do: "spend", tokens: dice.between(1, 9), cost: dice.pick([0, 0.2]) };
  if (roll < 11) return { do: "slow", ms: dice.pick([1, 100, 3_000, 30_000]) };
  if (roll < 12) return { do: "steps", everyMs: dice.pick([20, 1_000, 5_000]), times: dice.between(1, 5) };
  if (roll < 14) return { do: "deaf", ms: dice.pick([100, 3_000, 8_000, 40_000]) };
  if (roll < 15) return { do: "hang" };
  if (roll < 18) return { do: "throw", code: dice.pick([null, "CARD_DECLINED", "lower case"]), ms: dice.pick([0, 50]) };
  if (roll < 19 || !isAgent) return { do: "garbage", which: dice.between(0, 9) };
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
    labels: dice.chance(0.2) ? dice.between(1, 2) : 0,
  });
  const of = (): number => dice.between(0, 9);
  const other = (): Move => {
    const roll = dice.between(0, 21);
    if (roll > 19) return { at: at(), do: "fork", of: of(), task: dice.between(1, 3), isRetry: dice.chance(0.5) };
    if (roll < 3) return { at: at(), do: "signal", of: of(), name: dice.pick(signals), n: dice.between(0, 1) };
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
    if (roll < 16) return { at: at(), do: "execute", task: `${name}.${name}_1` };
    if (roll < 17) return { at: at(), do: "look", of: of() };
    if (roll < 18) return { at: at(), do: "listen" };
    return { at: at(), do: "define", what: dice.pick(["tasks", "branches", "nesting"]), isTooMuch: dice.chance(0.5) };
  };
  const moves = [...dice.many(1, 5, start), ...dice.many(0, 8, other)];
  return moves.sort(byTime);
}
const byTime = (one: Move, next: Move): number => one.at - next.at;
