// Goal: a run carried in a file from one troupe to another is the same there, and only to be looked at; a file that was
// tampered with is refused, and says where.
// Method: two troupes in virtual time; files changed field by field, by hand and at random.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { rebuildViews } from "../../src/actors/views.ts";
import type { WorkflowSpec } from "../../src/language/spec.ts";
import { errors } from "../../src/protocol/errors.ts";
import { type Bundle, sumAfter } from "../../src/runtime/bundle-format.ts";
import { virtualClock } from "../../src/testing/virtual-clock.ts";
import { openMemory } from "../../src/store/memory.ts";
import { heldAgent, openBed, refusal, settled } from "./bed.ts";

const echo = { id: "echo", handler: (input: unknown) => ({ heard: input }) };
const child: WorkflowSpec = {
  id: "child",
  tasks: [{ id: "deep", type: "agent", agent: "echo", with: { deep: "${{ input.n }}" } }],
};
const parent: WorkflowSpec = {
  id: "parent",
  tasks: [
    { id: "first", type: "agent", agent: "echo", with: { n: "${{ input.n }}" }, next: "call" },
    { id: "call", type: "workflow", workflow: "child", with: { n: "${{ input.n }}" }, next: "last" },
    { id: "last", type: "agent", agent: "echo", with: { after: "${{ tasks.call.output }}" } },
  ],
};
const held = heldAgent("slow");
const waiting: WorkflowSpec = { id: "waiting", tasks: [{ id: "a", type: "agent", agent: "slow", timeout: "1h" }] };
const all = { workflows: [child, parent, waiting], agents: [echo, held.definition] };

/** As it comes out of a file. */
const filed = (bundle: Bundle): Bundle => JSON.parse(JSON.stringify(bundle)) as Bundle;
const elsewhere = (given: Parameters<typeof openBed>[0] = {}) =>
  openBed({ agents: [echo], clock: virtualClock(Date.UTC(2026, 0, 2)), ...given });

async function exported(workflow = "parent"): Promise<{ bundle: Bundle; execId: string; t: Bed["t"] }> {
  const { t } = await openBed(all);
  const { execId } = t.start(workflow, { n: 7 }, { labels: { team: "red" } });
  await settled();
  return { bundle: filed(await t.exportRun(execId)), execId, t };
}
type Bed = Awaited<ReturnType<typeof openBed>>;

