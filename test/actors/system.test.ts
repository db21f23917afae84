// What the actor system promises of inputs, the disk, effects, failures and time.
//
// Method: whole troupes on a disk in memory whose commits happen when the test says so, in time that stands still.

import { describe, expect, test } from "vitest";
import { linesOf, settle as settled, type Life } from "./recovery-bed.ts";
import type { Committed } from "../../src/actors/system.ts";
import { type Options, type Troupe, troupe } from "../../src/runtime/troupe.ts";
import { type Disk, makeDisk, type MemoryStore, openMemory } from "../../src/store/memory.ts";
import type { Unit } from "../../src/store/store.ts";
import { randomFrom } from "../../src/testing/random.ts";
import { virtualClock, type VirtualClock } from "../../src/testing/virtual-clock.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

type Bed = {
  it: Troupe;
  clock: VirtualClock;
  store: MemoryStore;
  disk: Disk;
  units: Unit[];
  logged: string[];
  begun: string[];
  /** Lets what waits for the disk be written. */
  commit(): void;
};

type Given = Partial<Options> & { disk?: Disk; seed?: number; isHeld?: boolean; from?: number };

async function open({ disk = makeDisk(), seed = 1, isHeld = false, from = 1_790_000_000_000, ...more }: Given = {}) {
  const clock = virtualClock(from);
  const acts: (() => void)[] = [];
  let isOpening = true;
  const store = openMemory({ disk, commit: (act) => (isHeld && !isOpening ? acts.push(act) : queueMicrotask(act)) });
  const units: Unit[] = [];
  const { append } = store;
  store.append = (unit) => (units.push(unit), append.call(store, unit));
  const logged: string[] = [];
  const begun: string[] = [];
  const it = await troupe({
    store,
    clock,
    random: randomFrom(seed),
    agents: [
      { id: "clerk", handler: (input) => (begun.push("clerk"), { answer: input }) },
      { id: "slow", handler: () => (begun.push("slow"), new Promise(() => undefined)) },
    ],
    tools: [{ id: "look", handler: (input) => (begun.push("look"), { seen: input }) }],
    workflows: [
      { id: "agent", tasks: [{ id: "ask", type: "agent", agent: "clerk" }] },
      { id: "slow", tasks: [{ id: "ask", type: "agent", agent: "slow", timeout: "1h" }] },
      { id: "parent", tasks: [{ id: "child", type: "workflow", workflow: "agent" }] },
      { id: "signaled", timeout: "2d", tasks: [{ id: "wait", type: "wait", wait: { signal: "go" }, timeout: "1d" }] },
      {
        id: "broken",
        tasks: [
          { id: "fork", type: "route", cases: [{ when: () => true, next: "ask" }] },
          { id: "ask", type: "agent", agent: "clerk" },
        ],
      },
      ...[1, 2, 3].map((hours) => ({
        id: `after-${hours}h`,
        timeout: "2d",
        tasks: [{ id: "wait", type: "wait" as const, wait: { duration: `${hours}h` }, timeout: "1d" }],
      })),
    ],
    log: (level, message, fields) => logged.push(`${level} ${message} ${JSON.stringify(fields)}`),
    ...more,
  });
  await settled({ troupe: it } as Life);
  isOpening = false;
  const commit = (): void => acts.splice(0).forEach((act) => act());
  return { it, clock, store, disk, units, logged, begun, commit } satisfies Bed;
}

const settle = ({ it }: Pick<Bed, "it">): Promise<void> => settled({ troupe: it } as Life);

/** Lets time pass all at once. */
async function pass(bed: Pick<Bed, "it" | "clock">, ms: number): Promise<void> {
  await settle(bed);
  bed.clock.jump(ms);
  bed.clock.advanceTo(bed.clock.now());
  await settle(bed);
}

