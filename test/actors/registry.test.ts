// Goal: the fairest runtime that can take an agent is chosen, none is overloaded, and what a lost one held is told.
// Method: runtimes that register, beat, drain and fall silent in virtual time.

import { describe, expect, test } from "vitest";
import { newRegistry } from "../../src/actors/registry.ts";
import { minter } from "../../src/protocol/ids.ts";
import { randomFrom } from "../../src/testing/random.ts";
import { virtualClock } from "../../src/testing/virtual-clock.ts";

const second = 1_000;

function opened(more: Partial<Parameters<typeof newRegistry>[0]> = {}) {
  const clock = virtualClock(1_000_000);
  const ids = minter(randomFrom(1));
  const told: string[] = [];
  const said: string[] = [];
  const registry = newRegistry({
    ...more,
    clock,
    stamp: () => ({ at: clock.now(), seed: ids.seed(clock.now(), 1_000) }),
    tell: ({ address }, { type }) => void told.push(`${address} ${type}`),
    say: ({ type, agent_runtime }) => void said.push(`${type} ${agent_runtime.exec_id}`),
  });
  type Told = Parameters<typeof registry.hear>[0];
  type Capable = { agents?: string[]; max?: number; language?: string; version?: string };
  const register = (exec_id: string, { agents = ["a"], max = 2, ...more }: Capable = {}): void =>
    registry.hear({
      type: "event:AgentRuntimeRegistered",
      agent_runtime: {
        id: exec_id,
        exec_id,
        capabilities: {
          agents,
          supported_providers: [],
          supported_models: [],
          max_concurrent_executions: max,
          ...more,
        },
      },
      payload: { status: "REGISTERED", result: null, context: { heartbeat_ms: 5 * second, lease_ms: 15 * second } },
    } as Told);
  let seq = 0;
  const beat = (exec_id: string, more: object = {}): void => {
    seq += 1;
    const payload = { context: { seq, in_flight: 0, ...more } };
    registry.hear({ type: "progress:AgentRuntimeHeartbeat", agent_runtime: { id: exec_id, exec_id }, payload } as Told);
  };
  const leave = (exec_id: string): void => {
    const payload = { status: "DEREGISTERED", result: null, context: { reason: "shutdown" } };
    registry.hear({
      type: "event:AgentRuntimeDeregistered",
      agent_runtime: { id: exec_id, exec_id },
      payload,
    } as unknown as Told);
  };
  /** Chooses, and takes what is chosen. */
  const give = (execId: string, agent = "a"): string => {
    const choice = registry.choose(agent, []);
    if (choice.is !== "chosen") return choice.is;
    registry.take(choice.runtime.exec_id, execId, { run: "r", address: execId });
    return choice.runtime.exec_id;
  };
  return { clock, registry, register, beat, leave, give, told, said };
}

describe("the choice", () => {
  test("is nobody while nobody serves the agent", () => {
    const { give, register, registry } = opened();
    expect(give("1")).toBe("none");
    register("one", { agents: ["b"] });
    expect([give("1"), registry.knows("a"), registry.knows("b")]).toEqual(["none", false, true]);
    register("any", { agents: ["*"] });
    expect([give("1"), registry.knows("a")]).toEqual(["any", true]);
  });

  test("falls on whoever has least to do, then on whoever was idle longest: all get their share", () => {
    const { give, register, registry } = opened();
    for (const id of ["one", "two", "three"]) register(id, { max: 10 });
    const given = Array.from({ length: 9 }, (_, index) => give(String(index)));
    expect(given).toEqual(["one", "two", "three", "one", "two", "three", "one", "two", "three"]);
    registry.release("1");
    expect(give("9"), "it has one less than the others").toBe("two");
  });

  test("leaves out who is excepted, and falls on a suspect last", () => {
    const { give, register, registry, beat, clock } = opened();
    register("quiet", { max: 10 });
    register("loud", { max: 10 });
    for (let passed = 0; passed < 12; passed += 4) {
      clock.advance(4 * second);
      beat("loud");
    }
    expect(registry.runtimes().map(({ id, state }) => [id, state])).toEqual([
      ["quiet", "suspect"],
      ["loud", "registered"],
    ]);
    expect([give("1"), give("2"), give("3")]).toEqual(["loud", "loud", "loud"]);
    expect(registry.choose("a", ["loud"])).toMatchObject({ is: "chosen", runtime: { exec_id: "quiet" } });
    expect(registry.choose("a", ["loud", "quiet"])).toEqual({ is: "none" });
    beat("quiet");
    expect(give("4"), "a beat clears the suspicion").toBe("quiet");
  });
});

