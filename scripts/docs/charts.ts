// Writes docs/charts: each chart as a picture, its invariants, and the table of what it does, found by search.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { AnyStateMachine } from "xstate";
import { mermaidOf } from "../../src/machines/mermaid.ts";
import { type Edge, explore } from "../../src/testing/explore.ts";
import type { Part } from "../../src/testing/part.ts";
import { parts } from "../../src/testing/parts/index.ts";
import { code, type Document, generatedFrom, table } from "./document.ts";

const source = join(import.meta.dirname, "../../src/machines");

const fileOf = ({ id }: AnyStateMachine): string => id.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** The comment on top of the chart's file: purpose, picture and invariants. */
function headerOf(file: string): { purpose: string; rest: string } {
  const lines = readFileSync(join(source, `${file}.ts`), "utf8").split("\n");
  const end = lines.findIndex((line) => !line.startsWith("//"));
  const [purpose = "", ...rest] = lines.slice(0, end).map((line) => line.replace(/^\/\/ ?/, ""));
  return { purpose, rest: rest.join("\n").replaceAll(/^\n+|\s+$/g, "") };
}

const cell = (words: readonly string[]): string => words.map(code).join("<br>");

/** Rows that differ in what was heard only stand together. */
function rowsOf(edges: readonly Edge[]): string[][] {
  const taken = new Map<string, { edge: Edge; hears: string[] }>();
  const ignored = new Map<string, string[]>();
  for (const edge of edges) {
    if (edge.heard === "taken") {
      const key = JSON.stringify([edge.from, edge.to, edge.says]);
      const row = taken.get(key) ?? { edge, hears: [] };
      taken.set(key, { edge, hears: [...row.hears, edge.hears] });
    } else if (edge.heard === "ignored") {
      ignored.set(edge.from, [...(ignored.get(edge.from) ?? []), edge.hears]);
    }
  }
  const froms = [...new Set(edges.map(({ from }) => from))];
  return froms.flatMap((from) => {
    const mine = [...taken.values()].filter(({ edge }) => edge.from === from);
    const rows = mine.map(({ edge, hears }) => [from, cell(distinct(hears)), edge.to, cell(edge.says)]);
    const unheeded = distinct(ignored.get(from) ?? []);
    if (unheeded.length > 0) rows.push([from, cell(unheeded), "*(ignored)*", ""]);
    return rows;
  });
}

const distinct = (words: readonly string[]): string[] => [...new Set(words)].sort();

function chart(part: Part<AnyStateMachine>): Document {
  const file = fileOf(part.machine);
  const { purpose, rest } = headerOf(file);
  const { edges, complete, nodes } = explore(part);
  if (!complete) throw new Error(`the search of ${part.machine.id} is not complete after ${nodes} lives`);
  const { home } = part.machine.root.meta as { home: string };
  const text = [
    `# ${part.machine.id}`,
    generatedFrom(`src/machines/${file}.ts`),
    `${purpose} It lives in \`${home}\`.`,
    ["```text", rest, "```"].join("\n"),
    "## The chart",
    ["```mermaid", mermaidOf(part.machine), "```"].join("\n"),
    "## What it does",
    "Each row was found by running the chart: in a state it hears something, goes somewhere, and says something. What" +
      " stands in brackets tells variants of one message apart. A chart that has ended hears nothing any more.",
    table(["in", "hears", "goes to", "says"], rowsOf(edges)),
  ];
  return { path: `docs/charts/${file}.md`, text: `${text.join("\n\n")}\n` };
}

function index(documents: readonly Document[]): Document {
  const rows = parts.map((part, nth) => {
    const { purpose } = headerOf(fileOf(part.machine));
    const { home } = part.machine.root.meta as { home: string };
    return [`[${part.machine.id}](${documents[nth]?.path.split("/").at(-1)})`, code(home), purpose];
  });
  const text = ["# Charts", generatedFrom("src/testing/parts"), table(["chart", "home", "what it is"], rows)];
  return { path: "docs/charts/README.md", text: `${text.join("\n\n")}\n` };
}

export const charts = (): Document[] => {
  const documents = parts.map(chart);
  return [index(documents), ...documents];
};
