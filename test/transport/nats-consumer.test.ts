// Goal: what a group has to settle comes until it is settled, and a consumer that a server has lost is there again.
// Method: a real server of our own; the manager of its streams, with which a consumer is deleted.

import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { expect, test, vi } from "vitest";
import type { Delivery } from "../../src/transport/transport.ts";
import { bytes, commandOf, connectTo, fault, natsForThisFile, silent, textOf } from "../kit/nats.ts";

const { clock, open, signIn } = natsForThisFile();

test("NS1: it waits for whoever is not there yet, and comes again until it is settled", async () => {
  const transport = await open("again", { ackWaitMs: 3_000 });
  const a = connectTo(transport, "a", fault);
  await a.publish(commandOf("again", 1), bytes("order"), { stored: true });
  const deliveries: (number | undefined)[] = [];
  const passing: string[] = [];
  a.subscribe("again.commands.workflow.>", (one) => void passing.push(textOf(one)), "others", true);
  a.subscribe(
    "again.commands.workflow.>",
    ({ deliveries: count, ack, nak }) => {
      if (deliveries.push(count) === 3) ack?.();
      else nak?.();
    },
    "orchestrator",
  );
  await vi.waitFor(() => expect(deliveries).toEqual([1, 1, 1]), { timeout: 20_000 });
  await transport.close();
  expect(passing, "it had passed by before").toEqual([]);
});

/** Hears one order of a group, without a word about it; gives each delivery, and when it came. */
async function holding(prefix: string, ackWaitMs: number, more: Parameters<typeof open>[1] = {}) {
  const transport = await open(prefix, { ackWaitMs, ...more });
  const a = connectTo(transport, "a", fault);
  const came: (Delivery & { at: number })[] = [];
  const hear = (delivery: Delivery): void => void came.push({ ...delivery, at: clock.now() });
  a.subscribe(`${prefix}.commands.workflow.>`, hear, "orchestrator");
  await transport.settled();
  await a.publish(commandOf(prefix, 1), bytes("order"), { stored: true });
  return { transport, came };
}
const patience = { timeout: 60_000, interval: 10 };

test("NS1: what is held for long comes to nobody else, because its holder says that it is at it", async () => {
  const still = { now: clock.now, alarm: () => () => undefined };
  const [busy, dead] = await Promise.all([holding("busy", 3_000), holding("dead", 3_000, { clock: still })]);
  // The same, by one whose clock stands: it never says a word, and the server takes it for dead.
  await vi.waitFor(() => expect(dead.came.map(({ deliveries }) => deliveries)).toEqual([1, 2]), patience);
  expect(busy.came.map(({ deliveries }) => deliveries)).toEqual([1]);
  for (const { came } of [busy, dead]) came.at(-1)?.ack?.();
  await Promise.all([busy.transport.close(), dead.transport.close()]);
});

test("NS3: what nobody settles comes again after longer each time", async () => {
  const still = { now: clock.now, alarm: () => () => undefined };
  const { transport, came } = await holding("died", 400, { clock: still });
  await vi.waitFor(() => expect(came).toHaveLength(4), patience);
  const [first = 0, second = 0, third = 0, fourth = 0] = came.map(({ at }) => at);
  // A wait of 400, 800 and 1,600 ms: no machine is so slow that it makes of them the same.
  expect(third - second).toBeGreaterThan(1.3 * 400);
  expect(fourth - third).toBeGreaterThan(1.3 * 800);
  expect(second - first).toBeGreaterThanOrEqual(300);
  came.at(-1)?.ack?.();
  await transport.close();
});

