// Which functions the time went to, from a file that `node --cpu-prof` wrote: self time, then time with all below.
//
//   node --cpu-prof --cpu-prof-dir=/tmp/profile bench/engine.ts --only W1 --callers 256
//   node bench/engine-profile.ts /tmp/profile/CPU.….cpuprofile 25

import { readFileSync } from "node:fs";

type Node = {
  id: number;
  callFrame: { functionName: string; url: string; lineNumber: number };
  children?: number[];
};
type Profile = { nodes: Node[]; samples: number[]; timeDeltas: number[] };

const [file, count = "25"] = process.argv.slice(2);
if (file === undefined) {
  console.error("usage: node bench/engine-profile.ts <file.cpuprofile> [rows]");
  process.exit(2);
}
const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(file, "utf8")) as Profile;

const place = ({ url }: Node["callFrame"]): string => {
  const short = /(?:src|node_modules|bench|scripts)\/.*$/.exec(url)?.[0] ?? url;
  return short.replace(/^node_modules\//, "");
};
const nameOf = ({ callFrame }: Node): string => {
  const { functionName, url, lineNumber } = callFrame;
  return `${functionName || "(anonymous)"}${url ? ` ${place(callFrame)}:${lineNumber + 1}` : ""}`;
};

const byId = new Map(nodes.map((node) => [node.id, node]));
const selfOf = new Map<number, number>();
for (const [index, id] of samples.entries()) selfOf.set(id, (selfOf.get(id) ?? 0) + (timeDeltas[index] ?? 0));

const selfTimes = new Map<string, number>();
const totalTimes = new Map<string, number>();
/** A function that calls itself counts once in its own total. */
function walk(id: number, above: ReadonlySet<string>): number {
  const node = byId.get(id);
  if (!node) return 0;
  const name = nameOf(node);
  const self = selfOf.get(id) ?? 0;
  const within = new Set(above).add(name);
  const total = (node.children ?? []).reduce((sum, child) => sum + walk(child, within), self);
  selfTimes.set(name, (selfTimes.get(name) ?? 0) + self);
  if (!above.has(name)) totalTimes.set(name, (totalTimes.get(name) ?? 0) + total);
  return total;
}
const [root] = nodes;
if (root) walk(root.id, new Set());

const idle = selfTimes.get("(idle)") ?? 0;
const all = [...selfTimes.values()].reduce((sum, time) => sum + time, 0) - idle;
const print = (title: string, times: ReadonlyMap<string, number>): void => {
  console.log(`\n${title}`);
  const rows = [...times].filter(([name]) => name !== "(idle)" && !name.startsWith("(root)"));
  for (const [name, time] of rows.toSorted(([, a], [, b]) => b - a).slice(0, Number(count))) {
    console.log(
      `${((time / all) * 100).toFixed(1).padStart(6)} %  ${(time / 1000).toFixed(0).padStart(7)} ms  ${name}`,
    );
  }
};
console.log(`${(all / 1e6).toFixed(2)} s at work, ${(idle / 1e6).toFixed(2)} s idle`);
print("self", selfTimes);
print("with all below", totalTimes);

const folders = new Map<string, number>();
for (const [name, time] of selfTimes) {
  if (name === "(idle)") continue;
  const owner = / (src\/[a-z]+|[^ ]+?\/)/.exec(name)?.[1] ?? (name.startsWith("(") ? name : "native");
  folders.set(owner, (folders.get(owner) ?? 0) + time);
}
print("by folder or package, self", folders);
