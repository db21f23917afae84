// Goal: what a group has to settle comes until it is settled, and a consumer that a server has lost is there again.
// Method: a real server of our own; the manager of its streams, with which a consumer is deleted.

import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { expect, test, vi } from "vitest";
import { bytes, commandOf, connectTo, fault, natsForThisFile, silent, textOf } from "../kit/nats.ts";

const { open, signIn } = natsForThisFile();

test("NS1: it waits for whoever is not there yet, and comes again until it is settled", async () => {
  const transport = await open("again");
  const a = connectTo(transport, "a", fault);
  await a.publish(commandOf("again", 1), bytes("order"), { stored: true });
  const deliveries: (number | undefined)[] = [];
  const passing: string[] = [];
  a.subscribe("again.commands.workflow.>", (one) => void passing.push(textOf(one)), "others", true);
  a.subscribe(
    "again.commands.workflow.>",
    ({ deliveries: count, ack, nak }) => {
      deliveries.push(count);
      if (count === 3) ack?.();
      else nak?.(10);
    },
    "orchestrator",
  );
  await vi.waitFor(() => expect(deliveries).toEqual([1, 2, 3]), { timeout: 20_000 });
  await transport.close();
  expect(passing, "it had passed by before").toEqual([]);
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
