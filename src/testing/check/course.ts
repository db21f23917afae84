// A play without a process around it: the same reactions of the same runs, one after the other, and nothing is written.
//
//   start ─▶ the next of timers and happenings ─▶ react, until nothing is left to say ─▶ …   can be copied in between
//
// It is for definitions that let everything begin at once, and until the process dies: that needs no store, no recovery
// and no line. All else is played by play.ts, and what both can play they play the same.
//
// Invariants:
//   C1. What a course plays is what a process plays: the same journal.
//   C2. What goes on from a copy is what it would have been from the start.

import type { Heard, Word } from "../../actors/component.ts";
import { type Input, idsPerReaction, nameOf, react, type Reaction } from "../../actors/react.ts";
import { stateOf } from "../../actors/residents.ts";
import { dueOf, newRun, type Run } from "../../actors/run.ts";
import type { Committed } from "../../actors/system.ts";
import type { World } from "../../actors/world.ts";
import type { Component as Code } from "../../protocol/entry.ts";
import { fromUnknown } from "../../protocol/errors.ts";
import type { Company } from "./cast.ts";
import { type Client, newClient } from "./client.ts";
import {
  copyOfState,
  count,
  type Death,
  diskOf,
  type Due,
  earliestOf,
  type Entry,
  goOnFrom,
  isBefore,
  isOpen,
  mint,
  newState,
  type Parting,
  set,
  type State,
  type Trail,
} from "./course-state.ts";
import { type Hands, newHands } from "./hands.ts";
import { newPlaces, type Places, planOf } from "./places.ts";
import { plainWorld } from "./plain-world.ts";
import { PlayedRun } from "./played.ts";
import { alarmsMax, beganAt, type Comings, type Happening, horizonMs, isOutside, orderOf, unmetIn } from "./scene.ts";
import type { Disturbance, Outcome, Place, Played, Trial } from "./trial.ts";

type Letter = { run: string; input: Input; isNew: boolean };

export class Course {
  readonly #company: Company;
  readonly #trial: Trial;
  readonly #state: State;
  readonly #places: Places;
  readonly #plannedAt: (place: Place) => Outcome | undefined;
  readonly #hands: Hands;
  readonly #client: Client;
  readonly #world: World;
  readonly #trail: Trail | null;
  readonly #mailbox: Letter[] = [];
  #isReacting = false;
  #death: Death | null = null;
  /** What comes from outside at this moment. */
  #doing: Happening | null = null;

