// What one input does to one run, by itself: always the same, all of it or nothing, and never without end.
//
// Method: the real components over real parts of a world, but no system, store or time around them; some tests put a
// component beside them that throws at the n-th word it hears, for every n there is.

import { describe, expect, test } from "vitest";
import { componentsOf } from "../../src/runtime/roles.ts";
import { openDefinitions } from "../../src/runtime/definitions.ts";
import type { Heard, Word } from "../../src/actors/component.ts";
import { newHandlers } from "../../src/actors/handlers.ts";
import { withLimits } from "../../src/actors/limits.ts";
import { type Ears, earsOf, type Input, react, type Reaction } from "../../src/actors/react.ts";
import { saidOf } from "../../src/actors/record.ts";
import { newRegistry } from "../../src/actors/registry.ts";
import { freezeRun, newRun, type Run } from "../../src/actors/run.ts";
import { newCalls } from "../../src/actors/flow-calls.ts";
import { newSlots } from "../../src/actors/slots.ts";
import { openWorld, type World } from "../../src/actors/world.ts";
import { minter } from "../../src/protocol/ids.ts";
import { subjectCodec } from "../../src/protocol/subjects.ts";
import { randomFrom } from "../../src/testing/random.ts";
import { virtualClock } from "../../src/testing/virtual-clock.ts";
import { settled } from "../kit/passing.ts";

const at = 1_790_000_000_000;
const components = componentsOf({});
const ears = earsOf(components, true);
const runtime = { id: "local", exec_id: "01a0c450-6c00-7000-8000-000000000001" };
const runId = "01a0c450-6c00-7000-8000-000000000002";

/** A world with nobody around it: what would be sent is kept. */
async function open(limits = {}) {
  const clock = virtualClock(at);
  const ids = minter(randomFrom(1));
  const definitions = openDefinitions(".", withLimits(limits));
  const begun: unknown[] = [];
  const sent: Input[] = [];
  await definitions.add({
    workflows: [
      {
        id: "wide",
        tasks: [
          {
            id: "all",
            type: "parallel",
            branches: {
              one: [
                { id: "one", type: "agent", agent: "clerk", with: ({ input }) => ({ given: input, n: Math.random() }) },
              ],
              two: [{ id: "two", type: "wait", wait: { signal: "go" }, timeout: "1h" }],
              three: [{ id: "three", type: "tool", tool: "look" }],
            },
          },
        ],
      },
    ],
    agents: [{ id: "clerk", handler: (input) => (begun.push(input), { answer: 1 }) }],
    tools: [{ id: "look", handler: (input) => (begun.push(input), { seen: 1 }) }],
  });
  const stamp = (): { at: number; seed: string } => ({ at, seed: ids.seed(at, 1_000_000_000) });
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const run = newRun(runId, "corr");
  const handlers = newHandlers({
    clock,
    payloadBytes: 1_000_000,
    stepBytes: 1_000,
    environment: {},
    redactor: () => undefined,
    agents: definitions.agents,
    tools: definitions.tools,
    handlerOf: definitions.handlerOf,
    actor: (_run, address) => run.actors.get(address),
    correlationId: () => "corr",
    trace: () => undefined,
    send: (_run, input) => sent.push(input),
    publish: () => undefined,
    id: () => ids.next(at),
    log: () => silent,
  });
  const memory = { key: () => undefined, append: () => undefined };
  const slots = newSlots({ max: 1, clock, memory, grant: () => undefined, displace: () => undefined });
  const calls = newCalls({ clock, memory, definitions, tell: () => undefined, again: () => undefined });
  calls.open();
  const registry = newRegistry({ clock, stamp, tell: () => undefined, say: () => undefined });
  const capabilities = {
    agents: ["clerk"],
    supported_providers: [],
    supported_models: [],
    max_concurrent_executions: 1,
  };
  registry.hear({
    type: "event:AgentRuntimeRegistered",
    agent_runtime: { ...runtime, capabilities },
    payload: { status: "REGISTERED", result: null, context: { heartbeat_ms: 5_000, lease_ms: 15_000 } },
  });
  const here = new Set(components.map(({ code }) => code));
  const parts = {
    definitions,
    limits: withLimits(limits),
    registry,
    slots,
    calls,
    handlers,
    runtime,
    here,
    depthOf: () => 1,
  };
  const world = openWorld(parts, subjectCodec({ prefix: "t", layout: "flow" }));
  return { world, run, stamp, begun, sent };
}

const order: Input = {
  on: "message",
  told: false,
  by: "API",
  from: "",
  run: "",
  id: "01a0c450-6c00-7000-8000-000000000003",
  cause: null,
  word: {
    type: "command:WorkflowExecute",
    workflow: { id: "wide", exec_id: runId },
    payload: { context: { input: { q: 1 }, trigger_type: "api" } },
  } as unknown as Word,
};
/** The handler of the tool returns. */
const returned = (run: Run): Input => {
  const address = [...run.actors.keys()].find((one) => one.startsWith("handler/") && isTool(run, one)) ?? "";
  const cue = { type: "cue:Returned", exec_id: address.slice("handler/".length), output: { seen: 1 }, thought: false };
  return { on: "cue", address, cue: cue as unknown as Word };
};
const isTool = (run: Run, address: string): boolean => {
  const snapshot = run.actors.get(address)?.life.snapshot as { context: { order: { type: string } } } | undefined;
  return snapshot?.context.order.type === "command:ToolExecute";
};

