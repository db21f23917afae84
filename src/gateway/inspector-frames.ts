// The frames that Stately's inspector understands, and what of a chart goes into them: never more than so much.
//
// As @statelyai/inspect sends them: one JSON text each, nothing before, nothing after, no answer.
//
// Invariants:
//   IF1. However large a context is, what is shown of it is bounded, is JSON, and says where it was cut.

/** The version of the package whose form this is. */
export const wireVersion = "0.7.2";

export type SnapshotBody = {
  status: string;
  value?: unknown;
  context?: unknown;
  children?: object;
  tags?: readonly string[];
  historyValue?: object;
  output?: unknown;
  error?: unknown;
};

/** Of one actor; `at` is when it was so. */
type About = { sessionId: string; rootId: string; at: number };
type Common = { _version: string; createdAt: string; id: null; rootId: string; sessionId: string };

export type ActorFrame = Common & {
  type: "@xstate.actor";
  name: string;
  definition: string;
  parentId?: string;
  snapshot: SnapshotBody;
};
export type EventFrame = Common & { type: "@xstate.event"; event: { type: string }; sourceId?: string };
export type SnapshotFrame = Common & { type: "@xstate.snapshot"; event: { type: string }; snapshot: SnapshotBody };

const common = ({ sessionId, rootId, at }: About): Common => ({
  _version: wireVersion,
  createdAt: String(at),
  id: null,
  rootId,
  sessionId,
});

export const actorFrame = (
  about: About,
  { name, definition, parentId }: { name: string; definition: string; parentId?: string | undefined },
  snapshot: SnapshotBody,
): ActorFrame => ({
  type: "@xstate.actor",
  name,
  definition,
  ...(parentId !== undefined && { parentId }),
  snapshot,
  ...common(about),
});

export const eventFrame = (about: About, event: { type: string }, sourceId?: string): EventFrame => ({
  type: "@xstate.event",
  event,
  ...(sourceId !== undefined && { sourceId }),
  ...common(about),
});

export const snapshotFrame = (about: About, event: { type: string }, snapshot: SnapshotBody): SnapshotFrame => ({
  type: "@xstate.snapshot",
  event,
  snapshot,
  ...common(about),
});

const depthMax = 8;
const partsMax = 400;
const itemsMax = 50;
const charsMax = 500;

/** A copy of what is there, so far as it has room. */
export function cut(value: unknown): unknown {
  let parts = 0;
  const copy = (given: unknown, depth: number): unknown => {
    parts += 1;
    if (typeof given === "string") return given.length > charsMax ? `${given.slice(0, charsMax)}… (cut)` : given;
    if (typeof given === "bigint") return String(given);
    if (typeof given === "function" || typeof given === "symbol") return undefined;
    if (typeof given !== "object" || given === null) return given;
    if (depth >= depthMax || parts > partsMax) return Array.isArray(given) ? "[List]" : "[Object]";
    if (Array.isArray(given)) {
      const shown = given.slice(0, itemsMax).map((one: unknown) => copy(one, depth + 1));
      return given.length > itemsMax ? [...shown, `… ${given.length - itemsMax} more`] : shown;
    }
    return copyOf(given);

    function copyOf(table: object): object {
      const entries = Object.entries(table);
      const shown = entries.slice(0, itemsMax).map(([key, one]) => [key, copy(one, depth + 1)] as const);
      if (entries.length > itemsMax) shown.push(["…", `${entries.length - itemsMax} more`]);
      return Object.fromEntries(shown);
    }
  };
  return copy(value, 0);
}
