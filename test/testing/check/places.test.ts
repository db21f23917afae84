// What calls are named: over plays of everything that makes a task come more than once.

import { describe, expect, test } from "vitest";
import { prepareCast } from "../../../src/testing/check/cast.ts";
import { planOf, taskIn } from "../../../src/testing/check/places.ts";
import { play } from "../../../src/testing/check/play.ts";
import { company, placesIn, trialOf } from "./casts.ts";

const fails = { do: "fails", code: "GONE" } as const;

describe("the name of a call", () => {
  test("L1: is the same in a play that a crash interrupts, wherever it does", async () => {
    const plain = await play(company, trialOf("varied"));
    const names = new Set(placesIn(plain));
    for (let append = 2; append <= plain.appends; append++) {
      for (const kept of [true, false]) {
        const crash = { append, do: "crash", kept, downMs: 10 } as const;
        const played = await play(company, trialOf("varied", { disturbances: [crash] }));
        expect(new Set(placesIn(played)), `crash at ${append}, ${String(kept)}`).toEqual(names);
      }
    }
  });

  test("L2: is given once, but to what a crash makes come again", async () => {
    const loop = prepareCast({
      workflows: [
        {
          id: "loop",
          tasks: [
            { id: "try", type: "tool", tool: "saw", retry: { max_attempts: 2, retry_on: ["GONE"] }, next: "again" },
            {
              id: "again",
              type: "route",
              cases: [{ when: "${{ tasks.try.output.more }}", next: "try" }],
              default: "end",
            },
            { id: "end", type: "tool", tool: "saw" },
          ],
        },
      ],
      tools: [{ id: "saw" }],
    });
    const more = { do: "succeeds", output: { more: true } } as const;
    const done = { do: "succeeds", output: { more: false } } as const;
    const calls = { try: fails, "try@2": more, "try#2": more, "try#3": done };
    const played = await play(loop, { ...trialOf("loop", { calls }), workflow: "loop" });
    expect(placesIn(played)).toEqual(["try", "try@2", "try#2", "try#3", "end"]);
  });
});

test("a plan is for a place, for all attempts, for all items, or for both", () => {
  const plan = planOf({ "a@*": fails, "each[*]/b": fails, "each[*]/c@*": fails, "a@2": { do: "hangs" } });
  expect(["a", "a@2", "a@3", "each[7]/b", "each[7]/b@2", "each[0]/c@4", "d"].map((place) => plan(place)?.do)).toEqual([
    "fails",
    "hangs",
    "fails",
    "fails",
    undefined,
    "fails",
    undefined,
  ]);
});

test("a place tells its task", () => {
  expect(["a", "a@2", "a#3@2", "each[1]/b", "pay/each[1]/c#2"].map(taskIn)).toEqual(["a", "a", "a", "b", "c"]);
});
