// Goal: nobody gets more than a share, and counting costs no more memory than it may.
// Method: histories drawn at random over a clock that is a number, held against what a share allows.

import fc from "fast-check";
import { expect, test } from "vitest";
import { clientAt, openRate } from "../../src/gateway/rate.ts";

test("RT1: in any span a client gets a burst and what the span has filled, and no less when it waits as told", () => {
  const asks = fc.array(fc.tuple(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 1, max: 3 })), { maxLength: 200 });
  fc.assert(
    fc.property(asks, (history) => {
      let now = 0;
      const rate = openRate({ perSecond: 10, burst: 5, clients: 10, now: () => now });
      const taken: { at: number; cost: number }[] = [];
      for (const [waitMs, cost] of history) {
        now += waitMs;
        const told = rate.take("one", cost);
        if (told > 0) {
          now += told;
          expect(rate.take("one", cost)).toBe(0);
        }
        taken.push({ at: now, cost });
      }
      for (const [place, { at: from }] of taken.entries()) {
        let sum = 0;
        for (const { at, cost } of taken.slice(place)) {
          sum += cost;
          expect(sum).toBeLessThanOrEqual(5 + ((at - from) / 1_000) * 10 + 1e-6);
        }
      }
    }),
  );
});

test("RT1: each client has its own share, and a clock that jumps back gives and takes nothing", () => {
  let now = 10_000;
  const rate = openRate({ perSecond: 1, burst: 2, clients: 10, now: () => now });
  expect([rate.take("one"), rate.take("one"), rate.take("one")]).toEqual([0, 0, 1_000]);
  expect(rate.take("two")).toBe(0);
  now -= 5_000;
  expect(rate.take("one")).toBe(1_000);
  now += 1_000;
  expect(rate.take("one")).toBe(0);
});

test("RT2: no more clients are remembered than may be, and the quietest goes first", () => {
  const rate = openRate({ perSecond: 1, burst: 1, clients: 3, now: () => 0 });
  for (const client of ["one", "two", "three"]) expect(rate.take(client)).toBe(0);
  expect(rate.take("one")).toBe(1_000);
  expect(rate.take("four")).toBe(0);
  expect(rate.size()).toBe(3);
  expect(rate.take("one")).toBe(1_000);
  expect(rate.take("two")).toBe(0);
  for (let client = 0; client < 1_000; client += 1) rate.take(`client-${client}`);
  expect(rate.size()).toBe(3);
});

test("all addresses of one IPv6 network are one client", () => {
  expect(clientAt("2001:db8:1:2:3:4:5:6")).toBe("2001:db8:1:2");
  expect(clientAt("2001:db8:1:2::9")).toBe("2001:db8:1:2");
  expect(clientAt("2001:db8::1")).toBe("2001:db8:0:0");
  expect(clientAt("2001:db8::2")).toBe(clientAt("2001:db8::3"));
  expect(clientAt("::1")).toBe("0:0:0:0");
  expect(clientAt("::ffff:10.0.0.1")).toBe("10.0.0.1");
  expect(clientAt("fe80::1%eth0")).toBe("fe80:0:0:0");
  expect(clientAt(undefined)).toBe("");
});
