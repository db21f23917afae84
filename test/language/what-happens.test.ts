// Goal: the table "What happens when" of docs/workflow-language.md is true, row by row. Method: each row is played at
// the door in virtual time; a row that nothing plays, here or in a file of its own, is found.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { AgentContext, AgentDefinition, AgentHandler } from "../../src/agents/agent.ts";
import type { TaskSpec, WorkflowSpec } from "../../src/language/spec.ts";
import { root } from "../kit/tree.ts";
import { type Bed, hour, openBed, second } from "../runtime/bed.ts";

/** Rows that are played by whole files of their own. */
const elsewhere: Readonly<Record<string, string>> = {
  "the process of a remote agent dies": "test/actors/registry.test.ts",
  "the engine is killed": "test/actors/recovery.test.ts",
  "nobody answers an approval": "test/examples.test.ts",
  "a definition is removed while it runs": "test/runtime/definition-archive.test.ts",
};

const throws = (code: string) => (): never => {
  throw Object.assign(new Error("it failed"), { code });
};
const never: AgentHandler = (_input, { signal }: AgentContext) =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));

const ask = { id: "ask", type: "agent", agent: "clerk" } as const;
const clerk = (handler: AgentHandler, more: Partial<AgentDefinition> = {}): { agents: AgentDefinition[] } => ({
  agents: [{ id: "clerk", handler, ...more } as AgentDefinition],
});
const shop = (tasks: TaskSpec[], more: Partial<WorkflowSpec> = {}): { workflows: WorkflowSpec[] } => ({
  workflows: [{ id: "shop", tasks, ...more }],
});

/** How the run of `shop` ends, within so much time. */
async function end(bed: Bed, input: unknown = {}, forMs = hour) {
  const { result } = bed.t.start("shop", input);
  await bed.pass(forMs);
  return result();
}
const cause = (error: unknown): unknown => (error as { details: { cause?: unknown } }).details.cause;

