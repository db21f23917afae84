// The check at boot finds states that nothing enters or ends, and those silent about their status or an event.
//
// Method: charts that are sound for a reason, and beside them charts that lack just that reason.

import { describe, expect, test } from "vitest";
import type { AnyStateMachine } from "xstate";
import { check, type Defect, type DefectKind } from "../../src/machines/check.ts";
import { chart, one, over, running, state, statuses, type Config } from "../kit/sound-chart.ts";

const sound: Defect[] = [];
const only = (kind: DefectKind, at: string, what: string): Defect[] => [
  { kind, at, what: expect.stringContaining(what) as string },
];
const placesOf = (machine: AnyStateMachine): string[] =>
  check(machine, statuses).map(({ kind, at }) => `${kind}: ${at}`);

/** Without event and timeout of its own, for a place below a state that has both. */
const bare: Config = { meta: running };
const pair = (left: Config, right: Config, more: Config = {}): Config =>
  state({ type: "parallel", states: { left, right: { meta: { aside: true }, ...right } }, ...more });
const region = (states: Record<string, Config>): Config => ({ initial: Object.keys(states)[0], states });

describe("a state is entered", () => {
  test.each<[how: string, first: Config, second: Config, root: Config]>([
    ["by an event", { on: { GO: "second" } }, {}, {}],
    ["by a second choice", { on: { GO: [{ guard: "yes", target: "over" }, "second"] } }, {}, {}],
    ["by a timeout", { after: { patience: "second" } }, {}, {}],
    ["without event", { always: { guard: "yes", target: "second" } }, {}, {}],
    ["by id", { on: { GO: "#there" } }, { id: "there" }, {}],
    ["from above", {}, {}, { on: { GO: ".second" } }],
    ["by a timeout above", {}, {}, { after: { patience: ".second" } }],
    ["as the first", {}, { on: { GO: "first" } }, { initial: "second" }],
    ["as the first, in long form", {}, { on: { GO: "first" } }, { initial: { target: "second", actions: "note" } }],
  ])("%s", (_how, first, second, root) => {
    expect(check(chart({ first: state(first), second: state(second), over }, root), statuses)).toEqual(sound);
  });

  test("or it is unreachable", () => {
    const machine = chart({ first: state(), second: state(), over });
    expect(check(machine, statuses)).toEqual(only("unreachable state", "second", "no transition leads here"));
  });

  test("from a state that is entered itself", () => {
    const [second, third] = [state({ on: { GO: "third" } }), state({ on: { GO: "second" } })];
    const machine = chart({ first: state(), second, third, over });
    expect(placesOf(machine)).toEqual(["unreachable state: second", "unreachable state: third"]);
  });

  test("with what is inside it; of a lost one only the top is told", () => {
    const second = state(region({ a: bare }));
    expect(check(chart({ first: state({ on: { GO: "second" } }), second, over }), statuses)).toEqual(sound);
    expect(placesOf(chart({ first: state(), second, over }))).toEqual(["unreachable state: second"]);
  });

  test("with the regions beside it", () => {
    const second = pair(region({ a: bare, b: bare }), region({ c: {}, d: {} }));
    const machine = chart({ first: state({ on: { GO: "second.left.b" } }), second, over });
    expect(placesOf(machine)).toEqual(["unreachable state: second.left.a", "unreachable state: second.right.d"]);
  });

  test("with the state that holds it, but not with the first of those", () => {
    const second = state(region({ a: bare, b: bare }));
    const machine = chart({ first: state({ on: { GO: "second.b" } }), second, over });
    expect(placesOf(machine)).toEqual(["unreachable state: second.a"]);
  });

  test("by history, where it leads by default", () => {
    const remembering = (memory: Config): string[] => {
      const second = state(region({ a: bare, b: bare, memory: { type: "history", ...memory } }));
      return placesOf(chart({ first: state({ on: { GO: "second.memory" } }), second, over }));
    };
    expect(remembering({})).toEqual(["unreachable state: second.b"]);
    expect(remembering({ target: "b" })).toEqual(["unreachable state: second.a"]);
    expect(remembering({ target: "#chart.second.b" })).toEqual(["unreachable state: second.a"]);
  });

  test("by history of regions, all of them", () => {
    const states = { left: region({ a: bare }), right: { ...region({ c: {} }), meta: { aside: true } } };
    const second = state({
      type: "parallel",
      states: { ...states, memory: { type: "history", history: "deep" } },
    });
    expect(placesOf(chart({ first: state({ on: { GO: "second.memory" } }), second, over }))).toEqual([]);
    const unused = chart({ first: state({ on: { GO: "second" } }), second, over });
    expect(placesOf(unused)).toEqual(["unreachable state: second.memory"]);
  });

  test("when one before it is done, if that can be done", () => {
    const done = (states: Record<string, Config>): string[] =>
      placesOf(chart({ first: state({ ...region(states), onDone: "second" }), second: state(), over }));
    expect(done({ a: { ...bare, always: { guard: "yes", target: "b" } }, b: over })).toEqual([]);
    expect(done({ a: bare })).toEqual(["unreachable state: second"]);
    expect(done({ a: bare, b: over })).toEqual(["unreachable state: first.b", "unreachable state: second"]);
  });

  test("when all regions before it are done, if all can be done", () => {
    const ending = (last: Config): Config => region({ a: { ...bare, always: { guard: "yes", target: "b" } }, b: last });
    const done = (left: Config, right: Config): string[] => {
      const first = pair(ending(left), ending(right), { onDone: "second" });
      return placesOf(chart({ first, second: state(), over }));
    };
    expect(done(over, over)).toEqual([]);
    expect(done(over, bare)).toEqual(["unreachable state: second"]);
    expect(done(bare, over)).toEqual(["unreachable state: second"]);
    const ended = pair(over, { type: "final" }, { onDone: "second" });
    expect(placesOf(chart({ first: ended, second: state(), over }))).toEqual([]);
  });
});

