// What a course is made of, as data: copied to branch off, and written as a disk where a process has to go on from it.

import type { Input, Reaction } from "../../actors/react.ts";
import { bodyOf } from "../../actors/record.ts";
import type { Run } from "../../actors/run.ts";
import { type Execution, rowOf } from "../../actors/state-manager.ts";
import type { Committed } from "../../actors/system.ts";
import { type Disk, makeDisk } from "../../store/memory.ts";
import type { LogRecord, RunState } from "../../store/store.ts";
import type { Timer } from "../../machines/step.ts";
import { idAfter, seedAt } from "../../protocol/ids.ts";
import { chancesOf } from "./chances.ts";
import { copyOfRun } from "./copies.ts";
import { doneAhead } from "./hands.ts";
import type { Places } from "./places.ts";
import { beganAt, type Comings, copyOf, type Happening, isOutside, newScene, type Scene } from "./scene.ts";
import type { Disturbance, Outcome, Place } from "./trial.ts";

export type Alarm = Due & { happening: Happening };
/** What was said in one go, and of what: its record is written when somebody asks for it, and once. */
export type Entry = {
  committed: Committed;
  input: Input;
  seed: string;
  reaction: Reaction;
  run: Run;
  changed: readonly Execution[];
  state: RunState;
  record?: LogRecord;
};
/** All of a course that changes. */
export type State = {
  now: number;
  order: number;
  alarms: Alarm[];
  runs: Map<string, Run>;
  /** When each run has its next timer, and when that was set. */
  rings: Map<string, Due>;
  scene: Scene;
  entries: Entry[];
  appends: number;
  seq: number;
  line: number;
  newestId: string;
  newestAt: number;
  drawn: number;
  pending: number;
  run: string;
  met: Set<Disturbance>;
  refused: Set<Outcome>;
  troubles: string[];
  parked: Set<string>;
};

/** The process died: what is on disk, what of it was told, and what goes on outside. */
export type Death = {
  backAt: number;
  now: number;
  entries: readonly Entry[];
  told: number;
  state: State;
  known: ReturnType<Places["known"]>;
};

/** When something comes: of what comes at the same time, what was arranged first is first. */
export type Due = { at: number; order: number };
export const isBefore = (one: Due, other: Due): boolean =>
  one.at < other.at || (one.at === other.at && one.order < other.order);

/** A copy of a course before one of its steps, and what that step is; none at its end. */
export type Moment = { state: State; known: ReturnType<Places["known"]>; due: Due | null };
/** A call that was made in a step: whatever its outcome is, this is its place among what is due. */
export type Begun = Due & { step: number; call: number; comings: Comings };
/** What a course was like from step to step, for others to branch off. */
export type Trail = {
  /** One before each step, and one behind the last. */
  moments: Moment[];
  /** In which step each place was asked for first. */
  asked: Map<Place, number>;
  begun: Map<Place, Begun>;
  /** In which step each append was made, and when what it brings is due. */
  appended: (Due & { step: number })[];
};
/** A moment to go on from, and what is otherwise there than it was: outcomes of calls, and what is to disturb. */
export type Parting = {
  moment: Moment;
  calls: readonly { begun: Begun; outcome: Outcome }[];
  disturbances: readonly (Due & { disturbance: Disturbance })[];
};

export const newState = (): State => ({
  now: beganAt,
  order: 0,
  alarms: [],
  runs: new Map(),
  rings: new Map(),
  scene: newScene(),
  entries: [],
  appends: 0,
  seq: 0,
  line: 0,
  newestId: "",
  newestAt: -1,
  drawn: 0,
  pending: 0,
  run: "",
  met: new Set(),
  refused: new Set(),
  troubles: [],
  parked: new Set(),
});

export const copyOfState = (state: State): State => ({
  ...state,
  alarms: [...state.alarms],
  runs: new Map(Array.from(state.runs, ([id, run]) => [id, copyOfRun(run)])),
  rings: new Map(state.rings),
  scene: copyOf(state.scene),
  entries: [...state.entries],
  met: new Set(state.met),
  refused: new Set(state.refused),
  troubles: [...state.troubles],
  parked: new Set(state.parked),
});

// ── what is due ──

export function set(state: State, due: Due, happening: Happening): void {
  count(state, happening, 1);
  state.alarms.push({ ...due, happening });
}
export function count(state: State, happening: Happening, more: 1 | -1): void {
  if (isOutside(happening)) state.pending += more;
}
export function isOpen({ pending, runs }: State): boolean {
  if (pending > 0) return true;
  for (const { actors } of runs.values()) if (actors.size > 0) return true;
  return false;
}
export function earliestOf({ actors }: Run): { address: string; timer: Timer } | undefined {
  let first: { address: string; timer: Timer } | undefined;
  for (const [address, { life }] of actors) {
    for (const timer of life.timers) if (!first || timer.dueAt < first.timer.dueAt) first = { address, timer };
  }
  return first;
}

/** What differs already at the moment that is gone on from. */
export function goOnFrom(state: State, { calls, disturbances }: Parting): void {
  for (const { begun, outcome } of calls) {
    const { call, at, order, comings } = begun;
    const called = state.scene.calls[call];
    // One that is made later is then what it is to be.
    if (!called) continue;
    for (const { happening } of state.alarms.filter((alarm) => alarm.order === order)) count(state, happening, -1);
    state.alarms = state.alarms.filter((alarm) => alarm.order !== order);
    called.outcome = outcome;
    called.doneAt = doneAhead(called, outcome);
    for (const { ms, happening } of comings(outcome)) set(state, { at: at + ms, order }, happening);
  }
  for (const { disturbance, ...due } of disturbances) set(state, due, { do: "disturb", disturbance });
}

/** Ids, as a process mints them: as many as this behind the one that it gives are its, too. */
export function mint(state: State, seed: number, more: number): string {
  const chances = chancesOf(seed);
  const at = Math.trunc(state.now);
  const first = at > state.newestAt ? seedAt(at, () => chances(state.drawn++)) : idAfter(state.newestId, 1);
  state.newestAt = Math.max(at, state.newestAt);
  state.newestId = idAfter(first, more);
  return first;
}

// ── what is on disk ──

/** The disk as a process would have left it. */
export function diskOf(entries: readonly Entry[]): Disk {
  const disk = makeDisk();
  for (const entry of entries) {
    const { changed, run, state } = entry;
    entry.record ??= recordOf(entry);
    disk.write({ records: [entry.record], runs: [state], rows: changed.map((execution) => rowOf(run, execution)) });
  }
  return disk;
}

function recordOf({ committed, input, seed, reaction, run: { facts } }: Entry): LogRecord {
  const { run, correlationId, seq, at, line } = committed;
  return { seq, run, at, line, lines: reaction.lines, body: bodyOf(input, seed, { correlationId, facts }, reaction) };
}
