// Which states of a workflow's chart are lit after so many lines of its journal, and which arrows were taken how often.
//
//   moves of the story ──walk──▶ crossings of arrows        litAt(story, walk, n): what to show after n lines
//
// An arrow is taken when the task at its tip begins, or the block it ends is over. Which one it was: of the tasks of the
// same block that ended and were not gone on from, the latest that an arrow of its outcome joins with what begins.
//
// Invariants:
//   EL1. What is lit after n lines equals what is lit after all of the first n lines, told alone.
//   EL2. Every task that began was come to by exactly one arrow.

import type { Arrow, ChartGraph, ChartNode } from "./graph.ts";
import { countBelow, type Face, isOver, type Life, type Move, standing, type Story } from "./story.ts";

type Left = { node: string; face: Face; life: Life };

export type Walk = {
  graph: ChartGraph;
  nodeOf: ReadonlyMap<string, ChartNode>;
  /** Positions of the lines at which each arrow was taken, ascending. */
  crossings: Map<string, number[]>;
  /** Who ended and was not gone on from, by the life around it. */
  left: Map<string, Left[]>;
  arrowsFrom: ReadonlyMap<string, readonly Arrow[]>;
  startOf: ReadonlyMap<string, Arrow>;
  byId: ReadonlyMap<string, ChartNode>;
};

export function openWalk(graph: ChartGraph): Walk {
  const byId = new Map(graph.nodes.map((node) => [node.id, node]));
  return {
    graph,
    byId,
    nodeOf: new Map(graph.nodes.flatMap((node) => (node.task === undefined ? [] : [[node.task, node]]))),
    crossings: new Map(),
    left: new Map(),
    arrowsFrom: Map.groupBy(graph.arrows, ({ source }) => source),
    startOf: new Map(
      graph.arrows.flatMap((arrow) => (arrow.kind === "start" ? [[startedIn(byId, arrow), arrow]] : [])),
    ),
  };
}

const startedIn = (byId: ReadonlyMap<string, ChartNode>, { source }: Arrow): string => byId.get(source)?.parent ?? "";

/** Goes on with the walk by moves of the story, in their order. */
export function walk(state: Walk, moved: readonly { life: Life; move: Move }[]): void {
  for (const { life, move } of moved) {
    if (life.entity === "workflow") {
      if (move.face === "success") closeBlocks(state, life.key, move.at);
      continue;
    }
    const node = life.entity === "task" ? state.nodeOf.get(life.id) : undefined;
    if (!node) continue;
    if (life.moves[0] === move) enter(state, node, life, move.at);
    if (move.face === "retrying") stay(state, life);
    if (!isOver(move.face)) continue;
    if (move.face === "success") closeBlocks(state, life.key, move.at);
    leave(state, node, life, move);
  }
}

function cross(state: Walk, arrow: Arrow | undefined, at: number): void {
  if (!arrow) return;
  const known = state.crossings.get(arrow.id);
  if (known) known.push(at);
  else state.crossings.set(arrow.id, [at]);
}

const fits = ({ kind }: Arrow, face: Face): boolean =>
  kind === "success" ? face === "success" : kind === "error" && (face === "failed" || face === "timed_out");

function enter(state: Walk, node: ChartNode, life: Life, at: number): void {
  const around = state.left.get(life.parent ?? "") ?? [];
  for (let position = around.length - 1; position >= 0; position -= 1) {
    const left = around[position];
    if (!left) continue;
    // Of two elements of an each that stand alike it does not matter which is gone on from.
    const arrow = state.arrowsFrom.get(left.node)?.find((one) => one.target === node.id && fits(one, left.face));
    if (!arrow) continue;
    around.splice(position, 1);
    cross(state, arrow, at);
    return;
  }
  begin(state, node.parent, at);
}

/** A block begins: its start, and the way to it if it is one of those that undo. */
function begin(state: Walk, block: string | null, at: number): void {
  const node = block === null ? undefined : state.byId.get(block);
  if (!node) return;
  if (node.parent !== null && node.task === undefined && isUndo(node)) {
    const isFirst = !blocksIn(state, node.parent).some((inner) => isBegun(state, inner));
    const from = (arrow: Arrow): boolean => arrow.target === node.id && arrow.kind === "done";
    cross(state, isFirst ? state.startOf.get(node.parent) : state.graph.arrows.find(from), at);
  }
  cross(state, state.startOf.get(node.id), at);
}

const isUndo = ({ path }: ChartNode): boolean => path.at(-1)?.startsWith("$") ?? false;
const isBegun = (state: Walk, block: string): boolean => state.crossings.has(state.startOf.get(block)?.id ?? "");
const blocksIn = (state: Walk, parent: string): string[] =>
  state.graph.nodes.filter((node) => node.parent === parent).map(({ id }) => id);

/** Where an end leads without a condition is known at once; else when something begins, or the block is over. */
function leave(state: Walk, node: ChartNode, life: Life, { face, at }: Move): void {
  const ways = state.arrowsFrom.get(node.id)?.filter((arrow) => fits(arrow, face)) ?? [];
  const [only] = ways;
  if (ways.length === 1 && only && state.byId.get(only.target)?.kind === "final") {
    cross(state, only, at);
    return;
  }
  const around = state.left.get(life.parent ?? "") ?? [];
  around.push({ node: node.id, face, life });
  state.left.set(life.parent ?? "", around);
}

/** A failure that is tried again leads nowhere. */
function stay(state: Walk, life: Life): void {
  const around = state.left.get(life.parent ?? "");
  const position = around?.findLastIndex((left) => left.life === life) ?? -1;
  if (position >= 0) around?.splice(position, 1);
}

