// Goal: what is said leaves the process once, after it is on disk, and whoever asks in vain is told.
//
// Method: an outsider listens to everything on the transport in memory; the disk is an object that can wait.

import { describe, expect, it } from "vitest";
import { openMemory } from "../../src/store/memory.ts";
import { at, bytesOf, jsonOf, rest, stage, uuid } from "../kit/bridged.ts";
import { parse } from "../../src/protocol/parse.ts";
import { subjectCodec } from "../../src/protocol/subjects.ts";

const agents = [{ id: "clerk", handler: (): { done: boolean } => ({ done: true }) }];
const workflows = [{ id: "w", tasks: [{ id: "t", type: "agent" as const, agent: "clerk" }] }];
const upToDispatch = ["orchestrator", "task-dispatcher", "task-executor", "agent-dispatcher"];

describe("what leaves", () => {
  it("O1: leaves only once it is on disk, and in the order in which it was said", async () => {
    const set = stage();
    const held: (() => void)[] = [];
    let isHolding = false;
    const store = openMemory({ commit: (act) => (isHolding ? void held.push(act) : queueMicrotask(act)) });
    const troupe = await set.open({ agents, workflows, store });
    const seen = set.watch("compozy.>");
    isHolding = true;
    const { execId } = troupe.start("w", {});
    await rest();
    expect(seen).toEqual([]);
    isHolding = false;
    for (const act of held.splice(0)) act();
    await rest();
    const journal = (await troupe.history(execId)).map(({ envelope }) => envelope.metadata["message_id"]);
    const left = seen.map((delivery) => at(jsonOf(delivery), "metadata.message_id"));
    expect(left.filter((id) => journal.includes(String(id)))).toEqual(journal);
  });

  it("O1: is a message that every reader of the protocol takes without a warning", async () => {
    const set = stage();
    const troupe = await set.open({ agents, workflows });
    const seen = set.watch("compozy.>");
    await set.until(troupe.run("w", {}));
    const subjects = subjectCodec({ prefix: "compozy", layout: "flow" });
    expect(seen.length).toBeGreaterThan(10);
    for (const { subject, headers, bytes } of seen) {
      const { warnings, dropped } = parse(subject, headers, bytes, { subjects });
      expect({ subject, warnings, dropped }).toEqual({ subject, warnings: [], dropped: 0 });
    }
  });

  it("O1: news follows what was said before it, so that no beat comes ahead of its registration", async () => {
    const set = stage();
    const seen = set.watch("compozy.>");
    await set.open({ agents, roles: ["agent-runtime"] });
    const words = seen.map(({ subject }) => subject.split(".").filter((token) => !token.includes("-")));
    expect(words.map((tokens) => tokens.at(-1))).toEqual(["registered", "agent_runtime"]);
  });

  it.each(["agent", "tool"] as const)(
    "O5: a result of %s that no message can hold is an error at once",
    async (type) => {
      const set = stage();
      const large = { text: "x".repeat(2_000_000) };
      const callee = { id: "clerk", handler: () => large };
      const task = type === "agent" ? { id: "t", type, agent: "clerk" } : { id: "t", type, tool: "clerk" };
      const here = await set.open({
        workflows: [{ id: "w", tasks: [{ ...task, timeout: "30s" }] }],
        roles: upToDispatch,
      });
      const [agents, tools] = type === "agent" ? [[callee], []] : [[], [callee]];
      const limits = { payloadBytes: 4_000_000 };
      await set.open({ agents, tools, limits, roles: ["agent-runtime", "tool-executor"] });
      const began = set.clock.now();
      const { execId, result } = here.start("w", {});
      await set.until(result());
      const failed = (await here.history(execId)).find((line) => line.type === "event:TaskExecutionFailed");
      const error = at(failed?.envelope, "payload.result.error");
      const code = type === "agent" ? "AGENT_ERROR" : "TOOL_ERROR";
      expect(error).toMatchObject({ code, details: { cause_code: "PAYLOAD_TOO_LARGE" } });
      expect(set.clock.now() - began).toBeLessThan(1_000);
    },
  );

  it("O2: what came from elsewhere does not go out again", async () => {
    const set = stage();
    await set.open({ workflows: [] });
    const seen = set.watch("compozy.>");
    const body = {
      metadata: set.metadata(),
      workflow: { id: "none", exec_id: uuid(4) },
      payload: { context: { input: {}, trigger_type: "api" } },
    };
    void set.connect().publish("compozy.commands.workflow.execute.none", bytesOf(body));
    await rest();
    const subjects = seen.map(({ subject }) => subject);
    expect(subjects.filter((subject) => subject.includes("commands.workflow"))).toHaveLength(1);
    expect(subjects).toContain(`compozy.events.workflow.instance.${uuid(4)}.failed`);
  });

  it("O2: the context of a trace goes on with whatever its run says", async () => {
    const set = stage();
    await set.open({ agents, workflows });
    const seen = set.watch("compozy.>");
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const body = {
      metadata: set.metadata(),
      workflow: { id: "w", exec_id: uuid(4) },
      payload: { context: { input: {}, trigger_type: "api" } },
    };
    void set.connect().publish("compozy.commands.workflow.execute.w", bytesOf(body), { headers: { traceparent } });
    await rest();
    const events = seen.filter(({ subject }) => subject.includes(".events."));
    expect(events.length).toBeGreaterThan(5);
    expect(new Set(events.map(({ headers }) => headers["traceparent"]))).toEqual(new Set([traceparent]));
  });

  it("O3: of two whole troupes on one transport only the one that was asked does the work", async () => {
    const set = stage();
    const done: string[] = [];
    const clerk = (name: string) => [
      {
        id: "clerk",
        handler: (): { by: string } => {
          done.push(name);
          return { by: name };
        },
      },
    ];
    const one = await set.open({ agents: clerk("one"), workflows });
    const other = await set.open({ agents: clerk("other"), workflows });
    const end = await set.until(one.run("w", {}));
    expect(end.status).toBe("SUCCESS");
    expect(done).toHaveLength(1);
    expect((await other.list({ entity: "workflow" })).items).toEqual([]);
  });

  it("O4: a runtime that is gone is no responder at once, without waiting for its acknowledgment", async () => {
    const set = stage();
    const troupe = await set.open({ workflows, roles: upToDispatch });
    const remote = set.connect();
    const capabilities = { agents: ["*"], supported_providers: [], supported_models: [], max_concurrent_executions: 1 };
    const registration = {
      metadata: set.metadata(),
      agent_runtime: { id: "gone", exec_id: uuid(6), capabilities },
      payload: { status: "REGISTERED", context: { heartbeat_ms: 5_000, lease_ms: 15_000 } },
    };
    void remote.publish(`compozy.events.agent_runtime.instance.${uuid(6)}.registered`, bytesOf(registration));
    await rest();
    const begun = set.clock.now();
    const handle = troupe.start("w", {});
    await rest();
    expect(set.clock.now()).toBe(begun);
    const end = await set.until(handle.result());
    expect(end.error?.message).toContain("no runtime answers");
    expect(set.clock.now()).toBe(begun);
  });

  it("O4: a command that cannot leave at all has no responder either", async () => {
    const set = stage();
    const look = [{ id: "w", tasks: [{ id: "t", type: "tool" as const, tool: "look" }] }];
    const troupe = await set.open({ workflows: look, roles: upToDispatch });
    await set.cut(0);
    const begun = set.clock.now();
    const end = await set.until(troupe.run("w", {}));
    expect(at(end, "error.details.cause_code")).toBe("TOOL_DISPATCH_FAILED");
    expect(set.clock.now()).toBe(begun);
  });

  it("O4: an order that no executor takes is asked again each second, until its time to start is over", async () => {
    const set = stage();
    const troupe = await set.open({ workflows, roles: ["orchestrator", "task-dispatcher"] });
    const seen = set.watch("compozy.commands.task.>");
    // Whoever only watches takes no order; it is the peer's subscription that makes it no longer unheard.
    expect(seen).toEqual([]);
    const end = await set.until(troupe.run("w", {}));
    expect(at(end, "error.details.cause_code")).toBe("TASK_START_TIMEOUT");
  });
});
