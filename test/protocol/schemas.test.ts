// Goal: the published JSON Schemas accept what is sent and refuse what is not, and agree with the code. Method: ajv as
// judge, over one example of every message, over each with one thing wrong, and over generated and mutated envelopes.

import { isDeepStrictEqual } from "node:util";
import { Ajv, type ErrorObject } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { exampleOf } from "../../scripts/docs/examples.ts";
import { envelopeOf, schemaOf, type JsonSchema } from "../../scripts/docs/schemas.ts";
import { entryOf, keys, type Key } from "../../src/protocol/catalogue.ts";
import { encode, type Encoded, type Envelope } from "../../src/protocol/envelope.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { parse } from "../../src/protocol/parse.ts";
import { subjectCodec } from "../../src/protocol/subjects.ts";
import { changed, changes, field, placesIn, plain, putAt, removeAt, textAt, valuesOf } from "./envelopes.ts";
import type { Json, Place } from "./envelopes.ts";

const publishedOf = (key: Key): JsonSchema => plain(schemaOf(key));
const schemas = new Map(keys.map((key) => [key, publishedOf(key)]));
// Unknown keywords and formats are refused. The other strict modes do not see that a rule stands inside an object.
const judge = formats.default(new Ajv2020({ strict: false, strictSchema: true }));
const validators = new Map([...schemas].map(([key, schema]) => [key, judge.compile(schema)]));

const accepts = (key: Key, envelope: unknown): boolean => validators.get(key)?.(envelope) === true;
const complaints = (key: Key, envelope: unknown): ErrorObject[] => {
  const validator = validators.get(key);
  return accepts(key, envelope) ? [] : (validator?.errors ?? []);
};
const sentExample = (key: Key): Json => JSON.parse(new TextDecoder().decode(exampleOf(key).encoded.bytes)) as Json;

const subjects = subjectCodec({ prefix: "compozy", layout: "flow" });
type Verdict = { warnings: unknown[]; dropped: number; envelope: unknown };
const throughTheDoor = (key: Key): Verdict => {
  const { subject, headers, bytes } = exampleOf(key).encoded;
  const { warnings, dropped, envelope } = parse(subject, headers, bytes, { subjects });
  return { warnings, dropped, envelope };
};

const every = keys.map((key) => [key] as const);

const wrong: Readonly<Record<string, readonly unknown[]>> = {
  message_id: ["", "7", "F47AC10B-58CC-4372-A567-0E02B2C3D479", null],
  message_type: ["", "Unheard", null],
  exec_id: ["", "x", 7],
  id: ["", "_", "executions", "a.b", "x".repeat(65)],
  status: ["DONE", "success", null, "PENDING PENDING"],
  attempt: [0, -1, 1.5, "1"],
};

/** A copy in which something was done at the nth place. */
function spoiled(envelope: Json, at: number, spoil: (place: Place) => void): Json {
  const copy = plain(envelope);
  const place = placesIn(copy)[at];
  if (place !== undefined) spoil(place);
  return copy;
}

describe("the JSON Schemas", () => {
  test.each(every)("%s: the example is sent as it is, accepted by its schema, and let in by the door", (key) => {
    const envelope = sentExample(key);
    expect(complaints(key, envelope)).toEqual([]);
    expect(throughTheDoor(key)).toEqual({ warnings: [], dropped: 0, envelope });
    expect(keys.filter((other) => accepts(other, envelope))).toEqual([key]);
  });

  test.each(every)("%s: what misses a required field is refused, and so is a wrong status, id or attempt", (key) => {
    const envelope = sentExample(key);
    for (const name of ["metadata", "payload", ...Object.keys(entryOf(key).sections)]) {
      expect(accepts(key, plain({ ...envelope, [name]: undefined })), name).toBe(false);
    }
    for (const [at, { step }] of placesIn(envelope).entries()) {
      const without = spoiled(envelope, at, removeAt);
      if (!isDisputed(key, without)) expect(accepts(key, without), `without ${step}`).toBe(fits(key, without));
      for (const value of wrong[step] ?? []) {
        const said = spoiled(envelope, at, (place) => putAt(place, value));
        expect(accepts(key, said), `${step}: ${JSON.stringify(value)}`).toBe(false);
      }
    }
  });

  test("each says the same to a validator of draft 7, which is what AsyncAPI reads", () => {
    const older = formats.default(new Ajv({ strict: false }));
    for (const [key, { $schema: _, ...schema }] of schemas) {
      const validator = older.compile(schema);
      const envelope = sentExample(key);
      expect(validator(envelope), key).toBe(true);
      for (const at of placesIn(envelope).keys()) {
        const without = spoiled(envelope, at, removeAt);
        expect(validator(without), key).toBe(accepts(key, without));
      }
    }
  });
});

/** What the code says of an envelope: it fits, and nothing in it is foreign. */
function fits(key: Key, envelope: unknown): boolean {
  const result = envelopeOf(key).safeParse(envelope);
  return result.success && isDeepStrictEqual(plain(result.data), envelope);
}