describe("BU1: what was exported and imported elsewhere", () => {
  test("BU1: is told the same, with the workflows that it called", async () => {
    const { bundle, execId, t } = await exported();
    const there = await elsewhere();
    const report = await there.t.importRun(bundle);
    expect(report).toEqual({ execId, runs: 2, executions: 9, isDuplicate: false, isReplayable: true });
    const rows = (await t.list({ correlationId: t.get(execId).correlationId, limit: 100 })).items;
    expect(rows).toHaveLength(9);
    for (const row of rows) expect(there.t.get(row.execId)).toEqual({ ...row, imported: true });
    const told = async (bed: Bed["t"]) => (await bed.history(execId)).map(({ envelope, type }) => ({ type, envelope }));
    expect(await told(there.t)).toEqual(await told(t));
    const steps = async (bed: Bed["t"]) =>
      (await bed.steps(execId)).steps.map(({ at, address, machine, event, value }) => ({
        at,
        address,
        machine,
        event,
        value,
      }));
    expect((await steps(there.t)).length).toBeGreaterThan(20);
    expect(await steps(there.t)).toEqual(await steps(t));
    // It was not said here: whoever follows all that is said does not hear of it.
    const ids = bundle.runs.map(({ run }) => run);
    const { lines } = await there.t.journal({ fromLine: 0 });
    expect(lines.filter(({ run }) => ids.includes(run))).toEqual([]);
    expect(await there.t.result(execId)).toEqual(await t.result(execId));
    expect((await there.t.list({ labels: { team: "red" } })).items).toHaveLength(1);
  });

  test("BU1: may be exported from there again, and is the same file", async () => {
    const { bundle } = await exported();
    const there = await elsewhere();
    await there.t.importRun(bundle);
    const again = filed(await there.t.exportRun(bundle.exec_id));
    expect({ ...again, exported_at: "" }).toEqual({ ...bundle, exported_at: "" });
  });

  test("BU1: of one that has not ended stands as it stood", async () => {
    const { bundle, execId } = await exported("waiting");
    const there = await elsewhere();
    expect(await there.t.importRun(bundle)).toMatchObject({ isReplayable: true });
    expect(there.t.get(execId)).toMatchObject({ status: "RUNNING", imported: true });
    expect(there.t.why(execId)).toBe("it was imported, and does nothing here: it was RUNNING when it was exported");
    expect(await refusal(() => there.t.result(execId))).toMatchObject({ code: "INVALID_STATE" });
  });

  test("BU1: is what it was after a restart, and when its rows are made anew", async () => {
    const { bundle, execId } = await exported("waiting");
    const clock = virtualClock(Date.UTC(2026, 0, 2));
    const { t, disk } = await elsewhere({ clock });
    await t.importRun(bundle);
    const rows = () => [...disk.rows.values()].filter(({ run }) => run === execId);
    const before = rows();
    await t.stop({ graceMs: 0 });
    const store = openMemory({ disk });
    await rebuildViews(store);
    await store.close();
    expect(rows()).toEqual(before);
    const again = await openBed({ ...all, disk, clock, limits: { concurrency: 1 } });
    expect(again.t.get(execId)).toMatchObject({ status: "RUNNING", imported: true });
    // It holds no slot of those that run here.
    expect(again.t.stats().slots.taken).toBe(0);
    expect(await again.t.run("parent", { n: 1 })).toMatchObject({ status: "SUCCESS" });
  });

  test("is begun again, and forked, where its workflow is defined, and nowhere else", async () => {
    const { bundle, execId } = await exported();
    const there = await elsewhere();
    await there.t.importRun(bundle);
    expect(await refusal(() => there.t.retry(execId))).toMatchObject({ code: "WORKFLOW_NOT_FOUND" });
    expect(await refusal(() => there.t.fork(execId, { from: "last" }))).toMatchObject({ code: "WORKFLOW_NOT_FOUND" });
    await there.t.define({ workflows: [child, parent] });
    const forked = await there.t.fork(execId, { from: "last" });
    expect(await there.t.result(forked.execId)).toMatchObject({ status: "SUCCESS" });
    const again = await there.t.retry(execId);
    expect(await there.t.result(again.execId)).toMatchObject({ output: { heard: { after: { heard: { deep: 7 } } } } });
    expect(there.t.get(again.execId)).not.toHaveProperty("imported");
  });

  test("holds no definition that is code, and says that it cannot be stepped through", async () => {
    const code: WorkflowSpec = {
      id: "code",
      tasks: [{ id: "a", type: "agent", agent: "echo", with: () => ({ n: 1 }) } as never],
    };
    const { t } = await openBed({ workflows: [code], agents: [echo] });
    const { execId } = await t.run("code");
    const bundle = filed(await t.exportRun(execId));
    expect(bundle.definitions).toMatchObject([{ id: "code", spec: null }]);
    const there = await elsewhere();
    const report = await there.t.importRun(bundle);
    expect(report).toMatchObject({ isReplayable: false, reason: expect.stringContaining("is not defined as it was") });
    expect(there.t.get(execId)).toMatchObject({ status: "SUCCESS" });
  });
});

