// How long an `each` of many items takes, per item at its begin and at its end, and in how much memory.
//
//   node bench/each.ts [items] [max_concurrency]

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { troupe } from "../src/runtime/troupe.ts";

const items = Number(process.argv[2] ?? 10_000);
const max_concurrency = Number(process.argv[3] ?? 1);
const store = process.argv[4] ?? "sqlite";

const directory = mkdtempSync(join(tmpdir(), "troupe-each-"));
const ends: number[] = [];
let peakBytes = 0;
const watch = setInterval(() => (peakBytes = Math.max(peakBytes, process.memoryUsage().rss)), 50);

const it = await troupe({
  store: store === "memory" ? "memory" : { directory },
  limits: { tools: 10_000 },
  tools: [
    {
      id: "double",
      handler: (input) => {
        ends.push(process.threadCpuUsage().user + process.threadCpuUsage().system);
        return { twice: (input as { n: number }).n * 2 };
      },
    },
  ],
  workflows: [
    {
      id: "many",
      tasks: [
        {
          id: "each",
          type: "each",
          items: "${{ input.numbers }}",
          max_concurrency,
          do: [{ id: "double", type: "tool", tool: "double", with: { n: "${{ item }}" } }],
        },
      ],
    },
  ],
});
const idleBytes = process.memoryUsage().rss;
const began = performance.now();
const end = await it.run("many", { numbers: Array.from({ length: items }, (_, index) => index) });
const tookMs = performance.now() - began;
clearInterval(watch);
const between = (from: number, to: number): string => {
  const [first = 0, last = 0] = [ends[from], ends[to]];
  return `${((last - first) / (to - from)).toFixed(0)} µs`;
};
const counts = (end.output as { counts?: unknown } | undefined)?.counts ?? end;
const span = Math.min(1_000, Math.floor(items / 3));
console.log(`each of ${items}, ${max_concurrency} at a time, ${store}: ${(tookMs / 1_000).toFixed(2)} s`, counts);
console.log(
  `processor time per item: first ${span} ${between(0, span)}, last ${span} ${between(items - 1 - span, items - 1)}`,
);
console.log(`memory: ${(idleBytes / 2 ** 20).toFixed(0)} MB idle, ${(peakBytes / 2 ** 20).toFixed(0)} MB at most`);
await it.stop();
rmSync(directory, { recursive: true, force: true });
