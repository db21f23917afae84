// Writes the table of findings of docs/check.md anew, and the report of the workflow that it shows as an example.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kinds } from "../../src/testing/findings/kinds.ts";
import { loadChecked } from "../../src/testing/findings/load.ts";
import { checked } from "../../src/testing/report/checked.ts";
import { reportText } from "../../src/testing/report/text.ts";
import { code, type Document, table } from "./document.ts";

const path = "docs/check.md";

export async function check(): Promise<Document[]> {
  const text = readFileSync(join(import.meta.dirname, "../..", path), "utf8");
  const parts = { kinds: kindTable(), report: await reportOf(text) };
  return [{ path, text: refreshed(text, parts) }];
}

const mark = /(<!-- (kinds|report) -->\n)[^]*?(<!-- end -->)/g;
const refreshed = (text: string, parts: Readonly<Record<string, string>>): string =>
  text.replace(mark, (_all, open: string, name: string, close: string) => `${open}${parts[name]}\n${close}`);

function kindTable(): string {
  const rows = Object.entries(kinds).map(([id, { severity, title, rule, fix }]) => [
    `${code(id)}<br>${severity}`,
    `${title}. ${rule}`,
    fix,
  ]);
  return table(["Finding", "What it is, and when it is said", "What mends it"], rows);
}

/** Of the first workflow that the document shows. */
async function reportOf(text: string): Promise<string> {
  const [, yaml = ""] = /```yaml\n([^]*?)```/.exec(text) ?? [];
  const folder = mkdtempSync(join(tmpdir(), "troupe-docs-"));
  try {
    writeFileSync(join(folder, "order.yaml"), yaml);
    const loaded = await loadChecked("order.yaml", folder);
    const result = await checked(loaded, { seed: 1, runs: 1_000, timeMs: 60_000 });
    return `\`\`\`text\n${reportText(result, { command: "troupe check order.yaml" })}\n\`\`\``;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
