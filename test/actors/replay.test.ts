// A run made again from the log is the run that wrote it, and a log that was changed is found out.
//
// Method: a company of workflows lives in time that stands still; at every moment of rest each run in memory is held
// against a replay of its records. Then records are changed one by one.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { freezeRun } from "../../src/actors/run.ts";
import type { Disk } from "../../src/store/memory.ts";
import type { LogRecord, Store } from "../../src/store/store.ts";
import { type Bed, company, type Life, makeBed, play, settle } from "./recovery-bed.ts";

const ids = company.map(({ id }) => id);

/** Everything the log has of a run, as if it had never been put to sleep. */
const wholeOf = ({ disk }: Bed, run: string): NonNullable<ReturnType<Store["load"]>> => {
  const file = disk.runs.get(run);
  if (!file?.state) throw new Error(`the disk does not know '${run}'`);
  return { checkpoint: null, tail: [...file.records], state: file.state };
};

const runsOf = ({ disk }: Bed): string[] => [...disk.runs.keys()];

/** Holds whatever is in memory against its log. */
function compare(bed: Bed, { troupe: it }: Life): number {
  let compared = 0;
  for (const id of runsOf(bed)) {
    const run = it.system.peek(id);
    if (!run) continue;
    compared += 1;
    expect(JSON.parse(freezeRun(it.system.again(id, wholeOf(bed, id))))).toEqual(JSON.parse(freezeRun(run)));
  }
  return compared;
}

describe("a replay", () => {
  test("Z1: of all records says what the log says, and is the run that is in memory", async () => {
    const starts = fc.array(fc.constantFrom(...ids), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(starts, fc.integer({ min: 1, max: 9_999 }), async (some, seed) => {
        const bed = makeBed({ seed });
        const life = await bed.open();
        let compared = 0;
        life.troupe.subscribe(() => (compared += compare(bed, life)));
        await play(bed, life, some);
        expect(compared).toBeGreaterThan(0);
        // Ended runs too: nothing throws.
        for (const id of runsOf(bed)) life.troupe.system.again(id, wholeOf(bed, id));
      }),
      { numRuns: 15 },
    );
  });

  test("Z1: from a checkpoint is the same as from the first record", async () => {
    const bed = makeBed({ limits: { awakeMax: 1 } });
    const life = await bed.open();
    const { execId } = life.troupe.start("signaled");
    for (let n = 0; n < 3; n++) life.troupe.start("patient");
    await settle(life);
    const loaded = life.store.load(execId);
    expect(loaded?.checkpoint).not.toBeNull();
    expect(loaded?.tail).toEqual([]);
    const { again } = life.troupe.system;
    if (!loaded) throw new Error("it is not there");
    expect(freezeRun(again(execId, loaded))).toEqual(freezeRun(again(execId, wholeOf(bed, execId))));
  });

  test("Z2: changes nothing: no slot, no runtime, no handler, no record", async () => {
    const bed = makeBed();
    const life = await bed.open();
    for (const id of ids) life.troupe.start(id, { q: 1 });
    await settle(life);
    const state = () =>
      JSON.stringify([
        life.troupe.stats(),
        life.troupe.runtimes(),
        bed.disk.log.length,
        bed.begun,
        life.clock.pending(),
      ]);
    const before = state();
    for (const id of runsOf(bed)) life.troupe.system.again(id, wholeOf(bed, id));
    await settle(life);
    expect(state()).toBe(before);
  });
});

// ── what was changed ──

type Change = [what: string, change: (body: string) => string];
const changes: Change[] = [
  ["another status was said", (body) => body.replace(/"status":"(RUNNING|PENDING)"/, '"status":"PAUSED"')],
  ["a message is missing", (body) => JSON.stringify({ ...JSON.parse(body), m: JSON.parse(body).m.slice(1) })],
  ["another cause", (body) => JSON.stringify({ ...JSON.parse(body), s: "01a0c450-6c00-7553-aa0b-0fa21f5b4041" })],
  ["a version that nobody knows", (body) => body.replace('"v":1', '"v":2')],
  ["no JSON", (body) => body.slice(0, -1)],
];

/** A life, its disk, and a run of it that waits for a signal. */
async function waiting(): Promise<{ bed: Bed; execId: string; others: string[] }> {
  const bed = makeBed();
  const life = await bed.open();
  const { execId } = life.troupe.start("signaled");
  const others = [life.troupe.start("signaled").execId, life.troupe.start("patient").execId];
  await settle(life);
  life.troupe.system.stop();
  await life.store.close();
  for (const file of bed.disk.runs.values()) file.checkpoint = null;
  return { bed, execId, others };
}

const spoil = ({ disk }: Bed, run: string, change: (record: LogRecord) => LogRecord): void => {
  const file = disk.runs.get(run);
  const [first, ...rest] = file?.records ?? [];
  if (!file || !first) throw new Error("there is no record to change");
  file.records = [change(first), ...rest];
};

