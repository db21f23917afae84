// Goal: what comes over the transport has its effect in its run once, and whoever asks is answered.
//
// Method: a peer plays the other processes with raw bytes; the troupe is the real one, its disk an object.

import { describe, expect, it } from "vitest";
import { openMemory } from "../../src/store/memory.ts";
import type { Connection } from "../../src/transport/transport.ts";
import { at, type Body, bytesOf, jsonOf, rest, type Stage, stage, uuid } from "../kit/bridged.ts";
import { streamed } from "../kit/streamed.ts";

const signal = (id: string) => ({ id, type: "wait" as const, wait: { signal: "go" }, timeout: "1h" });
const workflows = [{ id: "w", tasks: [signal("t")] }];
const agents = [{ id: "clerk", handler: (): { done: boolean } => ({ done: true }) }];

function peerOn({ connect, metadata }: Stage) {
  const connection: Connection = connect();
  const replies: Body[] = [];
  connection.subscribe("_INBOX.peer", (delivery) => void replies.push(jsonOf(delivery)));
  const say = (subject: string, body: Body, messageId?: string): void => {
    const origin = metadata(messageId === undefined ? {} : { message_id: messageId });
    void connection.publish(subject, bytesOf({ metadata: origin, ...body }));
  };
  return { connection, replies, say };
}

const reply_to_subject = "_INBOX.peer";
const execute = (execId?: string): Body => ({
  workflow: { id: "w", ...(execId !== undefined && { exec_id: execId }) },
  payload: { reply_to_subject, context: { input: {}, trigger_type: "api" } },
});
const told = (context: Body): Body => ({ payload: { reply_to_subject, context } });
const go = (execId: string): Body => ({
  workflow: { exec_id: execId },
  ...told({ signal: { name: "go", payload: { n: 1 } } }),
});
const status = (reply: Body | undefined): unknown => at(reply, "payload.status");
const code = (reply: Body | undefined): unknown => at(reply, "payload.result.error.code");

