// What a machine may not do, and what becomes of an error inside one.
//
// Method: a chart for each offence; the error must name machine, state and event, and the life stay as it was.

import { describe, expect, test } from "vitest";
import { assign, cancel, emit, enqueueActions, fromPromise, log, raise, sendParent, sendTo, setup } from "xstate";
import { spawnChild, stopChild, type AnyStateMachine } from "xstate";
import { freeze, start, step, type Stamp } from "../../src/machines/step.ts";
import { deepFreeze } from "../kit/deep-freeze.ts";

const stamp = (at: number, seed = `seed-${at}`): Stamp => ({ at, seed });

describe("a machine may only speak and wait", () => {
  let done = 0;
  const child = setup({}).createMachine({ id: "child" });
  const offending = (action: unknown, actors = {}): AnyStateMachine =>
    setup({ actors, actions: { namedEffect: () => void (done += 1) } }).createMachine({
      id: "bad",
      context: {},
      initial: "a",
      states: { a: { on: { GO: { target: "b", actions: action as never } } }, b: {} },
    });

  const offences: [name: string, action: unknown, says: RegExp][] = [
    ["a named function", "namedEffect", /action 'namedEffect' is an effect/],
    ["a function in place", () => void (done += 1), /action '.+' is an effect/],
    ["an action that is not implemented", "absent", /action 'absent' is missing/],
    ["sendTo", sendTo(({ self }) => self, { type: "X" }), /action 'xstate.sendTo' is an effect/],
    ["a delayed sendTo", sendTo(({ self }) => self, { type: "X" }, { delay: 5 }), /action 'xstate.sendTo'/],
    ["sendParent", sendParent({ type: "X" }), /#_parent/],
    ["log", log("said"), /action 'xstate.log' is an effect/],
    ["spawnChild", spawnChild("child"), /an actor is spawned/],
    ["stopChild", stopChild("absent"), /action 'xstate.stopChild' is an effect/],
    ["spawn in an assign", assign(({ spawn }) => ({ ref: spawn("child") })), /an actor is spawned/],
    ["self.send in an assign", assign(({ self }) => ({ sent: self.send({ type: "X" }) })), /self\.send/],
    ["a raise with a delay", raise({ type: "X" }, { delay: 5 }), /raise\('X'\) has a delay/],
    ["a raise with an id and a delay", raise({ type: "X" }, { delay: 5, id: "x" }), /raise\('X'\) has a delay/],
    ["a raise without the stamp", raise({ type: "X" }), /raise\('X'\) does not pass on the stamp/],
    ["a cancel of its own", cancel("mine"), /cancel\('mine'\)/],
    ["an emit of nothing", emit(() => undefined as never), /to say nothing, emit silence/],
    [
      "an effect among enqueued actions",
      enqueueActions(({ enqueue }) => enqueue("namedEffect" as never)),
      /namedEffect/,
    ],
  ];

  test.each(offences)("S2: %s throws, and names machine, state and event", (_name, action, says) => {
    const machine = offending(action, { child });
    const { life } = start(machine, undefined, stamp(0));
    const attempt = (): unknown => step(machine, life, { type: "GO", ...stamp(1) });
    expect(attempt).toThrow("machine 'bad' in 'a' on 'GO': ");
    expect(attempt).toThrow(says);
    expect(done).toBe(0);
    expect(life.snapshot.value).toBe("a");
  });

  test("S2: at the start too", () => {
    const machine = setup({}).createMachine({ id: "bad", entry: () => void (done += 1) });
    expect(() => start(machine, undefined, stamp(0))).toThrow(/machine 'bad' at its start: action '.+' is an effect/);
    expect(done).toBe(0);
  });

  test("S2: an invoke throws", () => {
    const machine = setup({ actors: { work: fromPromise(() => Promise.resolve(++done)) } }).createMachine({
      id: "bad",
      invoke: { src: "work" },
    });
    expect(() => start(machine, undefined, stamp(0))).toThrow("machine 'bad' at its start: an actor is spawned");
    expect(done).toBe(0);
  });

  test("S2: an event is named in full, not by a pattern", () => {
    const machine = setup({}).createMachine({ id: "bad", on: { "*": {} } });
    expect(() => start(machine, undefined, stamp(0))).toThrow("machine 'bad': '*' is a pattern");
  });
});

describe("what is thrown inside a machine", () => {
  const boom = new Error("boom");
  const fail = (): never => {
    throw boom;
  };
  const failing: AnyStateMachine = setup({ delays: { bad: fail } }).createMachine({
    id: "fragile",
    context: {},
    initial: "outer",
    states: {
      outer: {
        initial: "inner",
        states: { inner: {} },
        on: {
          ASSIGN: { actions: assign(fail) },
          EMIT: { actions: emit(fail) },
          GUARD: { guard: fail, target: "waiting" },
          DELAY: "waiting",
          ALWAYS: "passing",
          OUTPUT: "ended",
        },
      },
      waiting: { after: { bad: "outer" } },
      passing: { always: { guard: fail, target: "outer" } },
      ended: { type: "final" },
    },
    output: fail,
  });
  const { life } = start(failing, undefined, stamp(0));

  test.each(["ASSIGN", "EMIT", "DELAY", "ALWAYS", "OUTPUT", "GUARD"])(
    "S7: names machine, state and event: %s",
    (type) => {
      const before = JSON.stringify(freeze(life));
      let thrown: unknown;
      try {
        step(failing, deepFreeze(life), { type, ...stamp(1) });
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toMatchObject({ message: expect.stringContaining("boom") });
      expect(String(thrown)).toContain(`machine 'fragile' in 'outer.inner' on '${type}': `);
      // XState itself drops the original of what a guard of an event throws, and keeps its message.
      if (type !== "GUARD") expect(thrown).toMatchObject({ cause: boom });
      expect(JSON.stringify(freeze(life))).toBe(before);
    },
  );

  test("S7: at the start, with the original as cause", () => {
    const configs = [{ context: fail }, { context: {}, entry: assign(fail) }] as object[];
    for (const config of configs) {
      const machine = setup({}).createMachine({ id: "fragile", ...config });
      expect(() => start(machine, undefined, stamp(0))).toThrow(
        expect.objectContaining({ message: "machine 'fragile' at its start: boom", cause: boom }),
      );
    }
  });

  test("S7: a circle of transitions is an error, and no hang", () => {
    const machine: AnyStateMachine = setup({}).createMachine({
      id: "circle",
      options: { maxIterations: 20 },
      initial: "a",
      states: { a: { on: { GO: "b" } }, b: { always: "c" }, c: { always: "b" } },
    });
    const born = start(machine, undefined, stamp(0));
    expect(() => step(machine, born.life, { type: "GO", ...stamp(1) })).toThrow(
      /machine 'circle' in 'a' on 'GO': Infinite/,
    );
  });

  test("S7: a life of another machine is refused", () => {
    const other = failing.provide({});
    expect(() => step(other, life, { type: "EMIT", ...stamp(1) })).toThrow("the life is of another machine");
  });
});
