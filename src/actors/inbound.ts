// What comes over the transport: bytes become an input of their run, news, or a refusal.
//
//   delivery ─▶ parse ─▶ its contents ─▶ for which run? ─▶ system.take      acknowledged once its effect is on disk
//                 └─▶ refused: answered, logged, counted, dead letter
//
// Invariants:
//   I1. Bytes reach a run only as a message of the catalogue.
//   I2. The same message twice has one effect; if it asks for an answer, it is answered the same again.
//   I3. A command about an execution that nobody knows is answered EXECUTION_NOT_FOUND.
//   I4. Over the limit of inputs, or while the disk cannot take more, a command is put off, and no other message is.
//   I5. A delivery is acknowledged after its effect is on disk, and never before.
//   I6. What travels by reference is fetched before it is judged; an output that cannot be had is its sender's failure,
//       and an input that cannot be had is refused.

import { answerUnknown } from "../machines/answers.ts";
import { silence } from "../machines/step.ts";
import type { Delivery } from "../transport/transport.ts";
import { entryOf, type Key, kindOf } from "../protocol/catalogue.ts";
import type { Address } from "../protocol/layouts.ts";
import { components as names, type Component as Code } from "../protocol/entry.ts";
import type { Metadata } from "../protocol/envelope.ts";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import type { Bounds } from "../protocol/json.ts";
import { parse, type Parsed, replySubject } from "../protocol/parse.ts";
import { referencesIn, withContent } from "../protocol/references.ts";
import type { SubjectCodec } from "../protocol/subjects.ts";
import { lastToken, newAddressee } from "./addressee.ts";
import { beatOf } from "./beat.ts";
import type { Word } from "./component.ts";
import type { Contents } from "./contents.ts";
import { declineParked, endsParked } from "./parked.ts";
import { fromHeader, heardByHeader, type Outbound } from "./outbound.ts";
import type { Refuser } from "./refuser.ts";
import { fittedAnswer, withoutOutput } from "./remote-output.ts";
import type { Asked, Requests } from "./requests.ts";
import type { Listening } from "./subscriptions.ts";
import type { System, SystemParts } from "./system.ts";
import type { World } from "./world.ts";

export type InboundParts = {
  id: string;
  isWire: boolean;
  system: System;
  world: World;
  subjects: SubjectCodec;
  bounds: Bounds;
  requests: Requests;
  outbound: Outbound;
  contents: Contents;
  refuser: Refuser;
  now: () => number;
  /** Does something once all that was appended so far is on disk. */
  onceKept: (act: () => void) => void;
  /** Whether what nobody hears is said again. */
  isSaidAgain: () => boolean;
  /** Why nothing more can be taken, if so. */
  trouble: () => TroupeError | null;
  /** What is heard and not recorded. */
  news: (news: { run: string; by: Code; word: Word }) => void;
  /** A dispatcher does not know the runtime of this process. */
  onForgotten: () => void;
  report: SystemParts["report"];
};

/** Commands about an execution that must be there, and who answers if it is not. */
const aboutKnown: { readonly [key in Key]?: Code } = {
  "command:WorkflowPause": "WO",
  "command:WorkflowResume": "WO",
  "command:WorkflowCancel": "WO",
  "command:WorkflowSignal": "WO",
  "command:TaskResume": "WO",
  "command:TaskCancel": "WO",
  "command:AgentCancel": "AD",
};