test("NS4: what is given back comes again after longer each time, and was not delivered in vain", async () => {
  const transport = await open("back", { ackWaitMs: 6_000 });
  const a = connectTo(transport, "a", fault);
  const came: number[] = [];
  const counted: (number | undefined)[] = [];
  const hear = ({ deliveries, nak, ack }: Delivery): void => {
    came.push(clock.now());
    counted.push(deliveries);
    if (came.length === 5) ack?.();
    else nak?.();
  };
  a.subscribe("back.commands.workflow.>", hear, "orchestrator");
  await a.publish(commandOf("back", 1), bytes("order"), { stored: true });
  await vi.waitFor(() => expect(came).toHaveLength(5), patience);
  expect(counted).toEqual([1, 1, 1, 1, 1]);
  // 200, 400, 800 and 1,600 ms.
  const waits = came.slice(1).map((at, index) => at - Number(came[index]));
  for (const [index, wait] of waits.entries()) expect(wait).toBeGreaterThanOrEqual(200 * 2 ** index - 20);
  await transport.close();
});

test("NS5: a consumer of an earlier release is given what it lacks, and that is said once", async () => {
  await (await holding("older", 30_000)).transport.close();
  const manager = await connect(signIn());
  const { consumers } = await jetstreamManager(manager);
  const [older] = await consumers.list("older_COMMANDS").next();
  const name = String(older?.name);
  expect(older?.config.backoff).toEqual([30, 60, 120, 240].map((seconds) => seconds * 1e9));
  await consumers.update("older_COMMANDS", name, { backoff: [], ack_wait: 5e9, max_ack_pending: 7 });
  const said: string[] = [];
  const report = (_level: string, message: string, fields: object): void =>
    void said.push(`${message} ${JSON.stringify(fields)}`);
  for (let time = 1; time <= 2; time++) {
    const transport = await open("older", { report });
    connectTo(transport, "a", fault).subscribe("older.commands.workflow.>", () => undefined, "orchestrator");
    await transport.settled();
    await transport.close();
  }
  expect(said).toEqual([
    expect.stringMatching(/was changed .*older_COMMANDS.*ack_wait: 5000000000.*max_ack_pending: 7/),
  ]);
  const { config } = await consumers.info("older_COMMANDS", name);
  expect(config).toMatchObject({ ack_wait: 30e9, max_ack_pending: 1_000, backoff: older?.config.backoff });
  await manager.close();
});

test("NS2: a consumer that was deleted on the server is made again, and hears what came meanwhile", async () => {
  const transport = await open("lost");
  const a = connectTo(transport, "a", silent);
  const heard: string[] = [];
  a.subscribe(
    "lost.commands.workflow.>",
    (one) => {
      heard.push(textOf(one));
      one.ack?.();
    },
    "orchestrator",
  );
  await transport.settled();
  const manager = await connect(signIn());
  const streams = await jetstreamManager(manager);
  for await (const { name } of streams.consumers.list("lost_COMMANDS")) {
    await streams.consumers.delete("lost_COMMANDS", name);
  }
  await a.publish(commandOf("lost", 1), bytes("meanwhile"), { stored: true });
  await vi.waitFor(() => expect(heard).toEqual(["meanwhile"]), { timeout: 60_000 });
  await manager.close();
  await transport.close();
});

test("NS2: a stream that was deleted while nobody published is made again, and heard", async () => {
  const transport = await open("gone");
  const a = connectTo(transport, "a", silent);
  const heard: string[] = [];
  a.subscribe(
    "gone.commands.workflow.>",
    (one) => {
      heard.push(textOf(one));
      one.ack?.();
    },
    "orchestrator",
  );
  await transport.settled();
  const manager = await connect(signIn());
  const { streams } = await jetstreamManager(manager);
  await streams.delete("gone_COMMANDS");
  // Nobody of ours says anything: whoever listens sees to it.
  await vi.waitFor(() => streams.info("gone_COMMANDS"), { timeout: 60_000 });
  manager.publish(commandOf("gone", 1), bytes("afterwards"));
  await vi.waitFor(() => expect(heard).toEqual(["afterwards"]), { timeout: 60_000 });
  await manager.close();
  await transport.close();
});
