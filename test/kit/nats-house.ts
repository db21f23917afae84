// Two processes of one troupe over a real NATS server, each behind a proxy of its own, and an outsider who listens.
//
//   orchestrator, dispatchers, task executor ── proxy ──┐
//                                                       ├── server ── a plain client, which hears everything
//   agent runtime, tool executor ───────────── proxy ───┘
//
// What breaks is chosen by the test; what must hold is judged from outside, by what was heard, told and done.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jetstream } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { expect, vi } from "vitest";
import { systemClock } from "../../src/actors/clock.ts";
import { reasonsOf } from "../../src/daemon/daemon.ts";
import { openMetrics } from "../../src/daemon/metrics.ts";
import type { Options } from "../../src/runtime/options.ts";
import { type Troupe, troupe } from "../../src/runtime/troupe.ts";
import { type NatsServer, startNatsServer } from "../../src/transport/nats-server.ts";
import { type NatsTransport, openNats } from "../../src/transport/nats.ts";
import { openProxy, type Proxy } from "./proxy.ts";
import { type Begun, type Heard, judge } from "./wire-judge.ts";

const orchestration = ["orchestrator", "task-dispatcher", "task-executor", "agent-dispatcher"];
const execution = ["agent-runtime", "tool-executor"];
const prefix = "house";
const clock = systemClock();

/** Short enough for a test to wait for, and long enough for a machine that has much to do. */
const times = {
  pingIntervalMs: 500,
  reconnectWaitMs: 50,
  ackTimeoutMs: 1_000,
  ackWaitMs: 6_000,
  closeTimeoutMs: 1_000,
  streamBytes: 1_048_576,
};
/** What passes by may be lost in a fault: a task that has to end well is tried again. */
const again = { timeout: "4s", retry: { max_attempts: 20, backoff: { initial: 100, max: 500 } } };
export const patience = { timeout: 15_000, interval: 50 };

const workflows: NonNullable<Options["workflows"]> = [
  {
    id: "w",
    tasks: [
      { id: "ask", type: "agent", agent: "clerk", with: { n: "${{ input.n }}" }, ...again, next: "look" },
      { id: "look", type: "tool", tool: "look", with: { seen: "${{ tasks.ask.output.seen }}" }, ...again },
    ],
  },
];

export type Process = { troupe: Troupe; transport: NatsTransport; proxy: Proxy };
export type House = Awaited<ReturnType<typeof openHouse>>;

type Plan = {
  /** More of the configuration of the server. */
  extra?: string;
  /** Where the server keeps its streams, if not in a folder of its own. */
  directory?: string;
  /** Told of each handler that begins, and how many have before it. */
  began?: (count: number) => void;
  /** Agents and tools that are served elsewhere. */
  withoutRuntime?: boolean;
  workflows?: NonNullable<Options["workflows"]>;
};

export async function openHouse(plan: Plan = {}) {
  const directory = plan.directory ?? mkdtempSync(join(tmpdir(), "troupe-house-"));
  const said: string[] = [];
  const report = (level: string, message: string): void => void said.push(`${level} ${message}`);
  const server = await startNatsServer({ directory, clock, report, extra: plan.extra ?? "" });
  const begun: Begun[] = [];
  const heard: Heard[] = [];
  const processes: Process[] = [];

  async function open(options: Options, reached = address(server)): Promise<Process> {
    const proxy = await openProxy(reached);
    const signIn = { servers: proxy.url, authenticator: server.authenticator };
    const transport = await openNats({ server: signIn, clock, prefix, report, ...times });
    const opened = await troupe({ ...options, prefix, transport, log: report });
    const process = { troupe: opened, transport, proxy };
    processes.push(process);
    return process;
  }
  const outsider = await listen(server, heard);
  const here = await open({ workflows: plan.workflows ?? workflows, roles: orchestration });
  const begin = (key: string): void => {
    begun.push({ key });
    plan.began?.(begun.length);
  };
  const serve = () => open(serving(begin));
  const there = plan.withoutRuntime === true ? undefined : await serve();
  if (there) await vi.waitFor(() => expect(here.troupe.runtimes()).toHaveLength(1), patience);
  const metrics = openMetrics({ isReady: () => reasons().length === 0, now: clock.now });
  const off = metrics.watch(here.troupe);
  const reasons = (): string[] => reasonsOf({ phase: "open", troupe: here.troupe, transport: here.transport });

  return {
    server,
    directory,
    here,
    there,
    serve,
    heard,
    outsider,
    begun,
    said,
    /** Why the daemon would not be ready. */
    reasons,
    /** Gives the server another configuration while it runs. */
    reconfigure(change: (whole: string) => string): void {
      const file = join(directory, "server.conf");
      writeFileSync(file, change(readFileSync(file, "utf8")));
      server.signal("SIGHUP");
    },
    /** One of its metrics. */
    async metric(name: string): Promise<number> {
      const { text } = await metrics.page();
      return Number(new RegExp(`^troupe_${name} (.*)$`, "m").exec(text)?.[1] ?? Number.NaN);
    },
    /** Begins so many runs; resolves once all have ended, with what was told of each. */
    async run(count: number, workflow = "w"): Promise<{ execId: string; status: string }[]> {
      const runs = Array.from({ length: count }, (_, n) => here.troupe.start(workflow, { n }));
      return Promise.all(runs.map(async ({ execId, result }) => ({ execId, status: (await result()).status })));
    },
    /** What is wrong with all that was seen, once nothing is left to be said. */
    async findings(asked: readonly { execId: string; status: string }[]): Promise<string[]> {
      // What was said while the outsider was away lies in the stream, if it was kept there.
      const all = [...heard, ...(await keptIn(outsider))];
      const statusOf = (execId: string): string => here.troupe.get(execId).status;
      return judge({ heard: all, asked, begun, statusOf });
    },
    /** Nothing is wrong with what was seen, once all of it has been heard. */
    async holds(asked: readonly { execId: string; status: string }[]): Promise<void> {
      await this.calm();
      await vi.waitFor(async () => expect(await this.findings(asked)).toEqual([]), patience);
    },
    /** All that is on disk has left, and everything can be used. */
    async calm(): Promise<void> {
      await vi.waitFor(() => expect(reasons()).toEqual([]), patience);
      await vi.waitFor(() => expect(here.troupe.stats().bridge?.behind).toBe(0), patience);
      expect(await this.metric("transport_up")).toBe(1);
      expect(await this.metric("transport_behind")).toBe(0);
      expect(await this.metric("ready")).toBe(1);
    },
    async close(): Promise<void> {
      off();
      for (const { troupe: one, transport, proxy } of processes.toReversed()) {
        await one.stop({ graceMs: 0 });
        await transport.close();
        await proxy.close();
      }
      await outsider.close();
      await server.stop();
      if (plan.directory === undefined) rmSync(directory, { recursive: true, force: true });
    },
  };
}

