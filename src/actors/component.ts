// What a component is to the actor system: whom it speaks for, and what it does with each thing it hears.
//
// A component is a small router over charts. What it hears stands in its one table, by key; messages come from
// anywhere, cues only from its own charts. It keeps nothing: what it knows is in the charts and facts of the run.

import type { AnyStateMachine, InputFrom } from "xstate";
import type { CueKey } from "../machines/cues.ts";
import type { Unstamped } from "../machines/step.ts";
import type { Key, Section } from "../protocol/catalogue.ts";
import type { Component as Code } from "../protocol/entry.ts";
import type { Actor, Run } from "./run.ts";
import type { World } from "./world.ts";

type Ids = {
  workflow?: Section & { exec_id: string };
  task?: { id: string; exec_id: string };
  agent?: { id: string; exec_id: string };
  tool?: { id: string; exec_id: string };
  agent_runtime?: { id: string; exec_id: string };
};
/** A message or cue as routers read it. Its real type is the catalogue's, checked where it was said. */
export type Word = { type: string; to?: string; [field: string]: unknown } & Ids;

/** A word on its way: who said it, from which run and address, and as what message. A cue has no id. */
export type Heard = { word: Word; by: Code; from: string; run: string; id: string; cause: Cause | null };

/** The message that caused a word, and where that came from; what came from outside is of no run. */
export type Cause = { run: string; from: string; id: string };

export type Host = {
  run: Run;
  world: World;
  at: number;
  /** Lets the chart at an address hear something; false if nobody is there. */
  tell(address: string, word: object): boolean;
  /** Brings a chart to life, spoken for by a component; `reportsTo` is the address that hears how it ends. */
  enter<M extends AnyStateMachine>(
    address: string,
    machine: M,
    by: Code,
    input: Unstamped<InputFrom<M>>,
    reportsTo?: string,
  ): void;
  actor(address: string): Actor | undefined;
  /** Who hears how the chart at an address ends, also when it just has. */
  reportsTo(address: string): string | null;
  /** A component speaks for itself. */
  say(by: Code, word: object): void;
  /** What the run asks of the world. The answer is recorded, and a replay is given it again. */
  ask<T>(answer: () => T): T;
  /** Another run hears this, right after what is under way. */
  forward(run: string, heard: Heard): void;
  /** Changes a fact of the run; what went before comes back if the step fails. */
  note<K extends keyof Run["facts"]>(fact: K, value: Run["facts"][K]): void;
  /** Changes an entry of a table among the facts in place, or takes it out; it comes back likewise. */
  put<T>(table: Record<string, T>, key: string, value: T | undefined): void;
  /**
   * Whether so many words more have room in this cascade. If not, whoever hears what leads to them forwards that to its
   * own run, which hears it next.
   */
  hasRoom(words: number): boolean;
  /** What leaves the process: it happens once everything up to here is on disk, and not in a replay. */
  effect(act: () => void): void;
};

export type Ear = (host: Host, heard: Heard) => void;

export type Component = {
  /** The name of its role, and of its file. */
  role: string;
  code: Code;
  /** The queue group in which it hears what comes over a transport. */
  group: string;
  hears: { readonly [key in Key | CueKey]?: Ear };
};

/** What follows the kind of chart in an address. */
export const execIdIn = (address: string): string => address.slice(address.indexOf("/") + 1);

/** The word as the chart that is meant hears it. */
export const as = <T>(word: Word): T => word as unknown as T;
