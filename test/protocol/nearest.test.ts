// The word that was meant is found if it is near, and nothing is suggested if none is.

import { expect, test } from "vitest";
import { nearest, nearestFirst } from "../../src/protocol/nearest.ts";

const known = ["TriggerAgent", "AgentCancel", "ToolExecute", "ToolCancel", "execute", "cancel", "on"];

test.each([
  ["TriggerAgent", "TriggerAgent"],
  ["TrigerAgent", "TriggerAgent"],
  ["TriggerAgents", "TriggerAgent"],
  ["TriggreAgent", "TriggerAgent"],
  ["AgentCancle", "AgentCancel"],
  ["ToolCancell", "ToolCancel"],
  ["exceute", "execute"],
  ["cancels", "cancel"],
  ["in", "on"],
  ["one", "on"],
  ["o", "on"],
  ["xxxlCancel", "ToolCancel"],
  ["xxxxCancel", undefined],
  ["explode", undefined],
  ["it", undefined],
  ["", undefined],
  ["x".repeat(100_000), undefined],
])("%j means %j", (given, meant) => {
  expect(nearest(given, known)).toBe(meant);
});

test("a word of one letter is measured like any other", () => {
  expect(nearest("bb", ["a", "b"])).toBe("b");
  expect(nearest("bb", ["a", "c"])).toBeUndefined();
});

test("of two that are near, the nearer is meant, whatever their order", () => {
  expect(nearest("canceled", ["cancels", "canceled!"])).toBe("canceled!");
  expect(nearest("canceled", ["canceled!", "cancels"])).toBe("canceled!");
});

test("all words come, the nearest first, and those as near as each other as they were", () => {
  expect(nearestFirst("cancels", ["execute", "cancel", "b", "a", "cancels"])).toEqual([
    "cancels",
    "cancel",
    "execute",
    "b",
    "a",
  ]);
});

test("nothing is near where nothing is known", () => {
  expect(nearest("cancel", [])).toBeUndefined();
});