describe("a state ends", () => {
  test.each<[why: string, first: Config, root: Config]>([
    ["by a timeout", {}, {}],
    ["by one above", { after: undefined }, { after: { patience: ".over" } }],
    ["unless it waits", { after: undefined, tags: "waiting" }, {}],
    ["unless it waits, among other tags", { after: undefined, tags: ["idle", "waiting"] }, {}],
    ["unless it waits by a tag above", { after: undefined }, { tags: ["waiting"] }],
    ["at once", { after: undefined, always: "over" }, {}],
    ["at once, by the last of several", { after: undefined, always: [{ guard: "yes" }, { target: "over" }] }, {}],
  ])("%s", (_why, first, root) => {
    expect(check(one(first, root), statuses)).toEqual(sound);
  });

  test.each<[what: string, first: Config]>([
    ["nothing", {}],
    ["a transition that a guard may refuse", { always: { guard: "yes", target: "over" } }],
    ["another tag", { tags: "idle" }],
    ["no delay", { after: {} }],
  ])("not by %s", (_what, first) => {
    const machine = one({ after: undefined, ...first });
    expect(check(machine, statuses)).toEqual(only("no timeout", "first", "no after, no tag 'waiting'"));
  });

  test("at once, with all that is inside it", () => {
    const first = state({ after: undefined, always: "over", ...region({ a: {} }) });
    expect(placesOf(chart({ first, over }))).toEqual([]);
  });

  test("not by the timeout of another", () => {
    const machine = chart({
      first: state({ on: { GO: "second" }, after: undefined }),
      second: state(),
      over,
    });
    expect(placesOf(machine)).toEqual(["no timeout: first"]);
  });
});

describe("a state shows its status", () => {
  test.each<[why: string, first: Config]>([
    ["of the chart's entity", { meta: { status: "FAILED" } }],
    ["which may be none yet", { meta: { status: "-" } }],
    ["unless it is left at once", { meta: undefined, always: "over" }],
  ])("%s", (_why, first) => {
    expect(check(one(first), statuses)).toEqual(sound);
  });

  test("which is none in a chart without entity", () => {
    const none = { meta: { status: "-" } };
    expect(check(chart({ first: state(none), over: { ...over, ...none } }, { meta: undefined }), statuses)).toEqual(
      sound,
    );
    expect(placesOf(one({}, { meta: {} }))).toEqual(["unknown status: first", "unknown status: over"]);
  });

  test.each<[kind: DefectKind, first: Config, root: Config, at: string, what: string]>([
    ["no status", { meta: undefined }, {}, "first", "no meta.status"],
    ["no status", { meta: { note: 1 } }, {}, "first", "no meta.status"],
    ["unknown status", { meta: { status: "ASLEEP" } }, {}, "first", "'ASLEEP' is none of 'agent'"],
    ["unknown entity", {}, { meta: { entity: "angel" } }, "(root)", "'angel'"],
  ])("%s: %o", (kind, first, root, at, what) => {
    expect(check(one(first, root), statuses)).toEqual(only(kind, at, what));
  });

  test("also a final one, unless it is done and gone at once", () => {
    const inner = region({ a: { ...bare, always: { guard: "yes", target: "b" } }, b: { type: "final" } });
    const ending = (more: Config): string[] => placesOf(chart({ first: state({ ...inner, ...more }), over }));
    expect(ending({})).toEqual(["no status: first.b"]);
    expect(ending({ onDone: { guard: "yes", target: "over" } })).toEqual(["no status: first.b"]);
    expect(ending({ onDone: "over" })).toEqual([]);
    expect(placesOf(chart({ first: state(), over: { type: "final" } }))).toEqual(["no status: over"]);
  });

  test("in exactly one region; the others are aside", () => {
    const regions = (left: Config, right: Config): string[] => {
      const inner = region({ a: bare });
      return placesOf(chart({ first: pair({ ...inner, meta: left }, { ...inner, meta: right }), over }));
    };
    expect(regions({}, { aside: true })).toEqual([]);
    expect(regions({}, { aside: false })).toEqual(["ambiguous status: first"]);
    expect(regions({ aside: true }, { aside: true })).toEqual(["ambiguous status: first"]);
  });

  test("but not aside, whatever is in there", () => {
    const inner = { type: "parallel", states: { x: region({ a: {} }), y: region({ b: {} }) } };
    expect(placesOf(chart({ first: pair(region({ a: bare }), region({ c: inner })), over }))).toEqual([]);
  });
});

