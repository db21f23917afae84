// Goal: what goes into a frame is bounded, is JSON, and is what the package's own frames are.
// Method: any value at all; and the frames of the real package beside ours.

import fc from "fast-check";
import { expect, test } from "vitest";
import { createInspector } from "@statelyai/inspect";
import { actorFrame, cut, eventFrame, snapshotFrame, wireVersion } from "../../src/gateway/inspector-frames.ts";
import { createActor, createMachine } from "xstate";
import { until } from "./inspector-bed.ts";

test("IF1: whatever a value is, what is shown of it is JSON, and small", () => {
  const deep = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 12 },
      fc.anything({ withBigInt: true, withDate: true }),
      fc.array(tie("any"), { maxLength: 200 }),
      fc.dictionary(fc.string(), tie("any")),
    ),
  })).any;
  fc.assert(
    fc.property(deep, (value) => {
      const text = JSON.stringify(cut(value)) ?? "";
      expect(text.length).toBeLessThan(400_000);
    }),
  );
});

test("IF1: a cut is said where it is", () => {
  const shown = cut({
    long: "x".repeat(2_000),
    list: Array.from({ length: 120 }, (_, index) => index),
    table: Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`k${index}`, 1])),
    deep: { a: { b: { c: { d: { e: { f: { g: { h: 1 } } } } } } } },
  }) as Record<string, unknown>;
  expect(shown["long"]).toBe(`${"x".repeat(500)}… (cut)`);
  expect((shown["list"] as unknown[]).at(-1)).toBe("… 70 more");
  expect(shown["table"]).toMatchObject({ "…": "10 more" });
  expect(JSON.stringify(shown["deep"])).toContain("[Object]");
  const huge = Array.from({ length: 50 }, () => Array.from({ length: 50 }, () => ({ a: { b: "x".repeat(400) } })));
  expect(JSON.stringify(cut(huge)).length).toBeLessThan(200_000);
});

test("the frames have the fields of the package's own", async () => {
  const theirs: { type: string; [field: string]: unknown }[] = [];
  const inspector = createInspector({ send: (event) => void theirs.push(event as never) });
  const machine = createMachine({ id: "light", initial: "red", states: { red: { on: { GO: "green" } }, green: {} } });
  const actor = createActor(machine, { inspect: inspector.inspect });
  actor.start();
  actor.send({ type: "GO" });
  await until("the package has sent what it puts off", () => theirs.length >= 5);
  const about = { sessionId: "x", rootId: "x", at: 1_790_000_000_000 };
  const body = { status: "active", value: "red" };
  const ours = {
    "@xstate.actor": actorFrame(about, { name: "light", definition: "{}" }, body),
    "@xstate.event": eventFrame(about, { type: "GO" }),
    "@xstate.snapshot": snapshotFrame(about, { type: "GO" }, body),
  };
  expect(new Set(theirs.map(({ type }) => type))).toEqual(new Set(Object.keys(ours)));
  for (const event of theirs) {
    // What is undefined there does not travel.
    const fields = Object.keys(JSON.parse(JSON.stringify(event)) as object);
    expect(Object.keys(ours[event.type as keyof typeof ours])).toEqual(expect.arrayContaining(fields));
    expect(event["_version"]).toBe(wireVersion);
    expect(event["createdAt"]).toMatch(/^\d{13}$/);
  }
});
