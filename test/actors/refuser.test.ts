// Goal: bytes that are no message are never acknowledged, and nobody who sent any is left without an answer.
//
// Method: a peer publishes raw bytes to a troupe on the transport in memory and looks at everything that travels.

import { describe, expect, it } from "vitest";
import { facadeOf } from "../../src/testing/simulation/weather.ts";
import type { Connection, Transport } from "../../src/transport/transport.ts";
import { at, type Body, bytesOf, jsonOf, rest, stage, uuid } from "../kit/bridged.ts";
import { streamed } from "../kit/streamed.ts";

const workflows = [{ id: "w", tasks: [{ id: "t", type: "wait" as const, wait: { signal: "go" }, timeout: "1h" }] }];

/** Sends bytes and gives what came back, and what the dead letter says. */
async function sent(subject: string, body: unknown, options: { inbox?: boolean } = {}) {
  const set = stage();
  const troupe = await set.open({ workflows });
  const peer = set.connect();
  const replies: Body[] = [];
  peer.subscribe("_INBOX.peer", (delivery) => void replies.push(jsonOf(delivery)));
  void set.watch("compozy.rejected.*");
  void peer.publish(subject, bytesOf(body), options.inbox === false ? {} : { reply: "_INBOX.peer" });
  await rest();
  return { ...set, troupe, replies, letters: set.heard("") };
}

const metadata = { correlation_id: uuid(7), event_timestamp: "2026-11-21T09:00:00Z", source_component: "peer" };
const agent = { id: "judge", exec_id: uuid(8) };

describe("what is refused", () => {
  it.each([
    ["an unknown action", "compozy.commands.agent.w.explode.judge", "{}", "UNKNOWN_MESSAGE_TYPE"],
    ["an unknown event", `compozy.events.task.instance.${uuid(1)}.exploded`, "{}", "UNKNOWN_MESSAGE_TYPE"],
    ["bytes that are no JSON", "compozy.commands.agent.w.trigger.judge", "hello", "INVALID_ENVELOPE"],
    ["a body without metadata", "compozy.commands.tool.w.execute.look", "{}", "INVALID_ENVELOPE"],
    ["an id that breaks the grammar", "compozy.commands.workflow.pause.nine", "{}", "INVALID_SUBJECT"],
    [
      "another message than its subject says",
      "compozy.commands.agent.w.trigger.judge",
      { metadata: { ...metadata, message_type: "ToolExecute" }, agent, payload: { context: {} } },
      "MESSAGE_TYPE_MISMATCH",
    ],
    [
      "a payload that breaks its schema",
      "compozy.commands.agent.w.trigger.judge",
      { metadata, agent, payload: { context: { attempt: "first" } } },
      "VALIDATION_FAILED",
    ],
  ])("F1: %s is answered with its code, counted and kept as a dead letter", async (_name, subject, body, code) => {
    const isEvent = subject.includes(".events.");
    const { troupe, replies, letters, log, until } = await sent(subject, body);
    if (!isEvent) {
      expect(replies).toHaveLength(1);
      expect(at(replies[0], "payload.status")).toBe("ERROR");
      expect(at(replies[0], "payload.result.error.code")).toBe(code);
    }
    expect(letters).toHaveLength(1);
    expect(at(letters[0], "payload.context.code")).toBe(code);
    expect(at(letters[0], "payload.context.original_subject")).toBe(subject);
    expect(troupe.stats().bridge?.rejected).toEqual({ [code]: 1 });
    expect(log.filter(({ level }) => level === "error").map(({ fields }) => fields["code"])).toEqual([code]);
    await until(troupe.stop());
  });

  it("F1: an agent's command is answered by its own result where the agent can be read", async () => {
    const { replies } = await sent("compozy.commands.agent.w.trigger.judge", { metadata, agent, payload: {} });
    expect(at(replies[0], "metadata.message_type")).toBe("AgentExecutionResult");
    expect(at(replies[0], "agent")).toEqual(agent);
    expect(at(replies[0], "metadata.correlation_id")).toBe(uuid(7));
  });

  it("F1: a command in the wrong layout is refused where one is listening, and else has no responder", async () => {
    const set = stage();
    await set.open({ workflows });
    const peer = set.connect();
    const statuses: unknown[] = [];
    peer.subscribe("_INBOX.peer", ({ status }) => void statuses.push(status));
    void peer.publish(`compozy.${uuid(7)}.agent.commands.judge.trigger`, bytesOf("{}"), { reply: "_INBOX.peer" });
    await rest();
    expect(statuses).toEqual([503]);
  });

  it("F1: what names no way back is refused all the same, and an unknown root has no responder", async () => {
    const { letters } = await sent("compozy.commands.agent.w.explode.judge", "{}", { inbox: false });
    expect(letters).toHaveLength(1);
    const set = stage();
    await set.open({ workflows });
    const request = set.connect().request("compozy.commands.planet.w.explode.x", bytesOf("{}"), { timeoutMs: 100 });
    await expect(set.until(request)).rejects.toMatchObject({ code: "NO_RESPONDER" });
  });

  it("F1: a delivery of a stream is terminated and never acknowledged", async () => {
    const settled: string[] = [];
    const set = stage({ transport: (inner) => streamed(inner, "commands.agent.", settled) });
    await set.open({ workflows });
    void set.connect().publish("compozy.commands.agent.w.explode.judge", bytesOf("{}"));
    await rest();
    expect(settled).toEqual(["term"]);
  });

  it("F2: a delivery of a stream is terminated once its dead letter is kept, and given back until then", async () => {
    const settled: string[] = [];
    const answers = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const keep = (): Promise<void> => answers[settled.length]?.promise ?? Promise.resolve();
    const set = stage({ transport: (inner) => streamed(keeping(inner, keep), "commands.agent.", settled) });
    const troupe = await set.open({ workflows });
    const poison = () => set.connect().publish("compozy.commands.agent.w.explode.judge", bytesOf("{}"));
    void poison();
    await rest();
    expect(settled, "it is not known yet").toEqual([]);
    answers[0]?.reject(new Error("the disk is full"));
    await rest();
    expect(settled).toEqual(["nak"]);
    expect(set.log.map(({ message }) => message)).toContain("a dead letter was not kept: what it is about comes again");
    expect(troupe.stats().bridge?.undelivered).toBe(1);
    // It comes again.
    void poison();
    await rest();
    expect(settled).toEqual(["nak"]);
    answers[1]?.resolve();
    await rest();
    expect(settled).toEqual(["nak", "term"]);
  });
});

/** A transport that keeps dead letters as it is told. */
const keeping = (inner: Transport, keep: () => Promise<void>): Transport => ({
  connect(options): Connection {
    const connection = inner.connect(options);
    return {
      ...facadeOf(connection),
      publish(subject, bytes, outgoing) {
        const kept = connection.publish(subject, bytes, outgoing);
        return subject.startsWith("compozy.rejected.") ? keep() : kept;
      },
    };
  },
});
