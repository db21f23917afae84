// Goal: whoever is called is played by whom the test named, and by nobody else.
// Method: simulations that lack a mock, name one that nobody calls, or name a handler of its own.

import { join } from "node:path";
import { expect, test } from "vitest";
import { mock } from "../../../src/testing/door/mock.ts";
import { simulate } from "../../../src/testing/door/simulate.ts";
import { root } from "../../kit/tree.ts";
import { charge, order, packer } from "./order.ts";

const paid = mock(charge).returns({ receipt: "R-1" });
const packs = mock("packer").returns({ ok: true });

test("T1: an agent that nobody plays is refused when it is called, not run for real", async () => {
  const sim = await simulate(order, { tools: [paid] });
  const run = await sim.start({ sum: 5 });
  await expect(run.signal("signed")).rejects.toThrow(`agent 'packer' was called with {}, and nobody plays it`);
  const tools = { tools: [], agents: [packs] };
  await expect((await simulate(order, tools)).start({ sum: 5 })).rejects.toThrow("tool 'charge' was called");
});

test("a mock of somebody whom nobody calls is refused, with a guess", async () => {
  const wrong = simulate(order, { tools: [paid], agents: [mock("paker").returns({})] });
  await expect(wrong).rejects.toThrow("did you mean 'packer'?");
});

test("a handler of its own runs if it is named, and what it calls is played", async () => {
  const weigh = mock("weigh").returns({ grams: 5 }).after("5s");
  const sim = await simulate(order, { tools: [paid, weigh], agents: [packer] });
  const run = await sim.start({ sum: 5 });
  await run.signal("signed");
  await run.result();
  expect(sim.calls("packer")).toMatchObject([{ output: { grams: 5 } }]);
  expect(sim.calls("weigh")).toMatchObject([{ input: { box: 1 } }]);
});

test("whoever has no mock is answered for as the test says, or does it itself", async () => {
  const asked: unknown[] = [];
  const unmocked = (call: object): unknown => {
    asked.push(call);
    return { receipt: "made up" };
  };
  const made = await (await simulate(order, { unmocked })).start({ sum: 5 });
  await made.signal("signed");
  expect(await made.result()).toMatchObject({ output: { receipt: "made up" } });
  expect(asked).toEqual([
    { id: "charge", input: { sum: 5 }, attempt: 1 },
    { id: "packer", input: {}, attempt: 1 },
  ]);
  const project = join(root, "examples/hello");
  const real = await (await simulate("hello", { project, unmocked: "real" })).start({ name: "Ada" });
  expect(await real.result()).toMatchObject({ status: "SUCCESS", output: { text: "hello, Ada" } });
});
