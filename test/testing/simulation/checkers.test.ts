// Every checker of the simulation catches an engine that is broken in its way.
//
// Method: a part of the engine is replaced by one with a defect, through a seam that is there anyway, and seeds are
// played until the checker complains. The sound engine, under the same seed, gives it no reason to.

import { describe, expect, test } from "vitest";
import type { AgentContext, AgentDefinition, AgentHandler } from "../../../src/agents/agent.ts";
import type { Clock } from "../../../src/actors/clock.ts";
import type { Component, Ear, Word } from "../../../src/actors/component.ts";
import { orchestrator } from "../../../src/actors/orchestrator.ts";
import type { ConcurrencySpec, TaskSpec, TriggerSpec } from "../../../src/language/spec.ts";
import type { Options, Troupe } from "../../../src/runtime/troupe.ts";
import type { Store } from "../../../src/store/store.ts";
import { scenarioOf } from "../../../src/testing/simulation/draw.ts";
import type { Finding } from "../../../src/testing/simulation/evidence.ts";
import type { Variant } from "../../../src/testing/simulation/life.ts";
import { playScenario } from "../../../src/testing/simulation/play-scenario.ts";
import type { Scenario } from "../../../src/testing/simulation/scenario.ts";

type Defect = {
  breaks: Finding["invariant"];
  what: string;
  variant?: Variant;
  /** An ear in place of another. */
  ear?: { of: Component; key: keyof Component["hears"]; instead: (ear: Ear) => Ear };
  /** What is played, if chance alone would take long to come upon it. */
  scenario?: (seed: number) => Scenario;
};

const quiet = (seed: number): Scenario => ({ ...scenarioOf(seed, { isForeign: false }), faults: [], limits: {} });
const crashing = (seed: number): Scenario => ({
  ...quiet(seed),
  commitMs: 20,
  faults: Array.from({ length: 5 }, (_, index) => ({
    do: "crash",
    append: 5 + 7 * index,
    whole: 0,
    torn: 0,
    downMs: 50,
  })),
});

const schedule: TriggerSpec = {
  type: "schedule",
  cron: "*/5 * * * * *",
  overlap: "allow",
  with: { n: 0, flag: false, other: "nobody", items: [1], due: "${{ string(now()) }}" },
};
const triggered =
  (trigger: TriggerSpec) =>
  (seed: number): Scenario => {
    const scenario = crashing(seed);
    const { id } = scenario.workflows[0] ?? { id: "first" };
    const calls = [100, 120, 140, 4_000].map((at, delivery) => ({
      at,
      do: "deliver" as const,
      path: id,
      delivery,
      n: 0,
      isSigned: true,
    }));
    return {
      ...scenario,
      workflows: scenario.workflows.map((spec, index) => (index === 0 ? { ...spec, triggers: [trigger] } : spec)),
      moves: [...scenario.moves.filter(({ do: what }) => what !== "deliver"), ...calls],
    };
  };

// ── stores ──

/** Says that something is on disk as soon as it is appended. */
function hasty(store: Store): Store {
  let tell = (_seq: number): void => undefined;
  return {
    ...store,
    append(unit) {
      store.append(unit);
      const last = unit.records.at(-1);
      if (last) queueMicrotask(() => tell(last.seq));
    },
    onCommitted(listener) {
      tell = listener;
    },
  };
}
const withoutRows = (store: Store): Store => ({
  ...store,
  append: (unit) => store.append({ ...unit, rows: unit.rows.filter(({ status }) => status !== "SUCCESS") }),
});
/** Knows no keys any more, and of what is settled only how it began. */
const oblivious = (store: Store): Store => ({
  ...store,
  key: () => undefined,
  setNote(name, value) {
    if (!name.startsWith("schedules/") || store.note(name) === undefined) store.setNote(name, value);
  },
});
/** Writes down every event as if it moved something. */
const credulous = (store: Store): Store => ({
  ...store,
  append: (unit) =>
    store.append({
      ...unit,
      records: unit.records.map((record) => {
        const body = JSON.parse(record.body) as { m: unknown[][] };
        return { ...record, body: JSON.stringify({ ...body, m: body.m.map((said) => said.slice(0, 3)) }) };
      }),
    }),
});

