// What `troupe up` is told, from everywhere it may be told: flag, then environment, then file, then default.
//
//   --port 0 ─▶ TROUPE_PORT ─▶ daemon.port of troupe.yaml ─▶ 7420          the first that says something counts
//
// Invariants:
//   CF1. Of each key the value is that of the first layer that has it, and it is known which one that was.
//   CF2. A key that is none is refused with the nearest; a value that cannot be is refused, also where it would not
//        count.

import { existsSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { readDefinition } from "../language/file.ts";
import { isError, problemText } from "../language/problems.ts";
import { TroupeError } from "../protocol/errors.ts";
import { type Layout, layouts } from "../protocol/layouts.ts";
import { isObject } from "../protocol/json.ts";
import { nearest } from "../protocol/nearest.ts";
import { clip, type FieldError } from "../protocol/refusal.ts";
import { limitNames, schema, type Settings, settings, shown } from "./settings.ts";

/** A value and where it comes from: `--port`, `TROUPE_PORT`, `troupe.yaml`, or `default`. */
export type Setting = { key: string; value: unknown; origin: string; default: unknown; about: string };

export type Config = {
  settings: Settings;
  shown: Setting[];
  /** The folder of the project, if there is one. */
  project: string | null;
  /** The agent of frames that name none. */
  defaultAgent: string | null;
  /** What every subject begins with, and its layout. */
  prefix: string;
  subjects: Layout;
};

type Given = {
  /** By key, as commander gives them. */
  flags?: Readonly<Record<string, unknown>>;
  environment?: Readonly<Record<string, string | undefined>>;
  /** What stands under `daemon:`, and in which file. */
  file?: { name: string; folder: string; daemon: unknown };
};

type Layer = { values: Readonly<Record<string, unknown>>; nameOf: (key: string) => string };

const keys = Object.keys(settings);
const fileKeys = keys.filter((key) => settings[key]?.callOnly === undefined);
const prefix = "TROUPE_";
const variableOf = (key: string): string => `${prefix}${key.toUpperCase()}`;
/** Of the commands that talk to a daemon. */
const clientVariables = ["TROUPE_URL", "TROUPE_TOKEN"];

/** Reads the file that is meant, and everything else; throws VALIDATION_FAILED with all that is wrong. */
export async function readConfig({ flags = {}, environment = process.env }: Omit<Given, "file">): Promise<Config> {
  const { config } = mergedFrom({ flags, environment }).settings;
  const path = resolve(config);
  const isGiven = flags["config"] !== undefined || environment[variableOf("config")] !== undefined;
  const found = existsSync(path) ? path : isGiven ? undefined : codeBeside(path);
  if (found === undefined && isGiven) {
    throw new TroupeError("VALIDATION_FAILED", `there is no file '${config}'; name the troupe.yaml of a project`);
  }
  const nobody = { project: null, defaultAgent: null, ...subjectsIn({}) };
  if (found === undefined) return { ...mergedFrom({ flags, environment }), ...nobody };
  if (!/^troupe\.(?:yaml|ts)$/.test(basename(found))) {
    const message = `'${config}' is no file of a project: it must be called troupe.yaml or troupe.ts`;
    throw new TroupeError("VALIDATION_FAILED", message, { path: config });
  }
  const project = await readProject(found);
  const { daemon, default_agent: agent } = project;
  const file = { name: basename(found), folder: dirname(found), daemon };
  const defaultAgent = typeof agent === "string" ? agent : null;
  return { ...mergedFrom({ flags, environment, file }), project: file.folder, defaultAgent, ...subjectsIn(project) };
}

/** Whoever opens the project refuses what these cannot be. */
const subjectsIn = ({
  prefix: given,
  subjects,
}: Readonly<Record<string, unknown>>): Pick<Config, "prefix" | "subjects"> => ({
  prefix: typeof given === "string" ? given : "compozy",
  subjects: layouts.find((layout) => layout === subjects) ?? "flow",
});

const codeBeside = (path: string): string | undefined => {
  const code = resolve(dirname(path), "troupe.ts");
  return existsSync(code) ? code : undefined;
};

/** As it stands there; whoever opens the project holds it against the grammar. */
async function readProject(path: string): Promise<Readonly<Record<string, unknown>>> {
  const { value, problems, text } = await readDefinition(path, basename(path));
  if (problems.some(isError)) {
    const told = problems.map((problem) => problemText(problem, text)).join("\n");
    throw new TroupeError("DEFINITION_INVALID", `the file ${path} cannot be read:\n${told}`);
  }
  return isObject(value) ? value : {};
}

/** Puts the layers over each other. */
export function mergedFrom({ flags = {}, environment = {}, file }: Given): Pick<Config, "settings" | "shown"> {
  const layers: Layer[] = [
    { values: defined(flags), nameOf: (key) => `--${key.replaceAll("_", "-")}` },
    { values: fromEnvironment(environment), nameOf: variableOf },
    ...(file ? [{ values: fromFile(file), nameOf: (key: string) => `daemon.${key} of ${file.name}` }] : []),
  ];
  const errors: FieldError[] = [];
  const parsed = layers.map((layer, at) => parse(layer, at === 2 ? fileKeys : keys, errors));
  if (errors.length > 0) {
    const told = errors.map(({ field, message }) => `${field} ${message}`).join("; ");
    throw new TroupeError("VALIDATION_FAILED", `this cannot be: ${told}`, { errors });
  }
  const merged = keys.map((key): Setting & { raw: unknown } => {
    const at = parsed.findIndex((values) => Object.hasOwn(values, key));
    const { default: preset, about, isPath } = settings[key] as (typeof settings)[string];
    const given = at === -1 ? preset : parsed[at]?.[key];
    // What stands in the file is meant from there, wherever the command is called.
    const raw = at === 2 && isPath && file ? resolve(file.folder, String(given)) : given;
    const origin = at === -1 ? "default" : (layers[at]?.nameOf(key) ?? "");
    return { key, value: shown(key, raw), raw, origin, default: shown(key, preset), about };
  });
  return { settings: settingsFrom(merged), shown: merged.map(({ raw: _raw, ...setting }) => setting) };
}

function settingsFrom(merged: readonly (Setting & { raw: unknown })[]): Settings {
  const isLimit = (key: string): boolean => Object.values(limitNames).some((names) => names.has(key));
  const own = merged.filter(({ key }) => !isLimit(key)).map(({ key, raw }) => [key, raw]);
  // What nobody has set may be set by the project's own `limits`.
  const set = merged.filter(({ origin }) => origin !== "default");
  const limits = Object.entries(limitNames).map(([whose, names]) => [
    whose,
    Object.fromEntries(set.flatMap(({ key, raw }) => (names.has(key) ? [[names.get(key), raw]] : []))),
  ]);
  return Object.fromEntries([...own, ...limits]) as Settings;
}

const defined = (values: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));

