// The ways in which the fuzzer spoils the body of a message.

import { entryOf, nameOf, type Key } from "../../src/protocol/catalogue.ts";
import { headerNames, metadata } from "../../src/protocol/envelope.ts";
import { isObject, type JsonObject } from "../../src/protocol/json.ts";
import { any, hugeNumber, refused, same, type Draft } from "./case.ts";
import {
  change,
  isOpen,
  objectAt,
  openField,
  otherId,
  placesIn,
  structure,
  uuid,
  type BodyMutation,
} from "./places.ts";

const oddValues: readonly unknown[] = [
  null,
  0,
  -1,
  1.5,
  2 ** 53,
  "",
  "x",
  " ",
  "é\u0301\u{1f600}",
  "\u0000",
  "x".repeat(300),
  true,
  false,
  [],
  {},
  [null],
  { a: 1 },
  { toString: "x" },
  "01234567-89ab-7def-8123-456789abcdef",
  "01234567-89AB-7DEF-8123-456789ABCDEF",
  "_",
  "executions",
  "a.b",
  "*",
  ">",
  "SUCCESS",
  "COMPLETED",
  "AGENT_ERROR",
  "2026-02-30T00:00:00.000Z",
  { output: {}, error: { message: "both" } },
];
const oddNames: readonly string[] = [
  "",
  "constructor",
  "toString",
  "hasOwnProperty",
  "prototype",
  "id",
  "exec_id",
  "output",
  "error",
  "resume_data",
  "outputs",
  "trigger_input",
  "runtime_id",
  "status",
  "env",
  "é",
  "\u0000",
  "a.b",
  "metadata",
  "payload",
  "workflow",
];

// What is looked at before any schema has been asked: here a stranger's value meets code that does not expect it.
const unchecked: readonly string[] = [
  "metadata",
  "metadata.message_id",
  "metadata.message_type",
  "workflow",
  "workflow.id",
  "workflow.exec_id",
  "task",
  "task.exec_id",
  "agent_runtime",
  "agent_runtime.runtime_id",
  "payload",
  "payload.status",
  "payload.result",
  "payload.result.error",
  "payload.result.error.code",
  "payload.result.error.details",
  "payload.error",
  "payload.output",
  "payload.resume_data",
  "payload.context",
  "payload.context.env",
  "payload.context.env.KEY",
  "payload.context.attempt_number",
];
export const spoilUnchecked = "spoil what is looked at before the schemas";
const strangeValues: readonly unknown[] = [undefined, null, 7, "x", [], {}, { toString: "x" }, { from: {} }];

const nested = (depth: number): unknown => JSON.parse(`${"[".repeat(depth)}${"]".repeat(depth)}`);

const anyId = "ffffffff-ffff-7fff-8fff-ffffffffffff";

/** Whether something is missing that the protocol does not fill in. */
function lacks({ sample: { key }, body: { metadata: origin, ...rest } }: Draft): boolean {
  const filled = { message_id: anyId, message_type: nameOf(key) };
  if (!metadata.safeParse(isObject(origin) ? { ...filled, ...origin } : origin).success) return true;
  const { sections, payload, kind } = entryOf(key);
  const created = { "command:WorkflowExecute": "workflow", "command:TaskTrigger": "task" } as Partial<
    Record<Key, string>
  >;
  const bad = Object.entries(sections).some(([entity, schema]) => {
    const section = rest[entity];
    const whole = created[key] === entity && isObject(section) ? { exec_id: anyId, ...section } : section;
    return !schema.safeParse(whole).success;
  });
  // A result's error gets a code where it has none.
  const codeless = kind === "result" && objectAt(rest, ["payload", "result", "error"])?.["code"] === undefined;
  return bad || (!codeless && !payload.safeParse(rest["payload"]).success);
}

