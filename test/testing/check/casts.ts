// Small projects that the tests of the search play.

import type { WorkflowSpec } from "../../../src/language/spec.ts";
import { isObject } from "../../../src/protocol/json.ts";
import { type Company, prepareCast } from "../../../src/testing/check/cast.ts";
import type { Dice } from "../../../src/testing/simulation/dice.ts";
import { agents, tools, workflowOf } from "../../../src/testing/simulation/draw-workflow.ts";
import type { Cast, Disturbance, Outcome, Played, Trial } from "../../../src/testing/check/trial.ts";

const answer = {
  type: "object",
  properties: { n: { type: "integer" }, ok: { type: "boolean" } },
  required: ["n", "ok"],
} as const;

/** Five calls, one after the other: one is tried twice, and the failure of one is passed over. */
export const five: WorkflowSpec = {
  id: "five",
  input: { type: "object", properties: { n: { type: "integer", minimum: 0, maximum: 9 } }, required: ["n"] },
  tasks: [
    { id: "look", type: "tool", tool: "saw", with: { n: "${{ input.n }}" }, next: "think" },
    { id: "think", type: "agent", agent: "ann", with: { n: "${{ tasks.look.output.n }}" }, next: "charge" },
    { id: "charge", type: "tool", tool: "saw", retry: { max_attempts: 2 }, next: "tell" },
    { id: "tell", type: "agent", agent: "ann", next: "close", on_error: "close" },
    { id: "close", type: "tool", tool: "saw" },
  ],
};

/** A wait for a signal of its own, an approval, a route, items, branches, a child, and something to undo. */
export const varied: WorkflowSpec = {
  id: "varied",
  timeout: "2d",
  tasks: [
    { id: "book", type: "tool", tool: "saw", next: "wait", undo: [{ id: "unbook", type: "tool", tool: "saw" }] },
    {
      id: "wait",
      type: "wait",
      wait: { signal: "paid", match: "${{ signal.payload.order == input.order }}" },
      timeout: "1h",
      next: "ask",
    },
    { id: "ask", type: "wait", wait: { approval: "go on?" }, timeout: "1h", next: "pick" },
    { id: "pick", type: "route", cases: [{ when: "${{ tasks.ask.output.approved }}", next: "all" }], default: "end" },
    {
      id: "all",
      type: "each",
      items: "${{ input.items }}",
      max_concurrency: 2,
      do: [{ id: "fetch", type: "tool", tool: "saw", with: { item: "${{ item.id }}" } }],
      next: "both",
    },
    {
      id: "both",
      type: "parallel",
      strategy: "best_effort",
      branches: {
        left: [{ id: "left", type: "agent", agent: "ann" }],
        right: [{ id: "right", type: "workflow", workflow: "child", with: { n: 1 } }],
      },
      next: "end",
    },
    { id: "end", type: "tool", tool: "saw" },
  ],
};
const child: WorkflowSpec = { id: "child", tasks: [{ id: "work", type: "tool", tool: "saw" }] };

export const cast: Cast = {
  workflows: [five, varied, child],
  agents: [{ id: "ann", output: answer }],
  tools: [{ id: "saw", output: answer }],
};
export const company = prepareCast(cast);

const variedInput = { order: "A-1", items: [{ id: 1 }, { id: 2 }] };

type Otherwise = { calls?: Record<string, Outcome>; disturbances?: Disturbance[]; seed?: number };
export const trialOf = (workflow: string, { calls = {}, disturbances = [], seed = 1 }: Otherwise = {}): Trial => ({
  workflow,
  seed,
  input: workflow === "varied" ? variedInput : { n: 1 },
  calls,
  disturbances,
});

/** Everything that can be told of what was played, as text. */
export const toldOf = ({ lines, calls, status, transitions, unmet, open }: Played): string =>
  JSON.stringify([lines, calls, status, transitions, unmet, open]);
export const placesIn = ({ calls }: Played): string[] => calls.map(({ place }) => place);

const names = ["first", "second", "third"] as const;
export const drawnInput = { n: 1, flag: true, other: "x", items: [1, 2] };
/** Without what is drawn anew in each run: how long exactly somebody waits before trying again. */
function steady(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(steady);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, key === "jitter" ? 0 : steady(one)]));
}
/** Workflows by chance, which let everything begin at once; the first may call the others. */
export function drawn(dice: Dice, isSteady = false): Company {
  const workflows = names.map((id, index): WorkflowSpec => {
    const others = names.slice(index + 1);
    const { concurrency: _c, rate: _r, priority: _p, fair_by: _f, ...spec } = workflowOf(dice, id, others, false);
    return spec;
  });
  return prepareCast({
    workflows: isSteady ? (steady(workflows) as WorkflowSpec[]) : workflows,
    agents: agents.map((id) => ({ id })),
    tools: tools.map((id) => ({ id })),
  });
}
