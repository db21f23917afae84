// Goal: a project of YAML and TypeScript is loaded as one model, with its defaults; and no text crashes the loader.
// Method: the examples of the language, projects written into a folder, and texts: random ones, and good ones spoilt.
// What a module does wrong is in the corpus, which a Node of its own loads.

import fc from "fast-check";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { checkProject, checkWorkflow } from "../../src/language/check.ts";
import { loadProject, loadWorkflow } from "../../src/language/load.ts";
import { readYaml } from "../../src/language/yaml-source.ts";
import { treeOf } from "../kit/tree.ts";

const root = mkdtempSync(join(tmpdir(), "troupe-load-"));
afterAll(() => rmSync(root, { recursive: true }));

let count = 0;
/** A folder with these files. */
function folderOf(files: Readonly<Record<string, string>>): string {
  const folder = join(root, String(++count));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}
const project = "version: 1\nname: made\n";
const tool = "{ id: look, kind: command, command: [look] }";

describe("a project", () => {
  test("of every example of the language loads without a problem", async () => {
    const { spec, workflows, agents, tools, problems, files } = await loadProject(join(import.meta.dirname, "good"));
    expect(problems).toEqual([]);
    expect(spec).toMatchObject({ version: 1, name: "shop" });
    const ids = ["crawl", "onboard", "pay_all", "payout", "quote", "refund"];
    expect(workflows.map(({ id }) => id).sort()).toEqual(ids);
    // Those of single workflows are there too.
    expect(agents.map(({ id }) => id)).toEqual(["judge", "clerk"]);
    expect(tools.map(({ id }) => id)).toEqual(expect.arrayContaining(["orders", "note"]));
    expect([...files.keys()].sort()).toEqual(["troupe.yaml", ...ids.map(fileOf)].sort());
  });
  const fileOf = (id: string): string => `workflows/${id}.${id === "onboard" ? "ts" : "yaml"}`;

  test("means the same in YAML and in TypeScript, and has the same problems", async () => {
    const spec = {
      id: "same",
      tasks: [
        { id: "a", type: "tool", tool: "look", nxt: "b" },
        { id: "b", type: "tool" },
      ],
    };
    const inYaml = folderOf({ "troupe.yaml": project, "workflows/same.yaml": JSON.stringify(spec) });
    const asModule = `const spec = ${JSON.stringify(spec)};\nexport default spec;\n`;
    const inCode = folderOf({ "troupe.yaml": project, "workflows/same.ts": asModule });
    const said = async (folder: string): Promise<unknown> =>
      (await loadProject(folder)).problems.map(({ code, message, path, hint }) => ({ code, message, path, hint }));
    expect(await said(inCode)).toEqual(await said(inYaml));
    expect(await said(inYaml)).toHaveLength(4);
    const lines = async (folder: string): Promise<number[]> =>
      (await loadProject(folder)).problems.map(({ line }) => line);
    expect([...(await lines(inYaml)), ...(await lines(inCode))]).toEqual(Array.from({ length: 8 }, () => 1));
  });

  test("may be written in TypeScript altogether", async () => {
    const look = JSON.stringify({ id: "look", kind: "command", command: ["look"] });
    const text = `export default { version: 1, name: "made", tools: [${look}] };\n`;
    const flow = 'export default { id: "f", tasks: [{ id: "a", type: "tool", tool: "look" }] };\n';
    const loaded = await loadProject(folderOf({ "troupe.ts": text, "workflows/f.ts": flow }));
    expect(loaded).toMatchObject({ problems: [], spec: { name: "made" }, workflows: [{ id: "f" }] });
  });

  test("that is not there says so, and where it was looked for", async () => {
    const empty = folderOf({ "readme.md": "nothing\n" });
    const { problems, spec } = await loadProject(empty);
    expect(spec).toBeUndefined();
    expect(problems).toMatchObject([
      { file: "troupe.yaml", line: 1, col: 1, message: `there is no troupe.yaml in ${empty}` },
    ]);
    expect((await loadProject(join(empty, "nowhere"))).problems).toMatchObject([
      { message: expect.stringContaining("there is no folder") as string },
    ]);
  });

  test("takes the files that its globs name, each once, and warns of a glob that names none", async () => {
    const flow = (id: string): string => `id: ${id}\ntasks: [{ id: a, type: tool, tool: look }]\n`;
    const globs = `${project}workflows: ["flows/**/*.yaml", flows/a.yaml, none/*.yaml]\ntools: [${tool}]\n`;
    const files = {
      "troupe.yaml": globs,
      "flows/a.yaml": flow("a"),
      "flows/in/b.yaml": flow("b"),
      "workflows/c.yaml": "-",
    };
    const { workflows, problems } = await loadProject(folderOf(files));
    expect(workflows.map(({ id }) => id)).toEqual(["a", "b"]);
    expect(problems).toMatchObject([
      { code: "BAD_VALUE", severity: "warning", line: 3, message: '"none/*.yaml" matches no file' },
    ]);
  });

  test("fills in its defaults where a task and its callee say nothing", async () => {
    const settings = "defaults: { timeout: 7s, retry: { max_attempts: 4 } }\n";
    const tools = `tools: [${tool}, { id: slow, kind: command, command: [slow], timeout: 1h }]\n`;
    const flow = `id: f
tasks:
  - { id: a, type: tool, tool: look, next: b, undo: [{ id: u, type: tool, tool: look }] }
  - { id: b, type: tool, tool: slow, timeout: 1s, retry: { max_attempts: 2 }, next: c }
  - { id: c, type: each, items: [1], do: [{ id: d, type: tool, tool: slow }], next: e }
  - { id: e, type: parallel, branches: { x: [{ id: f, type: signal, signal: go }] }, next: g }
  - { id: g, type: wait, wait: { duration: 1m } }
`;
    const { workflows, problems } = await loadProject(
      folderOf({ "troupe.yaml": project + settings + tools, "workflows/f.yaml": flow }),
    );
    expect(problems).toEqual([]);
    const retry = { max_attempts: 4 };
    const [a, b, c, e, g] = workflows[0]?.tasks ?? [];
    expect(a).toMatchObject({ timeout: "7s", retry, undo: [{ timeout: "7s", retry }] });
    expect(b).toMatchObject({ timeout: "1s", retry: { max_attempts: 2 } });
    expect(c).toMatchObject({ do: [{ id: "d", retry }] });
    expect(JSON.stringify(c)).not.toContain("timeout");
    expect(e).toMatchObject({ branches: { x: [{ timeout: "7s", retry }] } });
    expect(g).toEqual({ id: "g", type: "wait", wait: { duration: "1m" } });
  });

  test("gives of its workflows only those that are sound", async () => {
    const sound = "id: a\ntasks: [{ id: t, type: tool, tool: look }]\n";
    const files = {
      "troupe.yaml": `${project}tools: [${tool}]\n`,
      "workflows/a.yaml": sound,
      "workflows/b.yaml": "id: b\n",
    };
    const { workflows, problems } = await loadProject(folderOf(files));
    expect(workflows).toMatchObject([{ id: "a" }]);
    expect(problems).toMatchObject([{ file: "workflows/b.yaml", code: "MISSING_KEY" }]);
  });
});

