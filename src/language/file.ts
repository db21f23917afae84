// One file of a project, YAML or TypeScript: its text, the value it holds, and where each part of it stands.

import { readFileSync, statSync } from "node:fs";
import { createHash } from "node:crypto";
import { pathToFileURL } from "node:url";
import { inWordsOfYaml } from "./callee.ts";
import { offsetInCode } from "./code-source.ts";
import { fromUnknown } from "../protocol/errors.ts";
import { isMeasured } from "./measure.ts";
import { defaultExport } from "./module.ts";
import { placeOf, problemOf, textOf } from "./problems.ts";
import type { Defect, Problem } from "./spec.ts";
import { type Flaw, readYaml } from "./yaml-source.ts";

export type ReadFile = {
  file: string;
  text: string;
  /** Nothing, if the file could not be understood. */
  value: unknown;
  problems: Problem[];
  problem(defect: Defect): Problem;
};

const bytesMax = 512 * 1_024;
// Nobody sees them, and YAML has none; from 80 on it lets them be.
const controls = /[^\P{Cc}\t\n\r\x80-\x9f]/u;
const isYaml = (path: string): boolean => /\.ya?ml$/i.test(path);

/** `file` is what it is called in problems. */
export async function readDefinition(path: string, file: string): Promise<ReadFile> {
  const bytes = bytesOf(path);
  if ("message" in bytes) return broken(file, "", [{ ...bytes, offset: 0 }]);
  const { text, badAt } = textOf(bytes);
  if (badAt !== undefined) {
    const hint = "save the file as UTF-8";
    return broken(file, text, [
      { offset: badAt, code: "SYNTAX", message: "this file is not UTF-8 from here on", hint },
    ]);
  }
  const control = text.search(controls);
  if (control >= 0) {
    const name = `U+${text.charCodeAt(control).toString(16).toUpperCase().padStart(4, "0")}`;
    return broken(file, text, [
      { offset: control, code: "SYNTAX", message: `the control character ${name} cannot stand here` },
    ]);
  }
  return isYaml(path) ? yamlFile(file, text) : moduleFile(path, file, text);
}

function bytesOf(path: string): Uint8Array | Omit<Flaw, "offset"> {
  try {
    const found = statSync(path);
    const { size } = found;
    // Either may never end.
    const isEndless = !found.isFile() && !found.isDirectory();
    if (isEndless) return { code: "SYNTAX", message: "this file cannot be read: it is a pipe or a device" };
    if (size <= bytesMax) return readFileSync(path);
    const message = `this file has ${size} bytes, at most ${bytesMax} are read`;
    return { code: "TOO_LARGE", message };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "EISDIR" ? "it is a folder" : code === "ENOENT" ? "it is not there" : message;
    return { code: "SYNTAX", message: `this file cannot be read: ${why}` };
  }
}

const atStart = { line: 1, col: 1 };
const defectOf = ({ code, message, hint }: Omit<Flaw, "offset">): Defect => ({
  path: [],
  code,
  message,
  severity: "error",
  ...(hint !== undefined && { hint }),
});

function broken(file: string, text: string, flaws: readonly Flaw[]): ReadFile {
  const problems = flaws.map((flaw) => problemOf(defectOf(flaw), file, placeOf(text, flaw.offset)));
  return { file, text, value: undefined, problems, problem: (defect) => problemOf(defect, file, atStart) };
}

function yamlFile(file: string, text: string): ReadFile {
  const { value, flaws, offsetOf } = readYaml(text);
  if (flaws.length > 0 && value === null) return broken(file, text, flaws);
  const problems = flaws.map((flaw) => problemOf(defectOf(flaw), file, placeOf(text, flaw.offset)));
  const problem = (defect: Defect): Problem =>
    problemOf(defect, file, placeOf(text, offsetOf(defect.path, aimOf(defect), defect.offset)));
  return { file, text, value, problems, problem };
}

/** What is said of a whole block is said of its key. */
const ofKey: ReadonlySet<string> = new Set(["UNKNOWN_KEY", "TOO_LARGE", "TOO_DEEP"]);
const aimOf = ({ code }: Defect): "key" | "value" => (ofKey.has(code) ? "key" : "value");

async function moduleFile(path: string, file: string, text: string): Promise<ReadFile> {
  const version = createHash("sha256").update(text).digest("hex").slice(0, 16);
  const loaded = await defaultExport(pathToFileURL(path).href, path, version);
  const read = "flaw" in loaded ? loaded : readable(loaded.value);
  if ("flaw" in read) {
    const { line = 1, col = 1, flaw } = read;
    const problems = [problemOf(defectOf(flaw), file, { line, col })];
    return { ...broken(file, text, []), problems };
  }
  const problem = (defect: Defect): Problem =>
    problemOf(defect, file, placeOf(text, offsetInCode(text, defect.path, aimOf(defect), defect.offset)));
  return { file, text, value: read.value, problems: [], problem };
}

/** What a module gives may be code in disguise, that fails when it is looked at. */
function readable(value: unknown): { value: unknown } | { flaw: Omit<Flaw, "offset">; line?: number; col?: number } {
  try {
    isMeasured(value, () => undefined);
    return { value: inWordsOfYaml(value) };
  } catch (thrown) {
    return {
      flaw: { code: "BAD_VALUE", message: `this module's value cannot be read: ${fromUnknown(thrown).message}` },
    };
  }
}
