// The door of the library: a whole troupe in this process, from definitions to answers.
//
// The only place that chooses implementations: which store, which clock, which transport.

import { resolve } from "node:path";
import { afterTurn, type Clock, systemClock } from "../actors/clock.ts";
import { openBridge } from "../actors/bridge.ts";
import type { Word } from "../actors/component.ts";
import { newHandlers } from "../actors/handlers.ts";
import { withLimits } from "../actors/limits.ts";
import { newCalls } from "../actors/flow-calls.ts";
import { refusalOf } from "../actors/flow-start.ts";
import { earsOf } from "../actors/react.ts";
import { newRegistry } from "../actors/registry.ts";
import { newSlots } from "../actors/slots.ts";
import { type Committed, openSystem, type System } from "../actors/system.ts";
import { openWorld } from "../actors/world.ts";
import { frozen } from "../language/function.ts";
import type { Problem } from "../language/spec.ts";
import type { Log } from "../protocol/handler.ts";
import type { Component as Code } from "../protocol/entry.ts";
import { TroupeError } from "../protocol/errors.ts";
import { seedAt } from "../protocol/ids.ts";
import { subjectCodec } from "../protocol/subjects.ts";
import { openMemory } from "../store/memory.ts";
import { openSqlite } from "../store/sqlite.ts";
import type { Store } from "../store/store.ts";
import { callable, checkArgument, checkFields, duration, text } from "./arguments.ts";
import { openBulk } from "./bulk.ts";
import { openCommands } from "./commands.ts";
import { openArchive } from "./definition-archive.ts";
import { type Gone, openDefinitions } from "./definitions.ts";
import { openDesk } from "./desk.ts";
import { openForks } from "./forks.ts";
import { openEndings } from "./endings.ts";
import { enlist } from "./local-runtime.ts";
import { checkOptions, type Definitions, type Options } from "./options.ts";
import { openQuestions } from "./questions.ts";
import { checkProject, fromProject, keepProject } from "./project.ts";
import type { OpenedProject } from "./reload.ts";
import { keepPruning } from "./retention.ts";
import { componentsOf, scheduleRole } from "./roles.ts";
import { openSchedules } from "./schedules.ts";
import { openWebhooks } from "./webhooks.ts";

export type { Definitions, Options } from "./options.ts";

/** News that is not recorded: what a handler says while it runs. */
export type News = { run: string; by: Code; word: Word };

export type Troupe = Awaited<ReturnType<typeof troupe>>;

/** Opens a troupe, and goes on with whatever it was at when it ended last. */
export async function troupe(given: Options = {}) {
  checkOptions(given);
  checkProject(given);
  const { options, project } =
    given.project === undefined ? { options: given } : await fromProject(given, given.project);
  const limits = withLimits(options.limits);
  const subjects = subjectCodec({ prefix: options.prefix ?? "compozy", layout: options.subjects ?? "flow" });
  const components = componentsOf(options);
  const here = new Set(components.map(({ code }) => code));
  const definitions = openDefinitions(options.folder ?? process.cwd(), limits, !here.has("XE"));
  await definitions.add(options);
  // Last of all that can be wrong: a store that was opened belongs to somebody.
  const { store = "memory" } = options;
  const isOurs = !(typeof store === "object" && "append" in store);
  const opened = await storeOf(store, options.clock === undefined);
  try {
    return await assemble(opened, options, {
      limits,
      subjects,
      definitions,
      components,
      here,
      ...(project && { project }),
    });
  } catch (error) {
    if (isOurs) await opened.close();
    throw error;
  }
}

