// Goal: what clients ask for is begun once, in the order of its thread, with the right agent, and answered.
// Method: real clients before a gateway, agents that end when they are let, and daemons that die and come back.

import { afterEach, describe, expect, test } from "vitest";
import { handlersOf } from "../../src/gateway/conversations.ts";
import { makeDisk } from "../../src/store/memory.ts";
import { clerk, type Client, echo, held, openBed, orders, slow, stopAll, typesOf } from "./socket-bed.ts";

afterEach(stopAll);

const start = (id: string, agent_id: string, thread_id = "t1", more: object = {}): object => ({
  id,
  type: "start_agent",
  user_request: id,
  agent_id,
  thread_id,
  ...more,
});
const say = (id: string, thread_id: string): object => ({ id, type: "user_message", thread_id, content: id });

test("CN1: each type of frame has one handler, or nothing opens", () => {
  const types = ["start_agent", "user_message", "chat", "cancel", "ping"];
  const all = types.map((type) => [type, () => undefined] as const);
  expect([...handlersOf(all).keys()]).toEqual(types);
  expect(() => handlersOf(all.slice(1))).toThrow("frames of type start_agent have no handler");
  expect(() => handlersOf([...all, ["chat", () => undefined]])).toThrow("frames of type 'chat' have two handlers");
  expect(() => handlersOf([...all, ["run_agent", () => undefined]])).toThrow("there are no frames of type 'run_agent'");
});

describe("CN2: a request that comes again", () => {
  test("is answered with its first ack and begins nothing, also while nothing has come of it yet", async () => {
    const agent = held();
    const { client, t } = await openBed({ agents: [agent.definition] });
    const one = await client();
    for (let times = 0; times < 3; times += 1) one.send(start("r1", "held"));
    await one.of("agent_started", "r1");
    one.send(start("r1", "held"));
    await one.frame("the fourth ack", () => one.frames.filter(({ type }) => type === "ack").length === 4);
    agent.end();
    await one.of("agent_completed", "r1");
    const acks = one.frames.filter(({ type }) => type === "ack");
    expect(new Set(acks.map(({ run_id }) => run_id)).size).toBe(1);
    expect(acks.map(({ duplicate }) => duplicate)).toEqual([false, true, true, true]);
    expect(agent.begun()).toBe(1);
    expect((await t.list({ entity: "task" })).items).toHaveLength(1);
  });

  test("with other words is answered likewise, with a warning that nothing was begun", async () => {
    const { client } = await openBed({ agents: [echo] });
    const one = await client();
    one.send(start("r1", "echo"));
    await one.of("agent_completed", "r1");
    one.send(start("r1", "echo", "t2"));
    expect(await one.of("warning", "r1")).toMatchObject({ code: "IDEMPOTENCY_CONFLICT" });
    await one.frame("an ack again", ({ type, duplicate }) => type === "ack" && duplicate === true);
    expect(typesOf(one.frames, "r1").slice(-3)).toEqual(["agent_completed", "warning", "ack"]);
  });

  test("after it was refused is taken, if it is right now", async () => {
    const { client } = await openBed({ agents: [echo] });
    const one = await client();
    one.send({ id: "r1", type: "start_agent", agent_id: "echo" });
    await one.of("error", "r1");
    one.send(start("r1", "eco"));
    await one.frame("the second error", ({ code }) => code === "AGENT_NOT_FOUND");
    one.send(start("r1", "echo"));
    expect(await one.of("agent_completed", "r1")).toMatchObject({ status: "SUCCESS" });
    expect(await one.of("ack", "r1")).toMatchObject({ duplicate: false });
  });

  test("after the daemon has died is answered with the run that it began before, and how that ended", async () => {
    const disk = makeDisk();
    const agent = held();
    const first = await openBed({ agents: [agent.definition, echo], disk });
    const one = await first.client({ session_id: "s1" });
    one.send(start("r1", "echo"));
    const { run_id } = await one.of("agent_completed", "r1");
    await first.stop();
    const second = await openBed({ agents: [agent.definition, echo], disk });
    const two = await second.client({ session_id: "s1" });
    two.send(start("r1", "echo"));
    expect(await two.of("ack", "r1")).toMatchObject({ run_id, duplicate: true });
    expect(await two.of("agent_completed", "r1")).toMatchObject({ run_id, status: "SUCCESS", result: { text: "r1" } });
    expect((await second.t.list({ entity: "task" })).items).toHaveLength(1);
  });
});

