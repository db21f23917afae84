// What a tool is to the engine: an id, a function that runs in this process, and what goes in and out of it.

import type { FieldError } from "../protocol/refusal.ts";

/** Where a handler may say things for people to read; fields are searched by, so they are short. */
export interface Log {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** What a handler is told of its run: as an agent is, but that a tool does not think, stream or call tools. */
export interface ToolContext {
  /** Aborted when the run is canceled, over its time or given up; whatever is returned after that is dropped. */
  readonly signal: AbortSignal;
  /** Counts from 1. */
  readonly attempt: number;
  /** The same whenever the same attempt is run again, after a crash for instance: for what must not happen twice. */
  readonly idempotencyKey: string;
  /** When nobody will wait for the answer any longer. */
  readonly deadline: Date | null;
  readonly execId: string;
  readonly correlationId: string;
  readonly log: Log;
  /** A step it has done, as progress for whoever watches. */
  readonly step: (data: unknown) => void;
}

/**
 * Gives the result or a promise of it, or throws. The `code` of a thrown error, if it is in capitals
 * (`CARD_DECLINED`), becomes the cause of the failure, which retry rules may name.
 */
export type ToolHandler = (input: unknown, context: ToolContext) => unknown;

type Defect = { readonly path: readonly PropertyKey[]; readonly message: string };

/** A zod schema, or a function that gives the value it was given, perhaps filled in, and throws if it is wrong. */
export type Schema =
  | {
      safeParse(
        value: unknown,
      ):
        | { readonly success: true; readonly data: unknown }
        | { readonly success: false; readonly error: { readonly issues: readonly Defect[] } };
    }
  | ((value: unknown) => unknown);

export type ToolDefinition = {
  readonly id: string;
  readonly description?: string;
  readonly input?: Schema;
  readonly output?: Schema;
  /** For calls that set none. */
  readonly timeoutMs?: number;
  /** Where the handler runs: in this thread. */
  readonly isolation?: "inline";
} & (
  | { readonly handler: ToolHandler; readonly module?: never }
  /** Path or URL of a TypeScript or JavaScript module; its default export, or the one after `#`, is the handler. */
  | { readonly module: string | URL; readonly handler?: never }
);

export type Checked = { readonly value: unknown; readonly errors?: never } | { readonly errors: readonly FieldError[] };

/** The value as its schema wants it, or what is wrong with it. */
export function checkedBy(schema: Schema | undefined, value: unknown): Checked {
  if (schema === undefined) return { value };
  if (typeof schema !== "function") {
    const parsed = schema.safeParse(value);
    if (parsed.success) return { value: parsed.data };
    return { errors: parsed.error.issues.map(({ path, message }) => ({ field: path.map(String).join("."), message })) };
  }
  try {
    return { value: schema(value) };
  } catch (thrown) {
    return { errors: [{ field: "", message: thrown instanceof Error ? thrown.message : String(thrown) }] };
  }
}
