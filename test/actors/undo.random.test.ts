// Goal: whatever a workflow looks like and however it ends, what is undone is what it has done, in reverse; and a fork
// does what its source did.
// Method: random small workflows, nested, with tools that take random times, ended in every way; the journal tells what
// succeeded, the tools what was taken back.

import fc from "fast-check";
import { expect, test } from "vitest";
import type { JournalLine } from "../../src/actors/record.ts";
import type { Strategy, TaskSpec, WorkflowSpec } from "../../src/language/spec.ts";
import type { Troupe } from "../../src/runtime/troupe.ts";
import type { Options } from "../../src/runtime/options.ts";
import type { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { newClock, openBed, second, settled } from "../runtime/bed.ts";

/** A random block: what its tasks are, before they have ids. */
type Shape =
  | { is: "does"; ms: number; undo: boolean; retry: boolean }
  | { is: "fails"; ms: number }
  | { is: "parallel" | "each"; strategy: Strategy; width: number; blocks: Shape[][] };

const ms = fc.constantFrom(0, 0, 1_000, 3_000);
const leaf: fc.Arbitrary<Shape> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ is: fc.constant("does" as const), ms, undo: fc.boolean(), retry: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ is: fc.constant("fails" as const), ms }) },
);
const strategy = fc.constantFrom<Strategy>("all", "fail_fast", "best_effort", "race");
const { block } = fc.letrec<{ block: Shape[]; shape: Shape; container: Shape }>((tie) => ({
  block: fc.array(tie("shape"), { minLength: 1, maxLength: 2 }),
  shape: fc.oneof({ maxDepth: 2, withCrossShrink: true }, leaf, tie("container")),
  container: fc.record({
    is: fc.constantFrom("parallel", "each"),
    strategy,
    width: fc.integer({ min: 1, max: 3 }),
    blocks: fc.array(tie("block"), { minLength: 1, maxLength: 3 }),
  }),
}));

function made(shapes: readonly Shape[], at: string): TaskSpec[] {
  const ids = shapes.map((_, index) => `${at}_${index}`);
  return shapes.map((shape, index): TaskSpec => {
    const id = ids[index] ?? "";
    const next = ids[index + 1] === undefined ? {} : { next: ids[index + 1] };
    const common = { id, ...(next as { next: string }) };
    if (shape.is === "fails") return { ...common, type: "tool", tool: "fail", with: { ms: shape.ms } };
    if (shape.is === "does") {
      const back: TaskSpec = { id: `${id}_b`, type: "tool", tool: "back", with: { n: `\${{ tasks.${id}.output.n }}` } };
      const retry = { retry: { max_attempts: 2, backoff: { initial: "1s" } } };
      const rest = { ...(shape.undo && { undo: [back] }), ...(shape.retry && retry) };
      return { ...common, type: "tool", tool: "do", with: { ms: shape.ms, retry: shape.retry }, ...rest };
    }
    const { strategy: how, width: max_concurrency, blocks } = shape;
    if (shape.is === "each") {
      const items = `\${{ ${JSON.stringify(blocks.map((_, n) => n))} }}`;
      return { ...common, type: "each", items, strategy: how, max_concurrency, do: made(blocks[0] ?? [], `${id}e`) };
    }
    const branches = Object.fromEntries(blocks.map((inner, n) => [`b${n}`, made(inner, `${id}p${n}`)]));
    return { ...common, type: "parallel", strategy: how, max_concurrency, branches };
  });
}

type Given = { ms?: number; retry?: boolean; n?: number };

/** Tools that take their time: `do` counts its calls, and fails at first if it is tried again. */
function toolsOn(clock: VirtualClock, undone: number[], unable: number) {
  let count = 0;
  const later = (after: number): Promise<void> =>
    after === 0 ? Promise.resolve() : new Promise((resolve) => clock.alarm(clock.now() + after, resolve));
  const fail = (): never => {
    throw new Error("no");
  };
  return [
    {
      id: "do",
      handler: async (input: Given, { attempt }: { attempt: number }) => {
        await later(input.ms ?? 0);
        if (input.retry && attempt === 1) fail();
        return { n: (count += 1) };
      },
    },
    { id: "fail", handler: async (input: Given) => later(input.ms ?? 0).then(fail) },
    {
      id: "back",
      handler: (input: Given) => {
        undone.push(input.n ?? 0);
        return input.n === unable ? fail() : {};
      },
    },
  ] as unknown as NonNullable<Options["tools"]>;
}

const payloadOf = ({ envelope }: JournalLine) =>
  envelope["payload"] as {
    context: { undo?: { done: number; failed: unknown[] } };
    result?: { output?: { n?: number } };
  };

/** What succeeded, of the tasks that can be undone. */
const doneIn = (lines: readonly JournalLine[], undoable: ReadonlySet<string>): number[] =>
  lines
    .filter(({ type, disposition }) => type === "event:TaskExecutionSuccess" && disposition === "applied")
    .filter(({ envelope }) => undoable.has((envelope["task"] as { id: string }).id))
    .map((line) => payloadOf(line).result?.output?.n ?? 0);