describe("a message from elsewhere", () => {
  it("I1: begins a workflow, whose execution takes the message's id where it names none", async () => {
    const set = stage();
    const troupe = await set.open({ workflows });
    const { say, replies } = peerOn(set);
    say("compozy.commands.workflow.execute.w", execute(), uuid(0x51));
    await rest();
    expect(troupe.get(uuid(0x51)).status).toBe("RUNNING");
    expect(status(replies[0])).toBe("ACKNOWLEDGED");
    expect(at(replies[0], "metadata.causation_id")).toBe(uuid(0x51));
    expect(at(replies[0], "payload.context.durability")).toBe("memory");
    const [first] = await troupe.history(uuid(0x51));
    expect(first?.envelope.metadata).toMatchObject({ message_id: uuid(0x51), correlation_id: uuid(0xc0) });
  });

  it("I1: in old words does the same, and its answer says which to use", async () => {
    const set = stage();
    const troupe = await set.open({ workflows });
    const { say, replies } = peerOn(set);
    say("compozy.commands.workflow.trigger.w", execute(uuid(0x52)));
    await rest();
    expect(troupe.get(uuid(0x52)).status).toBe("RUNNING");
    expect(at(replies[0], "payload.context.warnings.0.code")).toBe("DEPRECATED_ALIAS");
  });

  it("I1: runs a direct agent by TaskTrigger, and an order for an agent by any dispatcher", async () => {
    const set = stage();
    const troupe = await set.open({ agents });
    const { say } = peerOn(set);
    say("compozy.commands.task._.trigger.clerk", {
      task: { id: "clerk", exec_id: uuid(0x53) },
      ...told({ attempt: 1, input: {}, triggered_by: "peer", task_type: "agent" }),
    });
    await rest();
    expect(troupe.get(uuid(0x53))).toMatchObject({ status: "SUCCESS" });
  });

  it("I2: that comes twice has one effect, and the command is answered the same again", async () => {
    const set = stage();
    const troupe = await set.open({ workflows: [{ id: "w", tasks: [{ ...signal("t"), next: "u" }, signal("u")] }] });
    const { say, replies } = peerOn(set);
    const id = troupe.start("w", {}).execId;
    await rest();
    say(`compozy.commands.workflow.signal.${id}`, go(id), uuid(0x61));
    await rest();
    say(`compozy.commands.workflow.signal.${id}`, go(id), uuid(0x61));
    await rest();
    expect(replies.map(status)).toEqual(["ACKNOWLEDGED", "ACKNOWLEDGED"]);
    const waiting = await troupe.list({ run: id, entity: "task", status: ["WAITING"] });
    expect(waiting.items.map((one) => one.id)).toEqual(["u"]);
    const lines = await troupe.history(id);
    expect(lines.filter(({ type }) => type === "command:WorkflowSignal")).toHaveLength(1);
  });

  it("I2: that came before a crash has no second effect after it", async () => {
    const set = stage();
    const store = openMemory();
    const twice = [{ id: "w", tasks: [{ ...signal("t"), next: "u" }, signal("u")] }];
    const troupe = await set.open({ workflows: twice, store });
    const { say } = peerOn(set);
    const id = troupe.start("w", {}).execId;
    await rest();
    say(`compozy.commands.workflow.signal.${id}`, go(id), uuid(0x62));
    await rest();
    const { disk } = store;
    store.crash();
    await set.cut(0);
    const again = await set.open({ workflows: twice, store: openMemory({ disk }) });
    say(`compozy.commands.workflow.signal.${id}`, go(id), uuid(0x62));
    await rest();
    const waiting = await again.list({ run: id, entity: "task", status: ["WAITING"] });
    expect(waiting.items.map((one) => one.id)).toEqual(["u"]);
  });

  it("I2: that begins what is there is answered as a duplicate, or as a conflict if it is another", async () => {
    const set = stage();
    await set.open({ workflows });
    const { say, replies } = peerOn(set);
    say("compozy.commands.workflow.execute.w", execute(uuid(0x63)));
    say("compozy.commands.workflow.execute.w", execute(uuid(0x63)));
    const other = execute(uuid(0x63));
    say("compozy.commands.workflow.execute.w", {
      ...other,
      payload: { reply_to_subject, context: { input: { other: true }, trigger_type: "api" } },
    });
    await rest();
    expect(replies.map(status)).toEqual(["ACKNOWLEDGED", "ACKNOWLEDGED", "ERROR"]);
    expect(at(replies[1], "payload.context.duplicate")).toBe(true);
    expect(code(replies[2])).toBe("EXEC_ID_CONFLICT");
  });

  it.each([
    [
      `compozy.commands.workflow.cancel.${uuid(9)}`,
      { workflow: { exec_id: uuid(9) }, ...told({ reason: "", canceled_by: "x" }) },
    ],
    [
      `compozy.commands.workflow.pause.${uuid(9)}`,
      { workflow: { exec_id: uuid(9) }, ...told({ reason: "", paused_by: "x" }) },
    ],
    [`compozy.commands.workflow.resume.${uuid(9)}`, { workflow: { exec_id: uuid(9) }, ...told({ resumed_by: "x" }) }],
    [`compozy.commands.workflow.signal.${uuid(9)}`, go(uuid(9))],
    [
      `compozy.commands.task.w.resume.${uuid(9)}`,
      { task: { exec_id: uuid(9) }, ...told({ resume_data: {}, resumed_by: "x" }) },
    ],
    [
      `compozy.commands.task.w.cancel.${uuid(9)}`,
      { task: { exec_id: uuid(9) }, ...told({ cause: "requested", reason: "", canceled_by: "x" }) },
    ],
    [
      `compozy.commands.agent.w.cancel.${uuid(9)}`,
      { agent: { exec_id: uuid(9) }, ...told({ cause: "requested", reason: "", canceled_by: "x" }) },
    ],
  ])("I3: %s is about nothing that is known here, and answered so", async (subject, body) => {
    const set = stage();
    const troupe = await set.open({ workflows });
    const { say, replies } = peerOn(set);
    say(subject, body);
    await rest();
    expect(replies.map(code)).toEqual(["EXECUTION_NOT_FOUND"]);
    expect(troupe.stats().awake).toBe(0);
  });

  it("I3: about an execution that has ended is answered with its status", async () => {
    const set = stage();
    const troupe = await set.open({ workflows });
    const { say, replies } = peerOn(set);
    const id = troupe.start("w", {}).execId;
    await rest();
    say(`compozy.commands.workflow.signal.${id}`, go(id));
    await rest();
    say(`compozy.commands.workflow.pause.${id}`, {
      workflow: { exec_id: id },
      ...told({ reason: "", paused_by: "x" }),
    });
    await rest();
    expect(replies.map(status)).toEqual(["ACKNOWLEDGED", "ERROR"]);
    expect(at(replies[1], "payload.result.error.details.status")).toBe("SUCCESS");
  });

  it("I4: over the limit of inputs a command is refused with RATE_LIMITED, and a later one is taken", async () => {
    const set = stage();
    const held: (() => void)[] = [];
    let isHolding = false;
    const store = openMemory({ commit: (act) => (isHolding ? void held.push(act) : queueMicrotask(act)) });
    const troupe = await set.open({ workflows, store, limits: { mailbox: 1 } });
    const { say, replies } = peerOn(set);
    isHolding = true;
    say("compozy.commands.workflow.execute.w", execute(uuid(0x71)));
    say("compozy.commands.workflow.execute.w", execute(uuid(0x72)));
    await rest();
    expect(replies.map(code)).toEqual(["RATE_LIMITED"]);
    isHolding = false;
    for (const act of held.splice(0)) act();
    await rest();
    say("compozy.commands.workflow.execute.w", execute(uuid(0x73)));
    await rest();
    expect(replies.slice(1).map(status)).toEqual(["ACKNOWLEDGED", "ACKNOWLEDGED"]);
    expect((await troupe.list({ entity: "workflow" })).items).toHaveLength(2);
  });

  it("I4: while the disk is full is refused with what is wrong, and taken once there is room", async () => {
    const set = stage();
    const store = openMemory();
    const troupe = await set.open({ workflows, store });
    const { say, replies } = peerOn(set);
    store.disk.breakAfter(0, "store_full");
    say("compozy.commands.workflow.execute.w", execute(uuid(0x74)));
    await rest();
    // The first is appended before anybody knows; it is kept, and answered later.
    say("compozy.commands.workflow.execute.w", execute(uuid(0x75)));
    await rest();
    expect(replies.map((reply) => at(reply, "payload.result.error.message"))).toEqual([store.trouble()?.message]);
    store.disk.mend();
    await rest();
    say("compozy.commands.workflow.execute.w", execute(uuid(0x76)));
    await rest();
    const { items } = await troupe.list({ entity: "workflow" });
    expect(items.map(({ execId }) => execId).toSorted()).toEqual([uuid(0x74), uuid(0x76)]);
  });

  it("I4: of a stream is put off, and comes again", async () => {
    const settled: string[] = [];
    const set = stage({ transport: (inner) => streamed(inner, "commands.workflow.", settled) });
    const held: (() => void)[] = [];
    let isHolding = false;
    const store = openMemory({ commit: (act) => (isHolding ? void held.push(act) : queueMicrotask(act)) });
    await set.open({ workflows, store, limits: { mailbox: 1 } });
    const { say } = peerOn(set);
    isHolding = true;
    say("compozy.commands.workflow.execute.w", execute(uuid(0x71)));
    say("compozy.commands.workflow.execute.w", execute(uuid(0x72)));
    await rest();
    expect(settled).toEqual(["nak"]);
  });

  it("I5: of a stream is acknowledged once its effect is on disk, and not before", async () => {
    const settled: string[] = [];
    const set = stage({ transport: (inner) => streamed(inner, "commands.workflow.", settled) });
    const held: (() => void)[] = [];
    let isHolding = false;
    const store = openMemory({ commit: (act) => (isHolding ? void held.push(act) : queueMicrotask(act)) });
    await set.open({ workflows, store });
    const { say } = peerOn(set);
    isHolding = true;
    say("compozy.commands.workflow.execute.w", execute(uuid(0x81)));
    await rest();
    expect(settled).toEqual([]);
    for (const act of held.splice(0)) act();
    await rest();
    expect(settled).toEqual(["ack"]);
  });

  it("I5: of a stream is given back while the process ends and takes nothing any more", async () => {
    const settled: string[] = [];
    const set = stage({ transport: (inner) => streamed(inner, "commands.workflow.", settled) });
    const store = openMemory();
    const lastCommit = Promise.withResolvers<void>();
    const close = store.close.bind(store);
    store.close = () => lastCommit.promise.then(close);
    const here = await set.open({ workflows, store });
    const { say } = peerOn(set);
    const stopped = here.stop({ graceMs: 0 });
    await rest();
    say("compozy.commands.workflow.execute.w", execute(uuid(0x91)));
    await rest();
    expect(settled).toEqual(["nak"]);
    lastCommit.resolve();
    await stopped;
  });
});

