// Where everything of a chart stands: its graph as ELK wants it, and ELK's answer as a drawing.
//
// Invariants:
//   EY1. Every node and every arrow of the graph is in the drawing, but for the ends that stand in the frame.
//   EY2. What is in a block is drawn within it.

import type { Arrow, ChartGraph, ChartNode } from "./graph.ts";

export type Direction = "RIGHT" | "DOWN";
export type Face = "title" | "words" | "label";
/** How wide a text is, in pixels. */
export type Measure = (text: string, face: Face) => number;

export type Box = { x: number; y: number; width: number; height: number };
export type Placed = { points: readonly (readonly [number, number])[]; label?: Box & { lines: readonly string[] } };
export type Drawing = {
  width: number;
  height: number;
  boxes: Readonly<Record<string, Box>>;
  arrows: Readonly<Record<string, Placed>>;
};

type ElkPoint = { x: number; y: number };
type ElkLabel = { text?: string; x?: number; y?: number; width?: number; height?: number };
export type ElkNode = {
  id: string;
  x?: number;
  y?: number;
  width?: number;
  height?: number;
  layoutOptions?: Record<string, string>;
  children?: ElkNode[];
  edges?: ElkEdge[];
};
type ElkEdge = {
  id: string;
  sources: string[];
  targets: string[];
  labels?: ElkLabel[];
  layoutOptions?: Record<string, string>;
  sections?: { startPoint: ElkPoint; endPoint: ElkPoint; bendPoints?: ElkPoint[] }[];
};
/** Sizes of what is drawn, shared by who draws it. */
export const sizes = {
  nodeMin: 128,
  nodeMax: 300,
  titleHeight: 22,
  wordsHeight: 17,
  labelHeight: 16,
  labelChars: 34,
  /** Room for the mark on the left, and for attempts or counts on the right. */
  mark: 34,
  tally: 30,
  tallyOfMany: 82,
  padding: 10,
  blockHead: 46,
} as const;

const linesMax = 2;

/** Text in lines of at most so many characters; what does not fit ends in an ellipsis. */
export function wrapped(text: string, chars: number, max: number): string[] {
  const lines: string[] = [];
  let rest = text.trim();
  while (rest !== "" && lines.length < max) {
    if (rest.length <= chars) {
      lines.push(rest);
      return lines;
    }
    const cut = rest.lastIndexOf(" ", chars);
    const end = cut > chars / 3 ? cut : chars;
    lines.push(rest.slice(0, end).trim());
    rest = rest.slice(end).trim();
  }
  const last = lines.pop();
  return last === undefined ? [] : [...lines, `${last.slice(0, chars - 1)}…`];
}

const wordsChars = 36;
/** What stands below the title of a node. */
export const wordLines = (node: ChartNode): string[] => wrapped(node.words.join(" · "), wordsChars, linesMax);

const widest = (texts: readonly string[], face: Face, measure: Measure): number =>
  texts.reduce((width, text) => Math.max(width, measure(text, face)), 0);

function sizeOf(node: ChartNode, measure: Measure, isMany: boolean): { width: number; height: number } {
  if (node.kind === "start") return { width: 10, height: 10 };
  if (node.kind === "final") {
    return { width: Math.ceil(measure(node.title, "label")) + 40, height: 26 };
  }
  const words = wordLines(node);
  const inner = Math.max(
    measure(node.title, "title") + (isMany ? sizes.tallyOfMany : sizes.tally),
    widest(words, "words", measure),
  );
  const width = Math.min(sizes.nodeMax, Math.max(sizes.nodeMin, Math.ceil(inner) + sizes.mark + 2 * sizes.padding));
  return { width, height: sizes.titleHeight + words.length * sizes.wordsHeight + 2 * sizes.padding };
}

/** Of every graph, also of those within: a block inherits nothing. */
const everyOptions: Readonly<Record<string, string>> = {
  "elk.layered.spacing.nodeNodeBetweenLayers": "36",
  "elk.layered.spacing.edgeNodeBetweenLayers": "16",
  "elk.layered.spacing.edgeEdgeBetweenLayers": "12",
  "elk.spacing.nodeNode": "24",
  "elk.spacing.edgeNode": "16",
  "elk.spacing.edgeEdge": "12",
  "elk.spacing.edgeLabel": "4",
};

