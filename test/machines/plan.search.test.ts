// Goal: whatever the graph and whatever is heard, a plan keeps its invariants.
// Method: random graphs and facts, also stale, doubled and foreign ones, held against a plain model of the language;
// and a count of the lanes that a fact looks at.

import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type EndStatus, fault } from "../../src/machines/cues.ts";
import { type Begin, type Ended, type Graph, openPlan, type Plan, release } from "../../src/machines/plan.ts";
import { settle, type Step, take } from "../../src/machines/plan.ts";
import { names } from "../../src/machines/retry.ts";
import type { Outcome } from "../../src/machines/speech.ts";
import { seedOf } from "../kit/plan-walk.ts";

const numRuns = Number(process.env["TROUPE_RUNS"] ?? 1_000);

// ── graphs and facts ─────────────────────────────────────────────────────────────────────────────

const ids = ["a", "b", "c", "constructor"];
const codes = fc.option(fc.subarray(["TOOL_ERROR", "DECLINED", "TASK_TIMEOUT"]), { nil: undefined });

const blocks: fc.Arbitrary<Step[]> = fc.subarray(ids).chain((present) => {
  if (present.length === 0) return fc.constant([]);
  const id = fc.constantFrom(...present);
  const way = fc.tuple(codes, id).map(([given, next]) => ({ ...(given && { codes: given }), next }));
  const step = fc.record(
    {
      next: id,
      on_error: fc.array(way, { maxLength: 2 }),
      pause_before: fc.constant("look"),
    },
    { requiredKeys: [] },
  );
  return fc.tuple(...present.map((name) => step.map((more): Step => ({ id: name, ...more }))));
});

const graphs: fc.Arbitrary<Graph> = fc
  .record({
    strategy: fc.constantFrom("all", "fail_fast", "best_effort", "race"),
    width: fc.integer({ min: 1, max: 4 }),
    stepsMax: fc.integer({ min: 1, max: 4 }),
    blocks: fc.array(blocks, { minLength: 1, maxLength: 3 }),
    count: fc.nat({ max: 5 }),
    named: fc.boolean(),
  })
  .map(({ count, named, ...graph }) => ({
    ...graph,
    lanes: Array.from({ length: count }, (_, lane) => ({
      block: lane % graph.blocks.length,
      ...(named && { name: `branch${lane}` }),
    })),
  }));

const ends: [EndStatus, Outcome | null][] = [
  ["SUCCESS", { output: { n: 1 } }],
  ["SUCCESS", { output: { n: 2 } }],
  ["FAILED", fault("TOOL_ERROR", "refused", { cause_code: "DECLINED" })],
  ["TIMED_OUT", fault("TASK_TIMEOUT", "late")],
  ["CANCELED", null],
];

/** What happens to a plan: a task ends, an old fact comes again, a foreign one comes, a pause ends, a host restarts. */
type Act =
  | { act: "end"; pick: number; how: number; next: number | null }
  | { act: "again" | "foreign"; pick: number }
  | { act: "release" | "wait" | "restart" };

const acts: fc.Arbitrary<Act[]> = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        act: fc.constant("end" as const),
        pick: fc.nat({ max: 9 }),
        how: fc.nat({ max: ends.length - 1 }),
        next: fc.option(fc.nat({ max: 3 }), { freq: 4 }),
      }),
    },
    { weight: 3, arbitrary: fc.record({ act: fc.constant("release" as const) }) },
    {
      weight: 2,
      arbitrary: fc.record({ act: fc.constantFrom("again" as const, "foreign" as const), pick: fc.nat({ max: 9 }) }),
    },
    { weight: 1, arbitrary: fc.record({ act: fc.constantFrom("wait" as const, "restart" as const) }) },
  ),
  { maxLength: 40, size: "max" },
);

// ── a life, and what a plain reading of the language says of it ─────────────────────────────────

/** One turn: what was heard, what began, and the plan after it. */
type Turn = {
  fact: Ended | null;
  settled: boolean;
  released: boolean;
  took: boolean;
  begin: Begin[];
  pause: string | undefined;
  plan: Plan;
};

