// The ways in which the fuzzer spoils the text and the bytes of a message.

import { any, refused, same, type Expectation, type Random, type Sample } from "./case.ts";

type TextMutation = (
  text: string,
  random: Random,
  corpus: readonly Sample[],
) => { text: string; expected: Expectation };
type ByteMutation = (bytes: Uint8Array, random: Random) => { bytes: Uint8Array; expected: Expectation };

const text: Record<string, TextMutation> = {
  "cut the text": (given, random) => ({
    text: given.slice(0, random.below(given.length)),
    expected: refused,
  }),
  "pad the text": (given) => ({ text: ` \n\t${given}\r\n `, expected: same }),
  "say a key twice, the last as before": (given) => ({
    text: given.replace("{", '{"metadata":{},"payload":7,'),
    expected: same,
  }),
  "say a key twice, the last otherwise": (given, random) => {
    const key = random.pick(["metadata", "payload", "agent", "task"]);
    return { text: `${given.slice(0, -1)},"${key}":${random.pick(["{}", "1", "null"])}}`, expected: any };
  },
  "splice two messages": (given, random, corpus) => {
    const other = random.pick(corpus).text;
    return {
      text: given.slice(0, random.below(given.length)) + other.slice(random.below(other.length)),
      expected: any,
    };
  },
  "say two messages": (given, random, corpus) => ({
    text: given + random.pick(corpus).text,
    expected: refused,
  }),
  "wrap in a list": (given) => ({ text: `[${given}]`, expected: refused }),
  "mark the byte order": (given) => ({ text: `\uFEFF${given}`, expected: refused }),
  "escape a letter": (given) => ({ text: given.replace('"metadata"', '"met\\u0061data"'), expected: same }),
  "forbid a key by escapes": (given) => ({
    text: given.replace("{", '{"\\u005f_proto__":{},'),
    expected: refused,
  }),
  "say a number with too many digits": (given, random) => ({
    text: given.replace("{", `{"total":${random.pick(["", "-"])}900719925474099${random.pick([3, 21, 1234567])},`),
    expected: refused,
  }),
  "open without end": (given, random) => ({
    text: "[".repeat(random.below(random.chance(0.02) ? 200_000 : 300)) + given,
    expected: any,
  }),
  "say something else": (_given, random) => ({
    text: random.pick(["", "null", "1", '"x"', "[]", "{}", "NaN", "{'a':1}", '{"a":1,}', "// x", '{"metadata":null}']),
    expected: refused,
  }),
};

const bytes: Record<string, ByteMutation> = {
  "flip bytes": (given, random) => {
    for (let left = 1 + random.below(4); left > 0; left--) given[random.below(given.length)] = random.below(256);
    return { bytes: given, expected: any };
  },
  "delete bytes": (given, random) => {
    const at = random.below(given.length);
    return {
      bytes: Uint8Array.from([...given.slice(0, at), ...given.slice(at + random.below(20))]),
      expected: any,
    };
  },
  "add what is not UTF-8": (given, random) => {
    const at = random.below(given.length);
    const bad = random.pick([[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf8, 0x88, 0x80, 0x80, 0x80], [0x80]]);
    return { bytes: Uint8Array.from([...given.slice(0, at), ...bad, ...given.slice(at)]), expected: refused };
  },
  "make it too large": (given, random) => {
    const padded = new Uint8Array(random.chance(0.02) ? 1_048_577 : given.length).fill(0x20);
    padded.set(given);
    return { bytes: padded, expected: padded.length > 1_048_576 ? refused : same };
  },
};

export const textMutations: readonly (readonly [string, TextMutation])[] = Object.entries(text);
export const byteMutations: readonly (readonly [string, ByteMutation])[] = Object.entries(bytes);
