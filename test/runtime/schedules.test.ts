// Schedules at the door: what they start and when, over restarts, changes and jumps of the clock.
//
// Method: virtual time, and a disk that outlives the troupe; the runs that began are read from its rows.

import { describe, expect, test } from "vitest";
import type { ScheduleSpec, TaskSpec, WorkflowSpec } from "../../src/language/spec.ts";
import type { Disk } from "../../src/store/memory.ts";
import { allRoles } from "../kit/virtual-troupe.ts";
import { type Bed, hour, newClock, openBed, refusal, second, settled } from "./bed.ts";

const minute = 60 * second;
/** When every bed here begins. */
const midnight = Date.UTC(2026, 0, 1);

const schedule = (more: Partial<ScheduleSpec> = {}): ScheduleSpec => ({ type: "schedule", cron: "0 * * * *", ...more });
const look: TaskSpec = { id: "look", type: "tool", tool: "look" };
const wait = (duration: string): TaskSpec => ({ id: "wait", type: "wait", wait: { duration } });
const report = (triggers: ScheduleSpec[], task: TaskSpec = look, more: Partial<WorkflowSpec> = {}): WorkflowSpec => ({
  id: "report",
  tasks: [task],
  triggers,
  ...more,
});
const tools = [{ id: "look", handler: (input: unknown) => ({ seen: input }) }];
const openWith = (workflow: WorkflowSpec, more: Parameters<typeof openBed>[0] = {}): Promise<Bed> =>
  openBed({ tools, workflows: [workflow], ...more });

const runsOn = (disk: Disk) =>
  [...disk.rows.values()].filter(({ entity }) => entity === "workflow").sort((a, b) => a.createdAt - b.createdAt);
/** When each began, in minutes after midnight. */
const begunAt = (disk: Disk): number[] => runsOn(disk).map(({ createdAt }) => (createdAt - midnight) / minute);
const stop = async ({ t }: Bed): Promise<void> => {
  const stopped = t.stop({ graceMs: 0 });
  await settled();
  await stopped;
};

describe("a schedule", () => {
  test("starts its workflow when it is due, with its input, and is seen as it stands", async () => {
    const bed = await openWith(report([schedule({ with: { week: true } })]));
    expect(bed.t.schedules()).toEqual([
      {
        workflow: "report",
        n: 0,
        cron: "0 * * * *",
        timezone: "UTC",
        overlap: "skip",
        enabled: true,
        paused: false,
        next: midnight + hour,
        last: null,
        skipped: 0,
        missed: 0,
        open: [],
      },
    ]);
    await bed.pass(hour - 1);
    expect(begunAt(bed.disk)).toEqual([]);
    await bed.pass(2 * hour);
    expect(begunAt(bed.disk)).toEqual([60, 120]);
    const [run] = runsOn(bed.disk);
    const [line] = await bed.t.history(run?.execId ?? "");
    expect(line).toMatchObject({
      type: "command:WorkflowExecute",
      envelope: {
        metadata: { source_component: "schedule.Service" },
        payload: { context: { input: { week: true }, trigger_type: "schedule" } },
      },
    });
    expect(bed.t.schedules()).toMatchObject([{ last: midnight + 2 * hour, next: midnight + 3 * hour, open: [] }]);
    await stop(bed);
  });

  test("gives its templates the due time, and is skipped and said if they fail", async () => {
    const bed = await openWith(report([schedule({ with: { at: "${{ now() }}" } })]));
    await bed.pass(hour);
    expect((await bed.t.history(runsOn(bed.disk)[0]?.execId ?? ""))[0]).toMatchObject({
      envelope: { payload: { context: { input: { at: "2026-01-01T01:00:00.000Z" } } } },
    });
    const broken = report([schedule({ with: () => refused() })]);
    await bed.t.define({ workflows: [broken] });
    await bed.pass(hour);
    expect(bed.t.schedules()).toMatchObject([{ skipped: 1, last: midnight + hour, next: midnight + 3 * hour }]);
    expect(bed.reports).toContainEqual({
      level: "error",
      message: "a schedule could not start its run",
      fields: expect.objectContaining({ workflow: "report", schedule: 0, due: "2026-01-01T02:00:00.000Z" }),
    });
    await stop(bed);
  });
  const refused = (): never => {
    throw new Error("not today");
  };

  test("leaves no trace where there is none", async () => {
    const bed = await openWith({ id: "report", tasks: [look] });
    expect(bed.t.schedules()).toEqual([]);
    expect([...bed.disk.notes.keys()].filter((name) => name.startsWith("schedules"))).toEqual([]);
    await stop(bed);
  });

  test("starts nothing once the troupe stops", async () => {
    const bed = await openWith(report([schedule()]));
    await stop(bed);
    bed.clock.advance(5 * hour);
    expect(begunAt(bed.disk)).toEqual([]);
  });

  test("is kept by the role of its name, which lives with the orchestrator", async () => {
    const without = await openWith(report([schedule()]), { roles: allRoles });
    expect(without.t.schedules()).toEqual([]);
    await stop(without);
    const bed = await openWith(report([schedule()]), { roles: [...allRoles, "schedule"] });
    expect(bed.t.schedules()).toHaveLength(1);
    await stop(bed);
    expect(await refusal(() => openWith(report([]), { roles: ["tool-executor", "schedule"] }))).toMatchObject({
      code: "VALIDATION_FAILED",
      message: expect.stringContaining("'schedule' begins runs, and lives with 'orchestrator'"),
    });
  });
});

