// What a tool is to the engine: an id, a function that runs in this process, and what goes in and out of it.

import type { HandlerContext } from "../protocol/handler.ts";
import type { FieldError } from "../protocol/refusal.ts";

/** A tool does not think, stream or call tools: it has what every handler has. */
export type ToolContext = HandlerContext;

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
