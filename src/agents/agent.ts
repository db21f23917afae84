// What an agent is to the engine: an id, and a function that runs in this process.

/** Where a handler may say things for people to read; fields are searched by, so they are short. */
export interface Log {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** What a handler is told of its run, and what it may say and ask while it runs. */
export interface AgentContext {
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
  /** What it thinks, as progress for whoever watches. */
  readonly thinking: (text: string) => void;
  /** A piece of its answer, as progress for whoever watches. */
  readonly token: (text: string) => void;
  /** A step it has done, as progress for whoever watches. */
  readonly step: (data: unknown) => void;
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
