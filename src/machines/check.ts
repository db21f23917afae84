// The check of a chart at boot: what XState takes in silence and would only show, or hide, when it runs.
//
// XState throws for an unknown target when the chart is made, for an unknown initial state when it starts, for an
// unknown guard when it is asked. An unknown action it skips, an unknown delay it takes for none at all. The rest are
// rules of this house: a state that nothing ends, or that is silent about a message, is a defect of the chart.

import type { AnyStateMachine, AnyStateNode } from "xstate";

type Chart = AnyStateMachine;
type Node = AnyStateNode;

export type DefectKind =
  | "broken definition"
  | "unknown target"
  | "unknown initial"
  | "unknown action"
  | "unknown guard"
  | "unknown delay"
  /** A delay in numbers: the name of a timer would hold it, and a change of it would lose timers under way. */
  | "inline delay"
  /** Something else than to assign, emit, wait, or raise with the stamp. */
  | "effect"
  | "actor"
  /** It would also take what XState sends a machine itself. */
  | "catch-all"
  | "no version"
  /** Without maxIterations a circle of eventless transitions hangs the process. */
  | "no iteration limit"
  | "unreachable state"
  | "no timeout"
  | "unnamed event"
  | "unknown entity"
  | "no status"
  | "unknown status"
  /** Of the regions of a parallel state exactly one shows the status; the others are `aside`. */
  | "ambiguous status";

export type Defect = { kind: DefectKind; at: string; what: string };

/** The states that each entity can be in, as the protocol names them. */
export type Statuses = Readonly<Record<string, readonly string[]>>;

/** No state yet: every entity may be in it. */
const unborn = "-";

/** All that is wrong with a chart; `source` may make it, as an unknown target already throws there. */
export function check(source: Chart | (() => Chart), statuses: Statuses): Defect[] {
  let machine: Chart;
  try {
    machine = typeof source === "function" ? source() : source;
  } catch (error) {
    return [asDefect(error)];
  }
  const all = family(machine.root);
  const reached = reachable(machine);
  const resting = all.filter((node) => isLeaf(node) && !isTransient(node));
  const lasting = resting.filter((node) => node.type !== "final");
  const named = all.flatMap((node) => [...node.transitions.keys()]);
  const events = [...new Set(named)].filter((event) => !event.startsWith("xstate.") && !event.endsWith("*"));
  return [
    ...defectsOfMachine(machine),
    ...all.flatMap(defectsOfNode),
    ...all.flatMap((node) => (reached.has(node) ? [] : unreachable(node, reached))),
    ...lasting.flatMap((node) => (isTimed(node) ? [] : [defect("no timeout", node, "no after, no tag 'waiting'")])),
    ...defectsOfStatus(machine, resting, statuses),
    ...lasting.filter((node) => reached.has(node)).flatMap((node) => unnamed(node, events, reached)),
  ];
}

/** Throws one error that lists all defects with their places. */
export function assertSound(source: Chart | (() => Chart), statuses: Statuses): void {
  const defects = check(source, statuses);
  if (defects.length === 0) return;
  const lines = defects.map(({ kind, at, what }) => `  ${kind} at ${at}: ${what}`);
  const name = typeof source === "function" ? "the machine" : `machine '${source.id}'`;
  throw new Error(`${name} is not sound:\n${lines.join("\n")}`);
}

// ── the tree ──

const placeOf = (node: Node): string => node.path.join(".") || "(root)";
const defect = (kind: DefectKind, node: Node, what: string): Defect => ({ kind, at: placeOf(node), what });

const childrenOf = (node: Node): Node[] => Object.values(node.states);
const family = (node: Node): Node[] => [node, ...childrenOf(node).flatMap(family)];
const lineOf = (node: Node): Node[] => [node, ...(node.parent ? lineOf(node.parent) : [])];
const isLeaf = ({ type }: Node): boolean => type === "atomic" || type === "final";
const doneOf = (node: Node) => node.transitions.get(`xstate.done.state.${node.id}`) ?? [];

/** Left in the very step that enters it. */
const isTransient = (node: Node): boolean =>
  lineOf(node).some(({ always }) => always?.some(({ guard }) => guard === undefined)) ||
  (node.type === "final" && node.parent !== undefined && doneOf(node.parent).some(({ guard }) => guard === undefined));

const isTimed = (node: Node): boolean =>
  lineOf(node).some(({ after, tags }) => after.length > 0 || tags.includes("waiting"));

function asDefect(error: unknown): Defect {
  const what = error instanceof Error ? error.message : String(error);
  if (what.startsWith("No initial state")) return { kind: "unknown initial", at: "(definition)", what };
  const isTarget = /^(?:Invalid transition definition|Invalid target|Child state )/.test(what);
  return { kind: isTarget ? "unknown target" : "broken definition", at: "(definition)", what };
}