function live(graph: Graph, history: readonly Act[]): Turn[] {
  const turns: Turn[] = [];
  const facts: Ended[] = [];
  let open: Begin[] = [];
  let plan = openPlan(graph);
  const turn = (act: Act | null): void => {
    let fact: Ended | null = null;
    const before = plan;
    if (act?.act === "end" && open.length > 0) {
      const begin = open[act.pick % open.length] as Begin;
      const [status, result] = ends[act.how] as (typeof ends)[number];
      const block = graph.blocks[graph.lanes[begin.lane]?.block ?? 0] ?? [];
      const next = act.next === null ? undefined : block[act.next % block.length]?.id;
      fact = { ...begin, status, result, ...(next !== undefined && { next }) };
      facts.push(fact);
    } else if (act?.act === "again" && facts.length > 0) {
      fact = facts[act.pick % facts.length] as Ended;
    } else if (act?.act === "foreign") {
      const task = { id: "a", exec_id: seedOf(999_999) };
      fact = { task, lane: act.pick - 2, status: "SUCCESS", result: { output: {} } };
    }
    if (fact) plan = settle(graph, plan, fact);
    const settled = plan !== before;
    if (act?.act === "release") plan = release(plan);
    if (act?.act === "restart") plan = JSON.parse(JSON.stringify(plan)) as Plan;
    const taken = act?.act === "wait" ? { plan, begin: [] } : take(graph, plan, seedOf(turns.length + 1));
    plan = taken.plan;
    open = [...open.filter(({ task }) => task.exec_id !== fact?.task.exec_id), ...taken.begin];
    const pause = "pause" in taken ? taken.pause : undefined;
    turns.push({
      fact,
      settled,
      released: act?.act === "release",
      took: act?.act !== "wait",
      begin: taken.begin,
      pause,
      plan,
    });
  };
  turn(null);
  for (const act of history) turn(act);
  return turns;
}

const stepOf = (graph: Graph, lane: number, id: string | undefined): Step | undefined =>
  graph.blocks[graph.lanes[lane]?.block ?? 0]?.find((step) => step.id === id);

/** A lane as the language tells it: where it may go on, or how it ended. */
type Told = { next: string } | { open: string } | { output: object } | { code: string };

/** What became of each lane after some turns. */
function tell(graph: Graph, turns: readonly Turn[]): Told[] {
  const lanes = graph.lanes.map(({ block }): Told => {
    const entry = graph.blocks[block]?.[0]?.id;
    return entry === undefined ? { output: {} } : { next: entry };
  });
  for (const { fact, settled, begin } of turns) {
    if (fact && settled) lanes[fact.lane] = follow(stepOf(graph, fact.lane, fact.task.id), fact);
    for (const { task, lane } of begin) lanes[lane] = { open: task.id };
  }
  return lanes;
}

function follow(step: Step | undefined, { status, result, next }: Ended): Told {
  if (result && "output" in result) {
    const target = next ?? step?.next;
    return target === undefined ? { output: result.output } : { next: target };
  }
  if (status === "CANCELED" || !result) return { code: "TASK_CANCELED" };
  const way = step?.on_error?.find((one) => !one.codes || names(one.codes, result.error));
  return way ? { next: way.next } : { code: result.error.code };
}

/** The verdict of a strategy, worked out from nothing but what became of the lanes, and which ended well first. */
function judge({ strategy, lanes }: Graph, told: readonly Told[], winner: number): string {
  const failed = told.flatMap((lane) => ("code" in lane ? [lane.code] : []));
  const over = told.every((lane) => "code" in lane || "output" in lane);
  if (strategy === "race" && winner >= 0) return `won by ${lanes[winner]?.name ?? winner}`;
  if (strategy === "race" && told.length === 0) return "won by null";
  if (strategy === "fail_fast" && failed.length > 0) return `failed ${failed.join()}`;
  if (!over) return "open";
  if (strategy === "race" || (strategy === "all" && failed.length > 0)) return `failed ${failed.join()}`;
  return `results ${told.map((lane) => ("output" in lane ? JSON.stringify(lane.output) : "null")).join()}`;
}

