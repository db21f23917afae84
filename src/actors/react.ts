// What one input does to one run: a cascade of steps, until nothing is left to say.
//
//   input ─▶ a chart hears ─▶ it says words ─▶ components hear them ─▶ charts hear …      one record of the log
//
// Invariants:
//   X1. A reaction is a function of run, input, stamp and answers: given again what was recorded, it says the same.
//   X2. If anything throws, the run is as it was before.
//   X3. What leaves the process is only gathered here; nothing leaves.
//   X4. A cascade has an end: over its limit of words it throws.

import type { AnyStateMachine } from "xstate";
import { fire, silence, type Stamp, start, type Step, step, type Timer } from "../machines/step.ts";
import { isKey } from "../protocol/catalogue.ts";
import type { Component as Code } from "../protocol/entry.ts";
import type { Trace } from "../protocol/envelope.ts";
import { TroupeError } from "../protocol/errors.ts";
import { idsAfter } from "../protocol/ids.ts";
import type { Cause, Component, Ear, Heard, Host, Word } from "./component.ts";
import { collapse } from "./collapse.ts";
import { endParked } from "./parked.ts";
import { completed } from "./replies.ts";
import { type Actor, type Facts, isAgentCall, type Run } from "./run.ts";
import { recordEvent } from "./state-manager.ts";
import type { World } from "./world.ts";

export type Input =
  /**
   * A message; `told` if another run of this process said it, in whose record it stands; `foreign` if it came over the
   * transport, so that it may come twice; `parked` if the run has no charts to hear it. The first one that has a
   * `trace` gives it to the run.
   */
  | ({ on: "message"; told: boolean; foreign?: true; parked?: true; correlationId?: string; trace?: Trace } & Heard)
  | { on: "timer"; address: string; timer: Timer }
  /** A cue for the chart at an address. */
  | { on: "cue"; address: string; cue: Word }
  /** A cue from the chart at an address, or rather from what works for it outside. */
  | { on: "said"; address: string; cue: Word }
  /** A step failed: the run ends here. */
  | {
      on: "collapse";
      error: { code: "INTERNAL_ERROR"; message: string; details: Record<string, unknown> };
      /** It failed at its very beginning: on this. */
      order?: Heard;
    };

/** A message of a run: said by a component, caused by another, and what recording it made of it. */
export type Said = {
  id: string;
  by: Code;
  word: Word;
  cause: string | null;
  disposition?: string;
  /** The chart that said it; none for a component that speaks for itself. */
  from?: string;
  /** It came over the transport, and is not to leave again. */
  foreign?: true;
  /** News: it leaves, and is not recorded. */
  fleeting?: true;
};

export type Reaction = {
  said: Said[];
  /** How many of them are recorded. */
  lines: number;
  answers: unknown[];
  forwards: { run: string; heard: Heard }[];
  effects: (() => void)[];
  /** Executions that now stand otherwise. */
  changed: Set<string>;
  /** What charts were told in vain: known but not now, late, doubled. */
  unheard: number;
  /** Whether any chart took anything. */
  moved: boolean;
  /** The earliest timer that was set. */
  dueAt: number;
  /** One that was due first is gone: all have to be looked at. */
  isGone: boolean;
};

export type Ears = {
  /** Who hears a message, in order. */
  messages: ReadonlyMap<string, readonly Ear[]>;
  /** Who hears a cue of a component's charts. */
  cues: ReadonlyMap<string, Ear>;
  /** Whether events are recorded here. */
  records: boolean;
  /** Messages are heard only when they come back over the transport. */
  isWire: boolean;
};

/** Sorts the tables of components by what is heard. */
export function earsOf(components: readonly Component[], records: boolean, isWire = false): Ears {
  const messages = new Map<string, Ear[]>();
  const cues = new Map<string, Ear>();
  for (const { code, hears } of components) {
    for (const [key, ear] of Object.entries(hears)) {
      if (!ear) continue;
      if (isKey(key)) messages.set(key, [...(messages.get(key) ?? []), ear]);
      else cues.set(`${code} ${key}`, ear);
    }
  }
  return { messages, cues, records, isWire };
}

