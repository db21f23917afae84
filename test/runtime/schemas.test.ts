// Goal: what breaks a schema, or an expression that fails on data, is a named error with its path where it belongs, and
// never a crash; what fits is filled in.
// Method: small workflows in virtual time, with good and bad data in each place that has a schema or a template.

import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { AgentDefinition } from "../../src/agents/agent.ts";
import { defineWorkflow } from "../../src/language/define.ts";
import type { TaskSpec, WorkflowSpec } from "../../src/language/spec.ts";
import { defineAgent, defineTool } from "../../src/runtime/definitions.ts";
import { heldAgent, openBed, refusal, settled } from "./bed.ts";

const order = {
  type: "object",
  properties: { id: { type: "string" }, count: { type: "integer", default: 1 } },
  required: ["id"],
} as const;
const ok = { type: "object", properties: { ok: { type: "boolean" } }, required: ["ok"] } as const;

let given: unknown[] = [];
/** Notes what it is given, and answers as it is told to. */
const echo = (input: unknown): unknown => {
  given.push(input);
  return (input as { say?: unknown }).say ?? { ok: true };
};
const judge = defineAgent({ id: "judge", input: order, output: ok, handler: echo as () => { ok: boolean } });
const look = defineTool({
  id: "look",
  input: z.object({ n: z.number(), m: z.number().default(2) }).loose(),
  handler: echo,
});
const free = { id: "free", handler: echo };
const tell = defineTool({ id: "tell", output: ok, handler: echo as () => { ok: boolean } });

const one = (task: object, more: Partial<WorkflowSpec> = {}): WorkflowSpec => ({
  id: "w",
  tasks: [{ id: "a", ...task } as TaskSpec],
  ...more,
});

async function bedOf(...workflows: WorkflowSpec[]) {
  given = [];
  return openBed({ agents: [judge, free], tools: [look, tell], workflows });
}
const taskFails = (cause: string, more: object = {}): object => ({
  status: "FAILED",
  error: { code: "TASK_FAILED", details: { cause_code: cause, ...more } },
});

describe("the input of a workflow", () => {
  test("that breaks its schema is refused, and nothing runs", async () => {
    const { t } = await bedOf(one({ type: "agent", agent: "free" }, { input: order }));
    const end = await t.run("w", { count: "x" });
    expect(end).toMatchObject({
      status: "FAILED",
      error: {
        code: "VALIDATION_FAILED",
        message: "the input of workflow 'w' is wrong: id: is missing; count: must be integer",
        details: {
          errors: [
            { field: "id", message: "is missing" },
            { field: "count", message: "must be integer" },
          ],
        },
      },
    });
    expect(given).toEqual([]);
  });

  test("that fits is filled in, for tasks and for whoever asks", async () => {
    const spec = one({ type: "agent", agent: "free", with: { all: "${{ input }}" } }, { input: order });
    const { t } = await bedOf({ ...spec, result: "${{ input.count + 1 }}" });
    expect(await t.run("w", { id: "1" })).toMatchObject({ status: "SUCCESS", output: { value: 2 } });
    expect(given).toEqual([{ all: { id: "1", count: 1 } }]);
  });

  test("of a child is checked as well: the task that calls it fails", async () => {
    const parent: WorkflowSpec = { id: "p", tasks: [{ id: "c", type: "workflow", workflow: "w", with: { id: 7 } }] };
    const { t } = await bedOf(one({ type: "agent", agent: "free" }, { input: order }), parent);
    expect(await t.run("p")).toMatchObject(taskFails("CHILD_FAILED"));
    expect(given).toEqual([]);
  });

  test("may be defined with zod, and by the definition itself", async () => {
    const typed = defineWorkflow({
      id: "typed",
      input: z.object({ id: z.string(), count: z.number().default(3) }),
      output: z.object({ sum: z.number() }),
      tasks: [{ id: "a", type: "agent", agent: "free", with: ({ input }) => ({ n: input.count }) }],
      result: { sum: "${{ input.count + 1 }}" },
    });
    const { t } = await bedOf(typed);
    expect(await t.run(typed, { id: "1" })).toMatchObject({ status: "SUCCESS", output: { sum: 4 } });
    expect(await t.run("typed", {})).toMatchObject({ status: "FAILED", error: { code: "VALIDATION_FAILED" } });
  });
});