function closeBlocks(state: Walk, key: string, at: number): void {
  for (const { node, face } of state.left.get(key) ?? []) {
    const ways = state.arrowsFrom.get(node) ?? [];
    cross(
      state,
      ways.find((arrow) => fits(arrow, face) && state.byId.get(arrow.target)?.kind === "final"),
      at,
    );
  }
  state.left.delete(key);
}

export type Lit = {
  face: Face;
  /** How many executions stand here, by face. */
  counts: Readonly<Partial<Record<Face, number>>>;
  total: number;
  attempt: number;
  attemptsMax: number;
  /** Passes of the one that went round most. */
  passes: number;
  isUndone: boolean;
  /** The execution that is meant if one clicks: the most telling one. */
  life?: Life;
  code?: string;
};

export type LitChart = {
  nodes: ReadonlyMap<string, Lit>;
  arrows: ReadonlyMap<string, number>;
};

/** What tells most of a state in which several stand comes first. */
const telling: readonly Face[] = [
  "running",
  "retrying",
  "waiting",
  "paused",
  "pending",
  "failed",
  "timed_out",
  "canceled",
  "success",
  "idle",
];
const rankOf = new Map(telling.map((face, rank) => [face, rank]));
const isTelling = (one: Face, other: Face): boolean => (rankOf.get(one) ?? 0) < (rankOf.get(other) ?? 0);
const isActive = (face: Face): boolean => !isOver(face) && face !== "idle";

export function litAt(story: Story, state: Walk, n: number): LitChart {
  const arrows = new Map<string, number>();
  for (const [id, positions] of state.crossings) {
    const count = countBelow(positions, n, (at) => at);
    if (count > 0) arrows.set(id, count);
  }
  const nodes = new Map<string, Lit>();
  for (const life of latestOf(story, n)) {
    const node = state.nodeOf.get(life.id);
    const move = node && standing(life, n);
    if (node && move) nodes.set(node.id, joined(nodes.get(node.id), life, move));
  }
  const root = story.root?.entity === "workflow" ? standing(story.root, n) : undefined;
  lightEnds(state, nodes, arrows, root);
  lightBlocks(state, nodes, arrows, root !== undefined && isOver(root.face));
  if (root && story.root) nodes.set("n0", joined(undefined, story.root, root));
  return { nodes, arrows };
}

/** The latest pass of each place that a task has: an element, a branch, or the block itself. */
function latestOf(story: Story, n: number): Life[] {
  const latest = new Map<string, Life>();
  for (const life of story.order) {
    if ((life.moves[0]?.at ?? n) >= n) break;
    if (life.entity === "task") latest.set(`${life.parent} ${life.id} ${life.index ?? ""} ${life.branch ?? ""}`, life);
  }
  return [...latest.values()];
}

function joined(known: Lit | undefined, life: Life, move: Move): Lit {
  const { face, attempt, code } = move;
  const counts = { ...known?.counts, [face]: (known?.counts[face] ?? 0) + 1 };
  const isMine = known === undefined || isTelling(face, known.face);
  const of = isMine ? { face, attempt, life, ...(code !== undefined && { code }) } : known;
  return {
    ...of,
    counts,
    total: (known?.total ?? 0) + 1,
    attemptsMax: Math.max(known?.attemptsMax ?? 1, life.attemptsMax ?? 1),
    passes: 1,
    isUndone: false,
  };
}

const plain = (face: Face): Lit => ({
  face,
  counts: {},
  total: 1,
  attempt: 1,
  attemptsMax: 1,
  passes: 1,
  isUndone: false,
});

const endFaces: Readonly<Record<string, Face>> = {
  $FAILED: "failed",
  $TIMED_OUT: "timed_out",
  $CANCELED: "canceled",
};

function lightEnds(state: Walk, nodes: Map<string, Lit>, arrows: ReadonlyMap<string, number>, root?: Move): void {
  for (const arrow of state.graph.arrows) {
    if (arrows.has(arrow.id) && state.byId.get(arrow.target)?.kind === "final")
      nodes.set(arrow.target, plain("success"));
  }
  for (const id of state.graph.ends) {
    if (root && endFaces[state.byId.get(id)?.path.at(-1) ?? ""] === root.face) nodes.set(id, plain(root.face));
  }
}

/** A block that is no task is as what is in it; the innermost come first. */
function lightBlocks(
  state: Walk,
  nodes: Map<string, Lit>,
  arrows: ReadonlyMap<string, number>,
  isAllOver: boolean,
): void {
  for (const node of state.graph.nodes.toReversed()) {
    if (node.task !== undefined || node.parent === null || node.kind === "start" || node.kind === "final") continue;
    const inner = state.graph.nodes.filter(({ parent, kind }) => parent === node.id && kind !== "start");
    const faces = inner.filter(({ kind }) => kind !== "final").flatMap(({ id }) => nodes.get(id)?.face ?? []);
    // Undoing is over with the run: which of its blocks was the last was not known before.
    const isDone = inner.some(({ id, kind }) => kind === "final" && nodes.has(id)) || (isAllOver && isUndo(node));
    const active = faces.find(isActive);
    const bad = faces.find((face) => face !== "success");
    const isHere = arrows.has(state.startOf.get(node.id)?.id ?? "") || faces.length > 0;
    if (!isHere) continue;
    nodes.set(node.id, plain(active ?? (isDone ? (bad ?? "success") : (bad ?? "running"))));
    const undone = /^\$undo (.+)$/.exec(node.path.at(-1) ?? "")?.[1];
    const of = undone === undefined || !isDone || bad !== undefined ? undefined : state.nodeOf.get(undone);
    const lit = of && nodes.get(of.id);
    if (of && lit) nodes.set(of.id, { ...lit, isUndone: true });
  }
}
