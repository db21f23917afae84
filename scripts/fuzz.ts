// Sends mutated messages to parse on every core until one of them is let through, refused wrongly or never answered.
//
//   npm run fuzz -- --runs 5000000 --seed 7
//   node scripts/fuzz.ts --seed 7 --only 1234      one case again, in full

import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { parse } from "../src/protocol/parse.ts";
import { caseOf, corpusOf } from "../test/kit/fuzz.ts";
import { judge } from "../test/kit/oracle.ts";

type Share = { seed: number; runs: number; first: number; step: number };
type News = { kind: "progress"; done: number; next: number } | { kind: "found"; index: number; complaint: string };

const newsEvery = 5_000;
const silenceMaxMs = 120_000;
const linesEveryMs = 5_000;
const printedCharsMax = 4_000;

/** A worker's part: every step-th case. */
function work({ seed, runs, first, step }: Share): void {
  const corpus = corpusOf(seed);
  let done = 0;
  const tell = (news: News): void => parentPort?.postMessage(news);
  for (let index = first; index < runs; index += step) {
    const complaint = judge(parse, caseOf(corpus, seed, index));
    done++;
    if (complaint !== undefined) return tell({ kind: "found", index, complaint });
    if (done % newsEvery === 0) tell({ kind: "progress", done, next: index + step });
  }
  tell({ kind: "progress", done, next: runs });
}

/** Prints one case whole. */
function replay(seed: number, index: number): void {
  const given = caseOf(corpusOf(seed), seed, index);
  const body = new TextDecoder().decode(given.bytes);
  console.log(`made from  ${given.sample.key} by ${given.steps.join(", then ") || "nothing"}`);
  console.log(`expected   ${JSON.stringify(given.expected)}`);
  console.log(`subject    ${JSON.stringify(given.subject.slice(0, printedCharsMax))}`);
  console.log(`headers    ${JSON.stringify(given.headers)}`);
  console.log(`body       ${body.slice(0, printedCharsMax)}${body.length > printedCharsMax ? " …" : ""}`);
  const complaint = judge(parse, given);
  console.log(`verdict    ${complaint ?? "as it should be"}`);
  process.exitCode = complaint === undefined ? 0 : 1;
}

function lead(seed: number, runs: number): void {
  const started = performance.now();
  const step = Math.max(1, Math.min(availableParallelism(), runs));
  const shares = Array.from({ length: step }, () => ({ done: 0, next: 0, heardAt: started, over: false }));
  const total = (): number => shares.reduce((sum, { done }) => sum + done, 0);
  const line = (): string => {
    const seconds = (performance.now() - started) / 1000;
    return `${total()} of ${runs} in ${seconds.toFixed(1)} s, ${Math.round(total() / seconds)} a second`;
  };
  const fail = (complaint: string, index: number): never => {
    console.error(`${line()}\nFAILED: ${complaint}\nreplay: node scripts/fuzz.ts --seed ${seed} --only ${index}`);
    process.exit(1);
  };
  const watch = setInterval(() => {
    console.log(line());
    const silent = shares.find(({ heardAt, over }) => !over && performance.now() - heardAt > silenceMaxMs);
    if (silent)
      fail(`no answer within ${silenceMaxMs} ms, in this case or one of the next ${newsEvery * step}`, silent.next);
  }, linesEveryMs);

  console.log(`seed ${seed}, ${runs} cases on ${step} cores`);
  for (const [first, share] of shares.entries()) {
    share.next = first;
    const worker = new Worker(new URL(import.meta.url), { workerData: { seed, runs, first, step } satisfies Share });
    worker.on("message", (news: News) => {
      if (news.kind === "found") fail(news.complaint, news.index);
      else Object.assign(share, { done: news.done, next: news.next, heardAt: performance.now() });
    });
    worker.on("error", (error) => fail(`a worker died: ${error.message}`, share.next));
    worker.on("exit", () => {
      share.over = true;
      if (!shares.every(({ over }) => over)) return;
      clearInterval(watch);
      console.log(`${line()}, nothing found`);
    });
  }
}

if (!isMainThread) work(workerData as Share);
else {
  const { values } = parseArgs({
    options: { runs: { type: "string" }, seed: { type: "string" }, only: { type: "string" } },
  });
  const number = (name: string, text: string): number => {
    const value = Number(text);
    if (Number.isSafeInteger(value) && value >= 0) return value;
    console.error(`--${name} must be a whole number, not "${text}"`);
    return process.exit(2);
  };
  const seed = number("seed", values.seed ?? String(Date.now() % 2 ** 31));
  if (values.only !== undefined) replay(seed, number("only", values.only));
  else lead(seed, number("runs", values.runs ?? "2000000"));
}
