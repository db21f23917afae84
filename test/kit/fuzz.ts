// Hostile input made from valid messages: a case is a function of a seed and a number, so that any can be replayed.
//
// A mutation that is alone in its case also says what must come of it; where several meet, only the oracle judges.

import fc from "fast-check";
import { keys, kindOf } from "../../src/protocol/catalogue.ts";
import { encode, type Envelope } from "../../src/protocol/envelope.ts";
import type { JsonObject } from "../../src/protocol/json.ts";
import { layouts } from "../../src/protocol/layouts.ts";
import {
  any,
  codecs,
  hugeNumber,
  randomOf,
  same,
  type Case,
  type Draft,
  type Expectation,
  type Random,
  type Sample,
} from "./case.ts";
import { envelopesOf } from "./messages.ts";
import { bodyMutations, spoilUnchecked } from "./spoil-body.ts";
import { byteMutations, textMutations } from "./spoil-bytes.ts";
import { wordMutations } from "./spoil-words.ts";

const samplesPerKey = 16;

/** Valid messages of every key in both layouts, and results on inboxes. */
export function corpusOf(seed: number): Sample[] {
  return keys.flatMap((key) =>
    fc.sample(envelopesOf(key), { numRuns: samplesPerKey, seed }).map((envelope, index): Sample => {
      const codec = codecs[layouts[index % layouts.length] ?? "flow"];
      const { subject, headers, bytes } = encode(envelope as Envelope<typeof key>, key, codec);
      const onInbox = kindOf(key) === "result" && index % 4 === 3;
      return {
        key,
        subject: onInbox ? `_INBOX.${index}.reply` : subject,
        headers: { ...headers },
        text: new TextDecoder().decode(bytes),
        envelope: envelope as Envelope,
      };
    }),
  );
}

const encoder = new TextEncoder();

// Kinds first, then messages: there are few results, and more is done to them than to any other kind.
const kinds = ["command", "event", "result", "result", "progress", "log"] as const;
const byKind = new WeakMap<readonly Sample[], Map<string, Sample[]>>();

function sampleOf(corpus: readonly Sample[], random: Random): Sample {
  const groups = byKind.get(corpus) ?? Map.groupBy(corpus, ({ key }) => kindOf(key));
  byKind.set(corpus, groups);
  return random.pick(groups.get(random.pick(kinds)) ?? corpus);
}

/** The case with a number; the plan is to leave alone, to change once, to change often, or to make noise. */
export function caseOf(corpus: readonly Sample[], seed: number, index: number): Case {
  const random = randomOf(seed, index);
  const sample = sampleOf(corpus, random);
  const draft: Draft = {
    ...sample,
    headers: { ...sample.headers },
    sample,
    body: JSON.parse(sample.text) as JsonObject,
  };
  const plan = random.below(100);
  if (plan < 4) return finished(draft, sample.text, same, []);
  if (plan < 8) return noise(draft, random);
  return plan < 60 ? changedOnce(draft, random, corpus) : changedOften(draft, random, corpus);
}

const finished = (
  { sample, subject, headers }: Draft,
  body: string | Uint8Array,
  expected: Expectation,
  steps: string[],
): Case => ({
  sample,
  subject,
  headers,
  bytes: typeof body === "string" ? encoder.encode(body) : body,
  expected,
  steps,
});

function noise(draft: Draft, random: Random): Case {
  const bytes = Uint8Array.from({ length: random.below(200) }, () => random.below(256));
  return finished(draft, bytes, any, ["noise"]);
}

function changedOnce(draft: Draft, random: Random, corpus: readonly Sample[]): Case {
  const level = random.below(10);
  if (level === 0) {
    const [name, mutate] = random.pick(byteMutations);
    const { bytes, expected } = mutate(encoder.encode(draft.sample.text), random);
    return finished(draft, bytes, expected, [name]);
  }
  if (level < 3) {
    const [name, mutate] = random.pick(textMutations);
    const { text, expected } = mutate(draft.sample.text, random, corpus);
    return finished(draft, text, expected, [name]);
  }
  const [name, mutate] = random.pick(draftMutations);
  const expected = mutate(draft, random, corpus) ?? same;
  return finished(draft, textOf(draft.body), expected, [name]);
}

const draftMutations = [...bodyMutations, ...wordMutations];
const spoiling = bodyMutations.filter(([name]) => name === spoilUnchecked);

function changedOften(draft: Draft, random: Random, corpus: readonly Sample[]): Case {
  const steps: string[] = [];
  for (let left = 2 + random.below(4); left > 0; left--) {
    // The most dangerous place gets the most attention.
    const [name, mutate] = random.pick(random.chance(0.25) ? spoiling : draftMutations);
    mutate(draft, random, corpus);
    steps.push(name);
  }
  let text = textOf(draft.body);
  if (random.chance(0.2)) {
    const [name, mutate] = random.pick(textMutations);
    text = mutate(text, random, corpus).text;
    steps.push(name);
  }
  if (!random.chance(0.1)) return finished(draft, text, any, steps);
  const [name, mutate] = random.pick(byteMutations);
  return finished(draft, mutate(encoder.encode(text), random).bytes, any, [...steps, name]);
}

const textOf = (body: JsonObject): string => JSON.stringify(body).replaceAll(JSON.stringify(hugeNumber), "1e999");
