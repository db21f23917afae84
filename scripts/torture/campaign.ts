// A campaign of torture: an engine under load, killed, frozen and drained in turn, and looked at after each time.
//
//   begin a life ─▶ what was open goes on, clients begin more ─▶ its end ─▶ audit ─▶ the next life
//   and at last one calm life in which everything must end, drained, and the books closed.

import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { openAudit } from "./audit.ts";
import { openClients } from "./clients.ts";
import type { Ran } from "./company.ts";
import { openLedger, ranIn } from "./ledger.ts";
import type { Orders } from "./engine.ts";
import { begin, type Life } from "./life.ts";

export type Report = {
  cycles: number;
  ways: Readonly<Record<string, number>>;
  findings: string[];
  accepted: number;
  ended: number;
  executions: number;
  records: number;
  handlers: number;
  /** Handlers that a crash cut off. */
  cutOff: number;
  duplicates: number;
  /** From the start of the process until it took requests. */
  readyMs: { median: number; most: number };
  megabytes: number;
};

type Way = "kill" | "freeze" | "drain" | "early";
/** In this order, over and over; how long each takes is left to chance. */
const rota: readonly Way[] = ["kill", "freeze", "drain", "kill", "early", "kill", "kill", "kill"];

export const clientCount = 12;
const drainMs = 15_000;
const calmMs = 60_000;

export type Plan = { cycles: number; random: () => number; report?: (line: string) => void; keep?: boolean };

export type Stage = ReturnType<typeof openStage>;

/** All that outlives the engine's processes. */
export function openStage(random: () => number) {
  const place = mkdtempSync(join(tmpdir(), "troupe-torture-"));
  const orders: Orders = { directory: join(place, "data"), ledger: join(place, "handlers.jsonl") };
  mkdirSync(orders.directory);
  const findings: string[] = [];
  const find = (finding: string): void => void findings.push(finding);
  const ledger = openLedger(join(place, "parent.jsonl"));
  const clients = openClients({ ledger, random, find });
  const audit = openAudit(orders.directory, find);
  const ways: Record<string, number> = {};
  return { place, orders, findings, find, ledger, clients, audit, random, ways, readyMs: [] as number[] };
}

/** A life is over: whatever it left is looked at. */
export function settle({ findings, find, audit }: Stage, life: Life): void {
  findings.push(...life.unanswered.map((request) => `I12 ${request}`));
  const errors = life.errors().trim();
  if (errors !== "") find(`the engine said: ${errors.slice(0, 2_000)}`);
  audit.look();
}

/** SIGTERM: it answers what it was asked, ends the handlers at work, and goes. */
export async function drain({ find, orders }: Stage, life: Life): Promise<void> {
  life.hangUp();
  life.signal("SIGTERM");
  const exit = await Promise.race([life.gone, after(drainMs, null, { ref: false })]);
  if (exit === null) {
    find(`SIGTERM: process ${life.pid} did not end in ${drainMs} ms`);
    await life.kill();
  } else if (exit.code !== 0) {
    find(`SIGTERM: process ${life.pid} ended with ${exit.code ?? exit.signal}`);
  }
  // What it said last may still be on its way.
  await Promise.race([life.closed, after(1_000, undefined, { ref: false })]);
  for (const request of life.open()) find(`I12 SIGTERM left unanswered: ${request}`);
  const ran = ranIn(orders.ledger).filter(({ pid }) => pid === life.pid);
  const begun = ran.filter(({ phase }) => phase === "begun").length;
  if (begun * 2 !== ran.length) find(`SIGTERM: ${begun * 2 - ran.length} handlers were cut off`);
}

