// The check at boot finds each part that is missing, and each that a machine may not have.
//
// Method: a sound chart, and for each kind of defect charts that differ from it in exactly that.

import { describe, expect, test } from "vitest";
import { and, assign, cancel, enqueueActions, fromPromise, log, not, or, raise, sendTo, stateIn } from "xstate";
import type { AnyStateMachine } from "xstate";
import { assertSound, check, type DefectKind } from "../../src/machines/check.ts";
import { chart, one, over, state, statuses, type Config } from "../kit/sound-chart.ts";

describe("a sound chart has no defect", () => {
  test("the plainest", () => {
    expect(check(one(), statuses)).toEqual([]);
    expect(check(() => one(), statuses)).toEqual([]);
    expect(() => assertSound(one(), statuses)).not.toThrow();
  });

  test("actions of all kinds that are allowed", () => {
    const entry = ["note", { type: "say" }, assign({}), enqueueActions(() => undefined)];
    expect(check(one({ entry, exit: raise(({ event }) => event) }), statuses)).toEqual([]);
  });

  test("guards of all kinds", () => {
    const nested = { guard: and(["yes", not({ type: "yes" })]), target: "over" };
    const inPlace = { guard: (): boolean => true };
    const GO = [{ guard: "both", actions: "note" }, nested, { guard: stateIn("first") }, inPlace];
    expect(check(one({ on: { GO } }), statuses)).toEqual([]);
  });
});

/** A chart with an unknown target does not even come to be, so it is handed over unmade. */
type Source = AnyStateMachine | (() => AnyStateMachine);
type Row = [kind: DefectKind, how: string, source: Source, at: string, what: string];

const remembering = (target: string): AnyStateMachine =>
  chart({ first: state(), over, back: { type: "history", target } }, { on: { BACK: ".back" } });

const targets: Row[] = [
  ["unknown target", "beside", () => one({ on: { GO: "nowhere" } }), "(definition)", "nowhere"],
  ["unknown target", "by id", () => one({ on: { GO: "#nowhere" } }), "(definition)", "nowhere"],
  ["unknown target", "below", () => one({ on: { GO: ".nowhere" } }), "(definition)", "nowhere"],
  ["unknown target", "at the root", () => one({}, { on: { GO: "nowhere" } }), "(definition)", "nowhere"],
  ["unknown target", "below the root", () => one({}, { on: { GO: ".nowhere" } }), "(definition)", "nowhere"],
  ["unknown target", "of a history state", remembering("nowhere"), "back", "'nowhere'"],
  ["unknown target", "of a history state, below", remembering("first.nowhere"), "back", "'first.nowhere'"],
  ["unknown target", "of a history state, by id", remembering("#nowhere"), "back", "'#nowhere'"],
  ["unknown initial", "none", () => one({}, { initial: undefined }), "(definition)", "No initial state"],
  ["unknown initial", "no state", one({}, { initial: "nowhere" }), "(root)", "'nowhere'"],
  ["unknown initial", "no state, in long form", one({}, { initial: { target: "nowhere" } }), "(root)", "'nowhere'"],
  ["broken definition", "an event without name", () => one({ on: { "": "over" } }), "(definition)", "Null events"],
];

const go = (...transitions: unknown[]): Config => ({ on: { GO: transitions } });

const actions: Row[] = [
  ["unknown action", "on entry", one({ entry: "absent" }), "first", "'absent'"],
  ["unknown action", "on exit, in a list", one({ exit: ["note", "absent"] }), "first", "'absent'"],
  ["unknown action", "with parameters", one({ entry: { type: "absent", params: {} } }), "first", "'absent'"],
  ["unknown action", "of an event", one(go({ target: "over", actions: "absent" })), "first", "'absent'"],
  ["unknown action", "of a second choice", one(go("over", { actions: ["absent"] })), "first", "'absent'"],
  ["unknown action", "of a timeout", one({ after: { patience: { actions: "absent" } } }), "first", "'absent'"],
  ["unknown action", "without event", one({ always: { guard: "yes", actions: "absent" } }), "first", "'absent'"],
  ["unknown action", "of a start", one({}, { initial: { target: "first", actions: "absent" } }), "(root)", "'absent'"],
  ["effect", "a named function", one({ entry: "effect" }), "first", "'effect' is none of"],
  ["effect", "a function in place", one({ exit: (): undefined => undefined }), "first", "'exit' is none of"],
  ["effect", "log", one({ entry: log("x") }), "first", "'log' is none of"],
  ["effect", "sendTo", one(go({ actions: sendTo("x", { type: "X" }) })), "first", "'sendTo' is none of"],
  ["effect", "a raise to come", one({ entry: raise(({ event }) => event, { delay: 5 }) }), "first", "with a delay"],
  ["effect", "a raise as it is", one({ entry: raise({ type: "GO" }) }), "first", "without the stamp"],
  ["effect", "a cancel of its own", one({ entry: cancel("mine") }), "first", "'cancel' is none of"],
];

