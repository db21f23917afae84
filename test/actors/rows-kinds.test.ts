// Goal: each type of task does and gives what the language says of it.
// Method: one small workflow for each row, in virtual time.

import { describe, expect, test } from "vitest";
import type { AgentContext } from "../../src/agents/agent.ts";
import type { TaskSpec } from "../../src/language/spec.ts";
import { heldAgent, hour, openBed, second, settled, type Bed } from "../runtime/bed.ts";
import { asks, bedOf, does, endOf, failedWith, flow, waits } from "../kit/rows.ts";

const tasksOf = async ({ t }: Bed, run: string) =>
  Object.fromEntries((await t.list({ run, entity: "task" })).items.map((item) => [item.id, item]));

const actionIn = (envelope: Record<string, unknown>): unknown =>
  (envelope["payload"] as { context: { agent_request?: { action?: string } } }).context.agent_request?.action;

describe("types", () => {
  test("agent: the agent's result; it fails with a code of agents", async () => {
    expect(await endOf([asks("a", { say: 1 })])).toMatchObject({ output: { say: 1 } });
    expect(await endOf([asks("a", { fail: "BAD" })])).toMatchObject(failedWith("AGENT_ERROR"));
  });

  test("agent: it is told which `action` is wanted, in this process and by the order in any other", async () => {
    const actions: unknown[] = [];
    const judge = {
      id: "judge",
      handler: (_input: unknown, { action }: AgentContext) => ({ n: actions.push(action) }),
    };
    const task = (id: string, more: object): TaskSpec => ({ id, type: "agent", agent: "judge", ...more }) as TaskSpec;
    const bed = await bedOf([flow([task("a", { action: "weigh", next: "b" }), task("b", {})])], { agents: [judge] });
    const { execId } = await bed.t.run("w");
    expect(actions).toEqual(["weigh", undefined]);
    const orders = (await bed.t.history(execId)).filter(({ type }) => type === "command:AgentRuntimeExecute");
    expect(orders.map(({ envelope }) => actionIn(envelope))).toEqual(["weigh", undefined]);
  });

  test("tool: the tool's result; it fails with a code of tools", async () => {
    expect(await endOf([does("a", { say: 1 })])).toMatchObject({ output: { say: 1 } });
    expect(await endOf([does("a", { fail: "BAD" })])).toMatchObject(failedWith("TOOL_ERROR"));
  });

  test("workflow: the child's result; CHILD_FAILED with the child's code as its cause", async () => {
    const call: TaskSpec = { id: "call", type: "workflow", workflow: "child", with: { n: 2 } };
    const child = (tasks: TaskSpec[]) => ({ id: "child", tasks });
    const good = await bedOf([flow([call]), child([does("c", { say: "${{ input.n }}" })])]);
    expect(await good.t.run("w")).toMatchObject({ output: { say: 2 } });
    const bad = await bedOf([flow([call]), child([does("c", { fail: "BAD" })])]);
    const cause = { code: "CHILD_FAILED", details: { cause_code: "TASK_FAILED" } };
    expect(await bad.t.run("w")).toMatchObject(failedWith("CHILD_FAILED", { cause }));
  });

  test("workflow: cancel and timeout cancel the child", async () => {
    const held = heldAgent("slow");
    const child = { id: "child", tasks: [{ id: "c", type: "agent", agent: "slow", timeout: "1h" } as TaskSpec] };
    const call: TaskSpec = { id: "call", type: "workflow", workflow: "child", timeout: "10s" };
    const bed = await openBed({ agents: [held.definition], workflows: [flow([call]), child] });
    const timed = bed.t.run("w");
    await bed.pass(20 * second);
    expect(await timed).toMatchObject(failedWith("TASK_TIMEOUT"));
    const { execId } = bed.t.start("w");
    await settled();
    await bed.t.cancel(execId);
    await bed.pass(10 * second);
    const children = (await bed.t.list({ id: "child" })).items;
    expect(children.map(({ status }) => status)).toEqual(["CANCELED", "CANCELED"]);
  });

  test("parallel: results and errors by name", async () => {
    const branches = { x: [does("x1", { say: 1 })], y: [does("y1", { fail: "BAD" })] };
    const end = await endOf([{ id: "p", type: "parallel", branches, strategy: "best_effort" }]);
    expect(end).toMatchObject({
      output: { results: { x: { say: 1 }, y: null }, errors: { y: { code: "TOOL_ERROR" } } },
    });
  });

  test("route: {case, next}, the position or `default`; NO_ROUTE and EXPRESSION_ERROR", async () => {
    const tasks = (more: object): TaskSpec[] => [
      {
        id: "r",
        type: "route",
        cases: [
          { when: "${{ input.n == 1 }}", next: "a" },
          { when: "${{ input.n == 2 }}", next: "a" },
        ],
        ...more,
      } as TaskSpec,
      does("a", { say: "${{ tasks.r.output }}" }),
    ];
    const output = (end: unknown) => (end as { output: { say: unknown } }).output.say;
    expect(output(await endOf(tasks({}), { n: 2 }))).toEqual({ case: 1, next: "a" });
    expect(output(await endOf(tasks({ default: "a" }), { n: 3 }))).toEqual({ case: "default", next: "a" });
    expect(await endOf(tasks({}), { n: 3 })).toMatchObject(failedWith("NO_ROUTE"));
    expect(await endOf(tasks({}), {})).toMatchObject(failedWith("EXPRESSION_ERROR"));
    const odd = { cases: [{ when: "${{ input.n }}", next: "a" }] };
    expect(await endOf(tasks(odd), { n: 3 })).toMatchObject(failedWith("EXPRESSION_ERROR"));
  });

  test("wait for a duration: an empty output", async () => {
    const bed = await bedOf([flow([waits("nap", { duration: "10s" })])]);
    const end = bed.t.run("w");
    await bed.pass(10 * second + 10);
    expect(await end).toEqual({ execId: expect.any(String), status: "SUCCESS", output: {} });
  });

  test("wait until a time: that of a text or of milliseconds, at once if it has passed", async () => {
    for (const until of ["2026-01-01T00:00:30Z", "2026-01-01T01:00:30.000+01:00", Date.UTC(2026, 0, 1, 0, 0, 30)]) {
      const bed = await bedOf([flow([waits("alarm", { until: "${{ input.at }}" })])]);
      const { execId, result } = bed.t.start("w", { at: until });
      await bed.pass(29 * second);
      expect(bed.t.get(execId).status).toBe("RUNNING");
      await bed.pass(2 * second);
      expect(await result()).toMatchObject({ status: "SUCCESS", output: {} });
    }
    const late = await bedOf([flow([waits("alarm", { until: "2020-01-01T00:00:00Z" })])]);
    const end = late.t.run("w");
    await late.pass(1);
    expect(await end).toMatchObject({ status: "SUCCESS" });
  });

  test("wait until a time: a pause of the workflow does not move it", async () => {
    const bed = await bedOf([flow([waits("alarm", { until: "2026-01-01T00:01:00Z" })])]);
    const { execId, result } = bed.t.start("w");
    await bed.pass(10 * second);
    await bed.t.pause(execId);
    await bed.pass(100 * second);
    expect(bed.t.get(execId).status).toBe("PAUSED");
    await bed.t.resume(execId);
    await bed.pass(second);
    expect(await result()).toMatchObject({ status: "SUCCESS" });
  });

  test("wait until what is no time fails with EXPRESSION_ERROR, and one without a zone is none", async () => {
    for (const at of ["soon", "2026-01-01T00:00:30", -1, null, 1e300]) {
      expect(await endOf([waits("alarm", { until: "${{ input.at }}" })], { at })).toMatchObject(
        failedWith("EXPRESSION_ERROR"),
      );
    }
  });

  test("wait for an approval: what it is resumed with, a refusal too", async () => {
    const bed = await bedOf([flow([waits("ok", { approval: "may it?" }, { timeout: "1h" })])]);
    const { execId, result } = bed.t.start("w");
    await settled();
    const { ok } = await tasksOf(bed, execId);
    await bed.t.resume(ok?.execId ?? "", { approved: false, comment: "no" });
    expect(await result()).toMatchObject({ status: "SUCCESS", output: { approved: false, comment: "no" } });
  });

  test("wait over its timeout: WAIT_TIMEOUT", async () => {
    expect(await endOf([waits("s", { signal: "go" }, { timeout: "1m" })])).toMatchObject(failedWith("WAIT_TIMEOUT"));
    const until = waits("s", { until: "2027-01-01T00:00:00Z" }, { timeout: "1m" });
    expect(await endOf([until])).toMatchObject(failedWith("WAIT_TIMEOUT"));
  });

  test("signal: {delivered: true}; SIGNAL_NOT_DELIVERED if there is nobody", async () => {
    const tell: TaskSpec = { id: "tell", type: "signal", signal: "go", with: { n: 5 }, to: "${{ input.to }}" };
    const listener = { id: "listener", tasks: [waits("s", { signal: "go" }, { timeout: "1h" })] };
    const bed = await bedOf([flow([tell]), listener]);
    const { execId, result } = bed.t.start("listener");
    await settled();
    expect(await bed.t.run("w", { to: execId })).toMatchObject({ output: { delivered: true } });
    expect(await result()).toMatchObject({ output: { name: "go", payload: { n: 5 } } });
    const nobody = bed.t.run("w", { to: "01920000-0000-7000-8000-000000000000" });
    await bed.pass(60 * second);
    expect(await nobody).toMatchObject(failedWith("SIGNAL_NOT_DELIVERED"));
  });

  test("signal: to its own run if it names none", async () => {
    const tasks = [
      { id: "tell", type: "signal", signal: "go", with: { n: 1 }, next: "s" } as TaskSpec,
      waits("s", { signal: "go" }, { timeout: "1m" }),
    ];
    expect(await endOf(tasks)).toMatchObject({ output: { name: "go", payload: { n: 1 } } });
  });
});

