// Which states of a chart of the engine are lit after so many lines, by the steps that were recorded of one of its actors.
//
// Invariants:
//   EV1. After n lines exactly the states of the last step within them are lit.

import type { Step } from "./journal.ts";
import type { Arrow, ChartGraph, ChartNode } from "./graph.ts";
import type { LitChart, Lit } from "./lit.ts";
import type { Face } from "./story.ts";

/** The active states of a value, innermost included, as paths. */
export function pathsOf(value: unknown, before: readonly string[] = []): string[] {
  if (typeof value === "string") return [[...before, value].join(".")];
  if (value === null || typeof value !== "object") return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const path = [...before, key];
    return [path.join("."), ...pathsOf(inner, path)];
  });
}

const faces: Readonly<Record<string, Face>> = {
  PENDING: "pending",
  RUNNING: "running",
  WAITING: "waiting",
  PAUSED: "paused",
  SUCCESS: "success",
  FAILED: "failed",
  TIMED_OUT: "timed_out",
  CANCELED: "canceled",
};

/** How a state looks that is lit: as the protocol calls it, if it has a name for it. */
const faceOf = ({ meta, kind }: ChartNode): Face => {
  const status = meta["status"];
  return (typeof status === "string" && faces[status]) || (kind === "final" ? "success" : "running");
};

const lit = (face: Face, passes: number): Lit => ({
  face,
  counts: {},
  total: 1,
  attempt: 1,
  attemptsMax: 1,
  passes,
  isUndone: false,
});

/** What is lit after these steps of one actor, and which arrows led there. */
export function lifeChart(graph: ChartGraph, steps: readonly Step[]): LitChart {
  const byPath = new Map(graph.nodes.map((node) => [node.path.join("."), node]));
  const arrows = new Map<string, number>();
  const visits = new Map<string, number>();
  let active = new Set<string>();
  for (const { event, value } of steps) {
    const now = new Set(pathsOf(value).flatMap((path) => byPath.get(path)?.id ?? []));
    for (const arrow of takenArrows(graph, active, now, event.type)) {
      arrows.set(arrow.id, (arrows.get(arrow.id) ?? 0) + 1);
    }
    for (const id of now) if (!active.has(id)) visits.set(id, (visits.get(id) ?? 0) + 1);
    active = now;
  }
  const nodes = new Map<string, Lit>();
  for (const node of graph.nodes) {
    if (active.has(node.id)) nodes.set(node.id, lit(faceOf(node), visits.get(node.id) ?? 1));
  }
  if (active.size > 0) nodes.set("n0", lit("running", 1));
  return { nodes, arrows };
}

/** The arrow of the event, and those that need none, on the way from where it was to where it is. */
function takenArrows(graph: ChartGraph, before: ReadonlySet<string>, now: ReadonlySet<string>, event: string): Arrow[] {
  const named = delayOf(event);
  const starts = graph.arrows.flatMap((arrow) => {
    const block = graph.nodes.find(({ id }) => id === arrow.source)?.parent ?? "";
    const isEntered = block === "n0" ? before.size === 0 : now.has(block) && !before.has(block);
    const rest = arrow.kind === "start" && isEntered ? passing(graph, arrow.target, now, new Set()) : undefined;
    return rest ? [arrow, ...rest] : [];
  });
  const first = graph.arrows.filter(
    ({ source, target, events }) =>
      before.has(source) && now.has(target) && !before.has(target) && events.includes(named),
  );
  if (first.length > 0) return [...first, ...starts];
  // By way of states that nobody stays in.
  const ways = graph.arrows.filter(({ source, events }) => before.has(source) && events.includes(named));
  for (const way of ways) {
    const rest = passing(graph, way.target, now, new Set());
    if (rest) return [way, ...rest, ...starts];
  }
  return starts;
}

/** `after heartbeat` of XState's own name for it. */
const delayOf = (event: string): string => {
  const delay = /^xstate\.after\.([^.]+)\./.exec(event)?.[1];
  return delay === undefined ? event : `after ${delay}`;
};

function passing(graph: ChartGraph, from: string, now: ReadonlySet<string>, seen: Set<string>): Arrow[] | undefined {
  if (now.has(from)) return [];
  if (seen.has(from)) return undefined;
  seen.add(from);
  for (const arrow of graph.arrows) {
    const isOn = arrow.source === from && (arrow.kind === "always" || arrow.kind === "done");
    const rest = isOn ? passing(graph, arrow.target, now, seen) : undefined;
    if (rest) return [arrow, ...rest];
  }
  return undefined;
}

/** The steps of each actor, in the order of the log. */
export const stepsByAddress = (steps: readonly Step[]): ReadonlyMap<string, Step[]> =>
  Map.groupBy(steps, ({ address }) => address);