/** A run as data; in which order its charts stand is of no account, for a run whose step failed ends. */
const dataOf = (run: Run): unknown => {
  const { actors, ...rest } = JSON.parse(freezeRun(run)) as { actors: [string, unknown][] };
  return { ...rest, actors: Object.fromEntries(actors) };
};
const state = (world: World, run: Run): unknown => ({
  run: dataOf(run),
  slots: [world.slots.taken(), world.slots.waiting()],
  held: world.registry.runtimes().map(({ held }) => held),
  handlers: [world.handlers.running("agent"), world.handlers.running("tool")],
});
const what = (reaction: Reaction): unknown => JSON.parse(JSON.stringify([saidOf(reaction, order), reaction.answers]));

/** The same ears, but the n-th word that is heard is one too many. */
function bombed(n: number): { ears: Ears; heard: () => number } {
  let heard = 0;
  const tick = (): void => {
    heard += 1;
    if (heard === n) throw new Error(`the ${n}th word`);
  };
  const messages = new Map([...ears.messages].map(([key, list]) => [key, [...list, tick]]));
  const cues = new Map(
    [...ears.cues].map(([key, ear]) => [
      key,
      (host: Parameters<typeof ear>[0], word: Heard): void => {
        ear(host, word);
        tick();
      },
    ]),
  );
  return { ears: { ...ears, messages, cues }, heard: () => heard };
}

describe("a reaction", () => {
  test("X1: to what was recorded says the same and leaves the same run, whatever functions give", async () => {
    const { world, run, stamp } = await open();
    const taken = stamp();
    const first = react(world, ears, run, order, taken);
    expect(first.said.length).toBeGreaterThan(10);
    expect(first.answers.length).toBeGreaterThan(3);
    const again = newRun(runId, "corr");
    const input = JSON.parse(JSON.stringify(order)) as Input;
    const second = react(world, ears, again, input, taken, JSON.parse(JSON.stringify(first.answers)) as unknown[]);
    expect(what(second)).toEqual(what(first));
    expect(JSON.parse(freezeRun(again))).toEqual(JSON.parse(freezeRun(run)));
    // Asked anew, the function of the task gives another number: the answers are what makes it the same.
    const anew = react((await open()).world, ears, newRun(runId, "corr"), input, taken);
    expect(what(anew)).not.toEqual(what(first));
  });

  test("X1: depends on the stamp", async () => {
    const one = await open();
    const taken = one.stamp();
    const other = await open();
    const later = { at: taken.at + 1, seed: other.stamp().seed };
    const first = react(one.world, ears, one.run, order, taken);
    const second = react(other.world, ears, other.run, order, later);
    expect(JSON.stringify(second.said)).not.toBe(JSON.stringify(first.said));
  });

  test("X2: that throws at whatever word leaves run, slots, runtimes and handlers as they were", async () => {
    const calm = bombed(0);
    const whole = await open();
    react(whole.world, calm.ears, whole.run, order, whole.stamp());
    expect(calm.heard()).toBeGreaterThan(20);
    for (let n = 1; n <= calm.heard(); n++) {
      const { world, run, stamp, begun } = await open();
      const before = state(world, run);
      expect(() => react(world, bombed(n).ears, run, order, stamp())).toThrow(`the ${n}th word`);
      expect(state(world, run), `at word ${n}`).toEqual(before);
      expect(begun).toEqual([]);
    }
  });

  test("X2: that throws in the middle of a life leaves that life as it was", async () => {
    const calm = bombed(0);
    const whole = await open();
    react(whole.world, ears, whole.run, order, whole.stamp());
    react(whole.world, calm.ears, whole.run, returned(whole.run), whole.stamp());
    expect(calm.heard()).toBeGreaterThan(4);
    for (let n = 1; n <= calm.heard(); n++) {
      const { world, run, stamp } = await open();
      react(world, ears, run, order, stamp());
      const before = dataOf(run);
      expect(() => react(world, bombed(n).ears, run, returned(run), stamp())).toThrow(`the ${n}th word`);
      expect(dataOf(run), `at word ${n}`).toEqual(before);
    }
  });

  test("X3: gathers what leaves the process: no handler is begun before it is let out", async () => {
    const { world, run, stamp, begun, sent } = await open();
    const { effects } = react(world, ears, run, order, stamp());
    expect(begun).toEqual([]);
    expect(effects.length).toBe(2);
    for (const effect of effects) effect();
    expect(begun).toHaveLength(2);
    await settled();
    expect(sent).toHaveLength(2);
  });

  test("X4: ends: one that says more words than it may throws, and nothing is left of it", async () => {
    const { world, run, stamp } = await open({ cascadeMax: 20 });
    const before = state(world, run);
    expect(() => react(world, ears, run, order, stamp())).toThrow("a cascade of more than 20 words");
    expect(state(world, run)).toEqual(before);
  });

  test("X4: ends also where a component answers itself", async () => {
    const { world, run, stamp } = await open({ cascadeMax: 100 });
    const echo = earsOf(
      [
        ...components,
        {
          role: "echo",
          code: "WO",
          group: "echo",
          hears: { "event:WorkflowExecutionStarted": (host, { word }) => host.say("WO", word) },
        },
      ],
      true,
    );
    expect(() => react(world, echo, run, order, stamp())).toThrow("a cascade of more than 100 words");
  });

  test("names the run and the input it failed on", async () => {
    const { world, run, stamp } = await open({ cascadeMax: 5 });
    expect(() => react(world, ears, run, order, stamp())).toThrow(`run '${runId}' on 'command:WorkflowExecute'`);
  });
});