describe("while a run is open", () => {
  const long = wait("150m");
  const ends = async (overlap: ScheduleSpec["overlap"] & string): Promise<Bed> => {
    const bed = await openWith(report([schedule({ overlap })], long));
    await bed.pass(6 * hour + 1);
    return bed;
  };

  test("skip leaves out what is due meanwhile", async () => {
    const bed = await ends("skip");
    expect(begunAt(bed.disk)).toEqual([60, 240]);
    expect(bed.t.schedules()).toMatchObject([{ skipped: 4 }]);
    await stop(bed);
  });

  test("allow lets them run beside each other", async () => {
    const bed = await ends("allow");
    expect(begunAt(bed.disk)).toEqual([60, 120, 180, 240, 300, 360]);
    expect(bed.t.schedules()[0]?.open).toHaveLength(3);
    await stop(bed);
  });

  test("buffer_one starts one more as soon as the run has ended", async () => {
    const bed = await ends("buffer_one");
    expect(begunAt(bed.disk)).toEqual([60, 210, 360]);
    await stop(bed);
  });

  test("cancel_other ends it, and starts the next when it has ended", async () => {
    const bed = await ends("cancel_other");
    expect(runsOn(bed.disk).map(({ status }) => status)).toEqual([
      ...Array.from({ length: 5 }, () => "CANCELED"),
      "RUNNING",
    ]);
    expect(begunAt(bed.disk).map(Math.floor)).toEqual([60, 120, 180, 240, 300, 360]);
    await stop(bed);
  });

  test("it is known to be open, and heard to end, after a restart", async () => {
    const one = await openWith(report([schedule({ overlap: "buffer_one" })], long));
    await one.pass(2 * hour + 1);
    await stop(one);
    const { disk, clock } = one;
    const two = await openWith(report([schedule({ overlap: "buffer_one" })], long), { disk, clock });
    expect(two.t.schedules()[0]?.open).toHaveLength(1);
    await two.pass(2 * hour);
    expect(begunAt(two.disk)).toEqual([60, 210]);
    await stop(two);
  });
});

describe("after an absence", () => {
  async function absent(more: Partial<ScheduleSpec>): Promise<Bed> {
    const one = await openWith(report([schedule(more)]));
    await one.pass(90 * minute);
    await stop(one);
    one.clock.jump(5 * hour);
    const two = await openWith(report([schedule(more)]), { disk: one.disk, clock: one.clock });
    await two.pass(0);
    return two;
  }

  test("what was missed is skipped, counted and reported", async () => {
    const bed = await absent({});
    expect(begunAt(bed.disk)).toEqual([60]);
    expect(bed.t.schedules()).toMatchObject([{ missed: 5, next: midnight + 7 * hour }]);
    expect(bed.reports).toContainEqual({
      level: "warn",
      message: "a schedule missed due times",
      fields: { workflow: "report", schedule: 0, count: 5, until: "2026-01-01T06:00:00.000Z" },
    });
    await bed.pass(hour);
    expect(begunAt(bed.disk)).toEqual([60, 420]);
    await stop(bed);
  });

  test("what lies within the window is made up for", async () => {
    const bed = await absent({ catch_up: "3h", overlap: "allow" });
    expect(begunAt(bed.disk)).toEqual([60, 390, 390, 390]);
    expect(bed.t.schedules()).toMatchObject([{ missed: 2, last: midnight + 6 * hour }]);
    await stop(bed);
  });

  test("S1: a clock that jumps ahead is an absence, and one that goes back starts nothing twice", async () => {
    const bed = await openWith(report([schedule()]));
    await bed.pass(90 * minute);
    bed.clock.jump(5 * hour);
    await bed.pass(second);
    expect(bed.t.schedules()).toMatchObject([{ missed: 5 }]);
    bed.clock.jump(-6 * hour);
    await bed.pass(6 * hour);
    expect(begunAt(bed.disk)).toEqual([60]);
    await bed.pass(hour);
    expect(runsOn(bed.disk)).toHaveLength(2);
    await stop(bed);
  });
});

