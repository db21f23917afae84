// What an agent is to the engine: an id, and a function that runs in this process.

import type { HandlerContext } from "../protocol/handler.ts";

/** What the handler of an agent may do beside what every handler may. */
export interface AgentContext extends HandlerContext {
  /** What it thinks, as progress for whoever watches. */
  readonly thinking: (text: string) => void;
  /** A piece of its answer, as progress for whoever watches. */
  readonly token: (text: string) => void;
  /** Runs a tool by its id; rejects with a TroupeError of the tool's code. */
  readonly tool: (id: string, input: unknown) => Promise<unknown>;
}

/**
 * Gives the result or a promise of it, or throws. The `code` of a thrown error, if it is in capitals
 * (`CARD_DECLINED`), becomes the cause of the failure, which retry rules may name.
 */
export type AgentHandler = (input: unknown, context: AgentContext) => unknown;

export type AgentDefinition = {
  readonly id: string;
  readonly description?: string;
  /** For tasks that set none. */
  readonly timeoutMs?: number;
  /** Where the handler runs: in this thread. */
  readonly isolation?: "inline";
} & (
  | { readonly handler: AgentHandler; readonly module?: never }
  /** Path or URL of a TypeScript or JavaScript module; its default export, or the one after `#`, is the handler. */
  | { readonly module: string | URL; readonly handler?: never }
);