const address = (server: NatsServer) => (): { host: string; port: number } => ({
  host: "127.0.0.1",
  port: Number(new URL(server.url()).port),
});

const serving = (begin: (key: string) => void): Options => ({
  roles: execution,
  agents: [
    {
      id: "clerk",
      handler: async (input, { tool, idempotencyKey }) => {
        begin(idempotencyKey);
        return { seen: await tool("look", input) };
      },
    },
  ],
  tools: [
    {
      id: "look",
      handler: (input, { idempotencyKey }) => {
        begin(idempotencyKey);
        return { looked: input };
      },
    },
  ],
});

/** With nothing of ours: it comes back by itself, and hears again what is said again. */
async function listen(server: NatsServer, heard: Heard[]): Promise<NatsConnection> {
  const { authenticator } = server;
  const again = { maxReconnectAttempts: -1, reconnectTimeWait: 20, reconnectJitter: 0 };
  const outsider = await connect({ servers: server.url(), authenticator, ...again });
  outsider.subscribe(`${prefix}.>`, {
    callback(error, message) {
      if (error) throw error;
      if (message.data.length > 0) heard.push({ subject: message.subject, text: message.string() });
    },
  });
  await outsider.flush();
  return outsider;
}

async function keptIn(outsider: NatsConnection): Promise<Heard[]> {
  const consumer = await jetstream(outsider).consumers.get(`${prefix}_EVENTS`);
  const { num_pending: count } = await consumer.info();
  if (count === 0) return [];
  const found: Heard[] = [];
  for await (const message of await consumer.fetch({ max_messages: count, expires: 5_000 })) {
    found.push({ subject: message.subject, text: message.string() });
  }
  return found;
}

const runsMax = 12;

/** Breaks something in the midst of runs, and looks at all of it afterwards. */
export async function trial(fault: (house: House) => Promise<void> | void, plan: Plan = {}): Promise<void> {
  const uncaught: unknown[] = [];
  const note = (error: unknown): void => void uncaught.push(error);
  process.on("unhandledRejection", note);
  const middle = Promise.withResolvers<void>();
  const house = await openHouse({ ...plan, began: (count) => count === 5 && middle.resolve() });
  try {
    const runs = house.run(runsMax);
    await middle.promise;
    await fault(house);
    const first = await runs;
    await house.calm();
    const more = await house.run(2);
    await house.calm();
    expect([...first, ...more].map(({ status }) => status)).toEqual(Array(runsMax + 2).fill("SUCCESS"));
    await house.holds([...first, ...more]);
  } finally {
    await house.close();
    process.off("unhandledRejection", note);
  }
  expect(uncaught).toEqual([]);
}

/** Nobody says that all is well while nothing gets through, or can be kept. */
export async function isTold({ reasons, metric }: House, reason: unknown): Promise<void> {
  await vi.waitFor(() => expect(reasons()).toEqual([reason]), patience);
  expect(await metric("ready")).toBe(0);
  expect(await metric("transport_up")).toBe(0);
}
export const cannotBeReached = "the NATS server cannot be reached";