test("what was filled in is the same after a crash, and so is what was refused", async () => {
  const held = heldAgent("held");
  const spec = one({ type: "agent", agent: "held", with: "${{ input }}" }, { input: order, output: ok });
  const parts = { agents: [held.definition], workflows: [{ ...spec, result: "${{ tasks.a.output }}" }] };
  const first = await openBed(parts);
  const { execId } = first.t.start("w", { id: "1" });
  const refused = await first.t.run("w", {});
  await settled();
  first.store.crash();
  const two = await openBed({ ...parts, disk: first.disk, clock: first.clock });
  await settled();
  expect(held.runs.map(({ input }) => input)).toEqual([
    { id: "1", count: 1 },
    { id: "1", count: 1 },
  ]);
  held.runs[1]?.end({ ok: true });
  expect(await two.t.result(execId)).toMatchObject({ status: "SUCCESS", output: { ok: true } });
  expect(await two.t.result(refused.execId)).toMatchObject({ status: "FAILED", error: { code: "VALIDATION_FAILED" } });
  expect(two.reports.filter(({ level }) => level === "error")).toEqual([]);
});

describe("the output of a workflow", () => {
  test("that breaks its schema fails it at the end", async () => {
    const { t } = await bedOf(one({ type: "agent", agent: "free" }, { output: ok, result: { ok: "yes" } }));
    expect(await t.run("w")).toMatchObject({
      status: "FAILED",
      error: { code: "VALIDATION_FAILED", details: { errors: [{ field: "ok", message: "must be boolean" }] } },
    });
    expect(given).toHaveLength(1);
  });

  test("is that of its last task without `result`", async () => {
    const { t } = await bedOf(one({ type: "agent", agent: "free", with: { say: { ok: 1 } } }, { output: ok }));
    expect(await t.run("w")).toMatchObject({ status: "FAILED", error: { code: "VALIDATION_FAILED" } });
    const well = await bedOf(one({ type: "agent", agent: "free" }, { output: ok }));
    expect(await well.t.run("w")).toMatchObject({ status: "SUCCESS", output: { ok: true } });
  });
});

describe("the input of an agent or a tool", () => {
  test.each([
    [{ type: "agent", agent: "judge", with: { id: 1 } }, "the input of agent 'judge' is wrong: id: must be string"],
    [{ type: "tool", tool: "look", with: { n: "1" } }, "the input of tool 'look' is wrong: n: "],
  ])("that breaks its schema fails the task before anything is called: %j", async (task, says) => {
    const { t } = await bedOf(one({ ...task, retry: { max_attempts: 3 } }));
    const end = await t.run("w");
    expect(end).toMatchObject(taskFails("VALIDATION_FAILED"));
    const { items } = await t.list({ run: end.execId });
    expect(items.map(({ entity }) => entity).sort()).toEqual(["task", "workflow"]);
    expect(JSON.stringify(items)).toContain(says);
    expect(given).toEqual([]);
  });

  test("that fits is filled in", async () => {
    const { t } = await bedOf(one({ type: "agent", agent: "judge", with: { id: "1" } }), {
      id: "v",
      tasks: [{ id: "b", type: "tool", tool: "look", with: { n: 1 } }],
    });
    await t.run("w");
    await t.run("v");
    expect(given).toEqual([
      { id: "1", count: 1 },
      { n: 1, m: 2 },
    ]);
  });

  test("is checked for whoever calls it: a task, an agent that calls a tool, nobody", async () => {
    const caller: AgentDefinition = { id: "caller", handler: (_input, { tool }) => tool("look", { n: "x" }) };
    const { t } = await openBed({ agents: [caller, judge], tools: [look], workflows: [] });
    expect(await t.execute({ agent: "caller" })).toMatchObject({
      error: { code: "AGENT_ERROR", details: { cause_code: "TOOL_INPUT_INVALID" } },
    });
    expect(await t.execute({ tool: "look" }, { n: "x" })).toMatchObject({ error: { code: "VALIDATION_FAILED" } });
    const refused = await t.execute({ agent: "judge" }, { id: 1 });
    expect(refused).toMatchObject({
      error: {
        code: "VALIDATION_FAILED",
        message: "the input of agent 'judge' is wrong: id: must be string",
        details: { errors: [{ field: "id", message: "must be string" }] },
      },
    });
    expect((await t.list({ run: refused.execId })).items.map(({ entity }) => entity)).toEqual(["task"]);
  });
});

