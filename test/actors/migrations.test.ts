// What an earlier release froze goes on in this one, or is refused and says why.
//
// Method: a run is frozen, made older by hand, and thawed with migrations that are planted for the test.

import { describe, expect, test } from "vitest";
import type { Frozen } from "../../src/machines/step.ts";
import { migrated, type Migration, migrations } from "../../src/actors/migrations.ts";
import { charts, freezeRun, thawRun } from "../../src/actors/run.ts";
import { makeBed, settle } from "./recovery-bed.ts";

const life = (machine: string, version: string): Frozen => ({
  machine,
  version,
  status: "active",
  value: "waiting",
  context: { trail: [] },
  history: {},
  timers: [{ id: "xstate.after.wait.old", visit: "v", dueAt: 7 }],
});
const line = (machine: string, from: string, to: string): Migration => ({
  machine,
  from,
  to,
  change: (old) => ({
    ...old,
    context: { trail: [...(old.context as { trail: string[] }).trail, `${from}-${to}`] },
    timers: old.timers.map((timer) => ({ ...timer, id: timer.id.replace("old", "new") })),
  }),
});

/** A run that waits, as its checkpoint holds it. */
async function waitingRun(): Promise<{ id: string; body: string }> {
  const bed = makeBed();
  const one = await bed.open();
  const { execId } = one.troupe.start("patient");
  await settle(one);
  const run = one.troupe.system.run(execId);
  if (!run) throw new Error("the run is not there");
  return { id: execId, body: freezeRun(run) };
}

/** The same checkpoint, with its lives of one chart as an earlier release would have left them. */
const olden = (body: string, machine: string, version: string): string => {
  const frozen = JSON.parse(body) as { actors: [string, Frozen, string, string | null][] };
  for (const [, life] of frozen.actors) if (life.machine === machine) life.version = version;
  return JSON.stringify(frozen);
};

describe("a life of an earlier release", () => {
  test("B1: goes through every line that leads on from its version, in order, with its timers", () => {
    const table = [line("a", "1", "2"), line("b", "1", "9"), line("a", "2", "3"), line("a", "1", "8")];
    expect(migrated(life("a", "1"), table)).toMatchObject({
      machine: "a",
      version: "3",
      context: { trail: ["1-2", "2-3"] },
      timers: [{ id: "xstate.after.wait.new", visit: "v", dueAt: 7 }],
    });
    expect(migrated(life("a", "2"), table)).toMatchObject({ version: "3", context: { trail: ["2-3"] } });
    expect(migrated(life("c", "1"), table)).toEqual(life("c", "1"));
  });

  test("B1: is left as it was by a line that makes another of it", () => {
    const old = life("a", "1");
    migrated(old, [line("a", "1", "2")]);
    expect(old).toEqual(life("a", "1"));
  });

  test("B1: goes on in a run that is thawed", async () => {
    const { id, body } = await waitingRun();
    const older = olden(body, "taskExecution", "0");
    const planted: Migration = { machine: "taskExecution", from: "0", to: "1", change: (old) => old };
    const run = thawRun(id, 1, older, [planted]);
    expect(freezeRun(run)).toEqual(body);
  });

  test("B2: is refused if no line leads from it, and the error names both versions", async () => {
    const { id, body } = await waitingRun();
    const older = olden(body, "taskExecution", "0");
    expect(() => thawRun(id, 1, older)).toThrow(
      "a life of machine 'taskExecution 0' cannot go on as one of 'taskExecution 1'",
    );
    expect(() => thawRun(id, 1, body.replace('"machine":"taskExecution"', '"machine":"other"'))).toThrow(
      "there is no chart 'other'",
    );
  });
});

test("the table of this release leads to the charts of this release", () => {
  for (const { machine, to } of migrations) {
    const newest = migrations.filter((one) => one.machine === machine).at(-1);
    expect(Object.keys(charts)).toContain(machine);
    if (newest?.to === to) expect(charts[machine]?.version).toBe(to);
  }
});
