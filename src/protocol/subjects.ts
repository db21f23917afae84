// Subjects: where a message goes, and what a subject says of its message.
//
// Invariants:
//   S1. parse(build(address)) is the address, for every address.
//   S2. build(parse(subject)) is the subject if it is canonical, and the canonical subject if it is an alias.
//   S3. build refuses a bad token and never mends one: no foreign text becomes a second token or a wildcard.
//   S4. parse refuses whatever is not a subject of the protocol, and says why.
//   S5. The subject of a message says what its sections say.

import { meantBeginning, meantRoot, meantWord } from "./aliases.ts";
import { entryOf, type Key, type Message } from "./catalogue.ts";
import type { Warning } from "./fields.ts";
import { definitionIdPattern, isExecId, noScope } from "./ids.ts";
import { isObject } from "./json.ts";
import {
  grammarOf,
  keyAt,
  rootOf,
  rootWords,
  rowOf,
  rows,
  slotOf,
  templateOf,
  wordsOf,
  type Address,
  type Layout,
  type Params,
  type Slots,
} from "./layouts.ts";
import { nearest } from "./nearest.ts";
import { clip, refusal, type FieldError } from "./refusal.ts";
import type { Entity } from "./statuses.ts";

/** A subject as heard: its address, nothing for a reply inbox, and the old words it used. */
export type Heard = { address: Address | null; warnings: Warning[] };

/** What a message says outside its payload; metadata by the two fields that subjects know. */
type Origin = { correlation_id: string; source_component: string };

/** What to listen for: one message, the messages of one kind, or the whole of a root word or entity. */
export type Selection =
  | { [K in Key]: { key: K; params?: Partial<Params<K>> } }[Key]
  | { kind: "result" | "event" | "progress"; entity?: Entity; execId?: string }
  | { whole: "commands" | "events" | "results" | "progress"; entity?: Entity }
  | { whole: "commands"; entity: "agent_runtime"; runtimeId: string }
  | { whole: "logs" | "heartbeats" | "rejected" };

export type SubjectCodec = {
  readonly prefix: string;
  readonly layout: Layout;
  build(address: Address): string;
  parse(subject: string): Heard;
  /** The subject of a message, from its own sections. */
  subjectOf(message: Message, origin: Origin): string;
  /** A pattern to subscribe to, with wildcards. */
  patternOf(selection: Selection): string;
};

/** Builds subjects of one layout, and parses those of both. */
export function subjectCodec({ prefix, layout }: { prefix: string; layout: Layout }): SubjectCodec {
  if (!definitionIdPattern.test(prefix) || rootWords.has(prefix) || prefix.startsWith("_INBOX")) {
    throw badId("prefix", prefix, "1 to 64 letters, digits, _ and -, and no root word");
  }
  const build = ({ key, layout: own, params }: LooseAddress): string => {
    const tokens = templateOf(key)[own].map((place) => tokenFor(key, place, params));
    return [prefix, ...tokens].join(".");
  };
  return {
    prefix,
    layout,
    build,
    parse: (subject) => parse(prefix, subject),
    subjectOf: (message, origin) => build(addressOf(layout, message, origin)),
    patternOf: (selection) => [prefix, ...patternTokens(layout, selection)].join("."),
  };
}

// Inside this file an address is looked at by the names of its parameters, whatever its key.
type LooseAddress = { key: Key; layout: Layout; params: Readonly<Record<string, string | undefined>> };

export const badId = (field: string, given: unknown, is: string) =>
  refusal("bad_id", `${field} is not ${is}`, {
    errors: [{ field, message: `must be ${is}` }],
    given: typeof given === "string" ? clip(given) : typeof given,
  });

function tokenFor(key: Key, place: string, params: LooseAddress["params"], field?: string): string {
  const param = slotOf(place);
  if (param === undefined) return place;
  const grammar = grammarOf(param, entryOf(key).entity);
  const token: unknown = Object.hasOwn(params, param) ? params[param] : undefined;
  if (typeof token !== "string" || !grammar.fits(token)) throw badId(field ?? param, token, grammar.is);
  return token;
}

// ── parse ────────────────────────────────────────────────────────────────────────────────────────

const concrete = /^[^\s*>.\p{Cc}]+(?:\.[^\s*>.\p{Cc}]+)*$/u;
/** Whether something can be published there: no empty token, blank or wildcard. */
export const isConcrete = (subject: string): boolean => concrete.test(subject);

const inbox = /^_INBOX(?:_([^.]+))?\./;

