// Goal: a handler does not run for ever because nobody was left to tell it to stop.
// Method: the process that called dies, or its cancel does; the process of the handler lives on, in virtual time.

import { expect, test } from "vitest";
import type { ToolContext } from "../../src/tools/tool.ts";
import { allRoles, virtualTroupe } from "../kit/virtual-troupe.ts";

const second = 1_000;

/** A tool in a process of its own, under a call that may take two seconds. */
async function calledFromElsewhere() {
  const signals: AbortSignal[] = [];
  const handler = (_input: unknown, { signal }: Pick<ToolContext, "signal">): Promise<unknown> => {
    signals.push(signal);
    return new Promise((resolve) => signal.addEventListener("abort", () => resolve({ stopped: true })));
  };
  const callers = allRoles.filter((role) => role !== "tool-executor");
  const stage = await virtualTroupe({
    processes: [callers, ["tool-executor"]],
    tools: [{ id: "slow", handler }],
    workflows: [{ id: "w", tasks: [{ id: "a", type: "tool", tool: "slow", timeout: "2s" }] }],
  });
  stage.troupe.start("w");
  await stage.pass(second);
  expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
  return { stage, signals };
}

test("it is told to stop ten seconds after its timeout if its caller is gone", async () => {
  const { stage, signals } = await calledFromElsewhere();
  stage.troupe.system.stop();
  await stage.pass(10 * second);
  expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
  await stage.pass(2 * second);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
  await stage.pass(10 * second);
  expect(stage.processOf("tool-executor").stats()).toMatchObject({ awake: 0, asleep: 0 });
});

test("a caller that lives tells it in time", async () => {
  const { stage, signals } = await calledFromElsewhere();
  await stage.pass(2 * second);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
});