describe("a detached workflow", () => {
  const child = {
    id: "child",
    tasks: [waits("nap", { duration: "1h" }, { next: "c" }), does("c", { say: "${{ workflow.parent_exec_id }}" })],
    timeout: "1d",
  };
  const call = (more: object = {}): TaskSpec =>
    ({ id: "call", type: "workflow", workflow: "child", detached: true, ...more }) as TaskSpec;

  test("gives its execution id at once, is a run of its own with its parent named, and ends after it", async () => {
    const bed = await bedOf([flow([call()]), child]);
    const end = await bed.t.run("w");
    const execId = (end as unknown as { output: { exec_id: string } }).output.exec_id;
    const { call: task } = await tasksOf(bed, end.execId);
    expect(bed.t.get(execId)).toMatchObject({ status: "RUNNING", id: "child", parent: task?.execId });
    const childEnd = bed.t.result(execId);
    bed.clock.jump(hour);
    await bed.pass(second);
    expect(await childEnd).toMatchObject({ status: "SUCCESS", output: { say: task?.execId } });
  });

  test("is not canceled with the run that began it, and fails it in no way", async () => {
    const bed = await bedOf([flow([call({ next: "nap2" }), waits("nap2", { duration: "1h" })]), child]);
    const { execId } = bed.t.start("w");
    await settled();
    await bed.t.cancel(execId);
    const [run] = (await bed.t.list({ id: "child" })).items;
    expect(bed.t.get(execId).status).toBe("CANCELED");
    expect(run?.status).toBe("RUNNING");
    const nobody = await bedOf([flow([{ ...call(), workflow: "nobody" } as TaskSpec])]);
    expect(await nobody.t.run("w")).toMatchObject({ status: "SUCCESS" });
  });

  test("survives a crash right after it was begun", async () => {
    const bed = await bedOf([flow([call()]), child]);
    const end = await bed.t.run("w");
    bed.store.crash();
    const three = await openBed({
      tools: [{ id: "puppet", handler: (input) => input }],
      workflows: [flow([call()]), child],
      disk: bed.disk,
    });
    const execId = (end as unknown as { output: { exec_id: string } }).output.exec_id;
    expect(three.t.get(execId).status).toBe("RUNNING");
    const childEnd = three.t.result(execId);
    three.clock.jump(hour);
    await three.pass(second);
    expect(await childEnd).toMatchObject({ status: "SUCCESS" });
  });

  test("counts among how deep workflows call each other", async () => {
    const spec = { id: "w", tasks: [call({ workflow: "w" })] };
    const bed = await bedOf([spec], { limits: { depthMax: 3 } });
    bed.t.start("w");
    await bed.pass(second);
    const { items } = await bed.t.list({ id: "w", order: "oldest" });
    expect(items.map(({ status }) => status)).toEqual(["SUCCESS", "SUCCESS", "SUCCESS", "FAILED"]);
  });
});
