// The search: first everything that can be done completely, in order; then by chance, from what was new on the way.
//
//   plain ─▶ inputs ─▶ each fault alone ─▶ each disturbance of the plain run ─▶ pairs ─▶ disturbed faults ─▶ by chance
//
// Invariants:
//   E1. The same definition, seed and number of runs give the same report on any machine; time only cuts it off.
//   E2. What a report calls done completely was done completely.
//   E3. A finding's trial shows the finding when it is played again.

import { newStems, playTrial, type Stem } from "./branches.ts";
import { type Company, prepareCast } from "./cast.ts";
import { newCoverage, reachable } from "./coverage.ts";
import { allKinds, disturbancesOf, type Fault, faultsOf, isTried } from "./faults.ts";
import { comparedIn } from "./compared.ts";
import { neededInput, readsOfInput } from "./needs.ts";
import { type Branches, type Random, randomTrials } from "./random-trials.ts";
import { replayText, type Unsaid } from "./replay.ts";
import { plainOf, variantsOf } from "./shapes.ts";
import { shrink, stepsOf } from "./shrink.ts";
import { taskIn } from "./places.ts";
import type {
  Called,
  Cast,
  FaultKind,
  Finding,
  Flaw,
  Judge,
  Options,
  Part,
  Place,
  Played,
  Progress,
  Report,
  Trial,
} from "./trial.ts";
import type { WorkflowSpec } from "../../language/spec.ts";
import { TroupeError } from "../../protocol/errors.ts";

const findingsMax = 50;
/** So many draws in a row that were played before: by chance nothing new is left. */
const dryMax = 1_000;
/** Runs between two words on how far it is. */
const tellEvery = 200;

type Means = { now: () => number };

export async function search(
  cast: Cast,
  options: Options,
  judges: readonly Judge[],
  onProgress: (progress: Progress) => void = () => undefined,
  { now }: Means = { now: () => performance.now() },
): Promise<Report> {
  const company = prepareCast(cast);
  if (!company.workflows.has(options.workflow)) {
    throw new TroupeError("WORKFLOW_NOT_FOUND", `there is no workflow '${options.workflow}' to check`);
  }
  return new Search(company, options, judges, onProgress, now).run();
}

/** What a plain run is given and answered: nothing of that is said in a replay. */
export function unsaidOf(company: Company, workflow: string): Unsaid {
  const spec = company.workflows.get(workflow);
  const input = spec && plainOf(spec.input ?? neededInput(spec));
  const specs = reachable(company, workflow);
  return {
    input: input ?? {},
    answerOf(place) {
      for (const { id } of specs) {
        const task = company.taskOf(id, taskIn(place));
        if (task?.type === "agent") return company.plainAnswer("agent", task.agent);
        if (task?.type === "tool") return company.plainAnswer("tool", task.tool);
        if (task?.type === "wait") return "approval" in task.wait ? { approved: true } : {};
      }
      return {};
    },
  };
}

/** A fault, and the input with which its call was seen first. */
type FaultOf = Fault & { input: unknown };

class Search {
  readonly #company: Company;
  readonly #options: Options;
  readonly #judges: readonly Judge[];
  readonly #tell: (progress: Progress) => void;
  readonly #now: () => number;
  readonly #endsAt: number;
  readonly #kinds: ReadonlySet<FaultKind>;
  readonly #unsaid: Unsaid;
  readonly #coverage: ReturnType<typeof newCoverage>;
  readonly #stemOf: ReturnType<typeof newStems>;
  readonly #findings = new Map<string, Finding>();
  readonly #parts: Part[] = [];
  readonly #tried = new Set<string>();
  readonly #interesting: Trial[] = [];
  readonly #faultsAt = new Map<Place, { answer: unknown; faults: readonly Fault[] }>();
  #runs = 0;
  #part = "";
  #cutBy: Report["cutBy"] = null;

  constructor(
    company: Company,
    options: Options,
    judges: readonly Judge[],
    tell: (progress: Progress) => void,
    now: () => number,
  ) {
    this.#company = company;
    this.#options = options;
    this.#judges = judges;
    this.#tell = tell;
    this.#now = now;
    this.#endsAt = now() + options.timeMs;
    this.#kinds = new Set(options.faults ?? allKinds);
    this.#unsaid = unsaidOf(company, options.workflow);
    this.#coverage = newCoverage(company, options.workflow);
    this.#stemOf = newStems(company);
  }

