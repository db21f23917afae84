// What a step gives back: what was said, what is waited for, and what came of the event.
//
// Method: small charts, each with the one thing in question.

import { describe, expect, test } from "vitest";
import { assign, emit, raise, setup, transition, type AnyStateMachine } from "xstate";
import { fire, freeze, silence, start, step, type Stamp, type Step, type Timer } from "../../src/machines/step.ts";

const stamp = (at: number, seed = `seed-${at}`): Stamp => ({ at, seed });

const small = setup({
  types: {} as {
    context: { n: number };
    events: { type: "GO" | "BACK" | "STAY" | "AGAIN" | "DONE" } & Stamp;
    emitted: { type: "said"; at?: number };
  },
  delays: { soon: 100, later: ({ context }) => 1000 * context.n },
  actions: { say: emit(({ event: { at } }) => ({ type: "said", at })) },
});

const door = small.createMachine({
  id: "door",
  context: { n: 2 },
  initial: "shut",
  on: { STAY: { actions: "say" } },
  states: {
    shut: {
      on: {
        GO: "open",
        BACK: [{ guard: ({ context }) => context.n > 2, target: "open" }, { guard: () => false }],
        AGAIN: { target: "shut", reenter: true },
      },
      after: { soon: { guard: ({ context }) => context.n > 2, target: "open" }, later: "open" },
    },
    open: { on: { BACK: "shut", GO: {}, DONE: "gone" } },
    gone: { type: "final" },
  },
});

const begun = start(door, undefined, stamp(0));
const valueOf = <M extends AnyStateMachine>({ life }: Step<M>): unknown => freeze(life).value;

describe("a step is pure", () => {
  test("S1: a step inside a step keeps its messages and timers to itself", () => {
    const machine: AnyStateMachine = setup({ delays: { soon: 7 } }).createMachine({
      id: "mirror",
      context: { inner: null },
      initial: "a",
      states: {
        a: {
          on: { GO: { target: "b", actions: [emit({ type: "outer" }), assign({ inner: () => nested() })] } },
        },
        b: { entry: emit({ type: "entered" }), after: { soon: "a" } },
      },
    });
    const born = start(machine, undefined, stamp(0));
    let depth = 0;
    const nested = (): unknown =>
      depth++ === 0 ? step(machine, born.life, { type: "GO", ...stamp(50) }).messages : null;
    const outer = step(machine, born.life, { type: "GO", ...stamp(10) });
    expect(outer.messages).toEqual([{ type: "outer" }, { type: "entered" }]);
    expect(outer.armed.map(({ dueAt }) => dueAt)).toEqual([17]);
    expect(outer.life.snapshot.context).toEqual({ inner: [{ type: "outer" }, { type: "entered" }] });
  });

  test("S1: a stamp without a time or a seed is refused", () => {
    expect(() => start(door, undefined, stamp(NaN))).toThrow("a stamp is a time and a seed");
    expect(() => step(door, begun.life, { type: "GO", at: 1 } as never)).toThrow("a stamp is a time and a seed");
    expect(() => step(door, begun.life, { type: "GO", seed: "s" } as never)).toThrow("a stamp is a time and a seed");
  });
});

describe("a message", () => {
  test("leaves in the order it is emitted, and silence does not leave", () => {
    const machine = setup({ types: {} as { emitted: { type: "one" | "two" } } }).createMachine({
      id: "speaker",
      initial: "a",
      states: {
        a: {
          exit: emit({ type: "one" }),
          on: { GO: { target: "b", actions: [emit(silence), emit({ type: "two" })] } },
        },
        b: { entry: [emit({ type: "one" }), emit(() => silence)] },
      },
    });
    const { messages } = step(machine, start(machine, {}, stamp(0)).life, { type: "GO", ...stamp(1) });
    expect(messages).toEqual([{ type: "one" }, { type: "two" }, { type: "one" }]);
  });
});

describe("a finished machine", () => {
  const opened = step(door, begun.life, { type: "GO", ...stamp(1) });
  const gone = step(door, opened.life, { type: "DONE", ...stamp(2) });

  test("S3: is inert, where XState would speak again", () => {
    const [, effects] = transition(door, gone.life.snapshot, { type: "STAY", ...stamp(3) });
    expect(effects.map(({ type }) => type)).toEqual(["xstate.emit"]);
    const late = step(door, gone.life, { type: "STAY", ...stamp(3) });
    expect(late).toEqual({ life: gone.life, messages: [], armed: [], cancelled: [], heard: "inert" });
    expect(late.life).toBe(gone.life);
  });

  test("S3: hears no timer", () => {
    const timer: Timer = { id: "xstate.after.soon.door.shut", visit: "v", dueAt: 0 };
    expect(fire(door, { ...gone.life, timers: [timer] }, timer, stamp(3)).heard).toBe("inert");
  });
});

