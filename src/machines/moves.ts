// Which states a transition leaves and enters, worked out once for each configuration that it is taken from.
//
//   configuration + transitions ──▶ { exits, entries, next configuration }
//
// What is done here follows XState 5.33.3, in its order; it knows no history states.

import type { AnyMachineSnapshot, AnyStateMachine, StateValue } from "xstate";

export type Node = AnyMachineSnapshot["_nodes"][number];
export type Transition = ReturnType<AnyStateMachine["getTransitionData"]>[number];
type Action = Node["entry"][number];

/** The active states, in the order in which they were entered. */
export type Configuration = {
  nodes: Node[];
  value: StateValue;
  tags: Set<string>;
  /** Events that some active state names. */
  names: ReadonlySet<string>;
  /** Whether any active state has transitions that need no event. */
  isRestless: boolean;
  tree: Tree;
  leaves: readonly Node[];
  moves: Map<Transition | string, Move>;
};

/** An active state with its active children, regions in the order of the state value. */
export type Tree = { node: Node; children: readonly Tree[] };

/** A state that is entered: what is done, and which states are done because of it. */
type Entry = { actions: readonly Action[]; done: readonly string[]; ends: boolean };

export type Move = {
  exits: readonly Action[];
  actions: readonly Action[];
  entries: readonly Entry[];
  next: Configuration;
  /** What is left when the machine ends. */
  farewell: readonly Action[];
};

const isAtomic = ({ type }: Node): boolean => type === "atomic" || type === "final";
const childrenOf = ({ states }: Node): Node[] => Object.values(states);
const byOrder = (a: Node, b: Node): number => a.order - b.order;

function isWithin(node: Node, above: Node | undefined): boolean {
  let marker = node;
  while (marker.parent && marker.parent !== above) marker = marker.parent;
  return marker.parent === above;
}

function ancestorsOf(node: Node, until: Node | undefined): Node[] {
  const found: Node[] = [];
  if (until === node) return found;
  for (let above = node.parent; above && above !== until; above = above.parent) found.push(above);
  return found;
}

/** Whether a machine is one that moves can be worked out for. */
export function isPlain(machine: AnyStateMachine): boolean {
  const isPlainNode = (node: Node): boolean =>
    node.type !== "history" &&
    node.invoke.length === 0 &&
    node.output === undefined &&
    childrenOf(node).every(isPlainNode);
  return isPlainNode(machine.root);
}

export function mapOf(machine: AnyStateMachine) {
  const configurations = new Map<string, Configuration>();
  const known = new WeakMap<readonly Node[], Configuration>();

  function configuration(nodes: readonly Node[]): Configuration {
    const found = known.get(nodes);
    if (found) return found;
    const key = nodes.map(({ id }) => id).join();
    const made = configurations.get(key) ?? make([...nodes]);
    configurations.set(key, made);
    known.set(nodes, made);
    known.set(made.nodes, made);
    return made;
  }

  function make(nodes: Node[]): Configuration {
    const active = new Set(nodes);
    // XState lists what is active by parent, in the order of entering; a state value is read from that.
    const treeOf = (node: Node): Tree => ({
      node,
      children: nodes.filter(({ parent }) => parent === node && active.has(node)).map(treeOf),
    });
    const tree = treeOf(machine.root);
    const leaves = nodes.filter(isAtomic);
    return {
      nodes,
      value: valueOf(tree),
      tags: new Set(nodes.flatMap(({ tags }) => tags)),
      names: new Set(nodes.flatMap(({ transitions }) => [...transitions.keys()])),
      isRestless: nodes.some(({ always }) => always !== undefined && always.length > 0),
      tree,
      leaves,
      moves: new Map(),
    };
  }

  function move(from: Configuration, transitions: readonly Transition[], isInitial = false): Move {
    const first = transitions[0] as Transition;
    // Transitions have no ids: two of one place are told apart by their source and their rank among its own.
    const key = transitions.length === 1 ? first : transitions.map(nameOf).join();
    const found = from.moves.get(key);
    if (found) return found;
    const made = workOut(from, transitions, isInitial);
    from.moves.set(key, made);
    return made;
  }
  const names = new Map<Transition, string>();
  const nameOf = (transition: Transition): string => {
    const name = names.get(transition) ?? String(names.size);
    names.set(transition, name);
    return name;
  };

  function workOut(from: Configuration, transitions: readonly Transition[], isInitial: boolean): Move {
    const active = new Set(from.nodes);
    const exited = isInitial ? [] : exitsOf(transitions, active).sort((a, b) => byOrder(b, a));
    for (const node of exited) active.delete(node);
    const { entered, byDefault } = entriesOf(transitions);
    if (isInitial) byDefault.add(machine.root);
    const completed = new Set<Node>();
    let isOver = false;
    const entries: Entry[] = [];
    for (const node of [...entered].sort(byOrder)) {
      active.add(node);
      const actions = [...node.entry, ...(byDefault.has(node) ? (node.initial?.actions ?? []) : [])];
      const done: string[] = [];
      const ends = node.type === "final" && finish(node, active, completed, done);
      isOver ||= ends;
      entries.push({ actions, done, ends });
    }
    // XState leaves those of an ended machine as it ran their exits, the last first.
    const nodes = isOver ? [...active].sort((a, b) => byOrder(b, a)) : [...active];
    const isSame = nodes.length === from.nodes.length && from.nodes.every((node) => active.has(node));
    return {
      exits: exited.flatMap(({ exit }) => exit),
      actions: transitions.flatMap(({ actions }) => actions),
      entries,
      next: isSame ? from : configuration(nodes),
      farewell: isOver ? nodes.flatMap(({ exit }) => exit) : [],
    };
  }

  return { configuration, move };
}

