// Goal: what users and handlers do wrong is refused or stays with them, and harms no other run.
// Method: each thing is done to a troupe, which afterwards has to work as before.

import { expect, it } from "vitest";
import { type Options, troupe } from "../../src/runtime/troupe.ts";
import { makeDisk, openMemory } from "../../src/store/memory.ts";
import { virtualClock } from "../../src/testing/virtual-clock.ts";
import { randomFrom } from "../../src/testing/random.ts";

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 60; turn++) await Promise.resolve();
};
const fine = { id: "fine", handler: () => ({ ok: true }) };
const works = { id: "works", tasks: [{ id: "a", type: "tool" as const, tool: "fine" }] };
const open = (options: Options) =>
  troupe({
    random: randomFrom(1),
    ...options,
    tools: [fine, ...(options.tools ?? [])],
    workflows: [works, ...(options.workflows ?? [])],
  });

it("a handler that changes its input changes nothing but its own", async () => {
  const disk = makeDisk();
  const spoil = {
    id: "spoil",
    handler: (input: unknown) => {
      (input as { n: number }).n += 1;
      return {};
    },
  };
  const twice = {
    id: "twice",
    tasks: [
      { id: "a", type: "tool" as const, tool: "spoil", with: "${{ input }}", next: "b" },
      { id: "b", type: "wait" as const, wait: { approval: "?" }, timeout: "1h" },
    ],
    result: "${{ input }}",
  };
  const first = openMemory({ disk });
  const before = await open({ store: first, tools: [spoil], workflows: [twice], clock: virtualClock(1e12) });
  const { execId } = before.start("twice", { n: 1 });
  await turns();
  first.crash();
  const after = await open({
    store: openMemory({ disk }),
    tools: [spoil],
    workflows: [twice],
    clock: virtualClock(1e12),
  });
  await turns();
  expect(after.stats()).toMatchObject({ parked: 0 });
  const { items } = await after.list({ status: ["WAITING"] });
  await Promise.all([after.resume(items[0]?.execId ?? ""), turns()]);
  expect(await after.result(execId)).toMatchObject({ status: "SUCCESS", output: { n: 1 } });
});

const deep = (levels: number): unknown => JSON.parse(`${"[".repeat(levels)}${"]".repeat(levels)}`);

it("what is nested too deep is refused, from people and from handlers", async () => {
  const digs = { id: "digs", handler: () => ({ deep: deep(4_460) }) };
  const dig = { id: "dig", tasks: [{ id: "a", type: "tool" as const, tool: "digs" }] };
  const here = await open({ tools: [digs], workflows: [dig], clock: virtualClock(1e12) });
  await expect(here.run("works", deep(4_460))).rejects.toThrow("nested more than");
  expect(await here.run("dig")).toMatchObject({ status: "FAILED" });
  expect(await here.run("works")).toMatchObject({ status: "SUCCESS" });
});

it("ids and groupings that are no texts of theirs are refused", async () => {
  const here = await open({ clock: virtualClock(1e12) });
  await expect(here.execute({ agent: null as never })).rejects.toThrow();
  await expect(here.execute({ agent: ["judge"] as never })).rejects.toThrow();
  await expect(
    here.run("works", {}, { correlationId: ["01900000-0000-7000-8000-000000000001"] as never }),
  ).rejects.toThrow();
  await expect(here.count({}, "(select 1)" as never)).rejects.toThrow("one of status, id, entity");
  await expect(here.pause("01900000-0000-7000-8000-000000000001", 10n as never)).rejects.toThrow("reason must be");
  expect(await here.run("works")).toMatchObject({ status: "SUCCESS" });
});

it("slots are free again when what held them ended while nobody was here", async () => {
  const disk = makeDisk();
  const waits = { id: "waits", tasks: [{ id: "a", type: "wait" as const, wait: { duration: "300ms" } }] };
  const options = { workflows: [waits], limits: { concurrency: 5 } };
  const first = openMemory({ disk });
  const before = await open({ ...options, clock: virtualClock(1e12), store: first });
  for (let count = 0; count < 5; count++) before.start("waits");
  await turns();
  first.crash();
  const clock = virtualClock(1e12 + 600);
  const opening = open({ ...options, clock, store: openMemory({ disk }) });
  // Due timers ring while it opens.
  for (let turn = 0; turn < 40; turn++) {
    await Promise.resolve();
    clock.advance(0);
  }
  const after = await opening;
  clock.advance(10);
  await turns();
  expect(after.stats().slots).toMatchObject({ taken: 0, waiting: 0 });
  expect(await after.run("works")).toMatchObject({ status: "SUCCESS" });
});
