// What is answered to bytes that are no message, and to commands that cannot be taken now.
//
// Invariants:
//   F1. What is refused is never acknowledged: it is answered, logged, counted, and kept as a dead letter.
//   F2. What a stream holds is terminated once its dead letter is kept; while that cannot be, it comes again.

import type { Delivery } from "../transport/transport.ts";
import { entryOf, type Key, kindOf, nameOf } from "../protocol/catalogue.ts";
import type { Component as Code } from "../protocol/entry.ts";
import { headerNames } from "../protocol/envelope.ts";
import { type ErrorCode, fromUnknown, toWire, type TroupeError } from "../protocol/errors.ts";
import { isDefinitionId, isExecId } from "../protocol/ids.ts";
import { type Bounds, isObject, type JsonObject } from "../protocol/json.ts";
import { clip } from "../protocol/refusal.ts";
import { type Received, rejectionOf } from "../protocol/rejection.ts";
import { isConcrete, type SubjectCodec } from "../protocol/subjects.ts";
import type { Word } from "./component.ts";
import type { Outbound } from "./outbound.ts";
import type { SystemParts } from "./system.ts";

type Parts = {
  /** Whether what it says was kept is asked only of what a stream has delivered. */
  outbound: { say(...said: Parameters<Outbound["say"]>): Promise<boolean> | undefined };
  subjects: SubjectCodec;
  bounds: Bounds;
  now: () => number;
  id: () => string;
  report: SystemParts["report"];
};

export type Refuser = ReturnType<typeof newRefuser>;

export function newRefuser({ outbound, subjects, bounds, now, id, report }: Parts) {
  const counts = new Map<ErrorCode, number>();
  const refused = { times: 0, last: "" };

  const keyOf = (subject: string): Key | undefined => {
    try {
      return subjects.parse(subject).address?.key;
    } catch {
      // That it is no subject of the protocol is why it is refused.
      return undefined;
    }
  };

  /** The command's own result, if enough of it can be read to make one; else an acknowledgment. */
  function answerOf(key: Key | undefined, body: JsonObject, error: TroupeError): Word {
    const reply = key === undefined ? undefined : entryOf(key).reply;
    const entity = reply === "result:AgentExecutionResult" ? "agent" : "tool";
    const section = isObject(body[entity]) ? body[entity] : {};
    const { id: name, exec_id } = section;
    const isWhole = isDefinitionId(String(name)) && isExecId(String(exec_id));
    if (reply === undefined || reply === "result:CommandAck" || !isWhole) {
      const payload = { status: "ERROR", result: { error: toWire(error) }, context: {} };
      return { type: "result:CommandAck", payload } as unknown as Word;
    }
    const given = isObject(body["payload"]) && isObject(body["payload"]["context"]) ? body["payload"]["context"] : {};
    const attempt = Number.isSafeInteger(given["attempt"]) && Number(given["attempt"]) >= 1 ? given["attempt"] : 1;
    const payload = { status: "ERROR", result: { error: toWire(error) }, context: { attempt } };
    return { type: reply, [entity]: { id: name, exec_id }, payload } as unknown as Word;
  }

  /** Tells whoever sent it, if the command says where; gives the correlation id that it is told with. */
  function answer(code: Code, delivery: Delivery, error: TroupeError): string {
    const key = keyOf(delivery.subject);
    const body = bodyOf(delivery.bytes);
    const metadata = isObject(body["metadata"]) ? body["metadata"] : {};
    const correlation = delivery.headers[headerNames.correlationId] ?? String(metadata["correlation_id"]);
    const correlationId = isExecId(correlation) ? correlation : id();
    const cause = isExecId(String(metadata["message_id"])) ? String(metadata["message_id"]) : null;
    const to = replyOf(delivery, key, body);
    if (to !== undefined) {
      const word = { ...answerOf(key, body, error), to };
      void outbound.say({ id: id(), by: code, word, cause }, correlationId, now());
    }
    return correlationId;
  }

  /** Logged, counted, and kept as a dead letter: also what came another way. Gives whether the letter was kept. */
  function note(code: Code, received: Received, error: TroupeError, correlationId: string) {
    counts.set(error.code, (counts.get(error.code) ?? 0) + 1);
    refused.times += 1;
    refused.last = `${error.code}: ${error.message}`;
    const { subject } = received;
    report("error", "a message was refused", { code: error.code, subject: clip(subject), reason: error.message });
    const word = rejectionOf(error, received, now(), bounds) as unknown as Word;
    const kept = outbound.say({ id: id(), by: code, word, cause: null }, correlationId, now(), true);
    const { message } = error;
    const log = { log_level: "error", message: clip(message), timestamp: new Date(now()).toISOString() };
    const line = { type: "log:LogEmitted", payload: { ...log, context: { code: error.code } } } as unknown as Word;
    void outbound.say({ id: id(), by: code, word: line, cause: null }, correlationId, now(), true);
    return kept;
  }

  async function end({ subject, nak, term }: Delivery, code: ErrorCode, kept: Promise<boolean>): Promise<void> {
    if (await kept) return term?.();
    report("error", "a dead letter was not kept: what it is about comes again", { code, subject: clip(subject) });
    nak?.();
  }

  return {
    counts,
    refused: (): Readonly<typeof refused> => refused,
    answer,
    /** Bytes that are no message. */
    refuse(code: Code, delivery: Delivery, thrown: unknown): void {
      const error = fromUnknown(thrown);
      const kept = note(code, delivery, error, answer(code, delivery, error));
      if (delivery.term && kept) void end(delivery, error.code, kept);
    },
    note: (...noted: Parameters<typeof note>): void => void note(...noted),
    /** A command that is right, and cannot be taken now. */
    putOff(code: Code, delivery: Delivery, error: TroupeError): void {
      if (delivery.nak) return delivery.nak();
      const key = keyOf(delivery.subject);
      report("warn", "a command was put off", { code: error.code, command: key && nameOf(key), reason: error.message });
      answer(code, delivery, error);
    },
  };
}

/** Of a stream the reply field is not the sender's; of a relay it is the only way for an acknowledgment. */
function replyOf({ reply, ack }: Delivery, key: Key | undefined, body: JsonObject): string | undefined {
  if (key !== undefined && kindOf(key) !== "command") return undefined;
  const given = isObject(body["payload"]) ? body["payload"]["reply_to_subject"] : undefined;
  const named = typeof given === "string" && isConcrete(given) ? given : undefined;
  if (ack !== undefined) return named;
  return key === "command:AgentRuntimeExecute" ? reply : (reply ?? named);
}

function bodyOf(bytes: Uint8Array): JsonObject {
  try {
    const body: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return isObject(body) ? body : {};
  } catch {
    // What is no JSON says nothing of where an answer is wanted.
    return {};
  }
}