describe("an event is named", () => {
  const hearing = (first: Config, second: Config, root: Config = {}): string[] =>
    check(chart({ first: state(first), second: state(second), over }, root), statuses).map(
      ({ kind, at, what }) => `${kind}: ${what} ${at}`,
    );
  const next = { on: { GO: "over", NEXT: "second" } };

  test("in every state that lasts, if any names it", () => {
    expect(hearing(next, {})).toEqual(["unnamed event: 'NEXT' second"]);
    expect(hearing(next, { on: { GO: "over", NEXT: "first" } })).toEqual([]);
  });

  test("by being ignored on purpose, and then in every state", () => {
    expect(hearing(next, { on: { GO: "over", NEXT: {} } })).toEqual([]);
    expect(hearing({ on: { GO: "second", LATE: {} } }, {})).toEqual(["unnamed event: 'LATE' second"]);
  });

  test("above, for all states below", () => {
    expect(hearing({ on: { GO: "second" } }, { on: {} }, { on: { GO: {} } })).toEqual([]);
  });

  test("but not in a state that is left at once, nor in one that nothing enters", () => {
    expect(hearing(next, { on: {}, always: "over" })).toEqual([]);
    expect(hearing({ on: { GO: "over", NEXT: {} } }, {})).toEqual([
      "unreachable state: no transition leads here second",
    ]);
  });

  test("unless it is XState's own: of a timeout, of a done state", () => {
    const inner = region({ a: { ...bare, after: { patience: "b" } }, b: over });
    expect(hearing({ ...inner, onDone: "second" }, {})).toEqual([]);
  });

  const regions = (left: Record<string, Config>, right: Record<string, Config>): string[] =>
    placesOf(chart({ first: pair(region(left), region(right)), over }));
  const flip = (target: string): Config => ({ ...bare, on: { FLIP: target } });

  test("in a region beside it, for both", () => {
    expect(regions({ a: bare }, { a: flip("b"), b: flip("a") })).toEqual([]);
    expect(regions({ a: flip("b"), b: flip("a") }, { a: bare })).toEqual([]);
  });

  test("in every state of the region beside it that lasts, not in one of them", () => {
    const dozing = { ...bare, after: { patience: "a" } };
    const unnamed = ["unnamed event: first.left.a", "unnamed event: first.right.b"];
    expect(regions({ a: bare }, { a: flip("b"), b: dozing })).toEqual(unnamed);
    expect(regions({ a: bare }, { a: flip("b"), b: over })).toEqual([]);
    expect(regions({ a: bare }, { a: flip("b"), b: { always: "a" } })).toEqual([]);
  });

  test("in a region beside it, where what is no state, or never entered, need not name it", () => {
    const memory = { type: "history" };
    const flipping = {
      a: { ...flip("b"), on: { FLIP: "b", BACK: "memory" } },
      b: { ...flip("a"), on: { FLIP: "a", BACK: {} } },
    };
    expect(regions({ a: bare }, { ...flipping, memory })).toEqual([]);
    const lost = ["unreachable state: first.right.c"];
    expect(regions({ a: bare }, { a: flip("b"), b: flip("a"), c: bare })).toEqual(lost);
  });

  test("in a region beside it, above its states or in a region inside it", () => {
    const inner = { ...flip("a"), ...region({ x: bare }) };
    expect(regions({ a: bare }, { a: inner })).toEqual([]);
    const deep = {
      type: "parallel",
      states: { x: region({ p: { on: { FLIP: {} } } }), y: region({ q: {} }) },
    };
    expect(regions({ a: bare }, { a: deep })).toEqual([]);
  });

  test("not by a region that has ended before it began", () => {
    expect(regions({ a: flip("b"), b: bare }, { a: over })).toEqual(["unnamed event: first.left.b"]);
  });
});
