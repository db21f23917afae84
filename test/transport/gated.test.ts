// Goal: a transport behind a shut gate says and hears nothing, loses nothing that is stored, and is as one that is cut.
// Method: the transport in memory, a gate that the test opens and shuts, and a peer that listens.

import { expect, test } from "vitest";
import { virtualClock } from "../../src/testing/virtual-clock.ts";
import { gated } from "../../src/transport/gated.ts";
import { memoryTransport } from "../../src/transport/memory.ts";
import type { Connection, Delivery } from "../../src/transport/transport.ts";

const bytes = new TextEncoder().encode("{}");

function stage() {
  const transport = memoryTransport({ clock: virtualClock(0), random: () => 0.5 });
  const listeners: (() => void)[] = [];
  let isOpen = true;
  const gate = { isOpen: () => isOpen, onChange: (heard: () => void) => void listeners.push(heard), reason: "deposed" };
  const faults: unknown[] = [];
  const onFault = (error: unknown): void => void faults.push(error);
  const own = gated(transport, gate).connect({ name: "own", onFault });
  const peer = transport.connect({ name: "peer", onFault });
  return {
    own,
    peer,
    faults,
    set(to: boolean, isTold = true): void {
      isOpen = to;
      if (isTold) for (const heard of listeners) heard();
    },
  };
}
const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

test("NG1: nothing is published or requested while it is shut, and nobody had to be told of that", async () => {
  const { own, peer, set } = stage();
  const heard: string[] = [];
  peer.subscribe(">", ({ subject }) => void heard.push(subject));
  await own.publish("a.open", bytes);
  set(false, false);
  expect(() => own.publish("a.shut", bytes)).toThrow(/deposed: "a.shut" was not published/);
  await expect(own.publish("a.kept", bytes, { stored: true })).rejects.toMatchObject({ code: "NO_RESPONDER" });
  await expect(own.request("a.asked", bytes, { timeoutMs: 1 })).rejects.toMatchObject({
    details: { reason: "disconnected" },
  });
  set(true, false);
  await own.publish("a.again", bytes);
  await turns();
  expect(heard).toEqual(["a.open", "a.again"]);
});

test("NG2: what is stored and comes while it is shut is given back, and the rest is not heard", () => {
  let deliver: (delivery: Delivery) => void = () => undefined;
  const bare = { subscribe: (_pattern: string, hear: typeof deliver) => ((deliver = hear), { unsubscribe() {} }) };
  let isOpen = false;
  const gate = { isOpen: () => isOpen, onChange: () => undefined, reason: "" };
  const connection = gated({ connect: () => bare as unknown as Connection }, gate).connect({ name: "x", onFault() {} });
  const heard: string[] = [];
  const settled: string[] = [];
  connection.subscribe(">", ({ subject }) => void heard.push(subject), "group");
  const stored = { headers: {}, bytes, ack: () => void settled.push("ack"), nak: () => void settled.push("nak") };
  deliver({ subject: "stored", ...stored });
  deliver({ subject: "passing", headers: {}, bytes });
  expect([heard, settled]).toEqual([[], ["nak"]]);
  isOpen = true;
  deliver({ subject: "stored", ...stored });
  expect([heard, settled]).toEqual([["stored"], ["nak"]]);
});

test("NG3: who listens hears of the gate as of the connection, and of each change once", () => {
  const { own, set } = stage();
  const heard: boolean[] = [];
  own.onChange((is) => void heard.push(is));
  expect(own.connected()).toBe(true);
  for (const to of [false, false, true]) set(to);
  expect([heard, own.connected()]).toEqual([[false, true], true]);
});
