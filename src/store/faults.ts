// What can go wrong with a store, in words that a person can act on.

import { TroupeError } from "../protocol/errors.ts";

/** `details.reason` of every error a store gives. */
export type FaultReason =
  | "store_locked" // another live process has the directory
  | "store_newer" // a later release wrote it
  | "store_damaged" // bytes on the disk are not what was written
  | "store_full" // no room; tried again until there is
  | "store_failed" // any other refusal of the disk, or a call that no store can obey
  | "store_ended" // its writer is no more: it has to be opened anew
  | "store_sealed" // its content is sealed, and the key is not there
  | "store_closed";

export const fault = (
  reason: FaultReason,
  message: string,
  details: Readonly<Record<string, unknown>> = {},
  options?: ErrorOptions,
): TroupeError => new TroupeError("STORE_UNAVAILABLE", message, { reason, ...details }, options);

export const closedFault = (): TroupeError => fault("store_closed", "the store is closed");
