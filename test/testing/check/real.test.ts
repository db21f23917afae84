// Plays beside a real troupe: random workflows, outcomes of calls, signals, cancels and crashes, by one virtual clock.
//
// The handlers and the person here are written for this test; of the player they use the names of places alone.

import { expect, test } from "vitest";
import type { AgentContext } from "../../../src/agents/agent.ts";
import { type JournalLine, journalOf } from "../../../src/actors/record.ts";
import type { Committed } from "../../../src/actors/system.ts";
import type { Wait } from "../../../src/protocol/fields.ts";
import { isTerminal } from "../../../src/protocol/statuses.ts";
import { type Disk, makeDisk } from "../../../src/store/memory.ts";
import { playTrial } from "../../../src/testing/check/branches.ts";
import type { Company } from "../../../src/testing/check/cast.ts";
import { isTried } from "../../../src/testing/check/faults.ts";
import { newPlaces, planOf } from "../../../src/testing/check/places.ts";
import { beganAt } from "../../../src/testing/check/scene.ts";
import type { Disturbance, Outcome, Place, Trial } from "../../../src/testing/check/trial.ts";
import { type Dice, diceFrom } from "../../../src/testing/simulation/dice.ts";
import { beginLife, type Life, settled } from "../../../src/testing/simulation/life.ts";
import { randomFrom } from "../../../src/testing/random.ts";
import { virtualClock } from "../../../src/testing/virtual-clock.ts";
import { drawn, drawnInput } from "./casts.ts";

const workMs = 10;
const resumesMax = 20;

/** The same trial on a troupe, with a person who gives every wait what it wants. */
async function performed(of: Company, trial: Trial): Promise<Disk> {
  const clock = virtualClock(beganAt);
  const disk = makeDisk();
  const planned = planOf(trial.calls);
  let life: Life | undefined;
  let number = 0;
  let backAt = Infinity;
  let resumed = 0;
  const troupeNow = () => life?.troupe;
  const systemOf = () => troupeNow()?.system;
  const places = newPlaces(
    (id) => systemOf()?.run(id),
    (execId) => systemOf()?.homeOf(execId),
  );
  const later = (ms: number, act: () => void): void => {
    clock.alarm(clock.now() + ms, () => {
      if (life) act();
      else later(backAt + 1 - clock.now(), act);
    });
  };

  // What a crash makes begin again does so before the process is there to be asked.
  const known = new Map<string, Place>();
  const placeOf = (execId: string, attempt: number): Place => {
    const run = systemOf()?.homeOf(execId) ?? "";
    const task = systemOf()?.run(run)?.executions.get(execId)?.parents.task;
    const place = known.get(execId) ?? places.placeOf(run, task ?? { id: "", exec_id: execId }, attempt);
    known.set(execId, place);
    return place;
  };

  const handler = async (_input: unknown, { execId, attempt, signal, deadline }: AgentContext): Promise<unknown> => {
    const outcome = planned(placeOf(execId, attempt)) ?? { do: "succeeds", output: { ok: true } };
    const limitMs = deadline ? deadline.getTime() - clock.now() : 60_000;
    const ms = { slow: Math.floor(limitMs * 0.9), late: limitMs + 1_000 }[String(outcome.do)] ?? workMs;
    const own = clock;
    await new Promise<void>((resolve, reject) => {
      if (outcome.do !== "hangs") own.alarm(own.now() + ms, resolve);
      if (outcome.do !== "hangs" && outcome.do !== "late")
        signal.addEventListener("abort", () => reject(new Error("stop")));
    });
    if (outcome.do === "fails") throw Object.assign(new Error("as it was planned"), { code: outcome.code });
    return "output" in outcome ? outcome.output : undefined;
  };

  const person = ({ run, said }: Committed): void => {
    for (const { word } of said) {
      const { context } = word["payload"] as { context: { wait: Wait } };
      // Whoever is asked too often gives up.
      if (word.type === "event:WorkflowExecutionPaused" && (resumed += 1) <= resumesMax)
        later(workMs, () => void life?.troupe.resume(run).catch(() => 0));
      if (word.type !== "event:TaskWaitingStarted") continue;
      const { wait } = context;
      const task = word.task?.exec_id ?? "";
      const spec = of.taskOf(String(word.workflow?.id), word.task?.id ?? "");
      const isPicky = spec?.type === "wait" && "match" in spec.wait;
      const payload = isPicky ? { n: 1 } : {};
      if ("signal" in wait) later(workMs, () => void life?.troupe.signal(run, wait.signal, payload).catch(() => 0));
      if ("approval" in wait) later(workMs, () => void life?.troupe.resume(task, { approved: true }).catch(() => 0));
    }
  };

  const begin = async (): Promise<void> => {
    number += 1;
    life = await beginLife({
      number,
      disk,
      clock,
      options: () => ({
        workflows: [...of.workflows.values()],
        agents: [...of.agents.keys()].map((id) => ({ id, handler })),
        tools: [...of.tools.keys()].map((id) => ({ id, handler })),
        random: randomFrom(trial.seed),
        limits: { stepsMax: of.limits.stepsMax },
        log: () => undefined,
      }),
      commitMs: () => 0,
      appended: () => undefined,
      heard: person,
      died: () => (life = undefined),
      variant: {},
    });
  };
  await begin();
  const execId = troupeNow()?.start(trial.workflow, trial.input).execId ?? "";
  for (const one of trial.disturbances) {
    if (!("ms" in one)) throw new Error("only moments of time are known here");
    clock.alarm(beganAt + one.ms, () => {
      if (!life || isTerminal(life.troupe.get(execId).status)) return;
      if (one.do === "cancel") void life.troupe.cancel(execId).catch(() => 0);
      if (one.do !== "crash") return;
      backAt = clock.now() + one.downMs;
      life.crash({ whole: Infinity });
      clock.alarm(backAt, () => undefined);
    });
  }
  for (let turns = 0; turns < 5_000; turns++) {
    await settled();
    if (!life && clock.now() >= backAt) await begin();
    const { awake = 1, asleep = 0 } = life?.troupe.stats() ?? {};
    if (life && awake + asleep === 0) break;
    if (!clock.next()) break;
  }
  await settled();
  life?.crash({ whole: Infinity });
  return disk;
}

