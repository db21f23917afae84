// Goal: what is handed in at the door begins once, with what was given, and its end is heard, now or after a restart.
// Method: a whole troupe in virtual time; handlers that echo, and some that end when they are told to.

import { describe, expect, test } from "vitest";
import { heldAgent, hour, openBed, refusal, second, settled } from "./bed.ts";

const echo = { id: "echo", handler: (input: unknown) => ({ heard: input }) };
const look = { id: "look", handler: (input: unknown) => ({ seen: input }) };
const ask = {
  id: "ask",
  tasks: [{ id: "only", type: "agent" as const, agent: "echo", with: { q: "${{ input.q }}" } }],
};
const anyId = expect.stringMatching(/^[0-9a-f-]{36}$/);
const parts = { agents: [echo], tools: [look], workflows: [ask] };

describe("run and start", () => {
  test("run gives the output of the last task, and start a handle that gives the same", async () => {
    const { t } = await openBed(parts);
    const expected = { execId: anyId, status: "SUCCESS", output: { heard: { q: 1 } } };
    expect(await t.run("ask", { q: 1 })).toEqual(expected);
    const handle = t.start("ask", { q: 1 });
    expect(handle).toMatchObject({ execId: anyId, duplicate: false });
    expect(await handle.result()).toEqual({ ...expected, execId: handle.execId });
    expect(await handle.result(), "also when it has ended long ago").toEqual(await t.result(handle.execId));
  });

  test("an execution can be asked for as soon as its start is accepted", async () => {
    const { t } = await openBed(parts);
    const { execId, accepted } = t.start("ask", { q: 1 });
    expect((await refusal(() => t.get(execId))).code).toBe("EXECUTION_NOT_FOUND");
    await accepted();
    expect(t.get(execId)).toMatchObject({ execId, entity: "workflow", id: "ask" });
    await accepted();
  });

  test("a failure gives its error, as a value and not as an exception", async () => {
    const fails = { id: "echo", handler: () => Promise.reject(new Error("no")) };
    const { t } = await openBed({ ...parts, agents: [fails] });
    expect(await t.run("ask", { q: 1 })).toMatchObject({
      status: "FAILED",
      error: { code: "TASK_FAILED", message: expect.stringContaining("no"), details: { failed_task_id: "only" } },
    });
  });

  test("an unknown workflow is refused with the nearest name; by start at once, by run as a rejection", async () => {
    const { t } = await openBed(parts);
    const expected = { code: "WORKFLOW_NOT_FOUND", message: expect.stringContaining("did you mean 'ask'?") };
    expect(() => t.start("asks")).toThrow(expect.objectContaining(expected));
    await expect(t.run("asks")).rejects.toMatchObject(expected);
    await expect(t.execute({ tool: "lok" })).rejects.toMatchObject({ code: "TOOL_NOT_FOUND" });
  });

  test.each<[string, object, string]>([
    ["label", { label: {} }, "did you mean 'labels'?"],
    ["idempotencyKey", { idempotencyKey: "" }, "1 to 256"],
    ["correlationId", { correlationId: "x" }, "UUID"],
  ])("a start with a wrong %s is refused", async (_name, options, says) => {
    const { t } = await openBed(parts);
    const { code, message } = await refusal(() => t.start("ask", {}, options));
    expect(code).toBe("VALIDATION_FAILED");
    expect(message).toContain(says);
  });

  test("the input is copied: what is changed later changes nothing, and what is no JSON is refused", async () => {
    const { t } = await openBed(parts);
    const input = { q: { deep: 1 } };
    const handle = t.start("ask", input);
    input.q.deep = 2;
    expect(await handle.result()).toMatchObject({ output: { heard: { q: { deep: 1 } } } });
    const circular: { self?: unknown } = {};
    circular.self = circular;
    for (const wrong of [circular, { big: 1n }, () => 1, Symbol("s")]) {
      expect((await refusal(() => t.start("ask", wrong))).code).toBe("VALIDATION_FAILED");
    }
  });

  test("the correlation id that is given is the one that all its messages have", async () => {
    const { t } = await openBed(parts);
    const correlationId = "01920000-0000-7000-8000-0000000000aa";
    const { execId } = await t.run("ask", { q: 1 }, { correlationId });
    const lines = await t.history(execId);
    expect(new Set(lines.map(({ envelope }) => envelope.metadata["correlation_id"]))).toEqual(new Set([correlationId]));
    expect((await t.list({ correlationId })).items.map((item) => item.entity).sort()).toEqual([
      "agent",
      "task",
      "workflow",
    ]);
  });
});

