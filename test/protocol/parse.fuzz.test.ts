// Nothing hostile gets through the door for foreign bytes, crashes it, or keeps a right message out.
//
// Method: mutations of valid messages, judged by an oracle that shares no check with parse; and parses broken on
// purpose, each of which the same cases must find.

import { expect, test } from "vitest";
import { keys } from "../../src/protocol/catalogue.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { unwrap, type Envelope } from "../../src/protocol/envelope.ts";
import type { JsonObject } from "../../src/protocol/json.ts";
import { parse, type Parsed } from "../../src/protocol/parse.ts";
import { refusals, type Why } from "../../src/protocol/refusal.ts";
import { codecs } from "../kit/case.ts";
import { caseOf, corpusOf } from "../kit/fuzz.ts";
import { judge, type Parse } from "../kit/oracle.ts";

const seed = 1;
const runsOfAll = 20_000;
// Mutation testing, which runs this often, asks for fewer.
const runs = (runsOfAll / 1_000) * Number(process.env["TROUPE_RUNS"] ?? 1_000);
const corpus = corpusOf(seed);

/** The first case that finds something wrong with a parse. */
function firstFound(studied: Parse, limit = runsOfAll): string | undefined {
  for (let index = 0; index < limit; index++) {
    const complaint = judge(studied, caseOf(corpus, seed, index));
    if (complaint !== undefined) return `${complaint} (node scripts/fuzz.ts --seed ${seed} --only ${index})`;
  }
  return undefined;
}

test("P1: parse answers rightly or refuses rightly, whatever it is sent", () => {
  const heard = new Set<string>();
  const whys = new Set<unknown>(["bad_id"]);
  const recording: Parse = (...sent) => {
    try {
      const parsed = parse(...sent);
      heard.add(parsed.key);
      return parsed;
    } catch (thrown) {
      if (thrown instanceof TroupeError) whys.add(thrown.details["why"]);
      throw thrown;
    }
  };
  expect(firstFound(recording, runs)).toBeUndefined();
  if (runs < runsOfAll) return;
  // And the cases were worth their name: every message got through, and every reason to refuse was given.
  expect(heard).toEqual(new Set(keys));
  expect(whys).toEqual(new Set(Object.keys(refusals)));
});

const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A parse that does something else where it should refuse for a reason. */
const instead =
  (why: Why, act: (error: TroupeError, ...sent: Parameters<Parse>) => Parsed): Parse =>
  (...sent) => {
    try {
      return parse(...sent);
    } catch (thrown) {
      if ((thrown as TroupeError).details["why"] !== why) throw thrown;
      return act(thrown as TroupeError, ...sent);
    }
  };

/** A parse that spoils its answers. */
const spoiling =
  (spoil: (parsed: Parsed, body: JsonObject) => Parsed): Parse =>
  (subject, headers, bytes, options) =>
    spoil(parse(subject, headers, bytes, options), JSON.parse(decode(bytes)) as JsonObject);

const withBody = (bytes: Uint8Array, change: (body: JsonObject) => void): Uint8Array => {
  const body = JSON.parse(decode(bytes)) as JsonObject;
  change(body);
  return encode(JSON.stringify(body));
};

