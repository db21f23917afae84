// The streams that keep stored messages on a NATS server: what they are to be, made where they are missing, mended.
//
//   catalogue ─▶ the stored keys, as subjects ─▶ a plan ─▶ create, or update, or say where a server differs
//
// A stream holds exactly the subjects of the protocol: what nobody knows is kept nowhere.

import {
  DiscardPolicy,
  JetStreamApiError,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from "@nats-io/jetstream";
import { catalogue, type Key, kindOf } from "../protocol/catalogue.ts";
import { TroupeError } from "../protocol/errors.ts";
import type { Layout } from "../protocol/layouts.ts";
import type { Report } from "../protocol/report.ts";
import { subjectCodec } from "../protocol/subjects.ts";

export type StreamPlan = {
  readonly name: string;
  readonly subjects: readonly string[];
  readonly retention: "workqueue" | "limits";
  readonly maxAgeMs: number;
  /** A full work queue takes nothing more, which waits on the disk of whoever says it; another forgets the oldest. */
  readonly maxBytes: number;
};

const hourMs = 3_600_000;
const msInNanos = 1_000_000;
const streamNotFound = 10_059;
/** How long the server knows a message id: a message that is sent again within that is kept once. */
const duplicateWindowMs = 120_000;

const kinds = [
  { suffix: "COMMANDS", holds: (key: Key) => kindOf(key) === "command", retention: "workqueue", maxAgeMs: 24 * hourMs },
  { suffix: "EVENTS", holds: (key: Key) => kindOf(key) === "event", retention: "limits", maxAgeMs: 168 * hourMs },
  { suffix: "LOGS", holds: (key: Key) => key === "log:LogEmitted", retention: "limits", maxAgeMs: 72 * hourMs },
  {
    suffix: "REJECTED",
    holds: (key: Key) => key === "log:MessageRejected",
    retention: "limits",
    maxAgeMs: 168 * hourMs,
  },
] as const;

const streamBytesUnlessSaid = 268_435_456;

/** The streams of a prefix. Subjects of both layouts would meet within one stream, which no server allows. */
export function streamsOf(prefix: string, layout: Layout, maxBytes = streamBytesUnlessSaid): StreamPlan[] {
  const codec = subjectCodec({ prefix, layout });
  const stored = (Object.keys(catalogue) as Key[]).filter((key) => catalogue[key].delivery === "stored");
  return kinds.map(({ suffix, holds, retention, maxAgeMs }) => ({
    name: `${prefix}_${suffix}`,
    subjects: stored.filter(holds).map((key) => codec.patternOf({ key } as Parameters<typeof codec.patternOf>[0])),
    retention,
    maxAgeMs,
    maxBytes,
  }));
}

/** Makes them as planned. What an existing stream has otherwise is changed if it can be, and said. */
export async function keepStreams(
  manager: JetStreamManager,
  plans: readonly StreamPlan[],
  report: Report,
): Promise<void> {
  for (const plan of plans) await keepStream(manager, configOf(plan), report);
}

export type Wanted = Partial<StreamConfig> & { name: string };

export async function keepStream(manager: JetStreamManager, wanted: Wanted, report: Report): Promise<void> {
  const { name } = wanted;
  const found = await foundOf(manager, name);
  if (!found) return void (await manager.streams.add(wanted));
  const differing = (Object.keys(wanted) as (keyof StreamConfig)[]).filter(
    (key) => JSON.stringify(found[key]) !== JSON.stringify(wanted[key]),
  );
  if (differing.length === 0) return;
  const drift = { stream: name, fields: differing.map((key) => `${key}: ${JSON.stringify(found[key])}`) };
  if (differing.some((key) => fixed.has(key))) {
    const how = drift.fields.join("; ");
    const message = `the stream ${name} was made for something else (${how}): remove it, or use another prefix`;
    throw new TroupeError("INVALID_STATE", message, { status: "drift", stream: name });
  }
  await manager.streams.update(name, wanted);
  report("warn", "a stream was otherwise than it is to be, and was changed", drift);
}
/** What cannot be changed once a stream is there. */
const fixed: ReadonlySet<string> = new Set(["retention", "storage"]);

async function foundOf(manager: JetStreamManager, name: string): Promise<StreamConfig | undefined> {
  try {
    return (await manager.streams.info(name)).config;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === streamNotFound) return undefined;
    throw error;
  }
}

const configOf = ({ name, subjects, retention, maxAgeMs, maxBytes }: StreamPlan) => ({
  name,
  subjects: [...subjects],
  retention: retention === "workqueue" ? RetentionPolicy.Workqueue : RetentionPolicy.Limits,
  storage: StorageType.File,
  discard: retention === "workqueue" ? DiscardPolicy.New : DiscardPolicy.Old,
  max_bytes: maxBytes,
  max_age: maxAgeMs * msInNanos,
  duplicate_window: Math.min(duplicateWindowMs, maxAgeMs) * msInNanos,
});
