// The graph of a statechart: what is drawn of a definition, whether derived from a workflow or a chart of the engine.
//
// Invariants:
//   EG1. Every state is one node, inside the node of its parent; every id is our own and clean.
//   EG2. Every transition with a target is an arrow, or stands in the frame where it may happen from everywhere.

/** A definition as XState takes it, as JSON. */
export type Definition = {
  id?: string;
  type?: string;
  description?: string;
  meta?: Readonly<Record<string, unknown>>;
  initial?: string;
  states?: Readonly<Record<string, Definition>>;
  on?: Readonly<Record<string, Transitions>>;
  after?: Readonly<Record<string, Transitions>>;
  always?: Transitions;
  onDone?: Transitions;
};
export type Transition = {
  target?: string | readonly string[];
  guard?: string | { type?: string; params?: Readonly<Record<string, unknown>> };
};
export type Transitions = string | Transition | readonly (string | Transition)[] | undefined;

export type NodeKind = "state" | "block" | "regions" | "final" | "start";

export type ChartNode = {
  id: string;
  /** Keys from the root on; empty of the root itself. */
  path: readonly string[];
  kind: NodeKind;
  title: string;
  /** What it does, in a few words. */
  words: readonly string[];
  parent: string | null;
  meta: Readonly<Record<string, unknown>>;
  /** Id of the task that it stands for. */
  task?: string;
};

export type ArrowKind = "start" | "success" | "error" | "event" | "after" | "always" | "done";

export type Arrow = {
  id: string;
  source: string;
  target: string;
  kind: ArrowKind;
  label: string;
  /** Events that lead along it; `""` where none is needed. */
  events: readonly string[];
};

export type ChartGraph = {
  id: string;
  title: string;
  /** The root comes first, then each node before what is in it. */
  nodes: readonly ChartNode[];
  arrows: readonly Arrow[];
  /** What may happen from everywhere, and where it leads. */
  frame: readonly { label: string; target: string }[];
  /** Ends that are reached from everywhere alone: they stand in the frame, not among the states. */
  ends: ReadonlySet<string>;
};

type Seed = { node: ChartNode; definition: Definition; children: string[] };

export function graphOf(definition: Definition): ChartGraph {
  const seeds = new Map<string, Seed>();
  const named = new Map<string, string>();
  sow(definition, [], null, seeds, named);
  const rootName = definition.id ?? "chart";
  const find = finder(seeds, named, rootName);
  const frame: { label: string; target: string }[] = [];
  const arrows = new Map<string, Arrow & { labels: Set<string> }>();
  for (const { node, definition: own, children } of seeds.values()) {
    const goals = goalsOf(own, node, find);
    if (node.parent === null) {
      for (const { label, target, kind } of goals) if (kind !== "start") frame.push({ label, target });
    }
    const leaving = node.parent === null ? [] : goals;
    for (const goal of leaving) draw(arrows, node.id, goal);
    const initial = children.find((child) => seeds.get(child)?.node.path.at(-1) === own.initial);
    if (initial !== undefined && own.type !== "parallel") {
      const start: ChartNode = { ...blank, id: `s${node.id}`, path: [...node.path, "$start"], parent: node.id };
      seeds.set(start.id, { node: start, definition: {}, children: [] });
      draw(arrows, start.id, { kind: "start", label: "", event: "", target: initial });
    }
  }
  const drawn = [...arrows.values()].map(({ labels, ...arrow }) => ({ ...arrow, label: [...labels].join(", ") }));
  return {
    id: rootName,
    title: rootName,
    nodes: nested(seeds),
    arrows: drawn,
    frame,
    ends: endsOf(seeds, drawn, frame),
  };
}

const blank = { kind: "start", title: "", words: [], meta: {} } as const;

function sow(
  definition: Definition,
  path: readonly string[],
  parent: string | null,
  seeds: Map<string, Seed>,
  named: Map<string, string>,
): string {
  const id = `n${seeds.size}`;
  const { meta = {}, states = {} } = definition;
  const task = meta["task"];
  const node: ChartNode = {
    id,
    path,
    kind: kindOf(definition),
    title: typeof task === "string" ? task : titleOf(path.at(-1) ?? definition.id ?? ""),
    words: wordsOf(definition.description),
    parent,
    meta,
    ...(typeof task === "string" && { task }),
  };
  const seed: Seed = { node, definition, children: [] };
  seeds.set(id, seed);
  named.set(path.join("."), id);
  if (definition.id !== undefined) named.set(`#${definition.id}`, id);
  seed.children = Object.entries(states).map(([key, inner]) => sow(inner, [...path, key], id, seeds, named));
  return id;
}

function kindOf({ type, states = {} }: Definition): NodeKind {
  if (type === "final") return "final";
  if (Object.keys(states).length === 0) return "state";
  return type === "parallel" ? "regions" : "block";
}

/** `$undo room` is `undo room`, `$SUCCESS` is `success`. */
const titleOf = (key: string): string => {
  if (!key.startsWith("$")) return key;
  const bare = key.slice(1);
  return /^[A-Z_]+$/.test(bare) ? bare.toLowerCase().replaceAll("_", " ") : bare;
};

const wordsOf = (description: string | undefined): string[] =>
  description === undefined || description === "" ? [] : description.split(", ");

type Find = (source: ChartNode, target: string) => string | undefined;