describe("BU3: what was imported", () => {
  test("BU3: takes no command", async () => {
    const { bundle, execId } = await exported("waiting");
    const { t } = await elsewhere({ workflows: [waiting] });
    await t.importRun(bundle);
    const task = bundle.executions.find(({ entity }) => entity === "task")?.exec_id ?? "";
    const commands = [
      () => t.cancel(execId),
      () => t.cancel(task),
      () => t.pause(execId),
      () => t.resume(execId),
      () => t.resume(task, {}),
      () => t.signal(execId, "go"),
    ];
    for (const command of commands) {
      expect(await refusal(command)).toMatchObject({ code: "INVALID_STATE", details: { imported: true } });
    }
    expect(await t.cancelAll({})).toMatchObject({ matched: 0 });
    expect(await t.history(execId)).toHaveLength((await t.history(execId)).length);
  });

  test("BU3: hears no message either, whoever sends it", async () => {
    const { bundle, execId } = await exported("waiting");
    const { t, pass } = await elsewhere();
    await t.importRun(bundle);
    const before = await t.history(execId);
    const cancel = { reason: "", canceled_by: "x" };
    t.system.tell(execId, "API", {
      type: "command:WorkflowCancel",
      workflow: { id: "waiting", exec_id: execId },
      payload: { context: cancel },
    } as never);
    await pass(2 * 3_600_000);
    expect(await t.history(execId)).toEqual(before);
    expect(t.stats()).toMatchObject({ awake: 0, parked: 0 });
  });

  test("is forgotten when somebody says so, with what came with it; what ran here is not", async () => {
    const { bundle, execId } = await exported();
    const { t } = await elsewhere({ workflows: [child, parent] });
    const own = await t.run("parent", { n: 1 });
    await t.importRun(bundle);
    await t.forgetImported(execId);
    for (const { exec_id } of bundle.executions) {
      expect(await refusal(() => t.get(exec_id))).toMatchObject({ code: "EXECUTION_NOT_FOUND" });
    }
    expect(await refusal(() => t.forgetImported(own.execId))).toMatchObject({ code: "INVALID_STATE" });
    expect(t.get(own.execId)).toMatchObject({ status: "SUCCESS" });
    expect(await t.importRun(bundle)).toMatchObject({ isDuplicate: false });
  });
});

describe("BU4: an import", () => {
  test("BU4: of what is here already changes nothing, and says so", async () => {
    const { bundle, t, execId } = await exported();
    expect(await t.importRun(bundle)).toMatchObject({ isDuplicate: true });
    expect(t.get(execId)).not.toHaveProperty("imported");
    const there = await elsewhere();
    await there.t.importRun(bundle);
    const lines = await there.t.history(execId);
    expect(await there.t.importRun(bundle)).toMatchObject({ isDuplicate: true });
    expect(await there.t.history(execId)).toEqual(lines);
  });

  test("BU4: of the same run as it stands later is refused", async () => {
    const { bundle, t, execId } = await exported("waiting");
    const there = await elsewhere();
    await there.t.importRun(bundle);
    await t.cancel(execId);
    const later = filed(await t.exportRun(execId));
    expect(await refusal(() => there.t.importRun(later))).toMatchObject({ code: "EXEC_ID_CONFLICT" });
  });

  test("importsMax: one more is RATE_LIMITED; bundleBytes: a larger one is PAYLOAD_TOO_LARGE", async () => {
    const { bundle } = await exported();
    const few = await elsewhere({ limits: { importsMax: 1 } });
    expect(await refusal(() => few.t.importRun(bundle))).toMatchObject({
      code: "RATE_LIMITED",
      details: { limit: "importsMax", max: 1 },
    });
    const small = await elsewhere({ limits: { bundleBytes: 1_000 } });
    expect(await refusal(() => small.t.importRun(bundle))).toMatchObject({
      code: "PAYLOAD_TOO_LARGE",
      details: { limit: "bundleBytes", max: 1_000 },
    });
  });
});

/** As somebody would who knows how sums are made. */
function summed(bundle: Bundle): Bundle {
  for (const { run, records } of bundle.runs) {
    let sum: string = run;
    for (const record of records) {
      sum = sumAfter(sum, record.at, JSON.stringify(record.body));
      record.sum = sum;
    }
  }
  return bundle;
}

/** What is so far from a file that it has no records has no sums either. */
function summedIfPossible(bundle: Bundle): unknown {
  try {
    return summed(bundle);
  } catch {
    return bundle;
  }
}

