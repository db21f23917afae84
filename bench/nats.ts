// W1 over NATS: a workflow of one agent task, its agent in another process, everything that is said over a server.
//
//   npm run bench:nats                                  a table
//   npm run bench:nats -- --json --callers 1,16,256 --seconds 5
//
// Engine, server and runtime are three processes; callers share the engine's. The engine's store is on the disk as
// always, and the server writes each kept message through to its own. The floor, in the same run: the messages of one
// workflow, counted from the wire, said barely. A rate holds the time until all that was said has left.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as after } from "node:timers/promises";
import { parseArgs } from "node:util";
import { systemClock } from "../src/actors/clock.ts";
import { permissionsOfRuntime } from "../src/runtime/permissions.ts";
import { troupe, type Troupe } from "../src/runtime/troupe.ts";
import { type NatsServer, startNatsServer } from "../src/transport/nats-server.ts";
import { openNats } from "../src/transport/nats.ts";
import { call, drive, inFolder, type Measured } from "./load.ts";
import { echo, floorOf, makeStream } from "./nats-floor.ts";
import type { RuntimeOrders } from "./nats-runtime.ts";
import { type Wire, wireOf } from "./nats-wire.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    callers: { type: "string", default: "1,16,256" },
    seconds: { type: "string", default: "5" },
  },
});
const number = (name: string, text: string): number => {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  console.error(`--${name} must be a number, not "${text}"`);
  return process.exit(2);
};
const callers = values.callers.split(",").map((text) => number("callers", text));
const seconds = number("seconds", values.seconds);

const prefix = "bench";
const clock = systemClock();
const counted = 20;
/** A disk that is slow enough keeps an order for longer than its acknowledgment may take: it is given again. */
const retry = { max_attempts: 10, backoff: { initial: 10 } };
const program = fileURLToPath(new URL("./nats-runtime.ts", import.meta.url));

/** Processor seconds per 1,000 workflows, of each process. */
type Shares = { engine: number; server: number; runtime: number };
type Run = Measured & { cpu: Shares };

const print = (text: string): void => void (values.json || console.log(text));
const columns = ["perSecond", "p50Ms", "p99Ms", "cpuSecondsPer1000"] as const;
const line = (one: Measured): string =>
  `${one.kind.padEnd(15)} ${String(one.callers).padStart(4)} ` +
  columns.map((column) => String(one[column]).padStart(18)).join("");

/** What a process has used of its processors so far, in seconds. */
function used(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
const ticksPerSecond = 100;

async function runtime(orders: RuntimeOrders): Promise<ChildProcess> {
  const child = spawn(process.execPath, [program, JSON.stringify(orders)], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  await new Promise((ready, failed) => {
    child.once("message", ready);
    child.once("exit", (code) => failed(new Error(`the runtime ended with ${code} before it served`)));
  });
  return child;
}

const behind = (engine: Troupe): number => engine.stats().bridge?.behind ?? 0;
async function left(engine: Troupe): Promise<void> {
  while (behind(engine) > 0) await after(1);
}

async function measure(engine: Troupe, count: number, pids: Record<keyof Shares, number | undefined>): Promise<Run> {
  const names = Object.keys(pids) as (keyof Shares)[];
  const before = names.map((name) => used(pids[name]));
  const began = performance.now();
  const measured = await drive({ kind: "W1", callers: count, seconds }, (n) => call(engine, "W1", n));
  await left(engine);
  const tookSeconds = (performance.now() - began) / 1_000;
  const { workflows } = measured;
  const share = (name: keyof Shares, index: number): number =>
    Number(((used(pids[name]) - (before[index] ?? 0)) / (workflows / 1_000)).toFixed(3));
  const cpu = Object.fromEntries(names.map((name, index) => [name, share(name, index)])) as Shares;
  return { ...measured, perSecond: Number((workflows / tookSeconds).toFixed(1)), cpu };
}

async function all(folder: string, server: NatsServer) {
  const nkey = join(folder, "runtime.nk");
  server.credentials(nkey, "runtime");
  const signIn = { servers: server.url(), authenticator: server.authenticator };
  const transport = await openNats({ server: signIn, clock, prefix, report: () => undefined });
  const { nc, js } = await transport.dial("floor");
  await makeStream({ nc, js });
  const engine = await troupe({
    workflows: [{ id: "W1", tasks: [{ id: "a", type: "agent", agent: "echo", with: "${{ input }}", retry }] }],
    agents: [{ id: "echo", kind: "remote" }],
    store: { directory: join(folder, "data") },
    prefix,
    transport,
  });
  const child = await runtime({ url: server.url(), seed: server.seed, nkey, prefix, echo });
  try {
    while (engine.runtimes().every(({ agents }) => !agents.includes("echo"))) await after(10);
    await drive({ kind: "W1", callers: 8, seconds: Math.min(seconds, 2) }, (n) => call(engine, "W1", n));
    const act = async (): Promise<void> => {
      await call(engine, "W1", 0);
      await left(engine);
    };
    const wire = await wireOf(nc, transport.streams, prefix, { count: counted, act });
    const pids = { engine: process.pid, server: server.pid(), runtime: child.pid };
    const runs: Run[] = [];
    for (const count of callers) {
      runs.push(await measure(engine, count, pids));
      print(line(runs.at(-1) as Run));
    }
    const floor = await floorOf({ nc, js }, wire, { callers, seconds });
    for (const one of floor) print(line(one));
    return { wire, runs, floor };
  } finally {
    child.disconnect();
    await engine.stop();
    await nc.close();
    await transport.close();
  }
}

const tell = (wire: Wire): string =>
  Object.entries(wire)
    .map(([name, { messages, bytes }]) => `${messages} ${name} (${bytes} bytes)`)
    .join(", ");

await inFolder(async (folder) => {
  const directory = join(folder, "nats");
  mkdirSync(directory);
  const runtimes = permissionsOfRuntime(null, { prefix, layout: "flow" }, true);
  const server = await startNatsServer({ directory, clock, report: () => undefined, runtimes });
  const machine = {
    node: process.version,
    nats: server.version,
    processor: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    loadBefore: loadavg()[0],
  };
  print(
    `${machine.node}, nats-server ${machine.nats}, ${machine.cores} × ${machine.processor}, load ${machine.loadBefore}`,
  );
  print(
    `${"".padEnd(15)} callers${columns
      .map((column) => column.padStart(18))
      .join("")
      .slice(3)}`,
  );
  try {
    const { wire, runs, floor } = await all(folder, server);
    const ofFloor = runs.map(({ callers: count, perSecond }) => {
      const own = floor.find(({ kind, callers: same }) => kind === "floor W1" && same === count);
      return { callers: count, share: Number((perSecond / (own?.perSecond ?? Number.NaN)).toFixed(2)) };
    });
    print(`one W1: ${tell(wire)}`);
    for (const { callers: count, cpu } of runs) print(`CPU s per 1,000 W1 at ${count}: ${JSON.stringify(cpu)}`);
    print(`of the floor: ${ofFloor.map(({ callers: count, share }) => `${share} at ${count}`).join(", ")}`);
    if (values.json) console.log(JSON.stringify({ machine, seconds, wire, runs, floor, ofFloor }));
  } finally {
    await server.stop();
  }
});