describe("an input", () => {
  test("Y1: that leads to another run is one unit of the log with what that run makes of it", async () => {
    const bed = await open();
    const { execId } = bed.it.start("parent");
    const [unit] = bed.units.slice(-1);
    const runs = unit?.records.map(({ run }) => run) ?? [];
    expect(runs[0]).toBe(execId);
    expect(new Set(runs).size).toBe(2);
    expect(unit?.runs.map(({ run }) => run).sort()).toEqual([...new Set(runs)].sort());
    const child = runs.find((run) => run !== execId) ?? "";
    expect(unit?.rows.some((row) => row.run === child)).toBe(true);
    await settle(bed);
    // The end of the child and what its parent makes of it, too.
    const last = bed.units.filter(({ records }) => records.some(({ run }) => run === child)).at(-1);
    expect(last?.records.map(({ run }) => run)).toContain(execId);
  });

  test("Y1: keys are in the unit of the run that they name, also when they wait in a line", async () => {
    const bed = await open();
    const { system } = bed.it;
    let isFirst = true;
    bed.it.subscribe(({ said }) => {
      if (!isFirst || !said.some(({ word }) => word.type === "command:WorkflowExecute")) return;
      isFirst = false;
      bed.it.start("agent", {}, { idempotencyKey: "one" });
      bed.it.start("agent", {}, { idempotencyKey: "two" });
    });
    bed.it.start("signaled");
    await settle(bed);
    const keyed = bed.units.filter(({ keys }) => (keys ?? []).length > 0);
    expect(keyed.flatMap(({ keys }) => keys?.map(({ key }) => key))).toEqual(["one", "two"]);
    for (const { keys, records } of keyed) {
      for (const { execId } of keys ?? []) expect(records.map(({ run }) => run)).toContain(execId);
    }
    expect(system.isSettled()).toBe(true);
  });
});

describe("an effect", () => {
  test("Y2: waits for the disk: no handler, no listener and no answer before", async () => {
    const bed = await open({ isHeld: true });
    const heard: Committed[] = [];
    bed.it.subscribe((committed) => heard.push(committed));
    const { result } = bed.it.start("agent");
    let isOver = false;
    void result().then(() => (isOver = true));
    await settle(bed);
    expect([bed.begun, heard, isOver]).toEqual([[], [], false]);
    bed.commit();
    await settle(bed);
    expect(bed.begun).toEqual(["clerk"]);
    expect(heard).toHaveLength(1);
    expect(isOver).toBe(false);
    bed.commit();
    await settle(bed);
    expect(heard).toHaveLength(2);
    expect(isOver).toBe(true);
  });

  test("Y2: happens in the order of the log, and listeners hear each record once", async () => {
    const bed = await open();
    const seqs: number[] = [];
    bed.it.subscribe(({ seq }) => seqs.push(seq));
    for (let n = 0; n < 20; n++) bed.it.start(n % 2 ? "parent" : "agent");
    await settle(bed);
    const from = seqs[0] ?? 0;
    expect(seqs).toEqual(seqs.map((_, index) => from + index));
    expect(seqs.length).toBeGreaterThanOrEqual(60);
    expect(seqs.at(-1)).toBe(bed.it.stats().seq);
  });

  test("Y2: is not kept from happening by a listener that throws", async () => {
    const bed = await open();
    bed.it.subscribe(() => {
      throw new Error("a bad listener");
    });
    expect(await bed.it.run("agent")).toMatchObject({ status: "SUCCESS" });
    expect(bed.logged.every((line) => line.includes("a bad listener"))).toBe(true);
    expect(bed.logged.length).toBeGreaterThan(0);
  });

  test("Y2: of what a crash took back never happens", async () => {
    const bed = await open({ isHeld: true });
    bed.it.start("agent");
    bed.store.crash();
    bed.commit();
    await settle(bed);
    expect(bed.begun).toEqual([]);
  });
});

