// Plays a trial: lives of a process in virtual time, whoever the run waits for, and what disturbs it.
//
//   start ─▶ alarms, the earliest first: work is done, timers ring, signals come, it is disturbed ─▶ nothing is open
//
// Invariants:
//   Y1. The same trial gives the same journal.
//   Y2. A play ends: when nothing is open, when nothing would ever happen any more, or at its bounds.

import type { Run } from "../../actors/run.ts";
import type { Committed, System } from "../../actors/system.ts";
import { committedIn } from "../../actors/record.ts";
import { type Disk, makeDisk } from "../../store/memory.ts";
import { type VirtualClock, virtualClock } from "../virtual-clock.ts";
import type { Company } from "./cast.ts";
import { chancesOf } from "./chances.ts";
import { newClient } from "./client.ts";
import { type Death, diskOf } from "./course-state.ts";
import { type Life, openLife } from "./life.ts";
import { newPlaces, type Places, planOf } from "./places.ts";
import { PlayedRun } from "./played.ts";
import {
  alarmsMax,
  beganAt,
  type Comings,
  emptyHands,
  type Happening,
  horizonMs,
  isOutside,
  newScene,
  orderOf,
  type Scene,
  unmetIn,
} from "./scene.ts";
import type { Disturbance, Outcome, Played, Trial } from "./trial.ts";

/** `after`: a course of the same trial whose process has died; it is played on from there. */
export async function play(company: Company, trial: Trial, after?: Death): Promise<Played> {
  const stage = new Stage(company, trial, after);
  await stage.run();
  return stage.played();
}

class Stage {
  readonly #company: Company;
  readonly #trial: Trial;
  readonly #clock: VirtualClock;
  readonly #disk: Disk;
  readonly #random: () => number;
  readonly #plannedAt: ReturnType<typeof planOf>;
  readonly #runs: Map<string, Run>;
  readonly #committed: Committed[];
  readonly #scene: Scene;
  readonly #refused: Set<Outcome>;
  readonly #troubles: string[];
  readonly #places: Places;
  readonly #met: Set<Disturbance>;
  readonly #client: ReturnType<typeof newClient>;
  /** None, from a death that was taken over until it comes back. */
  #life: Life | undefined;
  #lives: number;
  #appends: number;
  #run: string;
  /** The newest record that was told. */
  #heardUpTo: number;
  /** How many alarms are set that are no run's own: whoever is about to do something. */
  #pending = 0;
  /** What comes from outside at this moment. */
  #doing: Happening | null = null;
  /** The process is down, and comes back then. */
  #backAt: number | null = null;

