// Plays whole troupes under one seed after the other, on every core, until one of them breaks an invariant.
//
//   npm run search -- --seeds 50000 --from 1       adds what was searched to docs/searched.json
//   npm run search -- --seed 1234                  one seed again, shrunk, with its history

import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { scenarioOf } from "../src/testing/simulation/draw.ts";
import type { Finding } from "../src/testing/simulation/evidence.ts";
import { historyOf } from "../src/testing/simulation/history.ts";
import { playScenario } from "../src/testing/simulation/play-scenario.ts";
import { shrink, textOf } from "../src/testing/simulation/shrink.ts";
import { version } from "../src/version.ts";
import { codeOf, enter as enterIn } from "./ledger.ts";

type Share = { from: number; seeds: number; first: number; step: number };
type News = { kind: "progress"; done: number; next: number } | { kind: "found"; seed: number; findings: Finding[] };

const newsEvery = 20;
const silenceMaxMs = 60_000;
const linesEveryMs = 5_000;
const ledger = new URL("../docs/searched.json", import.meta.url);

/** A worker's part: every step-th seed. */
async function work({ from, seeds, first, step }: Share): Promise<void> {
  const tell = (news: News): void => parentPort?.postMessage(news);
  let done = 0;
  for (let index = first; index < seeds; index += step) {
    const { findings } = await playScenario(scenarioOf(from + index));
    done += 1;
    if (findings.length > 0) return tell({ kind: "found", seed: from + index, findings });
    if (done % newsEvery === 0) tell({ kind: "progress", done, next: from + index + step });
  }
  tell({ kind: "progress", done, next: from + seeds });
}

async function replay(seed: number): Promise<void> {
  const scenario = scenarioOf(seed);
  const { findings } = await playScenario(scenario);
  if (findings.length === 0) return console.log(`seed ${seed}: nothing found`);
  const shrunk = await shrink(scenario, findings);
  const { evidence } = await playScenario(shrunk.scenario);
  console.log(`what is left of seed ${seed} after ${shrunk.plays} plays:\n${textOf(shrunk.scenario)}\n`);
  console.log(historyOf(evidence).join("\n"));
  for (const { invariant, what } of shrunk.findings) console.log(`${invariant}: ${what}`);
  process.exitCode = 1;
}

function lead(from: number, seeds: number): void {
  const started = performance.now();
  // What is played is what was read now, whatever is written into the files meanwhile.
  const code = codeOf(fileURLToPath(new URL("../src", import.meta.url)));
  const enter = (first: number, count: number, found: number | null): void =>
    enterIn(ledger, { version, code, from: first, seeds: count, found, day: new Date().toISOString().slice(0, 10) });
  const step = Math.max(1, Math.min(availableParallelism(), seeds));
  const shares = Array.from({ length: step }, () => ({ done: 0, next: from, heardAt: started, over: false }));
  const total = (): number => shares.reduce((sum, { done }) => sum + done, 0);
  const line = (): string => {
    const seconds = (performance.now() - started) / 1000;
    return `${total()} of ${seeds} seeds in ${seconds.toFixed(1)} s, ${Math.round(total() / seconds)} a second`;
  };
  const fail = (seed: number, complaint: string): never => {
    // The other core may be behind: what it has not played does not count.
    const upTo = Math.min(seed + 1, ...shares.map(({ next }) => Math.max(next, from)));
    enter(from, upTo - from, seed);
    console.error(`${line()}\n${complaint}\nreplay: npm run search -- --seed ${seed}`);
    process.exit(1);
  };
  // Whoever ends it early keeps what was done up to there.
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      enter(from, Math.min(...shares.map(({ next }) => next)) - from, null);
      console.log(`${line()}, nothing found; ended early`);
      process.exit(0);
    });
  }
  const watch = setInterval(() => {
    console.log(line());
    const silent = shares.find(({ heardAt, over }) => !over && performance.now() - heardAt > silenceMaxMs);
    if (silent)
      fail(silent.next, `no word within ${silenceMaxMs} ms, of this seed or one of the next ${newsEvery * step}`);
  }, linesEveryMs);

  console.log(`seeds ${from} to ${from + seeds - 1} on ${step} cores, code ${code}`);
  for (const [first, share] of shares.entries()) {
    share.next = from + first;
    const worker = new Worker(new URL(import.meta.url), { workerData: { from, seeds, first, step } satisfies Share });
    worker.on("message", (news: News) => {
      if (news.kind === "found") {
        fail(news.seed, news.findings.map(({ invariant, what }) => `${invariant}: ${what}`).join("\n"));
      } else Object.assign(share, { done: news.done, next: news.next, heardAt: performance.now() });
    });
    worker.on("error", (error) => fail(share.next, `a worker died: ${error.stack ?? error.message}`));
    worker.on("exit", () => {
      share.over = true;
      if (!shares.every(({ over }) => over)) return;
      clearInterval(watch);
      enter(from, seeds, null);
      console.log(`${line()}, nothing found`);
    });
  }
}

if (!isMainThread) await work(workerData as Share);
else {
  const { values } = parseArgs({
    options: { seeds: { type: "string" }, from: { type: "string" }, seed: { type: "string" } },
  });
  const number = (name: string, text: string): number => {
    const value = Number(text);
    if (Number.isSafeInteger(value) && value >= 0) return value;
    console.error(`--${name} must be a whole number, not "${text}"`);
    return process.exit(2);
  };
  if (values.seed !== undefined) await replay(number("seed", values.seed));
  else lead(number("from", values.from ?? String(Date.now() % 2 ** 31)), number("seeds", values.seeds ?? "10000"));
}
