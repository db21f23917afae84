// What `check` plays and what comes of it: a trial is the plan, a played run what happened, a judge says what is wrong.
//
//   trial ──play──▶ played ──judges──▶ findings ──shrink──▶ the smallest trial that shows the same
//
// A trial is plain JSON: written down it is the same run, on any machine.

import type { Execution } from "../../actors/state-manager.ts";
import type { AgentDefinition } from "../../agents/agent.ts";
import type { WorkflowSpec } from "../../language/spec.ts";
import type { Component as Code } from "../../protocol/entry.ts";
import type { Word } from "../../actors/component.ts";
import type { JournalLine } from "../../actors/record.ts";
import type { Disk } from "../../store/memory.ts";
import type { ToolDefinition } from "../../tools/tool.ts";

// ── what is planned ──

/**
 * Names one call of an agent or tool, one wait, or one attempt of either: the task's id, which item of an `each` it is
 * for, which pass of a loop, and which attempt. `charge` is the first attempt of its first pass; `charge@2` the second
 * attempt, `charge#2` the first of its second pass, `pages[3]/fetch` that of the fourth item, and `pay/charge` a task
 * of the child workflow that task `pay` began. `charge@*` stands for all its attempts, `pages[*]/fetch` for all items.
 */
export type Place = string;

/** Why nobody could be given the order; as `details.reason` of AGENT_DISPATCH_FAILED and TOOL_DISPATCH_FAILED. */
export type Refusal = "no_runtime" | "all_busy";

/** What comes of one call. Of a wait: what comes of the signal or answer that it waits for. */
export type Outcome =
  /** It answers; of a wait: what it waits for comes, soon after it began to wait. */
  | { do: "succeeds"; output: unknown }
  | { do: "fails"; code: string }
  /** Nobody takes the order. Not of a wait. */
  | { do: "undispatched"; reason: Refusal }
  /** Nothing ever comes. */
  | { do: "hangs" }
  /** It answers after its timeout. */
  | { do: "late"; output: unknown }
  /** It answers twice. */
  | { do: "doubled"; output: unknown }
  /** It answers shortly before its timeout. */
  | { do: "slow"; output: unknown }
  /** Of an agent: its runtime dies, before the work or after it, and nobody hears of the answer. */
  | { do: "dies"; when: "before" | "after" }
  /** Of a wait for a signal: it comes before anybody waits. */
  | { do: "early"; output: unknown };

/** When a disturbance comes: right behind the n-th append of the play, counted from 1, or so long after the start. */
export type Moment = { append: number } | { ms: number };

export type Disturbance = Moment &
  (
    | /** The process dies and comes back: `kept` says whether the append of that moment is on the disk. */
      { do: "crash"; kept: boolean; downMs: number }
    | { do: "cancel" }
    | { do: "pause"; forMs: number }
    /** The wall clock jumps. */
    | { do: "jump"; byMs: number }
    /** A signal that no wait of the plan asks for. */
    | { do: "signal"; name: string; payload: unknown }
  );

export type FaultKind = Outcome["do"] | Disturbance["do"];

export type Trial = {
  /** The workflow that is run. */
  workflow: string;
  /** What ids, and whatever else is left to chance, come from. */
  seed: number;
  input: unknown;
  /** What is not here succeeds, with the plain output of its stand-in. */
  calls: Readonly<Record<Place, Outcome>>;
  disturbances: readonly Disturbance[];
};

// ── what happened ──

/** A message as it was recorded: `line` is its number in the journal. */
export type Line = {
  line: number;
  at: number;
  run: string;
  by: Code;
  word: Word;
  disposition: string;
  cause: string | null;
  id: string;
};

/** A handler that was called, or a wait that began. */
export type Called = {
  place: Place;
  kind: "agent" | "tool" | "wait";
  /** The agent, the tool, or the name of the signal (`approval` and `time` for the other waits). */
  callee: string;
  run: string;
  workflow: string;
  task: string;
  taskExecId: string;
  /** Of the call itself; of a wait that of its task. */
  execId: string;
  attempt: number;
  idempotencyKey: string;
  input: unknown;
  outcome: Outcome;
  at: number;
  /** When it was done; null if it never was. What it had done by then is done, whether anybody heard of it or not. */
  doneAt: number | null;
  /** When it was told to stop; null if it was not. */
  toldToStopAt: number | null;
  /** Which life of the process it was in: 1 before the first crash. */
  life: number;
  /** The same attempt had been called before: a crash made it run again. */
  isAgain: boolean;
};

