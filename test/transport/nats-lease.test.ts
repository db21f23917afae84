// Goal: of those who want a lease one has it, knows when it does not any more, and is followed as soon as that is safe.
// Method: a real server; the clocks of the holders are the test's, so that whole leases pass between two looks.

import { afterEach, describe, expect, test, vi } from "vitest";
import { virtualClock } from "../../src/testing/virtual-clock.ts";
import { type Held, type Lease, leaseBucketOf, type LeaseOptions, takeLease } from "../../src/transport/nats-lease.ts";
import type { Link } from "../../src/transport/nats-connection.ts";
import { natsForThisFile } from "../kit/nats.ts";

const { open, server } = natsForThisFile();
const began = Date.parse("2026-11-22T09:00:00.000Z");
const ttlMs = 10_000;

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});
const patient = { timeout: 20_000, interval: 5 };

type Party = {
  clock: ReturnType<typeof virtualClock>;
  link: Link;
  behind: (Held | null)[];
  said: string[];
  take(more?: Partial<LeaseOptions>): Promise<Lease>;
  /** So much time passes for it alone, in steps in which it does what is due. */
  pass(ms: number): Promise<void>;
};

let parties = 0;

/** A process that wants the lease: a connection, a clock and a store of its own. */
async function party(prefix: string, store = "store-1", host = `host-${++parties}`): Promise<Party> {
  const transport = await open(prefix, { keeps: false, ackTimeoutMs: 1_000 });
  const link = await transport.dial("lease");
  ends.push(async () => {
    await link.nc.close();
    await transport.close();
  });
  const isIdle = watchAnswers(link);
  const clock = virtualClock(began);
  const behind: (Held | null)[] = [];
  const said: string[] = [];
  const holder = { instance: `${host}-${parties}`, host, pid: parties, store, lock: host };
  return {
    clock,
    link,
    behind,
    said,
    take: (more) =>
      takeLease({
        link,
        prefix,
        ttlMs,
        holder,
        clock,
        elapsed: () => clock.now(),
        report: (_level, message) => void said.push(message),
        hasStore: () => true,
        standing: (held) => void behind.push(held),
        ...more,
      }),
    async pass(ms) {
      const until = clock.now() + ms;
      while (clock.now() < until) {
        clock.advanceTo(Math.min(until, clock.now() + 500));
        await isIdle();
      }
    },
  };
}

/** Gives what resolves once all is answered that was asked over a connection, and nothing more is asked by that. */
function watchAnswers({ nc }: Link): () => Promise<void> {
  const asked = new Set<Promise<unknown>>();
  const request = nc.request.bind(nc);
  nc.request = (...what) => {
    const answered = request(...what);
    asked.add(answered);
    const forget = (): void => void asked.delete(answered);
    answered.then(forget, forget);
    return answered;
  };
  return async () => {
    for (let still = 0; still < 3; still++) {
      while (asked.size > 0) await Promise.allSettled(asked);
      await nc.flush();
      if (asked.size > 0) still = 0;
    }
  };
}

