// The door of the library: a whole troupe in this process, from definitions to answers.
//
// The only place that chooses implementations: which store, which clock, which transport.

import { resolve } from "node:path";
import { type Clock, systemClock } from "../actors/clock.ts";
import { openBridge } from "../actors/bridge.ts";
import type { Word } from "../actors/component.ts";
import { newHandlers } from "../actors/handlers.ts";
import { withLimits } from "../actors/limits.ts";
import { earsOf } from "../actors/react.ts";
import { newRegistry } from "../actors/registry.ts";
import { newSlots } from "../actors/slots.ts";
import { type Committed, openSystem, type System } from "../actors/system.ts";
import { openWorld } from "../actors/world.ts";
import type { Log } from "../protocol/handler.ts";
import type { Component as Code } from "../protocol/entry.ts";
import { TroupeError } from "../protocol/errors.ts";
import { seedAt } from "../protocol/ids.ts";
import { subjectCodec } from "../protocol/subjects.ts";
import { openMemory } from "../store/memory.ts";
import { openSqlite } from "../store/sqlite.ts";
import type { Store } from "../store/store.ts";
import { openBulk } from "./bulk.ts";
import { openCommands } from "./commands.ts";
import { openDefinitions } from "./definitions.ts";
import { openDesk } from "./desk.ts";
import { openEndings } from "./endings.ts";
import { enlist } from "./local-runtime.ts";
import { checkNames, checkOptions, type Definitions, type Options } from "./options.ts";
import { openQuestions } from "./questions.ts";
import { keepPruning } from "./retention.ts";
import { componentsOf } from "./roles.ts";

export type { Definitions, Options } from "./options.ts";

/** News that is not recorded: what a handler says while it runs. */
export type News = { run: string; by: Code; word: Word };

export type Troupe = Awaited<ReturnType<typeof troupe>>;

/** Opens a troupe, and goes on with whatever it was at when it ended last. */
export async function troupe(options: Options = {}) {
  checkOptions(options);
  const limits = withLimits(options.limits);
  const subjects = subjectCodec({ prefix: options.prefix ?? "compozy", layout: options.subjects ?? "flow" });
  const components = componentsOf(options);
  const here = new Set(components.map(({ code }) => code));
  const definitions = openDefinitions(options.folder ?? process.cwd(), limits, !here.has("XE"));
  await definitions.add(options);
  // Last of all that can be wrong: a store that was opened belongs to somebody.
  const { store = "memory" } = options;
  const isOurs = !(typeof store === "object" && "append" in store);
  const opened = await storeOf(store);
  try {
    return await assemble(opened, options, { limits, subjects, definitions, components, here });
  } catch (error) {
    if (isOurs) await opened.close();
    throw error;
  }
}

type Prepared = {
  limits: ReturnType<typeof withLimits>;
  subjects: ReturnType<typeof subjectCodec>;
  definitions: ReturnType<typeof openDefinitions>;
  components: ReturnType<typeof componentsOf>;
  here: ReadonlySet<Code>;
};

