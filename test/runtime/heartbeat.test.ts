// Goal: a task with a heartbeat lives as long as its handler gives signs of life, and no longer.
// Method: handlers that say steps at certain times, or none, in virtual time.

import { expect, it } from "vitest";
import { troupe } from "../../src/runtime/troupe.ts";
import { randomFrom } from "../../src/testing/random.ts";
import { virtualClock } from "../../src/testing/virtual-clock.ts";

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
};

/** How a task ends whose handler says steps at these times and answers after five seconds. */
async function endOf(stepsAtMs: readonly number[]) {
  const clock = virtualClock(Date.UTC(2026, 0, 1));
  const began = clock.now();
  const work = {
    id: "work",
    handler: (_: unknown, { step }: { step: (data: unknown) => void }) =>
      new Promise((done) => {
        for (const ms of stepsAtMs) clock.alarm(began + ms, () => step(ms));
        clock.alarm(began + 5_000, () => done({ ok: true }));
      }),
  };
  const task = { id: "a", type: "tool" as const, tool: "work", heartbeat: "2s" };
  const here = await troupe({ clock, random: randomFrom(1), tools: [work], workflows: [{ id: "w", tasks: [task] }] });
  const end = here.run("w");
  for (let second = 0; second < 60; second++) {
    clock.advance(500);
    await turns();
  }
  return end;
}

it("a handler that gives signs of life is left at work", async () => {
  expect(await endOf([1_000, 2_500, 4_000])).toMatchObject({ status: "SUCCESS" });
});

it("a handler that falls silent is given up", async () => {
  expect(await endOf([1_000])).toMatchObject({
    status: "FAILED",
    error: { details: { cause_code: "TASK_HEARTBEAT_LOST" } },
  });
});

it("a handler that never gives one is given up", async () => {
  expect(await endOf([])).toMatchObject({
    status: "FAILED",
    error: { details: { cause_code: "TASK_HEARTBEAT_LOST" } },
  });
});
