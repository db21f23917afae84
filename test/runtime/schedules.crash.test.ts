// Schedules whose process is killed: every due time begins one run at most, and none is lost.
//
// Method: lives on one disk, each killed at one of its appends in turn. Each due time leaves a key there, each
// run a row: they are counted against each other.

import { describe, expect, test } from "vitest";
import type { ScheduleSpec, TaskSpec, WorkflowSpec } from "../../src/language/spec.ts";
import type { Disk } from "../../src/store/memory.ts";
import { type Death, makeBed, settle } from "../actors/recovery-bed.ts";
import { pass } from "../kit/passing.ts";
import { hour, newClock, openBed, second, settled } from "./bed.ts";

const minute = 60 * second;
/** When every bed here begins. */
const midnight = Date.UTC(2026, 0, 1);

const schedule = (more: Partial<ScheduleSpec> = {}): ScheduleSpec => ({ type: "schedule", cron: "0 * * * *", ...more });
const look: TaskSpec = { id: "look", type: "tool", tool: "look" };
const wait = (duration: string): TaskSpec => ({ id: "wait", type: "wait", wait: { duration } });
const runsOn = (disk: Disk) => [...disk.rows.values()].filter(({ entity }) => entity === "workflow");

test("K1: what was started right before a crash holds the next back, however long nobody was here", async () => {
  const workflows = [{ id: "report", tasks: [wait("20h")], triggers: [schedule()] }];
  const one = await openBed({ workflows });
  await one.pass(minute);
  const before = one.disk.notes.get("schedules/report") ?? "";
  await one.pass(hour);
  one.store.crash();
  one.disk.notes.set("schedules/report", before);
  // The alarms of a dead process ring no more.
  const clock = newClock();
  clock.jump(one.clock.now() + 4 * hour + 10 * minute - clock.now());
  const two = await openBed({ workflows, disk: one.disk, clock });
  const [run] = runsOn(two.disk);
  expect(two.t.schedules()).toMatchObject([{ last: midnight + hour, missed: 4, open: [run?.execId] }]);
  await two.pass(hour);
  expect(two.t.schedules()).toMatchObject([{ skipped: 1 }]);
  expect(runsOn(two.disk)).toHaveLength(1);
  const stopped = two.t.stop({ graceMs: 0 });
  await settled();
  await stopped;
});

describe("K1: killed at any append", () => {
  const minutes = 6;
  const overlaps = ["skip", "allow", "buffer_one", "cancel_other"] as const;
  const catchUp = { catch_up: "1d", jitter: "5s", cron: "* * * * *" };
  const workflows = overlaps.map((overlap): WorkflowSpec => ({
    id: overlap,
    tasks: [overlap === "skip" ? look : wait("80s")],
    triggers: [schedule({ ...catchUp, overlap })],
  }));

  /** Lives through some minutes, and is opened again where it dies; gives how many appends the first life made. */
  async function live(deaths: readonly Death[]) {
    const bed = makeBed({ workflows });
    let appends = 0;
    let began: number | undefined;
    for (const death of [...deaths, undefined]) {
      const life = await bed.open(death);
      began ??= life.clock.now();
      await settle(life);
      while (!life.isDead() && life.clock.now() < began + minutes * minute) {
        await pass(life.clock, 5 * second);
      }
      appends = Math.max(appends, life.appends());
      if (!life.isDead()) return { bed, appends, schedules: life.troupe.schedules(), began };
    }
    throw new Error("the last life has no death");
  }

  function check({ bed, schedules, began }: Awaited<ReturnType<typeof live>>): void {
    for (const { workflow, last, skipped, missed } of schedules) {
      const keys = [...bed.disk.keys.values()].filter(({ key }) => key.startsWith(`schedule/${workflow}/`));
      const runs = runsOn(bed.disk).filter(({ id }) => id === workflow);
      // One run for each key, and one key for each due time that was started.
      expect(new Set(keys.map(({ execId }) => execId))).toEqual(new Set(runs.map(({ execId }) => execId)));
      expect(missed).toBe(0);
      const dues = keys.map(({ key }) => Date.parse(key.split("/").at(-1) ?? ""));
      expect(Math.max(...dues)).toBe(last);
      if (workflow === "skip" || workflow === "allow") {
        // Nothing was in their way: every minute has its run.
        expect(skipped).toBe(0);
        const first = Math.ceil(began / minute) * minute;
        const expected = Array.from({ length: dues.length }, (_, n) => first + n * minute);
        expect(dues.sort((a, b) => a - b)).toEqual(expected);
        expect(dues.length).toBeGreaterThanOrEqual(minutes - 1);
      }
    }
    expect(bed.logged).toEqual([]);
  }

  test("every due time begins one run, and none is lost", async () => {
    const calm = await live([]);
    check(calm);
    expect(calm.appends).toBeGreaterThan(30);
    for (let append = 1; append <= calm.appends; append++) {
      check(await live([{ append, isWritten: append % 2 === 0 }]));
    }
  }, 60_000);

  test("also when it is killed again and again, soon after each start", async () => {
    for (let append = 1; append <= 8; append++) {
      const deaths = Array.from({ length: 12 }, (_, n) => ({ append: append + (n % 3), isWritten: n % 2 === 0 }));
      check(await live(deaths));
    }
  });
});
