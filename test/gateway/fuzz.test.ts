// Goal: whatever is sent to any operation, nothing unexpected happens inside, errors are problems with a code, and the
// server goes on. Method: requests drawn from the OpenAPI document under a seed, sound parts mixed with hostile ones;
// answers of success are held against the contract. `npm run fuzz:http` plays more of them.

import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { anyRequest, openGuarded, operations, placesIn, play } from "./any-request.ts";
import { stopAll } from "./bed.ts";

afterEach(stopAll);

test("HT2: every operation stands what is sent to it", async () => {
  const bed = await openGuarded();
  const places = await placesIn(bed);
  for (const [index, operation] of operations.entries()) {
    await fc.assert(
      fc.asyncProperty(anyRequest(places, operation), async (request) => {
        expect((await play(bed, request)).defects).toEqual([]);
      }),
      { numRuns: 12, seed: 7_420 + index },
    );
  }
  expect((await bed.ask("executeWorkflow", { id: "hello", input: { name: "eve" } })).status).toBe(200);
});
