// Runs of many kinds and what was written of them, for tests of the page that shows them: real journals of a troupe in
// memory, in virtual time.

import { statechartOf, type StatechartDefinition } from "../../src/language/statechart.ts";
import type { WorkflowSpec } from "../../src/language/spec.ts";
import type { Line, Step } from "../../pages/execution/journal.ts";
import { virtualTroupe } from "../kit/virtual-troupe.ts";

export type Told = { lines: Line[]; steps: Step[]; definition: StatechartDefinition; execId: string };

const agent = (id: string) => ({ type: "agent", agent: "worker", with: { name: id } }) as const;

export const kinds = {
  one: { id: "one", tasks: [{ id: "only", ...agent("only") }] },
  chain: {
    id: "chain",
    tasks: [
      { id: "a", ...agent("a"), next: "b" },
      { id: "b", ...agent("b"), next: "c" },
      { id: "c", ...agent("c") },
    ],
  },
  route: {
    id: "route",
    tasks: [
      { id: "look", ...agent("look"), next: "pick" },
      {
        id: "pick",
        type: "route",
        cases: [{ when: "${{ tasks.look.output.name == 'look' }}", next: "left" }],
        default: "right",
      },
      { id: "left", ...agent("left") },
      { id: "right", ...agent("right") },
    ],
  },
  loop: {
    id: "loop",
    tasks: [
      { id: "step", ...agent("step"), next: "again" },
      {
        id: "again",
        type: "route",
        cases: [{ when: "${{ tasks.step.output.calls < 3 }}", next: "step" }],
        default: "done",
      },
      { id: "done", ...agent("done") },
    ],
  },
  retries: {
    id: "retries",
    tasks: [{ id: "shaky", ...agent("shaky"), retry: { max_attempts: 3, backoff: { initial: "1s" } } }],
  },
  fallback: {
    id: "fallback",
    tasks: [
      { id: "broken", ...agent("broken"), on_error: "mend" },
      { id: "mend", ...agent("mend") },
    ],
  },
  saga: {
    id: "saga",
    tasks: [
      { id: "book", ...agent("book"), next: "rent", undo: [{ id: "unbook", ...agent("unbook") }] },
      { id: "rent", ...agent("rent"), next: "broken", undo: [{ id: "unrent", ...agent("unrent") }] },
      { id: "broken", ...agent("broken") },
    ],
  },
  nested: {
    id: "nested",
    tasks: [
      {
        id: "both",
        type: "parallel",
        branches: {
          many: [
            {
              id: "all",
              type: "each",
              items: "${{ [1, 2, 3, 4] }}",
              max_concurrency: 2,
              do: [
                { id: "shrink", ...agent("shrink"), next: "store" },
                { id: "store", ...agent("store") },
              ],
            },
          ],
          single: [{ id: "letter", ...agent("letter") }],
        },
        next: "report",
      },
      { id: "report", ...agent("report") },
    ],
  },
  approval: {
    id: "approval",
    tasks: [
      { id: "ask", type: "wait", wait: { approval: "May it?" }, timeout: "2h", next: "act" },
      { id: "act", ...agent("act") },
    ],
  },
  failing: {
    id: "failing",
    tasks: [
      { id: "broken", ...agent("broken"), next: "never" },
      { id: "never", ...agent("never") },
    ],
  },
} as unknown as Record<string, WorkflowSpec>;

const told = new Map<string, Promise<Told>>();

/** The same run every time, made once. */
export function toldOf(kind: keyof typeof kinds): Promise<Told> {
  const known = told.get(kind) ?? make(kind);
  told.set(kind, known);
  return known;
}

async function make(kind: string): Promise<Told> {
  const spec = kinds[kind];
  if (!spec) throw new Error(`there is no run of the kind ${kind}`);
  const calls = new Map<string, number>();
  const worker = (input: unknown): unknown => {
    const { name = "" } = Object(input) as { name?: string };
    const count = (calls.get(name) ?? 0) + 1;
    calls.set(name, count);
    if (name === "broken" || (name === "shaky" && count < 3)) throw new Error(`${name} does not work`);
    return { name, calls: count };
  };
  const { troupe, pass } = await virtualTroupe({ workflows: [spec], agents: [{ id: "worker", handler: worker }] });
  const { execId } = troupe.start(spec.id, {});
  await pass(600_000);
  const lines = (await troupe.history(execId)) as unknown as Line[];
  const { steps } = await troupe.steps(execId, { limit: 10_000 });
  const shown = steps.map(({ whole: _whole, at, ...step }) => ({ ...step, at: new Date(at).toISOString() }));
  const definition = statechartOf(spec);
  await troupe.stop({ graceMs: 0 });
  return { lines, steps: shown as unknown as Step[], definition, execId };
}
