// The only place a machine runs: (life, event) → (life, what it says, what it waits for).
//
//   life + event + stamp ──▶ one XState macrostep ──▶ life
//                               ├ emit   ──▶ messages
//                               ├ after  ──▶ timers armed, timers cancelled
//                               └ any other effect is thrown
//
// Invariants:
//   S1. A step is a function of its arguments: it reads no clock, makes no id, and changes nothing it was given.
//   S2. A machine may only speak (emit) and wait (after). Anything else throws.
//   S3. A finished machine is inert. XState's transition() would run its root transitions again.
//   S4. A timer is data: armed on entry, gone on exit, new on re-entry. One that the life does not hold is stale.
//   S5. Whoever did not take an event has the very same life as before, and said nothing.
//   S6. Whatever a machine hears carries the stamp: input, start, timers, what it raises, what XState calls done.
//   S7. What is thrown inside a machine comes out as one error that names machine, state and event.
//   S8. A life that went through JSON goes on as one that did not.
//   S9. A live actor and the pure step say the same, in the same order.
//
// A plain machine (no history, nothing invoked, no output) is run by interpreter.ts, any other by XState itself.
//
// Relied on in XState 5.33.3, and nowhere but here, in interpreter.ts and in moves.ts:
//   - transition() and getInitialSnapshot() use no more of an actor scope than `scope` below has. The public pure
//     functions build an actor on each call to get one: 2 to 3 times slower.
//   - Every effect goes to scope.actionExecutor, in order, its parameters resolved; assign is not an effect.
//   - `after` is a raise on entry and a cancel on exit, each with the type of the event as its id.
//   - The same snapshot comes back when no state, context or history changed.
//   - A snapshot's machine is asked for getTransitionData() before each transition that an event causes.
//   - snapshot._nodes holds the active states, StateNode.transitions the events each names, ignored ones included.

import { StateMachine } from "xstate";
import { interpreterOf } from "./interpreter.ts";
import type { AnyActorScope, AnyMachineSnapshot, AnyStateMachine, EmittedFrom, EventFrom, EventObject } from "xstate";
import type { ExecutableActionObject, InputFrom, SnapshotFrom, StateValue } from "xstate";

type Chart = AnyStateMachine;
type Snapshot = AnyMachineSnapshot;
type Node = Snapshot["_nodes"][number];

/** The only source of time and of ids in a step: epoch milliseconds and a UUIDv7. */
export type Stamp = { at: number; seed: string };

/** `id` is XState's own `xstate.after.<delay>.<state>`; `visit` tells one entry of the state from another. */
export type Timer = { id: string; visit: string; dueAt: number };

export type Life<M extends Chart> = { snapshot: SnapshotFrom<M>; timers: readonly Timer[] };

/**
 * What came of an event. `taken`: the life is another, or something was said. Otherwise the life is the same.
 * `ignored`: the state names the event, and nothing came of it. `unnamed`: the chart names it, this state does not.
 * `unknown`: no state of the chart names it. `stale`: a timer that the life does not hold. `inert`: the life is over.
 */
export type Heard = "taken" | "ignored" | "unnamed" | "unknown" | "stale" | "inert";

export type Step<M extends Chart> = {
  life: Life<M>;
  messages: readonly EmittedFrom<M>[];
  armed: readonly Timer[];
  cancelled: readonly Timer[];
  heard: Heard;
};

/** An input as `start` takes it: the stamp is added there. */
export type Unstamped<Input> = Input extends Stamp ? Omit<Input, keyof Stamp> : Input;

/** A life as plain JSON. */
export type Frozen = {
  machine: string;
  version: string;
  status: "active" | "done";
  value: StateValue;
  /** The active states in XState's order, if there are regions: it decides which region acts first. */
  nodes?: string[];
  context: unknown;
  history: Record<string, string[]>;
  output?: unknown;
  timers: readonly Timer[];
};

/** What a machine emits to say nothing. */
export const silence = Object.freeze({ type: "silence" }) as never;

export function start<M extends Chart>(machine: M, input: Unstamped<InputFrom<M>>, stamp: Stamp): Step<M> {
  const gathered = gather(stamp, none);
  const snapshot = runnerOf(machine).begin(gathered, Object.assign({}, input, { at: stamp.at, seed: stamp.seed }));
  // XState keeps what is thrown at the start in the snapshot.
  if (snapshot.status === "error") throw broken(machine, "at its start", snapshot.error);
  return taken(snapshot, gathered);
}

export function step<M extends Chart>(machine: M, life: Life<M>, event: EventFrom<M> & Stamp): Step<M> {
  const { type } = event as unknown as EventObject;
  if (type.startsWith("xstate.")) {
    throw broken(machine, `on '${type}'`, new Error("such an event comes from XState alone"));
  }
  if (isOver(life.snapshot)) return unmoved(life, "inert");
  // Asked first: XState tries the eventless transitions of a state after any event, also one that nobody names.
  if (!runnerOf(machine).names.has(type)) return unmoved(life, "unknown");
  return advance(machine, life, life.timers, event as unknown as Heed);
}

