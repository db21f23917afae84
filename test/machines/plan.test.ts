// Goal: a plan begins what the language says is next, and ends as its strategy says, in the language's own forms.
// Method: examples; random graphs and facts are in plan.search.test.ts.

import { describe, expect, test } from "vitest";
import { fault } from "../../src/machines/cues.ts";
import {
  type Graph,
  linear,
  linearVerdict,
  openPlan,
  openTasks,
  settle,
  type Step,
  take,
} from "../../src/machines/plan.ts";
import { seedOf, Walk } from "../kit/plan-walk.ts";

type Strategy = Graph["strategy"];

/** Named lanes, each with its own block. */
const parallel = (branches: Record<string, Step[]>, strategy: Strategy = "all", width = 9): Graph => ({
  strategy,
  width,
  stepsMax: 3,
  blocks: Object.values(branches),
  lanes: Object.keys(branches).map((name, block) => ({ block, name })),
});
/** Numbered lanes that share one block. */
const each = (items: number, block: Step[], strategy: Strategy = "all", width = 9): Graph => ({
  strategy,
  width,
  stepsMax: 3,
  blocks: [block],
  lanes: Array.from({ length: items }, () => ({ block: 0 })),
});

const two = { left: [{ id: "a" }], right: [{ id: "b" }] };
const refused = fault("TOOL_ERROR", "refused", { cause_code: "DECLINED" });
const late = fault("TASK_TIMEOUT", "late");
/** What a strategy that is not met says of those that failed: lane, task and code. */
const childFailed = (
  of: string,
  ...failed: [lane: string | number, task: string, exec_id: string | undefined, code: string][]
) =>
  fault("CHILD_FAILED", of, {
    failed: failed.map(([lane, task, exec_id, code]) => ({ lane, task, exec_id, code })),
    cause_code: failed[0]?.[3],
  });

describe("a block", () => {
  const block = [{ id: "a", next: "b" }, { id: "b", next: "c" }, { id: "c" }, { id: "unasked" }];

  test("begins with its first task and goes on with each task's next", () => {
    const walk = new Walk(linear(block));
    expect(walk.open).toEqual(["a"]);
    expect(walk.ok("a").open).toEqual(["b"]);
    expect(walk.ok("b").open).toEqual(["c"]);
    expect(walk.verdict).toBeNull();
    expect(linearVerdict(walk.ok("c", { last: true }).plan)).toEqual({ output: { last: true } });
    expect(walk.story).toEqual(["a0", "b0", "c0"]);
  });

  test("without tasks is done at once, with nothing", () => {
    const plan = openPlan(linear([]));
    expect(linearVerdict(plan)).toEqual({ output: {} });
    expect(take(linear([]), plan, seedOf(1))).toEqual({ plan, begin: [] });
  });

  test("goes where a route decided, whatever its tasks say", () => {
    const route = [{ id: "pick", next: "a" }, { id: "a" }, { id: "b" }];
    expect(new Walk(linear(route)).ok("pick", { case: 0, next: "b" }, { next: "b" }).open).toEqual(["b"]);
  });

  test("mints the ids of its tasks from the seed of the turn", () => {
    expect(take(each(2, [{ id: "a" }]), openPlan(each(2, [{ id: "a" }])), seedOf(7)).begin).toEqual([
      { task: { id: "a", exec_id: "01900000-0000-7000-8000-000000070001" }, lane: 0 },
      { task: { id: "a", exec_id: "01900000-0000-7000-8000-000000070002" }, lane: 1 },
    ]);
  });

  test("has no verdict of its own while it walks", () => {
    expect(linearVerdict(new Walk(linear(block)).plan)).toBeNull();
  });

  test("ends as its failed task", () => {
    const walk = new Walk(linear(block)).ok("a").fails("b", refused);
    const task = walk.begun[1]?.task;
    expect(linearVerdict(walk.plan)).toEqual({ is: "failed", ...refused, task, code: "TOOL_ERROR" });
    expect(walk.verdict).toEqual(childFailed("1 of 1 failed", [0, "b", task?.exec_id, "TOOL_ERROR"]));
  });

  test("takes a success without a result for an empty one, and a failure without an error for a defect", () => {
    expect(linearVerdict(new Walk(linear([{ id: "a" }])).settle("a", "SUCCESS", null).plan)).toEqual({ output: {} });
    const lost = linearVerdict(new Walk(linear([{ id: "a" }])).settle("a", "FAILED", null).plan);
    expect(lost).toMatchObject({ ...fault("INTERNAL_ERROR", "failed without an error"), code: "INTERNAL_ERROR" });
  });
});

