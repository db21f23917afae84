// Goal: limits and rates hold whenever the process dies, whoever waited gets in, and nothing is left behind.
// Method: workflows, agents and tools with limits on a disk in memory, killed after each of their appends, with the
// last one written or lost, and opened again; what was said to begin and end is held against the limits.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Limits } from "../../src/actors/limits.ts";
import { journalOf } from "../../src/actors/record.ts";
import { rebuildViews } from "../../src/actors/views.ts";
import type { AgentDefinition } from "../../src/agents/agent.ts";
import type { TaskSpec, WorkflowSpec } from "../../src/language/spec.ts";
import { isTerminal } from "../../src/protocol/statuses.ts";
import { troupe } from "../../src/runtime/troupe.ts";
import { type Disk, makeDisk, openMemory } from "../../src/store/memory.ts";
import { randomFrom } from "../../src/testing/random.ts";
import { virtualClock } from "../../src/testing/virtual-clock.ts";
import type { ToolDefinition } from "../../src/tools/tool.ts";
import { settled } from "../kit/passing.ts";
import { type Death, mortal } from "./recovery-bed.ts";

const second = 1_000;
const rate = { limit: 2, per: "20s" } as const;
const perMs = 20 * second;
const byQ = "${{ input.q }}";
const pause: TaskSpec = { id: "p", type: "wait", wait: { duration: "7s" }, timeout: "1h", next: "a" };
const quick: TaskSpec = { id: "a", type: "tool", tool: "free" };

const workflows: WorkflowSpec[] = [
  { id: "limited", concurrency: { limit: 2, key: byQ }, tasks: [pause, quick] },
  { id: "rated", rate: { ...rate, key: byQ }, tasks: [quick] },
  { id: "both", rate, concurrency: { limit: 1 }, priority: byQ, fair_by: byQ, tasks: [pause, quick] },
  { id: "newest", concurrency: { limit: 1, on_limit: "cancel_oldest" }, tasks: [pause, quick] },
  { id: "only", concurrency: { limit: 1, on_limit: "skip" }, tasks: [pause, quick] },
  { id: "parent", tasks: [{ id: "c", type: "workflow", workflow: "limited", with: { q: 0 } }] },
  { id: "agent", tasks: [{ id: "a", type: "agent", agent: "one", timeout: "1h", with: { q: byQ } }] },
  { id: "agent-rated", tasks: [{ id: "a", type: "agent", agent: "few", timeout: "1h" }] },
  { id: "tool", tasks: [{ id: "a", type: "tool", tool: "one", timeout: "1h", with: { q: byQ } }] },
  { id: "tool-rated", tasks: [{ id: "a", type: "tool", tool: "few", timeout: "1h" }] },
  { id: "caller", tasks: [{ id: "a", type: "agent", agent: "caller", timeout: "1h" }] },
];

/** What holds for whom: by entity and id, per key of the input. */
const caps: Record<string, { limit?: number; isRated?: true; isKeyed?: true }> = {
  "workflow limited": { limit: 2, isKeyed: true },
  "workflow rated": { isRated: true, isKeyed: true },
  "workflow both": { limit: 1, isRated: true },
  "workflow newest": { limit: 1 },
  "workflow only": { limit: 1 },
  "agent one": { limit: 1, isKeyed: true },
  "agent few": { isRated: true },
  "tool one": { limit: 1, isKeyed: true },
  "tool few": { isRated: true },
};

type Work = { kind: string; q: unknown; at: number; isOver: boolean; life: number };