type Difference = {
  readonly why: string;
  readonly key: Key;
  readonly witness: (envelope: Json) => Json;
  readonly holds: (key: Key, envelope: unknown) => boolean;
};
const withPayload = (envelope: Json, payload: Json): Json => ({
  ...envelope,
  payload: { ...(envelope["payload"] as Json), ...payload },
});
const differences: readonly Difference[] = [
  {
    why: "outside a workflow a trigger must say agent or tool: in the schema, and in the code a rule of the door",
    key: "command:TaskTrigger",
    witness: (envelope) => plain({ ...envelope, workflow: undefined }),
    holds: (key, envelope) => key === "command:TaskTrigger" && field(envelope, "workflow") === undefined,
  },
  {
    why: "a relay says where the result goes: in the schema, and in the code a rule of the door",
    key: "command:AgentRuntimeExecute",
    witness: (envelope) => plain(withPayload(envelope, { reply_to_subject: undefined })),
    holds: (key, envelope) =>
      key === "command:AgentRuntimeExecute" && field(envelope, "payload", "reply_to_subject") === undefined,
  },
  {
    why: "a reply subject has no wildcards: in the schema, and in the code a rule of the door",
    key: "command:TaskExecute",
    witness: (envelope) => withPayload(envelope, { reply_to_subject: "compozy.results.>" }),
    holds: (_, envelope) => /[\s*>]|\.\.|^\.|\.$/.test(textAt(envelope, "payload", "reply_to_subject")),
  },
  {
    why: "times are sent in UTC with milliseconds, and understood with any offset and precision",
    key: "log:LogEmitted",
    witness: (envelope) => withPayload(envelope, { timestamp: "2026-11-21T10:00:00+01:00" }),
    holds: (_, envelope) => !/(?:^|:[0-5]\d\.\d{3}Z)$/.test(textAt(envelope, "payload", "timestamp")),
  },
  {
    why: "the format of a time allows a leap second, which no clock here can name",
    key: "command:WorkflowCancel",
    witness: (envelope) => ({
      ...envelope,
      metadata: { ...(envelope["metadata"] as Json), event_timestamp: "2016-12-31T23:59:60.000Z" },
    }),
    holds: (_, envelope) => textAt(envelope, "metadata", "event_timestamp").includes(":60."),
  },
  {
    why: "a key __proto__ is left out of a map by zod, and refused at the door wherever it stands",
    key: "command:WorkflowPause",
    witness: (envelope) => {
      const env = JSON.parse('{ "__proto__": { "from": "env" } }') as Json;
      return withPayload(envelope, { context: { reason: "", paused_by: "clerk", env } });
    },
    holds: (_, envelope) => JSON.stringify(envelope).includes('"__proto__":'),
  },
];

const isDisputed = (key: Key, envelope: unknown): boolean => differences.some(({ holds }) => holds(key, envelope));

describe("ajv and zod", () => {
  const generated = new Map([...schemas].map(([key, schema]) => [key, valuesOf(schema, schema)]));
  const envelopes = fc
    .constantFrom(...keys)
    .chain((key) =>
      fc.tuple(
        fc.constant(key),
        fc.oneof(fc.constant(sentExample(key)), generated.get(key) ?? fc.constant({})),
        fc.oneof(fc.constant([]), fc.array(changes, { maxLength: 3 })),
      ),
    );

  test("they agree on 3,000 envelopes, valid and mutated", () => {
    const count = { accepted: 0, refused: 0 };
    fc.assert(
      fc.property(envelopes, ([key, envelope, wanted]) => {
        const said = plain(changed(envelope, wanted));
        const verdict = accepts(key, said);
        count[verdict ? "accepted" : "refused"]++;
        if (fits(key, said) === verdict || isDisputed(key, said)) return;
        expect.fail(`ajv ${verdict ? "accepts" : "refuses"}: ${JSON.stringify(complaints(key, said))}`);
      }),
      { numRuns: 3000 },
    );
    expect(Math.min(count.accepted, count.refused)).toBeGreaterThan(600);
  });

  test.each(differences)("they differ where $why", ({ key, witness, holds }) => {
    const said = witness(sentExample(key));
    expect(accepts(key, said)).not.toBe(fits(key, said));
    expect(holds(key, said)).toBe(true);
    expect(keys.filter((other) => holds(other, sentExample(other)))).toEqual([]);
  });

  test("what a schema allows, the door lets in unchanged, on the subject that its ids give", () => {
    let sent = 0;
    fc.assert(
      fc.property(envelopes, ([key, envelope, wanted]) => {
        const said = plain(changed(envelope, wanted)) as Envelope;
        const encoded =
          accepts(key, said) && !isDisputed(key, said) && asksItsAgent(key, said)
            ? encodedIfComplete(key, said)
            : undefined;
        if (encoded === undefined) return;
        sent++;
        const { envelope: heard, dropped } = parse(encoded.subject, encoded.headers, encoded.bytes, {
          subjects,
        });
        expect({ heard, dropped }).toEqual({ heard: said, dropped: 0 });
      }),
      { numRuns: 1500 },
    );
    expect(sent).toBeGreaterThan(250);
  });

  // That two fields hold the same, no schema can say.
  function asksItsAgent(key: Key, envelope: Envelope): boolean {
    const asked = field(envelope, "payload", "context", "agent_request");
    if (asked === undefined || !Object.hasOwn(entryOf(key).sections, "agent")) return true;
    const { id = field(asked, "agent_id"), exec_id } = envelope.agent ?? {};
    return field(asked, "agent_id") === id && field(asked, "agent_exec_id") === exec_id;
  }

  // A parent may be named by its execution alone, and then no subject can be made of it.
  function encodedIfComplete(key: Key, envelope: Envelope): Encoded | undefined {
    try {
      return encode(envelope, key, subjects);
    } catch (error) {
      if (error instanceof TroupeError && error.code === "INVALID_ID") return undefined;
      throw error;
    }
  }
});