test("CN2: whoever asks again for what still runs since before a restart need not wait for it to end", async () => {
  const disk = makeDisk();
  const agent = held();
  const first = await openBed({ agents: [agent.definition], disk });
  const one = await first.client({ session_id: "s1" });
  one.send(start("r1", "held"));
  const { run_id } = await one.of("agent_started", "r1");
  await expect.poll(agent.begun).toBe(1);
  await first.stop();
  const again = held();
  const second = await openBed({ agents: [again.definition], disk });
  const two = await second.client({ session_id: "s1" });
  two.send(start("r1", "held"));
  expect(await two.of("ack", "r1")).toMatchObject({ run_id, duplicate: true });
  await expect.poll(again.begun).toBe(1);
  again.end();
  expect(await two.of("agent_completed", "r1")).toMatchObject({ run_id, status: "SUCCESS" });
  expect(typesOf(two.frames, "r1")).toEqual(["ack", "agent_thinking", "agent_completed"]);
});

describe("CN3: a frame is refused", () => {
  const asked = async (frame: object): Promise<Readonly<Record<string, unknown>>> => {
    const { client, t } = await openBed({ agents: [clerk, echo], tools: [orders] });
    const one = await client();
    one.send({ id: "r1", ...frame });
    const error = await one.of("error", "r1");
    one.send({ type: "ping", id: "p1" });
    await one.of("pong", "p1");
    expect(typesOf(one.frames, "r1")).toEqual(["error"]);
    expect((await t.list({ entity: "task" })).items).toEqual([]);
    return error;
  };

  test("that names no agent where there is no default, and says which there are", async () => {
    const error = await asked({ type: "start_agent", user_request: "hi" });
    expect(error).toMatchObject({ code: "VALIDATION_FAILED", details: { errors: [{ field: "agent_id" }] } });
    expect(JSON.stringify(error)).toContain("clerk, echo");
  });
  test("that names an agent that is not there, and says which was meant", async () => {
    expect(await asked({ type: "chat", content: "hi", agent_id: "clark" })).toMatchObject({
      code: "AGENT_NOT_FOUND",
      message: "there is no agent 'clark'; did you mean 'clerk'?",
    });
  });
  test("that continues a thread that is not there", async () => {
    expect(await asked({ type: "user_message", content: "hi", thread_id: "t9" })).toMatchObject({
      code: "THREAD_NOT_FOUND",
    });
  });
  test("that cancels a run that is not there", async () => {
    expect(await asked({ type: "cancel", run_id: "nobody" })).toMatchObject({ code: "EXECUTION_NOT_FOUND" });
  });
  test("whose input the agent does not take", async () => {
    const strict = { ...echo, input: { type: "object", required: ["order"] } };
    const { client } = await openBed({ agents: [strict as never] });
    const one = await client();
    one.send(start("r1", "echo"));
    expect(await one.of("error", "r1")).toMatchObject({ code: "VALIDATION_FAILED" });
    expect(typesOf(one.frames, "r1")).toEqual(["error"]);
  });
});

describe("the agent of a message", () => {
  test("is the one it names, in the message or its data, else that of the thread, else the default", async () => {
    const two = { ...echo, id: "two" };
    const { client } = await openBed({ agents: [echo, two], settings: { defaultAgent: "two" } });
    const one = await client();
    const agentOf = async (id: string, frame: object): Promise<unknown> => {
      one.send({ id, ...frame });
      return (await one.of("agent_completed", id))["agent_id"];
    };
    const ask = { type: "start_agent", user_request: "hi" };
    expect(await agentOf("r1", ask)).toBe("two");
    expect(await agentOf("r2", { ...ask, data: { agent_type: "echo" } })).toBe("echo");
    expect(await agentOf("r3", { ...ask, data: { agent_id: "echo", agent_type: "two" } })).toBe("echo");
    expect(await agentOf("r4", { ...ask, agent_id: "two", data: { agent_id: "echo" } })).toBe("two");
    expect(await agentOf("r5", { type: "chat", content: "hi", agent_id: "echo", thread_id: "t5" })).toBe("echo");
    expect(await agentOf("r6", { type: "user_message", content: "hi", thread_id: "t5" })).toBe("echo");
    expect(await agentOf("r7", { type: "chat", content: "hi", thread_id: "t5" })).toBe("echo");
    expect(await agentOf("r8", { type: "chat", content: "hi" })).toBe("two");
  });

  test("is given what was asked, the thread and the data", async () => {
    const inputs: unknown[] = [];
    const spy = { id: "spy", handler: (input: unknown) => (inputs.push(input), { text: "ok" }) };
    const { client } = await openBed({ agents: [spy] });
    const one = await client();
    one.send(start("r1", "spy", "t9", { data: { order: "A7" } }));
    await one.of("agent_completed", "r1");
    expect(inputs).toEqual([{ user_request: "r1", thread_id: "t9", data: { order: "A7" } }]);
  });
});

