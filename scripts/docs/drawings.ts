// Draws the workflows of the examples into their READMEs, between the marks where they stand.

import { globSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { parse } from "yaml";
import { mermaidOfWorkflow } from "../../src/language/mermaid.ts";
import type { WorkflowSpec } from "../../src/language/spec.ts";
import type { Document } from "./document.ts";

const root = join(import.meta.dirname, "../..");
const mark = /(<!-- drawing of (workflows\/[\w-]+\.yaml) -->\n)[^]*?(<!-- end -->)/g;

export const drawings = (): Document[] =>
  globSync("examples/{,*/}README.md", { cwd: root })
    .map((path) => path.split(sep).join("/"))
    .toSorted()
    .map((path) => ({ path, text: redrawn(path, readFileSync(join(root, path), "utf8")) }));

function redrawn(path: string, text: string): string {
  return text.replace(mark, (_all, open: string, file: string, close: string) => {
    const spec = parse(readFileSync(join(root, path, "..", file), "utf8")) as WorkflowSpec;
    return `${open}\`\`\`mermaid\n${mermaidOfWorkflow(spec)}\n\`\`\`\n${close}`;
  });
}
