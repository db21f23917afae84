// Who is there over NATS besides the engine, each a process of its own: server and runtimes, and what befalls them.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as after } from "node:timers/promises";
import { systemClock } from "../../src/actors/clock.ts";
import { permissionsOfRuntime } from "../../src/runtime/permissions.ts";
import { startNatsServer } from "../../src/transport/nats-server.ts";
import type { Server } from "./engine.ts";
import type { RuntimeOrders } from "./runtime.ts";

/** By its way, what befalls it; it is back, or on its way back, when that resolves. */
export type Party = Readonly<Record<string, () => Promise<void>>>;

const prefix = "torture";
const frozenMs = 3_000;
const awayMs = 2_000;
const knockMs = 50;
const startMs = 30_000;
const leaveMs = 15_000;

/** It comes back by itself, on its port and with its streams, as the daemon's own does. */
export async function openServer(place: string, random: () => number) {
  const directory = join(place, "nats");
  mkdirSync(directory);
  const server = await startNatsServer({
    directory,
    clock: systemClock(),
    report: () => undefined,
    runtimes: permissionsOfRuntime(null, { prefix, layout: "flow" }, true),
  });
  const nkey = join(place, "runtime.nk");
  server.credentials(nkey, "runtime");
  const here: Server = { url: server.url(), seed: server.seed, prefix };
  const party: Party = {
    kill: async () => server.kill(),
    stop: async () => void server.signal("SIGTERM"),
    async freeze() {
      server.signal("SIGSTOP");
      await after(random() * frozenMs);
      server.signal("SIGCONT");
    },
    /** Killed as often as it comes back, for a while. */
    async away() {
      for (const end = performance.now() + random() * awayMs; performance.now() < end; await after(knockMs)) {
        server.kill();
      }
    },
  };
  return { party, here, orders: { servers: server.url(), nkey, prefix }, stop: () => server.stop() };
}

const program = fileURLToPath(new URL("./runtime.ts", import.meta.url));

/** A place for a runtime: whichever process serves there. */
export async function openRuntimePlace(orders: RuntimeOrders, random: () => number, find: (what: string) => void) {
  function begin(): { process: ChildProcess; ready: Promise<unknown>; gone: Promise<unknown> } {
    const started = spawn(process.execPath, [program, JSON.stringify(orders)], {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    started.stderr?.on("data", (text: Buffer) => find(`a runtime said: ${String(text).slice(0, 2_000)}`));
    const gone = new Promise((done) => void started.once("close", done));
    return { process: started, ready: new Promise((done) => void started.once("message", done)), gone };
  }
  let child = begin();
  async function served(): Promise<void> {
    const { process: risen, ready, gone } = child;
    const late = after(startMs, `did not serve within ${startMs} ms`, { ref: false });
    const wrong = await Promise.race([ready.then(() => null), gone.then(() => "ended before it served"), late]);
    if (wrong !== null) find(`runtime ${risen.pid} ${wrong}`);
  }
  async function rise(): Promise<void> {
    child = begin();
    await served();
  }
  async function stop(): Promise<void> {
    const { process: leaving, gone } = child;
    leaving.kill("SIGTERM");
    const isGone = await Promise.race([gone.then(() => true), after(leaveMs, false, { ref: false })]);
    if (isGone) return;
    find(`SIGTERM: runtime ${leaving.pid} did not end in ${leaveMs} ms`);
    leaving.kill("SIGKILL");
    await gone;
  }
  await served();
  const party: Party = {
    async kill() {
      child.process.kill("SIGKILL");
      await after(random() * awayMs);
      await rise();
    },
    async stop() {
      await stop();
      await rise();
    },
    async freeze() {
      child.process.kill("SIGSTOP");
      await after(random() * frozenMs);
      child.process.kill("SIGCONT");
    },
  };
  return { party, stop };
}
