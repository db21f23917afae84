// Where a run stands in the statechart that is drawn of its workflow: which tasks are active in it.
//
//   steps of the charts of its tasks ─▶ begun, open, ended ─▶ the value of the drawn machine
//
// The drawing has one state for a task, and a run may have many executions of it, as in an `each`: then the one that
// changed last is shown, and how many are open stands in the context.
//
// Invariants:
//   IT1. The value is one of the drawn machine's, whatever has happened.
//   IT2. While a task of the run is open, an open task is active in the drawing; once the run has ended its end is.

import { keyOf, type StateDefinition, type StatechartDefinition } from "../language/statechart.ts";
import { chartDefinitions, type ChartDefinition, standingOf } from "../machines/definition.ts";
import type { ChartStep } from "../runtime/steps.ts";

export type Value = string | { [state: string]: Value };

/** What changed in the drawing: the event of it, if it has one for that. */
export type Change = { event: { type: string; exec_id: string }; isOver: boolean };

export type TaskChart = {
  /** Takes a step of one of the run's charts; gives what it changed here, if anything. */
  hear(step: ChartStep): Change | null;
  value(): Value;
  context(): object;
};

type Known = { status: string; open: number; runs: number; changed: number; exec_id: string };

const endState = (status: string): string => `$${status}`;

export function openTaskChart(definition: StatechartDefinition): TaskChart {
  const tasks = new Map<string, Known>();
  /** How each open execution of a task stands. */
  const standing = new Map<string, string>();
  let changes = 0;
  let end: string | null = null;

  function hear({ machine, value, status: isAt, whole, exec_id }: ChartStep): Change | null {
    const chart = chartDefinitions.get(machine);
    if (!chart) return null;
    if (machine === "workflowExecution" && isAt === "done") {
      end = endedAs(chart, value);
      return { event: { type: `workflow.${end}`, exec_id }, isOver: true };
    }
    const { task } = whole.context as { task?: { id: string } };
    if (machine !== "taskExecution" || !task) return null;
    const { status } = standingOf(chart, value);
    const before = standing.get(exec_id);
    if (status === null || (before === status && isAt === "active")) return null;
    const known = tasks.get(task.id) ?? { status, open: 0, runs: 0, changed: 0, exec_id };
    const isNew = before === undefined;
    if (isAt === "active") standing.set(exec_id, status);
    else standing.delete(exec_id);
    const open = known.open + Number(isNew) - Number(isAt === "done");
    tasks.set(task.id, { status, open, runs: known.runs + Number(isNew), changed: (changes += 1), exec_id });
    return { event: { type: `${task.id}.${status}`, exec_id }, isOver: false };
  }

  /** How much a state has to say for itself: open tasks before ended ones, and the newest before the older. */
  function weightOf({ meta, states = {} }: StateDefinition): number {
    const own = tasks.get(idIn(meta));
    const weight = own ? own.changed + (own.open > 0 ? openWeight : 0) : 0;
    return Math.max(weight, ...Object.values(states).map(weightOf));
  }

  function valueOf(state: StateDefinition): Value | undefined {
    const { states = {}, type } = state;
    const names = Object.keys(states);
    if (names.length === 0) return undefined;
    const inner = (name: string): Value | undefined => valueOf(states[name] ?? {});
    if (type === "parallel") return Object.fromEntries(names.map((name) => [name, inner(name) ?? {}]));
    const chosen = chosenIn(state, states);
    const deeper = inner(chosen);
    return deeper === undefined ? chosen : { [chosen]: deeper };
  }

  function chosenIn({ initial = "" }: StateDefinition, states: Record<string, StateDefinition>): string {
    let [chosen, most] = [initial, 0];
    for (const [name, state] of Object.entries(states)) {
      const weight = weightOf(state);
      if (weight > most) [chosen, most] = [name, weight];
    }
    const { meta, on } = states[chosen] ?? {};
    const last = tasks.get(idIn(meta));
    if (!last || last.open > 0 || most > openWeight || last.status !== "SUCCESS") return chosen;
    // It ended well, and where it ends the block ends, too.
    const isEnd = (on?.[`${idIn(meta)}.SUCCESS`] ?? []).some(({ target }) => target === endState("SUCCESS"));
    return isEnd ? endState("SUCCESS") : chosen;
  }

  return {
    hear,
    value() {
      const final = end === null ? undefined : endState(end);
      if (final !== undefined && Object.hasOwn(definition.states ?? {}, final)) return final;
      return valueOf(definition) ?? {};
    },
    context: () => ({
      tasks: Object.fromEntries(
        [...tasks].map(([id, { status, open, runs, exec_id }]) => [keyOf(id), { status, open, runs, exec_id }]),
      ),
    }),
  };
}

/** Of the task that a state stands for. */
const idIn = (meta: StateDefinition["meta"]): string => {
  const id = meta?.["task"];
  return typeof id === "string" ? id : "";
};

const openWeight = 2 ** 40;

/** A run that broke off has ended, and its chart does not say how. */
const endedAs = (chart: ChartDefinition, value: ChartStep["value"]): string => {
  const { status } = standingOf(chart, value);
  return status !== null && ["SUCCESS", "TIMED_OUT", "CANCELED"].includes(status) ? status : "FAILED";
};
