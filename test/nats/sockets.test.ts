// Goal: conversations over a socket are the golden flows ws-1 to ws-6 where the agents live elsewhere on a NATS server.
// Method: the gateway and the orchestrator on one connection, agents and tools on another; what the first says is read.

import { afterEach, describe, expect, test, vi } from "vitest";
import { type Troupe, troupe } from "../../src/runtime/troupe.ts";
import { stopAll } from "../gateway/socket-bed.ts";
import { playFlow, scenes, served, socketFlows, wrongWith } from "../gateway/socket-flows.ts";
import type { Flow } from "../kit/flows.ts";
import { natsForThisFile, silent } from "../kit/nats.ts";

const { open } = natsForThisFile();
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await stopAll();
  for (const close of closing.splice(0).reverse()) await close();
});

const roles = ["orchestrator", "task-dispatcher", "task-executor", "agent-dispatcher"];

async function connected() {
  const transport = await open("compozy");
  closing.push(() => transport.close());
  return transport;
}
/** Agents and tools, known to the dispatcher. */
async function elsewhere(here: Troupe): Promise<void> {
  const there = { roles: ["agent-runtime", "tool-executor"], transport: await connected(), log: silent };
  const runtime = await troupe({ ...served, ...there });
  closing.push(() => runtime.stop({ graceMs: 0 }));
  const isKnown = (): void => expect(here.runtimes().some(({ state }) => state === "registered")).toBe(true);
  await vi.waitFor(isKnown, { timeout: 20_000, interval: 10 });
}

/** What an agent did comes by a stream, its answer directly: of one that is quick the answer is there first. */
const overtaken = (flow: Flow): Flow => ({
  ...flow,
  messages: flow.messages.map((one) => (one.type.startsWith("tool_") ? { ...one, optional: true } : one)),
});

describe.each(socketFlows)("$id", (flow) => {
  test(flow.title, async () => {
    expect(scenes[flow.id]?.length).toBeGreaterThan(0);
    for (const scene of scenes[flow.id] ?? []) {
      const heard = await playFlow(scene, await connected(), { roles, ready: elsewhere });
      expect(wrongWith(overtaken(flow), scene, heard)).toBeNull();
    }
  });
});
