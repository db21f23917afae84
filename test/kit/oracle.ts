// What must hold of anything that parse answers, or refuses: the judge of the fuzzer.
//
// It shares no check with parse: schemas are asked again, ids are looked for in the subject's own tokens, and what was
// accepted is sent once more.

import { isDeepStrictEqual } from "node:util";
import { entryOf, isKey, kindOf, nameOf, type Key } from "../../src/protocol/catalogue.ts";
import { metadata, unwrap, type Envelope } from "../../src/protocol/envelope.ts";
import { errors, TroupeError } from "../../src/protocol/errors.ts";
import { defaultBounds, isObject, writeJson, type JsonObject } from "../../src/protocol/json.ts";
import { refusals } from "../../src/protocol/refusal.ts";
import { entities } from "../../src/protocol/statuses.ts";
import { parse, type Parsed } from "../../src/protocol/parse.ts";
import { codecs, type Case } from "./case.ts";

export type Parse = typeof parse;

const options = { subjects: codecs.flow, bounds: defaultBounds };
const contradicting = ["contradicts_subject", "contradicts_header", "contradicts_itself"];
// Room for a list of fields at fault; a refusal that repeats its input would be as large as that.
const detailsCharsMax = 20_000;

/** What is wrong with a parse, seen by one case; nothing if it did well. */
export function judge(subjectOfStudy: Parse, given: Case): string | undefined {
  let parsed: Parsed;
  try {
    parsed = subjectOfStudy(given.subject, given.headers, given.bytes, options);
  } catch (thrown) {
    return complaintOfRefusal(thrown, given);
  }
  try {
    return complaintOfAnswer(subjectOfStudy, parsed, given);
  } catch (thrown) {
    return `what it answered cannot be sent again: ${String(thrown)}`;
  }
}

function complaintOfRefusal(thrown: unknown, { expected }: Case): string | undefined {
  if (!(thrown instanceof TroupeError)) return `threw ${String(thrown)}`;
  const { why, errors: fields } = thrown.details as {
    why?: unknown;
    errors?: { field: string; message: string }[];
  };
  const codes = new Map<unknown, string>(Object.entries(refusals));
  if (!Object.hasOwn(errors, thrown.code) || codes.get(why) !== thrown.code)
    return `refused ${thrown.code} for ${String(why)}`;
  const naming = ["bad_metadata", "bad_section", "bad_payload", "bent_number", ...contradicting].includes(String(why));
  if (naming && (fields === undefined || fields.length === 0 || fields.some(({ field }) => field === ""))) {
    return `refused for ${String(why)} without a field`;
  }
  const said = JSON.stringify([thrown.message, thrown.details]);
  if (said.length > detailsCharsMax) return `refused at too great length: ${said.length}`;
  const quotes = [thrown.message, ...(fields ?? []).flatMap(({ field, message }) => [field, message])];
  if (!quotes.every((text) => text.isWellFormed())) return "refused with half a letter";
  if (expected.outcome === "same") return `refused a valid message: ${thrown.message}`;
  return undefined;
}

function complaintOfAnswer(subjectOfStudy: Parse, parsed: Parsed, given: Case): string | undefined {
  if (given.expected.outcome === "refused") return "accepted what it must refuse";
  return (
    complaintOfKey(parsed, given) ??
    complaintOfSchema(parsed) ??
    complaintOfIds(parsed, given) ??
    complaintOfHeaders(parsed, given) ??
    complaintOfItself(parsed, given) ??
    complaintOfDigits(given) ??
    complaintOfSecondTime(subjectOfStudy, parsed, given) ??
    complaintOfExpectation(parsed, given)
  );
}

function complaintOfKey({ key, address, envelope }: Parsed, { subject, bytes }: Case): string | undefined {
  const heard = codecs.flow.parse(subject).address;
  if (!isKey(key) || !isDeepStrictEqual(heard, address)) return "answered with another address than the subject's";
  if (heard === null ? kindOf(key) !== "result" : heard.key !== key) return `answered ${key} to the subject of another`;
  if (!isNameOf(key, nameIn(bytes))) return "accepted the name of another message";
  return envelope.metadata.message_type === nameOf(key) ? undefined : "kept a name that is not canonical";
}

function nameIn(bytes: Uint8Array): unknown {
  const body = JSON.parse(new TextDecoder().decode(bytes)) as { metadata: { message_type?: unknown } };
  return body.metadata.message_type;
}

function isNameOf(key: Key, given: unknown): boolean {
  const names = [nameOf(key), ...(entryOf(key).aliases ?? []).map(({ name }) => name)];
  const spelled = String(given).replaceAll("Cancelled", "Canceled").replaceAll("Invocation", "Execution");
  return given === undefined || names.includes(spelled);
}

function complaintOfSchema({ key, envelope }: Parsed): string | undefined {
  const { sections, payload } = entryOf(key);
  const body = envelope as unknown as JsonObject;
  const others = Object.keys(body).filter((field) => !["metadata", "payload", ...entities].includes(field));
  if (others.length > 0) return `kept the field ${others.join()}`;
  const checks = { metadata, payload, ...sections };
  for (const [field, schema] of Object.entries(checks)) {
    const { success, data } = schema.safeParse(body[field]);
    if (!success) return `let through a bad ${field}`;
    if (!isDeepStrictEqual(data, body[field])) return `kept unknown fields in ${field}`;
  }
  return undefined;
}

