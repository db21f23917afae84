// Goal: parts start in order, are started again when they fail, and stop in reverse, whatever goes wrong.
// Method: parts that write down what happens to them, in virtual time.

import { describe, expect, it } from "vitest";
import { type Part, supervise } from "../../src/actors/supervisor.ts";
import type { TroupeError } from "../../src/protocol/errors.ts";
import { virtualClock } from "../../src/testing/virtual-clock.ts";

function bed() {
  const log: string[] = [];
  const fails = new Map<string, (error: unknown) => void>();
  const fatal: TroupeError[] = [];
  const clock = virtualClock(0);
  const part = (name: string, broken: { start?: unknown; stop?: unknown } = {}): Part => ({
    name,
    start(failed) {
      log.push(`${name} starts`);
      if (broken.start !== undefined) throw broken.start;
      fails.set(name, failed);
      return () => {
        log.push(`${name} stops`);
        if (broken.stop !== undefined) throw broken.stop;
      };
    },
  });
  const report = (_level: string, message: string): void => void log.push(message);
  const supervision = { clock, report, onFatal: (error: TroupeError) => void fatal.push(error) };
  const fail = async (name: string): Promise<void> => {
    fails.get(name)?.(new Error(`${name} is broken`));
    // Parts start and stop in promises; a few turns are enough for one of each.
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  };
  return { log, fatal, clock, part, supervision, fail };
}

describe("supervised parts", () => {
  it("U1: start in order and stop in reverse", async () => {
    const { log, part, supervision } = bed();
    const { stop } = await supervise([part("a"), part("b"), part("c")], supervision);
    await stop();
    expect(log).toEqual(["a starts", "b starts", "c starts", "c stops", "b stops", "a stops"]);
  });

  it("U2: stop again if one of them cannot start, and say why", async () => {
    const { log, part, supervision } = bed();
    const parts = [part("a"), part("b"), part("c", { start: new Error("no port") }), part("d")];
    await expect(supervise(parts, supervision)).rejects.toThrow("no port");
    expect(log).toEqual(["a starts", "b starts", "c starts", "b stops", "a stops"]);
  });

  it("U3: are started again when they fail, and those after them, which hold on to them", async () => {
    const { log, part, supervision, fail, fatal } = bed();
    await supervise([part("a"), part("b"), part("c")], supervision);
    await fail("b");
    expect(log.slice(3)).toEqual(["b failed", "c stops", "b stops", "b starts", "c starts", "b was started again"]);
    expect(fatal).toEqual([]);
  });

  it("U3: are started again also if one of them cannot be stopped, which is said", async () => {
    const { log, part, supervision, fail, fatal } = bed();
    await supervise([part("a"), part("b", { stop: new Error("stuck") })], supervision);
    await fail("a");
    const again = ["a failed", "b stops", "b did not stop as it should", "a stops", "a starts", "b starts"];
    expect(log.slice(2)).toEqual([...again, "a was started again"]);
    expect(fatal).toEqual([]);
  });

  it("U3: all stop when one fails too often, which is told once", async () => {
    const { log, part, supervision, fail, fatal } = bed();
    await supervise([part("a"), part("b")], { ...supervision, restartsMax: 2 });
    for (let time = 0; time < 4; time++) await fail("b");
    expect(log.slice(-2)).toEqual(["b stops", "a stops"]);
    expect(fatal.map(({ message }) => message)).toEqual(["b failed more than 2 times within 60000 ms: b is broken"]);
  });

  it("U3: what failed long ago no longer counts", async () => {
    const { part, supervision, fail, fatal, clock } = bed();
    await supervise([part("a")], { ...supervision, restartsMax: 1 });
    for (let time = 0; time < 5; time++) {
      await fail("a");
      clock.advance(60_001);
    }
    expect(fatal).toEqual([]);
  });

  it("U4: stop once, all of them, also if one of them throws, which is passed on", async () => {
    const { log, part, supervision } = bed();
    const { stop } = await supervise([part("a"), part("b", { stop: new Error("stuck") }), part("c")], supervision);
    await expect(stop()).rejects.toThrow("stuck");
    await expect(stop()).rejects.toThrow("stuck");
    expect(log.slice(3)).toEqual(["c stops", "b stops", "a stops"]);
  });
});
