// What leaves over the transport: every message that is on disk and that somebody outside hears, or nobody here does.
//
//   committed ─▶ heard outside, stored, or for a component that is not here? ─▶ encode once ─▶ its contents ─▶ publish
//                                                        nobody there either ─▶ cue:NoResponder to who asked
//
// Invariants:
//   O1. Nothing leaves that is not on disk, but for news, which never is.
//   O2. What came over the transport does not leave again.
//   O3. A command that a component here has taken says so, and no other of its queue group takes it.
//   O4. A command that nobody takes is told to the chart that said it.
//   O5. A result that no message can hold leaves as an error that says so: whoever waits for it is answered.

import type { Connection, Headers, Outgoing } from "../transport/transport.ts";
import { entryOf, isKey, type Key, kindOf } from "../protocol/catalogue.ts";
import type { Encoded, Trace } from "../protocol/envelope.ts";
import { fromUnknown } from "../protocol/errors.ts";
import { isElsewhere } from "../tools/tool.ts";
import type { Clock } from "./clock.ts";
import type { Component, Word } from "./component.ts";
import type { Contents } from "./contents.ts";
import type { Said } from "./react.ts";
import { newRedelivery } from "./redelivery.ts";
import { isShared } from "./subscriptions.ts";
import type { Committed, SystemParts } from "./system.ts";
import type { World } from "./world.ts";
import { newWriter, type Speech, type WriterParts } from "./writer.ts";

/** Which components have taken a message where it was said. */
export const heardByHeader = "Troupe-Heard-By";
/** Which connection it left by. */
export const fromHeader = "Troupe-From";

export type OutboundParts = WriterParts & {
  contents: Contents;
  connection: Connection;
  /** By chance: it names this connection to itself, and its inbox. */
  id: string;
  world: World;
  clock: Clock;
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

/** Of a transport that cannot be reached, a stream that is not there for now, or a process that ends. */
const passing: ReadonlySet<string> = new Set(["NO_RESPONDER", "COMMAND_TIMEOUT", "INVALID_STATE"]);

/** Somebody waits for these for as long as the work takes. */
const results: ReadonlySet<string> = new Set(["result:AgentExecutionResult", "result:ToolExecutionResult"]);

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
    /** Settles once it is kept, if it is to be; throws what kept it from leaving. */
    publish({ subject, bytes, headers }: Encoded, outgoing: Outgoing = {}): Promise<void> | undefined {
      const kept = connection.publish(subject, bytes, { ...outgoing, headers });
      counts.published += 1;
      return kept;
    },
  };
}

function isHere({ world }: OutboundParts, key: Key, { agent_runtime, tool }: Word): boolean {
  const [hearer] = entryOf(key).to;
  if (key === "command:ToolExecute" && isElsewhere(world.definitions.tools.get(tool?.id ?? ""))) return false;
  if (hearer === "AR") return world.here.has("AR") && agent_runtime?.exec_id === world.runtime?.exec_id;
  return hearer !== undefined && hearer !== "issuer" && world.here.has(hearer);
}