const broken: Readonly<Record<string, Parse>> = {
  "does not compare the name with the subject": instead(
    "contradicting_name",
    (_error, subject, headers, bytes, options) =>
      parse(
        subject,
        headers,
        withBody(bytes, (body) => delete (body["metadata"] as JsonObject)["message_type"]),
        options,
      ),
  ),
  "does not compare the sections with the subject": instead(
    "contradicts_subject",
    (_error, subject, headers, bytes, options) => {
      const { address } = options.subjects.parse(subject);
      const body = JSON.parse(decode(bytes)) as Envelope;
      const own = codecs.flow.subjectOf(unwrap(body, address?.key ?? "log:LogEmitted"), body.metadata);
      return { ...parse(own, headers, bytes, options), address } as Parsed;
    },
  ),
  "does not compare the ids with the headers": instead(
    "contradicts_header",
    (_error, subject, _headers, bytes, options) => parse(subject, {}, bytes, options),
  ),
  "takes one of two attempts": instead("contradicts_itself", (_error, subject, headers, bytes, options) =>
    parse(
      subject,
      headers,
      withBody(bytes, ({ payload }) => {
        delete ((payload as JsonObject)["context"] as JsonObject)["attempt_number"];
      }),
      options,
    ),
  ),
  "takes a number for one with fewer digits": instead("bent_number", (_error, subject, headers, bytes, options) =>
    parse(
      subject,
      headers,
      withBody(bytes, () => undefined),
      options,
    ),
  ),
  "lets the key __proto__ through": instead("forbidden_key", (_error, subject, headers, bytes, options) => {
    const renamed = decode(bytes).replaceAll('"__proto__"', '"renamed"');
    const parsed = parse(subject, headers, encode(renamed), options);
    return JSON.parse(JSON.stringify(parsed).replaceAll('"renamed"', '"__proto__"')) as Parsed;
  }),
  "lets lone surrogates through": instead("lone_surrogate", (_error, subject, headers, bytes, options) => {
    const renamed = decode(bytes)
      .replaceAll(String.raw`\ud800`, "HALF")
      .replaceAll(String.raw`\udc00`, "HALF");
    const parsed = parse(subject, headers, encode(renamed), options);
    return JSON.parse(JSON.stringify(parsed).replaceAll("HALF", String.raw`\ud800`)) as Parsed;
  }),
  "throws what the JSON parser throws": instead(
    "not_json",
    (_error, _subject, _headers, bytes) => JSON.parse(decode(bytes)) as Parsed,
  ),
  "overflows the stack where nesting is deep": instead("too_deep", () => {
    throw new RangeError("Maximum call stack size exceeded");
  }),
  "replaces what is not UTF-8": instead("not_utf8", (_error, subject, headers, bytes, options) =>
    parse(subject, headers, encode(decode(bytes)), options),
  ),
  "does not look into payloads": instead("bad_payload", (_error, subject, _headers, bytes, options) => {
    const { address } = options.subjects.parse(subject);
    const envelope = JSON.parse(decode(bytes)) as Envelope;
    return { key: address?.key, address, envelope, warnings: [], dropped: 0, trace: {} } as Parsed;
  }),
  "takes a missing attempt for the first": instead("bad_payload", (_error, subject, headers, bytes, options) =>
    parse(
      subject,
      headers,
      withBody(bytes, ({ payload }) => {
        ((payload as JsonObject)["context"] as JsonObject)["attempt"] ??= 1;
      }),
      options,
    ),
  ),
  "makes up a missing correlation id": instead("bad_metadata", (_error, subject, headers, bytes, options) =>
    parse(
      subject,
      headers,
      withBody(bytes, ({ metadata }) => {
        (metadata as JsonObject)["correlation_id"] ??= "ffffffff-ffff-7fff-8fff-ffffffffffff";
      }),
      options,
    ),
  ),
  "gives another code": instead("bad_section", (error) => {
    throw new TroupeError("VALIDATION_FAILED", error.message, error.details);
  }),
  "gives no field": instead("bad_section", (error) => {
    throw new TroupeError(error.code, error.message, { why: "bad_section" });
  }),
  "quotes the body": instead("bad_section", (error, _subject, _headers, bytes) => {
    throw new TroupeError(error.code, error.message + decode(bytes).repeat(20), error.details);
  }),
  "keeps unknown fields": spoiling(
    (parsed, body) => ({ ...parsed, envelope: { ...body, ...parsed.envelope }, dropped: 0 }) as Parsed,
  ),
  "keeps the values of variables": spoiling((parsed, { payload }) => {
    const given = ((payload as JsonObject)["context"] as JsonObject | undefined)?.["env"];
    if (given !== undefined) Object.assign(parsed.envelope.payload.context, { env: given });
    return parsed;
  }),
  "does not warn": spoiling((parsed) => ({ ...parsed, warnings: [] })),
  "counts no dropped field": spoiling((parsed) => ({ ...parsed, dropped: 0 })),
  "keeps an old name": spoiling((parsed, { metadata }) => {
    Object.assign(parsed.envelope.metadata, { message_type: (metadata as JsonObject)["message_type"] ?? "x" });
    return parsed;
  }),
  "answers another key of the same name": spoiling((parsed) =>
    parsed.key === "event:AgentExecutionResult"
      ? ({ ...parsed, key: "result:AgentExecutionResult" } as Parsed)
      : parsed,
  ),
  "takes the correlated layout for the other": spoiling(
    (parsed) => ({ ...parsed, address: parsed.address && { ...parsed.address, layout: "flow" } }) as Parsed,
  ),
  "loses data": spoiling((parsed) => {
    const { context } = parsed.envelope.payload;
    if (context.input !== undefined) context.input = {};
    return parsed;
  }),
  "refuses a right message": spoiling((parsed) => {
    if (parsed.key !== "command:TaskCancel") return parsed;
    throw new TroupeError("VALIDATION_FAILED", "no", {
      why: "bad_payload",
      errors: [{ field: "payload", message: "no" }],
    });
  }),
};

test.each(Object.entries(broken))("P1: a parse that %s is found", (_what, studied) => {
  expect(firstFound(studied)).toBeDefined();
});
