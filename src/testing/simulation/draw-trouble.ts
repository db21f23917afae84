// What goes wrong by chance, and how narrow everything is: faults, runtimes elsewhere, weather, limits.

import type { Limits } from "../../actors/limits.ts";
import { innerBlocks } from "../../language/blocks.ts";
import type { TaskSpec, WorkflowSpec } from "../../language/spec.ts";
import type { Dice } from "./dice.ts";
import { agents, foreign } from "./draw-workflow.ts";
import type { Fault, Foreigner, Weather } from "./scenario.ts";

export function faultsOf(dice: Dice, calmAt: number): Fault[] {
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

/** Those that concern definitions are never narrower than what is defined: `define` moves try what is too much. */
export function limitsOf(dice: Dice, specs: readonly WorkflowSpec[]): Partial<Limits> {
  return {
    stepsMax: dice.pick([3, 8]),
    ...(dice.chance(0.3) && { concurrency: dice.between(1, 3) }),
    ...(dice.chance(0.2) && { mailbox: dice.between(1, 6) }),
    ...(dice.chance(0.3) && { agents: dice.between(1, 2) }),
    ...(dice.chance(0.3) && { tools: dice.between(1, 2) }),
    ...(dice.chance(0.3) && { awakeMax: dice.between(1, 3) }),
    ...(dice.chance(0.4) && { idleBeforeSleepMs: dice.pick([0, 1, 5_000]) }),
    ...(dice.chance(0.2) && { payloadBytes: 2_000 }),
    ...(dice.chance(0.2) && { depthMax: Math.max(...specs.map(({ tasks }) => depthOf(tasks)), dice.between(1, 2)) }),
    ...(dice.chance(0.2) && { tasksMax: Math.max(...specs.map(({ tasks }) => countOf(tasks))) }),
    ...(dice.chance(0.2) && { fanOutMax: 3 }),
    ...(dice.chance(0.3) && { labelsMax: dice.between(0, 1) }),
    ...(dice.chance(0.3) && { historyPage: dice.between(1, 4) }),
    ...(dice.chance(0.3) && { subscriptionsMax: dice.between(2, 3) }),
    ...(dice.chance(0.1) && { cascadeMax: dice.between(40, 100) }),
    ...(dice.chance(0.2) && { queueMax: dice.between(1, 3) }),
    ...(dice.chance(0.2) && { itemsMax: dice.between(1, 3) }),
    ...(dice.chance(0.2) && { widthMax: dice.between(1, 2) }),
  };
}

const blocksIn = (task: TaskSpec): (readonly TaskSpec[])[] => [
  ...innerBlocks(task).map(({ block }) => block),
  ...(task.undo ? [task.undo] : []),
];
const countOf = (tasks: readonly TaskSpec[]): number =>
  tasks.reduce((sum, task) => sum + 1 + blocksIn(task).reduce((inner, block) => inner + countOf(block), 0), 0);
const depthOf = (tasks: readonly TaskSpec[]): number =>
  1 + Math.max(0, ...tasks.flatMap((task) => blocksIn(task).map(depthOf)));

export function foreignerOf(dice: Dice, index: number, calmAt: number): Foreigner {
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

export const weatherOf = (dice: Dice, calmAt: number): Weather => ({
  drop: dice.pick([0, 0.02, 0.2]),
  double: dice.pick([0, 0.05, 0.3]),
  delay: dice.pick([0, 0.1, 0.5]),
  delayMs: dice.pick([5, 200, 3_000]),
  cuts: dice.many(0, 1, () => ({ at: dice.between(0, calmAt), forMs: dice.pick([100, 4_000, 20_000]) })),
});
