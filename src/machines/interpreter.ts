// Runs one macrostep of a machine as XState does, without working out again what its structure has decided.
//
//   event ──▶ select ──▶ move: exit, act, enter ──▶ until nothing is raised and no eventless transition fits
//
// XState computes the state value, the exits and the entries anew in each microstep, and a snapshot in each assign.
// Here they are looked up. Guards, actions and their order are XState's own: the tests hold live actors against it.

import {
  type AnyActorScope,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  cancel,
  type EventObject,
  raise,
} from "xstate";
import {
  type Configuration,
  isPlain,
  mapOf,
  type Node,
  type Transition,
  type Tree,
  withoutConflicts,
} from "./moves.ts";

type Snapshot = AnyMachineSnapshot;
type Context = Record<string, unknown>;
type Action = Node["entry"][number];
type Args = { context: unknown; event: EventObject; self: unknown; system: unknown; spawn: () => never };

/** What XState calls a builtin: assign, emit, raise, cancel and enqueueActions have a way to be resolved. */
type Builtin = {
  type: string;
  assignment?: unknown;
  /** What an emit says. */
  event?: unknown;
  /** What is enqueued. */
  collect?: (args: unknown, params: unknown) => void;
  resolve: (
    scope: AnyActorScope,
    snapshot: unknown,
    args: Args,
    params: unknown,
    action: unknown,
    extra: { internalQueue: EventObject[] },
  ) => [snapshot: { context: unknown }, params: unknown, actions: readonly Action[] | undefined];
  execute?: unknown;
};

type Enqueued = { action: Action } | { assigned: unknown } | { said: unknown };

export type Interpreter = {
  begin(input: unknown): Snapshot;
  go(snapshot: Snapshot, event: EventObject): Snapshot;
};

const allowed: ReadonlySet<string> = new Set(["xstate.raise", "xstate.cancel"]);

const refuseSpawn = (): never => {
  throw new Error("an actor is spawned: a machine may only emit and wait");
};

/**
 * Nothing, if a machine is not plain enough. `stamped` is given every event that is made here; `view` is the machine
 * that snapshots are of.
 */