/** Each UUID of the subject is the id of an execution or of the run, and each definition id that of an entity. */
function complaintOfIds({ address, envelope }: Parsed, { subject }: Case): string | undefined {
  if (address === null) return undefined;
  const sections = entities.map((entity) => (envelope as unknown as JsonObject)[entity]).filter(isObject);
  const known = [
    envelope.metadata.correlation_id,
    ...sections.flatMap((section) => [section["exec_id"], section["id"]]),
  ];
  const { component: _component, level, reason, entity, ...ids } = address.params as Record<string, string>;
  const stray = Object.values(ids).find((id) => !known.includes(id) && id !== "_");
  if (stray !== undefined) return `the subject names ${stray}, the message does not`;
  if (Object.values(ids).some((id) => !subject.includes(id))) return "the address names what the subject does not";
  const { payload } = envelope as { payload: { log_level?: string; context: { code?: string } } };
  if (level !== undefined && payload.log_level !== level) return "the level contradicts the subject";
  if (reason !== undefined && payload.context.code?.toLowerCase() !== reason)
    return "the reason contradicts the subject";
  return entity === undefined || isObject((envelope as unknown as JsonObject)[entity])
    ? undefined
    : "no section for the entity";
}

/** What a header says of an id, the message says too. */
function complaintOfHeaders({ envelope }: Parsed, { headers }: Case): string | undefined {
  const { message_id, correlation_id } = envelope.metadata;
  if ((headers["Nats-Msg-Id"] ?? message_id) !== message_id) return "accepted the message id of another header";
  const said = headers["Troupe-Correlation-Id"] ?? correlation_id;
  return said === correlation_id ? undefined : "accepted the correlation id of another header";
}

/** What is said twice of an agent or an attempt is said the same. */
function complaintOfItself({ key, envelope }: Parsed, { bytes }: Case): string | undefined {
  const { agent, payload } = envelope as unknown as { agent?: JsonObject; payload: { context?: JsonObject } };
  const { attempt, agent_request: asked } = payload.context ?? {};
  if (isObject(asked) && agent !== undefined && Object.hasOwn(entryOf(key).sections, "agent")) {
    if (asked["agent_exec_id"] !== agent["exec_id"]) return "accepted a request for another execution";
    if (asked["agent_id"] !== (agent["id"] ?? asked["agent_id"])) return "accepted a request for another agent";
  }
  const given = JSON.parse(new TextDecoder().decode(bytes)) as { payload: { context?: JsonObject } | null };
  const old = given.payload?.context?.["attempt_number"] ?? attempt;
  return attempt === undefined || old === attempt ? undefined : "accepted two attempts";
}

/** An integer of the text is written with the same digits again. */
function complaintOfDigits({ bytes }: Case): string | undefined {
  const numbers = new TextDecoder().decode(bytes).replaceAll(/"(?:[^"\\]|\\.)*"/g, '""');
  const long = numbers.match(/-?[\d.eE+-]{16,}/g) ?? [];
  const lost = long.some((number) => /^-?\d+$/.test(number) && number !== JSON.stringify(Number(number)));
  return lost ? "accepted a number that lost digits" : undefined;
}

function complaintOfSecondTime(subjectOfStudy: Parse, parsed: Parsed, given: Case): string | undefined {
  const { key, address, envelope } = parsed;
  const subject = address === null ? given.subject : codecs[address.layout].build(address);
  // A log line may come from a component of any name, and an acknowledgment may mention other executions.
  if (address !== null && kindOf(key) !== "log" && key !== "result:CommandAck") {
    const said = codecs[address.layout].subjectOf(unwrap(envelope as Envelope<typeof key>, key), envelope.metadata);
    if (said !== subject) return `its sections say ${said}`;
  }
  const again = subjectOfStudy(subject, {}, writeJson(envelope), options);
  if (again.warnings.length > 0 || again.dropped > 0) return "the second time it warns or drops";
  return equal(again.envelope, envelope) && again.key === key ? undefined : "the second time it answers otherwise";
}

function complaintOfExpectation({ envelope, warnings, dropped }: Parsed, given: Case): string | undefined {
  const { expected, sample } = given;
  if (expected.outcome !== "same") return undefined;
  if (expected.secret !== undefined) {
    const said = JSON.stringify([envelope, warnings]);
    if (said.includes(expected.secret)) return "let the value of a variable through";
  } else if (!equal(envelope, sample.envelope)) return "answered another message than was sent";
  if (expected.warnings !== undefined && warnings.length > 0 !== (expected.warnings === "some")) {
    return `gave ${warnings.length} warnings`;
  }
  return (expected.dropped ?? dropped) === dropped ? undefined : `counted ${dropped} dropped fields`;
}

/** Equal as JSON: -0 and absent fields make no difference. */
const equal = (a: unknown, b: unknown): boolean => {
  const [one, two] = [JSON.stringify(a), JSON.stringify(b)];
  return one === two || isDeepStrictEqual(JSON.parse(one), JSON.parse(two));
};