describe("the answer that breaks the schema", () => {
  test("of an agent is its own failure, which may be tried again", async () => {
    const task = { type: "agent", agent: "judge", with: { id: "1", say: { ok: "no" } }, retry: { max_attempts: 2 } };
    const bed = await bedOf(one(task));
    const end = bed.t.run("w");
    await bed.pass(60_000);
    expect(await end).toMatchObject(taskFails("AGENT_ERROR"));
    const { items } = await bed.t.list({ run: (await end).execId, entity: "agent" });
    expect(items[0]).toMatchObject({
      error: {
        code: "AGENT_ERROR",
        message: "the output of agent 'judge' is wrong: ok: must be boolean",
      },
    });
    expect(given).toHaveLength(2);
    expect(await bed.t.execute({ agent: "judge" }, { id: "1", say: {} })).toMatchObject({
      error: {
        code: "AGENT_ERROR",
        details: { cause_code: "OUTPUT_INVALID", errors: [{ field: "ok", message: "is missing" }] },
      },
    });
  });

  test("can be named by its cause in `on_error`", async () => {
    const spec: WorkflowSpec = {
      id: "w",
      tasks: [
        {
          id: "a",
          type: "agent",
          agent: "judge",
          with: { id: "1", say: 7 },
          on_error: [{ codes: ["OUTPUT_INVALID"], next: "b" }],
        },
        { id: "b", type: "agent", agent: "free", with: { say: "${{ error.details.errors[0].message }}" } },
      ],
    };
    const { t } = await bedOf(spec);
    expect(await t.run("w")).toMatchObject({ status: "SUCCESS", output: { value: "must be object" } });
  });

  test("of a tool is TOOL_OUTPUT_INVALID, and not tried again", async () => {
    const { t } = await bedOf(one({ type: "tool", tool: "tell", with: { say: {} }, retry: { max_attempts: 3 } }));
    const end = await t.run("w");
    expect(end).toMatchObject(taskFails("TOOL_OUTPUT_INVALID"));
    expect(given).toHaveLength(1);
  });
});

