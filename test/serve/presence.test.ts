// Goal: a dispatcher that listens always knows whether the runtime is there.

import { expect, test } from "vitest";
import { newPresence } from "../../src/serve/presence.ts";
import { virtualClock } from "../../src/testing/virtual-clock.ts";

type Beat = { type: string; payload: { context: { seq?: number; in_flight?: number; draining?: boolean } } };

function played() {
  const clock = virtualClock(0);
  const said: Beat[] = [];
  const presence = newPresence({
    clock,
    runtime: { id: "r", exec_id: "x" },
    capabilities: {},
    heartbeatMs: 1_000,
    leaseMs: 3_000,
    inFlight: () => 2,
    say: (word) => void said.push(word as unknown as Beat),
  });
  const beats = (): Beat[] => said.filter(({ type }) => type === "progress:AgentRuntimeHeartbeat");
  return { clock, presence, said, beats };
}

test("PR1: it beats in its time from the registration on, also while it drains, and not after it has left", () => {
  const { clock, presence, beats } = played();
  presence.register();
  clock.advance(3_000);
  expect(beats().map(({ payload }) => payload.context)).toEqual([1, 2, 3, 4].map((seq) => ({ seq, in_flight: 2 })));
  presence.drain();
  clock.advance(2_000);
  const draining = beats().slice(4);
  expect(draining.map(({ payload }) => payload.context.draining)).toEqual([true, true, true]);
  presence.leave();
  const count = beats().length;
  clock.advance(60_000);
  expect(beats()).toHaveLength(count);
  expect(clock.pending()).toBe(0);
});

test("PR2: told again who it is, a dispatcher is also told at once that it drains", () => {
  const { presence, said } = played();
  presence.register();
  presence.drain();
  said.length = 0;
  presence.register();
  expect(said.map(({ type }) => type)).toEqual(["event:AgentRuntimeRegistered", "progress:AgentRuntimeHeartbeat"]);
  expect(said[1]?.payload.context.draining).toBe(true);
});