describe("an error path", () => {
  const after = (...on_error: NonNullable<Step["on_error"]>) =>
    linear([{ id: "a", next: "b", on_error }, { id: "b" }, { id: "c" }, { id: "d" }]);
  const anything = { next: "d" };

  test.each([
    ["the error's own code", after({ codes: ["TOOL_ERROR"], next: "c" }), ["c"]],
    ["the code of its cause", after({ codes: ["DECLINED"], next: "c" }), ["c"]],
    ["one of several codes", after({ codes: ["OTHER", "DECLINED"], next: "c" }), ["c"]],
    ["the first entry that fits", after({ codes: ["DECLINED"], next: "c" }, anything), ["c"]],
    ["an entry without codes", after({ codes: ["OTHER"], next: "c" }, anything), ["d"]],
    ["no entry, where none fits", after({ codes: ["OTHER"], next: "c" }), []],
    ["no entry, where a list of codes is empty", after({ codes: [], next: "c" }), []],
  ])("is taken by %s", (_how, graph, open) => {
    expect(new Walk(graph).fails("a", refused).open).toEqual(open);
  });

  test("is also taken by a timeout, and its success is the block's", () => {
    const walk = new Walk(after(anything)).settle("a", "TIMED_OUT", late).go();
    expect(walk.open).toEqual(["d"]);
    expect(linearVerdict(walk.ok("d").plan)).toEqual({ output: { of: "d" } });
  });

  test("is not taken by a canceled task", () => {
    const walk = new Walk(after(anything)).settle("a", "CANCELED", refused);
    expect(linearVerdict(walk.plan)).toEqual({
      is: "failed",
      ...fault("CHILD_FAILED", "task 'a' was canceled", { cause_code: "TASK_CANCELED" }),
      task: walk.begun[0]?.task,
      code: "TASK_CANCELED",
    });
  });
});

describe("a loop", () => {
  test.each(["poll", "constructor", "__proto__", "toString"])("of a task called '%s' ends at its limit", (id) => {
    const walk = new Walk(linear([{ id, next: id }], 3));
    walk.ok(id).ok(id);
    expect(walk.open).toEqual([id]);
    expect(walk.ok(id).open).toEqual([]);
    expect(walk.story).toEqual([`${id}0`, `${id}0`, `${id}0`]);
    expect(new Set(walk.begun.map(({ task }) => task.exec_id)).size).toBe(3);
    const limit = fault("STEP_LIMIT", `task '${id}' ran 3 times, more is not allowed`, { task: id, max_steps: 3 });
    expect(walk.verdict).toEqual({ ...limit, fatal: true });
    expect(linearVerdict(walk.plan)).toEqual({ ...limit, fatal: true });
  });

  test("counts each task of each lane by itself, error paths included", () => {
    const block = [
      { id: "a", next: "b", on_error: [{ next: "a" }] },
      { id: "b", next: "a" },
    ];
    const walk = new Walk(each(2, block));
    for (const lane of [0, 1]) walk.fails("a", refused, lane).ok("a", {}, { lane }).ok("b", {}, { lane });
    expect(walk.verdict).toBeNull();
    expect(walk.open).toEqual(["a", "a"]);
    expect(walk.ok("a", {}, { lane: 1 }).ok("b", {}, { lane: 1 }).verdict).toMatchObject({ fatal: true });
    expect(walk.open).toEqual(["a"]);
  });

  test("at its limit begins nothing in that turn, also in lanes before", () => {
    const walk = new Walk(parallel({ left: [{ id: "a", next: "b" }, { id: "b" }], right: [{ id: "c", next: "c" }] }));
    walk.ok("c").ok("c").settle("a", "SUCCESS", { output: {} }).settle("c", "SUCCESS", { output: {} });
    expect(walk.go().verdict).toMatchObject({ error: { code: "STEP_LIMIT", details: { task: "c" } } });
    expect(walk.story).toEqual(["a0", "c1", "c1", "c1"]);
  });
});

