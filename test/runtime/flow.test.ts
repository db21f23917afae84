// Goal: each kind of task does what its definition says, when it goes well and when it does not.
// Method: small workflows in virtual time; agents that do as they are told by their input.

import { describe, expect, test } from "vitest";
import type { TaskSpec, WorkflowSpec } from "../../src/language/spec.ts";
import { heldAgent, hour, openBed, second, settled, type Bed } from "./bed.ts";

type Orders = { say?: unknown; fail?: string; times?: number };
let calls: unknown[] = [];

/** Says what it is told to, or fails with a code, so many times. */
const puppet = {
  id: "puppet",
  handler: (input: unknown): unknown => {
    const { say, fail, times = Infinity } = input as Orders;
    calls.push(input);
    const before = calls.filter((one) => JSON.stringify(one) === JSON.stringify(input)).length - 1;
    if (fail !== undefined && before < times) throw Object.assign(new Error(`${fail} it is`), { code: fail });
    return { say: say ?? "ok" };
  },
};
const does = (id: string, orders: Orders = {}, more: object = {}): TaskSpec =>
  ({ id, type: "agent", agent: "puppet", with: orders, ...more }) as TaskSpec;

async function bedOf(...specs: WorkflowSpec[]): Promise<Bed> {
  calls = [];
  return openBed({ agents: [puppet], tools: [{ id: "look", handler: () => ({ seen: true }) }], workflows: specs });
}
const one = (tasks: TaskSpec[], more: Partial<WorkflowSpec> = {}): WorkflowSpec => ({ id: "w", tasks, ...more });
const tasksOf = async ({ t }: Bed, run: string) =>
  Object.fromEntries((await t.list({ run, entity: "task" })).items.map((item) => [item.id, item]));

describe("a workflow", () => {
  test("goes from task to task, and `result` says what comes of it", async () => {
    const result = { first: "${{ tasks.a.output.say }}", all: "${{ input.n }}/${{ tasks.b.status }}" };
    const bed = await bedOf(one([does("a", { say: 1 }, { next: "b" }), does("b", { say: 2 })], { result }));
    expect(await bed.t.run("w", { n: 7 })).toMatchObject({ status: "SUCCESS", output: { first: 1, all: "7/SUCCESS" } });
  });

  test("fails with EXPRESSION_ERROR where a value cannot be had", async () => {
    const bed = await bedOf(one([does("a", { say: "${{ input.nope }}" })]), {
      ...one([does("a")], { result: { x: "${{ tasks.a.output.nope }}" } }),
      id: "v",
    });
    expect(await bed.t.run("w")).toMatchObject({
      status: "FAILED",
      error: { code: "TASK_FAILED", details: { cause_code: "EXPRESSION_ERROR" } },
    });
    expect(await bed.t.run("v")).toMatchObject({ status: "FAILED", error: { code: "EXPRESSION_ERROR" } });
  });

  test("runs over its time, and what was at work is told to stop", async () => {
    const held = heldAgent("slow");
    const bed = await openBed({
      agents: [held.definition],
      workflows: [one([{ id: "a", type: "agent", agent: "slow" }], { timeout: "10s" })],
    });
    const end = bed.t.run("w");
    await bed.pass(11 * second);
    expect(await end).toMatchObject({ status: "TIMED_OUT", error: { code: "WORKFLOW_EXECUTION_TIMEOUT" } });
    expect(held.runs[0]?.context.signal.aborted).toBe(true);
  });

  test("in a loop ends at the limit of steps", async () => {
    const bed = await bedOf(one([does("a", {}, { next: "a" })]));
    expect(await bed.t.run("w")).toMatchObject({ status: "FAILED", error: { code: "STEP_LIMIT" } });
    expect(calls).toHaveLength(1_000);
  });
});

describe("on_error", () => {
  test("leads on from a failure, and what follows sees the error", async () => {
    const bed = await bedOf(
      one([
        does("a", { fail: "CARD_DECLINED" }, { on_error: [{ codes: ["OTHER"], next: "b" }, { next: "c" }], next: "b" }),
        does("b"),
        does("c", { say: "${{ error.details.cause_code }} in ${{ error.task }}" }),
      ]),
    );
    expect(await bed.t.run("w")).toMatchObject({ status: "SUCCESS", output: { say: "CARD_DECLINED in a" } });
  });

  test("takes the first way whose codes fit, the callee's own included", async () => {
    const ways = [{ codes: ["NO_MONEY", "CARD_DECLINED"], next: "b" }, { next: "c" }];
    const tasks = [does("a", { fail: "CARD_DECLINED" }, { on_error: ways }), does("b", { say: "b" }), does("c")];
    const bed = await bedOf(one(tasks));
    expect(await bed.t.run("w")).toMatchObject({ status: "SUCCESS", output: { say: "b" } });
  });
});

