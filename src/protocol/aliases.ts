// Old ways of saying things that still work: tokens, names, statuses and fields, each with what to use instead.
//
// Names that belong to one message stand with it in the catalogue; everything here holds for many.
//
// Invariants:
//   L1. No alias shadows what is canonical: a word, name, status or field that is right is never replaced.
//   L2. Every use is told of, except where the protocol says "no warning".
//   L3. A field alias moves a value only where the message has a place for it, and never over one that is there.

import { z } from "zod";
import { entryOf, keys, nameOf, type Key } from "./catalogue.ts";
import type { Warning } from "./fields.ts";
import { isObject, type JsonObject } from "./json.ts";
import { clip } from "./refusal.ts";
import type { Entity } from "./statuses.ts";

type Alias = { readonly given: string; readonly use: string; readonly since: 1; readonly silent?: true };

/** Actions and events in subjects; without an entity they hold for all of them. */
const words: readonly (Alias & { readonly root: "commands" | "events"; readonly entity?: Entity })[] = [
  { root: "commands", entity: "workflow", given: "trigger", use: "execute", since: 1 },
  { root: "commands", entity: "agent", given: "execute", use: "trigger", since: 1, silent: true },
  { root: "events", given: "success", use: "completed", since: 1 },
  { root: "events", given: "cancelled", use: "canceled", since: 1 },
  { root: "events", entity: "task", given: "dispatched", use: "scheduled", since: 1 },
  { root: "events", entity: "task", given: "waiting_resumed", use: "waiting_ended", since: 1 },
  { root: "events", entity: "workflow", given: "waiting_started", use: "paused", since: 1 },
  { root: "events", entity: "workflow", given: "waiting_ended", use: "resumed", since: 1 },
];

/** Root words of the correlated layout. */
const roots: readonly Alias[] = [
  { given: "cmds", use: "commands", since: 1 },
  { given: "evts", use: "events", since: 1 },
];

/** Beginnings of subjects in the flow layout, after the prefix. */
const beginnings: readonly Alias[] = [
  { given: "events.agent.definition", use: "events.agent_runtime.instance", since: 1 },
];

/** Spellings inside any name. */
const spellings: readonly Alias[] = [
  { given: "Cancelled", use: "Canceled", since: 1 },
  { given: "Invocation", use: "Execution", since: 1 },
];

const statuses: readonly (Alias & { readonly entity?: Entity })[] = [
  { given: "COMPLETED", use: "SUCCESS", since: 1 },
  { given: "CANCELLED", use: "CANCELED", since: 1 },
  { given: "SCHEDULED", use: "PENDING", since: 1 },
  { given: "DISPATCHED", use: "PENDING", since: 1 },
  { given: "RETRY_SCHEDULED", use: "PENDING", since: 1 },
  { given: "WAITING", use: "PAUSED", since: 1, entity: "workflow" },
];

const fields: readonly Alias[] = [
  { given: "payload.error", use: "payload.result.error", since: 1 },
  { given: "payload.output", use: "payload.result.output", since: 1 },
  { given: "payload.outputs", use: "payload.result.output", since: 1 },
  { given: "payload.resume_data", use: "payload.context.resume_data", since: 1 },
  { given: "payload.context.trigger_input", use: "payload.context.input", since: 1 },
  { given: "payload.context.attempt_number", use: "payload.context.attempt", since: 1 },
  { given: "payload.context.cancelled_by", use: "payload.context.canceled_by", since: 1 },
  { given: "agent_runtime.runtime_id", use: "agent_runtime.exec_id", since: 1 },
];

export const aliases = { words, roots, beginnings, spellings, statuses, fields } as const;

const warningOf = ({ given, use }: { given: string; use: string }): Warning => ({
  code: "DEPRECATED_ALIAS",
  given: clip(given),
  use,
});

/** What is meant, and the warning it deserves. */
export type Meant = { use: string; warnings: Warning[] };
const meant = (given: string, alias: Alias | undefined): Meant =>
  alias === undefined
    ? { use: given, warnings: [] }
    : { use: alias.use, warnings: alias.silent === true ? [] : [warningOf(alias)] };

export const meantRoot = (given: string): Meant =>
  meant(
    given,
    roots.find((alias) => alias.given === given),
  );

