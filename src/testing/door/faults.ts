// What goes wrong in a simulation, as it was planned: faults of calls by their places, and what disturbs the run.

import { TroupeError } from "../../protocol/errors.ts";
import type { Crash } from "../../store/memory.ts";
import type { Disturbance, Outcome, Place } from "../check/trial.ts";
import { playable } from "./perform.ts";

/** The faults of a trial: what `checkWorkflow` has found is played by a simulation as it stands. */
export type Faults = {
  calls?: Readonly<Record<Place, Outcome>>;
  disturbances?: readonly Disturbance[];
};

/** A crash behind the n-th append, if one is planned there. */
export function crashAt({ disturbances = [] }: Faults, append: number): { left: Crash; downMs: number } | undefined {
  for (const one of disturbances) {
    if (one.do === "crash" && "append" in one && one.append === append) return crashOf(one);
  }
  return undefined;
}
export const crashOf = ({ kept, downMs }: Disturbance & { do: "crash" }): { left: Crash; downMs: number } => ({
  left: { whole: kept ? Infinity : 0 },
  downMs,
});

/** Refuses what only a network or a runtime elsewhere could do. */
export function checkFaults({ calls = {} }: Faults): void {
  for (const [place, { do: what }] of Object.entries(calls)) {
    if (playable.has(what)) continue;
    const message = `'${place}' is to be '${what}', which no handler can do: simulate plays `;
    const hint = `${[...playable].join(", ")}; checkWorkflow plays all, with its option replay`;
    throw new TroupeError("VALIDATION_FAILED", message + hint, { place });
  }
}
