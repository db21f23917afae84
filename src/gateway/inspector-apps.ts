// Applications of other people that send what their own XState actors do: shown beside the runs, as they send it.
//
// Their ids are those of their own process (`x:0`), so that each application's get a name of ours before them.
//
// Invariants:
//   IQ1. What an application sends is shown if it is a frame of the inspector, and is nothing to anybody otherwise.
//   IQ2. Actors of two applications are never taken for one another.

import * as z from "zod";
import { cut, type SnapshotBody } from "./inspector-frames.ts";
import type { Stage } from "./inspector-stage.ts";

const event = z.looseObject({ type: z.string() });
const common = { sessionId: z.string().min(1).max(500), rootId: z.string().max(500).optional() };
const body = z.looseObject({ status: z.string().default("active") });
const frame = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("@xstate.actor"),
    ...common,
    name: z.string().max(500).optional(),
    definition: z.string().optional(),
    parentId: z.string().max(500).optional(),
    snapshot: body.optional(),
  }),
  z.object({ type: z.literal("@xstate.event"), ...common, event, sourceId: z.string().max(500).optional() }),
  z.object({ type: z.literal("@xstate.snapshot"), ...common, event: event.optional(), snapshot: body }),
]);

type Known = { name: string; definition: string; rootId: string; parentId?: string; body: SnapshotBody };

/** Of one application. */
const actorsMax = 1_000;

export type App = { hear(text: string): boolean; end(): void };

/** One that has connected; `hear` gives whether that was a frame. */
export function openApp(stage: Stage, group: string, now: () => number): App {
  const known = new Map<string, Known>();
  const own = (id: string): string => `${group}/${id}`;

  function hear(text: string): boolean {
    const parsed = frame.safeParse(jsonIn(text));
    if (!parsed.success) return false;
    const { data } = parsed;
    const id = data.sessionId;
    const actor = data.type === "@xstate.actor" ? announced(data) : known.get(id);
    if (!actor) return true;
    if (data.type !== "@xstate.event") actor.body = bounded(data.snapshot ?? { status: "active" });
    if (!known.has(id) && known.size >= actorsMax) return true;
    known.set(id, actor);
    const heard = "event" in data && data.event ? data.event : { type: "xstate.init" };
    const source = data.type === "@xstate.event" ? data.sourceId : undefined;
    stage.show(group, actor.rootId, {
      sessionId: own(id),
      ...(actor.parentId !== undefined && { parentId: actor.parentId }),
      name: actor.name,
      definition: actor.definition,
      at: now(),
      heard: () => cut(heard) as { type: string },
      ...(source !== undefined && { sourceId: own(source) }),
      ...(data.type !== "@xstate.event" && { isQuiet: true }),
      isDone: actor.body.status !== "active",
      look: () => actor.body,
    });
    return true;
  }

  function announced({ sessionId, rootId, name, definition, parentId }: Announced): Known {
    // A name for whoever gives no definition, which the inspector cannot do without.
    const title = name ?? sessionId;
    return {
      name: title,
      definition: definition ?? JSON.stringify({ id: title }),
      rootId: own(rootId ?? sessionId),
      ...(parentId !== undefined && { parentId: own(parentId) }),
      body: { status: "active" },
    };
  }

  return { hear, end: () => stage.drop(group) };
}

type Announced = Extract<z.output<typeof frame>, { type: "@xstate.actor" }>;

const bounded = (given: SnapshotBody): SnapshotBody => cut(given) as SnapshotBody;

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // It is refused as what is no frame.
    return undefined;
  }
}