describe("BU2: a file", () => {
  const spoilt: readonly [what: string, spoil: (bundle: Bundle) => unknown, field: RegExp][] = [
    ["that is something else", () => ({ hello: 1 }), /^format$/],
    ["that is no object", () => "hello", /^format$/],
    ["of another version", (one) => ({ ...one, version: 2 }), /^version$/],
    ["without runs", (one) => ({ ...one, runs: [] }), /^bundle\.runs$/],
    ["with a record changed", (one) => (first(one, 3).body.m.push(...first(one, 2).body.m), one), /records\.3\.sum$/],
    ["with a record left out", (one) => (one.runs[0]?.records.splice(2, 1), one), /records\.2\.sum$/],
    ["with a time that goes back", (one) => ((first(one, 3).at = 5), summed(one)), /records\.3\.at$/],
    ["with an execution too many", (one) => (one.executions.push(one.executions[0] as never), one), /^executions$/],
    [
      "with a status of its own",
      (one) => (Object.assign(one.executions[0] as Row, { status: "CANCELED" }), one),
      /^executions$/,
    ],
    ["with runs in another order", (one) => ({ ...one, runs: one.runs.toReversed() }), /^exec_id$/],
    ["with a run twice", (one) => ({ ...one, runs: [...one.runs, one.runs[0]] }), /^runs\.2\.run$/],
    [
      "with a message that is none",
      (one) => (Object.assign(first(one, 0).body.m[0]?.[1] ?? {}, { type: "event:Nonsense" }), summed(one)),
      /records\.0\.body\.m\.0\.1\.type$/,
    ],
    [
      "that says it was imported",
      (one) => (Object.assign(first(one, 0).body, { x: 1 }), summed(one)),
      /records\.0\.body\.x$/,
    ],
    [
      "that speaks of another run",
      (one) =>
        summed(JSON.parse(JSON.stringify(one).replaceAll(`"run":"${one.exec_id}"`, `"run":"${other}"`)) as Bundle),
      /./,
    ],
  ];
  const other = "00000000-0000-7000-8000-000000000000";
  type Row = Bundle["executions"][number];
  const first = (bundle: Bundle, place: number) =>
    bundle.runs[0]?.records[place] as never as Bundle["runs"][0]["records"][0];

  test.each(spoilt)("BU2: %s is refused, with its place", async (_what, spoil, field) => {
    const { bundle } = await exported();
    const { t, disk } = await elsewhere();
    const refused = await refusal(() => t.importRun(spoil(bundle)));
    expect(refused.code).toBe("VALIDATION_FAILED");
    expect((refused.details as { errors: { field: string }[] }).errors[0]?.field).toMatch(field);
    expect(disk.rows.size).toBe(1);
    expect(t.stats().seq).toBe(1);
  });

  test("BU2: changed anywhere, with sums that fit or not, is refused by a code or does no harm", async () => {
    const { bundle } = await exported();
    const text = JSON.stringify(bundle);
    const elsewhereInIt = fc.constantFrom(...pathsIn(bundle)).map((path) => valueAt(bundle, path));
    const odd = fc.oneof(
      elsewhereInIt,
      fc.jsonValue(),
      fc.constantFrom("__proto__", null, -1, 1e300, "event:TaskScheduled", other),
    );
    const paths = pathsIn(bundle);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...paths), odd, fc.boolean(), async (path, value, isSummed) => {
        const changed = JSON.parse(text) as Bundle;
        put(changed, path, value);
        const given = isSummed ? summedIfPossible(changed) : changed;
        const { t } = await elsewhere();
        try {
          await t.importRun(given);
        } catch (error) {
          const { code, message } = error as { code: keyof typeof errors; message: string };
          expect({ exit: errors[code]?.exit, message }).toMatchObject({ exit: 2 });
        }
        for (const { execId, imported } of (await t.list({ limit: 100 })).items) {
          if (!imported) continue;
          await t.history(execId);
          await t.steps(execId);
          await t.exportRun(execId);
          expect(t.why(execId)).toContain("it was imported");
        }
        await t.stop({ graceMs: 0 });
      }),
      { numRuns: Number(process.env["BUNDLES"] ?? 150) },
    );
  });

  test("BU2: whose contents were changed and summed anew is read, and not stepped through", async () => {
    const { bundle } = await exported();
    const changed = summed(JSON.parse(JSON.stringify(bundle).replaceAll('"n":7', '"n":8')) as Bundle);
    const { t } = await elsewhere();
    const reason = expect.stringMatching(/^record \d+: the replay of .* says something else$/);
    expect(await t.importRun(changed)).toMatchObject({ isReplayable: false, reason });
  });
});

type Path = (string | number)[];

function pathsIn(value: unknown, path: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [path];
  return [
    ...(path.length > 0 ? [path] : []),
    ...Object.entries(value).flatMap(([key, one]) => pathsIn(one, [...path, key])),
  ];
}
const valueAt = (target: unknown, path: Path): unknown =>
  path.reduce<unknown>((inner, key) => (inner as Record<string, unknown>)[key], target);
function put(target: unknown, path: Path, value: unknown): void {
  const place = valueAt(target, path.slice(0, -1));
  (place as Record<string, unknown>)[path.at(-1) as string] = value;
}
