// Goal: an attempt is tried again when the policy says so, and as long after as it says.
// Method: the rule case by case, and properties of the delay over all policies that the protocol allows.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { causeOf, isRetried, names, oneAttempt, retryDelay } from "../../src/machines/retry.ts";
import { type ErrorCode, errors, type WireError } from "../../src/protocol/errors.ts";
import { count, retryPolicy, type RetryPolicy } from "../../src/protocol/fields.ts";
import { idOf } from "../../src/testing/part.ts";

const numRuns = Number(process.env["TROUPE_RUNS"] ?? 1_000);

const of = (code: ErrorCode, cause?: unknown): WireError => ({
  code,
  message: "it failed",
  ...(cause !== undefined && { details: { cause_code: cause } }),
});
const policy = (max_attempts: number, more: Partial<RetryPolicy> = {}): RetryPolicy => ({
  ...oneAttempt,
  max_attempts,
  ...more,
});
const declined = of("TOOL_ERROR", "CARD_DECLINED");

describe("an error's cause", () => {
  test("is the callee's code, if it is a text", () => {
    expect(causeOf(declined)).toBe("CARD_DECLINED");
    expect(causeOf(of("TOOL_ERROR"))).toBeUndefined();
    expect(causeOf(of("TOOL_ERROR", 7))).toBeUndefined();
    expect(causeOf({ code: "TOOL_ERROR", message: "it failed", details: {} })).toBeUndefined();
  });

  test("names it as well as its code does, and nothing else does", () => {
    expect(names(["OTHER", "TOOL_ERROR"], declined)).toBe(true);
    expect(names(["CARD_DECLINED"], declined)).toBe(true);
    expect(names(["AGENT_ERROR", "card_declined", ""], declined)).toBe(false);
    expect(names([], declined)).toBe(false);
    expect(names(["undefined", "7"], of("TOOL_ERROR", 7))).toBe(false);
  });
});

describe("Y1: an attempt", () => {
  test("is the last one when the policy's number is reached", () => {
    expect([1, 2, 3, 4].map((attempt) => isRetried(policy(3), attempt, declined))).toEqual([true, true, false, false]);
    expect(isRetried(oneAttempt, 1, declined)).toBe(false);
  });

  test.each(Object.entries(errors).map(([code, { retry }]) => [code as ErrorCode, retry] as const))(
    "that ended with %s is tried again by default: %s",
    (code, retry) => {
      expect(isRetried(policy(2), 1, of(code))).toBe(retry);
    },
  );

  test("is tried again by default for the cause of its error, such as that of a failed branch", () => {
    expect(isRetried(policy(2), 1, of("CHILD_FAILED", "TOOL_ERROR"))).toBe(true);
    expect(isRetried(policy(2), 1, of("CHILD_FAILED", "TASK_CANCELED"))).toBe(false);
  });

  test("is tried again only for the codes of retry_on, the callee's own among them", () => {
    expect(isRetried(policy(2, { retry_on: ["NO_ROUTE"] }), 1, declined)).toBe(false);
    expect(isRetried(policy(2, { retry_on: ["NO_ROUTE"] }), 1, of("NO_ROUTE"))).toBe(true);
    expect(isRetried(policy(2, { retry_on: ["CARD_DECLINED"] }), 1, declined)).toBe(true);
    expect(isRetried(policy(2, { retry_on: [] }), 1, declined)).toBe(false);
  });

  test("is never tried again for a code of never_on, whatever retry_on says", () => {
    const both = { retry_on: ["TOOL_ERROR", "CARD_DECLINED"], never_on: ["CARD_DECLINED"] };
    expect(isRetried(policy(2, both), 1, declined)).toBe(false);
    expect(isRetried(policy(2, { never_on: ["TOOL_ERROR"] }), 1, declined)).toBe(false);
    expect(isRetried(policy(2, both), 1, of("TOOL_ERROR", "BUSY"))).toBe(true);
  });
});

const backoff = (initial_ms: number, factor: number, max_ms: number, jitter = 0): RetryPolicy =>
  policy(100, { backoff: { initial_ms, factor, max_ms, jitter } });

