// What a caller's key stands for: the same key for other content is refused.

import { createHash } from "node:crypto";

/** The same for the same content, in whatever order its fields were written. */
export const fingerprintOf = (content: unknown): string =>
  createHash("sha256").update(JSON.stringify(content, inOrder)).digest("hex").slice(0, 32);

function inOrder(_name: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)));
}
