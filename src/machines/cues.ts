// Cues: what the charts of one component, and the actor that hosts them, tell each other in process.
//
// A cue never leaves its process and has no subject. Between components only protocol messages travel.

import type { ErrorCode, WireError } from "../protocol/errors.ts";
import type { Cause, Data, Wait } from "../protocol/fields.ts";
import type { Graph } from "./plan.ts";
import type { Outcome } from "./speech.ts";

/** A task execution by definition and execution id. */
export type TaskName = { id: string; exec_id: string };

/** Where in its container a task runs. */
export type Place = { parent_exec_id: string; branch?: string; index?: number };

/** Why a run ends: its error, or that it was canceled, which is none. */
export type Why = { code: string; message: string; details?: unknown };

type Cues = {
  // ── workflow execution and host ──
  /** A slot under the workflow's concurrency limit is wanted. */
  "cue:SlotWanted": object;
  "cue:SlotGranted": object;
  /** The concurrency rule ends this run: a newer one takes its place, or none is allowed. */
  "cue:Displaced": { reason: string };
  /** All tasks ended well: the host works out the run's output. */
  "cue:Conclude": { last: Data };
  "cue:Concluded": { output: Data };
  /** The run cannot go on: a host's expression failed, or a plan ran over max_steps. */
  "cue:Broken": { error: WireError };
  /** An agent reported what it used up, here or in a run that this one called. */
  "cue:Used": { tokens: number; cost: number };
  /** The run is about to end: the host plans what is to be undone, once no task is open any more. */
  "cue:UndoWanted": { error: Why };
  /** One lane for each task to undo, in order; `of` names what each lane undoes. */
  "cue:UndoPlanned": { graph: Graph; of: TaskName[] };

  // ── parent (workflow or container task) and task ──
  /** A task is to begin: the host makes its input and its chart. */
  "cue:BeginTask": {
    task: TaskName;
    lane: number;
    place?: Place;
    /** The task execution that it helps to undo. */
    undoes?: TaskName;
  };
  /** A task reached its end; no retry follows. */
  "cue:TaskEnded": {
    task: TaskName;
    lane: number;
    status: EndStatus;
    result: Outcome | null;
    next?: string;
    /** The one that it ended with, unless that was the first. */
    attempt?: number;
  };
  /** A task ends because what contains it has ended. */
  "cue:ParentEnded": { task: TaskName; cause: Cause; reason: string };
  "cue:Paused": { task: TaskName };
  "cue:Resumed": { task: TaskName };
  /** A contained task has a pause before it: the run pauses itself. */
  "cue:PauseWanted": { reason: string };
  /** A task waits for a signal; `fits` numbers the kept signals that its match allows, absent without a match. */
  "cue:WaitOpened": { task: TaskName; wait: Wait; fits?: number[] };
  "cue:WaitClosed": { task: TaskName };
  /** What a task waits for is here. */
  "cue:Wake": { task: TaskName; resume_data: Data };

  // ── control task and host ──
  "cue:RouteWanted": { task: TaskName };
  "cue:Routed": { output: Data; next?: string };
  "cue:RouteFailed": { error: WireError };

  // ── task attempt (or agent runtime) and the calls it makes ──
  /** An agent or tool is to be called: the host makes the call's chart. */
  "cue:Call": { kind: CallKind; id: string; exec_id: string };
  "cue:EndCall": { exec_id: string; cause: Cause; reason: string };
  "cue:CallEnded": { exec_id: string; status: "SUCCESS" | "FAILED" | "CANCELED"; result: Outcome };
  /** Nobody subscribes to where the command went. */
  "cue:NoResponder": object;

  // ── handler run and the host that runs the handler ──
  /** The limits of the tool are to let it in. */
  "cue:RoomWanted": object;
  /** They do, or it has no place in line. */
  "cue:RoomGranted": { problem?: WireError };
  "cue:Perform": { kind: CallKind; id: string; exec_id: string };
  "cue:Abort": { exec_id: string; cause: Cause; reason: string };
  /** What came of the handler; `thought`: an agent has said AgentThinking itself. */
  "cue:Returned": { exec_id: string; output: Data; thought: boolean };
  "cue:Threw": { exec_id: string; error: { message: string; code?: string; details?: Data }; thought: boolean };

  // ── conversation and the gateway ──
  /** Something is to run in the thread when its turn comes. */
  "cue:TurnWanted": { turn: string };
  "cue:TurnBegins": { turn: string };
  /** So many are before it. */
  "cue:TurnWaits": { turn: string; before: number };
  /** It will not run: too many wait, or the thread is closed. */
  "cue:TurnRefused": { turn: string; why: "full" | "closed" };
  /** It has ended, or it is not wanted any more. */
  "cue:TurnEnded": { turn: string };
  /** Nothing more is to run in the thread. */
  "cue:ThreadClosed": object;

  // ── agent dispatch and the registry ──
  /** A runtime is wanted; `except` were tried and could not. */
  "cue:ChooseRuntime": { agent: string; except: string[] };
  "cue:RuntimeChosen": { runtime: { id: string; exec_id: string } };
  /** Nobody serves the agent; or it has no place in the line before its limits, and why. */
  "cue:NoRuntime": { error?: WireError };
  "cue:AllBusy": object;
  /** The limits of the agent let no more begin for now. */
  "cue:InLine": object;
  /** A runtime may have become free. */
  "cue:RuntimeFree": object;
  /** The lease of the runtime that has the agent ran out. */
  "cue:RuntimeLost": object;
};

export type CallKind = "agent" | "tool";
export type EndStatus = "SUCCESS" | "FAILED" | "TIMED_OUT" | "CANCELED";

export type CueKey = keyof Cues;
export type Cue<K extends CueKey = CueKey> = K extends CueKey ? { type: K } & Cues[K] : never;

/** An error as charts make them. */
export const fault = (code: ErrorCode, message: string, details: Data = {}): { error: WireError } => ({
  error: { code, message, details },
});
