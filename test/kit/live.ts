// One history lived twice: by a live XState actor on a clock that stands until it is moved, and by the pure step.
//
// Both get the same input, events and stamps. A scene is what can be seen after an act; the two lists must be equal.

import { createActor, StateMachine, type AnyMachineSnapshot, type AnyStateMachine } from "xstate";
import type { EventFrom, EventObject, InputFrom } from "xstate";
import {
  fire,
  silence,
  start,
  step,
  type Life,
  type Stamp,
  type Step,
  type Unstamped,
} from "../../src/machines/step.ts";

/** One event, or time that passes: what is due on the way fires when it is due. */
export type Act<M extends AnyStateMachine> = { event: Unstamped<EventFrom<M>> } | { advanceMs: number };

export type Scene = {
  status: string;
  value: unknown;
  context: unknown;
  output: unknown;
  said: readonly unknown[];
  /** When what the machine waits for is due, soonest first. */
  waits: readonly number[];
};

export function bothWays<M extends AnyStateMachine>(
  machine: M,
  input: Unstamped<InputFrom<M>>,
  history: readonly Act<M>[],
): { live: Scene[]; pure: Scene[] } {
  return { live: liveScenes(machine, input, history), pure: pureScenes(machine, input, history) };
}

const epoch = Date.UTC(2026, 0, 1);

/** The stamp of the n-th thing that a machine hears. */
const stampOf = (at: number, n: number): Stamp => ({
  at,
  seed: `019b76da-a800-7000-8000-${(n * 0x10000).toString(16).padStart(12, "0")}`,
});

const sceneOf = (snapshot: AnyMachineSnapshot, said: readonly unknown[], waits: readonly number[]): Scene => ({
  status: snapshot.status,
  value: snapshot.value,
  context: snapshot.context,
  output: snapshot.output,
  said,
  waits: waits.toSorted((a, b) => a - b),
});

// ── by the pure step ──

/** `between` is what happens to a life from one step to the next: nothing, or a crash and a return. */
export function pureScenes<M extends AnyStateMachine>(
  machine: M,
  input: Unstamped<InputFrom<M>>,
  history: readonly Act<M>[],
  between: (life: Life<M>) => Life<M> = (life) => life,
): Scene[] {
  let now = epoch;
  let heard = 0;
  let said: unknown[] = [];
  const next = (): Stamp => stampOf(now, heard++);
  const keep = (taken: Step<M>): Life<M> => {
    said.push(...taken.messages);
    return between(taken.life);
  };
  const scene = ({ snapshot, timers }: Life<M>): Scene => {
    const seen = sceneOf(
      snapshot,
      said,
      timers.map(({ dueAt }) => dueAt),
    );
    said = [];
    return seen;
  };

  let life = keep(start(machine, input, next()));
  const scenes = [scene(life)];
  for (const act of history) {
    if ("event" in act) {
      const event = { ...act.event, ...next() } as unknown as EventFrom<M> & Stamp;
      life = keep(step(machine, life, event));
    } else {
      const until = now + act.advanceMs;
      for (let due = soonest(life, until); due !== undefined; due = soonest(life, until)) {
        now = Math.max(now, due.dueAt);
        life = keep(fire(machine, life, due, next()));
      }
      now = until;
    }
    scenes.push(scene(life));
  }
  return scenes;
}

/** The first due of those armed first. */
const soonest = <M extends AnyStateMachine>({ timers }: Life<M>, until: number) =>
  timers.filter(({ dueAt }) => dueAt <= until).toSorted((a, b) => a.dueAt - b.dueAt)[0];

// ── by a live actor ──

export function liveScenes<M extends AnyStateMachine>(
  machine: M,
  input: Unstamped<InputFrom<M>>,
  history: readonly Act<M>[],
): Scene[] {
  const clock = standingClock();
  let heard = 0;
  let stamp = stampOf(epoch, heard++);
  let said: unknown[] = [];
  let failure: unknown;

  const actor = createActor(
    stamping(machine, () => stamp),
    { clock, input: { ...Object(input), ...stamp } },
  );
  actor.on("*", (message) => message !== silence && said.push(message));
  actor.subscribe({ error: (error) => (failure = error) });
  relayStamped(actor.system, () => (stamp = stampOf(clock.now(), heard++)));

  const scene = (): Scene => {
    if (failure !== undefined) throw failure;
    const seen = sceneOf(actor.getSnapshot(), said, clock.waits());
    said = [];
    return seen;
  };
  actor.start();
  const scenes = [scene()];
  for (const act of history) {
    if ("advanceMs" in act) clock.advance(act.advanceMs);
    else if (actor.getSnapshot().status === "active") actor.send(act.event);
    // A stopped actor drops an event, and complains on the console.
    else heard += 1;
    scenes.push(scene());
  }
  actor.stop();
  return scenes;
}

/** A copy of the machine that stamps what XState itself makes: the event of a start and those of done states. */
function stamping(machine: AnyStateMachine, stamp: () => Stamp): AnyStateMachine {
  const methods = StateMachine.prototype as unknown as Record<string, (this: unknown, ...all: unknown[]) => unknown>;
  const copy = machine.provide({});
  return Object.assign(copy, {
    _getPreInitialState: (scope: unknown, event: EventObject, queue: unknown) =>
      methods["_getPreInitialState"]?.call(copy, scope, Object.assign(event, stamp()), queue),
    getTransitionData: (snapshot: unknown, event: EventObject & Partial<Stamp>) =>
      methods["getTransitionData"]?.call(
        copy,
        snapshot,
        event.at === undefined ? Object.assign(event, stamp()) : event,
      ),
  });
}

/** Whatever reaches an actor goes through its system, also what comes from the clock. */
function relayStamped(system: object, stamp: () => Stamp): void {
  const relaying = system as { _relay(source: unknown, target: unknown, event: EventObject): void };
  const relay = relaying._relay.bind(relaying);
  relaying._relay = (source, target, event) => relay(source, target, { ...event, ...stamp() });
}

function standingClock() {
  type Wait = { id: number; dueAt: number; ring: () => void };
  let now = epoch;
  let waits: Wait[] = [];
  let count = 0;
  const due = (until: number): Wait | undefined =>
    waits.filter(({ dueAt }) => dueAt <= until).toSorted((a, b) => a.dueAt - b.dueAt)[0];
  return {
    now: () => now,
    waits: () => waits.map(({ dueAt }) => dueAt).filter(Number.isFinite),
    setTimeout(ring: (...all: unknown[]) => void, ms: number): number {
      waits.push({ id: count, dueAt: now + Math.max(0, ms), ring });
      return count++;
    },
    clearTimeout(id: number): void {
      waits = waits.filter((wait) => wait.id !== id);
    },
    advance(ms: number): void {
      const until = now + ms;
      for (let wait = due(until); wait !== undefined; wait = due(until)) {
        const { id, dueAt, ring } = wait;
        now = Math.max(now, dueAt);
        waits = waits.filter((one) => one.id !== id);
        ring();
      }
      now = until;
    },
  };
}