const rootOptions = (direction: Direction): Record<string, string> => ({
  ...everyOptions,
  "elk.layered.cycleBreaking.strategy": "MODEL_ORDER",
  "elk.layered.considerModelOrder.strategy": "NODES_AND_EDGES",
  "elk.algorithm": "layered",
  "elk.direction": direction,
  "elk.hierarchyHandling": "INCLUDE_CHILDREN",
  "elk.edgeRouting": "ORTHOGONAL",
  "elk.json.edgeCoords": "ROOT",
  "elk.json.shapeCoords": "ROOT",
  "elk.padding": "[top=14,left=14,bottom=14,right=14]",
});

const blockOptions = (node: ChartNode, measure: Measure): Record<string, string> => {
  const words = wordLines(node);
  const inner = Math.max(measure(node.title, "title") + sizes.tally, widest(words, "words", measure));
  const top = sizes.blockHead + Math.max(0, words.length - 1) * sizes.wordsHeight + (words.length === 0 ? -10 : 0);
  return {
    ...everyOptions,
    // Arrows back are those that lead to where one has been, as seen from the start.
    "elk.layered.cycleBreaking.strategy": "DEPTH_FIRST",
    "elk.padding": `[top=${top + 6},left=13,bottom=13,right=13]`,
    "elk.nodeSize.constraints": "MINIMUM_SIZE",
    "elk.nodeSize.minimum": `(${Math.ceil(inner) + sizes.mark + 2 * sizes.padding},${top + 20})`,
  };
};

/** A chain of more than this many states is broken into lines, as text is. */
const chainMax = 12;
export const isLong = (graph: ChartGraph): boolean =>
  graph.nodes.filter(({ parent, kind }) => parent === "n0" && kind !== "start").length > chainMax;

/** One graph for each part of the chart that no arrow joins with another: they are laid out apart, and stacked. */
export function elksOf(graph: ChartGraph, direction: Direction, measure: Measure): ElkNode[] {
  const inner = Map.groupBy(graph.nodes, ({ parent }) => parent ?? "");
  // Within an each many may stand in one state, and there is a count of them.
  const nodeOf = (node: ChartNode, isMany: boolean): ElkNode => {
    const isEach = isMany || node.meta["type"] === "each";
    const children = (inner.get(node.id) ?? []).map((child) => nodeOf(child, isEach));
    if (children.length === 0) return { id: node.id, ...sizeOf(node, measure, isMany) };
    return { id: node.id, children, layoutOptions: blockOptions(node, measure) };
  };
  const wrapping = {
    "elk.layered.wrapping.strategy": "MULTI_EDGE",
    "elk.aspectRatio": "1.9",
    "elk.layered.nodePlacement.strategy": "BRANDES_KOEPF",
  };
  const layoutOptions = { ...rootOptions(direction), ...(isLong(graph) && wrapping) };
  return partsOf(graph, inner).map(({ tops, arrows }, index) => ({
    id: `part${index}`,
    layoutOptions,
    children: tops.map((top) => nodeOf(top, false)),
    edges: arrows.map((arrow) => edgeOf(arrow, measure)),
  }));
}

type Part = { tops: ChartNode[]; arrows: Arrow[] };

function partsOf(graph: ChartGraph, inner: ReadonlyMap<string, readonly ChartNode[]>): Part[] {
  const topOf = new Map<string, string>();
  const claim = (node: ChartNode, top: string): void => {
    topOf.set(node.id, top);
    for (const child of inner.get(node.id) ?? []) claim(child, top);
  };
  const tops = (inner.get("n0") ?? []).filter(({ id }) => !graph.ends.has(id));
  for (const top of tops) claim(top, top.id);
  const partOf = new Map(tops.map(({ id }) => [id, id]));
  const find = (id: string): string => {
    const above = partOf.get(id) ?? id;
    return above === id ? id : find(above);
  };
  for (const { source, target } of graph.arrows) {
    const [one, other] = [topOf.get(source), topOf.get(target)];
    if (one !== undefined && other !== undefined) partOf.set(find(other), find(one));
  }
  const parts = Map.groupBy(tops, ({ id }) => find(id));
  return [...parts].map(([id, members]) => ({
    tops: members,
    arrows: graph.arrows.filter(({ source, target }) => {
      const top = topOf.get(source);
      return top !== undefined && topOf.has(target) && find(top) === id;
    }),
  }));
}