describe("retry", () => {
  const causedBy = (code: string): object => ({ cause_code: "AGENT_ERROR", cause: { details: { cause_code: code } } });
  const retry = { max_attempts: 3, backoff: { initial: "10s", factor: 2 } };

  test("tries again after its delays, counts attempts, and gives each a key of its own", async () => {
    const seen: [number, number, string][] = [];
    const bed: Bed = await openBed({
      agents: [
        {
          id: "flaky",
          handler: (_input, { attempt, idempotencyKey }) => {
            seen.push([bed.clock.now(), attempt, idempotencyKey]);
            if (attempt < 3) throw new Error("again");
            return { attempt };
          },
        },
      ],
      workflows: [one([{ id: "a", type: "agent", agent: "flaky", retry }])],
    });
    const began = bed.clock.now();
    const end = bed.t.run("w");
    await bed.pass(31 * second);
    expect(await end).toMatchObject({ status: "SUCCESS", output: { attempt: 3 } });
    expect(seen.map(([at, attempt]) => [at - began, attempt])).toEqual([
      [0, 1],
      [10_000, 2],
      [30_000, 3],
    ]);
    expect(new Set(seen.map(([, , key]) => key)).size).toBe(3);
  });

  test("ends when its attempts are used up, and at once for what it is not for", async () => {
    const never = { ...retry, never_on: ["FATAL"] };
    const bed = await bedOf(one([does("a", { fail: "AGAIN" }, { retry: never })]), {
      ...one([does("a", { fail: "FATAL" }, { retry: never })]),
      id: "v",
    });
    const ends = [bed.t.run("w"), bed.t.run("v")];
    await settled();
    expect(await ends[1]).toMatchObject({ status: "FAILED", error: { details: causedBy("FATAL") } });
    await bed.pass(31 * second);
    expect(await ends[0]).toMatchObject({ status: "FAILED", error: { details: causedBy("AGAIN") } });
    expect(calls).toHaveLength(4);
  });
});

describe("timeouts", () => {
  test("an agent over its time is told to stop, and the task fails", async () => {
    const held = heldAgent("slow");
    const bed = await openBed({
      agents: [held.definition],
      workflows: [one([{ id: "a", type: "agent", agent: "slow", timeout: "5s" }])],
    });
    const end = bed.t.run("w");
    await settled();
    const { context } = held.runs[0] ?? {};
    expect(context?.deadline?.getTime()).toBe(bed.clock.now() + 5 * second);
    await bed.pass(6 * second);
    expect(await end).toMatchObject({ status: "FAILED", error: { code: "TASK_FAILED" } });
    expect(context?.signal.aborted).toBe(true);
  });

  test("a task that sets none has that of its agent or tool, and else thirty seconds", async () => {
    const deadlines: Record<string, number> = {};
    const handlerOf =
      (id: string) =>
      (_input: unknown, { deadline }: { deadline: Date | null }) => {
        deadlines[id] = Number(deadline) - bed.clock.now();
      };
    const bed: Bed = await openBed({
      agents: [{ id: "own", timeoutMs: 90_000, handler: handlerOf("own") }],
      tools: [
        { id: "own_tool", timeoutMs: 7_000, handler: handlerOf("own_tool") },
        { id: "none", handler: handlerOf("none") },
      ],
      workflows: [
        one([
          { id: "a", type: "tool", tool: "own_tool", next: "b" },
          { id: "b", type: "tool", tool: "none", next: "c" },
          { id: "c", type: "agent", agent: "own" },
        ]),
      ],
    });
    await bed.t.run("w");
    expect(deadlines).toEqual({ own_tool: 7_000, none: 30_000, own: 90_000 });
    await bed.t.execute({ tool: "own_tool" });
    await bed.t.execute({ agent: "own" });
    expect(deadlines).toEqual({ own_tool: 7_000, none: 30_000, own: 90_000 });
  });
});

