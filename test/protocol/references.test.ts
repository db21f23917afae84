// Goal: large content travels as a reference that only a reference can be taken for, and comes back as it was.

import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { defaultBounds } from "../../src/protocol/json.ts";
import {
  contentIn,
  missing,
  objectStoreOf,
  referenceOf,
  referencesIn,
  referred,
  withContent,
} from "../../src/protocol/references.ts";

const store = objectStoreOf("shop");
const text = "x".repeat(5_000);
const hash = "a".repeat(64);
const of = (output: unknown): object => ({ status: "SUCCESS", result: { output }, context: { attempt: 1 } });

describe("a payload", () => {
  test("that is too large has its input or output taken out, and nothing else", () => {
    const { payload, contents } = referred(of({ text }), store, true);
    const [content] = contents;
    const bytes = new TextEncoder().encode(JSON.stringify({ text }));
    expect(contents).toHaveLength(1);
    expect(content?.bytes()).toEqual(bytes);
    expect(content?.hash).toBe(createHash("sha256").update(bytes).digest("hex"));
    expect(payload).toEqual(of({ $ref: `shop_OBJECTS/${content?.hash}`, size: bytes.byteLength }));
    const command = { reply_to_subject: "r", context: { attempt: 2, input: [text] } };
    expect(referred(command, store, true).payload).toMatchObject({ reply_to_subject: "r", context: { attempt: 2 } });
    expect(referencesIn(referred(command, store, true).payload, store)).toMatchObject([{ place: "input" }]);
  });

  test("that is not, or whose content is small, stays as it is", () => {
    expect(referred(of({ text }), store, false)).toEqual({ payload: of({ text }), contents: [] });
    expect(referred(of({ text: "short" }), store, true)).toEqual({ payload: of({ text: "short" }), contents: [] });
    for (const payload of [{ result: null }, { context: null }, {}, { result: { error: { message: text } } }]) {
      expect(referred(payload, store, true)).toEqual({ payload, contents: [] });
    }
  });

  test("RF2: whose content looks like a reference travels by one, and comes back as that content", () => {
    const posing = { $ref: `${store}/${hash}`, size: 7 };
    const { payload, contents } = referred(of(posing), store, false);
    const [reference] = referencesIn(payload, store);
    if (!reference || !contents[0]) throw new Error("it travels by reference");
    expect(reference.hash).not.toBe(hash);
    expect(contentIn(contents[0].bytes(), reference, store, defaultBounds)).toEqual(posing);
  });
});

describe("RF1: a reference", () => {
  test("is two fields, of this store", () => {
    expect(referenceOf({ $ref: `${store}/${hash}`, size: 7 }, store)).toEqual({ hash, size: 7 });
  });

  test.each([
    ["another store", { $ref: `other_OBJECTS/${hash}`, size: 7 }],
    ["a path", { $ref: `${store}/../${hash}`, size: 7 }],
    ["a hash that is none", { $ref: `${store}/${hash.slice(1)}`, size: 7 }],
    ["upper case", { $ref: `${store}/${hash.toUpperCase()}`, size: 7 }],
    ["more fields", { $ref: `${store}/${hash}`, size: 7, more: 1 }],
    ["no size", { $ref: `${store}/${hash}` }],
    ["a size of nothing", { $ref: `${store}/${hash}`, size: 0 }],
    ["half a byte", { $ref: `${store}/${hash}`, size: 1.5 }],
    ["a list", [`${store}/${hash}`, 7]],
    ["nothing", null],
  ])("is not %s", (_what, content) => {
    expect(referenceOf(content, store)).toBeUndefined();
  });

  test("is never found in content that was put in place of one", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (content) => {
        const given = of(content);
        const { payload, contents } = referred(given, store, true);
        const found = referencesIn(payload, store);
        expect(found).toHaveLength(contents.length);
        const [reference] = found;
        const back =
          reference && contents[0] ? contentIn(contents[0].bytes(), reference, store, defaultBounds) : content;
        expect(JSON.stringify(withContent(payload, "output", back))).toBe(JSON.stringify(given));
      }),
    );
  });
});

describe("RF3: what was fetched", () => {
  const bytes = new TextEncoder().encode(JSON.stringify({ text }));
  const right = { hash: createHash("sha256").update(bytes).digest("hex"), size: bytes.byteLength };

  test("is taken if its size and its hash are those that were said", () => {
    expect(contentIn(bytes, right, store, defaultBounds)).toEqual({ text });
  });

  test("is refused if one of them is another, or it is no JSON within bounds", () => {
    const details: unknown = expect.objectContaining({ reason: "OBJECT_WRONG" });
    const wrong = { code: "INVALID_ENVELOPE", details };
    expect(() => contentIn(bytes, { ...right, hash }, store, defaultBounds)).toThrow(expect.objectContaining(wrong));
    expect(() => contentIn(bytes, { ...right, size: 3 }, store, defaultBounds)).toThrow(expect.objectContaining(wrong));
    expect(() => contentIn(bytes.subarray(1), right, store, defaultBounds)).toThrow(expect.objectContaining(wrong));
    const noise = new Uint8Array([0xff]);
    const said = { hash: createHash("sha256").update(noise).digest("hex"), size: 1 };
    expect(() => contentIn(noise, said, store, defaultBounds)).toThrow("not UTF-8");
  });
});

test("what is missing is said with its object, why, and what to do", () => {
  const error = missing("OBJECT_LOST", { hash, size: 7 }, store, "it is not there");
  expect(error.message).toBe(`content of 7 bytes cannot be read from shop_OBJECTS/${hash}: it is not there`);
  expect(error.details).toMatchObject({ reason: "OBJECT_LOST", fix: expect.stringContaining("object_retention") });
});
