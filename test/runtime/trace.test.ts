// Goal: the context of a distributed trace goes with a run wherever that goes: to handlers, children, other processes,
// and past a crash; and a run without one has none.
// Method: handlers write down what they are told; what travels is read by an outsider; the process dies and comes back.

import { describe, expect, test } from "vitest";
import type { AgentContext } from "../../src/agents/agent.ts";
import type { Trace } from "../../src/protocol/envelope.ts";
import { stage } from "../kit/bridged.ts";
import { openBed, refusal, settled } from "./bed.ts";

const trace: Trace = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", tracestate: "a=1" };

function company() {
  const told: (Trace | undefined)[] = [];
  const note = (_input: unknown, { trace: given }: Pick<AgentContext, "trace">): object => {
    told.push(given);
    return { looked: true };
  };
  const handler = async (input: unknown, context: AgentContext): Promise<object> => {
    note(input, context);
    await context.tool("look", {});
    return { done: true };
  };
  const workflows = [
    { id: "child", tasks: [{ id: "ask", type: "agent" as const, agent: "clerk" }] },
    { id: "parent", tasks: [{ id: "call", type: "workflow" as const, workflow: "child" }] },
  ];
  return { told, agents: [{ id: "clerk", handler }], tools: [{ id: "look", handler: note }], workflows };
}

describe("the trace of a start", () => {
  test("is told to agents and tools, also of a child workflow", async () => {
    const { told, ...definitions } = company();
    const bed = await openBed(definitions);
    const { execId } = bed.t.start("parent", {}, { trace });
    await bed.pass(1_000);
    expect(bed.t.get(execId).status).toBe("SUCCESS");
    expect(told).toEqual([trace, trace]);
  });

  test("is told to an agent that runs by itself", async () => {
    const { told, ...definitions } = company();
    const bed = await openBed(definitions);
    bed.t.startOne({ agent: "clerk" }, {}, { trace });
    await bed.pass(1_000);
    expect(told).toEqual([trace, trace]);
  });

  test("is none if none was given, and nothing of it is written down", async () => {
    const { told, ...definitions } = company();
    const bed = await openBed(definitions);
    bed.t.start("parent", {});
    await bed.pass(1_000);
    expect(told).toEqual([undefined, undefined]);
    expect(bed.disk.log.filter(({ body }) => body.includes("trace"))).toEqual([]);
  });

  test("is asked for where the start brings none, if somebody knows one", async () => {
    const { told, ...definitions } = company();
    const other = { traceparent: "00-11111111111111111111111111111111-2222222222222222-00" };
    const bed = await openBed({ ...definitions, trace: () => other });
    bed.t.startOne({ agent: "clerk" });
    bed.t.startOne({ agent: "clerk" }, {}, { trace });
    await bed.pass(1_000);
    expect(told).toEqual([other, trace, other, trace]);
  });

  test("is that of the delivery that a webhook starts it by", async () => {
    const { told, workflows, ...callees } = company();
    const [child] = workflows;
    const triggers = [{ type: "webhook" as const, path: "paid" }];
    const bed = await openBed({ ...callees, workflows: child ? [{ ...child, triggers }] : [] });
    const headers = { Traceparent: trace.traceparent, tracestate: trace.tracestate };
    void bed.t.receive({ path: "paid", headers, body: new TextEncoder().encode("{}") });
    await bed.pass(1_000);
    void bed.t.receive({ path: "paid", headers: { traceparent: "nonsense" }, body: new TextEncoder().encode("{}") });
    await bed.pass(1_000);
    expect(told).toEqual([trace, trace, undefined, undefined]);
  });

  test("that has not the form of the W3C is refused", async () => {
    const { t } = await openBed();
    const { code, message } = await refusal(() =>
      t.startOne({ agent: "clerk" }, {}, { trace: { traceparent: "00-a-b-01" } }),
    );
    expect({ code, message }).toMatchObject({
      code: "VALIDATION_FAILED",
      message: expect.stringContaining("trace must hold a `traceparent`") as string,
    });
  });

  test("is the same after a crash", async () => {
    const told: (Trace | undefined)[] = [];
    const agents = [
      {
        id: "clerk",
        handler: (_input: unknown, { trace: given }: AgentContext): Promise<never> => {
          told.push(given);
          return new Promise(() => undefined);
        },
      },
    ];
    const workflows = [{ id: "w", tasks: [{ id: "ask", type: "agent" as const, agent: "clerk" }] }];
    const first = await openBed({ agents, workflows });
    first.t.start("w", {}, { trace });
    await settled();
    first.store.crash();
    const second = await openBed({ agents, workflows, disk: first.disk, clock: first.clock });
    await second.pass(10);
    expect(told).toEqual([trace, trace]);
  });
});

test("all that leaves for other processes carries the trace, and their handlers are told it", async () => {
  const { told, agents, tools, workflows } = company();
  const set = stage();
  const seen = set.watch();
  const orchestration = ["orchestrator", "task-dispatcher", "task-executor", "agent-dispatcher"];
  const here = await set.open({ workflows, roles: orchestration });
  await set.open({ agents, tools, roles: ["agent-runtime", "tool-executor"] });
  const { execId, result } = here.start("child", {}, { trace });
  await set.until(result());
  expect(told).toEqual([trace, trace]);
  const ours = seen.filter(({ bytes }) => new TextDecoder().decode(bytes).includes(execId));
  expect(ours.length).toBeGreaterThan(8);
  for (const { subject, headers } of ours) {
    expect({ subject, traceparent: headers["traceparent"] }).toEqual({ subject, traceparent: trace.traceparent });
  }
});