describe("a step that throws", () => {
  test("Y3: ends its run with INTERNAL_ERROR and its context, and no other", async () => {
    const bed = await open({ limits: { cascadeMax: 30 } });
    const tasks = Array.from({ length: 20 }, (_, n) => [
      { id: `t${n}`, type: "wait" as const, wait: { signal: "go" }, timeout: "1d" },
    ]);
    const branches = Object.fromEntries(tasks.map((block, n) => [`b${n}`, block]));
    await bed.it.define({ workflows: [{ id: "loud", tasks: [{ id: "all", type: "parallel", branches }] }] });
    const other = bed.it.start("signaled");
    const end = await bed.it.run("loud");
    expect(end).toMatchObject({ status: "FAILED", error: { code: "INTERNAL_ERROR" } });
    expect(end.error?.message).toContain("a cascade of more than 30 words");
    expect(end.error?.message).toContain(end.execId);
    expect(bed.logged).toEqual([expect.stringContaining("error a step failed: its run ends")]);
    expect(bed.it.stats()).toMatchObject({ collapsed: 1, parked: 0 });
    await bed.it.signal(other.execId, "go");
    expect(await other.result()).toMatchObject({ status: "SUCCESS" });
    await settle(bed);
    expect(bed.it.stats()).toMatchObject({ awake: 0, slots: { taken: 0, waiting: 0 } });
  });

  test("Y3: in the middle of a run fails everything that was open in it, and says so once each", async () => {
    const bed = await open({ limits: { idleBeforeSleepMs: dayMs } });
    const { execId, result } = bed.it.start("after-1h");
    await settle(bed);
    const run = bed.it.system.peek(execId);
    for (const [address, actor] of run?.actors ?? []) {
      if (address.startsWith("task/")) run?.actors.set(address, { ...actor, reportsTo: "workflow/nobody", by: "XE" });
    }
    await pass(bed, hourMs);
    expect(await result()).toMatchObject({ status: "FAILED", error: { code: "INTERNAL_ERROR" } });
    const ends = linesOf(bed.disk).filter(({ type, run: id }) => id === execId && type.endsWith("Failed"));
    expect(ends.map(({ type, disposition }) => [type, disposition])).toEqual([
      ["event:TaskExecutionFailed", "applied"],
      ["event:WorkflowExecutionFailed", "applied"],
    ]);
    expect(bed.it.stats()).toMatchObject({ collapsed: 1, awake: 0 });
  });

  test("Y3: at its very beginning is answered all the same: a workflow, a child and a task by itself", async () => {
    const bed = await open({ limits: { cascadeMax: 8 } });
    const failed = { status: "FAILED", error: { code: "INTERNAL_ERROR" } };
    const { execId, result } = bed.it.start("agent");
    expect(await result()).toMatchObject(failed);
    await settle(bed);
    expect(bed.it.get(execId)).toMatchObject({ status: "FAILED", errorCode: "INTERNAL_ERROR" });
    expect(await bed.it.execute({ agent: "clerk" })).toMatchObject({ status: "FAILED" });
    expect(bed.it.stats()).toMatchObject({ awake: 0, parked: 0, slots: { taken: 0, waiting: 0 } });
  });

  test("Y3: and whose end throws too is parked and said, and others go on", async () => {
    const bed = await open({ limits: { idleBeforeSleepMs: dayMs } });
    const { execId } = bed.it.start("after-1h");
    const other = bed.it.start("after-2h");
    await settle(bed);
    const run = bed.it.system.peek(execId);
    for (const [address, actor] of run?.actors ?? []) run?.actors.set(address, { ...actor, by: "XE" });
    // A row that is no row: to say that it failed throws.
    for (const [place, execution] of run?.executions ?? []) {
      run?.executions.set(place, { ...execution, entity: "nothing" as never });
    }
    await pass(bed, hourMs);
    expect([...bed.it.system.parked().keys()]).toEqual([execId]);
    expect(bed.disk.runs.get(execId)?.state).toMatchObject({ state: "parked" });
    await pass(bed, hourMs);
    expect(await other.result()).toMatchObject({ status: "SUCCESS" });
  });
});