describe("K2: a new version", () => {
  test("counts from when it is there; one without a schedule starts nothing", async () => {
    const bed = await openWith(report([schedule({ catch_up: "1d" })]));
    await bed.pass(hour);
    await bed.t.define({ workflows: [report([schedule({ catch_up: "1d", cron: "30 * * * *" })])] });
    await bed.pass(hour);
    expect(begunAt(bed.disk)).toEqual([60, 90]);
    await bed.t.define({ workflows: [report([])] });
    expect(bed.t.schedules()).toEqual([]);
    await bed.pass(3 * hour);
    await bed.t.define({ workflows: [report([schedule({ catch_up: "1d" })])] });
    await bed.pass(hour);
    expect(begunAt(bed.disk)).toEqual([60, 90, 360]);
    await stop(bed);
  });

  test("is noticed also when it came while nobody was here", async () => {
    const one = await openWith(report([schedule({ catch_up: "1d" }), schedule({ cron: "5 0 * * *" })]));
    await stop(one);
    one.clock.jump(150 * minute);
    const changed = report([schedule({ catch_up: "1d", cron: "15 * * * *" })]);
    const two = await openWith(changed, { disk: one.disk, clock: one.clock });
    await two.pass(hour);
    expect(begunAt(two.disk)).toEqual([195]);
    await stop(two);
  });

  test("with the same schedule goes on where it was", async () => {
    const bed = await openWith(report([schedule()], wait("90m")));
    await bed.pass(hour);
    await bed.t.define({ workflows: [report([schedule()], look)] });
    expect(bed.t.schedules()[0]).toMatchObject({ last: midnight + hour, open: [expect.any(String)] });
    await bed.pass(2 * hour);
    expect(begunAt(bed.disk)).toEqual([60, 180]);
    await stop(bed);
  });
});

describe("by hand", () => {
  test("it is paused, also over a restart, and resumed with what becomes due from then on", async () => {
    const one = await openWith(report([schedule({ catch_up: "1d" })]));
    expect(one.t.pauseSchedule("report")).toMatchObject({ enabled: false, paused: true, next: null });
    await one.pass(2 * hour);
    await stop(one);
    const two = await openWith(report([schedule({ catch_up: "1d" })]), { disk: one.disk, clock: one.clock });
    await two.pass(90 * minute);
    expect(begunAt(two.disk)).toEqual([]);
    expect(two.t.resumeSchedule("report", 0)).toMatchObject({ enabled: true, paused: false });
    await two.pass(hour);
    expect(begunAt(two.disk)).toEqual([240]);
    await stop(two);
  });

  test("a run is started at once, also of one that is disabled, and counts as open", async () => {
    const bed = await openWith(report([schedule({ enabled: false }), schedule({ with: { by: 1 } })], wait("90m")));
    expect(bed.t.schedules()).toMatchObject([{ enabled: false, next: null }, { enabled: true }]);
    const { execId } = bed.t.trigger("report");
    await bed.t.trigger("report", 1).accepted();
    await bed.pass(hour);
    expect(begunAt(bed.disk)).toEqual([0, 0]);
    expect(bed.t.schedules()).toMatchObject([{ open: [execId] }, { skipped: 1 }]);
    await stop(bed);
  });

  test("what is no schedule is refused by its name", async () => {
    const bed = await openWith(report([schedule()]));
    expect(await refusal(() => bed.t.trigger("rapport"))).toMatchObject({ code: "WORKFLOW_NOT_FOUND" });
    expect(await refusal(() => bed.t.trigger("report", 1))).toMatchObject({
      code: "VALIDATION_FAILED",
      message: "workflow 'report' has 1 schedules: there is no number 1, from 0 on",
    });
    expect(await refusal(() => bed.t.pauseSchedule("report", -1))).toMatchObject({ code: "VALIDATION_FAILED" });
    await stop(bed);
  });
});

test("K3: what cannot be started for a full disk is started once there is room, and said once", async () => {
  const bed = await openWith(report([schedule()]));
  bed.disk.breakAfter(0, "store_full");
  bed.t.start("report");
  await bed.pass(hour + 10 * second);
  expect(begunAt(bed.disk)).toEqual([]);
  expect(bed.reports.filter(({ message }) => message === "a schedule cannot start its run at present")).toHaveLength(1);
  bed.disk.mend();
  await bed.pass(10 * second);
  expect(runsOn(bed.disk)).toHaveLength(2);
  expect(bed.t.schedules()).toMatchObject([{ last: midnight + hour, missed: 0 }]);
  await stop(bed);
});

test.each([
  ["leaps over its time", Date.UTC(2026, 2, 29), "2026-03-29T01:00:00.000Z"],
  ["shows its time twice", Date.UTC(2026, 9, 25), "2026-10-25T00:30:00.000Z"],
])("a daily run comes once on the day that the clock %s", async (_what, from, at) => {
  const clock = newClock();
  clock.jump(from - clock.now());
  const bed = await openWith(report([schedule({ cron: "30 2 * * *", timezone: "Europe/Paris" })]), { clock });
  await bed.pass(3 * hour);
  expect(runsOn(bed.disk).map(({ createdAt }) => new Date(createdAt).toISOString())).toEqual([at]);
  await stop(bed);
});
