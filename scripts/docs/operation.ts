// Writes the tables of docs/operation.md anew, between the marks where they stand; the rest is written by hand.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { metricRows } from "../../src/daemon/metrics.ts";
import { limitNames, settings, shown } from "../../src/daemon/settings.ts";
import { code, type Document, table } from "./document.ts";

const path = "docs/operation.md";

export const operation = (): Document[] => {
  const text = readFileSync(join(import.meta.dirname, "../..", path), "utf8");
  return [{ path, text: refreshed(text) }];
};

const mark = /(<!-- table of ([a-z ]+?) -->\n)[^]*?(<!-- end -->)/g;

function refreshed(text: string): string {
  return text.replace(mark, (_all, open: string, name: string, close: string) => {
    const made = tables[name];
    if (made === undefined) throw new Error(`${path} asks for the table of '${name}', and there is none`);
    return `${open}${made()}\n${close}`;
  });
}

const isLimit = (key: string): boolean => Object.values(limitNames).some((names) => names.has(key));
const wordOf = (key: string, value: unknown): string => (value === null ? "" : code(String(shown(key, value))));

const tables: Readonly<Record<string, () => string>> = {
  settings: () =>
    table(
      ["Key", "Flag", "Holds", "Default", "Meaning"],
      Object.entries(settings)
        .filter(([key]) => !isLimit(key))
        .map(([key, { flag, holds, default: preset, about }]) => [
          code(key),
          flag === undefined ? "" : code(flag.replace(/^-\w, /, "")),
          holds,
          wordOf(key, preset),
          about,
        ]),
    ),
  limits: () =>
    table(
      ["Key", "Default", "At the limit"],
      Object.entries(settings)
        .filter(([key]) => isLimit(key))
        .map(([key, { default: preset, about }]) => [code(key), wordOf(key, preset), about]),
    ),
  metrics: () =>
    table(
      ["Metric", "Kind", "Labels", "Meaning"],
      Object.entries(metricRows).map(([name, { kind, labels, help }]) => [
        code(`troupe_${name}`),
        kind,
        labels.map(code).join(" "),
        help,
      ]),
    ),
};
