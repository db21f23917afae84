// Goal: each row of the language's tables of strategies, retry and errors means what it says.
// Method: one small workflow for each row, in virtual time, with handlers that fail as they are told.

import { describe, expect, test } from "vitest";
import type { Scope, TaskSpec } from "../../src/language/spec.ts";
import { heldAgent, openBed, second, settled } from "../runtime/bed.ts";
import { asks, bedOf, does, endOf, failedWith, flow, heard, waits } from "../kit/rows.ts";

const parallel = (strategy: string, branches: Record<string, TaskSpec[]>, more: object = {}): TaskSpec =>
  ({ id: "p", type: "parallel", strategy, branches, ...more }) as TaskSpec;

describe("strategies", () => {
  const bad = [does("bad", { fail: "BAD" })];
  const good = (id: string): TaskSpec[] => [
    waits(`nap_${id}`, { duration: "5s" }, { next: id }),
    does(id, { say: id }),
  ];

  test("all: waits for all, succeeds if all did", async () => {
    const output = { results: { x: { say: "x" }, y: { say: "y" } }, errors: {} };
    expect(await endOf([parallel("all", { x: good("x"), y: good("y") })])).toMatchObject({ status: "SUCCESS", output });
  });

  test("all: when a child fails the rest runs on, then CHILD_FAILED with what failed", async () => {
    const end = await endOf([parallel("all", { bad, x: good("x") })]);
    expect(heard).toEqual([{ fail: "BAD" }, { say: "x" }]);
    const failed = [{ lane: "bad", task: "bad", exec_id: expect.any(String), code: "TOOL_ERROR" }];
    const cause = { code: "CHILD_FAILED", message: "1 of 2 failed", details: { failed, cause_code: "TOOL_ERROR" } };
    expect(end).toMatchObject(failedWith("CHILD_FAILED", { cause }));
  });

  test("fail_fast: the first failure cancels the rest", async () => {
    const held = heldAgent("slow");
    const slow = [{ id: "s", type: "agent", agent: "slow" } as TaskSpec];
    const bed = await bedOf([flow([parallel("fail_fast", { slow, bad })])], { agents: [held.definition] });
    expect(await bed.t.run("w")).toMatchObject(failedWith("CHILD_FAILED"));
    await settled();
    expect(held.runs[0]?.context.signal.aborted ?? true).toBe(true);
  });

  test("best_effort: always succeeds, the failed one's result is null and its error is listed", async () => {
    const end = await endOf([parallel("best_effort", { bad, x: good("x") })]);
    const output = { results: { bad: null, x: { say: "x" } }, errors: { bad: { code: "TOOL_ERROR" } } };
    expect(end).toMatchObject({ status: "SUCCESS", output });
  });

  test("race: the first success wins, failures go on, losers are canceled", async () => {
    const held = heldAgent("slow");
    const slow = [{ id: "s", type: "agent", agent: "slow", timeout: "1h" } as TaskSpec];
    const bed = await bedOf([flow([parallel("race", { bad, slow, x: good("x") })])], { agents: [held.definition] });
    const end = bed.t.run("w");
    await bed.pass(10 * second);
    expect(await end).toMatchObject({ status: "SUCCESS", output: { winner: "x", result: { say: "x" } } });
    expect(held.runs[0]?.context.signal.aborted).toBe(true);
  });

  test("race: CHILD_FAILED if none succeeds", async () => {
    expect(await endOf([parallel("race", { bad })])).toMatchObject(failedWith("CHILD_FAILED"));
  });

  test("a child counts as failed when its block ends in an unhandled error, a timeout or a cancel", async () => {
    const branches = {
      error: bad,
      timeout: [waits("t", { signal: "never" }, { timeout: "5s" })],
      cancel: [waits("c", { signal: "never" }, { timeout: "1h" })],
      handled: [does("h", { fail: "BAD" }, { on_error: "mended" }), does("mended", { say: "mended" })],
    };
    const bed = await bedOf([flow([parallel("best_effort", branches)])]);
    const { execId, result } = bed.t.start("w");
    await settled();
    const [waiting] = (await bed.t.list({ run: execId, id: "c" })).items;
    await bed.t.cancel(waiting?.execId ?? "");
    await bed.pass(20 * second);
    const end = (await result()) as unknown as {
      output: { results: object; errors: Record<string, { code: string }> };
    };
    expect(end.output.results).toEqual({ error: null, timeout: null, cancel: null, handled: { say: "mended" } });
    expect(Object.entries(end.output.errors).map(([name, { code }]) => [name, code])).toEqual([
      ["error", "TOOL_ERROR"],
      ["timeout", "WAIT_TIMEOUT"],
      ["cancel", "CHILD_FAILED"],
    ]);
  });

  test("what the branches give has to fit into one output, or the task fails with PAYLOAD_TOO_LARGE", async () => {
    const bed = await bedOf(
      [
        flow([
          parallel("all", { x: [does("x", { say: "${{ input.x }}" })], y: [does("y", { say: "${{ input.x }}" })] }),
        ]),
      ],
      {
        limits: { payloadBytes: 1_000 },
      },
    );
    expect(await bed.t.run("w", { x: "x".repeat(400) })).toMatchObject({ status: "SUCCESS" });
    expect(await bed.t.run("w", { x: "x".repeat(600) })).toMatchObject(failedWith("PAYLOAD_TOO_LARGE"));
  });
});