async function cycle(stage: Stage, way: Way): Promise<void> {
  const { orders, clients, random, ways, readyMs } = stage;
  ways[way] = (ways[way] ?? 0) + 1;
  const life = begin(orders);
  if (way === "early") {
    await after(random() * 250);
    await life.kill();
    return settle(stage, life);
  }
  readyMs.push((await life.ready).ms);
  const busy = Promise.all([clients.takeUp(life), clients.work(life, clientCount)]);
  await after(50 + random() * 1_000);
  if (way === "freeze") {
    life.signal("SIGSTOP");
    await after(random() * 500);
    life.signal("SIGCONT");
    await after(random() * 300);
  }
  if (way === "drain") await drain(stage, life);
  else await life.kill();
  await busy;
  settle(stage, life);
}

/** The last life: nothing goes wrong any more, and everything has to end, and to leave. */
export async function calm(stage: Stage, isQuiet = (): Promise<boolean> => Promise.resolve(true)): Promise<void> {
  const { orders, clients, audit, find, readyMs } = stage;
  const life = begin(orders);
  readyMs.push((await life.ready).ms);
  const all = clients.takeUp(life);
  if ((await Promise.race([all, after(calmMs, null, { ref: false })])) === null) {
    for (const { key, workflow, execId } of clients.open) {
      const why = execId === null ? "not accepted" : await life.ask({ ask: "why", execId }).catch(String);
      find(`I1 ${key} (${workflow}, ${execId}) has not ended in ${calmMs} ms: ${String(why)}`);
    }
  }
  const end = performance.now() + calmMs;
  // What a canceled run had begun has its time to end, too.
  const isStill = async (): Promise<boolean> =>
    audit.unended() === 0 && (await life.ask({ ask: "behind" })) === 0 && (await isQuiet());
  while (!(await isStill())) {
    if (performance.now() < end) await after(lookMs);
    else {
      find(`I1 something is still on its way after ${calmMs} ms`);
      break;
    }
  }
  await drain(stage, life);
  await all;
  settle(stage, life);
}
const lookMs = 100;

export async function campaign({ cycles, random, report = () => undefined, keep = false }: Plan): Promise<Report> {
  const stage = openStage(random);
  const { orders, findings, clients, audit } = stage;
  for (let number = 0; number < cycles && findings.length === 0; number++) {
    const way = rota[number % rota.length] as Way;
    await cycle(stage, way);
    audit.holdAgainst(clients.intents);
    for (const finding of findings) report(finding);
    report(`${number + 1}/${cycles} ${way}: ${standing(stage)}`);
  }
  await calm(stage);
  const ran = ranIn(orders.ledger);
  audit.holdAgainst(clients.intents);
  audit.conclude(clients.intents, ran);
  return close(stage, ran, { cycles, report, keep });
}

/** How far it is. */
export const standing = ({ clients, audit, findings }: Stage): string =>
  `${clients.intents.length} wished, ${clients.open.size} open, ` +
  `${audit.records()} records, ${findings.length} findings`;

/** The books are closed, and what was played on is gone unless somebody has to look at it. */
export function close(
  stage: Stage,
  ran: readonly Ran[],
  { cycles, report, keep }: { cycles: number; report: (line: string) => void; keep: boolean },
): Report {
  const { place, orders, findings, ledger, clients, audit, ways } = stage;
  ledger.close();
  const begun = ran.filter(({ phase }) => phase === "begun").length;
  const readyMs = stage.readyMs.toSorted((a, b) => a - b);
  const megabytes = statSync(join(orders.directory, "troupe.db")).size / 1e6;
  if (keep || findings.length > 0) report(`kept: ${place}`);
  else rmSync(place, { recursive: true });
  return {
    cycles,
    ways,
    findings,
    accepted: clients.intents.filter(({ execId }) => execId !== null).length,
    ended: clients.intents.filter(({ end }) => end !== null).length,
    executions: audit.executions(),
    records: audit.records(),
    handlers: begun,
    cutOff: begun * 2 - ran.length,
    duplicates: clients.counts.duplicates,
    readyMs: { median: readyMs[Math.trunc(readyMs.length / 2)] ?? 0, most: readyMs.at(-1) ?? 0 },
    megabytes,
  };
}
