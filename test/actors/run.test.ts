// A run as data: what is frozen and thawed is the same run, and a chart that is missing is named.
//
// Method: every run of a company of workflows at rest goes through JSON and back.

import { expect, test } from "vitest";
import { charts, dueOf, freezeRun, isBusy, newRun, thawRun } from "../../src/actors/run.ts";
import { company, makeBed, settle } from "./recovery-bed.ts";

async function living() {
  const bed = makeBed();
  const life = await bed.open();
  const ids = company.map(({ id }) => life.troupe.start(id, { q: 1 }).execId);
  await settle(life);
  return ids.flatMap((id) => life.troupe.system.peek(id) ?? []);
}

test("what is frozen and thawed is the same run, with its timers, and is frozen to the same text", async () => {
  const runs = await living();
  expect(runs.length).toBeGreaterThan(5);
  for (const run of runs) {
    const again = thawRun(run.id, run.seq, freezeRun(run));
    expect(freezeRun(again)).toBe(freezeRun(run));
    expect(dueOf(again)).toBe(dueOf(run));
    expect(isBusy(again)).toBe(isBusy(run));
    expect(again).toMatchObject({ id: run.id, seq: run.seq, kept: run.seq, correlationId: run.correlationId });
    expect([...again.executions]).toEqual([...run.executions]);
  }
  expect(runs.some(isBusy)).toBe(true);
  expect(runs.some((run) => dueOf(run) < Infinity)).toBe(true);
});

test("every chart of a run can be found by the id it has in the log", async () => {
  const runs = await living();
  for (const run of runs) for (const { machine } of run.actors.values()) expect(charts[machine.id]).toBe(machine);
});

test("a run without charts is due never, and not busy", () => {
  const run = newRun("a", "b");
  expect(dueOf(run)).toBe(Infinity);
  expect(isBusy(run)).toBe(false);
});

test("a checkpoint of another version, or of a chart that is not there, is refused by name", () => {
  const body = JSON.parse(freezeRun(newRun("a", "b"))) as Record<string, unknown>;
  const of = (change: object): string => JSON.stringify({ ...body, ...change });
  expect(() => thawRun("a", 1, of({ v: 2 }))).toThrow("a checkpoint of version 2 cannot be read, only of version 1");
  const actors = [["task/x", { machine: "nobody", version: "1" }, "WO", null]];
  expect(() => thawRun("a", 1, of({ actors }))).toThrow("there is no chart 'nobody'");
});