describe("a timer", () => {
  const soon: Timer = { id: "xstate.after.soon.door.shut", visit: "seed-0#0", dueAt: 100 };
  const later: Timer = { id: "xstate.after.later.door.shut", visit: "seed-0#1", dueAt: 2000 };

  test("S4: is armed on entry, with the time it is due", () => {
    expect(begun.armed).toEqual([soon, later]);
    expect(begun.life.timers).toEqual([soon, later]);
  });

  test("S4: is cancelled when its state is left", () => {
    const left = step(door, begun.life, { type: "GO", ...stamp(5) });
    expect(left).toMatchObject({ life: { timers: [] }, armed: [], cancelled: [soon, later] });
  });

  test("S4: is another one after a re-entry, and the old one is stale", () => {
    const entered = step(door, begun.life, { type: "AGAIN", ...stamp(5) });
    expect(entered.cancelled).toEqual([soon, later]);
    expect(entered.armed.map(({ visit, dueAt }) => [visit, dueAt])).toEqual([
      ["seed-5#0", 105],
      ["seed-5#1", 2005],
    ]);
    const fired = fire(door, entered.life, later, stamp(2000));
    expect(fired.heard).toBe("stale");
    expect(fired.life).toBe(entered.life);
    expect(fire(door, begun.life, { ...later, id: soon.id }, stamp(2000)).heard).toBe("stale");
  });

  test("S4: moves its machine when it fires, however late, and the others of its state are cancelled", () => {
    const fired = fire(door, begun.life, later, stamp(9_999_999));
    expect(fired).toMatchObject({ heard: "taken", armed: [], cancelled: [soon], life: { timers: [] } });
    expect(valueOf(fired)).toBe("open");
    expect(fire(door, fired.life, later, stamp(9_999_999)).heard).toBe("stale");
  });

  test("S4: is spent when it fires, also when a guard says no", () => {
    const fired = fire(door, begun.life, soon, stamp(100));
    expect(fired).toMatchObject({ heard: "taken", armed: [], cancelled: [], life: { timers: [later] } });
    expect(valueOf(fired)).toBe("shut");
  });

  const waiting = (delay: number | (() => number) | undefined): Step<AnyStateMachine> => {
    const machine: AnyStateMachine = setup({ delays: { some: delay as number } }).createMachine({
      id: "waiter",
      initial: "a",
      states: { a: { after: { some: "b" } }, b: {} },
    });
    return start(machine, undefined, stamp(1000));
  };

  test.each<[what: string, delay: number | (() => number), dueAt: number | undefined]>([
    ["that is infinite is never armed", Infinity, undefined],
    ["that is computed to be infinite is never armed", () => Infinity, undefined],
    ["below zero is due at once", -50, 1000],
    ["of zero is due at once, but not fired in the step", 0, 1000],
    ["longer than a computer's timer is kept", 2 ** 33, 1000 + 2 ** 33],
  ])("S4: a delay %s", (_what, delay, dueAt) => {
    const begin = waiting(delay);
    expect(begin.life.timers.map((timer) => timer.dueAt)).toEqual(dueAt === undefined ? [] : [dueAt]);
    expect(valueOf(begin)).toBe("a");
  });

  test.each([
    ["that is not a number throws", NaN],
    ["that is missing throws, where XState would go on at once", undefined],
  ])("S4: a delay %s", (_what, delay) => {
    expect(() => waiting(delay)).toThrow(`the delay of 'xstate.after.some.waiter.a' is '${delay}'`);
  });

  test("S4: of a state left in the same step was never there", () => {
    const machine: AnyStateMachine = setup({ delays: { soon: 1 } }).createMachine({
      id: "hasty",
      initial: "a",
      states: { a: { after: { soon: "b" }, always: "b" }, b: { after: { soon: "a" } } },
    });
    const { armed, cancelled, life } = start(machine, undefined, stamp(0));
    expect(armed).toEqual([{ id: "xstate.after.soon.hasty.b", visit: "seed-0#1", dueAt: 1 }]);
    expect({ cancelled, timers: life.timers }).toEqual({ cancelled: [], timers: armed });
  });
});

