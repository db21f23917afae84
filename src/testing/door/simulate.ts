// A workflow in virtual time: the engine as it is in production, mocks for agents and tools, and a test that directs.
//
//   simulate ─▶ start ─▶ advance · signal · answer · pause · cancel · crash … ─▶ result, history, calls
//
// Invariants:
//   S1. The same definitions, seed and steps of a test give the same history.
//   S2. Whoever waits for what can never come is told so at once, and what the run waits for.

import { isTerminal } from "../../protocol/statuses.ts";
import { fromUnknown, TroupeError } from "../../protocol/errors.ts";
import type { Limits } from "../../actors/limits.ts";
import type { JournalLine } from "../../actors/record.ts";
import type { OutputOf, TypedWorkflow } from "../../language/define.ts";
import { durationOf, timeOf } from "../../language/duration.ts";
import type { Duration, WorkflowSpec } from "../../language/spec.ts";
import { checkFields, list, object, type Rule, text, texts, wholeNumber } from "../../runtime/arguments.ts";
import type { End } from "../../runtime/desk.ts";
import type { Options as TroupeOptions, Troupe } from "../../runtime/troupe.ts";
import { newPlaces, planOf } from "../check/places.ts";
import { beganAt as usualStart, horizonMs } from "../check/scene.ts";
import type { Disturbance } from "../check/trial.ts";
import { checkFaults, crashAt, crashOf, type Faults } from "./faults.ts";
import { type Call, performed, type Stage } from "./perform.ts";
import { VirtualProcess } from "./process.ts";
import { SimulatedRun } from "./simulated-run.ts";
import { type Definitions, type Others, troupersOf } from "./troupers.ts";

export type SimulateOptions = Definitions &
  Others &
  Pick<TroupeOptions, "environment" | "secrets"> & {
    /** Ids, and whatever else is left to chance, come from it. */
    seed?: number;
    /** What time it is when it begins: a Monday morning in 2026, if it is not said. */
    startsAt?: number | string;
    /** What goes wrong by itself; a disturbance is one of the first run that is started. */
    faults?: Faults;
    limits?: Partial<Limits>;
  };

/** Moments in which something happens: a schedule beside a run that waits for ever would go on for ever, too. */
const momentsMax = 20_000;

const rules: Readonly<Record<keyof SimulateOptions, Rule>> = {
  project: text,
  workflows: list,
  agents: list,
  tools: list,
  unmocked: {
    is: (value) => value === "real" || typeof value === "function",
    says: 'must be "real" or a function that answers',
  },
  environment: object,
  secrets: texts,
  seed: wholeNumber(0),
  startsAt: { is: (value) => timeOf(value) !== undefined, says: "must be a time, such as 2026-01-05T09:00Z" },
  faults: object,
  limits: object,
};

/** An input of which nothing has to be given may be left out. */
type Input<I> = unknown extends I ? [input?: unknown] : Record<never, never> extends I ? [input?: I] : [input: I];

/** A workflow by its definition, which types inputs and results, or by its id in a project. */
export async function simulate<I = unknown, O = unknown>(
  workflow: TypedWorkflow<I, O> | string,
  options: SimulateOptions = {},
): Promise<Simulation<I, O>> {
  checkFields(options, rules, "the options of a simulation cannot be");
  checkFaults(options.faults ?? {});
  const troupers = await troupersOf(workflow as WorkflowSpec | string, options);
  const simulation = new Simulation<I, O>(troupers, options);
  await simulation.settle();
  return simulation;
}

export class Simulation<I = unknown, O = unknown> {
  readonly #workflow: string;
  readonly #process: VirtualProcess;
  readonly #calls: Call[] = [];
  readonly #complaints: unknown[] = [];
  readonly #faults: Faults;
  #first: SimulatedRun<OutputOf<O>> | undefined;
  #said = 0;

