// The smallest trial that shows the same flaw: things are taken out of it, one by one, as long as the flaw stays.
//
// Invariants:
//   K1. What comes out shows the flaw that went in.
//   K2. Nothing can be taken out of it alone: every fault in it is needed.

import { isObject } from "../../protocol/json.ts";
import { isSame } from "./same.ts";
import type { Disturbance, Outcome, Trial } from "./trial.ts";

/** Plays of one shrinking; a flaw that needs more is told with what there is by then. */
const triesMax = 400;

/** How many things in a trial are otherwise than in the plain run. */
export const stepsOf = ({ calls, disturbances, input }: Trial, plainInput: unknown): number =>
  Object.keys(calls).length + disturbances.length + (isSame(input, plainInput) ? 0 : 1);

export async function shrink(
  trial: Trial,
  plainInput: unknown,
  isShown: (trial: Trial) => Promise<boolean>,
): Promise<{ trial: Trial; tries: number }> {
  let best = trial;
  let tries = 0;
  for (let isSmaller = true; isSmaller;) {
    isSmaller = false;
    for (const smaller of smallerThan(best, plainInput)) {
      if (tries >= triesMax) return { trial: best, tries };
      tries += 1;
      if (!(await isShown(smaller))) continue;
      best = smaller;
      isSmaller = true;
      break;
    }
  }
  return { trial: best, tries };
}

/** Each with one thing less, the largest steps first. */
function* smallerThan(trial: Trial, plainInput: unknown): Generator<Trial> {
  const { calls, disturbances, input } = trial;
  const entries = Object.entries(calls);
  if (entries.length + disturbances.length > 3) {
    for (const half of halvesOf(entries)) yield { ...trial, calls: Object.fromEntries(half) };
    for (const half of halvesOf(disturbances)) yield { ...trial, disturbances: half };
  }
  for (const index of entries.keys()) {
    yield { ...trial, calls: Object.fromEntries(entries.toSpliced(index, 1)) };
  }
  for (const index of disturbances.keys()) yield { ...trial, disturbances: disturbances.toSpliced(index, 1) };
  if (!isSame(input, plainInput)) {
    yield { ...trial, input: plainInput };
    for (const smaller of smallerValues(input)) yield { ...trial, input: smaller };
  }
  for (const [place, outcome] of entries) {
    for (const simpler of simplerThan(outcome)) yield { ...trial, calls: { ...calls, [place]: simpler } };
  }
  for (const [index, disturbance] of disturbances.entries()) {
    for (const sooner of soonerThan(disturbance)) {
      yield { ...trial, disturbances: disturbances.toSpliced(index, 1, sooner) };
    }
  }
}

const halvesOf = <T>(list: readonly T[]): T[][] => {
  const middle = Math.ceil(list.length / 2);
  return list.length < 2 ? [] : [list.slice(0, middle), list.slice(middle)];
};

/** Of two outcomes that show the same, the one that needs less to be said. */
function* simplerThan(outcome: Outcome): Generator<Outcome> {
  if (outcome.do === "succeeds") for (const output of smallerValues(outcome.output)) yield { ...outcome, output };
  const rank = ranks.indexOf(outcome.do);
  if (rank > 0) yield { do: "fails", code: "FAILED" };
  else if (rank === 0 && outcome.do === "fails" && outcome.code !== "FAILED") yield { do: "fails", code: "FAILED" };
}
const ranks: readonly Outcome["do"][] = ["fails", "undispatched", "hangs", "late", "dies"];

function* soonerThan(disturbance: Disturbance): Generator<Disturbance> {
  if (!("append" in disturbance) || disturbance.append <= 1) return;
  yield { ...disturbance, append: 1 };
  yield { ...disturbance, append: disturbance.append - 1 };
}

/** With one field, item or half less. */
function* smallerValues(value: unknown): Generator<unknown> {
  if (Array.isArray(value)) {
    for (const index of value.keys()) yield value.toSpliced(index, 1);
    for (const [index, item] of value.entries()) {
      for (const smaller of smallerValues(item)) yield value.toSpliced(index, 1, smaller);
    }
  } else if (isObject(value)) {
    for (const [key, inner] of Object.entries(value)) {
      const { [key]: _left, ...rest } = value;
      yield rest;
      for (const smaller of smallerValues(inner)) yield { ...value, [key]: smaller };
    }
  } else if (typeof value === "string" && value.length > 1) yield value.slice(0, value.length >> 1);
  else if (typeof value === "number" && value !== 0 && Number.isFinite(value)) yield Math.trunc(value / 2);
}
