// A run goes on with the definition it began with, whatever is defined later, and old definitions do not pile up.
//
// Method: runs that wait for a signal, a restart with other definitions over the same disk, and the notes on that disk.

import { describe, expect, test } from "vitest";
import type { WorkflowSpec } from "../../src/language/spec.ts";
import type { Disk } from "../../src/store/memory.ts";
import { type Bed, hour, openBed, settled } from "./bed.ts";

const minute = 60_000;
const tools = [{ id: "look", handler: (input: unknown) => ({ seen: input }) }];

/** Waits for a signal, then says which version it is of. */
const order = (version: number, more: Partial<WorkflowSpec> = {}): WorkflowSpec => ({
  id: "order",
  tasks: [
    { id: "wait", type: "wait", wait: { signal: "go" }, timeout: "20d", next: "look" },
    { id: "look", type: "tool", tool: "look", with: { version } },
  ],
  timeout: "30d",
  ...more,
});
const other: WorkflowSpec = { id: "other", tasks: [{ id: "look", type: "tool", tool: "look" }] };
/** What is made by a function cannot be kept. */
const coded = (version: number): WorkflowSpec => order(version, { result: () => ({ coded: true }) });

const openWith = (workflows: readonly WorkflowSpec[], more: Parameters<typeof openBed>[0] = {}): Promise<Bed> =>
  openBed({ tools, workflows, limits: { retentionMs: hour }, ...more });
const stop = async ({ t }: Bed): Promise<void> => {
  const stopped = t.stop({ graceMs: 0 });
  await settled();
  await stopped;
};
/** Closes it, and opens it with these. */
async function reopen(bed: Bed, workflows: readonly WorkflowSpec[], more: object = {}): Promise<Bed> {
  await stop(bed);
  return openWith(workflows, { disk: bed.disk, clock: bed.clock, ...more });
}
async function begun(workflows: readonly WorkflowSpec[]): Promise<{ bed: Bed; execId: string }> {
  const bed = await openWith(workflows);
  const { execId } = bed.t.start("order");
  await bed.pass(minute);
  return { bed, execId };
}
const finish = async (bed: Bed, execId: string) => {
  const ended = bed.t.result(execId);
  await bed.t.signal(execId, "go");
  await bed.pass(minute);
  return ended;
};
const kept = ({ notes }: Disk): string[] =>
  [...notes].flatMap(([name, value]) => (name.startsWith("definition/") && value !== "" ? [value] : []));

describe("a run", () => {
  test("goes on with the definition it began with, after a restart with another", async () => {
    const { bed, execId } = await begun([order(1)]);
    const next = await reopen(bed, [order(2)]);
    expect(next.t.recovered.parked).toBe(0);
    const { execId: newer } = next.t.start("order");
    await next.pass(minute);
    expect(await finish(next, execId)).toMatchObject({ output: { seen: { version: 1 } } });
    expect(await finish(next, newer)).toMatchObject({ output: { seen: { version: 2 } } });
    await stop(next);
  });

  test("goes on when its definition is gone altogether, and after many restarts", async () => {
    const { bed, execId } = await begun([order(1)]);
    let next = bed;
    for (const workflows of [[other], [order(2)], [], [order(3), other]]) next = await reopen(next, workflows);
    expect(await finish(next, execId)).toMatchObject({ status: "SUCCESS", output: { seen: { version: 1 } } });
    await stop(next);
  });

  test("goes on when it had an agent of its own that is a function: that is no part of what is kept", async () => {
    const own = { id: "mine", kind: "module" as const, module: (() => ({})) as never };
    const { bed, execId } = await begun([order(1, { agents: [own] })]);
    const next = await reopen(bed, [order(2)]);
    expect(next.t.recovered.parked).toBe(0);
    expect(await finish(next, execId)).toMatchObject({ output: { seen: { version: 1 } } });
    await stop(next);
  });

  test("goes on with it in the same process, where another is defined meanwhile", async () => {
    const { bed, execId } = await begun([order(1)]);
    await bed.t.define({ workflows: [order(2)] });
    expect(await finish(bed, execId)).toMatchObject({ output: { seen: { version: 1 } } });
    await stop(bed);
  });

  test("of a task by itself does so too", async () => {
    const bed = await openWith([order(1)]);
    const { execId } = bed.t.startOne({ task: "order.wait" });
    await bed.pass(minute);
    const next = await reopen(bed, [other]);
    expect(next.t.why(execId)).toMatch(/waits for signal 'go'/);
    await stop(next);
  });

  test("that is a fork goes on with it also if it begins a moment after that was looked up", async () => {
    const { bed, execId } = await begun([order(1)]);
    await bed.t.cancel(execId);
    await bed.t.define({ workflows: [order(2)] });
    await bed.pass(30 * minute);
    const { clock } = bed;
    const { now } = clock;
    clock.now = () => {
      clock.jump(1);
      return now();
    };
    const fork = await bed.t.fork(execId, { from: "wait" });
    clock.now = now;
    await bed.pass(5 * hour);
    expect(() => bed.t.get(execId)).toThrow("no execution");
    expect(await finish(bed, fork.execId)).toMatchObject({ output: { seen: { version: 1 } } });
    await stop(bed);
  });
});