  constructor(troupers: Awaited<ReturnType<typeof troupersOf>>, options: SimulateOptions) {
    const { seed = 1, startsAt = usualStart, faults = {}, limits = {}, project, environment, secrets } = options;
    this.#workflow = troupers.workflow;
    this.#faults = faults;
    const more = {
      ...(project && { folder: project }),
      ...(environment && { environment }),
      ...(secrets && { secrets }),
    };
    const own = { workflows: troupers.workflows, limits, log: () => undefined, ...more };
    // Scripts go on where they were when the process comes back.
    let played: Pick<TroupeOptions, "agents" | "tools"> | undefined;
    this.#process = new VirtualProcess({
      seed,
      beganAt: timeOf(startsAt) ?? usualStart,
      options: (process) => ({ ...own, ...(played ??= this.#performed(troupers, process)) }),
      appended: (count) => this.#appended(count),
    });
  }

  #performed({ agents, tools }: Awaited<ReturnType<typeof troupersOf>>, process: VirtualProcess) {
    const systemOf = () => process.troupe?.system;
    const places = newPlaces(
      (id) => systemOf()?.run(id),
      (execId) => systemOf()?.homeOf(execId),
    );
    const stage: Stage = {
      process,
      placeOf(execId, attempt) {
        const run = systemOf()?.homeOf(execId) ?? execId;
        const call = systemOf()?.run(run)?.executions.get(execId);
        return places.placeOf(run, call?.parents.task ?? { id: call?.id ?? "", exec_id: execId }, attempt);
      },
      plannedAt: planOf(this.#faults.calls ?? {}),
      called: (call) => void this.#calls.push(call),
      complain: (error) => void this.#complaints.push(error),
    };
    return {
      agents: agents.map((one) => performed("agent", one, stage)),
      tools: tools.map((one) => performed("tool", one, stage)),
    };
  }

  // ── what a test does ──

  /** Begins a run; it does what it can do at once before this resolves. */
  async start(...[input]: Input<I>): Promise<SimulatedRun<OutputOf<O>>> {
    const key = { idempotencyKey: `simulation/${(this.#said += 1)}` };
    const isFirst = this.#first === undefined;
    let run: SimulatedRun<OutputOf<O>> | undefined;
    // A start that a crash took back is made again, as a client would that had no answer.
    while (!run || !this.#process.disk.rows.has(run.execId)) {
      const troupe = await this.#up();
      run = new SimulatedRun(troupe.start(this.#workflow, input === undefined ? {} : input, key).execId, this);
      if (!this.#first) this.#arrange();
      if (isFirst) this.#first = run;
      await this.settle();
    }
    return run;
  }

  /** Lets so much time pass, and everything happen that is due in it. */
  async advance(duration: Duration): Promise<void> {
    const ms = durationOf(duration, "advance", (_field, message) => {
      throw new TroupeError("VALIDATION_FAILED", `advance: ${message}`);
    });
    await this.#process.passTo(this.#process.now() + ms);
    this.#complain();
  }

  /** Lets everything happen that happens now. */
  async settle(): Promise<void> {
    await this.#process.settle();
    this.#complain();
  }

  /** The process dies, as by `kill -9`, and is back after a while: at once, if it is not said. */
  async crash({ downFor = 0 }: { downFor?: Duration } = {}): Promise<void> {
    const downMs = durationOf(downFor, "downFor", (_field, message) => {
      throw new TroupeError("VALIDATION_FAILED", `downFor: ${message}`);
    });
    this.#process.crash({}, downMs);
    await this.settle();
  }

  /** The time in it, in milliseconds since 1970. */
  get now(): number {
    return this.#process.now();
  }
  /** How often the process has begun. */
  get lives(): number {
    return this.#process.lives;
  }
  /** The calls of an agent or tool, or of all of them, in their order. */
  calls(id?: string): readonly Call[] {
    return id === undefined ? this.#calls : this.#calls.filter((call) => call.id === id);
  }
  /** The troupe itself, for whatever is not here; none while the process is down. What it promises needs `settle`. */
  get troupe(): Troupe | undefined {
    return this.#process.troupe;
  }

  // ── for its runs ──

  /** How an execution stands, as it is on disk. */
  rowOf(execId: string): { status: string; id: string } | undefined {
    return this.#process.disk.rows.get(execId);
  }

  /** Asks the troupe for something, and lets happen what has to for an answer; again, if the process dies meanwhile. */
  async ask<T>(question: (troupe: Troupe, key: string) => Promise<T>): Promise<T> {
    const key = `simulation/${(this.#said += 1)}`;
    for (;;) {
      const troupe = await this.#up();
      const outcome = { is: "open" as "open" | "well" | "bad" };
      const answer = question(troupe, key);
      answer.then(
        () => (outcome.is = "well"),
        () => (outcome.is = "bad"),
      );
      await this.settle();
      while (outcome.is === "open" && this.#process.troupe === troupe) {
        this.#process.leap(this.#process.nextAlarm());
        await this.settle();
      }
      if (outcome.is !== "open") return answer;
    }
  }

  /** Lets time pass until the run has ended. */
  async ended<R>(execId: string): Promise<End<R>> {
    const until = this.now + horizonMs;
    for (let moments = 0; ; moments++) {
      await this.settle();
      if (isTerminal(this.rowOf(execId)?.status ?? "")) break;
      const due = this.#process.nextDue();
      if (due > until || moments > momentsMax) throw this.#stuck(execId);
      this.#process.leap(due);
    }
    return this.ask((troupe) => troupe.result(execId) as Promise<End<R>>);
  }

  async history(execId: string): Promise<JournalLine[]> {
    return this.ask(async (troupe) => {
      const lines: JournalLine[] = [];
      for (let page = await troupe.history(execId); page.length > 0;) {
        lines.push(...page);
        page = await troupe.history(execId, { fromLine: (page.at(-1)?.line ?? 0) + 1 });
      }
      return lines;
    });
  }

  // ── what happens by itself ──

  async #up(): Promise<Troupe> {
    for (;;) {
      await this.settle();
      const { troupe } = this.#process;
      if (troupe) return troupe;
      this.#process.leap(this.#process.nextDue());
    }
  }

  #arrange(): void {
    for (const one of this.#faults.disturbances ?? []) {
      if ("ms" in one) this.#process.later(one.ms, () => this.#disturb(one), false);
    }
  }

  #appended(count: number): ReturnType<typeof crashAt> {
    const { disturbances = [] } = this.#faults;
    for (const one of disturbances) {
      if (one.do !== "crash" && "append" in one && one.append === count) {
        this.#process.later(0, () => this.#disturb(one), false);
      }
    }
    return crashAt(this.#faults, count);
  }

  #disturb(one: Disturbance): void {
    const run = this.#first?.execId ?? "";
    const { troupe } = this.#process;
    if (one.do === "crash") {
      const { left, downMs } = crashOf(one);
      return this.#process.crash(left, downMs);
    }
    if (one.do === "jump") return this.#process.jump(one.byMs);
    // Of a run that has ended nothing is disturbed any more, and of a process that is down nobody hears.
    if (!troupe || isTerminal(this.rowOf(run)?.status ?? "CANCELED")) return;
    if (one.do === "cancel") return this.#told(troupe.cancel(run, "a person changed their mind"));
    if (one.do === "signal") return this.#told(troupe.signal(run, one.name, one.payload));
    this.#told(troupe.pause(run, "a person looks at it"));
    this.#process.later(one.forMs, () => this.#resume(run), false);
  }
  #resume(run: string): void {
    const { troupe } = this.#process;
    // Whoever finds nobody comes back.
    if (!troupe)
      return void this.#process.later(this.#process.nextDue() - this.now + 1, () => this.#resume(run), false);
    if (!isTerminal(this.rowOf(run)?.status ?? "CANCELED")) this.#told(troupe.resume(run));
  }
  /** What a disturbance is answered is for nobody: a run that has ended meanwhile refuses it. */
  #told(answer: Promise<unknown>): void {
    answer.catch((error: unknown) => {
      if (fromUnknown(error).code !== "INVALID_STATE") this.#complaints.push(error);
    });
  }

  #complain(): void {
    const [first] = this.#complaints;
    if (first !== undefined) throw first;
  }

  #stuck(execId: string): TroupeError {
    const why = this.#process.troupe?.why(execId) ?? "the process is down";
    const message = `'${execId}' does not end by itself: ${why}; signal, answer, resume or cancel it`;
    return new TroupeError("INVALID_STATE", message, { exec_id: execId });
  }
}