test("the trace of a connection is that of its runs", async () => {
  const traces: unknown[] = [];
  const spy = {
    id: "spy",
    handler(_input: unknown, { trace }: { trace?: { traceparent?: string } }) {
      traces.push(trace?.traceparent?.split("-")[1]);
      return { text: "ok" };
    },
  };
  const { client } = await openBed({ agents: [spy] });
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const one = await client({}, { headers: { traceparent } });
  one.send(start("r1", "spy"));
  await one.of("agent_completed", "r1");
  const other = await client({}, { headers: { traceparent: "nonsense" } });
  other.send(start("r1", "spy", "t2"));
  expect(await other.of("agent_completed", "r1")).toMatchObject({ status: "SUCCESS" });
  expect(traces).toEqual(["4bf92f3577b34da6a3ce929d0e0e4736", undefined]);
});

describe("a thread", () => {
  test("is answered in order: what comes while something runs waits, and is told so", async () => {
    const agent = held();
    const { client } = await openBed({ agents: [agent.definition] });
    const one = await client();
    one.send(start("r1", "held"));
    await one.of("agent_started", "r1");
    one.send(say("r2", "t1"));
    one.send({ id: "r3", type: "chat", content: "r3", thread_id: "t1" });
    expect(await one.of("warning", "r2")).toMatchObject({ code: "THREAD_BUSY", details: { before: 1 } });
    expect(await one.of("warning", "r3")).toMatchObject({ details: { before: 2 } });
    for (const id of ["r1", "r2", "r3"]) {
      await one.of("agent_started", id);
      agent.end();
      await one.of("agent_completed", id);
    }
    const turns = one.frames.filter(({ type }) => ["ack", "agent_completed"].includes(type));
    expect(turns.map(({ type, request_id }) => [request_id, type].join(" "))).toEqual([
      "r1 ack",
      "r1 agent_completed",
      "r2 ack",
      "r2 agent_completed",
      "r3 ack",
      "r3 agent_completed",
    ]);
  });

  test("has room for sixteen that wait; the next is refused, and another thread is not held up", async () => {
    const agent = held();
    const { client } = await openBed({ agents: [agent.definition, echo] });
    const one = await client();
    one.send(start("r0", "held"));
    await one.of("agent_started", "r0");
    for (let count = 1; count <= 17; count += 1) one.send(say(`r${count}`, "t1"));
    expect(await one.of("error", "r17")).toMatchObject({ code: "THREAD_BUSY" });
    one.send(start("r18", "echo", "t2"));
    await one.of("agent_completed", "r18");
    for (let count = 0; count <= 16; count += 1) {
      await one.of("agent_started", `r${count}`);
      agent.end();
      await one.of("agent_completed", `r${count}`);
    }
  });

  test("can be left before its turn: whoever cancels what waits is told, and it never runs", async () => {
    const agent = held();
    const { client } = await openBed({ agents: [agent.definition] });
    const one = await client();
    one.send(start("r1", "held"));
    await one.of("agent_started", "r1");
    one.send(say("r2", "t1"));
    const { details } = await one.of("warning", "r2");
    one.send({ id: "c1", type: "cancel", run_id: (details as { run_id: string }).run_id });
    expect(await one.of("ack", "c1")).toMatchObject({ accepted_type: "cancel" });
    expect(await one.of("error", "r2")).toMatchObject({ code: "AGENT_CANCELED" });
    agent.end();
    await one.of("agent_completed", "r1");
    expect(agent.begun()).toBe(1);
    expect(typesOf(one.frames, "r2")).toEqual(["warning", "error"]);
  });

  test("goes on in another session, and behind what runs since before the daemon died", async () => {
    const disk = makeDisk();
    const agent = held();
    const first = await openBed({ agents: [agent.definition], disk });
    const one = await first.client({ session_id: "s1" });
    one.send(start("r1", "held"));
    await one.of("agent_started", "r1");
    await expect.poll(agent.begun).toBe(1);
    await first.stop();

    const again = held();
    const second = await openBed({ agents: [again.definition], disk });
    const other = await second.client({ session_id: "s2" });
    other.send(say("r2", "t1"));
    expect(await other.of("warning", "r2")).toMatchObject({ code: "THREAD_BUSY" });
    await expect.poll(again.begun).toBe(1);
    again.end();
    await other.of("agent_started", "r2");
    again.end();
    expect(await other.of("agent_completed", "r2")).toMatchObject({ status: "SUCCESS", thread_id: "t1" });
  });
});

