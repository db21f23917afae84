// The charts of a run, step by step, made again from its records: for whoever wants to see what it did, or does.
//
//   record ─▶ again (inert, held against the log) ─tap─▶ steps: which chart, on what, where it stands now
//
// Nothing is written down for it and nobody at work is asked: the log is enough, of a run long ended as of one at work.
//
// Invariants:
//   SP1. The last step of each chart is where the run itself has it: the same address, state and context.
//   SP2. The lines of its steps only grow, and none is ahead of the journal.
//   SP3. A chart that is gone has said so: its last step is `done`.

import type { StateValue } from "xstate";
import type { Checkpoint, LogRecord } from "../store/store.ts";
import type { WorkflowSpec } from "../language/spec.ts";
import { isObject } from "../protocol/json.ts";
import type { Ears, Reaction, Tapped } from "./react.ts";
import { replayOf } from "./record.ts";
import { again, checkDefinition } from "./replay.ts";
import { type Actor, newRun, type Run, thawRun } from "./run.ts";
import type { World } from "./world.ts";

/** A step of a chart, in the form in which it is shown. */
export type ChartStep = {
  /** How many lines the journal had of what the chart had heard of by then. */
  line: number;
  seq: number;
  at: number;
  address: string;
  /** The id of the chart. */
  machine: string;
  exec_id: string;
  /** The address of the chart that it belongs to, which may be one of another run. */
  parent: string | null;
  /** What it heard, without what the journal has of it. */
  event: { type: string } & Record<string, unknown>;
  value: StateValue;
  status: "active" | "done";
  is_new: boolean;
  /** As the chart has it, for whoever looks in this process: not a copy, and of any size. */
  whole: { event: object; context: object; from: string | null };
};

export type Spectator = {
  /** The newest record that it has seen. */
  readonly seq: number;
  /** Whether the run has begun, and no chart of it is left. */
  readonly isOver: boolean;
  /** What the run was told to do when it began, if it is a workflow or a task of one. */
  readonly workflow: WorkflowSpec | null;
  /** The steps of the next record; throws if the run does not do again what the log says. */
  take(record: LogRecord): ChartStep[];
  /** Goes on from a checkpoint, taken after that record: charts are there, or gone, without a step that led to it. */
  leap(checkpoint: Checkpoint, record: LogRecord): ChartStep[];
};

/** As those steps are called that nobody took: the run broke, or what came before cannot be read. */
const brokenOff = { type: "troupe.broken" };
const leapt = { type: "troupe.checkpoint" };

export function newSpectator(inert: World, ears: Ears, id: string): Spectator {
  let run: Run | undefined;
  /** The charts that have been shown, and not their end. */
  const open = new Map<string, Actor>();

  function take(record: LogRecord): ChartStep[] {
    const replayed = replayOf(record);
    const { correlationId, input } = replayed;
    const own = (run ??= newRun(id, correlationId));
    const tapped: Tapped[] = [];
    const reaction = again(inert, ears, own, record, replayed, (one) => tapped.push(one));
    const lineOf = linesOf(record, reaction);
    const steps = tapped.map((one) => shown(own, one, placeIn(record, lineOf(one))));
    // These end charts without asking them.
    const isEnd = input.on === "collapse" || (input.on === "message" && input.parked === true);
    return isEnd ? [...steps, ...lost(own, brokenOff, placeIn(record))] : steps;
  }

  function leap(checkpoint: Checkpoint, record: LogRecord): ChartStep[] {
    const own = thawRun(id, checkpoint.seq, checkpoint.body);
    checkDefinition(inert, own);
    run = own;
    const place = placeIn(record);
    const there = [...own.actors].map(([address, actor]) =>
      shown(own, { address, actor, event: leapt, isNew: !open.has(address), heard: null }, place),
    );
    return [...there, ...lost(own, leapt, place)];
  }

  function shown(own: Run, tapped: Tapped, place: Place): ChartStep {
    const step = stepOf(own, tapped, place);
    if (step.status === "active") open.set(step.address, tapped.actor);
    else open.delete(step.address);
    return step;
  }

  /** Of charts that are there no more, and did not say that they end. */
  function lost(own: Run, event: { type: string }, place: Place): ChartStep[] {
    const gone = [...open].filter(([address]) => !own.actors.has(address));
    return gone.map(([address, actor]) => {
      open.delete(address);
      return { ...stepOf(own, { address, actor, event, isNew: false, heard: null }, place), status: "done" };
    });
  }

  return {
    get seq() {
      return run?.seq ?? 0;
    },
    get isOver() {
      return run !== undefined && run.actors.size === 0;
    },
    get workflow() {
      const { hash } = run?.facts.definition ?? {};
      return (hash === undefined ? undefined : inert.definitions.byHash(hash)?.spec) ?? null;
    },
    take,
    leap,
  };
}

type Place = { seq: number; at: number; line: number };

/** At a line of the record, or at its end. */
const placeIn = ({ seq, at, line, lines }: LogRecord, atLine = line + lines - 1): Place => ({ seq, at, line: atLine });

/** The line of the journal that a chart had come to: what it heard, or what came before. */
function linesOf({ line: first }: LogRecord, { said }: Reaction): (tapped: Tapped) => number {
  const lines = new Map<string, number>();
  for (const { id, fleeting } of said) if (fleeting !== true) lines.set(id, first + lines.size);
  let newest = first - 1;
  return ({ heard }) => (newest = Math.max(newest, lines.get(heard?.id ?? "") ?? 0));
}

function stepOf(run: Run, { address, actor, event, isNew, heard }: Tapped, { seq, at, line }: Place): ChartStep {
  const { machine, life } = actor;
  const { value, status, context } = life.snapshot as { value: StateValue; status: string; context: object };
  return {
    line,
    seq,
    at,
    address,
    machine: machine.id,
    exec_id: execIdOf(address),
    parent: parentOf(run, address, actor),
    event: briefly(event),
    value,
    status: status === "active" ? "active" : "done",
    is_new: isNew,
    // What comes from outside, or from a component, is from no chart.
    whole: { event, context, from: heard?.from || null },
  };
}

/** An address is the kind of a chart, an execution, and its attempt if there is one for each. */
const execIdOf = (address: string): string => address.slice(address.indexOf("/") + 1).replace(/#.*$/, "");

/** Whoever reports to another belongs to that one; the others stand where their order came from. */
function parentOf({ id, facts }: Run, address: string, { by, reportsTo }: Actor): string | null {
  if (reportsTo !== null) return reportsTo;
  const execId = execIdOf(address);
  if (address.startsWith("workflow/")) return facts.parent && `task/${facts.parent.task}`;
  if (address.startsWith("order/") || address.startsWith("attempt/")) return `task/${execId}`;
  if (address.startsWith("dispatch/")) return `call/${execId}`;
  if (address.startsWith("handler/")) return by === "AR" ? `dispatch/${execId}` : `call/${execId}`;
  return execId === id ? null : `workflow/${id}`;
}

const charsMax = 200;

/** What says what it was about: plain fields, and names of executions. */
function briefly(event: { type: string }): ChartStep["event"] {
  const fields = Object.entries(event).filter(([, value]) => isBrief(value) || isName(value));
  return { ...Object.fromEntries(fields), type: event.type };
}
const isBrief = (value: unknown): boolean =>
  typeof value === "string" ? value.length <= charsMax : value === null || ["number", "boolean"].includes(typeof value);
const isName = (value: unknown): boolean => isObject(value) && "id" in value && Object.values(value).every(isBrief);