describe("the width", () => {
  const block = [{ id: "a", next: "b" }, { id: "b" }];

  test("of one takes lane after lane, each to its end", () => {
    const walk = new Walk(each(3, block, "all", 1));
    for (let lane = 0; lane < 3; lane++) {
      expect(openTasks(walk.plan)).toHaveLength(1);
      walk.ok("a").ok("b");
    }
    expect(walk.story).toEqual(["a0", "b0", "a1", "b1", "a2", "b2"]);
    expect(walk.verdict).not.toBeNull();
  });

  test("holds back lanes until others have ended, well or badly", () => {
    const walk = new Walk(each(4, block, "best_effort", 2));
    expect(walk.begun.map(({ lane }) => lane)).toEqual([0, 1]);
    walk.ok("a", {}, { lane: 1 });
    expect(walk.begun.map(({ lane }) => lane)).toEqual([0, 1, 1]);
    walk.fails("b", refused, 1).ok("a", {}, { lane: 0 }).ok("b", {}, { lane: 0 });
    expect(walk.begun.map(({ lane }) => lane)).toEqual([0, 1, 1, 2, 0, 3]);
  });

  test("lets lanes that have begun go on first, in their order, when several became ready in a pause", () => {
    const walk = new Walk(each(5, block, "all", 3));
    for (const lane of [2, 0, 1]) walk.settle("a", "SUCCESS", { output: {} }, { lane });
    expect(walk.go().begun.slice(3)).toMatchObject([{ lane: 0 }, { lane: 1 }, { lane: 2 }]);
  });

  test("is not used up by empty branches", () => {
    const walk = new Walk(parallel({ none: [], one: [{ id: "a" }], also: [], other: [{ id: "b" }] }, "all", 1));
    expect(walk.open).toEqual(["a"]);
    expect(walk.ok("a").open).toEqual(["b"]);
    expect(walk.ok("b").verdict).toEqual({
      output: { results: { none: {}, one: { of: "a" }, also: {}, other: { of: "b" } }, errors: {} },
    });
  });
});

