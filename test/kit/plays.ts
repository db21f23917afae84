// Makes random plays: workflows of random tasks, agents and tools that do anything, and hands that meddle at any time.

import fc from "fast-check";
import { fault } from "../../src/machines/cues.ts";
import { oneAttempt } from "../../src/machines/retry.ts";
import type { Act, Play, Task } from "../../src/testing/play.ts";

const callees = ["a", "b"] as const;
const hour = 3_600_000;

const acts: fc.Arbitrary<Act> = fc.oneof(
  { weight: 4, arbitrary: fc.nat(5_000).map((afterMs) => ({ afterMs, outcome: { output: { ok: true } } })) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.nat(5_000), fc.constantFrom("AGENT_ERROR" as const, "TOOL_ERROR" as const))
      .map(([afterMs, code]): Act => ({ afterMs, outcome: fault(code, "it failed", { cause_code: "BROKEN" }) })),
  },
  { weight: 2, arbitrary: fc.constant<Act>("hangs") },
);

const retries = fc.record({ max_attempts: fc.integer({ min: 1, max: 3 }), jitter: fc.constantFrom(0, 0.5) });

type Plain = Omit<Task, "id" | "next" | "on_error">;

const calls: fc.Arbitrary<Plain> = fc
  .record({
    type: fc.constantFrom("agent" as const, "tool" as const),
    calls: fc.constantFrom(...callees, "nobody"),
    timeoutMs: fc.constantFrom(500, 3_000, 30_000),
    retry: retries,
  })
  .map(({ retry: { max_attempts, jitter }, ...task }) => ({
    ...task,
    retry: { ...oneAttempt, max_attempts, backoff: { ...oneAttempt.backoff, jitter } },
  }));

const waits: fc.Arbitrary<Plain> = fc
  .constantFrom({ signal: "go" }, { approval: "ok?" }, { duration_ms: 4_000 })
  .map((wait) => ({ type: "wait", wait, timeoutMs: 20_000 }));

const signals: fc.Arbitrary<Plain> = fc.constant({ type: "signal", signal: "go" });

const gated = (task: fc.Arbitrary<Plain>): fc.Arbitrary<Plain> =>
  fc.tuple(task, fc.nat(4)).map(([plain, chance]) => (chance === 0 ? { ...plain, pause_before: "look first" } : plain));

const simple = gated(fc.oneof({ weight: 4, arbitrary: calls }, { weight: 2, arbitrary: waits }, signals));

/** Tasks in a row, each with an error path onwards or none. */
const blockOf = (tasks: readonly Plain[], path: string, onError: readonly boolean[]): Task[] =>
  tasks.map((task, index) => {
    const next = index + 1 < tasks.length ? `${path}${index + 1}` : undefined;
    return {
      ...task,
      id: `${path}${index}`,
      ...(next !== undefined && { next }),
      ...(next !== undefined && onError[index] && { on_error: [{ next }] }),
    };
  });

const containers = (path: string): fc.Arbitrary<Plain> =>
  fc
    .record({
      strategy: fc.constantFrom("all" as const, "fail_fast" as const, "best_effort" as const, "race" as const),
      left: fc.array(simple, { minLength: 1, maxLength: 2 }),
      right: fc.array(simple, { minLength: 1, maxLength: 2 }),
      timeoutMs: fc.option(fc.constantFrom(2_000, 60_000), { nil: undefined }),
    })
    .map(({ strategy, left, right, timeoutMs }) => ({
      type: "parallel",
      strategy,
      ...(timeoutMs !== undefined && { timeoutMs }),
      branches: { left: blockOf(left, `${path}left`, []), right: blockOf(right, `${path}right`, []) },
    }));

/** Something done from outside, some time into the play. The number says to which of the candidates. */
export type Hand = {
  afterMs: number;
  does:
    | "pause"
    | "resume"
    | "cancel"
    | "signal"
    | "order again"
    | "cancel task"
    | "resume task"
    | "cancel agent"
    | "kill";
  to: number;
};

const hands: fc.Arbitrary<Hand> = fc.record({
  afterMs: fc.oneof(fc.nat(200), fc.nat(10_000), fc.nat(90_000)),
  does: fc.constantFrom(
    "pause",
    "resume",
    "resume",
    "cancel",
    "signal",
    "signal",
    "order again",
    "cancel task",
    "resume task",
    "resume task",
    "cancel agent",
    "kill",
  ),
  to: fc.nat(7),
});

export const plays: fc.Arbitrary<{ play: Play; hands: Hand[] }> = fc.record({
  play: fc
    .record({
      tasks: fc.array(fc.oneof({ weight: 3, arbitrary: simple }, containers("p"), containers("q")), {
        minLength: 1,
        maxLength: 3,
      }),
      onError: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
      timeoutMs: fc.constantFrom(1_000, 60_000, hour),
      scripts: fc.record({
        a: fc.array(acts, { minLength: 1, maxLength: 3 }),
        b: fc.array(acts, { minLength: 1, maxLength: 3 }),
      }),
      dispatcher: fc.nat(9).map((chance) => chance > 0),
      obedient: fc.boolean(),
    })
    .map(({ tasks, onError, ...play }) => ({ id: "play", tasks: unique(blockOf(tasks, "t", onError)), ...play })),
  hands: fc.array(hands, { maxLength: 6 }),
});

/** Two containers of one play may have made tasks of one name: the second's are renamed. */
function unique(tasks: Task[]): Task[] {
  const seen = new Set<string>();
  const renamed = (block: Task[], path: string): Task[] => {
    const clash = block.some(({ id }) => seen.has(id));
    const name = (id: string) => (clash ? `${path}${id}` : id);
    for (const { id } of block) seen.add(name(id));
    return block.map((task) => ({
      ...task,
      id: name(task.id),
      ...(task.next !== undefined && { next: name(task.next) }),
      ...(task.branches && {
        branches: Object.fromEntries(
          Object.entries(task.branches).map(([branch, inner]) => [branch, renamed(inner, `${name(task.id)}-`)]),
        ),
      }),
    }));
  };
  return renamed(tasks, "");
}