describe("retry", () => {
  const retry = (more: object): object => ({ retry: { max_attempts: 3, backoff: { initial: "1s" }, ...more } });

  test("max_attempts includes the first try, and one attempt is what a task has that says nothing", async () => {
    expect(await endOf([does("a", { fail: "X", times: 2 }, retry({}))])).toMatchObject({ status: "SUCCESS" });
    expect(heard).toHaveLength(3);
    expect(await endOf([does("a", { fail: "X", times: 1 })])).toMatchObject({ status: "FAILED" });
  });

  test("backoff: initial, times factor, at most max", async () => {
    const at: number[] = [];
    const bed = await openBed({
      tools: [
        {
          id: "late",
          handler: () => {
            at.push(bed.clock.now());
            throw new Error("again");
          },
        },
      ],
      workflows: [
        flow([
          {
            id: "a",
            type: "tool",
            tool: "late",
            retry: { max_attempts: 5, backoff: { initial: "1s", factor: 3, max: "5s" } },
          },
        ]),
      ],
    });
    const end = bed.t.run("w");
    await bed.pass(60 * second);
    expect(await end).toMatchObject({ status: "FAILED" });
    expect(at.slice(1).map((time, index) => time - (at[index] ?? 0))).toEqual([1_000, 3_000, 5_000, 5_000]);
  });

  test("retry_on: these codes and no others, protocol codes and the callee's own", async () => {
    await endOf([does("a", { fail: "MINE" }, retry({ retry_on: ["MINE"] }))]);
    expect(heard).toHaveLength(3);
    await endOf([does("a", { fail: "MINE" }, retry({ retry_on: ["TOOL_ERROR"] }))]);
    expect(heard).toHaveLength(3);
    await endOf([does("a", { fail: "OTHER" }, retry({ retry_on: ["MINE"] }))]);
    expect(heard).toHaveLength(1);
  });

  test("never_on wins over retry_on", async () => {
    await endOf([does("a", { fail: "FATAL" }, retry({ retry_on: ["TOOL_ERROR", "FATAL"], never_on: ["FATAL"] }))]);
    expect(heard).toHaveLength(1);
  });

  test("a control task begins anew, with new children", async () => {
    const p = parallel(
      "all",
      { x: [does("x", { say: "x" }, { next: "y" }), does("y", { fail: "X", times: 1 })] },
      retry({ retry_on: ["CHILD_FAILED"] }),
    );
    const bed = await bedOf([flow([p])]);
    const { execId, result } = bed.t.start("w");
    await bed.pass(10 * second);
    expect(await result()).toMatchObject({ status: "SUCCESS" });
    const items = (await bed.t.list({ run: execId, entity: "task" })).items;
    expect(items.map(({ id }) => id).toSorted()).toEqual(["p", "x", "x", "y", "y"]);
    expect(items.find(({ id }) => id === "p")?.attempt).toBe(2);
  });
});

