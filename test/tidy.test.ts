// What no compiler checks in the code itself: its purpose lines, its named invariants, its length, its words.
//
// Method: each rule is a function from the tree of files to complaints. It must find nothing in the repository and
// must find what is planted.

import { describe, expect, test } from "vitest";
import { treeOf, type Tree } from "./kit/tree.ts";

const columnsMax = 120;
const linesMax = 400;

type Rule = (files: Tree) => string[];

/** A rule that looks at one file at a time. */
const each =
  (paths: RegExp, complaints: (path: string, text: string) => string[]): Rule =>
  (files) =>
    [...files]
      .filter(([path]) => paths.test(path))
      .flatMap(([path, text]) => complaints(path, text).map((complaint) => `${path}: ${complaint}`));

const isCode = /^(?:(?:src|test|scripts|bench|bin)\/.*\.(?:ts|mjs|js)|vitest\.config\.ts|\.ci\/run)$/;
const linesOf = (text: string): string[] => text.replace(/\n$/, "").split("\n");

// A `//` comment at the very top, whose first paragraph is a sentence.
const purpose = each(/^(?:src|test|scripts|bench|bin)\/.*\.(?:ts|mjs|js)$/, (_path, text) => {
  const first = /^(?:#!.*\n)?((?:\/\/ .*\n)+)/.exec(text)?.[1] ?? "";
  return /^\/\/ [A-Z`"\d][^]*[.:?]\n$/.test(first) ? [] : ["does not open with a sentence that says what it is for"];
});

// The ids under `Invariants`, each on a comment line of its own: `//   A1. …`.
function invariantsOf(text: string): string[] {
  const headers = text.matchAll(/^\/\/ .*\bInvariants\b.*\n((?:\/\/.*\n)*)/gm);
  return [...headers].flatMap(([, list = ""]) =>
    [...list.matchAll(/^\/\/\s+([A-Z]{1,2}\d+)\. /gm)].map(([, id = ""]) => id),
  );
}

// The tests of src/<folder>/<name>.ts are test/<folder>/<name>*.test.ts; where two sources fit, the longer name has
// it. An id counts as tested when a string there begins with it and a colon: `test("A1: …")`.
const invariants: Rule = (files) => {
  const sources = [...files.keys()].filter((path) => path.startsWith("src/"));
  const stemOf = (source: string): string => source.replace(/^src\//, "test/").replace(/\.ts$/, "");
  const isTestOf = (path: string, source: string): boolean =>
    path.endsWith(".test.ts") &&
    path.startsWith(stemOf(source)) &&
    !path.slice(stemOf(source).length).includes("/") &&
    !sources.some((other) => other.length > source.length && path.startsWith(stemOf(other)));
  return sources.flatMap((source) => {
    const tests = [...files].filter(([path]) => isTestOf(path, source)).map(([, text]) => text);
    const code = tests.join("\n").replace(/^\s*\/\/.*$/gm, "");
    return invariantsOf(files.get(source) ?? "")
      .filter((id) => !new RegExp(`["'\`]${id}: `).test(code))
      .map((id) => `${source}: no test in ${stemOf(source)}*.test.ts is named "${id}: …"`);
  });
};

const columns = each(isCode, (_path, text) =>
  linesOf(text).flatMap((line, index) =>
    line.length > columnsMax ? [`line ${index + 1} has ${line.length} columns`] : [],
  ),
);

const length = each(isCode, (_path, text) =>
  linesOf(text).length > linesMax ? [`has ${linesOf(text).length} lines`] : [],
);

// A name that says "and the rest" collects the rest.
const names = each(isCode, (path) => {
  const drawer = /(?:^|[/.-])(utils?|helpers?|common|types|core|shared|lib|misc)(?=[/.-])/.exec(path)?.[1];
  return drawer === undefined ? [] : [`"${drawer}" says nothing about what is inside`];
});

const bannedInCode: readonly RegExp[] = [
  /\b(?:TODO|FIXME)\b/,
  /\bas any\b(?! [a-z])/,
  /@ts-(?:ignore|nocheck)\b/,
  /\b(?:test|it|describe)\.(?:only|skip|todo)\b/,
];
// Paths of the machine it was written on.
const bannedAnywhere: readonly RegExp[] = [/(?<![\w.])\/(?:home|root|Users|work)\/\w/];

const find = (banned: readonly RegExp[], text: string): string[] =>
  banned.flatMap((pattern) => {
    const found = pattern.exec(text);
    return found === null ? [] : [`says "${found[0]}"`];
  });
const itself = "test/tidy.test.ts";
const words: Rule = (files) => [
  ...each(isCode, (path, text) => (path === itself ? [] : find(bannedInCode, text)))(files),
  ...each(/./, (path, text) => (path === itself ? [] : find(bannedAnywhere, text)))(files),
];

const rules = { purpose, invariants, columns, length, names, words } satisfies Record<string, Rule>;

const files = treeOf(
  "{src,test,scripts,bench,bin}/**/*.{ts,mjs,js}",
  "{docs,examples}/**/*.{md,json,yaml}",
  "*.{md,json,ts}",
  ".ci/run",
  ".*.json",
);

describe("the repository", () => {
  test("is there to be read", () => {
    for (const path of ["src/version.ts", itself, "scripts/need-node24.mjs", "bin/troupe.js", ".ci/run"]) {
      expect(files.has(path), path).toBe(true);
    }
  });
  test("has invariants to look for", () => {
    expect([...files.values()].flatMap(invariantsOf).length).toBeGreaterThan(0);
  });
  test.each(Object.entries(rules))("keeps the rule of %s", (_name, rule) => {
    expect(rule(files)).toEqual([]);
  });
});

describe("a planted breach is found:", () => {
  const purposeLine = "// Adds two numbers.\n";
  const withInvariant = `${purposeLine}//\n// Invariants, asserted in its test:\n//   A1. It adds.\n`;
  const planted: readonly (readonly [rule: keyof typeof rules, what: string, files: Record<string, string>])[] = [
    ["purpose", "no comment", { "src/a.ts": "export {};\n" }],
    ["purpose", "a comment that is no sentence", { "test/a.test.ts": "// adds\n" }],
    ["purpose", "an import before the comment", { "scripts/a.mjs": `import "b";\n${purposeLine}` }],
    ["invariants", "no test file", { "src/x/a.ts": withInvariant }],
    ["invariants", "an id in a comment", { "src/x/a.ts": withInvariant, "test/x/a.test.ts": '// test("A1: adds")' }],
    ["invariants", "a longer id", { "src/x/a.ts": withInvariant, "test/x/a.test.ts": 'test("A11: adds")' }],
    ["invariants", "an id in another's test", { "src/x/a.ts": withInvariant, "test/x/b.test.ts": '"A1: adds"' }],
    [
      "invariants",
      "an id in the test of a longer name",
      { "src/x/a.ts": withInvariant, "src/x/ab.ts": purposeLine, "test/x/ab.test.ts": '"A1: adds"' },
    ],
    ["columns", "a long line", { "src/a.ts": `// ${"x".repeat(columnsMax - 2)}` }],
    ["length", "a long file", { "src/a.ts": "\n".repeat(linesMax + 1) }],
    ["names", "a drawer of a file", { "src/x/utils.ts": "" }],
    ["names", "a drawer at the end of a name", { "src/x/string-helpers.ts": "" }],
    ["names", "a drawer of a folder", { "src/common/a.ts": "" }],
    ["words", "work left over", { "src/a.ts": "// TODO: add" }],
    ["words", "a cast to any", { "src/a.ts": "const a = b as any;" }],
    ["words", "a muted compiler", { "src/a.ts": "// @ts-ignore" }],
    ["words", "a test that runs alone", { "test/a.test.ts": 'test.only("adds", add);' }],
    ["words", "a path of a machine", { "README.md": "see /root/troupe/src" }],
  ];
  test.each(planted)("%s, %s", (rule, _what, files) => {
    expect(rules[rule](new Map(Object.entries(files)))).toHaveLength(1);
  });

  test("and what is in order is not", () => {
    const orderly: Tree = new Map([
      ["src/x/a.ts", withInvariant],
      ["src/x/ab.ts", purposeLine],
      ["test/x/a.properties.test.ts", `${purposeLine}test("A1: it adds", add); // as any other does\n`],
    ]);
    expect(Object.values(rules).flatMap((rule) => rule(orderly))).toEqual([]);
  });
});