/** A way of a workflow's own chart that was taken. Where it leads is a task, or `$SUCCESS` for the end of its block. */
export type Transition = { workflow: string; task: string; on: "SUCCESS" | "FAILED" | "TIMED_OUT"; to: string };

/** What the trial asked for that never came to pass: no such call was made, or the run was over by then. */
export type Unmet = { what: Place | Disturbance; why: string };

export type Played = {
  trial: Trial;
  /** Of the run itself, and of all that it can call. */
  definition: WorkflowSpec;
  workflows: ReadonlyMap<string, WorkflowSpec>;
  /** Execution id of the run. */
  run: string;
  /** How the run stands at the end: SUCCESS, FAILED, TIMED_OUT, CANCELED, or what it was left in. */
  status: string;
  output: unknown;
  error: { code: string; message: string; details: Readonly<Record<string, unknown>> } | null;
  beganAt: number;
  /** When the run ended; null if it did not. */
  endedAt: number | null;
  /** Every message, in the order of the journal; all runs. */
  lines: readonly Line[];
  /** How every execution stands, all runs. */
  executions: readonly Execution[];
  calls: readonly Called[];
  transitions: readonly Transition[];
  unmet: readonly Unmet[];
  /** Runs that are still open though nothing is left that would ever happen, and what they wait for. */
  open: readonly { run: string; workflow: string; why: string }[];
  /** What the engine reported as an error: a step that failed, a run that is parked. */
  troubles: readonly string[];
  /** How many times something was appended, and how often the process began. */
  appends: number;
  lives: number;
  /** The same as the journal of the daemon shows it. Made when asked for. */
  journal(): JournalLine[];
  /** The disk as it is at the end, for a troupe to be opened on. Made when asked for. */
  disk(): Disk;
};

// ── what is wrong with it ──

export type Severity = "error" | "warning" | "note";

export type Flaw = {
  /** The name of the kind of finding, such as `never-ends`. */
  id: string;
  severity: Severity;
  title: string;
  explanation: string;
  fix: string;
  /** The task it is about; none if it is the workflow as a whole. */
  task?: string;
  workflow: string;
};

/** Flaws with the same id, workflow, task and title are one finding: it is told once, with the smallest trial. */
export type Judge = (played: Played) => readonly Flaw[];

export type Finding = Flaw & {
  trial: Trial;
  /** How many things differ from the plain run. */
  steps: number;
  /** The same trial as a short text, for `--replay`. */
  replay: string;
};

// ── the search ──

/** What a project is, as far as it is played: definitions without their handlers. */
export type Cast = {
  workflows: readonly WorkflowSpec[];
  agents?: readonly CalleeSpec[];
  tools?: readonly CalleeSpec[];
};
/** Of an agent or tool: what it may be given, what it answers, how long it may take, its limits. */
export type CalleeSpec = Omit<AgentDefinition | ToolDefinition, "handler" | "module" | "kind"> & {
  /** Code of errors that it is known to fail with; else some of each kind are tried. */
  codes?: readonly string[];
  /** What it answers in place of what its schema allows: a value, or what makes one of the input. */
  answers?: (input: unknown, attempt: number) => unknown;
};

export type Options = {
  workflow: string;
  seed: number;
  /** How many runs at most. */
  runs: number;
  /** How long at most, in milliseconds of this machine. A search that this cuts off says so. */
  timeMs: number;
  /** The kinds of faults to try; all, if none are named. */
  faults?: readonly FaultKind[];
  /** Inputs of real runs: they are tried beside those that the schema gives. */
  inputs?: readonly unknown[];
  /** How many findings end the search: the rest of a broken workflow adds nothing. */
  findingsMax?: number;
};

/** One part of the search that can be done completely. */
export type Part = { what: string; done: number; of: number };

export type Covered = {
  transitions: readonly (Transition & { times: number })[];
  /** Each failure of each task: how often it was played, and why not if it never was. */
  failures: readonly { place: string; fault: FaultKind; times: number }[];
  states: { reached: number; of: number };
};

export type Unreached = { what: string; why: string };

export type Report = {
  workflow: string;
  seed: number;
  runs: number;
  findings: readonly Finding[];
  parts: readonly Part[];
  covered: Covered;
  faults: Readonly<Partial<Record<FaultKind, number>>>;
  unreached: readonly Unreached[];
  /** What cut the search off before all of it was done; null if it ended by itself. */
  cutBy: "runs" | "time" | "findings" | null;
  /** What was assumed where definitions say nothing, and what no search of this kind covers. */
  assumed: readonly string[];
};

export type Progress = {
  runs: number;
  part: string;
  transitions: { taken: number; of: number };
  faults: number;
  findings: number;
};
