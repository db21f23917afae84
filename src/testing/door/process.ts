// A process that lives in virtual time: a whole troupe on a disk in memory, which may die and come back.
//
//   settle: all that happens now ─▶ nothing is left to happen now ─▶ the clock leaps to what is due next ─▶ settle …
//
// Invariants:
//   P1. Time passes only when it is told to, and to where something is due: weeks take as long as seconds.
//   P2. What a process had not written down when it died is gone; what it had goes on when it is back.

import { afterTurn } from "../../actors/clock.ts";
import type { Options, Troupe } from "../../runtime/troupe.ts";
import { type Crash, type Disk, makeDisk } from "../../store/memory.ts";
import type { Unit } from "../../store/store.ts";
import { randomFrom } from "../random.ts";
import { beginLife, type Life } from "../simulation/life.ts";
import { virtualClock } from "../virtual-clock.ts";
import { newWork, type Work } from "./work.ts";

export type ProcessParts = {
  seed: number;
  beganAt: number;
  options: (process: VirtualProcess) => Omit<Options, "store" | "clock" | "random">;
  /** The n-th unit was written, counted from 1: the crash that happens now, if one does. */
  appended: (count: number) => { left: Crash; downMs: number } | undefined;
};

type Alarm = { at: number; isOfLife: boolean; cancel: () => void };

/** The store of nobody is ever full, and nothing that has ended is forgotten. */
const retentionMs = 100 * 366 * 86_400_000;

export class VirtualProcess {
  readonly disk: Disk = makeDisk();
  readonly #clock;
  readonly #random;
  readonly #parts: ProcessParts;
  readonly #alarms = new Set<Alarm>();
  /** The runs that runtimes are: their beats are nobody's business here. */
  readonly #runtimes = new Set<string>();
  #life: Life | undefined;
  #work: Work = newWork();
  #lives = 0;
  #appends = 0;
  #backAt: number;
  #downMs = 0;
  /** Resolves once the process is up: what was at work before a crash begins again in the midst of that. */
  opened: Promise<void> = Promise.resolve();

  constructor(parts: ProcessParts) {
    this.#parts = parts;
    this.#clock = virtualClock(parts.beganAt);
    this.#random = randomFrom(parts.seed);
    this.#backAt = parts.beganAt;
  }

  now = (): number => this.#clock.now();
  /** How often it began. */
  get lives(): number {
    return this.#lives;
  }
  get troupe(): Troupe | undefined {
    return this.#life?.troupe;
  }
  /** Who is at work in this life, by real time. */
  get work(): Work {
    return this.#work;
  }

  /** Acts after so long; what handlers arrange is gone with their life. */
  later(ms: number, act: () => void, isOfLife = true): () => void {
    const at = this.now() + ms;
    const alarm: Alarm = { at, isOfLife, cancel: () => undefined };
    const cancel = this.#clock.alarm(at, () => {
      this.#alarms.delete(alarm);
      act();
    });
    alarm.cancel = () => {
      this.#alarms.delete(alarm);
      cancel();
    };
    this.#alarms.add(alarm);
    return alarm.cancel;
  }

  /** Everything that is due by now happens, and all that comes of it. */
  async settle(): Promise<void> {
    for (;;) {
      await new Promise<void>(afterTurn);
      const wasBusy = await this.#work.idle();
      if (!this.#life && this.now() >= this.#backAt) await this.#begin();
      else if (this.#isDue()) while (this.#isDue()) this.#clock.next();
      else if (!wasBusy) return;
    }
  }
  #isDue(): boolean {
    return (this.#clock.nextAt() ?? Infinity) <= this.now();
  }

  /** Lets time pass until then. */
  async passTo(target: number): Promise<void> {
    for (;;) {
      await this.settle();
      if (this.now() >= target) return;
      this.leap(Math.min(this.nextDue(), target));
    }
  }

  /** What keeps a process alive rings late, and finds nothing amiss; nobody else has anything due before then. */
  leap(to: number): void {
    this.#clock.jump(Math.max(0, to - this.now()));
  }
  jump(ms: number): void {
    this.#clock.jump(ms);
  }

  /** When something happens next; never, if nothing would by itself. */
  nextDue(): number {
    if (!this.#life) return this.#backAt;
    const { troupe } = this.#life;
    const { slots, lines } = troupe.stats();
    // Whoever stands in a line has alarms of which nobody else knows.
    if (slots.waiting > 0 || lines.some(({ waiting }) => waiting > 0)) return this.#clock.nextAt() ?? Infinity;
    let due = Infinity;
    for (const { state } of this.disk.runs.values()) {
      if (!state || state.state === "ended" || this.#runtimes.has(state.run)) continue;
      due = Math.min(due, state.dueAt ?? Infinity);
    }
    for (const { at } of this.#alarms) due = Math.min(due, at);
    for (const { next, paused } of troupe.schedules()) if (!paused) due = Math.min(due, next ?? Infinity);
    return due;
  }
  /** The same, with what the process itself waits for. */
  nextAlarm(): number {
    return Math.min(this.nextDue(), this.#clock.nextAt() ?? Infinity);
  }

  /** As `kill -9`: it is back after so long. */
  crash(left: Crash, downMs: number): void {
    this.#downMs = downMs;
    this.#life?.crash(left);
  }

  async #begin(): Promise<void> {
    this.#lives += 1;
    this.#work = newWork();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.opened = promise;
    const { limits, ...options } = this.#parts.options(this);
    const life = await beginLife({
      number: this.#lives,
      disk: this.disk,
      clock: this.#clock,
      options: () => ({ ...options, limits: { retentionMs, ...limits }, random: this.#random }),
      commitMs: () => 0,
      appended: (unit) => this.#appended(unit),
      heard: () => undefined,
      died: () => this.#died(),
      variant: {},
    });
    if (life.isOver()) return;
    this.#life = life;
    resolve();
  }

  #appended({ records, rows }: Unit): Crash | undefined {
    for (const { entity, run } of rows) if (entity === "agent_runtime") this.#runtimes.add(run);
    if (records.every(({ run }) => this.#runtimes.has(run))) return undefined;
    this.#appends += 1;
    const crash = this.#parts.appended(this.#appends);
    if (!crash) return undefined;
    this.#downMs = crash.downMs;
    return crash.left;
  }

  #died(): void {
    this.#life = undefined;
    this.#backAt = this.now() + this.#downMs;
    this.#work.stop();
    for (const alarm of Array.from(this.#alarms)) if (alarm.isOfLife) alarm.cancel();
  }
}
