// Trials as text and back: each kind of outcome and disturbance, and what is no such text.

import { describe, expect, test } from "vitest";
import { replayText, trialFrom } from "../../../src/testing/check/replay.ts";
import type { Disturbance, Outcome, Trial } from "../../../src/testing/check/trial.ts";

const unsaid = { input: { n: 1 }, answerOf: () => ({ ok: true }) };
const output = { a: ["ü", { b: null }] };
const outcomes: Outcome[] = [
  { do: "succeeds", output },
  { do: "succeeds", output: { ok: true } },
  { do: "fails", code: "OUT_OF_STOCK" },
  { do: "undispatched", reason: "no_runtime" },
  { do: "undispatched", reason: "all_busy" },
  { do: "hangs" },
  { do: "late", output },
  { do: "doubled", output },
  { do: "slow", output },
  { do: "dies", when: "before" },
  { do: "dies", when: "after" },
  { do: "early", output },
];
const disturbances: Disturbance[] = [
  { append: 3, do: "crash", kept: true, downMs: 100 },
  { append: 4, do: "crash", kept: false, downMs: 1 },
  { ms: 50, do: "cancel" },
  { append: 2, do: "pause", forMs: 60_000 },
  { append: 9, do: "jump", byMs: -5_000 },
  { append: 1, do: "signal", name: "go, now=1", payload: output },
];
const names = ["charge", "charge@2", "charge@*", "pages[3]/fetch#2", "pages[*]/fetch", "pay/charge", "!"];

describe("a trial", () => {
  test("R1: is the same when it was written and is read", () => {
    const calls = Object.fromEntries(
      outcomes.map((outcome, index) => [`${names[index % names.length]}_${index}`, outcome]),
    );
    for (const input of [unsaid.input, { n: 2, text: "a=b,c" }]) {
      const trial: Trial = { workflow: "w", seed: 42, input, calls, disturbances };
      expect(trialFrom(replayText(trial, unsaid), "w", unsaid)).toEqual(trial);
    }
    for (const place of names) {
      const trial: Trial = { workflow: "w", seed: 7, input: {}, calls: { [place]: { do: "hangs" } }, disturbances: [] };
      expect(trialFrom(replayText(trial, unsaid), "w", unsaid)).toEqual(trial);
    }
  });
  test("is short, and says what happens", () => {
    const calls = { charge: { do: "fails", code: "GONE" }, "ship@*": { do: "hangs" } } as const;
    const trial: Trial = {
      workflow: "w",
      seed: 7,
      input: { n: 1 },
      calls,
      disturbances: [{ append: 12, do: "cancel" }],
    };
    expect(replayText(trial, unsaid)).toBe("7:charge=fails.GONE,ship@*=hangs,@12=cancel");
    expect(replayText({ ...trial, calls: {}, disturbances: [] }, unsaid)).toBe("7:");
  });
});

test.each([
  ["charge=hangs", "SEED:PATH"],
  ["7:charge", "PLACE=WHAT"],
  ["7:charge=explodes", "outcome is not known"],
  ["7:charge=dies.soon", "outcome is not known"],
  ["7:@soon=cancel", "moment"],
  ["7:@3=explode", "disturbance is not known"],
  ["7:@3=pause.long", "milliseconds"],
  ["7:input=%%%", "no JSON"],
])("R2: '%s' is refused: %s", (text, why) => {
  expect(() => trialFrom(text, "w", unsaid)).toThrow(why);
});
