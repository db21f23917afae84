// An error that nobody caught, in a timer or event of an agent or tool, is the failure of the call that it came from.
//
// Invariants:
//   ST1. It is told to the call in whose course it was thrown, however late; what the engine itself throws, to none.

import { AsyncLocalStorage } from "node:async_hooks";

type Fail = (error: unknown) => void;

const calls = new AsyncLocalStorage<Fail | undefined>();

/** Whatever this leads to is in the course of one call. */
export const inCall = <T>(fail: Fail, act: () => T): T => calls.run(fail, act);

/** What an agent or tool asks of the engine is the engine's own again. */
export const outOfCall = <T>(act: () => T): T => (calls.getStore() ? calls.run(undefined, act) : act());

/** From where an error was caught that nobody else had; false if it is of no call. */
export function failCall(error: unknown): boolean {
  const fail = calls.getStore();
  fail?.(error);
  return fail !== undefined;
}
