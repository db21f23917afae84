// Goal: whatever a network does to a connection, all that was accepted ends once, and what is said meanwhile is true.
//
// Method: two processes over a real server, each behind a proxy that cuts, refuses, holds, strands and slows. The fault
// comes in the midst of the work; afterwards an outsider's record is judged, and the house has to work as before.

import { expect, test, vi } from "vitest";
import { cannotBeReached, isTold, patience, trial } from "../kit/nats-house.ts";

test("the connection of the orchestrator is cut", () =>
  trial(async (house) => {
    house.here.proxy.cut();
    await vi.waitFor(async () => expect(await house.metric("reconnects_total")).toBe(1), patience);
  }));

test("the connection of the runtime is cut", () => trial(({ there }) => there?.proxy.cut()));

test("both are cut, and refused for a while", () =>
  trial(async (house) => {
    const proxies = [house.here.proxy, house.there?.proxy];
    for (const proxy of proxies) proxy?.refuse();
    for (const proxy of proxies) proxy?.cut();
    await isTold(house, cannotBeReached);
    for (const proxy of proxies) proxy?.refuse(false);
  }));

test("nothing gets through to the orchestrator, and nobody is told", () =>
  trial(async (house) => {
    house.here.proxy.hold();
    await isTold(house, cannotBeReached);
    house.here.proxy.flow();
  }));

test("what the server says does not come", () =>
  trial(async (house) => {
    house.here.proxy.hold(["down"]);
    await isTold(house, cannotBeReached);
    house.here.proxy.flow();
  }));

test("the server has forgotten the connection of the orchestrator", () =>
  trial(async (house) => {
    house.here.proxy.refuse();
    house.here.proxy.strand();
    await isTold(house, cannotBeReached);
    house.here.proxy.refuse(false);
  }));

test("the server has forgotten the connection of the runtime", () =>
  trial(async ({ there }) => {
    there?.proxy.strand();
    await vi.waitFor(() => expect(there?.troupe.stats().bridge?.reconnects).toBe(1), patience);
  }));

test("the network is slow", () =>
  trial(async (house) => {
    house.here.proxy.slow(50);
    house.there?.proxy.slow(50);
    const late = await house.run(3);
    expect(late.map(({ status }) => status)).toEqual(["SUCCESS", "SUCCESS", "SUCCESS"]);
    for (const { proxy } of [house.here, house.there ?? house.here]) proxy.flow();
  }));
