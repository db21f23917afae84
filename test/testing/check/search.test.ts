// The search as a whole, on small workflows with flaws that are known: what it covers, finds, shrinks and says.

import { describe, expect, test } from "vitest";
import { playTrial } from "../../../src/testing/check/branches.ts";
import { prepareCast } from "../../../src/testing/check/cast.ts";
import { trialFrom } from "../../../src/testing/check/replay.ts";
import { search, unsaidOf } from "../../../src/testing/check/search.ts";
import type { Cast, Flaw, Judge, Options, Progress } from "../../../src/testing/check/trial.ts";
import { cast } from "./casts.ts";

const small: Cast = {
  workflows: [
    {
      id: "small",
      tasks: [
        { id: "pay", type: "tool", tool: "bank", next: "pick" },
        { id: "pick", type: "route", cases: [{ when: "${{ tasks.pay.output.large }}", next: "ask" }], default: "ship" },
        { id: "ask", type: "wait", wait: { approval: "so much?" }, timeout: "1d", next: "ship" },
        { id: "ship", type: "tool", tool: "post", on_error: "refund" },
        { id: "refund", type: "tool", tool: "bank", with: { n: "${{ error.code }}" } },
      ],
    },
  ],
  tools: [
    { id: "bank", output: { type: "object", properties: { large: { type: "boolean" } }, required: ["large"] } },
    { id: "post" },
  ],
};
const options: Options = { workflow: "small", seed: 3, runs: 800, timeMs: 600_000 };

const flaw = (title: string, task: string, workflow = "small"): Flaw => ({
  id: title,
  severity: "error",
  title,
  explanation: "planted",
  fix: "none",
  task,
  workflow,
});
/** It takes a failed shipment, and then a refund that fails too. */
const unpaid: Judge = ({ calls, status }) => {
  const failed = calls.filter(({ outcome }) => outcome.do === "fails").map(({ task }) => task);
  return status === "FAILED" && failed.join() === "ship,refund" ? [flaw("lost", "refund")] : [];
};
const refused: Judge = ({ calls }) =>
  calls.some(({ outcome }) => outcome.do === "succeeds" && Object(outcome.output).approved === false)
    ? [flaw("refused", "ask")]
    : [];

describe("a search", () => {
  test("E1: of the same seed and number of runs gives the same report, however quick the machine", async () => {
    let slow = 0;
    const reports = await Promise.all([
      search(small, { ...options, runs: 400 }, [unpaid, refused]),
      search(small, { ...options, runs: 400 }, [unpaid, refused], () => undefined, { now: () => (slow += 100) }),
    ]);
    expect(JSON.stringify(reports[0])).toBe(JSON.stringify(reports[1]));
  });

  test("E2: says what it did completely, and what it did not, and what cut it off", async () => {
    const whole = await search(
      small,
      { ...options, runs: 1_500, timeMs: Infinity, faults: ["fails", "hangs", "cancel"], findingsMax: 1_000 },
      [],
    );
    const [inputs, singles, disturbed, pairs, both] = whole.parts;
    for (const part of [inputs, singles, disturbed, pairs, both]) expect(part?.done).toBe(part?.of);
    expect(Number(pairs?.of)).toBeGreaterThan(Number(singles?.of));
    expect(whole.cutBy).toBeNull();
    const cut = await search(small, { ...options, runs: 30 }, []);
    expect([cut.runs, cut.cutBy, cut.parts.some(({ done, of }) => done < of)]).toEqual([30, "runs", true]);
    let now = 0;
    const late = await search(small, { ...options, timeMs: 10 }, [], () => undefined, { now: () => now++ });
    expect(late.cutBy).toBe("time");
    const found = await search(small, { ...options, findingsMax: 1 }, [unpaid, refused]);
    expect([found.cutBy, found.findings.length]).toEqual(["findings", 1]);
  });

  test("E3: shows each finding with a trial that shows it again, and that a text stands for", async () => {
    const { findings } = await search(small, options, [unpaid, refused]);
    expect(findings.map(({ id }) => id).toSorted()).toEqual(["lost", "refused"]);
    const company = prepareCast(small);
    for (const { id, trial, replay, steps } of findings) {
      const again = trialFrom(replay, "small", unsaidOf(company, "small"));
      expect(again).toEqual(trial);
      const played = await playTrial(company, again);
      expect([unpaid, refused].flatMap((judge) => [...judge(played)]).map((one) => one.id)).toContain(id);
      expect(steps).toBeLessThanOrEqual(2);
    }
  });

  test("takes every way there is, and counts what it tried", async () => {
    const { covered, unreached, faults } = await search(small, options, []);
    expect(unreached).toEqual([]);
    expect(covered.transitions.every(({ times }) => times > 0)).toBe(true);
    expect(covered.states).toEqual({ reached: 5, of: 5 });
    for (const kind of [
      "fails",
      "undispatched",
      "hangs",
      "late",
      "slow",
      "doubled",
      "crash",
      "cancel",
      "pause",
    ] as const) {
      expect(faults[kind], kind).toBeGreaterThan(0);
    }
  });

  test("says what nothing leads to, and what was made up", async () => {
    const dead: Cast = {
      workflows: [
        {
          id: "small",
          tasks: [
            {
              id: "pick",
              type: "route",
              cases: [{ when: "${{ input.n > 5 && input.n < 3 }}", next: "never" }],
              default: "end",
            },
            { id: "never", type: "tool", tool: "bank", next: "end" },
            { id: "end", type: "tool", tool: "post" },
          ],
        },
      ],
      tools: [{ id: "bank" }, { id: "post" }],
    };
    const { unreached, assumed } = await search(dead, { ...options, runs: 300 }, []);
    expect(unreached.map(({ what }) => what)).toEqual([
      "task 'never' of 'small'",
      "the way of task 'pick' of 'small' after SUCCESS to 'never'",
    ]);
    expect(assumed.some((text) => text.includes("the input has no schema"))).toBe(true);
  });

  test("tries only the faults that are asked for", async () => {
    const { faults } = await search(small, { ...options, runs: 300, faults: ["hangs", "cancel"] }, []);
    expect(Object.keys(faults).toSorted()).toEqual(["cancel", "hangs"]);
  });

  test("tries inputs of real runs, and tells how far it is", async () => {
    const told: Progress[] = [];
    const real = { large: 1 };
    let isSeen = false;
    const watch: Judge = ({ trial }) => {
      isSeen ||= trial.input === real;
      return [];
    };
    await search(small, { ...options, runs: 400, inputs: [real] }, [watch], (progress) => void told.push(progress));
    expect(isSeen).toBe(true);
    expect(told.map(({ runs }) => runs)).toEqual([200, 400, 400]);
  });

  test("finds what takes two faults in one order, on a workflow of five calls, and shrinks it to the two", async () => {
    const planted: Judge = ({ calls, status }) => {
      const first = calls.findIndex(({ task, outcome }) => task === "charge" && outcome.do === "fails");
      const second = calls.findIndex(({ task, outcome }) => task === "tell" && outcome.do === "hangs");
      return first >= 0 && second > first && status === "SUCCESS" ? [flaw("planted", "tell", "five")] : [];
    };
    const { findings } = await search(cast, { ...options, workflow: "five", runs: 800 }, [planted]);
    expect(findings.map(({ steps, replay }) => [steps, replay])).toEqual([[2, "3:charge=fails.FAILED,tell=hangs"]]);
  });

  test("of a workflow that is not there is refused", async () => {
    await expect(search(small, { ...options, workflow: "smal" }, [])).rejects.toThrow("smal");
  });
});
