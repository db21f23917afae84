// Goal: a runtime that dies, wherever it dies, costs its call an attempt and nothing else; two with one id do no harm.
//
// Method: runtimes of another make in processes of their own, which end by SIGKILL before they acknowledge, before they
// start, after that, and after their answer. The next attempt finds a runtime that lives. The outsider is the judge.

import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test, vi } from "vitest";
import type { MortalOrders, MortalTold } from "../kit/mortal-runtime.ts";
import { type House, openHouse, patience } from "../kit/nats-house.ts";

const program = fileURLToPath(new URL("../kit/mortal-runtime.ts", import.meta.url));
const leaseMs = 1_500;
const children = new Set<ChildProcess>();
afterEach(async () => {
  for (const child of children) {
    const gone = new Promise((done) => child.once("exit", done));
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await gone;
  }
  children.clear();
});

/** It is known to the dispatcher once it is given. */
async function runtime({ server, here }: House, dies: MortalOrders["dies"], id: string = randomUUID()) {
  const orders: MortalOrders = { servers: server.url(), seed: server.seed, prefix: "house", id, dies, leaseMs };
  const child = spawn(process.execPath, [program, JSON.stringify(orders)], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  children.add(child);
  const begun: string[] = [];
  const ready = new Promise<void>((resolve) => {
    child.on("message", (told: MortalTold) => (told.told === "begun" ? begun.push(told.execId) : resolve()));
  });
  await ready;
  await vi.waitFor(() => expect(JSON.stringify(here.troupe.runtimes())).toContain(id), patience);
  return { id, begun, child, gone: () => child.signalCode !== null };
}

const retry = { max_attempts: 20, backoff: { initial: 500, max: 500 } };
const workflows = [{ id: "w", tasks: [{ id: "ask", type: "agent" as const, agent: "clerk", timeout: "20s", retry }] }];
const open = (): Promise<House> => openHouse({ withoutRuntime: true, workflows });

const deaths = [
  { dies: "before", costs: "AGENT_DISPATCH_FAILED" },
  { dies: "acknowledged", costs: "AGENT_RUNTIME_LOST" },
  { dies: "started", costs: "AGENT_RUNTIME_LOST" },
] as const;

test.each(deaths)("C8: one that dies $dies costs an attempt: $costs", async ({ dies, costs }) => {
  const house = await open();
  const { here } = house;
  const mortal = await runtime(house, dies);
  const { execId, result } = here.troupe.start("w", { n: 1 });
  await vi.waitFor(() => expect(mortal.gone()).toBe(true), patience);
  const next = await runtime(house, "never");
  const end = await result();
  expect(end).toMatchObject({ status: "SUCCESS", output: { by: next.id } });
  const failed = (await here.troupe.history(execId)).find(({ type }) => type === "event:TaskExecutionFailed");
  expect(JSON.stringify(failed?.envelope)).toContain(costs);
  await house.holds([{ execId, status: end.status }]);
  await house.close();
});

test("one that dies after its work has done its work", async () => {
  const house = await open();
  const mortal = await runtime(house, "answered");
  const { execId, result } = house.here.troupe.start("w", { n: 1 });
  const end = await result();
  expect(end).toMatchObject({ status: "SUCCESS", output: { by: mortal.id } });
  await vi.waitFor(() => expect(mortal.gone()).toBe(true), patience);
  // It is given up when its lease is over, and the next one serves.
  const stateOf = (): string | undefined => house.here.troupe.runtimes().find(({ id }) => id === mortal.id)?.state;
  await vi.waitFor(() => expect(stateOf()).toBe("deregistered"), patience);
  const next = await runtime(house, "never");
  const more = house.here.troupe.start("w", { n: 2 });
  expect(await more.result()).toMatchObject({ status: "SUCCESS", output: { by: next.id } });
  await house.holds([{ execId, status: end.status }]);
  await house.close();
});

test("two with one id: each order is answered once, whoever of them does its work", async () => {
  const house = await open();
  const one = await runtime(house, "never");
  const other = await runtime(house, "never", one.id);
  const ended = await house.run(6);
  expect(ended.map(({ status }) => status)).toEqual(Array(6).fill("SUCCESS"));
  await vi.waitFor(() => expect([one.begun.length, other.begun.length]).toEqual([6, 6]), patience);
  const warning = "warn two agent runtimes have one id";
  await vi.waitFor(() => expect(house.said.filter((line) => line === warning)).toHaveLength(1), patience);
  expect(house.here.troupe.runtimes()[0]?.lastError).toMatchObject({ code: "EXEC_ID_CONFLICT" });
  await house.calm();
  // The slower of the two may begin when all is over: that is recorded once, and changes nothing.
  const isOther = (finding: string): boolean => !finding.startsWith("I3 agent");
  await vi.waitFor(async () => expect((await house.findings(ended)).filter(isOther)).toEqual([]), patience);
  for (const { execId } of ended) {
    const lines = await house.here.troupe.history(execId);
    const started = lines.filter((line) => line.type === "event:AgentExecutionStarted");
    expect(started.filter(({ disposition }) => disposition === "applied").length).toBeLessThanOrEqual(1);
  }
  await house.close();
});
