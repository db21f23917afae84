// What a tool is to the engine: an id, and a function that runs in this process, or word that it runs elsewhere.

import type { CalleeDefinition, HandlerOr, Remote } from "../language/callee.ts";
import type { Schema } from "../language/json-schema.ts";
import type { Filled, Given, Handling } from "../language/typed.ts";
import type { HandlerContext } from "../protocol/handler.ts";

/** A tool does not think, stream or call tools: it has what every handler has. */
export type ToolContext = HandlerContext;

/**
 * Gives the result or a promise of it, or throws. The `code` of a thrown error, if it is in capitals
 * (`CARD_DECLINED`), becomes the cause of the failure, which retry rules may name.
 */
export type ToolHandler<Input = unknown, Output = unknown> = Handling<Input, ToolContext, Output>;

/** An answer that breaks `output` is TOOL_OUTPUT_INVALID. */
export type ToolDefinition<In extends Schema = Schema, Out extends Schema = Schema> = CalleeDefinition<In, Out> &
  (HandlerOr<ToolHandler<Filled<In>, Given<Out>>> | Remote);

/** Whether whoever serves it elsewhere runs it. */
export const isElsewhere = (tool: Pick<ToolDefinition, "kind"> | undefined): boolean => tool?.kind === "remote";