// One after the other, what a troupe is made of.
async function assemble(store: Store, options: Options, prepared: Prepared) {
  const { limits, subjects, definitions, components, here } = prepared;
  const clock = options.clock ?? systemClock();
  const random = options.random ?? Math.random;
  const log = options.log ?? (() => undefined);
  const news = new Set<(news: News) => void>();
  let subscriptions = 0;
  let stopping: Promise<void> | undefined;

  // The parts that hold each other are tied by these: each is called only once everything is there.
  const handlers = newHandlers({
    clock,
    payloadBytes: limits.payloadBytes,
    agents: definitions.agents,
    tools: definitions.tools,
    handlerOf: definitions.handlerOf,
    actor: (run, address) => system.peek(run)?.actors.get(address),
    correlationId: (run) => system.peek(run)?.correlationId ?? run,
    send: (run, input) => system.take(run, input),
    publish: (run, by, word) => tell({ run, by, word }),
    id: () => system.id(),
    log: logOf(log),
  });
  const slots = newSlots({
    max: limits.concurrency,
    grant: (run) => system.take(run, { on: "cue", address: `workflow/${run}`, cue: { type: "cue:SlotGranted" } }),
  });
  const registry = newRegistry({
    clock,
    stamp: () => system.stamp(),
    tell: ({ run, address }, cue) => system.take(run, { on: "cue", address, cue }),
    say: (message) => void system.tell(message.agent_runtime.exec_id, "AD", message as unknown as Word),
  });
  const runtime = here.has("AR") ? { id: "local", exec_id: runtimeId(store, clock, random) } : null;
  const depthOf = (run: string): number => system.run(run)?.facts.depth ?? 1;
  const world = openWorld({ definitions, limits, registry, slots, handlers, runtime, here, depthOf }, subjects);
  const isWire = options.wire ?? false;
  const ears = earsOf(components, here.has("WO"), isWire);
  const system: System = openSystem({ store, clock, random, world, ears, report: log });
  const bridge =
    options.transport &&
    openBridge({
      transport: options.transport,
      system,
      store,
      world,
      clock,
      subjects,
      components,
      isWire,
      durability: "disk" in store ? "memory" : "fsync",
      report: log,
      news: (heard) => news.forEach((listener) => listener(heard)),
      onForgotten: () => local?.register(),
    });
  const tell = (said: News): void => {
    for (const listener of news) listener(said);
    bridge?.tell(said.run, said.by, said.word);
  };

  // Whoever was at work before is at work again before anything new is taken.
  const local =
    runtime &&
    enlist({
      system,
      clock,
      runtime,
      agents: definitions.agents,
      limits,
      registry,
      running: () => handlers.running("agent"),
      publish: (word) => tell({ run: runtime.exec_id, by: "AR", word }),
    });
  const { cut } = store.opened();
  if (cut) log("warn", "the log was cut at its end", { records: cut.records, reason: cut.reason });
  store.onTrouble((trouble) => {
    if (trouble) log("warn", "nothing can be written", { message: trouble.message, ...trouble.details });
    else log("info", "what waited can be written again", {});
  });
  const recovered = { ...(await system.recover()), cut };
  const endPruning = keepPruning(store, clock, limits.retentionMs, log);
  const gate = (): void => {
    if (stopping) throw new TroupeError("INVALID_STATE", "the troupe is stopping: nothing new is taken", closed);
    const trouble = store.trouble();
    if (trouble) throw trouble;
    if (system.stats().waiting < limits.mailbox) return;
    throw new TroupeError("RATE_LIMITED", `${limits.mailbox} inputs wait for the disk; try again later`, {
      limit: "mailbox",
      max: limits.mailbox,
    });
  };
  const startGate = (): void => {
    if (!here.has("WO")) throw new TroupeError("INVALID_STATE", "the orchestrator is not in this process", elsewhere);
    gate();
  };
  const { replySubject } = world;
  const inbox = (messageId: string): string => bridge?.inbox(messageId) ?? `_INBOX.${messageId}`;
  const endings = openEndings(system, store);
  const parts = { system, store, clock, limits, gate: startGate, replySubject };
  const { again, close: closeDesk, ...desk } = openDesk({ ...parts, definitions, endings });
  const { find, close: closeCommands, ...commands } = openCommands({ ...parts, inbox });
  const bulk = openBulk({ store, again, cancel: commands.cancel });
  const questions = openQuestions({ system, store, limits, registry, slots });

  async function shutDown(graceMs: number): Promise<void> {
    local?.drain();
    endPruning();
    await quiet(clock, () => handlers.isIdle() && system.isSettled(), graceMs);
    // Whoever is about to begin a handler is as little done as whoever runs one.
    if (handlers.isIdle() && system.isSettled()) local?.leave();
    handlers.stop("the process is stopping");
    registry.stop();
    system.stop();
    // The last commit still answers.
    await store.close();
    endings.close();
    closeDesk();
    closeCommands();
    // What the disk took last has left by then.
    await bridge?.close();
  }

  return {
    ...desk,
    ...commands,
    ...bulk,
    ...questions,
    /** Waits for the end of a workflow execution or direct run, also of one that was begun before a restart. */
    async result(execId: string) {
      const { run, entity } = find(execId);
      if (run === execId) return endings.of(run);
      const message = `'${execId}' is a part of a run (${entity}): wait for the run itself, '${run}'`;
      throw new TroupeError("INVALID_STATE", message, { entity, run });
    },
    /** What was found at the start. */
    recovered,
    /** A whole copy of the store, while it is in use. */
    backup: (file: string): Promise<void> => store.backup(file),
    limits,
    /** Adds definitions, or replaces those of the same id for runs that begin from now on. */
    async define(more: Definitions): Promise<void> {
      gate();
      checkOptions(more, ["workflows", "agents", "tools"]);
      await definitions.add(more);
      if (more.agents) local?.register();
    },
    /** Hears every message once it is on disk, and the news of handlers as they come; gives what ends that. */
    subscribe(listener: (committed: Committed) => void, heard?: (news: News) => void): () => void {
      if (subscriptions >= limits.subscriptionsMax) {
        const message = `there are ${limits.subscriptionsMax} subscriptions already`;
        throw new TroupeError("RATE_LIMITED", message, { limit: "subscriptionsMax", max: limits.subscriptionsMax });
      }
      subscriptions += 1;
      const guarded = guardedBy(log);
      const ends = [system.subscribe(guarded(listener))];
      if (heard) {
        const hear = guarded(heard);
        news.add(hear);
        ends.push(() => void news.delete(hear));
      }
      return () => {
        if (ends.length > 0) subscriptions -= 1;
        for (const end of ends.splice(0)) end();
      };
    },
    /** Takes nothing new, lets handlers end for so long, and leaves everything as it is for the next start. */
    stop(given: { graceMs?: number } = {}): Promise<void> {
      checkNames(given, ["graceMs"], "the options of a stop");
      stopping ??= shutDown(given.graceMs ?? 5_000);
      return stopping;
    },
    stats: () => ({
      ...system.stats(),
      slots: { taken: slots.taken(), waiting: slots.waiting() },
      ...(bridge && { bridge: bridge.stats() }),
    }),
    system,
  };
}