  constructor(company: Company, trial: Trial, after?: Death) {
    const { state } = after ?? {};
    this.#company = company;
    this.#trial = trial;
    this.#clock = virtualClock(after?.now ?? beganAt);
    this.#disk = after ? diskOf(after.entries) : makeDisk();
    this.#scene = state?.scene ?? newScene();
    this.#runs = state?.runs ?? new Map();
    this.#committed = after?.entries.slice(0, after.told).map(({ committed }) => committed) ?? [];
    this.#heardUpTo = this.#committed.length;
    this.#refused = state?.refused ?? new Set();
    this.#met = state?.met ?? new Set();
    this.#troubles = state?.troubles ?? [];
    this.#appends = state?.appends ?? 0;
    this.#run = state?.run ?? "";
    const chances = chancesOf(trial.seed);
    let drawn = state?.drawn ?? 0;
    this.#random = () => chances(drawn++);
    this.#plannedAt = planOf(trial.calls);
    const homeOf = (execId: string): string | undefined => this.#life?.system.homeOf(execId);
    this.#places = newPlaces((id) => this.#runs.get(id) ?? this.#life?.system.peek(id), homeOf, after?.known);
    this.#client = newClient({
      company,
      trial,
      plannedAt: this.#plannedAt,
      scene: this.#scene,
      places: this.#places,
      now: this.#clock.now,
      later: (ms, happening) => this.#later(ms, happening),
      arrange: (call, comings) => this.#arrange(call, comings),
      run: (id) => this.#runs.get(id),
      tell: (run, word) => void this.#life?.system.tell(run, "API", word),
      life: () => this.#lives,
    });
    this.#lives = after ? 1 : 0;
    if (after) this.#goOnFrom(after);
    else this.#life = this.#begin();
  }

  /** What is outside of a process that died goes on. */
  #goOnFrom({ backAt, now, state: { alarms } }: Death): void {
    this.#goDown(backAt - now);
    for (const { at, happening } of alarms) if (isOutside(happening)) this.#later(at - now, happening);
  }

  /** Something is to happen; what comes from outside waits while the process is down. */
  #later(ms: number, happening: Happening): void {
    this.#pending += isOutside(happening) ? 1 : 0;
    this.#clock.alarm(this.#clock.now() + ms, () => {
      this.#pending -= isOutside(happening) ? 1 : 0;
      this.#doing = isOutside(happening) ? happening : null;
      if (this.#backAt !== null && isOutside(happening)) this.#later(this.#backAt + 1 - this.#clock.now(), happening);
      else if (happening.do === "disturb") this.#disturb(happening.disturbance);
      else if (this.#life?.hands.act(happening) !== true) this.#client.act(happening);
      this.#doing = null;
    });
  }

  #arrange(call: number, comings: Comings): void {
    const called = this.#scene.calls[call];
    if (called) for (const { ms, happening } of comings(called.outcome)) this.#later(ms, happening);
  }

  #begin(): Life {
    this.#lives += 1;
    return openLife({
      company: this.#company,
      disk: this.#disk,
      clock: this.#clock,
      random: this.#random,
      places: this.#places,
      plannedAt: this.#plannedAt,
      scene: this.#scene,
      number: this.#lives,
      later: (ms, happening) => this.#later(ms, happening),
      arrange: (call, comings) => this.#arrange(call, comings),
      refused: (outcome) => void this.#refused.add(outcome),
      append: () => this.#append(),
      heard: (committed) => this.#heard(committed),
      report: (level, message, fields) => {
        if (level === "error") this.#troubles.push(`${message}: ${JSON.stringify(fields)}`);
      },
    });
  }

  async run(): Promise<void> {
    if (this.#life) this.#start(this.#life.system);
    for (let alarms = 0; alarms < alarmsMax; alarms++) {
      if (this.#backAt !== null && this.#clock.now() >= this.#backAt) await this.#comeBack();
      if (!this.#isOpen()) return;
      const next = this.#clock.nextAt();
      if (next === null || next > beganAt + horizonMs) return;
      this.#clock.next();
    }
    this.#troubles.push(`no end came within ${alarmsMax} alarms`);
  }

  #start(system: System): void {
    const { disturbances } = this.#trial;
    for (const disturbance of disturbances) {
      if ("ms" in disturbance) this.#later(disturbance.ms, { do: "disturb", disturbance });
    }
    this.#run = system.id();
    system.tell(this.#run, "API", orderOf(this.#trial, this.#run), { correlationId: system.id(), isNew: true });
  }

  #isOpen(): boolean {
    if (this.#pending > 0 || this.#backAt !== null) return true;
    const { awake = 0, asleep = 0 } = this.#life?.system.stats() ?? {};
    return awake + asleep > 0;
  }

  // ── what is heard ──

  #append(): "lost" | "kept" | "goes on" {
    this.#appends += 1;
    const now = this.#appends;
    for (const disturbance of this.#trial.disturbances) {
      if (!("append" in disturbance) || disturbance.append !== now) continue;
      if (disturbance.do === "crash") {
        this.#met.add(disturbance);
        // Whoever said what was lost has no answer, and says it again.
        if (!disturbance.kept && this.#doing) this.#later(disturbance.downMs + 1, this.#doing);
        this.#goDown(disturbance.downMs);
        return disturbance.kept ? "kept" : "lost";
      }
      this.#later(0, { do: "disturb", disturbance });
    }
    return "goes on";
  }

  #heard(committed: Committed): void {
    this.#committed.push(committed);
    const { run: id, seq } = committed;
    this.#heardUpTo = seq;
    const run = this.#life?.system.peek(id);
    if (run) this.#runs.set(id, run);
    for (const said of committed.said) this.#client.hear(id, said.word);
  }

  // ── what disturbs ──

  #disturb(disturbance: Disturbance): void {
    if (this.#isEnded()) return;
    this.#met.add(disturbance);
    switch (disturbance.do) {
      case "crash":
        this.#goDown(disturbance.downMs);
        return this.#life?.die();
      case "jump":
        return this.#clock.jump(disturbance.byMs);
      case "cancel":
        return this.#client.cancel(this.#run);
      case "pause":
        return this.#client.pause(this.#run, disturbance.forMs);
      case "signal":
        return this.#client.signal(this.#run, disturbance.name, disturbance.payload);
    }
  }
  #isEnded(): boolean {
    const run = this.#runs.get(this.#run);
    return run?.executions.get(this.#run)?.isOpen === false;
  }

  #goDown(downMs: number): void {
    emptyHands(this.#scene);
    this.#backAt = this.#clock.now() + downMs;
    this.#clock.alarm(this.#backAt, () => undefined);
  }
  #fromDisk(system: System, id: string): Run {
    const { state, records = [], checkpoint = null } = this.#disk.runs.get(id) ?? {};
    if (!state) throw new Error(`run '${id}' is not on the disk`);
    return system.again(id, { state, tail: records.filter(({ seq }) => seq > (checkpoint?.seq ?? 0)), checkpoint });
  }
  async #comeBack(): Promise<void> {
    this.#backAt = null;
    emptyHands(this.#scene);
    this.#places.keepOnly((execId) => this.#disk.rows.has(execId));
    const { system, recover } = (this.#life = this.#begin());
    // What was on disk when the process died is told now: as messages are that were not sent.
    for (const record of this.#disk.log.slice(this.#heardUpTo)) {
      this.#runs.set(record.run, this.#fromDisk(system, record.run));
      this.#heard(committedIn(record).committed);
    }
    await recover();
    // What a crash took back is gone, and what is there is as the disk has it.
    for (const id of Array.from(this.#runs.keys())) {
      const run = system.run(id);
      if (run) this.#runs.set(id, run);
      else if (!this.#disk.runs.has(id)) this.#runs.delete(id);
    }
  }

  // ── the end ──

  played(): Played {
    return new PlayedRun({
      company: this.#company,
      trial: this.#trial,
      run: this.#run,
      beganAt,
      runs: this.#runs,
      committed: this.#committed,
      calls: this.#scene.calls,
      unmet: unmetIn(this.#trial, { scene: this.#scene, refused: this.#refused, met: this.#met }),
      troubles: this.#troubles,
      appends: this.#appends,
      lives: this.#lives,
      disk: () => this.#disk.copy(),
    });
  }
}
