// Goal: an expression gives what CEL says it gives, as JSON; and whatever it is, evaluating it is bounded.
// Method: cases; hostile expressions, which must end with a named error after a bounded number of looks at data; random
// expressions over random data.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { expressionOf, valueOf } from "../../src/language/expression.ts";
import type { Scope } from "../../src/language/spec.ts";
import { TroupeError } from "../../src/protocol/errors.ts";

const scope: Scope = {
  input: { n: 1.5, i: 2, s: "abc", list: [1, 2, 3], yes: true, o: { x: 1, "k-k": 2 }, nothing: null },
  tasks: { a: { status: "SUCCESS", output: { v: 1 } } },
  workflow: { id: "w", exec_id: "x", correlation_id: "c", started_at: "2026-01-01T00:00:00.000Z" },
  now: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
};

function failure(source: string, given: Scope = scope): string {
  try {
    return `gives ${JSON.stringify(valueOf(source, given))}`;
  } catch (error) {
    if (error instanceof TroupeError && error.code === "EXPRESSION_ERROR") return error.message;
    throw error;
  }
}

describe("an expression gives", () => {
  test.each<[string, unknown]>([
    // Numbers of JSON and of CEL together.
    ["input.n + 1", 2.5],
    ["1 + input.n", 2.5],
    ["input.i % 2 == 0", true],
    ["5 % 2", 1],
    ["input.i / 4", 0.5],
    ["1 / 2", 0],
    ["2 - input.i * 3", -4],
    ["-input.i", -2],
    ["input.i < 3 && 1 <= input.n", true],
    ["int(input.n)", 1],
    ["1u + 2u", 3],
    ["input.list[input.i]", 3],
    // Sameness.
    ["input.i == 2", true],
    ["input.list == [1, 2.0, 3u]", true],
    ["input.s == 1", false],
    ["input.s != 1", true],
    ["2 in input.list", true],
    ["4 in input.list", false],
    ["'x' in input.o", true],
    ["input.o == {'x': 1, 'k-k': 2}", true],
    ["input.nothing == null", true],
    ["b'ab' == b'ab'", true],
    ["duration('60s') == duration('1m')", true],
    // Macros.
    ["input.list.all(x, x > 0)", true],
    ["input.list.exists(x, x == 2)", true],
    ["input.list.exists_one(x, x > 1)", false],
    ["input.list.map(x, x * 2)", [2, 4, 6]],
    ["input.list.filter(x, x > 1)", [2, 3]],
    ["input.list.map(x, x > 1, x + 1)", [3, 4]],
    ["input.list.map(x, input.list.filter(y, y < x))", [[], [1], [1, 2]]],
    ["cel.bind(twice, input.i * 2, twice + twice)", 8],
    // What may be missing.
    ["has(input.n)", true],
    ["has(input.nope)", false],
    ["has(input.nope.deeper.still)", false],
    ["has(input.nothing)", true],
    ["has(tasks['nope'].output)", false],
    ["has(input.list[7])", false],
    ["has(error)", false],
    ["default(input.nope.deeper, 'd')", "d"],
    ["default(input.n, 'd')", 1.5],
    ["default(item, index)", undefined],
    ["default(input.nothing, 1)", null],
    ["default(input.a.b, default(input.c, input.i))", 2],
    // Texts.
    ["input.s + 'd'", "abcd"],
    ["input.s.matches('^a.c$')", true],
    ["matches(input.s, 'x')", false],
    ["regex(input.s, '[b]')", true],
    ["input.s.split('b')", ["a", "c"]],
    ["['a', 'b'].join('-')", "a-b"],
    ["input.s.startsWith('a') && input.s.contains('b') && input.s.upperAscii() == 'ABC'", true],
    ["json(input.o)", '{"x":1,"k-k":2}'],
    ["json([1, 2u, 'a', null, 1.5])", '[1,2,"a",null,1.5]'],
    ["string(input.n) + string(1)", "1.51"],
    // Mixed and made.
    ["input.yes ? 1 : 'no'", 1],
    ["input.yes ? null : {}", null],
    ["[1, 'a', null, {'b': input.n}]", [1, "a", null, { b: 1.5 }]],
    ["{'a': [input.o]}", { a: [{ x: 1, "k-k": 2 }] }],
    ["input.list + [4]", [1, 2, 3, 4]],
    ["size(input.s) + size(input.list) + size(input.o)", 8],
    // Time.
    ["now()", "2026-01-02T03:04:05.678Z"],
    ["string(now())", "2026-01-02T03:04:05.678Z"],
    ["'at ' + string(duration('90m'))", "at 5400s"],
    ["int(now())", 1767323045],
    ["now() - duration('1h')", "2026-01-02T02:04:05.678Z"],
    ["timestamp('2026-01-02T00:00:00Z') < now()", true],
    ["now() - timestamp('2026-01-02T03:04:05Z')", "678ms"],
    ["duration('90m')", "5400s"],
    ["b'abc'", "YWJj"],
  ])("%s", (source, value) => {
    if (value === undefined) return expect(failure(source)).toContain("there is no 'index' here");
    expect(valueOf(source, scope)).toEqual(value);
  });

  test("nothing of the prototypes of JavaScript", () => {
    for (const name of ["constructor", "__proto__", "toString", "prototype", "hasOwnProperty", "valueOf", "length"]) {
      for (const of of ["input", "input.s", "input.list", "input.o", "input.n", "tasks", "[1]", "{'a': 1}"]) {
        expect(failure(`${of}["${name}"]`)).not.toContain("gives");
        expect(failure(`${of}.${name}`)).not.toContain("gives");
        expect(failure(`${of}.${name}("return 1")()`)).not.toContain("gives");
      }
    }
    expect(failure("{'__proto__': {'polluted': true}}.polluted")).not.toContain("gives");
    expect(({} as { polluted?: unknown }).polluted).toBe(undefined);
  });

  test.each<[string, string]>([
    ["9007199254740993", "too big for JSON"],
    ["0.0 / 0.0", "NaN is no number of JSON"],
    ["1 / 0", "division by zero"],
    ["type(1)", "a type is no JSON value"],
    ["input.s + input.n", "no such overload: string + double"],
    ["input.list[9]", "there is no '9'"],
    ["signal.payload", "there is no 'signal' here"],
    ["input.n ? 1 : 2", "must be bool"],
    ["timestamp('soon')", "ISO 8601"],
    ["now().getHours('Mars/Olympus')", "Invalid time zone"],
    ["regex(input.s, '(')", "parsing"],
    ["has(1 + 1)", "has() asks for a field"],
  ])("an error for %s", (source, says) => {
    expect(failure(source)).toContain(says);
  });

  test("no time where none is known", () => {
    const { now: _now, ...timeless } = scope;
    expect(failure("now()", timeless)).toContain("there is no now() here");
  });
});

