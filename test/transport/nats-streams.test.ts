// Goal: the streams are as planned, with their limits, and a work queue that is full refuses rather than forgets.
// Method: a real server of our own, and the manager of its streams, which shows what they are.

import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { bytes, commandOf, connectTo, eventOf, natsForThisFile, silent } from "../kit/nats.ts";

const { open, signIn } = natsForThisFile();

async function managed<T>(act: (streams: JetStreamManager["streams"]) => Promise<T>): Promise<T> {
  const manager = await connect(signIn());
  try {
    return await act((await jetstreamManager(manager)).streams);
  } finally {
    await manager.close();
  }
}

test("each stream has its limits, and one that was made without them is given them, and that is said", async () => {
  const said: string[] = [];
  await (await open("bounds", { streamBytes: 2_000_000 })).close();
  const bounds = await managed(async (streams) => {
    const found = await streams.info("bounds_COMMANDS");
    await streams.update("bounds_EVENTS", { max_bytes: -1 });
    return found.config;
  });
  expect(bounds).toMatchObject({ max_bytes: 2_000_000, discard: "new", retention: "workqueue", max_age: 8.64e13 });
  const report = (_level: string, message: string, fields: object): void =>
    void said.push(`${message} ${JSON.stringify(fields)}`);
  await (await open("bounds", { streamBytes: 2_000_000, report })).close();
  expect(said).toEqual([expect.stringMatching(/was changed .*bounds_EVENTS.*max_bytes: -1/)]);
  const mended = await managed((streams) => streams.info("bounds_EVENTS"));
  expect(mended.config).toMatchObject({ max_bytes: 2_000_000, discard: "old" });
});

test("a work queue that is full takes nothing more, another stream forgets the oldest", async () => {
  const transport = await open("full", { streamBytes: 20_000 });
  const a = connectTo(transport, "a", silent);
  const large = bytes("x".repeat(3_000));
  const kept = async (subject: (n: number) => string): Promise<string[]> =>
    Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        (a.publish(subject(n), large, { stored: true }) ?? Promise.resolve()).then(
          () => "kept",
          ({ code, details }: { code: string; details: { reason: string } }) => `${code} ${details.reason}`,
        ),
      ),
    );
  expect(new Set(await kept((n) => eventOf("full", n, "started")))).toEqual(new Set(["kept"]));
  expect(new Set(await kept((n) => commandOf("full", n)))).toEqual(new Set(["kept", "COMMAND_TIMEOUT refused"]));
  await transport.close();
});