test("one workflow by itself may name whatever it likes", async () => {
  const folder = folderOf({ "a.yaml": "id: a\ntasks: [{ id: t, type: tool, tool: anything }]\n", "b.yaml": "id: b\n" });
  expect(await loadWorkflow(join(folder, "a.yaml"))).toMatchObject({ spec: { id: "a" }, problems: [] });
  const broken = await loadWorkflow(join(folder, "b.yaml"));
  expect(broken.spec).toBeUndefined();
  expect(broken).toMatchObject({ problems: [{ file: "b.yaml", line: 1, col: 1 }] });
  expect(await loadWorkflow(join(folder, "c.yaml"))).toMatchObject({
    problems: [{ message: expect.stringContaining("it is not there") as string }],
  });
});

test("a module that has changed is loaded anew", async () => {
  const text = (id: string): string =>
    `export default { id: "${id}", tasks: [{ id: "t", type: "tool", tool: "x" }] };\n`;
  const folder = folderOf({ "flow.ts": text("before") });
  expect((await loadWorkflow(join(folder, "flow.ts"))).spec?.id).toBe("before");
  writeFileSync(join(folder, "flow.ts"), text("after"));
  expect((await loadWorkflow(join(folder, "flow.ts"))).spec?.id).toBe("after");
});

test("an alias is what it stands for, and is written out anew each time", () => {
  const { value, flaws } = readYaml("a: &x { n: [1, &y 2] }\nb: *x\nc: *y\n");
  expect(flaws).toEqual([]);
  expect(value).toEqual({ a: { n: [1, 2] }, b: { n: [1, 2] }, c: 2 });
  const { a, b } = value as { a: object; b: object };
  expect(a).not.toBe(b);
});