test("the agents and tools that a workflow has to itself are there with it", async () => {
  const own = {
    id: "own",
    agents: [{ id: "mine", kind: "module" as const, module: (() => ({ mine: true })) as never }],
    tools: [{ id: "my-tool", kind: "http" as const, url: "http://x.example" }],
    tasks: [{ id: "a", type: "agent" as const, agent: "mine" }],
  };
  const { tools: _tools, ...well } = own;
  const { t } = await openBed({ workflows: [well] });
  expect(await t.run("own")).toMatchObject({ status: "SUCCESS", output: { mine: true } });
  expect(await refusal(() => openBed({ workflows: [own] }))).toMatchObject({
    code: "DEFINITION_INVALID",
    message: expect.stringContaining("tool 'my-tool' has defects"),
  });
});

test("who asks for the result of a run that was started just now waits for its end", async () => {
  const { t } = await openBed(parts);
  const { execId } = t.start("ask", { q: 1 });
  expect(await t.result(execId)).toMatchObject({ status: "SUCCESS", output: { heard: { q: 1 } } });
  const alone = t.startOne({ agent: "echo" }, { a: 1 });
  expect(await t.result(alone.execId)).toMatchObject({ status: "SUCCESS" });
});

describe("an idempotency key", () => {
  test("gives the same execution for the same content, before and after it is on disk", async () => {
    const { t } = await openBed(parts);
    const first = t.start("ask", { q: 1, more: [{ a: 1, b: 2 }] }, { idempotencyKey: "k" });
    const again = t.start("ask", { more: [{ b: 2, a: 1 }], q: 1 }, { idempotencyKey: "k" });
    expect(again).toMatchObject({ execId: first.execId, duplicate: true });
    expect(await again.result()).toEqual(await first.result());
    expect(t.start("ask", { q: 1, more: [{ a: 1, b: 2 }] }, { idempotencyKey: "k" }).execId).toBe(first.execId);
    expect((await t.list({ entity: "workflow" })).items).toHaveLength(1);
  });

  test("is refused for other content, with the execution that has it", async () => {
    const { t } = await openBed(parts);
    const { execId } = t.start("ask", { q: 1 }, { idempotencyKey: "k" });
    for (const act of [
      () => t.start("ask", { q: 2 }, { idempotencyKey: "k" }),
      () => t.execute({ agent: "echo" }, { q: 1 }, { idempotencyKey: "k" }),
    ]) {
      expect(await refusal(act)).toMatchObject({ code: "IDEMPOTENCY_CONFLICT", details: { exec_id: execId } });
      await settled();
    }
  });

  test("is known after a restart, for a day and not longer", async () => {
    const one = await openBed(parts);
    const { execId } = await one.t.run("ask", { q: 1 }, { idempotencyKey: "k" });
    await one.t.stop();
    const two = await openBed({ ...parts, disk: one.disk, clock: one.clock });
    const again = two.t.start("ask", { q: 1 }, { idempotencyKey: "k" });
    expect(again).toMatchObject({ execId, duplicate: true });
    expect(await again.result()).toMatchObject({ status: "SUCCESS", output: { heard: { q: 1 } } });
    await two.pass(25 * hour);
    expect(two.t.start("ask", { q: 2 }, { idempotencyKey: "k" })).toMatchObject({ duplicate: false });
  });

  test("is forgotten with its start if a crash takes both back", async () => {
    const one = await openBed(parts);
    const { execId } = one.t.start("ask", { q: 1 }, { idempotencyKey: "k" });
    one.store.crash();
    const two = await openBed({ ...parts, disk: one.disk, clock: one.clock });
    const again = two.t.start("ask", { q: 2 }, { idempotencyKey: "k" });
    expect(again.duplicate).toBe(false);
    expect((await refusal(() => two.t.get(execId))).code).toBe("EXECUTION_NOT_FOUND");
  });
});