describe("a log that was changed", () => {
  test.each(changes)("parks that run and no other: %s", async (_what, change) => {
    const { bed, execId, others } = await waiting();
    spoil(bed, execId, (record) => ({ ...record, body: change(record.body) }));
    const life = await bed.open();
    expect(life.troupe.recovered).toMatchObject({ live: 3, parked: 0 });
    await expect(
      Promise.race([life.troupe.signal(execId, "go"), settle(life).then(() => Promise.reject(new Error("silence")))]),
    ).rejects.toThrow();
    expect(life.troupe.why(execId)).toMatch(/^the run is parked: /);
    expect(bed.logged).toEqual([expect.stringContaining("error a run is parked")]);
    expect(bed.logged[0]).toContain(execId);
    const ended = Promise.all(others.map((id) => life.troupe.result(id)));
    await life.troupe.signal(others[0] ?? "", "go");
    life.clock.jump(60 * 86_400_000);
    life.clock.advanceTo(life.clock.now());
    expect((await ended).map(({ status }) => status)).toEqual(["SUCCESS", "SUCCESS"]);
    expect(life.troupe.stats()).toMatchObject({ parked: 1, slots: { taken: 0 } });
  });

  test("and was mended lets the run go on at the next start", async () => {
    const { bed, execId } = await waiting();
    const whole = bed.disk.runs.get(execId)?.records ?? [];
    spoil(bed, execId, (record) => ({ ...record, body: "{}" }));
    const life = await bed.open();
    expect(life.troupe.why(execId)).toMatch(/^the run is parked: a record of version undefined cannot be read/);
    await life.troupe.stop({ graceMs: 0 });

    const broken = await bed.open();
    expect(broken.troupe.recovered).toMatchObject({ parked: 1 });
    expect(broken.troupe.why(execId)).toMatch(/^the run is parked: a record of version undefined/);
    await broken.troupe.stop({ graceMs: 0 });

    const file = bed.disk.runs.get(execId);
    if (file) file.records = whole;
    const mended = await bed.open();
    expect(mended.troupe.recovered).toMatchObject({ parked: 0 });
    await settle(mended);
    expect(bed.disk.runs.get(execId)?.state).toMatchObject({ state: "waiting", dueAt: expect.any(Number) });
    const ended = mended.troupe.result(execId);
    await mended.troupe.signal(execId, "go");
    expect(await ended).toMatchObject({ status: "SUCCESS" });
  });

  test("is of no concern to a run that begins", async () => {
    const { bed, execId } = await waiting();
    spoil(bed, execId, (record) => ({ ...record, body: "" }));
    const life = await bed.open();
    expect(await life.troupe.run("agent", { q: 1 })).toMatchObject({ status: "SUCCESS" });
  });
});

describe("a definition that is not there any more, and was not kept", () => {
  /** As a release left it that did not keep definitions. */
  const lose = ({ notes }: Disk): void => {
    for (const name of notes.keys()) if (name.startsWith("definition")) notes.delete(name);
  };
  const without = (id: string) => company.filter((one) => one.id !== id);

  test("parks the run with a reason, and lets it go on once it is there again", async () => {
    const { bed, execId } = await waiting();
    lose(bed.disk);
    const other = makeBed({ seed: 2, disk: bed.disk, workflows: without("signaled") });
    const life = await other.open();
    life.troupe.why(execId);
    await settle(life);
    expect(life.troupe.why(execId)).toMatch(
      /^the run is parked: workflow 'signaled' is not defined as it was when the run began \([0-9a-f]+\): define it/,
    );
    await life.troupe.stop({ graceMs: 0 });
    const again = makeBed({ seed: 3, disk: bed.disk });
    const next = await again.open();
    const ended = next.troupe.result(execId);
    await next.troupe.signal(execId, "go");
    expect(await ended).toMatchObject({ status: "SUCCESS" });
  });

  test("does so also where a checkpoint stands for the records", async () => {
    const bed = makeBed();
    const life = await bed.open();
    const { execId } = life.troupe.start("signaled");
    await life.troupe.stop({ graceMs: 0 });
    expect(bed.disk.runs.get(execId)?.checkpoint).not.toBeNull();
    lose(bed.disk);
    const other = await makeBed({ seed: 2, disk: bed.disk, workflows: without("signaled") }).open();
    other.troupe.why(execId);
    expect(other.troupe.why(execId)).toMatch(/^the run is parked: workflow 'signaled' is not defined as it was/);
  });

  test("also when it is there in another form", async () => {
    const { bed, execId } = await waiting();
    lose(bed.disk);
    const changed = company.map((one) => (one.id === "signaled" ? { ...one, timeout: "3d" } : one));
    const life = await makeBed({ seed: 2, disk: bed.disk, workflows: changed }).open();
    life.troupe.why(execId);
    expect(life.troupe.why(execId)).toMatch(/is not defined as it was/);
  });

  test("but not when only its description is another", async () => {
    const { bed, execId } = await waiting();
    lose(bed.disk);
    const described = company.map((one) => (one.id === "signaled" ? { ...one, description: "said better" } : one));
    const life = await makeBed({ seed: 2, disk: bed.disk, workflows: described }).open();
    expect(life.troupe.why(execId)).toMatch(/waits for signal 'go'/);
  });
});

describe("a checkpoint that cannot be thawed", () => {
  test.each([
    ["another version of it", (body: string) => body.replace('"v":1', '"v":9'), "a checkpoint of version 9"],
    ["another version of a chart", (body: string) => body.replace('"version":"1"', '"version":"9"'), "Execution 9'"],
    ["no JSON", (body: string) => body.slice(1), "JSON"],
  ])("parks the run: %s", async (_what, change, reason) => {
    const bed = makeBed();
    const life = await bed.open();
    const { execId } = life.troupe.start("signaled");
    const other = life.troupe.start("signaled").execId;
    await life.troupe.stop({ graceMs: 0 });
    const file = bed.disk.runs.get(execId);
    if (!file?.checkpoint) throw new Error("a clean stop left no checkpoint");
    file.checkpoint = { ...file.checkpoint, body: change(file.checkpoint.body) };
    const next = await bed.open();
    next.troupe.why(execId);
    expect(next.troupe.why(execId)).toContain(reason);
    expect(bed.logged).toHaveLength(1);
    const ended = next.troupe.result(other);
    await next.troupe.signal(other, "go");
    expect(await ended).toMatchObject({ status: "SUCCESS" });
  });
});
