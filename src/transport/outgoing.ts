// What may be published, whatever the transport: to a subject that is one, and no more bytes than it takes.

import { TroupeError } from "../protocol/errors.ts";
import { clip, refusal } from "../protocol/refusal.ts";
import { isConcrete } from "../protocol/subjects.ts";

export function checkSubjects(...subjects: readonly (string | undefined)[]): void {
  for (const given of subjects) {
    if (given === undefined || isConcrete(given)) continue;
    const says = `nothing can be published to "${clip(given)}": an empty token, a blank or a wildcard`;
    throw refusal("malformed_subject", says);
  }
}

/** `limit`: what it is called, where somebody can change it. */
export function checkBytes(subject: string, bytes: number, max: number, limit = "payloadBytes"): void {
  if (bytes <= max) return;
  const message = `${bytes} bytes for "${subject}" are over the limit of ${max}`;
  throw new TroupeError("PAYLOAD_TOO_LARGE", message, { limit, max, bytes });
}

export function checkGroup(group: string | undefined): void {
  if (group === undefined || isConcrete(group)) return;
  throw refusal("malformed_subject", `"${clip(group)}" cannot be the name of a group`);
}
