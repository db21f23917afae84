// The door of the library: a whole troupe in this process, from definitions to answers.
//
// The only place that chooses implementations: which store, which clock, which transport.

import { systemClock } from "../actors/clock.ts";
import { openBridge } from "../actors/bridge.ts";
import type { Word } from "../actors/component.ts";
import { newHandlers } from "../actors/handlers.ts";
import { withLimits, withObjects } from "../actors/limits.ts";
import { newCalls } from "../actors/flow-calls.ts";
import { refusalOf } from "../actors/flow-start.ts";
import { earsOf } from "../actors/react.ts";
import { newRegistry } from "../actors/registry.ts";
import { newSlots } from "../actors/slots.ts";
import { type Committed, openSystem, type System } from "../actors/system.ts";
import { openWorld } from "../actors/world.ts";
import type { Problem } from "../language/spec.ts";
import type { Component as Code } from "../protocol/entry.ts";
import { TroupeError } from "../protocol/errors.ts";
import { subjectCodec } from "../protocol/subjects.ts";
import type { Store } from "../store/store.ts";
import { callable, checkArgument, checkFields, duration, text } from "./arguments.ts";
import { openBulk } from "./bulk.ts";
import { openBundles } from "./bundle.ts";
import { openCommands } from "./commands.ts";
import { openArchive } from "./definition-archive.ts";
import { type Gone, openDefinitions } from "./definitions.ts";
import { openDefined } from "./defined.ts";
import { openDesk } from "./desk.ts";
import { openForks } from "./forks.ts";
import { openEndings } from "./endings.ts";
import { openForgottenThreads } from "./forgotten-threads.ts";
import { guardedBy } from "./listeners.ts";
import { enlist } from "./local-runtime.ts";
import { checkOptions, type Definitions, type Options } from "./options.ts";
import { openQuestions } from "./questions.ts";
import { openPastCancels } from "./past-cancels.ts";
import { checkProject, fromProject, keepProject } from "./project.ts";
import type { OpenedProject } from "./reload.ts";
import { openRefusals } from "./refusals.ts";
import { keepPruning } from "./retention.ts";
import { componentsOf, scheduleRole } from "./roles.ts";
import { openSchedules } from "./schedules.ts";
import { logOf, openSecrets, type Secrets } from "./secrets.ts";
import { runtimeId, storeOf } from "./storage.ts";
import { quiet } from "./stillness.ts";
import { openStored, restore } from "./stored-definitions.ts";
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
  const limits = withObjects(withLimits(options.limits), options.transport?.objects !== undefined);
  const subjects = subjectCodec({ prefix: options.prefix ?? "compozy", layout: options.subjects ?? "flow" });
  const components = componentsOf(options);
  const here = new Set(components.map(({ code }) => code));
  const definitions = openDefinitions(options.folder ?? process.cwd(), limits, !here.has("XE"));
  const secrets = openSecrets(options);
  await secrets.guarded(() => definitions.add(options));
  secrets.learnFrom(definitions.workflows);
  // Last of all that can be wrong: a store that was opened belongs to somebody.
  const { store = "memory" } = options;
  const isOurs = !(typeof store === "object" && "append" in store);
  const opened = await storeOf(store, options.clock === undefined);
  try {
    return await assemble(opened, options, {
      limits,
      subjects,
      definitions,
      secrets,
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
  secrets: Secrets;
  components: ReturnType<typeof componentsOf>;
  here: ReadonlySet<Code>;
};

// One after the other, what a troupe is made of.
async function assemble(store: Store, options: Options, prepared: Prepared) {
  const { limits, subjects, definitions, secrets, components, here } = prepared;
  const clock = options.clock ?? systemClock();
  const random = options.random ?? Math.random;
  const log = secrets.report;
  const news = new Set<(news: News) => void>();
  let subscriptions = 0;
  let stopping: Promise<void> | undefined;
  const archive = openArchive({ store, clock, sizes: limits, forget: definitions.forget, report: log });
  const add = (more: Definitions, gone?: Gone): Promise<void> => secrets.guarded(() => definitions.add(more, gone));
  await restore(store, definitions, add, log);
  secrets.learnFrom(definitions.workflows);
  definitions.keepIn(archive);

  // The parts that hold each other are tied by these: each is called only once everything is there.
  const handlers = newHandlers({
    clock,
    ...limits,
    environment: options.environment ?? process.env,
    redactor: secrets.redactor,
    agents: definitions.agents,
    tools: definitions.tools,
    handlerOf: definitions.handlerOf,
    actor: (run, address) => system.peek(run)?.actors.get(address),
    correlationId: (run) => system.peek(run)?.correlationId ?? run,
    trace: (run) => system.peek(run)?.facts.trace,
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
    isOnlooker: !here.has("AD"),
    report: log,
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
      inlineBytes: withLimits(options.limits).payloadBytes,
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
  bridge?.begin();
  const endPruning = keepPruning(store, clock, limits.retentionMs, log);
  const gate = (): void => {
    if (stopping) throw new TroupeError("INVALID_STATE", "the troupe is stopping: nothing new is taken", closed);
    const trouble = store.trouble();
    if (trouble) throw trouble;
    if (system.stats().waiting < limits.mailbox) return;
    const message = `${limits.mailbox} inputs wait for the disk; try again later`;
    throw new TroupeError("RATE_LIMITED", message, { limit: "mailbox", max: limits.mailbox });
  };
  const startGate = (): void => {
    if (!here.has("WO")) throw new TroupeError("INVALID_STATE", "the orchestrator is not in this process", elsewhere);
    gate();
  };
  const inbox = (messageId: string): string => bridge?.inbox(messageId) ?? `_INBOX.${messageId}`;
  const endings = openEndings(system, store, limits);
  const parts = { system, store, clock, limits, gate: startGate, replySubject: world.replySubject };
  const {
    again,
    engage,
    ended,
    accepted,
    close: closeDesk,
    ...desk
  } = openDesk({
    ...parts,
    definitions,
    endings,
    refusal: (id, input) => refusalOf(world, id, input),
    newTrace: options.trace,
  });
  const { find, close: closeCommands, ...commands } = openCommands({ ...parts, inbox });
  const forks = openForks({ store, definitions, limits, again });
  const bulk = openBulk({ store, again, cancel: commands.cancel });
  const questions = openQuestions({ system, store, limits, registry, slots, calls, report: log });
  const bundles = openBundles({ ...parts, gate, definitions, archive });
  const { workflows } = definitions;
  const { cancel } = commands;
  const { sync, close: closeSchedules, ...time } = openSchedules({ ...parts, workflows, engage, cancel, report: log });
  const secret = secrets.valueOf;
  const webhooks = openWebhooks({ workflows, engage, accepted, limits, secret, now: clock.now, report: log });
  const keepsTime = here.has("WO") && (options.roles?.includes(scheduleRole) ?? true);
  if (keepsTime) sync();

  async function define(more: Definitions, gone?: Gone): Promise<void> {
    gate();
    await add(more, gone);
    secrets.learnFrom(workflows);
    system.mend();
    if (keepsTime) sync();
    if (more.agents) local?.register();
    bridge?.renew();
  }
  const project =
    prepared.project &&
    (await keepProject(prepared.project, options, { clock, sizes: limits, define, learn: secrets.learn, report: log }));

  const homeOf = (kind: string, id: string) => (project?.now().homes.has(`${kind}/${id}`) ? "file" : "code");
  const stored = openStored({ store, definitions, define, limits, homeOf });
  const { isStored, ...changes } = stored;
  const defined = openDefined({ definitions, sizes: limits, project: () => project?.now(), isStored });

  /** Hears the news of handlers, as they come, and nothing else; gives what ends that. */
  function onNews(heard: (news: News) => void): () => void {
    checkArgument("heard", heard, callable);
    const hear = guardedBy(log)(heard);
    news.add(hear);
    return () => void news.delete(hear);
  }

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
    bridge?.endNotes();
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
    ...bundles,
    ...openPastCancels(store),
    ...defined,
    ...changes,
    /** Resolves once a start is on disk; at once, if there is none of this id. */
    accepted,
    ...questions,
    ...time,
    ...webhooks,
    ...openForgottenThreads(store, clock, limits),
    /** Makes known that something was refused at a door beside the transport. */
    refuse: openRefusals({ bridge, id: () => system.id(), report: log }),
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
    /** Why nothing new can be written at present; null when all is well. */
    trouble: () => store.trouble(),
    /** Hears each change of that. */
    onTrouble(listener: Parameters<Store["onTrouble"]>[0]): void {
      checkArgument("listener", listener, callable);
      store.onTrouble(guardedBy(log)(listener));
    },
    /** A whole copy of the store, while it is in use. */
    async backup(file: string): Promise<void> {
      checkArgument("file", file, text);
      await store.backup(file);
    },
    /** Who this process is among others, and what it hears of them; nothing if it is alone. */
    presence: () => bridge?.presence(),
    limits,
    clock,
    redact: secrets.redact,
    /** The agents that this troupe defines; runtimes elsewhere may serve others. */
    agentIds: (): string[] => [...definitions.agents.keys()],
    workflowIds: (): string[] => [...definitions.workflows.keys()],
    /** Adds definitions, or replaces those of the same id for runs that begin from now on. */
    async define(more: Definitions): Promise<void> {
      checkOptions(more, ["workflows", "agents", "tools"]);
      await define(more);
    },
    /** Reads the files of the project again, for runs that begin from now on; gives what it warns of. */
    async reload(): Promise<Problem[]> {
      if (project) return (await secrets.guarded(() => project.reload())).problems;
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
      const ends = [system.subscribe(guardedBy(log)(listener))];
      if (heard) ends.push(onNews(heard));
      return () => {
        if (ends.length > 0) subscriptions -= 1;
        for (const end of ends.splice(0)) end();
      };
    },
    onNews,
    /** Takes nothing new, lets handlers end for so long, and leaves everything as it is for the next start. */
    stop(given: { graceMs?: number } = {}): Promise<void> {
      checkFields(given, { graceMs: duration }, "the options of a stop cannot be");
      stopping ??= shutDown(given.graceMs ?? 5_000);
      return stopping;
    },
    stats: () => ({
      ...system.stats(),
      atWork: { agents: handlers.running("agent"), tools: handlers.running("tool") },
      slots: { taken: slots.taken(), waiting: slots.waiting() },
      lines: [...slots.lines(), ...calls.lines()],
      ...(bridge && { bridge: bridge.stats() }),
    }),
    system,
  };
}

const closed = { status: "stopping" } as const;
const elsewhere = { status: "elsewhere" } as const;
