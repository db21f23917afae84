// Goal: what definitions say of who may begin when is worked out the same for whoever asks.
// Method: definitions with and without; scopes with inputs of each kind.

import { expect, test } from "vitest";
import { callFlowOf, doorsOf, flowOf, hasFlow } from "../../src/actors/flow-rules.ts";
import type { Scope, WorkflowSpec } from "../../src/language/spec.ts";

const scope = (input: unknown): Scope => ({
  input,
  tasks: {},
  workflow: { id: "w", exec_id: "e", correlation_id: "c", started_at: "" },
});
const spec = (more: Partial<WorkflowSpec>): WorkflowSpec => ({ id: "w", tasks: [], ...more });

test("a definition that says nothing has nothing to be worked out", () => {
  expect(hasFlow(spec({}))).toBe(false);
  expect(hasFlow(spec({ priority: 0 }))).toBe(true);
  expect(callFlowOf({}, {})).toBeUndefined();
  expect(callFlowOf(undefined, {})).toBeUndefined();
});

test("keys are texts, whatever the input holds, and one value is one key", () => {
  const key = (value: unknown): string | null | undefined =>
    flowOf(spec({ concurrency: { limit: 1, key: "${{ input.k }}" } }), scope({ k: value })).concurrency?.key;
  expect([key("a"), key(1), key(null), key({ a: [1] }), key(true)]).toEqual(["a", "1", "null", '{"a":[1]}', "true"]);
  expect(() => key("x".repeat(257))).toThrow("concurrency.key must give a value of at most 256 characters");
  expect(key("x".repeat(256))).toHaveLength(256);
});

test("a whole rule is worked out once, as plain JSON, and its doors are named by it", () => {
  const whole = spec({
    concurrency: { limit: 3, key: "${{ input.k }}", on_limit: "skip", queue_max: 7 },
    rate: { limit: 5, per: "2m" },
    priority: "${{ input.p }}",
    fair_by: (given) => (given.input as { f: string }).f,
  });
  const flow = flowOf(whole, scope({ k: "a", p: -3, f: "x" }));
  expect(JSON.parse(JSON.stringify(flow))).toEqual({
    workflow: "w",
    concurrency: { limit: 3, key: "a", queueMax: 7 },
    rate: { limit: 5, perMs: 120_000, key: null },
    onLimit: "skip",
    priority: -3,
    turn: "x",
  });
  expect(doorsOf(flow, "workflow 'w'")).toEqual([
    { scope: "concurrency of workflow 'w'", key: "a", limit: 3 },
    { scope: "rate of workflow 'w'", key: null, rate: { limit: 5, perMs: 120_000 } },
  ]);
});
