// One run in memory: a workflow execution, or a direct run, with its charts, its facts and how its executions stand.
//
//   record ──react──▶ run          the same inputs, stamps and answers make the same run again
//   run ──freeze──▶ JSON ──thaw──▶ run

import type { AnyStateMachine } from "xstate";
import { runCharts } from "../machines/charts.ts";
import { agentDispatch } from "../machines/agent-dispatch.ts";
import { handlerRun } from "../machines/handler-run.ts";
import { freeze, type Frozen, type Life, thaw } from "../machines/step.ts";
import type { Message } from "../protocol/catalogue.ts";
import type { Component as Code } from "../protocol/entry.ts";
import type { Cause } from "./component.ts";
import type { Trace } from "../protocol/envelope.ts";
import type { Data } from "../protocol/fields.ts";
import type { UndoFacts } from "./undo.ts";
import type { RunFlow } from "./flow-rules.ts";
import { migrated, type Migration, migrations } from "./migrations.ts";
import { type Execution, placeOf } from "./state-manager.ts";

/** The charts that live in runs, by the id they have in the log. */
export const charts: Readonly<Record<string, AnyStateMachine>> = Object.fromEntries(
  runCharts.map((machine) => [machine.id, machine]),
);

export type Actor = {
  machine: AnyStateMachine;
  life: Life<AnyStateMachine>;
  by: Code;
  reportsTo: string | null;
  /** The message that brought it to life: what its work and its timers say is because of that. */
  cause: Cause | null;
};

/** How a task of the run ended last, as templates see it. */
export type TaskFact = {
  status: string;
  exec_id: string;
  output?: Data;
  error?: unknown;
  /** How often it has ended where it stands. */
  times?: number;
};

/** What stands within one lane of a container, as templates see it; what it does not have stands in the outer one. */
export type Frame = {
  outer: string;
  tasks?: Record<string, TaskFact>;
  error?: unknown;
  /** Of an `each`. */
  item?: unknown;
  index?: number;
};

/** What is known of a run beside its charts. Plain JSON. */
export type Facts = {
  /** Of a workflow: which definition it runs. */
  definition: { id: string; hash: string } | null;
  input: unknown;
  startedAt: number;
  /** Of a child workflow: the run and task that wait for its end. */
  parent: { run: string; task: string } | null;
  /** How many workflows deep it is: one that nobody called is the first. */
  depth: number;
  tasks: Record<string, TaskFact>;
  /** What the last task that ended badly said, until one ends well. */
  error: unknown;
  /** The frames of lanes that are under way, those that open tasks stand in, and the items of each `each`. */
  frames: Record<string, Frame>;
  frameOf: Record<string, string>;
  items: Record<string, readonly unknown[]>;
  resumeData: unknown;
  /** What the run was ordered by: a workflow, or a task by itself. */
  order: Message<"command:WorkflowExecute"> | null;
  trigger: Message<"command:TaskTrigger"> | null;
  /** What came over the transport lately, by message id and time: the same message twice has one effect. */
  foreign?: readonly (readonly [id: string, at: number])[];
  labels: Readonly<Record<string, string>> | null;
  /** What it has done that can be undone, if its definition can undo anything. */
  undo?: UndoFacts;
  /** The agents at work that report what they use up themselves. */
  reported?: Record<string, true>;
  /** How it stands in line, if its definition says anything of that. */
  flow?: RunFlow;
  /** The context of the distributed trace that it belongs to, if it came with one. */
  trace?: Trace;
};

export type Run = {
  id: string;
  correlationId: string;
  /** The newest record of it; 0 before the first. */
  seq: number;
  /** Up to where a checkpoint has it. */
  kept: number;
  actors: Map<string, Actor>;
  facts: Facts;
  executions: Map<string, Execution>;
  /** When its next timer is due, and what takes the alarm for it back. */
  dueAt: number;
  cancelAlarm: (() => void) | null;
  /** When it last took an input. */
  heardAt: number;
  /** Why it is parked, if it is. */
  parked: string | null;
  /** How many calls of its agents are open: most have none, and need not be searched for them. */
  agentCalls: number;
};

/** Made by an agent that runs here. */
export const isAgentCall = ({ by, reportsTo }: Actor): boolean => by === "AR" && reportsTo !== null;

const newFacts = (): Facts => ({
  definition: null,
  input: {},
  startedAt: 0,
  parent: null,
  depth: 1,
  tasks: {},
  error: undefined,
  frames: {},
  frameOf: {},
  items: {},
  resumeData: undefined,
  labels: null,
  order: null,
  trigger: null,
});

export const newRun = (id: string, correlationId: string): Run => ({
  id,
  correlationId,
  seq: 0,
  kept: 0,
  actors: new Map(),
  facts: newFacts(),
  executions: new Map(),
  dueAt: Infinity,
  cancelAlarm: null,
  heardAt: 0,
  parked: null,
  agentCalls: 0,
});

/** When its next timer is due. */
export function dueOf({ actors }: Run): number {
  let dueAt = Infinity;
  for (const { life } of actors.values()) for (const timer of life.timers) dueAt = Math.min(dueAt, timer.dueAt);
  return dueAt;
}

/** Handlers that are at work for it, here or elsewhere, or wait for room: after a crash it is needed at once. */
export const isBusy = ({ actors }: Run): boolean => {
  for (const { machine } of actors.values()) if (machine === handlerRun || machine === agentDispatch) return true;
  return false;
};

/** The version of what a checkpoint holds beside its charts, which have their own. */
const version = 1;

type FrozenRun = {
  v: number;
  correlationId: string;
  facts: Facts;
  actors: [address: string, life: Frozen, by: Code, reportsTo: string | null, cause: Cause | null][];
  executions: Execution[];
};

export function freezeRun({ correlationId, facts, actors, executions }: Run): string {
  const frozen: FrozenRun = {
    v: version,
    correlationId,
    facts,
    actors: [...actors].map(([address, { life, by, reportsTo, cause }]) => [
      address,
      freeze(life),
      by,
      reportsTo,
      cause,
    ]),
    executions: [...executions.values()],
  };
  return JSON.stringify(frozen);
}

export function thawRun(id: string, seq: number, body: string, table: readonly Migration[] = migrations): Run {
  const { v, correlationId, facts, actors, executions } = JSON.parse(body) as FrozenRun;
  if (v !== version) throw new Error(`a checkpoint of version ${v} cannot be read, only of version ${version}`);
  const run = { ...newRun(id, correlationId), seq, kept: seq, facts: { ...newFacts(), ...facts } };
  for (const [address, frozen, by, reportsTo, cause] of actors) {
    const machine = charts[frozen.machine];
    if (!machine) throw new Error(`there is no chart '${frozen.machine}'`);
    const actor = { machine, life: thaw(machine, migrated(frozen, table)), by, reportsTo, cause };
    run.actors.set(address, actor);
    if (isAgentCall(actor)) run.agentCalls += 1;
  }
  for (const execution of executions) run.executions.set(placeOf(execution), execution);
  return run;
}