describe("X1: a hostile expression", () => {
  const big = Array.from({ length: 20_000 }, (_, index) => index);
  const long = "a".repeat(200_000);
  const hostile: Scope = {
    ...scope,
    input: { big, huge: Array(100_001).fill(0), long, texts: Array(5_000).fill(long) },
  };
  const binds = (depth: number, start: string, step: string): string =>
    Array.from({ length: depth }, (_, at) => `cel.bind(x${at + 1}, ${step.replaceAll("x", `x${at}`)}, `)
      .reduceRight((inner, bind) => `${bind}${inner})`, `x${depth}`)
      .replace(/^/, `cel.bind(x0, ${start}, `) + ")";

  test.each<[name: string, source: string, says: string]>([
    ["loops in a loop over a big list", "input.big.map(x, input.big.map(y, x + y))", "too much work"],
    ["loops whose errors are swallowed", "input.big.exists(x, input.big.exists(y, x + y == -1))", "too much work"],
    ["hides its loops behind ||", "input.big.all(x, input.big.all(y, y >= 0)) || true", "too much work"],
    ["hides its loops in default", "default(input.big.map(x, input.big.map(y, y)), 1)", "too much work"],
    ["hides its loops in has", "has(input.big.map(x, input.big.map(y, y))[0])", "too much work"],
    ["looks for each item of a list in it", "input.big.filter(x, x in input.big)", "too much work"],
    ["compares lists again and again", "input.big.filter(x, input.big == input.big + [])", "too much work"],
    ["three loops in each other", "[1].map(a, [1].map(b, [1].map(c, 1)))", "nested more than 2 deep"],
    ["walks a list that is too long", "input.huge.map(x, x)", "a list has 100001 items"],
    ["doubles a text", binds(14, "input.long", "x + x"), "a text has"],
    ["doubles a list", binds(14, "input.big", "x + x"), "a list has"],
    ["doubles what it gives", binds(14, "input.big", "[x, x]"), "too much"],
    ["makes many long texts", "input.texts.map(x, x)", "a text has"],
    ["joins long texts", "input.texts.join('')", "too much work"],
    ["joins as JSON", "json(input.texts)", "a text has"],
    ["splits a text into its letters", "input.long.split('')", "a list has"],
    ["looks for a long text in a long text", "input.long.lastIndexOf('b' + input.long)", "too much work"],
    ["a pattern that backtracks", "input.long.matches('^(a+)+b$')", "gives false"],
    ["a pattern that is a bomb", "input.long.matches('((a{0,100}){0,100}){0,100}b')", "repeat"],
    ["a pattern of many states", "input.long.matches('(a?){900}b(a?){900}')", "too much work"],
    ["matches again and again", "input.texts.filter(x, x.matches('(a|aa)+$'))", "too much work"],
    ["a pattern of no end", `input.long.matches('${"a".repeat(2_000)}')`, "at most 1000"],
    ["no duration", "duration(input.long)", "no duration"],
    ["digits without end", "duration('1' + input.long)", "no duration"],
    ["time zones without end", "input.big.map(x, now().getHours('Asia/Tokyo'))", "too much work"],
    ["deep brackets", `${"(".repeat(100)}1${")".repeat(100)}`, "maxDepth"],
    ["deep lists", `${"[".repeat(100)}1${"]".repeat(100)}`, "maxDepth"],
    ["signs without end", `${"!".repeat(8_000)}true`, "max"],
    ["dots without end", `input${".a".repeat(4_000)}`, "there is no 'a'"],
    ["brackets without end", `input${"['a' + 'b']".repeat(500)}`, "max"],
    ["nodes without end", Array(600).fill("1").join("+"), "maxAstNodes"],
    ["quotes without end", `"${"\\'".repeat(500_000)}`, "at most 8192"],
    ["letters without end", `'${"a".repeat(10_000)}'`, "at most 8192"],
  ])("that %s ends", (_name, source, says) => {
    expect(failure(source, hostile).slice(0, 400)).toContain(says);
  });

  test("does not spoil what comes after it", () => {
    expect(failure("input.big.map(x, input.big.map(y, y))", hostile)).toContain("too much work");
    expect(valueOf("input.big.map(x, x + 1).size()", hostile)).toBe(20_000);
    expect(valueOf("[1, 2].map(x, [1].map(y, x + y))", hostile)).toEqual([[2], [3]]);
  });

  test("is not kept for ever", () => {
    for (let index = 0; index < 12_000; index++) expressionOf(`input.a${index} + 1`);
    expect(valueOf("input.n + 1", scope)).toBe(2.5);
  });
});