// ── parts ──

function defectsOfMachine({ root, version, options, implementations }: Chart): Defect[] {
  const found: Defect[] = [];
  if (!version)
    found.push(defect("no version", root, "version is not set, and a stored life must tell which chart it lived"));
  if (!Number.isFinite(options.maxIterations)) {
    found.push(defect("no iteration limit", root, "options.maxIterations is not set"));
  }
  for (const name of Object.keys(implementations.actors)) {
    found.push(defect("actor", root, `actor '${name}': a machine has no children`));
  }
  return found;
}

function defectsOfNode(node: Node): Defect[] {
  const initial: unknown = node.config.initial;
  const transitions = [...node.transitions.values(), node.always ?? []].flat();
  const initialActions = typeof initial === "object" && initial !== null && "actions" in initial ? initial.actions : [];
  const actions = [node.entry, node.exit, initialActions, transitions.map((one) => one.actions)].flat(2);
  return [
    ...defectsOfShape(node),
    ...actions.flatMap((action) => defectsOfAction(node, action)),
    ...transitions.flatMap(({ guard }) => defectsOfGuard(node, guard)),
  ];
}

function defectsOfShape(node: Node): Defect[] {
  const { config, machine, type } = node;
  const found: Defect[] = [];
  if (type === "compound" && initialOf(node) === undefined) {
    found.push(defect("unknown initial", node, `'${nameOfInitial(node)}'`));
  }
  if (type === "history") {
    for (const target of targetsOf(node)) {
      if (stateAt(node, target) === undefined) found.push(defect("unknown target", node, `'${target}'`));
    }
  }
  for (const delay of Object.keys(config.after ?? {})) {
    if (!Number.isNaN(Number(delay))) found.push(defect("inline delay", node, `'${delay}'`));
    else if (!(delay in machine.implementations.delays)) found.push(defect("unknown delay", node, `'${delay}'`));
  }
  if (config.invoke !== undefined) found.push(defect("actor", node, "invoke: work is another actor's"));
  for (const name of node.transitions.keys()) {
    if (name.endsWith("*")) found.push(defect("catch-all", node, `'${name}'`));
  }
  return found;
}

/** What is inside the functions that assign(), emit(), raise(), cancel() … and and(), or(), not() make. */
type Builtin = {
  name: string;
  type?: string;
  id?: string;
  delay?: unknown;
  event?: unknown;
  sendId?: unknown;
  guards?: unknown[];
};

const nameOf = (reference: unknown): string | undefined => {
  if (typeof reference === "string") return reference;
  return typeof reference === "object" && reference !== null ? String((reference as Builtin).type) : undefined;
};

function defectsOfAction(node: Node, action: unknown): Defect[] {
  const name = nameOf(action);
  const implemented: unknown = name === undefined ? action : node.machine.implementations.actions[name];
  if (typeof implemented !== "function") return [defect("unknown action", node, `'${name}'`)];
  const why = effectOf(implemented);
  return why === undefined ? [] : [defect("effect", node, `'${name ?? implemented.name}' ${why}`)];
}

const harmless = ["xstate.assign", "xstate.emit", "xstate.enqueueActions"];
const isAfter = (id: unknown): boolean => typeof id === "string" && id.startsWith("xstate.after.");

function effectOf({ type = "", id, delay, event, sendId }: Builtin): string | undefined {
  if (harmless.includes(type) || isAfter(id) || isAfter(sendId)) return undefined;
  if (type !== "xstate.raise") return "is none of assign, emit and raise";
  if (delay !== undefined) return "raises with a delay, which 'after' is for";
  return typeof event === "function" ? undefined : "raises an event without the stamp";
}

function defectsOfGuard(node: Node, guard: unknown, above: readonly string[] = []): Defect[] {
  const name = nameOf(guard);
  if (name === undefined) return ((guard as Builtin)?.guards ?? []).flatMap((one) => defectsOfGuard(node, one, above));
  const implemented: unknown = node.machine.implementations.guards[name];
  if (implemented === undefined || above.includes(name)) return [defect("unknown guard", node, `'${name}'`)];
  return defectsOfGuard(node, implemented, [...above, name]);
}

// ── where a chart can get ──

const nameOfInitial = ({ config }: Node): string => {
  const initial: unknown = config.initial;
  return typeof initial === "object" && initial !== null
    ? String((initial as { target?: unknown }).target)
    : String(initial);
};
const initialOf = (node: Node): Node | undefined => node.states[nameOfInitial(node)];

const targetsOf = ({ config }: Node): string[] => [config.target ?? []].flat();