function bedOf(starts: readonly string[], seed: number, limits: Partial<Limits> = {}) {
  const disk = makeDisk();
  const works: Work[] = [];
  const begun = new Map<string, string>();
  let now = 1_790_000_000_000;
  let lives = 0;
  let appended = 0;

  async function live(death: Death | undefined): Promise<boolean> {
    lives += 1;
    const life = lives;
    const clock = virtualClock(now);
    const { store, isDead, appends } = mortal(openMemory({ disk }), death);
    const takes =
      (kind: string, ms: number) =>
      (input: unknown): Promise<unknown> =>
        new Promise((resolve) => {
          if (isDead()) return;
          const work = { kind, q: (input as { q?: unknown }).q, at: clock.now(), isOver: false, life };
          works.push(work);
          clock.alarm(clock.now() + ms, () => {
            work.isOver = true;
            resolve({ done: true });
          });
        });
    const limited = { concurrency: { limit: 1, key: byQ } };
    const tools = [
      { id: "free", handler: () => ({}) },
      { id: "one", ...limited, handler: takes("tool one", 3 * second) },
      { id: "few", rate, handler: takes("tool few", second) },
    ] as ToolDefinition[];
    const agents = [
      { id: "one", ...limited, handler: takes("agent one", 3 * second) },
      { id: "few", rate, handler: takes("agent few", second) },
      { id: "caller", handler: async (_: unknown, { tool }) => ({ got: await tool("one", { q: 0 }) }) },
    ] as AgentDefinition[];
    const random = randomFrom(seed * 1_000 + life);
    const kept = { retentionMs: 10 ** 12, ...limits };
    const it = await troupe({ store, clock, random, limits: kept, workflows, agents, tools });
    for (const [index, workflow] of starts.entries()) {
      const options = { idempotencyKey: `${index}`, labels: { key: `${index}` } };
      if (begun.has(`${index}`) || isDead()) continue;
      const { execId, accepted } = it.start(workflow, { q: index % 2 }, options);
      void accepted().then(() => isDead() || begun.set(`${index}`, execId));
    }
    const isOver = (): boolean =>
      [...disk.rows.values()].every(({ entity, status }) => entity === "agent_runtime" || isTerminal(status)) &&
      begun.size === starts.length;
    for (let turn = 0; turn < 400 && !isOver(); turn++) {
      for (let quiet = -1; quiet !== appends();) {
        quiet = appends();
        await settled();
      }
      check();
      if (isDead()) return false;
      clock.advanceTo(clock.now() + 500);
      now = clock.now();
    }
    if (isDead()) return false;
    expect(isOver(), `all have ended: ${JSON.stringify(it.stats().lines)}`).toBe(true);
    const { slots, lines, awake, asleep } = it.stats();
    // What a rate remembers stays until it is over.
    expect({ slots, awake, asleep, busy: lines.filter((line) => line.taken + line.waiting > 0) }).toEqual({
      slots: { taken: 0, waiting: 0 },
      awake: 0,
      asleep: 0,
      busy: [],
    });
    appended = appends();
    await it.stop();
    return true;
  }

  /** Of handlers: those of the newest life are all that are at work. */
  function check(): void {
    for (const [kind, { limit = Infinity, isRated, isKeyed }] of Object.entries(caps)) {
      const keys = isKeyed ? [0, 1] : [undefined];
      for (const key of keys) {
        const own = works.filter((work) => work.kind === kind && (key === undefined || work.q === key));
        const atWork = own.filter(({ isOver, life }) => !isOver && life === lives);
        expect(atWork.length, `${kind} for ${key}`).toBeLessThanOrEqual(limit);
        if (isRated) isWithinRate(own.map(({ at }) => at));
      }
    }
  }
  return { disk, live, begun, appended: () => appended };
}

function isWithinRate(times: readonly number[]): void {
  for (const [index, at] of times.entries()) {
    const within = times.slice(index).filter((other) => other < at + perMs);
    expect(within.length, JSON.stringify(times)).toBeLessThanOrEqual(rate.limit);
  }
}

/** What the log says of who began and ended when. */
function isKept({ log }: Disk): void {
  const open = new Map<string, Set<string>>();
  const times = new Map<string, number[]>();
  const places = new Map<string, string>();
  for (const { type, envelope } of log.flatMap(journalOf)) {
    const [, word = "", what = ""] = /^event:(Workflow|Agent|Tool)Execution(\w+)$/.exec(type) ?? [];
    const entity = word.toLowerCase();
    const own = envelope[entity] as { id: string; exec_id: string } | undefined;
    if (!own || own.id === undefined) continue;
    const cap = caps[`${entity} ${own.id}`];
    if (!cap || entity !== "workflow") continue;
    const { context } = envelope["payload"] as { context: { input?: { q?: number } } };
    if (what === "Started") {
      const place = `${own.id} ${cap.isKeyed ? context.input?.q : ""}`;
      places.set(own.exec_id, place);
      open.set(place, (open.get(place) ?? new Set()).add(own.exec_id));
      expect(open.get(place)?.size, place).toBeLessThanOrEqual(cap.limit ?? Infinity);
      const at = Date.parse(String(envelope.metadata["event_timestamp"]));
      times.set(place, [...(times.get(place) ?? []), at]);
      if (cap.isRated) isWithinRate(times.get(place) ?? []);
    } else if (what !== "Paused" && what !== "Resumed") open.get(places.get(own.exec_id) ?? "")?.delete(own.exec_id);
  }
}