describe("one thing by itself", () => {
  test("an agent and a tool are run without a workflow", async () => {
    const { t } = await openBed(parts);
    expect(await t.execute({ agent: "echo" }, { a: 1 })).toMatchObject({
      status: "SUCCESS",
      output: { heard: { a: 1 } },
    });
    expect(await t.execute({ tool: "look" }, { a: 1 })).toMatchObject({
      status: "SUCCESS",
      output: { seen: { a: 1 } },
    });
    expect(await t.execute({ tool: "look" })).toMatchObject({ output: { seen: {} } });
  });

  test("a task is run with the input that is given, by its own name or that of its workflow", async () => {
    const { t } = await openBed(parts);
    for (const task of ["only", "ask.only"]) {
      expect(await t.execute({ task }, { a: 1 })).toMatchObject({ status: "SUCCESS", output: { heard: { a: 1 } } });
    }
  });

  test("a task in two workflows has to be told apart, and one in none is not found", async () => {
    const { t } = await openBed({ ...parts, workflows: [ask, { ...ask, id: "other" }] });
    expect(await refusal(() => t.execute({ task: "only" }))).toMatchObject({
      code: "TASK_AMBIGUOUS",
      details: { among: ["ask.only", "other.only"] },
    });
    for (const task of ["onl", "ask.onl", "nowhere.only"]) {
      expect((await refusal(() => t.execute({ task }))).code, task).toBe("TASK_NOT_FOUND");
    }
    expect((await refusal(() => t.execute({ task: "onl" }))).message).toContain("did you mean 'only'?");
  });

  test.each([{}, { agent: "echo", tool: "look" }, { agnet: "echo" }])(
    "%j names nothing that can be run",
    async (what) => {
      const { t } = await openBed(parts);
      expect((await refusal(() => t.execute(what as { agent: string }))).code).toBe("VALIDATION_FAILED");
    },
  );

  test("a failure that is tried again is not the end of a task by itself", async () => {
    let calls = 0;
    const flaky = { id: "echo", handler: () => (calls++ === 0 ? Promise.reject(new Error("first")) : { calls }) };
    const task = { ...ask.tasks[0], retry: { max_attempts: 2, backoff: { initial: "1s" } } };
    const bed = await openBed({ ...parts, agents: [flaky], workflows: [{ id: "ask", tasks: [task as never] }] });
    const end = bed.t.execute({ task: "ask.only" }, {});
    await bed.pass(2 * second);
    expect(await end).toMatchObject({ status: "SUCCESS", output: { calls: 2 } });
  });
});

describe("after a restart", () => {
  test("a result that is waited for by its execution comes, whether it had ended before or ends now", async () => {
    const held = heldAgent("echo");
    const one = await openBed({ ...parts, agents: [held.definition] });
    const before = one.t.start("ask", { q: 1 });
    const after = one.t.start("ask", { q: 2 });
    await settled();
    held.runs[0]?.end({ n: 1 });
    await before.result();
    one.store.crash();

    const two = await openBed({ ...parts, agents: [held.definition], disk: one.disk, clock: one.clock });
    expect(await two.t.result(before.execId)).toMatchObject({ status: "SUCCESS", output: { n: 1 } });
    const end = two.t.result(after.execId);
    await settled();
    expect(held.runs, "the handler that was at work is at work again").toHaveLength(3);
    expect(held.runs[2]?.context.idempotencyKey).toBe(held.runs[1]?.context.idempotencyKey);
    held.runs[1]?.end({ n: "of a process that is no more" });
    held.runs[2]?.end({ n: 2 });
    expect(await end).toMatchObject({ status: "SUCCESS", output: { n: 2 } });
  });

  test("a result is waited for at the run, not at a part of it", async () => {
    const { t } = await openBed(parts);
    const { execId } = await t.run("ask", { q: 1 });
    const [task] = (await t.list({ entity: "task", run: execId })).items;
    expect(await refusal(() => t.result(task?.execId ?? ""))).toMatchObject({
      code: "INVALID_STATE",
      details: { run: execId },
    });
    expect((await refusal(() => t.result("01920000-0000-7000-8000-000000000000"))).code).toBe("EXECUTION_NOT_FOUND");
  });
});
