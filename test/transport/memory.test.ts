// Goal: the memory transport keeps the contract, and what it promises beyond it.
// Method: the contract; then acts and time are run by hand, in their order or in any other.

import fc from "fast-check";
import { expect, test } from "vitest";
import { systemClock } from "../../src/actors/clock.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { randomFrom } from "../../src/testing/random.ts";
import { virtualClock } from "../../src/testing/virtual-clock.ts";
import { memoryTransport, type MemoryOptions } from "../../src/transport/memory.ts";
import type { Connection, Delivery } from "../../src/transport/transport.ts";
import { settled } from "../kit/passing.ts";
import { transportContract } from "./contract.ts";

transportContract("memory", async (limits) => ({
  transport: memoryTransport({ clock: systemClock(), limits }),
  // All that is said is delivered in microtasks, and those they lead to: none is left at the next macrotask.
  settled,
  close: async () => undefined,
}));

const one = Uint8Array.of(1);

/** A transport whose deliveries wait until they are run, each by its place among those that wait. */
function stage(options: Partial<MemoryOptions> = {}) {
  const acts: (() => void)[] = [];
  const clock = virtualClock(0);
  const transport = memoryTransport({ clock, deliver: (act) => void acts.push(act), random: () => 0.5, ...options });
  const faults: unknown[] = [];
  return {
    acts,
    clock,
    faults,
    transport,
    connect: (name: string): Connection =>
      transport.connect({ name, onFault: (error, subject) => void faults.push({ error, subject }) }),
    run: (pick: () => number = () => 0): void => {
      while (acts.length > 0) acts.splice(Math.floor(pick() * acts.length), 1)[0]?.();
    },
  };
}

test("nothing is delivered from within publish()", () => {
  const { connect, run } = stage();
  const heard: string[] = [];
  connect("a").subscribe("x", ({ subject }) => void heard.push(subject));
  void connect("b").publish("x", one);
  expect(heard).toEqual([]);
  run();
  expect(heard).toEqual(["x"]);
});

test("N2: a subscription hears in order, whatever order the acts are run in", () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const { connect, run } = stage();
      const heard: number[][] = [[], []];
      const a = connect("a");
      for (const list of heard) a.subscribe("x", ({ bytes }) => void list.push(bytes[0] ?? -1));
      const b = connect("b");
      for (let index = 0; index < 20; index++) void b.publish("x", Uint8Array.of(index));
      run(randomFrom(seed));
      const all = Array.from({ length: 20 }, (_, index) => index);
      expect(heard).toEqual([all, all]);
    }),
    { numRuns: 100 },
  );
});

test("N4: only who published is told that nobody hears it", () => {
  const { connect, run } = stage();
  const told: string[] = [];
  const [a, b] = [connect("a"), connect("b")];
  a.subscribe("back", () => void told.push("a"));
  b.subscribe("back", () => void told.push("b"));
  void a.publish("unheard", one, { reply: "back" });
  run();
  expect(told).toEqual(["a"]);
});

test("N5: a request ends at its time by the clock, not before, and its alarm goes when it is answered", async () => {
  const { connect, run, clock } = stage();
  const [a, b] = [connect("a"), connect("b")];
  const asked: Delivery[] = [];
  b.subscribe("ask", (delivery) => void asked.push(delivery));
  let failed: unknown;
  const first = a.request("ask", one, { timeoutMs: 1_000 }).catch((error: unknown) => (failed = error));
  run();
  clock.advance(999);
  await Promise.resolve();
  expect(failed).toBeUndefined();
  clock.advance(1);
  await first;
  expect(failed).toMatchObject({ code: "COMMAND_TIMEOUT", details: { subject: "ask", timeoutMs: 1_000 } });

  const second = a.request("ask", one, { timeoutMs: 1_000 });
  run();
  for (const { reply = "" } of asked) void b.publish(reply, Uint8Array.of(2));
  run();
  expect((await second).bytes).toEqual(Uint8Array.of(2));
  expect(clock.pending()).toBe(0);
});

test("N5: a request that is refused or unheard leaves no alarm", async () => {
  const { connect, run, clock } = stage();
  const a = connect("a");
  const unheard = a.request("x", one, { timeoutMs: 1_000 });
  const refused = a.request("x y", one, { timeoutMs: 1_000 });
  run();
  await expect(unheard).rejects.toMatchObject({ code: "NO_RESPONDER" });
  await expect(refused).rejects.toMatchObject({ code: "INVALID_SUBJECT" });
  expect(clock.pending()).toBe(0);
});