/** The state that a history state's target names: by id, or by path from its parent. */
function stateAt(history: Node, target: string): Node | undefined {
  if (target.startsWith("#")) return family(history.machine.root).find(({ id }) => `#${id}` === target);
  return target.split(".").reduce<Node | undefined>((node, key) => node?.states[key], history.parent);
}

/** The states that some chain of transitions enters, whatever their guards say. */
function reachable({ root }: Chart): Set<Node> {
  const reached = new Set<Node>();
  const entered = new Set<Node>();

  const reach = (node: Node): void => {
    if (reached.has(node)) return;
    reached.add(node);
    if (node.parent === undefined) return;
    reach(node.parent);
    if (node.parent.type !== "parallel") return;
    for (const region of childrenOf(node.parent)) if (isRegion(region) && !reached.has(region)) enter(region);
  };
  const enter = (node: Node): void => {
    reach(node);
    if (entered.has(node)) return;
    entered.add(node);
    defaultsOf(node).forEach(enter);
  };

  enter(root);
  let size = 0;
  while (size < reached.size + entered.size) {
    size = reached.size + entered.size;
    for (const node of reached) exitsOf(node, reached).forEach(enter);
  }
  return reached;
}

const isRegion = ({ type }: Node): boolean => type !== "history";

/** What is entered with a state. An unknown initial state is a defect already: all its siblings count as entered. */
function defaultsOf(node: Node): Node[] {
  if (node.type === "parallel") return childrenOf(node).filter(isRegion);
  if (node.type === "compound") return [initialOf(node) ?? childrenOf(node)].flat();
  if (node.type !== "history" || node.parent === undefined) return [];
  const targets = targetsOf(node).flatMap((target) => stateAt(node, target) ?? []);
  return targets.length > 0 ? targets : [node.parent];
}

function exitsOf(node: Node, reached: ReadonlySet<Node>): Node[] {
  const done = doneOf(node);
  const transitions = [...node.transitions.values(), node.always ?? []].flat();
  return transitions
    .filter((transition) => !done.includes(transition) || completes(node, reached))
    .flatMap(({ target }) => target ?? []);
}

function completes(node: Node, reached: ReadonlySet<Node>): boolean {
  if (node.type === "parallel")
    return childrenOf(node)
      .filter(isRegion)
      .every((region) => completes(region, reached));
  return node.type === "final" || childrenOf(node).some((child) => child.type === "final" && reached.has(child));
}

/** Of a branch that cannot be reached only its top is told. */
const unreachable = (node: Node, reached: ReadonlySet<Node>): Defect[] =>
  node.parent && reached.has(node.parent) ? [defect("unreachable state", node, "no transition leads here")] : [];

// ── what a chart leaves unsaid ──

/** An event that the chart hears, but this state, what contains it, and what is beside it do not name. */
function unnamed(leaf: Node, events: string[], reached: ReadonlySet<Node>): Defect[] {
  const always = (node: Node, event: string): boolean => {
    if (node.transitions.has(event)) return true;
    const children = childrenOf(node).filter((child) => isRegion(child) && reached.has(child));
    if (node.type === "parallel") return children.some((region) => always(region, event));
    const lasting = children.filter((child) => child.type !== "final" && !isTransient(child));
    return lasting.length > 0 && lasting.every((child) => always(child, event));
  };
  const isNamed = (event: string): boolean =>
    lineOf(leaf).some((node) => {
      if (node.transitions.has(event)) return true;
      if (node.parent?.type !== "parallel") return false;
      return childrenOf(node.parent).some((region) => always(region, event));
    });
  return events.filter((event) => !isNamed(event)).map((event) => defect("unnamed event", leaf, `'${event}'`));
}

function defectsOfStatus({ root }: Chart, resting: Node[], statuses: Statuses): Defect[] {
  const entity: unknown = root.meta?.entity;
  const allowed = typeof entity === "string" ? statuses[entity] : [];
  if (allowed === undefined) return [defect("unknown entity", root, `'${String(entity)}'`)];
  const isAside = (node: Node): boolean => node.meta?.aside === true;
  const shown = family(root).filter((node) => !lineOf(node).some(isAside));
  const parallels = shown.filter(({ type }) => type === "parallel");
  const ambiguous = parallels.filter(
    (node) => childrenOf(node).filter((one) => isRegion(one) && !isAside(one)).length !== 1,
  );
  return [
    ...ambiguous.map((node) => defect("ambiguous status", node, "not one region, but none or several, tell it")),
    ...resting
      .filter((node) => shown.includes(node))
      .flatMap((node) => {
        const status: unknown = node.meta?.status;
        if (typeof status !== "string") return [defect("no status", node, "no meta.status")];
        const isKnown = status === unborn || allowed.includes(status);
        return isKnown ? [] : [defect("unknown status", node, `'${status}' is none of '${String(entity)}'`)];
      }),
  ];
}
