// The differential test of a chart: random histories of its part, lived by a live XState actor and by the pure step.

import fc from "fast-check";
import { expect, test } from "vitest";
import type { AnyStateMachine, ContextFrom } from "xstate";
import type { Part } from "../../src/testing/part.ts";
import { runs } from "./chart-model.ts";
import { type Act, bothWays, pureScenes } from "./live.ts";

type Pick = { line: number } | { advanceMs: number };

const picks: fc.Arbitrary<Pick[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ line: fc.nat({ max: 63 }) }) },
    { weight: 1, arbitrary: fc.record({ advanceMs: fc.constantFrom(1, 1_000, 5_000, 30_000, 3_600_000) }) },
  ),
  { minLength: 1, maxLength: 12 },
);

/** What the picks come to: which line fits depends on what the life remembers by then. */
function historyOf<M extends AnyStateMachine>(part: Part<M>, input: string, chosen: readonly Pick[]): Act<M>[] {
  const history: Act<M>[] = [];
  for (const pick of chosen) {
    if ("advanceMs" in pick) {
      history.push(pick);
      continue;
    }
    const scene = pureScenes(part.machine, inputOf(part, input), history).at(-1);
    const menu = part.menu(scene?.context as ContextFrom<M>);
    const line = menu[pick.line % menu.length];
    if (line) history.push({ event: line.event });
  }
  return history;
}

type InputOf<M extends AnyStateMachine> = Part<M>["inputs"][string];

function inputOf<M extends AnyStateMachine>({ inputs }: Part<M>, name: string): InputOf<M> {
  const input = inputs[name];
  if (input === undefined) throw new Error(`the part has no input '${name}'`);
  return input;
}

export function livesAlike<M extends AnyStateMachine>(part: Part<M>): void {
  test(`a live actor of ${part.machine.id} and the pure step say the same in random histories`, () => {
    const spoken = new Set<string>();
    const property = fc.property(fc.constantFrom(...Object.keys(part.inputs)), picks, (input, chosen) => {
      const { live, pure } = bothWays(part.machine, inputOf(part, input), historyOf(part, input, chosen));
      expect(live).toEqual(pure);
      for (const { said } of pure) for (const word of said) spoken.add((word as { type: string }).type);
    });
    // A chart that seldom speaks needs this many histories to be heard at all.
    fc.assert(property, { numRuns: Math.max(100, runs / 5) });
    expect(spoken.size, "nothing was said in any history").toBeGreaterThan(0);
  });
}
