// Goal: what nobody can take is not lost: it stays in its stream until its dead letter is kept.
// Method: commands that are no commands, said by the outsider, while the stream of dead letters is full, and then not.

import { DiscardPolicy, jetstreamManager } from "@nats-io/jetstream";
import { expect, test, vi } from "vitest";
import { openHouse, patience } from "../kit/nats-house.ts";

test("a poison message ends once its dead letter is kept, and comes again until then", async () => {
  const house = await openHouse();
  const { streams } = await jetstreamManager(house.outsider);
  const countIn = async (stream: string): Promise<number> => (await streams.info(`house_${stream}`)).state.messages;
  await streams.update("house_REJECTED", { max_msgs: 1, discard: DiscardPolicy.New });
  const poison = (): void => house.outsider.publish("house.commands.workflow.execute.w", "{}");
  poison();
  await vi.waitFor(async () => expect(await countIn("REJECTED")).toBe(1), patience);
  await vi.waitFor(async () => expect(await countIn("COMMANDS")).toBe(0), patience);

  poison();
  const notKept = "error a dead letter was not kept: what it is about comes again";
  const isSaidAgain = (): void => expect(house.said.filter((line) => line === notKept).length).toBeGreaterThan(1);
  // On its way back it may be lost with its connection: then it comes after the wait for the dead.
  await vi.waitFor(isSaidAgain, { timeout: 60_000, interval: 50 });
  expect([await countIn("REJECTED"), await countIn("COMMANDS")]).toEqual([1, 1]);

  await streams.update("house_REJECTED", { max_msgs: -1, discard: DiscardPolicy.Old });
  await vi.waitFor(async () => expect(await countIn("COMMANDS")).toBe(0), patience);
  expect(await countIn("REJECTED")).toBe(2);
  await house.holds(await house.run(1));
  await house.close();
});