async function playThrough(starts: readonly string[], deaths: readonly Death[], seed = 1, limits = {}) {
  const { disk, live, begun, appended } = bedOf(starts, seed, limits);
  for (const death of deaths) if (await live(death)) break;
  await live(undefined);
  expect(begun.size).toBe(starts.length);
  isKept(disk);
  return { disk, standing: standing(disk), appends: appended() };
}

const standing = ({ rows }: Disk): string[] =>
  [...rows.values()]
    .filter(({ entity }) => entity === "workflow")
    .map(({ id, status }) => `${id} ${status}`)
    .sort();

describe.each([
  ["limited", 5],
  ["rated", 6],
  ["both", 3],
  ["parent", 3],
  ["agent", 4],
  ["agent-rated", 3],
  ["tool", 4],
  ["tool-rated", 3],
  ["caller", 2],
] as const)("'%s'", (id, count) => {
  test("L5, Q1, Q2, O1, O2: keeps to its limits, and ends as it would have, whichever append it dies at", async () => {
    const starts = Array.from({ length: count }, () => id);
    const calm = await playThrough(starts, []);
    expect(calm.standing.every((one) => one.endsWith("SUCCESS"))).toBe(true);
    for (let append = 1; append <= calm.appends; append++) {
      const played = await playThrough(starts, [{ append, isWritten: append % 2 === 0 }]);
      expect(played.standing, `at append ${append}`).toEqual(calm.standing);
    }
  });
});

test.each([
  ["newest", -1],
  ["only", 0],
] as const)(
  "L4: of those that take each other's place the right one is left, whenever it dies: '%s'",
  async (id, left) => {
    const starts = [id, id, id];
    const { appends } = await playThrough(starts, []);
    for (let append = 1; append <= appends; append++) {
      const { disk, standing: stood } = await playThrough(starts, [{ append, isWritten: append % 2 === 0 }]);
      expect(stood.every((one) => one === `${id} SUCCESS` || one === `${id} CANCELED`)).toBe(true);
      const runs = [...disk.rows.values()].filter(({ entity }) => entity === "workflow");
      runs.sort((one, other) => one.createdAt - other.createdAt || (one.execId < other.execId ? -1 : 1));
      expect(runs.at(left)?.status, `at append ${append}`).toBe("SUCCESS");
    }
  },
);

describe("many at once", () => {
  const death = fc.record({ append: fc.integer({ min: 1, max: 60 }), isWritten: fc.boolean() });
  const plays = fc.record({
    starts: fc.array(fc.constantFrom(...workflows.map(({ id }) => id)), { minLength: 2, maxLength: 10 }),
    deaths: fc.array(death, { maxLength: 4 }),
    seed: fc.integer({ min: 1, max: 1_000_000 }),
    limits: fc.constantFrom({}, { concurrency: 2 }, { awakeMax: 1, idleBeforeSleepMs: 0 }),
  });

  test("random plays with random deaths keep to their limits, and their rows are those of the log", async () => {
    await fc.assert(
      fc.asyncProperty(plays, async ({ starts, deaths, seed, limits }) => {
        const { disk } = await playThrough(starts, deaths, seed, limits);
        const rows = [...disk.rows.values()];
        await rebuildViews(openMemory({ disk }));
        expect(new Set(disk.rows.values())).toEqual(new Set(rows));
      }),
      { numRuns: 40, endOnFailure: false },
    );
  });
});

describe("the checks", () => {
  test("notice one too many at once, and one too many within a time", () => {
    expect(() => isWithinRate([0, 5, perMs - 1])).toThrow();
    isWithinRate([0, 5, perMs]);
  });
});
