// Holds a value against the grammar: keys, types, ranges and the look of texts; and collects its templates and schemas.
//
// The value has to be finite and without circles: measure.ts sees to that.

import { isObject } from "../protocol/json.ts";
import { durationOf } from "./duration.ts";
import { checkText } from "./check-texts.ts";
import { kindOf, listed, meant, type Notes, shown } from "./defects.ts";
import { task } from "./grammar-tasks.ts";
import type { Key, Keys, Kind, Way } from "./kinds.ts";
import type { Path } from "./spec.ts";

/** A value that may hold templates, or a schema: where it stands, and in which task or definition. */
export type Found = { path: Path; value: unknown; kind: Extract<Kind, { is: "value" | "schema" }>; within: Path };

type Shape = Notes & { found: Found[]; depthMax: number };

/** `what` names the thing in messages: "a workflow". */
export function checkKeys(value: unknown, keys: Keys, what: string, notes: Notes, depthMax: number, at: Path = []) {
  const shape: Shape = { ...notes, found: [], depthMax };
  object(shape, value, keys, what, at, at, 0);
  return shape.found;
}

/** `depth` counts the blocks above. */
function walk(shape: Shape, value: unknown, kind: Kind, path: Path, within: Path, depth: number): void {
  switch (kind.is) {
    case "text":
      if (kind.form === "module" && (typeof value === "function" || value instanceof URL)) return;
      if (typeof value !== "string") return wrong(shape, path, kind, value);
      return checkText(value, kind.form, path, shape);
    case "boolean":
      return typeof value === "boolean" ? undefined : wrong(shape, path, kind, value);
    case "number":
      return number(shape, value, kind, path);
    case "duration":
      return duration(shape, value, kind, path);
    case "size":
      return size(shape, value, path);
    case "choice":
      return choice(shape, value, kind.of, path);
    case "value":
    case "schema":
      return found(shape, value, kind, path, within);
    case "json":
      return undefined;
    case "list":
      return list(shape, value, kind, path, within, depth);
    case "map":
      return map(shape, value, kind, path, within, depth);
    case "object":
      return object(shape, value, kind.keys, placeName(path), path, within, depth);
    case "one":
      return one(shape, value, kind, path, within, depth);
    case "tagged":
      return tagged(shape, value, kind, path, depth);
    case "block":
      return block(shape, value, path, depth + 1);
  }
}

const wrong = ({ note }: Shape, path: Path, kind: Kind, value: unknown): void =>
  note(path, "BAD_TYPE", `must be ${wordsFor(kind)}, and is ${kindOf(value)}`);

/** What a kind of value is called. */
function wordsFor(kind: Kind): string {
  switch (kind.is) {
    case "text":
      return kind.form === "id" ? "an id" : "a text";
    case "boolean":
      return "true or false";
    case "number":
      return kind.whole ? "a whole number" : "a number";
    case "duration":
      return "a duration, such as 30s";
    case "size":
      return "a number of bytes, such as 1MiB";
    case "choice":
      return listed(kind.of.map(shown), "or");
    case "value":
      return kind.gives === "list" ? "a list or a template" : "a text or a template";
    case "schema":
      return "a JSON Schema";
    case "json":
      return "a value";
    case "block":
      return "a list of tasks";
    case "list":
      return kind.of.is === "object" ? `a list of {${Object.keys(kind.of.keys).join(", ")}}` : "a list";
    case "one":
      return listed(kind.of.map(wordsForWay), "or");
    case "object":
      return `{${Object.keys(kind.keys).join(", ")}}`;
    case "map":
    case "tagged":
      return "an object";
  }
}

/** What stands at a path, by the keys that lead there. */
function placeName(path: Path): string {
  const key = path.findLast((step) => typeof step === "string");
  return typeof path.at(-1) === "number" ? `an entry of ${key}` : String(key);
}

const wordsForWay = ({ kind }: Way): string => wordsFor(kind);

function number(shape: Shape, value: unknown, kind: Extract<Kind, { is: "number" }>, path: Path): void {
  if (typeof value !== "number") return wrong(shape, path, kind, value);
  const { least, most = Number.MAX_SAFE_INTEGER, whole } = kind;
  if (value >= least && value <= most && (!whole || Number.isInteger(value))) return;
  const range = kind.most === undefined ? `, ${least} or more` : ` from ${least} to ${most}`;
  shape.note(path, "BAD_VALUE", `must be ${wordsFor(kind)}${range}, and is ${shown(value)}`);
}