type Play = () => Promise<void>;
const rows: Readonly<Record<string, Play>> = {
  "an agent or tool throws": async () => {
    let calls = 0;
    const handler = (): never => {
      calls += 1;
      return throws("NO_WAY")();
    };
    const task = { ...ask, retry: { max_attempts: 3, backoff: { initial: "1s" } } };
    const ended = await end(await openBed({ ...clerk(handler), ...shop([task]) }));
    expect(cause(ended.error)).toMatchObject({ code: "AGENT_ERROR", details: { cause_code: "NO_WAY" } });
    expect(calls).toBe(3);
  },
  "an agent gives nothing, or `{}`": async () => {
    const ended = await end(await openBed({ ...clerk(() => ({})), ...shop([ask]) }));
    expect(cause(ended.error)).toMatchObject({ code: "AGENT_ERROR", details: { cause_code: "EMPTY_RESULT" } });
  },
  "it hangs": async () => {
    const slow = await end(await openBed({ ...clerk(never), ...shop([{ ...ask, timeout: "2s" }]) }));
    expect(cause(slow.error)).toMatchObject({ code: "AGENT_INVOCATION_TIMEOUT" });
    const silent = await end(
      await openBed({ ...clerk(never), ...shop([{ ...ask, heartbeat: "1s" }]) }),
      {},
      5 * second,
    );
    expect(cause(silent.error)).toMatchObject({ code: "TASK_HEARTBEAT_LOST" });
  },
  "nobody serves an agent": async () => {
    const ended = await end(await openBed(shop([ask])), {}, second);
    expect(cause(ended.error)).toMatchObject({
      code: "AGENT_DISPATCH_FAILED",
      details: { reason: expect.any(String) },
    });
  },
  "input breaks the schema of a workflow": async () => {
    let calls = 0;
    const input = { type: "object", required: ["order"] } as const;
    const bed = await openBed({ ...clerk(() => (calls += 1)), ...shop([ask], { input }) });
    const ended = await end(bed, { orders: 1 });
    expect(ended.error).toMatchObject({ code: "VALIDATION_FAILED", details: { errors: [{ field: "order" }] } });
    expect(calls).toBe(0);
  },
  "the result breaks it": async () => {
    const output = { type: "object", properties: { ok: { type: "string" } } } as const;
    const ended = await end(await openBed({ ...clerk(() => ({ ok: 1 })), ...shop([ask], { output }) }));
    expect(ended.error).toMatchObject({ code: "VALIDATION_FAILED" });
  },
  "`with` breaks the callee's schema": async () => {
    const schema = { type: "object", required: ["order"] } as const;
    const task = { ...ask, with: { orders: "${{ input.x }}" }, retry: { max_attempts: 3 } };
    const bed = await openBed({ ...clerk(() => ({}), { input: schema }), ...shop([task]) });
    const ended = await end(bed, { x: 1 });
    expect(cause(ended.error)).toMatchObject({ code: "VALIDATION_FAILED" });
    const types = (await bed.t.history(ended.execId)).map(({ type }) => type);
    expect(types).not.toContain("event:TaskRetryScheduled");
  },
  "an expression fails on data": async () => {
    const task = { ...ask, with: { x: "${{ input.nothing }}" } };
    const ended = await end(await openBed({ ...clerk(() => ({ ok: true })), ...shop([task]) }));
    expect(cause(ended.error)).toMatchObject({ code: "EXPRESSION_ERROR" });
    const caught = { ...task, on_error: [{ codes: ["EXPRESSION_ERROR"], next: "then" }] };
    const then = { ...ask, id: "then", with: "${{ error.code }}" } as TaskSpec;
    const taken = await end(await openBed({ ...clerk((input) => ({ input })), ...shop([caught, then]) }));
    expect(taken).toMatchObject({ status: "SUCCESS", output: { input: "EXPRESSION_ERROR" } });
    const last = await end(
      await openBed({ ...clerk(() => ({ ok: true })), ...shop([ask], { result: "${{ input.nothing }}" }) }),
    );
    expect(last).toMatchObject({ status: "FAILED", error: { code: "EXPRESSION_ERROR" } });
  },
  "a run is over its `timeout`": async () => expect(await endedBy("timeout")).toEqual(["TIMED_OUT", ["first", "undo"]]),
  "a run is canceled": async () => expect(await endedBy("cancel")).toEqual(["CANCELED", ["first", "undo"]]),
  "a child workflow fails": async () => {
    const child = { id: "child", tasks: [ask] };
    const parent: WorkflowSpec = { id: "shop", tasks: [{ id: "sub", type: "workflow", workflow: "child" }] };
    const ended = await end(await openBed({ ...clerk(throws("NO_WAY")), workflows: [child, parent] }));
    expect(cause(ended.error)).toMatchObject({ code: "CHILD_FAILED", details: { cause_code: "TASK_FAILED" } });
  },
  "a task loops forever": async () => {
    const task = { ...ask, next: "ask" };
    const ended = await end(
      await openBed({ ...clerk(() => ({ ok: true })), ...shop([task]), limits: { stepsMax: 20 } }),
    );
    expect(ended.error).toMatchObject({ code: "STEP_LIMIT" });
  },
};

/** A run whose first task has an undo, ended while its second is at work; and what was at work, in order. */
async function endedBy(how: "timeout" | "cancel") {
  const done: string[] = [];
  const handler: AgentHandler = (input, context) => {
    const { name } = input as { name: string };
    if (name === "second") return never(input, context);
    return { done: done.push(name) };
  };
  const task = (id: string, more: Partial<TaskSpec> = {}) =>
    ({ id, type: "agent", agent: "clerk", with: { name: id }, timeout: "1h", ...more }) as TaskSpec;
  const tasks = [task("first", { next: "second", undo: [task("undo")] }), task("second")];
  const bed = await openBed({ ...clerk(handler), ...shop(tasks, { timeout: "10m" }) });
  const { execId, result } = bed.t.start("shop");
  await bed.pass(second);
  if (how === "cancel") await Promise.all([bed.t.cancel(execId), bed.pass(10 * second)]);
  await bed.pass(hour);
  return [(await result()).status, done];
}

describe("what happens when", () => {
  test.each(Object.entries(rows))("%s", async (_row, play) => {
    await play();
  });

  test("every row of the table is played, here or in a file that is there", () => {
    const page = readFileSync(join(root, "docs/workflow-language.md"), "utf8");
    const section = /^## What happens when\n([^]*)/m.exec(page)?.[1] ?? "";
    const told = [...section.matchAll(/^\| ([^|]+?) \| /gm)]
      .map(([, row]) => row)
      .filter((row) => !/^(?:What|---)$/.test(row ?? ""));
    expect(new Set(told)).toEqual(new Set([...Object.keys(rows), ...Object.keys(elsewhere)]));
    expect(Object.values(elsewhere).filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });
});
