// Goal: a task sees what stands before it in its own item, lane and run, and nothing else; nothing of it is kept.
// Method: small workflows in virtual time; tools that answer with what their input shows them; the facts of the run.

import { describe, expect, test } from "vitest";
import type { Scope, TaskSpec } from "../../src/language/spec.ts";
import { heldAgent, second, settled } from "../runtime/bed.ts";
import { bedOf, each, echo, endOf, factsOf, one, say, seen } from "./items-bed.ts";

/** Whether it sees any of these tasks, as a function that no check of a template keeps from looking. */
const sees = (id: string, ...tasks: string[]): TaskSpec =>
  ({
    id,
    type: "tool",
    tool: "echo",
    with: (scope: Scope) => ({ say: tasks.some((task) => task in scope.tasks) }),
  }) as TaskSpec;

describe("what is seen within an item", () => {
  test("N1: its tasks, also by what it contains, and neither by other items nor from outside", async () => {
    const inner = each(["p", "q"], [say("c", "${{ tasks.a.output.say + item + string(index) }}")], { id: "in" });
    const body = [say("a", "${{ item }}", { next: "in" }), inner];
    const tasks = [each(["x", "y"], body, { next: "after" }), sees("after", "a", "c")];
    const bed = await bedOf(
      one(tasks, { result: { all: "${{ tasks.each.output.results }}", leak: "${{ tasks.after.output.say }}" } }),
    );
    const made = (of: string) => ({ results: [{ say: `${of}p0` }, { say: `${of}q1` }] });
    expect(await bed.t.run("w")).toMatchObject({ output: { all: [made("x"), made("y")], leak: false } });
  });

  test("N1: `item` is that of the nearest each, also within a parallel", async () => {
    const parallel: TaskSpec = {
      id: "p",
      type: "parallel",
      branches: { l: [say("c", "${{ item * 10 }}")], r: [say("d", "${{ index }}")] },
    };
    const inner = each("${{ [item, item + 1] }}", [parallel], { id: "in" });
    const end = await endOf(one([each([1, 5], [inner])]));
    const lane = (c: number, d: number) => ({ results: { l: { say: c }, r: { say: d } } });
    expect(end).toMatchObject({
      output: { results: [{ results: [lane(10, 0), lane(20, 1)] }, { results: [lane(50, 0), lane(60, 1)] }] },
    });
  });

  test("N2: nothing is kept of an item that has ended, nor of an each", async () => {
    const held = heldAgent("slow");
    const body = [say("a", "${{ item }}", { next: "b" }), { id: "b", type: "agent", agent: "slow" } as TaskSpec];
    const tasks = [each([1, 2, 3], body, { next: "last" }), { id: "last", type: "agent", agent: "slow" } as TaskSpec];
    const bed = await bedOf(one(tasks), { agents: [held.definition] });
    const { execId } = bed.t.start("w");
    for (let at = 0; at < 3; at++) {
      await settled();
      expect(Object.values(factsOf(bed, execId)?.frames ?? {})).toMatchObject([{ index: at, item: at + 1 }]);
      held.runs[at]?.end({ ok: true });
    }
    await settled();
    const facts = factsOf(bed, execId);
    expect(held.runs).toHaveLength(4);
    expect([facts?.frames, facts?.items, Object.keys(facts?.frameOf ?? {})]).toEqual([{}, {}, []]);
    expect(Object.keys(facts?.tasks ?? {})).toEqual(["each"]);
  });

  test("N3: an error is seen by what it leads to in its own item, until the next success there", async () => {
    const failing = { id: "a", type: "tool", tool: "echo", with: { say: "${{ item }}", fail: "BAD" }, on_error: "b" };
    const body = [
      failing as TaskSpec,
      say("b", "${{ error.task + error.details.cause_code }}", { next: "c" }),
      { id: "c", type: "tool", tool: "echo", with: ({ error }: Scope) => ({ say: error ?? "no error" }) } as TaskSpec,
    ];
    expect(await endOf(one([each([1, 2], body, { next: "after" }), sees("after")]))).toMatchObject({
      status: "SUCCESS",
    });
    expect(seen).toEqual([1, "aBAD", "no error", 2, "aBAD", "no error", false]);
  });

  test("N4: an each that is tried again, or comes again in a loop, finds nothing of the time before", async () => {
    let calls = 0;
    const flaky = {
      id: "flaky",
      handler: () => {
        calls += 1;
        if (calls === 1) throw Object.assign(new Error("again"), { code: "AGAIN" });
        return { calls };
      },
    };
    const body = [{ ...sees("a", "b"), next: "b" }, { id: "b", type: "tool", tool: "flaky" } as TaskSpec];
    const retry = { max_attempts: 2, backoff: { initial: "1s" }, retry_on: ["CHILD_FAILED"] };
    const bed = await bedOf(
      one([
        each([1], body, { retry, next: "r" }),
        {
          id: "r",
          type: "route",
          cases: [{ when: "${{ tasks.each.output.results[0].calls < 3 }}", next: "each" }],
          default: "end",
        } as TaskSpec,
        say("end", "end"),
      ]),
      { tools: [echo, flaky] },
    );
    const end = bed.t.run("w");
    await bed.pass(10 * second);
    expect(await end).toMatchObject({ status: "SUCCESS" });
    expect(seen).toEqual([false, false, false, "end"]);
  });

  test("N4, N5: nothing is seen of what a timeout cut off and what ends only during the next attempt", async () => {
    const held = heldAgent("slow", { ignores: true });
    const body = [
      { ...sees("a", "a", "d", "slow"), next: "nap" },
      { id: "nap", type: "wait", wait: { duration: "10s" }, next: "d" },
      { ...sees("d", "slow"), next: "slow" },
      { id: "slow", type: "agent", agent: "slow", timeout: "1h" },
    ] as TaskSpec[];
    const retry = { max_attempts: 2, backoff: { initial: "1s" }, retry_on: ["TASK_TIMEOUT"] };
    const bed = await bedOf(one([each([1], body, { retry, timeout: "15s" })]), { agents: [held.definition] });
    const { execId } = bed.t.start("w");
    await bed.pass(28 * second);
    expect(held.runs).toHaveLength(2);
    const old = (await bed.t.list({ run: execId, id: "slow", entity: "task" })).items.map(({ status }) => status);
    expect(old.toSorted()).toEqual(["CANCELED", "RUNNING"]);
    expect(seen).toEqual([false, false, false, false]);
  });

  test("N5: what ends after its container changes nothing that others see", async () => {
    const held = heldAgent("slow", { ignores: true });
    const branches = {
      bad: [{ id: "bad", type: "tool", tool: "echo", with: { fail: "BAD" } }],
      slow: [{ id: "s", type: "agent", agent: "slow" }],
    };
    const tasks = [
      { id: "p", type: "parallel", strategy: "fail_fast", branches, on_error: "nap" },
      { id: "nap", type: "wait", wait: { duration: "20s" }, next: "mend", timeout: "1m" },
      sees("mend", "s"),
    ] as TaskSpec[];
    const bed = await bedOf(one(tasks), { agents: [held.definition] });
    const end = bed.t.run("w");
    await bed.pass(30 * second);
    expect(await end).toMatchObject({ status: "SUCCESS", output: { say: false } });
  });
});
