// What one workflow says over NATS, counted from the wire by a plain client that hears everything.

import type { NatsConnection } from "@nats-io/transport-node";
import type { StreamPlan } from "../src/transport/nats-streams.ts";

export type Class = { messages: number; bytes: number };
/** Of one workflow: kept by a stream; asked and answered; just said; and what streams gave to whoever hears them. */
export type Wire = { stored: Class; requests: Class; core: Class; delivered: Class };

type Seen = { subject: string; bytes: number; reply: string | undefined };

/** Whether a subject is one of those that a stream keeps. */
function keeps(streams: readonly StreamPlan[]): (subject: string) => boolean {
  const patterns = streams.flatMap(({ subjects }) => subjects.map((subject) => subject.split(".")));
  return (subject) => {
    const tokens = subject.split(".");
    const fits = (pattern: readonly string[]): boolean =>
      pattern.length === tokens.length && pattern.every((token, index) => token === "*" || token === tokens[index]);
    return patterns.some(fits);
  };
}

/** Runs so many of them one after the other, and gives what one of them said on the average. */
export async function wireOf(
  listener: NatsConnection,
  streams: readonly StreamPlan[],
  prefix: string,
  { count, act }: { count: number; act: () => Promise<void> },
): Promise<Wire> {
  const seen: Seen[] = [];
  const subscription = listener.subscribe(">", {
    callback: (_error, { subject, data, reply }) => void seen.push({ subject, bytes: data.byteLength, reply }),
  });
  await listener.flush();
  for (let n = 0; n < count; n++) await act();
  await listener.flush();
  subscription.unsubscribe();

  const isKept = keeps(streams);
  const answered = new Set(seen.map(({ subject }) => subject));
  const isOurs = ({ subject }: Seen): boolean => subject.startsWith(`${prefix}.`);
  const isBeat = ({ subject }: Seen): boolean => subject.startsWith(`${prefix}.heartbeats.`);
  const isDelivered = ({ reply = "" }: Seen): boolean => reply.startsWith("$JS.ACK.");
  const isAsked = ({ reply = "" }: Seen): boolean => answered.has(reply);
  const classOf = (is: (one: Seen) => boolean): Class => {
    const found = seen.filter(is);
    const bytes = found.reduce((sum, one) => sum + one.bytes, 0);
    return { messages: found.length / count, bytes: Math.round(bytes / Math.max(1, found.length)) };
  };
  const said = (one: Seen): boolean => isOurs(one) && !isDelivered(one) && !isBeat(one);
  return {
    stored: classOf((one) => said(one) && isKept(one.subject)),
    requests: classOf((one) => said(one) && !isKept(one.subject) && isAsked(one)),
    core: classOf((one) => said(one) && !isKept(one.subject) && !isAsked(one)),
    delivered: classOf(isDelivered),
  };
}
