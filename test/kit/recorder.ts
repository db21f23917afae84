// Holds what a troupe said against a golden flow, and prints where they part, as a diff and as a diagram.
//
//   lines ─▶ trace of the flow ─▶ matched in order, placeholders bound ─▶ nothing wrong, or a report

import { catalogue, isKey, type Key, type Message } from "../../src/protocol/catalogue.ts";
import { type Component, components } from "../../src/protocol/entry.ts";
import type { Layout } from "../../src/protocol/layouts.ts";
import { type SubjectCodec, subjectCodec } from "../../src/protocol/subjects.ts";
import { conversationOf } from "../../src/testing/conversation.ts";
import type { Expected, Flow } from "./flows.ts";
import type { Line } from "./virtual-troupe.ts";

export const codecs: Readonly<Record<Layout, SubjectCodec>> = {
  flow: subjectCodec({ prefix: "compozy", layout: "flow" }),
  correlated: subjectCodec({ prefix: "compozy", layout: "correlated" }),
};

/** What placeholders stand for: `agent_exec_id#1` and the like. */
export type Bindings = ReadonlyMap<string, string>;
export type Compared = { problem: string | null; bindings: Bindings; trace: readonly Line[] };

type Payload = {
  status?: string;
  log_level?: string;
  reply_to_subject?: string;
  result?: { error?: { code?: string } } | null;
  context?: { code?: string };
};
const payloadOf = ({ word }: Line): Payload => (word["payload"] ?? {}) as Payload;
const kindOf = ({ word }: Line): string => word.type.slice(0, word.type.indexOf(":"));

/** Where a message goes: where its reply was asked for, else where its own sections say. */
function subjectOf({ word, correlationId, by }: Line, codec: SubjectCodec): string {
  if (typeof word.to === "string") return word.to;
  const origin = { correlation_id: correlationId, source_component: components[by as Component] };
  return codec.subjectOf(word as unknown as Message<Key>, origin);
}

/** The same subject in the layout of the flows. A subject of another layout says less: the message adds the rest. */
function inFlow(line: Line, layout: Layout): string {
  const subject = subjectOf(line, codecs[layout]);
  if (layout === "flow" || subject.startsWith("_INBOX")) return subject;
  const { address } = codecs.correlated.parse(subject);
  if (address?.layout !== "correlated" && !/\.(?:heartbeats|rejected)\./.test(subject)) {
    throw new Error(`'${subject}' is not in the layout '${layout}'`);
  }
  const { to: _to, ...word } = line.word;
  const own = codecs.flow.subjectOf(word as unknown as Message<Key>, {
    correlation_id: line.correlationId,
    source_component: components[line.by as Component],
  });
  const flow = codecs.flow.parse(own).address;
  const params: Readonly<Record<string, string | undefined>> = { ...flow?.params, corr: line.correlationId };
  for (const [name, token] of Object.entries(address?.params ?? {})) {
    if (params[name] !== token) throw new Error(`'${subject}' says ${name} '${token}', the message '${params[name]}'`);
  }
  return own;
}

// ── what fits what ──

