// Goal: the statechart of any workflow is a machine that XState takes, and says what the workflow says. Method: random
// workflows of the whole language are drawn, made into machines, and each task and way is looked for in the machine.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type AnyStateMachine, type AnyStateNode, createActor, createMachine } from "xstate";
import type { TaskSpec, WorkflowSpec } from "../../src/language/spec.ts";
import { keyOf, type StatechartDefinition, statechartOf } from "../../src/language/statechart.ts";
import { anyWorkflow } from "../kit/any-workflow.ts";

const machineOf = (definition: StatechartDefinition): AnyStateMachine =>
  createMachine(definition as unknown as Parameters<typeof createMachine>[0]) as unknown as AnyStateMachine;

type Placed = { task: TaskSpec; entry: string };

/** Every task of a workflow, with the entry of its block. */
const placedIn = (block: readonly TaskSpec[]): Placed[] =>
  block.flatMap((task) => [
    { task, entry: block[0]?.id ?? "" },
    ...(task.type === "parallel" ? Object.values(task.branches).flatMap(placedIn) : []),
    ...(task.type === "each" ? placedIn(task.do) : []),
    ...placedIn(task.undo ?? []),
  ]);

const nodesOf = (node: AnyStateNode): AnyStateNode[] => [
  node,
  ...(Object.values(node.states) as AnyStateNode[]).flatMap(nodesOf),
];

/** Where an event leads from a state, in the order in which it is tried. */
const targetsOf = (node: AnyStateNode, event: string): string[] =>
  (node.transitions.get(event) ?? []).map(({ target }) => target?.[0]?.key ?? "");

const holds = (look: (spec: WorkflowSpec, machine: AnyStateMachine) => void): void =>
  fc.assert(
    fc.property(fc.gen(), (gen) => {
      const spec = anyWorkflow(gen);
      look(spec, machineOf(statechartOf(spec)));
    }),
    { numRuns: 150 },
  );

const stateOf = (machine: AnyStateMachine, id: string): AnyStateNode[] =>
  nodesOf(machine.root).filter(({ meta }) => (meta as { task?: string } | undefined)?.task === id);

describe("the statechart of any workflow", () => {
  test("L1: XState makes a machine of it and starts it at the entry, and it is JSON", () => {
    holds((spec, machine) => {
      const definition = statechartOf(spec);
      expect(JSON.parse(JSON.stringify(definition))).toEqual(definition);
      const { value } = createActor(machine).start().getSnapshot() as { value: string | object };
      const entered = typeof value === "string" ? [value] : Object.keys(value);
      expect(entered).toEqual([keyOf(spec.tasks[0]?.id ?? "")]);
    });
  });

  test("L2: every task is one state, in its block, and the entry of a block is its initial state", () => {
    holds((spec, machine) => {
      for (const { task, entry } of placedIn(spec.tasks)) {
        const found = stateOf(machine, task.id);
        expect(found).toHaveLength(1);
        expect(found[0]?.key).toBe(keyOf(task.id));
        expect(found[0]?.parent?.initial.target?.[0]?.key).toBe(keyOf(entry));
        expect(found[0]?.type === "parallel").toBe(task.type === "parallel");
      }
    });
  });

  test("L3: every next, case and on_error is a transition to its task, in order", () => {
    holds((spec, machine) => {
      for (const { task } of placedIn(spec.tasks)) {
        const [state] = stateOf(machine, task.id);
        if (!state) throw new Error(`no state for '${task.id}'`);
        const wanted =
          task.type === "route"
            ? [...task.cases.map(({ next }) => next), ...(task.default === undefined ? [] : [task.default])]
            : [task.next ?? "$SUCCESS"];
        expect(targetsOf(state, `${task.id}.SUCCESS`)).toEqual(wanted.map(keyOf));
        const errors = typeof task.on_error === "string" ? [{ next: task.on_error }] : (task.on_error ?? []);
        for (const event of [`${task.id}.FAILED`, `${task.id}.TIMED_OUT`]) {
          expect(targetsOf(state, event)).toEqual(errors.map(({ next }) => keyOf(next)));
        }
      }
    });
  });

  test("a workflow can be walked to its end in it, by outcomes", () => {
    const spec: WorkflowSpec = {
      id: "refund",
      tasks: [
        { id: "decide", type: "agent", agent: "judge", next: "pick" },
        {
          id: "pick",
          type: "route",
          cases: [{ when: "${{ tasks.decide.output.ok }}", next: "pay" }],
          default: "refuse",
        },
        { id: "pay", type: "tool", tool: "pay_back", on_error: [{ codes: ["CARD_DECLINED"], next: "refuse" }] },
        { id: "refuse", type: "tool", tool: "orders" },
      ],
    };
    const guards = { "tasks.decide.output.ok": () => true, "code is CARD_DECLINED": () => true };
    const actor = createActor(machineOf(statechartOf(spec)).provide({ guards })).start();
    const walked = ["decide.SUCCESS", "pick.SUCCESS", "pay.TIMED_OUT", "refuse.SUCCESS"].map((type) => {
      actor.send({ type });
      return actor.getSnapshot().value as string;
    });
    expect(walked).toEqual(["pick", "pay", "refuse", "$SUCCESS"]);
    expect(actor.getSnapshot().status).toBe("done");
  });
});