describe("a definition that holds functions", () => {
  test("parks its runs once it is another, and says why", async () => {
    const { bed, execId } = await begun([coded(1)]);
    expect(kept(bed.disk)).toEqual([]);
    const next = await reopen(bed, [coded(2)]);
    next.t.why(execId);
    expect(next.t.why(execId)).toMatch(
      /^the run is parked: .+ \([0-9a-f]+\), and it held functions, which cannot be kept: define it/,
    );
    await stop(next);
  });

  test("lets them go on as soon as it is defined as it was", async () => {
    const { bed, execId } = await begun([coded(1)]);
    const next = await reopen(bed, [coded(2)]);
    next.t.why(execId);
    expect(next.t.stats()).toMatchObject({ parked: 1, slots: { taken: 0 } });
    await next.t.define({ workflows: [coded(3)] });
    expect(next.t.stats()).toMatchObject({ parked: 1 });
    await next.t.define({ workflows: [coded(1)] });
    expect(next.t.stats()).toMatchObject({ parked: 0, slots: { taken: 1 } });
    expect(await finish(next, execId)).toMatchObject({ status: "SUCCESS", output: { coded: true } });
    expect(next.t.stats()).toMatchObject({ parked: 0, asleep: 0, slots: { taken: 0 } });
    await stop(next);
  });

  test("lets a run go on that stood in line, in line", async () => {
    const limits = { retentionMs: hour, concurrency: 1 };
    const bed = await openWith([coded(1)], { limits });
    const first = bed.t.start("order").execId;
    const second = bed.t.start("order").execId;
    await bed.pass(minute);
    const next = await reopen(bed, [coded(2)], { limits });
    for (const execId of [first, second]) next.t.why(execId);
    expect(next.t.stats()).toMatchObject({ parked: 2, slots: { taken: 0, waiting: 0 } });
    await next.t.define({ workflows: [coded(1)] });
    expect(next.t.stats()).toMatchObject({ parked: 0, slots: { taken: 1, waiting: 1 } });
    for (const execId of [first, second]) expect(await finish(next, execId)).toMatchObject({ status: "SUCCESS" });
    expect(next.t.stats()).toMatchObject({ slots: { taken: 0, waiting: 0 } });
    await stop(next);
  });
});

