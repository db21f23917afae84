// A chart as Mermaid text (`stateDiagram-v2`): its states and where each event leads, read off the machine itself.

import type { AnyStateMachine, AnyStateNode } from "xstate";

type Node = AnyStateNode;

const idOf = (node: Node): string => node.path.join("_") || node.key;

/** A key without its kind, where the kind says nothing new: events and results are told apart by their names. */
const wordOf = (eventType: string): string =>
  eventType.replace(/^(?:command|result|event|progress):/, "").replace(":", " ");

function labelOf(eventType: string, guard: unknown): string {
  const condition = typeof guard === "string" ? ` [${guard}]` : "";
  if (eventType === "") return condition.trim();
  const delay = /^xstate\.after\.([^.]+)\./.exec(eventType)?.[1];
  return `${delay === undefined ? wordOf(eventType) : `after ${delay}`}${condition}`;
}

type Arrow = { source: Node; goal: Node; label: string };

const arrowsOf = (source: Node): Arrow[] =>
  [...[...source.transitions.values()].flat(), ...(source.always ?? [])].flatMap(({ eventType, guard, target }) =>
    (target ?? []).map((goal) => ({ source, goal, label: labelOf(eventType, guard) })),
  );

const within = (node: Node): Node[] =>
  (Object.values(node.states) as Node[]).flatMap((inner) => [inner, ...within(inner)]);

/** The innermost state around both ends; drawn elsewhere, Mermaid would move one of them. */
function homeOf({ source, goal }: Arrow): string {
  const [from, to] = [source.path.slice(0, -1), goal.path.slice(0, -1)];
  const parting = from.findIndex((step, index) => step !== to[index]);
  return (parting < 0 ? from : from.slice(0, parting)).join(".");
}

/** Mermaid cannot draw an arrow from a state into itself; the state's initial dot says where it leads. */
const isInward = ({ source, goal }: Arrow): boolean =>
  source !== goal && source.path.every((step, index) => goal.path[index] === step);

/** Each arrow once, with all that leads along it. */
function drawnIn(node: Node): string[] {
  const labels = new Map<string, Set<string>>();
  for (const arrow of within(node).flatMap(arrowsOf)) {
    if (isInward(arrow) || homeOf(arrow) !== node.path.join(".")) continue;
    const ends = `${idOf(arrow.source)} --> ${idOf(arrow.goal)}`;
    labels.set(ends, (labels.get(ends) ?? new Set()).add(arrow.label));
  }
  return [...labels].map(([ends, told]) => {
    const label = [...told].filter((text) => text !== "").join(", ");
    return label === "" ? ends : `${ends} : ${label}`;
  });
}

function stateLines(node: Node, indent: string): string[] {
  const inner = Object.values(node.states) as Node[];
  const name = `state "${node.key}" as ${idOf(node)}`;
  const ending = node.type === "final" ? [`${indent}${idOf(node)} --> [*]`] : [];
  if (inner.length === 0) return [`${indent}${name}`, ...ending];
  return [`${indent}${name} {`, ...insideLines(node, `${indent}  `), `${indent}}`];
}

function insideLines(node: Node, indent: string): string[] {
  const inner = Object.values(node.states) as Node[];
  if (node.type === "parallel") {
    return inner.flatMap((region, index) => [...(index > 0 ? [`${indent}--`] : []), ...stateLines(region, indent)]);
  }
  const [initial] = node.initial?.target ?? [];
  return [
    ...(initial ? [`${indent}[*] --> ${idOf(initial)}`] : []),
    ...inner.flatMap((state) => stateLines(state, indent)),
    ...drawnIn(node).map((arrow) => indent + arrow),
  ];
}

/** Regions can only stand side by side inside a state, so a chart of regions is drawn as one. */
export const mermaidOf = ({ root }: AnyStateMachine): string =>
  ["stateDiagram-v2", ...(root.type === "parallel" ? stateLines : insideLines)(root, "  ")].join("\n");
