// One engine under the same closed loop as every other: cold start, then each kind of workflow with so many callers.
//
//   node bench/peers/loop.ts <adapter> <folder> <seconds>      prints one line of JSON; run by compare.ts
//
// Processor time and memory are those of this process and of all that it started.

import { readdirSync, readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { drive, type Measured } from "../load.ts";

type Adapter = {
  fsync: string;
  note: string;
  start(folder: string): unknown;
  run(kind: string, n: number): Promise<unknown>;
  stop(): unknown;
};
export type Result = { fsync: string; note: string; coldMs: number; peakPssMB: number; phases: Measured[] };

const ticksPerSecond = 100;

/** A process that ends meanwhile has nothing more to say. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function family(pid: number): number[] {
  const tasks = readdirSync(`/proc/${pid}/task`);
  const children = tasks.flatMap((task) => read(`/proc/${pid}/task/${task}/children`).split(" ").filter(Boolean));
  return [pid, ...children.map(Number).flatMap(family)];
}
const others = (): number[] => family(process.pid).slice(1);
const cpuOf = (pid: number): number => {
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond || 0;
};
const pssOf = (pid: number): number =>
  Number(/^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) / 1024;

const [file = "", folder = "", seconds = "3"] = process.argv.slice(2);
const bornAt = Number(process.env["BORN_AT"]);
const { adapter } = (await import(pathToFileURL(file).href)) as { adapter: Adapter };
await adapter.start(folder);
await adapter.run("W1", 0);
const coldMs = Date.now() - bornAt;

const plan = [
  ["W1", 1],
  ["W1", 16],
  ["W1", 256],
  ["W3", 1],
  ["W3", 16],
  ["FAN", 1],
  ["FAN", 4],
] as const;
let n = 0;
const run = async (kind: string): Promise<void> => void (await adapter.run(kind, (n += 1)));
await drive({ kind: "warm", callers: 8, seconds: Number(seconds) / 2 }, () => run("W1"));
const phases: Measured[] = [];
let peakPssMB = 0;
for (const [kind, callers] of plan) {
  const before = others().reduce((sum, pid) => sum + cpuOf(pid), 0);
  const measured = await drive({ kind, callers, seconds: Number(seconds) }, () => run(kind));
  const theirs = others().reduce((sum, pid) => sum + cpuOf(pid), 0) - before;
  const pssMB = Math.round(measured.pssMB + others().reduce((sum, pid) => sum + pssOf(pid), 0));
  peakPssMB = Math.max(peakPssMB, pssMB);
  const cpu = measured.cpuSecondsPer1000 + theirs / (measured.workflows / 1_000);
  phases.push({ ...measured, pssMB, cpuSecondsPer1000: Number(cpu.toFixed(2)) });
}
const { fsync, note } = adapter;
console.log(JSON.stringify({ fsync, note, coldMs, peakPssMB, phases } satisfies Result));
await adapter.stop();
process.exit(0);
