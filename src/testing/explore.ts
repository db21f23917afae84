// Search of a chart: every state it can reach with the lines of its part, and what it does with each of them there.

import type { AnyMachineSnapshot, AnyStateMachine, ContextFrom, EmittedFrom, EventFrom } from "xstate";
import { fire, type Heard, type Life, start, type Step, step } from "../machines/step.ts";
import { labelOf, type Part, stampAt } from "./part.ts";

/** One thing a chart does: in a state it hears something, goes somewhere and says something. */
export type Edge = { from: string; hears: string; to: string; says: string[]; heard: Heard };

/** `reached` holds the ids of the state nodes that were active at some time. */
export type Exploration = { edges: Edge[]; reached: ReadonlySet<string>; nodes: number; complete: boolean };

const began = 1_000_000;

/** The active leaves of a state value, regions side by side. */
export function placeOf(value: unknown): string {
  if (typeof value === "string") return value;
  return Object.entries(value as Record<string, unknown>)
    .map(([state, inner]) => (isEmpty(inner) ? state : `${state}.${placeOf(inner)}`))
    .join(" + ");
}

const isEmpty = (inner: unknown): boolean =>
  typeof inner === "object" && inner !== null && Object.keys(inner).length === 0;

/** What makes two lives the same for the search: where they are and what they remember, but not when or by which id. */
function keyOf(life: Life<AnyStateMachine>): string {
  const ids = new Map<string, number>();
  const { value, context } = life.snapshot;
  const told = JSON.stringify({ value, context, timers: life.timers.map(({ id }) => id).sort() }, (name, given) =>
    /(?:At|Since)$/.test(name) && typeof given === "number" ? 0 : given,
  );
  return told.replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g, (id) => {
    if (!ids.has(id)) ids.set(id, ids.size);
    return `#${ids.get(id)}`;
  });
}

// The snapshot of a machine type that is a parameter has no members that TypeScript could see.
const shotOf = <M extends AnyStateMachine>(life: Life<M>): AnyMachineSnapshot => life.snapshot;

const wordsOf = (messages: readonly EmittedFrom<AnyStateMachine>[]): string[] => messages.map(({ type }) => type);

/** Breadth first, from every input, until nothing new is found or the bound is reached. */
export function explore<M extends AnyStateMachine>(part: Part<M>, nodesMax = 4_000): Exploration {
  const edges = new Map<string, Edge>();
  const known = new Set<string>();
  const reached = new Set<string>();
  const queue: Life<M>[] = [];
  let count = 0;

  const visit = ({ life, messages, heard }: Step<M>, from: string, hears: string): void => {
    const to = placeOf(shotOf(life).value);
    const edge: Edge = { from, hears, to, says: wordsOf(messages), heard };
    edges.set(JSON.stringify(edge), edge);
    for (const { id } of shotOf(life)._nodes) reached.add(id);
    const key = keyOf(life);
    if (known.has(key)) return;
    known.add(key);
    queue.push(life);
  };

  for (const [name, input] of Object.entries(part.inputs)) {
    visit(start(part.machine, input, stampAt(began, ++count)), "", `start (${name})`);
  }
  for (let life = queue.shift(); life && known.size <= nodesMax; life = queue.shift()) {
    const from = placeOf(shotOf(life).value);
    for (const line of part.menu(shotOf(life).context as ContextFrom<M>)) {
      const event = { ...(line.event as object), ...stampAt(began, ++count) };
      visit(step(part.machine, life, event as EventFrom<M> & { at: number; seed: string }), from, labelOf(line));
    }
    for (const timer of life.timers) {
      visit(fire(part.machine, life, timer, stampAt(timer.dueAt, ++count)), from, `after ${delayOf(timer.id)}`);
    }
  }
  return { edges: [...edges.values()], reached, nodes: known.size, complete: queue.length === 0 };
}

/** The delay's name in a timer's id, `xstate.after.<delay>.<state>`. */
const delayOf = (timerId: string): string => timerId.split(".")[2] ?? timerId;