const guards: Row[] = [
  ["unknown guard", "of an event", one(go({ guard: "absent", target: "over" })), "first", "'absent'"],
  ["unknown guard", "with parameters", one(go({ guard: { type: "absent" } })), "first", "'absent'"],
  ["unknown guard", "inside others", one(go({ guard: and([not("yes"), or(["absent"])]) })), "first", "'absent'"],
  ["unknown guard", "inside a named one", one(go({ guard: "neither" })), "first", "'absent'"],
  ["unknown guard", "that is itself", one(go({ guard: "circle" })), "first", "'circle'"],
  ["unknown guard", "without event", one({ always: { guard: "absent", target: "over" } }), "first", "'absent'"],
  ["unknown guard", "of a timeout", one({ after: { patience: { guard: "absent" } } }), "first", "'absent'"],
];

const others: Row[] = [
  ["unknown delay", "by name", one({ after: { absent: "over" } }), "first", "'absent'"],
  ["inline delay", "in numbers", one({ after: { 1000: "over" } }), "first", "'1000'"],
  ["actor", "invoked", one({ invoke: { src: fromPromise(() => Promise.resolve()) } }), "first", "invoke"],
  ["actor", "set up", one({}, {}, { actors: { child: {} } }), "(root)", "actor 'child'"],
  ["catch-all", "at the root", one({}, { on: { "*": {} } }), "(root)", "'*'"],
  ["catch-all", "in a state, by prefix", one({ on: { GO: {}, "event.*": "over" } }), "first", "'event.*'"],
  [
    "catch-all",
    "in one of two",
    chart({ first: state(go("two")), two: state({ on: { GO: {}, "*": {} } }), over }),
    "two",
    "'*'",
  ],
  ["no version", "at all", one({}, { version: undefined }), "(root)", "version is not set"],
  ["no iteration limit", "at all", one({}, { options: {} }), "(root)", "maxIterations is not set"],
  ["no iteration limit", "but infinity", one({}, { options: { maxIterations: Infinity } }), "(root)", "maxIterations"],
];

describe("a defect is found, and it alone", () => {
  test.each([targets, actions, guards, others].flat())("%s: %s", (kind, _how, source, at, what) => {
    expect(check(source, statuses)).toEqual([{ kind, at, what: expect.stringContaining(what) }]);
  });

  test("whatever is thrown in the making", () => {
    const throwing = (): never => {
      throw "a string" as unknown as Error;
    };
    expect(check(throwing, statuses)).toEqual([{ kind: "broken definition", at: "(definition)", what: "a string" }]);
  });
});

describe("a chart that is not sound", () => {
  test("throws one error that lists every defect with its place", () => {
    const machine = one({ entry: "absent", after: { missing: "over" } }, { version: undefined });
    expect(() => assertSound(machine, statuses)).toThrow(
      [
        "machine 'chart' is not sound:",
        "  no version at (root): version is not set, and a stored life must tell which chart it lived",
        "  unknown delay at first: 'missing'",
        "  unknown action at first: 'absent'",
      ].join("\n"),
    );
  });

  test("throws also when it cannot be made", () => {
    expect(() => assertSound(() => one({ on: { GO: "nowhere" } }), statuses)).toThrow(
      /^the machine is not sound:\n {2}unknown target at \(definition\): Invalid transition definition/,
    );
  });
});
