// A whole troupe under one seed: lives of a process on one disk, a client, faults, and time that passes at once.
//
//   moves and faults ──▶ virtual clock ──▶ life ──crash──▶ life … ──calm──▶ all has ended ──▶ checkers
//
// Invariants:
//   S1. The same scenario gives the same log and the same findings.
//   S2. Once it is calm no fault happens any more, and time goes on until nothing is open, or too long.

import type { Clock } from "../../actors/clock.ts";
import { fromUnknown } from "../../protocol/errors.ts";
import { makeDisk } from "../../store/memory.ts";
import { randomFrom } from "../random.ts";
import { subjectCodec } from "../../protocol/subjects.ts";
import { type MemoryTransport, memoryTransport } from "../../transport/memory.ts";
import { virtualClock } from "../virtual-clock.ts";
import { agentsOf, type Begun, type Stage, toolsOf } from "./cast.ts";
import { check } from "./check.ts";
import { newClient } from "./client.ts";
import { areHeard, type Evidence, type Finding, linesOf, type Paused } from "./evidence.ts";
import { beginLife, type Life, pausedIn, settled, type Variant } from "./life.ts";
import { hookSecret } from "./draw-triggers.ts";
import { otherwise, seenOtherwise } from "./inspect.ts";
import { beginForeigner } from "./foreigner.ts";
import type { Fault, Scenario } from "./scenario.ts";
import { courseOf, differs, isComparable, placesIn } from "./forked.ts";
import { weatherOver } from "./weather.ts";

export type Result = {
  findings: Finding[];
  evidence: Evidence;
  /** How many units were appended, all lives together. */
  appends: number;
  lives: number;
};

const beganAt = Date.UTC(2026, 0, 1);
/** How long all may take to end once it is calm; more than any timeout a scenario has, and the hour for undoing. */
const patienceMs = 90 * 60_000;
const lookEveryMs = 5_000;

export async function playScenario(scenario: Scenario, variant: Variant = {}): Promise<Result> {
  const play = new Simulation(scenario, variant);
  await play.run();
  const evidence = play.evidence();
  return { findings: [...play.findings, ...check(evidence)], evidence, appends: play.appends, lives: play.lives };
}

class Simulation {
  readonly findings: Finding[] = [];
  appends = 0;
  lives = 0;
  readonly #scenario: Scenario;
  readonly #variant: Variant;
  readonly #clock = virtualClock(beganAt);
  readonly #disk = makeDisk();
  readonly #random: () => number;
  readonly #client = newClient(() => this.#clock.now());
  readonly #seen: Evidence["seen"][number][] = [];
  readonly #begun: Begun[] = [];
  readonly #hanging: (() => void)[] = [];
  readonly #calls = new Map<string, number>();
  /** Only where there is somebody else on it. */
  readonly #transport: MemoryTransport | null;
  readonly #foreigners: { end: () => void }[] = [];
  #life: Life | null = null;
  #beginsAt = beganAt;
  /** What the next part of the play is to wait for. */
  readonly #next: (() => Promise<void>)[] = [];
  #commitMs: number;
  #isCalm = false;
  /** Every handler gives what it was given. */
  #isPlain = false;
  #troubleMs = 0;
  readonly #schedules: Paused[] = [];

  constructor(scenario: Scenario, variant: Variant) {
    this.#scenario = scenario;
    this.#variant = variant;
    this.#random = randomFrom(scenario.seed + 1);
    this.#commitMs = scenario.commitMs;
    const isAlone = scenario.foreigners.length === 0 && !scenario.wire;
    const deliver = (act: () => void): void => void this.#clock.alarm(this.#clock.now(), act);
    this.#transport = isAlone ? null : memoryTransport({ clock: this.#clock, random: this.#random, deliver });
  }