describe("a replay that says something else", () => {
  test("Y4: parks its run, keeps its reason, and the others go on", async () => {
    const first = await open();
    const bad = first.it.start("signaled").execId;
    const good = first.it.start("signaled").execId;
    await settle(first);
    first.store.crash();
    const file = first.disk.runs.get(bad);
    if (!file) throw new Error("it is not there");
    file.records = file.records.map((record) => ({ ...record, body: record.body.replace("RUNNING", "PAUSED") }));
    const bed = await open({ disk: first.disk, seed: 2 });
    await pass(bed, dayMs);
    expect([...bed.it.system.parked()]).toEqual([[bad, expect.stringContaining("says something else")]]);
    expect(bed.it.why(bad)).toMatch(/^the run is parked: record \d+: the replay of 'command:WorkflowExecute'/);
    expect(bed.it.get(good).status).toBe("FAILED");
    expect(bed.disk.runs.get(bad)?.state).toMatchObject({ state: "parked", dueAt: null });
  });

  test("Y4: of a run that has ended is reported to whoever asks, and harms nothing", async () => {
    const first = await open();
    const { execId } = await first.it.run("agent");
    await settle(first);
    first.store.crash();
    const file = first.disk.runs.get(execId);
    if (!file) throw new Error("it is not there");
    file.records = file.records.map((record) => ({ ...record, body: "{}" }));
    const bed = await open({ disk: first.disk, seed: 2 });
    bed.it.cancel(execId).catch(() => undefined);
    await settle(bed);
    expect(bed.logged).toEqual([expect.stringContaining("error an ended run cannot be read")]);
    expect(bed.disk.runs.get(execId)?.state?.state).toBe("ended");
    expect(await bed.it.run("agent")).toMatchObject({ status: "SUCCESS" });
  });
});

describe("time", () => {
  const endedAt = ({ it }: Bed, execId: string): number | null => it.get(execId).endedAt;

  test("Y5: due timers fire in the order of their times after a downtime", async () => {
    const first = await open();
    const ids = [3, 1, 2].map((hours) => first.it.start(`after-${hours}h`).execId);
    await settle(first);
    first.store.crash();
    const bed = await open({ disk: first.disk, seed: 2, from: first.clock.now() + 10 * hourMs });
    const order: string[] = [];
    bed.it.subscribe(({ run, said }) => {
      if (said.some(({ word }) => word.type === "event:WorkflowExecutionSuccess")) order.push(run);
    });
    bed.clock.advanceTo(bed.clock.now());
    await settle(bed);
    expect(order).toEqual([ids[1], ids[2], ids[0]]);
    expect(ids.map((id) => endedAt(bed, id))).toEqual(ids.map(() => bed.clock.now()));
  });

  test("Y5: a timer fires once, at its time, after months too", async () => {
    const bed = await open();
    const wait = { duration: "60d" };
    await bed.it.define({
      workflows: [{ id: "long", timeout: "90d", tasks: [{ id: "wait", type: "wait", wait, timeout: "70d" }] }],
    });
    const began = bed.clock.now();
    const { execId } = bed.it.start("long");
    await pass(bed, 60 * dayMs - 1);
    expect(bed.it.get(execId).status).toBe("RUNNING");
    await pass(bed, 1);
    expect(bed.it.get(execId)).toMatchObject({ status: "SUCCESS", endedAt: began + 60 * dayMs });
    const before = bed.it.stats().seq;
    await pass(bed, 60 * dayMs);
    const said = linesOf(bed.disk).filter(({ run, seq }) => run === execId && seq > before);
    expect(said).toEqual([]);
  });

  test("Y5: a timer of a state that was left does nothing", async () => {
    const bed = await open();
    const { execId } = bed.it.start("signaled");
    await settle(bed);
    const run = bed.it.system.peek(execId);
    const stale = [...(run?.actors ?? [])].flatMap(([address, { life }]) =>
      life.timers.map((timer) => ({ on: "timer" as const, address, timer })),
    );
    expect(stale.length).toBeGreaterThan(0);
    await bed.it.signal(execId, "go");
    await settle(bed);
    const { seq } = bed.it.stats();
    for (const input of stale) bed.it.system.take(execId, input);
    await settle(bed);
    expect(bed.it.stats().seq).toBe(seq);
    expect(bed.it.get(execId).status).toBe("SUCCESS");
    expect(bed.it.stats().awake).toBe(0);
  });

  test("Y5: nothing is left set once everything has ended", async () => {
    const bed = await open();
    await pass(bed, hourMs);
    const rest = bed.clock.pending();
    const some = [1, 2, 3].map((hours) => bed.it.start(`after-${hours}h`));
    await settle(bed);
    expect(bed.clock.pending()).toBeGreaterThan(rest);
    await pass(bed, 3 * hourMs);
    expect((await Promise.all(some.map(({ result }) => result()))).map(({ status }) => status)).toEqual(
      some.map(() => "SUCCESS"),
    );
    await pass(bed, hourMs);
    expect(bed.clock.pending()).toBe(rest);
  });
});