/** Where a target is, as XState looks for it. */
function finder(seeds: ReadonlyMap<string, Seed>, named: ReadonlyMap<string, string>, root: string): Find {
  const below = (id: string | undefined, rest: string): string | undefined => {
    const path = id === undefined ? undefined : seeds.get(id)?.node.path;
    return path && named.get([...path, ...rest.split(".")].join("."));
  };
  return (source, target) => {
    if (target.startsWith(".")) return below(source.id, target.slice(1));
    if (!target.startsWith("#")) return below(source.parent ?? source.id, target);
    const known = named.get(target);
    if (known !== undefined) return known;
    const [head = "", ...rest] = target.slice(1).split(".");
    return below(head === root ? "n0" : named.get(`#${head}`), rest.join("."));
  };
}

type Goal = { kind: ArrowKind; label: string; event: string; target: string };

function goalsOf(definition: Definition, node: ChartNode, find: Find): Goal[] {
  const { on = {}, after = {}, always, onDone } = definition;
  const goals = (transitions: Transitions, kind: ArrowKind, event: string, word: string): Goal[] =>
    listOf(transitions).flatMap(({ target, guard }) =>
      (typeof target === "string" ? [target] : (target ?? [])).flatMap((one) => {
        const found = find(node, one);
        const label = [word, guardText(guard)].filter((text) => text !== "").join(" ");
        return found === undefined ? [] : [{ kind, label, event, target: found }];
      }),
    );
  return withElse([
    ...Object.entries(on).flatMap(([event, to]) => goals(to, eventKind(event, node), event, eventWord(event, node))),
    ...Object.entries(after).flatMap(([delay, to]) =>
      goals(to, "after", `after ${delay}`, `after ${delayWord(delay)}`),
    ),
    ...goals(always, "always", "", ""),
    ...goals(onDone, "done", "done", node.task === undefined && node.path.at(-1)?.startsWith("$") ? "" : "done"),
  ]);
}

/** Where the others have conditions, the one without is what is left. */
function withElse(goals: Goal[]): Goal[] {
  const isOpen = ({ kind, label }: Goal): boolean => kind === "success" && label === "";
  const hasConditions = goals.some(({ kind, label }) => kind === "success" && label !== "");
  return hasConditions ? goals.map((goal) => (isOpen(goal) ? { ...goal, label: "else" } : goal)) : goals;
}

const listOf = (transitions: Transitions): Transition[] => {
  if (transitions === undefined) return [];
  const list = Array.isArray(transitions)
    ? (transitions as (string | Transition)[])
    : [transitions as string | Transition];
  return list.map((one) => (typeof one === "string" ? { target: one } : one));
};

/** Names of guards stand in brackets; what people wrote speaks for itself. */
function guardText(guard: Transition["guard"]): string {
  if (guard === undefined || typeof guard === "string") return guard === undefined ? "" : `[${guard}]`;
  const codes = guard.params?.["codes"];
  if (Array.isArray(codes)) return codes.join(" or ");
  const text = guard.type ?? "";
  return guard.params?.["when"] === undefined && text !== "" ? `[${text}]` : text;
}

const delayWord = (delay: string): string => (/^\d+$/.test(delay) ? `${delay} ms` : delay);

/** In the chart of a workflow the outcome of a task says everything: which way it is, not which event. */
const outcomeOf = (event: string, { task }: ChartNode): string | undefined =>
  task !== undefined && event.startsWith(`${task}.`) ? event.slice(task.length + 1) : undefined;

function eventKind(event: string, node: ChartNode): ArrowKind {
  const outcome = outcomeOf(event, node);
  if (outcome === undefined) return "event";
  return outcome === "SUCCESS" ? "success" : "error";
}

function eventWord(event: string, node: ChartNode): string {
  const outcome = outcomeOf(event, node);
  if (outcome === undefined) return event.replace(/^(?:command|result|event|progress|cue):/, "");
  return outcome === "SUCCESS" ? "" : "on error";
}

/** Arrows between the same two, of the same kind, are one. */
function draw(arrows: Map<string, Arrow & { labels: Set<string> }>, source: string, goal: Goal): void {
  const { target, kind, event } = goal;
  const label = kind === "error" ? goal.label.replace(/^on error (?=.)/, "") : goal.label;
  const key = `${source} ${target} ${kind === "success" || kind === "error" ? kind : ""}`;
  const known = arrows.get(key);
  if (known) {
    if (label !== "") known.labels.add(label);
    arrows.set(key, { ...known, events: [...known.events, event] });
    return;
  }
  const labels = new Set(label === "" ? [] : [label]);
  arrows.set(key, { id: `a${arrows.size}`, source, target, kind, label: "", labels, events: [event] });
}

const isStart = ({ node }: Seed): number => (node.kind === "start" ? 1 : 0);

/** Parents before children, in the order of the text. */
function nested(seeds: ReadonlyMap<string, Seed>): ChartNode[] {
  // Whence one comes stands first, and is drawn first.
  const all = [...seeds.values()].toSorted((one, other) => isStart(other) - isStart(one));
  const inner = Map.groupBy(all, ({ node }) => node.parent);
  const from = (parent: string | null): ChartNode[] =>
    (inner.get(parent) ?? []).flatMap(({ node }) => [node, ...from(node.id)]);
  return from(null);
}

function endsOf(
  seeds: ReadonlyMap<string, Seed>,
  arrows: readonly Arrow[],
  frame: readonly { target: string }[],
): Set<string> {
  const reached = new Set(arrows.map(({ target }) => target));
  const ends = frame.map(({ target }) => target);
  return new Set(ends.filter((id) => !reached.has(id) && seeds.get(id)?.node.kind === "final"));
}