const anId = /[0-9a-f]{8}-[0-9a-f-]{27}/g;
const told = (lines: readonly JournalLine[]): string[] =>
  lines
    .filter(({ type }) => !type.includes("AgentRuntime") || type.includes("AgentRuntimeExec"))
    .map(({ type, disposition, envelope }) => {
      const { event_timestamp: at, source_component: by } = envelope.metadata;
      const { status, result } = Object(envelope["payload"]) as { status?: unknown; result?: unknown };
      const shown = [status, Object(Object(result).error).code, Object(result).output];
      const text = JSON.stringify(shown).replaceAll(anId, "id");
      return `${at} ${by} ${type} ${disposition} ${Object(envelope["task"]).id} ${text}`;
    });

const outcomes: readonly [Outcome, ...Outcome[]] = [
  { do: "fails", code: "GONE" },
  { do: "hangs" },
  { do: "slow", output: { slow: true } },
  { do: "late", output: { late: true } },
  { do: "succeeds", output: { other: [1] } },
];

async function trialFor(dice: Dice, of: Company, seed: number): Promise<Trial> {
  const base: Trial = { workflow: "first", seed, input: drawnInput, calls: {}, disturbances: [] };
  const { calls } = await playTrial(of, base);
  const places = calls.filter(({ place, kind }) => kind !== "wait" && isTried(place)).map(({ place }) => place);
  const faults =
    places.length > 0 ? dice.many(0, 3, () => [dice.pick(places as [string]), dice.pick(outcomes)] as const) : [];
  const ms = 10 * dice.between(0, 300) + 5;
  const disturbances = dice.pick<Disturbance[]>([
    [],
    [],
    [{ ms, do: "cancel" }],
    [{ ms, do: "crash", kept: true, downMs: 1_000 }],
  ]);
  return { ...base, calls: Object.fromEntries(faults), disturbances };
}

const seeds = Array.from({ length: 30 }, (_, index) => index + 1);
test.each(seeds)("seed %i is told alike by the player and by a troupe", async (seed) => {
  const dice = diceFrom(500 + seed);
  const of = drawn(dice, true);
  for (let left = 3; left > 0; left--) {
    const trial = await trialFor(dice, of, seed);
    const played = told((await playTrial(of, trial)).journal());
    const real = told((await performed(of, trial)).log.flatMap(journalOf));
    const place = played.findIndex((line, index) => line !== real[index]);
    // Of two long stories the first lines that differ are enough.
    expect([played[place], played.length], JSON.stringify(trial)).toEqual([real[place], real.length]);
  }
});