describe("the strategy", () => {
  const all = { output: { results: { left: { of: "a" }, right: { of: "b" } }, errors: {} } };

  test.each(["all", "fail_fast", "best_effort"] as const)("%s is met when every branch succeeded", (strategy) => {
    const walk = new Walk(parallel(two, strategy)).ok("b");
    expect(walk.verdict).toBeNull();
    expect(walk.ok("a").verdict).toEqual(all);
  });

  test.each(["all", "fail_fast", "best_effort"] as const)(
    "%s gives the results of items in their order",
    (strategy) => {
      const walk = new Walk(each(2, [{ id: "a" }], strategy))
        .ok("a", { n: 1 }, { lane: 1 })
        .ok("a", { n: 0 }, { lane: 0 });
      expect(walk.verdict).toEqual({ output: { results: [{ n: 0 }, { n: 1 }], errors: [] } });
    },
  );

  test.each(["all", "fail_fast", "best_effort"] as const)("%s of no items at all is met with nothing", (strategy) => {
    expect(openPlan(each(0, [{ id: "a" }], strategy)).verdict).toEqual({ output: { results: [], errors: [] } });
  });

  test("all lets the rest run on, and then fails with who failed", () => {
    const walk = new Walk(parallel(two)).fails("a", refused);
    expect([walk.open, walk.verdict]).toEqual([["b"], null]);
    const failed = ["left", "a", walk.begun[0]?.task.exec_id, "TOOL_ERROR"] as const;
    expect(walk.ok("b").verdict).toEqual(childFailed("1 of 2 failed", [...failed]));
  });

  test("fail_fast fails with the first failure, and leaves the rest to be canceled", () => {
    const walk = new Walk(each(3, [{ id: "a" }], "fail_fast")).ok("a", {}, { lane: 0 }).fails("a", late, 2);
    const failed = [2, "a", walk.begun[2]?.task.exec_id, "TASK_TIMEOUT"] as const;
    expect(walk.verdict).toEqual(childFailed("1 of 3 failed", [...failed]));
    expect(openTasks(walk.plan)).toEqual([walk.begun[1]?.task]);
  });

  test("best_effort succeeds with null for what failed, and its error", () => {
    const named = new Walk(parallel(two, "best_effort")).fails("a", refused);
    expect(named.verdict).toBeNull();
    expect(named.ok("b").verdict).toEqual({
      output: { results: { left: null, right: { of: "b" } }, errors: { left: refused.error } },
    });
    const numbered = new Walk(each(2, [{ id: "a" }], "best_effort"));
    numbered.settle("a", "CANCELED", null, { lane: 1 }).ok("a", { n: 0 }, { lane: 0 });
    const { error } = fault("CHILD_FAILED", "task 'a' was canceled", { cause_code: "TASK_CANCELED" });
    expect(numbered.verdict).toEqual({ output: { results: [{ n: 0 }, null], errors: [{ index: 1, error }] } });
  });

  test("race is won by the first success, and leaves the losers to be canceled", () => {
    const walk = new Walk(parallel(two, "race")).ok("b");
    expect(walk.verdict).toEqual({ output: { winner: "right", result: { of: "b" } } });
    expect(walk.open).toEqual(["a"]);
    expect(new Walk(each(2, [{ id: "a" }], "race")).ok("a", { n: 1 }, { lane: 1 }).verdict).toEqual({
      output: { winner: 1, result: { n: 1 } },
    });
  });

  test("race goes on when a branch fails, and fails when all of them did", () => {
    const walk = new Walk(parallel(two, "race")).fails("a", refused);
    expect([walk.open, walk.verdict]).toEqual([["b"], null]);
    const [a, b] = walk.begun.map(({ task }) => task.exec_id);
    const both = childFailed("2 of 2 failed", ["left", "a", a, "TOOL_ERROR"], ["right", "b", b, "TASK_CANCELED"]);
    expect(walk.settle("b", "CANCELED", null).verdict).toEqual(both);
  });

  test("race is won by the first success, not by the first end", () => {
    const walk = new Walk(parallel({ ...two, middle: [{ id: "c" }] }, "race")).fails("a", refused).ok("c");
    expect(walk.verdict).toEqual({ output: { winner: "middle", result: { of: "c" } } });
  });

  test("race of nobody is won by nobody, and by an empty branch at once", () => {
    expect(openPlan(each(0, [{ id: "a" }], "race")).verdict).toEqual({ output: { winner: null, result: null } });
    const { verdict } = openPlan(parallel({ left: [{ id: "a" }], right: [], last: [] }, "race"));
    expect(verdict).toEqual({ output: { winner: "right", result: {} } });
  });

  test("lists no more failures than fit into a message, and counts them all", () => {
    const walk = new Walk(each(150, [{ id: "a" }], "all", 150));
    for (let lane = 0; lane < 150; lane++) walk.fails("a", refused, lane);
    const failed = Array.from({ length: 100 }, (_, lane) => ({ lane }));
    expect(walk.verdict).toMatchObject({ error: { message: "150 of 150 failed", details: { failed } } });
  });
});