describe("load", () => {
  test("J1: no runtime is given more at once than it can take", () => {
    const { give, register } = opened();
    register("one", { max: 2 });
    register("two", { max: 1 });
    expect(["1", "2", "3", "4"].map((id) => give(id))).toEqual(["one", "two", "one", "busy"]);
  });

  test("J1: who waits is told once, when somebody who serves the agent is free, the longest waiting first", () => {
    const { give, register, registry, told } = opened();
    register("one", { max: 1 });
    register("other", { agents: ["b"], max: 1 });
    give("1");
    give("2", "b");
    registry.wait("a", "3", { run: "r", address: "third" });
    registry.wait("a", "4", { run: "r", address: "fourth" });
    registry.release("2");
    expect(told, "that one serves another agent").toEqual([]);
    registry.release("1");
    expect(told).toEqual(["third cue:RuntimeFree"]);
    registry.release("1");
    expect(told).toEqual(["third cue:RuntimeFree"]);
  });

  test("J1: all that wait are told when there is room for all of them", () => {
    const { give, register, registry, told } = opened();
    register("one", { max: 1 });
    give("1");
    for (const address of ["second", "third"]) registry.wait("a", address, { run: "r", address });
    register("two", { max: 2 });
    expect(told).toEqual(["second cue:RuntimeFree", "third cue:RuntimeFree"]);
  });

  test("who waits no longer is not told", () => {
    const { give, register, registry, told } = opened();
    register("one", { max: 1 });
    give("1");
    registry.wait("a", "2", { run: "r", address: "second" });
    registry.release("2");
    registry.release("1");
    expect(told).toEqual([]);
  });
});

describe("leaving", () => {
  test("J2: a runtime that drains is given nothing, and keeps what it has", () => {
    const { give, register, beat, registry, told } = opened();
    register("one");
    give("1");
    beat("one", { draining: true });
    expect(registry.runtimes()).toMatchObject([{ id: "one", state: "draining", held: 1 }]);
    expect(give("2"), "it may come back, or another in its place").toBe("busy");
    registry.wait("a", "2", { run: "r", address: "second" });
    beat("one", { draining: true });
    registry.release("1");
    expect(told).toEqual([]);
    register("two");
    expect(told).toEqual(["second cue:RuntimeFree"]);
  });

  test("J2: a runtime that has left is given nothing until it registers again", () => {
    const { give, register, leave } = opened();
    register("one");
    leave("one");
    expect(give("1")).toBe("none");
    register("one");
    expect(give("1")).toBe("one");
  });

  test("J3: what a runtime held when its lease ran out is told, once, and it is said to have left", () => {
    const { give, register, clock, told, said, registry } = opened();
    register("one");
    give("first");
    give("second");
    registry.release("second");
    clock.advance(14 * second);
    expect([told, said]).toEqual([[], []]);
    clock.advance(2 * second);
    expect(told).toEqual(["first cue:RuntimeLost"]);
    expect(said).toEqual(["event:AgentRuntimeDeregistered one"]);
    clock.advance(3_600 * second);
    expect(told).toEqual(["first cue:RuntimeLost"]);
    expect(give("third")).toBe("none");
  });

  test("J3: a beat renews the lease", () => {
    const { give, register, clock, told, beat } = opened();
    register("one");
    give("first");
    for (let passed = 0; passed < 60; passed += 5) {
      clock.advance(5 * second);
      beat("one");
    }
    expect(told).toEqual([]);
  });

  test("J4: after a restart whoever asks waits for runtimes of before, and is told when they do not come", () => {
    const { give, register, registry, clock, told } = opened();
    registry.expect(15 * second);
    expect([give("first"), give("second", "b")]).toEqual(["busy", "busy"]);
    registry.wait("a", "first", { run: "first", address: "first" });
    registry.wait("b", "second", { run: "second", address: "second" });
    clock.advance(5 * second);
    register("one");
    expect(told).toEqual(["first cue:RuntimeFree"]);
    expect(give("first")).toBe("one");
    clock.advance(10 * second);
    expect(told).toEqual(["first cue:RuntimeFree", "second cue:RuntimeFree"]);
    expect(give("second", "b")).toBe("none");
  });

  test("beats of a runtime that nobody knows change nothing", () => {
    const { beat, registry, clock } = opened();
    beat("stranger");
    expect(registry.runtimes()).toEqual([]);
    expect(clock.pending()).toBe(0);
  });
});

