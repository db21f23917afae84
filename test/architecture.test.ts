// Who may import whom inside src: a table, and whatever is not in it is refused.
//
// Method: every import of every file is read from its text (types, re-exports and import() too) and looked up. The
// same checker is run over planted breaches, and over nothing at all, and must complain.

import { posix } from "node:path";
import { describe, expect, test } from "vitest";
import { manifest, treeOf, type Tree } from "./kit/tree.ts";

const allFolders = ["runtime", "actors", "language", "machines", "transport", "store", "agents", "tools", "protocol"];

// Folder or top-level file of src → the folders, single files, packages and built-ins it may import. A new package or
// built-in is a word in its owner's line, and nowhere else. Where a folder has an interface and implementations,
// only the interface is named: who uses a store must not know which one it is.
const mayImport: Readonly<Record<string, readonly string[]>> = {
  protocol: ["zod", "node:crypto"],
  machines: ["protocol", "xstate"],
  transport: [
    "protocol",
    "@nats-io/transport-node",
    "@nats-io/jetstream",
    "@nats-io/kv",
    "@nats-io/obj",
    "node:child_process",
    "node:crypto",
    "node:fs",
    "node:module",
    "node:path",
  ],
  store: ["protocol", "node:sqlite", "node:worker_threads", "node:zlib", "node:crypto", "node:fs", "node:path"],
  // Types: what limits look like is the same in YAML.
  agents: ["protocol", "language"],
  tools: ["protocol", "language"],
  language: [
    "protocol",
    "yaml",
    "@marcbachmann/cel-js",
    "re2js",
    "croner",
    "ajv",
    "ajv-formats",
    "zod",
    "node:crypto",
    "node:fs",
    "node:module",
    "node:path",
    "node:url",
    // Definitions in TypeScript are loaded by their names.
    "?",
  ],
  actors: [
    "machines",
    "language",
    "transport/transport",
    "store/store",
    "agents/agent",
    "tools/tool",
    "protocol",
    "xstate",
    "node:async_hooks",
    "node:crypto",
    "node:path",
    "node:url",
    // The module of a handler is loaded by its name.
    "?",
  ],
  gateway: [
    "runtime",
    "language",
    "machines",
    "store/store",
    "protocol",
    "version",
    "fastify",
    "ws",
    "zod",
    "node:crypto",
    "node:events",
    "node:fs",
    "node:http",
    "node:https",
    "node:net",
    "node:path",
    "node:stream",
    "node:url",
    "node:zlib",
  ],
  // What `troupe up` is made of: the place that puts a troupe and a gateway into one process.
  daemon: [
    "gateway",
    "runtime",
    "actors/clock",
    "actors/limits",
    "actors/stray",
    "actors/supervisor",
    "language",
    "store",
    "transport",
    "protocol",
    "version",
    "pino",
    "prom-client",
    "@opentelemetry/api",
    "close-with-grace",
    "zod",
    "node:crypto",
    "node:fs",
    "node:os",
    "node:https",
    "node:http",
    "node:net",
    "node:path",
    "node:url",
    "node:util",
  ],
  runtime: [
    "actors",
    "language",
    "machines",
    "transport",
    "store",
    "agents",
    "tools",
    "protocol",
    "version",
    "zod",
    "version",
    "zod",
    "node:crypto",
    "node:fs",
    "node:path",
    "node:util",
  ],
  testing: [
    ...allFolders,
    "gateway/bundle-file",
    "xstate",
    "fast-check",
    "node:crypto",
    "node:fs",
    "node:path",
    "node:util",
  ],
  // A runtime by itself: charts and functions of agents and tools, and of the engine nothing that keeps or leads.
  serve: [
    "actors/clock",
    "actors/component",
    "actors/handlers",
    "actors/limits",
    "actors/redact",
    "actors/redelivery",
    "actors/refuser",
    "actors/run",
    "actors/stray",
    "machines",
    "language",
    "transport",
    "agents",
    "tools",
    "protocol",
    "xstate",
    "node:fs",
  ],
  // The daemon's side, played: what it holds a runtime to comes from the protocol alone.
  conformance: [
    "actors/clock",
    "transport",
    "protocol",
    "node:child_process",
    "node:fs",
    "node:os",
    "node:path",
    "node:util",
  ],
  cli: [
    "gateway/contract",
    "gateway/client",
    "gateway/shapes",
    "gateway/tokens",
    "store/key-file",
    "conformance",
    "daemon",
    "runtime",
    "language",
    "testing",
    "transport/nats-permissions",
    "protocol",
    "version",
    "commander",
    "@clack/prompts",
    "node:child_process",
    "node:crypto",
    "node:fs",
    "node:os",
    "node:path",
    "node:readline",
    "node:timers",
    "node:url",
    "node:util",
  ],
  index: [...allFolders, "version"],
  version: ["node:module"],
};
const everyoneMayImport = ["node:assert"];

