// What a daemon takes over HTTP: POST …/execute-async per second with 64 connections, each answered once it is on disk.
//
//   npm run bench:http                                        a table
//   npm run bench:http -- --json                              one object
//   npm run bench:http -- --connections 1,64 --seconds 10 --warm 3
//
// The daemon is a process of its own, begun as people begin it, with SQLite in a fresh folder; the clients are another
// process with plain keep-alive connections, each of which sends its next request when the last was answered. The
// workflow is one task of one tool, which runs meanwhile: what is begun is carried out too. GET /api/version beside it
// is what HTTP alone costs.

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    connections: { type: "string", default: "1,64" },
    seconds: { type: "string", default: "5" },
    warm: { type: "string", default: "2" },
  },
});
const counts = values.connections.split(",").map(Number);
const seconds = Number(values.seconds);

const files = {
  "troupe.yaml":
    "version: 1\nname: bench\ntools:\n  - { id: echo, kind: module, isolation: inline, module: ./echo.ts }\n",
  "echo.ts": "export default (input: unknown) => ({ input });\n",
  "workflows/one.yaml": "id: one\ntasks:\n  - { id: echo, type: tool, tool: echo, with: { n: '${{ input.n }}' } }\n",
};

type Daemon = {
  url: string;
  /** How long the processors were at work for it so far, where the system tells. */
  cpuMs: () => number | null;
  stop: () => Promise<void>;
};

function cpuMsOf(pid: number): number | null {
  const file = `/proc/${pid}/stat`;
  if (!existsSync(file)) return null;
  const fields = readFileSync(file, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  // In hundredths of a second, as every Linux counts them for programs.
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

async function up(folder: string): Promise<Daemon> {
  const bin = join(import.meta.dirname, "..", "bin", "troupe.js");
  const args = [
    "up",
    "--port",
    "0",
    "--json",
    "--config",
    join(folder, "troupe.yaml"),
    "--data-dir",
    join(folder, "data"),
  ];
  const child = spawn(process.execPath, [bin, ...args, "--log-level", "warn"], {
    cwd: folder,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  for await (const line of createInterface({ input: child.stdout })) {
    const told = JSON.parse(line) as { event?: string; http?: string };
    if (told.event !== "ready" || told.http === undefined) continue;
    child.stdout.resume();
    return {
      url: told.http,
      cpuMs: () => cpuMsOf(child.pid ?? 0),
      async stop() {
        child.kill("SIGTERM");
        await ended;
      },
    };
  }
  throw new Error("the daemon ended before it was ready");
}

type Call = { method: string; path: string; body?: string; status: number };

/** One request on a connection that is kept; gives how long it took. */
function send(agent: Agent, url: URL, { method, path, body, status }: Call): Promise<number> {
  const from = performance.now();
  const { hostname: host, port } = url;
  const headers = body === undefined ? {} : { "content-type": "application/json", "content-length": body.length };
  return new Promise((resolve, reject) => {
    const sent = request({ agent, host, port, method, path, headers }, (response) => {
      response.resume();
      response.once("end", () => {
        if (response.statusCode === status) resolve(performance.now() - from);
        else reject(new Error(`${method} ${path} was answered ${response.statusCode}`));
      });
    });
    sent.once("error", reject);
    sent.end(body);
  });
}

async function load(url: URL, connections: number, forMs: number, call: (n: number) => Call): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const took: number[] = [];
  const until = performance.now() + forMs;
  let sent = 0;
  const one = async (): Promise<void> => {
    while (performance.now() < until) took.push(await send(agent, url, call((sent += 1))));
  };
  await Promise.all(Array.from({ length: connections }, one));
  agent.destroy();
  return took;
}

async function measured(what: string, connections: number, call: (n: number) => Call) {
  const before = daemon.cpuMs();
  const took = await load(url, connections, seconds * 1_000, call);
  const after = daemon.cpuMs();
  const sorted = took.toSorted((one, other) => one - other);
  const at = (part: number): number => Math.round((sorted[Math.floor(sorted.length * part)] ?? 0) * 100) / 100;
  const perSecond = Math.round(sorted.length / seconds);
  const cpuMsEach = before === null || after === null ? null : Number(((after - before) / sorted.length).toFixed(3));
  const times = { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: Math.round(sorted.at(-1) ?? 0) };
  return { what, connections, perSecond, ...times, cpuMsEach };
}

const folder = mkdtempSync(join(tmpdir(), "troupe-bench-http-"));
mkdirSync(join(folder, "workflows"));
for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
const daemon = await up(folder);
const url = new URL(daemon.url);
const begin = (n: number): Call => ({
  method: "POST",
  path: "/api/workflows/one/execute-async",
  body: JSON.stringify({ input: { n } }),
  status: 202,
});
const version = (): Call => ({ method: "GET", path: "/api/version", status: 200 });
const results: Awaited<ReturnType<typeof measured>>[] = [];
try {
  await load(url, 64, Number(values.warm) * 1_000, begin);
  for (const connections of counts) {
    results.push(await measured("GET /api/version", connections, version));
    results.push(await measured("POST …/execute-async", connections, begin));
  }
} finally {
  await daemon.stop();
  rmSync(folder, { recursive: true, force: true });
}
const machine = { node: process.version, processor: cpus()[0]?.model ?? "unknown", cores: availableParallelism() };
if (values.json) console.log(JSON.stringify({ machine, seconds, results }, null, 2));
else {
  console.log(`${machine.processor}, ${machine.cores} cores, Node ${machine.node}; ${seconds} s each`);
  console.table(results);
}
