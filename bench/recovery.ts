// What it costs to keep and to recover very many executions that wait: time and memory, a process for each.
//
// Method: one process begins as many workflow executions as asked, all of which wait for a signal for 60 days, on
// SQLite in a directory of its own, tells what memory it has once all are on disk, and is killed. Another opens the
// directory, tells how long it took until it accepted work and what memory it has then, and ends one execution to
// show that it is alive. The bench fails when a target is missed.
//
//   node bench/recovery.ts [--count 100000] [--json]

import { fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { troupe, type Options } from "../src/runtime/troupe.ts";

const targets = { recoverMs: 3_000, memoryMb: 400 };
const inFlightMax = 256;

type Figures = { ms: number; rssMb: number; pssMb: number; peakMb: number; detail: Record<string, unknown> };

const valueOf = (name: string): string | undefined => process.argv[process.argv.indexOf(name, 2) + 1];
const has = (name: string): boolean => process.argv.includes(name);
const count = has("--count") ? Number(valueOf("--count")) : 100_000;

const options = (directory: string): Options => ({
  store: { directory },
  limits: { concurrency: count + 1_000 },
  workflows: [
    {
      id: "patient",
      timeout: "90d",
      tasks: [
        { id: "wait", type: "wait", wait: { signal: "go" }, timeout: "60d", next: "answer" },
        { id: "answer", type: "tool", tool: "answer", with: { given: "${{ tasks.wait.output }}" } },
      ],
    },
  ],
  tools: [{ id: "answer", handler: (input) => ({ input }) }],
});

function figures(ms: number, detail: Record<string, unknown>): Figures {
  const mb = (bytes: number): number => Math.round(bytes / 1e6);
  const kilobytes = (file: string, field: string): number =>
    Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(readFileSync(file, "utf8"))?.[1] ?? NaN) * 1_024;
  return {
    ms: Math.round(ms),
    rssMb: mb(process.memoryUsage().rss),
    pssMb: mb(kilobytes("/proc/self/smaps_rollup", "Pss")),
    peakMb: mb(kilobytes("/proc/self/status", "VmHWM")),
    detail,
  };
}

/** Begins them all, and is killed once it has told. */
async function create(directory: string): Promise<Figures> {
  const it = await troupe(options(directory));
  const began = performance.now();
  let started = 0;
  let written = 0;
  await new Promise<void>((done) => {
    const more = (): void => {
      while (started < count && started - written < inFlightMax) {
        it.start("patient", { q: started });
        started += 1;
      }
    };
    it.subscribe(({ said }) => {
      written += said.filter(({ word }) => word.type === "event:TaskWaitingStarted").length;
      if (written === count) done();
      else queueMicrotask(more);
    });
    more();
  });
  const ms = performance.now() - began;
  const { awake, asleep } = it.stats();
  return figures(ms, { awake, asleep, heapMb: Math.round(process.memoryUsage().heapUsed / 1e6) });
}

async function recover(directory: string): Promise<Figures> {
  const began = performance.now();
  const it = await troupe(options(directory));
  const ms = performance.now() - began;
  const told = figures(ms, { ...it.recovered, heapMb: Math.round(process.memoryUsage().heapUsed / 1e6) });
  const [one] = (await it.list({ entity: "workflow", status: ["RUNNING"], limit: 1 })).items;
  if (!one) throw new Error("nothing that waits was found");
  const ended = it.result(one.execId);
  await it.signal(one.execId, "go", {});
  const { status } = await ended;
  if (status !== "SUCCESS") throw new Error(`what was recovered ended ${status}`);
  return told;
}

function inProcess(phase: string, directory: string): Promise<Figures> {
  return new Promise((resolve, reject) => {
    const child = fork(import.meta.filename, ["--phase", phase, "--directory", directory, "--count", String(count)]);
    child.on("message", (told: Figures) => {
      resolve(told);
      child.kill("SIGKILL");
    });
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`'${phase}' ended with ${code} and told nothing`)));
  });
}

const phase = has("--phase") ? valueOf("--phase") : undefined;
if (phase === undefined) {
  const directory = mkdtempSync(join(tmpdir(), "troupe-recovery-"));
  try {
    const created = await inProcess("create", directory);
    const recovered = await inProcess("recover", directory);
    const isMet =
      recovered.ms <= targets.recoverMs && recovered.pssMb <= targets.memoryMb && created.pssMb <= targets.memoryMb;
    if (has("--json"))
      console.log(JSON.stringify({ node: process.version, count, targets, created, recovered, isMet }));
    else {
      const line = (what: string, { ms, rssMb, pssMb, peakMb, detail }: Figures): string =>
        [
          `${what.padEnd(10)} ${String(ms).padStart(7)} ms`,
          `PSS ${pssMb} MB, RSS ${rssMb} MB, peak ${peakMb} MB`,
          JSON.stringify(detail),
        ].join("   ");
      console.log(`${count} executions that wait, SQLite, killed and opened again`);
      console.log(line("created", created));
      console.log(line("recovered", recovered));
      console.log(`targets: ${targets.recoverMs} ms, ${targets.memoryMb} MB each: ${isMet ? "met" : "missed"}`);
    }
    if (!isMet) process.exitCode = 1;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
} else {
  const directory = valueOf("--directory") ?? "";
  process.send?.(await (phase === "create" ? create(directory) : recover(directory)));
}