describe("a dispatcher that does not know a runtime", () => {
  it("asks it once who it is, however often it beats, and again when no answer has come for a second", async () => {
    const set = stage();
    await set.open({ workflows });
    const seen = set.watch("compozy.events.agent_runtime.>");
    const { say } = peerOn(set);
    const beat = (n: number): void => {
      const agent_runtime = { id: "clerk", exec_id: uuid(0xb1) };
      const payload = { context: { seq: n, in_flight: 0 } };
      say(`compozy.heartbeats.agent_runtime.${uuid(0xb1)}`, { agent_runtime, payload });
    };
    for (const n of [1, 2, 3]) beat(n);
    await rest();
    expect(seen).toHaveLength(1);
    set.clock.advance(1_000);
    for (const n of [4, 5]) beat(n);
    await rest();
    expect(seen.map(({ subject }) => subject)).toEqual(
      Array(2).fill(`compozy.events.agent_runtime.instance.${uuid(0xb1)}.deregistered`),
    );
  });
});

describe("an orchestrator whose dispatcher is elsewhere", () => {
  it("knows who runs agents from what it hears itself, and says nothing in the name of the dispatcher", async () => {
    const set = stage();
    const here = await set.open({ workflows: [], roles: ["orchestrator"] });
    const seen = set.watch("compozy.>");
    await set.open({ roles: ["agent-dispatcher"] });
    await set.open({ agents: [{ id: "clerk", handler: () => ({}) }], roles: ["agent-runtime"] });
    await rest();
    expect(here.runtimes()).toMatchObject([{ name: "local", state: "registered", agents: ["clerk"] }]);
    const heardAt = here.runtimes()[0]?.heardAt ?? 0;
    set.clock.advance(5_000);
    await rest();
    expect(here.runtimes()[0]?.heardAt).toBeGreaterThan(heardAt);
    // It falls silent: one of the two says so, the one that it is for.
    await set.cut(2);
    set.clock.advance(20_000);
    await rest();
    expect(here.runtimes()).toMatchObject([{ state: "deregistered" }]);
    const farewells = seen.filter(({ subject }) => subject.endsWith(".deregistered"));
    expect(farewells).toHaveLength(1);
  });
});