function duration(shape: Shape, value: unknown, kind: Extract<Kind, { is: "duration" }>, path: Path): void {
  if (typeof value !== "number" && typeof value !== "string") return wrong(shape, path, kind, value);
  let isOne = true;
  const ms = durationOf(value, "", (_field, message) => {
    isOne = false;
    shape.note(path, "BAD_VALUE", message);
  });
  if (isOne && kind.above && ms === 0) shape.note(path, "BAD_VALUE", "must be longer than nothing");
}

const sizeForm = /^\d{1,12}(?:\.\d{1,3})?(?:B|[KMG]i?B)?$/;

function size(shape: Shape, value: unknown, path: Path): void {
  if (typeof value === "number" ? Number.isSafeInteger(value) && value > 0 : typeof value !== "string") {
    return typeof value === "number" ? undefined : wrong(shape, path, { is: "size" }, value);
  }
  if (sizeForm.test(String(value))) return;
  shape.note(path, "BAD_VALUE", `${shown(value)} is no size: write 512KiB or 1MiB, or a number of bytes`);
}

function choice({ note }: Shape, value: unknown, of: readonly (string | number)[], path: Path): void {
  if (of.includes(value as string)) return;
  const known = of.map(String);
  const message = `must be ${listed(of.map(shown), "or")}, and is ${value === null ? "empty" : shown(value)}`;
  note(path, "BAD_VALUE", message, meant(value, known));
}

const isTemplate = (value: string): boolean => value.includes("${{");

function found(shape: Shape, value: unknown, kind: Found["kind"], path: Path, within: Path): void {
  shape.found.push({ path, value, kind, within });
  if (kind.is === "schema" || typeof value === "function" || (typeof value === "string" && isTemplate(value))) return;
  if (kind.text && typeof value !== "string") return wrong(shape, path, kind, value);
  const { gives } = kind;
  if (gives === undefined) return;
  if (gives === "list" ? Array.isArray(value) : typeof value === "boolean") return;
  const hint = typeof value === "string" ? `write "\${{ ${value.trim()} }}"` : undefined;
  const should = gives === "list" ? "a list, or a template that gives one" : "a template that gives true or false";
  shape.note(path, "BAD_TYPE", `must be ${should}, and is ${kindOf(value)}`, hint);
}

type OfList = Extract<Kind, { is: "list" }>;
function list(shape: Shape, value: unknown, kind: OfList, path: Path, within: Path, depth: number): void {
  if (!Array.isArray(value)) return wrong(shape, path, kind, value);
  if (value.length < (kind.least ?? 0)) shape.note(path, "BAD_VALUE", `needs at least ${wordsForOne(kind.of)}`);
  for (const [index, inner] of value.entries()) walk(shape, inner, kind.of, [...path, index], within, depth);
}

const wordsForOne = (kind: Kind): string => (kind.is === "text" ? `one ${kind.form}` : "one entry");

type OfMap = Extract<Kind, { is: "map" }>;
function map(shape: Shape, value: unknown, kind: OfMap, path: Path, within: Path, depth: number): void {
  if (!isObject(value)) return wrong(shape, path, kind, value);
  const entries = Object.entries(value);
  if (entries.length < (kind.least ?? 0)) shape.note(path, "BAD_VALUE", "needs at least one entry");
  for (const [key, inner] of entries) {
    checkText(key, kind.names, [...path, key], shape);
    walk(shape, inner, kind.of, [...path, key], kind.of.is === "one" ? [...path, key] : within, depth);
  }
}

function object(
  shape: Shape,
  value: unknown,
  keys: Keys,
  what: string,
  path: Path,
  within: Path,
  depth: number,
  tag?: string,
): void {
  if (!isObject(value)) return wrong(shape, path, { is: "object", keys }, value);
  for (const key of Object.keys(value)) {
    if (value[key] === undefined) continue;
    const row = Object.hasOwn(keys, key) ? keys[key] : undefined;
    if (row && isFor(row, tag)) walk(shape, value[key], row.kind, [...path, key], within, depth);
    else unknownKey(shape, [...path, key], keys, what, tag);
  }
  for (const [key, { required }] of Object.entries(keys)) {
    // A key that nobody knows may be the one that is missing: then that has been said.
    if (!required || value[key] !== undefined || isMeant(key, value, keys)) continue;
    shape.note([...path, key], "MISSING_KEY", `${what} needs "${key}"`);
  }
}

const isFor = ({ only }: Key, tag: string | undefined): boolean =>
  only === undefined || tag === undefined || only.includes(tag);

const isMeant = (missing: string, value: object, keys: Keys): boolean =>
  Object.keys(value).some((key) => !Object.hasOwn(keys, key) && meant(key, [missing]) !== undefined);

