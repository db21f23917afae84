// How long a client of the WebSocket waits: from start_agent until its ack, and until each of the five frames.
//
//   node bench/socket.ts                                      a table
//   node bench/socket.ts --json                               one object
//   node bench/socket.ts --clients 1,16 --rounds 500
//
// Clients and gateway share one process and speak over a loopback socket; each client asks again once its run has
// ended. The agent thinks, calls a tool once and answers, at once each; what it says is on the disk before it is told
// (SQLite in WAL mode, synchronous=FULL).

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { availableParallelism, cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { WebSocket } from "ws";
import { openSockets } from "../src/gateway/socket.ts";
import { troupe } from "../src/runtime/troupe.ts";
import { inFolder } from "./load.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    clients: { type: "string", default: "1,16" },
    rounds: { type: "string", default: "500" },
  },
});

const frames = ["ack", "agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed"];

type Took = Map<string, number[]>;
type Context = { think: (text: string) => void; tool: (id: string, input: unknown) => Promise<unknown> };

const clerk = {
  id: "clerk",
  async handler({ user_request }: { user_request: string }, { think, tool }: Context) {
    think(`looking up ${user_request}`);
    return { found: await tool("orders", { order: user_request }) };
  },
};
const orders = { id: "orders", handler: ({ order }: { order: string }) => ({ order, state: "sent" }) };

/** So many runs of one client, one after the other: when each frame of each came. */
async function ask(url: string, rounds: number, took: Took): Promise<void> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  await once(socket, "open");
  for (let round = 0; round < rounds; round += 1) {
    const began = performance.now();
    const ended = new Promise<void>((resolve) => {
      const hear = (data: Buffer): void => {
        const { type } = JSON.parse(data.toString()) as { type: string };
        took.get(type)?.push(performance.now() - began);
        if (type !== "agent_completed") return;
        socket.off("message", hear);
        resolve();
      };
      socket.on("message", hear);
    });
    socket.send(JSON.stringify({ id: `r${round}`, type: "start_agent", user_request: "A7", agent_id: "clerk" }));
    await ended;
  }
  socket.close();
  await once(socket, "close");
}

const at = (sorted: readonly number[], share: number): number =>
  Number((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(2));

async function measure(clients: number, rounds: number) {
  return inFolder(async (directory) => {
    const engine = await troupe({ store: { directory }, agents: [clerk], tools: [orders] });
    const server = createServer();
    const limits = { framesPerSecond: 1_000_000, frameBurst: 1_000_000 };
    const sockets = openSockets({ troupe: engine, server, log: () => undefined, settings: { limits } });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/api/ws`;
    const empty = (): Took => new Map(frames.map((type) => [type, []]));
    await ask(url, 50, empty());
    const took = empty();
    const began = performance.now();
    await Promise.all(Array.from({ length: clients }, () => ask(url, rounds, took)));
    const seconds = (performance.now() - began) / 1_000;
    await sockets.close(0);
    await engine.stop();
    server.close();
    const until = frames.map((type) => {
      const sorted = (took.get(type) ?? []).sort((one, other) => one - other);
      return { frame: type, p50Ms: at(sorted, 0.5), p99Ms: at(sorted, 0.99) };
    });
    return { clients, rounds, runsPerSecond: Math.round((clients * rounds) / seconds), until };
  });
}

const machine = {
  node: process.version,
  processor: cpus()[0]?.model ?? "unknown",
  cores: availableParallelism(),
  loadBefore: loadavg()[0],
};
const measured = [];
for (const clients of values.clients.split(",").map(Number)) {
  const one = await measure(clients, Number(values.rounds));
  measured.push(one);
  if (values.json) continue;
  console.log(`${one.clients} clients, ${one.runsPerSecond} runs per second`);
  for (const { frame, p50Ms, p99Ms } of one.until) {
    console.log(`  ${frame.padEnd(16)} p50 ${String(p50Ms).padStart(7)} ms   p99 ${String(p99Ms).padStart(7)} ms`);
  }
}
if (values.json) console.log(JSON.stringify({ machine, measured }));
