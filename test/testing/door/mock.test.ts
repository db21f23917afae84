// Goal: a mock answers as its script says, each run from its beginning, and says so where it has no answer.
// Method: scripts are asked directly; types are held against what definitions say.

import { expect, expectTypeOf, test } from "vitest";
import { type Mock, mock, newScript } from "../../../src/testing/door/mock.ts";
import { charge } from "./order.ts";

const asked = (
  one: Mock<never, never>,
  ...calls: readonly (readonly [input: unknown, attempt: number])[]
): string[] => {
  const script = newScript(one);
  return calls.map(([input, attempt]) => {
    const answer = script(input, attempt);
    return answer.does === "fails"
      ? answer.code
      : answer.does === "makes"
        ? String(answer.make(input, {} as never))
        : answer.does;
  });
};

test("the first answer that fits and is not used up is given", () => {
  const bank = mock("bank")
    .fails("DOWN")
    .times(2)
    .hangs()
    .onAttempt(3)
    .answers((input) => `got ${String(input)}`)
    .when((input) => input === 7)
    .returns("else");
  expect(asked(bank as never, [1, 1], [7, 2], [7, 3], [7, 1], [8, 1], [8, 1])).toEqual([
    "DOWN",
    "DOWN",
    "hangs",
    "got 7",
    "else",
    "else",
  ]);
});

test("M1: what is said of a mock gives another, and every run begins its script anew", () => {
  const once = mock("bank").returns("first").once();
  const both = once.returns("then");
  expect(asked(both as never, [0, 1], [0, 1])).toEqual(["first", "then"]);
  expect(asked(both as never, [0, 1], [0, 1])).toEqual(["first", "then"]);
  expect(() => asked(once as never, [0, 1], [0, 1])).toThrow("mock 'bank': no answer for call 2 (attempt 1) with 0");
});

test("what cannot be said is refused", () => {
  expect(() => mock("bank").once()).toThrow("none is given before it");
  expect(() => mock("bank").returns(1).times(0)).toThrow("times(0) must be a whole number, 1 or more");
  expect(() => mock("bank").returns(1).after("soon")).toThrow("'soon' is no duration");
});

test("by its definition a mock knows what it is given and what it answers", () => {
  expectTypeOf(mock(charge).returns).parameter(0).toEqualTypeOf<{ readonly receipt: string }>();
  mock(charge)
    .hangs()
    .when(({ sum }) => {
      expectTypeOf(sum).toEqualTypeOf<number>();
      return true;
    });
  expectTypeOf(mock("bank").returns).parameter(0).toEqualTypeOf<unknown>();
});
