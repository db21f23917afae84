// A chart as the definition of an XState machine that is plain JSON: its states, and by name what they do; and what of
// it is true where a life of it stands.
//
// Invariants:
//   DF1. XState makes a machine of it with the same states, and whatever a life's value is, is one of that machine.

import type { AnyStateMachine, StateValue } from "xstate";
import { agentRuntime } from "./agent-runtime.ts";
import { runCharts } from "./charts.ts";
import { conversation } from "./conversation.ts";

export type ChartDefinition = { readonly id: string; readonly [key: string]: unknown };

/** Without what makes its context, which is code; code within it is told by its name. */
export function definitionOf({ config }: AnyStateMachine): ChartDefinition {
  const { context: _context, ...rest } = config as Record<string, unknown>;
  return JSON.parse(JSON.stringify(rest, named)) as ChartDefinition;
}

const named = (_key: string, value: unknown): unknown =>
  typeof value === "function" ? { type: value.name || "anonymous" } : value;

/** The definitions of all charts, by id. */
export const chartDefinitions: ReadonlyMap<string, ChartDefinition> = new Map(
  [...runCharts, agentRuntime, conversation].map((machine) => [machine.id, definitionOf(machine)]),
);

type Place = { tags?: unknown; meta?: unknown; states?: Record<string, Place> };

/** What a chart's states say of themselves where its value is that: the status that it stands for, and its tags. */
export function standingOf(definition: ChartDefinition, value: StateValue): { status: string | null; tags: string[] } {
  const places = placesIn(definition as Place, value);
  const statuses = places.flatMap(({ meta }) => (meta as { status?: string } | undefined)?.status ?? []);
  const tags = places.flatMap(({ tags: own }) => (own === undefined ? [] : ([own].flat() as string[])));
  return { status: statuses.at(-1) ?? null, tags: [...new Set(tags)] };
}

/** The states that a value is in, the outer before the inner. */
function placesIn({ states = {} }: Place, value: StateValue): Place[] {
  const inner = typeof value === "string" ? [[value, {}] as const] : Object.entries(value);
  return inner.flatMap(([key, deeper]) => {
    const place = Object.hasOwn(states, key) ? states[key] : undefined;
    return place ? [place, ...(deeper ? placesIn(place, deeper) : [])] : [];
  });
}
