// What no schema can say of a message: rules between its fields, and that its ids are those of its headers.
//
// Invariants:
//   R1. Two places that say the same thing say the same, or the message is refused and both are named.

import { entryOf, kindOf, type Key } from "./catalogue.ts";
import { headerNames, type Envelope, type Headers } from "./envelope.ts";
import { isObject, type JsonObject } from "./json.ts";
import { clip, type FieldError } from "./refusal.ts";
import { isConcrete } from "./subjects.ts";

type Payload = { reply_to_subject?: unknown; context?: JsonObject };

/** Rules for the payloads of commands that stand between several fields, or between a field and the transport. */
export function brokenRules(key: Key, { workflow, payload }: JsonObject): FieldError[] {
  if (kindOf(key) !== "command") return [];
  const { reply_to_subject: reply, context = {} } = payload as Payload;
  const replyField = "payload.reply_to_subject";
  if (typeof reply === "string" && !isConcrete(reply)) {
    return [{ field: replyField, message: "must be a subject without wildcards" }];
  }
  // A relay is acknowledged to the reply field of the transport, so that only this says where the result goes.
  if (key === "command:AgentRuntimeExecute" && reply === undefined) {
    return [{ field: replyField, message: "is missing" }];
  }
  // Outside a workflow the target of the trigger is an agent or a tool, and only this field says which.
  const { task_type: type } = context;
  if (key === "command:TaskTrigger" && workflow === undefined && type !== "agent" && type !== "tool") {
    const message = "must be agent or tool where no workflow is named";
    return [{ field: "payload.context.task_type", message }];
  }
  return [];
}

/** Where headers say another id than the metadata: whoever looks at the one would miss what the other names. */
export function headerContradictions(headers: Headers, { metadata }: Pick<Envelope, "metadata">): FieldError[] {
  const pairs = [
    ["message_id", headerNames.messageId],
    ["correlation_id", headerNames.correlationId],
  ] as const;
  return pairs.flatMap(([field, header]) => {
    const said = headers[header];
    if (said === undefined || said === metadata[field]) return [];
    return [{ field: `metadata.${field}`, message: `the header ${header} says "${clip(said)}"` }];
  });
}

const request = "payload.context.agent_request";
const attempt = "payload.context.attempt";

/** Where a message contradicts itself; what was given may hold old words beside the new ones. */
export function selfContradictions(key: Key, given: JsonObject, { agent, payload }: JsonObject): FieldError[] {
  const { context = {} } = payload as Payload;
  const asked = context["agent_request"];
  const own = entryOf(key).sections.agent === undefined ? undefined : agent;
  const errors: FieldError[] = [];
  const compare = (field: string, said: unknown, other: string, meant: unknown): void => {
    if (said === undefined || said === null || meant === undefined || said === meant) return;
    errors.push({ field, message: `is another than ${other}` });
  };
  if (isObject(own) && isObject(asked)) {
    compare(`${request}.agent_id`, asked["agent_id"], "agent.id", own["id"]);
    compare(`${request}.agent_exec_id`, asked["agent_exec_id"], "agent.exec_id", own["exec_id"]);
  }
  compare(`${attempt}_number`, contextIn(given)["attempt_number"], attempt, context["attempt"]);
  return errors;
}

function contextIn({ payload }: JsonObject): JsonObject {
  const context = isObject(payload) ? payload["context"] : undefined;
  return isObject(context) ? context : {};
}
