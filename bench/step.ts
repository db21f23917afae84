// What the pure step costs beside XState alone: an agent execution created, stepped once, and lived through.
//
// Method: in one run, the same machine and the same events go through step.ts and through a bare
// machine.transition() with a scope of its own, which throws the effects away. Each is measured in several rounds;
// the fastest quarter of the best round counts, for what else the computer does slows the rest. The bench fails when
// a life costs more than it may.
//
//   node bench/step.ts            a table
//   node bench/step.ts --json     one object, times in nanoseconds

import assert from "node:assert/strict";
import { bench, do_not_optimize, run } from "mitata";
import type { AnyActorScope, AnyMachineSnapshot, EventFrom } from "xstate";
import { agentExecution } from "../src/machines/agent-execution.ts";
import { start, step, type Stamp } from "../src/machines/step.ts";

/** A full agent life, in events, may cost this many times the bare one. */
const ratioMax = 2;

const stamp: Stamp = { at: 1_790_000_000_000, seed: "01a0c2d4-8e00-7000-8000-000000000000" };
const call = {
  parents: {},
  callee: { id: "reviewer", exec_id: "01a0c2d4-8e00-7000-8000-000000000001" },
  attempt: 1,
  input: { text: "hello" },
  timeoutMs: 60_000,
};

type Event = EventFrom<typeof agentExecution>;
const about = { ...stamp, agent: call.callee };
const started = { ...about, type: "event:AgentExecutionStarted", payload: { context: { attempt: 1 } } };
const cancel = { ...about, type: "cue:EndCall", exec_id: call.callee.exec_id, cause: "requested", reason: "no need" };
const replied = {
  ...about,
  type: "result:AgentExecutionResult",
  payload: { status: "SUCCESS", result: { output: { text: "hi" } }, context: { attempt: 1 } },
};
/** Started, once more, canceled, started late, answered. */
const events = [started, started, cancel, started, replied] as unknown as readonly Event[];
const [first] = events;

const nothing = (): undefined => undefined;
const system = { _sendInspectionEvent: nothing };
const scope = { self: { system }, system, actionExecutor: nothing, defer: nothing, emit: nothing };
const bare = scope as unknown as AnyActorScope;
const born = (): AnyMachineSnapshot => agentExecution.getInitialSnapshot(bare, { ...call, ...stamp });
const moved = (snapshot: AnyMachineSnapshot, event: Event): AnyMachineSnapshot =>
  agentExecution.transition(snapshot as ReturnType<typeof agentExecution.getInitialSnapshot>, event, bare);

const snapshot = born();
const { life } = start(agentExecution, call, stamp);

const lived = events.reduce((now, event) => step(agentExecution, now, event).life, life);
assert.equal(lived.snapshot.status, "done");

const life5 = "life of 5 events";
const pairs: Record<string, readonly [bare: () => unknown, step: () => unknown]> = {
  create: [born, () => start(agentExecution, call, stamp)],
  step: [() => first && moved(snapshot, first), () => first && step(agentExecution, life, first)],
  [life5]: [
    () => events.reduce(moved, born()),
    () => events.reduce((now, event) => step(agentExecution, now, event).life, start(agentExecution, call, stamp).life),
  ],
};

for (const [name, [theirs, ours]] of Object.entries(pairs)) {
  bench(`${name}, bare`, () => do_not_optimize(theirs()));
  bench(`${name}, step`, () => do_not_optimize(ours()));
}

const rounds = 3;
const bestNs = new Map<string, number>();
for (let round = 0; round < rounds; round += 1) {
  const { benchmarks } = await run({ format: "quiet", throw: true });
  for (const { name, stats } of benchmarks.flatMap(({ runs }) => runs)) {
    bestNs.set(name, Math.min(bestNs.get(name) ?? Infinity, stats?.p25 ?? Infinity));
  }
}
const nsOf = (name: string): number => bestNs.get(name) ?? NaN;
const rows = Object.keys(pairs).map((name) => {
  const [bareNs, stepNs] = [nsOf(`${name}, bare`), nsOf(`${name}, step`)];
  return { name, bareNs, stepNs, ratio: stepNs / bareNs };
});

if (process.argv.includes("--json")) {
  console.log(JSON.stringify({ node: process.version, ratioMax, rows }));
} else {
  const micro = (ns: number): string => `${(ns / 1000).toFixed(2)} µs`.padStart(10);
  for (const { name, bareNs, stepNs, ratio } of rows) {
    console.log(`${name.padEnd(18)} bare ${micro(bareNs)}   step ${micro(stepNs)}   ratio ${ratio.toFixed(2)}`);
  }
  console.log(`a life may cost up to ${ratioMax} times the bare one`);
}
if (!rows.every(({ name, ratio }) => name !== life5 || ratio <= ratioMax)) process.exitCode = 1;
