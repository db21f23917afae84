// Goal: each flaw of the corpus is found, as what it is and as nothing else, and its repaired twin passes.
// Method: each folder of test/testing/corpus has a workflow with one flaw and the same mended; the table says which
// finding the first must give. Both are checked as `troupe check` does it, within ten seconds and a small budget.

import { existsSync, globSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { expecting } from "../../src/testing/findings/expectation.ts";
import { kinds, type FindingId } from "../../src/testing/findings/kinds.ts";
import { loadChecked } from "../../src/testing/findings/load.ts";
import { checked, isBad, type Told } from "../../src/testing/report/checked.ts";
import { root } from "../kit/tree.ts";

const folder = join(root, "test/testing/corpus");

const pairs: Readonly<Record<string, FindingId>> = {
  "loop-without-exit": "never-ends",
  "retry-by-on-error": "never-ends",
  "two-that-blame-each-other": "never-ends",
  "exit-that-nothing-changes": "never-ends",
  "upload-that-loses-files": "success-despite-failure",
  "nobody-was-told": "success-despite-failure",
  "refusal-taken-as-consent": "refusal-ignored",
  "two-approvals-one-counts": "refusal-ignored",
  "handler-reads-what-failed": "handler-path-fails",
  "handler-reads-details": "handler-path-fails",
  "optional-input": "expression-fails",
  "join-reads-one-branch": "expression-fails",
  "size-without-a-way": "no-route",
  "negative-amount": "input-violates-schema",
  "child-refuses": "input-violates-schema",
  "result-breaks-its-schema": "output-violates-schema",
  "wider-case-first": "unreachable-task",
  "value-that-is-none": "unreachable-task",
  "handler-behind-a-catch-all": "unreachable-task",
  "code-of-another-kind": "unreachable-task",
  "two-cases-to-one-task": "unreachable-route",
  "task-off-the-path": "unreachable-task",
  "match-that-is-never-true": "wait-never-satisfied",
  "signal-behind-the-wait": "wait-never-satisfied",
  "branches-in-the-wrong-turn": "wait-never-satisfied",
  "timeout-beyond-the-deadline": "timeout-never-fires",
  "child-gives-up-first": "timeout-never-fires",
  "container-shorter-than-its-waits": "timeout-always-fires",
  "deadline-before-the-end": "timeout-always-fires",
  "retries-beyond-the-deadline": "retries-outlive-deadline",
  "retries-beyond-the-container": "retries-outlive-deadline",
  "undo-that-is-tried-once": "compensation-missed",
  "undo-that-cannot-read": "compensation-missed",
  "refunded-twice": "compensation-repeated",
  "budget-for-half-of-it": "budget-exceeded",
  "queue-that-is-always-full": "limit-exceeded",
  "paid-again-after-a-crash": "not-idempotent-twice",
  "paid-again-after-a-timeout": "not-idempotent-twice",
  "money-kept-without-goods": "expectation-failed",
  "two-faults-in-a-row": "expectation-failed",
};

/** What is expected of both of a pair. */
const expected: Readonly<Record<string, string>> = {
  "money-kept-without-goods": "tasks.ship.status != 'FAILED' || tasks.refund.status != 'NOT_RUN'",
  "two-faults-in-a-row": "tasks.depot.status != 'FAILED' || tasks.release.status != 'NOT_RUN'",
};

/** What only a hang takes; what a check may take is measured in time of the processor. */
const timeMs = 100_000;
const processorMs = 10_000;
const runs = 200;

async function findingsIn(pair: string, which: "flawed" | "repaired"): Promise<Told[]> {
  const home = join(folder, pair);
  const beside = existsSync(join(home, "child.yaml")) ? ["child.yaml"] : [];
  const loaded = await loadChecked(`${which}.yaml`, home, { beside });
  const expectation = expected[pair];
  const wanted = expectation === undefined ? [] : [expecting(expectation)];
  // A run that goes round until its limit ends it takes as long as fifty.
  const findingsMax = pairs[pair] === "never-ends" && which === "flawed" ? 1 : 3;
  const began = process.cpuUsage();
  const { findings } = await checked(loaded, { seed: 1, runs, timeMs, findingsMax, expected: wanted });
  const { user, system } = process.cpuUsage(began);
  expect((user + system) / 1_000).toBeLessThan(processorMs);
  return findings.filter(isBad);
}

test("every pair of the corpus is in the table, and says in its first line what is wrong", () => {
  expect(readdirSync(folder).toSorted()).toEqual(Object.keys(pairs).toSorted());
  for (const file of globSync("*/*.yaml", { cwd: folder })) {
    expect(readFileSync(join(folder, file), "utf8"), file).toMatch(/^# [A-Z`].*\.\nid: /);
  }
});

test("every kind of error and warning is found by a pair, but for defects of the engine", () => {
  const bad = Object.entries(kinds).filter(([, { severity }]) => severity !== "note");
  const missing = bad.map(([id]) => id).filter((id) => !Object.values(pairs).includes(id as FindingId));
  expect(missing).toEqual(["engine-defect"]);
});

describe.each(Object.entries(pairs))("%s", (pair, id) => {
  test(`gives ${id}, and nothing else`, async () => {
    const findings = await findingsIn(pair, "flawed");
    expect(findings.map((one) => one.id)).toEqual(findings.map(() => id));
    expect(findings.length).toBeGreaterThan(0);
    for (const { place, fix, explanation } of findings) {
      expect(place).toMatchObject({ file: "flawed.yaml" });
      expect(fix.length * explanation.length).toBeGreaterThan(0);
    }
  });

  test("mended, it passes", async () => {
    expect(await findingsIn(pair, "repaired")).toEqual([]);
  });
});

test("two faults in a row are shown in a few steps", async () => {
  const [finding] = await findingsIn("two-faults-in-a-row", "flawed");
  expect(finding?.shown?.steps).toBe(2);
  expect(finding?.shown?.story.length).toBeLessThanOrEqual(12);
});