describe("a pause before a task", () => {
  const block = [
    { id: "a", next: "b" },
    { id: "b", pause_before: "look", next: "a" },
  ];

  test("is asked for once, and the task begins after it", () => {
    const walk = new Walk(linear(block)).ok("a");
    expect([walk.pauses, walk.open]).toEqual([["look"], []]);
    expect(walk.go().pauses).toEqual(["look"]);
    expect(walk.release().go().open).toEqual(["b"]);
    expect(walk.pauses).toEqual(["look"]);
  });

  test("is asked for again in the next pass", () => {
    const walk = new Walk(linear(block)).ok("a").release().go().ok("b").ok("a");
    expect([walk.pauses, walk.open]).toEqual([["look", "look"], []]);
  });

  test("is asked for before the first task of a block", () => {
    const walk = new Walk(linear([{ id: "a", pause_before: "first" }]));
    expect([walk.pauses, walk.open]).toEqual([["first"], []]);
    expect(walk.release().go().open).toEqual(["a"]);
  });

  test("holds back every lane, and lets what runs run on", () => {
    const walk = new Walk(each(4, block, "all", 3)).ok("a", {}, { lane: 1 });
    expect(walk.ok("a", {}, { lane: 0 }).begun.map(({ lane }) => lane)).toEqual([0, 1, 2]);
    walk.release().go();
    expect([walk.pauses, walk.open]).toEqual([["look", "look"], ["a"]]);
    walk.release().go();
    expect(walk.story.slice(3)).toEqual(["b0", "b1"]);
  });

  test("is not over for others when one is, and does not come again for who was released", () => {
    const walk = new Walk(each(2, block)).ok("a", {}, { lane: 1 });
    walk.settle("a", "SUCCESS", { output: {} }, { lane: 0 }).release().go();
    expect(walk.plan.lanes).toMatchObject([{ is: "ready" }, { is: "ready", released: true }]);
    expect(walk.release().go().open).toEqual(["b", "b"]);
    expect(walk.pauses).toHaveLength(2);
  });

  test("that nobody asked for is released in vain", () => {
    const walk = new Walk(linear(block));
    const before = walk.plan;
    expect(walk.release().plan).toBe(before);
  });
});

describe("a fact", () => {
  const graph = parallel(two);
  const ended = (lane: number, task: { id: string; exec_id: string }) =>
    ({ task, lane, status: "SUCCESS", result: { output: { n: 1 } } }) as const;

  test("about a task that is not open in its lane changes nothing", () => {
    const walk = new Walk(graph);
    const [left, right] = walk.begun;
    const plan = walk.plan;
    if (!left || !right) throw new Error("two tasks have begun");
    for (const lane of [1, -1, 2, 0.5, NaN]) expect(settle(graph, plan, ended(lane, left.task))).toBe(plan);
    expect(settle(graph, plan, ended(0, { id: "a", exec_id: right.task.exec_id }))).toBe(plan);
    const settled = settle(graph, plan, ended(0, left.task));
    expect(settled).not.toBe(plan);
    expect(settle(graph, settled, ended(0, left.task))).toBe(settled);
  });

  test("that comes after the verdict changes nothing, and nothing begins", () => {
    const walk = new Walk(parallel(two, "fail_fast")).fails("a", refused);
    const plan = walk.plan;
    expect(walk.ok("b").plan).toBe(plan);
    expect(take(walk.graph, plan, seedOf(9))).toEqual({ plan, begin: [] });
  });

  test("is about the task that is open, whatever it calls it", () => {
    const block = linear([{ id: "a", next: "b" }, { id: "b" }]);
    const walk = new Walk(block);
    const exec_id = walk.begun[0]?.task.exec_id ?? "";
    const plan = settle(block, walk.plan, ended(0, { id: "b", exec_id }));
    expect(take(block, plan, seedOf(2)).begin).toMatchObject([{ task: { id: "b" } }]);
  });
});
