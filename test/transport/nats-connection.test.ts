// Goal: what a stream keeps is kept once and heard once, and an outage is never silent.
// Method: a real server of our own, which is killed in the midst; what is waited for is what was heard.

import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { expect, test, vi } from "vitest";
import type { Connection } from "../../src/transport/transport.ts";
import { bytes, connectTo, eventOf, fault, natsForThisFile, silent, textOf } from "../kit/nats.ts";
import { openProxy } from "../kit/proxy.ts";

const { open, server, signIn } = natsForThisFile();
const patience = { timeout: 20_000 };

test("NC1: a message is kept once, however often it is published, and refused where no stream has it", async () => {
  const transport = await open("once");
  const a = connectTo(transport, "a", fault);
  const heard: string[] = [];
  a.subscribe("once.events.>", (delivery) => void heard.push(textOf(delivery)), "group");
  await transport.settled();
  const headers = { "Nats-Msg-Id": "one" };
  for (let time = 0; time < 3; time++) {
    await a.publish(eventOf("once", 1, "started"), bytes("1"), { stored: true, headers });
  }
  await a.publish(eventOf("once", 1, "completed"), bytes("2"), { stored: true });
  await vi.waitFor(() => expect(heard).toEqual(["1", "2"]), { timeout: 20_000 });
  const nowhere = a.publish("once.nowhere", bytes("3"), { stored: true });
  await expect(nowhere).rejects.toMatchObject({ code: "NO_RESPONDER", details: { reason: "no_stream" } });
  await transport.close();
});

test("NC2: it is heard once by each group and each listener, in the order in which it was published", async () => {
  const transport = await open("order");
  const named = (name: string): Connection => connectTo(transport, name, fault);
  const [a, b, c] = [named("a"), named("b"), named("c")];
  const [shared, alone]: [string[], string[]] = [[], []];
  for (const member of [a, b]) member.subscribe("order.events.>", (one) => void shared.push(textOf(one)), "group");
  b.subscribe("order.events.workflow.>", (one) => void alone.push(textOf(one)));
  await transport.settled();
  const all = Array.from({ length: 40 }, (_, index) => String(index));
  await Promise.all(all.map(async (one) => c.publish(eventOf("order", 1, "started"), bytes(one), { stored: true })));
  await vi.waitFor(() => expect([shared.length, alone]).toEqual([all.length, all]), { timeout: 20_000 });
  expect(shared.toSorted((one, other) => Number(one) - Number(other))).toEqual(all);
  await transport.close();
});

test("NC3: while the server is away what is published fails, and afterwards what was kept is there", async () => {
  const transport = await open("outage");
  const [a, b] = [connectTo(transport, "a", silent), connectTo(transport, "b", silent)];
  const heard = new Set<string>();
  const changes: boolean[] = [];
  b.subscribe(
    "outage.events.>",
    (one) => {
      heard.add(textOf(one));
      one.ack?.();
    },
    "group",
  );
  a.onChange((isUp) => void changes.push(isUp));
  await transport.settled();
  await a.publish(eventOf("outage", 1, "started"), bytes("before"), { stored: true });
  server().kill();
  await vi.waitFor(() => expect(a.connected()).toBe(false), { timeout: 20_000 });
  const away = expect.objectContaining({ code: "NO_RESPONDER" });
  const meanwhile = a.publish(eventOf("outage", 2, "started"), bytes("meanwhile"), { stored: true });
  await expect(meanwhile).rejects.toEqual(away);
  expect(() => a.publish("x", bytes("lost"))).toThrow(away);
  await expect(a.request("x", bytes("?"), { timeoutMs: 60_000 })).rejects.toEqual(away);
  await vi.waitFor(() => expect([a.connected(), b.connected()]).toEqual([true, true]), { timeout: 20_000 });
  expect(changes).toEqual([true, false, true]);
  await a.publish(eventOf("outage", 3, "started"), bytes("after"), { stored: true });
  await vi.waitFor(() => expect([...heard]).toEqual(["before", "after"]), { timeout: 20_000 });
  await transport.close();
});

test("a connection that finds no server is dialed until there is one, and fails what is said meanwhile", async () => {
  const proxy = await openProxy(() => ({ host: "127.0.0.1", port: Number(new URL(server().url()).port) }));
  const { authenticator } = signIn();
  const transport = await open("dialed", { server: { servers: proxy.url, authenticator } });
  proxy.refuse();
  const a = connectTo(transport, "a", silent);
  await vi.waitFor(() => expect(() => a.publish("x", bytes("lost"))).toThrow(/cannot be reached/), patience);
  expect(transport.connected()).toBe(false);
  const [one, other] = [a.publish(eventOf("dialed", 1, "started"), bytes("1"), { stored: true }), a.connected()];
  await expect(one).rejects.toMatchObject({ code: "NO_RESPONDER", details: { reason: "disconnected" } });
  expect(other).toBe(false);
  proxy.refuse(false);
  await vi.waitFor(() => expect(a.connected()).toBe(true), patience);
  await a.publish(eventOf("dialed", 1, "started"), bytes("1"), { stored: true });
  await a.close();
  // One that is closed says nothing of the others.
  expect(transport.connected()).toBe(true);
  await transport.close();
  await proxy.close();
});

test("what a stream never takes is refused for good, and not tried again", async () => {
  const transport = await open("large");
  const manager = await connect(signIn());
  const { streams } = await jetstreamManager(manager);
  await streams.update("large_EVENTS", { max_msg_size: 10 });
  const a = connectTo(transport, "a", fault);
  const told = a.publish(eventOf("large", 1, "started"), bytes("more than ten bytes"), { stored: true });
  await expect(told).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
  await manager.close();
  await transport.close();
});
