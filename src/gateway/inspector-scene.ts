// The charts of one run as actors of the inspector, with the drawing of its workflow beside them.
//
//   workflow/<run> ─┬─ chart/<run>      the workflow as it is written, its active tasks lit
//                   └─ task/… ── order/… attempt/… ── call/… ── dispatch/… ── handler/…

import { statechartOf } from "../language/statechart.ts";
import type { WorkflowSpec } from "../language/spec.ts";
import { chartDefinitions, standingOf } from "../machines/definition.ts";
import type { ChartStep } from "../runtime/steps.ts";
import { cut, type SnapshotBody } from "./inspector-frames.ts";
import { openTaskChart } from "./inspector-tasks.ts";

/** What an actor does, and how it stands then: what is shown of that is made only if somebody sees it. */
export type Sight = {
  sessionId: string;
  parentId?: string;
  name: string;
  definition: string;
  at: number;
  heard: () => { type: string };
  sourceId?: string;
  /** There is no frame for what it heard. */
  isQuiet?: true;
  isDone: boolean;
  look: () => SnapshotBody;
};

export type Scene = (step: ChartStep) => Sight[];

const definitions = new Map([...chartDefinitions].map(([id, definition]) => [id, JSON.stringify(definition)]));

export function openScene(run: string, spec: WorkflowSpec | null): Scene {
  const drawn = spec && statechartOf(spec);
  const tasks = drawn && openTaskChart(drawn);
  const drawing = drawn && JSON.stringify(drawn);

  return (step) => {
    const sights = [chartSight(step)];
    const change = tasks?.hear(step) ?? null;
    const isBirth = step.machine === "workflowExecution" && step.is_new;
    if (!tasks || drawing === null || (!change && !isBirth)) return sights;
    const isDone = change?.isOver === true;
    sights.push({
      sessionId: `chart/${run}`,
      parentId: `workflow/${run}`,
      name: spec?.id ?? run,
      definition: drawing,
      at: step.at,
      heard: () => change?.event ?? { type: "xstate.init" },
      sourceId: step.address,
      isDone,
      look: () => shot(isDone, tasks.value(), tasks.context(), []),
    });
    return sights;
  };
}

function chartSight(step: ChartStep): Sight {
  const { address, parent, machine, at, whole, status, value } = step;
  const isDone = status === "done";
  return {
    sessionId: address,
    ...(parent !== null && { parentId: parent }),
    name: nameOf(step),
    definition: definitions.get(machine) ?? JSON.stringify({ id: machine }),
    at,
    heard: () => cut(whole.event) as { type: string },
    ...(whole.from !== null && { sourceId: whole.from }),
    isDone,
    look: () => {
      const definition = chartDefinitions.get(machine);
      return shot(isDone, value, whole.context, definition ? standingOf(definition, value).tags : []);
    },
  };
}

const shot = (isDone: boolean, value: unknown, context: object, tags: readonly string[]): SnapshotBody => ({
  status: isDone ? "done" : "active",
  value,
  context: cut(context),
  children: {},
  tags,
  historyValue: {},
});

type Named = { id?: string } | undefined;
type Context = {
  task?: Named;
  callee?: Named;
  scheduled?: { task?: Named };
  order?: { tool?: Named; agent?: Named; task?: Named; workflow?: Named };
};

/** The chart, and what it is of. */
function nameOf({ machine, whole }: ChartStep): string {
  const { task, callee, scheduled, order } = whole.context as Context;
  const named = callee ?? task ?? scheduled?.task ?? order?.tool ?? order?.agent ?? order?.task ?? order?.workflow;
  return named?.id === undefined ? machine : `${machine} ${named.id}`;
}