// Rather one match too many than too few: a false alarm is seen, a missed import is not.
const forms = [
  /\bfrom\s*["']([^"'\n]+)["'](?=\s*(?:;|$|with\b))/gm, // import … from, export … from, over any number of lines
  /(?:^|;)\s*import\s*["']([^"'\n]+)["']/gm, // import for its effect
  /\bimport\s*\(\s*(?:["'`]([^"'`\n]+)["'`]\s*[,)])?/g, // import() as value or type; anything but a literal is "?"
  /\brequire\s*\(\s*["'`]([^"'`\n]+)["'`]/g,
];

function importsOf(text: string): string[] {
  const code = text.replace(/^\s*(?:\/\/|\*|\/\*).*$/gm, "");
  return forms.flatMap((form) => [...code.matchAll(form)].map((match) => match[1] ?? "?"));
}

const fileOf = (path: string): string => path.replace(/^src\//, "").replace(/\.[a-z]+$/, "");
const unitOf = (path: string): string => fileOf(path).split("/")[0] ?? "";

/** `folder/file` inside src, the package or built-in without its subpath, or `./path` for what lies outside src. */
function targetOf(path: string, specifier: string): string {
  if (!specifier.startsWith(".")) return /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
  const target = posix.join(posix.dirname(path), specifier);
  return target.startsWith("src/") ? fileOf(target) : `./${target}`;
}

function breachesOf(files: Tree): string[] {
  if (files.size === 0) return ["no files were read"];
  return [...files].flatMap(([path, text]) => {
    const allowed = mayImport[unitOf(path)];
    if (allowed === undefined) return [`${path}: "${unitOf(path)}" is not in the table`];
    return importsOf(text)
      .map((specifier) => targetOf(path, specifier))
      .filter((target) => target.split("/")[0] !== unitOf(path))
      .filter((target) => !isAllowed(target, [...allowed, ...everyoneMayImport]))
      .map((target) => `${path} may not import ${target}`);
  });
}

const isAllowed = (target: string, allowed: readonly string[]): boolean =>
  allowed.some((entry) => target === entry || (!entry.startsWith("node:") && target.startsWith(`${entry}/`)));

describe("the code", () => {
  const files = treeOf("src/**/*.ts");

  test("no file of src imports what its folder may not", () => {
    expect(breachesOf(files)).toEqual([]);
  });

  test("the checker saw the files it is there for, and their imports", () => {
    expect(files.size).toBeGreaterThan(10);
    expect([...files.values()].flatMap(importsOf).length).toBeGreaterThan(files.size);
  });

  test("every package that src imports is a dependency, not a development dependency", () => {
    const packages = [...files].flatMap(([path, text]) =>
      importsOf(text)
        .filter((specifier) => !/^(?:\.|node:|\?)/.test(specifier))
        .map((specifier) => targetOf(path, specifier)),
    );
    expect(Object.keys(manifest.dependencies)).toEqual(expect.arrayContaining(packages));
  });
});

describe("the checker", () => {
  const allowed: readonly (readonly [path: string, text: string])[] = [
    ["src/machines/a.ts", 'import { b } from "./b.ts";\nimport { c } from "../protocol/c.ts";'],
    ["src/actors/a.ts", 'import type { Store } from "../store/store.ts";'],
    ["src/protocol/a.ts", 'import * as z from "zod/v4";\nimport { strict } from "node:assert/strict";'],
    ["src/index.ts", 'export { version } from "./version.ts";'],
    ["src/store/a.ts", '// import { x } from "../actors/x.ts";\n * import("../actors/x.ts")'],
  ];
  test.each(allowed)("%s may say %j", (path, text) => {
    expect(breachesOf(new Map([[path, text]]))).toEqual([]);
  });

  const planted: readonly (readonly [path: string, text: string, target: string])[] = [
    ["src/protocol/a.ts", 'import { b } from "../machines/b.ts";', "machines/b"],
    ["src/protocol/a.ts", 'import type { B } from "../machines/b.ts";', "machines/b"],
    ["src/protocol/a.ts", 'import {\n  one, // it is not two\n  type Two,\n} from "../machines/b.ts";', "machines/b"],
    ["src/machines/a.ts", 'export * from "../store/store.ts";', "store/store"],
    ["src/machines/a.ts", 'export type { B } from "../actors/b.ts";', "actors/b"],
    ["src/machines/a.ts", 'import "../actors/b.ts";', "actors/b"],
    ["src/machines/a.ts", 'const b = await import("../actors/b.ts");', "actors/b"],
    ["src/machines/a.ts", 'type B = import("../actors/b.ts").B;', "actors/b"],
    ["src/machines/a.ts", "const b = await import(name);", "?"],
    ["src/machines/a.ts", 'const b = require("node:fs");', "node:fs"],
    ["src/machines/a.ts", 'import { z } from "zod";', "zod"],
    ["src/machines/a.ts", 'import data from "../../package.json" with { type: "json" };', "./package.json"],
    ["src/machines/a.ts", 'import { errors } from "troupe/protocol";', "troupe"],
    ["src/actors/a.ts", 'import { sqliteStore } from "../store/sqlite.ts";', "store/sqlite"],
    ["src/gateway/a.ts", 'import { up } from "../daemon/daemon.ts";', "daemon/daemon"],
    ["src/protocol/a.ts", 'import { readFileSync } from "node:fs";', "node:fs"],
    ["src/protocol/a.ts", 'import { kit } from "../../test/kit/kit.ts";', "./test/kit/kit.ts"],
    ["src/machines/a.ts", 'import { b } from "../../protocol/b.ts";', "./protocol/b.ts"],
    ["src/protocol/a.ts", 'import { b } from "@scope/package/deep";', "@scope/package"],
  ];
  test.each(planted)("%s may not say %j", (path, text, target) => {
    expect(breachesOf(new Map([[path, text]]))).toEqual([`${path} may not import ${target}`]);
  });

  test("a folder or file of src that the table does not name is refused", () => {
    expect(breachesOf(new Map([["src/extras/a.ts", ""]]))).toEqual(['src/extras/a.ts: "extras" is not in the table']);
    expect(breachesOf(new Map([["src/extras.ts", ""]]))).toHaveLength(1);
  });

  test("no files at all are a breach", () => {
    expect(breachesOf(new Map())).toHaveLength(1);
  });
});
