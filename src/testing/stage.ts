// A stage: charts living side by side in one thread and in virtual time, with everything they say written down.
//
//   say ──▶ log ──▶ company (who hears it?) ──▶ lives ──step──▶ say …       nothing to say ──▶ the next timer rings
//
// It has no disk and no wire: it shows how the charts fit together, and nothing about losing anything.

import type { AnyStateMachine, EmittedFrom, InputFrom } from "xstate";
import { fire, type Life, start, type Stamp, type Step, step, type Timer, type Unstamped } from "../machines/step.ts";
import { minter } from "../protocol/ids.ts";
import { randomFrom } from "./random.ts";

/** What was said: a message or a cue, by a component. */
export type Word = { type: string; [field: string]: unknown };
export type Line = { at: number; by: string; word: Word };

type Actor = { machine: AnyStateMachine; life: Life<AnyStateMachine>; by: string };
type Due = { at: number; order: number; act: () => void };

export type Stage = ReturnType<typeof openStage>;

/** Gives a word to whoever has to hear it. */
export type Company = (word: Word, by: string, from: string) => void;

/** Enough for a long story; more means that charts answer each other without end. */
const wordsMax = 10_000;

export function openStage(company: Company, beganAt = Date.UTC(2026, 0, 1)) {
  const ids = minter(randomFrom(1));
  const actors = new Map<string, Actor>();
  const log: Line[] = [];
  const queue: { word: Word; by: string; from: string }[] = [];
  const dues: Due[] = [];
  let at = beganAt;
  let order = 0;

  const stamp = (): Stamp => ({ at, seed: ids.seed(at, 10_000) });

  const settle = (address: string, actor: Actor, taken: Step<AnyStateMachine>): void => {
    actor.life = taken.life;
    for (const timer of taken.armed) later(timer.dueAt, () => ring(address, timer));
    for (const word of taken.messages as readonly EmittedFrom<AnyStateMachine>[]) {
      queue.push({ word: word as Word, by: actor.by, from: address });
    }
  };

  const ring = (address: string, timer: Timer): void => {
    const actor = actors.get(address);
    if (actor) settle(address, actor, fire(actor.machine, actor.life, timer, stamp()));
  };

  const later = (dueAt: number, act: () => void): void => {
    order += 1;
    dues.push({ at: Math.max(dueAt, at), order, act });
  };

  /** Hands out all that was said, and all that is said to that. */
  const drain = (): void => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      if (log.length >= wordsMax) throw new Error(`more than ${wordsMax} words were said`);
      log.push({ at, by: next.by, word: next.word });
      company(next.word, next.by, next.from);
    }
  };

  const stage = {
    log,
    now: () => at,
    id: () => ids.next(at),
    after: (ms: number, act: () => void) => later(at + ms, act),

    /** Brings a chart to life at an address, spoken for by a component. */
    enter<M extends AnyStateMachine>(address: string, machine: M, by: string, input: Unstamped<InputFrom<M>>): void {
      const begun = start(machine, input, stamp()) as unknown as Step<AnyStateMachine>;
      const actor: Actor = { machine, life: begun.life, by };
      actors.set(address, actor);
      settle(address, actor, begun);
    },
    /** Lets the chart at an address hear something; false if nobody is there. */
    tell(address: string, word: Word): boolean {
      const actor = actors.get(address);
      if (!actor) return false;
      settle(address, actor, step(actor.machine, actor.life, { ...word, ...stamp() }));
      return true;
    },
    /** A component dies: its charts, their timers and all they would have heard are gone. */
    kill(by: string): void {
      for (const [address, actor] of actors) if (actor.by === by) actors.delete(address);
    },
    /** A word from someone who is no chart: a client, a dispatcher, a runtime. */
    say(by: string, word: Word): void {
      queue.push({ word, by, from: by });
    },
    /** Plays until nothing is left to say and no timer runs, or until a time. */
    play(until = Infinity): void {
      drain();
      for (let due = earliest(dues); due && due.at <= until; due = earliest(dues)) {
        dues.splice(dues.indexOf(due), 1);
        at = Math.max(at, due.at);
        due.act();
        drain();
      }
      if (until !== Infinity) at = Math.max(at, until);
    },
  };
  return stage;
}

const earliest = (dues: readonly Due[]): Due | undefined =>
  dues.reduce<Due | undefined>(
    (first, due) => (first && (first.at < due.at || (first.at === due.at && first.order < due.order)) ? first : due),
    undefined,
  );
