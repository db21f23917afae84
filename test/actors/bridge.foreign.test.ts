// Goal: an agent of another language joins by subjects and bytes alone, and whatever it does wrong ends with a code.
//
// Method: it is played on the transport in memory with JSON written by hand; the troupe is the real one.

import { describe, expect, it } from "vitest";
import type { AgentDefinition } from "../../src/agents/agent.ts";
import { openMemory } from "../../src/store/memory.ts";
import {
  acknowledge,
  answer,
  at,
  type Body,
  bytesOf,
  type Foreign,
  foreignRuntime,
  rest,
  runtimeId,
  stage,
  started,
  uuid,
} from "../kit/bridged.ts";

const consult = {
  id: "consult",
  tasks: [{ id: "ask", type: "agent" as const, agent: "oracle", with: { q: "${{ input.q }}" }, timeout: "20s" }],
};

async function played(act: (order: Body, foreign: Foreign, reply: string) => void, oracle?: AgentDefinition) {
  const set = stage();
  const troupe = await set.open({ workflows: [consult], ...(oracle && { agents: [oracle] }) });
  const foreign = foreignRuntime(set, act);
  await rest();
  return { ...set, troupe, foreign };
}

describe("a runtime of another language", () => {
  it("gets the order, acknowledges, starts, thinks and answers", async () => {
    const { troupe, foreign, until } = await played((order, self, reply) => {
      acknowledge(order, self, reply);
      started(order, self);
      const progress = self.about(order, "AgentThinking", { context: { attempt: 1, seq: 1, text: "hm" } });
      self.say(`compozy.progress.agent.${String(at(order, "agent.exec_id"))}.thinking`, progress);
      answer(order, self, { truth: 42 });
    });
    const news: string[] = [];
    troupe.subscribe(
      () => undefined,
      ({ word }) => void news.push(word.type),
    );
    const handle = troupe.start("consult", { q: "why" });
    const end = await until(handle.result());
    expect(end).toMatchObject({ status: "SUCCESS", output: { truth: 42 } });
    expect(at(foreign.orders[0], "payload.context.input")).toEqual({ q: "why" });
    expect(news).toContain("progress:AgentThinking");
    const lines = await troupe.history(handle.execId);
    const types = lines.map(({ type, disposition }) => `${type} ${disposition}`);
    expect(types).toEqual(
      expect.arrayContaining([
        "result:CommandAck applied",
        "event:AgentExecutionStarted applied",
        "result:AgentExecutionResult applied",
        "event:AgentExecutionResult applied",
      ]),
    );
  });

  const broken = {
    cause_code: "OUTPUT_INVALID",
    errors: [{ field: "n", message: "must be number" }],
  };
  it.each([
    ["fits, its defaults filled in", { n: 1 }, { status: "SUCCESS", output: { n: 1, unit: "m" } }],
    [
      "breaks it",
      { n: "x" },
      { status: "FAILED", error: { details: { cause_code: "AGENT_ERROR", cause: { details: broken } } } },
    ],
  ])("whose answer is held against the `output` that its definition says here: one that %s", async (_, said, end) => {
    const output = { type: "object", properties: { n: { type: "number" }, unit: { type: "string", default: "m" } } };
    const { troupe, until } = await played(
      (order, self, reply) => {
        acknowledge(order, self, reply);
        started(order, self);
        answer(order, self, said);
      },
      { id: "oracle", kind: "remote", output },
    );
    expect(await until(troupe.run("consult", { q: "why" }))).toMatchObject(end);
  });

  it("may answer what is no object, where its definition says so", async () => {
    const { troupe, until } = await played(
      (order, self, reply) => {
        acknowledge(order, self, reply);
        answer(order, self, { value: "yes" });
      },
      { id: "oracle", kind: "remote", output: { type: "string" } },
    );
    expect(await until(troupe.run("consult", { q: "why" }))).toMatchObject({ output: { value: "yes" } });
  });

  it("that names no parents in what it says is understood all the same", async () => {
    const bare = ({ workflow: _workflow, task: _task, ...body }: Body): Body => body;
    const { troupe, until } = await played((order, self, reply) => {
      self.say(reply, { ...bare(self.about(order, "CommandAck", { status: "ACKNOWLEDGED" })), agent: undefined });
      const started_ = self.about(order, "AgentExecutionStarted", { status: "RUNNING", context: { attempt: 1 } });
      const exec = String(at(order, "agent.exec_id"));
      self.say(`compozy.events.agent.instance.${exec}.started`, {
        ...bare(started_),
        agent_runtime: { id: "python", exec_id: runtimeId },
      });
      const payload = { status: "SUCCESS", result: { output: { n: 1 } }, context: { attempt: 1 } };
      self.say(`compozy.results.agent.${exec}`, bare(self.about(order, "AgentExecutionResult", payload)));
    });
    const handle = troupe.start("consult", { q: "why" });
    expect(await until(handle.result())).toMatchObject({ status: "SUCCESS", output: { n: 1 } });
    const lines = await troupe.history(handle.execId);
    expect(lines.map(({ type }) => type)).toContain("event:AgentExecutionStarted");
  });

  it("that never answers is a timeout with the text people match on, and is told to stop", async () => {
    const { troupe, foreign, until } = await played((order, self, reply) => acknowledge(order, self, reply));
    const end = await until(troupe.run("consult", { q: "why" }));
    expect(end.status).toBe("FAILED");
    expect(at(end, "error.details.cause_code")).toBe("AGENT_INVOCATION_TIMEOUT");
    await rest();
    expect(foreign.cancels.map((cancel) => at(cancel, "payload.context.cause"))).toEqual(["timed_out"]);
  });

  it("that does not acknowledge is no runtime for this order", async () => {
    const { troupe, until } = await played(() => undefined);
    const end = await until(troupe.run("consult", { q: "why" }));
    expect(at(end, "error.details.cause_code")).toBe("AGENT_DISPATCH_FAILED");
  });

  it("that is busy is asked again later, as its code says", async () => {
    let asked = 0;
    const { troupe, until } = await played((order, self, reply) => {
      asked += 1;
      if (asked > 1) {
        acknowledge(order, self, reply);
        return answer(order, self, { after: asked });
      }
      const error = { code: "AGENT_RUNTIME_BUSY", message: "no slot" };
      self.say(reply, self.about(order, "CommandAck", { status: "ERROR", result: { error } }));
    });
    const end = await until(troupe.run("consult", { q: "why" }));
    expect([end.status, at(end, "error.details.cause_code")]).toEqual(["FAILED", "AGENT_DISPATCH_FAILED"]);
    expect(asked).toBe(1);
  });

  it("that answers twice is heard once: one end, one event", async () => {
    const { troupe, until } = await played((order, self, reply) => {
      acknowledge(order, self, reply);
      started(order, self);
      answer(order, self, { first: true });
      answer(order, self, { first: false });
    });
    const handle = troupe.start("consult", { q: "why" });
    expect(await until(handle.result())).toMatchObject({ status: "SUCCESS", output: { first: true } });
    await rest();
    const lines = await troupe.history(handle.execId);
    expect(lines.filter(({ type }) => type === "event:AgentExecutionResult")).toHaveLength(1);
    const answers = lines.filter(({ type }) => type === "result:AgentExecutionResult");
    expect(answers.map(({ disposition }) => disposition)).toEqual(["applied", "late"]);
  });

  it("that answers after the end is recorded as late, with a warning, and changes nothing", async () => {
    const { troupe, foreign, until, log } = await played((order, self, reply) => acknowledge(order, self, reply));
    const handle = troupe.start("consult", { q: "why" });
    const end = await until(handle.result());
    answer(foreign.orders[0] ?? {}, foreign, { late: true });
    await rest();
    expect(troupe.get(handle.execId).status).toBe(end.status);
    const lines = await troupe.history(handle.execId);
    const late = lines.filter(({ type }) => type === "result:AgentExecutionResult");
    expect(late.map(({ disposition }) => disposition)).toEqual(["late"]);
    expect(log.map(({ fields }) => fields["code"])).toContain("LATE_MESSAGE");
  });

  it("that says it started something for a task that is gone is told to stop, and nothing stays open", async () => {
    const { troupe, foreign, until, pass } = await played((order, self, reply) => {
      acknowledge(order, self, reply);
      started(order, self);
      answer(order, self, { a: 1 });
    });
    const { execId } = await until(troupe.start("consult", { q: 1 }).result());
    await pass(60_000);
    const [order] = foreign.orders;
    const stray = uuid(0x57);
    started({ ...order, agent: { id: "oracle", exec_id: stray } }, foreign);
    await rest();
    // Its end may be on its way, for as long as that of any call whose attempt has ended.
    await pass(4_999);
    expect(troupe.get(stray).status).toBe("RUNNING");
    await pass(1);
    const said = (await troupe.history(execId)).filter(({ envelope }) => at(envelope, "agent.exec_id") === stray);
    expect(said.map(({ type }) => type)).toEqual([
      "event:AgentExecutionStarted",
      "command:AgentCancel",
      "event:AgentExecutionFailed",
    ]);
    expect(at(said.at(-1)?.envelope, "payload.result.error.code")).toBe("CALLER_LOST");
    expect(troupe.get(stray).status).toBe("FAILED");
  });

  it("that answers in bytes that are no message is refused, and the call runs into its time", async () => {
    const { troupe, until, watch, heard } = await played((order, self, reply) => {
      acknowledge(order, self, reply);
      void self.connection.publish(String(at(order, "payload.reply_to_subject")), bytesOf("{ not json"));
    });
    watch();
    const end = await until(troupe.run("consult", { q: "why" }));
    expect(at(end, "error.details.cause_code")).toBe("AGENT_INVOCATION_TIMEOUT");
    expect(heard("rejected.invalid_envelope")).toHaveLength(1);
    expect(troupe.stats().bridge?.rejected).toEqual({ INVALID_ENVELOPE: 1 });
  });

  it("whose process dies is lost after its lease, and not before", async () => {
    const { troupe, foreign, until, clock } = await played((order, self, reply) => {
      acknowledge(order, self, reply);
      started(order, self);
    });
    const begun = clock.now();
    const ended = troupe.run("consult", { q: "why" });
    await rest();
    await foreign.connection.close();
    const end = await until(ended);
    expect(at(end, "error.details.cause_code")).toBe("AGENT_RUNTIME_LOST");
    expect(clock.now() - begun).toBeGreaterThanOrEqual(10_000);
    expect(clock.now() - begun).toBeLessThanOrEqual(15_000);
  });

  it("that works on while the troupe dies and comes back is heard by the next one", async () => {
    const set = stage();
    const store = openMemory();
    const first = await set.open({ workflows: [consult], store });
    const foreign = foreignRuntime(set, (order, self, reply) => {
      acknowledge(order, self, reply);
      started(order, self);
    });
    await rest();
    const { execId } = first.start("consult", { q: "why" });
    await rest();
    store.crash();
    await set.cut(0);
    const again = await set.open({ workflows: [consult], store: openMemory({ disk: store.disk }) });
    answer(foreign.orders[0] ?? {}, foreign, { survived: true });
    expect(await set.until(again.result(execId))).toMatchObject({ status: "SUCCESS", output: { survived: true } });
    expect(foreign.orders).toHaveLength(1);
  });

  it("that left without a word before the order came has no responder", async () => {
    const { troupe, foreign, until } = await played(() => undefined);
    await foreign.connection.close();
    const end = await until(troupe.run("consult", { q: "why" }));
    expect(at(end, "error.details.cause_code")).toBe("AGENT_DISPATCH_FAILED");
    expect(end.error?.message).toContain("no runtime answers");
  });

  it("that only beats is told that nobody knows it, and serves once it has registered again", async () => {
    const set = stage();
    const foreign = foreignRuntime(set, (order, self, reply) => {
      acknowledge(order, self, reply);
      answer(order, self, { back: true });
    });
    await rest();
    set.watch();
    // The troupe opens after the registration was said.
    const troupe = await set.open({ workflows: [consult] });
    foreign.beat();
    await rest();
    const [told] = set.heard(`${runtimeId}.deregistered`);
    expect(at(told, "payload.context.reason")).toBe("lease_expired");
    const capabilities = {
      agents: ["oracle"],
      supported_providers: [],
      supported_models: [],
      max_concurrent_executions: 1,
    };
    foreign.say(`compozy.events.agent_runtime.instance.${runtimeId}.registered`, {
      metadata: set.metadata(),
      agent_runtime: { id: "python", exec_id: runtimeId, capabilities },
      payload: { status: "REGISTERED", context: { heartbeat_ms: 5_000, lease_ms: 15_000 } },
    });
    await rest();
    expect(await set.until(troupe.run("consult", { q: "why" }))).toMatchObject({
      status: "SUCCESS",
      output: { back: true },
    });
  });

  it("may speak the other layout of subjects, which is understood too", async () => {
    const { troupe, until } = await played((order, self, reply) => {
      acknowledge(order, self, reply);
      const payload = { status: "SUCCESS", result: { output: { other: true } }, context: { attempt: 1 } };
      // Answers go where the order says; only what it says of itself is its own choice.
      const correlation = String(at(order, "metadata.correlation_id"));
      const exec = String(at(order, "agent.exec_id"));
      const event = self.about(order, "AgentExecutionStarted", { status: "RUNNING", context: { attempt: 1 } });
      self.say(`compozy.${correlation}.agent.events.${exec}.started`, {
        ...event,
        agent_runtime: { id: "python", exec_id: runtimeId },
      });
      self.say(String(at(order, "payload.reply_to_subject")), self.about(order, "AgentExecutionResult", payload));
    });
    // The event is on a subject that nobody here subscribes to: it is lost, and the answer counts by itself.
    expect(await until(troupe.run("consult", { q: "why" }))).toMatchObject({
      status: "SUCCESS",
      output: { other: true },
    });
  });

  it("can use nothing of an order for an execution that it made up", async () => {
    const { troupe, foreign, log } = await played(() => undefined);
    const agent = { id: "oracle", exec_id: uuid(0x77) };
    const payload = { status: "SUCCESS", result: { output: {} }, context: { attempt: 1 } };
    foreign.say(`compozy.results.agent.${agent.exec_id}`, {
      ...foreign.about({ agent, metadata: { correlation_id: uuid(5) } }, "AgentExecutionResult", payload),
    });
    await rest();
    expect(troupe.stats().awake).toBe(0);
    expect(log.filter(({ level }) => level === "error")).toEqual([]);
  });
});
