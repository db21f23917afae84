// An outsider on the NATS server: a plain client that hears every state event, and in the end reads what was kept.
//
// It is judged what anybody could have seen: each execution ends there once, all that has ended has been told, and
// nothing was told that the engine does not know.

import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, nkeyAuthenticator } from "@nats-io/transport-node";
import { type Heard, judge } from "../../test/kit/wire-judge.ts";
import type { openAudit } from "./audit.ts";
import type { Intent } from "./clients.ts";
import type { Server } from "./engine.ts";

type Seen = {
  intents: readonly Intent[];
  audit: Pick<ReturnType<typeof openAudit>, "told" | "statuses">;
  find: (finding: string) => void;
};

const pieceMessages = 1_000;
const pieceMs = 5_000;

export async function openObserver({ url, seed, prefix }: Server) {
  const authenticator = nkeyAuthenticator(new TextEncoder().encode(seed));
  const again = { maxReconnectAttempts: -1, reconnectTimeWait: 20, reconnectJitter: 0 };
  const client = await connect({ servers: url, authenticator, ...again });
  const heard: Heard[] = [];
  client.subscribe(`${prefix}.events.>`, {
    callback(error, message) {
      if (error) throw error;
      heard.push({ subject: message.subject, text: message.string() });
    },
  });

  /** What was said while it was cut off lies in the stream. */
  async function kept(): Promise<Heard[]> {
    const consumer = await jetstream(client).consumers.get(`${prefix}_EVENTS`);
    const { num_pending: count } = await consumer.info();
    const found: Heard[] = [];
    while (found.length < count) {
      const piece = Math.min(pieceMessages, count - found.length);
      const before = found.length;
      for await (const message of await consumer.fetch({ max_messages: piece, expires: pieceMs })) {
        found.push({ subject: message.subject, text: message.string() });
      }
      if (found.length === before) throw new Error(`the stream gives ${before} of its ${count} events`);
    }
    return found;
  }

  return {
    /** Whether whoever shares the events of the stream has heard them all, and settled them. */
    async isQuiet(): Promise<boolean> {
      const manager = await jetstreamManager(client);
      for await (const { config, num_pending, num_ack_pending } of manager.consumers.list(`${prefix}_EVENTS`)) {
        if (config.durable_name !== undefined && num_pending + num_ack_pending > 0) return false;
      }
      return true;
    },
    /** Gives how many events it has seen. */
    async conclude({ intents, audit, find }: Seen): Promise<number> {
      const stored = await kept();
      const all = [...heard, ...stored];
      const statuses = audit.statuses();
      const asked = intents.map(({ execId, end }) => ({ execId: execId ?? "", status: end?.status ?? null }));
      for (const finding of judge({ heard: all, asked, begun: [], statusOf: (execId) => statuses.get(execId) })) {
        // An order that was on its way begins when it arrives: whether it may be is known from the handlers.
        if (!/^I3 (?:agent|tool)/.test(finding)) find(`outside: ${finding}`);
      }
      const { known, ends } = audit.told;
      const ids = new Set(stored.map(idOf));
      for (const id of ends) if (!ids.has(id)) find(`outside: I1 the end ${id} is not in the stream`);
      // What a runtime said in passing is lost with it, if it is killed before that was kept.
      for (const one of [...stored, ...heard.filter((other) => !isOfRuntime(other))]) {
        const isKnown = one.subject.includes(".agent_runtime.") || known.has(idOf(one));
        if (!isKnown) find(`outside: I11 ${one.subject} was told, and is not known: ${one.text}`);
      }
      return all.length;
    },
    close: () => client.close(),
  };
}

type Told = { metadata: { message_id: string; source_component: string } };
const metadataOf = ({ text }: Heard): Told["metadata"] => (JSON.parse(text) as Told).metadata;
const idOf = (one: Heard): string => metadataOf(one).message_id;
const isOfRuntime = (one: Heard): boolean =>
  /^(?:agent\.Runtime|tool\.Executor)/.test(metadataOf(one).source_component);
