// How what an earlier release froze goes on in this one: pure functions from one version of a chart to the next.
//
//   frozen life, version 1 ──▶ version 2 ──▶ … ──▶ the version of its chart
//
// Whoever changes what a chart keeps, or the names of its states or waits, counts its version up, adds a line here
// at the end, and leaves a data directory of the last release under test/fixtures.
//
// Invariants:
//   B1. A life goes through every line that leads on from its version, in their order, timers and all.
//   B2. A life that no line leads to its chart's version is refused when it is thawed, and nothing is guessed.

import type { Frozen } from "../machines/step.ts";

export type Migration = {
  /** The id of the chart. */
  machine: string;
  from: string;
  to: string;
  /** Gives another life and leaves this one alone. Its timers name states: whoever renames one renames them. */
  change: (life: Frozen) => Omit<Frozen, "machine" | "version">;
};

export const migrations: readonly Migration[] = [];

export const migrated = (frozen: Frozen, table: readonly Migration[]): Frozen =>
  table.reduce(
    (life, { machine, from, to, change }) =>
      life.machine === machine && life.version === from ? { ...change(life), machine, version: to } : life,
    frozen,
  );
