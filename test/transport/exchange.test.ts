// Goal: deliveries go to whom they are for, shared out evenly, in order, and within their limits.
// Method: the exchange alone, with acts that the test runs in an order by chance.

import { expect, test } from "vitest";
import { randomFrom } from "../../src/testing/random.ts";
import { Exchange, type Subscriber } from "../../src/transport/exchange.ts";

const here = {};
const there = {};

function stage(deliveriesMax = 1_000) {
  const acts: (() => void)[] = [];
  const faults: string[] = [];
  const exchange = new Exchange(
    { payloadBytes: 10, subscriptionsMax: 100, deliveriesMax },
    (act) => void acts.push(act),
  );
  const add = (pattern: string, group?: string): { subscriber: Subscriber; heard: number[] } => {
    const heard: number[] = [];
    const subscriber = exchange.add({
      connection: there,
      pattern,
      group,
      echo: false,
      hear: ({ bytes }) => void heard.push(bytes[0] ?? -1),
      onFault: (_error, subject) => void faults.push(subject),
      onQuiet: () => undefined,
    });
    return { subscriber, heard };
  };
  const publish = (subject: string, number = 0): void => exchange.publish(here, subject, Uint8Array.of(number), {});
  const run = (pick: () => number = () => 0): void => {
    while (acts.length > 0) acts.splice(Math.floor(pick() * acts.length), 1)[0]?.();
  };
  return { exchange, add, publish, run, faults };
}

test("X1: a line is handed out in its own order", () => {
  const { add, publish, run } = stage();
  const [x, y] = [add("x"), add(">")];
  for (let number = 0; number < 50; number++) publish(number % 2 === 0 ? "x" : "y", number);
  run(randomFrom(7));
  expect(x.heard).toEqual(Array.from({ length: 25 }, (_, index) => 2 * index));
  expect(y.heard).toEqual(Array.from({ length: 50 }, (_, index) => index));
});

test("X2: the members of a group get the same share", () => {
  const { add, publish, run } = stage();
  const members = [add("x", "g"), add("x", "g"), add("*", "g")];
  for (let number = 0; number < 30; number++) publish("x");
  run();
  expect(members.map(({ heard }) => heard.length)).toEqual([10, 10, 10]);
});

test("X2: shares are even although two subjects take turns, each with members of its own", () => {
  const { add, publish, run } = stage();
  const members = [add("x", "g"), add("x", "g"), add("y", "g"), add("y", "g")];
  for (let number = 0; number < 40; number++) publish(number % 2 === 0 ? "x" : "y");
  run();
  expect(members.map(({ heard }) => heard.length)).toEqual([10, 10, 10, 10]);
});

test("X2: a member that leaves gets nothing more, and the rest share it", () => {
  const { exchange, add, publish, run } = stage();
  const [first, second, third] = [add("x", "g"), add("x", "g"), add("x", "g")];
  for (let number = 0; number < 3; number++) publish("x");
  exchange.remove(first.subscriber);
  for (let number = 0; number < 10; number++) publish("x");
  run();
  expect([first, second, third].map(({ heard }) => heard.length)).toEqual([1, 6, 6]);
});

test("X3: a full line drops the newest, and is reported once until it has taken something again", () => {
  const { exchange, add, publish, run, faults } = stage(2);
  const { heard, subscriber } = add("*");
  for (const [number, subject] of ["a", "b", "c", "d"].entries()) publish(subject, number);
  run();
  expect(heard).toEqual([0, 1]);
  expect(faults).toEqual(["c"]);
  expect(exchange.dropped).toBe(2);
  for (const [number, subject] of ["e", "f", "g"].entries()) publish(subject, number);
  run();
  expect(faults).toEqual(["c", "g"]);
  expect(heard).toEqual([0, 1, 0, 1]);
  expect(subscriber.line.length).toBe(0);
});

test("X3: a full line counts as heard", () => {
  const { exchange, add, publish } = stage(1);
  const full = add("x");
  const told = exchange.add({
    connection: here,
    pattern: "back",
    group: undefined,
    echo: false,
    hear: () => undefined,
    onFault: () => undefined,
    onQuiet: () => undefined,
  });
  publish("x");
  exchange.publish(here, "x", Uint8Array.of(1), { reply: "back" });
  expect(full.subscriber.line.length).toBe(1);
  expect(told.line.length).toBe(0);
});
