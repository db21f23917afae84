// A workflow as Mermaid text (`stateDiagram-v2`): tasks as states, what is inside them nested, ways as arrows.
//
// Mermaid knows one kind of arrow, so a way that an error takes says so: "on error CARD_DECLINED".

import { innerBlocks } from "./blocks.ts";
import { titleOf, triggerText, undoable, type Way, waysOf, wordsOf } from "./draw.ts";
import type { TaskSpec, WorkflowSpec } from "./spec.ts";

const labelChars = 60;
const titleChars = 80;

/** The name that Mermaid knows a state by; no two places have the same. */
type Names = (place: string) => string;

export function mermaidOfWorkflow(spec: WorkflowSpec): string {
  const names = namesFor();
  const title = titleOf(spec);
  const begin = (spec.triggers ?? []).map(triggerText).join(", ");
  const head = [`---`, `title: ${JSON.stringify(clipped(title, titleChars))}`, `---`, "stateDiagram-v2"];
  const body = [...blockLines(spec.tasks, names, begin), ...undoLines(spec, names), ...lookLines(spec, names)];
  return [...head, ...body.map((line) => `  ${line}`)].join("\n");
}

/** Mermaid hears of looks only outside of frames. */
function lookLines({ tasks }: WorkflowSpec, names: Names): string[] {
  const undoing = undoable(tasks).flatMap(({ undo }) => withInner(undo));
  const waiting = [...withInner(tasks), ...undoing].filter(({ type }) => type === "wait");
  return [
    ...lookOf("waits", "stroke-dasharray: 6 4", waiting, names),
    ...lookOf("undoes", "fill:#fff4e5,stroke:#d9822b", undoing, names),
  ];
}

const lookOf = (look: string, style: string, tasks: readonly TaskSpec[], names: Names): string[] =>
  tasks.length === 0
    ? []
    : [`classDef ${look} ${style}`, `class ${tasks.map(({ id }) => names(id)).join(",")} ${look}`];

const withInner = (block: readonly TaskSpec[]): TaskSpec[] =>
  block.flatMap((task) => [task, ...innerBlocks(task).flatMap(({ block: deeper }) => withInner(deeper))]);

const words = ["end", "state", "note", "default", "class", "style", "click", "scale", "classDef", "direction"];
/** Names that Mermaid would stumble over: words of its own, and what every JavaScript object has. */
const kept: readonly string[] = [...words, ...Object.getOwnPropertyNames(Object.prototype)];

function namesFor(): Names {
  const given = new Map<string, string>();
  const taken = new Set(kept);
  return (place) => {
    const known = given.get(place);
    if (known !== undefined) return known;
    const wish = place.replaceAll(/\W/g, "_");
    let name = wish;
    for (let count = 2; taken.has(name); count += 1) name = `${wish}_${count}`;
    taken.add(name);
    given.set(place, name);
    return name;
  };
}

function blockLines(block: readonly TaskSpec[], names: Names, begin = ""): string[] {
  const entry = block[0];
  if (entry === undefined) return [];
  return [
    arrow("[*]", names(entry.id), begin),
    ...block.flatMap((task) => stateLines(task, names)),
    ...block.flatMap((task) => wayLines(task, names)),
  ];
}

function stateLines(task: TaskSpec, names: Names): string[] {
  const name = names(task.id);
  const blocks = innerBlocks(task);
  const [does = "", ...bounds] = wordsOf(task);
  if (blocks.length === 0) {
    const small = [clipped(does), ...(bounds.length > 0 ? [clipped(bounds.join(", "))] : [])].map(shown).join("<br/>");
    return [`state "${shown(task.id)}<br/><small>${small}</small>" as ${name}`];
  }
  // The frame has room for one line, which Mermaid does not wrap.
  const title = framed(clipped([`${task.id}: ${does}`, ...bounds].join(", "), titleChars));
  return [`state "${title}" as ${name} {`, ...insideLines(task, names).map((line) => `  ${line}`), "}"];
}

