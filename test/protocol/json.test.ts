// JSON is read and written within bounds, and what is out of them is refused with its reason.
//
// Method: each reason by example, the limits on both sides of their edge, and round trips of generated values.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { defaultBounds, isObject, readJson, writeJson } from "../../src/protocol/json.ts";
import { jsonValues } from "../kit/messages.ts";
import { refusalOf } from "../kit/sent.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const read = (text: string): unknown => readJson(bytesOf(text));
const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);

const whyOf = (act: () => unknown): unknown => refusalOf(act).details["why"];

describe("reading", () => {
  test.each([
    ['{"__proto__":{"x":1}}', "forbidden_key", "__proto__"],
    ['{"a":[{"b":{"__proto__":null}}]}', "forbidden_key", "a.0.b.__proto__"],
    ['{"\\u005f_proto__":1}', "forbidden_key", "__proto__"],
    ['{"a":"\\ud800"}', "lone_surrogate", "a"],
    ['{"a":["\\ude00\\ud83d"]}', "lone_surrogate", "a.0"],
    ['{"a":{"\\udc00":1}}', "lone_surrogate", "a.\ufffd"],
    ['{"a":{"b":1e999}}', "number_out_of_range", "a.b"],
    ["[1,-1e999]", "number_out_of_range", "1"],
  ])("J1: %s is refused as %s at %s", (text, why, field) => {
    const { code, details } = refusalOf(() => read(text));
    expect([code, details["why"]]).toEqual(["INVALID_ENVELOPE", why]);
    expect(details["errors"]).toMatchObject([{ field }]);
  });

  test("J1: a pair of surrogates, the word constructor and a large number are plain", () => {
    const text = '{"a":"\\ud83d\\ude00","constructor":{"prototype":1},"n":1e308,"proto__":"__proto__"}';
    expect(read(text)).toEqual(JSON.parse(text));
  });

  test.each(["9007199254740993", "-9007199254740993", "9223372036854775807", "1152921504606846976", "1".repeat(22)])(
    "J1: the integer %s would be written with other digits, and is refused where it stands",
    (digits) => {
      const { code, details } = refusalOf(() => read(`{"order":[{"total":${digits}}]}`));
      expect([code, details["why"]]).toEqual(["VALIDATION_FAILED", "bent_number"]);
      expect(details["errors"]).toMatchObject([{ field: "order.0.total" }]);
      expect(read(`{"order":"${digits}","${digits}":1}`)).toEqual({ order: digits, [digits]: 1 });
    },
  );

  test.each([
    "9007199254740991",
    "9007199254740992",
    "-9007199254740994",
    "9223372036854776000",
    "100000000000000000000",
  ])("J1: the integer %s keeps its digits", (digits) => {
    expect(JSON.stringify(read(`[${digits}]`))).toBe(`[${digits}]`);
  });

  test("J1: an integer behind strings with escapes is found", () => {
    for (const text of [String.raw`["\\",9007199254740993,"x"]`, String.raw`["\"",9007199254740993]`]) {
      expect(whyOf(() => read(text))).toBe("bent_number");
    }
    expect(read(String.raw`["\\",9007199254740992,"9007199254740993"]`)).toHaveLength(3);
  });

  test("J1: fractions and powers of ten are as near as numbers can be, and infinity is out of range", () => {
    expect(read("[0.12345678901234567890,1234567890123456789e3,12345678901234567.5,-0]")).toHaveLength(4);
    expect(whyOf(() => read("9".repeat(400)))).toBe("number_out_of_range");
  });

  test("J1: nothing that is read changes what other objects inherit", () => {
    expect(whyOf(() => read('{"__proto__":{"polluted":true}}'))).toBe("forbidden_key");
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test.each([
    "",
    " ",
    "{",
    "{'a':1}",
    '{"a":1,}',
    "NaN",
    "undefined",
    '{"a":1}{}',
    "[1]]",
    "// x\n{}",
    '{"a":\u00a01}',
  ])("%j is not JSON", (text) => {
    expect(whyOf(() => read(text))).toBe("not_json");
  });

  test.each([
    [[0xff]],
    [[0x22, 0xc0, 0xaf, 0x22]],
    [[0x22, 0xed, 0xa0, 0x80, 0x22]],
    [[0x22, 0xe2, 0x82, 0x22]],
    [[0x80]],
  ])("%j is not UTF-8", (bytes) => {
    expect(whyOf(() => readJson(Uint8Array.from(bytes)))).toBe("not_utf8");
  });

  test("a byte order mark is refused at the beginning, and is a letter elsewhere", () => {
    expect(whyOf(() => read("\uFEFF{}"))).toBe("byte_order_mark");
    expect(read('"\uFEFF"')).toBe("\uFEFF");
  });

  test("no refusal quotes the body", () => {
    for (const text of ['{"key":s3cr3t}', '{"s3cr3t', "s3cr3t"]) {
      const { message, details, cause } = refusalOf(() => read(text));
      expect(JSON.stringify([message, details, String(cause)])).not.toContain("s3cr3t");
    }
  });

  test("J2: a body of exactly the limit is read, one byte more is too large", () => {
    const full = `"${"x".repeat(defaultBounds.sizeBytesMax - 2)}"`;
    expect(read(full)).toHaveLength(defaultBounds.sizeBytesMax - 2);
    const { code, details } = refusalOf(() => read(`${full} `));
    expect([code, details]).toEqual([
      "PAYLOAD_TOO_LARGE",
      { why: "too_large", size: defaultBounds.sizeBytesMax + 1, limit: defaultBounds.sizeBytesMax },
    ]);
  });

  test("J2: nesting to the limit is read, one level more is too deep", () => {
    expect(read(nested(defaultBounds.depthMax))).toBeInstanceOf(Array);
    const { code, details } = refusalOf(() => read(nested(defaultBounds.depthMax + 1)));
    expect([code, details["why"], details["limit"]]).toEqual(["INVALID_ENVELOPE", "too_deep", defaultBounds.depthMax]);
    expect(whyOf(() => readJson(bytesOf('{"a":{"a":[]}}'), { ...defaultBounds, depthMax: 2 }))).toBe("too_deep");
    expect(readJson(bytesOf('{"a":{"a":[]}}'), { ...defaultBounds, depthMax: 3 })).toEqual({ a: { a: [] } });
  });

  test("J2: brackets side by side, in strings and behind escapes are not deep", () => {
    const bounds = { ...defaultBounds, depthMax: 2 };
    for (const text of ["[[],[],[],{}]", '["[[[[{{{{"]', String.raw`["\"[[[", "\\", "\\\"{{{{"]`, "[{},{},{}]"]) {
      expect(readJson(bytesOf(text), bounds)).toEqual(JSON.parse(text));
    }
  });

  test("J2: size goes before encoding, encoding before depth, depth before JSON", () => {
    const bounds = { sizeBytesMax: 600_000, depthMax: 10 };
    const deep = bytesOf("[".repeat(500_000));
    expect(whyOf(() => readJson(deep, bounds))).toBe("too_deep");
    expect(whyOf(() => readJson(Uint8Array.from([...deep, 0xff]), bounds))).toBe("not_utf8");
    expect(whyOf(() => readJson(new Uint8Array(600_001).fill(0xff), bounds))).toBe("too_large");
  });

  test("J2: a million brackets are refused, not recursed into", () => {
    expect(whyOf(() => read("[".repeat(1_000_000)))).toBe("too_deep");
    expect(whyOf(() => read('{"a":'.repeat(200_000)))).toBe("too_deep");
  });
});

describe("writing", () => {
  test("J3: what is written is read as it was", () => {
    fc.assert(
      fc.property(jsonValues, (value) => {
        expect(readJson(writeJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
      { numRuns: 1_000 },
    );
  });

  test("J3: a field without a value is left out", () => {
    expect(readJson(writeJson({ a: undefined, b: [{ c: undefined }], d: null }))).toEqual({ b: [{}], d: null });
  });

  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  test.each([
    ["nothing", undefined, "not_json"],
    ["a function", { a: () => 1 }, "not_json"],
    ["a symbol", [Symbol("a")], "not_json"],
    ["a large integer", { a: 1n }, "not_json"],
    ["a date", { a: new Date(0) }, "not_json"],
    ["a map", { a: new Map() }, "not_json"],
    ["bytes", new Uint8Array(1), "not_json"],
    ["an object with a way of its own", { a: { toJSON: () => 1 } }, "not_json"],
    ["a hole in a list", { a: Array.from({ length: 1 }) }, "not_json"],
    ["not a number", [Number.NaN], "number_out_of_range"],
    ["infinity", [Number.NEGATIVE_INFINITY], "number_out_of_range"],
    ["half a pair", { a: "\ud800" }, "lone_surrogate"],
    ["half a pair in a key", { "\ud800": 1 }, "lone_surrogate"],
    ["a forbidden key", JSON.parse('{"a":{"__proto__":1}}'), "forbidden_key"],
    ["a circle", cyclic, "too_deep"],
  ])("J3: %s is refused", (_what, value, why) => {
    expect(whyOf(() => writeJson(value))).toBe(why);
  });

  test("J3: the limits are those of reading", () => {
    const bounds = { sizeBytesMax: 10, depthMax: 2 };
    expect(writeJson("x".repeat(8), bounds)).toHaveLength(10);
    expect(whyOf(() => writeJson("x".repeat(9), bounds))).toBe("too_large");
    expect(whyOf(() => writeJson("é".repeat(5), bounds))).toBe("too_large");
    expect(writeJson([[]], bounds)).toHaveLength(4);
    expect(whyOf(() => writeJson([[[]]], bounds))).toBe("too_deep");
    expect(whyOf(() => writeJson({ a: { b: {} } }, { ...bounds, sizeBytesMax: 100 }))).toBe("too_deep");
  });

  test("J3: objects without a prototype are written", () => {
    expect(readJson(writeJson(Object.assign(Object.create(null), { a: 1 })))).toEqual({ a: 1 });
  });
});

test.each([
  [{}, true],
  [{ a: 1 }, true],
  [[], false],
  [null, false],
  ["x", false],
  [1, false],
  [undefined, false],
])("%j is an object: %s", (value, is) => {
  expect(isObject(value)).toBe(is);
});