const labelLines = (arrow: Arrow): string[] => wrapped(arrow.label, sizes.labelChars, linesMax);

function edgeOf(arrow: Arrow, measure: Measure): ElkEdge {
  const lines = labelLines(arrow);
  const label = {
    text: lines.join("\n"),
    width: Math.ceil(widest(lines, "label", measure)) + 10,
    height: lines.length * sizes.labelHeight,
  };
  return {
    id: arrow.id,
    sources: [arrow.source],
    targets: [arrow.target],
    ...(lines.length > 0 && {
      labels: [label],
      layoutOptions: { "elk.edgeLabels.placement": "CENTER" },
    }),
    ...(arrow.kind === "success" && { layoutOptions: { "elk.layered.priority.straightness": "10" } }),
  };
}

export const betweenParts = 22;

/** The parts one below the other, or side by side where they are high. */
export function drawingOf(graph: ChartGraph, direction: Direction, answers: readonly ElkNode[]): Drawing {
  const boxes: Record<string, Box> = {};
  const arrows: Record<string, Placed> = {};
  const byId = new Map(graph.arrows.map((arrow) => [arrow.id, arrow]));
  let [width, height, left, top] = [0, 0, 0, 0];
  for (const answer of answers) {
    const place = (node: ElkNode): void => {
      const { id, x = 0, y = 0, width: wide = 0, height: high = 0, children = [] } = node;
      boxes[id] = { x: x + left, y: y + top, width: wide, height: high };
      children.forEach(place);
    };
    answer.children?.forEach(place);
    for (const edge of answer.edges ?? []) {
      const arrow = byId.get(edge.id);
      if (arrow) arrows[edge.id] = placed(arrow, edge, left, top);
    }
    const { width: wide = 0, height: high = 0 } = answer;
    width = Math.max(width, left + wide);
    height = Math.max(height, top + high);
    if (direction === "RIGHT") top += high + betweenParts;
    else left += wide + betweenParts;
  }
  return { width, height, boxes, arrows };
}

function placed(arrow: Arrow, { sections = [], labels = [] }: ElkEdge, left: number, top: number): Placed {
  const points = sections.flatMap(({ startPoint, bendPoints = [], endPoint }) =>
    [startPoint, ...bendPoints, endPoint].map(({ x, y }) => [x + left, y + top] as const),
  );
  const [label] = labels;
  if (!label) return { points };
  const { x = 0, y = 0, width = 0, height = 0 } = label;
  return { points, label: { x: x + left, y: y + top, width, height, lines: labelLines(arrow) } };
}

/** A path through points, with its corners rounded. */
export function pathOf(points: Placed["points"], radius = 7): string {
  const [first, ...rest] = points;
  if (!first) return "";
  let path = `M${first[0]} ${first[1]}`;
  rest.forEach(([x, y], index) => {
    const next = rest[index + 1];
    const before = index === 0 ? first : rest[index - 1];
    if (!next || !before) {
      path += `L${x} ${y}`;
      return;
    }
    const [inX, inY] = toward([x, y], before, radius);
    const [outX, outY] = toward([x, y], next, radius);
    path += `L${inX} ${inY}Q${x} ${y} ${outX} ${outY}`;
  });
  return path;
}

function toward([x, y]: readonly [number, number], to: readonly [number, number], radius: number): [number, number] {
  const length = Math.hypot(to[0] - x, to[1] - y) || 1;
  const share = Math.min(radius, length / 2) / length;
  return [x + (to[0] - x) * share, y + (to[1] - y) * share];
}

/** Names a layout: what was drawn, which way, and with which texts. */
export function layoutKey(graph: ChartGraph, direction: Direction): string {
  const text = JSON.stringify([version, direction, graph.nodes, graph.arrows]);
  let [one, two] = [0xdeadbeef, 0x41c6ce57];
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    one = Math.imul(one ^ code, 2654435761);
    two = Math.imul(two ^ code, 1597334677);
  }
  return `${(one >>> 0).toString(36)}${(two >>> 0).toString(36)}${text.length.toString(36)}`;
}

/** Of the drawing; one more makes the layouts that were kept worthless. */
const version = 6;