describe("after a task did not succeed", () => {
  test("1. a retry comes before an error path: same execution id, next attempt", async () => {
    const tasks = [
      does("a", { fail: "X", times: 1 }, { retry: { max_attempts: 2 }, on_error: "b", next: "c" }),
      does("b"),
      does("c", { say: "c" }),
    ];
    const bed = await bedOf([flow(tasks)]);
    const { execId, result } = bed.t.start("w");
    await bed.pass(5 * second);
    expect(await result()).toMatchObject({ output: { say: "c" } });
    const items = (await bed.t.list({ run: execId, id: "a" })).items.filter(({ entity }) => entity === "task");
    expect(items.map(({ attempt }) => attempt)).toEqual([2]);
  });

  test("2. the first entry of on_error whose codes hold the code or its cause; `error` says all of it", async () => {
    const ways = [{ codes: ["OTHER"], next: "b" }, { codes: ["CARD_DECLINED"], next: "c" }, { next: "b" }];
    const tasks = [
      asks("a", { fail: "CARD_DECLINED" }, { on_error: ways, retry: { max_attempts: 2, backoff: { initial: "1s" } } }),
      does("b"),
      does("c", { say: "${{ error }}" }),
    ];
    expect(await endOf(tasks)).toMatchObject({
      output: {
        say: {
          code: "AGENT_ERROR",
          cause_code: "CARD_DECLINED",
          message: "CARD_DECLINED it is",
          details: { cause_code: "CARD_DECLINED" },
          task: "a",
          attempt: 2,
        },
      },
    });
  });

  test("2. an entry without codes takes any, a timeout too", async () => {
    const tasks = [
      waits("s", { signal: "never" }, { timeout: "5s", on_error: "b" }),
      does("b", { say: "${{ error.code + ' ' + error.task }}" }),
    ];
    expect(await endOf(tasks)).toMatchObject({ output: { say: "WAIT_TIMEOUT s" } });
  });

  test("2. `error` is seen until the next success, and not after it", async () => {
    const see = (id: string, more: object = {}): TaskSpec =>
      ({
        id,
        type: "tool",
        tool: "puppet",
        with: ({ error }: Scope) => ({ say: error === undefined ? "none" : "seen" }),
        ...more,
      }) as TaskSpec;
    const tasks = [does("a", { fail: "X" }, { on_error: "nap" }), see("nap", { next: "b" }), see("b")];
    await endOf(tasks);
    expect(heard).toEqual([{ fail: "X" }, { say: "seen" }, { say: "none" }]);
  });

  test("2. a branch's error is not seen by another, and is not ended by another's success", async () => {
    const tasks = [
      parallel("best_effort", {
        x: [
          does("x", { fail: "X" }, { on_error: "nap" }),
          waits("nap", { signal: "go" }, { timeout: "5s", on_error: "mend" }),
          does("mend", { say: "${{ error.task }}" }),
        ],
        y: [
          waits("nap2", { duration: "1s" }, { next: "y" }),
          { id: "y", type: "tool", tool: "puppet", with: ({ error }: Scope) => ({ say: error ?? "none" }) } as TaskSpec,
        ],
      }),
    ];
    expect(await endOf(tasks)).toMatchObject({ output: { results: { x: { say: "nap" }, y: { say: "none" } } } });
  });

  test("3. inside a container its block fails, and the strategy decides", async () => {
    const tasks = [
      parallel("best_effort", { x: [does("x", { fail: "X" }, { next: "y" }), does("y")] }, { next: "z" }),
      does("z", { say: "z" }),
    ];
    expect(await endOf(tasks)).toMatchObject({ status: "SUCCESS", output: { say: "z" } });
    expect(heard).toHaveLength(2);
  });

  test("4. otherwise the workflow fails with TASK_FAILED", async () => {
    expect(await endOf([does("a", { fail: "X" })])).toMatchObject(failedWith("TOOL_ERROR", { failed_task_id: "a" }));
  });

  test("a canceled task is not tried again and takes no error path: the run fails, cause TASK_CANCELED", async () => {
    const held = heldAgent("slow");
    const task = { id: "a", type: "agent", agent: "slow", on_error: "b", retry: { max_attempts: 3 } } as TaskSpec;
    const bed = await bedOf([flow([task, does("b")])], { agents: [held.definition] });
    const { execId, result } = bed.t.start("w");
    await settled();
    const [running] = (await bed.t.list({ run: execId, id: "a" })).items;
    await bed.t.cancel(running?.execId ?? "");
    await bed.pass(10 * second);
    expect(await result()).toMatchObject(failedWith("TASK_CANCELED"));
    expect(held.runs).toHaveLength(1);
    expect(heard).toEqual([]);
  });

  test("a canceled or timed-out workflow runs nothing more", async () => {
    const tasks = [waits("s", { signal: "go" }, { timeout: "5s", next: "a", on_error: "a" }), does("a")];
    const timedOut = [waits("s", { signal: "go" }, { timeout: "2s", next: "a" }), does("a")];
    const bed = await bedOf([flow(tasks), { ...flow(timedOut, { timeout: "2s" }), id: "v" }]);
    const { execId } = bed.t.start("w");
    const timed = bed.t.run("v");
    await settled();
    await bed.t.cancel(execId);
    await bed.pass(30 * second);
    expect(await timed).toMatchObject({ status: "TIMED_OUT" });
    expect(heard).toEqual([]);
  });
});