const closed = { status: "stopping" } as const;
const elsewhere = { status: "elsewhere" } as const;

/** Whoever listens may fail: that is his own affair, and stops nobody else from hearing. */
const guardedBy =
  (log: NonNullable<Options["log"]>) =>
  <T>(listener: (heard: T) => void) =>
  (heard: T): void => {
    try {
      listener(heard);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log("error", "a listener failed", { reason });
    }
  };

/** What a handler says goes where everything goes, with who it is. */
const logOf =
  (log: NonNullable<Options["log"]>) =>
  (fields: Readonly<Record<string, unknown>>): Log => {
    const at =
      (level: Parameters<typeof log>[0]) =>
      (message: string, more: Readonly<Record<string, unknown>> = {}): void =>
        log(level, message, { ...fields, ...more });
    return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  };

async function storeOf(given: NonNullable<Options["store"]>): Promise<Store> {
  if (given === "memory") return openMemory();
  return "directory" in given ? openSqlite({ directory: resolve(given.directory) }) : given;
}

/** The runtime of this process is the same one after a restart: what it had begun it begins again. */
function runtimeId(store: Store, clock: Clock, random: () => number): string {
  const known = store.note("runtime_id");
  if (known !== undefined) return known;
  const minted = seedAt(clock.now(), random);
  store.setNote("runtime_id", minted);
  return minted;
}

/** Waits until something is so, looking now and then, at most so long. */
function quiet(clock: Clock, isSo: () => boolean, graceMs: number): Promise<void> {
  const until = clock.now() + graceMs;
  return new Promise((done) => {
    const look = (): void => {
      if (isSo() || clock.now() >= until) done();
      else clock.alarm(clock.now() + 5, look);
    };
    look();
  });
}