function valueOf({ node, children }: Tree): StateValue {
  const [child] = children;
  if (node.type === "compound" && child) {
    if (isAtomic(child.node)) return child.node.key;
    return { [child.node.key]: valueOf(child) };
  }
  return Object.fromEntries(children.map((one) => [one.node.key, valueOf(one)]));
}

/** Entering a final state: which states are done by it, and whether the machine is. */
function finish(node: Node, active: ReadonlySet<Node>, completed: Set<Node>, done: string[]): boolean {
  const { parent } = node;
  let above = parent?.type === "parallel" ? parent : parent?.parent;
  if (parent?.type === "compound") done.push(parent.id);
  while (above?.type === "parallel" && !completed.has(above) && isFinished(active, above)) {
    completed.add(above);
    done.push(above.id);
    above = above.parent;
  }
  return above === undefined;
}

function isFinished(active: ReadonlySet<Node>, node: Node): boolean {
  if (node.type === "compound") return childrenOf(node).some((child) => child.type === "final" && active.has(child));
  if (node.type === "parallel") return childrenOf(node).every((child) => isFinished(active, child));
  return node.type === "final";
}

const targetsOf = ({ target }: Transition): readonly Node[] => (target ?? []) as readonly Node[];

/** The state within which a transition happens; none is outside the machine. */
function domainOf(transition: Transition): Node | undefined {
  const { source, reenter } = transition;
  const targets = targetsOf(transition);
  if (!reenter && targets.every((target) => target === source || isWithin(target, source))) return source;
  const [head, ...others] = [...targets, source];
  const common = head && ancestorsOf(head, undefined).find((above) => others.every((node) => isWithin(node, above)));
  return common ?? (reenter ? undefined : source.machine.root);
}

function exitsOf(transitions: readonly Transition[], active: ReadonlySet<Node>): Node[] {
  const exited = new Set<Node>();
  for (const transition of transitions) {
    if (targetsOf(transition).length === 0) continue;
    const domain = domainOf(transition);
    if (transition.reenter && transition.source === domain && domain) exited.add(domain);
    for (const node of active) if (isWithin(node, domain)) exited.add(node);
  }
  return [...exited];
}

function entriesOf(transitions: readonly Transition[]): { entered: Set<Node>; byDefault: Set<Node> } {
  const entered = new Set<Node>();
  const byDefault = new Set<Node>();
  const holds = (child: Node): boolean => [...entered].some((node) => isWithin(node, child));

  const enterAbove = (above: readonly Node[], domain: Node | undefined): void => {
    for (const node of above) {
      if (!domain || isWithin(node, domain)) entered.add(node);
      if (node.type !== "parallel") continue;
      for (const child of childrenOf(node)) {
        if (holds(child)) continue;
        entered.add(child);
        enterBelow(child);
      }
    }
  };
  const enterBelow = (node: Node): void => {
    if (node.type === "compound") {
      const initial = (node.initial?.target as readonly Node[] | undefined)?.[0];
      if (!initial) return;
      entered.add(initial);
      byDefault.add(initial);
      enterBelow(initial);
      enterAbove(ancestorsOf(initial, node), undefined);
    } else if (node.type === "parallel") {
      for (const child of childrenOf(node)) {
        if (holds(child)) continue;
        entered.add(child);
        byDefault.add(child);
        enterBelow(child);
      }
    }
  };

  for (const transition of transitions) {
    const { source, reenter } = transition;
    const domain = domainOf(transition);
    const targets = targetsOf(transition);
    for (const target of targets) {
      if (source !== target || source !== domain || reenter) {
        entered.add(target);
        byDefault.add(target);
      }
      enterBelow(target);
    }
    for (const target of targets) {
      const above = ancestorsOf(target, domain);
      if (domain?.type === "parallel") above.push(domain);
      enterAbove(above, !source.parent && reenter ? undefined : domain);
    }
  }
  return { entered, byDefault };
}

/** Of transitions that would leave the same states, the inner ones; and among equals the first. */
export function withoutConflicts(enabled: readonly Transition[], nodes: readonly Node[]): readonly Transition[] {
  if (enabled.length < 2) return enabled;
  const active = new Set(nodes);
  const kept = new Set<Transition>();
  for (const one of enabled) {
    const own = new Set(exitsOf([one], active));
    const rivals = [...kept].filter((other) => exitsOf([other], active).some((node) => own.has(node)));
    if (rivals.some((other) => !isWithin(one.source, other.source))) continue;
    for (const rival of rivals) kept.delete(rival);
    kept.add(one);
  }
  return [...kept];
}
