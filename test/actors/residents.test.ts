// Goal: a run is in memory once, leaves it only when it may, and holds again what it held when it comes back.
// Method: a troupe with room for one run in memory, in virtual time, on a store that is told when to commit.

import { describe, expect, it } from "vitest";
import type { AgentContext } from "../../src/agents/agent.ts";
import { troupe } from "../../src/runtime/troupe.ts";
import { makeDisk, openMemory } from "../../src/store/memory.ts";
import { virtualClock } from "../../src/testing/virtual-clock.ts";
import { randomFrom } from "../../src/testing/random.ts";

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
};

async function bed({ commits = true } = {}) {
  const clock = virtualClock(Date.UTC(2026, 0, 1));
  const disk = makeDisk();
  const held: (() => void)[] = [];
  const open = { commits };
  const commit = (act: () => void): void => (open.commits ? queueMicrotask(act) : void held.push(act));
  const begun: string[] = [];
  const asks = { id: "asks", tasks: [{ id: "ask", type: "wait" as const, wait: { approval: "?" }, timeout: "9d" }] };
  const calls = { id: "calls", tasks: [{ id: "call", type: "agent" as const, agent: "slow", timeout: "9d" }] };
  const slow = {
    id: "slow",
    handler: (_: unknown, { execId }: { execId: string }) => {
      begun.push(execId);
      return new Promise(() => undefined);
    },
  };
  const here = await troupe({
    store: openMemory({ disk, commit }),
    clock,
    random: randomFrom(1),
    limits: { awakeMax: 1, agents: 1 },
    workflows: [asks, calls],
    agents: [slow],
  });
  const release = async (): Promise<void> => {
    open.commits = true;
    for (const act of held.splice(0)) act();
    await turns();
  };
  return { here, clock, begun, open, release };
}

describe("runs in memory", () => {
  it("B1: are there once: whoever asks for one that sleeps gets the one that woke", async () => {
    const { here } = await bed();
    const { execId } = here.start("asks");
    here.start("asks");
    here.start("asks");
    await turns();
    expect(here.stats().asleep).toBeGreaterThan(0);
    const run = here.system.run(execId);
    expect(run).toBeDefined();
    expect(here.system.run(execId)).toBe(run);
    expect(here.system.peek(execId)).toBe(run);
  });

  it("B2: stay until all of them is on disk", async () => {
    const { here, open, release } = await bed();
    await turns();
    open.commits = false;
    for (let count = 0; count < 5; count++) here.start("asks");
    await turns();
    expect(here.stats()).toMatchObject({ awake: 5, asleep: 0 });
    await release();
    await turns();
    expect(here.stats().asleep).toBeGreaterThanOrEqual(4);
  });

  it("B2: stay while a handler is at work for them", async () => {
    const { here, clock, begun } = await bed();
    const { execId } = here.start("calls");
    for (let count = 0; count < 5; count++) here.start("asks");
    await turns();
    clock.advance(120_000);
    await turns();
    expect(begun).toHaveLength(1);
    expect(here.system.peek(execId)).toBeDefined();
    expect(here.stats().asleep).toBeGreaterThanOrEqual(4);
  });

  it("B3: one whose runtime has another id now is replayed all the same", async () => {
    const clock = virtualClock(Date.UTC(2026, 0, 1));
    const disk = makeDisk();
    const never = { id: "never", handler: () => new Promise(() => undefined) };
    const calls = { id: "calls", tasks: [{ id: "call", type: "agent" as const, agent: "never", timeout: "9d" }] };
    const options = { clock, workflows: [calls], agents: [never] };
    const first = openMemory({ disk });
    const before = await troupe({ ...options, store: first, random: randomFrom(1) });
    const { execId } = before.start("calls");
    await turns();
    first.crash();
    const second = openMemory({ disk });
    second.setNote("runtime_id", "01900000-0000-7000-8000-00000000beef");
    const after = await troupe({ ...options, store: second, random: randomFrom(2) });
    await turns();
    expect(after.stats()).toMatchObject({ parked: 0 });
    expect(after.get(execId).status).toBe("RUNNING");
  });

  it("B3: one that comes back after a crash holds its place at the runtime again", async () => {
    const clock = virtualClock(Date.UTC(2026, 0, 1));
    const disk = makeDisk();
    const never = { id: "never", handler: () => new Promise(() => undefined) };
    const calls = { id: "calls", tasks: [{ id: "call", type: "agent" as const, agent: "never", timeout: "9d" }] };
    const options = { clock, limits: { agents: 1 }, workflows: [calls], agents: [never] };
    const first = openMemory({ disk });
    const before = await troupe({ ...options, store: first, random: randomFrom(1) });
    before.start("calls");
    await turns();
    expect(before.runtimes()).toMatchObject([{ held: 1 }]);
    first.crash();
    const after = await troupe({ ...options, store: openMemory({ disk }), random: randomFrom(2) });
    await turns();
    expect(after.runtimes()).toMatchObject([{ held: 1 }]);
  });

  it("B3: a handler that was at work has its place again before others that begin anew ask for one", async () => {
    const clock = virtualClock(Date.UTC(2026, 0, 1));
    const disk = makeDisk();
    let life = 1;
    const said: string[] = [];
    const held = { id: "held", handler: () => new Promise(() => said.push(`the tool is at work in life ${life}`)) };
    const asks = {
      id: "asks",
      handler: (_input: unknown, { tool }: Pick<AgentContext, "tool">) =>
        life === 1
          ? new Promise(() => undefined)
          : tool("held", {}).catch((error: unknown) => void said.push(String((error as Error).message))),
    };
    const workflows = [
      // The agent comes back first, for it is due first.
      { id: "agent", tasks: [{ id: "a", type: "agent" as const, agent: "asks", timeout: "1h" }] },
      { id: "tool", tasks: [{ id: "t", type: "tool" as const, tool: "held", timeout: "9h" }] },
    ];
    const options = { clock, workflows, agents: [asks], tools: [held], limits: { tools: 1 } };
    const first = openMemory({ disk });
    const before = await troupe({ ...options, store: first, random: randomFrom(1) });
    before.start("agent");
    before.start("tool");
    await turns();
    first.crash();
    life = 2;
    await troupe({ ...options, store: openMemory({ disk }), random: randomFrom(2) });
    await turns();
    expect(said.toSorted()).toEqual([
      "1 tools are at work, and no more may be",
      "the tool is at work in life 1",
      "the tool is at work in life 2",
    ]);
  });
});