async function allOf(t: Troupe, execId: string): Promise<JournalLine[]> {
  const lines: JournalLine[] = [];
  for (let page = await t.history(execId); page.length > 0;) {
    lines.push(...page);
    page = await t.history(execId, { fromLine: (page.at(-1)?.line ?? 0) + 1 });
  }
  return lines;
}

function undoableIn(tasks: readonly TaskSpec[]): string[] {
  return tasks.flatMap((task) => [
    ...(task.undo ? [task.id] : []),
    ...(task.type === "each" ? undoableIn(task.do) : []),
    ...(task.type === "parallel" ? Object.values(task.branches).flatMap(undoableIn) : []),
  ]);
}

const plays = fc.record({
  shapes: block,
  end: fc.constantFrom("fails", "is canceled", "is late", "as it does"),
  afterMs: fc.integer({ min: 0, max: 12_000 }),
  unable: fc.integer({ min: 1, max: 30 }),
});

test("I14: what is undone is what was done, in reverse, however it ends", async () => {
  const ends = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(plays, async ({ shapes, end, afterMs, unable }) => {
      const tasks = made([...shapes, ...(end === "fails" ? [{ is: "fails", ms: 0 } as const] : [])], "t");
      const timeout = end === "is late" ? { timeout: Math.max(1, afterMs) } : {};
      const spec: WorkflowSpec = { id: "w", tasks, ...timeout };
      const undone: number[] = [];
      const clock = newClock();
      const { t, pass } = await openBed({ clock, workflows: [spec], tools: toolsOn(clock, undone, unable) });
      const { execId, result } = t.start("w");
      await settled();
      await pass(afterMs);
      if (end === "is canceled") t.cancel(execId).catch(() => undefined);
      await pass(100 * second);
      const { status } = await result();
      ends.set(status, (ends.get(status) ?? 0) + 1);
      const lines = await allOf(t, execId);
      const done = doneIn(lines, new Set(undoableIn(tasks)));
      expect(undone).toEqual(status === "SUCCESS" ? [] : done.toReversed());
      const { undo } = payloadOf(
        lines.findLast(({ type }) => type.startsWith("event:WorkflowExecution")) as JournalLine,
      ).context;
      if (undo)
        expect([undo.done, undo.failed.length]).toEqual([
          undone.length - undo.failed.length,
          undone.includes(unable) ? 1 : 0,
        ]);
      else expect(undone).toEqual([]);
      expect(t.stats()).toMatchObject({ awake: 0, asleep: 0, parked: 0 });
      await t.stop();
    }),
    { numRuns: 80 },
  );
  // Every way to end was among them.
  expect([...ends.keys()].sort()).toEqual(["CANCELED", "FAILED", "SUCCESS", "TIMED_OUT"]);
});

test("I16: a fork at any task does what its source did from there", async () => {
  // What a task is given tells what it saw.
  const seen = fc.record({
    links: fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 2, maxLength: 6 }),
    fails: fc.integer({ min: 0, max: 5 }),
    at: fc.nat({ max: 20 }),
  });
  await fc.assert(
    fc.asyncProperty(seen, async ({ links, fails, at }) => {
      const tasks = links.map((link, index): TaskSpec => {
        const before =
          index === 0 ? "${{ input.n }}" : `\${{ default(tasks.t${Math.min(link, index - 1)}.output.n, -1) }}`;
        const isBad = index === fails && index + 1 < links.length;
        return {
          id: `t${index}`,
          type: "tool",
          tool: isBad ? "bad" : "add",
          with: { n: before, ...(index > 0 && index - 1 === fails && { error: "${{ error.code }}" }) },
          ...(index + 1 < links.length && (isBad ? { on_error: `t${index + 1}` } : { next: `t${index + 1}` })),
        };
      });
      const calls: unknown[] = [];
      const add = (input: unknown): unknown => {
        calls.push(input);
        return { n: ((input as Given).n ?? 0) + 1 };
      };
      const bad = (): never => {
        throw new Error("no");
      };
      const tools = [
        { id: "add", handler: add },
        { id: "bad", handler: bad },
      ] as NonNullable<Options["tools"]>;
      const { t } = await openBed({ workflows: [{ id: "w", tasks }], tools });
      const source = await t.run("w", { n: 1 });
      const inputsOf = async (execId: string): Promise<unknown[]> =>
        (await t.history(execId))
          .filter(({ type }) => type === "event:TaskScheduled")
          .map(({ envelope }) => [
            (envelope["task"] as { id: string }).id,
            (envelope["payload"] as { context: { input: unknown } }).context.input,
          ]);
      const all = await inputsOf(source.execId);
      const from = at % all.length;
      const fork = await t.fork(source.execId, { from: `t${from}` });
      const { execId: _own, ...end } = await t.result(fork.execId);
      const { execId: _its, ...wanted } = source;
      expect(end).toEqual(wanted);
      expect(await inputsOf(fork.execId)).toEqual(all.slice(from));
      await t.stop();
    }),
    { numRuns: 60 },
  );
});
