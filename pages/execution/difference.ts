// What differs between two JSON values, as paths: for what changed from one message of an execution to the next.
//
// Invariants:
//   ED1. Equal values differ in nothing; what is told turns the one into the other.

export type Difference = { path: string; before?: unknown; after?: unknown; kind: "added" | "removed" | "changed" };

const isBranch = (value: unknown): value is Record<string, unknown> | unknown[] =>
  typeof value === "object" && value !== null;

const isAlike = (one: unknown, other: unknown): boolean =>
  isBranch(one) && isBranch(other) && Array.isArray(one) === Array.isArray(other);

export function differences(before: unknown, after: unknown, path = ""): Difference[] {
  if (Object.is(before, after)) return [];
  if (!isAlike(before, after)) return [{ path, before, after, kind: "changed" }];
  const [old, fresh] = [before as Record<string, unknown>, after as Record<string, unknown>];
  const keys = [...new Set([...Object.keys(old), ...Object.keys(fresh)])];
  return keys.flatMap((key): Difference[] => {
    const inner = Array.isArray(after) ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`;
    if (!Object.hasOwn(old, key)) return [{ path: inner, after: fresh[key], kind: "added" }];
    if (!Object.hasOwn(fresh, key)) return [{ path: inner, before: old[key], kind: "removed" }];
    return differences(old[key], fresh[key], inner);
  });
}
