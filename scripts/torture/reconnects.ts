// Cuts the connection of an engine to its NATS server over and over, and counts what is left behind each time.
//
//   cut ─▶ reconnected ─▶ a run ends ─▶ … ─▶ timers, sockets, consumers and heap held against those at half time

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { setTimeout as after } from "node:timers/promises";
import { systemClock } from "../../src/actors/clock.ts";
import { troupe } from "../../src/runtime/troupe.ts";
import { startNatsServer } from "../../src/transport/nats-server.ts";
import { openNats } from "../../src/transport/nats.ts";
import { openProxy } from "../../test/kit/proxy.ts";

export type Left = { timers: number; sockets: number; consumers: number; heapBytes: number };
export type Reconnected = {
  reconnects: number;
  ended: number;
  /** After the first half of the rounds, when tables that are bounded have their size, and after all of them. */
  before: Left;
  afterwards: Left;
  msEach: number;
};

const prefix = "reconnects";
const patienceMs = 30_000;
/** What was on its way when a connection was cut is waited for so long, and forgotten then. */
const ackTimeoutMs = 500;
const reconnectWaitMs = 20;
const times = { ackTimeoutMs, reconnectWaitMs };
const streams = ["COMMANDS", "EVENTS", "LOGS", "REJECTED"];

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** What is held for good: of several looks, each after all that can be freed was. */
async function leastHeap(): Promise<number> {
  let least = Infinity;
  for (let look = 0; look < 5; look++) {
    await after(50);
    collect();
    least = Math.min(least, process.memoryUsage().heapUsed);
  }
  return least;
}

async function until(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const end = performance.now() + patienceMs; !(await isSo()); await after(2)) {
    if (performance.now() > end) throw new Error(`${what} did not come about in ${patienceMs} ms`);
  }
}

export async function reconnects(count: number, report: (line: string) => void = () => undefined) {
  const directory = mkdtempSync(join(tmpdir(), "troupe-reconnects-"));
  const clock = systemClock();
  const silent = (): void => undefined;
  const server = await startNatsServer({ directory, clock, report: silent });
  const proxy = await openProxy(() => ({ host: "127.0.0.1", port: Number(new URL(server.url()).port) }));
  const signIn = { servers: proxy.url, authenticator: server.authenticator };
  const transport = await openNats({ server: signIn, clock, prefix, report: silent, ...times });
  const workflows = [{ id: "w", tasks: [{ id: "nap", type: "wait" as const, wait: { duration: 1 } }] }];
  // What it remembers of its runs lies on disk, and is no leak.
  const store = { directory: join(directory, "data") };
  const engine = await troupe({ workflows, prefix, transport, store, log: silent });
  // Looked at by a connection that is not cut.
  const looker = await openNats({ server: { ...signIn, servers: server.url() }, clock, prefix, report: silent });
  const { nc, jsm } = await looker.dial("looker");
  await transport.settled();

  const consumers = async (): Promise<number> => {
    const all = await Promise.all(streams.map((name) => jsm.streams.info(`${prefix}_${name}`)));
    return all.reduce((sum, { state }) => sum + state.consumer_count, 0);
  };
  const left = async (): Promise<Left> => {
    await transport.settled();
    await until(() => engine.stats().bridge?.behind === 0, "what was said has left");
    await after(2 * ackTimeoutMs);
    const heapBytes = await leastHeap();
    const resources = process.getActiveResourcesInfo();
    const named = (name: string): number => resources.filter((one) => one === name).length;
    const sockets = named("TCPSocketWrap");
    return {
      timers: named("Timeout"),
      sockets,
      consumers: await consumers(),
      heapBytes,
    };
  };

  const warmUp = Math.floor(count / 2);
  let ended = 0;
  const round = async (n: number): Promise<void> => {
    proxy.cut();
    await until(() => engine.stats().bridge?.reconnects === n, "a reconnect");
    ended += Number((await engine.run("w")).status === "SUCCESS");
  };
  try {
    for (let n = 1; n <= warmUp; n++) await round(n);
    const before = await left();
    const began = performance.now();
    for (let n = warmUp + 1; n <= count; n++) {
      await round(n);
      if (n % 100 === 0) report(`${n} reconnects, ${JSON.stringify(await left())}`);
    }
    const msEach = (performance.now() - began) / (count - warmUp);
    const afterwards = await left();
    return { reconnects: engine.stats().bridge?.reconnects ?? 0, ended, before, afterwards, msEach };
  } finally {
    await engine.stop({ graceMs: 0 });
    await nc.close();
    await looker.close();
    await transport.close();
    await proxy.close();
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** What has grown that may not grow. */
export function leaks({ before, afterwards }: Reconnected): string[] {
  const heapRatio = afterwards.heapBytes / before.heapBytes;
  return [
    // An alarm more or less is set at any moment.
    ...(afterwards.timers > before.timers + timersMore ? [`timers: ${before.timers} to ${afterwards.timers}`] : []),
    ...(afterwards.sockets > before.sockets ? [`sockets: ${before.sockets} to ${afterwards.sockets}`] : []),
    ...(afterwards.consumers > before.consumers + streams.length
      ? [`consumers: ${before.consumers} to ${afterwards.consumers}`]
      : []),
    ...(heapRatio > heapRatioMax ? [`heap: ${heapRatio.toFixed(2)} times as large`] : []),
  ];
}
const timersMore = 5;
const heapRatioMax = 2;
