// What a runtime hears: orders and cancels, answers to its own calls, and that its dispatcher has forgotten it.
//
// Invariants:
//   IN1. Bytes reach a run only as a message of the catalogue; anything else is answered, reported and kept as a dead
//        letter, and never acknowledged.
//   IN2. Of the tools of others it hears nothing that it would have to answer.

import type { Word } from "../actors/component.ts";
import type { Refuser } from "../actors/refuser.ts";
import type { Component as Code } from "../protocol/entry.ts";
import type { Metadata } from "../protocol/envelope.ts";
import type { Bounds } from "../protocol/json.ts";
import { type Key, kindOf } from "../protocol/catalogue.ts";
import { parse, type Parsed, replySubject } from "../protocol/parse.ts";
import type { Report } from "../protocol/report.ts";
import type { SubjectCodec } from "../protocol/subjects.ts";
import type { Connection, Delivery, Subscription } from "../transport/transport.ts";
import type { Post } from "./post.ts";
import type { Heard, Runs } from "./runs.ts";

/** A connection whose subscriptions end without a loss. */
export type Line = Omit<Connection, "subscribe"> & {
  subscribe(...given: Parameters<Connection["subscribe"]>): Subscription & { drain(): Promise<void> };
};

type Means = {
  connection: Line;
  subjects: SubjectCodec;
  bounds: Bounds;
  runtimeId: string;
  tools: readonly string[];
  isAgents: boolean;
  runs: Runs;
  post: Post;
  refuser: Refuser;
  /** The dispatcher does not know this runtime. */
  onForgotten: () => void;
  report: Report;
};

/** Those who serve tools share the orders, and each hears every cancel. */
const toolGroup = "tool-executor";

export function openInbox(means: Means) {
  const { connection, subjects, bounds, runtimeId, tools, isAgents, runs, post, refuser, report } = means;
  const counts = { orders: 0, refused: 0, lastError: "" };

  const read = ({ subject, headers, bytes }: Delivery): Parsed => parse(subject, headers, bytes, { subjects, bounds });

  function refuse(code: Code, delivery: Delivery, error: unknown): void {
    counts.refused += 1;
    counts.lastError = error instanceof Error ? error.message : String(error);
    refuser.refuse(code, delivery, error);
  }

  /** Commands of others on the same subjects are for others. */
  const commands =
    (code: "AR" | "XE", key?: Key) =>
    (delivery: Delivery): void => {
      let parsed: Parsed;
      try {
        parsed = read(delivery);
      } catch (error) {
        return refuse(code, delivery, error);
      }
      if (kindOf(parsed.key) !== "command" || (key !== undefined && parsed.key !== key)) return;
      counts.orders += 1;
      runs.hear(heardOf(parsed, delivery.reply));
    };
  /** Of the cancels of all tools only those of its own are looked at, and whose bytes are wrong is not known. */
  const cancels = (delivery: Delivery): void => {
    try {
      runs.hear(heardOf(read(delivery), delivery.reply));
    } catch (error) {
      report("debug", "a cancel was not understood", { reason: error instanceof Error ? error.message : "" });
    }
  };

  function answers(delivery: Delivery): void {
    const { subject, status } = delivery;
    const token = subject.slice(subject.lastIndexOf(".") + 1);
    if (status === 503) {
      if (!post.unheard(token)) runs.answer(token, { type: "cue:NoResponder" }, "");
      return;
    }
    let parsed: Parsed;
    try {
      parsed = read(delivery);
    } catch (error) {
      return refuse("AR", delivery, error);
    }
    const { word, id, correlationId } = heardOf(parsed, undefined);
    if (word.type === "result:ToolExecutionResult" && runs.answer(word.tool?.exec_id ?? "", word, id)) return;
    report("warn", "an answer came after the end of its call", { code: "LATE_MESSAGE", id, correlationId });
  }

  const forgotten = (delivery: Delivery): void => {
    try {
      if (read(delivery).key === "event:AgentRuntimeDeregistered") means.onForgotten();
    } catch (error) {
      report("warn", "an event was not understood", { reason: error instanceof Error ? error.message : "" });
    }
  };

  const orders = tools.map((tool) =>
    connection.subscribe(
      subjects.patternOf({ key: "command:ToolExecute", params: { tool } }),
      commands("XE", "command:ToolExecute"),
      toolGroup,
    ),
  );
  if (tools.length > 0) connection.subscribe(subjects.patternOf({ key: "command:ToolCancel" }), cancels);
  connection.subscribe(`_INBOX_${runtimeId}.*`, answers);
  if (isAgents) {
    connection.subscribe(subjects.patternOf({ whole: "commands", entity: "agent_runtime", runtimeId }), commands("AR"));
    const gone = { key: "event:AgentRuntimeDeregistered", params: { rt: runtimeId } } as const;
    connection.subscribe(subjects.patternOf(gone), forgotten);
  }
  return {
    counts,
    /** Others of the group are given what comes from now on; resolves when what was sent to this one has been heard. */
    async closeTools(): Promise<void> {
      await Promise.all(orders.splice(0).map((one) => one.drain()));
    },
  };
}

function heardOf(parsed: Parsed, replyField: string | undefined): Heard {
  const { key, envelope, warnings, trace } = parsed;
  const { metadata, ...content } = envelope as { metadata: Metadata } & Record<string, unknown>;
  return {
    word: { type: key, ...content } as unknown as Word,
    id: metadata.message_id,
    correlationId: metadata.correlation_id,
    trace,
    reply: replySubject(parsed, replyField),
    warnings,
  };
}