describe("what came of an event", () => {
  const heard = (type: string, { life } = begun) => step(door, life, { type, ...stamp(1) } as never);
  const opened = heard("GO");

  test.each([
    ["the state moved: taken", "GO", begun, "taken"],
    ["something was said: taken", "STAY", begun, "taken"],
    ["a state was entered again: taken", "AGAIN", begun, "taken"],
    ["the state ignores it: ignored", "GO", opened, "ignored"],
    ["its guards said no: ignored", "BACK", begun, "ignored"],
    ["only another state names it: unnamed", "DONE", begun, "unnamed"],
    ["no state names it: unknown", "TYPO", begun, "unknown"],
  ])("S5: %s", (_what, type, from, expected) => {
    const taken = heard(type, from);
    expect(taken.heard).toBe(expected);
    if (expected === "taken") expect(taken.life).not.toBe(from.life);
    else expect(taken).toEqual({ life: from.life, messages: [], armed: [], cancelled: [], heard: expected });
    if (expected !== "taken") expect(taken.life).toBe(from.life);
  });

  test("S5: an assign is taken, also one that changes nothing", () => {
    const machine = setup({}).createMachine({ id: "m", context: {}, on: { GO: { actions: assign({}) } } });
    const { life } = start(machine, {}, stamp(0));
    expect(step(machine, life, { type: "GO", ...stamp(1) }).heard).toBe("taken");
  });

  test("S5: to say silence is nothing", () => {
    const machine = setup({}).createMachine({ id: "m", on: { GO: { actions: emit(silence) } } });
    const { life } = start(machine, {}, stamp(0));
    const quiet = step(machine, life, { type: "GO", ...stamp(1) });
    expect(quiet.heard).toBe("ignored");
    expect(quiet.life).toBe(life);
  });

  test("S5: an unknown event does not even wake a transition without event", () => {
    const machine = setup({}).createMachine({
      id: "m",
      initial: "a",
      states: { a: { always: { guard: ({ event }) => event.type === "TYPO", target: "b" } }, b: {} },
    });
    const { life } = start(machine, {}, stamp(0));
    expect(step(machine, life, { type: "TYPO", ...stamp(1) })).toMatchObject({ heard: "unknown", life });
  });

  test("an event of XState's own is refused", () => {
    for (const type of ["xstate.after.soon.door.shut", "xstate.stop", "xstate.error.actor.x", "xstate.init"]) {
      expect(() => heard(type)).toThrow(`machine 'door' on '${type}': such an event comes from XState alone`);
    }
  });
});

describe("whatever a machine hears carries the stamp", () => {
  type Heard = { type: "heard"; what: string } & Partial<Stamp>;
  const machine = setup({
    types: {} as {
      input: { name: string } & Stamp;
      context: { input: unknown };
      events: { type: "GO" | "RAISED" } & Stamp;
      emitted: Heard;
    },
    delays: { soon: 10 },
    actions: {
      hear: emit(({ event: { at, seed } }, { what }: { what: string }) => ({
        type: "heard",
        what,
        at,
        seed,
      })),
      raise: raise(({ event: { at, seed } }) => ({ type: "RAISED", at, seed })),
    },
  }).createMachine({
    id: "ear",
    context: ({ input }) => ({ input }),
    initial: "born",
    states: {
      born: {
        entry: { type: "hear", params: { what: "start" } },
        on: { GO: "inner" },
        after: { soon: "inner" },
      },
      inner: {
        entry: { type: "hear", params: { what: "entry" } },
        initial: "first",
        states: { first: { on: { GO: "last" } }, last: { type: "final" } },
        onDone: { target: "both", actions: { type: "hear", params: { what: "done" } } },
      },
      both: {
        type: "parallel",
        states: {
          left: { initial: "end", states: { end: { type: "final" } } },
          right: { initial: "end", states: { end: { type: "final" } } },
        },
        onDone: { target: "passing", actions: { type: "hear", params: { what: "both done" } } },
      },
      passing: {
        entry: "raise",
        on: { RAISED: { target: "end", actions: { type: "hear", params: { what: "raised" } } } },
      },
      end: { entry: { type: "hear", params: { what: "end" } } },
    },
  });
  const born = start(machine, { name: "ada" }, stamp(5));

  test("S6: the input and the start", () => {
    expect(born.life.snapshot.context.input).toEqual({ name: "ada", at: 5, seed: "seed-5" });
    expect(born.messages).toEqual([{ type: "heard", what: "start", at: 5, seed: "seed-5" }]);
  });

  test("S6: a timer that fires", () => {
    const timer = born.life.timers[0] ?? expect.unreachable("no timer");
    const { messages } = fire(machine, born.life, timer, stamp(77));
    expect(messages).toEqual([{ type: "heard", what: "entry", at: 77, seed: "seed-77" }]);
  });

  test("S6: states that are done, and what is raised", () => {
    const inner = step(machine, born.life, { type: "GO", ...stamp(6) });
    const { messages } = step(machine, inner.life, { type: "GO", ...stamp(7) });
    expect(messages.map(({ what, at, seed }) => [what, at, seed])).toEqual([
      ["done", 7, "seed-7"],
      ["both done", 7, "seed-7"],
      ["raised", 7, "seed-7"],
      ["end", 7, "seed-7"],
    ]);
  });
});