/** Branches lie side by side; a frame for each would say nothing more than its name, and Mermaid trips over some. */
const insideLines = (task: TaskSpec, names: Names): string[] =>
  innerBlocks(task).flatMap(({ name, block }, index) => {
    const [entry] = block;
    const isDeep = entry !== undefined && name !== undefined && innerBlocks(entry).length > 0;
    const lines = isDeep ? viaName(name, names(`${task.id} ${name}`), block, names) : blockLines(block, names, name);
    return [...(index > 0 ? ["--"] : []), ...lines];
  });

/** Mermaid cannot always draw an arrow from the dot into frames within frames: the branch's name stands between. */
function viaName(branch: string, name: string, block: readonly TaskSpec[], names: Names): string[] {
  const [begin = "", ...lines] = blockLines(block, names);
  return [arrow("[*]", name, ""), `state "${shown(clipped(branch))}" as ${name}`, begin.replace("[*]", name), ...lines];
}

const wayLines = (task: TaskSpec, names: Names): string[] =>
  waysOf(task).map((way) => arrow(names(task.id), way.to === undefined ? "[*]" : names(way.to), labelOf(task, way)));

function labelOf(task: TaskSpec, { after, condition }: Way): string {
  if (after === "error") return condition === undefined ? "on error" : `on error ${condition}`;
  return condition ?? (task.type === "route" ? "otherwise" : "");
}

/** What is undone when the run does not end well, in the order in which it is: the last of the text first. */
function undoLines(spec: WorkflowSpec, names: Names): string[] {
  const tasks = undoable(spec.tasks).toReversed();
  if (tasks.length === 0) return [];
  const stepNames = tasks.map(({ id, undo }) => (isSimple(undo) ? names(undo[0]?.id ?? "") : names(`undo ${id}`)));
  const order = ["[*]", ...stepNames, "[*]"];
  const leading = spec.tasks.filter((task) => undoable([task]).length > 0);
  return [
    `state "if the run does not succeed, what did is undone" as ${names("undo all")} {`,
    ...tasks.flatMap((task, index) => undoStep(task, stepNames[index] ?? "", names)).map((line) => `  ${line}`),
    ...order.slice(1).map((to, index) => `  ${arrow(order[index] ?? "", to, "")}`),
    "}",
    ...leading.map(({ id }) => arrow(names(id), names("undo all"), "undo")),
  ];
}

function undoStep({ id, undo }: { id: string; undo: readonly TaskSpec[] }, name: string, names: Names): string[] {
  const inner = isSimple(undo) ? undo.flatMap((task) => stateLines(task, names)) : undefined;
  if (inner) return inner;
  return [`state "undo ${framed(id)}" as ${name} {`, ...blockLines(undo, names).map((line) => `  ${line}`), "}"];
}

/** One task that leads nowhere but on: it needs no frame around it. */
const isSimple = (block: readonly TaskSpec[]): boolean =>
  block.every((task) => waysOf(task).length === 1 && task.next === undefined && task.type !== "route") &&
  block.length === 1;

// ── texts ──

const arrow = (from: string, to: string, label: string): string =>
  `${from} --> ${to}${label === "" ? "" : ` : ${shown(clipped(label))}`}`;

const clipped = (text: string, most = labelChars): string => {
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line.length > most ? `${line.slice(0, most - 1).trimEnd()}…` : line;
};

/** Mermaid does not decode entities in these diagrams, so what it would take for its own is put another way. */
const framed = (text: string): string =>
  text
    .replaceAll('"', "'")
    .replaceAll(";", ",")
    .replaceAll("`", "'")
    .replaceAll(/:(?=:|$)/g, ": ")
    .replaceAll(/[<&](?=[\w/!?#])/g, "$& ")
    .replaceAll(/%%/g, "% %");

/** Where Mermaid reads Markdown, stars and underscores at the edge of a word would make it slanted or bold. */
const shown = (text: string): string => framed(text).replaceAll(/(?<!\w)[_*]+(?=\w)|(?<=\w)[_*]+(?!\w)/g, escaped);
const escaped = (marks: string): string => marks.replaceAll(/./g, "\\$&");
