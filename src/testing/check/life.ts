// One life of the process that is played: the production actor system over a disk in memory, with stand-ins for hands.
//
//   openLife ─▶ recover if the disk holds anything ─▶ … ──die──▶ nothing of it acts any more
//
// What is appended is on disk at once: a search that has a crash at every append needs no slow disk.
//
// Invariants:
//   P1. After it died nothing of a life acts, and nothing is written.
//   P2. Time that nobody does anything in costs nothing, before a crash and after one.

import { type Calls, newCalls } from "../../actors/flow-calls.ts";
import type { Clock } from "../../actors/clock.ts";
import { newRegistry } from "../../actors/registry.ts";
import { newSlots } from "../../actors/slots.ts";
import { type Committed, openSystem, type System } from "../../actors/system.ts";
import { openWorld } from "../../actors/world.ts";
import type { Word } from "../../actors/component.ts";
import type { Report as Reporting } from "../../protocol/report.ts";
import { subjectCodec } from "../../protocol/subjects.ts";
import { type Disk, type MemoryStore, openMemory } from "../../store/memory.ts";
import type { Store } from "../../store/store.ts";
import type { Company, StageWorld } from "./cast.ts";
import { type Hands, newHands, placeOfOrder } from "./hands.ts";
import type { Places } from "./places.ts";
import type { Comings, Happening, Scene } from "./scene.ts";
import type { Outcome, Place } from "./trial.ts";

export type Life = {
  system: System;
  hands: Hands;
  /** Goes on with what is on disk. */
  recover: () => Promise<void>;
  die: () => void;
};

export type LifeParts = {
  company: Company;
  disk: Disk;
  clock: Clock;
  random: () => number;
  places: Places;
  plannedAt: (place: Place) => Outcome | undefined;
  scene: Scene;
  number: number;
  later: (ms: number, happening: Happening) => void;
  arrange: (call: number, comings: Comings) => void;
  /** Somebody asked for a place for a call, and was refused it as planned. */
  refused: (place: Outcome) => void;
  /** What is appended next: `lost`, `kept` and nothing more, or as always. */
  append: () => "lost" | "kept" | "goes on";
  heard: (committed: Committed) => void;
  report: Reporting;
};

export const subjects = subjectCodec({ prefix: "compozy", layout: "flow" });
export const runtime = { id: "local", exec_id: "00000000-0000-7000-8000-000000000001" };
/** No virtual time is that long: nobody has to beat. */
const foreverMs = 1e15;

export function openLife(parts: LifeParts): Life {
  const { company, disk, places, plannedAt } = parts;
  let isOver = false;
  const clock: Clock = {
    now: parts.clock.now,
    alarm: (at, act) =>
      parts.clock.alarm(at, () => {
        if (!isOver) act();
      }),
  };
  const memory = openMemory({ disk, commit: (act) => act() });
  const store: Store = mortal(memory, parts.append, () => isOver, die);
  function die(): void {
    if (isOver) return;
    isOver = true;
    memory.crash();
  }

  const { limits, definitions } = company;
  const hands = newHands({
    company,
    scene: parts.scene,
    places,
    plannedAt,
    now: clock.now,
    later: parts.later,
    arrange: parts.arrange,
    life: () => parts.number,
    actor: (run, address) => system.peek(run)?.actors.get(address),
    send(run, input) {
      if (!isOver) system.take(run, input);
    },
    id: () => system.id(),
  });
  const slots = newSlots({
    max: limits.concurrency,
    queueMax: limits.queueMax,
    clock,
    memory: store,
    grant(run, asks) {
      const address = `workflow/${run}`;
      if (asks) system.take(run, { on: "said", address, cue: { type: "cue:SlotWanted" } });
      else system.take(run, { on: "cue", address, cue: { type: "cue:SlotGranted" } });
    },
    displace: (run, reason) =>
      system.take(run, { on: "cue", address: `workflow/${run}`, cue: { type: "cue:Displaced", reason } }),
  });
  const calls: Calls = newCalls({
    clock,
    memory: store,
    definitions,
    tell({ kind, run, address }) {
      if (kind === "tool") system.take(run, { on: "said", address, cue: { type: "cue:RoomWanted" } });
      else system.take(run, { on: "cue", address, cue: { type: "cue:RuntimeFree" } });
    },
    again: (run, address) => hands.handlers.perform(run, address),
  });
  const registry = newRegistry({
    clock,
    stamp: () => system.stamp(),
    tell: ({ run, address }, cue) => system.take(run, { on: "cue", address, cue: cue as Word }),
    say: () => undefined,
  });
  const stage: StageWorld["stage"] = { asking: null };
  const refusal = () => {
    const planned = stage.asking ? plannedAt(placeOfOrder(places, stage.asking)) : undefined;
    if (planned?.do !== "undispatched") return undefined;
    parts.refused(planned);
    return planned;
  };
  const world: StageWorld = {
    ...openWorld(
      {
        definitions,
        limits,
        registry: {
          ...registry,
          choose(agent, except) {
            const planned = refusal();
            if (!planned) return registry.choose(agent, except);
            return { is: planned.reason === "all_busy" ? "busy" : "none" };
          },
        },
        slots,
        calls,
        handlers: {
          ...hands.handlers,
          running: (kind) => (kind === "tool" && refusal() ? Infinity : hands.handlers.running(kind)),
        },
        runtime,
        here: new Set(company.components.map(({ code }) => code)),
        depthOf: (run) => system.run(run)?.facts.depth ?? 1,
      },
      subjects,
    ),
    stage,
  };
  const { random, report } = parts;
  const system: System = openSystem({
    store,
    clock,
    random,
    world,
    ears: company.ears,
    report,
    isSleepless: true,
  });
  system.subscribe((committed) => {
    if (!isOver) parts.heard(committed);
  });
  registry.hear({
    type: "event:AgentRuntimeRegistered",
    agent_runtime: {
      ...runtime,
      capabilities: {
        agents: ["*"],
        supported_providers: [],
        supported_models: [],
        max_concurrent_executions: limits.agents,
      },
    },
    payload: { status: "REGISTERED", result: null, context: { heartbeat_ms: foreverMs, lease_ms: foreverMs } },
  });
  // A recovery opens the lines: where there is nothing to recover, nobody is to be waited for.
  if (disk.numbers.seq === 0) calls.open();
  const recover = async (): Promise<void> => void (await system.recover());
  return { system, hands, recover, die };
}

/** A store whose process dies in one of its appends. */
function mortal(memory: MemoryStore, next: LifeParts["append"], isOver: () => boolean, die: () => void): Store {
  const append = memory.append.bind(memory);
  memory.append = (unit) => {
    if (isOver()) return;
    const what = next();
    if (what === "goes on") return append(unit);
    // On disk or not: nothing follows from it.
    memory.onCommitted(() => undefined);
    if (what === "kept") append(unit);
    die();
  };
  return memory;
}