// ── clocks ──

/** Every so many alarms one is forgotten. */
function forgetful(clock: Clock): Clock {
  let count = 0;
  return {
    ...clock,
    alarm(at, act) {
      count += 1;
      return count % 7 === 0 ? () => undefined : clock.alarm(at, act);
    },
  };
}
const stubborn = (clock: Clock): Clock => ({
  ...clock,
  alarm(at, act) {
    clock.alarm(at, act);
    return () => undefined;
  },
});
const withoutFiveSeconds = (clock: Clock): Clock => ({
  ...clock,
  alarm: (at, act) => (at - clock.now() === 5_000 ? () => undefined : clock.alarm(at, act)),
});

// ── definitions ──

const withHandlers =
  (change: (handler: AgentHandler, options: Options) => AgentHandler) =>
  (options: Options): Options => ({
    ...options,
    agents: (options.agents ?? []).map(
      (agent) => ({ id: agent.id, handler: change(agent.handler as AgentHandler, options) }) as AgentDefinition,
    ),
  });
const twice =
  (handler: AgentHandler): AgentHandler =>
  (input, context) => {
    void Promise.resolve(handler(input, context)).catch(() => undefined);
    return handler(input, context);
  };
const late =
  (handler: AgentHandler, { clock }: Options): AgentHandler =>
  (input: unknown, context: AgentContext) =>
    new Promise((resolve) => clock?.alarm(clock.now() + 20_000, () => resolve(handler(input, context))));
const oneMoreAttempt = (options: Options): Options => ({
  ...options,
  workflows: (options.workflows ?? []).map((spec) => ({
    ...spec,
    tasks: spec.tasks.map((task) =>
      task.type === "wait" || task.type === "route"
        ? task
        : { ...task, retry: { max_attempts: (task.retry?.max_attempts ?? 1) + 1 } },
    ),
  })),
});

const everyTask = (tasks: readonly TaskSpec[], change: (task: TaskSpec) => TaskSpec): TaskSpec[] =>
  tasks.map((task) => {
    const changed = change(task);
    if (changed.type === "each") return { ...changed, do: everyTask(changed.do, change) };
    if (changed.type !== "parallel") return changed;
    const branches = Object.entries(changed.branches).map(([name, block]) => [name, everyTask(block, change)]);
    return { ...changed, branches: Object.fromEntries(branches) as typeof changed.branches };
  });
const bearing = (options: Options): Options => ({
  ...options,
  workflows: (options.workflows ?? []).map((spec) => ({
    ...spec,
    tasks: everyTask(spec.tasks, (task) =>
      task.type === "parallel" || task.type === "each" ? { ...task, strategy: "best_effort" } : task,
    ),
  })),
});
const oneMoreAtOnce = (options: Options): Options => {
  const widened = <T extends { concurrency?: ConcurrencySpec }>(one: T): T =>
    one.concurrency ? { ...one, concurrency: { ...one.concurrency, limit: one.concurrency.limit + 1 } } : one;
  return {
    ...options,
    agents: (options.agents ?? []).map(widened),
    tools: (options.tools ?? []).map(widened),
    workflows: (options.workflows ?? []).map(widened),
  };
};

// ── troupes ──

const forgetfulForks = (troupe: Troupe): Troupe => ({
  ...troupe,
  async fork(execId) {
    const again = await troupe.retry(execId);
    return { execId: again.execId, forkOf: execId };
  },
});

// ── ears ──

const deaf = (): Ear => () => undefined;
/** After what was heard, something that nobody would say now. */
const alsoSaying =
  (word: (heard: Word) => object) =>
  (ear: Ear): Ear =>
  (host, heard) => {
    ear(host, heard);
    host.say("WO", word(heard.word));
  };
const payload = (heard: Word, status: string): object => ({
  status,
  result: null,
  context: { attempt: (heard["payload"] as { context: { attempt: number } }).context.attempt },
});
const waitingEnded = ({ workflow, task, ...word }: Word): object => ({
  type: "event:TaskWaitingEnded",
  ...(workflow && { workflow }),
  task,
  payload: payload(word as Word, "RUNNING"),
});
const canceled = ({ workflow, task, ...word }: Word): object => ({
  type: "event:TaskExecutionCanceled",
  ...(workflow && { workflow }),
  task,
  payload: payload(word as Word, "CANCELED"),
});