describe("parallel", () => {
  const branches = { x: [does("x1", { say: 1 })], y: [does("y1", { fail: "BAD" })], z: [does("z1", { say: 3 })] };

  test("runs its branches, and gives their results by name", async () => {
    const { y: _y, ...good } = branches;
    const bed = await bedOf(one([{ id: "p", type: "parallel", branches: good }]));
    expect(await bed.t.run("w")).toMatchObject({
      status: "SUCCESS",
      output: { results: { x: { say: 1 }, z: { say: 3 } }, errors: {} },
    });
  });

  test.each([
    ["all", { status: "FAILED", error: { details: { cause_code: "CHILD_FAILED" } } }],
    ["fail_fast", { status: "FAILED", error: { details: { cause_code: "CHILD_FAILED" } } }],
    [
      "best_effort",
      { status: "SUCCESS", output: { results: { x: { say: 1 }, y: null }, errors: { y: expect.anything() } } },
    ],
    ["race", { status: "SUCCESS", output: { winner: "x", result: { say: 1 } } }],
  ] as const)("with %s it ends as the strategy says", async (strategy, end) => {
    const bed = await bedOf(one([{ id: "p", type: "parallel", branches, strategy }]));
    const ended = bed.t.run("w");
    await bed.pass(10 * second);
    expect(await ended).toMatchObject(end);
  });

  test("begins no more at once than it may", async () => {
    const held = heldAgent("slow");
    const branch = (id: string): TaskSpec[] => [{ id, type: "agent", agent: "slow" }];
    const bed = await openBed({
      agents: [held.definition],
      workflows: [
        one([
          {
            id: "p",
            type: "parallel",
            max_concurrency: 2,
            branches: { a: branch("a"), b: branch("b"), c: branch("c") },
          },
        ]),
      ],
    });
    const end = bed.t.run("w");
    await settled();
    expect(held.runs).toHaveLength(2);
    held.runs[0]?.end({ n: 1 });
    await settled();
    expect(held.runs).toHaveLength(3);
    for (const { end: done } of held.runs) done({ n: 1 });
    expect(await end).toMatchObject({ status: "SUCCESS" });
  });
});

describe("route", () => {
  const cases = [
    { when: ({ input }: { input: unknown }) => (input as { n: number }).n > 10, next: "big" },
    { when: "${{ input.even }}", next: "even" },
  ];
  const rest = [does("big", { say: "big" }), does("even", { say: "even" }), does("rest", { say: "rest" })];
  const spec = one([{ id: "r", type: "route", cases, default: "rest" }, ...rest]);

  test.each<[object, object]>([
    [
      { n: 11, even: false },
      { status: "SUCCESS", output: { say: "big" } },
    ],
    [
      { n: 11, even: true },
      { status: "SUCCESS", output: { say: "big" } },
    ],
    [
      { n: 1, even: true },
      { status: "SUCCESS", output: { say: "even" } },
    ],
    [
      { n: 1, even: false },
      { status: "SUCCESS", output: { say: "rest" } },
    ],
    [
      { n: 1, even: "yes" },
      { status: "FAILED", error: { details: { cause_code: "EXPRESSION_ERROR" } } },
    ],
    [{ n: 1 }, { status: "FAILED", error: { details: { cause_code: "EXPRESSION_ERROR" } } }],
  ])("of %j leads there", async (input, end) => {
    const bed = await bedOf(spec);
    expect(await bed.t.run("w", input)).toMatchObject(end);
  });

  test("that leads nowhere fails with NO_ROUTE", async () => {
    const bed = await bedOf(one([{ id: "r", type: "route", cases: [{ when: false, next: "a" }] }, does("a")]));
    expect(await bed.t.run("w")).toMatchObject({ status: "FAILED", error: { details: { cause_code: "NO_ROUTE" } } });
  });
});

