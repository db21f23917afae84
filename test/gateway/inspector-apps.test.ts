// Goal: people's own XState applications are seen beside the runs, and whoever sends anything else harms nobody.
// Method: the real client of @statelyai/inspect with a real actor; then frames that are wrong in every way.

import { createWebSocketInspector, createWebSocketReceiver } from "@statelyai/inspect";
import { once } from "node:events";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { createActor, createMachine } from "xstate";
import { openApp } from "../../src/gateway/inspector-apps.ts";
import { openStage } from "../../src/gateway/inspector-stage.ts";
import { virtualClock } from "../../src/testing/virtual-clock.ts";
import { type Bed, checkFrames, lastOf, listen, openBed, until } from "./inspector-bed.ts";

const opened: Bed[] = [];
const ends: (() => void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) end();
  for (const bed of opened.splice(0)) await bed.close();
});

const light = createMachine({ id: "light", initial: "red", states: { red: { on: { GO: "green" } }, green: {} } });

/** An application of somebody else, as they write it. */
function app(url: string) {
  const inspector = createWebSocketInspector({ url: url.replace("http", "ws") });
  const actor = createActor(light, { inspect: inspector.inspect });
  actor.start();
  ends.push(() => inspector.stop());
  return actor;
}

describe("an application with @statelyai/inspect", () => {
  test("IQ1: has its actors shown beside the runs, as it sends them", async () => {
    const bed = await openBed();
    opened.push(bed);
    const { here, inspector } = bed;
    const viewer = await listen(`${inspector.url}/feed`);
    const actor = app(inspector.url);
    const { execId } = here.start("patient");
    await viewer.until("the run", ({ sessionId }) => sessionId === `chart/${execId}`);
    const born = await viewer.until("the actor", ({ name, type }) => type === "@xstate.actor" && name === "light");
    expect(JSON.parse(born.definition)).toMatchObject({ id: "light", initial: "red" });
    expect(born.sessionId).toMatch(/^app-1\/x:\d+$/);
    actor.send({ type: "GO" });
    await until("it is green", () => lastOf(viewer.frames, born.sessionId)?.value === "green");
    await viewer.until("its event", ({ event, sessionId }) => sessionId === born.sessionId && event?.type === "GO");
    checkFrames(viewer.frames);
    // Whoever looks at one run sees that run.
    const alone = await listen(`${inspector.url}/feed?execution=${execId}`);
    await alone.until("the run", ({ sessionId }) => sessionId === `chart/${execId}`);
    expect(alone.frames.some(({ sessionId }) => sessionId.startsWith("app-"))).toBe(false);
  });

  test("IQ2: is told from another whose actors have the same ids", async () => {
    const bed = await openBed();
    opened.push(bed);
    const viewer = await listen(`${bed.inspector.url}/`);
    const frame = (name: string) =>
      JSON.stringify({
        type: "@xstate.actor",
        sessionId: "x:0",
        rootId: "x:0",
        name,
        definition: JSON.stringify({ id: name }),
        snapshot: { status: "active", value: {} },
      });
    const [one, other] = [await listen(`${bed.inspector.url}/`), await listen(`${bed.inspector.url}/`)];
    one.socket.send(frame("one"));
    other.socket.send(frame("other"));
    const [first, second] = [
      await viewer.until("the first", ({ name }) => name === "one"),
      await viewer.until("the second", ({ name }) => name === "other"),
    ];
    expect(first.sessionId).not.toBe(second.sessionId);
    expect([first.rootId, second.rootId]).toEqual([first.sessionId, second.sessionId]);
    // An application is not sent what it has sent.
    expect(one.frames).toEqual([]);
  });

  test("IQ1: and its receiver hears the runs from here", async () => {
    const bed = await openBed();
    opened.push(bed);
    const heard: { type: string; sessionId: string }[] = [];
    const receiver = createWebSocketReceiver({ server: bed.inspector.url.replace("http", "ws") });
    receiver.subscribe((event) => void heard.push(event));
    await until("it looks", () => bed.inspector.stats().viewers === 1);
    const { execId } = bed.here.start("patient");
    await until("it hears of the run", () => heard.some(({ sessionId }) => sessionId === `chart/${execId}`));
  });

  test("that goes takes its actors along for whoever comes later", async () => {
    const bed = await openBed();
    opened.push(bed);
    const actor = app(bed.inspector.url);
    await until("it is seen", () => bed.inspector.stats().actors === 1);
    actor.stop();
    for (const end of ends.splice(0)) end();
    await until("it is gone", () => bed.inspector.stats().actors === 0);
  });
});

describe("whoever sends something else", () => {
  test("IQ1: is heard by nobody, whatever it is", () => {
    const stage = openStage(virtualClock(0));
    const one = openApp(stage, "app-1", () => 0);
    const almost = fc.record(
      {
        type: fc.constantFrom("@xstate.actor", "@xstate.event", "@xstate.snapshot", "@xstate.microstep"),
        sessionId: fc.oneof(fc.string(), fc.constant(1)),
        event: fc.anything(),
        snapshot: fc.anything(),
        definition: fc.anything(),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json(),
          fc.string(),
          almost.map((value) => JSON.stringify(value) ?? ""),
        ),
        (text) => {
          expect([true, false]).toContain(one.hear(text));
        },
      ),
    );
    for (const text of ["", "{}", "[]", "null", '{"type":"@xstate.other","sessionId":"x"}', "{"]) {
      expect(one.hear(text)).toBe(false);
    }
  });

  test("IQ1: is closed on in the end, and is not let send without bounds", async () => {
    const bed = await openBed();
    opened.push(bed);
    const { socket } = await listen(`${bed.inspector.url}/`);
    const over = once(socket, "close") as Promise<[number]>;
    for (let n = 0; n < 20; n++) socket.send("nonsense");
    expect((await over)[0]).toBe(4400);
    const large = new WebSocket(bed.inspector.url.replace("http", "ws"));
    await once(large, "open");
    const ended = once(large, "close") as Promise<[number]>;
    large.send("x".repeat(1_000_001));
    expect((await ended)[0]).toBe(1009);
  });

  test("IQ1: has so many actors at the most", () => {
    const stage = openStage(virtualClock(0));
    const one = openApp(stage, "app-1", () => 0);
    for (let n = 0; n < 1_500; n++) {
      expect(one.hear(JSON.stringify({ type: "@xstate.actor", sessionId: `x:${n}`, name: "x" }))).toBe(true);
    }
    expect(stage.stats().actors).toBe(1_000);
    one.end();
    expect(stage.stats().actors).toBe(0);
  });
});