function parse(prefix: string, subject: string): Heard {
  const [first, ...given] = subject.split(".");
  if (!isConcrete(subject)) {
    throw refusal("malformed_subject", `the subject "${clip(subject)}" has an empty token, a blank or a wildcard`);
  }
  const runtime = inbox.exec(subject);
  if (runtime !== null && (runtime[1] === undefined || isExecId(runtime[1]))) return { address: null, warnings: [] };
  if (first !== prefix)
    throw refusal("foreign_prefix", `the subject "${clip(subject)}" does not begin with "${prefix}"`);

  const layout = layoutOf(given[0] ?? "");
  const { tokens, warnings } = layout === "flow" ? meantBeginning(given) : meantRoots(given);
  const found = rowOf(layout, tokens);
  if (found === undefined) throw misfit(layout, tokens);
  const { row, slots } = found;
  const root = rootOf(row);
  const entity = slots.get("entity");
  checkSlots(slots);

  const word = slots.get("word");
  const meant = word === undefined ? undefined : meantWord(root, entity ?? "", word);
  const key = keyAt(root, entity, meant?.use);
  if (key === undefined) throw unknown(root, entity ?? "", word ?? "");
  const params = paramsOf(key, layout, tokens);
  return { address: { key, layout, params } as Address, warnings: [...warnings, ...(meant?.warnings ?? [])] };
}

function layoutOf(token: string): Layout {
  if (rootWords.has(token)) return "flow";
  if (isExecId(token)) return "correlated";
  const known = [...rootWords];
  throw refusal("unknown_root", `"${clip(token)}" is neither a root word nor a correlation id`, {
    given: clip(token),
    known,
    nearest: nearest(token, known),
  });
}

// In the correlated layout the root word stands third.
function meantRoots([corr, entity, root, ...rest]: readonly string[]) {
  if (corr === undefined || entity === undefined || root === undefined) return { tokens: [], warnings: [] };
  const { use, warnings } = meantRoot(root);
  return { tokens: [corr, entity, use, ...rest], warnings };
}

function misfit(layout: Layout, tokens: readonly string[]) {
  const root = tokens[layout === "flow" ? 0 : 2] ?? "";
  const shapes = rows.filter((row) => rootOf(row) === root).map((row) => row[layout].join("."));
  return refusal("misshapen_subject", `the subject does not have the form of a subject under "${clip(root)}"`, {
    known: shapes,
  });
}

// Definition ids are what a scope or target may be at most; the message itself may be stricter.
function checkSlots(slots: Slots): void {
  for (const [slot, token] of slots) {
    if (slot === "entity" || slot === "word") continue;
    checkToken(slot, token, grammarOf(slot, null));
  }
}

function checkToken(name: string, token: string, grammar: ReturnType<typeof grammarOf>): void {
  if (grammar.fits(token)) return;
  throw refusal("bad_token", `<${name}> in the subject is not ${grammar.is}`, { given: clip(token) });
}

function unknown(root: string, entity: string, word: string) {
  const known = wordsOf(root, entity);
  return refusal("unknown_subject", `${root} of "${entity}" know no "${clip(word)}"`, {
    given: clip(word),
    known,
    nearest: nearest(word, known),
  });
}

function paramsOf(key: Key, layout: Layout, tokens: readonly string[]): Record<string, string> {
  const params: Record<string, string> = {};
  for (const [index, place] of templateOf(key)[layout].entries()) {
    const param = slotOf(place);
    const token = tokens[index] ?? "";
    if (param === undefined) continue;
    checkToken(param, token, grammarOf(param, entryOf(key).entity));
    params[param] = token;
  }
  return params;
}

// ── what a message says of its own subject ───────────────────────────────────────────────────────

/** A message with its metadata, by field; from outside, so nothing is known of it. */
type Body = Readonly<Record<string, unknown>>;

const places: Readonly<Record<string, string>> = {
  wf: "workflow.id",
  wfx: "workflow.exec_id",
  task: "task.id",
  taskx: "task.exec_id",
  agent: "agent.id",
  agentx: "agent.exec_id",
  tool: "tool.id",
  toolx: "tool.exec_id",
  rt: "agent_runtime.exec_id",
  corr: "metadata.correlation_id",
  component: "metadata.source_component",
  level: "payload.log_level",
  reason: "payload.context.code",
};

const placeOf = (param: string, entity: string): string => places[param] ?? `${entity}.exec_id`;

