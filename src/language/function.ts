// Functions that people write: what they are given is frozen in depth, and what they give is there at once.
//
// Whoever changes what is not theirs is told by a TypeError, and no run sees the change.

/** Nobody may change it. What was frozen once is not looked at again. */
export function frozen<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const part of Object.values(value)) frozen(part);
  return value;
}

export const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";

/** What was given, if it is no promise. */
export function atOnce(given: unknown, who: string): unknown {
  if (!isPromise(given)) return given;
  // How it ends changes nothing any more, and a rejection that nobody hears would end the process.
  Promise.resolve(given).catch(() => undefined);
  throw new Error(`${who} returned a promise, and has to answer at once`);
}