/** What is wrong with what stands under `daemon:`, by key; whoever reads the project says that it is no object. */
export function wrongUnderDaemon(daemon: unknown): FieldError[] {
  const errors: FieldError[] = [];
  if (isObject(daemon)) parse({ values: daemon, nameOf: (key) => key }, fileKeys, errors);
  return errors;
}

/** A machine has variables of others that begin so: only what is nearly a key of ours is a slip of the pen. */
function fromEnvironment(environment: Readonly<Record<string, string | undefined>>): Record<string, unknown> {
  const isOurs = (name: string): boolean => {
    if (!name.startsWith(prefix) || clientVariables.includes(name)) return false;
    const key = name.slice(prefix.length).toLowerCase();
    return Object.hasOwn(settings, key) || meant(key, keys) !== undefined;
  };
  // Set to nothing is not set, as in most of what reads an environment.
  const ours = Object.entries(environment).filter(
    ([name, value]) => value !== undefined && value !== "" && isOurs(name),
  );
  return Object.fromEntries(ours.map(([name, value]) => [name.slice(prefix.length).toLowerCase(), value]));
}

function fromFile({ name, daemon }: NonNullable<Given["file"]>): Record<string, unknown> {
  if (daemon === undefined || daemon === null) return {};
  if (isObject(daemon)) return daemon;
  throw new TroupeError("VALIDATION_FAILED", `'daemon' of ${name} must be an object of settings`);
}

function parse({ values, nameOf }: Layer, known: readonly string[], errors: FieldError[]): Record<string, unknown> {
  const unknown = Object.keys(values).filter((key) => !known.includes(key));
  for (const key of unknown) errors.push({ field: nameOf(clip(key)), message: unknownAmong(key, known, nameOf) });
  const { success, data, error } = schema.safeParse(
    Object.fromEntries(Object.entries(values).filter(([key]) => known.includes(key))),
  );
  if (success) return data;
  for (const key of new Set(error.issues.map(({ path }) => String(path[0])))) {
    const { message = "" } = error.issues.find(({ path }) => path[0] === key) ?? {};
    errors.push({ field: nameOf(key), message: `${message}, not ${quoted(values[key])}` });
  }
  return {};
}

function unknownAmong(key: string, known: readonly string[], nameOf: (key: string) => string): string {
  if (settings[key]?.callOnly) return "cannot stand in the file: it is for one call";
  const near = meant(key, known);
  return near === undefined
    ? "is no setting; `troupe config show` lists them"
    : `is no setting; did you mean '${nameOf(near)}'?`;
}

/** Letters that changed places are two wrong ones, which is much for a short word, and the most usual slip. */
function meant(key: string, known: readonly string[]): string | undefined {
  const sorted = (word: string): string => Array.from(word).toSorted().join("");
  return nearest(key, known) ?? known.find((one) => sorted(one) === sorted(key));
}

const quoted = (value: unknown): string => clip(typeof value === "string" ? `'${value}'` : JSON.stringify(value));
