// Goal: a gateway says where it is, and leaves nobody waiting when it closes. Method: one on a port, closed while a
// request, a stream and a second close are under way.

import { Agent, get, type IncomingMessage } from "node:http";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { connect } from "../../src/gateway/client.ts";
import { openBed, stopAll, until } from "./bed.ts";

afterEach(stopAll);

test("GW1: once it closes, who waits is answered 202", async () => {
  const bed = await openBed();
  const waiting = bed.raw({ method: "POST", url: "/api/workflows/waits/execute?wait_ms=300000", payload: {} });
  await until(async () => (await bed.t.list({ entity: "task", status: ["WAITING"] })).items[0]);
  await bed.gateway.close(10_000);
  expect((await waiting).status).toBe(202);
});

test("GW1: streams end, and whoever comes afterwards is told that nobody is there", async () => {
  const bed = await openBed();
  const url = await bed.gateway.listen({ host: "127.0.0.1", port: 0 });
  const stream = await fetch(`${url}/api/events/stream`);
  expect(stream.status).toBe(200);
  const reading = stream.text();
  await Promise.all([bed.gateway.close(10_000), bed.gateway.close(10_000)]);
  await reading.catch(() => undefined);
  await expect(connect({ url }).root()).rejects.toMatchObject({ code: "DAEMON_UNREACHABLE" });
});

test("GW1: a reader that would keep its connection holds up nothing", async () => {
  const bed = await openBed();
  const url = await bed.gateway.listen({ host: "127.0.0.1", port: 0 });
  const agent = new Agent({ keepAlive: true });
  const stream = await new Promise<IncomingMessage>((heard) => get(`${url}/api/events/stream`, { agent }, heard));
  stream.resume();
  // The time that it is given is longer than a test may take.
  await bed.gateway.close(600_000);
  agent.destroy();
});

test("a port that is taken is the system's own error", async () => {
  const other = createServer();
  await new Promise<void>((listening) => other.listen(0, "127.0.0.1", listening));
  const { port } = other.address() as AddressInfo;
  const bed = await openBed();
  await expect(bed.gateway.listen({ host: "127.0.0.1", port })).rejects.toMatchObject({ code: "EADDRINUSE" });
  await new Promise((closed) => other.close(closed));
});

test("a run that is still open when all stops harms nobody who no longer waits for it", async () => {
  const bed = await openBed();
  const unheard: unknown[] = [];
  const hear = (reason: unknown): void => void unheard.push(reason);
  process.on("unhandledRejection", hear);
  for (const wait of [0, 1]) {
    const url = `/api/workflows/waits/execute?wait_ms=${wait}`;
    expect((await bed.raw({ method: "POST", url, payload: {} })).status).toBe(202);
  }
  await bed.stop();
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", hear);
  expect(unheard).toEqual([]);
});
