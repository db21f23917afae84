// Loads a module of the user's, and says what is wrong with it in words that help.

import type { Flaw } from "./yaml-source.ts";

/** What Node says of TypeScript that it cannot run by leaving the types out, and what to do about it. */
export const advice: Readonly<Record<string, string>> = {
  ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX:
    "it has TypeScript that is more than types (enum, namespace, parameter properties): do without, or compile it",
  ERR_INVALID_TYPESCRIPT_SYNTAX: "it is not valid TypeScript",
  ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING:
    "it is TypeScript under node_modules, which Node does not run: name the compiled JavaScript",
  ERR_UNKNOWN_FILE_EXTENSION: "its name ends in nothing that Node runs: .ts, .mts, .js and .mjs are",
  ERR_UNSUPPORTED_DIR_IMPORT: "it is a folder: name the file",
};

type Loaded = { value: unknown } | { flaw: Omit<Flaw, "offset">; line?: number; col?: number };

const noDefault = {
  code: "SYNTAX",
  message: "this module has no default export",
  hint: "write `export default defineWorkflow({ … })`, or defineProject",
};

/** The default export. The version stands for the file's content: another one is loaded anew. */
export async function defaultExport(url: string, path: string, version: string): Promise<Loaded> {
  try {
    const address = `${url}?version=${version}`;
    const loaded = (await import(address)) as { default?: unknown };
    return "default" in loaded ? { value: loaded.default } : { flaw: noDefault };
  } catch (thrown) {
    return { flaw: flawOf(thrown), ...placeIn(thrown, url, path) };
  }
}

function flawOf(thrown: unknown): Omit<Flaw, "offset"> {
  const { code } = (typeof thrown === "object" && thrown !== null ? thrown : {}) as { code?: unknown };
  const known = typeof code === "string" ? advice[code] : undefined;
  const said = thrown instanceof Error ? thrown.message : String(thrown);
  const [message, hint] = known === undefined ? [said] : (known.split(": ", 2) as [string, string?]);
  const text =
    known === undefined ? `the module does not load: ${message}` : `this file cannot be loaded: ${message} (${said})`;
  return { code: "SYNTAX", message: text.split("\n", 1)[0] ?? text, ...(hint !== undefined && { hint }) };
}

/** What the stack says of the file: `file:line` above the line at fault, or `file:line:col` where it was thrown. */
function placeIn(thrown: unknown, url: string, path: string): { line?: number; col?: number } {
  const stack = thrown instanceof Error && typeof thrown.stack === "string" ? thrown.stack : "";
  const lines = stack.split("\n");
  const [first = "", , third = "", fourth = ""] = lines;
  const [line] =
    first.startsWith(`${path}:`) || first.startsWith(`${url}:`) ? [Number(/:(\d+)$/.exec(first)?.[1])] : [];
  if (line !== undefined && line > 0) {
    const caret = lines.find((text) => /^\s*\^+\s*$/.test(text)) ?? (third || fourth);
    return { line, col: caret.indexOf("^") + 1 || 1 };
  }
  const thrownAt = lines.find((text) => text.includes(`${url}?version=`));
  const [, row, col] = /:(\d+):(\d+)\)?$/.exec(thrownAt ?? "") ?? [];
  return row === undefined ? {} : { line: Number(row), col: Number(col) };
}
