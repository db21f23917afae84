// A campaign of torture over NATS: engine, server and runtimes are processes of their own, and one or several of them
// are killed, frozen or stopped at a time, at random moments, while clients want all that the engine does.
//
//   cycle: some are struck, each at a moment of its own ─▶ all are back ─▶ audit
//   and at last one calm life of the engine in which everything must end, and what outsiders saw is held against it

import { setTimeout as after } from "node:timers/promises";
import { calm, clientCount, close, drain, openStage, type Plan, type Report, settle, standing } from "./campaign.ts";
import type { Stage } from "./campaign.ts";
import { ranIn } from "./ledger.ts";
import { begin, type Life } from "./life.ts";
import { openObserver } from "./observer.ts";
import { openRuntimePlace, openServer, type Party } from "./parties.ts";

/** In this order, over and over; who else is struck in the same cycle, and when, is left to chance. */
const rota = [
  ["engine", "kill"],
  ["server", "kill"],
  ["runtime", "kill"],
  ["server", "freeze"],
  ["engine", "stop"],
  ["runtime", "freeze"],
  ["server", "away"],
  ["engine", "early"],
  ["runtime", "stop"],
  ["server", "stop"],
  ["engine", "freeze"],
] as const;

const runtimeCount = 3;
const alsoShare = 0.3;
const momentMs = 800;
const restMs = 600;
const readyMs = 30_000;
const frozenMs = 3_000;
const earlyMs = 400;
/** Until whoever was cut off is back, and what was held up has arrived. */
const recoverMs = 3_000;

type Trouble = { from: number; to: number };

export async function campaignApart(plan: Plan): Promise<Report & { heard: number }> {
  const { cycles, random, report = () => undefined, keep = false } = plan;
  const stage = openStage(random);
  const { orders, findings, find, clients, audit, ways } = stage;
  const server = await openServer(stage.place, random);
  orders.nats = server.here;
  const observer = await openObserver(server.here);
  const engine = openEngine(stage);
  await engine.rise();
  const serving = { ...server.orders, ledger: orders.ledger };
  const places = await Promise.all(Array.from({ length: runtimeCount }, () => openRuntimePlace(serving, random, find)));
  const parties: { name: "engine" | "server" | "runtime"; party: Party }[] = [
    { name: "engine", party: engine.party },
    { name: "server", party: server.party },
    ...places.map(({ party }) => ({ name: "runtime" as const, party })),
  ];
  const oneOf = <T>(all: readonly T[]): T => all[Math.trunc(random() * all.length)] as T;
  const troubles: Trouble[] = [];

  async function strike({ name, party }: (typeof parties)[number], way: string): Promise<string> {
    await after(random() * momentMs);
    const trouble = { from: Date.now(), to: Infinity };
    troubles.push(trouble);
    await party[way]?.();
    trouble.to = Date.now() + recoverMs;
    ways[`${name} ${way}`] = (ways[`${name} ${way}`] ?? 0) + 1;
    return `${name} ${way}`;
  }
  async function cycle(number: number): Promise<string> {
    const [name, way] = rota[number % rota.length] as (typeof rota)[number];
    const first = oneOf(parties.filter((one) => one.name === name));
    const others = parties.filter((one) => one !== first && random() < alsoShare);
    const struck = await Promise.all([
      strike(first, way),
      ...others.map((one) => strike(one, oneOf(Object.keys(one.party)))),
    ]);
    await after(random() * restMs);
    audit.look();
    audit.holdAgainst(clients.intents);
    return struck.join(", ");
  }

  for (let number = 0; number < cycles && findings.length === 0; number++) {
    const struck = await cycle(number);
    for (const finding of findings) report(finding);
    report(`${number + 1}/${cycles} ${struck}: ${standing(stage)}`);
  }
  await engine.fall((life) => drain(stage, life));
  await calm(stage, observer.isQuiet);
  const ran = ranIn(orders.ledger);
  audit.holdAgainst(clients.intents);
  // What was under way when its run ended may arrive a moment later, or when whoever was away is back.
  const isExcused = (endedAt: number, begunAt: number): boolean =>
    begunAt - endedAt < recoverMs || troubles.some(({ from, to }) => from <= begunAt && endedAt <= to);
  audit.conclude(clients.intents, ran, isExcused);
  const heard = await observer.conclude({ intents: clients.intents, audit, find });
  await Promise.all(places.map((place) => place.stop()));
  await observer.close();
  await server.stop();
  return { ...close(stage, ran, { cycles, report, keep }), heard };
}

/** The engine, one life after the other; as long as one lives clients are at it. */
function openEngine(stage: Stage) {
  const { orders, clients, random, find } = stage;
  let life: Life;
  let busy: Promise<unknown> = Promise.resolve();

  async function rise(): Promise<void> {
    const own = begin(orders);
    life = own;
    const ready = await Promise.race([own.ready.catch(String), after(readyMs, "nothing", { ref: false })]);
    if (typeof ready === "string") find(`I1 the engine said ${ready} within ${readyMs} ms`);
    else stage.readyMs.push(ready.ms);
    busy = Promise.all([clients.takeUp(own), clients.work(own, clientCount)]);
  }
  async function fall(end: (life: Life) => Promise<void>): Promise<void> {
    await end(life);
    await busy;
    settle(stage, life);
  }
  const party: Party = {
    async kill() {
      await fall((own) => own.kill());
      await rise();
    },
    async stop() {
      await fall((own) => drain(stage, own));
      await rise();
    },
    async early() {
      await fall((own) => own.kill());
      const own = begin(orders);
      await after(random() * earlyMs);
      await own.kill();
      settle(stage, own);
      await rise();
    },
    async freeze() {
      life.signal("SIGSTOP");
      await after(random() * frozenMs);
      life.signal("SIGCONT");
    },
  };
  return { party, rise, fall };
}