/** The same of a plan's own verdict. */
function judged({ verdict, lanes }: Plan): string {
  if (!verdict) return "open";
  if ("error" in verdict) {
    const failed = verdict.error.details?.["failed"] as { code: string }[] | undefined;
    return failed ? `failed ${failed.map(({ code }) => code).join()}` : verdict.error.code;
  }
  const { winner, results } = verdict.output;
  if (winner !== undefined) return `won by ${winner as string}`;
  const inOrder = Object.values(results as object) as (object | null)[];
  const errors = Object.keys(verdict.output["errors"] as object).length;
  if (errors !== lanes.filter(({ is }) => is === "failed").length) return "errors that nobody made";
  return `results ${inOrder.map((result) => (result ? JSON.stringify(result) : "null")).join()}`;
}

/** toEqual() says well what differs, and takes its time where nothing does. */
const expectSame = (one: unknown, other: unknown): void => {
  if (!isDeepStrictEqual(one, other)) expect(one).toEqual(other);
};

const holds = (sentence: string, property: (graph: Graph, turns: Turn[], history: Act[]) => void): void =>
  test(sentence, () => {
    fc.assert(
      fc.property(graphs, acts, (graph, history) => property(graph, live(graph, history), history)),
      { numRuns },
    );
  });

describe("in every graph and history", () => {
  holds("P1: a lane has one task at a time, and at most `width` lanes are under way", (graph, turns) => {
    turns.forEach(({ plan }, index) => {
      const story = turns.slice(0, index + 1);
      const begun = new Set(story.flatMap(({ begin }) => begin.map(({ lane }) => lane)));
      const underWay = [...begun].filter((lane) => ["ready", "open"].includes(plan.lanes[lane]?.is ?? ""));
      if (!plan.verdict) expect(underWay.length).toBeLessThanOrEqual(graph.width);
      expect(plan.open).toBe(plan.lanes.filter(({ is }) => is === "open").length);
      for (const { lane } of turns[index]?.begin ?? []) {
        const before = tell(graph, story.slice(0, -1))[lane];
        const settled = story.at(-1)?.settled && story.at(-1)?.fact?.lane === lane;
        expect(settled || (before && "next" in before)).toBe(true);
      }
    });
  });

  holds("P2: a task begins only after what leads to it, and nothing after the verdict", (graph, turns) => {
    turns.forEach(({ begin, plan, fact, settled }, index) => {
      const before = turns.slice(0, index);
      const heard = { fact, settled, released: false, took: false, begin: [], pause: undefined, plan };
      const told = tell(graph, [...before, heard]);
      for (const { task, lane } of begin) expect(told[lane]).toEqual({ next: task.id });
      if (before.at(-1)?.plan.verdict) expect(begin).toEqual([]);
    });
  });

  holds("P2: whatever can begin does, unless the width, a pause or the verdict forbids it", (graph, turns) => {
    turns.forEach(({ took, plan }, index) => {
      if (!took || plan.verdict || plan.asked !== null || plan.open >= graph.width) return;
      const idle = tell(graph, turns.slice(0, index + 1)).filter((lane) => "next" in lane);
      expect(idle).toEqual([]);
    });
  });

  holds("P3: every fact is applied once, and only while its task is open", (_graph, turns) => {
    const open = new Set<string>();
    let verdict = false;
    for (const { fact, settled, begin, plan } of turns) {
      if (fact) expect(settled).toBe(open.delete(fact.task.exec_id) && !verdict);
      for (const { task } of begin) {
        expect(open.has(task.exec_id)).toBe(false);
        open.add(task.exec_id);
      }
      verdict = plan.verdict !== null;
    }
  });

  holds("P4: the verdict is the strategy's, and comes with the fact that decides it", (graph, turns) => {
    let winner = tell(graph, []).findIndex((lane) => "output" in lane);
    turns.forEach(({ plan, fact, settled }, index) => {
      const told = tell(graph, turns.slice(0, index + 1));
      if (winner < 0 && fact && settled && "output" in (told[fact.lane] ?? {})) winner = fact.lane;
      const own = judged(plan);
      if (own !== "STEP_LIMIT") return expect(own).toBe(judge(graph, told, winner));
      const ran = new Map<string, number>();
      const begun = turns.slice(0, index + 1).flatMap(({ begin }) => begin);
      for (const { task, lane } of begun) ran.set(`${task.id}${lane}`, (ran.get(`${task.id}${lane}`) ?? 0) + 1);
      expect(Math.max(...ran.values())).toBe(graph.stepsMax);
    });
  });

  holds("P5: the same history gives the same turns, also on paper", (graph, turns, history) => {
    expectSame(live(graph, history), turns);
    const onPaper = history.flatMap((act): Act[] => [act, { act: "restart" }]);
    const told = (of: readonly Turn[]) => of.map(({ begin }) => begin.map(({ task, lane }) => `${task.id}${lane}`));
    const restarted = live(graph, onPaper);
    if (history.every(({ act }) => act !== "wait")) expectSame(told(restarted).flat(), told(turns).flat());
    expectSame(JSON.parse(JSON.stringify(turns.at(-1)?.plan)), turns.at(-1)?.plan);
  });

  holds("P6: a pause is asked for once, and until its release nothing begins", (graph, turns) => {
    let asked: number | null = null;
    const released = new Set<number>();
    for (const { begin, pause, released: isOver, plan } of turns) {
      if (isOver && asked !== null) {
        released.add(asked);
        asked = null;
      }
      if (asked !== null) expect([begin, pause]).toEqual([[], undefined]);
      for (const { task, lane } of begin) {
        const isGated = stepOf(graph, lane, task.id)?.pause_before !== undefined;
        if (isGated) expect(released.delete(lane)).toBe(true);
      }
      if (pause !== undefined) {
        asked = plan.asked ?? -1;
        expect(released.has(asked)).toBe(false);
      }
      expect(plan.asked).toBe(asked);
    }
  });
});

