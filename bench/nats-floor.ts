// What a NATS server allows when nobody thinks: the messages of one workflow, bare, and each kind of them by itself.
//
//   request   asked, and answered by a process that does nothing else, one after the other
//   publish   kept by a stream of the same kind on the same server, acknowledged
//   W1        as many of each as one workflow says, the kept ones on their way at once

import { DiscardPolicy, type JetStreamClient, RetentionPolicy, StorageType } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { drive, type Measured } from "./load.ts";
import type { Class, Wire } from "./nats-wire.ts";

export type Floor = { callers: readonly number[]; seconds: number };
type Client = { nc: NatsConnection; js: JetStreamClient };

export const echo = "floor.echo";
const kept = "floor.kept";
const said = "floor.said";
const stream = "FLOOR";
const timeout = 30_000;

/** A stream as those of the engine are. */
export async function makeStream({ js }: Client): Promise<void> {
  const manager = await js.jetstreamManager();
  await manager.streams.add({
    name: stream,
    subjects: [kept],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.Old,
    max_bytes: 268_435_456,
    duplicate_window: 120_000_000_000,
  });
}

const times = (count: number): null[] => Array<null>(Math.round(count)).fill(null);
const bytesOf = ({ bytes }: Class): Uint8Array => new Uint8Array(bytes);

export async function floorOf({ nc, js }: Client, wire: Wire, { callers, seconds }: Floor): Promise<Measured[]> {
  const { stored, requests, core } = wire;
  let id = 0;
  const request = async (): Promise<void> => void (await nc.request(echo, bytesOf(requests), { timeout }));
  const publish = async (): Promise<void> => {
    id += 1;
    await js.publish(kept, bytesOf(stored), { msgID: `floor-${process.pid}-${id}`, timeout });
  };
  const asked = async (): Promise<void> => {
    for (const _each of times(requests.messages)) await request();
  };
  const workflow = async (): Promise<void> => {
    for (const _each of times(core.messages)) nc.publish(said, bytesOf(core));
    await Promise.all([...times(stored.messages).map(publish), asked()]);
  };
  const measured: Measured[] = [];
  for (const [kind, act] of Object.entries({ request, publish, W1: workflow })) {
    for (const count of callers) {
      measured.push(await drive({ kind: `floor ${kind}`, callers: count, seconds }, act));
    }
  }
  return measured;
}
