// What the simulated transport does to deliveries, and what it never does.
//
// Method: one process sends two hundred numbered messages to another, stored or not, in bad weather and in calm.

import { expect, it } from "vitest";
import { randomFrom } from "../../../src/testing/random.ts";
import type { Weather } from "../../../src/testing/simulation/scenario.ts";
import { virtualClock } from "../../../src/testing/virtual-clock.ts";
import { weatherOver } from "../../../src/testing/simulation/weather.ts";
import { memoryTransport } from "../../../src/transport/memory.ts";

const bad: Weather = { drop: 0.3, double: 0.3, delay: 0.5, delayMs: 1_000, cuts: [{ at: 50, forMs: 20 }] };
const count = 200;
const numbers = Array.from({ length: count }, (_, number) => number);

function stage({ isCalm = false } = {}) {
  const clock = virtualClock(0);
  const inner = memoryTransport({ clock, random: randomFrom(1), deliver: (act) => act() });
  const means = { clock, random: randomFrom(2), weather: bad, beganAt: 0, isCalm: () => isCalm };
  const sender = weatherOver(inner, means);
  const hearer = weatherOver(inner, means);
  const onFault = (error: unknown): void => {
    throw error;
  };
  const heard: number[] = [];
  const from = sender.transport.connect({ name: "from", onFault });
  const to = hearer.transport.connect({ name: "to", onFault });
  to.subscribe("numbers", ({ bytes, ack }) => {
    heard.push(Number(new TextDecoder().decode(bytes)));
    ack?.();
  });
  const send = (stored: boolean): void => {
    for (const number of numbers) {
      void from.publish("numbers", new TextEncoder().encode(String(number)), { stored });
      clock.advance(1);
    }
    clock.advance(5_000);
  };
  return { heard, send, hearer, from };
}

it("O1: what is stored comes, if late or twice", () => {
  const { heard, send } = stage();
  send(true);
  expect([...new Set(heard)].sort((one, other) => one - other)).toEqual(numbers);
  expect(heard.length).toBeGreaterThan(count);
  expect(heard).not.toEqual([...heard].sort((one, other) => one - other));
});

it("O2: once it is calm everything arrives, once and in order", () => {
  const { heard, send } = stage({ isCalm: true });
  send(false);
  expect(heard).toEqual(numbers);
});

it("O3: what is not stored is lost or doubled, but never overtakes", () => {
  const { heard, send } = stage();
  send(false);
  expect(new Set(heard).size).toBeLessThan(count);
  expect(heard.length).toBeGreaterThan(new Set(heard).size);
  expect(heard).toEqual([...heard].sort((one, other) => one - other));
});

it("O4: a process that has died hears nothing any more, and is nobody who could hear", () => {
  const { heard, send, hearer, from } = stage({ isCalm: true });
  hearer.die();
  expect(from.hasInterest("numbers")).toBe(false);
  send(true);
  expect(heard).toEqual([]);
});
