// Goal: an error that nobody caught is told to the call that it came from, and to no other. Method: calls that throw in
// what they left behind, asked from within it, as the process's own listener is.

import { expect, test } from "vitest";
import { failCall, inCall, outOfCall } from "../../src/actors/stray.ts";

test("ST1: it is told to the call in whose course it was thrown, and what the engine throws to none", async () => {
  const told: string[] = [];
  const course = (name: string): Promise<boolean[]> =>
    inCall(
      (error) => void told.push(`${name}: ${String(error)}`),
      () =>
        new Promise((resolve) => {
          setTimeout(() => resolve([failCall(`late in ${name}`), outOfCall(() => failCall("of the engine"))]), 1);
        }),
    );
  expect(await Promise.all([course("one"), course("two")])).toEqual([
    [true, false],
    [true, false],
  ]);
  expect(told.toSorted()).toEqual(["one: late in one", "two: late in two"]);
  expect(failCall("of nobody")).toBe(false);
});