const placeholder = /\{([a-z_]+(?:#\w+)?)\}/g;
const insiders: ReadonlySet<string> = new Set(Object.keys(components));
const outside: ReadonlySet<string> = new Set(["API", "GW", "CLIENT"]);

/** Two names for two executions of one kind stand for two. */
function bound(bindings: Bindings, name: string, value: string): Bindings | null {
  const known = bindings.get(name);
  if (known !== undefined) return known === value ? bindings : null;
  const [stem = ""] = name.split("#");
  const isTaken =
    stem.endsWith("_exec_id") &&
    [...bindings].some(([other, taken]) => other.split("#")[0] === stem && taken === value);
  return isTaken ? null : new Map(bindings).set(name, value);
}

function boundIn(bindings: Bindings, template: string, text: string): Bindings | null {
  const names = [...template.matchAll(placeholder)].map(([, name = ""]) => name);
  const escaped = template
    .split(placeholder)
    .map((part, index) =>
      index % 2 === 1 ? (part === "inbox" ? "(.+)" : "([^.]+)") : part.replaceAll(/[.?*+^$]/g, String.raw`\$&`),
    )
    .join("");
  const found = new RegExp(`^${escaped}$`).exec(text);
  if (!found) return null;
  return names.reduce<Bindings | null>((so, name, index) => so && bound(so, name, found[index + 1] ?? ""), bindings);
}

/** A command that names a definition says which execution of it is meant. */
function boundSections(bindings: Bindings, { kind, subject }: Expected, { word }: Line): Bindings | null {
  let so: Bindings | null = bindings;
  if (kind !== "command") return so;
  for (const [, name = ""] of subject.matchAll(placeholder)) {
    const parts = /^(workflow|task|agent|tool)_id(#\w+)?$/.exec(name);
    const execId = parts && (word[parts[1] as "task"] as { exec_id?: string } | undefined)?.exec_id;
    if (so && parts && typeof execId === "string") so = bound(so, `${parts[1]}_exec_id${parts[2] ?? ""}`, execId);
  }
  return so;
}

/**
 * Two replies may go to an inbox instead: the acknowledgment of a relay, as several may be under way to one runtime,
 * and the result of a tool that a runtime in another process calls.
 */
function subjectFor({ subject }: Expected, line: Line, layout: Layout): string {
  const { to, agent_runtime, tool } = line.word;
  if (to?.startsWith("_INBOX") !== true) return inFlow(line, layout);
  if (subject.includes(".results.agent_runtime.")) return `compozy.results.agent_runtime.${agent_runtime?.exec_id}`;
  if (subject.includes(".results.tool.")) return `compozy.results.tool.${tool?.exec_id}`;
  return to;
}

const valueAt = (body: unknown, path: string): unknown =>
  path.split(".").reduce<unknown>((inner, field) => (inner as Record<string, unknown> | undefined)?.[field], body);

/** What is bound once this message is taken for the expected one; null if it is not that one. */
function fitted(bindings: Bindings, expected: Expected, line: Line, layout: Layout): Bindings | null {
  const { status, result, context } = payloadOf(line);
  const isClient = !insiders.has(expected.by) && outside.has(line.by);
  if (line.word.type !== `${expected.kind}:${expected.type}` || (line.by !== expected.by && !isClient)) return null;
  if (expected.status !== undefined && status !== expected.status) return null;
  const code = expected.kind === "log" ? context?.code : result?.error?.code;
  if (expected.code !== undefined && code !== expected.code) return null;
  const subject = boundIn(bindings, expected.subject, subjectFor(expected, line, layout));
  let so = subject && boundSections(subject, expected, line);
  for (const [path, wanted] of Object.entries(expected.match ?? {})) {
    const value = valueAt(line.word, path);
    const [, name] = /^\{([a-z_#\w]+)\}$/.exec(String(wanted)) ?? [];
    if (name === undefined) so = value === wanted ? so : null;
    else so = so && bound(so, name, String(value));
  }
  return so;
}

// ── the conversation ──

const entityOf = ({ word }: Line): string => {
  if (!isKey(word.type)) return "";
  if (word.type !== "result:CommandAck") return catalogue[word.type].entity ?? "log";
  return ["agent_runtime", "task", "workflow", "agent"].find((section) => word[section] !== undefined) ?? "workflow";
};
const mayBeMore = (line: Line): boolean =>
  kindOf(line) === "progress" || (kindOf(line) === "log" && payloadOf(line).log_level !== "error");

/** From the first listed message on, whatever belongs to its conversation. */
function traceOf(flow: Flow, lines: readonly Line[], layout: Layout): readonly Line[] {
  const [first] = flow.messages;
  const begins = lines.findIndex((line) => first !== undefined && fitted(new Map(), first, line, layout) !== null);
  if (begins < 0) return [];
  const { correlationId } = lines[begins] as Line;
  const trace = lines.slice(begins);
  const own = trace.filter((line) => line.correlationId === correlationId);
  const runtimes = new Set(own.map(({ word }) => word.agent_runtime?.exec_id).filter((id) => id !== undefined));
  return trace.filter(
    (line) => line.correlationId === correlationId || runtimes.has(line.word.agent_runtime?.exec_id ?? ""),
  );
}

type Entry = { expected: Expected; line?: Line };
type State = { bindings: Bindings; entries: readonly Entry[]; extra: Line | null };

/** The execution that an expected message is about, by its placeholder. */
function aboutOf({ kind, subject }: Expected): string {
  const own = [...subject.matchAll(placeholder)].map(([, name = ""]) => name);
  const last = own.at(-1) ?? "";
  return kind === "command" ? last.replace(/_id(#|$)/, "_exec_id$1").replace("_exec_exec", "_exec") : last;
}

/** Which of the expected ones may come next: of a block of one group any, but in order for one execution. */
function candidates(entries: readonly Entry[]): Entry[] {
  const open = entries.filter(({ line }) => line === undefined);
  const found: Entry[] = [];
  for (let index = 0; index < open.length;) {
    const { group } = (open[index] as Entry).expected;
    const block = [open[index] as Entry];
    while (group !== undefined && open[index + block.length]?.expected.group === group) {
      block.push(open[index + block.length] as Entry);
    }
    for (const [place, entry] of block.entries()) {
      const isBehind = block
        .slice(0, place)
        .some(({ expected }) => !expected.optional && aboutOf(expected) === aboutOf(entry.expected));
      if (!isBehind) found.push(entry);
    }
    if (block.some(({ expected }) => !expected.optional)) return found;
    index += block.length;
  }
  return found;
}

/** It answers a command of whoever is outside, at once or, to an inbox, once others have answered. */
const isToOutside = ({ cause, word: { to } }: Line, trace: readonly Line[]): boolean =>
  trace.some(
    (line) =>
      outside.has(line.by) &&
      (line.id === cause || (to?.startsWith("_INBOX") === true && payloadOf(line).reply_to_subject === to)),
  );

/** An answer to whoever is outside may come anywhere after its command. */
const isOutside = ({ type, to }: Expected): boolean =>
  type === "CommandAck" && to.some((receiver) => outside.has(receiver));

function matched(flow: Flow, trace: readonly Line[], layout: Layout): State {
  const entries: Entry[] = flow.messages.map((expected) => ({ expected }));
  const inOrder = entries.filter(({ expected }) => !isOutside(expected));
  const anywhere = entries.filter(({ expected }) => isOutside(expected));
  let bindings: Bindings = new Map();
  const take = (open: readonly Entry[], line: Line): boolean => {
    for (const entry of open) {
      const so = fitted(bindings, entry.expected, line, layout);
      if (!so) continue;
      entry.line = line;
      bindings = so;
      return true;
    }
    return false;
  };
  for (const line of trace) {
    const isAnswer = line.word.type === "result:CommandAck" && isToOutside(line, trace);
    const isTaken = isAnswer
      ? take(
          anywhere.filter((entry) => !entry.line),
          line,
        )
      : take(candidates(inOrder), line);
    // What was skipped must not come later: candidates are looked for among what is open, so it is closed here.
    if (isTaken && !isAnswer) closeSkipped(inOrder);
    if (isTaken || mayBeMore(line) || !flow.scope.includes(entityOf(line))) continue;
    return { bindings, entries, extra: line };
  }
  return { bindings, entries, extra: null };
}

const skipped = { type: "skipped" } as unknown as Line;
/** Optional ones before the last that came were left out, unless they stand in one block with it. */
function closeSkipped(entries: readonly Entry[]): void {
  const last = entries.findLastIndex(({ line }) => line !== undefined && line !== skipped);
  const { group } = entries[last]?.expected ?? {};
  for (const entry of entries.slice(0, Math.max(last, 0))) {
    if (group !== undefined && entry.expected.group === group) continue;
    if (entry.expected.optional) entry.line ??= skipped;
  }
}

/** What is wrong with a conversation, if anything. */
export function compared(flow: Flow, lines: readonly Line[], layout: Layout = "flow"): Compared {
  const trace = traceOf(flow, lines, layout);
  const { bindings, entries, extra } = matched(flow, trace, layout);
  const missing = entries.filter(({ expected, line }) => !expected.optional && line === undefined);
  if (!extra && missing.length === 0) return { problem: null, bindings, trace };
  const [first] = missing;
  const came = extra ? told(extra, layout) : "nothing";
  const wanted = first ? wantedText(first.expected) : "nothing more";
  return { problem: report(`expected ${wanted}, but ${came} came`, flow, trace, entries, layout), bindings, trace };
}

// ── the report ──

const told = (line: Line, layout: Layout): string => {
  const { status, result, context } = payloadOf(line);
  const code = result?.error?.code ?? (kindOf(line) === "log" ? context?.code : undefined);
  return [line.by, line.word.type, subjectOf(line, codecs[layout]), status, code].filter(Boolean).join(" ");
};
const wantedText = ({ by, kind, type, subject, status, code, match }: Expected): string =>
  [by, `${kind}:${type}`, subject, status, code, match && JSON.stringify(match)].filter(Boolean).join(" ");

/** Lines of both fit; of the flow alone are lost; of the trace alone are too many. */
function report(what: string, flow: Flow, trace: readonly Line[], entries: readonly Entry[], layout: Layout): string {
  const diff: string[] = [];
  const shown = new Set<Entry>();
  for (const line of trace) {
    const at = entries.findIndex((entry) => entry.line === line);
    if (at >= 0) {
      for (const entry of entries.slice(0, at)) lost(entry, diff, shown);
      diff.push(`  ${told(line, layout)}`);
    } else if (flow.scope.includes(entityOf(line)) && !mayBeMore(line)) diff.push(`+ ${told(line, layout)}`);
  }
  for (const entry of entries) lost(entry, diff, shown);
  return [`${flow.id}: ${what}`, "", ...diff, "", conversationOf(trace, codecs[layout])].join("\n");
}
function lost(entry: Entry, diff: string[], shown: Set<Entry>): void {
  if (entry.line !== undefined || entry.expected.optional || shown.has(entry)) return;
  shown.add(entry);
  diff.push(`- ${wantedText(entry.expected)}`);
}