function tokenOf(param: string, entity: string, body: Body): unknown {
  const said = valueAt(body, placeOf(param, entity));
  if (param === "wf" && entity !== "workflow" && body["workflow"] === undefined) return noScope;
  if (typeof said !== "string") return said;
  if (param === "reason") return said.toLowerCase();
  // `task.Executor:w1` logs under `task_executor`.
  if (param === "component") return said.split(":", 1).join().replaceAll(".", "_").toLowerCase();
  return said;
}

const valueAt = (body: Body, path: string): unknown =>
  path.split(".").reduce<unknown>((value, field) => (isObject(value) ? value[field] : undefined), body);

// An acknowledgment belongs to the innermost execution it names; one to an agent or tool has only an inbox.
function entityOf(message: Message): string {
  const own = entryOf(message.type).entity;
  if (own !== null) return own;
  const order: readonly Entity[] = ["agent_runtime", "tool", "agent", "task", "workflow"];
  return order.find((entity) => valueAt(message, entity) !== undefined) ?? "workflow";
}

function addressOf(layout: Layout, message: Message, origin: Origin): LooseAddress {
  const key = message.type;
  const template = templateOf(key);
  const entity = entityOf(message);
  const body = { ...message, metadata: origin };
  const params: Record<string, string> = {};
  for (const place of template[layout]) {
    const param = slotOf(place);
    if (param === undefined) continue;
    const token = param === "entity" ? entity : tokenOf(param, entity, body);
    const field = param === "entity" ? entity : placeOf(param, entity);
    params[param] = tokenFor(key, place, { [param]: token as string }, field);
  }
  return { key, layout, params };
}

/** Where a body contradicts the subject it came on. */
export function contradictions(address: Address, body: Body): FieldError[] {
  const { key, params }: LooseAddress = address;
  const entity = params["entity"] ?? entryOf(key).entity ?? "";
  return Object.entries(params)
    .filter(([param]) => param !== "entity" && param !== "component")
    .filter(([param, token]) => tokenOf(param, entity, body) !== token)
    .map(([param, token]) => ({ field: placeOf(param, entity), message: `the subject says "${token}"` }));
}

// ── patterns ─────────────────────────────────────────────────────────────────────────────────────

const anyToken = "*";
const anyRest = ">";

function patternTokens(layout: Layout, selection: Selection): string[] {
  if ("key" in selection) {
    const { key, params = {} }: { key: Key; params?: LooseAddress["params"] } = selection;
    return templateOf(key)[layout].map((place) =>
      params[slotOf(place) ?? ""] === undefined && slotOf(place) !== undefined
        ? anyToken
        : tokenFor(key, place, params),
    );
  }
  if ("kind" in selection) return patternOfKind(layout, selection);
  const { whole: root } = selection;
  const entity = "entity" in selection ? selection.entity : undefined;
  const runtimeId = "runtimeId" in selection ? selection.runtimeId : undefined;
  const runtime = runtimeId === undefined ? [] : [checkedExecId("runtimeId", runtimeId)];
  const correlated = layout === "correlated" && root !== "heartbeats" && root !== "rejected";
  if (correlated) return [anyToken, entity ?? anyToken, root, ...runtime, anyRest];
  return [root, ...(entity === undefined ? [] : [entity]), ...runtime, anyRest];
}

const rootsOfKind = { result: "results", event: "events", progress: "progress" } as const;

function patternOfKind(layout: Layout, { kind, entity, execId }: Extract<Selection, { kind: string }>): string[] {
  const row = rows.find((candidate) => rootOf(candidate) === rootsOfKind[kind]);
  const target = execId === undefined ? undefined : checkedExecId("execId", execId);
  const known: Readonly<Record<string, string | undefined>> = { entity, target };
  return (row?.[layout] ?? []).map((place) => {
    const slot = slotOf(place);
    return slot === undefined ? place : (known[slot] ?? anyToken);
  });
}

function checkedExecId(field: string, given: string): string {
  if (!isExecId(given)) throw badId(field, given, "a lower-case hyphenated UUID");
  return given;
}

/** Whether a subscription to the pattern hears the subject: `*` is one token, `>` at the end one or more. */
export function matches(pattern: string, subject: string): boolean {
  const wanted = pattern.split(".");
  const tokens = subject.split(".");
  const open = wanted.at(-1) === anyRest;
  const fixed = open ? wanted.slice(0, -1) : wanted;
  if (open ? tokens.length <= fixed.length : tokens.length !== fixed.length) return false;
  return fixed.every((token, index) => token === anyToken || token === tokens[index]);
}
