// Any workflow that the language can say, nested and of every kind of task: for what must hold for all of them.
//
// Ids are unique, targets exist, and every task can be reached, as loading sees to. What is written in texts is meant
// to trip whoever prints it.

import fc, { type GeneratorValue } from "fast-check";
import { waysOf } from "../../src/language/draw.ts";
import type { TaskSpec, Value, WaitSpec, WorkflowSpec } from "../../src/language/spec.ts";

const depthMax = 3;
const kinds = ["agent", "tool", "workflow", "signal", "wait", "route", "parallel", "each"] as const;
const strategies = ["all", "fail_fast", "best_effort", "race"] as const;
const oddIds = ["end", "state", "a-b", "a_b", "__proto__", "constructor", "toString", "0", "note", "-", "class", "x_"];
const oddTexts = ['say "no"; then', "a<b>c</b> & d::e:", "${{ input.x > 3 && input.y < 4 }}", "**a** _b_ `c` %% #35;"];

export function anyWorkflow(gen: GeneratorValue): WorkflowSpec {
  let count = 0;
  const odd = gen(fc.shuffledSubarray, oddIds);
  const chance = (percent: number): boolean => gen(fc.integer, { min: 0, max: 99 }) < percent;
  const pick = <Item>(items: readonly Item[]): Item => items[gen(fc.nat, { max: items.length - 1 })] as Item;
  const text = (): string => (chance(30) ? gen(fc.string) : pick(oddTexts));
  const value = (): Value => (chance(10) ? ({ input }) => input : text());
  const newId = (): string => (chance(30) ? odd.pop() : undefined) ?? `task${(count += 1)}`;

  function block(depth: number, isUndo = false): TaskSpec[] {
    const ids = Array.from({ length: gen(fc.integer, { min: 1, max: 3 }) }, newId);
    return reachable(ids.map((id) => task(id, ids, depth, isUndo)));
  }

  function task(id: string, ids: readonly string[], depth: number, isUndo: boolean): TaskSpec {
    const kind = pick(depth < depthMax ? kinds : kinds.slice(0, 6));
    const target = (): string => pick(ids);
    const codes = (): { codes?: string[] } => (chance(60) ? { codes: ["CARD_DECLINED", "TOOL_ERROR"] } : {});
    return {
      id,
      ...own(kind, target, depth, isUndo),
      ...(kind !== "route" && chance(60) && { next: target() }),
      ...(chance(20) && { on_error: target() }),
      ...(chance(20) && { on_error: [{ ...codes(), next: target() }, { next: target() }] }),
      ...(chance(20) && { timeout: "30s" }),
      ...(chance(10) && { total_timeout: 90_000, heartbeat: "1s" }),
      ...(chance(20) && { retry: { max_attempts: 3 } }),
      ...(chance(10) && { pause_before: text() }),
      ...(chance(20) && !isUndo && depth < depthMax && { undo: block(depth + 1, true) }),
    } as TaskSpec;
  }

  function own(kind: TaskSpec["type"], target: () => string, depth: number, isUndo: boolean) {
    const manner = chance(50) ? { strategy: pick(strategies), max_concurrency: 2 } : {};
    const inner = (): TaskSpec[] => block(depth + 1, isUndo);
    switch (kind) {
      case "agent":
        return { type: kind, agent: "judge", ...(chance(30) && { action: "weigh" }) };
      case "tool":
        return { type: kind, tool: "pay" };
      case "workflow":
        return { type: kind, workflow: "other", ...(chance(30) && { detached: true }) };
      case "signal":
        return { type: kind, signal: "paid", ...(chance(50) && { to: value() }) };
      case "wait":
        return { type: kind, wait: waiting() };
      case "route": {
        const cases = [{ when: value(), next: target() }, ...(chance(50) ? [{ when: value(), next: target() }] : [])];
        return { type: kind, cases, ...(chance(50) && { default: target() }) };
      }
      case "parallel":
        return { type: kind, branches: { left: inner(), ...(chance(70) && { ["__proto__"]: inner() }) }, ...manner };
      case "each":
        return { type: kind, items: value(), do: inner(), ...manner };
    }
  }

  const waiting = (): WaitSpec =>
    pick([{ signal: "clicked", match: value() }, { approval: text() }, { duration: 1_500 }, { until: value() }]);

  const tasks = block(0);
  return {
    id: "any",
    ...(chance(50) && { name: text(), description: text() }),
    tasks,
    ...(chance(30) && { triggers: [{ type: "schedule" as const, cron: "0 6 * * 1", timezone: "Europe/Paris" }] }),
  };
}

/** An error of the entry leads to whatever nothing else leads to. */
function reachable(block: TaskSpec[]): TaskSpec[] {
  const [entry, ...others] = block;
  if (entry === undefined) return block;
  const reached = new Set<string>();
  const follow = (id: string): void => {
    if (reached.has(id)) return;
    reached.add(id);
    for (const { to } of block.filter((task) => task.id === id).flatMap(waysOf)) if (to !== undefined) follow(to);
  };
  follow(entry.id);
  const added: { codes: string[]; next: string }[] = [];
  for (const { id } of others) {
    if (reached.has(id)) continue;
    added.push({ codes: [`LOST_${added.length}`], next: id });
    follow(id);
  }
  if (added.length === 0) return block;
  const before = typeof entry.on_error === "string" ? [{ next: entry.on_error }] : (entry.on_error ?? []);
  return [{ ...entry, on_error: [...added, ...before] }, ...others];
}
