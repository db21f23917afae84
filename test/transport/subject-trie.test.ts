// Goal: the trie finds whom a subject is for, and forgets whom it is not for any more.
// Method: random patterns come and go, and every subject is compared with matching each pattern by itself.

import fc from "fast-check";
import { expect, test } from "vitest";
import { matches } from "../../src/protocol/subjects.ts";
import { SubjectTrie } from "../../src/transport/subject-trie.ts";

const numRuns = Number(process.env["TROUPE_RUNS"] ?? 1_000);

// Few words, so that patterns and subjects meet; one that an object inherits, so that no plain object is the table.
const token = fc.constantFrom("a", "b", "c", "constructor");
const subject = fc.array(token, { minLength: 1, maxLength: 4 }).map((tokens) => tokens.join("."));
const pattern = fc
  .tuple(fc.array(fc.oneof(token, fc.constant("*")), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([tokens, open]) => (open ? [...tokens.slice(1), ">"] : tokens).join("."));

test("S1: a subject finds exactly the patterns that match it by themselves", () => {
  fc.assert(
    fc.property(fc.array(pattern, { maxLength: 12 }), fc.array(subject, { minLength: 1 }), (patterns, subjects) => {
      const trie = new SubjectTrie<number>();
      for (const [index, given] of patterns.entries()) trie.add(given, index);
      for (const given of subjects) {
        const expected = [...patterns.keys()].filter((index) => matches(patterns[index] ?? "", given));
        expect(trie.match(given).sort((a, b) => a - b)).toEqual(expected);
      }
    }),
    { numRuns },
  );
});

test("S2: what is removed is found no more, the others are, and an emptied trie is bare", () => {
  const patterns = fc.array(fc.tuple(pattern, fc.boolean()), { maxLength: 12 });
  fc.assert(
    fc.property(patterns, subject, (given, asked) => {
      const trie = new SubjectTrie<number>();
      for (const [index, [name]] of given.entries()) trie.add(name, index);
      for (const [index, [name, kept]] of given.entries()) if (!kept) trie.remove(name, index);
      const left = [...given.entries()].filter(([, [, kept]]) => kept);
      const expected = left.filter(([, [name]]) => matches(name, asked)).map(([index]) => index);
      expect(trie.match(asked).sort((a, b) => a - b)).toEqual(expected);
      expect(trie.isEmpty()).toBe(left.length === 0);
      for (const [index, [name]] of left) trie.remove(name, index);
      expect(trie.isEmpty()).toBe(true);
    }),
    { numRuns },
  );
});

test("S2: to remove what is not there changes nothing", () => {
  const trie = new SubjectTrie<string>();
  trie.add("a.*", "here");
  for (const [given, value] of [
    ["a.b", "here"],
    ["a.*", "other"],
    ["a.>", "here"],
    ["z.y", "here"],
  ] as const) {
    trie.remove(given, value);
  }
  expect(trie.match("a.b")).toEqual(["here"]);
});
