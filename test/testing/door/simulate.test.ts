// Goal: a test may direct a run of the real engine through weeks, failures and crashes in virtual time.
// Method: one workflow with mocks; what comes of it is read from its result, its calls and its history.

import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { JournalLine } from "../../../src/actors/record.ts";
import type { Disturbance } from "../../../src/testing/check/trial.ts";
import { mock } from "../../../src/testing/door/mock.ts";
import { simulate } from "../../../src/testing/door/simulate.ts";
import { root } from "../../kit/tree.ts";
import { charge, order } from "./order.ts";

const paid = mock(charge).returns({ receipt: "R-1" });
const packs = mock("packer").returns({ ok: true });
const all = { tools: [paid], agents: [packs] };

const story = (lines: readonly JournalLine[]): string[] => lines.map(({ type }) => type);

test("a run is started, signaled, and ends", async () => {
  const sim = await simulate(order, all);
  const run = await sim.start({ sum: 5 });
  expect(run.status).toBe("RUNNING");
  await run.signal("signed");
  expect(await run.result()).toMatchObject({ status: "SUCCESS", output: { receipt: "R-1" } });
  expect(sim.calls("charge")).toMatchObject([
    { place: "pay", input: { sum: 5 }, attempt: 1, output: { receipt: "R-1" } },
  ]);
});

test("S1: the same steps with the same seed give the same history", async () => {
  const played = async (seed: number): Promise<JournalLine[]> => {
    const sim = await simulate(order, { ...all, seed });
    const run = await sim.start({ sum: 5 });
    await sim.advance("3d");
    await run.signal("signed");
    await run.result();
    return run.history();
  };
  const [one, same, other] = [await played(1), await played(1), await played(2)];
  expect(same).toEqual(one);
  expect(story(other)).toEqual(story(one));
  expect(other).not.toEqual(one);
});

test("S2: whoever waits for what can never come is told what the run waits for", async () => {
  const run = await (await simulate(order, all)).start({ sum: 5 });
  await run.pause();
  await expect(run.result()).rejects.toThrow(/does not end by itself: paused by .*; signal, answer, resume or cancel/);
});

describe("what is said to a run", () => {
  test("paused it stands still, and its deadlines with it", async () => {
    const sim = await simulate(order, all);
    const run = await sim.start({ sum: 5 });
    await run.pause();
    await sim.advance("60d");
    expect(run.status).toBe("PAUSED");
    await run.resume();
    await run.signal("signed");
    expect((await run.result()).status).toBe("SUCCESS");
  });

  test("canceled it ends, and says what came of its parts", async () => {
    const run = await (await simulate(order, all)).start({ sum: 5 });
    expect(await run.cancel("no more")).toMatchObject({ changed: true });
    expect(await run.result()).toMatchObject({ status: "CANCELED" });
  });

  test("a task that waits for somebody is answered; one that does not wait is not", async () => {
    const sim = await simulate("payout", {
      project: join(root, "examples/approval"),
      unmocked: () => ({ ok: true }),
    });
    const run = await sim.start({ to: "Ada", amount: 900 });
    await sim.advance("1m");
    const [waiting] = (await run.tasks()).filter(({ status }) => status === "WAITING");
    expect(waiting).toBeDefined();
    await expect(run.answer("nobody", {})).rejects.toThrow("no task 'nobody'");
    await run.answer(waiting?.id ?? "", { approved: true });
    expect((await run.result()).status).toBe("SUCCESS");
  });

  test("an input that its schema refuses is refused as by the engine", async () => {
    const sim = await simulate(order, all);
    const run = await sim.start({ sum: "much" } as never);
    expect(await run.result()).toMatchObject({ status: "FAILED", error: { code: "VALIDATION_FAILED" } });
  });
});

describe("faults", () => {
  test("what no handler can do is refused, and it is said who can", async () => {
    const faults = { calls: { ship: { do: "dies", when: "before" } as const } };
    await expect(simulate(order, { ...all, faults })).rejects.toThrow("checkWorkflow plays all");
  });

  test("a person cancels, pauses or signals at a time or behind an append", async () => {
    const ended = async (...disturbances: Disturbance[]): Promise<string> => {
      const sim = await simulate(order, { ...all, faults: { disturbances } });
      return (await (await sim.start({ sum: 5 })).result()).status;
    };
    expect(await ended({ ms: 60_000, do: "cancel" })).toBe("CANCELED");
    expect(await ended({ append: 2, do: "cancel" })).toBe("CANCELED");
    expect(await ended({ ms: 60_000, do: "signal", name: "signed", payload: {} })).toBe("SUCCESS");
    expect(await ended({ ms: 60_000, do: "pause", forMs: 60_000 })).toBe("SUCCESS");
    const crash: Disturbance = { ms: 90_000, do: "crash", kept: true, downMs: 60_000 };
    expect(await ended({ ms: 60_000, do: "pause", forMs: 60_000 }, crash)).toBe("SUCCESS");
  });
});

test("several runs share one time; what disturbs is a matter of the first", async () => {
  const cancel: Disturbance = { ms: 1_000, do: "cancel" };
  const sim = await simulate(order, { ...all, startsAt: "2027-03-01T00:00Z", faults: { disturbances: [cancel] } });
  const [one, other] = [await sim.start({ sum: 1 }), await sim.start({ sum: 2 })];
  await sim.advance("1h");
  expect(new Date(sim.now).toISOString()).toBe("2027-03-01T01:00:00.000Z");
  expect([one.status, other.status]).toEqual(["CANCELED", "RUNNING"]);
});

test("options that there are not, and values that cannot be, are refused", async () => {
  await expect(simulate(order, { agent: [] } as never)).rejects.toThrow(/agent .*did you mean .agents/);
  await expect(simulate(order, { startsAt: "soon" })).rejects.toThrow("startsAt must be a time");
});
