// Goal: alarms fire at their time and in their order, whatever the wall clock does.
// Method: the clock runs over a timepiece that the test moves by hand, wall clock and waiting apart; the clock of the
// machine itself only where nothing depends on how fast it is.

import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { clockOver, systemClock } from "../../src/actors/clock.ts";

const beganAt = 1_800_000_000_000;
const day = 86_400_000;

/** A wall clock that can be set, and one wait after the other. */
function timepiece() {
  let wall = beganAt;
  let waiting: { ms: number; act: () => void } | undefined;
  const waits: number[] = [];
  const clock = clockOver({
    now: () => wall,
    wait(ms, act) {
      if (waiting !== undefined) throw new Error("two real timers at a time");
      waits.push(ms);
      const own = { ms, act };
      waiting = own;
      return () => {
        if (waiting === own) waiting = undefined;
      };
    },
  });
  return {
    clock,
    waits,
    isWaiting: () => waiting !== undefined,
    jump: (ms: number) => void (wall += ms),
    /** Time passes until the real timer rings. */
    ring: () => {
      const rung = waiting;
      if (rung === undefined) return false;
      waiting = undefined;
      wall += rung.ms;
      rung.act();
      return true;
    },
  };
}

/** Sets alarms that write down their name, and gives what was written. */
function written(clock: { alarm(at: number, act: () => void): () => void }, ...times: readonly number[]) {
  const names: number[] = [];
  const cancels = times.map((at, name) => clock.alarm(at, () => void names.push(name)));
  return { names, cancels };
}

test("C1: what is due fires by its time, and by its setting where the time is the same", () => {
  const { clock, ring } = timepiece();
  const { names } = written(clock, beganAt + 20, beganAt + 10, beganAt + 20, beganAt + 10, beganAt - 5);
  while (ring());
  expect(names).toEqual([4, 1, 3, 0, 2]);
});

test("C1: an alarm that is set while others fire takes its place among them", () => {
  const { clock, ring, jump } = timepiece();
  const names: string[] = [];
  clock.alarm(beganAt + 1, () => {
    names.push("first");
    clock.alarm(beganAt + 2, () => names.push("between"));
  });
  clock.alarm(beganAt + 3, () => names.push("last"));
  jump(10);
  while (ring());
  expect(names).toEqual(["first", "between", "last"]);
});

test("C2: an alarm fires once and not before its time, though the timer rings early", () => {
  const { clock, ring, jump } = timepiece();
  const { names } = written(clock, beganAt + 10);
  jump(-1);
  ring();
  expect(names).toEqual([]);
  ring();
  expect(names).toEqual([0]);
  expect(ring()).toBe(false);
});

test("C2: an alarm that is set later for an earlier time does not wait for the later one", () => {
  const { clock, ring } = timepiece();
  const firedAt: number[] = [];
  for (const at of [beganAt + 20, beganAt + 10]) clock.alarm(at, () => firedAt.push(clock.now()));
  while (ring());
  expect(firedAt).toEqual([beganAt + 10, beganAt + 20]);
});

test("C2: a cancelled alarm never fires, not even if it was due in the same round", () => {
  const { clock, ring, jump } = timepiece();
  const { names, cancels } = written(clock, beganAt + 10, beganAt + 20, beganAt + 30);
  cancels[0]?.();
  clock.alarm(beganAt + 15, () => cancels[1]?.());
  jump(100);
  while (ring());
  expect(names).toEqual([2]);
});

test("C2: to cancel what has fired, or twice, does nothing", () => {
  const { clock, ring } = timepiece();
  const { names, cancels } = written(clock, beganAt + 10, beganAt + 20);
  ring();
  cancels[0]?.();
  cancels[0]?.();
  ring();
  expect(names).toEqual([0, 1]);
});

test("C3: after a jump forward what became due fires at the next look, ten seconds away at most", () => {
  const { clock, ring, jump, waits } = timepiece();
  const { names } = written(clock, beganAt + day);
  jump(2 * day);
  ring();
  expect(names).toEqual([0]);
  expect(waits).toEqual([10_000]);
});

test("C3: after a jump back an alarm waits for its time by the wall clock", () => {
  const { clock, ring, jump } = timepiece();
  const { names } = written(clock, beganAt + 1_000);
  jump(-60_000);
  let rings = 0;
  while (ring()) rings++;
  expect(names).toEqual([0]);
  expect(clock.now()).toBe(beganAt + 1_000);
  expect(rings).toBeGreaterThan(1);
});

test("C3: after a jump back a new alarm is not held up by the old timer", () => {
  const { clock, ring, jump } = timepiece();
  written(clock, beganAt + 5_000);
  jump(-day);
  const { names } = written(clock, beganAt - day + 10);
  ring();
  expect(names).toEqual([0]);
  expect(clock.now()).toBe(beganAt - day + 10);
});

test("C4: a wait beyond 2^31 ms fires at its time, and no real timer is longer than ten seconds", () => {
  const { clock, ring, waits } = timepiece();
  const at = beganAt + 2 ** 31 + 12_345;
  const firedAt: number[] = [];
  clock.alarm(at, () => firedAt.push(clock.now()));
  while (ring());
  expect(firedAt).toEqual([at]);
  expect(Math.max(...waits)).toBe(10_000);
});

test("C5: an alarm that throws lets the rest fire, and its error is seen", () => {
  const { clock, ring } = timepiece();
  clock.alarm(beganAt + 1, () => {
    throw new Error("it broke");
  });
  const { names } = written(clock, beganAt + 1);
  expect(ring).toThrow("it broke");
  ring();
  expect(names).toEqual([0]);
});

test("C6: an alarm that sets itself for now lets the process go on between a thousand", () => {
  const { clock, ring } = timepiece();
  let fired = 0;
  const again = (): void => {
    fired++;
    clock.alarm(beganAt, again);
  };
  clock.alarm(beganAt, again);
  ring();
  expect(fired).toBe(1_000);
  ring();
  expect(fired).toBe(2_000);
});

test("nothing is waited for when no alarm is left", () => {
  const { clock, isWaiting } = timepiece();
  const { cancels } = written(clock, beganAt + 1, beganAt + 2);
  cancels[0]?.();
  expect(isWaiting()).toBe(true);
  cancels[1]?.();
  expect(isWaiting()).toBe(false);
});

test("the clock of the machine fires what is due in order, later than alarm(), and nothing cancelled", async () => {
  const clock = systemClock();
  const now = clock.now();
  const { names, cancels } = written(clock, now + 2, now, now + 1, now + 2);
  cancels[3]?.();
  expect(names).toEqual([]);
  await new Promise<void>((fired) => clock.alarm(now + 3, fired));
  expect(names).toEqual([1, 2, 0]);
  expect(clock.now()).toBeGreaterThanOrEqual(now + 3);
});

test("alarms keep the process alive if they are told to, and only then", async () => {
  const folder = mkdtempSync(join(tmpdir(), "troupe-clock-"));
  try {
    const clock = new URL("../../src/actors/clock.ts", import.meta.url).href;
    const program = join(folder, "program.mjs");
    writeFileSync(
      program,
      `import { systemClock } from ${JSON.stringify(clock)};
       const clock = systemClock({ keepAlive: process.argv[2] === "yes" });
       clock.alarm(clock.now() + 50, () => process.exit(7));`,
    );
    const codeOf = async (keepAlive: string): Promise<unknown> =>
      (await once(fork(program, [keepAlive], { execArgv: [] }), "exit"))[0];
    expect(await Promise.all([codeOf("yes"), codeOf("no")])).toEqual([7, 0]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
