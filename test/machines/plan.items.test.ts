// Goal: the lanes of an `each` are walked as those of a parallel are, without a list of them, however many there are.
// Method: examples; what all plans have in common is in plan.test.ts and plan.search.test.ts.

import { describe, expect, test } from "vitest";
import { fault } from "../../src/machines/cues.ts";
import { type Graph, openPlan, openTasks, type Step } from "../../src/machines/plan.ts";
import { Walk } from "../kit/plan-walk.ts";

type Strategy = Graph["strategy"];

const refused = fault("TOOL_ERROR", "refused", { cause_code: "DECLINED" });
/** Numbered lanes that share one block, in a list. */
const each = (items: number, block: Step[]): Graph => ({
  strategy: "all",
  width: 9,
  stepsMax: 3,
  blocks: [block],
  lanes: Array.from({ length: items }, () => ({ block: 0 })),
});

describe("items", () => {
  /** So many lanes that walk one block, without a list of them. */
  const items = (count: number, strategy: Strategy = "best_effort", width = 9): Graph => ({
    strategy,
    width,
    stepsMax: 3,
    blocks: [[{ id: "a", next: "b" }, { id: "b" }]],
    lanes: [],
    items: count,
  });

  test("are walked as a list of lanes is, and counted honestly", () => {
    const walk = new Walk(items(600, "best_effort", 2));
    for (let lane = 0; lane < 600; lane++) {
      walk.ok("a", {}, { lane });
      if (lane % 3 === 0) walk.fails("b", refused, lane);
      else walk.ok("b", { lane }, { lane });
    }
    const results = Array.from({ length: 600 }, (_, lane) => (lane % 3 === 0 ? null : { lane }));
    const errors = results.flatMap((result, index) => (result === null ? [{ index, ...refused }] : []));
    expect(walk.verdict).toEqual({ output: { results, errors, counts: { ok: 400, failed: 200, skipped: 0 } } });
  });

  test("that did not end count as skipped", () => {
    const walk = new Walk(items(5, "fail_fast", 2))
      .ok("a", {}, { lane: 0 })
      .ok("b", {}, { lane: 0 })
      .fails("a", refused, 1);
    expect(walk.verdict).toMatchObject({ error: { details: { counts: { ok: 1, failed: 1, skipped: 3 } } } });
    expect(openTasks(walk.plan)).toHaveLength(1);
  });

  test("of none, and of an empty block, are done at once", () => {
    const counts = (ok: number) => ({ counts: { ok, failed: 0, skipped: 0 } });
    expect(openPlan(items(0)).verdict).toEqual({ output: { results: [], errors: [], ...counts(0) } });
    expect(openPlan({ ...items(2), blocks: [[]] }).verdict).toEqual({
      output: { results: [{}, {}], errors: [], ...counts(2) },
    });
    expect(openPlan(items(0, "race")).verdict).toEqual({ output: { winner: null, result: null } });
  });

  test("with a pause before them ask for it in every lane, and go on after it", () => {
    const graph: Graph = { ...items(3, "all", 1), blocks: [[{ id: "a", pause_before: "look" }]] };
    const walk = new Walk(graph);
    for (let lane = 0; lane < 3; lane++) walk.release().go().ok("a", {}, { lane });
    expect(walk.pauses).toHaveLength(3);
    expect(walk.verdict).toMatchObject({ output: { counts: { ok: 3 } } });
  });

  test("P7: a fact copies a piece of them and not all", () => {
    const walk = new Walk(items(2_000, "all", 600));
    const before = walk.plan.pieces ?? [];
    const after = walk.ok("a", {}, { lane: 300 }).plan.pieces ?? [];
    expect(after.map((piece, at) => piece === before[at])).toEqual([true, false, true]);
    expect(JSON.parse(JSON.stringify(walk.plan))).toEqual(walk.plan);
  });
});

test("P9: what the lanes give fits into the limit of the container, and a race gives the winner's alone", () => {
  const large = { text: "x".repeat(60) };
  const graph = { ...each(3, [{ id: "a" }]), bytesMax: 100 };
  const walk = new Walk(graph).ok("a", large, { lane: 0 });
  expect(walk.verdict).toBeNull();
  expect(walk.ok("a", large, { lane: 1 }).verdict).toMatchObject({
    error: { code: "PAYLOAD_TOO_LARGE", details: { limit: "payloadBytes", max: 100 } },
  });
  expect(new Walk({ ...graph, strategy: "race" }).ok("a", large, { lane: 2 }).verdict).toEqual({
    output: { winner: 2, result: large },
  });
});