  async run(): Promise<Report> {
    const { input } = this.#unsaid;
    const spec = this.#company.workflows.get(this.#options.workflow);
    const recorded = this.#options.inputs ?? [];
    const inputs = [...recorded, ...(spec ? inputsOf(spec, input).slice(1) : [])];
    const bases = await this.#all("inputs", [this.#plain(input), ...inputs.map((one) => this.#plain(one))]);
    const [plain] = bases;
    const faults = this.#faultsIn(bases);
    const singles = await this.#each(
      "every single fault",
      this.#byStem(bases, (base) => this.#singles(base, faults)),
    );
    if (plain) await this.#each("every disturbance of the plain run", [this.#disturbed(plain)]);
    await this.#each("pairs of faults", this.#pairs(singles));
    await this.#each(
      "every disturbance of each run with one fault",
      singles.map((one) => this.#disturbed(one)),
    );
    await this.#byChance(faults, inputs);
    return this.#report(plain);
  }

  // ── what is tried ──

  #plain(input: unknown): Trial {
    const { workflow, seed } = this.#options;
    return { workflow, seed, input, calls: {}, disturbances: [] };
  }

  /** Each fault of each call, with the first input that comes to that call. */
  #faultsIn(bases: readonly Played[]): FaultOf[] {
    const seen = new Set<string>();
    return bases.flatMap(({ calls, trial }) =>
      calls.flatMap((called) => {
        if (seen.has(called.place) || !isTried(called.place)) return [];
        seen.add(called.place);
        return this.#faultsOf(called).map((fault) => ({ ...fault, input: trial.input }));
      }),
    );
  }
  #byStem(stems: readonly Played[], branches: (stem: Played) => Trial[]): Branches[] {
    return stems.map((stem) => ({ stem: stem.trial, trials: branches(stem) }));
  }
  #singles({ trial }: Played, faults: readonly FaultOf[]): Trial[] {
    return faults
      .filter(({ input }) => input === trial.input)
      .map(({ place, outcome }) => ({ ...trial, calls: { [place]: outcome } }));
  }
  #disturbed(played: Played): Branches {
    const { trial } = played;
    const all = disturbancesOf(played, this.#kinds);
    return { stem: trial, trials: all.map((one) => ({ ...trial, disturbances: [...trial.disturbances, one] })) };
  }
  /** To each run with one fault a fault of another call: also of a call that only comes after the first fault. */
  #pairs(singles: readonly Played[]): Branches[] {
    const seen = new Set<string>();
    const numberOf = numbering();
    return this.#byStem(singles, ({ trial, calls }) => {
      const [[ownPlace, ownOutcome] = ["", undefined]] = Object.entries(trial.calls);
      const own = `${ownPlace} ${numberOf(ownOutcome)}`;
      const input = numberOf(trial.input);
      return calls.flatMap((called) => {
        if (called.place === ownPlace || !isTried(called.place)) return [];
        return this.#faultsOf(called).flatMap(({ place, outcome }) => {
          if (place === ownPlace) return [];
          const other = `${place} ${numberOf(outcome)}`;
          const key = own < other ? `${input} ${own} ${other}` : `${input} ${other} ${own}`;
          if (seen.has(key)) return [];
          seen.add(key);
          return [{ ...trial, calls: { ...trial.calls, [place]: outcome } }];
        });
      });
    });
  }
  /** The same call has the same faults in every run, as long as it would answer the same. */
  #faultsOf(called: Called): readonly Fault[] {
    const answer = "output" in called.outcome ? called.outcome.output : undefined;
    const known = this.#faultsAt.get(called.place);
    if (known && known.answer === answer) return known.faults;
    const faults = faultsOf(called, this.#company, this.#kinds);
    this.#faultsAt.set(called.place, { answer, faults });
    return faults;
  }

  // ── how it is tried ──

  #isOver(): boolean {
    const { runs } = this.#options;
    if (this.#runs >= runs) this.#cutBy ??= "runs";
    else if (this.#now() >= this.#endsAt) this.#cutBy ??= "time";
    else if (this.#findings.size >= (this.#options.findingsMax ?? findingsMax)) this.#cutBy ??= "findings";
    return this.#cutBy !== null;
  }

  #all(what: string, trials: readonly Trial[]): Promise<Played[]> {
    return this.#each(
      what,
      trials.map((trial) => ({ stem: trial, trials: [trial] })),
    );
  }

  /** One part of the search, as far as it comes; gives what was played. */
  async #each(what: string, groups: readonly Branches[]): Promise<Played[]> {
    const part = { what, done: 0, of: groups.reduce((sum, { trials }) => sum + trials.length, 0) };
    this.#parts.push(part);
    this.#part = what;
    const all: Played[] = [];
    for (const { stem, trials } of groups) {
      if (trials.length === 0) continue;
      if (this.#isOver()) return all;
      const from = trials.length > 1 ? await this.#stemOf(keyOf(stem), stem) : undefined;
      for (const trial of trials) {
        if (this.#isOver()) return all;
        const played = await this.#try(trial, from);
        if (played) all.push(played);
        part.done += 1;
      }
    }
    return all;
  }

  async #byChance(faults: readonly Fault[], inputs: readonly unknown[]): Promise<void> {
    this.#part = "by chance";
    if (this.#isOver()) return;
    const given: Random = {
      seed: this.#options.seed,
      plain: this.#plain(this.#unsaid.input),
      faults,
      inputs,
      schema: this.#company.workflows.get(this.#options.workflow)?.input,
      appendsMax: 40,
      kinds: this.#kinds,
      interesting: this.#interesting,
    };
    let dry = 0;
    for await (const { stem, trials } of randomTrials(given)) {
      const news = trials.filter((trial) => !this.#tried.has(keyOf(trial)));
      const from = news.length > 0 ? await this.#stemOf(keyOf(stem), stem) : undefined;
      dry += trials.length - news.length;
      for (const trial of news) {
        if (this.#isOver()) return;
        if (await this.#try(trial, from)) dry = 0;
      }
      if (this.#isOver() || dry >= dryMax) return;
    }
  }

  /** Plays it, unless it was played before; looks at what came of it. */
  async #try(trial: Trial, from?: Stem): Promise<Played | undefined> {
    const key = keyOf(trial);
    if (this.#tried.has(key)) return undefined;
    this.#tried.add(key);
    this.#runs += 1;
    const played = await (from ? from.branch(trial) : playTrial(this.#company, trial));
    if (this.#coverage.see(played)) this.#interesting.push(trial);
    for (const flaw of this.#flawsOf(played)) {
      const found = findingKey(flaw);
      if (!this.#findings.has(found)) this.#findings.set(found, await this.#findingOf(flaw, trial));
    }
    if (this.#runs % tellEvery === 0) this.#tellProgress();
    return played;
  }
  #flawsOf(played: Played): Flaw[] {
    return this.#judges.flatMap((judge) => [...judge(played)]);
  }

  async #findingOf(flaw: Flaw, trial: Trial): Promise<Finding> {
    const wanted = findingKey(flaw);
    let shown = flaw;
    const { trial: smallest } = await shrink(trial, this.#unsaid.input, async (smaller) => {
      // Then it is told as large as it is by now.
      if (this.#now() >= this.#endsAt) return false;
      const same = this.#flawsOf(await playTrial(this.#company, smaller)).find((one) => findingKey(one) === wanted);
      if (same) shown = same;
      return same !== undefined;
    });
    return {
      ...shown,
      trial: smallest,
      steps: stepsOf(smallest, this.#unsaid.input),
      replay: replayText(smallest, this.#unsaid),
    };
  }

  // ── what is said ──

  #tellProgress(): void {
    const faults = Object.values(this.#coverage.faults()).reduce((sum, times) => sum + times, 0);
    const { ways } = this.#coverage;
    const findings = this.#findings.size;
    this.#tell({ runs: this.#runs, part: this.#part, transitions: ways(), faults, findings });
  }

  #report(plain: Played | undefined): Report {
    const isCut = this.#parts.some(({ done, of }) => done < of);
    this.#tellProgress();
    return {
      workflow: this.#options.workflow,
      seed: this.#options.seed,
      runs: this.#runs,
      findings: [...this.#findings.values()],
      parts: this.#parts,
      covered: this.#coverage.covered(),
      faults: this.#coverage.faults(),
      unreached: this.#coverage.unreached(isCut),
      cutBy: isCut || this.#cutBy !== "runs" ? this.#cutBy : null,
      assumed: assumedOf(this.#company, this.#options.workflow, plain),
    };
  }
}

/** Within the schema, and where the expressions tip over. */
const inputsOf = (spec: WorkflowSpec, plain: unknown): unknown[] =>
  variantsOf(spec.input ?? neededInput(spec), comparedIn(plain, readsOfInput(spec)));

const findingKey = ({ id, workflow, task = "", title }: Flaw): string => `${id} ${workflow} ${task} ${title}`;

/** Gives what is the same object or value the same number. */
function numbering(): (value: unknown) => number {
  const numbers = new Map<unknown, number>();
  return (value) => {
    const known = numbers.get(value) ?? numbers.size;
    numbers.set(value, known);
    return known;
  };
}

/** The order in which faults are named makes no other trial. */
const keyOf = ({ input, calls, disturbances }: Trial): string =>
  JSON.stringify([input, Object.entries(calls).toSorted(([one], [other]) => (one < other ? -1 : 1)), disturbances]);

function assumedOf(company: Company, workflow: string, plain: Played | undefined): string[] {
  const specs = reachable(company, workflow);
  const spec = company.workflows.get(workflow);
  const silent = [...new Set((plain?.calls ?? []).filter(({ kind }) => kind !== "wait").map((one) => one))].filter(
    ({ kind, callee }) => company[kind === "agent" ? "agents" : "tools"].get(callee)?.output === undefined,
  );
  const names = [...new Set(silent.map(({ kind, callee }) => `${kind} '${callee}'`))];
  return [
    ...(spec?.input === undefined ? ["the input has no schema: what the expressions read of it was made up"] : []),
    ...(names.length > 0
      ? [`no output schema: ${names.join(", ")}; what the expressions read of their answers was made up`]
      : []),
    ...(specs.length > 1
      ? [
          `the workflows that are called are played with it: ${specs
            .slice(1)
            .map(({ id }) => id)
            .join(", ")}`,
        ]
      : []),
    "agents and tools were stood in for: what their own code does was not run",
    "of the items of one `each` the first two were tried, of the passes of a loop the first three",
    "three faults and more at once, and disturbances of pairs, were tried by chance only",
  ];
}
