// Goal: whoever watches charts hears each of their steps once, in order, after it is on disk, and nobody pays else.
// Method: a troupe in virtual time on a store that commits when it is told to; what was heard is held against pages.

import { describe, expect, test } from "vitest";
import type { TaskSpec } from "../../src/language/spec.ts";
import type { Limits } from "../../src/actors/limits.ts";
import type { ChartStep } from "../../src/runtime/steps.ts";
import { type Troupe, troupe } from "../../src/runtime/troupe.ts";
import { makeDisk, openMemory } from "../../src/store/memory.ts";
import { randomFrom } from "../../src/testing/random.ts";
import { newClock } from "../kit/virtual-troupe.ts";
import { refusal } from "./bed.ts";

const wait: TaskSpec = { id: "wait", type: "wait", wait: { signal: "go" }, timeout: "9d" };
const workflows = [
  { id: "short", tasks: [{ id: "a", type: "agent" as const, agent: "echo" }] },
  { id: "waits", tasks: [{ ...wait, next: "a" } as TaskSpec, { id: "a", type: "agent" as const, agent: "echo" }] },
  {
    id: "wide",
    tasks: [
      {
        id: "each",
        type: "each" as const,
        items: () => Array.from({ length: 400 }, (_, index) => index),
        max_concurrency: 20,
        do: [{ id: "a", type: "agent" as const, agent: "echo" }],
      },
    ],
  },
];

async function bed(limits: Partial<Limits> = {}, disk = makeDisk()) {
  const clock = newClock();
  const held: (() => void)[] = [];
  const open = { commits: true };
  const commit = (act: () => void): void => (open.commits ? queueMicrotask(act) : void held.push(act));
  const logged: string[] = [];
  const store = openMemory({ disk, commit });
  const here = await troupe({
    store,
    clock,
    random: randomFrom(1),
    limits,
    workflows,
    agents: [{ id: "echo", handler: (input: unknown) => ({ heard: input }) }],
    log: (level, message) => void (level === "debug" || level === "info" || logged.push(message)),
  });
  const release = (): void => {
    open.commits = true;
    for (const act of held.splice(0)) act();
  };
  return { here, clock, open, release, logged, disk, store };
}