const policies: fc.Arbitrary<RetryPolicy> = fc
  .record({
    initial_ms: fc.oneof(fc.nat({ max: 60_000 }), fc.maxSafeNat()),
    factor: fc.oneof(
      fc.double({ min: 1, max: 10, noNaN: true }),
      fc.double({ min: 1, noNaN: true, noDefaultInfinity: true }),
    ),
    max_ms: fc.oneof(fc.nat({ max: 3_600_000 }), fc.maxSafeNat()),
    jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ initial_ms, factor, max_ms, jitter }) => backoff(initial_ms, factor, max_ms, jitter));
const attempts = fc.integer({ min: 1, max: 100 });
const seeds = fc.uuid({ version: 7 });

describe("a delay", () => {
  test("Y2: grows by its factor from the initial to the longest", () => {
    const delays = [1, 2, 3, 4, 5, 6].map((attempt) => retryDelay(backoff(1_000, 2, 10_000), attempt, idOf(1)));
    expect(delays).toEqual([1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
    expect(retryDelay(oneAttempt, 1, idOf(1))).toBe(1_000);
    expect(retryDelay(oneAttempt, 99, idOf(1))).toBe(60_000);
    expect([1, 2, 3].map((attempt) => retryDelay(backoff(5, 1, 10), attempt, idOf(1)))).toEqual([5, 5, 5]);
    expect(retryDelay(backoff(100, 1.5, 1_000), 3, idOf(1))).toBe(225);
  });

  test("Y2: of nothing stays nothing, however it grows", () => {
    expect(retryDelay(backoff(0, Number.MAX_VALUE, 1_000, 1), 100, idOf(1))).toBe(0);
    expect(retryDelay(backoff(1_000, Number.MAX_VALUE, 0, 1), 100, idOf(1))).toBe(0);
    expect(retryDelay(backoff(1, Number.MAX_VALUE, 7_000), 100, idOf(1))).toBe(7_000);
  });

  test("Y2: is the policy's for its attempt, give or take the jitter, and a count of milliseconds", () => {
    fc.assert(
      fc.property(policies, attempts, seeds, (given, attempt, seed) => {
        expect(retryPolicy.safeParse(given).success).toBe(true);
        const { initial_ms, factor, max_ms, jitter } = given.backoff;
        const exact = initial_ms === 0 ? 0 : Math.min(max_ms, initial_ms * factor ** (attempt - 1));
        const delay = retryDelay(given, attempt, seed);
        expect(count.safeParse(delay).success).toBe(true);
        // Half a millisecond is rounded away, and of huge numbers a little more.
        const slack = 0.5 + exact * 1e-12;
        expect(delay).toBeGreaterThanOrEqual(Math.min(exact * (1 - jitter), Number.MAX_SAFE_INTEGER) - slack);
        expect(delay).toBeLessThanOrEqual(exact * (1 + jitter) + slack);
      }),
      { numRuns },
    );
  });

  test("Y2: of years is still a safe integer", () => {
    const longest = backoff(Number.MAX_SAFE_INTEGER, 2, Number.MAX_SAFE_INTEGER, 1);
    const delays = Array.from({ length: 100 }, (_, n) => retryDelay(longest, 2, idOf(n)));
    expect(Math.max(...delays)).toBe(Number.MAX_SAFE_INTEGER);
  });

  test("Y3: is the same for the same seed", () => {
    fc.assert(
      fc.property(policies, attempts, seeds, (given, attempt, seed) => {
        expect(retryDelay(structuredClone(given), attempt, seed)).toBe(retryDelay(given, attempt, seed));
      }),
      { numRuns },
    );
    // Written down: a later release has to replay what an earlier one has recorded.
    const drawn = [1, 2, 0xfff].map((n) => retryDelay(backoff(1_000_000, 1, 1_000_000, 1), 1, idOf(n)));
    expect(drawn).toEqual([195_847, 1_115_750, 752_725]);
  });

  test("Y3: is spread evenly over all of its jitter by seeds that are neighbours", () => {
    const spread = backoff(1_000_000, 1, 1_000_000, 0.5);
    const tenths = Array.from({ length: 10 }, () => 0);
    for (let n = 0; n < 10_000; n++) {
      const tenth = Math.floor((retryDelay(spread, 1, idOf(n)) - 500_000) / 100_000);
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
    expect(tenths).toHaveLength(10);
    expect(Math.min(...tenths)).toBeGreaterThan(800);
    expect(Math.max(...tenths)).toBeLessThan(1_200);
  });
});