export function interpreterOf(
  machine: AnyStateMachine,
  view: AnyStateMachine,
  scope: AnyActorScope,
  stamped: <Event extends EventObject>(event: Event) => Event,
): Interpreter | undefined {
  if (!isPlain(machine)) return undefined;
  const { configuration, move } = mapOf(machine);
  const { implementations, config } = machine as unknown as {
    implementations: { actions: Record<string, unknown>; guards: Record<string, unknown> };
    config: { context?: unknown };
  };
  const iterationsMax = (machine as { options?: { maxIterations?: number } }).options?.maxIterations ?? Infinity;
  const { self, system } = scope;

  // Of the macrostep under way. The first change of the context makes a copy, which is this macrostep's own.
  type Run = {
    snapshot: Snapshot;
    context: unknown;
    changes: number;
    place: Configuration;
    queue: EventObject[];
    isOver: boolean;
  };
  const runOf = (snapshot: Snapshot, context: unknown, place: Configuration): Run => ({
    snapshot,
    context,
    changes: 0,
    place,
    queue: [],
    isOver: false,
  });

  const shape = (run: Run): Snapshot => {
    const { snapshot, context, place } = run;
    const status = run.isOver ? "done" : "active";

    return {
      ...snapshot,
      status,
      context,
      _nodes: place.nodes,
      value: place.value,
      tags: place.tags,
    } as Snapshot;
  };

  // ── guards ──

  type Guard = Transition["guard"];
  function passes(guard: Guard, run: Run, event: EventObject): boolean {
    const args = { context: run.context, event };
    const isInline = typeof guard === "function";
    const named = guard as string | { type: string; params?: unknown };
    const resolved = isInline ? guard : implementations.guards[typeof named === "string" ? named : named.type];
    if (resolved === undefined) throw new Error(`there is no guard '${nameOf(named)}'`);
    if (typeof resolved !== "function") return passes(resolved as Guard, run, event);
    const given = isInline || typeof named === "string" ? undefined : named.params;
    const params: unknown = typeof given === "function" ? given(args) : given;
    if ("check" in resolved) {
      const { check } = resolved as unknown as { check: (...all: unknown[]) => boolean };
      return check({ ...run.snapshot, context: run.context, machine }, args, resolved);
    }
    return (resolved as (args: unknown, params: unknown) => boolean)(args, params);
  }
  const nameOf = (named: string | { type: string }): string => (typeof named === "string" ? named : named.type);

  function firstOf(
    candidates: readonly Transition[],
    run: Run,
    event: EventObject,
    node: Node,
  ): Transition | undefined {
    for (const candidate of candidates) {
      if (candidate.guard === undefined) return candidate;
      try {
        if (passes(candidate.guard, run, event)) return candidate;
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        const which = `guard in transition for event '${event.type}' in state node '${node.id}'`;
        throw new Error(`Unable to evaluate ${which}:\n${message}`, { cause: error });
      }
    }
    return undefined;
  }

  // ── which transitions ──

  const none: readonly Transition[] = [];

  function select({ node, children }: Tree, run: Run, event: EventObject): readonly Transition[] {
    if (children.length === 1 && children[0]) {
      const inner = select(children[0], run, event);
      if (inner.length > 0) return inner;
    } else if (children.length > 1) {
      let inner = none;
      for (const child of children) {
        const found = select(child, run, event);
        if (found.length > 0) inner = inner.length > 0 ? [...inner, ...found] : found;
      }
      if (inner.length > 0) return inner;
    }
    const candidates = node.transitions.get(event.type);
    const chosen = candidates && firstOf(candidates as readonly Transition[], run, event, node);
    return chosen ? [chosen] : none;
  }

  function selectEventless(run: Run, event: EventObject): readonly Transition[] {
    if (!run.place.isRestless) return none;
    let enabled = none;
    for (const leaf of run.place.leaves) {
      for (let node: Node | undefined = leaf; node; node = node.parent) {
        const chosen = node.always && firstOf(node.always as readonly Transition[], run, event, node);
        if (!chosen) continue;
        if (!enabled.includes(chosen)) enabled = [...enabled, chosen];
        break;
      }
    }
    return withoutConflicts(enabled, run.place.nodes);
  }

  // ── what is done ──

  function act(actions: readonly Action[], run: Run, event: EventObject): void {
    if (actions.length === 0) return;
    const args: Args = { context: run.context, event, self, system, spawn: refuseSpawn };
    for (const action of actions) {
      const isInline = typeof action === "function";
      const named = action as string | { type: string; params?: unknown };
      const resolved = isInline ? action : implementations.actions[nameOf(named)];
      args.context = run.context;
      const given = isInline || typeof named === "string" ? undefined : named.params;
      const params: unknown = typeof given === "function" ? given({ context: run.context, event }) : given;
      if (!isBuiltin(resolved)) {
        const type = isInline ? (action as { name: string }).name || "(anonymous)" : nameOf(named);
        perform({ type, info: args, params, exec: resolved });
      } else if (resolved.type === "xstate.assign") assign(resolved.assignment, run, args, params);
      else if (resolved.type === "xstate.emit") emit(resolved.event, args, params);
      else if (resolved.type === "xstate.enqueueActions") collect(resolved, run, event, args, params);
      else resolve(resolved, run, event, args, params);
    }
  }
  const isBuiltin = (resolved: unknown): resolved is Builtin => typeof resolved === "function" && "resolve" in resolved;
  const perform = (action: unknown): void =>
    scope.actionExecutor(action as Parameters<AnyActorScope["actionExecutor"]>[0]);

  function emit(said: unknown, args: Args, params: unknown): void {
    const event: unknown = typeof said === "function" ? (said(args, params) as unknown) : said;
    perform({ type: "xstate.emit", params: { event } });
  }

  function assign(assignment: unknown, run: Run, args: Args, params: unknown): void {
    const update = (typeof assignment === "function" ? assignment(args, params) : assignment) as Context;
    const isWorkedOut = typeof assignment === "function";
    // What an assignment of fields reads is the context before all of them.
    const values = isWorkedOut ? update : valuesOf(update, args, params);
    if (run.changes === 0) run.context = copyOf(run.context as Context, values);
    else Object.assign(run.context as Context, values);
    run.changes += 1;
  }
  function valuesOf(fields: Context, args: Args, params: unknown): Context {
    const names = Object.keys(fields);
    if (names.every((name) => typeof fields[name] !== "function")) return fields;
    const values: Context = {};
    for (const name of names) {
      const value = fields[name];
      values[name] = typeof value === "function" ? (value(args, params) as unknown) : value;
    }
    return values;
  }

  // What XState makes anew for each list of enqueued actions is here once, and fills the list under way.
  let collected: Enqueued[] = [];
  const push = (enqueued: Enqueued): void => void collected.push(enqueued);
  const refused = (name: string) => (): never => {
    throw new Error(`enqueue.${name}: a machine may only emit and wait`);
  };
  const enqueue = Object.assign((action: Action) => push({ action }), {
    assign: (assigned: unknown) => push({ assigned }),
    emit: (said: unknown) => push({ said }),
    raise: (raised: EventObject) => push({ action: raise(raised) as unknown as Action }),
    cancel: (id: string) => push({ action: cancel(id) as unknown as Action }),
    sendTo: refused("sendTo"),
    sendParent: refused("sendParent"),
    spawnChild: refused("spawnChild"),
    stopChild: refused("stopChild"),
  });
  function collect(builtin: Builtin, run: Run, event: EventObject, args: Args, params: unknown): void {
    const own: Enqueued[] = [];
    collected = own;
    const check = (guard: Guard): boolean => passes(guard, run, event);
    builtin.collect?.({ context: run.context, event, enqueue, check, self, system }, params);
    for (const enqueued of own) {
      args.context = run.context;
      if ("assigned" in enqueued) assign(enqueued.assigned, run, args, undefined);
      else if ("said" in enqueued) emit(enqueued.said, args, undefined);
      else act([enqueued.action], run, event);
    }
  }

  function resolve(builtin: Builtin, run: Run, event: EventObject, args: Args, params: unknown): void {
    // What a machine may do looks at no more of a snapshot; the rest is refused by whoever performs it.
    const { context } = run;
    const seen = allowed.has(builtin.type) ? { context, machine } : { ...run.snapshot, context, machine };
    const [, resolvedParams, actions] = builtin.resolve(scope, seen, args, params, builtin, {
      internalQueue: run.queue,
    });
    if (builtin.execute !== undefined) {
      perform({ type: builtin.type, info: args, params: resolvedParams, exec: builtin.execute });
    }
    if (actions) act(actions, run, event);
  }

  // ── a step ──

  /** Whether anything changed: states, or what is remembered. */
  function take(transitions: readonly Transition[], run: Run, event: EventObject, isInitial = false): boolean {
    const { changes, place } = run;
    const { exits, actions, entries, next, farewell } = move(place, transitions, isInitial);
    act(exits, run, event);
    act(actions, run, event);
    for (const entry of entries) {
      act(entry.actions, run, event);
      for (const id of entry.done)
        run.queue.push({ type: `xstate.done.state.${id}`, output: undefined } as EventObject);
      if (entry.ends) run.isOver = true;
    }
    act(farewell, run, event);
    run.place = next;
    return run.changes !== changes || next !== place || run.isOver;
  }

  function settle(run: Run, event: EventObject): void {
    let current = event;
    let isEventlessDue = true;
    for (let iterations = 1; !run.isOver; iterations++) {
      if (iterations > iterationsMax) {
        throw new Error(
          `Infinite loop detected: more than ${iterationsMax} microsteps without reaching a stable state`,
        );
      }
      let transitions: readonly Transition[] = isEventlessDue ? selectEventless(run, current) : none;
      const isEventless = transitions.length > 0;
      if (!isEventless) {
        const raised = run.queue.shift();
        if (!raised) return;
        current = raised.type.startsWith("xstate.done.state.") ? stamped(raised) : raised;
        transitions = withoutConflicts(select(run.place.tree, run, current), run.place.nodes);
      }
      const hasChanged: boolean = transitions.length > 0 && take(transitions, run, current);
      // An eventless transition that changed nothing would be taken for ever.
      isEventlessDue = hasChanged || !isEventless;
    }
  }

  const { root } = machine;
  const initial = {
    target: initialOf(root),
    source: root,
    reenter: true,
    actions: [],
    eventType: null,
    toJSON: null,
  } as unknown as Transition;
  const outset = configuration([root]);
  const blank = machine.resolveState({ value: valueAt(root), context: {} } as never) as Snapshot;

  return {
    begin(input) {
      const event = stamped({ type: "xstate.init", input } as EventObject & { input: unknown });
      const start: Snapshot = { ...blank, machine: view, status: "active" } as Snapshot;
      const run = runOf(start, {}, outset);
      try {
        const { context } = config;
        if (typeof context === "function") {
          run.context = context({ spawn: refuseSpawn, input: event.input, self });
        } else if (context !== undefined) run.context = context;
        take([initial], run, event, true);
        settle(run, event);
        return shape(run);
      } catch (error) {
        return { ...start, status: "error", error } as unknown as Snapshot;
      }
    },
    go(snapshot, event) {
      const place = configuration(snapshot._nodes);
      const run = runOf(snapshot, snapshot.context, place);
      const transitions = place.names.has(event.type)
        ? withoutConflicts(select(place.tree, run, event), place.nodes)
        : none;
      const hasChanged = transitions.length > 0 && take(transitions, run, event);
      settle(run, event);
      return hasChanged || run.changes > 0 || run.place !== place || run.isOver ? shape(run) : snapshot;
    },
  };
}

/** A copy, and what differs in it. Of objects of many shapes V8 makes it several times faster so than by spreading. */
const copyOf = (context: Context, values: Context): Context => Object.assign({}, context, values);

const firstOf = ({ initial }: Node): readonly Node[] => (initial?.target ?? []) as readonly Node[];

function initialOf(node: Node): Node[] {
  const below =
    node.type === "compound"
      ? firstOf(node).flatMap(initialOf)
      : node.type === "parallel"
        ? Object.values(node.states).flatMap(initialOf)
        : [];
  return [node, ...below];
}

function valueAt(node: Node): unknown {
  const entries = Object.values(node.states);
  if (node.type === "parallel") return Object.fromEntries(entries.map((child) => [child.key, valueAt(child)]));
  const [first] = firstOf(node);
  if (!first) return {};
  return first.type === "atomic" || first.type === "final" ? first.key : { [first.key]: valueAt(first) };
}
