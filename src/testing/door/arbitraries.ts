// Arbitraries of fast-check for one workflow: inputs, faults of its calls, what disturbs its runs, and whole trials.
//
// Invariants:
//   A1. Every input that is drawn passes the schema of the workflow; every fault is of a call that a run comes to.

import type { Arbitrary } from "fast-check";
import type { WorkflowSpec } from "../../language/spec.ts";
import { arbitraryOf } from "../check/arbitrary.ts";
import { playTrial } from "../check/branches.ts";
import { type Company, prepareCast } from "../check/cast.ts";
import { allKinds, disturbancesOf, type Fault, faultsOf, isTried } from "../check/faults.ts";
import { unsaidOf } from "../check/search.ts";
import type { Disturbance, FaultKind, Outcome, Place, Trial } from "../check/trial.ts";
import { checkable, type CheckedDefinitions } from "./checkable.ts";
import { playable } from "./perform.ts";

export type Arbitraries<Input = unknown> = {
  /** What its schema allows; where it has none, what its expressions read. */
  inputs: Arbitrary<Input>;
  /** What goes wrong with its calls: for `simulate`, as `{ faults: { calls } }`. */
  calls: Arbitrary<Record<Place, Outcome>>;
  /** Crashes, cancels, pauses and jumps of the clock: for `simulate`, as `{ faults: { disturbances } }`. */
  disturbances: Arbitrary<Disturbance[]>;
  /** All of it, with what a network or a runtime elsewhere may do: for `playTrial`. */
  trials: Arbitrary<Trial>;
};
export type Drawn = CheckedDefinitions & {
  /** The kinds of faults; all, if none are named. */
  faults?: readonly FaultKind[];
};

const faultsAtOnce = 3;
const disturbancesAtOnce = 2;

export async function arbitrariesOf<Input = unknown>(
  workflow: WorkflowSpec | string,
  given: Drawn = {},
): Promise<Arbitraries<Input>> {
  const loaded = await checkable(workflow, given);
  return arbitrariesIn<Input>(prepareCast(loaded.cast), loaded.workflow, given.faults);
}

export async function arbitrariesIn<Input = unknown>(
  company: Company,
  workflow: string,
  kinds: readonly FaultKind[] = allKinds,
): Promise<Arbitraries<Input>> {
  const check = await import("fast-check");
  const { input } = unsaidOf(company, workflow);
  const wanted = new Set(kinds);
  const plain: Trial = { workflow, seed: 1, input, calls: {}, disturbances: [] };
  const played = await playTrial(company, plain);
  const faults = played.calls
    .filter(({ place }) => isTried(place))
    .flatMap((called) => faultsOf(called, company, wanted));
  const inputs = (await arbitraryOf(company.workflows.get(workflow)?.input)) ?? check.constant(input);
  const callsOf = (all: readonly Fault[]): Arbitrary<Record<Place, Outcome>> =>
    check
      .subarray(all as Fault[], { maxLength: Math.min(faultsAtOnce, all.length) })
      .map((some) => Object.fromEntries(some.map(({ place, outcome }) => [place, outcome])));
  const all = disturbancesOf(played, wanted);
  const disturbances = check.subarray(all, { maxLength: Math.min(disturbancesAtOnce, all.length) });
  const waits = new Set(played.calls.filter(({ kind }) => kind === "wait").map(({ place }) => place));
  const here = faults.filter(({ place, outcome }) => playable.has(outcome.do) && !waits.has(place));
  const seeds = check.nat();
  const trials = check
    .record({ seed: seeds, input: inputs, calls: callsOf(faults), disturbances }, { noNullPrototype: true })
    .map((drawn): Trial => ({ workflow, ...drawn }));
  return { inputs: inputs as Arbitrary<Input>, calls: callsOf(here), disturbances, trials };
}