describe("what is kept", () => {
  test("V3: is written once for each definition, and not again at the next start", async () => {
    const bed = await openWith([order(1), other]);
    await bed.pass(0);
    expect(kept(bed.disk).map((text) => (JSON.parse(text) as WorkflowSpec).id)).toEqual(["order", "other"]);
    const list = bed.disk.notes.get("definitions");
    await stop(bed);
    const written: string[] = [];
    const { set } = bed.disk.notes;
    bed.disk.notes.set = (name, value) => {
      written.push(name);
      return set.call(bed.disk.notes, name, value);
    };
    const next = await openWith([order(1), other], { disk: bed.disk, clock: bed.clock });
    await next.pass(0);
    expect(written.filter((name) => name.startsWith("definition"))).toEqual([]);
    expect(next.disk.notes.get("definitions")).toBe(list);
    await stop(next);
  });

  test("V2: goes when no run is left that may need it, and not before", async () => {
    const { bed, execId } = await begun([order(1), other]);
    await bed.t.define({ workflows: [order(2)] });
    await bed.pass(5 * hour);
    expect(kept(bed.disk)).toHaveLength(3);
    await finish(bed, execId);
    // As long as it can be read how it ended, what it was stays too.
    await bed.pass(30 * minute);
    expect(kept(bed.disk)).toHaveLength(3);
    await bed.pass(4 * hour);
    expect(kept(bed.disk).map((text) => (JSON.parse(text) as WorkflowSpec).tasks[1])).toEqual([
      undefined,
      expect.objectContaining({ with: { version: 2 } }),
    ]);
    const next = await reopen(bed, [order(2), other]);
    expect(next.t.recovered.parked).toBe(0);
    await stop(next);
  });

  test("V2: stays for a run that has not begun any task, and for a task by itself", async () => {
    const paused = (version: number): WorkflowSpec => ({
      id: "order",
      tasks: [{ id: "look", type: "tool", tool: "look", with: { version }, pause_before: "look first" }],
    });
    const bed = await openWith([paused(1)]);
    const { execId } = bed.t.start("order");
    await bed.pass(minute);
    await bed.t.define({ workflows: [paused(2)] });
    await bed.pass(3 * hour);
    const next = await reopen(bed, [paused(3)]);
    const ended = next.t.result(execId);
    await next.t.resume(execId);
    await next.pass(minute);
    expect(await ended).toMatchObject({ output: { seen: { version: 1 } } });
    await stop(next);

    const one = await openWith([order(1)]);
    const { execId: task } = one.t.startOne({ task: "order.wait" });
    await one.pass(minute);
    await one.t.define({ workflows: [order(2)] });
    await one.pass(3 * hour);
    const two = await reopen(one, [order(3)]);
    expect(two.t.why(task)).toMatch(/waits for signal 'go'/);
    await stop(two);
  });

  test("V2: stays if it comes back into use", async () => {
    const bed = await openWith([order(1)]);
    await bed.t.define({ workflows: [order(2)] });
    await bed.t.define({ workflows: [order(1)] });
    await bed.pass(3 * hour);
    expect(kept(bed.disk).map((text) => (JSON.parse(text) as WorkflowSpec).tasks[1])).toEqual([
      expect.objectContaining({ with: { version: 1 } }),
    ]);
    const { execId } = bed.t.start("order");
    await bed.pass(minute);
    const next = await reopen(bed, [order(3)]);
    expect(await finish(next, execId)).toMatchObject({ output: { seen: { version: 1 } } });
    await stop(next);
  });

  test("V1: and is read as something else, is not used, and said", async () => {
    const { bed, execId } = await begun([order(1)]);
    await stop(bed);
    for (const [name, value] of bed.disk.notes) {
      if (name.startsWith("definition/")) bed.disk.notes.set(name, value.replace('"20d"', '"21d"'));
    }
    const next = await openWith([order(2)], { disk: bed.disk, clock: bed.clock });
    next.t.why(execId);
    expect(next.t.why(execId)).toMatch(/^the run is parked: workflow 'order' is not defined as it was/);
    expect(next.reports).toContainEqual({
      level: "error",
      message: "a kept definition cannot be used",
      fields: { hash: expect.any(String), reason: "it is read as another definition than it was" },
    });
    await stop(next);
  });
});