describe("wait", () => {
  test("for a time lets it pass, months too, and a restart does not matter", async () => {
    const spec = one([{ id: "nap", type: "wait", wait: { duration: "90d" }, next: "a" }, does("a")], {
      timeout: "365d",
    });
    const bed = await bedOf(spec);
    const { execId } = bed.t.start("w");
    await bed.pass(second);
    expect((await tasksOf(bed, execId))["nap"]?.status).toBe("WAITING");
    bed.clock.jump(24 * hour);
    await bed.t.stop();
    const two = await openBed({ agents: [puppet], workflows: [spec], disk: bed.disk, clock: bed.clock });
    const end = two.t.result(execId);
    two.clock.jump(88 * 24 * hour);
    await two.pass(second);
    expect(two.t.get(execId).status).toBe("RUNNING");
    two.clock.jump(24 * hour);
    await two.pass(second);
    expect(await end).toMatchObject({ status: "SUCCESS" });
  });

  test("for a signal takes one that came before it, and one that comes later", async () => {
    const wait = (id: string, more: object): TaskSpec =>
      ({ id, type: "wait", wait: { signal: "go" }, timeout: "1h", ...more }) as TaskSpec;
    const bed = await bedOf(one([does("a", {}, { next: "one" }), wait("one", { next: "two" }), wait("two", {})]));
    const { execId, result } = bed.t.start("w");
    await bed.t.signal(execId, "go", { n: 1 });
    await settled();
    const [first, second_] = [await tasksOf(bed, execId), bed.t.signal(execId, "go", { n: 2 })];
    expect(first["one"]).toMatchObject({ status: "SUCCESS" });
    expect(first["two"]).toMatchObject({ status: "WAITING" });
    await second_;
    expect(await result()).toMatchObject({ status: "SUCCESS", output: { name: "go", payload: { n: 2 } } });
  });

  test("for an approval ends with what it is resumed with", async () => {
    const bed = await bedOf(one([{ id: "ok", type: "wait", wait: { approval: "may it?" }, timeout: "1h" }]));
    const { execId, result } = bed.t.start("w");
    await settled();
    const { ok } = await tasksOf(bed, execId);
    expect(ok).toMatchObject({ status: "WAITING", about: { wait: { approval: "may it?" } } });
    await bed.t.resume(ok?.execId ?? "", { approved: false, comment: "no" });
    expect(await result()).toMatchObject({ status: "SUCCESS", output: { approved: false, comment: "no" } });
  });

  test("that is over its time fails with WAIT_TIMEOUT, and its error path is taken", async () => {
    const wait = { id: "s", type: "wait", wait: { signal: "go" }, timeout: "1h" } as const;
    const bed = await bedOf(one([wait]), {
      ...one([{ ...wait, on_error: "late" }, does("late", { say: "late" })]),
      id: "v",
    });
    const ends = [bed.t.run("w"), bed.t.run("v")];
    await bed.pass(hour + second);
    expect(await ends[0]).toMatchObject({ status: "FAILED", error: { details: { cause_code: "WAIT_TIMEOUT" } } });
    expect(await ends[1]).toMatchObject({ status: "SUCCESS", output: { say: "late" } });
  });

  test("a task signals another run, and hears if there is nobody", async () => {
    const tell: TaskSpec = { id: "tell", type: "signal", signal: "go", to: "${{ input.to }}", with: { n: 5 } };
    const bed = await bedOf(one([tell]), {
      id: "listener",
      tasks: [{ id: "s", type: "wait", wait: { signal: "go" }, timeout: "1h" }],
    });
    const listener = bed.t.start("listener");
    await settled();
    expect(await bed.t.run("w", { to: listener.execId })).toMatchObject({
      status: "SUCCESS",
      output: { delivered: true },
    });
    expect(await listener.result()).toMatchObject({ output: { name: "go", payload: { n: 5 } } });
    const nobody = bed.t.run("w", { to: "01920000-0000-7000-8000-000000000000" });
    await bed.pass(60 * second);
    expect(await nobody).toMatchObject({
      status: "FAILED",
      error: { details: { cause_code: "SIGNAL_NOT_DELIVERED" } },
    });
  });
});

describe("a workflow within a workflow", () => {
  const child: WorkflowSpec = { id: "child", tasks: [does("c", { say: "${{ input.n }}" })] };

  test("is given its input, and its result is that of the task", async () => {
    const bed = await bedOf(one([{ id: "call", type: "workflow", workflow: "child", with: { n: 4 } }]), child);
    const end = await bed.t.run("w");
    expect(end).toMatchObject({ status: "SUCCESS", output: { say: 4 } });
    const [called] = (await bed.t.list({ id: "child" })).items;
    const { call } = await tasksOf(bed, end.execId);
    expect(called).toMatchObject({ status: "SUCCESS", parent: call?.execId, correlationId: call?.correlationId });
  });

  test("that fails makes the task fail with its code", async () => {
    const bad = { id: "child", tasks: [does("c", { fail: "BAD" })] };
    const bed = await bedOf(one([{ id: "call", type: "workflow", workflow: "child" }]), bad);
    expect(await bed.t.run("w")).toMatchObject({
      status: "FAILED",
      error: { details: { cause_code: "CHILD_FAILED" } },
    });
  });

  test("that nobody knows makes the task fail", async () => {
    const bed = await bedOf(one([{ id: "call", type: "workflow", workflow: "nobody" }]));
    expect(await bed.t.run("w")).toMatchObject({
      status: "FAILED",
      error: { message: expect.stringContaining("nobody") },
    });
  });
});