describe("properties", () => {
  const atoms = fc.constantFrom(
    ..."input input.n input.s input.list input.o input.nothing tasks.a.output.v error x 1 2.5 3u 'a' b'a'".split(" "),
    ..."true null [] {} now() duration('1s') int item tasks".split(" "),
  );
  const { any } = fc.letrec<{ any: string }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      atoms,
      fc
        .tuple(
          tie("any"),
          fc.constantFrom("+", "-", "*", "/", "%", "==", "!=", "<", ">=", "&&", "||", "in"),
          tie("any"),
        )
        .map(([left, operator, right]) => `(${left} ${operator} ${right})`),
      fc.tuple(fc.constantFrom("!", "-"), tie("any")).map(([sign, of]) => `${sign}${of}`),
      fc.tuple(tie("any"), tie("any")).map(([of, at]) => `${of}[${at}]`),
      fc.tuple(tie("any"), tie("any"), tie("any")).map(([one, two, three]) => `(${one} ? ${two} : ${three})`),
      fc
        .tuple(tie("any"), fc.constantFrom("a", "n", "x", "constructor", "__proto__"))
        .map(([of, name]) => `${of}.${name}`),
      fc
        .tuple(fc.constantFrom("size", "json", "string", "int", "type", "double", "dyn", "has", "bytes"), tie("any"))
        .map(([name, of]) => `${name}(${of})`),
      fc
        .tuple(tie("any"), fc.constantFrom("map", "filter", "all", "exists", "exists_one"), tie("any"))
        .map(([of, name, step]) => `${of}.${name}(x, ${step})`),
      fc
        .tuple(tie("any"), fc.constantFrom("matches", "split", "contains", "join", "startsWith", "indexOf"), tie("any"))
        .map(([of, name, given]) => `${of}.${name}(${given})`),
      fc.tuple(tie("any"), tie("any")).map(([one, two]) => `default(${one}, ${two})`),
      fc.tuple(tie("any"), tie("any")).map(([one, two]) => `[${one}, ${two}]`),
      fc.tuple(tie("any"), tie("any")).map(([one, two]) => `{${one}: ${two}}`),
    ),
  }));

  test("X2: any expression gives JSON or an EXPRESSION_ERROR, and the same again", () => {
    fc.assert(
      fc.property(any, (source) => {
        const first = failure(source);
        expect(failure(source)).toBe(first);
        expect(first.length).toBeGreaterThan(0);
      }),
      { numRuns: 2_000 },
    );
  });

  test("any text gives JSON or an EXPRESSION_ERROR", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (source) => failure(source).length > 0),
      { numRuns: 1_000 },
    );
  });

  const awkward = fc
    .tuple(fc.constantFrom("constructor", "__proto__", "toString", "valueOf", "nanos", "length"), fc.jsonValue())
    .map(([key, value]): unknown => Object.fromEntries([[key, value]]));

  test("data of any shape is compared, counted and written without a crash", () => {
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), awkward), (any) => {
        const value = JSON.parse(JSON.stringify(any)) as unknown;
        const given = { ...scope, input: { value } };
        expect(valueOf("input.value == input.value", given)).toBe(true);
        expect(valueOf("[input.value].map(x, x == input.value)[0]", given)).toBe(true);
        expect(JSON.parse(String(valueOf("json(input.value)", given)))).toEqual(value);
        expect(valueOf("[input.value, 1]", given)).toEqual([value, 1]);
        expect(valueOf("has(input.value.nope) || size([input.value]) == 1", given)).toBe(true);
      }),
    );
  });
});