export function newInbound(parts: InboundParts) {
  const { system, world, requests, outbound, contents, refuser, report } = parts;
  const addressee = newAddressee(system, requests);
  const stranger = newStrangers();
  const counts = { received: 0 };

  function receive(listening: Listening, delivery: Delivery): void {
    const { code, group } = listening;
    const { subject, headers, status } = delivery;
    counts.received += 1;
    // Nothing is taken any more: it is for the next life of this process, or for another.
    if (system.isStopped()) return delivery.nak?.();
    if (status === 503 && outbound.unheard(lastToken(subject))) return undefined;
    if (status === 503) return unanswered(requests.asked(subject) ?? requests.asked(lastToken(subject)));
    // What an earlier life of this process sent, and the transport has kept, was heard here when it was said.
    if (!parts.isWire && headers[fromHeader] === parts.id) return delivery.ack?.();
    const taken = headers[heardByHeader]?.split(",") ?? [];
    if (group !== undefined && taken.includes(code)) return delivery.ack?.();
    const parsed = readBy(parts, listening, delivery);
    if (!parsed) return;
    const { deliveries = 1 } = delivery;
    if (deliveries > deliveriesMax && parts.trouble() === null) {
      return refuser.refuse(code, delivery, inVain(deliveries));
    }
    fill(code, delivery, parsed);
  }

  /** Takes it once its contents are here, after what came before it for the same run. */
  function fill(code: Code, delivery: Delivery, parsed: Parsed): void {
    const { key, envelope } = parsed;
    const references = referencesIn(envelope.payload, contents.store);
    if (references.length === 0 && contents.isIdle()) return take(code, delivery, parsed);
    const lane = addressee.runOf(envelope as unknown as Word, key) ?? "";
    const filled = (found: readonly unknown[]): void => {
      const payload = references.reduce<object>(
        (whole, { place }, index) => withContent(whole, place, found[index]),
        envelope.payload,
      );
      take(code, delivery, { ...parsed, envelope: { ...envelope, payload } } as unknown as Parsed);
    };
    const unfilled = (error: unknown): void => {
      const other = withoutOutput(parsed, error);
      report("warn", "content of a message cannot be read", { key, reason: fromUnknown(error).message });
      if (other) take(code, delivery, other);
      else refuser.refuse(code, delivery, error);
    };
    if (contents.come(lane, references, filled, unfilled)) return;
    const { deliveriesMax: max } = world.limits;
    const error = new TroupeError("RATE_LIMITED", `${max} messages wait for contents`, { limit: "deliveriesMax", max });
    if (kindOf(key) === "command" || delivery.nak) refuser.putOff(code, delivery, error);
    else report("error", "a message was dropped", { code: error.code, key, reason: error.message });
  }

  function unanswered(asked: Asked | undefined): void {
    if (!asked || asked.from === "" || parts.isSaidAgain()) return;
    system.take(asked.run, { on: "cue", address: asked.from, cue: { type: "cue:NoResponder" } });
  }

  function take(code: Code, delivery: Delivery, parsed: Parsed): void {
    const { key, envelope, warnings } = parsed;
    const { metadata, ...content } = envelope as { metadata: Metadata } & Record<string, unknown>;
    const word = { type: key, ...content } as unknown as Word;
    const by = speakerOf(key, metadata.source_component);
    if (warnings.length > 0) report("warn", "old words were used", { code: "DEPRECATED_ALIAS", key, warnings });
    if (kindOf(key) === "command") {
      if (isAnswered(metadata.message_id)) return delivery.ack?.();
      const trouble = parts.trouble();
      if (trouble) return refuser.putOff(code, delivery, trouble);
      const reply = replySubject(parsed, delivery.reply);
      requests.take(metadata.message_id, { reply, warnings });
      if (reply !== undefined && key !== "command:AgentRuntimeExecute") {
        word["payload"] = { ...Object(word["payload"]), reply_to_subject: reply };
      }
    }
    if (key === "progress:AgentRuntimeHeartbeat") return hearBeat(parts, stranger, word, metadata);
    if (kindOf(key) === "progress" && key !== "progress:TaskStep") {
      const run = addressee.runOf(word, key);
      if (run === undefined) return undefined;
      parts.news({ run, by, word });
      return beat(run, word, delivery, metadata);
    }
    if (key.startsWith("event:AgentRuntime") && !world.here.has("AD")) world.registry.hear(word as unknown as Told);
    const isOwn = key === "event:AgentRuntimeDeregistered" && word.agent_runtime?.exec_id === world.runtime?.exec_id;
    if (isOwn && by === "AD") parts.onForgotten();
    enter(delivery, parsed, fittedAnswer(world, word), by, metadata);
  }

  /** A task hears of the progress of its agent or tool in another process, if it is to. */
  function beat(run: string, progressed: Word, { headers }: Delivery, { message_id: id }: Metadata): void {
    if (headers[fromHeader] === parts.id || !world.here.has("WO")) return;
    const word = beatOf(system.run(run)?.actors.get(`task/${progressed.task?.exec_id}`), progressed);
    if (!word) return;
    system.take(run, { on: "message", told: false, foreign: true, word, by: "TE", from: "", run: "", id, cause: null });
  }

  /** A command that came before is answered as it was then, as long as that is known. */
  function isAnswered(messageId: string): boolean {
    const answer = requests.answered(messageId);
    if (answer) outbound.repeat(answer);
    return answer !== undefined;
  }

  function enter(delivery: Delivery, parsed: Parsed, given: Word, by: Code, metadata: Metadata): void {
    const { key, trace } = parsed;
    const { run, word, cause, from } = addressee.of(delivery, parsed, given, metadata);
    const owner = aboutKnown[key];
    const answer = owner !== undefined && world.here.has(owner) ? withoutCharts(run, word) : undefined;
    if (owner !== undefined && answer !== undefined) {
      const said = { id: system.id(), by: owner, word: answer as Word, cause: metadata.message_id };
      // Who asked for no answer is given none.
      if (answer !== silence) void outbound.say(said, metadata.correlation_id, parts.now());
      return delivery.ack?.();
    }
    if (run === undefined) {
      report("warn", "a message is for nobody here", { key, message: metadata.message_id });
      return delivery.ack?.();
    }
    // On a wire, what this process said itself comes back: it stands in the log already.
    const told = parts.isWire && delivery.headers[fromHeader] === parts.id;
    const { message_id: id, correlation_id: correlationId } = metadata;
    const heard = { word, by, from: "", run: from, id, cause, ...(trace.traceparent !== undefined && { trace }) };
    system.take(run, { on: "message", told, foreign: true, correlationId, ...heard });
    if (delivery.ack) parts.onceKept(delivery.ack);
  }

  /** What is answered where no run can: nobody knows it, or it is parked. */
  function withoutCharts(run: string | undefined, word: Word): ReturnType<typeof declineParked> | undefined {
    if (run === undefined || !addressee.isKnown(run)) {
      return answerUnknown(word as unknown as Parameters<typeof answerUnknown>[0]) as unknown as Word;
    }
    const reason = endsParked(run, word) ? undefined : system.parked().get(run);
    return reason === undefined ? undefined : declineParked(word, reason);
  }

  return { receive, counts };
}

