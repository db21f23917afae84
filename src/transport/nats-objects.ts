// Content too large for a message, in an object store of NATS: any client of NATS that knows object stores can read it.
//
//   put: is it there, and young? ─no─▶ written in chunks ─▶ named by its hash
//   get: what is there? ─▶ as large as was said, and no link ─▶ its chunks, no more than were said, each in time
//
// Invariants:
//   NO1. Whatever is asked of the store ends: kept or read, or with a reason, however the server behaves.
//   NO2. No more is read than was asked for, and nothing from another place.
//   NO3. What is put is there for as long as a message that refers to it; what is put often is written seldom.

import { DiscardPolicy, type JetStreamClient, type JetStreamManager, StorageType } from "@nats-io/jetstream";
import { Objm, type ObjectStore } from "@nats-io/obj";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import type { Report } from "../protocol/report.ts";
import { keepStream } from "./nats-streams.ts";
import type { Objects, TransportClock } from "./transport.ts";

export type ObjectsOptions = {
  name: string;
  clock: TransportClock;
  report: Report;
  /** Whether it makes and mends the store; who does not needs one that is there. */
  keeps: boolean;
  /** How long an object is kept after it was last put. */
  retentionMs: number;
  /** How large the whole store may be. */
  storeBytes: number;
  /** How long the server may take for one step. */
  stepMs: number;
};

type Reached = { js: JetStreamClient; jsm: JetStreamManager };

const msInNanos = 1_000_000;
const duplicateWindowMs = 120_000;

export async function openObjects(reached: Reached, options: ObjectsOptions): Promise<Objects> {
  const { name, clock, report, keeps, retentionMs, storeBytes, stepMs } = options;
  const { js, jsm } = reached;
  const keep = async (): Promise<void> => {
    if (!keeps) return;
    await keepStream(
      jsm,
      {
        name: `OBJ_${name}`,
        subjects: [`$O.${name}.C.>`, `$O.${name}.M.>`],
        storage: StorageType.File,
        discard: DiscardPolicy.New,
        allow_direct: true,
        allow_rollup_hdrs: true,
        max_age: retentionMs * msInNanos,
        max_bytes: storeBytes,
        duplicate_window: Math.min(duplicateWindowMs, retentionMs) * msInNanos,
      },
      report,
    );
  };
  await keep();
  const store = await new Objm(js).open(name, false);

  /** Rejects when a step took too long; the step itself is left alone. */
  const inTime = <T>(step: Promise<T>): Promise<T> => within(clock, stepMs, step, name);

  async function isYoung(hash: string, size: number): Promise<boolean> {
    const there = await inTime(store.info(hash));
    if (there === null || there.deleted || there.size !== size) return false;
    return clock.now() - Date.parse(there.mtime) < retentionMs / 2;
  }
  async function write(hash: string, bytes: Uint8Array): Promise<void> {
    if (await isYoung(hash, bytes.byteLength)) return;
    // Each chunk has its time; one more for what stands before and after them.
    await within(clock, stepMs * (2 + Math.ceil(bytes.byteLength / chunkBytes)), put(store, hash, bytes), name);
  }

  return {
    name,
    async put(hash, bytes) {
      try {
        // A server may have come back without it.
        await write(hash, bytes).catch(async (error: unknown) => {
          if (!isGone(error)) throw error;
          await inTime(keep());
          await write(hash, bytes);
        });
      } catch (error) {
        throw notPut(error, { name, storeBytes });
      }
    },
    async get(hash, sizeMax) {
      const there = await inTime(store.info(hash)).catch(nullIfGone);
      // A link would lead to a place of its maker's choice.
      if (there === null || there.deleted || there.options?.link) return null;
      const found = await inTime(store.get(hash)).catch(nullIfGone);
      if (found === null) return null;
      // How it ended is known from what was read.
      found.error.catch(() => undefined);
      return read(found.data, Math.min(there.size, sizeMax), inTime);
    },
  };
}

const chunkBytes = 131_072;

const put = (store: ObjectStore, hash: string, bytes: Uint8Array): Promise<unknown> =>
  store.putBlob({ name: hash, options: { max_chunk_size: chunkBytes } }, bytes);

async function read(
  data: ReadableStream<Uint8Array>,
  size: number,
  inTime: <T>(step: Promise<T>) => Promise<T>,
): Promise<Uint8Array> {
  const whole = new Uint8Array(size);
  const reader = data.getReader();
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await inTime(reader.read()).catch(endIfCorrupt);
      if (done || value === undefined) return whole.subarray(0, length);
      // More than it said it is: whoever checks it sees that it is not what was meant.
      if (length + value.byteLength > size) return whole.subarray(0, length);
      whole.set(value, length);
      length += value.byteLength;
    }
  } finally {
    // Nobody waits for what is left of it.
    reader.cancel().catch(() => undefined);
  }
}

/** Its chunks are not those it was made of: what there is of it is not what was meant. */
function endIfCorrupt(error: unknown): { done: true; value: undefined } {
  if (/corrupt/i.test(fromUnknown(error).message)) return { done: true, value: undefined };
  throw error;
}

const streamGone = /stream not found|no responders|jetstream is not enabled/i;
const isGone = (error: unknown): boolean => streamGone.test(fromUnknown(error).message);
function nullIfGone(error: unknown): null {
  if (/not found/i.test(fromUnknown(error).message)) return null;
  throw error;
}

function notPut(error: unknown, { name, storeBytes }: { name: string; storeBytes: number }): TroupeError {
  if (error instanceof TroupeError) return error;
  const { message } = fromUnknown(error);
  if (/maximum bytes/i.test(message)) {
    const full = `the object store ${name} is full: it may have ${storeBytes} bytes`;
    const details = { limit: "objectStoreBytes", max: storeBytes, fix: "set `object_store_bytes` higher" };
    return new TroupeError("PAYLOAD_TOO_LARGE", full, details, { cause: error });
  }
  const details = { store: name, reason: "unknown" };
  return new TroupeError("COMMAND_TIMEOUT", `nothing could be put into ${name}: ${message}`, details, { cause: error });
}

async function within<T>(clock: TransportClock, ms: number, step: Promise<T>, name: string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const cancel = clock.alarm(clock.now() + ms, () => {
    reject(new TroupeError("COMMAND_TIMEOUT", `the object store ${name} has not answered for ${ms} ms`, { ms }));
  });
  step.catch(() => undefined);
  try {
    return await Promise.race([step, late]);
  } finally {
    cancel();
  }
}