describe("a lease", () => {
  test("NL1: one has it, and another once it is given back", async () => {
    const [a, b] = [await party("one"), await party("one")];
    const first = await a.take();
    expect([first.isHeld(), a.behind]).toEqual([true, []]);
    const waiting = b.take();
    await vi.waitFor(
      () => expect(b.behind).toMatchObject([{ instance: expect.any(String) as string, is: "held" }]),
      patient,
    );
    await first.giveBack();
    expect(first.isHeld()).toBe(false);
    await b.pass(1_000);
    const second = await waiting;
    expect(second.isHeld()).toBe(true);
  });

  test("NL1: another has it after the whole time of one that is silent, and not before", async () => {
    const [a, b] = [await party("silent"), await party("silent")];
    await a.take();
    let has = false;
    const waiting = b.take().then((lease) => ((has = true), lease));
    await vi.waitFor(() => expect(b.behind).toHaveLength(1), patient);
    await b.pass(ttlMs - 500);
    expect(has).toBe(false);
    await b.pass(1_500);
    expect((await waiting).isHeld()).toBe(true);
  });

  test("NL1: one that renews keeps it, however long another waits", async () => {
    const [a, b] = [await party("renewed"), await party("renewed")];
    const first = await a.take();
    let has = false;
    void b.take().then(() => (has = true));
    for (let step = 0; step < 40; step++) {
      await a.pass(1_000);
      await b.pass(1_000);
    }
    expect([first.isHeld(), has]).toEqual([true, false]);
    // That it was renewed is no news to who waits.
    expect(b.behind).toHaveLength(1);
  });

  test("one that stops and cannot give it back says so, and stops", async () => {
    const a = await party("stopped");
    const lease = await a.take();
    await a.link.nc.close();
    await lease.giveBack();
    expect(a.said).toEqual(["the lease of the namespace could not be given back: it runs out"]);
  });

  test("NL1: who is gone and left its lock is not waited for; who may be there with its own is", async () => {
    const [a, b] = [await party("gone", "store-1", "here"), await party("gone", "store-1", "here")];
    await a.take();
    const own = { instance: "b", host: "here", pid: 2, store: "store-1", lock: "here" };
    expect((await b.take({ holder: own })).isHeld()).toBe(true);
    const far = await party("gone", "store-1", "there");
    void far.take();
    await vi.waitFor(() => expect(far.behind).toHaveLength(1), patient);
  });

  test("who has not got the store yet does not get the lease either", async () => {
    const a = await party("storeless");
    let hasStore = false;
    const waiting = a.take({ hasStore: () => hasStore });
    await vi.waitFor(() => expect(a.behind).toEqual([null]), patient);
    hasStore = true;
    await a.pass(1_000);
    expect((await waiting).isHeld()).toBe(true);
  });

  test("NL2: one that was frozen knows it before any alarm rings, and goes on if nobody took it", async () => {
    const a = await party("frozen");
    const lease = await a.take();
    const heard: boolean[] = [];
    lease.onChange((is) => void heard.push(is));
    let frozenMs = 0;
    const other = await party("frozen-too");
    const second = await other.take({ elapsed: () => other.clock.now() + frozenMs });
    frozenMs = 0.79 * ttlMs;
    expect(second.isHeld()).toBe(true);
    frozenMs = 0.81 * ttlMs;
    expect(second.isHeld()).toBe(false);
    // By the wall clock alone too: of a machine that slept, the other does not move.
    a.clock.advanceTo(a.clock.now() + 0.81 * ttlMs);
    expect(lease.isHeld()).toBe(false);
    await vi.waitFor(() => expect(heard).toEqual([false, true]), patient);
    expect(lease.isHeld()).toBe(true);
  });

  test("NL2: one whose place another took learns that, and has it never again", async () => {
    const [a, b] = [await party("taken"), await party("taken")];
    const first = await a.take();
    const waiting = b.take();
    await vi.waitFor(() => expect(b.behind).toHaveLength(1), patient);
    await b.pass(ttlMs + 1_000);
    await waiting;
    a.clock.advanceTo(a.clock.now() + ttlMs);
    expect(first.isHeld()).toBe(false);
    expect(await first.lost).toMatchObject({ code: "INVALID_STATE", details: { status: "taken_over" } });
    await a.pass(ttlMs);
    expect(first.isHeld()).toBe(false);
  });

  test("NL3: its number grows with each holder", async () => {
    const numbers: number[] = [];
    for (let turn = 0; turn < 3; turn++) {
      const lease = await (await party("numbers")).take();
      numbers.push(lease.number());
      await lease.giveBack();
    }
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    expect(new Set(numbers).size).toBe(3);
  });

  test("NL4: while the server cannot be reached nobody's silence counts", async () => {
    const [a, b] = [await party("away"), await party("away")];
    const first = await a.take();
    let has = false;
    void b.take().then(() => (has = true));
    await vi.waitFor(() => expect(b.behind).toHaveLength(1), patient);
    await b.pass(ttlMs / 2);
    server().signal("SIGSTOP");
    // A look that is never answered: it fails by its own time.
    b.clock.advanceTo(b.clock.now() + 1_000);
    await vi.waitFor(
      () => expect(b.said).toContain("the lease of the namespace cannot be read; it is tried again"),
      patient,
    );
    server().signal("SIGCONT");
    await b.pass(ttlMs - 1_000);
    expect(has).toBe(false);
    await a.pass(ttlMs / 2);
    await b.pass(ttlMs - 1_000);
    expect([has, first.isHeld()]).toEqual([false, true]);
  });

  test("NL4: nor does the time count that whoever waits was frozen itself", async () => {
    const [a, b] = [await party("napping"), await party("napping")];
    await a.take();
    let has = false;
    void b.take().then(() => (has = true));
    await vi.waitFor(() => expect(b.behind).toHaveLength(1), patient);
    b.clock.jump(2 * ttlMs);
    await b.pass(1_000);
    expect(has).toBe(false);
  });

  test("it is held on by who had it when the server comes back without its bucket", async () => {
    const a = await party("wiped");
    const lease = await a.take();
    await a.link.jsm.streams.delete(`KV_${leaseBucketOf("wiped")}`);
    await a.pass(2 * ttlMs);
    expect(lease.isHeld()).toBe(true);
  });

  test("NL5: another store is refused, unless the one before was given back or is given up", async () => {
    const [a, b] = [await party("stores", "mine"), await party("stores", "other")];
    const first = await a.take();
    await expect(b.take()).rejects.toMatchObject({
      code: "INVALID_STATE",
      message: expect.stringContaining("--new-store") as string,
      details: { status: "other_store", store: "mine" },
    });
    const waiting = b.take({ isNewStore: true });
    await vi.waitFor(() => expect(b.behind).toHaveLength(1), patient);
    await first.giveBack();
    await b.pass(1_000);
    const second = await waiting;
    await second.giveBack();
    const third = await party("stores", "third");
    expect((await third.take()).isHeld()).toBe(true);
    expect(third.said).toContain("the namespace gets another store: what the one before holds stays there");
  });
});