  /** A transport for one life of a process. */
  #connected(inner: MemoryTransport) {
    const { weather } = this.#scenario;
    return weatherOver(inner, {
      clock: this.#clock,
      random: this.#random,
      weather,
      beganAt,
      isCalm: () => this.#isCalm,
    });
  }

  #beginForeigners(inner: MemoryTransport): void {
    const means = {
      clock: this.#clock,
      random: this.#random,
      subjects: subjectCodec({ prefix: "compozy", layout: "flow" }),
      transport: () => this.#connected(inner),
      isCalm: () => this.#isCalm,
      beganAt,
    };
    for (const foreigner of this.#scenario.foreigners) this.#foreigners.push(beginForeigner(foreigner, means));
  }

  evidence(): Evidence {
    const { log } = this.#disk;
    const { faults } = this.#scenario;
    return {
      scenario: this.#scenario,
      disk: this.#disk,
      records: log,
      lines: linesOf(log),
      asked: this.#client.asked,
      tried: this.#client.tried,
      began: beganAt,
      schedules: this.#schedules,
      seen: this.#seen,
      begun: this.#begun,
      troubleMs: this.#troubleMs,
      jumpedMs: faults.reduce((sum, fault) => sum + (fault.do === "clock jump" ? Math.abs(fault.ms) : 0), 0),
      hadTrouble: faults.some((fault) => fault.do === "full disk" || fault.do === "broken disk"),
    };
  }

  async run(): Promise<void> {
    const { moves, faults, calmAt } = this.#scenario;
    // Set first, so that what is due at the same moment does not happen any more.
    this.#clock.alarm(beganAt + calmAt, () => this.#calm());
    for (const fault of faults) this.#arrange(fault);
    for (const move of moves)
      this.#clock.alarm(beganAt + move.at, () => this.#withLife((life) => this.#client.make(life, move)));
    await this.#begin();
    if (this.#transport) this.#beginForeigners(this.#transport);
    while (!this.#isCalm) await this.#turn();
    await this.#untilQuiet();
    for (const what of otherwise(this.#disk, this.#life?.troupe.system)) this.#find("I5", what);
    if (!this.#transport) await this.#fork();
    await this.#finish();
  }

  /** One alarm, and all that comes of it. */
  async #turn(): Promise<boolean> {
    try {
      await settled();
      // Two faults may come in one turn: while the process stops, for one, it crashes, and is told to stop again.
      for (let next = this.#next.shift(); next; next = this.#next.shift()) await next();
      if (!this.#life && this.#clock.now() >= this.#beginsAt) await this.#begin();
      await settled();
      return this.#clock.next();
    } catch (error) {
      this.#find("I1", `the process died of an error: ${stackOf(error)}`);
      this.#die(0);
      return true;
    }
  }

  // ── lives ──

  async #begin(): Promise<void> {
    const { limits, wire } = this.#scenario;
    this.lives += 1;
    const number = this.lives;
    const connected = this.#transport && this.#connected(this.#transport);
    const life = await beginLife({
      number,
      disk: this.#disk,
      clock: this.#clock,
      options: (clock) => ({
        ...this.#definitions(number, clock),
        limits,
        environment: { [hookSecret.name]: hookSecret.value },
        ...(connected && { transport: connected.transport, wire }),
        random: this.#random,
        log: (...said) => this.#reported(...said),
      }),
      commitMs: () => Math.floor(this.#random() * (this.#commitMs + 1)),
      appended: () => this.#appended(),
      heard: (committed, at) => {
        this.#seen.push({ life: at, committed });
        this.#client.heard(committed);
      },
      died: () => connected?.die(),
      variant: this.#variant,
    });
    if (life.isOver()) return;
    this.#life = life;
    for (const [run, reason] of life.troupe.system.parked()) this.#find("I1", `run ${run} is parked: ${reason}`);
  }

  #definitions(life: number, clock: Clock) {
    const stage: Stage = {
      clock,
      began: (kind, { execId, idempotencyKey }) => {
        const { seq } = this.#disk.numbers;
        this.#begun.push({ kind, execId, idempotencyKey, life, at: this.#clock.now(), seq });
      },
      hang: (release) => (this.#isCalm ? release() : void this.#hanging.push(release)),
      calls: this.#calls,
      isPlain: () => this.#isPlain,
    };
    const { workflows, agents, tools } = this.#scenario;
    return { workflows, agents: agentsOf(agents, stage), tools: toolsOf(tools, stage) };
  }

  #reported(level: string, message: string, fields: Readonly<Record<string, unknown>>): void {
    // Wrong bytes are sent on purpose, and a cascade may be limited to less than a step needs.
    const isMeant =
      message === "a message was refused" ||
      (this.#scenario.limits.cascadeMax !== undefined && String(fields["message"]).includes("a cascade of more than"));
    if (level === "error" && !isMeant) this.#find("I1", `${message}: ${JSON.stringify(fields)}`);
  }

  #withLife(act: (life: Life) => void): void {
    if (this.#life && !this.#life.isOver()) act(this.#life);
    // A client that finds nobody comes back.
    else if (!this.#isCalm)
      this.#clock.alarm(Math.max(this.#clock.now() + 100, this.#beginsAt + 1), () => this.#withLife(act));
  }

  /** The process is gone; the next one begins after a while. */
  #die(downMs: number): void {
    const life = this.#life;
    life?.crash({});
    this.#life = null;
    this.#beginsAt = this.#clock.now() + downMs;
    this.#troubleMs += downMs;
    this.#clock.alarm(this.#beginsAt, () => undefined);
    this.#client.lose(this.lives);
  }

  // ── faults ──

  #arrange(fault: Fault): void {
    if (fault.do === "crash" && fault.append !== undefined) return;
    this.#clock.alarm(beganAt + (fault.at ?? 0), () => {
      if (!this.#isCalm) this.#happen(fault);
    });
  }

  #appended() {
    this.appends += 1;
    if (this.#isCalm) return undefined;
    for (const fault of this.#scenario.faults) {
      if (fault.do !== "crash" || fault.append !== this.appends) continue;
      this.#next.push(async () => this.#die(fault.downMs));
      return fault;
    }
    return undefined;
  }

  #happen(fault: Fault): void {
    if (fault.do === "clock jump") {
      this.#clock.jump(fault.ms);
      this.#troubleMs += Math.abs(fault.ms);
    } else if (fault.do === "slow disk") {
      this.#commitMs = fault.commitMs;
      this.#troubleMs += fault.forMs + fault.commitMs;
      this.#later(fault.forMs, () => (this.#commitMs = this.#scenario.commitMs));
    } else if (fault.do === "stop") {
      this.#next.push(() => this.#stop(fault.graceMs, fault.downMs));
    } else if (fault.do === "crash") {
      this.#life?.crash(fault);
      this.#die(fault.downMs);
    } else {
      this.#disk.breakAfter(fault.units, fault.do === "full disk" ? "store_full" : "store_failed");
      this.#troubleMs += fault.forMs;
      this.#later(fault.forMs, () => this.#disk.mend());
    }
  }
  #later(ms: number, act: () => void): void {
    this.#clock.alarm(this.#clock.now() + ms, () => {
      if (!this.#isCalm) act();
    });
  }

  async #stop(graceMs: number, downMs: number): Promise<void> {
    const life = this.#life;
    if (!life || life.isOver()) return;
    let isStopped = false;
    const stopping = life.troupe.stop({ graceMs }).then(() => (isStopped = true));
    while (!isStopped && !life.isOver()) {
      await settled();
      if (!isStopped && !this.#clock.next()) break;
    }
    if (life.isOver()) return;
    await stopping;
    if (life.pending() > 0) this.#find("I9", `${life.pending()} alarms are left after a stop`);
    life.end();
    this.#die(downMs);
  }

  // ── the end ──

  #calm(): void {
    this.#isCalm = true;
    this.#commitMs = 0;
    this.#disk.mend();
    for (const release of this.#hanging.splice(0)) release();
    const { seed } = this.#scenario;
    for (const what of seenOtherwise(this.#disk, seed, this.#life?.troupe.system)) this.#find("I5", what);
  }

  async #untilQuiet(): Promise<void> {
    const until = this.#clock.now() + patienceMs;
    let lookAt = this.#clock.now();
    while (this.#clock.now() < until) {
      if (!(await this.#turn())) break;
      const life = this.#life;
      if (!life || this.#clock.now() < lookAt) continue;
      lookAt = this.#clock.now() + lookEveryMs;
      this.#schedules.push(...pausedIn(life, this.#clock.now()));
      await this.#client.resumeAll(life);
      await settled();
      if (this.#isQuiet(life)) return;
    }
    this.#findOpen();
  }
  #isQuiet({ troupe }: Life): boolean {
    const { awake, asleep, waiting, slots } = troupe.stats();
    const isAnswered = this.#client.asked.every(({ answer, isLost }) => answer !== null || isLost);
    return awake + asleep + waiting + slots.taken + slots.waiting === 0 && isAnswered && areHeard(this.#disk);
  }
  #findOpen(): void {
    const { troupe } = this.#life ?? {};
    if (!troupe) return this.#find("I1", "no process is there at the end");
    const open = [...this.#disk.runs.values()].flatMap(({ state }) =>
      state && state.state !== "ended" ? [state] : [],
    );
    for (const { run, state } of open) {
      const why = this.#disk.rows.has(run) ? troupe.why(run) : "nothing is known of it";
      this.#find("I1", `run ${run} is still ${state} at the end: ${why}`);
    }
    if (open.length === 0 && !this.#isQuiet({ troupe } as Life)) {
      this.#find("I9", `something is left at the end: ${JSON.stringify(troupe.stats())}`);
    }
  }

  /** Where every handler does the same each time, a fork does what a fresh run did from there on. */
  async #fork(): Promise<void> {
    const { workflows, seed } = this.#scenario;
    const spec = workflows[seed % workflows.length];
    const troupe = this.#life?.troupe;
    if (!spec || !troupe || !isComparable(this.#scenario) || this.findings.length > 0) return;
    this.#isPlain = true;
    // Handlers that hear no cancel have ended by then, and what a rate counts is over.
    await this.#pass(60_000);
    const items = [1, 2];
    const fresh = troupe.start(spec.id, { n: seed % 2, flag: true, other: "nobody", items }).execId;
    await this.#untilQuiet();
    const course = courseOf(this.#disk, fresh, spec);
    const places = placesIn(course);
    const from = places[seed % Math.max(1, places.length)];
    // A fork has all of its time before it, and its own count of steps.
    if (from === undefined || course.status === "TIMED_OUT" || course.code === "STEP_LIMIT") return;
    await this.#pass(60_000);
    const forked = await troupe.fork(fresh, { from }).catch((error: unknown) => fromUnknown(error));
    if ("execId" in forked) {
      await this.#untilQuiet();
      const how = differs(course, courseOf(this.#disk, forked.execId, spec), from);
      if (how !== undefined) this.#find("I16", `the fork ${forked.execId} of ${fresh} from '${from}' ${how}`);
    } else if (forked.details["undone"] === undefined && forked.code !== "PAYLOAD_TOO_LARGE") {
      this.#find("I16", `${fresh} cannot be forked from '${from}': ${forked.message}`);
    }
  }
  async #pass(ms: number): Promise<void> {
    const until = this.#clock.now() + ms;
    this.#clock.alarm(until, () => undefined);
    while (this.#clock.now() < until) await this.#turn();
  }

  /** Stopped as it should be it leaves nothing behind, and the next life finds nothing to do. */
  async #finish(): Promise<void> {
    const life = this.#life;
    if (!life) return;
    for (const { name, held } of life.troupe.runtimes()) {
      if (held > 0) this.#find("I9", `runtime '${name}' still holds ${held} at the end`);
    }
    const { number } = life;
    await this.#stop(1_000, 0);
    if (!life.isOver()) return this.#find("I9", "it does not stop");
    await this.#begin();
    const again = this.#life;
    if (!again || again.number === number) return this.#find("I9", "it does not begin again");
    const { live } = again.troupe.recovered;
    if (live > 0) this.#find("I9", `${live} runs are open after a restart at the end`);
    again.crash({});
    for (const { end } of this.#foreigners) end();
    const left = this.#transport?.subscriptions() ?? 0;
    if (left > 0) this.#find("I9", `${left} subscriptions are left when all have gone`);
  }

  #find = (invariant: Finding["invariant"], what: string): void => void this.findings.push({ invariant, what });
}

const stackOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));