describe("a stop", () => {
  test("leaves a checkpoint of whatever is open, and the next start reads no tail", async () => {
    const first = await open({ limits: { awakeMax: 2 } });
    for (let n = 0; n < 6; n++) first.it.start(n % 2 ? "signaled" : "after-2h");
    first.it.start("slow");
    await settle(first);
    await first.it.stop({ graceMs: 0 });
    const open_ = [...first.disk.runs.values()].filter(({ state }) => state?.state !== "ended");
    expect(open_).toHaveLength(7);
    for (const { checkpoint, records } of open_) expect(checkpoint?.seq).toBe(records.at(-1)?.seq);
    const bed = await open({ disk: first.disk, seed: 2, from: first.clock.now() });
    expect(bed.it.recovered).toMatchObject({ live: 7, busy: 1, parked: 0 });
    expect(bed.begun).toEqual(["slow"]);
  });

  test("takes nothing more, and begins nothing", async () => {
    const bed = await open();
    bed.it.start("signaled");
    await bed.it.stop({ graceMs: 0 });
    expect(() => bed.it.start("agent")).toThrow("stopping");
    bed.clock.jump(dayMs);
    bed.clock.advanceTo(bed.clock.now());
    expect(bed.begun).toEqual([]);
    expect(bed.clock.pending()).toBe(0);
  });
});

test("what has ended is forgotten whole after its time, and what lives never is", async () => {
  const bed = await open({ limits: { retentionMs: 2 * hourMs } });
  const { execId: ended } = await bed.it.run("parent");
  const { execId: living } = bed.it.start("signaled");
  await pass(bed, hourMs);
  const { execId: fresh } = await bed.it.run("agent");
  expect(bed.it.get(ended).status).toBe("SUCCESS");
  await pass(bed, 1.5 * hourMs);
  await pass(bed, 120_000);
  expect(() => bed.it.get(ended)).toThrow("is known");
  expect([...bed.disk.rows.values()].some(({ run, parent }) => run === ended || parent === ended)).toBe(false);
  expect(bed.disk.log.some(({ run }) => run === ended)).toBe(false);
  expect(bed.it.get(fresh).status).toBe("SUCCESS");
  await pass(bed, 10 * hourMs);
  await pass(bed, 120_000);
  expect(() => bed.it.get(fresh)).toThrow("is known");
  expect(bed.it.get(living).status).toBe("RUNNING");
  await bed.it.signal(living, "go");
  expect(await bed.it.result(living)).toMatchObject({ status: "SUCCESS" });
});