/** Whoever dies of a message dies so often, and then no more. */
const deliveriesMax = 5;
const inVain = (deliveries: number): TroupeError =>
  new TroupeError("MAX_DELIVERIES", `it was delivered ${deliveries} times, and nobody has settled it`, { deliveries });

/** The message, if it is one for this listener; else it is refused, by whoever it is for. */
function readBy({ subjects, bounds, refuser }: InboundParts, listening: Listening, delivery: Delivery) {
  const { code, takes, refuses } = listening;
  const { subject, headers, bytes } = delivery;
  let address: Address | null;
  try {
    ({ address } = subjects.parse(subject));
  } catch (error) {
    return void (refuses === "all" && refuser.refuse(code, delivery, error));
  }
  const { tool }: Readonly<Record<string, string | undefined>> = address?.params ?? {};
  if (address !== null && !takes(address.key, tool)) return undefined;
  try {
    return parse(subject, headers, bytes, { subjects, bounds });
  } catch (error) {
    return void (refuses !== "nothing" && refuser.refuse(code, delivery, error));
  }
}

/** A beat moves the registry. Whom the registry does not know, it tells so: a runtime that lives registers again. */
function hearBeat(
  { system, world, outbound, now }: InboundParts,
  stranger: ReturnType<typeof newStrangers>,
  word: Word,
  { correlation_id }: Metadata,
): void {
  const { id = "unknown", exec_id } = word.agent_runtime ?? { exec_id: "" };
  const { registry } = world;
  if (registry.isKnown(exec_id)) return registry.hear(word as unknown as Told);
  // It is for the dispatcher to ask who that is.
  if (!world.here.has("AD") || !stranger(exec_id, now())) return undefined;
  const told = {
    type: "event:AgentRuntimeDeregistered",
    agent_runtime: { id, exec_id },
    payload: { status: "DEREGISTERED", result: null, context: { reason: "lease_expired" } },
  };
  const speech = { id: system.id(), by: "AD" as const, word: told as unknown as Word, cause: null };
  void outbound.say(speech, correlation_id, now(), true);
}

/**
 * Whether a runtime that is not known is to be asked who it is. It beats when it answers, and its beat may be quicker
 * than its answer: one that is asked at every beat would never stop.
 */
function newStrangers() {
  const askedAt = new Map<string, number>();
  return (execId: string, at: number): boolean => {
    for (const [one, since] of askedAt) {
      if (at - since < askAgainMs) break;
      askedAt.delete(one);
    }
    if (askedAt.has(execId)) return false;
    askedAt.set(execId, at);
    return true;
  };
}
const askAgainMs = 1_000;

type Told = Parameters<World["registry"]["hear"]>[0];

const codeOf = new Map(Object.entries(names).map(([code, name]) => [name as string, code as Code]));

/** Who says it: as the sender says, if such a one may say it. */
function speakerOf(key: Key, source: string): Code {
  const { by } = entryOf(key);
  const code = codeOf.get(source.split(":", 1).join());
  if (code !== undefined && (by.includes(code) || by.includes("any"))) return code;
  const [first] = by;
  return first === undefined || first === "any" ? "MON" : first;
}
