// Writes every generated document; with --check writes nothing, and lists the ones that are not as they should be.
//
// To add a kind of document, write scripts/docs/<name>.ts and name its generator here.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { asyncapi } from "./docs/asyncapi.ts";
import { charts } from "./docs/charts.ts";
import { check } from "./docs/check.ts";
import { cli } from "./docs/cli.ts";
import type { Document } from "./docs/document.ts";
import { editorSchemas } from "./docs/editor-schemas.ts";
import { errors } from "./docs/errors.ts";
import { drawings } from "./docs/drawings.ts";
import { failures } from "./docs/failures.ts";
import { flows } from "./docs/flows.ts";
import { http } from "./docs/http.ts";
import { language } from "./docs/language.ts";
import { operation } from "./docs/operation.ts";
import { protocol } from "./docs/protocol.ts";
import { schemas } from "./docs/schemas.ts";

type Generator = () => Document[] | Promise<Document[]>;
const generators: readonly Generator[] = [
  errors,
  protocol,
  schemas,
  asyncapi,
  charts,
  failures,
  flows,
  language,
  check,
  drawings,
  editorSchemas,
  cli,
  http,
  operation,
];

const root = join(import.meta.dirname, "..");
const top = "docs";

export async function documents(): Promise<Document[]> {
  const written: Document[] = [];
  for (const generate of generators) written.push(...(await generate()));
  return written;
}

const textAt = (folder: string, path: string): string | undefined => {
  try {
    return readFileSync(join(folder, path), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
};

/** Files that stand in a generated folder of `docs` and that nothing generates: what is left of a name that is gone. */
function surplus(folder: string, wanted: readonly Document[]): string[] {
  const paths = new Set(wanted.map(({ path }) => path));
  const folders = new Set(wanted.map(({ path }) => dirname(path)).filter((path) => path.startsWith(`${top}/`)));
  return [...folders].flatMap((path) => filesIn(folder, path)).filter((path) => !paths.has(path));
}

function filesIn(folder: string, path: string): string[] {
  try {
    return readdirSync(join(folder, path)).map((name) => `${path}/${name}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** What is wrong with the documents under a folder, a line for each file. */
export function defects(folder: string, wanted: readonly Document[]): string[] {
  const unfit = wanted.flatMap(({ path, text }) => {
    const found = textAt(folder, path);
    if (found === undefined) return [`missing ${path}`];
    return found === text ? [] : [`stale ${path}`];
  });
  return [...unfit, ...surplus(folder, wanted).map((path) => `surplus ${path}`)];
}

export function write(folder: string, wanted: readonly Document[]): void {
  for (const path of surplus(folder, wanted)) rmSync(join(folder, path));
  for (const { path, text } of wanted) {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

if (import.meta.main) {
  const wanted = await documents();
  if (process.argv.includes("--check")) {
    const found = defects(root, wanted);
    for (const defect of found) console.error(defect);
    if (found.length > 0) console.error("run `npm run docs`");
    process.exitCode = found.length > 0 ? 1 : 0;
  } else {
    write(root, wanted);
    console.log(`${wanted.length} documents are fresh`);
  }
}
