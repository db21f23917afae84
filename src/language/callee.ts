// What agents and tools have in common, as they are defined in TypeScript.

import { isObject } from "../protocol/json.ts";
import type { Schema } from "./json-schema.ts";
import type { ConcurrencySpec, Duration, RateSpec } from "./spec.ts";

export type CalleeDefinition<In extends Schema = Schema, Out extends Schema = Schema> = {
  readonly id: string;
  readonly description?: string;
  /** What it may be given: JSON Schema, a schema of zod, or a function that throws what is wrong. */
  readonly input?: In;
  /** What it may answer. */
  readonly output?: Out;
  /** For calls that set none. */
  readonly timeout?: Duration;
  /** The same in milliseconds. */
  readonly timeoutMs?: number;
  /** Names of environment variables; their values are in the handler's `context.env`, and nobody else's are. */
  readonly env?: readonly string[];
  /** At most so many at once, and so many within a time; one more waits until its own time is over. */
  readonly concurrency?: ConcurrencySpec;
  readonly rate?: RateSpec;
  /** `false`: a call that comes again, after a crash or a timeout, does harm; `troupe check` shows where one may. */
  readonly idempotent?: boolean;
  /** Where the handler runs: in this thread. */
  readonly isolation?: "inline";
};

/** A function in this process, or where it is: a path or URL, and after `#` which export if not the default one. */
export type HandlerOr<Handler> = { readonly kind?: "module" } & (
  | { readonly handler: Handler; readonly module?: never }
  | { readonly module: string | URL | Handler; readonly handler?: never }
);

/** Whoever registers for its id runs it: here stands what it may be given, how long it may take, and its limits. */
export type Remote = { readonly kind: "remote"; readonly handler?: never; readonly module?: never };

/** An agent or tool among those of a project or workflow in TypeScript, as `defineAgent` and `defineTool` give it. */
export type WrittenCallee = CalleeDefinition & (HandlerOr<(...given: never[]) => unknown> | Remote);

/** The definitions of a module in the words of YAML: `handler` is there what `module` is here. */
export function inWordsOfYaml(value: unknown): unknown {
  if (!isObject(value)) return value;
  const { agents, tools } = value;
  const all = { ...(Array.isArray(agents) && { agents }), ...(Array.isArray(tools) && { tools }) };
  const lists = Object.entries(all).filter(([, list]) => list.some(hasHandler));
  if (lists.length === 0) return value;
  return { ...value, ...Object.fromEntries(lists.map(([key, list]) => [key, list.map(withModule)])) };
}

const hasHandler = (one: unknown): one is Record<string, unknown> =>
  isObject(one) && typeof one["handler"] === "function" && one["module"] === undefined;

function withModule(one: unknown): unknown {
  if (!hasHandler(one)) return one;
  const { handler, timeoutMs, ...rest } = one;
  return { kind: "module", ...rest, module: handler, ...(timeoutMs !== undefined && { timeout: timeoutMs }) };
}
