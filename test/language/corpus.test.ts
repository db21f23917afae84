// Goal: each file of a corpus of bad ones is complained about with the right code, place, and words that help.
// Method: every file is put into a project and loaded by a Node of its own, since a test runner loads modules its own
// way; what `troupe validate` would print is compared with a text that people have read.

import { execFileSync } from "node:child_process";
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const corpus = join(import.meta.dirname, "corpus");
const folder = mkdtempSync(join(tmpdir(), "troupe-corpus-"));
afterAll(() => rmSync(folder, { recursive: true }));

type Loaded = { text: string; codes: string[]; places: [line: number, col: number][] };
let loaded: Record<string, Loaded> = {};

const namesIn = (pattern: string): string[] => globSync(pattern, { cwd: corpus }).sort();
const files = namesIn("workflows/*");
const projects = namesIn("projects/*");
const folders = namesIn("folders/*");

const many = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => line(index)).join("");
const chained = (index: number): string => {
  const next = index < 1_000 ? `, next: t${index + 1}` : "";
  return `  - { id: t${index}, type: tool, tool: look${next} }\n`;
};
const branch = (index: number): string => `      b${index}: [{ id: t${index}, type: tool, tool: look }]\n`;
const nested = `${"[".repeat(150)}${"]".repeat(150)}`;
const only = "tasks: [{ id: a, type: tool, tool: look }]\n";

/** What is too big to keep. */
const made: Readonly<Record<string, string>> = {
  "large-file": `id: large\n# ${"x".repeat(513 * 1_024)}\n`,
  "large-many-tasks": `id: many\ntasks:\n${many(1_001, chained)}`,
  "large-many-branches": `id: wide\ntasks:\n  - id: p\n    type: parallel\n    branches:\n${many(1_001, branch)}`,
  "deep-brackets": `id: deep\ntasks: ${"[".repeat(5_000)}\n`,
  "deep-values": `id: deep\ntasks: [{ id: a, type: tool, tool: look, with: ${nested} }]\n`,
  "deep-blocks": `id: deep\ntasks: ${deepBlock(17)}\n`,
  "many-defects": `id: many\n${many(600, (index) => `key${index}: 1\n`)}${only}`,
};

function deepBlock(levels: number): string {
  if (levels === 1) return "[{ id: leaf, type: tool, tool: look }]";
  return `[{ id: p${levels}, type: parallel, branches: { x: ${deepBlock(levels - 1)} } }]`;
}

function put(path: string, from: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  cpSync(join(corpus, from), join(folder, path), { recursive: true });
}

function project(name: string): void {
  put(`${name}/troupe.yaml`, "troupe.yaml");
  put(`${name}/workflows/other.yaml`, "other.yaml");
}

beforeAll(() => {
  for (const file of files) {
    const name = basename(file).replace(/\.(?:yaml|ts\.txt)$/, "");
    project(name);
    put(`${name}/workflows/${basename(file, ".txt")}`, file);
  }
  for (const file of projects) put(`${basename(file, ".yaml")}/troupe.yaml`, file);
  for (const name of folders) put(basename(name), name);
  for (const [name, text] of Object.entries(made)) {
    project(name);
    writeFileSync(join(folder, name, `workflows/${name}.yaml`), text);
  }
  const source = (name: string): string =>
    JSON.stringify(new URL(`../../src/language/${name}.ts`, import.meta.url).href);
  const program = `
    import { readdirSync } from "node:fs";
    import { loadProject } from ${source("load")};
    import { problemText } from ${source("problems")};
    const loaded = {};
    for (const name of readdirSync(".").sort()) {
      const { problems, files } = await loadProject(name);
      const texts = problems.slice(0, 25).map((problem) => problemText(problem, files.get(problem.file)));
      if (problems.length > 25) texts.push(\`… and \${problems.length - 25} more\`);
      loaded[name] = {
        text: texts.join("\\n"),
        codes: problems.map(({ code }) => code),
        places: problems.map(({ line, col }) => [line, col]),
      };
    }
    console.log(JSON.stringify(loaded));
  `;
  const options = { cwd: folder, encoding: "utf8", maxBuffer: 64 * 1_024 * 1_024, timeout: 100_000 } as const;
  const output = execFileSync(process.execPath, ["--input-type=module", "-e", program], options);
  loaded = JSON.parse(output.replaceAll(folder, "")) as Record<string, Loaded>;
});

// `vitest run test/language/corpus.test.ts -u` writes the text anew; read what changed.
test("every file gets the problems that are written down for it", async () => {
  const texts = Object.entries(loaded).map(([name, { text }]) => `── ${name} ──\n${text}\n`);
  await expect(texts.join("\n")).toMatchFileSnapshot("corpus/expected.txt");
});

describe("the corpus", () => {
  test("is large, and no file of it is without a problem", () => {
    expect(files.length + projects.length + folders.length).toBeGreaterThan(130);
    expect(Object.entries(loaded).filter(([, { codes }]) => codes.length === 0)).toEqual([]);
  });

  test("has every code of the language", () => {
    const source = readFileSync(join(import.meta.dirname, "../../docs/workflow-language.md"), "utf8");
    const codes = new Set(Object.values(loaded).flatMap((one) => one.codes));
    expect([...codes].filter((code) => !source.includes(code))).toEqual([]);
    expect([...codes].sort()).toEqual(expect.arrayContaining(everyCode));
  });
});

const everyCode = [
  "SYNTAX",
  "UNKNOWN_KEY",
  "MISSING_KEY",
  "BAD_TYPE",
  "BAD_VALUE",
  "BAD_ID",
  "DUPLICATE_ID",
  "UNKNOWN_TASK",
  "UNKNOWN_AGENT",
  "UNKNOWN_TOOL",
  "UNKNOWN_WORKFLOW",
  "UNKNOWN_MCP",
  "UNKNOWN_ACTION",
  "UNKNOWN_CODE",
  "UNREACHABLE_TASK",
  "WORKFLOW_CYCLE",
  "BAD_EXPRESSION",
  "UNKNOWN_REFERENCE",
  "ENV_IN_WORKFLOW",
  "UNKNOWN_ENV",
  "BAD_SCHEMA",
  "MISSING_TIMEOUT",
  "UNSATISFIABLE_TIMEOUT",
  "TOO_LARGE",
  "TOO_DEEP",
];
