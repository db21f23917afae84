// What leaves over the transport: every message that is on disk and that somebody outside hears, or nobody here does.
//
//   committed ─▶ heard outside, stored, or for a component that is not here? ─▶ encode once ─▶ publish
//                                                        nobody there either ─▶ cue:NoResponder to who asked
//
// Invariants:
//   O1. Nothing leaves that is not on disk, but for news, which never is.
//   O2. What came over the transport does not leave again.
//   O3. A command that a component here has taken says so, and no other of its queue group takes it.
//   O4. A command that nobody takes is told to the chart that said it.

import type { Connection, Headers, Outgoing } from "../transport/transport.ts";
import { entryOf, isKey, type Key, kindOf } from "../protocol/catalogue.ts";
import type { Encoded } from "../protocol/envelope.ts";
import { fromUnknown } from "../protocol/errors.ts";
import type { Component, Word } from "./component.ts";
import type { Said } from "./react.ts";
import { isShared } from "./subscriptions.ts";
import type { Committed, SystemParts } from "./system.ts";
import type { World } from "./world.ts";
import { newWriter, type Speech, type WriterParts } from "./writer.ts";

/** Which components have taken a message where it was said. */
export const heardByHeader = "Troupe-Heard-By";
/** Which connection it left by. */
export const fromHeader = "Troupe-From";

export type OutboundParts = WriterParts & {
  connection: Connection;
  /** By chance: it names this connection to itself, and its inbox. */
  id: string;
  world: World;
  components: readonly Component[];
  isWire: boolean;
  report: SystemParts["report"];
  /** Nobody takes what a chart has asked. */
  unanswered: (run: string, address: string) => void;
};

/** Each of these has somebody who must answer. */
const requests: ReadonlySet<string> = new Set([
  "command:TaskExecute",
  "command:TriggerAgent",
  "command:ToolExecute",
  "command:AgentRuntimeExecute",
  "command:AgentRuntimeCancel",
] satisfies Key[]);

export type Outbound = ReturnType<typeof newOutbound>;

/** Publishes, and counts what could not be. */
function newPublisher({ connection, id, components, report }: OutboundParts) {
  const counts = { published: 0, undelivered: 0 };
  const heardBy = new Map<Key, string>();
  const hearersOf = (key: Key): string => {
    const known = heardBy.get(key);
    if (known !== undefined) return known;
    const found = components.filter((component) => isShared(component, key)).map(({ code }) => code);
    heardBy.set(key, found.join());
    return found.join();
  };
  return {
    counts,
    failed(error: unknown, what: Readonly<Record<string, string>>): void {
      counts.undelivered += 1;
      report("error", "a message could not be sent", { ...what, reason: fromUnknown(error).message });
    },
    /** Its headers say where it left, and who has taken it there. */
    marked: (headers: Headers, key: Key, isTaken: boolean): Headers => ({
      ...headers,
      [fromHeader]: id,
      ...(isTaken && hearersOf(key) !== "" && { [heardByHeader]: hearersOf(key) }),
    }),
    /** Whether it left, as far as can be known. */
    publish({ subject, bytes, headers }: Encoded, outgoing: Outgoing = {}): boolean {
      try {
        const kept = connection.publish(subject, bytes, { ...outgoing, headers });
        kept?.catch((error: unknown) => this.failed(error, { subject }));
        counts.published += 1;
        return true;
      } catch (error) {
        this.failed(error, { subject });
        return false;
      }
    },
  };
}

function isHere({ world }: OutboundParts, key: Key, { agent_runtime }: Word): boolean {
  const [hearer] = entryOf(key).to;
  if (hearer === "AR") return world.here.has("AR") && agent_runtime?.exec_id === world.runtime?.exec_id;
  return hearer !== undefined && hearer !== "issuer" && world.here.has(hearer);
}

export function newOutbound(parts: OutboundParts) {
  const { connection, isWire } = parts;
  const writer = newWriter(parts);
  const publisher = newPublisher(parts);

  function send({ run, correlationId, at }: Committed, line: Said): void {
    const { id, word, cause } = line;
    const key = word.type;
    if (line.foreign === true || !isKey(key)) return;
    const isAsked = requests.has(key) && (isWire || !isHere(parts, key, word));
    const isStored = entryOf(key).delivery === "stored";
    const { reply_to_subject } = (word["payload"] ?? {}) as { reply_to_subject?: string };
    const reply = key.startsWith("command:AgentRuntime") ? `_INBOX.${parts.id}.${id}` : reply_to_subject;
    try {
      const subject = writer.subjectOf(line, correlationId);
      if (subject === undefined) return;
      if (!isAsked && !isStored && !isWire && !connection.hasInterest(subject)) return;
      if (kindOf(key) === "command") {
        const { workflow, task, agent, tool, agent_runtime } = word;
        const about = defined({ workflow, task, agent, tool, agent_runtime });
        parts.requests.ask([id, reply, (tool ?? agent)?.exec_id], { run, from: line.from ?? "", id, about });
      }
      const { headers, ...message } = writer.written(line, subject, correlationId, at, run);
      const whole = { ...message, headers: publisher.marked(headers, key, !isWire) };
      if (cause !== null && kindOf(key) === "result") parts.requests.answer(cause, whole);
      const isOut = publisher.publish(whole, { stored: isStored, ...(isAsked && reply !== undefined && { reply }) });
      if (!isOut && isAsked) parts.unanswered(run, line.from ?? "");
    } catch (error) {
      publisher.failed(error, { run, message: id });
      if (isAsked) parts.unanswered(run, line.from ?? "");
    }
  }

  return {
    committed(committed: Committed): void {
      for (const line of committed.said) send(committed, line);
    },
    /** Says something that is of no record: news, and answers where no run can answer. */
    say(speech: Speech, correlationId: string, at: number, isStored = false): void {
      try {
        const subject = writer.subjectOf(speech, correlationId);
        if (subject === undefined || (!isStored && !connection.hasInterest(subject))) return;
        const { headers, ...message } = writer.written(speech, subject, correlationId, at, "");
        publisher.publish(
          { ...message, headers: publisher.marked(headers, speech.word.type as Key, false) },
          { stored: isStored },
        );
      } catch (error) {
        publisher.failed(error, { message: speech.id });
      }
    },
    /** Publishes again what was answered once. */
    repeat: (encoded: Encoded): boolean => publisher.publish(encoded),
    counts: publisher.counts,
  };
}

const defined = (fields: Record<string, unknown>): Partial<Word> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<Word>;