const mutations: Record<string, BodyMutation> = {
  "delete a field": (draft, random) => {
    change(draft, random, (place) => delete place.in[place.name]);
    return lacks(draft) ? refused : any;
  },
  "rename a field": (draft, random) => {
    change(draft, random, (place) => {
      place.in[random.pick(oddNames)] = place.in[place.name];
      delete place.in[place.name];
    });
    return any;
  },
  "retype a field": (draft, random) => {
    change(draft, random, (place) => {
      place.in[place.name] = structuredClone(random.pick(oddValues));
    });
    return any;
  },
  "add an odd field": (draft, random) => {
    change(draft, random, (place) => {
      place.in[random.pick(oddNames)] = structuredClone(random.pick(oddValues));
    });
    return any;
  },
  "take a field of another message": (draft, random, corpus) => {
    change(draft, random, (place) => {
      const other = random.pick(placesIn(JSON.parse(random.pick(corpus).text)));
      place.in[random.chance(0.5) ? place.name : other.name] = other.in[other.name];
    });
    return any;
  },
  "take a section of another message": (draft, random, corpus) => {
    const other = JSON.parse(random.pick(corpus).text) as JsonObject;
    const name = random.pick(Object.keys(other));
    draft.body[name] = other[name];
    return any;
  },
  "change an id": (draft, random) => {
    const ids = placesIn(draft.body).filter(
      ({ in: object, name }) => typeof object[name] === "string" && uuid.test(object[name]),
    );
    if (ids.length === 0) return undefined;
    const place = random.pick(ids);
    place.in[place.name] = otherId(random);
    return any;
  },
  [spoilUnchecked]: (draft, random) => {
    for (const path of unchecked.filter(() => random.chance(0.15))) {
      const fields = path.split(".");
      const place = objectAt(draft.body, fields.slice(0, -1));
      if (place !== undefined) place[fields.at(-1) ?? ""] = structuredClone(random.pick(strangeValues));
    }
    return any;
  },
  "add unknown fields": (draft, random) => {
    const place = random.pick(structure(draft).filter((part) => part["unknown_field"] === undefined));
    if (isOpen(draft, place)) return undefined;
    place["unknown_field"] = structuredClone(random.pick(oddValues));
    return { ...same, dropped: 1 };
  },
  "put words of objects into open data": (draft, random) => {
    const place = openField(draft);
    if (place === undefined) return undefined;
    place.in[place.name] = { constructor: { prototype: 1 }, toString: "x", [random.pick(oddNames)]: [{}] };
    return any;
  },
  "forbid a key": (draft, random) => {
    const value: unknown = random.pick([{ polluted: true }, null, "x"]);
    Object.defineProperty(random.pick(placesIn(draft.body)).in, "__proto__", {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
    return refused;
  },
  "nest deeply": (draft, random) => {
    const place = openField(draft);
    const depth = 1 + random.below(300);
    if (place === undefined) return undefined;
    place.in[place.name] = { nested: nested(depth) };
    return depth > 128 ? refused : any;
  },
  "make a long list": (draft, random) => {
    const size = random.chance(0.002) ? 400_000 : random.below(200);
    change(draft, random, (place) => {
      place.in[place.name] = Array.from({ length: size }, () => 1234);
    });
    return any;
  },
  "halve a surrogate pair": (draft, random) => {
    const place = random.pick(placesIn(draft.body));
    if (random.chance(0.5)) place.in[place.name] = "a\ud800b";
    else place.in["\udc00"] = 1;
    return refused;
  },
  "write a number beyond all": (draft, random) => {
    const place = random.pick(placesIn(draft.body));
    place.in[place.name] = hugeNumber;
    return refused;
  },
  "give the value of a variable": (draft, random) => {
    const context = objectAt(draft.body, ["payload", "context"]);
    if (context === undefined) return undefined;
    const env = isObject(context["env"]) ? context["env"] : (context["env"] = { KEPT: { from: "env" } });
    const secret = `s3cr3t-${random.below(1e9)}`;
    (env as JsonObject)["LEAK"] = random.pick<unknown>([
      secret,
      [secret],
      { value: secret },
      { secret: { from: secret } },
    ]);
    return { outcome: "same", warnings: "some", dropped: 0, secret };
  },
  "leave out the name": (draft) => {
    const metadata = objectAt(draft.body, ["metadata"]);
    if (metadata === undefined) return undefined;
    delete metadata["message_type"];
    return draft.subject.startsWith("_INBOX") ? refused : same;
  },
  "leave out the message id": (draft, random) => {
    const metadata = objectAt(draft.body, ["metadata"]);
    if (metadata === undefined) return undefined;
    delete metadata["message_id"];
    if (random.chance(0.5)) return same;
    delete draft.headers[headerNames.messageId];
    return any;
  },
  "spoil a header": (draft, random) => {
    draft.headers[random.pick(["traceparent", "tracestate", "__proto__"])] = random.pick(["", "x\r\ny", "é"]);
    return same;
  },
  "change an id in a header": (draft, random) => {
    const ids = [headerNames.messageId, headerNames.correlationId];
    draft.headers[random.pick(ids)] = random.pick(["", "x\r\ny", "\ud800", "x".repeat(9_000), anyId]);
    return refused;
  },
  "leave out the headers": (draft, random) => {
    for (const name of [headerNames.messageId, headerNames.correlationId]) {
      if (random.chance(0.7)) delete draft.headers[name];
    }
    return same;
  },
};

export const bodyMutations: readonly (readonly [string, BodyMutation])[] = Object.entries(mutations);