export const meantWord = (root: string, entity: string, given: string): Meant =>
  meant(
    given,
    words.find((alias) => alias.root === root && alias.given === given && (alias.entity ?? entity) === entity),
  );

/** A subject without its prefix, with another beginning where it has an old one. */
export function meantBeginning(tokens: readonly string[]): {
  tokens: readonly string[];
  warnings: Warning[];
} {
  const alias = beginnings.find(({ given }) => `${tokens.join(".")}.`.startsWith(`${given}.`));
  if (alias === undefined) return { tokens, warnings: [] };
  const rest = tokens.slice(alias.given.split(".").length);
  return { tokens: [...alias.use.split("."), ...rest], warnings: [warningOf(alias)] };
}

// ── names ────────────────────────────────────────────────────────────────────────────────────────

const respell = (name: string): string =>
  spellings.reduce((spelled, { given, use }) => spelled.replaceAll(given, use), name);

const aliasOf = (key: Key, name: string) => entryOf(key).aliases?.find((alias) => alias.name === name);

const keysByName = Map.groupBy(
  keys.flatMap((key) =>
    [nameOf(key), ...(entryOf(key).aliases ?? []).map(({ name }) => name)].map((name) => ({ name, key })),
  ),
  ({ name }) => name,
);

/** The keys that a name can stand for. */
export const keysNamed = (given: string): Key[] => (keysByName.get(respell(given)) ?? []).map(({ key }) => key);

/** What is to be said of a name that stands for this key. */
export function warningsOfName(key: Key, given: string): Warning[] {
  if (given === nameOf(key) || aliasOf(key, given)?.silent === true) return [];
  return [warningOf({ given, use: nameOf(key) })];
}

// ── bodies ───────────────────────────────────────────────────────────────────────────────────────

/** Whether messages of this key have a place for a field. */
function hasPlace(key: Key, path: string): boolean {
  const [section, ...rest] = path.split(".");
  return section !== "payload" || reaches(entryOf(key).payload, rest);
}

function reaches(schema: z.ZodType, [field, ...rest]: string[]): boolean {
  if (field === undefined) return true;
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault) {
    return reaches(schema.unwrap() as z.ZodType, [field, ...rest]);
  }
  if (!(schema instanceof z.ZodObject)) return false;
  const shape = schema.shape as Record<string, z.ZodType>;
  return shape[field] !== undefined && reaches(shape[field], rest);
}

const fieldsOf = new Map(keys.map((key) => [key, fields.filter(({ use }) => hasPlace(key, use))]));

/** Rewrites old fields and statuses in the body of a message, in place. */
export function modernise(key: Key, body: JsonObject): Warning[] {
  const moved = (fieldsOf.get(key) ?? []).filter((alias) => move(body, alias.given.split("."), alias.use.split(".")));
  return [...moved.map(warningOf), ...moderniseStatus(key, body)];
}

function moderniseStatus(key: Key, body: JsonObject): Warning[] {
  const { payload } = body;
  if (!isObject(payload) || !hasPlace(key, "payload.status")) return [];
  const alias = statuses.find(
    ({ given, entity }) => given === payload["status"] && (entity === undefined || entity === entryOf(key).entity),
  );
  if (alias === undefined) return [];
  payload["status"] = alias.use;
  return [warningOf(alias)];
}

function move(body: JsonObject, given: readonly string[], use: readonly string[]): boolean {
  const source = objectAt(body, given.slice(0, -1), "look");
  const from = given.at(-1) ?? "";
  if (source?.[from] === undefined) return false;
  // Many write every field there is, and null where there is nothing: nothing is moved then.
  if (source[from] === null && use[1] === "result") {
    delete source[from];
    return true;
  }
  const target = objectAt(body, use.slice(0, -1), "make");
  const to = use.at(-1) ?? "";
  if (target === undefined || target[to] !== undefined) return false;
  target[to] = source[from];
  delete source[from];
  return true;
}

/** The object at a path; null and nothing are places where one can be made. */
function objectAt(body: JsonObject, path: readonly string[], how: "look" | "make"): JsonObject | undefined {
  let place = body;
  for (const field of path) {
    const next = place[field] ?? (how === "make" ? (place[field] = {}) : undefined);
    if (!isObject(next)) return undefined;
    place = next;
  }
  return place;
}
