// Goal: the transport over a real NATS server keeps the contract of all transports, and its streams are as planned.
// Method: one server of our own for the file; each test has connections of its own, and waits for what it wants to see.

import { expect, test } from "vitest";
import { covers, heardOf } from "../../src/transport/nats-patterns.ts";
import { eventOf, natsForThisFile } from "../kit/nats.ts";
import { transportContract } from "./contract.ts";

const { open } = natsForThisFile();

transportContract("nats", async (limits) => {
  const transport = await open("contract", limits);
  return {
    transport,
    settled: async () => {
      // What was said leads to answers, and those to more.
      for (let round = 0; round < 4; round++) await transport.settled();
    },
    kept: eventOf("contract", 1, "started"),
    close: () => transport.close(),
  };
});

test("a stream that is otherwise than it is to be is mended, and that is said", async () => {
  const said: string[] = [];
  await (await open("drift")).close();
  const other = await open("drift", { layout: "correlated", report: (_level, message) => void said.push(message) });
  await other.close();
  expect(said).toContain("a stream was otherwise than it is to be, and was changed");
});

test("patterns cover what all their subjects match", () => {
  const cases: [string, string, boolean][] = [
    [">", "a.b", true],
    ["a.>", "a", false],
    ["a.>", "a.*", true],
    ["a.*", "a.>", false],
    ["a.*.c", "a.b.c", true],
    ["a.b", "a.*", false],
    ["a.*", "a.b.c", false],
  ];
  for (const [wide, narrow, is] of cases) expect(covers(wide, narrow), `${wide} ${narrow}`).toBe(is);
  expect(heardOf("a.>", ["a.b", "c.d", "a.c.*"])).toEqual(["a.b", "a.c.*"]);
  expect(heardOf("a.b", ["a.*"])).toEqual(["a.b"]);
});
