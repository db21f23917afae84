// Goal: each detail of the language's tasks is as it says: signals, loops, limits, direct triggers.
// Method: one small workflow for each row, in virtual time.

import { describe, expect, test } from "vitest";
import type { TaskSpec } from "../../src/language/spec.ts";
import { second, settled, type Bed } from "../runtime/bed.ts";
import { bedOf, does, endOf, flow, heard, waits } from "../kit/rows.ts";

const tasksOf = async ({ t }: Bed, run: string) =>
  Object.fromEntries((await t.list({ run, entity: "task" })).items.map((item) => [item.id, item]));

describe("details", () => {
  test("wait for a signal: one that came early counts, kept per name", async () => {
    const bed = await bedOf([
      flow([waits("nap", { duration: "10s" }, { next: "s" }), waits("s", { signal: "go" }, { timeout: "1h" })]),
    ]);
    const { execId, result } = bed.t.start("w");
    await bed.t.signal(execId, "other", 1);
    await bed.t.signal(execId, "go", 2);
    await bed.pass(11 * second);
    expect(await result()).toMatchObject({ output: { name: "go", payload: 2 } });
  });

  const match = (id: string, n: number, more: object = {}): TaskSpec =>
    waits(id, { signal: "go", match: `\${{ signal.payload.n == ${n} }}` }, { timeout: "1h", ...more });

  test("wait for a signal: `match` filters, each signal ends one wait, oldest first", async () => {
    const branches = {
      two: [match("two", 2)],
      one: [match("one", 1)],
      any: [waits("any", { signal: "go" }, { timeout: "1h" })],
    };
    const bed = await bedOf([flow([{ id: "p", type: "parallel", branches }])]);
    const { execId, result } = bed.t.start("w");
    await settled();
    await bed.t.signal(execId, "go", { n: 1, first: true });
    await settled();
    const now = await tasksOf(bed, execId);
    expect([now["two"]?.status, now["one"]?.status, now["any"]?.status]).toEqual(["WAITING", "SUCCESS", "WAITING"]);
    await bed.t.signal(execId, "go", { n: 1 });
    await bed.t.signal(execId, "go", { n: 2 });
    const { output } = await result();
    expect(output).toMatchObject({
      results: {
        one: { payload: { n: 1, first: true } },
        any: { payload: { n: 1 } },
        two: { payload: { n: 2 } },
      },
    });
  });

  test("wait for a signal: `match` holds for those that were kept, too", async () => {
    const bed = await bedOf([
      flow([waits("nap", { duration: "10s" }, { next: "two" }), match("two", 2, { next: "one" }), match("one", 1)]),
    ]);
    const { execId, result } = bed.t.start("w");
    for (const n of [3, 1, 2]) await bed.t.signal(execId, "go", { n });
    await bed.pass(11 * second);
    expect(await result()).toMatchObject({ output: { payload: { n: 1 } } });
  });

  test("wait for a signal: a match that fails on a signal passes it over, and the log says so", async () => {
    const bed = await bedOf([flow([match("two", 2)])]);
    const { execId, result } = bed.t.start("w");
    await settled();
    await bed.t.signal(execId, "go", "no object");
    await bed.t.signal(execId, "go", { n: 2 });
    expect(await result()).toMatchObject({ output: { payload: { n: 2 } } });
    const lines = (await bed.t.history(execId)).filter(({ type }) => type === "log:LogEmitted");
    expect(lines.map(({ envelope }) => envelope["payload"])).toMatchObject([
      { log_level: "warn", message: expect.stringContaining("two") },
    ]);
  });

  test("wait for a signal: `match` sees the item of its each", async () => {
    const body = [waits("s", { signal: "go", match: "${{ signal.payload.n == item }}" }, { timeout: "1h" })];
    const bed = await bedOf([flow([{ id: "e", type: "each", items: [1, 2, 3], do: body, max_concurrency: 3 }])]);
    const { execId, result } = bed.t.start("w");
    await settled();
    for (const n of [3, 1, 2]) await bed.t.signal(execId, "go", { n });
    const payloads = (await result()).output as { results: { payload: { n: number } }[] };
    expect(payloads.results.map(({ payload }) => payload.n)).toEqual([1, 2, 3]);
  });

  test("any wait: an operator may end it by resume; a signal wait gives {name, payload}", async () => {
    for (const [wait, output] of [
      [{ signal: "go" }, { name: "go", payload: { n: 1 } }],
      [
        { signal: "go", match: "${{ false }}" },
        { name: "go", payload: { n: 1 } },
      ],
      [{ approval: "?" }, { n: 1 }],
      [{ duration: "30m" }, { n: 1 }],
      [{ until: "2027-01-01T00:00:00Z" }, { n: 1 }],
    ] as const) {
      const bed = await bedOf([flow([waits("s", wait, { timeout: "1h" })])]);
      const { execId, result } = bed.t.start("w");
      await settled();
      await bed.t.resume((await tasksOf(bed, execId))["s"]?.execId ?? "", { n: 1 });
      expect(await result()).toMatchObject({ status: "SUCCESS", output });
    }
  });

  test("a result that is no object is {value}", async () => {
    const bed = await bedOf([flow([{ id: "n", type: "tool", tool: "number" }])], {
      tools: [{ id: "number", handler: () => 7 }],
    });
    expect(await bed.t.run("w")).toMatchObject({ output: { value: 7 } });
  });

  test("loops: every pass is a new execution, `tasks` shows the latest, and the output is kept", async () => {
    const tasks = [
      does("a", "${{ {'say': has(tasks.a.output) ? tasks.a.output.say + 1 : 1} }}", { next: "r" }),
      {
        id: "r",
        type: "route",
        cases: [{ when: "${{ tasks.a.output.say < 3 }}", next: "a" }],
        default: "end",
      } as TaskSpec,
      does("end", { say: "${{ tasks.a.output.say }}" }),
    ];
    const bed = await bedOf([flow(tasks)]);
    const end = await bed.t.run("w");
    expect(end).toMatchObject({ output: { say: 3 } });
    expect(
      (await bed.t.list({ run: end.execId, id: "a" })).items.filter(({ entity }) => entity === "task"),
    ).toHaveLength(3);
  });

  test("max_steps ends an endless loop with STEP_LIMIT, for all passes together also within a container", async () => {
    const again = [does("a", {}, { next: "b" }), does("b", {}, { next: "a" })];
    const bed = await bedOf([flow(again)], { limits: { stepsMax: 5 } });
    expect(await bed.t.run("w")).toMatchObject({ error: { code: "STEP_LIMIT", details: { task: "a" } } });
    expect(heard).toHaveLength(10);
    const inner = {
      x: [
        does("x", {}, { next: "y" }),
        {
          id: "y",
          type: "route",
          cases: [{ when: "${{ tasks.n.output.say == 0 }}", next: "x" }],
          default: "z",
        } as TaskSpec,
        does("z"),
      ],
    };
    const outer = [
      does("n", { say: 1 }, { next: "p" }),
      { id: "p", type: "parallel", branches: inner, next: "p" } as TaskSpec,
    ];
    const two = await bedOf([flow(outer)], { limits: { stepsMax: 5 } });
    expect(await two.t.run("w")).toMatchObject({ error: { code: "STEP_LIMIT" } });
  });

  test("inside an each max_steps counts within one item", async () => {
    const body = [
      does("a", {}, { next: "r" }),
      {
        id: "r",
        type: "route",
        cases: [{ when: "${{ item == 1 }}", next: "a" }],
        default: "z",
      } as TaskSpec,
      does("z"),
    ];
    const each = (items: number[]): TaskSpec => ({ id: "e", type: "each", items, do: body });
    const fine = await bedOf([flow([each(Array(20).fill(0))])], { limits: { stepsMax: 5 } });
    expect(await fine.t.run("w")).toMatchObject({ status: "SUCCESS" });
    const endless = await bedOf([flow([each([0, 1])])], { limits: { stepsMax: 5 } });
    expect(await endless.t.run("w")).toMatchObject({ error: { code: "STEP_LIMIT" } });
  });

  test("a long loop of routes is no defect of the engine: it goes on in several records", async () => {
    const tasks = [
      { id: "r", type: "route", cases: [{ when: true, next: "s" }] } as TaskSpec,
      { id: "s", type: "route", cases: [{ when: true, next: "r" }] } as TaskSpec,
    ];
    expect(await endOf(tasks)).toMatchObject({ status: "FAILED", error: { code: "STEP_LIMIT" } });
  });

  test("direct trigger: `with`, next and on_error are ignored; retry and timeout apply", async () => {
    const retry = { max_attempts: 2, backoff: { initial: "1s" } };
    const tasks = [does("a", { say: "own" }, { retry, next: "b", on_error: "b" }), does("b")];
    const bed = await bedOf([flow(tasks)]);
    const end = bed.t.execute({ task: "w.a" }, { fail: "BAD" });
    await bed.pass(5 * second);
    expect(await end).toMatchObject({ status: "FAILED", error: { code: "TOOL_ERROR" } });
    expect(heard).toEqual([{ fail: "BAD" }, { fail: "BAD" }]);
  });

  test("direct trigger: a signal goes where it says with the input as its payload, and else to nobody", async () => {
    const tell = (id: string, more: object): TaskSpec => ({ id, type: "signal", signal: "go", ...more }) as TaskSpec;
    const to = "${{ input.to }}";
    const bed = await bedOf([
      flow([tell("a", { with: { n: 1 }, to, next: "b" }), tell("b", {})]),
      { id: "listener", tasks: [waits("s", { signal: "go" }, { timeout: "1h" })] },
    ]);
    const listener = bed.t.start("listener");
    await bed.pass(second);
    const input = { to: listener.execId, n: 2 };
    expect(await bed.t.execute({ task: "w.a" }, input)).toMatchObject({ output: { delivered: true } });
    expect(await listener.result()).toMatchObject({ output: { name: "go", payload: input } });
    expect(await bed.t.execute({ task: "w.b" })).toMatchObject({ error: { code: "SIGNAL_NOT_DELIVERED" } });
  });

  test("direct trigger: an each or a wait until a time by itself has its items and its time", async () => {
    const tasks = [
      {
        id: "e",
        type: "each",
        items: "${{ input.list }}",
        do: [does("a", { say: "${{ item }}" })],
        next: "t",
      } as TaskSpec,
      waits("t", { until: "${{ input.at }}" }),
    ];
    const bed = await bedOf([flow(tasks)]);
    expect(await bed.t.execute({ task: "w.e" }, { list: [1, 2] })).toMatchObject({
      output: { results: [{ say: 1 }, { say: 2 }] },
    });
    const end = bed.t.execute({ task: "w.t" }, { at: bed.clock.now() + 5 * second });
    await bed.pass(6 * second);
    expect(await end).toMatchObject({ status: "SUCCESS" });
  });
});
