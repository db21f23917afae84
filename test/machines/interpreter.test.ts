// Goal: whatever its structure, a plain machine run by our interpreter does what XState does with it.
// Method: random machines (nested, parallel, final, eventless, re-entering, waiting) live random histories twice.

import fc from "fast-check";
import { expect, test } from "vitest";
import { type AnyStateMachine, assign, createMachine, emit } from "xstate";
import { isPlain } from "../../src/machines/moves.ts";
import { runs } from "../kit/chart-model.ts";
import { type Act, bothWays } from "../kit/live.ts";

const events = ["A", "B", "C"] as const;

/** Numbers that say how a state is: what they mean is worked out when the machine is built. */
type Way = { target: number; reenter: boolean; guard: number; counts: boolean; internal: boolean };
type Tree = {
  kind: "atomic" | "compound" | "parallel" | "final";
  children: Tree[];
  on: (Way | null)[];
  always: Way | null;
  after: Way | null;
  done: Way | null;
};

const way: fc.Arbitrary<Way> = fc.record({
  target: fc.nat({ max: 30 }),
  reenter: fc.boolean(),
  guard: fc.nat({ max: 4 }),
  counts: fc.boolean(),
  internal: fc.integer({ min: 0, max: 9 }).map((draw) => draw === 0),
});
const sometimes = <T>(arbitrary: fc.Arbitrary<T>, freq: number): fc.Arbitrary<T | null> =>
  fc.option(arbitrary, { nil: null, freq });

const trees = fc.letrec<{ tree: Tree; leaf: Tree; branch: Tree }>((tie) => {
  const words = {
    on: fc.tuple(sometimes(way, 2), sometimes(way, 2), sometimes(way, 1)),
    always: fc.constant(null) as fc.Arbitrary<Way | null>,
    after: sometimes(way, 1),
    done: sometimes(way, 2),
  };
  return {
    tree: fc.oneof({ depthSize: "small", withCrossShrink: true }, tie("leaf"), tie("branch")),
    leaf: fc.record({
      ...words,
      kind: fc.constantFrom("atomic", "atomic", "atomic", "final"),
      children: fc.constant([]),
      always: fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: way }),
    }),
    branch: fc.record({
      ...words,
      kind: fc.constantFrom("compound", "compound", "parallel"),
      children: fc.array(tie("tree"), { minLength: 2, maxLength: 3 }),
    }),
  };
});
const roots = fc.record({
  kind: fc.constant("compound" as const),
  children: fc.array(trees.tree, { minLength: 2, maxLength: 4 }),
  on: fc.tuple(sometimes(way, 2), sometimes(way, 1), sometimes(way, 1)),
  always: fc.constant(null),
  after: fc.constant(null),
  done: fc.constant(null),
}) as fc.Arbitrary<Tree>;

type Context = { count: number };

function machineOf(root: Tree): AnyStateMachine {
  const ids: string[] = [];
  const number = (tree: Tree, id: string): void => {
    ids.push(id);
    tree.children.forEach((child, place) => number(child, `${id}_${place}`));
  };
  root.children.forEach((child, place) => number(child, `s_${place}`));

  const say = (word: string) => emit({ type: "said", word } as never);
  const count = assign(({ context }: { context: Context }) => ({ count: context.count + 1 }));
  const transitionOf = ({ target, reenter, guard, counts, internal }: Way, name: string, isEventless = false) => ({
    ...(!internal && { target: `#${ids[target % ids.length]}` }),
    ...(reenter && { reenter }),
    // Of five ways four depend on the count, so that the same event leads elsewhere later.
    ...((guard < 4 || isEventless) && {
      guard: ({ context }: { context: Context }) => context.count % 4 === guard % 4,
    }),
    // An eventless way always counts: else it would be taken for ever.
    actions: [say(name), ...(counts || isEventless ? [count] : [])],
  });
  const configOf = (tree: Tree, id: string): Record<string, unknown> => {
    const { kind, children, on, always, after, done } = tree;
    if (kind === "final") return { id, type: "final", entry: say(`in ${id}`), exit: say(`out ${id}`) };
    return {
      id,
      ...(kind === "parallel" && { type: "parallel" }),
      ...(kind === "compound" && { initial: "n0" }),
      entry: [say(`in ${id}`)],
      exit: say(`out ${id}`),
      on: Object.fromEntries(
        on.flatMap((one, place) => (one ? [[events[place], transitionOf(one, `${events[place]} at ${id}`)]] : [])),
      ),
      ...(always && { always: transitionOf(always, `always at ${id}`, true) }),
      ...(after && { after: { 1_000: transitionOf(after, `after at ${id}`) } }),
      ...(done && kind !== "atomic" && { onDone: transitionOf(done, `done at ${id}`) }),
      ...(children.length > 0 && {
        states: Object.fromEntries(children.map((child, place) => [`n${place}`, configOf(child, `${id}_${place}`)])),
      }),
    };
  };
  const config = { ...configOf(root, "s"), context: { count: 0 }, options: { maxIterations: 200 } };
  return createMachine(config as never) as unknown as AnyStateMachine;
}

const histories = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...events).map((type) => ({ event: { type } })) },
    { weight: 1, arbitrary: fc.constantFrom(500, 1_000, 3_000).map((advanceMs) => ({ advanceMs })) },
  ),
  { minLength: 1, maxLength: 10 },
) as fc.Arbitrary<Act<AnyStateMachine>[]>;

/** What a run came to, or that it went on without end, which both have to notice. */
function outcomeOf(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return String(error).includes("Infinite loop") ? "without end" : error;
  }
}

test("random machines live the same by XState and by the interpreter", () => {
  let moved = 0;
  const property = fc.property(roots, histories, (root, history) => {
    const machine = machineOf(root);
    expect(isPlain(machine)).toBe(true);
    const both = outcomeOf(() => bothWays(machine, {} as never, history));
    if (both === "without end") return;
    if (both instanceof Error) throw both;
    const { live, pure } = both as ReturnType<typeof bothWays>;
    expect(pure).toEqual(live);
    moved += pure.filter(({ said }) => said.length > 0).length;
  });
  fc.assert(property, { numRuns: Math.max(300, runs) });
  expect(moved, "nothing moved in any history").toBeGreaterThan(100);
});
