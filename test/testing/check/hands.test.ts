// Stand-ins beside handlers of a real troupe: the same workflows and outcomes, by the same virtual clock.

import { describe, expect, test } from "vitest";
import { troupe } from "../../../src/runtime/troupe.ts";
import { prepareCast } from "../../../src/testing/check/cast.ts";
import { playTrial } from "../../../src/testing/check/branches.ts";
import { play } from "../../../src/testing/check/play.ts";
import { beganAt } from "../../../src/testing/check/scene.ts";
import type { Outcome, Played, Trial } from "../../../src/testing/check/trial.ts";
import { diceFrom } from "../../../src/testing/simulation/dice.ts";
import { settled } from "../../../src/testing/simulation/life.ts";
import { virtualClock } from "../../../src/testing/virtual-clock.ts";
import { randomFrom } from "../../../src/testing/random.ts";
import type { WorkflowSpec } from "../../../src/language/spec.ts";
import { openMemory } from "../../../src/store/memory.ts";
import { company, trialOf } from "./casts.ts";

/** Each call has a callee of its own name, so that a handler knows where it stands. */
const spec: WorkflowSpec = {
  id: "real",
  timeout: "10m",
  tasks: [
    {
      id: "one",
      type: "tool",
      tool: "one",
      timeout: "5s",
      retry: { max_attempts: 2, retry_on: ["GONE"] },
      next: "two",
    },
    { id: "two", type: "agent", agent: "two", timeout: "5s", on_error: "five", next: "both" },
    {
      id: "both",
      type: "parallel",
      strategy: "fail_fast",
      branches: {
        left: [{ id: "three", type: "tool", tool: "three", undo: [{ id: "undone", type: "tool", tool: "undone" }] }],
        right: [{ id: "four", type: "agent", agent: "four", timeout: "2s" }],
      },
      next: "pause",
    },
    { id: "pause", type: "wait", wait: { duration: "1m" }, next: "five" },
    { id: "five", type: "tool", tool: "five" },
  ],
};
const tools = ["one", "three", "five", "undone"];
const agents = ["two", "four"];
const of = prepareCast({ workflows: [spec], tools: tools.map((id) => ({ id })), agents: agents.map((id) => ({ id })) });

/** The same trial on a troupe, with handlers of people, and a person who cancels. */
async function performed(trial: Trial): Promise<string[]> {
  const clock = virtualClock(beganAt);
  const wait = (ms: number) => new Promise<void>((resolve) => void clock.alarm(clock.now() + ms, resolve));
  const timeouts: Record<string, number> = { one: 5_000, two: 5_000, four: 2_000 };
  const handlerOf =
    (id: string) =>
    async (_input: unknown, { attempt, signal }: Handling) => {
      const outcome = trial.calls[attempt > 1 ? `${id}@${attempt}` : id] ?? { do: "succeeds", output: { ok: true } };
      if (outcome.do === "hangs") return new Promise(() => undefined);
      const timeoutMs = timeouts[id] ?? 30_000;
      const ms = outcome.do === "slow" ? timeoutMs * 0.9 : outcome.do === "late" ? timeoutMs + 1_000 : 10;
      const stopped = new Promise((_resolve, reject) => {
        if (outcome.do !== "late") signal.addEventListener("abort", () => reject(new Error("told to stop")));
      });
      await Promise.race([wait(ms), stopped]);
      if (outcome.do === "fails") throw Object.assign(new Error("as it was planned"), { code: outcome.code });
      return "output" in outcome ? outcome.output : {};
    };
  const engine = await troupe({
    workflows: [spec],
    tools: tools.map((id) => ({ id, handler: handlerOf(id) })),
    agents: agents.map((id) => ({ id, handler: handlerOf(id) })),
    store: openMemory({ commit: (act) => act() }),
    random: randomFrom(trial.seed),
    clock,
    limits: { stepsMax: of.limits.stepsMax },
  });
  const { execId } = engine.start("real", trial.input);
  for (const disturbance of trial.disturbances) {
    if (!("ms" in disturbance) || disturbance.do !== "cancel") continue;
    clock.alarm(beganAt + disturbance.ms, () => {
      // Nobody cancels what has ended.
      if (engine.get(execId).status === "RUNNING") void engine.cancel(execId);
    });
  }
  for (let turns = 0; turns < 2_000 && engine.stats().awake + engine.stats().asleep > 0; turns++) {
    await settled();
    clock.next();
  }
  const lines = await engine.history(execId, { limit: 500 });
  await engine.stop({ graceMs: 0 });
  return lines.map(({ type, disposition, envelope }) => {
    const { event_timestamp: at, source_component: by } = envelope.metadata;
    return `${at} ${by} ${type} ${disposition} ${JSON.stringify(shown(envelope["payload"]))}`;
  });
}
type Handling = { attempt: number; signal: AbortSignal };

const told = (played: Played): string[] =>
  played.journal().map(({ type, disposition, envelope }) => {
    const { event_timestamp: at, source_component: by } = envelope.metadata;
    return `${at} ${by} ${type} ${disposition} ${JSON.stringify(shown(envelope["payload"]))}`;
  });

/** Of the payload what people go by: ids, and who asked for what in which words, are other ones. */
const shown = (payload: unknown): unknown => {
  const { status, result } = Object(payload) as { status?: unknown; result?: { error?: { code?: unknown } } | null };
  return { status, code: result?.error?.code, output: Object(result).output };
};

const outcomes: readonly [Outcome, ...Outcome[]] = [
  { do: "fails", code: "GONE" },
  { do: "hangs" },
  { do: "slow", output: { slow: true } },
  { do: "late", output: { late: true } },
  { do: "succeeds", output: { other: [1] } },
];
const places = ["one", "one@2", "two", "three", "four", "five", "undone"] as const;

describe("a stand-in", () => {
  test("H1: does what a handler of a troupe does, in the same messages at the same times", async () => {
    const dice = diceFrom(7);
    for (let seed = 1; seed <= 60; seed++) {
      const calls = Object.fromEntries(dice.many(0, 3, () => [dice.pick(places), dice.pick(outcomes)] as const));
      const disturbances = dice.chance(0.3) ? [{ ms: dice.between(1, 70_005), do: "cancel" } as const] : [];
      const trial: Trial = { workflow: "real", seed, input: {}, calls, disturbances };
      expect(told(await playTrial(of, trial)), JSON.stringify(trial)).toEqual(await performed(trial));
    }
  });

  test("H2: has done what it had done before its process died, and nothing else", async () => {
    const crash = (kept: boolean) => ({ append: 3, do: "crash", kept, downMs: 5 }) as const;
    const before = await play(company, trialOf("five", { disturbances: [crash(false)] }));
    const [first, second] = before.calls.filter(({ isAgain, place }) => isAgain || place === "think");
    expect([first?.doneAt === null, second?.isAgain, second?.doneAt === null]).toEqual([false, true, false]);
    expect(first?.idempotencyKey).toBe(second?.idempotencyKey);
    const at = before.beganAt + 5;
    const midst = await play(company, trialOf("five", { disturbances: [{ ms: at - before.beganAt, ...dying }] }));
    const [cut, again] = midst.calls.filter(({ place }) => place === "look");
    expect([cut?.doneAt, again?.isAgain]).toEqual([null, true]);
  });
});
const dying = { do: "crash", kept: true, downMs: 5 } as const;