/** A due timer is an input with an id: it does nothing unless the life still waits for this very visit. */
export function fire<M extends Chart>(machine: M, life: Life<M>, timer: Timer, stamp: Stamp): Step<M> {
  if (isOver(life.snapshot)) return unmoved(life, "inert");
  const { id, visit } = timer;
  const left = life.timers.filter((one) => one.id !== id || one.visit !== visit);
  if (left.length === life.timers.length) return unmoved(life, "stale");
  return advance(machine, life, left, { type: id, at: stamp.at, seed: stamp.seed });
}

export function freeze<M extends Chart>({ snapshot, timers }: Life<M>): Frozen {
  const { machine, status, value, context, historyValue, output, _nodes }: Snapshot = snapshot;
  const history = Object.entries(historyValue).map(([id, nodes]) => [id, nodes.map(idOf)]);
  return {
    machine: machine.id,
    version: machine.version ?? "",
    status: status === "active" ? "active" : "done",
    value,
    ...(_nodes.some(({ type }) => type === "parallel") && { nodes: _nodes.map(idOf) }),
    context,
    history: Object.fromEntries(history),
    ...(output !== undefined && { output }),
    timers,
  };
}

export function thaw<M extends Chart>(machine: M, frozen: Frozen): Life<M> {
  const [ours, theirs] = [`${machine.id} ${machine.version ?? ""}`, `${frozen.machine} ${frozen.version}`];
  if (ours !== theirs) throw new Error(`a life of machine '${theirs}' cannot go on as one of '${ours}'`);
  return { snapshot: runnerOf(machine).restore(frozen) as SnapshotFrom<M>, timers: frozen.timers };
}

// ── a step ──

type Heed = EventObject & Stamp;

const none: readonly never[] = Object.freeze([]);

/** What a step gathers. A list is copied when it changes, for most steps leave most of them alone. */
type Gathered = {
  stamp: Stamp;
  messages: readonly EventObject[];
  timers: readonly Timer[];
  armed: readonly Timer[];
  cancelled: readonly Timer[];
  visits: number;
};

function gather({ at, seed }: Stamp, timers: readonly Timer[]): Gathered {
  if (!Number.isFinite(at) || typeof seed !== "string") {
    throw new TypeError(`a stamp is a time and a seed, not '${at}' and '${seed}'`);
  }
  return { stamp: { at, seed }, messages: none, timers, armed: none, cancelled: none, visits: 0 };
}

function advance<M extends Chart>(machine: M, life: Life<M>, timers: readonly Timer[], event: Heed): Step<M> {
  const before: Snapshot = life.snapshot;
  const gathered = gather(event, timers);
  let after: Snapshot;
  try {
    after = runnerOf(machine).go(gathered, before, event);
  } catch (error) {
    throw broken(machine, `in '${placeOf(before)}' on '${event.type}'`, error);
  }
  const moved = after !== before || gathered.messages !== none || gathered.timers !== life.timers;
  if (moved) return taken(after, gathered);
  return unmoved(life, before._nodes.some((node) => node.transitions.has(event.type)) ? "ignored" : "unnamed");
}

function taken<M extends Chart>(snapshot: Snapshot, gathered: Gathered): Step<M> {
  const { timers, armed, cancelled } = gathered;
  const messages = gathered.messages as readonly EmittedFrom<M>[];
  return {
    life: { snapshot: snapshot as SnapshotFrom<M>, timers },
    messages,
    armed,
    cancelled,
    heard: "taken",
  };
}

const unmoved = <M extends Chart>(life: Life<M>, heard: Heard): Step<M> => ({
  life,
  messages: none,
  armed: none,
  cancelled: none,
  heard,
});

const isOver = ({ status }: Snapshot): boolean => status !== "active";

const placeOf = ({ _nodes }: Snapshot): string => {
  const leaves = _nodes.filter(({ type }) => type === "atomic" || type === "final");
  return leaves.map(({ path }) => path.join(".")).join(", ");
};

const broken = ({ id }: Chart, where: string, cause: unknown): Error =>
  new Error(`machine '${id}' ${where}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });

// ── effects ──

const afterPrefix = "xstate.after.";

function perform(gathered: Gathered, { type, params, exec }: ExecutableActionObject): void {
  if (type === "xstate.emit") return say(gathered, params as { event?: EventObject });
  if (type === "xstate.raise") return wait(gathered, params as Raised);
  if (type === "xstate.cancel") return cease(gathered, params as { sendId: string });
  throw new Error(`action '${type}' ${exec ? "is an effect: a machine may only emit and wait" : "is missing"}`);
}

function say(gathered: Gathered, { event }: { event?: EventObject }): void {
  if (typeof event?.type !== "string") throw new Error("an emit without a type: to say nothing, emit silence");
  if (event !== silence) gathered.messages = [...gathered.messages, event];
}

type Raised = { event: EventObject & Partial<Stamp>; id?: string; delay?: number };

function wait(gathered: Gathered, { event, id, delay }: Raised): void {
  if (!id?.startsWith(afterPrefix)) {
    if (delay !== undefined) throw new Error(`raise('${event.type}') has a delay: a machine waits by 'after'`);
    if (event.at === undefined) throw new Error(`raise('${event.type}') does not pass on the stamp, at and seed`);
    return;
  }
  // XState takes a missing delay for none, and transitions at once.
  if (typeof delay !== "number" || Number.isNaN(delay)) throw new Error(`the delay of '${id}' is '${delay}'`);
  if (delay === Infinity) return;
  const { at, seed } = gathered.stamp;
  const timer = { id, visit: `${seed}#${gathered.visits}`, dueAt: at + Math.max(0, delay) };
  gathered.visits += 1;
  gathered.timers = [...gathered.timers, timer];
  gathered.armed = [...gathered.armed, timer];
}

