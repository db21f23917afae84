// Goal: what conditions hold data against is tried, so that a case which only one value takes is found.
// Method: plain values and reads by hand; a whole search for a value that a schema's bounds do not have.

import { describe, expect, test } from "vitest";
import type { WorkflowSpec } from "../../../src/language/spec.ts";
import { comparedIn } from "../../../src/testing/check/compared.ts";
import { search } from "../../../src/testing/check/search.ts";
import type { CalleeSpec } from "../../../src/testing/check/trial.ts";
import { judgesFor } from "../../../src/testing/findings/judges.ts";

describe("of a plain value", () => {
  const plain = { sum: 1, kind: "some", lines: [{ count: 1 }, { count: 1 }] };

  test("H1: one field is what it is held against, or just below or above; all else stays", () => {
    expect(comparedIn(plain, [{ path: ["sum"], literals: [100] }])).toEqual(
      [100, 99, 101].map((sum) => ({ ...plain, sum })),
    );
    expect(comparedIn(plain, [{ path: ["kind"], literals: ["gold"] }])).toEqual([{ ...plain, kind: "gold" }]);
    expect(comparedIn(plain, [{ path: ["lines", "[]", "count"], literals: [5] }])[0]).toEqual({
      ...plain,
      lines: [{ count: 5 }, { count: 1 }],
    });
  });

  test("a field that it does not have is not made up", () => {
    const reads = [["other"], ["sum", "digits"], ["lines", "count"]].map((path) => ({ path, literals: [1] }));
    expect(comparedIn(plain, reads)).toEqual([]);
  });
});

const number = { type: "object", properties: { sum: { type: "number" } }, required: ["sum"] } as const;
const agents: CalleeSpec[] = [{ id: "clerk", output: number }];
const route = (of: string): WorkflowSpec["tasks"][number] => ({
  id: "size",
  type: "route",
  cases: [
    { when: `\${{ ${of} > 100.0 }}`, next: "done" },
    { when: `\${{ ${of} < 100.0 }}`, next: "done" },
  ],
});
const ask = { id: "ask", type: "agent", agent: "clerk" } as const;
const done = { id: "done", type: "wait", wait: { duration: "1s" } } as const;
const asked: WorkflowSpec[] = [
  { id: "of-the-input", input: number, tasks: [route("input.sum"), done] },
  { id: "of-an-answer", tasks: [{ ...ask, next: "size" }, route("tasks.ask.output.sum"), done] },
];

test.each(asked)("the one value $id for which a route has no way is found", async (spec) => {
  const cast = { workflows: [spec], agents };
  const judges = judgesFor({ agents: new Map(agents.map((one) => [one.id, one])), tools: new Map() });
  const { findings } = await search(cast, { workflow: spec.id, seed: 1, runs: 100, timeMs: 100_000 }, judges);
  expect(findings.map(({ id }) => id)).toEqual(["no-route"]);
});
