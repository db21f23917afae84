// Goal: what is put into the object store is there for whoever is told its name, and whatever is wrong with the store
// is an answer in time.
//
// Method: a real server whose store is read and spoiled by a plain client, behind our back.

import { createHash } from "node:crypto";
import { jetstreamManager } from "@nats-io/jetstream";
import { Objm } from "@nats-io/obj";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type NatsTransport } from "../../src/transport/nats.ts";
import type { Objects } from "../../src/transport/transport.ts";
import { natsForThisFile } from "../kit/nats.ts";

const { open, signIn } = natsForThisFile();
const content = (letter: string, size = 300_000): Uint8Array => new TextEncoder().encode(letter.repeat(size));
const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

let outside: NatsConnection;
let transport: NatsTransport;
let objects: Objects;
let count = 0;
let name = "";

async function opened(more: { retentionMs?: number; storeBytes?: number } = {}): Promise<Objects> {
  count += 1;
  name = `obj${count}_OBJECTS`;
  const sizes = { retentionMs: 60_000, storeBytes: 10_000_000, ...more };
  transport = await open(`obj${count}`, { objects: { name, ...sizes }, ackTimeoutMs: 1_000 });
  if (!transport.objects) throw new Error("there is an object store");
  return transport.objects;
}
beforeEach(async () => {
  outside = await connect(signIn());
  objects = await opened();
});
afterEach(async () => {
  await transport.close();
  await outside.close();
});
const storeOutside = () => new Objm(outside).open(name);
const streams = async () => (await jetstreamManager(outside)).streams;

describe("an object", () => {
  test("is there for us and for any client that knows object stores, in the same bytes", async () => {
    const bytes = content("a");
    await objects.put(hashOf(bytes), bytes);
    expect(await objects.get(hashOf(bytes), bytes.byteLength)).toEqual(bytes);
    expect(await (await storeOutside()).getBlob(hashOf(bytes))).toEqual(bytes);
  });

  test("that is not there, or was deleted, is null", async () => {
    const bytes = content("b");
    expect(await objects.get(hashOf(bytes), 1)).toBeNull();
    await objects.put(hashOf(bytes), bytes);
    await (await storeOutside()).delete(hashOf(bytes));
    expect(await objects.get(hashOf(bytes), bytes.byteLength)).toBeNull();
    // And can be put again.
    await objects.put(hashOf(bytes), bytes);
    expect(await objects.get(hashOf(bytes), bytes.byteLength)).toEqual(bytes);
  });

  test("NO2: is not read further than was asked for, and a link is followed nowhere", async () => {
    const bytes = content("c");
    const store = await storeOutside();
    const info = await store.putBlob({ name: "there" }, bytes);
    expect((await objects.get("there", 1_000))?.byteLength).toBeLessThanOrEqual(1_000);
    await store.link("elsewhere", info);
    expect(await objects.get("elsewhere", bytes.byteLength)).toBeNull();
  });

  test("NO3: that is put twice is written once, as long as it is young", async () => {
    const bytes = content("d");
    await objects.put(hashOf(bytes), bytes);
    const before = await (await storeOutside()).info(hashOf(bytes));
    await objects.put(hashOf(bytes), bytes);
    expect((await (await storeOutside()).info(hashOf(bytes)))?.nuid).toBe(before?.nuid);
  });

  test("NO3: that has reached half of its time is written anew", async () => {
    await transport.close();
    objects = await opened({ retentionMs: 200 });
    const bytes = content("e");
    await objects.put(hashOf(bytes), bytes);
    const before = await (await storeOutside()).info(hashOf(bytes));
    await expect
      .poll(async () => {
        await objects.put(hashOf(bytes), bytes);
        return (await (await storeOutside()).info(hashOf(bytes)))?.nuid;
      })
      .not.toBe(before?.nuid);
  });
});

describe("NO1: where something is wrong", () => {
  test("chunks that are gone are an error in time, and not a wait without end", async () => {
    const bytes = content("f");
    await objects.put(hashOf(bytes), bytes);
    const nuid = (await (await storeOutside()).info(hashOf(bytes)))?.nuid;
    await (await streams()).purge(`OBJ_${name}`, { filter: `$O.${name}.C.${nuid}` });
    await expect(objects.get(hashOf(bytes), bytes.byteLength)).rejects.toMatchObject({ code: "COMMAND_TIMEOUT" });
  });

  test("chunks that are others are read as they are: their hash is another", async () => {
    const bytes = content("g");
    await objects.put(hashOf(bytes), bytes);
    const nuid = (await (await storeOutside()).info(hashOf(bytes)))?.nuid;
    await (await streams()).purge(`OBJ_${name}`, { filter: `$O.${name}.C.${nuid}` });
    outside.publish(`$O.${name}.C.${nuid}`, content("x", 100));
    await outside.flush();
    const read = await objects.get(hashOf(bytes), bytes.byteLength);
    expect(read && hashOf(read)).not.toBe(hashOf(bytes));
  });

  test("a store that was deleted is made again by the next that is put", async () => {
    await (await streams()).delete(`OBJ_${name}`);
    const bytes = content("h");
    expect(await objects.get(hashOf(bytes), bytes.byteLength)).toBeNull();
    await objects.put(hashOf(bytes), bytes);
    expect(await objects.get(hashOf(bytes), bytes.byteLength)).toEqual(bytes);
  });

  test("a full store refuses with its limit and where that is set", async () => {
    await transport.close();
    objects = await opened({ storeBytes: 200_000 });
    const bytes = content("i");
    const details: unknown = expect.objectContaining({ limit: "objectStoreBytes", max: 200_000 });
    await expect(objects.put(hashOf(bytes), bytes)).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE", details });
  });
});