type Prepared = {
  project?: OpenedProject;
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
  const environment = options.environment ?? process.env;
  const news = new Set<(news: News) => void>();
  let subscriptions = 0;
  let stopping: Promise<void> | undefined;
  const { forget } = definitions;
  const archive = openArchive({ store, clock, sizes: limits, forget, report: log });
  definitions.keepIn(archive);

  // The parts that hold each other are tied by these: each is called only once everything is there.
  const handlers = newHandlers({
    clock,
    ...limits,
    environment,
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
    queueMax: limits.queueMax,
    clock,
    memory: store,
    grant: (run, asks) => {
      const address = `workflow/${run}`;
      if (asks) system.take(run, { on: "said", address, cue: { type: "cue:SlotWanted" } });
      else system.take(run, { on: "cue", address, cue: { type: "cue:SlotGranted" } });
    },
    displace: (run, reason) =>
      system.take(run, { on: "cue", address: `workflow/${run}`, cue: { type: "cue:Displaced", reason } }),
  });
  const calls = newCalls({
    clock,
    memory: store,
    definitions,
    tell: ({ kind, run, address }) => {
      if (kind === "tool") system.take(run, { on: "said", address, cue: { type: "cue:RoomWanted" } });
      else system.take(run, { on: "cue", address, cue: { type: "cue:RuntimeFree" } });
    },
    again: (run, address) => handlers.perform(run, address),
  });
  const registry = newRegistry({
    clock,
    stamp: () => system.stamp(),
    tell: ({ run, address }, cue) => system.take(run, { on: "cue", address, cue }),
    say: (message) => void system.tell(message.agent_runtime.exec_id, "AD", message as unknown as Word),
  });
  const runtime = here.has("AR") ? { id: "local", exec_id: runtimeId(store, clock, random) } : null;
  const depthOf = (run: string): number => system.run(run)?.facts.depth ?? 1;
  const world = openWorld({ definitions, limits, registry, slots, calls, handlers, runtime, here, depthOf }, subjects);
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
  await bridge?.resend();
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
  const endings = openEndings(system, store, limits);
  const parts = { system, store, clock, limits, gate: startGate, replySubject };
  const {
    again,
    engage,
    ended,
    close: closeDesk,
    ...desk
  } = openDesk({
    ...parts,
    definitions,
    endings,
    refusal: (id, input) => refusalOf(world, id, input),
  });
  const { find, close: closeCommands, ...commands } = openCommands({ ...parts, inbox });
  const forks = openForks({ store, definitions, limits, again });
  const bulk = openBulk({ store, again, cancel: commands.cancel });
  const questions = openQuestions({ system, store, limits, registry, slots, calls });
  const { workflows } = definitions;
  const { cancel } = commands;
  const { sync, close: closeSchedules, ...time } = openSchedules({ ...parts, workflows, engage, cancel, report: log });
  const secret = (name: string): string | undefined =>
    Object.hasOwn(environment, name) ? environment[name] : undefined;
  const webhooks = openWebhooks({ workflows, engage, limits, secret, now: clock.now, report: log });
  const keepsTime = here.has("WO") && (options.roles?.includes(scheduleRole) ?? true);
  if (keepsTime) sync();

  async function define(more: Definitions, gone?: Gone): Promise<void> {
    gate();
    await definitions.add(more, gone);
    system.mend();
    if (keepsTime) sync();
    if (more.agents) local?.register();
  }
  const project =
    prepared.project && (await keepProject(prepared.project, options, { clock, sizes: limits, define, report: log }));

  async function shutDown(graceMs: number): Promise<void> {
    local?.drain();
    closeSchedules();
    archive.close();
    project?.close();
    endPruning();
    await quiet(clock, () => handlers.isIdle() && system.isSettled(), graceMs);
    // Whoever is about to begin a handler is as little done as whoever runs one.
    if (handlers.isIdle() && system.isSettled()) local?.leave();
    handlers.stop("the process is stopping");
    registry.stop();
    slots.stop();
    calls.stop();
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
    ...forks,
    ...questions,
    ...time,
    ...webhooks,
    /** Waits for the end of a workflow execution or direct run, also of one that was begun before a restart. */
    async result(execId: string) {
      const { run, entity } = find(execId);
      if (run === execId && entity !== "agent_runtime") return ended(run);
      if (run === execId)
        throw new TroupeError("INVALID_STATE", `'${execId}' is a runtime: it has no result`, { entity });
      const message = `'${execId}' is a part of a run (${entity}): wait for the run itself, '${run}'`;
      throw new TroupeError("INVALID_STATE", message, { entity, run });
    },
    /** What was found at the start. */
    recovered,
    /** A whole copy of the store, while it is in use. */
    async backup(file: string): Promise<void> {
      checkArgument("file", file, text);
      await store.backup(file);
    },
    limits,
    /** Adds definitions, or replaces those of the same id for runs that begin from now on. */
    async define(more: Definitions): Promise<void> {
      checkOptions(more, ["workflows", "agents", "tools"]);
      await define(more);
    },
    /** Reads the files of the project again, for runs that begin from now on; gives what it warns of. */
    async reload(): Promise<Problem[]> {
      if (project) return (await project.reload()).problems;
      throw new TroupeError("INVALID_STATE", "there is no project: open the troupe with one", { status: "no_project" });
    },
    /** Hears every message once it is on disk, and the news of handlers as they come; gives what ends that. */
    subscribe(listener: (committed: Committed) => void, heard?: (news: News) => void): () => void {
      checkArgument("listener", listener, callable);
      if (heard !== undefined) checkArgument("heard", heard, callable);
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
      checkFields(given, { graceMs: duration }, "the options of a stop cannot be");
      stopping ??= shutDown(given.graceMs ?? 5_000);
      return stopping;
    },
    stats: () => ({
      ...system.stats(),
      slots: { taken: slots.taken(), waiting: slots.waiting() },
      lines: [...slots.lines(), ...calls.lines()],
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
      listener(frozen(heard));
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

async function storeOf(given: NonNullable<Options["store"]>, isRealTime: boolean): Promise<Store> {
  // Between two commits the process has its turn: timers ring, sockets are read. Where time is played, nothing waits.
  if (given === "memory") return openMemory(isRealTime ? { commit: afterTurn } : {});
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