describe("an expression that fails on data", () => {
  test.each<[string, TaskSpec, string]>([
    [
      "with",
      { id: "a", type: "agent", agent: "free", with: { deep: [{ order: "${{ input.order.id }}" }] } },
      "task 'a' with.deep.0.order: ${{ input.order.id }}: there is no 'order'",
    ],
    ["items", { id: "a", type: "each", items: "${{ input.urls }}", do: [] }, "there is no 'urls'"],
    [
      "when",
      { id: "a", type: "route", cases: [{ when: "${{ input.n > 1 }}", next: "b" }] },
      "${{ input.n > 1 }}: no such overload: string > int",
    ],
  ])("in %s is EXPRESSION_ERROR, and tells where", async (_name, task, says) => {
    const fallback: TaskSpec = { id: "b", type: "agent", agent: "free" };
    const spec = task.type === "each" ? { ...task, do: [fallback] } : task;
    const tasks = task.type === "route" ? [spec, fallback] : [spec];
    const { t } = await bedOf({ id: "w", tasks: tasks as TaskSpec[] });
    const end = await t.run("w", { n: "text" });
    expect(end).toMatchObject(taskFails("EXPRESSION_ERROR"));
    const { items } = await t.list({ run: end.execId, entity: "task" });
    expect(JSON.stringify(items)).toContain(JSON.stringify(says).slice(1, -1));
    expect(given).toEqual([]);
  });

  test("in `result` fails the run", async () => {
    const { t } = await bedOf(one({ type: "agent", agent: "free" }, { result: { x: "${{ 1 / input.n }}" } }));
    expect(await t.run("w", { n: 0 })).toMatchObject({ status: "FAILED", error: { code: "EXPRESSION_ERROR" } });
    expect(await t.run("w", { n: 4 })).toMatchObject({ output: { x: 0.25 } });
  });
});

describe("a handler", () => {
  test("has the environment that its definition names, and nothing else of it", async () => {
    const seen: unknown[] = [];
    const agent = { id: "a", env: ["KEY", "NOT_SET"], handler: (_: unknown, c: { env: unknown }) => seen.push(c.env) };
    const tool = { id: "b", handler: (_: unknown, { env }: { env: unknown }) => seen.push(env) };
    const environment = { KEY: "secret", OTHER: "not told" };
    const { t } = await openBed({ agents: [agent], tools: [tool], environment });
    await t.execute({ agent: "a" });
    await t.execute({ tool: "b" });
    expect(seen).toEqual([{ KEY: "secret" }, {}]);
  });

  test("has the timeout of its definition, as a text or in milliseconds", async () => {
    const never = (): Promise<never> => new Promise(() => undefined);
    const agents = [{ id: "a", timeout: "2s", handler: never }] as const;
    const bed = await openBed({ agents, tools: [{ id: "b", timeoutMs: 2_000, handler: never }] });
    const ends = [bed.t.execute({ agent: "a" }), bed.t.execute({ tool: "b" })];
    await bed.pass(1_900);
    let settledEarly = 0;
    for (const end of ends) void end.then(() => (settledEarly += 1));
    await settled();
    expect(settledEarly).toBe(0);
    await bed.pass(10_000);
    expect((await Promise.all(ends)).map(({ error }) => error?.code)).toEqual([
      "AGENT_INVOCATION_TIMEOUT",
      "TOOL_INVOCATION_TIMEOUT",
    ]);
  });

  test("thinks by either name", async () => {
    const agent: AgentDefinition = {
      id: "a",
      handler: (_input, { think, thinking }) => ({ same: think === thinking }),
    };
    const { t } = await openBed({ agents: [agent] });
    expect(await t.execute({ agent: "a" })).toMatchObject({ output: { same: true } });
  });
});

test("what is wrong with a definition is told before anything runs, all at once", async () => {
  const wrong = {
    id: "a",
    handler: () => 1,
    timeout: "soon",
    timeoutMs: 5,
    env: ["a-b"],
    input: { type: "objekt" },
    output: 7,
    kind: "llm",
  };
  const { code, details } = await refusal(() => openBed({ agents: [wrong as never] }));
  expect(code).toBe("DEFINITION_INVALID");
  expect((details as { errors: { field: string }[] }).errors.map(({ field }) => field)).toEqual([
    "kind",
    "timeoutMs",
    "timeout",
    "env.0",
    "input.type",
    "output",
  ]);
  const transform = z.string().transform(Number);
  const spec = { ...one({ type: "agent", agent: "free" }), input: transform } as unknown as WorkflowSpec;
  expect(await refusal(() => bedOf(spec))).toMatchObject({
    code: "DEFINITION_INVALID",
    message: expect.stringContaining("input: cannot be written as JSON Schema"),
  });
});
