// Goal: docs/workflow-language.md is true. Method: its YAML is loaded as one project, the codes it names are looked for
// in the tables that the code works with, and its generated tables are made with a planted name.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { refreshed } from "../../scripts/docs/language.ts";
import { loadProject, loadWorkflow } from "../../src/language/load.ts";
import { problemText } from "../../src/language/problems.ts";
import { isErrorCode } from "../../src/protocol/errors.ts";
import { root, treeOf } from "../kit/tree.ts";

const page = readFileSync(join(root, "docs/workflow-language.md"), "utf8");
const folder = mkdtempSync(join(tmpdir(), "troupe-reference-"));
afterAll(() => rmSync(folder, { recursive: true }));

type Written = { id?: string; tasks?: unknown; agents?: { module?: string }[]; tools?: { module?: string }[] };

const blocks = [...page.matchAll(/^```yaml\n([^]*?)^```$/gm)].map(([, text = ""]) => text);

function write(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

describe("the YAML of the reference", () => {
  test("is one project, and loads without a problem", async () => {
    const written = blocks.map((text) => ({ text, spec: parse(text) as Written }));
    for (const { text, spec } of written) {
      write(spec.tasks === undefined ? "troupe.yaml" : `workflows/${spec.id}.yaml`, text);
      for (const { module } of [...(spec.agents ?? []), ...(spec.tools ?? [])]) {
        const [path = "", name = "default"] = module?.split("#") ?? [];
        if (path !== "") write(path, `export const ${name} = (): object => ({});\n`);
      }
    }
    const { problems, files, workflows } = await loadProject(folder);
    expect(problems.map((problem) => problemText(problem, files.get(problem.file)))).toEqual([]);
    expect(readdirSync(join(folder, "workflows"))).toHaveLength(blocks.length - 1);
    expect(workflows).toHaveLength(blocks.length - 1);
  });
});

test("the YAML of README loads without a problem", async () => {
  const texts = [...readFileSync(join(root, "README.md"), "utf8").matchAll(/^```yaml\n([^]*?)^```$/gm)];
  expect(texts).not.toEqual([]);
  for (const [index, [, text = ""]] of texts.entries()) {
    write(`readme-${index}.yaml`, text);
    expect((await loadWorkflow(join(folder, `readme-${index}.yaml`))).problems).toEqual([]);
  }
});

const section = (heading: string): string =>
  new RegExp(`^## ${heading}\\n([^]*?)(?=^## |(?![^]))`, "m").exec(page)?.[1] ?? "";

describe("the codes of the reference", () => {
  const listed = [...section("Load-time checks").matchAll(/^\| ([A-Z_, ]+) \|/gm)].flatMap(([, codes = ""]) =>
    codes.split(", "),
  );
  const sources = [...treeOf("src/language/*.ts").values()].join("\n");
  const noted = [...sources.matchAll(/"([A-Z]+_[A-Z_]+|SYNTAX)"/g)];

  test("those of loading are the ones that the checks give, and no other", () => {
    expect(listed.length).toBeGreaterThan(20);
    const byKind = ["AGENT", "TOOL", "WORKFLOW"].map((kind) => `UNKNOWN_${kind}`);
    const unknown = listed.filter((code) => !sources.includes(`"${code}"`) && !byKind.includes(code));
    expect(unknown).toEqual([]);
    const given = new Set(noted.map(([, code = ""]) => code).filter((code) => !isErrorCode(code)));
    expect([...given].filter((code) => !listed.includes(code))).toEqual([]);
  });

  test("all others are in the table of errors, or are a callee's own", () => {
    const own = [
      "CARD_DECLINED",
      "PAY_TOKEN",
      "HOOK_SECRET",
      "TASK_CANCELED",
      "TIMED_OUT",
      "OUTPUT_INVALID",
      "EMPTY_RESULT",
      "INPUT_INVALID",
      "HTTP_",
    ];
    const named = [...page.matchAll(/(?<![<\w])[A-Z]{3,}_[A-Z_]+\b/g)].map(([code]) => code);
    const known = (code: string): boolean => isErrorCode(code) || listed.includes(code) || own.includes(code);
    expect([...new Set(named)].filter((code) => !known(code) && !/^(?:AGENT|TOOL)_$/.test(code))).toEqual([]);
  });
});

test("a mark that names no table is refused, and a known one is filled in", () => {
  expect(() => refreshed("<!-- keys of the moon -->\n<!-- end -->")).toThrow(/keys of 'the moon'/);
  expect(refreshed("<!-- keys of a retry -->\n<!-- end -->")).toMatch(/^<!-- .* -->\n\| Key \|[^]*`max_attempts`/);
});