test("globs stay in the folder of the project, and out of its packages", async () => {
  const flow = "id: f\ntasks: [{ id: a, type: tool, tool: look }]\n";
  const globs = `workflows: ["**/*.yaml", ../*.yaml, /etc/*, "{a,b}{a,b}{a,b}{a,b}{a,b}"]\n`;
  const files = { "troupe.yaml": project + globs, "node_modules/a/f.yaml": flow, "f.yaml": flow };
  const { problems, files: read } = await loadProject(folderOf(files));
  expect(problems.map(({ code }) => code).sort()).toEqual(["BAD_VALUE", "BAD_VALUE", "BAD_VALUE", "UNKNOWN_TOOL"]);
  expect([...read.keys()].sort()).toEqual(["f.yaml", "troupe.yaml"]);
});

// Each would take minutes if the work grew with the square of what is written.
test.each<[string, () => unknown]>([
  ["tasks", () => ({ tasks: chain(9_000) })],
  [
    "ways to nowhere",
    () => ({
      tasks: [
        { ...step(0), on_error: Array.from({ length: 40_000 }, (_, at) => ({ next: `n${at}` })) },
        ...chain(900, 1),
      ],
    }),
  ],
  [
    "long names that are nearly alike",
    () => ({
      tasks: [
        { ...step(0), next: "x".repeat(200_000) },
        { ...step(1), id: "y".repeat(200_000) },
      ],
    }),
  ],
  ["strange keys", () => Object.fromEntries(Array.from({ length: 40_000 }, (_, at) => [`key${at}`, at]))],
  [
    "agents",
    () => ({
      tasks: chain(900),
      agents: Array.from({ length: 9_000 }, (_, at) => ({ id: `a${at}`, kind: "remote", env: [`E${at}`] })),
    }),
  ],
])("very many %s are no reason to take long", (_what, made) => {
  const known = { agents: new Map(), tools: new Map([["look2", {}]]), env: new Set<string>() };
  expect(checkWorkflow({ id: "w", ...(made() as object) }, known).length).toBeGreaterThan(0);
});
const step = (at: number): object => ({ id: `t${at}`, type: "tool", tool: "look", with: "${{ input }}" });
const chain = (count: number, from = 0): object[] =>
  Array.from({ length: count }, (_, at) => ({
    ...step(from + at),
    ...(at < count - 1 && { next: `t${from + at + 1}` }),
  }));

// ── whatever stands in a file ──

const good = [...treeOf("test/language/good/**/*.yaml").values()];

/** Everything is asked of a text that is asked when it is loaded; each place has to be one in the text. */
function load(text: string): void {
  const { value, flaws, offsetOf } = readYaml(text);
  for (const { offset } of flaws) expect(offset).toBeLessThanOrEqual(text.length);
  for (const { path, code, offset } of [...checkWorkflow(value), ...checkProject(value)]) {
    const at = offsetOf(path, code === "UNKNOWN_KEY" ? "key" : "value", offset);
    expect(at >= 0 && at <= text.length).toBe(true);
  }
}

const yaml = [
  "id: ",
  "tasks:",
  "\n",
  "  ",
  "- ",
  "{ ",
  " }",
  "[",
  "]",
  ", ",
  "a",
  "&a ",
  "*a ",
  "!t ",
  '"',
  "'",
  "|\n",
];
const odd = [
  ">-\n",
  "? ",
  ": ",
  "#",
  "---\n",
  "...\n",
  "%YAML 1.1\n",
  "<<: ",
  "\t",
  "\r\n",
  "\uFEFF",
  "${{ ",
  " }}",
  "~",
];
const rare = ["type: tool", "0x1", ".inf", "1e999", "__proto__", "\u2028", "\u{1F469}", "\uD800", "@", "`", "\\", "\0"];
const pieces = fc.constantFrom(...yaml, ...odd, ...rare);

test("no text crashes it or keeps it: random pieces of YAML", () => {
  const text = fc.array(pieces, { maxLength: 60 }).map((parts) => parts.join(""));
  fc.assert(fc.property(text, load), { numRuns: 2_000 });
});

test("no text crashes it or keeps it: any text at all", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), load), { numRuns: 1_000 });
});

test("no text crashes it or keeps it: good files with something cut out, put in or said twice", () => {
  const spoil = fc.record({
    file: fc.nat(good.length - 1),
    from: fc.nat(4_000),
    length: fc.nat(40),
    put: fc.array(pieces, { maxLength: 3 }),
    isTwice: fc.boolean(),
  });
  fc.assert(
    fc.property(spoil, ({ file, from, length, put, isTwice }) => {
      const text = good[file] ?? "";
      const at = from % text.length;
      const cut = text.slice(at, at + length);
      load(text.slice(0, at) + put.join("") + (isTwice ? cut + cut : "") + text.slice(at + length));
    }),
    { numRuns: 400 },
  );
});