function cease(gathered: Gathered, { sendId }: { sendId: string }): void {
  if (!sendId.startsWith(afterPrefix)) throw new Error(`cancel('${sendId}'): to leave a state ends its waits`);
  const isOther = ({ id }: Timer): boolean => id !== sendId;
  const timer = gathered.timers.find(({ id }) => id === sendId);
  if (timer === undefined) return;
  gathered.timers = gathered.timers.filter(isOther);
  // What was armed in this very step nobody has seen.
  if (gathered.armed.includes(timer)) gathered.armed = gathered.armed.filter(isOther);
  else gathered.cancelled = [...gathered.cancelled, timer];
}

// ── XState ──

type Runner = ReturnType<typeof makeRunner>;

const runners = new WeakMap<Chart, Runner>();

function runnerOf(machine: Chart): Runner {
  const made = runners.get(machine);
  if (made !== undefined) return made;
  const runner = makeRunner(machine);
  runners.set(machine, runner);
  return runner;
}

const idOf = ({ id }: Node): string => id;

type Methods = Pick<Chart, "getInitialSnapshot" | "getTransitionData"> & {
  _getPreInitialState(scope: AnyActorScope, event: EventObject, queue: EventObject[]): Snapshot;
};
const methods = StateMachine.prototype as unknown as Methods;

// Whatever spawns an actor asks its parent's system for an id first.
const system = {
  _sendInspectionEvent: () => undefined,
  _bookId: () => {
    throw new Error("an actor is spawned: a machine may only emit and wait");
  },
};

function makeRunner(machine: Chart) {
  const nodes = new Map<string, Node>();
  const names = new Set<string>();
  const collect = (node: Node): void => {
    nodes.set(node.id, node);
    for (const name of node.transitions.keys()) names.add(name);
    for (const child of Object.values(node.states)) collect(child);
  };
  collect(machine.root);
  for (const name of names) {
    if (name.endsWith("*"))
      throw new Error(`machine '${machine.id}': '${name}' is a pattern, not the name of an event`);
  }
  const nodeOf = (id: string): Node => {
    const node = nodes.get(id);
    if (node === undefined) throw new Error(`machine '${machine.id}' has no state '${id}'`);
    return node;
  };

  // Of the step under way. A step within a step has its own.
  let gathered: Gathered | undefined;
  const scope = {
    self: { system },
    system,
    actionExecutor: (action: ExecutableActionObject) => gathered && perform(gathered, action),
  } as unknown as AnyActorScope;

  function within(own: Gathered, work: () => Snapshot): Snapshot {
    const outer = gathered;
    gathered = own;
    try {
      return work();
    } finally {
      gathered = outer;
    }
  }

  // The events of a start and of a done state XState makes itself. This is where they pass first, and get the stamp.
  const stamped = <Event extends EventObject>(event: Event): Event => Object.assign(event, gathered?.stamp);
  const view: Chart = Object.create(machine, {
    _getPreInitialState: {
      value: (own: AnyActorScope, event: EventObject, queue: EventObject[]) =>
        methods._getPreInitialState.call(view, own, stamped(event), queue),
    },
    getTransitionData: {
      value: (snapshot: Snapshot, event: EventObject) => {
        if (event.type.startsWith("xstate.done.state.")) stamped(event);
        return methods.getTransitionData.call(view, snapshot, event);
      },
    },
  });

  const fast = interpreterOf(machine, view, scope, stamped);

  return {
    /** Every event that some state of the chart names. */
    names,
    begin: (own: Gathered, input: unknown): Snapshot =>
      within(own, () => (fast ? fast.begin(input) : methods.getInitialSnapshot.call(view, scope, input))),
    go(own: Gathered, snapshot: Snapshot, event: EventObject): Snapshot {
      if (snapshot.machine !== view) throw new Error("the life is of another machine");
      return within(own, () => (fast ? fast.go(snapshot, event) : machine.transition(snapshot, event, scope)));
    },
    restore({ value, context, history, output, nodes: order }: Frozen): Snapshot {
      const kept = Object.entries(history).map(([id, ids]) => [id, ids.map(nodeOf)]);
      const historyValue = Object.fromEntries(kept);
      const snapshot: Snapshot = view.resolveState({ value, context, historyValue, output });
      return order === undefined ? snapshot : { ...snapshot, _nodes: order.map(nodeOf) };
    },
  };
}
