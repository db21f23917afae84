// Half of the seeds that every test run searches; the other half is in a file of its own, for the other core.
//
// Method: whole troupes with faults, and all checkers. `npm run search` goes on from there.

import { expect, test } from "vitest";
import { searched } from "./searched.ts";

test("500 seeds break no invariant", async () => {
  expect(await searched(1, 500)).toEqual([]);
});