test("N8: over the limit of a subscription the newest is dropped, counted, and the first of a row reported", () => {
  const { connect, run, faults, transport } = stage({ limits: { deliveriesMax: 3 } });
  const slow: number[] = [];
  connect("a").subscribe("x.*", ({ bytes }) => void slow.push(bytes[0] ?? -1));
  const b = connect("b");
  for (let index = 0; index < 5; index++) void b.publish(`x.${index}`, Uint8Array.of(index));
  run();
  expect(slow).toEqual([0, 1, 2]);
  expect(transport.dropped()).toBe(2);
  const details = { limit: "deliveriesMax", max: 3, pattern: "x.*" };
  expect(faults).toEqual([{ subject: "x.3", error: expect.any(TroupeError) }]);
  expect(faults).toMatchObject([{ error: { code: "RATE_LIMITED", details } }]);

  for (let index = 5; index < 10; index++) void b.publish("x.again", Uint8Array.of(index));
  run();
  expect(slow).toEqual([0, 1, 2, 5, 6, 7]);
  expect(transport.dropped()).toBe(4);
  expect(faults).toHaveLength(2);
});

test("N8: one that is slow holds up nobody else", () => {
  const { connect, run } = stage({ limits: { deliveriesMax: 2 } });
  const quick: number[] = [];
  const a = connect("a");
  const b = connect("b");
  a.subscribe("x", () => undefined);
  connect("c").subscribe("y", ({ bytes }) => void quick.push(bytes[0] ?? -1));
  for (let index = 0; index < 4; index++) void b.publish("x", one);
  void b.publish("y", one);
  run();
  expect(quick).toEqual([1]);
});

test("N9: close() hands out what waits, lets it be answered, and only then ends", async () => {
  const { connect, run } = stage();
  const [a, b] = [connect("a"), connect("b")];
  const heard: string[] = [];
  const answers: number[] = [];
  a.subscribe("x", ({ reply = "" }) => {
    heard.push("x");
    void a.publish(reply, one);
  });
  b.subscribe("back", ({ bytes }) => void answers.push(bytes[0] ?? -1));
  void b.publish("x", one, { reply: "back" });
  void b.publish("x", one, { reply: "back" });
  let closed = false;
  const closing = a.close().then(() => (closed = true));
  void b.publish("x", one);
  expect(() => a.subscribe("y", () => undefined)).toThrow(expect.objectContaining({ code: "INVALID_STATE" }));
  await Promise.resolve();
  expect(closed).toBe(false);
  run();
  await closing;
  expect(heard).toEqual(["x", "x"]);
  expect(answers).toEqual([1, 1]);
});

test("N9: an answer that waits when its connection is closed is still given", async () => {
  const { connect, run, acts } = stage();
  const [a, b] = [connect("a"), connect("b")];
  b.subscribe("ask", ({ reply = "" }) => void b.publish(reply, one));
  const asked = a.request("ask", one, { timeoutMs: 1_000 });
  acts.shift()?.();
  const closing = a.close();
  run();
  expect((await asked).bytes).toEqual(one);
  await closing;
});

test("N9: nothing is left when all are closed: no subscription, no alarm", async () => {
  const { connect, run, clock, transport } = stage();
  const [a, b] = [connect("a"), connect("b")];
  const subscription = a.subscribe("x", () => undefined);
  a.subscribe("y.>", () => undefined, "group");
  b.subscribe("ask", () => undefined);
  const asked = a.request("ask", one, { timeoutMs: 1_000 });
  const failed = expect(asked).rejects.toMatchObject({ code: "INVALID_STATE" });
  expect(transport.subscriptions()).toBe(4);
  subscription.unsubscribe();
  subscription.unsubscribe();
  expect(transport.subscriptions()).toBe(3);
  run();
  await Promise.all([a.close(), b.close()]);
  await failed;
  expect(transport.subscriptions()).toBe(0);
  expect(clock.pending()).toBe(0);
});

test("there is no interest in what nobody or only the asking connection hears", () => {
  const { connect } = stage();
  const [a, b] = [connect("a"), connect("b")];
  a.subscribe("x", () => undefined);
  expect(a.hasInterest("x")).toBe(false);
  expect(b.hasInterest("x")).toBe(true);
  expect(b.hasInterest("y")).toBe(false);
});

test("inboxes follow from the chance they are given, and none is given twice", async () => {
  const repliesOf = (): string[] => {
    const { connect, run } = stage({ random: randomFrom(3) });
    const replies: string[] = [];
    connect("hearer").subscribe("ask", ({ reply = "" }) => void replies.push(reply));
    for (const name of ["a", "b"]) {
      const connection = connect(name);
      for (let index = 0; index < 2; index++) connection.request("ask", one, { timeoutMs: 1 }).catch(() => undefined);
    }
    run();
    return replies;
  };
  const replies = repliesOf();
  expect(new Set(replies).size).toBe(4);
  expect(repliesOf()).toEqual(replies);
  expect(replies.every((reply) => /^_INBOX\.[a-z0-9]+-\d+\.\d+$/.test(reply))).toBe(true);
});