describe("what is told of a runtime", () => {
  test("is what it says of itself, what it was given, and what it is at work on by its own count", () => {
    const { register, beat, give, registry, clock } = opened();
    register("one", { language: "python", version: "3.11" });
    register("two", { max: 5 });
    give("x");
    clock.advance(second);
    beat("one", { in_flight: 7 });
    expect(registry.runtimes()).toMatchObject([
      { id: "one", language: "python", version: "3.11", held: 1, inFlight: 7, max: 2, heardAt: clock.now() },
      { id: "two", language: null, version: null, held: 0, inFlight: 0, max: 5, heardAt: clock.now() - second },
    ]);
  });

  test("is what went wrong last with an agent that it has, and with nobody else's", () => {
    const { register, give, registry, clock } = opened();
    register("one");
    expect(registry.runtimes()).toMatchObject([{ lastError: null }]);
    give("x");
    registry.failed("y", { code: "AGENT_ERROR", message: "of another" }, clock.now());
    expect(registry.runtimes()).toMatchObject([{ lastError: null }]);
    registry.failed("x", { code: "AGENT_ERROR", message: "no paper" }, 42);
    expect(registry.runtimes()).toMatchObject([{ lastError: { code: "AGENT_ERROR", message: "no paper", at: 42 } }]);
  });

  test("is that it fell silent; one that said farewell has no such error", () => {
    const { register, leave, registry, clock } = opened();
    register("silent");
    register("gone");
    leave("gone");
    clock.advance(15 * second);
    const [silent, gone] = registry.runtimes();
    expect(silent).toMatchObject({
      state: "deregistered",
      lastError: { code: "AGENT_RUNTIME_LOST", message: "nothing was heard of it for 15000 ms" },
    });
    expect(gone).toMatchObject({ state: "deregistered", lastError: null });
  });

  test("is known to whoever only looks on, who says nothing in the name of the dispatcher", () => {
    const { register, registry, clock, said } = opened({ isOnlooker: true });
    register("one");
    clock.advance(15 * second);
    expect(registry.runtimes()).toMatchObject([{ id: "one", state: "deregistered" }]);
    expect(said).toEqual([]);
  });
});

describe("J5: two that have one id", () => {
  const advice = /two runtimes beat as one.*give each an id of its own/;
  function watched() {
    const warned: string[] = [];
    const report = (level: string, message: string, { code }: Readonly<Record<string, unknown>>): void =>
      void warned.push(`${level} ${message} ${String(code)}`);
    const bed = opened({ report });
    const errorOf = () => bed.registry.runtimes()[0]?.lastError;
    return { ...bed, warned, errorOf };
  }

  test.each([
    ["one that began long before the other", [7, 8, 1, 9, 2, 10, 3]],
    ["those that began at once", [1, 1, 2, 2, 3, 3]],
  ])("are told of, once: %s", (_name, beats) => {
    const { register, beat, warned, errorOf } = watched();
    register("one");
    register("one");
    for (const seq of beats) beat("one", { seq });
    expect(warned).toEqual(["warn two agent runtimes have one id EXEC_ID_CONFLICT"]);
    expect(errorOf()).toMatchObject({ code: "EXEC_ID_CONFLICT", message: expect.stringMatching(advice) as string });
  });

  test.each([
    [
      "begins anew and counts from one",
      [
        [7, 8],
        [1, 1, 2, 3],
        [1, 2],
      ],
    ],
    ["has a beat that came twice on its way", [[1, 2, 2, 3, 4]]],
  ])("are not seen in one that %s", (_name, lives) => {
    const { register, beat, warned, errorOf } = watched();
    for (const beats of lives) {
      register("one");
      for (const seq of beats) beat("one", { seq });
    }
    expect(warned).toEqual([]);
    expect(errorOf()).toBeNull();
  });
});
