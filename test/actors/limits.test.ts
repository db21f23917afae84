// Goal: every limit has a default and says what it does, and what is no limit is refused in words that help.
// Method: the table, and cases of what people write.

import { expect, test } from "vitest";
import { limits, withLimits, type Limits } from "../../src/actors/limits.ts";
import { errors } from "../../src/protocol/errors.ts";

/** What is wrong with each field, as the caller is told. */
function defectsOf(given: object): unknown {
  try {
    withLimits(given as Partial<Limits>);
    return undefined;
  } catch (thrown) {
    expect(thrown).toMatchObject({ name: "TroupeError", code: "VALIDATION_FAILED" });
    return (thrown as { details: { errors: unknown } }).details.errors;
  }
}

test("without a wish all limits have their defaults, and nobody can change them", () => {
  const all = withLimits();
  expect(all).toMatchObject({
    concurrency: 10_000,
    agents: 1_000,
    tools: 1_000,
    mailbox: 10_000,
    payloadBytes: 983_040,
    stepBytes: 32_768,
    stepsMax: 1_000,
    tasksMax: 1_000,
    fanOutMax: 1_000,
    depthMax: 16,
    historyPage: 500,
    idleBeforeSleepMs: 60_000,
    awakeMax: 2_000,
    retentionMs: 604_800_000,
    labelsMax: 10,
    cascadeMax: 10_000,
  });
  expect(Object.keys(all)).toEqual(Object.keys(limits));
  expect(Object.isFrozen(all)).toBe(true);
});

test("what is given takes the place of its default, and no other", () => {
  expect(withLimits({ concurrency: 3, retentionMs: 0 })).toEqual({ ...withLimits(), concurrency: 3, retentionMs: 0 });
});

test("what is given as undefined is not given", () => {
  expect(defectsOf({ concurrency: undefined })).toBeUndefined();
  expect(withLimits(JSON.parse("{}") as Partial<Limits>)).toEqual(withLimits());
});

test("each default is a value that may be given", () => {
  const defaults = Object.fromEntries(Object.entries(limits).map(([name, row]) => [name, row.default]));
  expect(withLimits(defaults)).toEqual(withLimits());
});

test("each limit says what happens at it, and names only codes that there are", () => {
  for (const [name, { behaviour }] of Object.entries(limits)) {
    expect(behaviour, name).toMatch(/^[a-z].+; .+$/);
    for (const [code] of behaviour.matchAll(/[A-Z][A-Z_]{3,}/g)) expect(Object.keys(errors), name).toContain(code);
  }
});

test("a name that is no limit is refused with the one that was meant, or all there are", () => {
  expect(defectsOf({ concurency: 5 })).toEqual([
    { field: "limits.concurency", message: 'is no limit; did you mean "concurrency"?' },
  ]);
  expect(defectsOf({ wholly: 5 })).toEqual([
    { field: "limits.wholly", message: expect.stringMatching(/^is no limit; there are concurrency, .+ retentionMs$/) },
  ]);
  expect(defectsOf({ toString: 5 })).toHaveLength(1);
});

test.each([0, -1, 1.5, NaN, Infinity, 2 ** 60, "5", null, true, {}])("%j is refused as a value", (value) => {
  expect(defectsOf({ mailbox: value })).toEqual([
    { field: "limits.mailbox", message: "must be a whole number, 1 or more" },
  ]);
});

test("zero is a value where nothing at all makes sense", () => {
  for (const name of ["labelsMax", "idleBeforeSleepMs", "retentionMs"])
    expect(defectsOf({ [name]: 0 })).toBeUndefined();
  expect(defectsOf({ labelsMax: -1 })).toHaveLength(1);
});

test("all defects are told at once", () => {
  expect(defectsOf({ mailbox: 0, tols: 1, awakeMax: "many" })).toHaveLength(3);
});
