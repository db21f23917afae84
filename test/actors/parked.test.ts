// Goal: a run that cannot be replayed can be got rid of, stays so, and tells whoever wants something of it.
// Method: records on the disk are spoiled between two lives; then it is canceled, signaled from outside and by other
// runs, and looked at in a third life.

import { expect, test } from "vitest";
import type { WorkflowSpec } from "../../src/language/spec.ts";
import { rebuildViews } from "../../src/actors/views.ts";
import type { Disk } from "../../src/store/memory.ts";
import { openMemory } from "../../src/store/memory.ts";
import { type Bed, openBed, refusal, second, settled } from "../runtime/bed.ts";

const workflows: WorkflowSpec[] = [
  { id: "waits", tasks: [{ id: "w", type: "wait", wait: { signal: "go" }, timeout: "1h" }] },
  { id: "calls", tasks: [{ id: "c", type: "workflow", workflow: "waits", timeout: "1h" }] },
  {
    id: "tells",
    tasks: [
      { id: "t", type: "wait", wait: { duration: "5s" }, next: "s" },
      { id: "s", type: "signal", signal: "go", to: "${{ input.to }}" },
    ],
  },
];

function spoil(disk: Disk, run: string): void {
  const file = disk.runs.get(run);
  const [first, ...rest] = file?.records ?? [];
  if (!file || !first) throw new Error("there is no record to spoil");
  const body = JSON.parse(first.body) as { m: unknown[] };
  file.records = [{ ...first, body: JSON.stringify({ ...body, m: body.m.slice(1) }) }, ...rest];
  file.checkpoint = null;
}

/** A second life, in which some of the runs of the first cannot be replayed. */
async function secondLife(start: (bed: Bed) => Promise<string[]> | string[]): Promise<{ bed: Bed; ids: string[] }> {
  const first = await openBed({ workflows });
  const ids = await start(first);
  await settled();
  const spoiled = ids[0] ?? "";
  first.store.crash();
  spoil(first.disk, spoiled);
  return { bed: await openBed({ workflows, disk: first.disk, limits: { concurrency: 2 } }), ids };
}
const one = ({ t }: Bed): string[] => [t.start("waits", {}, { labels: { team: "red" } }).execId];

test("it is canceled, answers whoever waits for it, frees what it held, and stays ended", async () => {
  const { bed, ids } = await secondLife(one);
  const [run = ""] = ids;
  const end = bed.t.result(run);
  expect(bed.t.why(run)).toMatch(/^the run is parked: record \d+/);
  expect(await bed.t.cancel(run, "it is broken")).toMatchObject({ execId: run, changed: true });
  expect(await end).toEqual({ execId: run, status: "CANCELED" });
  expect(bed.t.get(run)).toMatchObject({ status: "CANCELED", labels: { team: "red" } });
  expect(bed.t.get(run).about).toMatchObject({ reason: "it is broken" });
  expect((await bed.t.list({ run })).items.map(({ status }) => status)).toEqual(["CANCELED", "CANCELED"]);
  expect(bed.t.stats()).toMatchObject({ parked: 0, awake: 0, slots: { taken: 0, waiting: 0 } });
  const said = (await bed.t.history(run)).map(({ type }) => type);
  expect(said.slice(-4)).toEqual([
    "command:WorkflowCancel",
    "event:TaskExecutionCanceled",
    "event:WorkflowExecutionCanceled",
    "result:CommandAck",
  ]);
  expect(await bed.t.cancel(run), "a second cancel changes nothing").toMatchObject({ changed: false });
  bed.store.crash();
  const third = await openBed({ workflows, disk: bed.disk });
  expect(third.t.recovered).toMatchObject({ live: 0, parked: 0 });
  expect(await third.t.result(run)).toEqual({ execId: run, status: "CANCELED" });
  expect(await refusal(() => third.t.signal(run, "go"))).toMatchObject({ code: "INVALID_STATE" });
});

test("its rows are the same when they are made anew from the log", async () => {
  const { bed, ids } = await secondLife(one);
  await bed.t.cancel(ids[0] ?? "");
  await bed.t.stop();
  const before = new Map(bed.disk.rows);
  await rebuildViews(openMemory({ disk: bed.disk }));
  expect(bed.disk.rows.get(ids[0] ?? "")).toEqual(before.get(ids[0] ?? ""));
});

test("anything else is answered INVALID_STATE at once, and names what is wrong", async () => {
  const { bed, ids } = await secondLife(one);
  const [run = ""] = ids;
  const parked = { code: "INVALID_STATE", message: expect.stringContaining("the run is parked: record") };
  for (const act of [() => bed.t.signal(run, "go"), () => bed.t.pause(run), () => bed.t.resume(run)]) {
    expect(await refusal(act)).toMatchObject(parked);
  }
  const [task] = (await bed.t.list({ run, entity: "task" })).items;
  expect(await refusal(() => bed.t.cancel(task?.execId ?? ""))).toMatchObject(parked);
  expect(bed.t.stats()).toMatchObject({ parked: 1 });
});

test("a signal of another run is answered, and not lost", async () => {
  const { bed, ids } = await secondLife(({ t }) => {
    const to = t.start("waits").execId;
    return [to, t.start("tells", { to }).execId];
  });
  expect(await refusal(() => bed.t.pause(ids[0] ?? ""))).toMatchObject({ code: "INVALID_STATE" });
  await bed.pass(5 * second);
  const end = await bed.t.result(ids[1] ?? "");
  expect(end).toMatchObject({ status: "FAILED", error: { details: { cause_code: "SIGNAL_NOT_DELIVERED" } } });
  expect(JSON.stringify(await bed.t.history(ids[1] ?? ""))).toContain("the run is parked");
});

test("what it called is canceled with it", async () => {
  const { bed, ids } = await secondLife(({ t }) => [t.start("calls").execId]);
  const [run = ""] = ids;
  const [child] = (await bed.t.list({ id: "waits", entity: "workflow" })).items;
  expect(child).toMatchObject({ status: "RUNNING" });
  await bed.t.cancel(run);
  expect(bed.t.get(child?.execId ?? "")).toMatchObject({ status: "CANCELED" });
});

/** A second life, in which a child cannot be replayed, and its parent can. */
async function parkedChild(): Promise<{ bed: Bed; parent: string; child: string }> {
  const first = await openBed({ workflows });
  const parent = first.t.start("calls").execId;
  await settled();
  const child = (await first.t.list({ id: "waits", entity: "workflow" })).items[0]?.execId ?? "";
  first.store.crash();
  spoil(first.disk, child);
  const bed = await openBed({ workflows, disk: first.disk });
  expect(await refusal(() => bed.t.pause(child))).toMatchObject({ code: "INVALID_STATE" });
  return { bed, parent, child };
}

test("a parked child ends when its parent is canceled", async () => {
  const { bed, parent, child } = await parkedChild();
  const canceling = bed.t.cancel(parent);
  await bed.pass(20 * second);
  await canceling;
  expect(bed.t.get(parent)).toMatchObject({ status: "CANCELED" });
  expect(bed.t.get(child)).toMatchObject({ status: "CANCELED" });
  expect(bed.t.stats()).toMatchObject({ parked: 0, slots: { taken: 0, waiting: 0 } });
});

test("a parent hears that its parked child was canceled, and goes on by its error path", async () => {
  const { bed, parent, child } = await parkedChild();
  await bed.t.cancel(child);
  expect(await bed.t.result(parent)).toMatchObject({ status: "FAILED", error: { code: "TASK_FAILED" } });
});
