// What a troupe may be opened with, and what is refused before anything is opened.

import type { Clock } from "../actors/clock.ts";
import type { WorkflowSpec } from "../actors/definition.ts";
import type { Limits } from "../actors/limits.ts";
import type { AgentDefinition } from "../agents/agent.ts";
import { TroupeError } from "../protocol/errors.ts";
import { type Layout, layouts } from "../protocol/layouts.ts";
import { nearest } from "../protocol/nearest.ts";
import { clip, type FieldError } from "../protocol/refusal.ts";
import type { Store } from "../store/store.ts";
import type { Transport } from "../transport/transport.ts";
import type { ToolDefinition } from "../tools/tool.ts";

export type Definitions = {
  workflows?: readonly WorkflowSpec[];
  agents?: readonly AgentDefinition[];
  tools?: readonly ToolDefinition[];
};

export type Options = Definitions & {
  /** Where everything is kept: `"memory"`, a directory, or a store that is open. Without it, in memory. */
  store?: "memory" | { directory: string } | Store;
  /** What is otherwise so many: see `limits` of a troupe. */
  limits?: Partial<Limits>;
  /** What every subject begins with. */
  prefix?: string;
  /** Which of the two layouts subjects have. */
  subjects?: Layout;
  /** Where modules of definitions are looked for. */
  folder?: string;
  /** Hears what the engine and the handlers report. */
  log?: (
    level: "debug" | "info" | "warn" | "error",
    message: string,
    fields: Readonly<Record<string, unknown>>,
  ) => void;
  clock?: Clock;
  random?: () => number;
  /** How this process reaches others. Without it, it is alone. */
  transport?: Transport;
  /** Which components are here; all of them if it is not said. Whoever is not here is reached over the transport. */
  roles?: readonly string[];
  /** For searching: what the components of this process tell each other goes over the transport too. */
  wire?: boolean;
};

const isText = (value: unknown): boolean => typeof value === "string" && value !== "";
const isFunction = (value: unknown): boolean => typeof value === "function";
const has = (value: unknown, ...names: string[]): boolean =>
  typeof value === "object" && value !== null && names.every((name) => isFunction(Reflect.get(value, name)));

type Rule = { is: (value: unknown) => boolean; says: string };
const list: Rule = { is: Array.isArray, says: "must be a list" };
const rules: Readonly<Record<keyof Options, Rule>> = {
  workflows: list,
  agents: list,
  tools: list,
  store: { is: isPlace, says: 'must be "memory", { directory }, or a store that is open' },
  limits: { is: (value) => typeof value === "object" && value !== null, says: "must be an object" },
  prefix: { is: isText, says: "must be a text" },
  subjects: {
    is: (value) => layouts.includes(value as Layout),
    says: `must be one of ${layouts.join(", ")}`,
  },
  folder: { is: isText, says: "must be the path of a folder" },
  log: { is: isFunction, says: "must be a function" },
  clock: { is: (value) => has(value, "now", "alarm"), says: "must be a clock" },
  random: { is: isFunction, says: "must be a function" },
  transport: { is: (value) => has(value, "connect"), says: "must be a transport" },
  roles: {
    is: (value) => Array.isArray(value) && value.every((role) => typeof role === "string"),
    says: "must be a list of texts",
  },
  wire: { is: (value) => typeof value === "boolean", says: "must be true or false" },
};

function isPlace(value: unknown): boolean {
  if (value === "memory" || has(value, "append", "onCommitted")) return true;
  const keys = typeof value === "object" && value !== null ? Object.keys(value) : [];
  return keys.length === 1 && isText((value as { directory?: unknown }).directory);
}

/** Refuses names that are none and values that cannot be, all at once. */
export function checkOptions(options: Options, allowed = Object.keys(rules) as (keyof Options)[]): void {
  const defects = Object.entries(options).flatMap(([name, value]): FieldError[] => {
    const rule = allowed.includes(name as keyof Options) ? rules[name as keyof Options] : undefined;
    if (!rule) return [{ field: clip(name), message: unknownAmong(name, allowed) }];
    return value === undefined || rule.is(value) ? [] : [{ field: name, message: rule.says }];
  });
  refuseIf(defects, "these options cannot be");
}

/** Refuses names that are none of an object's. */
export function checkNames(given: object, known: readonly string[], what: string): void {
  const unknown = Object.keys(given).filter((name) => !known.includes(name));
  refuseIf(
    unknown.map((name) => ({ field: clip(name), message: unknownAmong(name, known) })),
    `${what} cannot be understood`,
  );
}

function unknownAmong(name: string, known: readonly string[]): string {
  const meant = nearest(name, known);
  return `is unknown; ${meant === undefined ? `there are ${known.join(", ")}` : `did you mean '${meant}'?`}`;
}

function refuseIf(errors: FieldError[], says: string): void {
  if (errors.length === 0) return;
  const listed = errors.map(({ field, message }) => `${field} ${message}`).join("; ");
  throw new TroupeError("VALIDATION_FAILED", `${says}: ${listed}`, { errors });
}
