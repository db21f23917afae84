// Goal: a step that throws ends its own run with INTERNAL_ERROR, whatever state it was in, and no other.
// Method: a cue that no chart knows is put into runs of every state; then a restart, which has to see the same.

import { expect, test } from "vitest";
import { type Bed, heldAgent, openBed, second, settled } from "./bed.ts";

const tasks = {
  agent: { id: "a", type: "agent", agent: "slow" },
  wait: { id: "a", type: "wait", wait: { signal: "go" }, timeout: "1h" },
  child: { id: "a", type: "workflow", workflow: "agent" },
  branches: { id: "p", type: "parallel", branches: { x: [{ id: "x", type: "agent", agent: "slow" }] } },
} as const;

async function bedOf() {
  const held = heldAgent("slow");
  const parts = {
    agents: [held.definition],
    workflows: Object.entries(tasks).map(([id, task]) => ({ id, tasks: [task] }) as never),
  };
  return { parts, held, bed: await openBed(parts) };
}
const breakRun = ({ t }: Bed, execId: string, address: string): void =>
  t.system.take(execId, { on: "cue", address, cue: { type: "cue:Nonsense" } });
const broken = {
  status: "FAILED",
  error: { code: "INTERNAL_ERROR", message: expect.stringContaining("cue:Nonsense") },
};

test.each(Object.keys(tasks))("a run with %s under way fails, all of it, and stays so after a restart", async (id) => {
  const { bed, parts, held } = await bedOf();
  const { execId, result } = bed.t.start(id);
  const other = bed.t.start("agent");
  await settled();
  breakRun(bed, execId, `workflow/${execId}`);
  expect(await result()).toMatchObject(broken);
  const open = (await bed.t.list({ run: execId })).items.filter(({ endedAt }) => endedAt === null);
  expect(open).toEqual([]);
  expect(bed.reports).toContainEqual(
    expect.objectContaining({ level: "error", message: "a step failed: its run ends" }),
  );
  expect(bed.t.get(other.execId).status).toBe("RUNNING");
  expect(bed.t.stats()).toMatchObject({ collapsed: 1, parked: 0 });
  bed.store.crash();

  const two = await openBed({ ...parts, disk: bed.disk });
  expect(two.t.recovered.parked).toBe(0);
  expect(await two.t.result(execId)).toMatchObject(broken);
  expect(two.t.why(execId)).toContain("it has ended: FAILED");
  await settled();
  held.runs.at(-1)?.end({ n: 1 });
  expect(await two.t.result(other.execId)).toMatchObject({ status: "SUCCESS" });
});

test("a run that is paused, and one of a single agent, fail as well", async () => {
  const { bed } = await bedOf();
  const { execId, result } = bed.t.start("agent");
  const direct = bed.t.startOne({ agent: "slow" });
  await settled();
  await bed.t.pause(execId);
  breakRun(bed, execId, `workflow/${execId}`);
  breakRun(bed, direct.execId, `task/${direct.execId}`);
  expect(await result()).toMatchObject(broken);
  expect(await direct.result()).toMatchObject(broken);
  expect(bed.t.stats()).toMatchObject({ collapsed: 2, parked: 0, slots: { taken: 0 } });
});

test("who waits for a run that breaks is told: its parent fails, and goes on by its error path", async () => {
  const { bed } = await bedOf();
  const parent = {
    id: "parent",
    tasks: [
      { id: "call", type: "workflow", workflow: "agent", on_error: "after" },
      { id: "after", type: "wait", wait: { duration: "1s" } },
    ],
  };
  await bed.t.define({ workflows: [parent as never] });
  const end = bed.t.run("parent");
  await settled();
  const [child] = (await bed.t.list({ id: "agent", entity: "workflow" })).items;
  breakRun(bed, child?.execId ?? "", `workflow/${child?.execId}`);
  await bed.pass(2 * second);
  expect(await end).toMatchObject({ status: "SUCCESS" });
});

test("a run that breaks on its first message fails, is found as it was begun, and gives back its slot", async () => {
  const { bed } = await bedOf();
  const names = Array.from({ length: 30 }, (_, index) => `b${index}`);
  const branches = Object.fromEntries(names.map((id) => [id, [{ id, type: "agent", agent: "slow" }]]));
  const wide = { id: "wide", tasks: [{ id: "p", type: "parallel", branches }] };
  const outer = { id: "outer", tasks: [{ id: "call", type: "workflow", workflow: "wide" }] };
  await bed.t.stop();
  const disk = bed.disk;
  const parts = { workflows: [wide, outer] as never[], limits: { cascadeMax: 40, concurrency: 1 } };
  const two = await openBed({ ...parts, disk });
  const ended = await two.t.run("wide", { n: 1 }, { labels: { a: "b" }, idempotencyKey: "k" });
  expect(ended).toMatchObject({ status: "FAILED", error: { code: "INTERNAL_ERROR" } });
  expect(two.t.get(ended.execId)).toMatchObject({ id: "wide", labels: { a: "b" } });
  expect(two.t.stats().slots).toEqual({ taken: 0, waiting: 0 });
  expect(await two.t.run("outer"), "and a parent hears of it").toMatchObject({ status: "FAILED" });
  expect(await two.t.execute({ task: "wide.p" })).toMatchObject({
    status: "FAILED",
    error: { code: "INTERNAL_ERROR" },
  });
  expect(two.t.start("wide", { n: 1 }, { idempotencyKey: "k" })).toMatchObject({
    execId: ended.execId,
    duplicate: true,
  });
  two.store.crash();
  const three = await openBed({ ...parts, disk });
  expect(await three.t.result(ended.execId)).toEqual(ended);
  expect(three.t.recovered.parked).toBe(0);
});