/** Lets everything happen that needs no time, until nothing more is heard. */
async function quiet(heard: readonly unknown[]): Promise<void> {
  for (let calm = 0, last = -1; calm < 8; calm = heard.length === last ? calm + 1 : 0) {
    last = heard.length;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function allOf(here: Troupe, execId: string, limit = 100): Promise<ChartStep[]> {
  const steps: ChartStep[] = [];
  for (let afterSeq = 0; ;) {
    const page = await here.steps(execId, { afterSeq, limit });
    steps.push(...page.steps);
    afterSeq = page.seq;
    if (!page.hasMore) return steps;
  }
}

const shown = ({ seq, line, address, value, event, status }: ChartStep) =>
  JSON.stringify([seq, line, address, value, event.type, status]);

describe("steps, in pages", () => {
  test("are the same however large the pages are, and end", async () => {
    const { here } = await bed();
    const { execId, result } = here.start("wide");
    await result();
    const whole = await here.steps(execId, { limit: 10_000 });
    expect(whole).toMatchObject({ hasMore: false, isWhole: true, reason: null });
    expect(whole.steps.length).toBeGreaterThan(4_000);
    const first = await here.steps(execId, { limit: 7 });
    expect(first.steps.length).toBeGreaterThanOrEqual(7);
    expect(first.hasMore).toBe(true);
    expect((await allOf(here, execId, 37)).map(shown)).toEqual(whole.steps.map(shown));
    expect(await here.steps(execId, { afterSeq: whole.seq })).toMatchObject({ steps: [], seq: whole.seq });
  });

  test("of a part of a run are those of the run", async () => {
    const { here } = await bed();
    const { execId, result } = here.start("short");
    await result();
    const { items } = await here.list({ run: execId, entity: "agent" });
    const own = await here.steps(items[0]?.execId ?? "");
    expect(own.steps.map(shown)).toEqual((await here.steps(execId)).steps.map(shown));
    expect(own.steps.at(-1)).toMatchObject({ machine: "workflowExecution", value: "succeeded", status: "done" });
  });

  test("of a run whose records say something else now begin again at its checkpoint, and that is said", async () => {
    const { here, disk, store } = await bed({ awakeMax: 1 });
    const { execId } = here.start("waits");
    here.start("waits");
    here.start("waits");
    await quiet([]);
    const file = disk.runs.get(execId);
    const [record, ...rest] = file?.records ?? [];
    if (!file?.checkpoint || !record) throw new Error("it did not fall asleep");
    file.records = [{ ...record, body: record.body.replace('"status":"PENDING"', '"status":"PAUSED"') }, ...rest];
    await here.signal(execId, "go");
    await here.result(execId);
    const { steps, isWhole, reason, hasMore } = await here.steps(execId);
    expect({ isWhole, reason, hasMore }).toEqual({
      isWhole: false,
      reason: expect.stringContaining("says something else"),
      hasMore: false,
    });
    expect(steps[0]).toMatchObject({ event: { type: "troupe.checkpoint" }, is_new: true });
    expect(steps.at(-1)).toMatchObject({ machine: "workflowExecution", status: "done" });
    await store.close();
  });

  test("of a run that cannot be read at all are none, with the reason", async () => {
    const { here, disk } = await bed();
    const { execId, result } = here.start("short");
    await result();
    const file = disk.runs.get(execId);
    if (file) file.records = file.records.map((record) => ({ ...record, body: "{}" }));
    expect(await here.steps(execId)).toMatchObject({
      steps: [],
      isWhole: false,
      hasMore: false,
      reason: expect.stringContaining("a record of version undefined cannot be read"),
    });
  });

  test("are refused for what is not known, and for pages that cannot be", async () => {
    const { here } = await bed();
    const id = "01900000-0000-7000-8000-00000000beef";
    expect(await refusal(() => here.steps(id))).toMatchObject({ code: "EXECUTION_NOT_FOUND" });
    const { execId } = here.start("short");
    await quiet([]);
    expect(await refusal(() => here.steps(execId, { limit: 0 }))).toMatchObject({ code: "VALIDATION_FAILED" });
  });
});

describe("whoever watches", () => {
  test("SW1: hears every step once, in order, from whichever record on", async () => {
    const { here } = await bed();
    const { execId } = here.start("waits");
    await quiet([]);
    const early: ChartStep[] = [];
    here.watch(execId, (step) => early.push(step), { afterSeq: 0 });
    await quiet(early);
    expect(early.map(shown)).toEqual((await allOf(here, execId)).map(shown));
    const fresh: ChartStep[] = [];
    here.watch(execId, (step) => fresh.push(step));
    const late: ChartStep[] = [];
    here.watch(execId, (step) => late.push(step), { afterSeq: 0 });
    const everything: ChartStep[] = [];
    here.watch(null, (step) => everything.push(step));
    const before = early.length;
    await here.signal(execId, "go");
    await here.result(execId);
    await quiet(early);
    const whole = (await allOf(here, execId)).map(shown);
    expect(early.map(shown)).toEqual(whole);
    expect(late.map(shown)).toEqual(whole);
    expect(fresh.map(shown)).toEqual(whole.slice(before));
    expect(everything.map(shown)).toEqual(whole.slice(before));
  });

  test.each([
    ["asleep", 2],
    ["awake", 100],
  ])("SW1: hears all runs whole while more of them are %s than may be watched", async (_how, awakeMax) => {
    const { here } = await bed({ watchedMax: 3, awakeMax });
    const heard: ChartStep[] = [];
    here.watch(null, (step) => heard.push(step));
    const runs: string[] = [];
    for (let n = 0; n < 12; n++) {
      runs.push(here.start("waits").execId);
      await quiet(heard);
    }
    for (const run of runs) {
      await here.signal(run, "go");
      await here.result(run);
      await quiet(heard);
    }
    for (const run of runs) {
      const own = heard.filter(({ address, parent }) => address === `workflow/${run}` || parent === `workflow/${run}`);
      const whole = (await allOf(here, run)).filter(
        ({ address, parent }) => address === `workflow/${run}` || parent === `workflow/${run}`,
      );
      expect(own.map(shown)).toEqual(whole.map(shown));
    }
  });

  test("SW1: hears every step once that happens while it catches up", async () => {
    const { here } = await bed();
    await here.define({
      agents: [{ id: "echo", handler: (input: unknown) => new Promise((resolve) => setImmediate(resolve, input)) }],
    });
    const { execId, result } = here.start("wide");
    await quiet([]);
    const early: ChartStep[] = [];
    const late: ChartStep[] = [];
    here.watch(
      execId,
      (step) => {
        early.push(step);
        if (early.length === 2_000) here.watch(execId, (other) => late.push(other), { afterSeq: 0 });
      },
      { afterSeq: 0 },
    );
    await result();
    await quiet(late);
    await quiet(late);
    const whole = (await allOf(here, execId, 5_000)).map(shown);
    expect(early.map(shown)).toEqual(whole);
    expect(late.map(shown)).toEqual(whole);
  });

  test("SW2: hears nothing that is not on disk", async () => {
    const { here, open, release } = await bed();
    const heard: ChartStep[] = [];
    here.watch(null, (step) => heard.push(step));
    open.commits = false;
    const { execId } = here.start("short");
    await quiet(heard);
    expect(here.system.peek(execId)?.actors.size).toBeGreaterThan(0);
    expect(heard).toEqual([]);
    release();
    await quiet(heard);
    expect(heard.length).toBeGreaterThan(0);
  });

  test("SW3: lets the process do other things between the pieces of a large run", async () => {
    const { here } = await bed();
    const { execId, result } = here.start("wide");
    await result();
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns += 1;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    const { steps } = await here.steps(execId, { limit: 10_000 });
    isOver = true;
    expect(turns).toBeGreaterThan(steps.length / 1_000);
  });

  test("is refused as one more than may watch, and somebody who goes makes room", async () => {
    const { here } = await bed({ watchedMax: 1 });
    const [one, other] = [here.start("waits").execId, here.start("waits").execId];
    await quiet([]);
    const end = here.watch(one, () => undefined);
    here.watch(one, () => undefined)();
    expect(await refusal(async () => here.watch(other, () => undefined))).toMatchObject({
      code: "RATE_LIMITED",
      details: { limit: "watchedMax", max: 1 },
    });
    end();
    end();
    here.watch(other, () => undefined)();
  });

  test("and goes hears nothing more, and costs nothing any more", async () => {
    const { here } = await bed();
    const heard: ChartStep[] = [];
    const end = here.watch(null, (step) => heard.push(step));
    const { execId } = here.start("waits");
    await quiet(heard);
    const before = heard.length;
    end();
    let asked = 0;
    const { spectator } = here.system;
    Object.assign(here.system, { spectator: (id: string) => ((asked += 1), spectator(id)) });
    await here.signal(execId, "go");
    await here.result(execId);
    await quiet(heard);
    expect(heard).toHaveLength(before);
    expect(asked).toBe(0);
  });

  test("and fails harms nobody, and is told of", async () => {
    const { here, logged } = await bed();
    const heard: ChartStep[] = [];
    here.watch(null, () => {
      throw new Error("mine");
    });
    here.watch(null, (step) => heard.push(step));
    expect(await here.run("short")).toMatchObject({ status: "SUCCESS" });
    await quiet(heard);
    expect(heard.length).toBeGreaterThan(5);
    expect(new Set(logged)).toEqual(new Set(["a listener failed"]));
  });

  test("goes on in the next life where the last one was killed", async () => {
    const { here, disk, store } = await bed();
    const { execId } = here.start("waits");
    await quiet([]);
    const first: ChartStep[] = [];
    here.watch(execId, (step) => first.push(step), { afterSeq: 0 });
    await quiet(first);
    store.crash();
    const next = await bed({}, disk);
    const second: ChartStep[] = [];
    next.here.watch(execId, (step) => second.push(step), { afterSeq: first.at(-1)?.seq ?? 0 });
    await next.here.signal(execId, "go");
    await next.here.result(execId);
    await quiet(second);
    expect([...first, ...second].map(shown)).toEqual((await allOf(next.here, execId)).map(shown));
  });
});