/** A step that a chart took, for whoever looks on: `heard` is what it came of. */
export type Tapped = { address: string; actor: Actor; event: { type: string }; isNew: boolean; heard: Heard | null };
export type Tap = (tapped: Tapped) => void;
const birth = { type: "xstate.init" } as const;

const shownFacts: ReadonlySet<keyof Facts> = new Set(["labels", "flow"]);

/** First come the ids of the messages; then each step of the cascade mints behind its own seed. */
const idsOfMessages = 131_072;
const idsPerStep = 4_096;
const stepsMax = 100_000;
/** A quarter of the words a cascade may have: some is left for whatever else it leads to. */
const wordsPlannedMax = 2_500;
/** How long, and at most how many of them, a run remembers the messages that came over the transport. */
const dedupeMs = 120_000;
const dedupeMax = 1_024;
/** How many ids a reaction may mint, all together: what is to be kept free behind its seed. */
export const idsPerReaction = idsOfMessages + idsPerStep * (stepsMax + 1);

export function react(
  world: World,
  ears: Ears,
  run: Run,
  input: Input,
  stamp: Stamp,
  given?: unknown[],
  tap?: Tap,
): Reaction {
  const reaction: Reaction = {
    said: [],
    lines: 0,
    answers: [],
    forwards: [],
    effects: [],
    changed: new Set(),
    unheard: 0,
    moved: false,
    dueAt: Infinity,
    isGone: input.on === "timer" || input.on === "collapse",
  };
  const undo: (() => void)[] = [];
  const id = idsAfter(stamp.seed);
  const queue: Heard[] = [];
  /** Whom those that have ended here reported to. */
  const reports = new Map<string, string | null>();
  let steps = 0;
  let planned = 0;
  let cause: Heard | null = null;

  const nextStamp = (): Stamp => {
    steps += 1;
    if (steps >= stepsMax) throw new Error(`a cascade of ${steps} steps: charts answer each other without end`);
    return { at: stamp.at, seed: id(idsOfMessages + steps * idsPerStep) };
  };

  const settle = (address: string, actor: Actor, taken: Step<AnyStateMachine>, event: { type: string }): void => {
    reaction.moved = true;
    noteDue(reaction, run, taken);
    const before = run.actors.get(address);
    tap?.({ address, actor: { ...actor, life: taken.life }, event, isNew: !before, heard: cause });
    const isCall = isAgentCall(actor);
    const { agentCalls } = run;
    undo.push(() => {
      if (isCall) run.agentCalls = agentCalls;
      if (before) return void run.actors.set(address, before);
      run.actors.delete(address);
      // It never was: what it holds of the world is free again.
      world.ended(run, address, actor);
    });
    if (taken.life.snapshot.status === "active") {
      run.actors.set(address, { ...actor, life: taken.life });
      if (isCall && !before) run.agentCalls += 1;
    } else {
      run.actors.delete(address);
      if (isCall && before) run.agentCalls -= 1;
      reports.set(address, actor.reportsTo);
      world.ended(run, address, actor);
    }
    for (const word of taken.messages as unknown as Word[]) say(actor.by, word, address);
  };

  const say = (by: Code, word: Word, from: string): void => {
    if (queue.length + reaction.said.length > world.limits.cascadeMax) {
      throw new Error(`a cascade of more than ${world.limits.cascadeMax} words`);
    }
    if (!isKey(word.type)) {
      queue.push({ word, by, from, run: run.id, id: "", cause: causeIn(cause) });
      return;
    }
    const said = completed(world, run, by, word);
    const because = causeIn(cause);
    const messageId = nextId(word);
    const line: Said = { id: messageId, by, word: said, cause: because?.id ?? null, from };
    if (isFleeting(word)) line.fleeting = true;
    reaction.said.push(line);
    if (ears.records) note(line);
    if (!ears.isWire) queue.push({ word: said, by, from, run: run.id, id: messageId, cause: because });
  };

  /** What is recorded is counted, so that its id can be told from its place in the record. */
  const nextId = (word: Word): string => {
    if (isFleeting(word)) return id(idsOfMessages / 2 + reaction.said.length);
    reaction.lines += 1;
    return id(reaction.lines);
  };

  const note = (line: Said): boolean => {
    const disposition = recordEvent(run, line, stamp.at, reaction.changed, undo);
    if (disposition === "applied") return true;
    line.disposition = disposition;
    return false;
  };

  const host: Host = {
    run,
    world,
    at: stamp.at,
    actor: (address) => run.actors.get(address),
    reportsTo: (address) => run.actors.get(address)?.reportsTo ?? reports.get(address) ?? null,
    tell(address, word) {
      const actor = run.actors.get(address);
      if (!actor) return false;
      // Words have many shapes: V8 copies them several times faster so than by spreading.
      const event = Object.assign({}, word, nextStamp()) as never;
      const taken = step(actor.machine, actor.life, event) as Step<AnyStateMachine>;
      if (taken.heard === "unknown") throw new Error(`'${address}' knows no '${(word as Word).type}'`);
      if (taken.heard === "taken") settle(address, actor, taken, word as Word);
      else reaction.unheard += 1;
      return true;
    },
    enter(address, machine, by, chartInput, reportsTo) {
      const begun = start(machine, chartInput, nextStamp()) as unknown as Step<AnyStateMachine>;
      const actor: Actor = { machine, life: begun.life, by, reportsTo: reportsTo ?? null, cause: causeIn(cause) };
      settle(address, actor, begun, birth);
    },
    say(by, word) {
      if (word !== silence) say(by, word as Word, "");
    },
    ask(answer) {
      const value = given ? given[reaction.answers.length] : answer();
      // Recorded answers are JSON; the first time is to be as every other time.
      reaction.answers.push(value);
      return value as ReturnType<typeof answer>;
    },
    forward: (to, heard) => void reaction.forwards.push({ run: to, heard }),
    note(fact, value) {
      const before = run.facts[fact];
      undo.push(() => setFact(run.facts, fact, before));
      setFact(run.facts, fact, value);
      // The row shows it, also where what else it shows was recorded before.
      if (shownFacts.has(fact) && value !== null && value !== undefined) reaction.changed.add(run.id);
    },
    put(table, key, value) {
      const before = Object.hasOwn(table, key) ? table[key] : undefined;
      undo.push(() => setEntry(table, key, before));
      setEntry(table, key, value);
    },
    hasRoom(words) {
      if (planned > 0 && planned + words > wordsPlannedMax) return false;
      planned += words;
      return true;
    },
    effect: (act) => void reaction.effects.push(act),
  };

  const hear = (heard: Heard): void => {
    cause = heard;
    const { word, by } = heard;
    if (!isKey(word.type)) {
      const ear = ears.cues.get(`${by} ${word.type}`);
      if (!ear) throw new Error(`nobody hears '${word.type}' of '${heard.from}'`);
      ear(host, heard);
      return;
    }
    // The answer to a command of another run belongs there.
    const asker = word.type === "result:CommandAck" ? heard.cause?.run : undefined;
    if (asker !== undefined && asker !== "" && asker !== run.id) host.forward(asker, heard);
    else for (const ear of ears.messages.get(word.type) ?? []) ear(host, heard);
  };

  /** What comes from the chart's own work, or its own timer, has the cause that the chart has. */
  const recall = (address: string): void => {
    const actor = run.actors.get(address);
    if (!actor) return;
    cause = { word: { type: "" }, by: actor.by, from: address, run: run.id, id: "", cause: actor.cause };
  };

  const begin = (): void => {
    if ("address" in input) recall(input.address);
    if (input.on === "cue") {
      if (!host.tell(input.address, input.cue)) reaction.unheard += 1;
    } else if (input.on === "said") {
      const actor = run.actors.get(input.address);
      if (!actor) reaction.unheard += 1;
      else queue.push({ word: input.cue, by: actor.by, from: input.address, run: run.id, id: "", cause: actor.cause });
    } else if (input.on === "timer") {
      const actor = run.actors.get(input.address);
      if (actor) settleTimer(input.address, actor, input.timer);
      else reaction.unheard += 1;
    } else if (input.on === "collapse") {
      reaction.moved = true;
      collapse(host, input.error, input.order);
    } else {
      const { on: _on, told, foreign, parked, correlationId: _correlationId, trace, ...heard } = input;
      if (foreign === true && !isFirst(heard)) return void (reaction.unheard += 1);
      if (trace && !run.facts.trace) host.note("trace", trace);
      if (told && parked !== true) {
        // What another run said stands in its record; the row of a run that it creates belongs to that one.
        if (ears.records && heard.word.type === "command:WorkflowExecute") note({ ...heard, cause: null });
        return void queue.push(heard);
      }
      const line: Said = { id: heard.id, by: heard.by, word: heard.word, cause: heard.cause?.id ?? null };
      if (foreign === true) line.foreign = true;
      if (isFleeting(heard.word)) line.fleeting = true;
      else reaction.lines += 1;
      reaction.said.push(line);
      const isNews = !ears.records || note(line);
      if (parked === true) {
        cause = heard;
        reaction.moved = true;
        endParked(host, heard);
      } else if (isNews && (foreign === true || !ears.isWire)) queue.push(heard);
    }
  };
  /** What creates a run may come again: it is answered as a duplicate. Anything else that comes again does nothing. */
  const isFirst = ({ id: messageId, word }: Heard): boolean => {
    if (word.type === "command:WorkflowExecute" || word.type === "command:TaskTrigger") return true;
    const known = run.facts.foreign ?? [];
    if (known.some(([one]) => one === messageId)) return false;
    const young = known.filter(([, at]) => at > stamp.at - dedupeMs).slice(1 - dedupeMax);
    host.note("foreign", [...young, [messageId, stamp.at]]);
    return true;
  };
  const settleTimer = (address: string, actor: Actor, timer: Timer): void => {
    const taken = fire(actor.machine, actor.life, timer, nextStamp()) as Step<AnyStateMachine>;
    if (taken.heard === "taken") settle(address, actor, taken, { type: timer.id });
    else reaction.unheard += 1;
  };

  try {
    begin();
    for (let next = 0; next < queue.length; next++) hear(queue[next] as Heard);
    noteLate(reaction);
    // An effect holds on to all that is here until it happens: what is of no use any more goes now.
    undo.length = queue.length = 0;
    return reaction;
  } catch (error) {
    for (const back of undo.reverse()) back();
    throw new TroupeError(
      "INTERNAL_ERROR",
      `run '${run.id}' on '${nameOf(input)}': ${messageOf(error)}`,
      {},
      { cause: error },
    );
  }
}