describe("the cost of a fact", () => {
  /** The lanes of a plan, each of which counts when it is looked at. */
  const watched = (plan: Plan, seen: { looks: number }, lanes: Iterable<number>): Plan => {
    const watching = [...plan.lanes];
    for (const lane of lanes) {
      const get = (target: object, name: string | symbol): unknown => {
        seen.looks += 1;
        return Reflect.get(target, name);
      };
      watching[lane] = new Proxy(watching[lane] as object, { get }) as Plan["lanes"][number];
    }
    return { ...plan, lanes: watching };
  };

  /** Looks at lanes per fact while some of very many lanes go on, end and give way to others. */
  function looksPerFact(count: number, width: number, strategy: Graph["strategy"]): number[] {
    const lanes = Array.from({ length: count }, () => ({ block: 0 }));
    const graph: Graph = { strategy, width, stepsMax: 9, blocks: [[{ id: "a", next: "b" }, { id: "b" }]], lanes };
    const seen = { looks: 0 };
    const first = take(graph, openPlan(graph), seedOf(1));
    let plan = watched(first.plan, seen, lanes.keys());
    const open = [...first.begin];
    return Array.from({ length: 60 }, (_, turn) => {
      seen.looks = 0;
      const begin = open.splice(turn % 7, 1)[0] as Begin;
      plan = settle(graph, plan, { ...begin, status: "SUCCESS", result: { output: {} } });
      const taken = take(graph, plan, seedOf(turn + 2));
      open.push(...taken.begin);
      const { looks } = seen;
      plan = watched(taken.plan, seen, new Set([begin.lane, ...taken.begin.map(({ lane }) => lane)]));
      return looks;
    });
  }

  test.each([
    ["all", 100],
    ["best_effort", 100],
    ["fail_fast", 100],
    ["race", 100],
    ["all", 10_000],
  ] as const)("P7: is the same in ten thousand lanes as in two hundred: %s, width %i", (strategy, width) => {
    const few = looksPerFact(200, Math.min(width, 200), strategy);
    const many = looksPerFact(10_000, width, strategy);
    expect(Math.max(...few)).toBeGreaterThan(0);
    expect(Math.max(...many)).toBeLessThanOrEqual(Math.max(...few) + 2);
  });
});
