// The micro protocol of NATS as a client of it sees it: how one asks, and which form an answer has.

import { type NatsConnection, NoRespondersError } from "@nats-io/transport-node";
import { z } from "zod";

const token = z.string().regex(/^[\w-]+$/);
const identity = {
  name: token,
  id: token,
  version: z.string().regex(/^\d+\.\d+\.\d+(?:-[\w.-]+)?(?:\+[\w.-]+)?$/),
  metadata: z.record(z.string(), z.string()),
};
const endpoint = { name: token, subject: z.string().min(1), queue_group: z.string() };
const nanos = z.int().min(0);

export const answerForms = {
  PING: z.strictObject({ ...identity, type: z.literal("io.nats.micro.v1.ping_response") }),
  INFO: z.strictObject({
    ...identity,
    type: z.literal("io.nats.micro.v1.info_response"),
    description: z.string(),
    endpoints: z.array(z.strictObject({ ...endpoint, metadata: z.record(z.string(), z.string()) })),
  }),
  STATS: z.strictObject({
    ...identity,
    type: z.literal("io.nats.micro.v1.stats_response"),
    started: z.iso.datetime(),
    endpoints: z.array(
      z.strictObject({
        ...endpoint,
        num_requests: z.int().min(0),
        num_errors: z.int().min(0),
        last_error: z.string(),
        processing_time: nanos,
        average_processing_time: nanos,
      }),
    ),
  }),
} as const;

/** Every answer that comes before it has been still for a while, as the tools of NATS ask. */
export async function askAll(outside: NatsConnection, subject: string): Promise<Record<string, unknown>[]> {
  const answers: Record<string, unknown>[] = [];
  const patience = { strategy: "stall", maxWait: 5_000, stall: 300 } as const;
  try {
    const asked = await outside.requestMany(subject, new Uint8Array(), patience);
    for await (const message of asked) answers.push(message.json());
  } catch (error) {
    if (!(error instanceof NoRespondersError)) throw error;
  }
  return answers;
}