test("while the disk is full a request is refused, and taken once there is room; what was taken ends", async () => {
  const agent = held();
  const disk = makeDisk();
  const { client, t } = await openBed({ agents: [agent.definition, echo], disk });
  const one = await client();
  one.send(start("r1", "held"));
  await one.of("agent_started", "r1");
  await expect.poll(agent.begun).toBe(1);
  disk.breakAfter(0, "store_full");
  agent.end();
  // The end of the run is the first thing that cannot be written.
  await expect.poll(() => t.trouble()).not.toBeNull();
  one.send(start("r2", "echo", "t3"));
  expect(await one.of("error", "r2")).toMatchObject({ message: expect.stringContaining("disk") });
  disk.mend();
  expect(await one.of("agent_completed", "r1")).toMatchObject({ status: "SUCCESS" });
  one.send(start("r3", "echo", "t4"));
  expect(await one.of("agent_completed", "r3")).toMatchObject({ status: "SUCCESS" });
});

test("so many runs are open or wait at once: one more is refused, and taken once another has ended", async () => {
  const agent = held();
  const { client } = await openBed({ agents: [agent.definition], settings: { limits: { runs: 2 } } });
  const one = await client();
  one.send(start("r1", "held"));
  await one.of("agent_started", "r1");
  one.send(say("r2", "t1"));
  one.send(start("r3", "held", "t3"));
  expect(await one.of("error", "r3")).toMatchObject({ code: "RATE_LIMITED", details: { limit: "runs", max: 2 } });
  for (const id of ["r1", "r2"]) {
    await one.of("agent_started", id);
    agent.end();
    await one.of("agent_completed", id);
  }
  one.send(start("r3", "held", "t3"));
  await one.of("agent_started", "r3");
  agent.end();
  await one.of("agent_completed", "r3");
});

describe("a client that comes back", () => {
  const lastOf = (client: Client): string => String(client.frames.at(-1)?.["event_id"]);

  test("hears what followed the last frame that it saw, and nothing twice", async () => {
    const agent = held();
    const { client } = await openBed({ agents: [agent.definition] });
    const one = await client({ session_id: "s1" });
    one.send(start("r1", "held"));
    await one.of("agent_started", "r1");
    const last = lastOf(one);
    await one.leave();
    agent.end();
    const two = await client({ session_id: "s1", last_event_id: last });
    await two.of("agent_completed", "r1");
    const seen = one.frames.filter(({ event_id }) => Number(event_id) <= Number(last));
    expect([...seen, ...two.frames].map(({ event_id }) => event_id)).toEqual(["1", "2", "3", "4"]);
    expect(typesOf([...seen, ...two.frames], "r1")).toEqual([
      "ack",
      "agent_started",
      "agent_thinking",
      "agent_completed",
    ]);
  });

  test("after the daemon has died is told so, how its runs ended, and how those end that go on", async () => {
    const disk = makeDisk();
    const agent = held();
    const first = await openBed({ agents: [agent.definition, echo, { ...slow, timeout: "30s" }], disk });
    const one = await first.client({ session_id: "s1" });
    one.send(start("r1", "echo"));
    await one.of("agent_completed", "r1");
    one.send(start("r2", "held", "t2"));
    const { run_id } = await one.of("agent_started", "r2");
    await expect.poll(agent.begun).toBe(1);
    const last = lastOf(one);
    await first.stop();

    const again = held();
    const second = await openBed({ agents: [again.definition, echo], disk });
    const two = await second.client({ session_id: "s1", last_event_id: last });
    expect(await two.of("error")).toMatchObject({ code: "REPLAY_UNAVAILABLE", event_id: String(Number(last) + 1) });
    expect(await two.of("agent_completed", "r1")).toMatchObject({ status: "SUCCESS", result: { text: "r1" } });
    await expect.poll(again.begun).toBe(1);
    again.end();
    expect(await two.of("agent_completed", "r2")).toMatchObject({ run_id, status: "SUCCESS", thread_id: "t2" });
    expect(two.frames.filter(({ type }) => type === "agent_completed")).toHaveLength(2);
  });
});

test("an old type works with a warning, and is refused where the gateway is strict", async () => {
  const old = { id: "r1", type: "agent_execute", agent_type: "echo", data: { query: "hi" } };
  const lax = await (await openBed({ agents: [echo] })).client({ session_id: "s7" });
  lax.send(old);
  expect(await lax.of("agent_completed", "r1")).toMatchObject({ thread_id: "s7", result: { text: "hi" } });
  expect(typesOf(lax.frames, "r1")[0]).toBe("warning");
  const strict = await (await openBed({ agents: [echo], settings: { strict: true } })).client();
  strict.send(old);
  expect(await strict.of("error", "r1")).toMatchObject({ code: "UNKNOWN_MESSAGE_TYPE", details: { given: old.type } });
  expect(typesOf(strict.frames, "r1")).toEqual(["error"]);
});
