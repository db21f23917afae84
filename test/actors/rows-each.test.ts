// Goal: `each` does what the language says of it, nested, retried, in loops, and after a crash at any record.
// Method: small workflows in virtual time; a tool that does what its input says; runs made again from the log.

import { describe, expect, test } from "vitest";
import { freezeRun, type Run } from "../../src/actors/run.ts";
import type { TaskSpec, WorkflowSpec } from "../../src/language/spec.ts";
import { heldAgent, openBed, second, settled } from "../runtime/bed.ts";
import { bedOf, each, echo, endOf, factsOf, one, say, seen } from "./items-bed.ts";

const waitsUnless = (given: string): TaskSpec =>
  ({ id: "nap", type: "wait", wait: { duration: "1h" }, with: { given } }) as TaskSpec;

describe("each", () => {
  test("runs its block for every item, in order, and gives the results in order of the items", async () => {
    const body = [say("a", "${{ string(index) + item }}", { next: "b" }), say("b", "${{ tasks.a.output.say + '!' }}")];
    expect(await endOf(one([each(["x", "y", "z"], body)]))).toMatchObject({
      status: "SUCCESS",
      output: {
        results: [{ say: "0x!" }, { say: "1y!" }, { say: "2z!" }],
        errors: [],
        counts: { ok: 3, failed: 0, skipped: 0 },
      },
    });
    expect(seen).toEqual(["0x", "0x!", "1y", "1y!", "2z", "2z!"]);
  });

  test("takes its items from an expression or a function, which is called once", async () => {
    expect(await endOf(one([each("${{ input.list }}", [say("a", "${{ item }}")])]), { list: [4, 5] })).toMatchObject({
      output: { results: [{ say: 4 }, { say: 5 }] },
    });
    let calls = 0;
    const items = (): unknown => {
      calls += 1;
      return [1, 2];
    };
    expect(await endOf(one([each(items, [say("a", "${{ item }}")])]))).toMatchObject({ output: { errors: [] } });
    expect(calls).toBe(1);
  });

  test("of no items is an empty success", async () => {
    const counts = { ok: 0, failed: 0, skipped: 0 };
    const output = { results: [], errors: [], counts };
    expect(await endOf(one([each([], [say("a", 1)])]))).toMatchObject({ status: "SUCCESS", output });
    const race = one([each([], [say("a", 1)], { strategy: "race" })]);
    expect(await endOf(race)).toMatchObject({ status: "SUCCESS", output: { winner: null, result: null } });
  });

  test("of what is no list, or cannot be had, fails with EXPRESSION_ERROR, and takes its error path", async () => {
    for (const items of ["${{ input.n }}", "${{ input.nope }}"]) {
      const failed = await endOf(one([each(items, [say("a", 1)])]), { n: 5 });
      expect(failed).toMatchObject({ status: "FAILED", error: { details: { cause_code: "EXPRESSION_ERROR" } } });
    }
    const mended = one([each("${{ input.n }}", [say("a", 1)], { on_error: "b" }), say("b", "${{ error.code }}")]);
    expect(await endOf(mended, { n: 5 })).toMatchObject({ output: { say: "EXPRESSION_ERROR" } });
  });

  test("has at most max_concurrency items under way", async () => {
    const held = heldAgent("slow");
    const body: TaskSpec[] = [{ id: "a", type: "agent", agent: "slow", with: "${{ {'n': item} }}" }];
    const bed = await openBed({
      agents: [held.definition],
      workflows: [one([each([1, 2, 3, 4, 5], body, { max_concurrency: 2 })])],
    });
    const end = bed.t.run("w");
    await settled();
    expect(held.runs).toHaveLength(2);
    held.runs[1]?.end({ n: 2 });
    await settled();
    expect(held.runs.map(({ input }) => input)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    for (let at = 0; at < 5; at++) {
      held.runs[at]?.end(held.runs[at]?.input);
      await settled();
    }
    expect(await end).toMatchObject({ output: { results: [1, 2, 3, 4, 5].map((n) => ({ n })) } });
  });
});

describe("the strategy of an each", () => {
  const body = [
    { id: "a", type: "tool", tool: "echo", with: { say: "${{ item }}", fail: "${{ item == 2 ? 'BAD' : false }}" } },
  ];
  const spec = (strategy: string, items = [1, 2, 3]): WorkflowSpec =>
    one([each(items, body as TaskSpec[], { strategy, id: "e" })]);

  test("all: the rest runs on, then CHILD_FAILED with an honest count", async () => {
    const end = await endOf(spec("all"));
    expect(seen).toEqual([1, 2, 3]);
    const details = { counts: { ok: 2, failed: 1, skipped: 0 }, failed: [{ lane: 1, task: "a" }] };
    expect(end).toMatchObject({
      status: "FAILED",
      error: { details: { cause_code: "CHILD_FAILED", cause: { code: "CHILD_FAILED", details } } },
    });
  });

  test("fail_fast: nothing begins after the first failure, and what did not end counts as skipped", async () => {
    const end = await endOf(spec("fail_fast"));
    expect(seen).toEqual([1, 2]);
    const details = { counts: { ok: 1, failed: 1, skipped: 1 } };
    expect(end).toMatchObject({ status: "FAILED", error: { details: { cause: { code: "CHILD_FAILED", details } } } });
  });

  test("best_effort: always succeeds, a result that failed is null and its error is listed by its index", async () => {
    const counts = { ok: 2, failed: 1, skipped: 0 };
    const errors = [{ index: 1, error: { code: "TOOL_ERROR", details: { cause_code: "BAD" } } }];
    const output = { results: [{ say: 1 }, null, { say: 3 }], errors, counts };
    expect(await endOf(spec("best_effort"))).toMatchObject({ status: "SUCCESS", output });
  });

  test("race: the first success wins, by its index", async () => {
    const end = await endOf(spec("race", [2, 3, 1]));
    expect(seen).toEqual([2, 3]);
    expect(end).toMatchObject({ status: "SUCCESS", output: { winner: 1, result: { say: 3 } } });
  });
});

describe("many items", () => {
  const items = Array.from({ length: 700 }, (_, index) => index);

  test("all at once begin in several records, and none is forgotten", async () => {
    const held = heldAgent("slow");
    const body: TaskSpec[] = [{ id: "a", type: "agent", agent: "slow" }];
    const bed = await openBed({
      agents: [held.definition],
      workflows: [one([each(items, body, { max_concurrency: 700 })])],
    });
    const { execId, result } = bed.t.start("w");
    await settled();
    expect(held.runs).toHaveLength(700);
    const loaded = bed.store.load(execId) as NonNullable<ReturnType<typeof bed.store.load>>;
    expect(loaded.tail.length).toBeGreaterThan(4);
    const run = bed.t.system.peek(execId) as Run;
    expect(freezeRun(bed.t.system.again(execId, loaded))).toEqual(freezeRun(run));
    const end = result();
    for (const run of held.runs) run.end({ ok: true });
    expect(await end).toMatchObject({ status: "SUCCESS", output: { counts: { ok: 700 } } });
  });

  test("nested in each other begin too, and what was put off is not begun for nothing", async () => {
    const inner = each(items.slice(0, 30), [{ id: "nap", type: "wait", wait: { duration: "1s" } }], {
      id: "in",
      max_concurrency: 30,
    });
    const bed = await bedOf(one([each(items.slice(0, 30), [inner], { max_concurrency: 30 })]));
    const end = bed.t.run("w");
    await bed.pass(5 * second);
    expect(await end).toMatchObject({ status: "SUCCESS", output: { counts: { ok: 30 } } });
  });

  test("that were put off are not begun for an each that has ended meanwhile", async () => {
    const nap = waitsUnless("${{ index == 0 ? item.nope : item }}");
    const bed = await bedOf(one([each(items, [nap], { strategy: "fail_fast", max_concurrency: 700 })]));
    const { execId, result } = bed.t.start("w");
    expect(await result()).toMatchObject({ status: "FAILED" });
    await bed.pass(30 * second);
    expect((await bed.t.list({ run: execId, id: "nap", limit: 500 })).items.length).toBeLessThan(200);
    expect(bed.t.system.peek(execId)).toBeUndefined();
  });

  test("that were put off, and begin after the run was paused, wait until it goes on", async () => {
    const naps = [{ id: "nap", type: "wait", wait: { duration: "10s" } } as TaskSpec];
    const branches = {
      wide: [each(items.slice(0, 300), naps, { max_concurrency: 300 })],
      look: [say("look", 1, { pause_before: "look first" })],
    };
    const bed = await bedOf(one([{ id: "p", type: "parallel", branches }]));
    const { execId, result } = bed.t.start("w");
    await bed.pass(60 * second);
    const waiting = await bed.t.list({ run: execId, id: "nap", status: ["WAITING"], limit: 500 });
    expect([bed.t.get(execId).status, waiting.items.length]).toEqual(["PAUSED", 300]);
    await bed.t.resume(execId);
    await bed.pass(11 * second);
    expect(await result()).toMatchObject({ status: "SUCCESS", output: { results: { wide: { counts: { ok: 300 } } } } });
  });

  test("a run in the midst of its items is the same when it is made again from the log", async () => {
    const held = heldAgent("slow");
    const body = [say("a", "${{ item }}", { next: "b" }), { id: "b", type: "agent", agent: "slow" } as TaskSpec];
    const spec = one([each(items.slice(0, 40), body, { max_concurrency: 8 })]);
    const bed = await bedOf(spec, { agents: [held.definition] });
    const { execId } = bed.t.start("w");
    for (let at = 0; at < 20; at++) {
      await settled();
      held.runs[at]?.end({ at });
    }
    await settled();
    const facts = JSON.stringify(factsOf(bed, execId));
    bed.store.crash();
    const again = heldAgent("slow");
    const two = await openBed({
      tools: [echo],
      agents: [again.definition],
      workflows: [spec],
      disk: bed.disk,
    });
    expect(two.t.recovered.parked).toBe(0);
    expect(JSON.stringify(factsOf(two, execId))).toEqual(facts);
    const end = two.t.result(execId);
    for (let at = 0; at < 60; at++) {
      again.runs[at]?.end({ at });
      await settled();
    }
    expect(await end).toMatchObject({ status: "SUCCESS", output: { counts: { ok: 40 } } });
  });
});