export function newOutbound(parts: OutboundParts) {
  const { connection, isWire, contents } = parts;
  const writer = newWriter(parts);
  const publisher = newPublisher(parts);
  const wayBack = (id: string): string => `_INBOX.${parts.id}.${id}`;
  const redelivery = newRedelivery({
    clock: parts.clock,
    publish: (encoded, id) => spoken(encoded, { reply: wayBack(id) }),
    bytesMax: parts.world.limits.resultsBytes,
  });

  /** Rejects if it is to leave later. */
  function send(committed: Committed, line: Said): Promise<void> | undefined {
    const { run, correlationId, trace, at } = committed;
    const { id, word, cause } = line;
    const key = word.type;
    if (line.foreign === true || !isKey(key)) return undefined;
    const isAsked = requests.has(key) && (isWire || !isHere(parts, key, word));
    const isStored = entryOf(key).delivery === "stored";
    const { reply_to_subject } = (word["payload"] ?? {}) as { reply_to_subject?: string };
    const reply = key.startsWith("command:AgentRuntime") ? wayBack(id) : reply_to_subject;
    const failed = (error: unknown): Promise<void> | undefined => {
      // Whoever asked waits as long as it would for anybody, and may have its answer when there is a way again.
      const { code, details } = fromUnknown(error);
      const isCut = details["reason"] === "disconnected";
      const answer = code === "PAYLOAD_TOO_LARGE" ? unsent(word, error) : undefined;
      if (!isAsked && answer) return send(committed, { ...line, word: answer });
      if (!isAsked || isCut) return notLeft(error, { run, message: id });
      publisher.failed(error, { run, message: id });
      parts.unanswered(run, line.from ?? "");
      return undefined;
    };
    try {
      const subject = writer.subjectOf(line, correlationId);
      if (subject === undefined) return undefined;
      if (!isAsked && !isStored && !isWire && !connection.hasInterest(subject)) return undefined;
      if (kindOf(key) === "command") {
        const { workflow, task, agent, tool, agent_runtime } = word;
        const about = defined({ workflow, task, agent, tool, agent_runtime });
        parts.requests.ask([id, reply, (tool ?? agent)?.exec_id], { run, from: line.from ?? "", id, about });
      }
      const { encoded, contents: stored } = writer.written(line, subject, correlationId, at, trace);
      const whole = { ...encoded, headers: publisher.marked(encoded.headers, key, !isWire && !isAsked) };
      if (cause !== null && kindOf(key) === "result") parts.requests.answer(cause, whole);
      // Whoever ordered it elsewhere may be away, and nobody keeps it for him.
      const isAwaited = results.has(key) && parts.requests.asking(cause) !== undefined;
      if (isAwaited) redelivery.watch(id, whole);
      const to = isAwaited ? wayBack(id) : isAsked ? reply : undefined;
      const outgoing = { stored: isStored, ...(to !== undefined && { reply: to }) };
      return contents.leave(stored, () => publisher.publish(whole, outgoing), failed);
    } catch (error) {
      return failed(error);
    }
  }

  /** What has only nobody there to take it leaves later; what can never leave is said, and left behind. */
  async function notLeft(error: unknown, what: Readonly<Record<string, string>>): Promise<void> {
    if (passing.has(fromUnknown(error).code)) throw error;
    publisher.failed(error, what);
  }
  const spoken = (encoded: Encoded, outgoing?: Outgoing): void => {
    const { subject } = encoded;
    try {
      publisher.publish(encoded, outgoing)?.catch((error: unknown) => publisher.failed(error, { subject }));
    } catch (error) {
      publisher.failed(error, { subject });
    }
  };

  return {
    /** Settles once all of it is kept that is to be; rejects if some of it could not leave for now. */
    committed(committed: Committed): Promise<unknown> | undefined {
      const kept = committed.said.map((line) => send(committed, line)).filter((one) => one !== undefined);
      return kept.length > 0 ? Promise.all(kept) : undefined;
    },
    /** Says something that is of no record: news, and answers where no run can answer. Gives whether it has left. */
    say(speech: Speech, correlationId: string, at: number, isStored = false, trace?: Trace): Promise<boolean> {
      let hasLeft = true;
      const failed = (error: unknown): undefined => {
        hasLeft = false;
        publisher.failed(error, { message: speech.id });
      };
      let leaving: Promise<void> | undefined;
      try {
        const subject = writer.subjectOf(speech, correlationId);
        if (subject === undefined || (!isStored && !connection.hasInterest(subject))) return Promise.resolve(false);
        const { encoded, contents: kept } = writer.written(speech, subject, correlationId, at, trace);
        const key = speech.word.type as Key;
        const whole = { ...encoded, headers: publisher.marked(encoded.headers, key, false) };
        // That a runtime is alive is true whatever it has said before.
        const act = (): Promise<void> | undefined => publisher.publish(whole, { stored: isStored });
        leaving = key === "progress:AgentRuntimeHeartbeat" ? act() : contents.leave(kept, act, failed);
      } catch (error) {
        failed(error);
      }
      return Promise.resolve(leaving).then(() => hasLeft);
    },
    /** Publishes again what was answered once. */
    repeat: (encoded: Encoded): void => spoken(encoded),
    /** Nobody hears what was published with this id: whether it is said again. */
    unheard: (id: string): boolean => redelivery.unheard(id),
    close: redelivery.close,
    counts: publisher.counts,
  };
}

/** A result too large for any message still answers: it says so. */
function unsent(word: Word, thrown: unknown): Word | undefined {
  const payload = word["payload"] as { status?: string; result?: { output?: unknown } | null };
  if (!results.has(word.type) || payload.result?.output === undefined) return undefined;
  const status = word.type === "result:AgentExecutionResult" ? "AGENT_ERROR" : "TOOL_ERROR";
  const { message, details } = fromUnknown(thrown);
  const error = { code: status, message, details: { ...details, cause_code: "PAYLOAD_TOO_LARGE" } };
  return { ...word, payload: { ...payload, status, result: { error } } };
}

const defined = (fields: Record<string, unknown>): Partial<Word> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<Word>;
