// What a troupe may be opened with, and what is refused before anything is opened.

import type { Clock } from "../actors/clock.ts";
import type { WorkflowSpec } from "../language/spec.ts";
import type { Limits } from "../actors/limits.ts";
import type { AgentDefinition } from "../agents/agent.ts";
import type { Trace } from "../protocol/envelope.ts";
import { type Layout, layouts } from "../protocol/layouts.ts";
import type { Report } from "../protocol/report.ts";
import type { Store } from "../store/store.ts";
import type { Transport } from "../transport/transport.ts";
import type { ToolDefinition } from "../tools/tool.ts";
import { callable, checkFields, list, object, oneOf, type Rule, text, texts } from "./arguments.ts";

export type Definitions = {
  workflows?: readonly WorkflowSpec[];
  agents?: readonly AgentDefinition[];
  tools?: readonly ToolDefinition[];
};

/** Tells of changes in a folder, not of those below it; gives what ends that. */
export type Watch = (
  folder: string,
  heard: (file: string | null) => void,
  failed: (error: unknown) => void,
) => () => void;

export type Options = Definitions & {
  /** The folder of a project: its files are read, beside what is given here. Files in it are named from there. */
  project?: string;
  /** Whether changed files of the project are taken anew, for runs that begin from then on; or how to watch them. */
  watch?: boolean | Watch;
  /**
   * Where everything is kept: `"memory"`, a directory, or a store that is open. Without it, in memory. With the file of
   * a key contents are sealed on the disk.
   */
  store?: "memory" | { directory: string; keyFile?: string } | Store;
  /** What is otherwise so many: see `limits` of a troupe. */
  limits?: Partial<Limits>;
  /** What every subject begins with. */
  prefix?: string;
  /** Which of the two layouts subjects have. */
  subjects?: Layout;
  /** Where modules of definitions are looked for. */
  folder?: string;
  /** Hears what the engine and the handlers report. */
  log?: Report;
  /** The context of the trace for a run whose start brings none. */
  trace?: () => Trace | undefined;
  clock?: Clock;
  random?: () => number;
  /** Values of secrets and of the environment, by name. Without it, those of the process. */
  environment?: Readonly<Record<string, string | undefined>>;
  /** Names of secrets: their values are taken out of whatever handlers return, throw, say or log. */
  secrets?: readonly string[];
  /** How this process reaches others. Without it, it is alone. */
  transport?: Transport;
  /** Which components are here; all of them if it is not said. Whoever is not here is reached over the transport. */
  roles?: readonly string[];
  /** For searching: what the components of this process tell each other goes over the transport too. */
  wire?: boolean;
};

const isFunction = callable.is;
const has = (value: unknown, ...names: string[]): boolean =>
  typeof value === "object" && value !== null && names.every((name) => isFunction(Reflect.get(value, name)));

const rules: Readonly<Record<keyof Options, Rule>> = {
  workflows: list,
  agents: list,
  tools: list,
  store: { is: isPlace, says: 'must be "memory", { directory }, or a store that is open' },
  limits: object,
  prefix: text,
  subjects: oneOf(layouts),
  project: { is: text.is, says: "must be the path of a folder" },
  watch: { is: (value) => typeof value === "boolean" || isFunction(value), says: "must be true, false, or a function" },
  folder: { is: text.is, says: "must be the path of a folder" },
  log: callable,
  trace: callable,
  clock: { is: (value) => has(value, "now", "alarm"), says: "must be a clock" },
  random: callable,
  environment: object,
  secrets: texts,
  transport: { is: (value) => has(value, "connect"), says: "must be a transport" },
  roles: texts,
  wire: { is: (value) => typeof value === "boolean", says: "must be true or false" },
};

function isPlace(value: unknown): boolean {
  if (value === "memory" || has(value, "append", "onCommitted")) return true;
  if (typeof value !== "object" || value === null) return false;
  const { directory, keyFile, ...others } = value as { directory?: unknown; keyFile?: unknown };
  return text.is(directory) && (keyFile === undefined || text.is(keyFile)) && Object.keys(others).length === 0;
}

/** Refuses names that are none and values that cannot be, all at once. */
export const checkOptions = (options: Options, allowed = Object.keys(rules) as (keyof Options)[]): void =>
  checkFields(options, Object.fromEntries(allowed.map((name) => [name, rules[name]])), "these options cannot be");