  constructor(company: Company, trial: Trial, from?: Parting, trail: Trail | null = null) {
    this.#company = company;
    this.#trial = trial;
    this.#trail = trail;
    this.#state = from ? copyOfState(from.moment.state) : newState();
    const state = this.#state;
    const runOf = (id: string): Run | undefined => state.runs.get(id);
    const homeOf = (execId: string): string | undefined =>
      [...state.runs.values()].find(({ executions }) => executions.has(execId))?.id;
    this.#places = newPlaces(runOf, homeOf, from?.moment.known);
    const planned = planOf(trial.calls);
    this.#plannedAt = trail
      ? (place) => {
          if (!trail.asked.has(place)) trail.asked.set(place, trail.moments.length - 1);
          return planned(place);
        }
      : planned;
    const means = {
      company,
      trial,
      scene: state.scene,
      places: this.#places,
      plannedAt: this.#plannedAt,
      now: () => state.now,
      later: (ms: number, happening: Happening) => this.#later(ms, happening),
      arrange: (call: number, comings: Comings) => this.#arrange(call, comings),
      life: () => 1,
    };
    this.#hands = newHands({
      ...means,
      actor: (run, address) => runOf(run)?.actors.get(address),
      send: (run, input) => this.#take(run, input),
      id: () => this.#id(),
    });
    this.#client = newClient({ ...means, run: runOf, tell: (run, word) => this.#tell(run, "API", word) });
    this.#world = plainWorld(company, {
      hands: this.#hands,
      places: this.#places,
      plannedAt: this.#plannedAt,
      refused: (outcome) => void state.refused.add(outcome),
      depthOf: (run) => runOf(run)?.facts.depth ?? 1,
    });
    if (from) goOnFrom(state, from);
  }

  /** From its start, or from where it was copied, to its end: or to where its process dies. */
  play(): Played | Death {
    if (this.#state.run === "") this.#mark(() => this.#start());
    for (let alarms = 0; !this.#death && isOpen(this.#state); alarms++) {
      if (alarms === alarmsMax) {
        this.#state.troubles.push(`no end came within ${alarmsMax} alarms`);
        break;
      }
      if (!this.#mark(() => this.#next())) break;
    }
    if (this.#death) return this.#death;
    this.#keep();
    return this.#played();
  }

  /** Takes a step, after a copy of what is before it if somebody may want to branch off there. */
  #mark<T>(step: () => T): T {
    this.#keep();
    return step();
  }
  #keep(): void {
    this.#trail?.moments.push({ state: copyOfState(this.#state), known: this.#places.known(), due: null });
  }

  #start(): void {
    const state = this.#state;
    // The same ids as in a process, where a runtime registers first.
    this.#mint(idsPerReaction);
    for (const disturbance of this.#trial.disturbances) {
      if ("ms" in disturbance) this.#later(disturbance.ms, { do: "disturb", disturbance });
    }
    state.run = this.#id();
    const correlationId = this.#id();
    const word = orderOf(this.#trial, state.run);
    const heard = { word, by: "API", from: "", run: "", id: this.#id(), cause: null } as const;
    this.#take(state.run, { on: "message", told: false, ...heard, correlationId }, true);
  }

  // ── time ──

  #later(ms: number, happening: Happening): void {
    const state = this.#state;
    set(state, { at: state.now + ms, order: state.order++ }, happening);
  }
  /** A call has its place among what is due whatever its outcome is: so it can become another later on. */
  #arrange(call: number, comings: Comings): void {
    const state = this.#state;
    const called = state.scene.calls[call];
    if (!called) return;
    const { place, at, outcome } = called;
    const order = state.order++;
    const trail = this.#trail;
    if (trail) trail.begun.set(place, { step: trail.moments.length - 1, call, at, order, comings });
    for (const { ms, happening } of comings(outcome)) set(state, { at: at + ms, order }, happening);
  }

  /** Whatever is due first happens; false if nothing ever will. */
  #next(): boolean {
    const state = this.#state;
    let first: Due | undefined;
    let place = -1;
    for (const [index, alarm] of state.alarms.entries()) {
      if (first && !isBefore(alarm, first)) continue;
      first = alarm;
      place = index;
    }
    let ringing: string | undefined;
    for (const [run, ring] of state.rings) {
      if (first && !isBefore(ring, first)) continue;
      first = ring;
      ringing = run;
    }
    if (!first || first.at > beganAt + horizonMs) return false;
    const moment = this.#trail?.moments.at(-1);
    if (moment) moment.due = first;
    state.now = Math.max(state.now, first.at);
    if (ringing !== undefined) this.#ring(ringing);
    else {
      const [alarm] = state.alarms.splice(place, 1);
      if (alarm) this.#happen(alarm.happening);
    }
    return true;
  }

  #happen(happening: Happening): void {
    count(this.#state, happening, -1);
    if (isOutside(happening)) this.#doing = happening;
    if (happening.do === "disturb") this.#disturb(happening.disturbance);
    else if (!this.#hands.act(happening)) this.#client.act(happening);
    this.#doing = null;
  }

  #disturb(disturbance: Disturbance): void {
    const state = this.#state;
    if (state.runs.get(state.run)?.executions.get(state.run)?.isOpen === false) return;
    state.met.add(disturbance);
    if (disturbance.do === "jump") state.now += disturbance.byMs;
    else if (disturbance.do === "crash") this.#die(disturbance.downMs, state.entries);
    else if (disturbance.do === "cancel") this.#client.cancel(state.run);
    else if (disturbance.do === "pause") this.#client.pause(state.run, disturbance.forMs);
    else if (disturbance.do === "signal") this.#client.signal(state.run, disturbance.name, disturbance.payload);
  }

  /** Everything due in a run fires, the earliest first; each may cancel others. */
  #ring(id: string): void {
    const state = this.#state;
    while (!this.#death) {
      const run = state.runs.get(id);
      state.rings.delete(id);
      const next = run && earliestOf(run);
      if (!run || !next) return;
      if (next.timer.dueAt > state.now) return this.#setRing(run, Infinity, true);
      this.#take(id, { on: "timer", address: next.address, timer: next.timer });
    }
  }

  #setRing(run: Run, set: number, isGone: boolean): void {
    const { rings } = this.#state;
    const known = rings.get(run.id);
    const dueAt = isGone || !known ? dueOf(run) : Math.min(run.dueAt, set);
    if (dueAt === run.dueAt && known) return;
    run.dueAt = dueAt;
    if (dueAt === Infinity) rings.delete(run.id);
    else rings.set(run.id, { at: dueAt, order: this.#state.order++ });
  }

  // ── ids, as a process mints them ──

  #mint(count: number): string {
    return mint(this.#state, this.#trial.seed, count);
  }
  #id(): string {
    return this.#mint(0);
  }

  // ── inputs ──

  #tell(run: string, by: Code, word: Word): void {
    this.#take(run, { on: "message", told: false, word, by, from: "", run: "", id: this.#id(), cause: null });
  }

  #take(run: string, input: Input, isNew = false): void {
    if (this.#death) return;
    this.#mailbox.push({ run, input, isNew });
    if (this.#isReacting) return;
    this.#isReacting = true;
    for (let letter = this.#mailbox.shift(); letter; letter = this.#mailbox.shift()) {
      if (!this.#death) this.#cascade(letter);
    }
    this.#isReacting = false;
  }

  /** What one input leads to, in this run and in others: one append. */
  #cascade(letter: Letter): void {
    const state = this.#state;
    const queue = [letter];
    const entries: Entry[] = [];
    for (let place = 0; place < queue.length; place++) {
      const { run: id, input, isNew } = queue[place] as Letter;
      const run = this.#runFor(id, input, isNew);
      const entry = run && this.#react(run, input);
      if (!entry) continue;
      entries.push(entry);
      for (const { run: to, heard } of entry.reaction.forwards) {
        queue.push({ run: to, input: { on: "message", told: true, ...heard }, isNew: isOrder(heard) });
      }
    }
    if (entries.length === 0) return;
    const crash = this.#append();
    if (crash?.kept === true) return this.#die(crash.downMs, [...state.entries, ...entries]);
    if (crash) {
      // Whoever said what was lost has no answer, and says it again.
      if (this.#doing) this.#later(crash.downMs + 1, this.#doing);
      return this.#die(crash.downMs, state.entries);
    }
    state.entries.push(...entries);
    for (const { committed, reaction } of entries) {
      for (const { word } of committed.said) this.#client.hear(committed.run, word);
      for (const effect of reaction.effects) effect();
    }
  }

  #runFor(id: string, input: Input, isNew: boolean): Run | undefined {
    const { runs, parked } = this.#state;
    if (parked.has(id)) return undefined;
    const known = isNew ? undefined : runs.get(id);
    if (known || input.on !== "message") return known;
    if (input.word.type !== "command:WorkflowExecute") return undefined;
    const run = newRun(id, input.correlationId ?? runs.get(input.run)?.correlationId ?? id);
    runs.set(id, run);
    return run;
  }

  #react(run: Run, given: Input): Entry | undefined {
    const state = this.#state;
    const stamp = { at: state.now, seed: this.#mint(idsPerReaction) };
    const [input, reaction] = this.#reaction(run, given, stamp);
    if (!reaction) return undefined;
    if (!reaction.moved && reaction.said.length === 0 && reaction.forwards.length === 0) return undefined;
    state.seq += 1;
    run.seq = state.seq;
    this.#setRing(run, reaction.dueAt, reaction.isGone);
    const { lines, said } = reaction;
    const { id, correlationId } = run;
    const committed: Committed = { run: id, correlationId, seq: run.seq, line: state.line + 1, at: stamp.at, said };
    state.line += lines;
    const changed = Array.from(reaction.changed, (place) => run.executions.get(place)).filter(
      (one) => one !== undefined,
    );
    return { committed, input, seed: stamp.seed, reaction, run, changed, state: stateOf(run, stamp.at) };
  }

  /** What comes of an input; a run that cannot take it ends. */
  #reaction(run: Run, input: Input, stamp: { at: number; seed: string }): [Input, Reaction | undefined] {
    const { ears } = this.#company;
    try {
      return [input, react(this.#world, ears, run, input, stamp)];
    } catch (error) {
      const { message, details } = fromUnknown(error);
      this.#state.troubles.push(`a step failed: its run ends: ${message}`);
      const order = run.seq === 0 && input.on === "message" ? { order: input } : {};
      const collapse: Input = { on: "collapse", error: { code: "INTERNAL_ERROR", message, details }, ...order };
      try {
        return [collapse, react(this.#world, ears, run, collapse, stamp)];
      } catch (second) {
        this.#state.parked.add(run.id);
        this.#state.rings.delete(run.id);
        this.#state.troubles.push(`a run is parked at '${nameOf(input)}': ${fromUnknown(second).message}`);
        return [collapse, undefined];
      }
    }
  }

  /** Counts it, and arranges what is to come right behind it; gives the crash that comes with it, if one does. */
  #append(): (Disturbance & { do: "crash" }) | undefined {
    const state = this.#state;
    state.appends += 1;
    // Whatever may disturb here has its place among what is due, whether anything does or not.
    const due = { at: state.now, order: state.order++ };
    this.#trail?.appended.push({ ...due, step: this.#trail.moments.length - 1 });
    let crash: (Disturbance & { do: "crash" }) | undefined;
    for (const disturbance of this.#trial.disturbances) {
      if (!("append" in disturbance) || disturbance.append !== state.appends) continue;
      if (disturbance.do !== "crash") set(state, due, { do: "disturb", disturbance });
      else {
        state.met.add(disturbance);
        crash = disturbance;
      }
    }
    return crash;
  }

  #die(downMs: number, entries: readonly Entry[]): void {
    const state = this.#state;
    const { now } = state;
    this.#death = {
      backAt: now + downMs,
      now,
      entries,
      told: state.entries.length,
      state,
      known: this.#places.known(),
    };
  }

  // ── the end ──

  #played(): Played {
    const state = this.#state;
    return new PlayedRun({
      company: this.#company,
      trial: this.#trial,
      run: state.run,
      beganAt,
      runs: state.runs,
      committed: state.entries.map(({ committed }) => committed),
      calls: state.scene.calls,
      unmet: unmetIn(this.#trial, state),
      troubles: state.troubles,
      appends: state.appends,
      lives: 1,
      disk: () => diskOf(state.entries),
    });
  }
}

const isOrder = ({ word }: Heard): boolean => word.type === "command:WorkflowExecute";