function unknownKey({ note, isFull }: Shape, path: Path, keys: Keys, what: string, tag: string | undefined): void {
  if (isFull()) return;
  const key = String(path.at(-1));
  const known = Object.keys(keys).filter((name) => isFor(keys[name] as Key, tag));
  const row = Object.hasOwn(keys, key) ? keys[key] : undefined;
  const merge = key === "<<" ? "YAML 1.2 has no merge keys: write the keys out, or use an alias for a whole value" : "";
  const owners = row?.only ? `tasks of type ${listed(row.only)} have it` : undefined;
  note(path, "UNKNOWN_KEY", `${shown(key)} is no key of ${what}`, merge || owners || meant(key, known) || ownedBy(key));
}

/** A task's key may be that of another type. */
function ownedBy(key: string): string | undefined {
  const owners = Object.keys(task.each).filter((type) => Object.hasOwn(task.each[type] ?? {}, key));
  return owners.length === 0 ? undefined : `tasks of type ${listed(owners)} have it`;
}

type OfOne = Extract<Kind, { is: "one" }>;
function one(shape: Shape, value: unknown, kind: OfOne, path: Path, within: Path, depth: number): void {
  const ways = kind.of.filter(({ when }) => {
    if (typeof when === "string") return when === "text" ? typeof value === "string" : Array.isArray(value);
    return isObject(value) && when.some((key) => value[key] !== undefined);
  });
  const [way, second] = ways;
  if (way && !second) {
    const isOther = way.kind.is === "choice" && !way.kind.of.includes(value as string);
    if (isOther) return shape.note(path, "BAD_VALUE", `must be ${wordsFor(kind)}, and is ${shown(value)}`);
    return walk(shape, value, way.kind, path, within, depth);
  }
  const keys = kind.of.flatMap(({ when }) => (typeof when === "string" ? [] : when));
  if (second) return shape.note(path, "BAD_VALUE", `says two things at once: it must be ${wordsFor(kind)}`);
  if (!isObject(value) || keys.length === 0) return wrong(shape, path, kind, value);
  if (Object.keys(value).length === 0) return shape.note(path, "BAD_VALUE", `is empty: it must be ${wordsFor(kind)}`);
  const what = placeName(path);
  for (const key of Object.keys(value)) {
    const hint = meant(key, keys) ?? `it must be ${wordsFor(kind)}`;
    shape.note([...path, key], "UNKNOWN_KEY", `${shown(key)} is no key of ${what}`, hint);
  }
}

type OfTagged = Extract<Kind, { is: "tagged" }>;
function tagged(shape: Shape, value: unknown, kind: OfTagged, path: Path, depth: number): void {
  const { thing, by, keys, each } = kind;
  if (!isObject(value)) return shape.note(path, "BAD_TYPE", `must be ${article(thing)}, and is ${kindOf(value)}`);
  const tags = Object.keys(each);
  const tag = value[by];
  const own = typeof tag === "string" && Object.hasOwn(each, tag) ? each[tag] : undefined;
  const isNear = (key: string): boolean => key === "<<" || (key !== by && meant(key, [by]) !== undefined);
  const near = tag === undefined ? Object.keys(value).find(isNear) : undefined;
  if (near !== undefined) {
    unknownKey(
      shape,
      [...path, near],
      { ...keys, [by]: { kind: { is: "json" }, says: "" } },
      article(thing),
      undefined,
    );
  } else if (tag === undefined) {
    shape.note([...path, by], "MISSING_KEY", `${article(thing)} needs "${by}": ${listed(tags, "or")}`);
  } else if (!own) {
    const message = `${shown(tag)} is no ${by} of ${article(thing)}: there are ${listed(tags)}`;
    shape.note([...path, by], "BAD_VALUE", message, meant(tag, tags));
  }
  const rest = Object.fromEntries(Object.entries(value).filter(([key]) => key !== by));
  if (own)
    return object(shape, rest, { ...keys, ...own }, article(`${String(tag)} ${thing}`), path, path, depth, String(tag));
  // Which keys it has is not known without its tag: only those that each has are looked at.
  const known = Object.entries(rest).filter(([key]) => Object.hasOwn(keys, key));
  object(shape, Object.fromEntries(known), keys, article(thing), path, path, depth);
}

const article = (words: string): string => `${/^[aeiou]|^llm|^mcp|^http/.test(words) ? "an" : "a"} ${words}`;

function block(shape: Shape, value: unknown, path: Path, depth: number): void {
  if (!Array.isArray(value)) return wrong(shape, path, { is: "block" }, value);
  if (value.length === 0) return shape.note(path, "BAD_VALUE", "needs at least one task");
  if (depth > shape.depthMax) {
    return shape.note(path, "TOO_DEEP", `is nested ${depth} deep, at most ${shape.depthMax} are allowed`);
  }
  for (const [index, inner] of value.entries()) walk(shape, inner, task, [...path, index], path, depth);
}