/** What was done last is noted as if it had been done first. */
const oldestFirst =
  (ear: Ear): Ear =>
  (host, heard) => {
    const { undo } = host.run.facts;
    if (undo) host.note("undo", { ...undo, done: Object.fromEntries(Object.entries(undo.done).reverse()) });
    ear(host, heard);
  };

const succeeded = "event:TaskExecutionSuccess" as const;
const defects: readonly Defect[] = [
  { breaks: "I1", what: "a clock that forgets alarms", variant: { clock: forgetful } },
  {
    breaks: "I2",
    what: "a second end that is recorded as if it counted",
    variant: { store: credulous },
    ear: { of: orchestrator, key: succeeded, instead: alsoSaying(canceled) },
  },
  {
    breaks: "I3",
    what: "tasks that do not hear that their parent has ended",
    ear: { of: orchestrator, key: "cue:ParentEnded", instead: deaf },
  },
  { breaks: "I4", what: "handlers that begin when they like", variant: { options: withHandlers(late) } },
  { breaks: "I5", what: "rows of good ends that are not written", variant: { store: withoutRows } },
  { breaks: "I6", what: "a store that says too early what is on disk", variant: { store: hasty }, scenario: crashing },
  { breaks: "I7", what: "one attempt more than the policy allows", variant: { options: oneMoreAttempt } },
  {
    breaks: "I8",
    what: "a wait that ends and never began",
    ear: { of: orchestrator, key: "event:TaskExecutionStarted", instead: alsoSaying(waitingEnded) },
  },
  { breaks: "I9", what: "alarms that cannot be taken back", variant: { clock: stubborn } },
  { breaks: "I10", what: "handlers that are begun twice", variant: { options: withHandlers(twice) } },
  { breaks: "I11", what: "a store that says too early what is on disk", variant: { store: hasty }, scenario: crashing },
  {
    breaks: "I12",
    what: "a pause that nobody hears, and a caller that waits for ever",
    variant: { clock: withoutFiveSeconds },
    ear: { of: orchestrator, key: "command:WorkflowPause", instead: deaf },
  },
  { breaks: "I13", what: "containers that bear what they should not", variant: { options: bearing } },
  {
    breaks: "I14",
    what: "undoing that begins with the oldest",
    ear: { of: orchestrator, key: "cue:UndoWanted", instead: oldestFirst },
  },
  { breaks: "I15", what: "one at a time more than there may be", variant: { options: oneMoreAtOnce } },
  { breaks: "I16", what: "forks that begin at the beginning", variant: { troupe: forgetfulForks } },
  {
    breaks: "I17",
    what: "due times that are begun again after a crash",
    variant: { store: oblivious },
    scenario: triggered(schedule),
  },
  {
    breaks: "I17",
    what: "deliveries that are answered before they are on disk",
    variant: { store: hasty },
    scenario: triggered({ type: "webhook", path: "first" }),
  },
];

const seedsMax = 120;

async function caught({ breaks, variant = {}, ear, scenario = quiet }: Defect): Promise<number | undefined> {
  const hears = ear?.of.hears as Record<string, Ear> | undefined;
  const sound = ear && hears?.[ear.key];
  if (ear && hears && sound) hears[ear.key] = ear.instead(sound);
  try {
    for (let seed = 1; seed <= seedsMax; seed++) {
      const { findings } = await playScenario(scenario(seed), variant);
      if (findings.some(({ invariant }) => invariant === breaks)) return seed;
    }
    return undefined;
  } finally {
    if (ear && hears && sound) hears[ear.key] = sound;
  }
}

describe("the checker of", () => {
  test.each(defects)("$breaks catches $what", async (defect) => {
    const seed = await caught(defect);
    expect(seed).toBeDefined();
    const { findings } = await playScenario((defect.scenario ?? quiet)(seed ?? 0));
    expect(findings).toEqual([]);
  });

  test("every invariant has a defect that its checker catches", () => {
    const all = Array.from({ length: 17 }, (_, index) => `I${index + 1}`);
    expect([...new Set(defects.map(({ breaks }) => breaks))]).toEqual(all);
  });
});
