// Goal: a chart's definition as JSON has the chart's states, and shows how a life of it stands.
// Method: XState makes a machine of each, whose states, ways and initial state are held against the chart's own.

import { expect, test } from "vitest";
import { type AnyStateMachine, type AnyStateNode, createMachine } from "xstate";
import { chartDefinitions, definitionOf, standingOf } from "../../src/machines/definition.ts";
import { taskExecution } from "../../src/machines/task-execution.ts";
import { parts } from "../../src/testing/parts/index.ts";

const within = (node: AnyStateNode): AnyStateNode[] => [
  node,
  ...(Object.values(node.states) as AnyStateNode[]).flatMap(within),
];

const shape = ({ root }: AnyStateMachine): string[] =>
  within(root).map(({ path, type, initial, transitions }) => {
    const ways = [...transitions.values()].flat().map(({ eventType, target }) => {
      const goals = (target ?? []).map((goal: AnyStateNode) => goal.path.join("."));
      return `${eventType} → ${goals.join()}`;
    });
    const entry = (initial?.target ?? []).map((goal: AnyStateNode) => goal.path.join("."));
    return [path.join("."), type, entry.join(), ...ways].join(" | ");
  });

test.each(parts.map(({ machine }) => [machine.id, machine as AnyStateMachine] as const))(
  "DF1: of %s XState makes a machine with the same states and ways",
  (_id, machine) => {
    const definition = definitionOf(machine);
    expect(JSON.parse(JSON.stringify(definition))).toEqual(definition);
    expect(shape(createMachine(definition as never))).toEqual(shape(machine));
  },
);

test("the definitions are those of the charts, by their ids", () => {
  for (const [id, definition] of chartDefinitions) expect(definition.id).toBe(id);
  const known = parts.map(({ machine }) => machine.id);
  expect(known).toEqual(expect.arrayContaining([...chartDefinitions.keys()]));
});

test("a value says which status it stands for, and which tags it has", () => {
  const definition = definitionOf(taskExecution as AnyStateMachine);
  const { root } = taskExecution as AnyStateMachine;
  for (const node of within(root).filter(({ path, meta }) => path.length > 0 && (meta as Meta)?.status)) {
    const value = node.path.reduceRight<unknown>(
      (inner, key) => (inner === undefined ? key : { [key]: inner }),
      undefined,
    );
    expect(standingOf(definition, value as never)).toMatchObject({ status: (node.meta as Meta)?.status });
  }
  expect(standingOf(definition, { calls: "calm" })).toEqual({ status: null, tags: ["waiting"] });
  expect(standingOf(definition, "nowhere")).toEqual({ status: null, tags: [] });
});

type Meta = { status?: string } | undefined;
