// The loads that an engine is measured under, and the closed loop that measures: each caller waits for its answer.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { WorkflowSpec } from "../src/language/spec.ts";
import type { Definitions, Troupe } from "../src/runtime/troupe.ts";

export const kinds = ["W1", "W3", "FAN", "MIX"] as const;
export type Kind = (typeof kinds)[number];

const fanWidth = 100;
const input = "${{ input }}";
const ask = (id: string, next?: string): WorkflowSpec["tasks"][number] => ({
  id,
  type: "agent",
  agent: "echo",
  with: input,
  ...(next !== undefined && { next }),
});
const retry = { max_attempts: 3, backoff: { initial: 1, factor: 1 } };
const branches = Object.fromEntries(Array.from({ length: fanWidth }, (_, n) => [`b${n}`, [ask(`s${n}`)]]));

export const definitions: Definitions = {
  agents: [{ id: "echo", handler: async (given) => given }],
  tools: [
    {
      id: "twice-bad",
      handler: (given, { attempt }) => {
        if (attempt < 3) throw new Error("not yet");
        return given;
      },
    },
    {
      id: "bad",
      handler: () => {
        throw new Error("never");
      },
    },
  ],
  workflows: [
    { id: "W1", tasks: [ask("a")] },
    { id: "W3", tasks: [ask("a", "b"), ask("b", "c"), ask("c")] },
    { id: "FAN", tasks: [{ id: "all", type: "parallel", branches }] },
    { id: "MIX-retried", tasks: [{ id: "try", type: "tool", tool: "twice-bad", with: input, retry }] },
    { id: "MIX-failed", tasks: [{ id: "try", type: "tool", tool: "bad", with: input }] },
    { id: "MIX-rescued", tasks: [{ id: "try", type: "tool", tool: "bad", with: input, on_error: "a" }, ask("a")] },
  ],
};

/** What the n-th call of a kind starts, and how that has to end. The mix is a quarter of each. */
function callOf(kind: Kind, n: number): { workflow: string; status: string } {
  if (kind !== "MIX") return { workflow: kind, status: "SUCCESS" };
  const workflow = ["W1", "MIX-retried", "MIX-failed", "MIX-rescued"][n % 4] as string;
  return { workflow, status: workflow === "MIX-failed" ? "FAILED" : "SUCCESS" };
}

export async function call(engine: Troupe, kind: Kind, n: number): Promise<void> {
  const { workflow, status } = callOf(kind, n);
  const end = await engine.run(workflow, { n });
  if (end.status !== status) throw new Error(`${workflow} ended as ${JSON.stringify(end)}`);
}

export type Measured = {
  kind: string;
  callers: number;
  workflows: number;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
  /** Processor seconds of all threads per 1,000 workflows. */
  cpuSecondsPer1000: number;
  pssMB: number;
};

const round = (value: number, digits = 2): number => Number(value.toFixed(digits));

/** Memory that is this process's own, and its part of what it shares. */
export function pssMB(): number {
  const rollup = readFileSync("/proc/self/smaps_rollup", "utf8");
  return round(Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1]) / 1024, 1);
}

const quantile = (sorted: readonly number[], part: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? NaN;

/** So many callers, each with one call at a time, until the time or the number of calls is up. */
export async function drive(
  {
    kind,
    callers,
    seconds = Infinity,
    calls = Infinity,
  }: {
    kind: string;
    callers: number;
    seconds?: number;
    calls?: number;
  },
  act: (n: number) => Promise<void>,
): Promise<Measured> {
  const tookMs: number[] = [];
  let begun = 0;
  let peak = pssMB();
  const watch = setInterval(() => (peak = Math.max(peak, pssMB())), 2_000);
  const cpu = process.cpuUsage();
  const from = performance.now();
  const until = from + seconds * 1_000;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (begun < calls && performance.now() < until) {
        begun += 1;
        const at = performance.now();
        await act(begun);
        tookMs.push(performance.now() - at);
      }
    }),
  );
  const elapsed = (performance.now() - from) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  clearInterval(watch);
  const sorted = Float64Array.from(tookMs).toSorted() as unknown as number[];
  return {
    kind,
    callers,
    workflows: tookMs.length,
    perSecond: round(tookMs.length / elapsed, 1),
    p50Ms: round(quantile(sorted, 0.5)),
    p99Ms: round(quantile(sorted, 0.99)),
    maxMs: round(quantile(sorted, 1)),
    cpuSecondsPer1000: round((user + system) / 1e6 / (tookMs.length / 1_000), 3),
    pssMB: Math.max(peak, pssMB()),
  };
}

/** A folder of its own for as long as the act takes, on the disk that temporary files are on. */
export async function inFolder<T>(act: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(process.env["BENCH_DIR"] ?? tmpdir(), "troupe-bench-"));
  try {
    return await act(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export const median = (values: readonly number[]): number =>
  round(values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? NaN, 1);
