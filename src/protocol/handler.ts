// What the function of an agent or a tool is told of the run it works for, and where it may say things.

import type { Trace } from "./envelope.ts";

/** Where a handler may say things for people to read; fields are searched by, so they are short. */
export interface Log {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export interface HandlerContext {
  /** Aborted when the run is canceled, over its time or given up; whatever is returned after that is dropped. */
  readonly signal: AbortSignal;
  /** Counts from 1. */
  readonly attempt: number;
  /** What the attempt before this one said last by `step`, if it said anything. */
  readonly lastStep?: unknown;
  /** The same whenever the same attempt is run again, after a crash for instance: for what must not happen twice. */
  readonly idempotencyKey: string;
  /** When nobody will wait for the answer any longer. */
  readonly deadline: Date | null;
  readonly execId: string;
  /** The environment variables that the definition names under `env`, as far as they are set. */
  readonly env: Readonly<Record<string, string>>;
  readonly correlationId: string;
  /** The context of the distributed trace that the run belongs to, if it has one: for what the handler calls. */
  readonly trace?: Trace;
  readonly log: Log;
  /** A step it has done, as progress for whoever watches. */
  readonly step: (data: unknown) => void;
}
