// What an agent is to the engine: an id, and a function that runs in this process, or word that it runs elsewhere.

import type { CalleeDefinition, HandlerOr, Remote } from "../language/callee.ts";
import type { Schema } from "../language/json-schema.ts";
import type { Filled, Given, Handling } from "../language/typed.ts";
import type { HandlerContext } from "../protocol/handler.ts";

/** What the handler of an agent may do beside what every handler may. */
export interface AgentContext extends HandlerContext {
  /** What the task asks for by `action`, if it says. */
  readonly action?: string;
  /** What it thinks, as progress for whoever watches. */
  readonly thinking: (text: string) => void;
  /** The same by its shorter name. */
  readonly think: (text: string) => void;
  /** A piece of its answer, as progress for whoever watches. */
  readonly token: (text: string) => void;
  /** What it has used up since it said so last: counted against the budgets of its run and of those above it. */
  readonly usage: (spent: { readonly tokens?: number; readonly cost?: number }) => void;
  /** Runs a tool by its id; rejects with a TroupeError of the tool's code. */
  readonly tool: (id: string, input: unknown) => Promise<unknown>;
}

/**
 * Gives the result or a promise of it, or throws. The `code` of a thrown error, if it is in capitals
 * (`CARD_DECLINED`), becomes the cause of the failure, which retry rules may name.
 */
export type AgentHandler<Input = unknown, Output = unknown> = Handling<Input, AgentContext, Output>;

/** An answer that breaks `output` is an AGENT_ERROR with the cause OUTPUT_INVALID. */
export type AgentDefinition<In extends Schema = Schema, Out extends Schema = Schema> = CalleeDefinition<In, Out> &
  (HandlerOr<AgentHandler<Filled<In>, Given<Out>>> | Remote);

/** Whether it runs in this process. */
export const isOfThisProcess = ({ kind }: Pick<AgentDefinition, "kind">): boolean => kind !== "remote";