/** A run may have thousands of timers: they are looked at again only if the first of them is gone. */
function noteDue(reaction: Reaction, { dueAt }: Run, { armed, cancelled }: Step<AnyStateMachine>): void {
  for (const timer of armed) reaction.dueAt = Math.min(reaction.dueAt, timer.dueAt);
  for (const timer of cancelled) {
    // One that was set in this very reaction may be the earliest, too.
    if (timer.dueAt <= dueAt || timer.dueAt <= reaction.dueAt) reaction.isGone = true;
  }
}

/** A result from elsewhere that nobody took came too late: it is kept, and changes nothing. */
function noteLate({ said: [came, ...answers], moved }: Reaction): void {
  const isVain = !moved && answers.every(({ word }) => word.type.startsWith("log:"));
  if (came?.foreign === true && came.word.type.startsWith("result:") && isVain) came.disposition = "late";
}

/** Progress is never recorded. */
const isFleeting = ({ type }: Word): boolean => type.startsWith("progress:");

/** What caused a word: the message that was heard, or what caused the cue that was. */
const causeIn = (heard: Heard | null): Cause | null =>
  heard === null || heard.id === "" ? (heard?.cause ?? null) : { run: heard.run, from: heard.from, id: heard.id };

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** A key may be called `__proto__`, which to set is something else on every object. */
function setEntry<T>(table: Record<string, T>, key: string, value: T | undefined): void {
  if (value === undefined) delete table[key];
  else if (key !== "__proto__") table[key] = value;
  else Object.defineProperty(table, key, { value, writable: true, enumerable: true, configurable: true });
}

const setFact = <K extends keyof Facts>(facts: Facts, fact: K, value: Facts[K]): void => void (facts[fact] = value);

/** What an input is called. */
export const nameOf = (input: Input): string => {
  if (input.on === "message") return input.word.type;
  if (input.on === "timer") return input.timer.id;
  return input.on === "collapse" ? "collapse" : input.cue.type;
};
