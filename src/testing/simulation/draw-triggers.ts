// What begins runs without a client, by chance: schedules, and webhooks with the deliveries that come for them.

import type { ScheduleSpec, TriggerSpec, WorkflowSpec } from "../../language/spec.ts";
import type { Dice } from "./dice.ts";
import type { Move } from "./scenario.ts";

/** Where a delivery carries its signature, and the name of what it is made with. */
export const hookHeader = "x-signature";
export const hookSecret = { name: "HOOK_SECRET", value: "known to both" } as const;

/** Which delivery, or which due time, a run was begun for stands in its input. */
export function triggersOf(dice: Dice, workflow: string): TriggerSpec[] {
  const schedules = dice.chance(0.15) ? dice.many(1, 2, () => scheduleOf(dice)) : [];
  if (!dice.chance(0.1)) return schedules;
  const verify = { type: "hmac-sha256", header: hookHeader, secret: hookSecret.name } as const;
  return [
    ...schedules,
    {
      type: "webhook",
      path: workflow,
      ...(dice.chance(0.5) && { verify }),
      ...(dice.chance(0.7) && { dedupe: "${{ body.delivery }}" }),
    },
  ];
}

const scheduleOf = (dice: Dice): ScheduleSpec => ({
  type: "schedule",
  cron: dice.pick(["*/5 * * * * *", "3-59/17 * * * * *", "* * * * *"]),
  overlap: dice.pick(["skip", "allow", "buffer_one", "cancel_other"]),
  ...(dice.chance(0.4) && { catch_up: dice.pick(["30s", "10m"]) }),
  ...(dice.chance(0.3) && { jitter: "3s" }),
  with: {
    n: dice.between(0, 1),
    flag: dice.chance(0.5),
    other: "nobody",
    items: [1, 2],
    due: "${{ string(now()) }}",
  },
});

export function deliveriesOf(dice: Dice, specs: readonly WorkflowSpec[], calmAt: number): Move[] {
  const paths = specs.filter(({ triggers = [] }) => triggers.some(({ type }) => type === "webhook"));
  return paths.flatMap(({ id }) =>
    dice.many(1, 4, () => ({
      at: dice.between(0, calmAt - 1),
      do: "deliver",
      path: id,
      delivery: dice.between(0, 2),
      n: dice.between(0, 1),
      isSigned: dice.chance(0.8),
    })),
  );
}
