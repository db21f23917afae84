// A crash at any append changes nothing of what is undone, or in which order.
//
// Method: workflows that end badly after they have done something, on a disk in memory, each killed after each of its
// appends in turn, with the last one written or lost; then again in the life after that.

import { describe, expect, test } from "vitest";
import type { TaskSpec, WorkflowSpec } from "../../src/language/spec.ts";
import { isTerminal } from "../../src/protocol/statuses.ts";
import { type Bed, type Death, endingsOf, linesOf, makeBed, playThrough, standing } from "./recovery-bed.ts";

const undo = (of: string): { undo: TaskSpec[] } => ({
  undo: [
    { id: `${of}_back`, type: "tool", tool: "look", with: { of: `\${{ tasks.${of}.output }}` }, next: `${of}_told` },
    { id: `${of}_told`, type: "agent", agent: "clerk", with: { why: "${{ error.code }}" } },
  ],
});
const one: TaskSpec = { id: "one", type: "agent", agent: "clerk", next: "two", ...undo("one") };
const items: TaskSpec = {
  id: "two",
  type: "each",
  items: "${{ [1, 2] }}",
  do: [{ id: "item", type: "tool", tool: "look", with: { n: "${{ item }}" }, ...undo("item") }],
};

/** Each ends badly in another way. */
const company: readonly WorkflowSpec[] = [
  { id: "failing", tasks: [one, { ...items, next: "last" }, { id: "last", type: "agent", agent: "cynic" }] },
  {
    id: "late",
    timeout: "1h",
    tasks: [one, { id: "two", type: "wait", wait: { signal: "never" }, timeout: "2h" }],
  },
  { id: "canceled", tasks: [one, { id: "two", type: "agent", agent: "sleeper", timeout: "1h" }] },
  {
    id: "spent",
    budget: { tokens: 5 },
    tasks: [one, { id: "two", type: "agent", agent: "billed", next: "two" }],
  },
];

/** What was begun to undo something, in order. */
const undone = ({ disk }: Bed): string[] =>
  linesOf(disk)
    .filter(({ type }) => type === "event:TaskScheduled")
    .map(({ envelope }) => (envelope["task"] as { id: string }).id)
    .filter((id) => /_(?:back|told)$/.test(id));

const lastWords = ({ disk }: Bed): unknown[] =>
  linesOf(disk)
    .filter(({ type }) => /^event:WorkflowExecution(?:Failed|TimedOut|Canceled)$/.test(type))
    .map(({ envelope }) => (envelope["payload"] as { context: { undo: unknown; usage: unknown } }).context)
    .map(({ undo: words, usage }) => ({ words, usage }));

function isWhole(bed: Bed): void {
  for (const { entity, execId, status } of bed.disk.rows.values()) {
    if (entity !== "agent_runtime") expect(isTerminal(status), `${entity} ${execId} is ${status}`).toBe(true);
  }
  expect([...endingsOf(bed.disk).values()].filter(({ applied, all }) => applied !== 1 || all !== 1)).toEqual([]);
  expect(bed.logged).toEqual([]);
}

async function played(id: string, deaths: readonly Death[]) {
  const bed = makeBed({ workflows: company });
  const life = await playThrough(bed, [id], deaths);
  isWhole(bed);
  return { standing: standing(bed.disk), undone: undone(bed), words: lastWords(bed), appends: life.appends() };
}

describe.each(company.map(({ id }) => id))("a workflow '%s'", (id) => {
  test("J1: undoes the same in the same order, whichever of its appends the process dies at", async () => {
    const { appends, ...calm } = await played(id, []);
    expect(calm.undone.slice(-2)).toEqual(["one_back", "one_told"]);
    for (let append = 1; append <= appends; append++) {
      for (const isWritten of [false, true]) {
        expect(await played(id, [{ append, isWritten }]), `at append ${append}`).toMatchObject(calm);
      }
      const again = { append: Math.ceil(appends / 2), isWritten: append % 2 === 0 };
      expect(await played(id, [again, { append, isWritten: true }]), `twice, at ${append}`).toMatchObject(calm);
    }
  });
});
