// Whether and when a failed attempt is tried again: a pure rule over policy, error and attempt.
//
// Invariants:
//   Y1. Attempts end with the policy's number, and what never_on names is never tried again.
//   Y2. A delay is the policy's for its attempt, give or take the jitter, and always a count of milliseconds.
//   Y3. Same seed, same delay.

import { errors, type WireError } from "../protocol/errors.ts";
import type { RetryPolicy } from "../protocol/fields.ts";

/** One attempt, no retry: what a task has that says nothing. */
export const oneAttempt: RetryPolicy = {
  max_attempts: 1,
  backoff: { initial_ms: 1_000, factor: 2, max_ms: 60_000, jitter: 0 },
};

/** The callee's own code, where the protocol's code hides one. */
export const causeOf = ({ details }: WireError): string | undefined =>
  typeof details?.["cause_code"] === "string" ? details["cause_code"] : undefined;

/** Whether a list of codes names this error, by its code or its cause. */
export function names(codes: readonly string[], error: WireError): boolean {
  const cause = causeOf(error);
  return codes.includes(error.code) || (cause !== undefined && codes.includes(cause));
}

/** What is tried again where the policy does not say. */
const passing = Object.entries(errors).flatMap(([code, { retry }]) => (retry ? [code] : []));

export const isRetried = (policy: RetryPolicy, attempt: number, error: WireError): boolean =>
  attempt < policy.max_attempts && !names(policy.never_on ?? [], error) && names(policy.retry_on ?? passing, error);

/** The delay before the attempt after this one; the seed decides the jitter, so a replay waits as long. */
export function retryDelay({ backoff }: RetryPolicy, attempt: number, seed: string): number {
  // A huge factor grows to Infinity, and nothing times Infinity is not a number.
  const growth = Math.min(backoff.factor ** (attempt - 1), Number.MAX_SAFE_INTEGER);
  const grown = Math.min(backoff.max_ms, backoff.initial_ms * growth);
  const spread = 1 + backoff.jitter * (2 * chanceOf(seed) - 1);
  return Math.min(Math.round(grown * spread), Number.MAX_SAFE_INTEGER);
}

/** A number in [0, 1) from a text: FNV-1a, then mixed so that neighbouring ids land far apart. */
export function chanceOf(seed: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < seed.length; index++) {
    hash = Math.imul(hash ^ seed.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
