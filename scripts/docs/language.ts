// Writes the tables of docs/workflow-language.md anew, between the marks where they stand; the rest is written by hand.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { limits } from "../../src/actors/limits.ts";
import { agent, project, tool, trigger, workflow } from "../../src/language/grammar.ts";
import { retry, task, taskKinds } from "../../src/language/grammar-tasks.ts";
import type { Key, Keys, Kind } from "../../src/language/kinds.ts";
import { code, type Document, json, table } from "./document.ts";

const path = "docs/workflow-language.md";

export const language = (): Document[] => {
  const text = readFileSync(join(import.meta.dirname, "../..", path), "utf8");
  return [{ path, text: refreshed(text) }];
};

const mark = /(<!-- keys of ([a-z ]+?) -->\n)[^]*?(<!-- end -->)/g;

/** The text with every marked table made anew; a mark that names no table throws. */
export function refreshed(text: string): string {
  return text.replace(mark, (_all, open: string, name: string, close: string) => {
    const made = tables[name];
    if (made === undefined) throw new Error(`${path} asks for the keys of '${name}', which are in no table`);
    return `${open}${made()}\n${close}`;
  });
}

const tables: Readonly<Record<string, () => string>> = {
  "the project": () => keyTable(project),
  "a workflow": () => keyTable(workflow),
  "every task": () => keyTable(shared(task)),
  "each type": () => {
    const rows = Object.entries(taskKinds).flatMap(([type, keys]) => rowsOf(keys).map((row) => [code(type), ...row]));
    return table(["Type", ...head], rows);
  },
  "a retry": () => keyTable(retry.is === "object" ? retry.keys : {}),
  "a schedule": () => keyTable({ ...own(trigger, "schedule"), ...shared(trigger) }),
  "a webhook": () => keyTable({ ...own(trigger, "webhook"), ...shared(trigger) }),
  agents: () => kindTable(agent),
  tools: () => kindTable(tool),
  "the engine": () =>
    table(
      ["Limit", "Default", "At the limit"],
      Object.entries(limits).map(([name, row]) => [code(name), row.default.toLocaleString("en"), row.behaviour]),
    ),
};

const head = ["Key", "Holds", "Default", "Meaning"];
const keyTable = (keys: Keys): string => table(head, rowsOf(keys));

function kindTable(kind: Kind): string {
  if (kind.is !== "tagged") return "";
  const rows = (of: string, keys: Keys): string[][] => rowsOf(keys).map((row) => [of, ...row]);
  const kinds = Object.entries(kind.each).flatMap(([name, keys]) => rows(code(name), keys));
  return table(["Kind", ...head], [...rows("all", kind.keys), ...kinds]);
}

const shared = (kind: Kind): Keys => (kind.is === "tagged" ? kind.keys : {});
const own = (kind: Kind, tag: string): Keys => (kind.is === "tagged" ? (kind.each[tag] ?? {}) : {});

/** A row for each key, and for each key of the object that it holds. */
function rowsOf(keys: Keys, under = ""): string[][] {
  return Object.entries(keys).flatMap(([name, key]) => {
    const row = [code(under + name) + (key.required ? "!" : ""), holds(key.kind), defaultOf(key), saysOf(key)];
    // The keys of a retry have a table of their own.
    const isSpread = key.kind.is === "object" && key.kind !== retry;
    return [row, ...(isSpread && key.kind.is === "object" ? rowsOf(key.kind.keys, `${under}${name}.`) : [])];
  });
}

const saysOf = ({ says, only }: Key): string => (only === undefined ? says : `${says} Only: ${only.join(", ")}.`);
const defaultOf = (key: Key): string => (key.default === undefined ? "" : code(json(key.default).trim()));

/** What a key may hold, in a few words. */
function holds(kind: Kind): string {
  switch (kind.is) {
    case "text":
      return kind.form === "id" ? "id" : "text";
    case "boolean":
      return "`true` or `false`";
    case "number":
      return numberOf(kind);
    case "duration":
      return "duration";
    case "size":
      return "size, such as `1MiB`";
    case "choice":
      return kind.of.map((one) => code(String(one))).join(" ");
    case "value":
      return kind.text ? "text with templates" : kind.gives === undefined ? "template" : `template of a ${kind.gives}`;
    case "schema":
      return "JSON Schema";
    case "json":
      return "any JSON";
    case "list":
      return `list of ${plural(holds(kind.of))}`;
    case "map":
      return `${plural(holds(kind.of))} by name`;
    case "object":
      return code(`{${Object.keys(kind.keys).join(", ")}}`);
    case "one":
      return kind.of.map((way) => holds(way.kind)).join(", or ");
    case "tagged":
      return kind.thing;
    case "block":
      return "block";
  }
}

const plural = (word: string): string => (/^[a-z]+$/.test(word) ? `${word}s` : word);

function numberOf(kind: Extract<Kind, { is: "number" }>): string {
  const what = kind.whole ? "whole number" : "number";
  return kind.most === undefined ? `${what} ≥ ${kind.least}` : `${what} ${kind.least} to ${kind.most}`;
}
